// SPDX-License-Identifier: GPL-2.0
/*
 * export - the stream of numbered batches to its one subscriber
 *
 * Every CPU fills and seals batches in a log of its own (log.c). Here, in process
 * context and under the stream's lock, sealed batches of all CPUs get consecutive
 * numbers. The fifo says in which CPU's log each numbered batch lies. Since a CPU's
 * batches are numbered in the order they were sealed, and acknowledged in
 * the order of their numbers, its log is always freed from its tail.
 *
 * A batch is written once and never again until it is acknowledged, so one
 * that is sent again is the same to the last byte: records, clock offset and
 * the running totals are all kept with it.
 *
 * Sending is unicast to the owner's port, up to a window of unacknowledged
 * batches. When the owner's socket buffer is full we keep the batch and try again
 * at its next acknowledgment or at the next tick; never in a loop. When the port
 * is gone the stream is released and metering goes on. A slow reader therefore
 * loses nothing: the log fills, expiry stops, flows stay longer in the table,
 * and what is lost in the end is counted by the cache.
 *
 * Locks, outermost first: resize_lock, stream.lock (mutexes), the CPU's lock; stream.lock,
 * owner_lock. owner_lock is a spinlock because the notifier for a closed socket may
 * not sleep for us, and it looks owners up on a list rather than through their
 * namespace, whose data may be going away.
 */

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>

#include "expire.h"
#include "export.h"
#include "ledger.h"
#include "log.h"
#include "meter.h"
#include "net.h"
#include "netlink.h"

enum {
	/* When metering stops, the owner may keep us waiting this long in all ... */
	FINISH_MS = 2000,
	/* ... and this long without taking or acknowledging anything: one slow fsync. */
	FINISH_STALL_MS = 1000,
	/* ... while the log is full, this long. */
	FINISH_HOLD_MS = 200,
	FINISH_POLL_MS = 5,
};

static LIST_HEAD(owners);
static DEFINE_SPINLOCK(owner_lock);

static u32 owner_port(struct weir_stream *s)
{
	u32 port;

	spin_lock_bh(&owner_lock);
	port = s->owner.port;
	spin_unlock_bh(&owner_lock);
	return port;
}

static void owner_set(struct weir_meter *m, u32 port)
{
	struct weir_owner *owner = &m->stream.owner;

	spin_lock_bh(&owner_lock);
	if (!owner->port)
		list_add(&owner->list, &owners);
	owner->port = port;
	spin_unlock_bh(&owner_lock);
}

/* Release the stream if @port, or with 0 anyone, owns it. */
static bool owner_drop(struct weir_stream *s, u32 port)
{
	bool dropped = false;

	spin_lock_bh(&owner_lock);
	if (s->owner.port && (!port || s->owner.port == port)) {
		list_del(&s->owner.list);
		s->owner.port = 0;
		dropped = true;
	}
	spin_unlock_bh(&owner_lock);
	return dropped;
}

