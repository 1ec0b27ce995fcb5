// SPDX-License-Identifier: GPL-2.0
/*
 * dump - statistics per CPU, and the flows in the tables now
 *
 * A dump holds a reference to the instance only inside each call, not between
 * calls: a reader that stops reading must not keep metering from being switched
 * off. If the instance changed meanwhile the dump ends as interrupted.
 */

#include <linux/err.h>
#include <linux/slab.h>
#include <linux/ktime.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "cache.h"
#include "dump.h"
#include "meter.h"
#include "net.h"

/* A position in all tables, and what the request asked for. */
struct dump {
	u64 instance;		/* 0: not begun */
	u32 cpu;		/* index into weir_meter.cpus */
	u32 set;		/* see weir_cache_sets() */
	u32 way;
	u32 moves;		/* of that CPU's tables, when the dump got to them */
	bool by_addr;
	bool by_port;
	bool by_protocol;
	bool tails;		/* the last message had records with a tail */
	u8 addr[16];
	u8 prefix;
	u8 protocol;
	__be16 port;
};

enum {
	SETS_PER_HOLD = 64,
};

const struct nla_policy weir_dump_policy[WEIR_A_MAX + 1] = {
	[WEIR_A_FILTER_ADDR] = NLA_POLICY_EXACT_LEN(16),
	[WEIR_A_FILTER_PREFIX] = { .type = NLA_U8 },
	[WEIR_A_FILTER_PORT] = { .type = NLA_U16 },
	[WEIR_A_FILTER_PROTOCOL] = { .type = NLA_U8 },
};

static int read_filter(struct dump *d, struct nlattr **attrs, struct netlink_ext_ack *extack)
{
	d->prefix = 128;
	if (attrs[WEIR_A_FILTER_PREFIX]) {
		d->prefix = nla_get_u8(attrs[WEIR_A_FILTER_PREFIX]);
		if (d->prefix > 128) {
			NL_SET_ERR_MSG_ATTR(extack, attrs[WEIR_A_FILTER_PREFIX],
					    "FILTER_PREFIX is 0 to 128 (96 + n for IPv4)");
			return -ERANGE;
		}
		if (!attrs[WEIR_A_FILTER_ADDR]) {
			NL_SET_ERR_MSG_ATTR(extack, attrs[WEIR_A_FILTER_PREFIX],
					    "FILTER_PREFIX needs FILTER_ADDR");
			return -EINVAL;
		}
	}
	if (attrs[WEIR_A_FILTER_ADDR]) {
		d->by_addr = true;
		nla_memcpy(d->addr, attrs[WEIR_A_FILTER_ADDR], sizeof(d->addr));
	}
	if (attrs[WEIR_A_FILTER_PORT]) {
		d->by_port = true;
		d->port = htons(nla_get_u16(attrs[WEIR_A_FILTER_PORT]));
	}
	if (attrs[WEIR_A_FILTER_PROTOCOL]) {
		d->by_protocol = true;
		d->protocol = nla_get_u8(attrs[WEIR_A_FILTER_PROTOCOL]);
	}
	return 0;
}

int weir_dump_start(struct netlink_callback *cb)
{
	struct dump *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	cb->args[0] = (long)d;
	return 0;
}

int weir_dump_done(struct netlink_callback *cb)
{
	kfree((struct dump *)cb->args[0]);
	return 0;
}

/*
 * What the request asks for. Read when the first message is due and not in
 * weir_dump_start(): older kernels send no sentence with what that refuses.
 */
static int begin(struct netlink_callback *cb, struct dump *d, const struct weir_meter *m)
{
	struct nlattr **attrs;
	int err;

	attrs = kcalloc(WEIR_A_MAX + 1, sizeof(*attrs), GFP_KERNEL);
	if (!attrs)
		return -ENOMEM;
	err = weir_netlink_parse(cb, attrs, weir_dump_policy);
	if (!err)
		err = read_filter(d, attrs, cb->extack);
	kfree(attrs);
	if (!err)
		d->instance = m->instance;
	return err;
}

/* The instance the dump began with, to be put back, or an error. */
static struct weir_meter *dumped(struct netlink_callback *cb, struct dump *d)
{
	struct weir_meter *m = weir_meter_get(weir_net_get(sock_net(cb->skb->sk)));
	int err = 0;

	if (!m && !d->instance) {
		NL_SET_ERR_MSG_MOD(cb->extack, "metering is off in this network namespace");
		return ERR_PTR(-ENETDOWN);
	}
	if (!m)
		return ERR_PTR(-EINTR);
	if (!d->instance)
		err = begin(cb, d, m);
	else if (m->instance != d->instance)
		err = -EINTR;
	if (!err)
		return m;
	weir_meter_put(m);
	return ERR_PTR(err);
}

static bool in_prefix(const u8 *addr, const struct dump *d)
{
	const u8 bytes = d->prefix / 8, bits = d->prefix % 8;

	return !memcmp(addr, d->addr, bytes) &&
	       (!bits || !((addr[bytes] ^ d->addr[bytes]) >> (8 - bits)));
}

static bool matches(const struct dump *d, const struct weir_key *key)
{
	if (d->by_protocol && key->protocol != d->protocol)
		return false;
	if (d->by_port && key->src_port != d->port && key->dst_port != d->port)
		return false;
	return !d->by_addr || in_prefix(key->src_addr, d) || in_prefix(key->dst_addr, d);
}

