// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/dissect*.c, fragments.c, cache.c and log.c, fed with real captures at the captures' own times.
 *
 * The packets of a capture as dissected, added up by five-tuple, and those that the dissector refused
 * are what the reference beside the capture says: packets, bytes, TCP flags, fragments, first and last
 * time. A packet is refused only when its header contradicts itself or the frame, which is
 * decided a second time. Where weir knows better, or the reference follows headers further,
 * data/captures.csv has the row as weir should have it, and why. So are the records, but that later
 * fragments are with their first, which a model says apart from kmod/fragments.c.
 *
 * And the records are those the timeouts demand: a model with one entry for each key says at
 * every packet and every step of the cursor which flow ends, why, and when at the latest.
 *
 * The captures are no part of the sources: ../shared/pcaps, or WEIR_CAPTURES. test_captures NAME...
 * takes these alone.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "captured.h"
#include "kmod/cache.h"
#include "kmod/ledger.h"
#include "kmod/log.h"
#include "kmod/meter.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)
#define TICK (1ULL << 20)

enum {
	SKIPPED = 4,
	LOG_BATCHES = 8,
	STEP_MS = 100, /* of the cursor, as in kmod/expire.c */
	FIN = 0x01,
	SYN = 0x02,
	RST = 0x04,
};

/* What the table should hold for a key; packets 0: nothing. */
struct entry {
	u64 packets, bytes, start_ns, end_ns, second_ns, payload_ns;
	bool finished;
};

static const struct timing {
	const char *name;
	u64 active_ns, idle_ns, fin_ns;
	bool cursor;
	u32 flows; /* of the table; 0: enough */
} timings[] = {
	{"hardly a timeout", 20 * DAY, 15 * DAY, 10 * DAY, false, 0},
	{"as shipped", 60 * SECOND, 15 * SECOND, 2 * SECOND, true, 0},
	{"as shipped, no cursor", 60 * SECOND, 15 * SECOND, 2 * SECOND, false, 0},
	{"short", 1000 * MS, 300 * MS, 100 * MS, true, 0},
	{"short, no cursor", 1000 * MS, 300 * MS, 100 * MS, false, 0},
	{"a table of 64 flows", 60 * SECOND, 15 * SECOND, 2 * SECOND, true, 64},
};

enum {
	TIMINGS = sizeof(timings) / sizeof(*timings),
};

static struct {
	const struct timing *timing;
	struct captured c;
	struct entry *entries; /* by key */
	struct captured_sum *sums; /* by row */
	struct weir_meter meter;
	struct weir_cpu cpu;
	u64 now, ticked; /* when the cursor last moved */
} t;

static u64 later_fragments, moved_fragments; /* fragments, over all captures */
static u64 ends[TIMINGS][WEIR_END_NO_RESOURCES + 1];

#define differ(format, ...) \
	captured_differ(&t.c, "%s: " format, t.timing->name __VA_OPT__(,) __VA_ARGS__)

u32 hsiphash(const void *data, size_t bytes, const hsiphash_key_t *key)
{
	const u8 *at = data;
	u64 hash = key->key[0] ^ 0xcbf29ce484222325;

	while (bytes--)
		hash = (hash ^ *at++) * 0x100000001b3;
	return (u32)(hash ^ hash >> 32);
}

/* The model */

/* Why a flow ends now. @syn: a packet of it with SYN came. */
static enum weir_end_reason due(const struct entry *e, bool syn)
{
	const u32 idle = weir_ticks(t.now) - weir_ticks(e->end_ns);

	if (!e->packets)
		return WEIR_END_NONE;
	if (e->finished && (syn || idle >= weir_ticks(t.timing->fin_ns)))
		return WEIR_END_DETECTED;
	if (idle >= weir_ticks(t.timing->idle_ns))
		return WEIR_END_IDLE;
	return t.now - e->start_ns >= t.timing->active_ns ? WEIR_END_ACTIVE : WEIR_END_NONE;
}

