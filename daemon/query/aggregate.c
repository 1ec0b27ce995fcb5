// SPDX-License-Identifier: GPL-2.0
/*
 * aggregate.c - sums by key.
 *
 * Groups lie densely in arrays (hash, totals, key), in the order they appeared;
 * an index of twice as many slots points into them by linear probing. Growing
 * moves the arrays and rebuilds the index from the hashes kept, without
 * reading a key. Keys are what strangers put into packets, so the hash is
 * SipHash (1-3) with a random key.
 */
#include "daemon/query/largest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	FIRST_GROUPS = 64,
	NOBODY = 0, /* empty slot; slots hold group number plus one */
};

struct weir_aggregate {
	unsigned key_bytes;
	size_t max_groups;
	size_t count, room; /* groups used and allocated */
	uint32_t *slots;    /* 2 * room, a power of two */
	uint64_t *hashes;
	struct weir_totals *totals;
	uint8_t *keys;
	uint64_t seed[2];
};

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint64_t hash_key(const struct weir_aggregate *a, const uint8_t *key)
{
	uint64_t v[4] = {a->seed[0] ^ 0x736f6d6570736575ULL, a->seed[1] ^ 0x646f72616e646f6dULL,
			 a->seed[0] ^ 0x6c7967656e657261ULL, a->seed[1] ^ 0x7465646279746573ULL};
	unsigned left = a->key_bytes;
	uint64_t word;

	for (; left >= sizeof(word); left -= sizeof(word), key += sizeof(word)) {
		memcpy(&word, key, sizeof(word));
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	word = 0;
	memcpy(&word, key, left);
	word |= (uint64_t)a->key_bytes << 56;
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static const uint8_t *key_of(const struct weir_aggregate *a, size_t group)
{
	return a->keys + group * a->key_bytes;
}

/* The slot of @key, or the empty one where it belongs. There always is one: half of them are empty.
 */
static size_t find_slot(const struct weir_aggregate *a, const uint8_t *key, uint64_t hash)
{
	size_t mask = 2 * a->room - 1;
	size_t slot = hash & mask;

	for (;; slot = (slot + 1) & mask) {
		size_t group = a->slots[slot];

		if (group == NOBODY)
			return slot;
		group--;
		if (a->hashes[group] == hash && !memcmp(key_of(a, group), key, a->key_bytes))
			return slot;
	}
}

static void rebuild_index(struct weir_aggregate *a)
{
	size_t mask = 2 * a->room - 1;

	memset(a->slots, 0, 2 * a->room * sizeof(*a->slots));
	for (size_t group = 0; group < a->count; group++) {
		size_t slot = a->hashes[group] & mask;

		while (a->slots[slot] != NOBODY)
			slot = (slot + 1) & mask;
		a->slots[slot] = (uint32_t)(group + 1);
	}
}

/* Each array is replaced as soon as it has grown, so a failure midway leaves all of them at least
 * as large as ->room says. */
static int grow(struct weir_aggregate *a, size_t room)
{
	uint32_t *slots;
	void *p;

	p = realloc(a->hashes, room * sizeof(*a->hashes));
	if (!p)
		return -ENOMEM;
	a->hashes = p;
	p = realloc(a->totals, room * sizeof(*a->totals));
	if (!p)
		return -ENOMEM;
	a->totals = p;
	p = realloc(a->keys, room * a->key_bytes);
	if (!p)
		return -ENOMEM;
	a->keys = p;
	slots = malloc(2 * room * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(a->slots);
	a->slots = slots;
	a->room = room;
	rebuild_index(a);
	return 0;
}

int weir_aggregate_new(unsigned key_bytes, size_t max_groups, struct weir_aggregate **aggregate)
{
	struct weir_aggregate *a;

	if (!key_bytes || key_bytes > 255 || !max_groups || max_groups >= UINT32_MAX)
		return -EINVAL;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->key_bytes = key_bytes;
	a->max_groups = max_groups;
	if (getrandom(a->seed, sizeof(a->seed), 0) != sizeof(a->seed)) {
		free(a);
		return -EIO;
	}
	if (grow(a, FIRST_GROUPS)) {
		weir_aggregate_free(a);
		return -ENOMEM;
	}
	*aggregate = a;
	return 0;
}

void weir_aggregate_free(struct weir_aggregate *aggregate)
{
	if (!aggregate)
		return;
	free(aggregate->slots);
	free(aggregate->hashes);
	free(aggregate->totals);
	free(aggregate->keys);
	free(aggregate);
}

void weir_aggregate_clear(struct weir_aggregate *aggregate)
{
	aggregate->count = 0;
	memset(aggregate->slots, 0, 2 * aggregate->room * sizeof(*aggregate->slots));
}

size_t weir_aggregate_groups(const struct weir_aggregate *aggregate)
{
	return aggregate->count;
}

int weir_aggregate_add(struct weir_aggregate *aggregate, const uint8_t *key,
		       const struct weir_totals *totals)
{
	struct weir_aggregate *a = aggregate;
	uint64_t hash = hash_key(a, key);
	size_t slot = find_slot(a, key, hash);

	if (a->slots[slot] != NOBODY) {
		weir_totals_add(&a->totals[a->slots[slot] - 1], totals);
		return 0;
	}
	if (a->count == a->max_groups)
		return -E2BIG;
	if (a->count == a->room) {
		int ret = grow(a, 2 * a->room);

		if (ret)
			return ret;
		slot = find_slot(a, key, hash);
	}
	a->hashes[a->count] = hash;
	a->totals[a->count] = *totals;
	memcpy(a->keys + a->count * a->key_bytes, key, a->key_bytes);
	a->slots[slot] = (uint32_t)++a->count;
	return 0;
}

const struct weir_totals *weir_aggregate_get(const struct weir_aggregate *aggregate,
					     const uint8_t *key)
{
	size_t slot = find_slot(aggregate, key, hash_key(aggregate, key));

	if (aggregate->slots[slot] == NOBODY)
		return NULL;
	return &aggregate->totals[aggregate->slots[slot] - 1];
}

/* What picking the largest needs to compare two groups. */
struct ranking {
	const struct weir_aggregate *aggregate;
	enum weir_order order;
};

static uint64_t rank_value(const struct ranking *r, uint32_t group)
{
	const struct weir_totals *t = &r->aggregate->totals[group];

	switch (r->order) {
	case WEIR_BY_PACKETS:
		return t->packets;
	case WEIR_BY_FLOWS:
		return t->flows;
	default:
		return t->bytes;
	}
}

static int rank(const void *ranking, uint32_t x, uint32_t y)
{
	const struct ranking *r = ranking;
	uint64_t a = rank_value(r, x), b = rank_value(r, y);

	if (a != b)
		return a > b ? -1 : 1;
	return memcmp(key_of(r->aggregate, x), key_of(r->aggregate, y), r->aggregate->key_bytes);
}

static const struct weir_totals *totals_of(const void *ranking, uint32_t group)
{
	return &((const struct ranking *)ranking)->aggregate->totals[group];
}

int weir_aggregate_top(const struct weir_aggregate *aggregate, enum weir_order order, size_t limit,
		       struct weir_group **groups, size_t *count, struct weir_rest *rest)
{
	const struct ranking r = {.aggregate = aggregate, .order = order};
	const struct weir_largest of = {&r, rank, totals_of, (uint32_t)aggregate->count};
	struct weir_rest ignored;
	struct weir_group *list;
	uint32_t *picked;

	if (!rest)
		rest = &ignored;
	memset(rest, 0, sizeof(*rest));
	if (limit == 0 || limit > aggregate->count)
		limit = aggregate->count;
	list = malloc((limit + 1) * sizeof(*list)); /* + 1: not NULL for an empty answer */
	picked = malloc((limit + 1) * sizeof(*picked));
	if (!list || !picked) {
		free(list);
		free(picked);
		return -ENOMEM;
	}
	weir_largest_pick(&of, picked, (uint32_t)limit, rest);
	for (size_t i = 0; i < limit; i++) {
		list[i].key = key_of(aggregate, picked[i]);
		list[i].totals = aggregate->totals[picked[i]];
	}
	free(picked);
	*groups = list;
	*count = limit;
	return 0;
}
