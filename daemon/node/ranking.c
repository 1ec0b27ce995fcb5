// SPDX-License-Identifier: GPL-2.0
/* ranking.c - the largest groups of each dimension of a summary, and the exact rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/segment.h"

enum {
	PROTOCOLS = 256,
	ADDRESS_BYTES = 17,
};

/* A dimension as a list of groups; @context is what the functions need. */
struct list {
	const void *context;
	const struct weir_totals *(*totals)(const void *context, uint32_t i);
	void (*key)(const void *context, uint32_t i, uint8_t *key);
	uint32_t count;
	unsigned key_bytes;
};

static const struct {
	const char *words;
	unsigned key_bytes;
} dimensions[WEIR_SUMMARY_DIMENSIONS] = {
	[WEIR_SUMMARY_HOST] = {"host", ADDRESS_BYTES},
	[WEIR_SUMMARY_PAIR] = {"src,dst", 2 * ADDRESS_BYTES},
	[WEIR_SUMMARY_SERVICE] = {"service", 3},
	[WEIR_SUMMARY_PROTO] = {"proto", 1},
};

const char *weir_summary_words(enum weir_summary_dimension dimension)
{
	return dimensions[dimension].words;
}

unsigned weir_summary_key_bytes(enum weir_summary_dimension dimension)
{
	return dimensions[dimension].key_bytes;
}

static void put_host(const struct weir_summary *summary, uint32_t number, uint8_t *key)
{
	const struct weir_groups_entry *entry = weir_groups_at(&summary->host, number);

	key[0] = (uint8_t)entry->key[2];
	memcpy(key + 1, entry->key, 16);
}

static void host_key(const void *context, uint32_t i, uint8_t *key)
{
	put_host(context, i + 1, key);
}

static const struct weir_totals *host_totals(const void *context, uint32_t i)
{
	return &weir_groups_at(&((const struct weir_summary *)context)->host, i + 1)->totals;
}

static void pair_key(const void *context, uint32_t i, uint8_t *key)
{
	const struct weir_summary *summary = context;
	uint64_t ends = weir_groups_at(&summary->pair, i + 1)->key[0];

	put_host(summary, (uint32_t)(ends >> 32), key);
	put_host(summary, (uint32_t)ends, key + ADDRESS_BYTES);
}

static const struct weir_totals *pair_totals(const void *context, uint32_t i)
{
	return &weir_groups_at(&((const struct weir_summary *)context)->pair, i + 1)->totals;
}

static void service_key(const void *context, uint32_t i, uint8_t *key)
{
	uint64_t service =
		weir_groups_at(&((const struct weir_summary *)context)->service, i + 1)->key[0];

	key[0] = (uint8_t)(service >> 16);
	key[1] = (uint8_t)(service >> 8);
	key[2] = (uint8_t)service;
}

static const struct weir_totals *service_totals(const void *context, uint32_t i)
{
	return &weir_groups_at(&((const struct weir_summary *)context)->service, i + 1)->totals;
}

struct protocols {
	struct weir_totals totals[PROTOCOLS];
	uint8_t number[PROTOCOLS]; /* of those there are */
	uint32_t count;
};

static void sum_protocols(const struct weir_summary *summary, struct protocols *protocols)
{
	memset(protocols, 0, sizeof(*protocols));
	for (uint32_t i = 1; i <= summary->service.count; i++) {
		const struct weir_groups_entry *entry = weir_groups_at(&summary->service, i);

		weir_totals_add(&protocols->totals[(uint8_t)(entry->key[0] >> 16)], &entry->totals);
	}
	for (unsigned i = 0; i < PROTOCOLS; i++)
		if (protocols->totals[i].flows)
			protocols->number[protocols->count++] = (uint8_t)i;
}

static void protocol_key(const void *context, uint32_t i, uint8_t *key)
{
	*key = ((const struct protocols *)context)->number[i];
}

static const struct weir_totals *protocol_totals(const void *context, uint32_t i)
{
	const struct protocols *protocols = context;

	return &protocols->totals[protocols->number[i]];
}

