// SPDX-License-Identifier: GPL-2.0
/*
 * answer_rollup.c - what is older than the records held: the horizon in every answer, and VERB_TOP
 * from roll-ups.
 *
 * Records and roll-ups meet at a block, not at a time: roll-ups stand for blocks up to B,
 * records are counted from block B + 1 on, so nothing is counted twice or left out. The price is
 * that roll-ups are whole: they may begin before and end after the time asked for, by up to what the
 * smallest ones held there cover, and an answer says from when to when they are.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/node/answer.h"
#include "daemon/node/cover.h"
#include "daemon/node/merge.h"
#include "daemon/node/position.h"
#include "daemon/query/measure.h"
#include "daemon/wire/convert.h"

enum {
	LINES_A_PART = 4096,
	MEASURES = 3, /* in the order of enum weir_order */
	/* Groups of records that are named; the others have a bound, as in a roll-up. */
	RECORD_GROUPS = 100000,
	TRIES = 5,
};

void weir_answer_note(struct weir_answer *answer, const char *format, ...)
{
	va_list args;

	if (answer->notes == WEIR_ANSWER_NOTES_MAX)
		return;
	va_start(args, format);
	vsnprintf(answer->note[answer->notes++], WEIR_ANSWER_NOTE_BYTES, format, args);
	va_end(args);
}

/* Where each level begins, for those who ask for more than there is. */
static void describe_levels(struct weir_store *store, uint64_t oldest_ns[WEIR_ROLLUP_LEVELS],
			    char *text, size_t bytes)
{
	size_t used = 0;

	*text = '\0';
	for (int i = 0; i < WEIR_ROLLUP_LEVELS; i++) {
		struct weir_rollup_head *heads;
		size_t count;
		char when[40];

		oldest_ns[i] = 0;
		if (weir_rollup_heads(store, (enum weir_rollup_level)i, 0, &heads, &count))
			continue;
		if (count && used < bytes) {
			oldest_ns[i] = heads[0].start_ns;
			used += (size_t)snprintf(text + used, bytes - used, "%s%ss from %s",
						 used ? ", " : "", weir_rollup_words[i],
						 weir_clock_text(heads[0].start_ns, when,
								 sizeof(when)));
		}
		free(heads);
	}
}

/* Records that came in the time asked for and were not stored. */
static void see_refused(struct weir_answer *answer)
{
	struct weir_store_position position;
	struct weir_totals refused;
	char first[40], last[40];
	uint64_t to_ns = answer->ask->to_ns ? answer->ask->to_ns : UINT64_MAX;

	if (answer->refused || weir_store_position(answer->node->store, &position))
		return;
	refused = weir_position_refused(&position);
	if (!refused.flows || position.refused_last_ns < answer->ask->from_ns ||
	    position.refused_first_ns >= to_ns)
		return;
	answer->refused = true;
	weir_answer_note(answer, "%llu flows, %llu bytes came between %s and %s while the disk was "
			 "full: they are in summaries and roll-ups, and not held as records",
			 (unsigned long long)refused.flows, (unsigned long long)refused.bytes,
			 weir_clock_text(position.refused_first_ns, first, sizeof(first)),
			 weir_clock_text(position.refused_last_ns, last, sizeof(last)));
}

void weir_answer_horizon(struct weir_answer *answer)
{
	struct weir_store_expired expired;
	char when[40], levels[200];

	see_refused(answer);
	if (answer->horizon_told || weir_store_expired(answer->node->store, &expired))
		return;
	answer->horizon_told = true;
	/* A flow that ended at the horizon may be gone. */
	if (expired.partitions && answer->ask->from_ns <= expired.max_ns) {
		answer->horizon_ns = expired.max_ns + 1;
		describe_levels(answer->node->store, answer->rollup_ns, levels, sizeof(levels));
		weir_answer_note(answer, "records of flows that ended before %s are no longer held%s%s%s",
				 weir_clock_text(expired.max_ns + 1, when, sizeof(when)),
				 answer->counted ? "" : ", and not in this answer",
				 *levels ? "; roll-ups are: " : "", levels);
	}
}

