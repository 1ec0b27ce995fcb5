// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/cache.c, log.c and ledger.c against a model that does the plain thing: an array with
 * what every flow is at the moment. Random operations in the order a seed gives; after each, what
 * was moved to the log is what the model had, for a reason the model allows, and the ledger
 * balances. WEIR_SEED=N runs that seed alone.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmod/cache.h"
#include "kmod/ledger.h"
#include "kmod/log.h"
#include "kmod/meter.h"

enum {
	FLOWS = 1024,
	SLOTS_MAX = 32,
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
	ACK = 0x10,
};

#define MS 1000000ULL
#define TICK (1ULL << 20)

/* What the table should hold of a flow; packets 0: nothing. */
struct entry {
	u64 packets, bytes, start_ns, end_ns, second_ns, payload_ns;
	u32 fragments, mark, out_ifindex;
	u16 tcp_flags, flags;
	u8 ecn, min_ttl, has_mac;
	u8 mac[12];
	bool finished;
	u32 sampling, sampling_method, sampling_changes;
	u32 mpls_label, pppoe_session;
};

/* Totals of a flow over the whole run. */
struct history {
	struct weir_totals seen, recorded, lost;
};

/* Why records may come out of an operation. */
enum operation { METER, EXPIRE, FLUSH, MOVE, OTHER };

static struct {
	u64 seed, random, step;
	u64 now;
	enum operation operation;
	bool last_resort;		/* of the flush */
	struct weir_meter meter;
	struct weir_cpu cpu;
	u32 mask;			/* of the hash: few values make tags meet */
	struct weir_key keys[FLOWS];
	u32 hashes[FLOWS];
	struct entry table[FLOWS];
	struct weir_totals traffic;	/* whether counted or not */
	bool labels;			/* packets with MPLS and PPPoE come */
	u32 sampling, sampling_method, sampling_changes;
	bool joins[FLOWS];		/* sets of theirs are about to be one */
	enum { UNKNOWN, TAKEN, LEFT } chosen[FLOWS];	/* of flows, since it changed */
	struct history history[FLOWS];
	struct weir_totals reasons[WEIR_END_NO_RESOURCES + 1];
	u64 sum[SLOTS_MAX];		/* of sealed batches' content */
	u32 read_open, read_count;	/* records before are known */
	bool tails;			/* the last batch sealed had some */
	u64 resized[2], stuck;		/* smaller, larger; moves without room */
	u64 left_out, sealed, full[2], early, evicted[3], refused;
} t;

#define CHECK(what, ...)                                                                           \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "WEIR_SEED=%llu, step %llu: ", t.seed,       \
				t.step);                                                           \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
			ck_abort_msg("seed %llu, step %llu: %s", t.seed, t.step,     \
				     #what);                                                       \
		}                                                                                  \
	} while (0)

static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static u32 pick(u32 n)
{
	t.random += 0x9e3779b97f4a7c15;
	return (u32)(mix(t.random) >> 32) % n;
}

u32 hsiphash(const void *data, size_t bytes, const hsiphash_key_t *key)
{
	const u8 *at = data;
	u64 hash = key->key[0];

	while (bytes--)
		hash = mix(hash ^ *at++);
	return (u32)hash & t.mask;
}

/* What a reader makes of record @i: a core record has zeros for a tail. */
static struct weir_record record_of(const struct weir_slot *slot, u32 i)
{
	struct weir_record r = {0};

	memcpy(&r, slot->records + i * slot->stride, slot->stride);
	return r;
}

static bool has_tail(const struct weir_record *r)
{
	static const u8 zero[sizeof(*r) - WEIR_RECORD_CORE];

	return memcmp((const u8 *)r + WEIR_RECORD_CORE, zero, sizeof(zero));
}

static u64 checksum(const struct weir_slot *slot)
{
	const u8 *at = (const u8 *)slot->records;
	u64 sum = slot->count ^ (u64)slot->clock_offset_ns;

	for (size_t i = 0; i < (size_t)slot->count * slot->stride; i += 8) {
		u64 word;

		memcpy(&word, at + i, 8);
		sum = (sum ^ word) * 0x9e3779b97f4a7c15 + 1;
	}
	return sum;
}

static bool is_long(u32 flow)
{
	const struct weir_key *key = &t.keys[flow];
	const struct entry *e = &t.table[flow];

	return key->tunnel_id || key->inner_vlan_id || key->netns || key->where >> 8 ||
	       e->sampling_method || e->mpls_label || e->pppoe_session;
}

static u32 set_of(u32 flow)
{
	const u32 old = t.cpu.old.nsets, hash = t.hashes[flow];

	/* of the old table as long as it has not been moved */
	if (old && (hash & (old - 1)) >= t.cpu.moved)
		return hash & (old - 1);
	return old + (hash & (t.cpu.table.nsets - 1));
}

static bool is_finished_due(const struct entry *e)
{
	return e->finished &&
	       weir_ticks(t.now) - weir_ticks(e->end_ns) >= weir_ticks(t.meter.fin_ns);
}

static bool is_idle_due(const struct entry *e)
{
	return weir_ticks(t.now) - weir_ticks(e->end_ns) >= weir_ticks(t.meter.idle_ns);
}

static bool is_active_due(const struct entry *e)
{
	return t.now - e->start_ns >= t.meter.active_ns;
}

/* What a full set gives up first: 2 finished, 1 a single packet, 0 the rest. */
static int worth(const struct entry *e)
{
	return e->finished ? 2 : e->packets == 1 ? 1 : 0;
}

static void check_victim(u32 victim)
{
	const struct entry *v = &t.table[victim];
	unsigned int members = 0;

	for (u32 i = 0; i < FLOWS; i++) {
		const struct entry *e = &t.table[i];

		if (!e->packets ||
		    (t.operation == MOVE ? !t.joins[i] : set_of(i) != set_of(victim)))
			continue;
		members++;
		CHECK(worth(e) <= worth(v), "a flow of class %d was given up, there is one of %d",
		      worth(v), worth(e));
		CHECK(worth(e) < worth(v) || e->end_ns >> 20 >= v->end_ns >> 20,
		      "the one given up was not idle for longest");
	}
	CHECK(t.operation == MOVE ? members > WEIR_WAYS && t.joins[victim] : members == WEIR_WAYS,
	      "evicted from %u", members);
	t.evicted[worth(v)]++;
}

/* Milliseconds, rounded down, once beyond two seconds. */
static bool is_about(u64 shown, u64 exact, u64 start)
{
	if (!exact || exact - start < (1ULL << 31) - 2)
		return shown == exact;
	return shown <= exact && exact - shown < TICK && shown > start;
}