static int owner_closed(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct netlink_notify *n = ptr;
	struct weir_owner *owner, *next;

	if (event != NETLINK_URELEASE || n->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;

	spin_lock_bh(&owner_lock);
	list_for_each_entry_safe(owner, next, &owners, list) {
		if (owner->port != n->portid || !net_eq(owner->net, n->net))
			continue;
		list_del(&owner->list);
		owner->port = 0;
		owner->closed = true;
		/* while it was on the list its stream was there: destroy drops it first */
		queue_work(weir_wq, &container_of(owner, struct weir_stream, owner)->work);
	}
	spin_unlock_bh(&owner_lock);
	return NOTIFY_DONE;
}

static struct notifier_block owner_notifier = { .notifier_call = owner_closed };

int weir_export_register(void)
{
	return netlink_register_notifier(&owner_notifier);
}

void weir_export_unregister(void)
{
	netlink_unregister_notifier(&owner_notifier);
}

static struct weir_slot *slot_of(struct weir_meter *m, u64 seq)
{
	const struct weir_place *place = &m->stream.fifo[seq & (m->stream.size - 1)];

	return weir_log_slot(&m->cpus[place->cpu]->log, place->slot);
}

/* Give the next number to the oldest sealed batch of a CPU, if there is one. */
static bool number_one(struct weir_meter *m, u32 cpu)
{
	struct weir_stream *s = &m->stream;
	struct weir_cpu *c = m->cpus[cpu];
	struct weir_place *place;
	struct weir_slot *slot;
	bool sealed;

	spin_lock_bh(&c->lock);
	sealed = c->log.numbered != c->log.open;
	spin_unlock_bh(&c->lock);
	if (!sealed)
		return false;

	place = &s->fifo[++s->last_seq & (s->size - 1)];
	place->cpu = cpu;
	place->slot = c->log.numbered++;
	slot = weir_log_slot(&c->log, place->slot);
	weir_totals_add(&s->numbered, &slot->totals);
	slot->numbered = s->numbered;
	return true;
}

static void number_all(struct weir_meter *m)
{
	bool more;
	u32 cpu;

	do {	/* in turn, so that no CPU's batches wait behind all of another's */
		more = false;
		for (cpu = 0; cpu < m->ncpus; cpu++)
			more |= number_one(m, cpu);
	} while (more);
}

/* Free the oldest numbered batch, moving what it holds to where @to says. */
static void free_oldest(struct weir_meter *m, bool acked)
{
	struct weir_stream *s = &m->stream;
	const struct weir_place *place = &s->fifo[++s->acked_seq & (s->size - 1)];
	struct weir_cpu *c = m->cpus[place->cpu];
	struct weir_slot *slot = weir_log_slot(&c->log, place->slot);

	spin_lock_bh(&c->lock);
	WARN_ON_ONCE(c->log.tail != place->slot);
	weir_totals_move(&c->ledger.pending,
			 acked ? &c->ledger.acked : &c->ledger.lost[WEIR_LOST_DISCARDED],
			 &slot->totals);
	slot->count = 0;
	c->log.tail++;
	spin_unlock_bh(&c->lock);
}

static void free_up_to(struct weir_meter *m, u64 seq)
{
	while (m->stream.acked_seq < seq) {
		free_oldest(m, true);
		cond_resched();
	}
}

static int send_batch(struct weir_meter *m, u32 port, u64 seq)
{
	const struct weir_place *place = &m->stream.fifo[seq & (m->stream.size - 1)];
	struct sk_buff *skb;

	skb = weir_netlink_batch(m->instance, seq, m->cpus[place->cpu]->cpu, slot_of(m, seq));
	if (!skb)
		return -ENOMEM;
	return genlmsg_unicast(weir_net_of(m->wn), skb, port);
}

/* Tell the group once that the owner's socket was closed. */
static void notice_closed(struct weir_meter *m)
{
	struct weir_owner *owner = &m->stream.owner;
	bool closed;

	spin_lock_bh(&owner_lock);
	closed = owner->closed;
	owner->closed = false;
	spin_unlock_bh(&owner_lock);
	if (closed)
		weir_net_notice(m->wn, WEIR_NOTICE_RELEASED, m->instance);
}

/* Send what the window and the owner's buffer take. */
static int send_all(struct weir_meter *m)
{
	struct weir_stream *s = &m->stream;
	const u32 port = owner_port(s);
	int err = 0;

	s->waiting = false;
	WRITE_ONCE(s->hungry, false);
	if (!port)
		return -ENOTCONN;
	/* a port that is released may be another program's a moment later */
	while (s->sent_seq < s->last_seq && s->sent_seq - s->acked_seq < s->window &&
	       owner_port(s) == port) {
		err = send_batch(m, port, s->sent_seq + 1);
		if (err)
			break;
		s->sent_seq++;
		s->shown_seq = max(s->shown_seq, s->sent_seq);
		cond_resched();
	}
	if (err == -ECONNREFUSED && owner_drop(s, port))
		weir_net_notice(m->wn, WEIR_NOTICE_RELEASED, m->instance);
	else if (err)
		s->waiting = true;
	else
		WRITE_ONCE(s->hungry, s->sent_seq == s->last_seq);
	return err;
}

static void export_work(struct work_struct *work)
{
	struct weir_meter *m = container_of(work, struct weir_meter, stream.work);

	mutex_lock(&m->stream.lock);
	number_all(m);
	send_all(m);
	mutex_unlock(&m->stream.lock);
	notice_closed(m);
}

void weir_export_kick(struct weir_meter *m)
{
	queue_work(weir_wq, &m->stream.work);
}

/* Unlocked: what changes meanwhile is seen by the next tick. */
bool weir_export_hungry(const struct weir_meter *m)
{
	return READ_ONCE(m->stream.hungry);
}

bool weir_export_waiting(const struct weir_meter *m)
{
	return READ_ONCE(m->stream.waiting);
}

int weir_export_init(struct weir_meter *m)
{
	struct weir_stream *s = &m->stream;

	mutex_init(&s->lock);
	INIT_WORK(&s->work, export_work);
	s->owner.net = weir_net_of(m->wn);
	s->window = WEIR_WINDOW_DEFAULT;
	s->size = roundup_pow_of_two(m->ncpus * m->log_batches);
	s->fifo = kvcalloc(s->size, sizeof(*s->fifo), GFP_KERNEL);
	m->memory += (u64)s->size * sizeof(*s->fifo);
	return s->fifo ? 0 : -ENOMEM;
}

void weir_export_destroy(struct weir_meter *m)
{
	owner_drop(&m->stream, 0);
	cancel_work_sync(&m->stream.work);
	kvfree(m->stream.fifo);
	mutex_destroy(&m->stream.lock);
}

/* Where the subscriber continues, or an error. Sets *first and *missing. */
static int resume_at(struct weir_meter *m, u64 instance, u64 seq, u64 *first, u64 *missing,
		     struct netlink_ext_ack *extack)
{
	struct weir_stream *s = &m->stream;

	*missing = 0;
	*first = s->acked_seq + 1;
	if (instance != m->instance || !seq)
		return 0;
	if (seq > s->shown_seq + 1 && seq > s->acked_seq + 1) {
		NL_SET_ERR_MSG_MOD(extack, "SEQ is beyond the last batch that was ever sent");
		return -ERANGE;
	}
	if (seq < *first)
		*missing = *first - seq;
	else
		*first = seq;
	return 0;
}

int weir_export_subscribe(struct weir_meter *m, u32 port, u64 instance, u64 seq, u32 window,
			  struct netlink_ext_ack *extack,
			  int (*reply)(void *arg, u64 first, u64 missing), void *arg)
{
	struct weir_stream *s = &m->stream;
	u64 first, missing;
	u32 owner;
	int err;

	mutex_lock(&s->lock);
	owner = owner_port(s);
	err = -ENETDOWN;
	if (s->closing) {
		NL_SET_ERR_MSG_MOD(extack, "metering is being switched off");
		goto unlock;
	}
	err = -EBUSY;
	if (owner && owner != port) {
		NL_SET_ERR_MSG_MOD(extack, "another socket owns the stream");
		goto unlock;
	}
	number_all(m);
	err = resume_at(m, instance, seq, &first, &missing, extack);
	if (err)
		goto unlock;
	err = reply(arg, first, missing);
	if (err)
		goto unlock;
	free_up_to(m, first - 1);
	s->sent_seq = first - 1;
	s->window = window;
	owner_set(m, port);
unlock:
	mutex_unlock(&s->lock);
	if (!err) {
		weir_export_kick(m);
		weir_net_notice(m->wn, WEIR_NOTICE_OWNED, m->instance);
	}
	return err;
}

int weir_export_ack(struct weir_meter *m, u32 port, u64 instance, u64 seq,
		    struct netlink_ext_ack *extack)
{
	struct weir_stream *s = &m->stream;
	int err = 0;

	mutex_lock(&s->lock);
	if (owner_port(s) != port) {
		NL_SET_ERR_MSG_MOD(extack, "this socket does not own the stream; SUBSCRIBE first");
		err = -EPERM;
	} else if (instance != m->instance) {
		NL_SET_ERR_MSG_MOD(extack, "INSTANCE is not the running one");
		err = -ESTALE;
	} else if (seq > s->sent_seq) {
		NL_SET_ERR_MSG_MOD(extack, "SEQ was not sent yet");
		err = -ERANGE;
	} else {
		free_up_to(m, seq);
	}
	mutex_unlock(&s->lock);
	if (!err)
		weir_export_kick(m);
	return err;
}

int weir_export_flush(struct weir_meter *m, u64 *moved, u64 *left, struct netlink_ext_ack *extack)
{
	struct weir_stream *s = &m->stream;
	int err = 0;

	/* outermost: a change of large tables may take a while, and the stream goes on meanwhile */
	mutex_lock(&m->resize_lock);
	/* under the lock: nothing may leave a table after END has said what was in it */
	mutex_lock(&s->lock);
	if (s->closing) {
		NL_SET_ERR_MSG_MOD(extack, "metering is being switched off");
		err = -ENETDOWN;
	} else {
		weir_expire_flush(m, moved, left);
		weir_expire_seal(m);
	}
	mutex_unlock(&s->lock);
	mutex_unlock(&m->resize_lock);
	if (!err)
		weir_export_kick(m);
	return err;
}

void weir_export_state(struct weir_meter *m, struct weir_stream_state *state)
{
	struct weir_stream *s = &m->stream;

	mutex_lock(&s->lock);
	state->last_seq = s->last_seq;
	state->acked_seq = s->acked_seq;
	state->numbered = s->numbered;
	state->owner = owner_port(s);
	mutex_unlock(&s->lock);
}

/* What the farewell knows from one round to the next. */
struct farewell {
	u64 deadline_ns;
	u64 progress_ns;		/* when something last moved */
	u64 sent_seq;
	u64 acked_seq;
};

static void farewell_begin(struct farewell *f)
{
	memset(f, 0, sizeof(*f));
	f->progress_ns = ktime_get_ns();
	f->deadline_ns = f->progress_ns + FINISH_MS * (u64)NSEC_PER_MSEC;
}

/* Note progress. Return: whether to go on. The stream is locked. */
static bool farewell_goes_on(struct farewell *f, struct weir_stream *s, bool moved)
{
	const u64 now = ktime_get_ns();

	if (moved || s->sent_seq != f->sent_seq || s->acked_seq != f->acked_seq)
		f->progress_ns = now;
	f->sent_seq = s->sent_seq;
	f->acked_seq = s->acked_seq;
	return owner_port(s) && now < f->deadline_ns &&
	       now - f->progress_ns < FINISH_STALL_MS * (u64)NSEC_PER_MSEC;
}

/* One round of emptying the tables. Return: whether there is to be another. */
static bool finish_round(struct weir_meter *m, struct farewell *f)
{
	struct weir_stream *s = &m->stream;
	bool more, left;	/* flows in a table, for want of room in a log */
	u64 moved = 0;

	left = !weir_expire_drain(m, &moved);
	weir_expire_seal(m);
	number_all(m);
	s->window = U32_MAX;	/* there is nothing to hold back for */
	send_all(m);
	more = farewell_goes_on(f, s, moved) && (left || s->sent_seq != s->last_seq);
	/*
	 * The log is smaller than the table. The owner does not acknowledge: what it
	 * was sent makes room for the rest, though it cannot ask for that again.
	 */
	if (more && left &&
	    ktime_get_ns() - f->progress_ns >= FINISH_HOLD_MS * (u64)NSEC_PER_MSEC)
		while (s->acked_seq < s->sent_seq)
			free_oldest(m, false);
	return more;
}

/* Empty the table through the log to the owner as long as it takes something. */
static void finish_stream(struct weir_meter *m, struct farewell *f)
{
	bool more;

	for (;;) {
		mutex_lock(&m->stream.lock);
		m->stream.closing = true;
		more = finish_round(m, f);
		mutex_unlock(&m->stream.lock);
		if (!more)
			return;
		msleep(FINISH_POLL_MS);
	}
}

/* The owner has END; what it commits now is not lost. */
static void finish_acks(struct weir_meter *m, struct farewell *f)
{
	struct weir_stream *s = &m->stream;
	bool more;

	f->progress_ns = ktime_get_ns();
	for (;;) {
		mutex_lock(&s->lock);
		more = farewell_goes_on(f, s, false) && s->acked_seq < s->sent_seq;
		mutex_unlock(&s->lock);
		if (!more)
			return;
		msleep(FINISH_POLL_MS);
	}
}

/* What is still in a table got no number: it is lost here and now. */
static void discard_table(struct weir_cpu *c)
{
	struct weir_totals what;

	spin_lock_bh(&c->lock);
	what = c->ledger.table;
	weir_totals_move(&c->ledger.table, &c->ledger.lost[WEIR_LOST_DISCARDED], &what);
	spin_unlock_bh(&c->lock);
}

static void send_end(struct weir_meter *m, u32 port, const struct weir_totals *lost)
{
	struct sk_buff *skb;
	unsigned int tries;
	int err;

	/* The message that says how much is missing is worth a short wait. */
	for (tries = 0; tries < FINISH_STALL_MS / FINISH_POLL_MS; tries++) {
		if (owner_port(&m->stream) != port)
			return;
		skb = weir_netlink_end(m->instance, m->stream.last_seq, &m->stream.numbered, lost);
		if (!skb)
			return;
		err = genlmsg_unicast(weir_net_of(m->wn), skb, port);
		if (err != -EAGAIN)
			return;
		msleep(FINISH_POLL_MS);
	}
}

void weir_export_finish(struct weir_meter *m)
{
	struct weir_totals lost[__WEIR_LOST_COUNT] = { };
	struct weir_stream *s = &m->stream;
	struct weir_totals unread = { };
	struct farewell f;
	u32 i, k, port;

	cancel_work_sync(&s->work);
	farewell_begin(&f);
	finish_stream(m, &f);

	mutex_lock(&s->lock);
	/* END tells losses beside the numbered batches; those in them show as a gap. */
	for (i = 0; i < m->ncpus; i++) {
		weir_totals_add(&unread, &m->cpus[i]->ledger.lost[WEIR_LOST_DISCARDED]);
		discard_table(m->cpus[i]);
		for (k = 0; k < __WEIR_LOST_COUNT; k++)
			weir_totals_add(&lost[k], &m->cpus[i]->ledger.lost[k]);
	}
	lost[WEIR_LOST_DISCARDED].flows -= unread.flows;
	lost[WEIR_LOST_DISCARDED].packets -= unread.packets;
	lost[WEIR_LOST_DISCARDED].bytes -= unread.bytes;
	port = owner_port(s);
	mutex_unlock(&s->lock);

	if (port) {
		send_end(m, port, lost);
		finish_acks(m, &f);
	}

	mutex_lock(&s->lock);
	while (s->acked_seq < s->last_seq)
		free_oldest(m, false);
	mutex_unlock(&s->lock);
	owner_drop(s, 0);
}
