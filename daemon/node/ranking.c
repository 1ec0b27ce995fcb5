// SPDX-License-Identifier: GPL-2.0
/* ranking.c - the largest groups of each dimension of a summary, and the exact rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/segment.h"
#include "daemon/query/largest.h"

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
static int rank(const void *context, uint32_t x, uint32_t y)
{
	const struct list *list = context;
	uint64_t a = list->totals(list->context, x)->bytes,
		 b = list->totals(list->context, y)->bytes;
	uint8_t keys[2][WEIR_SUMMARY_KEY_MAX];

	if (a != b)
		return a > b ? -1 : 1;
	list->key(list->context, x, keys[0]);
	list->key(list->context, y, keys[1]);
	return memcmp(keys[0], keys[1], list->key_bytes);
}

static const struct weir_totals *totals_of(const void *context, uint32_t i)
{
	const struct list *list = context;

	return list->totals(list->context, i);
}

static int take_top(const struct list *list, uint64_t limit, struct weir_summary_row **rows,
		    size_t *count, struct weir_rest *rest)
{
	const struct weir_largest of = {list, rank, totals_of, list->count};
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
	weir_largest_pick(&of, picked, (uint32_t)limit, rest);
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
