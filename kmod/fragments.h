/* SPDX-License-Identifier: GPL-2.0 */
/* fragments - the ports of fragments that do not have them */
#ifndef _WEIR_FRAGMENTS_H
#define _WEIR_FRAGMENTS_H

#include "dissect.h"

struct weir_cpu;
struct weir_fragments;

int weir_fragments_init(struct weir_cpu *c, int node);
void weir_fragments_destroy(struct weir_cpu *c);
u64 weir_fragments_memory(void);

/**
 * weir_fragments_ports - remember the ports of a first fragment, or find those of a later one
 * @c: the CPU, locked
 * @p: the packet, WEIR_FLOW_FRAGMENTS in its flags, with the whole key
 * @now: monotonic ns
 *
 * A later fragment whose first one was seen gets its ports and protocol, and belongs
 * to the same flow; WEIR_WHERE_LATER_FRAGMENT is taken away. Else @p stays as it is.
 */
void weir_fragments_ports(struct weir_cpu *c, struct weir_packet *p, u64 now);

#endif /* _WEIR_FRAGMENTS_H */