struct rolled {
	struct weir_answer *answer;
	struct weir_merge *merge;
	struct weir_bounds *bounds; /* in merge; NULL: totals only */
	unsigned key_bytes;
	struct weir_query_spec spec;
	struct weir_query_rest rest; /* of the records */
	struct weir_bounds_list list; /* they as a list */
	bool begun;
	struct weir_totals sum; /* of everything counted */
	struct weir_cover cover;
	bool lacking; /* a roll-up could not be read */
};

static struct weir_totals totals_of(const uint64_t value[MEASURES])
{
	return (struct weir_totals){.flows = value[WEIR_BY_FLOWS],
				    .packets = value[WEIR_BY_PACKETS],
				    .bytes = value[WEIR_BY_BYTES]};
}

static void begin_list(struct rolled *rolled)
{
	rolled->begun = true;
	rolled->list = (struct weir_bounds_list){.incomplete = rolled->rest.groups,
						 .rest = totals_of(rolled->rest.value),
						 .largest = totals_of(rolled->rest.largest)};
}

static int add_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	struct rolled *rolled = arg;
	struct weir_totals totals = totals_of(value);

	if (!rolled->begun)
		begin_list(rolled);
	rolled->list.groups++;
	return weir_bounds_add_key(rolled->bounds, &rolled->list, key, &totals, NULL);
}

static int skip_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	return 0;
}

/* Records of blocks behind those that roll-ups stand for. */
static int add_records(struct rolled *rolled)
{
	struct weir_answer *answer = rolled->answer;
	int result;

	answer->query.after_block = rolled->cover.last_block;
	rolled->begun = false;
	memset(&rolled->rest, 0, sizeof(rolled->rest));
	result = weir_query_groups(answer->node->store, &answer->query, &rolled->spec,
				   rolled->bounds ? add_group : skip_group, rolled, &rolled->rest,
				   &answer->result);
	if (result || !rolled->bounds)
		return result;
	if (!rolled->begun)
		begin_list(rolled);
	rolled->list.groups += rolled->rest.groups;
	weir_bounds_add_list(rolled->bounds, &rolled->list);
	return 0;
}

static int add_piece(struct rolled *rolled, const struct weir_cover_piece *piece)
{
	struct weir_rollup_head head;
	size_t body_bytes;
	void *body = NULL;
	int result = weir_rollup_get(rolled->answer->node->store, piece->level,
				     piece->head.last_segment, &head, &body, &body_bytes);

	if (!result)
		result = weir_merge_add_rollup(rolled->merge, &head, body, body_bytes);
	free(body);
	/* Expired this moment, or damaged. Its sum is known, so it is a bound. */
	if (result == -ENOENT || result == -EBADMSG) {
		rolled->lacking = true;
		return 0;
	}
	return result;
}

/* If a block that is held has records that the last roll-ups stand for, and others, these roll-ups would
 * count them twice: leave them out, and say that it is not all. (Merging keeps to the seams of
 * daemon/store/seam.h, so this takes roll-ups that went before their records.) */
static int cut_cover(struct rolled *rolled, uint64_t through)
{
	struct weir_cover *cover = &rolled->cover;
	bool is_end = true;
	int result = 0;

	if (cover->last_block > through)
		result = weir_store_is_block_end(rolled->answer->node->store, cover->last_block,
						 &is_end);
	if (!is_end) {
		rolled->lacking = true;
		while (cover->count && cover->pieces[cover->count - 1].head.last_block > through)
			cover->count--;
		cover->last_block = through;
	}
	if (cover->last_block < through)
		cover->last_block = through;
	return result;
}