/* The records of a message: all of one size, as in a batch. */
struct message {
	u8 *records;
	u32 stride;
	u32 room;
	u32 count;
	bool tails;		/* a record has something beyond the core */
	bool ended;		/* the next record is longer than these */
};

/* Copy flows of one CPU from the cursor on, some sets to a hold of its lock. */
static void copy_flows(struct weir_cpu *c, struct dump *d, struct message *msg)
{
	u32 sets = 0;

	spin_lock_bh(&c->lock);
	while (d->set < weir_cache_sets(c) && sets < SETS_PER_HOLD && msg->count < msg->room) {
		struct weir_flow *flow;
		const struct weir_set *set = weir_cache_at(c, d->set, &flow);

		flow += d->way;
		if (set->tag[d->way] && matches(d, &flow->key)) {
			const bool is_long = weir_flow_is_long(flow);

			msg->tails |= is_long;
			msg->ended = is_long && msg->stride == WEIR_RECORD_CORE;
			if (msg->ended)
				break;
			weir_flow_record(flow, WEIR_END_NONE, msg->stride,
					 (struct weir_record *)(msg->records +
								msg->count++ * msg->stride));
		}
		if (++d->way == WEIR_WAYS) {
			d->way = 0;
			d->set++;
			sets++;
		}
	}
	spin_unlock_bh(&c->lock);
}

/* One message: flows of one CPU. Return: 0, or -EMSGSIZE with nothing written. */
static int put_flows(struct sk_buff *skb, struct netlink_callback *cb, struct weir_meter *m,
		     struct dump *d)
{
	struct weir_cpu *c = m->cpus[d->cpu];
	struct message msg = {
		.stride = d->tails ? sizeof(struct weir_record) : WEIR_RECORD_CORE,
	};
	struct nlattr *nest;
	u32 room;
	void *hdr;

	hdr = weir_netlink_put_header(skb, cb, WEIR_CMD_DUMP_FLOWS);
	if (!hdr)
		return -EMSGSIZE;
	if (nla_put_u32(skb, WEIR_A_CPU, c->cpu) ||
	    nla_put_u32(skb, WEIR_A_RECORD_SIZE, msg.stride) ||
	    nla_put_s64(skb, WEIR_A_CLOCK_OFFSET_NS, ktime_to_ns(ktime_mono_to_real(0)),
			WEIR_A_PAD))
		goto cancel;
	/* attribute lengths are 16 bits */
	room = min_t(u32, skb_tailroom(skb), U16_MAX) - min_t(u32, skb_tailroom(skb), NLA_HDRLEN);
	msg.room = room / msg.stride;
	if (!msg.room)
		goto cancel;

	nest = nla_reserve(skb, WEIR_A_RECORDS, msg.room * msg.stride);
	if (!nest)
		goto cancel;
	msg.records = nla_data(nest);
	while (msg.count < msg.room && d->set < weir_cache_sets(c) && !msg.ended) {
		copy_flows(c, d, &msg);
		cond_resched();
	}
	d->tails = msg.tails;
	nest->nla_len = nla_attr_size(msg.count * msg.stride);
	skb_trim(skb, (u8 *)nest - skb->data + nest->nla_len);
	if (d->set == weir_cache_sets(c)) {
		d->cpu++;
		d->set = 0;
	}
	if (msg.count)
		genlmsg_end(skb, hdr);
	else
		genlmsg_cancel(skb, hdr);
	return 0;

cancel:
	genlmsg_cancel(skb, hdr);
	return -EMSGSIZE;
}

/*
 * In the middle of tables between which flows have moved since, some might be
 * shown twice or not at all: -EINTR. resize_lock is held, so none move meanwhile.
 */
static int check_moves(struct weir_cpu *c, struct dump *d)
{
	if (!d->set && !d->way)
		d->moves = c->moves;
	return d->moves == c->moves ? 0 : -EINTR;
}

int weir_dump_flows(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *d = (struct dump *)cb->args[0];
	struct weir_meter *m = dumped(cb, d);
	int err = 0;

	if (IS_ERR(m))
		return PTR_ERR(m);
	mutex_lock(&m->resize_lock);
	while (d->cpu < m->ncpus && !err) {
		err = check_moves(m->cpus[d->cpu], d);
		if (!err)
			err = put_flows(skb, cb, m, d);
	}
	mutex_unlock(&m->resize_lock);
	weir_meter_put(m);
	return err && err != -EMSGSIZE ? err : skb->len;
}

static int put_stats(struct sk_buff *skb, struct netlink_callback *cb, struct weir_cpu *c)
{
	struct weir_ledger ledger;
	void *hdr;

	hdr = weir_netlink_put_header(skb, cb, WEIR_CMD_GET_STATS);
	if (!hdr)
		return -EMSGSIZE;
	spin_lock_bh(&c->lock);
	ledger = c->ledger;
	spin_unlock_bh(&c->lock);
	if (nla_put_u64_64bit(skb, WEIR_A_INSTANCE, c->meter->instance, WEIR_A_PAD) ||
	    nla_put_u32(skb, WEIR_A_CPU, c->cpu) ||
	    weir_netlink_put_ledger(skb, &ledger)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int weir_dump_stats(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct dump *d = (struct dump *)cb->args[0];
	struct weir_meter *m = dumped(cb, d);

	if (IS_ERR(m))
		return PTR_ERR(m);
	while (d->cpu < m->ncpus && !put_stats(skb, cb, m->cpus[d->cpu]))
		d->cpu++;
	weir_meter_put(m);
	return skb->len;
}