/* The cursor goes round in a second, and looks at a flow's age every fourth time. */
static void check_late(const struct entry *e, enum weir_end_reason reason)
{
	const u64 since = reason == WEIR_END_ACTIVE ? e->start_ns + t.timing->active_ns
			  : reason == WEIR_END_IDLE ? e->end_ns + t.timing->idle_ns
						    : e->end_ns + t.timing->fin_ns;
	const u64 patience = (reason == WEIR_END_ACTIVE ? 4 : 1) * SECOND + STEP_MS * MS + TICK;

	if (t.now > since + patience)
		differ("ended for reason %u %llu ms late", reason, (t.now - since) / MS);
}

/* Exact up to two seconds after the start, then to a millisecond. */
static bool is_about(u64 shown, u64 exact, u64 start)
{
	if (!exact || exact - start < (1ULL << 31) - 2)
		return shown == exact;
	return shown <= exact && exact - shown < TICK && shown > start;
}

static void check_facts(const struct weir_record *r, const struct entry *e)
{
	const struct weir_key *key = &t.c.keys[r->in_ifindex - 1];

	if (r->vlan_id != key->vlan_id || r->inner_vlan_id != key->inner_vlan_id ||
	    r->ip_version != (key->where & WEIR_WHERE_IPV6 ? 6 : 4))
		differ("a record of VLAN %u, %u, IPv%u, not %u, %u", r->vlan_id, r->inner_vlan_id,
		       r->ip_version, key->vlan_id, key->inner_vlan_id);
	if (r->packets != e->packets || r->bytes != e->bytes || r->start_ns != e->start_ns ||
	    r->end_ns != e->end_ns)
		differ("a record of %llu packets, %llu bytes, %llu to %llu ns, not %llu, %llu, "
		       "%llu to %llu",
		       r->packets, r->bytes, r->start_ns, r->end_ns, e->packets, e->bytes,
		       e->start_ns, e->end_ns);
	if (!is_about(r->second_ns, e->second_ns, e->start_ns) ||
	    !is_about(r->payload_ns, e->payload_ns, e->start_ns))
		differ("second packet at %llu, payload at %llu, not %llu, %llu", r->second_ns,
		       r->payload_ns, e->second_ns, e->payload_ns);
}

static void check_reason(const struct weir_record *r, const struct entry *e, bool own, bool syn)
{
	const enum weir_end_reason want = due(e, own && syn);

	if (r->end_reason == WEIR_END_NO_RESOURCES) {
		if (!t.timing->flows || own)
			differ("evicted, though there is room");
		return;
	}
	if (r->end_reason != want)
		differ("ended for reason %u, not %u", r->end_reason, want);
	else if (t.timing->cursor && !(want == WEIR_END_DETECTED && own && syn))
		check_late(e, want);
}

/* @e: the packet that was just counted, NULL: the cursor moved. */
static void take_record(const struct weir_record *r, const struct captured_event *e)
{
	const u32 key = r->in_ifindex - 1;
	struct entry *entry = &t.entries[key];
	const bool own = e && e->key == key;
	const struct captured_sum what = {
		.packets = r->packets,
		.bytes = r->bytes,
		.records = 1,
		.fragments = r->fragments,
		.first = captured_time(&t.c, r->start_ns),
		.last = captured_time(&t.c, r->end_ns),
		.tcp_flags = (u8)r->tcp_flags, /* the reference has eight */
	};

	check_facts(r, entry);
	check_reason(r, entry, own, e && e->p.tcp_flags & SYN);
	/* after an active timeout the same connection goes on, to its end */
	*entry = (struct entry){.finished = own && r->end_reason == WEIR_END_ACTIVE &&
					    entry->finished};
	captured_sum_add(&t.sums[t.c.rows[key]], &what);
	ends[t.timing - timings][r->end_reason]++;
}