static int gather(struct rolled *rolled, int dimension, uint64_t through)
{
	struct weir_answer *answer = rolled->answer;
	uint64_t to_ns = answer->ask->to_ns ? answer->ask->to_ns : UINT64_MAX;
	int result = weir_merge_new(dimension, &rolled->merge);

	rolled->bounds = !result && dimension >= 0 && rolled->spec.fields.count ?
				 weir_merge_bounds(rolled->merge, dimension) : NULL;
	if (!result)
		result = weir_cover_find(answer->node->store, answer->ask->from_ns, to_ns, through,
					 &rolled->cover);
	if (!result)
		result = cut_cover(rolled, through);
	if (result)
		return result;
	for (size_t i = 0; i < rolled->cover.count && !result; i++) {
		result = add_piece(rolled, &rolled->cover.pieces[i]);
		if (atomic_load(weir_job_cancelled(answer->job)))
			result = -ECANCELED;
	}
	if (!result)
		result = add_records(rolled);
	rolled->sum = weir_merge_head(rolled->merge)->totals;
	weir_totals_add(&rolled->sum, &answer->result.matched);
	return result;
}

static void empty(struct rolled *rolled)
{
	weir_merge_free(rolled->merge);
	free(rolled->cover.pieces);
	rolled->merge = NULL;
	memset(&rolled->cover, 0, sizeof(rolled->cover));
	rolled->lacking = false;
}

/* Until retention did not take away records while they were counted. */
static int gather_all(struct rolled *rolled, int dimension, uint64_t through)
{
	struct weir_store_expired expired;
	int result;

	for (unsigned i = 0;; i++) {
		result = gather(rolled, dimension, through);
		if (!result)
			result = weir_store_expired(rolled->answer->node->store, &expired);
		if (result || expired.last_block <= rolled->cover.last_block)
			return result;
		if (i == TRIES) {
			rolled->lacking = true;
			return 0;
		}
		through = expired.last_block;
		empty(rolled);
	}
}

struct lines {
	Weir__Wire__Line line[LINES_A_PART];
	Weir__Wire__Totals low[LINES_A_PART], high[LINES_A_PART];
	Weir__Wire__Line *pointer[LINES_A_PART];
};

/* Everything that was asked for is counted, if not by whom. */
static bool is_whole(const struct rolled *rolled)
{
	return !rolled->lacking && !rolled->cover.more_before && !rolled->answer->refused &&
	       !rolled->answer->result.blocks_damaged && !rolled->answer->result.blocks_gone;
}

static int send_lines(struct rolled *rolled, struct lines *lines,
		      const struct weir_bounds_result *found, size_t first, size_t count)
{
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Top top = WEIR__WIRE__TOP__INIT;
	Weir__Wire__Totals rest, largest;

	for (size_t i = 0; i < count; i++) {
		const struct weir_bounds_line *from = &found->lines[first + i];
		Weir__Wire__Line *line = &lines->line[i];

		weir__wire__line__init(line);
		line->key.data = (uint8_t *)from->key;
		line->key.len = rolled->key_bytes;
		weir_convert_totals_put(&lines->low[i], &from->low);
		line->low = &lines->low[i];
		weir_convert_totals_put(&lines->high[i], &from->high);
		if (!weir_totals_equal(&from->low, &from->high))
			line->high = &lines->high[i];
		lines->pointer[i] = line;
	}
	weir_convert_totals_put(&rest, &found->rest);
	top.n_lines = count;
	top.lines = lines->pointer;
	top.lower_bounds_only = !is_whole(rolled);
	top.exact = found->exact && !top.lower_bounds_only;
	top.rest_groups = found->rest_groups;
	top.rest_groups_exact = found->rest_groups_exact && !top.lower_bounds_only;
	top.rest = &rest;
	top.incomplete = found->incomplete;
	weir_convert_totals_put(&largest, &found->largest);
	top.largest = &largest;
	part.top = &top;
	return weir_job_part(rolled->answer->job, &part);
}

