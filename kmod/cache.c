// SPDX-License-Identifier: GPL-2.0
/*
 * cache - one CPU's table of flows
 *
 * The table is an array of sets of eight flows. A keyed hash of the flow key
 * names the set; there is nowhere else the flow can be, so a packet costs one
 * line of tags and the two lines of its flow, however full the table is, and
 * there are no chains for an attacker to lengthen. The hash is hsiphash with a
 * key drawn when metering starts: an outsider cannot aim at one set. skb->hash
 * would be cheaper and is not used, since an outsider can.
 *
 * Per set the tag line holds, for each way, 29 bits of the hash, three bits of
 * state and the time of the last packet. So looking for a flow, for a flow that is due
 * and for a victim reads that line alone. Only the active timeout needs the
 * flow itself: the packet path checks it where the flow is in the cache
 * already, and the expiry cursor every fourth time it passes.
 *
 * A set that is full gives up its best victim: a finished TCP connection, else
 * a flow of a single packet, else the one idle for longest. A scan or a SYN flood
 * is made of single packets, so it evicts itself and not the traffic that has
 * a history. The victim is not thrown away; it becomes a record that ends for
 * lack of resources. Only when the log has no room for it either is the packet
 * counted as lost; packets of flows in the table go on being counted.
 *
 * There are no list pointers, no references and no RCU: everything here is
 * read and written under the CPU's own lock, which the packet path takes
 * uncontended, and others take for a few sets at a time.
 */

#include <linux/mm.h>
#include <linux/prefetch.h>
#include <linux/siphash.h>
#include <linux/vmalloc.h>

#include "cache.h"
#include "log.h"
#include "meter.h"

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,

	/* The active timeout is looked for each time the cursor passes 4 times. */
	ACTIVE_CHECK_MASK = 3,
};

u64 weir_cache_memory(u32 flows)
{
	return (u64)flows * sizeof(struct weir_flow) +
	       (u64)flows / WEIR_WAYS * sizeof(struct weir_set);
}

int weir_cache_init(struct weir_table *t, u32 flows, int node)
{
	BUILD_BUG_ON(sizeof(struct weir_key) != 7 * sizeof(u64));	/* same_key() */
	BUILD_BUG_ON(offsetof(struct weir_packet, key) % sizeof(u64));
	BUILD_BUG_ON(sizeof(struct weir_set) != 64);
	BUILD_BUG_ON(sizeof(struct weir_flow) != 192);
	BUILD_BUG_ON(offsetof(struct weir_flow, packets) != 64);
	BUILD_BUG_ON(offsetof(struct weir_flow, mac) != 128);
	/* the bits of the hash that are not in a tag name the set */
	BUILD_BUG_ON(WEIR_TABLE_FLOWS_MIN / WEIR_WAYS <= WEIR_TAG_BITS);

	t->nsets = flows / WEIR_WAYS;
	t->sets = vzalloc_node(array_size(t->nsets, sizeof(*t->sets)), node);
	t->flows = vzalloc_node(array_size(flows, sizeof(*t->flows)), node);
	if (!t->sets || !t->flows) {
		weir_cache_destroy(t);
		return -ENOMEM;
	}
	return 0;
}

void weir_cache_destroy(struct weir_table *t)
{
	vfree(t->flows);
	vfree(t->sets);
	t->flows = NULL;
	t->sets = NULL;
	t->nsets = 0;
}

u32 weir_cache_sets(const struct weir_cpu *c)
{
	return c->old.nsets + c->table.nsets;
}

struct weir_set *weir_cache_at(struct weir_cpu *c, u32 index, struct weir_flow **flows)
{
	const struct weir_table *t = &c->table;

	if (unlikely(index < c->old.nsets))
		t = &c->old;
	else
		index -= c->old.nsets;
	*flows = &t->flows[(size_t)index * WEIR_WAYS];
	return &t->sets[index];
}

/* Where a flow of that hash is, if it is anywhere: in the old table until its set was moved. */
static struct weir_set *locate(const struct weir_cpu *c, u32 hash, struct weir_flow **flows)
{
	const struct weir_table *t = &c->table;
	u32 index;

	if (unlikely(c->moving) && (hash & (c->old.nsets - 1)) >= c->moved)
		t = &c->old;
	index = hash & (t->nsets - 1);
	*flows = &t->flows[(size_t)index * WEIR_WAYS];
	return &t->sets[index];
}

/* Seven words and no branch: memcmp() is a call, and goes byte by byte on some machines. */
static bool same_key(const struct weir_key *a, const struct weir_key *b)
{
	const u64 *x = (const u64 *)a;
	const u64 *y = (const u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) |
		 (x[4] ^ y[4]) | (x[5] ^ y[5]) | (x[6] ^ y[6]));
}

