// SPDX-License-Identifier: GPL-2.0
/*
 * summary.c - sums of an interval, at the rate of ingest.
 *
 * A record counts in seven groups, in tables too large for the cache. Records are
 * taken a row at a time, each step for the whole row: find what a step needs, ask for it,
 * go on with the next record; when the step after comes to it, it is there. Pairs are
 * keyed by the numbers of their hosts, so their keys are one word.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/segment.h"
#include "daemon/query/fields.h"

enum {
	ROW = 64, /* records in a step: what they ask for fits the first-level cache */
	HOST_WORDS = 3,
	AHEAD = 24, /* records asked for before they are read; past the last one, nothing happens */
};

int weir_summary_new(size_t max_groups, struct weir_summary **summary)
{
	struct weir_summary *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	ret = max_groups > UINT32_MAX ? -EINVAL : 0;
	if (!ret)
		ret = weir_groups_new(HOST_WORDS, (uint32_t)max_groups, &new->host);
	if (!ret)
		ret = weir_groups_new(1, (uint32_t)max_groups, &new->pair);
	if (!ret)
		ret = weir_groups_new(1, (uint32_t)max_groups, &new->service);
	if (!ret)
		ret = weir_groups_new(1, (uint32_t)max_groups, &new->in);
	if (!ret)
		ret = weir_groups_new(1, (uint32_t)max_groups, &new->out);
	if (ret) {
		weir_summary_free(new);
		return ret;
	}
	*summary = new;
	return 0;
}

void weir_summary_free(struct weir_summary *summary)
{
	if (!summary)
		return;
	weir_groups_free(&summary->host);
	weir_groups_free(&summary->pair);
	weir_groups_free(&summary->service);
	weir_groups_free(&summary->in);
	weir_groups_free(&summary->out);
	free(summary);
}

static size_t room(const struct weir_groups *groups)
{
	return groups->max - groups->count;
}

bool weir_summary_fits(const struct weir_summary *summary, size_t count)
{
	return room(&summary->host) >= 2 * count && room(&summary->pair) >= count &&
	       room(&summary->service) >= count && room(&summary->in) >= count &&
	       room(&summary->out) >= count;
}

/* What the steps for one row hand on to each other. */
struct row {
	uint64_t host_key[2 * ROW][HOST_WORDS]; /* source, destination, source, ... */
	uint64_t host_hash[2 * ROW];
	uint64_t service_key[ROW], service_hash[ROW];
	uint64_t pair_key[ROW], pair_hash[ROW];
};

static void hash_ends(struct weir_summary *summary, const struct weir_flow *flows, size_t count,
		      struct row *row)
{
	for (size_t i = 0; i < count; i++) {
		const struct weir_flow *flow = &flows[i];
		uint64_t *src = row->host_key[2 * i], *dst = row->host_key[2 * i + 1];

		__builtin_prefetch(flow + AHEAD);
		__builtin_prefetch((const uint8_t *)(flow + AHEAD) + 64);
		memcpy(src, flow->src_addr, 16);
		memcpy(dst, flow->dst_addr, 16);
		src[2] = dst[2] = flow->ip_version;
		row->host_hash[2 * i] = weir_groups_hash(&summary->host, src, HOST_WORDS);
		row->host_hash[2 * i + 1] = weir_groups_hash(&summary->host, dst, HOST_WORDS);
		weir_groups_want_slot(&summary->host, row->host_hash[2 * i]);
		weir_groups_want_slot(&summary->host, row->host_hash[2 * i + 1]);
		row->service_key[i] =
			(uint64_t)flow->protocol << 16 | weir_fields_service_port(flow);
		row->service_hash[i] = weir_groups_hash(&summary->service, &row->service_key[i], 1);
		weir_groups_want_slot(&summary->service, row->service_hash[i]);
	}
	for (size_t i = 0; i < count; i++) {
		weir_groups_want_group(&summary->host, row->host_hash[2 * i]);
		weir_groups_want_group(&summary->host, row->host_hash[2 * i + 1]);
		weir_groups_want_group(&summary->service, row->service_hash[i]);
	}
}

static int add_hosts(struct weir_summary *summary, const struct weir_flow *flows, size_t count,
		     struct row *row)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t src, dst;

		src = weir_groups_find(&summary->host, row->host_key[2 * i], HOST_WORDS,
				       row->host_hash[2 * i]);
		dst = weir_groups_find(&summary->host, row->host_key[2 * i + 1], HOST_WORDS,
				       row->host_hash[2 * i + 1]);
		if (!src || !dst)
			return -ENOMEM;
		weir_flow_count(&weir_groups_at(&summary->host, src)->totals, &flows[i]);
		if (src != dst) /* a flow counts once for a host, whichever end it is */
			weir_flow_count(&weir_groups_at(&summary->host, dst)->totals, &flows[i]);
		row->pair_key[i] = (uint64_t)src << 32 | dst;
		row->pair_hash[i] = weir_groups_hash(&summary->pair, &row->pair_key[i], 1);
		weir_groups_want_slot(&summary->pair, row->pair_hash[i]);
	}
	for (size_t i = 0; i < count; i++)
		weir_groups_want_group(&summary->pair, row->pair_hash[i]);
	return 0;
}

static bool add_to(struct weir_groups *groups, uint64_t key, uint64_t hash,
		   const struct weir_flow *flow)
{
	uint32_t number = weir_groups_find(groups, &key, 1, hash);

	if (number)
		weir_flow_count(&weir_groups_at(groups, number)->totals, flow);
	return number;
}

static int add_rest(struct weir_summary *summary, const struct weir_flow *flows, size_t count,
		    const struct row *row)
{
	bool added = true;

	for (size_t i = 0; i < count; i++) {
		const struct weir_flow *flow = &flows[i];
		uint64_t in = flow->in_ifindex, out = flow->out_ifindex;

		added &= add_to(&summary->service, row->service_key[i], row->service_hash[i], flow);
		added &= add_to(&summary->in, in, weir_groups_hash(&summary->in, &in, 1), flow);
		added &= add_to(&summary->out, out, weir_groups_hash(&summary->out, &out, 1), flow);
		added &= add_to(&summary->pair, row->pair_key[i], row->pair_hash[i], flow);
		weir_flow_count(&summary->totals, flow);
	}
	return added ? 0 : -ENOMEM;
}

int weir_summary_add(struct weir_summary *summary, uint64_t block, const struct weir_flow *flows,
		     size_t count)
{
	struct row row;
	int ret = 0;

	for (size_t at = 0; at < count && !ret; at += ROW) {
		size_t some = count - at < ROW ? count - at : ROW;

		hash_ends(summary, flows + at, some, &row);
		ret = add_hosts(summary, flows + at, some, &row);
		if (!ret)
			ret = add_rest(summary, flows + at, some, &row);
	}
	if (block)
		summary->last_block = block;
	return ret;
}

const struct weir_totals *weir_summary_totals(const struct weir_summary *summary)
{
	return &summary->totals;
}

void weir_summary_clear(struct weir_summary *summary)
{
	weir_groups_clear(&summary->host);
	weir_groups_clear(&summary->pair);
	weir_groups_clear(&summary->service);
	weir_groups_clear(&summary->in);
	weir_groups_clear(&summary->out);
	memset(&summary->totals, 0, sizeof(summary->totals));
	summary->last_block = 0;
}