static void check_key(const struct weir_record *r, u32 flow)
{
	const struct weir_key *key = &t.keys[flow];

	CHECK(!memcmp(r->src_addr, key->src_addr, 16) && !memcmp(r->dst_addr, key->dst_addr, 16) &&
	      r->src_port == key->src_port && r->dst_port == key->dst_port &&
	      r->in_ifindex == key->in_ifindex && r->protocol == key->protocol,
	      "flow %u: another key", flow);
	CHECK(r->vlan_id == key->vlan_id && r->observed == (key->where >> 4 & 0xf) &&
	      r->tunnel == (key->where >> 8 & 0xf) && r->tunnel_id == key->tunnel_id &&
	      r->inner_vlan_id == key->inner_vlan_id && r->netns == key->netns &&
	      r->ip_version == (key->where & WEIR_WHERE_IPV6 ? 6 : 4),
	      "flow %u: where 0x%x came out wrong", flow, key->where);
	CHECK(!!(r->flags & WEIR_FLOW_LATER_FRAGMENT) ==
	      !!(key->where & WEIR_WHERE_LATER_FRAGMENT), "flow %u: later fragment", flow);
}

static void check_facts(const struct weir_record *r, u32 flow)
{
	const struct entry *e = &t.table[flow];

	CHECK(e->packets, "a record of flow %u, which is not in the table", flow);
	CHECK(r->packets == e->packets && r->bytes == e->bytes,
	      "flow %u: %llu packets, %llu bytes, not %llu, %llu", flow, r->packets, r->bytes,
	      e->packets, e->bytes);
	CHECK(r->end_ns >= r->start_ns && r->start_ns == e->start_ns && r->end_ns == e->end_ns,
	      "flow %u: times", flow);
	CHECK(is_about(r->second_ns, e->second_ns, e->start_ns) &&
	      is_about(r->payload_ns, e->payload_ns, e->start_ns),
	      "flow %u: second or payload", flow);
	CHECK(r->tcp_flags == e->tcp_flags && r->min_ttl == e->min_ttl && r->mark == e->mark &&
	      r->fragments == e->fragments && r->out_ifindex == e->out_ifindex,
	      "flow %u: facts", flow);
	CHECK((r->flags & ~WEIR_FLOW_LATER_FRAGMENT) == e->flags, "flow %u: flags 0x%x", flow,
	      r->flags);
	CHECK(r->tos == (t.keys[flow].tos | e->ecn), "flow %u: tos", flow);
	CHECK(r->sampling == e->sampling && r->sampling_method == e->sampling_method,
	      "flow %u: sampled one of %u by %u", flow, r->sampling, r->sampling_method);
	CHECK(r->mpls_label == e->mpls_label && r->pppoe_session == e->pppoe_session,
	      "flow %u: label or session", flow);
	CHECK(!memcmp(r->dst_mac, e->mac, 6) && !memcmp(r->src_mac, e->mac + 6, 6),
	      "flow %u: MAC", flow);
}

static void check_reason(const struct weir_record *r, u32 flow, bool syn)
{
	const struct entry *e = &t.table[flow];

	switch (r->end_reason) {
	case WEIR_END_DETECTED:
		CHECK(t.operation == EXPIRE || t.operation == METER, "detected by %d", t.operation);
		CHECK(is_finished_due(e) || (t.operation == METER && e->finished && syn),
		      "flow %u is not finished", flow);
		break;
	case WEIR_END_IDLE:
		CHECK(t.operation == EXPIRE || t.operation == METER, "idle by %d", t.operation);
		CHECK(is_idle_due(e) && t.now - e->end_ns + 2 * TICK > t.meter.idle_ns,
		      "flow %u is not idle", flow);
		break;
	case WEIR_END_ACTIVE:
		CHECK(t.operation == EXPIRE || t.operation == METER, "active by %d", t.operation);
		CHECK(is_active_due(e), "flow %u is not old", flow);
		break;
	case WEIR_END_FORCED:
		CHECK(t.operation == FLUSH ||
		      (t.operation == METER && e->sampling_changes != t.sampling_changes),
		      "forced by %d", t.operation);
		break;
	case WEIR_END_NO_RESOURCES:
		CHECK(t.operation == METER || t.operation == MOVE, "evicted by %d", t.operation);
		check_victim(flow);
		break;
	default:
		CHECK(false, "end reason %u", r->end_reason);
	}
}

/*
 * Long only where a record of this batch or of the one before has a tail: no tail is lost, and none
 * is written without need.
 */
static void check_stride(const struct weir_slot *slot)
{
	bool tails = false;

	for (u32 i = 0; i < slot->count; i++) {
		const struct weir_record r = record_of(slot, i);

		tails |= has_tail(&r);
	}
	CHECK(slot->stride == WEIR_RECORD_CORE || slot->stride == sizeof(struct weir_record),
	      "records of %u bytes", slot->stride);
	CHECK(tails == slot->tails, "tails: %d, said: %d", tails, slot->tails);
	CHECK(slot->stride == (tails || t.tails ? sizeof(struct weir_record) : WEIR_RECORD_CORE),
	      "records of %u bytes, tails: %d, before: %d", slot->stride, tails, t.tails);
	t.tails = tails;
}

/* Sealed because a long record came that it had no place for? */
static bool is_too_short(const struct weir_slot *slot, const struct weir_slot *next)
{
	return slot->stride == WEIR_RECORD_CORE && next->count &&
	       next->stride == sizeof(struct weir_record);
}

/* The reserve is there for packets that evict, and for what may be the last chance. */
static void check_place(const struct weir_record *r, u32 slot)
{
	const struct weir_log *log = &t.cpu.log;

	CHECK(slot - log->tail < log->size - log->reserve ||
	      (r->end_reason == WEIR_END_NO_RESOURCES && t.operation == METER) ||
	      (r->end_reason == WEIR_END_FORCED && (t.operation == METER || t.last_resort)),
	      "end reason %u took a reserved slot", r->end_reason);
}

static void take_record(const struct weir_record *r, bool syn)
{
	const u32 flow = ntohs(r->src_port);
	const struct weir_totals what = {1, r->packets, r->bytes};

	CHECK(flow < FLOWS, "flow %u", flow);
	check_key(r, flow);
	check_facts(r, flow);
	check_reason(r, flow, syn);
	weir_totals_add(&t.history[flow].recorded, &what);
	weir_totals_add(&t.reasons[r->end_reason], &what);
	memset(&t.table[flow], 0, sizeof(t.table[flow]));
}

/* Records that are new since the last call. Return: how many. */
static unsigned int read_log(bool syn, u32 *last)
{
	const struct weir_log *log = &t.cpu.log;
	unsigned int n = 0;

	CHECK(log->open - log->tail <= log->size, "more slots than there are");
	for (;;) {
		const struct weir_slot *slot = weir_log_slot(log, t.read_open);

		if (t.read_open == log->open && log->open - log->tail == log->size)
			break;	/* there is no open one: this is the oldest */
		CHECK(slot->count * slot->stride <= WEIR_BATCH_BYTES, "%u records of %u bytes",
		      slot->count, slot->stride);
		while (t.read_count < slot->count) {
			const struct weir_record r = record_of(slot, t.read_count++);

			*last = ntohs(r.src_port);
			check_place(&r, t.read_open);
			take_record(&r, syn);
			n++;
		}
		if (t.read_open == log->open) {
			CHECK(!slot->count || slot->count < weir_slot_room(slot), "full but open");
			break;
		}
		CHECK(slot->count, "an empty batch is sealed");
		check_stride(slot);
		if (slot->count == weir_slot_room(slot))
			t.full[slot->stride > WEIR_RECORD_CORE]++;
		else if (is_too_short(slot, weir_log_slot(log, t.read_open + 1)))
			t.early++;
		else
			CHECK(t.operation == OTHER, "sealed with %u records", slot->count);
		t.sum[t.read_open++ & (log->size - 1)] = checksum(slot);
		t.read_count = 0;
		t.sealed++;
	}
	return n;
}