static int find_lines(struct rolled *rolled, struct weir_bounds_result *found)
{
	const Weir__Wire__Ask *ask = rolled->answer->ask;

	if (rolled->bounds)
		return weir_bounds_result(rolled->bounds, (enum weir_order)rolled->spec.order,
					  ask->limit && !ask->partial ? ask->limit : SIZE_MAX, found);
	/* No fields: one line of everything. */
	memset(found, 0, sizeof(*found));
	found->lines = calloc(1, sizeof(*found->lines));
	if (!found->lines)
		return -ENOMEM;
	found->lines[0] = (struct weir_bounds_line){(const uint8_t *)"", rolled->sum, rolled->sum};
	found->count = 1;
	found->exact = found->rest_groups_exact = true;
	return 0;
}

static int send_all(struct rolled *rolled)
{
	struct lines *lines = malloc(sizeof(*lines));
	struct weir_bounds_result found;
	size_t sent = 0;
	int result = lines ? find_lines(rolled, &found) : -ENOMEM;

	if (result) {
		free(lines);
		return result;
	}
	do {
		size_t n = found.count - sent < LINES_A_PART ? found.count - sent : LINES_A_PART;

		result = send_lines(rolled, lines, &found, sent, n);
		sent += n;
	} while (!result && sent < found.count);
	free(found.lines);
	free(lines);
	return result;
}

static void note_cover(struct rolled *rolled)
{
	const struct weir_cover *cover = &rolled->cover;
	char start[40], end[40];

	if (cover->count)
		weir_answer_note(rolled->answer, "what reached this node from %s to %s is counted "
				 "from %zu roll-ups, whole ones; what came later, from records",
				 weir_clock_text(cover->start_ns, start, sizeof(start)),
				 weir_clock_text(cover->end_ns, end, sizeof(end)), cover->count);
	if (cover->more_before)
		weir_answer_note(rolled->answer, "what reached it before %s is no longer held in any "
				 "form", weir_clock_text(cover->start_ns, start, sizeof(start)));
	if (rolled->lacking)
		weir_answer_note(rolled->answer, "a roll-up of that time cannot be read, or cannot be "
				 "told apart from records, and is not counted");
}

/* The fields as roll-ups name them. */
static int find_dimension(const struct weir_fields *fields)
{
	char words[128] = "", title[32];

	for (unsigned i = 0; i < fields->count; i++) {
		size_t used = strlen(words);

		snprintf(words + used, sizeof(words) - used, "%s%s", i ? "," : "",
			 weir_fields_title(fields, i, title, sizeof(title)));
	}
	return weir_merge_find(words);
}

bool weir_answer_rolled_top(struct weir_answer *answer, const struct weir_query_spec *spec)
{
	struct rolled rolled = {.answer = answer, .spec = *spec};
	int dimension = find_dimension(&spec->fields), result;
	struct weir_store_expired expired;

	/* A master that takes no bounds would take them for exact. */
	if (*answer->ask->filter || (answer->ask->partial && !answer->ask->bounds) || (dimension < 0 && spec->fields.count))
		return false;
	if (weir_store_expired(answer->node->store, &expired) || !expired.partitions ||
	    answer->ask->from_ns > expired.max_ns || !weir_rollup_is_open(answer->node->store))
		return false;
	rolled.key_bytes = spec->fields.key_bytes;
	rolled.spec.limit = spec->fields.count ? RECORD_GROUPS : 0;
	/* Any dimension will do for a sum. */
	see_refused(answer);
	weir_store_merge_pause(answer->node->store);
	result = gather_all(&rolled, spec->fields.count ? dimension : 0, expired.last_block);
	weir_store_merge_resume(answer->node->store);
	if (!result) {
		answer->counted = true;
		answer->rolled = is_whole(&rolled);
		answer->result.matched = rolled.sum;
		note_cover(&rolled);
		result = send_all(&rolled);
	}
	weir_answer_end(answer, result);
	empty(&rolled);
	return true;
}