/*
 * Find the way of @key in @set, -1 if it is not there. The line that counts is
 * asked for before the line with the key has come.
 */
static int find(const struct weir_set *set, const struct weir_flow *flows,
		const struct weir_key *key, u32 tag)
{
	int way;

	for (way = 0; way < WEIR_WAYS; way++) {
		if ((set->tag[way] & ~WEIR_TAG_STATE) != tag)
			continue;
		prefetchw(&flows[way].packets);
		if (same_key(&flows[way].key, key))
			return way;
	}
	return -1;
}

/* The more, the sooner the flow in @way is given up. */
static u64 dispensable(const struct weir_set *set, int way, u32 tick)
{
	const u64 idle = tick - set->seen[way];

	if (set->tag[way] & WEIR_TAG_FINISHED)
		return idle | 2ULL << 32;
	return set->tag[way] & WEIR_TAG_MANY ? idle : idle | 1ULL << 32;
}

/* A free way, or the one to give up. */
static int choose(const struct weir_set *set, u32 tick)
{
	u64 best = 0;
	int victim = 0;
	int way;

	for (way = 0; way < WEIR_WAYS; way++) {
		u64 value;

		if (!set->tag[way])
			return way;
		value = dispensable(set, way, tick);
		if (value >= best) {
			best = value;
			victim = way;
		}
	}
	return victim;
}

static void flow_start(const struct weir_cpu *c, struct weir_flow *flow,
		       const struct weir_packet *p, const struct weir_sight *s, u64 now)
{
	memset((u8 *)flow + sizeof(flow->key), 0, sizeof(*flow) - sizeof(flow->key));
	flow->mark = s->mark;
	flow->min_ttl = p->ttl;
	flow->start_ns = now;
	flow->generation = c->sampler.generation;
	flow->sampling = c->sampler.rate;
	flow->sampling_method = c->sampler.method;
	flow->mpls_label = p->mpls_label;
	flow->pppoe_session = p->pppoe_session;
	if (s->mac)
		memcpy(flow->mac, s->mac, sizeof(flow->mac));
}

/*
 * Compare with the highest sequence number seen in this direction. Works on
 * the one direction alone; joining two is for user space.
 */
static void flow_track_seq(struct weir_flow *flow, const struct weir_packet *p)
{
	u32 end = p->tcp_seq + p->tcp_seq_len;

	if (!p->tcp_seq_len)
		return;
	if (flow->flags & WEIR_FLOW_SEQ_VALID) {
		if ((s32)(end - flow->next_seq) <= 0) {
			flow->retransmitted += p->packets;
			return;
		}
		if ((s32)(p->tcp_seq - flow->next_seq) > 0)
			flow->out_of_order++;
	}
	flow->next_seq = end;
	flow->flags |= WEIR_FLOW_SEQ_VALID;
}

static void flow_count(const struct weir_cpu *c, struct weir_flow *flow,
		       const struct weir_packet *p, const struct weir_sight *s, u64 now)
{
	/* a super-packet's second packet came with its first */
	if (!flow->second && flow->packets + p->packets > 1)
		flow->second = weir_delta_pack(now - flow->start_ns);
	if (p->payload && !flow->payload)
		flow->payload = weir_delta_pack(now - flow->start_ns);
	flow->packets += p->packets;
	flow->bytes += p->bytes;
	flow->end_ns = now;
	if (unlikely(flow->out_ifindex != s->out_ifindex))
		flow->out_ifindex = s->out_ifindex;
	flow->tcp_flags |= p->tcp_flags;
	flow->ecn |= p->ecn;
	flow->flags |= p->flags;
	if (p->flags & WEIR_FLOW_FRAGMENTS)
		flow->fragments += p->packets;
	if (p->ttl < flow->min_ttl)
		flow->min_ttl = p->ttl;
	/* where packets are left out, every next one would look like one lost before */
	if (likely(!c->sampler.rate) || c->sampler.method == WEIR_SAMPLING_FLOWS)
		flow_track_seq(flow, p);
}

static void count_created(struct weir_cpu *c)
{
	c->ledger.seen.flows++;
	c->ledger.table.flows++;
	c->ledger.counters[WEIR_COUNTER_CREATED]++;
}