static bool totals_equal(const struct weir_totals *a, const struct weir_totals *b)
{
	return a->flows == b->flows && a->packets == b->packets && a->bytes == b->bytes;
}

static void check_balance(const struct weir_ledger *l)
{
	struct weir_totals sum = l->table;

	weir_totals_add(&sum, &l->pending);
	weir_totals_add(&sum, &l->acked);
	for (int i = 0; i < __WEIR_LOST_COUNT; i++)
		weir_totals_add(&sum, &l->lost[i]);
	CHECK(totals_equal(&l->seen, &sum),
	      "seen %llu flows, %llu packets, %llu bytes; accounted for %llu, %llu, %llu",
	      l->seen.flows, l->seen.packets, l->seen.bytes, sum.flows, sum.packets, sum.bytes);
	CHECK(l->seen.packets + l->skipped[WEIR_SKIP_SAMPLED].packets == t.traffic.packets &&
	      l->seen.bytes + l->skipped[WEIR_SKIP_SAMPLED].bytes == t.traffic.bytes,
	      "seen and not sampled are not all");
	CHECK(!l->lost[WEIR_LOST_NO_ROOM].flows, "a packet without a flow counted as one");
	CHECK(l->counters[WEIR_COUNTER_CREATED] == l->seen.flows, "created");
	CHECK(l->counters[WEIR_COUNTER_BATCHES] == t.sealed, "batches");
	CHECK(l->counters[WEIR_COUNTER_END_IDLE] == t.reasons[WEIR_END_IDLE].flows &&
	      l->counters[WEIR_COUNTER_END_ACTIVE] == t.reasons[WEIR_END_ACTIVE].flows &&
	      l->counters[WEIR_COUNTER_END_DETECTED] == t.reasons[WEIR_END_DETECTED].flows &&
	      l->counters[WEIR_COUNTER_END_FORCED] == t.reasons[WEIR_END_FORCED].flows &&
	      l->counters[WEIR_COUNTER_EVICTED] == t.reasons[WEIR_END_NO_RESOURCES].flows,
	      "counters of reasons");
}

static void check_pending(void)
{
	const struct weir_log *log = &t.cpu.log;
	struct weir_totals pending = {0};

	for (u32 at = log->tail; at - log->tail < log->size; at++) {
		const struct weir_slot *slot = weir_log_slot(log, at);
		struct weir_totals batch = {0};

		if ((s32)(at - log->open) > 0) {
			CHECK(!slot->count, "a free slot holds %u records", slot->count);
			continue;
		}
		for (u32 i = 0; i < slot->count; i++) {
			const struct weir_record r = record_of(slot, i);
			const struct weir_totals what = {1, r.packets, r.bytes};

			weir_totals_add(&batch, &what);
		}
		CHECK(!slot->count || totals_equal(&batch, &slot->totals), "totals of a batch");
		weir_totals_add(&pending, &batch);
	}
	CHECK(totals_equal(&pending, &t.cpu.ledger.pending), "pending is not what the log holds");
}

/* Every flow: what was seen is in records, in the table or lost. Costs time. */
static void check_all(void)
{
	struct weir_totals table = {0}, lost = {0};
	unsigned int used = 0;

	for (u32 i = 0; i < FLOWS; i++) {
		const struct history *h = &t.history[i];
		const struct weir_totals held = {!!t.table[i].packets, t.table[i].packets,
						 t.table[i].bytes};
		struct weir_totals sum = h->recorded;

		weir_totals_add(&table, &held);
		weir_totals_add(&lost, &h->lost);
		weir_totals_add(&sum, &held);
		weir_totals_add(&sum, &h->lost);
		CHECK(h->seen.packets == sum.packets && h->seen.bytes == sum.bytes,
		      "flow %u: not all accounted for", i);
	}
	CHECK(totals_equal(&table, &t.cpu.ledger.table), "the table is not what the model has");
	CHECK(totals_equal(&lost, &t.cpu.ledger.lost[WEIR_LOST_NO_ROOM]), "lost");
	for (u32 set = 0; set < weir_cache_sets(&t.cpu); set++) {
		struct weir_flow *flows;
		const struct weir_set *at = weir_cache_at(&t.cpu, set, &flows);

		for (int way = 0; way < WEIR_WAYS; way++) {
			u32 flow = ntohs(flows[way].key.src_port);

			if (!at->tag[way])
				continue;
			used++;
			CHECK(flow < FLOWS && t.table[flow].packets && set_of(flow) == set,
			      "flow %u is in set %u", flow, set);
		}
	}
	CHECK(used == table.flows, "%u ways in use, %llu flows", used, table.flows);
	check_pending();
}

/* Is there a place for a record of @flow? A long one does not fit an open batch of core ones. */
static bool has_room(u32 flow, bool last_resort)
{
	const struct weir_log *log = &t.cpu.log;
	const struct weir_slot *slot = weir_log_slot(log, log->open);
	const u32 used = log->open - log->tail, limit = log->size - (last_resort ? 0 : log->reserve);

	if (used < limit && is_long(flow) && slot->count && slot->stride == WEIR_RECORD_CORE)
		return used + 1 < limit;
	return used < limit;
}

static void model_packet(u32 flow, const struct weir_packet *p, const struct weir_sight *s)
{
	struct entry *e = &t.table[flow];

	if (!e->packets) {
		*e = (struct entry){.start_ns = t.now, .mark = s->mark, .min_ttl = p->ttl,
				    .sampling = t.sampling, .sampling_method = t.sampling_method,
				    .sampling_changes = t.sampling_changes,
				    .mpls_label = p->mpls_label,
				    .pppoe_session = p->pppoe_session};
		if (s->mac)
			memcpy(e->mac, s->mac, sizeof(e->mac));
	}
	if (!e->second_ns && e->packets + p->packets > 1)
		e->second_ns = t.now;
	if (!e->payload_ns && p->payload)
		e->payload_ns = t.now;
	e->packets += p->packets;
	e->bytes += p->bytes;
	e->end_ns = t.now;
	e->tcp_flags |= p->tcp_flags;
	e->flags |= p->flags;
	e->ecn |= p->ecn;
	e->fragments += p->flags & WEIR_FLOW_FRAGMENTS ? (u32)p->packets : 0;
	e->min_ttl = p->ttl < e->min_ttl ? p->ttl : e->min_ttl;
	e->out_ifindex = s->out_ifindex;
	e->finished |= p->tcp_flags & (FIN | RST);
}

static struct weir_packet random_packet(u32 flow)
{
	static const u16 flags[32] = {SYN, SYN, SYN | ACK, FIN | ACK, RST};	/* else ACK */
	struct weir_packet p = {.key = t.keys[flow], .packets = 1, .bytes = 20 + pick(1481)};