/* Take all there are off the log. Return: how many. */
static unsigned int take_records(const struct captured_event *e)
{
	struct weir_log *log = &t.cpu.log;
	unsigned int n = 0;

	weir_log_seal(&t.cpu);
	log->numbered = log->open;
	for (; log->tail != log->numbered; log->tail++) {
		struct weir_slot *slot = weir_log_slot(log, log->tail);

		for (u32 i = 0; i < slot->count; i++) {
			struct weir_record r = {0};

			memcpy(&r, slot->records + i * slot->stride, slot->stride);
			take_record(&r, e);
		}
		n += slot->count;
		weir_totals_move(&t.cpu.ledger.pending, &t.cpu.ledger.acked, &slot->totals);
		slot->count = 0;
	}
	return n;
}

static void model_packet(struct entry *entry, const struct captured_event *e)
{
	if (!entry->packets)
		entry->start_ns = t.now;
	else if (entry->packets == 1)
		entry->second_ns = t.now;
	if (e->p.payload && !entry->payload_ns)
		entry->payload_ns = t.now;
	entry->packets++;
	entry->bytes += e->p.bytes;
	entry->end_ns = t.now;
	entry->finished |= e->p.tcp_flags & (FIN | RST);
}

/* Replay */

static void meter(const struct captured_event *e)
{
	struct entry *entry = &t.entries[e->key];
	const struct weir_sight s = {0};
	const bool known = entry->packets;
	unsigned int want, got;

	t.now = e->now;
	want = due(entry, e->p.tcp_flags & SYN) != WEIR_END_NONE;
	weir_cache_meter(&t.cpu, &e->p, &s, t.now);
	got = take_records(e);
	if (known || !t.timing->flows ? got != want : got > 1)
		differ("packet %zu ended %u flows, not %u", e->at + 1, got, want);
	model_packet(entry, e);
}

static void tick(void)
{
	struct weir_cursor *cursor = &t.cpu.expire;
	const u32 nsets = t.cpu.table.nsets;
	unsigned int moved = 0;

	cursor->credit_ns += STEP_MS * MS * nsets;
	for (; cursor->credit_ns >= SECOND; cursor->credit_ns -= SECOND) {
		weir_cache_expire(&t.cpu, cursor->next, t.now, &moved);
		take_records(NULL);
		cursor->next = (cursor->next + 1) & (nsets - 1);
		cursor->pass += !cursor->next;
	}
}

/* Time goes on to @until. Nothing happens to an empty table. */
static void expire(u64 until)
{
	for (; t.cpu.ledger.table.flows && until - t.ticked >= STEP_MS * MS; tick()) {
		t.ticked += STEP_MS * MS;
		t.now = t.ticked;
	}
	if (!t.cpu.ledger.table.flows)
		t.ticked = until;
}

/* What is left when no cursor moves. */
static void end_all(void)
{
	unsigned int moved = 0;

	t.now += t.timing->idle_ns + t.timing->active_ns;
	for (int pass = 0; pass < 4; pass++, t.cpu.expire.pass++)
		for (u32 set = 0; set < t.cpu.table.nsets; set++) {
			weir_cache_expire(&t.cpu, set, t.now, &moved);
			take_records(NULL);
		}
}

static void check_ledger(void)
{
	const struct weir_ledger *l = &t.cpu.ledger;

	if (l->table.flows || l->table.packets || l->seen.flows != l->acked.flows ||
	    l->seen.packets != l->acked.packets || l->seen.bytes != l->acked.bytes ||
	    l->seen.packets != t.c.nevents)
		differ("%llu flows are left; of %llu packets, %llu bytes %llu, %llu came out",
		       l->table.flows, l->seen.packets, l->seen.bytes, l->acked.packets,
		       l->acked.bytes);
}

static u32 table_flows(void)
{
	u32 flows = WEIR_TABLE_FLOWS_MIN;

	while (!t.timing->flows && flows < 8 * t.c.nkeys)
		flows *= 2;
	return flows;
}

