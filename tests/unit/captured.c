// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "captured.h"
#include "kmod/fragments.h"
#include "kmod/meter.h"

#define DAY (86400 * 1000000000ULL)

enum {
	FRAGMENT_TICKS = 1000, /* as in kmod/fragments.c */
};

void captured_differ(struct captured *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("%s: ", c->name);
	vprintf(format, args);
	printf("\n");
	va_end(args);
	c->differences++;
}

void captured_sum_add(struct captured_sum *s, const struct captured_sum *what)
{
	if (!what->packets)
		return;
	if (!s->packets || what->first < s->first)
		s->first = what->first;
	if (!s->packets || what->last > s->last)
		s->last = what->last;
	s->packets += what->packets;
	s->bytes += what->bytes;
	s->records += what->records;
	s->fragments += what->fragments;
	s->tcp_flags |= what->tcp_flags;
}

static u16 be16_at(const u8 *at)
{
	return (u16)(at[0] << 8 | at[1]);
}

static int find_row(const struct captured *c, const struct weir_key *key)
{
	for (size_t i = 0; i < c->table.n; i++) {
		const struct capture_flow *f = &c->table.flows[i];

		if (!memcmp(f->src, key->src_addr, 16) && !memcmp(f->dst, key->dst_addr, 16) &&
		    f->src_port == ntohs(key->src_port) && f->dst_port == ntohs(key->dst_port) &&
		    f->protocol == key->protocol)
			return (int)i;
	}
	return NO_ROW;
}

/* Why an IP header must not be believed, NULL: nothing is wrong. */
static const char *contradiction(const u8 *ip, u32 captured, u32 length, u16 ethertype)
{
	const u8 version = captured ? ip[0] >> 4 : 0;
	u32 total;

	if ((version != 4 && version != 6) || (ethertype == 0x0800 && version != 4) ||
	    (ethertype == 0x86dd && version != 6))
		return "of another version";
	if (captured < (version == 4 ? 20 : 40))
		return "cut";
	total = version == 4 ? be16_at(ip + 2) : 40U + be16_at(ip + 4);
	if (version == 4 && ((ip[0] & 15) < 5 || total < (ip[0] & 15U) * 4))
		return "shorter than its header";
	if (version == 6 && total == 40 && !ip[6])
		return "a jumbogram of a size that jumbograms do not have";
	return total > length ? "longer than the frame" : NULL;
}

/* Bytes that are for the IP packet at @offset: a PPPoE header in front of it says how many. */
static u32 room(const struct capture_packet *p, u32 offset)
{
	const u8 *ip = p->data + offset;
	const u32 length = (p->length < p->captured ? p->captured : p->length) - offset;
	u32 said;

	if (offset < 22 || be16_at(ip - 10) != 0x8864)
		return length;
	said = be16_at(ip - 4) - 2U;
	return said < length ? said : length;
}

/* What a refused packet says of itself, for the reference counts it so. */
static void read_claims(const u8 *ip, u32 captured, struct weir_key *key, struct captured_sum *s)
{
	const bool v6 = ip[0] >> 4 == 6;
	const u32 header = v6 ? 40 : (ip[0] & 15U) * 4;
	const u16 fragment = v6 ? 0 : be16_at(ip + 6) & 0x3fff;
	const bool l4 = header >= 20 && captured >= header + 4 && !(fragment & 0x1fff);

	memset(key, 0, sizeof(*key));
	memset(key->src_addr + 10, 0xff, 2);
	memset(key->dst_addr + 10, 0xff, 2);
	memcpy(v6 ? key->src_addr : key->src_addr + 12, v6 ? ip + 8 : ip + 12, v6 ? 16 : 4);
	memcpy(v6 ? key->dst_addr : key->dst_addr + 12, v6 ? ip + 24 : ip + 16, v6 ? 16 : 4);
	key->protocol = v6 ? ip[6] : ip[9];
	s->packets = 1;
	s->bytes = v6 ? 40U + be16_at(ip + 4) : be16_at(ip + 2);
	s->fragments = fragment != 0;
	if (l4 && key->protocol == 1) {
		memcpy(&key->dst_port, ip + header, 2);
	} else if (l4 && (key->protocol == 6 || key->protocol == 17)) {
		memcpy(&key->src_port, ip + header, 2);
		memcpy(&key->dst_port, ip + header + 2, 2);
	}
	if (l4 && key->protocol == 6 && captured >= header + 14)
		s->tcp_flags = ip[header + 13];
}

static void refuse(struct captured *c, struct captured_sum *sums, const struct capture_packet *p,
		   u32 at)
{
	const u8 *ip = p->data + at;
	const u32 captured = p->captured - at;
	struct captured_sum s = {.first = p->time, .last = p->time};
	struct weir_key key;
	int row;

	if (captured < 20 || (ip[0] >> 4 != 4 && (ip[0] >> 4 != 6 || captured < 40)))
		return;
	read_claims(ip, captured, &key, &s);
	row = find_row(c, &key);
	if (row != NO_ROW)
		captured_sum_add(&sums[row], &s);
}