	p.ttl = (u8)(1 + pick(64));
	p.ecn = (u8)(pick(8) ? 0 : pick(4));
	if (!pick(8)) {
		p.packets = 2 + pick(44);
		p.bytes *= p.packets;
		p.flags |= WEIR_FLOW_GSO;
	}
	if (!pick(16))
		p.flags |= WEIR_FLOW_FRAGMENTS;
	if (t.labels && flow % 32 == 7) {
		p.mpls_label = pick(4) ? pick(1 << 20) : 0;
		p.pppoe_session = pick(4) ? 0 : (u16)pick(1 << 16);
	}
	if (p.key.protocol == 6) {
		p.tcp_flags = flags[pick(32)] ?: ACK;
		p.payload = !pick(3);
		p.tcp_seq = pick(1 << 16) << 16;
		p.tcp_seq_len = p.payload ? (u32)p.bytes : p.tcp_flags & (SYN | FIN) ? 1 : 0;
	}
	return p;
}

/*
 * Is @flow's packet lost, because its set is full and the log has no room for the victim? Of
 * victims that are as good, one with a tail and one without, the model does not know which.
 */
static enum { NO, YES, EITHER } is_refused(u32 flow)
{
	unsigned int members = 0, refused = 0, taken = 0;
	u64 best = 0;

	for (u32 i = 0; i < FLOWS && !t.table[flow].packets; i++) {
		const struct entry *e = &t.table[i];
		const u64 value = (u64)worth(e) << 32 |
				  (weir_ticks(t.now) - weir_ticks(e->end_ns));

		if (!e->packets || set_of(i) != set_of(flow))
			continue;
		members++;
		if (value > best)
			refused = taken = 0;
		if (value >= best) {
			refused += !has_room(i, true);
			taken += has_room(i, true);
			best = value;
		}
	}
	CHECK(members <= WEIR_WAYS, "%u flows in a set", members);
	if (members < WEIR_WAYS || !refused)
		return NO;
	return taken ? EITHER : YES;
}

/* Was the packet just metered left out by sampling? What is left out is so exactly. */
static bool is_left_out(u32 flow, const struct weir_packet *p, const struct weir_totals *before)
{
	const struct weir_totals *skipped = &t.cpu.ledger.skipped[WEIR_SKIP_SAMPLED];
	const bool left = skipped->packets != before->packets;

	CHECK(!left || (skipped->packets == before->packets + p->packets &&
			skipped->bytes == before->bytes + p->bytes), "left out in part");
	CHECK(!left || t.sampling, "left out, though all are to be counted");
	if (t.sampling && t.sampling_method == WEIR_SAMPLING_FLOWS) {
		CHECK(t.chosen[flow] != (left ? TAKEN : LEFT), "flow %u chosen in part", flow);
		t.chosen[flow] = left ? LEFT : TAKEN;
	}
	return left;
}

static void do_meter(u32 flow)
{
	const u8 mac[14] = {2, 0, 0, 0, 0, (u8)pick(256), 2, 0, 0, 0, 1, (u8)pick(256), 8, 0};
	const struct weir_sight s = {.out_ifindex = pick(4), .mark = pick(3),
				     .mac = pick(2) ? mac : NULL};
	const struct weir_packet p = random_packet(flow);
	const struct weir_totals what = {0, p.packets, p.bytes};
	const struct entry before = t.table[flow];
	const u64 lost = t.cpu.ledger.lost[WEIR_LOST_NO_ROOM].packets;
	const struct weir_totals skipped = t.cpu.ledger.skipped[WEIR_SKIP_SAMPLED];
	const int expected = is_refused(flow);
	const bool changed = before.packets && before.sampling_changes != t.sampling_changes;
	const bool room = has_room(flow, changed);
	const bool syn = p.tcp_flags & SYN;
	const bool ends = is_idle_due(&before) || is_finished_due(&before) ||
			  (before.finished && syn);
	const bool due = changed || (before.packets && (ends || is_active_due(&before)));
	bool refused;
	unsigned int n;
	u32 last = FLOWS;

	weir_cache_meter(&t.cpu, &p, &s, t.now);
	weir_totals_add(&t.traffic, &what);
	refused = t.cpu.ledger.lost[WEIR_LOST_NO_ROOM].packets != lost;
	n = read_log(syn, &last);
	if (is_left_out(flow, &p, &skipped)) {
		CHECK(!n && !refused, "a packet left out did something");
		t.left_out++;
		return;
	}
	if (changed)
		CHECK(refused == !room, "flow %u: lost: %d, room: %d", flow, refused, room);
	else
		CHECK(expected == EITHER || refused == (expected == YES), "flow %u: lost: %d", flow,
		      refused);
	CHECK(n <= 1, "%u records for one packet", n);
	CHECK(!before.packets || n == (due && room), "flow %u, due: %d, room: %d, %u records", flow,
	      due, room, n);
	CHECK(!n || !before.packets || last == flow, "flow %u ended by flow %u", last, flow);
	weir_totals_add(&t.history[flow].seen, &what);
	if (refused) {
		weir_totals_add(&t.history[flow].lost, &what);
		t.refused++;
	} else {
		model_packet(flow, &p, &s);
		/* after an active timeout the same connection goes on, to its end */
		if (n && before.packets && (changed || !ends))
			t.table[flow].finished |= before.finished;
	}
}

/* Is a flow of @set in the table for which the log has no room? */
static bool is_stuck(u32 set, bool last_resort)
{
	for (u32 i = 0; i < FLOWS; i++)
		if (t.table[i].packets && set_of(i) == set && !has_room(i, last_resort))
			return true;
	return false;
}

/* One set, as the cursor does it. */
static bool do_expire(u32 set)
{
	unsigned int moved = 0;
	u32 last;
	bool done = weir_cache_expire(&t.cpu, set, t.now, &moved);
	unsigned int n = read_log(false, &last);

	CHECK(n == moved, "%u moved, %u records", moved, n);
	if (!done) {
		CHECK(is_stuck(set, false), "expiry stopped, though there is room");
		return false;
	}
	for (u32 i = 0; i < FLOWS; i++)
		CHECK(!t.table[i].packets || set_of(i) != set ||
		      !(is_finished_due(&t.table[i]) || is_idle_due(&t.table[i])),
		      "flow %u was due and stayed", i);
	return true;
}

/* Four times round, at one moment: nothing is left that is due. */
static void do_round(void)
{
	bool done = true;

	for (int pass = 0; pass < 4 && done; pass++, t.cpu.expire.pass++)
		for (u32 set = 0; set < weir_cache_sets(&t.cpu) && done; set++)
			done = do_expire(set);
	for (u32 i = 0; i < FLOWS && done; i++)
		CHECK(!t.table[i].packets || !is_active_due(&t.table[i]),
		      "flow %u is as old as may be and stayed", i);
}

