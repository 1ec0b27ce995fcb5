// SPDX-License-Identifier: GPL-2.0
/*
 * rollup.c - minutes from segments, hours from minutes, days from hours.
 *
 * Each level takes in what the one below it has, in order and once: what it has taken in and the entry
 * made of it are written in one transaction (daemon/store/rollup.h). An entry is made when
 * something of the next minute (hour, day) is there, so it is whole. Which one something
 * is of is told by its start.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/common/log.h"
#include "daemon/node/merge.h"
#include "daemon/node/rollup.h"
#include "daemon/wire/frame.h"

static uint64_t span_of(enum weir_rollup_level level, uint64_t start_ns)
{
	return start_ns / weir_rollup_ns[level];
}

static int put(struct weir_node *node, enum weir_rollup_level level, struct weir_merge *merge)
{
	size_t body_bytes;
	void *body;
	int ret = weir_merge_encode(merge, node->config.rollup_top, &body, &body_bytes);

	if (ret)
		return ret;
	ret = weir_rollup_put(node->store, level, weir_merge_head(merge), body, body_bytes);
	free(body);
	return ret;
}

/* Of a level above minutes: entries @heads[0..@count) of the one below. One that is damaged leaves
 * a gap, which the sums show as skipped. */
static int join(struct weir_node *node, enum weir_rollup_level level,
		const struct weir_rollup_head *heads, size_t count)
{
	struct weir_merge *merge;
	int ret = weir_merge_new(-1, &merge);

	for (size_t i = 0; i < count && !ret; i++) {
		struct weir_rollup_head head;
		size_t body_bytes;
		void *body = NULL;

		ret = weir_rollup_get(node->store, level - 1, heads[i].last_segment, &head, &body,
				      &body_bytes);
		if (!ret)
			ret = weir_merge_add_rollup(merge, &head, body, body_bytes);
		free(body);
		if (ret == -EBADMSG)
			ret = 0;
	}
	if (!ret && weir_merge_head(merge)->last_segment)
		ret = put(node, level, merge);
	weir_merge_free(merge);
	return ret;
}

static int roll_entries(struct weir_node *node, enum weir_rollup_level level)
{
	struct weir_rollup_sums sums;
	struct weir_rollup_head *heads;
	size_t count, first = 0;
	int ret = weir_rollup_sums(node->store, level, &sums);

	if (!ret)
		ret = weir_rollup_heads(node->store, level - 1, sums.segment, &heads, &count);
	if (ret)
		return ret;
	for (size_t i = 1; i < count && !ret; i++) {
		if (span_of(level, heads[i].start_ns) == span_of(level, heads[first].start_ns))
			continue;
		ret = join(node, level, heads + first, i - first);
		first = i;
	}
	free(heads);
	return ret;
}

/* Where the interval of an encoded segment begins. */
static int start_of(const void *body, size_t body_bytes, uint64_t *start_ns)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);

	if (!segment)
		return -EBADMSG;
	*start_ns = segment->start_ns;
	weir__wire__segment__free_unpacked(segment, NULL);
	return 0;
}

/* The first segment from @from on that can be read; *@seq 0: none is there. */
static int next_segment(struct weir_node *node, uint64_t from, uint64_t *seq, void **body,
			size_t *body_bytes, uint64_t *start_ns)
{
	for (;; from = *seq + 1) {
		int ret = weir_store_next_segment(node->store, from, seq);

		*body = NULL;
		if (ret || !*seq)
			return ret;
		ret = weir_store_get_segment(node->store, *seq, body, body_bytes);
		if (!ret)
			ret = start_of(*body, *body_bytes, start_ns);
		if (!ret)
			return 0;
		free(*body);
		*body = NULL;
		/* Dropped this moment, or damaged: it is in the next one's running sum. */
		if (ret == -EBADMSG)
			weir_log_warn("segment %" PRIu64 " is damaged and left out of roll-ups", *seq);
		if (ret != -ENOENT && ret != -EBADMSG)
			return ret;
	}
}

/* Take in segments from @from on, up to the first one of another minute, whose number is *@next
 * then. 0: there is none, so the minute is not over. */
static int gather(struct weir_node *node, uint64_t from, struct weir_merge *merge, uint64_t *next)
{
	uint64_t minute = 0;
	bool first = true;

	for (;; first = false) {
		uint64_t start_ns = 0;
		size_t body_bytes;
		void *body;
		int ret = next_segment(node, from, next, &body, &body_bytes, &start_ns);

		if (ret || !*next)
			return ret;
		if (first)
			minute = span_of(WEIR_ROLLUP_MINUTE, start_ns);
		if (span_of(WEIR_ROLLUP_MINUTE, start_ns) != minute) {
			free(body);
			return 0;
		}
		ret = weir_merge_add_segment(merge, body, body_bytes);
		free(body);
		if (ret)
			return ret;
		from = *next + 1;
	}
}

/* One minute. *@more: it was over, so there may be another. */
static int roll_minute(struct weir_node *node, uint64_t from, uint64_t *next)
{
	struct weir_merge *merge;
	int ret = weir_merge_new(-1, &merge);

	if (ret)
		return ret;
	ret = gather(node, from, merge, next);
	if (!ret && *next)
		ret = put(node, WEIR_ROLLUP_MINUTE, merge);
	weir_merge_free(merge);
	return ret;
}

/* The minute of the first segment that is not in a roll-up goes on, as far as is known: the newest
 * one is of the same. */
static bool goes_on(struct weir_node *node, uint64_t from, int *ret)
{
	struct weir_store_summed summed;
	uint64_t seq, start_ns;
	size_t body_bytes;
	void *body;

	*ret = weir_store_summed(node->store, &summed);
	if (*ret || summed.seq < from)
		return true;
	*ret = next_segment(node, from, &seq, &body, &body_bytes, &start_ns);
	free(body);
	return *ret || !seq ||
	       span_of(WEIR_ROLLUP_MINUTE, start_ns) == span_of(WEIR_ROLLUP_MINUTE, summed.start_ns);
}

static int roll_segments(struct weir_node *node)
{
	struct weir_rollup_sums sums;
	uint64_t next;
	int ret = weir_rollup_sums(node->store, WEIR_ROLLUP_MINUTE, &sums);

	next = sums.segment + 1;
	while (!ret && next && !atomic_load(&node->stopping) && !goes_on(node, next, &ret))
		ret = roll_minute(node, next, &next);
	return ret;
}

int weir_rollup_run(struct weir_node *node)
{
	int ret;

	if (!weir_rollup_is_open(node->store))
		return 0;
	ret = roll_segments(node);
	for (int level = WEIR_ROLLUP_HOUR; level < WEIR_ROLLUP_LEVELS && !ret; level++)
		ret = roll_entries(node, (enum weir_rollup_level)level);
	return ret;
}