static u32 number_of(struct captured *c, struct weir_key *key)
{
	u32 i;

	for (i = 0; i < c->nkeys; i++) {
		key->in_ifindex = i + 1;
		if (!memcmp(&c->keys[i], key, sizeof(*key)))
			return i;
	}
	key->in_ifindex = ++c->nkeys;
	c->keys[i] = *key;
	c->rows[i] = find_row(c, key);
	return i;
}

static void dissect(struct captured *c, struct captured_sum *refused, size_t at)
{
	const struct capture_packet *p = &c->capture.packets[at];
	struct captured_event *e = &c->events[c->nevents];
	struct weir_frame f = {0};
	enum weir_dissected result;
	const char *wrong;
	u16 ethertype;
	u32 offset;

	if (!capture_network(p, &ethertype, &offset))
		return;
	f.linear = p->data + offset;
	f.linear_len = p->captured - offset;
	f.len = (p->length < p->captured ? p->captured : p->length) - offset;
	result = weir_dissect_frame(&f, ethertype, 0, &e->p);
	if (result == WEIR_DISSECTED_NOT_IP)
		return;
	offset += e->p.ip_offset;
	wrong = contradiction(p->data + offset, p->captured - offset, room(p, offset),
			      e->p.ip_offset ? 0 : ethertype);
	if (!wrong != (result == WEIR_DISSECTED_OK))
		captured_differ(c, "packet %zu: dissected with result %u, but it is %s", at + 1,
				result, wrong ?: "good");
	if (result != WEIR_DISSECTED_OK) {
		refuse(c, refused, p, offset);
		return;
	}
	e->time = p->time;
	e->at = at;
	e->p.key.where |= WEIR_OBSERVED_PRE_ROUTING << WEIR_WHERE_OBSERVED_SHIFT;
	e->row = find_row(c, &e->p.key);
	if (e->row == NO_ROW)
		captured_differ(c, "packet %zu: a flow that the reference does not have", at + 1);
	else
		c->nevents++;
}

static int compare_times(const void *a, const void *b)
{
	const struct captured_event *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/*
 * A clock does not go back, so the cache gets packets in the order of their times. What 64
 * bits do not hold is made shorter: to the cache 100 days of silence are as good as 500 years.
 */
static void sort_events(struct captured *c)
{
	u64 now = DAY;

	qsort(c->events, c->nevents, sizeof(*c->events), compare_times);
	for (size_t i = 0; i < c->nevents; i++) {
		if (i) {
			const capture_ns gap = c->events[i].time - c->events[i - 1].time;

			now += gap < 100 * DAY ? (u64)gap : 100 * DAY;
		}
		c->events[i].now = now;
	}
}

static void sum_event(struct captured_sum *sums, const struct captured_event *e, int row)
{
	const struct captured_sum what = {
		.packets = 1,
		.bytes = e->p.bytes,
		.fragments = !!(e->p.flags & WEIR_FLOW_FRAGMENTS),
		.first = e->time,
		.last = e->time,
		.tcp_flags = (u8)e->p.tcp_flags, /* the reference has eight */
	};

	captured_sum_add(&sums[row], &what);
}

static bool is_same_datagram(const struct captured_event *a, const struct captured_event *b)
{
	const struct weir_key *x = &a->p.key, *y = &b->p.key;
	const u16 where = WEIR_WHERE_LATER_FRAGMENT;

	return b->p.flags & WEIR_FLOW_FRAGMENTS && a->p.fragment_id == b->p.fragment_id &&
	       !memcmp(x->src_addr, y->src_addr, 16) && !memcmp(x->dst_addr, y->dst_addr, 16) &&
	       x->vlan_id == y->vlan_id && x->inner_vlan_id == y->inner_vlan_id &&
	       (x->where | where) == (y->where | where) &&
	       (x->where & WEIR_WHERE_IPV6 || x->protocol == y->protocol);
}

/*
 * The first fragment of the later one @at: the latest before it, unless for a second nothing
 * came of the datagram.
 */
static int find_first(const struct captured *c, size_t at)
{
	u32 tick = weir_ticks(c->events[at].now);

	for (size_t i = at; i-- > 0;) {
		const struct captured_event *e = &c->events[i];

		if (!is_same_datagram(&c->events[at], e))
			continue;
		if (tick - weir_ticks(e->now) > FRAGMENT_TICKS)
			break;
		if (!(e->p.key.where & WEIR_WHERE_LATER_FRAGMENT))
			return e->row;
		tick = weir_ticks(e->now);
	}
	return NO_ROW;
}

/* What records are to be, by the row: before anything of an event is changed. */
static void expect(struct captured *c)
{
	for (size_t i = 0; i < c->nevents; i++) {
		const struct captured_event *e = &c->events[i];
		int row = NO_ROW;

		if (e->p.key.where & WEIR_WHERE_LATER_FRAGMENT) {
			row = find_first(c, i);
			c->later++;
			c->moved += row != NO_ROW;
		}
		sum_event(c->expected, e, row == NO_ROW ? e->row : row);
	}
}

static bool find_ports(struct captured *c)
{
	struct weir_meter meter = {.hash_key.key[0] = 1};
	struct weir_cpu cpu = {.meter = &meter};

	if (weir_fragments_init(&cpu, 0))
		return false;
	for (size_t i = 0; i < c->nevents; i++) {
		struct captured_event *e = &c->events[i];

		if (e->p.flags & WEIR_FLOW_FRAGMENTS)
			weir_fragments_ports(&cpu, &e->p, e->now);
		e->key = number_of(c, &e->p.key);
		if (c->rows[e->key] == NO_ROW)
			captured_differ(c, "packet %zu: given ports that nobody has", e->at + 1);
	}
	weir_fragments_destroy(&cpu);
	return true;
}

static bool read_files(struct captured *c, const char *folder, const char *corrections,
		       const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/pcap/%s", folder, name);
	return capture_read(path, &c->capture) && capture_table_read(folder, name, &c->table) &&
	       capture_table_correct(corrections, name, &c->table);
}

static void check_reference(struct captured *c, const struct captured_sum *refused);

bool captured_open(struct captured *c, const char *folder, const char *corrections,
		   const char *name)
{
	struct captured_sum *refused = NULL;
	bool done = false;

	memset(c, 0, sizeof(*c));
	c->name = name;
	if (!read_files(c, folder, corrections, name))
		goto out;
	c->events = calloc(c->capture.n + 1, sizeof(*c->events));
	c->keys = calloc(c->capture.n + 1, sizeof(*c->keys));
	c->rows = calloc(c->capture.n + 1, sizeof(*c->rows));
	c->expected = calloc(c->table.n + 1, sizeof(*c->expected));
	refused = calloc(c->table.n + 1, sizeof(*refused));
	if (!c->events || !c->keys || !c->rows || !c->expected || !refused)
		goto out;
	for (size_t i = 0; i < c->capture.n; i++)
		dissect(c, refused, i);
	sort_events(c);
	check_reference(c, refused);
	expect(c);
	done = find_ports(c);
out:
	free(refused);
	if (!done)
		captured_close(c);
	return done;
}

void captured_close(struct captured *c)
{
	capture_free(&c->capture);
	capture_table_free(&c->table);
	free(c->events);
	free(c->keys);
	free(c->rows);
	free(c->expected);
}

capture_ns captured_time(struct captured *c, u64 now)
{
	size_t low = 0, high = c->nevents;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (c->events[middle].now < now)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < c->nevents && c->events[low].now == now)
		return c->events[low].time;
	captured_differ(c, "a record has a time that no packet has");
	return 0;
}