static void do_flush(u32 set, bool last_resort)
{
	unsigned int moved = 0, members = 0, n, left;
	u32 last;

	t.last_resort = last_resort;
	left = weir_cache_flush(&t.cpu, set, t.now, last_resort, &moved);
	n = read_log(false, &last);
	CHECK(n == moved, "%u moved, %u records", moved, n);
	for (u32 i = 0; i < FLOWS; i++) {
		if (!t.table[i].packets || set_of(i) != set)
			continue;
		members++;
		CHECK(!has_room(i, last_resort), "flow %u left, though there is room", i);
	}
	CHECK(left == members, "%u left, %u in the table", left, members);
}

/* As export.c: number what is sealed, then free from the tail. */
static void do_free(u32 batches, bool acked)
{
	struct weir_log *log = &t.cpu.log;
	struct weir_ledger *ledger = &t.cpu.ledger;

	log->numbered = log->open;
	for (; batches && log->tail != log->numbered; batches--) {
		struct weir_slot *slot = weir_log_slot(log, log->tail);

		CHECK(checksum(slot) == t.sum[log->tail & (log->size - 1)],
		      "a sealed batch was written to");
		weir_totals_move(&ledger->pending,
				 acked ? &ledger->acked : &ledger->lost[WEIR_LOST_DISCARDED],
				 &slot->totals);
		slot->count = 0;
		log->tail++;
	}
}

static void do_seal_old(u64 age_ns)
{
	const struct weir_log *log = &t.cpu.log;
	const u32 open = log->open;
	const struct weir_slot *slot = weir_log_slot(log, open);
	const bool due = open - log->tail < log->size && slot->count &&
			 t.now - slot->opened_ns >= age_ns;

	weir_log_seal_old(&t.cpu, t.now, age_ns);
	CHECK(log->open - open == due, "a batch due: %d, sealed: %u", due, log->open - open);
}

/* As resize.c: a new table now, moved into set by set later. */
static void do_resize(void)
{
	const u32 flows = WEIR_TABLE_FLOWS_MIN << pick(6);

	if (t.cpu.old.nsets)
		return;
	t.cpu.old = t.cpu.table;
	ck_assert_int_eq(weir_cache_init(&t.cpu.table, flows, 0), 0);
	t.cpu.moved = 0;
	t.cpu.moving = true;
	t.resized[flows / WEIR_WAYS > t.cpu.old.nsets]++;
}

/* Flows come to no other set, and none is missing, though some may be evicted. */
static void do_move(void)
{
	const u32 index = t.cpu.moved;
	unsigned int joined = 0, n;
	bool stuck = false;
	bool done;

	for (u32 i = 0; i < FLOWS; i++) {
		t.joins[i] = t.table[i].packets &&
			     (set_of(i) == index ||
			      (t.cpu.table.nsets < t.cpu.old.nsets &&
			       set_of(i) == t.cpu.old.nsets + (index & (t.cpu.table.nsets - 1))));
		joined += t.joins[i];
	}
	done = weir_cache_move(&t.cpu, t.now);
	n = read_log(false, &(u32){0});
	for (u32 i = 0; i < FLOWS; i++)
		stuck |= t.joins[i] && t.table[i].packets && !has_room(i, false);
	CHECK(done ? t.cpu.moved == index + 1 : stuck && t.cpu.moved == index, "moved: %d", done);
	CHECK(t.cpu.table.nsets < t.cpu.old.nsets || !n, "a larger table evicted %u", n);
	if (done && t.cpu.table.nsets < t.cpu.old.nsets)
		CHECK(joined - n == (joined < WEIR_WAYS ? joined : WEIR_WAYS), "%u of %u left",
		      joined - n, joined);
	t.stuck += !done;
	if (t.cpu.moved == t.cpu.old.nsets) {
		weir_cache_destroy(&t.cpu.old);
		t.cpu.moving = false;
	}
}

/* Shapes that sample change it now and then, also to what it is. */
static void do_sampling(void)
{
	const u32 rate = pick(3) ? pick(5) : 0, method = pick(2);
	const u32 effective = rate > 1 ? rate : 0, effective_method = effective ? method : 0;

	weir_sampler_set(&t.cpu.sampler, rate, method);
	CHECK(t.cpu.sampler.rate == effective, "rate %u", t.cpu.sampler.rate);
	if (effective == t.sampling && effective_method == t.sampling_method)
		return;
	t.sampling = effective;
	t.sampling_method = effective_method;
	t.sampling_changes++;
	memset(t.chosen, 0, sizeof(t.chosen));
}

/* As kmod/expire.c asks: never when nobody reads, else one that may just be reached. */
static u64 random_age(void)
{
	const struct weir_slot *slot = weir_log_slot(&t.cpu.log, t.cpu.log.open);

	return pick(4) ? ~0ULL : pick(2) ? pick(3) * 250 * MS : t.now - slot->opened_ns + pick(2);
}

static void advance(void)
{
	switch (pick(192)) {
	case 0:
		t.now += t.meter.idle_ns + pick(100) * MS;
		break;
	case 1:
		t.now += t.meter.active_ns / 4;
		break;
	case 2:
		t.now += t.meter.fin_ns;
		break;
	case 3:		/* a moment before */
		t.now += t.meter.idle_ns - pick(3) * TICK;
		break;
	default:
		t.now += pick(4) ? pick(100000) : pick(20) * MS;
	}
}

/* One random operation. @reader: of 64, how often batches are acknowledged. */
static void operate(u32 flows, u32 reader, bool samples, bool resizes)
{
	const u32 set = pick(weir_cache_sets(&t.cpu));
	const u32 kind = pick(64);

	advance();
	if (resizes && !pick(8)) {
		t.operation = MOVE;
		if (!t.cpu.old.nsets && !pick(16))
			do_resize();
		else if (t.cpu.old.nsets)
			do_move();
		return;
	}
	t.operation = kind < 48 ? METER : kind < 58 ? EXPIRE : kind < 60 ? FLUSH : OTHER;
	if (kind < 48)
		do_meter(pick(2) ? pick(flows) : pick(1 + flows / 16));
	else if (kind < 57)
		do_expire(set);
	else if (kind < 58)
		do_round();
	else if (kind < 60)
		do_flush(set, pick(2));
	else if (kind < 61)
		do_seal_old(random_age());
	else if (samples && kind < 62 && !pick(8))
		do_sampling();
	else if (kind < 62 && !pick(16))
		weir_log_seal(&t.cpu);
	else if (pick(64) < reader)
		do_free(pick(4), pick(8));
}

/* Of 64 flows, @tails have something beyond the core of a record. */
static void setup_keys(u32 tails)
{
	for (u32 i = 0; i < FLOWS; i++) {
		struct weir_key *key = &t.keys[i];
		const u32 tail = pick(64) < tails ? 1 + pick(15) : 0;

		for (int k = 0; k < 16; k++) {
			key->src_addr[k] = (u8)(pick(2) ? 1 : pick(256));
			key->dst_addr[k] = (u8)(pick(2) ? 1 : pick(256));
		}
		key->src_port = htons((u16)i);
		key->dst_port = htons((u16)pick(65536));
		key->in_ifindex = pick(5);
		key->where = (u16)((tail & 1 ? 1 + pick(5) : 0) << 8 | pick(8) << 4 | pick(4));
		key->vlan_id = (u16)pick(4096);
		key->inner_vlan_id = (u16)(tail & 2 ? 1 + pick(4095) : 0);
		key->tunnel_id = tail & 4 ? 1 + pick(1 << 24) : 0;
		key->netns = tail & 8 ? 1 + pick(1 << 30) : 0;
		key->protocol = pick(4) ? 6 : 17;
		key->tos = (u8)(pick(64) << 2);
		t.hashes[i] = hsiphash(key, sizeof(*key), &t.meter.hash_key);
	}
}