/* Below 0: @x comes before @y. */
static int rank(const struct list *list, uint32_t x, uint32_t y)
{
	uint64_t a = list->totals(list->context, x)->bytes,
		 b = list->totals(list->context, y)->bytes;
	uint8_t keys[2][WEIR_SUMMARY_KEY_MAX];

	if (a != b)
		return a > b ? -1 : 1;
	list->key(list->context, x, keys[0]);
	list->key(list->context, y, keys[1]);
	return memcmp(keys[0], keys[1], list->key_bytes);
}

static int compare(const void *x, const void *y, void *list)
{
	return rank(list, *(const uint32_t *)x, *(const uint32_t *)y);
}

/* Restore the heap, the last in rank on top, below @at. */
static void sift_down(const struct list *list, uint32_t *heap, size_t count, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;
		uint32_t moved = heap[at];

		if (child >= count)
			return;
		if (child + 1 < count && rank(list, heap[child + 1], heap[child]) > 0)
			child++;
		if (rank(list, heap[child], moved) <= 0)
			return;
		heap[at] = heap[child];
		heap[child] = moved;
		at = child;
	}
}

static void leave_out(struct weir_rest *rest, const struct weir_totals *t)
{
	rest->groups++;
	weir_totals_add(&rest->totals, t);
	if (t->flows > rest->largest.flows)
		rest->largest.flows = t->flows;
	if (t->packets > rest->largest.packets)
		rest->largest.packets = t->packets;
	if (t->bytes > rest->largest.bytes)
		rest->largest.bytes = t->bytes;
}

static void pick(const struct list *list, uint32_t *picked, uint32_t limit, struct weir_rest *rest)
{
	for (uint32_t i = 0; i < limit; i++)
		picked[i] = i;
	if (limit < list->count)
		for (size_t i = limit / 2; i-- > 0;)
			sift_down(list, picked, limit, i);
	for (uint32_t i = limit; i < list->count; i++) {
		uint32_t loser = i;

		if (limit && rank(list, i, picked[0]) < 0) {
			loser = picked[0];
			picked[0] = i;
			sift_down(list, picked, limit, 0);
		}
		leave_out(rest, list->totals(list->context, loser));
	}
	qsort_r(picked, limit, sizeof(*picked), compare, (void *)list);
}

static int take_top(const struct list *list, uint64_t limit, struct weir_summary_row **rows,
		    size_t *count, struct weir_rest *rest)
{
	struct weir_summary_row *top;
	uint32_t *picked;

	if (limit > list->count)
		limit = list->count;
	memset(rest, 0, sizeof(*rest));
	top = calloc(limit + 1, sizeof(*top)); /* + 1: not NULL for an empty answer */
	picked = malloc((limit + 1) * sizeof(*picked));
	if (!top || !picked) {
		free(top);
		free(picked);
		return -ENOMEM;
	}
	pick(list, picked, (uint32_t)limit, rest);
	for (size_t i = 0; i < limit; i++) {
		top[i].totals = *list->totals(list->context, picked[i]);
		list->key(list->context, picked[i], top[i].key);
	}
	free(picked);
	*rows = top;
	*count = limit;
	return 0;
}

int weir_summary_top(const struct weir_summary *summary, enum weir_summary_dimension dimension,
		     uint64_t limit, struct weir_summary_row **rows, size_t *count,
		     struct weir_rest *rest)
{
	struct list list = {.context = summary, .key_bytes = dimensions[dimension].key_bytes};
	struct protocols protocols;

	switch (dimension) {
	case WEIR_SUMMARY_HOST:
		list.count = summary->host.count;
		list.totals = host_totals;
		list.key = host_key;
		break;
	case WEIR_SUMMARY_PAIR:
		list.count = summary->pair.count;
		list.totals = pair_totals;
		list.key = pair_key;
		break;
	case WEIR_SUMMARY_SERVICE:
		list.count = summary->service.count;
		list.totals = service_totals;
		list.key = service_key;
		break;
	default:
		sum_protocols(summary, &protocols);
		list.context = &protocols;
		list.count = protocols.count;
		list.totals = protocol_totals;
		list.key = protocol_key;
		break;
	}
	return take_top(&list, limit, rows, count, rest);
}