/* Why the flow in @way is due, WEIR_END_NONE if it is not. */
static enum weir_end_reason due(const struct weir_cpu *c, const struct weir_set *set,
				const struct weir_flow *flow, int way, bool check_active, u64 now)
{
	const struct weir_meter *m = c->meter;
	const u32 idle = weir_ticks(now) - set->seen[way];

	if ((set->tag[way] & WEIR_TAG_FINISHED) && idle >= weir_ticks(READ_ONCE(m->fin_ns)))
		return WEIR_END_DETECTED;
	if (idle >= weir_ticks(READ_ONCE(m->idle_ns)))
		return WEIR_END_IDLE;
	if (check_active && now - flow->start_ns >= READ_ONCE(m->active_ns))
		return WEIR_END_ACTIVE;
	return WEIR_END_NONE;
}

/*
 * The flow is in the table. If what has been counted so far is a record of its
 * own, export that and start the next one in the same place. Without room in
 * the log it is one longer record, but not one of two sampling rates.
 *
 * Return: false when the packet cannot be counted in it.
 */
static bool restart_if_due(struct weir_cpu *c, struct weir_set *set, struct weir_flow *flow,
			   int way, const struct weir_packet *p, const struct weir_sight *s,
			   u64 now)
{
	const u32 seq = flow->next_seq;
	const u16 keep = flow->flags & WEIR_FLOW_SEQ_VALID;
	enum weir_end_reason reason;

	if (unlikely(flow->generation != c->sampler.generation))
		reason = WEIR_END_FORCED;
	else if ((set->tag[way] & WEIR_TAG_FINISHED) && (p->tcp_flags & TCP_SYN))
		reason = WEIR_END_DETECTED;	/* the same ports again: a new connection */
	else
		reason = due(c, set, flow, way, true, now);
	if (likely(reason == WEIR_END_NONE))
		return true;
	if (!weir_log_put(c, flow, reason, reason == WEIR_END_FORCED, now))
		return reason != WEIR_END_FORCED;

	flow_start(c, flow, p, s, now);
	set->tag[way] &= ~WEIR_TAG_MANY;
	if (reason == WEIR_END_ACTIVE || reason == WEIR_END_FORCED) {
		/* it goes on, if only to its end */
		flow->next_seq = seq;
		flow->flags = keep;
	} else {
		set->tag[way] &= ~WEIR_TAG_FINISHED;
	}
	count_created(c);
	return true;
}

static void count_lost(struct weir_cpu *c, const struct weir_packet *p)
{
	c->ledger.lost[WEIR_LOST_NO_ROOM].packets += p->packets;
	c->ledger.lost[WEIR_LOST_NO_ROOM].bytes += p->bytes;
}

static void count_left_out(struct weir_cpu *c, const struct weir_packet *p)
{
	c->ledger.skipped[WEIR_SKIP_SAMPLED].packets += p->packets;
	c->ledger.skipped[WEIR_SKIP_SAMPLED].bytes += p->bytes;
}

u32 weir_cache_hash(const struct weir_cpu *c, const struct weir_packet *p)
{
	const u32 hash = hsiphash(&p->key, sizeof(p->key), &c->meter->hash_key);
	struct weir_flow *flows;

	prefetchw(locate(c, hash, &flows));
	return hash;
}

struct weir_flow *weir_cache_count(struct weir_cpu *c, const struct weir_packet *p,
				   const struct weir_sight *s, u32 hash, u64 now)
{
	const u32 tag = (hash & ~WEIR_TAG_BITS) | WEIR_TAG_USED;
	struct weir_ledger *ledger = &c->ledger;
	struct weir_flow *flows;
	struct weir_set *set = locate(c, hash, &flows);
	bool young;
	int way;

	if (unlikely(c->sampler.rate) &&
	    !weir_sampler_takes(&c->sampler, p, &c->meter->hash_key)) {
		count_left_out(c, p);
		return NULL;
	}
	way = find(set, flows, &p->key, tag);
	ledger->seen.packets += p->packets;
	ledger->seen.bytes += p->bytes;

	if (way >= 0) {
		if (!restart_if_due(c, set, &flows[way], way, p, s, now)) {
			count_lost(c, p);
			return NULL;
		}
	} else {
		way = choose(set, weir_ticks(now));
		if (set->tag[way] &&
		    !weir_log_put(c, &flows[way], WEIR_END_NO_RESOURCES, true, now)) {
			count_lost(c, p);
			return NULL;
		}
		flows[way].key = p->key;
		flow_start(c, &flows[way], p, s, now);
		set->tag[way] = tag;
		count_created(c);
	}

	flow_count(c, &flows[way], p, s, now);
	ledger->table.packets += p->packets;
	ledger->table.bytes += p->bytes;
	set->seen[way] = weir_ticks(now);
	young = !(set->tag[way] & WEIR_TAG_MANY);
	if (flows[way].packets > 1)
		set->tag[way] |= WEIR_TAG_MANY;
	if (p->tcp_flags & (TCP_FIN | TCP_RST))
		set->tag[way] |= WEIR_TAG_FINISHED;
	return unlikely(young) ? &flows[way] : NULL;
}

