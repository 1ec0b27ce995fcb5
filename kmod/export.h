/* SPDX-License-Identifier: GPL-2.0 */
/* export - the stream of numbered batches to its one subscriber */
#ifndef _WEIR_EXPORT_H
#define _WEIR_EXPORT_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <uapi/weir.h>

struct netlink_ext_ack;
struct net;
struct weir_meter;

enum {
	WEIR_WINDOW_DEFAULT = 64,
	WEIR_WINDOW_MAX = 65536,
};

/* Where batch number n is. */
struct weir_place {
	u32 cpu;			/* index into weir_meter.cpus */
	u32 slot;			/* index into that CPU's log */
};

/* Who receives the stream. On a global list while port is not 0. */
struct weir_owner {
	struct list_head list;		/* under owner_lock */
	struct net *net;
	u32 port;			/* under owner_lock; 0: nobody */
	bool closed;			/* under owner_lock; not yet told to the group */
};

struct weir_stream {
	struct mutex lock;		/* all but owner and work */
	struct weir_place *fifo;	/* by number, modulo size */
	u32 size;			/* at least all logs' slots; a power of two */
	u32 window;
	u64 last_seq;			/* last number given */
	u64 acked_seq;			/* these and all before are gone */
	u64 sent_seq;			/* sent to the present owner */
	u64 shown_seq;			/* sent to any owner ever */
	struct weir_totals numbered;	/* of batches 1..last_seq */
	bool closing;			/* metering stops: no new owner */
	bool hungry;			/* the owner was sent all there is */
	bool waiting;			/* a message did not fit the owner's buffer */
	struct weir_owner owner;
	struct work_struct work;
};

/* What GET_STATS tells of the stream. */
struct weir_stream_state {
	u64 last_seq;
	u64 acked_seq;
	struct weir_totals numbered;
	u32 owner;
};

int weir_export_init(struct weir_meter *m);
void weir_export_destroy(struct weir_meter *m);

/* Have sealed batches numbered and sent. Any context. */
void weir_export_kick(struct weir_meter *m);

/* A subscriber has all that was sealed and would take more. */
bool weir_export_hungry(const struct weir_meter *m);

/* Something is left that only time or an acknowledgment can move. */
bool weir_export_waiting(const struct weir_meter *m);

/**
 * weir_export_subscribe - give the stream to a socket
 * @m: the instance
 * @port: the socket's netlink port
 * @instance: the instance the subscriber knows, 0 for none
 * @seq: next batch it wants, 0 for the oldest
 * @window: batches that may be unacknowledged
 * @extack: for the sentence
 * @reply: sends the reply; called with the first number that will be sent and
 *	how many are missing before it, and before anything is sent
 * @arg: for @reply
 */
int weir_export_subscribe(struct weir_meter *m, u32 port, u64 instance, u64 seq, u32 window,
			  struct netlink_ext_ack *extack,
			  int (*reply)(void *arg, u64 first, u64 missing), void *arg);

/* Batches up to @seq are durable at the owner. */
int weir_export_ack(struct weir_meter *m, u32 port, u64 instance, u64 seq,
		    struct netlink_ext_ack *extack);

/* FLUSH: end every flow and seal what there is. */
int weir_export_flush(struct weir_meter *m, u64 *moved, u64 *left,
		      struct netlink_ext_ack *extack);

void weir_export_state(struct weir_meter *m, struct weir_stream_state *state);

/* Hooks and expiry are stopped: send what can be sent, then END, and settle the ledger. */
void weir_export_finish(struct weir_meter *m);

/* The notifier that tells when an owner's socket is closed. */
int weir_export_register(void);
void weir_export_unregister(void);

#endif /* _WEIR_EXPORT_H */