static void differ_row(struct captured *c, int row, const struct captured_sum *have,
		       const struct captured_sum *want, const char *what)
{
	const struct capture_flow *f = &c->table.flows[row];
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, f->src, src, sizeof(src));
	inet_ntop(AF_INET6, f->dst, dst, sizeof(dst));
	captured_differ(c,
			"protocol %u %s %u > %s %u%s: %llu packets, %llu bytes, flags 0x%x, %llu "
			"fragments, not %llu, %llu, 0x%x, %llu",
			f->protocol, src, f->src_port, dst, f->dst_port, what, have->packets,
			have->bytes, have->tcp_flags, have->fragments, want->packets, want->bytes,
			want->tcp_flags, want->fragments);
}

static void compare_row(struct captured *c, int row, const struct captured_sum *have,
			const struct captured_sum *want)
{
	if (have->packets != want->packets || have->bytes != want->bytes ||
	    have->tcp_flags != want->tcp_flags || have->fragments != want->fragments)
		differ_row(c, row, have, want, "");
	else if (want->packets && (have->first != want->first || have->last != want->last))
		differ_row(c, row, have, want, ", other times");
}

/* The packets as they were dissected, and those that were refused, are the reference. */
static void check_reference(struct captured *c, const struct captured_sum *refused)
{
	struct captured_sum *sums = calloc(c->table.n + 1, sizeof(*sums));

	if (!sums)
		abort();
	for (size_t i = 0; i < c->nevents; i++)
		sum_event(sums, &c->events[i], c->events[i].row);
	for (size_t i = 0; i < c->table.n; i++) {
		const struct capture_flow *f = &c->table.flows[i];
		const struct captured_sum want = {
			.packets = f->packets,
			.bytes = f->bytes,
			.fragments = f->fragments,
			.first = f->first,
			.last = f->last,
			.tcp_flags = f->tcp_flags,
		};

		captured_sum_add(&sums[i], &refused[i]);
		compare_row(c, (int)i, &sums[i], &want);
		if (refused[i].packets > f->bad)
			differ_row(c, (int)i, &refused[i], &want, ", refused more than are bad");
	}
	free(sums);
}

void captured_compare(struct captured *c, const struct captured_sum *sums)
{
	for (size_t i = 0; i < c->table.n; i++)
		compare_row(c, (int)i, &sums[i], &c->expected[i]);
}