static void start(u64 seed, u32 table_flows, u32 batches, u32 mask, u32 tails)
{
	memset(&t, 0, sizeof(t));
	t.seed = seed;
	t.random = mix(seed);
	t.now = 1 + (u64)pick(1000) * 1000000 * MS;
	if (!pick(4))	/* weir_ticks() wraps on the way */
		t.now = (1ULL << 52) - pick(10000) * MS;
	t.mask = mask;
	t.meter.hash_key.key[0] = mix(seed + 1);
	t.meter.active_ns = 2400 * MS;
	t.meter.idle_ns = 1500 * MS;
	t.meter.fin_ns = pick(2) ? 200 * MS : 2000 * MS;
	t.cpu.meter = &t.meter;
	ck_assert_int_eq(weir_cache_init(&t.cpu.table, table_flows, 0), 0);
	ck_assert_int_eq(weir_log_init(&t.cpu.log, batches, 0), 0);
	ck_assert_uint_eq(t.cpu.log.reserve, batches < 16 ? 1 : batches / 8);
	t.labels = tails;
	setup_keys(tails);
}

static void stop(void)
{
	bool empty = false;

	/* as metering is switched off: with last resort, then what is held is acknowledged */
	t.operation = FLUSH;
	while (!empty) {
		empty = true;
		for (u32 set = 0; set < weir_cache_sets(&t.cpu); set++)
			do_flush(set, true);
		check_balance(&t.cpu.ledger);
		empty = !t.cpu.ledger.table.flows;
		weir_log_seal(&t.cpu);
		t.operation = OTHER;
		read_log(false, &(u32){0});
		t.operation = FLUSH;
		do_free(SLOTS_MAX, true);
	}
	check_balance(&t.cpu.ledger);
	check_all();
	CHECK(!t.cpu.ledger.table.packets && !t.cpu.ledger.pending.packets, "not all came out");
	weir_cache_destroy(&t.cpu.old);
	weir_cache_destroy(&t.cpu.table);
	weir_log_destroy(&t.cpu.log);
}

static const struct shape {
	const char *name;
	u32 table, batches, mask, flows, reader, steps, tails;
	bool samples, resizes;
} shapes[] = {
	{"a table with room",
	 .table = 2048, .batches = 4, .mask = ~0U, .flows = 256, .reader = 64,
	 .steps = 40000, .tails = 1},
	{"full sets",
	 .table = 64, .batches = 8, .mask = ~0U, .flows = FLOWS, .reader = 64,
	 .steps = 40000},
	{"a reader that is slow",
	 .table = 128, .batches = 4, .mask = ~0U, .flows = FLOWS, .reader = 8,
	 .steps = 60000, .tails = 1},
	{"the smallest log, hardly read",
	 .table = 64, .batches = 2, .mask = ~0U, .flows = 512, .reader = 3,
	 .steps = 60000, .tails = 8},
	{"tags that meet",
	 .table = 64, .batches = 4, .mask = 0x4f, .flows = 128, .reader = 64,
	 .steps = 40000, .tails = 64},
	{"one set",
	 .table = 64, .batches = 2, .mask = 0xffffff00, .flows = 32, .reader = 32,
	 .steps = 40000, .tails = 32},
	{"sampling",
	 .table = 128, .batches = 4, .mask = ~0U, .flows = FLOWS, .reader = 16,
	 .steps = 60000, .tails = 1, .samples = true},
	{"another size",
	 .table = 64, .batches = 8, .mask = ~0U, .flows = 768, .reader = 64,
	 .steps = 60000, .tails = 1, .resizes = true},
	{"another size, a reader that is slow, sampling",
	 .table = 512, .batches = 4, .mask = ~0U, .flows = FLOWS, .reader = 6,
	 .steps = 60000, .tails = 8, .samples = true, .resizes = true},
	{"sampling without long records",
	 .table = 64, .batches = 4, .mask = ~0U, .flows = 256, .reader = 16,
	 .steps = 60000, .samples = true},
};

static void run(const struct shape *shape, u64 seed)
{
	start(seed, shape->table, shape->batches, shape->mask, shape->tails);
	for (t.step = 0; t.step < shape->steps; t.step++) {
		operate(shape->flows, shape->reader, shape->samples, shape->resizes);
		read_log(false, &(u32){0});
		check_balance(&t.cpu.ledger);
		if (t.step % 64 == 0)
			check_all();
	}
	stop();
}

START_TEST(model)
{
	const struct shape *shape = &shapes[_i];
	const char *wanted = getenv("WEIR_SEED");
	u64 first = wanted ? strtoull(wanted, NULL, 10) : 1, last = wanted ? first : 6;
	u64 reasons[WEIR_END_NO_RESOURCES + 1] = {0}, classes[3] = {0}, refused = 0, full[2] = {0}, early = 0, left = 0;
	u64 smaller = 0, larger = 0, stuck = 0;

	for (u64 seed = first; seed <= last; seed++) {
		run(shape, seed);
		refused += t.refused;
		full[0] += t.full[0];
		full[1] += t.full[1];
		early += t.early;
		left += t.left_out;
		smaller += t.resized[0];
		larger += t.resized[1];
		stuck += t.stuck;
		for (int i = 0; i <= WEIR_END_NO_RESOURCES; i++)
			reasons[i] += t.reasons[i].flows;
		for (int i = 0; i < 3; i++)
			classes[i] += t.evicted[i];
	}
	printf("%s: idle %llu, active %llu, detected %llu, forced %llu; evicted %llu finished, "
	       "%llu single, %llu other; %llu full batches of core records, %llu of long "
	       "ones, %llu sealed for a long one; %llu packets lost, %llu not sampled; %llu times smaller, %llu larger, "
	       "%llu moves without room\n",
	       shape->name, reasons[WEIR_END_IDLE], reasons[WEIR_END_ACTIVE],
	       reasons[WEIR_END_DETECTED], reasons[WEIR_END_FORCED], classes[2], classes[1],
	       classes[0], full[0], full[1], early, refused, left,
	       smaller, larger, stuck);
	if (wanted)
		return;
	/* a run that does not get to the cases shows nothing */
	for (int i = WEIR_END_IDLE; i <= WEIR_END_FORCED; i++)
		ck_assert_uint_gt(reasons[i], 0);
	if (shape->table == 64) {
		ck_assert_uint_gt(classes[0], 0);
		ck_assert_uint_gt(classes[1], 0);
		ck_assert_uint_gt(classes[2], 0);
	}
	ck_assert_uint_gt(full[0] + full[1], 0);
	ck_assert_uint_eq(early > 0, shape->samples || (shape->tails && shape->tails < 64));
	ck_assert_uint_eq(left > 0, shape->samples);
	ck_assert_uint_eq(smaller > 10 && larger > 10, shape->resizes);
	ck_assert_uint_eq(stuck > 0, shape->resizes && shape->reader < 16);
	if (shape->reader < 16)
		ck_assert_uint_gt(refused, 0);
}
END_TEST

