/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cover - the initial namespace's instance metering the others, too
 *
 * Each namespace is in one of three states: left alone, covered (a watch of its
 * own that counts into the initial namespace's instance, with the
 * namespace in the key), or metering by itself. Two instances never
 * have hooks in the same namespace.
 */
#ifndef _WEIR_COVER_H
#define _WEIR_COVER_H

#include <linux/list.h>
#include <linux/types.h>

struct net;
struct netlink_ext_ack;
struct weir_config;
struct weir_meter;
struct weir_watch;

/* A namespace's part in it, in its struct weir_net. All under cover_lock. */
struct weir_cover {
	struct net *net;
	struct list_head list;		/* all namespaces that can be covered */
	struct weir_watch *watch;	/* NULL: not covered */
	bool own;			/* it meters by itself, or is about to */
};

/* A namespace comes: covered from its first packet on, if others are. */
void weir_cover_init(struct weir_cover *c, struct net *net);

/* It goes: no hooks any more. A grace period is due before weir_cover_free(). */
void weir_cover_exit(struct weir_cover *c);
void weir_cover_free(struct weir_cover *c);

/*
 * Do as @config says: begin to cover all namespaces that do not meter by themselves, follow a
 * change of modes, or end it. Calls, also of weir_cover_end(), are serialised by the initial
 * namespace's lock. Return: 0, or an error with a sentence and all is as before.
 */
int weir_cover_apply(struct weir_meter *m, const struct weir_config *config,
		     struct netlink_ext_ack *extack);
/* On return no packet is inside a hook of a covered namespace. Not begun: no error. */
void weir_cover_end(void);

/* Every tick: weir_nat_follow() for the covered ones. */
void weir_cover_follow_nat(void);

/* A namespace's own instance takes over, or is over. Packets meanwhile are nobody's. */
void weir_cover_leave(struct weir_cover *c);
void weir_cover_return(struct weir_cover *c);

#endif /* _WEIR_COVER_H */