static void replay(const struct timing *timing)
{
	t.timing = timing;
	memset(&t.cpu, 0, sizeof(t.cpu));
	t.cpu.meter = &t.meter;
	t.meter.active_ns = timing->active_ns;
	t.meter.idle_ns = timing->idle_ns;
	t.meter.fin_ns = timing->fin_ns;
	t.entries = calloc(t.c.nkeys + 1, sizeof(*t.entries));
	t.sums = calloc(t.c.table.n + 1, sizeof(*t.sums));
	if (!t.entries || !t.sums || weir_cache_init(&t.cpu.table, table_flows(), 0) ||
	    weir_log_init(&t.cpu.log, LOG_BATCHES, 0))
		abort();
	t.now = 0;
	t.ticked = 0;
	for (size_t i = 0; i < t.c.nevents; i++) {
		if (timing->cursor)
			expire(t.c.events[i].now);
		meter(&t.c.events[i]);
	}
	if (timing->cursor)
		expire(~0ULL);
	else
		end_all();
	check_ledger();
	captured_compare(&t.c, t.sums);
	weir_cache_destroy(&t.cpu.table);
	weir_log_destroy(&t.cpu.log);
	free(t.entries);
	free(t.sums);
}

static bool run(const char *folder, const char *corrections, const char *name)
{
	unsigned long wrong;

	if (!captured_open(&t.c, folder, corrections, name)) {
		printf("%s: cannot be read\n", name);
		return false;
	}
	for (int i = 0; i < TIMINGS; i++)
		replay(&timings[i]);
	later_fragments += t.c.later;
	moved_fragments += t.c.moved;
	wrong = t.c.differences;
	captured_close(&t.c);
	return !wrong;
}

/* Every capture of the manifest. Return: how many there are, and through @wrong how many differ. */
static unsigned int run_all(const char *folder, const char *corrections, unsigned int *wrong)
{
	char path[PATH_MAX + 16], line[4096], *name;
	unsigned int n = 0;
	FILE *manifest;

	snprintf(path, sizeof(path), "%s/MANIFEST.csv", folder);
	manifest = fopen(path, "r");
	if (!manifest || !fgets(line, sizeof(line), manifest))
		abort();
	while (fgets(line, sizeof(line), manifest)) {
		char *rest = line;

		name = strsep(&rest, ",");
		*wrong += !run(folder, corrections, name);
		n++;
	}
	fclose(manifest);
	return n;
}

static void print_ends(void)
{
	static const char *const names[] = {"", "idle", "active", "detected", "forced", "evicted"};

	for (int i = 0; i < TIMINGS; i++) {
		printf("%s:", timings[i].name);
		for (int reason = WEIR_END_IDLE; reason <= WEIR_END_NO_RESOURCES; reason++)
			printf(" %llu %s", ends[i][reason], names[reason]);
		printf("\n");
	}
}

/* A run in which a reason does not come up shows nothing of it. */
static bool all_came_up(void)
{
	bool all = true;

	for (int i = 0; i < TIMINGS; i++)
		all &= ends[i][WEIR_END_IDLE] && ends[i][WEIR_END_ACTIVE] &&
		       ends[i][WEIR_END_DETECTED] &&
		       !ends[i][WEIR_END_NO_RESOURCES] == !timings[i].flows;
	return all;
}

int main(int argc, char **argv)
{
	const char *source = getenv("WEIR_SRC") ?: ".", *folder = getenv("WEIR_CAPTURES");
	char corrections[PATH_MAX], beside[PATH_MAX];
	unsigned int wrong = 0, n;

	snprintf(corrections, sizeof(corrections), "%s/tests/unit/data/captures.csv", source);
	snprintf(beside, sizeof(beside), "%s/../shared/pcaps", source);
	folder = folder ?: beside;
	if (access(folder, R_OK)) {
		printf("SKIP: the captures are not in ../shared/pcaps\n");
		return SKIPPED;
	}
	for (int i = 1; i < argc; i++)
		wrong += !run(folder, corrections, argv[i]);
	if (argc > 1)
		return wrong != 0;
	n = run_all(folder, corrections, &wrong);
	print_ends();
	printf("%llu of %llu later fragments are with their first\n", moved_fragments,
	       later_fragments);
	printf("%u captures, %u differ\n", n, wrong);
	return wrong || !n || !all_came_up() || !moved_fragments ||
	       moved_fragments == later_fragments;
}