/* Each of @segments is a sequence number, a length and packets beyond the first. */
static struct weir_record tcp_stream(const u32 (*segments)[3], size_t n)
{
	const struct weir_sight s = {0};
	struct weir_packet p = {.packets = 1, .bytes = 100, .key.protocol = 6};
	struct weir_record r;
	unsigned int moved = 0;

	start(1, 64, 2, ~0U, 0);
	for (size_t i = 0; i < n; i++) {
		p.tcp_seq = segments[i][0];
		p.tcp_seq_len = segments[i][1];
		p.packets = 1 + segments[i][2];
		weir_cache_meter(&t.cpu, &p, &s, ++t.now);
	}
	for (u32 set = 0; set < weir_cache_sets(&t.cpu); set++)
		weir_cache_flush(&t.cpu, set, t.now, false, &moved);
	ck_assert_uint_eq(moved, 1);
	r = record_of(t.cpu.log.slots, 0);
	weir_cache_destroy(&t.cpu.table);
	weir_log_destroy(&t.cpu.log);
	return r;
}

#define STREAM(...) \
	tcp_stream((const u32[][3]){__VA_ARGS__}, \
		   sizeof((const u32[][3]){__VA_ARGS__}) / sizeof(u32[3]))

START_TEST(sequence_numbers)
{
	struct weir_record r;

	r = STREAM({100, 1}, {101, 50}, {151, 50}, {201, 0});
	ck_assert_uint_eq(r.retransmitted, 0);
	ck_assert_uint_eq(r.out_of_order, 0);
	r = STREAM({100, 1}, {101, 50}, {101, 50}, {151, 50}, {101, 100});
	ck_assert_uint_eq(r.retransmitted, 2);
	ck_assert_uint_eq(r.out_of_order, 0);
	r = STREAM({101, 50}, {201, 50}, {151, 50}, {251, 50});	/* a hole, filled late */
	ck_assert_uint_eq(r.retransmitted, 1);
	ck_assert_uint_eq(r.out_of_order, 1);
	r = STREAM({101, 50}, {151, 90}, {151, 90, 2});	/* a super-packet again */
	ck_assert_uint_eq(r.retransmitted, 3);
	r = STREAM({101, 50}, {101, 60}, {161, 50});	/* a part of it is new */
	ck_assert_uint_eq(r.retransmitted, 0);
	ck_assert_uint_eq(r.out_of_order, 0);
	r = STREAM({0xfffffff0, 32}, {16, 10}, {0xfffffff0, 32}, {26, 1});	/* wraps */
	ck_assert_uint_eq(r.retransmitted, 1);
	ck_assert_uint_eq(r.out_of_order, 0);
}
END_TEST

/* A record that ends for its age is continued, one that ends otherwise is not. */
START_TEST(sequence_numbers_across_records)
{
	static const struct {
		u64 pause_ns;
		u16 flags, then;
		u32 retransmitted;
		u8 reason;
	} cases[] = {
		{0, ACK, ACK, 1, WEIR_END_NONE},
		{3000 * MS, ACK, ACK, 1, WEIR_END_ACTIVE},
		{9000 * MS, ACK, ACK, 0, WEIR_END_IDLE},
		{0, ACK | FIN, SYN, 0, WEIR_END_DETECTED},
		{3000 * MS, RST, ACK, 0, WEIR_END_DETECTED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct weir_packet p = {.packets = 1, .bytes = 100, .key.protocol = 6,
					.tcp_seq = 100, .tcp_seq_len = 50};
		struct weir_record r;
		unsigned int moved = 0;

		start(1, 64, 2, ~0U, 0);
		t.meter.idle_ns = 5000 * MS;
		t.meter.active_ns = 3000 * MS;
		t.meter.fin_ns = 2000 * MS;
		p.tcp_flags = cases[i].flags;
		weir_cache_meter(&t.cpu, &p, &(struct weir_sight){0}, t.now);
		p.tcp_flags = cases[i].then;
		t.now += cases[i].pause_ns;
		weir_cache_meter(&t.cpu, &p, &(struct weir_sight){0}, t.now);
		for (u32 set = 0; set < weir_cache_sets(&t.cpu); set++)
			weir_cache_flush(&t.cpu, set, t.now, false, &moved);
		r = record_of(t.cpu.log.slots, 0);
		ck_assert_uint_eq(t.cpu.log.slots[0].count, cases[i].reason ? 2 : 1);
		if (cases[i].reason) {
			ck_assert_uint_eq(r.end_reason, cases[i].reason);
			ck_assert_uint_eq(r.retransmitted, 0);
			r = record_of(t.cpu.log.slots, 1);
		}
		ck_assert_uint_eq(r.end_reason, WEIR_END_FORCED);
		ck_assert_msg(r.retransmitted == cases[i].retransmitted, "case %zu", i);
		weir_cache_destroy(&t.cpu.table);
		weir_log_destroy(&t.cpu.log);
	}
}
END_TEST

static bool takes(u32 rate, u32 method, const struct weir_key *key)
{
	struct weir_sampler s = {.rate = rate, .method = (u16)method, .random = 1};
	const struct weir_packet p = {.key = *key, .packets = 1};

	return weir_sampler_takes(&s, &p, &t.meter.hash_key);
}

/* One of so many, within five standard deviations; seeds are fixed, so it is always the same. */
START_TEST(sampling_of_packets)
{
	static const u32 rates[] = {2, 3, 10, 100, 1000};
	const struct weir_packet p = {.packets = 1};
	enum { PACKETS = 1000000 };

	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct weir_sampler s = {.random = 1};
		const double expected = (double)PACKETS / rates[i];
		u32 taken = 0, pairs = 0;
		bool before = false;

		weir_sampler_set(&s, rates[i], WEIR_SAMPLING_PACKETS);
		for (u32 k = 0; k < PACKETS; k++) {
			const bool is = weir_sampler_takes(&s, &p, &t.meter.hash_key);

			taken += is;
			pairs += is && before;
			before = is;
		}
		ck_assert_msg((taken - expected) * (taken - expected) < 25 * expected,
			      "one of %u: %u of %u", rates[i], taken, PACKETS);
		ck_assert_msg((pairs - expected / rates[i]) * (pairs - expected / rates[i]) <
			      25 * expected / rates[i] + 1, "one of %u: %u pairs", rates[i], pairs);
	}
}
END_TEST