void weir_cache_mark(struct weir_cpu *c, const struct weir_key *key, u16 flags)
{
	const u32 hash = hsiphash(key, sizeof(*key), &c->meter->hash_key);
	struct weir_flow *flows;
	struct weir_set *set = locate(c, hash, &flows);
	int way = find(set, flows, key, (hash & ~WEIR_TAG_BITS) | WEIR_TAG_USED);

	if (way < 0)
		return;
	if (flags & ~flows[way].flags & WEIR_FLOW_PARTIAL)
		c->ledger.counters[WEIR_COUNTER_PARTIAL]++;
	flows[way].flags |= flags;
}

bool weir_cache_expire(struct weir_cpu *c, u32 index, u64 now, unsigned int *moved)
{
	struct weir_flow *flows;
	struct weir_set *set = weir_cache_at(c, index, &flows);
	enum weir_end_reason reason;
	int way;

	for (way = 0; way < WEIR_WAYS; way++) {
		if (!set->tag[way])
			continue;
		reason = due(c, set, &flows[way], way,
			     ((way ^ c->expire.pass) & ACTIVE_CHECK_MASK) == 0, now);
		if (reason == WEIR_END_NONE)
			continue;
		if (!weir_log_put(c, &flows[way], reason, false, now))
			return false;
		set->tag[way] = 0;
		(*moved)++;
	}
	return true;
}

unsigned int weir_cache_flush(struct weir_cpu *c, u32 index, u64 now, bool last_resort,
			      unsigned int *moved)
{
	struct weir_flow *flows;
	struct weir_set *set = weir_cache_at(c, index, &flows);
	unsigned int left = 0;
	int way;

	for (way = 0; way < WEIR_WAYS; way++) {
		if (!set->tag[way])
			continue;
		if (!weir_log_put(c, &flows[way], WEIR_END_FORCED, last_resort, now)) {
			left++;
			continue;
		}
		set->tag[way] = 0;
		(*moved)++;
	}
	return left;
}

static unsigned int used_ways(const struct weir_set *set)
{
	unsigned int n = 0;
	int way;

	for (way = 0; way < WEIR_WAYS; way++)
		n += !!set->tag[way];
	return n;
}

/* Two sets that are to be one: evict until all fit. Return: false without room in the log. */
static bool make_room(struct weir_cpu *c, struct weir_set *set, struct weir_flow *flows,
		      struct weir_set *to, struct weir_flow *to_flows, u64 now)
{
	const u32 tick = weir_ticks(now);
	unsigned int n = used_ways(set) + used_ways(to);

	for (; n > WEIR_WAYS; n--) {
		u64 best = 0;
		int victim = 0;
		int way;

		for (way = 0; way < 2 * WEIR_WAYS; way++) {
			const struct weir_set *s = way < WEIR_WAYS ? set : to;
			u64 value;

			if (!s->tag[way % WEIR_WAYS])
				continue;
			value = dispensable(s, way % WEIR_WAYS, tick);
			if (value >= best) {
				best = value;
				victim = way;
			}
		}
		if (!weir_log_put(c, victim < WEIR_WAYS ? &flows[victim]
							: &to_flows[victim - WEIR_WAYS],
				  WEIR_END_NO_RESOURCES, false, now))
			return false;
		if (victim < WEIR_WAYS)
			set->tag[victim] = 0;
		else
			to->tag[victim - WEIR_WAYS] = 0;
	}
	return true;
}

bool weir_cache_move(struct weir_cpu *c, u64 now)
{
	const u32 index = c->moved;
	struct weir_set *set = &c->old.sets[index];
	struct weir_flow *flows = &c->old.flows[(size_t)index * WEIR_WAYS];
	int way;

	if (c->table.nsets < c->old.nsets) {
		const u32 joined = index & (c->table.nsets - 1);

		if (!make_room(c, set, flows, &c->table.sets[joined],
			       &c->table.flows[(size_t)joined * WEIR_WAYS], now))
			return false;
	}
	c->moved++;	/* now locate() finds the new place */
	for (way = 0; way < WEIR_WAYS; way++) {
		const u32 hash = (set->tag[way] & ~WEIR_TAG_BITS) | (index & WEIR_TAG_BITS);
		struct weir_flow *to_flows;
		struct weir_set *to;
		int free;

		if (!set->tag[way])
			continue;
		to = locate(c, hash, &to_flows);
		free = choose(to, 0);	/* there is one */
		to_flows[free] = flows[way];
		to->seen[free] = set->seen[way];
		to->tag[free] = set->tag[way];
		set->tag[way] = 0;
	}
	return true;
}
