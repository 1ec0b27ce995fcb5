/* SPDX-License-Identifier: GPL-2.0 */
/* hooks - where packets are seen, each once */
#ifndef _WEIR_HOOKS_H
#define _WEIR_HOOKS_H

struct net;
struct weir_meter;

/* Begin metering in @net. On return packets come in. */
int weir_hooks_register(struct net *net, struct weir_meter *m);

/* End it. Packets already inside may stay until the next grace period. */
void weir_hooks_unregister(struct net *net, struct weir_meter *m);

#endif /* _WEIR_HOOKS_H */