/* Both directions alike, whatever hook, interface or DSCP; and one connection of so many. */
START_TEST(sampling_of_flows)
{
	enum { CONNECTIONS = 100000, RATE = 10 };
	u32 taken = 0, sets[8] = {0};

	start(1, 64, 2, ~0U, 0);
	for (u32 i = 0; i < CONNECTIONS; i++) {
		struct weir_key key = t.keys[pick(FLOWS)], back = key;
		const bool is_icmp = !pick(4);

		for (int k = 0; k < 4; k++)
			key.src_addr[12 + k] = (u8)pick(256);
		key.protocol = is_icmp ? 1 : 6;
		memcpy(back.src_addr, key.dst_addr, 16);
		memcpy(back.dst_addr, key.src_addr, 16);
		back.src_port = is_icmp ? 0 : key.dst_port;
		back.dst_port = is_icmp ? htons(8 << 8) : key.src_port;
		back.protocol = key.protocol;
		back.in_ifindex = pick(9);
		back.tos = (u8)(pick(64) << 2);
		back.where = (u16)(pick(8) << 4);
		ck_assert_int_eq(takes(RATE, WEIR_SAMPLING_FLOWS, &key),
				 takes(RATE, WEIR_SAMPLING_FLOWS, &back));
		if (!takes(RATE, WEIR_SAMPLING_FLOWS, &key))
			continue;
		taken++;
		sets[hsiphash(&key, sizeof(key), &t.meter.hash_key) % 8]++;
	}
	ck_assert_uint_gt(taken, CONNECTIONS / RATE * 95 / 100);
	ck_assert_uint_lt(taken, CONNECTIONS / RATE * 105 / 100);
	for (int i = 0; i < 8; i++)	/* those chosen still spread over the whole table */
		ck_assert_uint_gt(sets[i], taken / 8 * 8 / 10);
	weir_cache_destroy(&t.cpu.table);
	weir_log_destroy(&t.cpu.log);
}
END_TEST

static struct weir_endpoint endpoint(u8 host, u16 port)
{
	return (struct weir_endpoint){.addr = {[15] = host}, .port = htons(port)};
}

/* Hosts 1 and 2 talk; NAT has 1 leave as 3, and what 2 gets was sent to 4. */
START_TEST(translation)
{
	const struct weir_translation nat = {
		.came = {endpoint(1, 10), endpoint(4, 40)},
		.leaves = {endpoint(3, 30), endpoint(2, 20)},
	};
	static const struct {
		u8 src, dst;
		u16 sport, dport;
		u8 nat_src, nat_dst;
	} cases[] = {
		{1, 2, 10, 20, 3, 4},	/* between the two, as in FORWARD */
		{1, 4, 10, 40, 3, 2},	/* before both, as in LOCAL_OUT and PRE_ROUTING */
		{3, 2, 30, 20, 1, 4},	/* after both, as where it leaves by a device */
		{1, 2, 11, 20, 0, 0},	/* another connection */
		{1, 2, 10, 21, 0, 0},
		{5, 2, 10, 20, 0, 0},
		{2, 1, 20, 10, 0, 0},	/* its answers: that takes the other direction's */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct weir_flow flow = {.key = {.src_addr = {[15] = cases[i].src},
						 .dst_addr = {[15] = cases[i].dst},
						 .src_port = htons(cases[i].sport),
						 .dst_port = htons(cases[i].dport)}};
		struct weir_record r = {0};

		weir_flow_translate(&flow, &nat);
		ck_assert_int_eq(weir_flow_is_long(&flow), cases[i].nat_src != 0);
		weir_flow_record(&flow, WEIR_END_IDLE, sizeof(r), &r);
		ck_assert_msg(r.nat_src_addr[15] == cases[i].nat_src &&
			      r.nat_dst_addr[15] == cases[i].nat_dst &&
			      ntohs(r.nat_src_port) == cases[i].nat_src * 10 &&
			      ntohs(r.nat_dst_port) == cases[i].nat_dst * 10, "case %zu", i);
		ck_assert_uint_eq(r.flags, 0);
	}
}
END_TEST

/* What is not translated is not told: one side only, ports only, protocols without any. */
START_TEST(translation_in_part)
{
	struct weir_translation nat = {
		.came = {endpoint(1, 10), endpoint(2, 20)},
		.leaves = {endpoint(1, 11), endpoint(2, 20)},
	};
	struct weir_flow flow = {.key = {.src_addr = {[15] = 1}, .dst_addr = {[15] = 2},
					 .src_port = htons(10), .dst_port = htons(20)}};

	weir_flow_translate(&flow, &nat);
	ck_assert_uint_eq(flow.nat_src_addr[15], 1);
	ck_assert_uint_eq(flow.nat_src_port, htons(11));
	ck_assert_uint_eq(flow.nat_dst_addr[15], 0);
	ck_assert_uint_eq(flow.nat_dst_port, 0);

	/* ICMP: dst_port is type and code, and no port */
	flow = (struct weir_flow){.key = {.src_addr = {[15] = 1}, .dst_addr = {[15] = 2},
					  .dst_port = htons(8 << 8), .protocol = 1}};
	nat = (struct weir_translation){
		.came = {endpoint(1, 0), endpoint(2, 0)},
		.leaves = {endpoint(3, 0), endpoint(2, 0)},
	};
	weir_flow_translate(&flow, &nat);
	ck_assert_uint_eq(flow.nat_src_addr[15], 3);
	ck_assert_uint_eq(flow.nat_src_port, 0);
	ck_assert_uint_eq(flow.nat_dst_addr[15], 0);

	/* the same again, as conntrack has it where nothing changes */
	flow.flags = 0;
	memset(flow.nat_src_addr, 0, 16);
	nat.leaves[0] = nat.came[0];
	weir_flow_translate(&flow, &nat);
	ck_assert(!weir_flow_is_long(&flow));
}
END_TEST

/* Every field of a sum of ledgers is there. */
START_TEST(sum_of_ledgers)
{
	struct weir_ledger a, b, sum;
	u64 *x = (u64 *)&a, *y = (u64 *)&b, *z = (u64 *)&sum;

	for (size_t i = 0; i < sizeof(a) / sizeof(u64); i++) {
		x[i] = mix(i) >> 8;
		y[i] = mix(~i) >> 8;
	}
	sum = a;
	weir_ledger_add(&sum, &b);
	for (size_t i = 0; i < sizeof(a) / sizeof(u64); i++)
		ck_assert_uint_eq(z[i], x[i] + y[i]);
}
END_TEST

START_TEST(reserve_of_a_large_log)
{
	start(1, 64, 32, ~0U, 0);
	stop();
}
END_TEST

START_TEST(memory_is_what_is_said)
{
	ck_assert_uint_eq(weir_cache_memory(64), 64 * 192 + 8 * 64);
	ck_assert_uint_eq(weir_log_memory(2),
			  2 * (sizeof(struct weir_slot) + WEIR_BATCH_BYTES));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cache");
	TCase *tcase = tcase_create("cache");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, model, 0, sizeof(shapes) / sizeof(*shapes));
	tcase_add_test(tcase, sequence_numbers);
	tcase_add_test(tcase, sequence_numbers_across_records);
	tcase_add_test(tcase, sampling_of_packets);
	tcase_add_test(tcase, sampling_of_flows);
	tcase_add_test(tcase, translation);
	tcase_add_test(tcase, translation_in_part);
	tcase_add_test(tcase, sum_of_ledgers);
	tcase_add_test(tcase, reserve_of_a_large_log);
	tcase_add_test(tcase, memory_is_what_is_said);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
