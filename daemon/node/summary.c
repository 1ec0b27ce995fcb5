// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/segment.h"
#include "daemon/query/aggregate.h"
#include "daemon/query/fields.h"

/* A change here changes what masters can be asked; they merge by these words. */
static const char *const dimension_words[WEIR_SUMMARY_DIMENSIONS] = {"host", "src,dst", "service",
								     "proto"};

static int add_dimension(struct weir_summary *summary, unsigned i)
{
	struct weir_summary_dimension *dimension = &summary->dimension[i];
	int ret = weir_fields_parse(dimension_words[i], &dimension->fields, NULL);

	dimension->words = dimension_words[i];
	if (!ret)
		ret = weir_aggregate_new(dimension->fields.key_bytes, summary->max_groups,
					 &dimension->groups);
	return ret;
}

int weir_summary_new(size_t max_groups, struct weir_summary **summary)
{
	struct weir_summary *new = calloc(1, sizeof(*new));
	int ret = 0;

	if (!new)
		return -ENOMEM;
	new->max_groups = max_groups;
	for (unsigned i = 0; i < WEIR_SUMMARY_DIMENSIONS && !ret; i++)
		ret = add_dimension(new, i);
	if (!ret)
		ret = weir_aggregate_new(sizeof(uint32_t), max_groups, &new->in);
	if (!ret)
		ret = weir_aggregate_new(sizeof(uint32_t), max_groups, &new->out);
	if (ret) {
		weir_summary_free(new);
		return ret;
	}
	*summary = new;
	return 0;
}

static void free_groups(struct weir_aggregate *groups)
{
	if (groups)
		weir_aggregate_free(groups);
}

void weir_summary_free(struct weir_summary *summary)
{
	if (!summary)
		return;
	for (unsigned i = 0; i < WEIR_SUMMARY_DIMENSIONS; i++)
		free_groups(summary->dimension[i].groups);
	free_groups(summary->in);
	free_groups(summary->out);
	free(summary);
}

static size_t room(const struct weir_summary *summary, const struct weir_aggregate *groups)
{
	return summary->max_groups - weir_aggregate_groups(groups);
}

bool weir_summary_fits(const struct weir_summary *summary, size_t count)
{
	for (unsigned i = 0; i < WEIR_SUMMARY_DIMENSIONS; i++) {
		const struct weir_summary_dimension *dimension = &summary->dimension[i];

		if (room(summary, dimension->groups) <
		    (dimension->fields.has_host ? 2 * count : count))
			return false;
	}
	return room(summary, summary->in) >= count && room(summary, summary->out) >= count;
}

static int add_interface(struct weir_aggregate *groups, uint32_t index,
			 const struct weir_totals *totals)
{
	uint32_t key = htonl(index);

	return weir_aggregate_add(groups, (const uint8_t *)&key, totals);
}

static int add_flow(struct weir_summary *summary, const struct weir_flow *flow)
{
	struct weir_totals one = {1, flow->packets, flow->bytes};
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	int ret = 0;

	for (unsigned i = 0; i < WEIR_SUMMARY_DIMENSIONS && !ret; i++) {
		struct weir_summary_dimension *dimension = &summary->dimension[i];
		unsigned count = weir_fields_keys(&dimension->fields, flow, keys);

		for (unsigned k = 0; k < count && !ret; k++)
			ret = weir_aggregate_add(dimension->groups, keys[k], &one);
	}
	if (!ret)
		ret = add_interface(summary->in, flow->in_ifindex, &one);
	if (!ret)
		ret = add_interface(summary->out, flow->out_ifindex, &one);
	weir_totals_add(&summary->totals, &one);
	return ret;
}

int weir_summary_add(struct weir_summary *summary, uint64_t block, const struct weir_flow *flows,
		     size_t count)
{
	int ret = 0;

	for (size_t i = 0; i < count && !ret; i++)
		ret = add_flow(summary, &flows[i]);
	summary->last_block = block;
	return ret;
}

const struct weir_totals *weir_summary_totals(const struct weir_summary *summary)
{
	return &summary->totals;
}

void weir_summary_clear(struct weir_summary *summary)
{
	for (unsigned i = 0; i < WEIR_SUMMARY_DIMENSIONS; i++)
		weir_aggregate_clear(summary->dimension[i].groups);
	weir_aggregate_clear(summary->in);
	weir_aggregate_clear(summary->out);
	memset(&summary->totals, 0, sizeof(summary->totals));
	summary->last_block = 0;
}
