// SPDX-License-Identifier: GPL-2.0
/*
 * reply_top.c - the largest of the cluster.
 *
 * Without a filter and a time, the summaries kept here are tried first: if they prove the
 * answer, no node is asked. Else the connected nodes are asked for all their groups, which
 * is exact. What they cannot answer (nodes that are away or late, stores that were
 * there before) is added from summaries as bounds if there is no filter and no time, and is
 * named as missing in any case.
 *
 * Summaries know when records reached the node's store, not when flows were alive: they
 * can bound nothing for a time. What is counted nowhere makes all values lower bounds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/master/reply.h"
#include "daemon/query/bounds.h"
#include "daemon/wire/dimension.h"
#include "daemon/query/fields.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"

enum {
	LINES_A_PART = 4096,
	LEG_GROUPS_MAX = 1000000, /* what a node answers at most */
};

/* An answer: exact, or from roll-ups with bounds. */
struct leg {
	struct weir_aggregate *low;
	struct weir_aggregate *more; /* what a key may be above that */
	struct weir_bounds_list list;
	int fault; /* it makes no sense */
};

struct top {
	struct weir_master *master;
	struct weir_job *job;
	const Weir__Wire__Ask *ask;
	struct weir_fields fields;
	char words[256]; /* the fields as a summary names them */
	struct weir_bounds *bounds;
	struct weir_ending ending;
	struct leg *leg; /* what each node sent so far */
	size_t legs;
	struct weir_reply_progress progress;
	bool uncounted; /* something is missing of which not even bounds are known */
	/* of the summaries used */
	uint64_t lacking; /* segments without this dimension */
	uint64_t used;
	uint64_t oldest_end_ns, newest_end_ns; /* over streams */
	struct weir_totals summed;
};

static int add_segment(void *arg, uint64_t seq, const void *body, size_t body_bytes)
{
	struct top *top = arg;
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	struct weir_totals totals;
	int result;

	if (!segment)
		return -EBADMSG;
	totals = weir_convert_totals_get(segment->totals);
	weir_totals_add(&top->summed, &totals);
	result = weir_dimension_add_segment(top->bounds, top->words, top->fields.key_bytes,
					    segment);
	weir__wire__segment__free_unpacked(segment, NULL);
	if (result < 0)
		return result;
	top->lacking += (uint64_t)result;
	top->used++;
	return 0;
}

/* What never came is known in sum, but not whose it is. */
static void add_missing(struct top *top, const struct weir_keep_stream *stream)
{
	weir_bounds_add_unlisted(top->bounds, &stream->missing);
	weir_totals_add(&top->summed, &stream->missing);
	weir_ending_missing(&top->ending, stream->name,
			    "%llu of its segments never came here: which keys %llu packets, %llu "
			    "bytes belong to is not known",
			    (unsigned long long)stream->missing_segments,
			    (unsigned long long)stream->missing.packets,
			    (unsigned long long)stream->missing.bytes);
}

static int add_stream(struct top *top, const struct weir_keep_stream *stream)
{
	if (!top->oldest_end_ns || stream->last_end_ns < top->oldest_end_ns)
		top->oldest_end_ns = stream->last_end_ns;
	if (stream->last_end_ns > top->newest_end_ns)
		top->newest_end_ns = stream->last_end_ns;
	if (stream->missing_segments)
		add_missing(top, stream);
	return weir_keep_scan(top->master->keep, stream->index, 0, UINT64_MAX,
			      weir_job_cancelled(top->job), add_segment, top);
}

static int send_lines(struct top *top, const struct weir_bounds_line *lines, size_t count,
		      const struct weir_bounds_result *last)
{
	Weir__Wire__Totals *totals = calloc(2 * count + 1, sizeof(*totals));
	Weir__Wire__Line *line = calloc(count + 1, sizeof(*line));
	Weir__Wire__Line **pointer = calloc(count + 1, sizeof(*pointer));
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Top message = WEIR__WIRE__TOP__INIT;
	Weir__Wire__Totals rest;
	int result = totals && line && pointer ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && !result; i++) {
		pointer[i] = &line[i];
		weir__wire__line__init(&line[i]);
		line[i].key.data = (uint8_t *)lines[i].key;
		line[i].key.len = top->fields.key_bytes;
		line[i].low = &totals[2 * i];
		weir_convert_totals_put(&totals[2 * i], &lines[i].low);
		if (weir_totals_equal(&lines[i].low, &lines[i].high))
			continue;
		line[i].high = &totals[2 * i + 1];
		weir_convert_totals_put(&totals[2 * i + 1], &lines[i].high);
	}
	message.n_lines = count;
	message.lines = pointer;
	message.exact = last->exact;
	message.lower_bounds_only = top->uncounted;
	message.rest_groups = last->rest_groups;
	message.rest_groups_exact = last->rest_groups_exact;
	weir_convert_totals_put(&rest, &last->rest);
	message.rest = &rest;
	part.top = &message;
	if (!result)
		result = weir_job_part(top->job, &part);
	free(totals);
	free(line);
	free(pointer);
	return result;
}

/* Every Part carries the same rest: that of the whole answer. */
static int send_result(struct top *top, const struct weir_bounds_result *result)
{
	size_t sent = 0;
	int error = 0;

	do {
		size_t n = result->count - sent;

		if (n > LINES_A_PART)
			n = LINES_A_PART;
		error = send_lines(top, result->lines + sent, n, result);
		sent += n;
	} while (!error && sent < result->count);
	return error;
}

static int get_result(struct top *top, struct weir_bounds_result *result)
{
	size_t limit = top->ask->limit ? top->ask->limit : SIZE_MAX;

	return weir_bounds_result(top->bounds, (enum weir_order)top->ask->order, limit, result);
}

static int renew_bounds(struct top *top)
{
	weir_bounds_free(top->bounds);
	top->bounds = NULL;
	top->lacking = 0;
	top->used = 0;
	top->uncounted = false;
	top->oldest_end_ns = 0;
	top->newest_end_ns = 0;
	memset(&top->summed, 0, sizeof(top->summed));
	weir_ending_drop(&top->ending);
	return weir_bounds_new(top->fields.key_bytes, WEIR_REPLY_GROUPS_MAX, &top->bounds);
}

static void note_summaries(struct top *top)
{
	char oldest[40], newest[40];

	weir_ending_note(&top->ending,
			 "from summaries, complete to %s; the node that is ahead is at %s",
			 weir_clock_text(top->oldest_end_ns, oldest, sizeof(oldest)),
			 weir_clock_text(top->newest_end_ns, newest, sizeof(newest)));
}

static bool has_stream(const struct weir_keep_stream *streams, size_t count,
		       const struct weir_session_state *state)
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(streams[i].node_id, state->node_id, WEIR_KEEP_ID_BYTES) &&
		    !memcmp(streams[i].epoch, state->epoch, WEIR_KEEP_ID_BYTES))
			return true;
	return false;
}

/* A connected node may have records of which nothing is here: it is new, or it was rejected. */
static int all_have_streams(const struct top *top, const struct weir_keep_stream *streams,
			    size_t count, bool *all)
{
	struct weir_session_state *states;
	size_t connected;
	int result = weir_sessions_states(&states, &connected);

	*all = true;
	if (result)
		return result;
	for (size_t i = 0; i < connected; i++)
		if (weir_reply_is_asked(top->ask, states[i].name) &&
		    (states[i].rejected[0] ||
		     (states[i].last_seq && !has_stream(streams, count, &states[i]))))
			*all = false;
	free(states);
	return 0;
}

/* 1: the summaries prove the answer, and it was sent. 0: they do not. */
static int try_summaries(struct top *top)
{
	struct weir_keep_stream *streams;
	struct weir_bounds_result found;
	size_t count;
	bool all;
	int result = weir_keep_streams(top->master->keep, &streams, &count);

	if (result)
		return result;
	result = all_have_streams(top, streams, count, &all);
	if (!result && all)
		result = renew_bounds(top);
	for (size_t i = 0; i < count && all && !result; i++)
		if (weir_reply_is_asked(top->ask, streams[i].name))
			result = add_stream(top, &streams[i]);
	free(streams);
	if (result || !top->used || top->lacking)
		return result;
	result = get_result(top, &found);
	if (result)
		return result;
	/* With a gap in a stream they prove nothing: the node still has its records. */
	if (found.exact && !top->ending.missings) {
		top->ending.matched = top->summed;
		note_summaries(top);
		result = send_result(top, &found);
		if (!result)
			result = 1;
	}
	free(found.lines);
	return result;
}

static int make_leg(struct top *top, size_t leg)
{
	int result;

	if (leg >= top->legs) {
		struct leg *grown = realloc(top->leg, (leg + 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		top->leg = grown;
		memset(grown + top->legs, 0, (leg + 1 - top->legs) * sizeof(*grown));
		top->legs = leg + 1;
	}
	if (top->leg[leg].low)
		return 0;
	result = weir_aggregate_new(top->fields.key_bytes, LEG_GROUPS_MAX, &top->leg[leg].low);
	if (!result)
		result = weir_aggregate_new(top->fields.key_bytes, LEG_GROUPS_MAX,
					    &top->leg[leg].more);
	return result;
}

static int take_line(struct top *top, struct leg *leg, const Weir__Wire__Line *line)
{
	struct weir_totals low = weir_convert_totals_get(line->low), more;
	int result;

	if (line->key.len != top->fields.key_bytes)
		return -EBADMSG;
	result = weir_aggregate_add(leg->low, line->key.data, &low);
	if (result || !line->high)
		return result;
	more = weir_convert_totals_get(line->high);
	if (more.flows < low.flows || more.packets < low.packets || more.bytes < low.bytes)
		return -EBADMSG;
	weir_totals_subtract(&more, &low);
	return weir_aggregate_add(leg->more, line->key.data, &more);
}

/* Each Part says the same of what has no line. */
static void take_list(struct leg *leg, const Weir__Wire__Top *top)
{
	if (!top->incomplete)
		return;
	leg->list = (struct weir_bounds_list){.incomplete = true,
					      .groups = top->rest_groups,
					      .rest = weir_convert_totals_get(top->rest),
					      .largest = weir_convert_totals_get(top->largest)};
}

/* Kept apart until the node has finished: half an answer must not count. What one node
 * gets wrong is its own fault, the others' answers stand. */
static int take_part(void *arg, size_t leg, const char *name, Weir__Wire__Part *part)
{
	struct top *top = arg;
	int result;

	if (weir_reply_progress_take(&top->progress, leg, part))
		return 0;
	result = make_leg(top, leg);
	if (result || !part->top || top->leg[leg].fault)
		return result;
	take_list(&top->leg[leg], part->top);
	for (size_t i = 0; i < part->top->n_lines && !result; i++)
		result = take_line(top, &top->leg[leg], part->top->lines[i]);
	if (result == -EBADMSG || result == -E2BIG) {
		top->leg[leg].fault = result;
		result = 0;
	}
	return result;
}

static void drop_faulty(const struct top *top, struct weir_legs *legs)
{
	for (size_t i = 0; i < legs->count && i < top->legs; i++) {
		if (!top->leg[i].fault || !legs->leg[i].answered)
			continue;
		legs->leg[i].answered = false;
		snprintf(legs->leg[i].reason, sizeof(legs->leg[i].reason), "%s",
			 top->leg[i].fault == -E2BIG ? "its answer has too many groups" :
						   "its answer is not one to this question");
	}
}

static bool is_of_everything(const struct top *top)
{
	return !*top->ask->filter && !top->ask->from_ns && !top->ask->to_ns;
}

/* Of everything there ever was, the summaries here say more than records that are only the latest. */
static void drop_partial(const struct top *top, struct weir_legs *legs)
{
	char text[40];

	for (size_t i = 0; i < legs->count && is_of_everything(top); i++) {
		struct weir_leg *leg = &legs->leg[i];

		if (!leg->answered || (!leg->horizon_ns && !leg->refused))
			continue;
		leg->answered = false;
		if (leg->refused)
			snprintf(leg->reason, sizeof(leg->reason),
				 "it could not store all records, as its disk was full");
		else
			snprintf(leg->reason, sizeof(leg->reason),
				 "it no longer holds records of flows that ended before %s",
				 weir_clock_text(leg->horizon_ns, text, sizeof(text)));
	}
}

static int merge_leg(struct top *top, struct leg *leg)
{
	struct weir_group *groups;
	size_t count;
	int result = weir_aggregate_top(leg->low, WEIR_BY_BYTES, SIZE_MAX, &groups, &count, NULL);

	if (result)
		return result;
	for (size_t i = 0; i < count && !result; i++)
		result = weir_bounds_add_key(top->bounds, &leg->list, groups[i].key,
					     &groups[i].totals,
					     weir_aggregate_get(leg->more, groups[i].key));
	leg->list.groups += count;
	if (!result)
		weir_bounds_add_list(top->bounds, &leg->list);
	free(groups);
	return result;
}

static int merge_answered(struct top *top, const struct weir_legs *legs)
{
	int result = 0;

	for (size_t i = 0; i < legs->count && !result; i++) {
		if (!legs->leg[i].answered)
			continue;
		weir_totals_add(&top->ending.matched, &legs->leg[i].matched);
		top->ending.blocks_read += legs->leg[i].blocks_read;
		weir_ending_damaged(&top->ending, &legs->leg[i]);
		weir_ending_explain(&top->ending, &legs->leg[i]);
		if (legs->leg[i].blocks_damaged || legs->leg[i].horizon_ns ||
		    legs->leg[i].refused)
			top->uncounted = true;
		if (i < top->legs && top->leg[i].low)
			result = merge_leg(top, &top->leg[i]);
	}
	return result;
}

static const struct weir_leg *leg_of(const struct weir_legs *legs, const uint8_t *node_id)
{
	for (size_t i = 0; i < legs->count; i++)
		if (!memcmp(legs->leg[i].node_id, node_id, WEIR_KEEP_ID_BYTES))
			return &legs->leg[i];
	return NULL;
}

static int bound(struct top *top, const struct weir_keep_stream *stream, const char *why,
		 bool goes_on)
{
	char text[40];
	int result = add_stream(top, stream);

	if (result == -ENOMEM || result == -ECANCELED || result == -E2BIG)
		return result;
	if (result) {
		top->uncounted = true;
		weir_ending_missing(&top->ending, stream->name,
				    "%s; its summaries cannot be read: %s", why, strerror(-result));
		return 0;
	}
	weir_ending_missing(&top->ending, stream->name,
			    "%s; bounded by its summaries to %s%s", why,
			    weir_clock_text(stream->last_end_ns, text, sizeof(text)),
			    goes_on ? ", what it has recorded since is not counted" : "");
	return 0;
}

/* A stream whose records no node answered for. */
static int fill_in(struct top *top, const struct weir_keep_stream *stream,
		   const struct weir_leg *leg)
{
	const char *why = leg && !leg->answered ? leg->reason : "of an earlier store of this node";
	bool filtered = *top->ask->filter;

	if (is_of_everything(top))
		return bound(top, stream, why, !leg || !leg->answered);
	/* A record is stored after its flow has ended: nothing of that store is in this time. */
	if (leg && leg->answered && top->ask->from_ns >= stream->last_end_ns)
		return 0;
	top->uncounted = true;
	weir_ending_missing(&top->ending, stream->name,
			    "%s; summaries cannot be %s: none of it is counted", why,
			    filtered ? "filtered" : "cut to a time");
	return 0;
}

static int merge_legs(struct top *top, const struct weir_legs *legs)
{
	struct weir_keep_stream *streams;
	size_t count;
	int result = weir_keep_streams(top->master->keep, &streams, &count);

	if (result)
		return result;
	result = merge_answered(top, legs);
	for (size_t i = 0; i < count && !result; i++) {
		const struct weir_leg *leg = leg_of(legs, streams[i].node_id);

		if (!leg && !weir_reply_is_asked(top->ask, streams[i].name))
			continue;
		if (leg && leg->answered && !memcmp(leg->epoch, streams[i].epoch, WEIR_KEEP_ID_BYTES))
			continue;
		result = fill_in(top, &streams[i], leg);
	}
	free(streams);
	weir_totals_add(&top->ending.matched, &top->summed);
	/* Nodes without any segment here have nothing to fall back to. */
	for (size_t i = 0; i < legs->count; i++) {
		struct weir_keep_stream stream;

		if (!legs->leg[i].answered && legs->leg[i].connected &&
		    weir_keep_stream(top->master->keep, legs->leg[i].node_id, legs->leg[i].epoch,
				     &stream)) {
			top->uncounted = true;
			weir_ending_missing(&top->ending, legs->leg[i].name,
					    "%s; none of it is counted", legs->leg[i].reason);
		}
	}
	return result;
}

static int ask_nodes(struct top *top)
{
	Weir__Wire__Ask to_nodes = *top->ask;
	struct weir_bounds_result found;
	struct weir_legs legs;
	int result = renew_bounds(top);

	if (result)
		return result;
	to_nodes.partial = to_nodes.bounds = true;
	to_nodes.limit = 0;
	result = weir_fanout_ask(top->master->fanout, &to_nodes, weir_job_cancelled(top->job),
				 take_part, top, &legs);
	if (result)
		return result;
	if (weir_ending_fault(top->job, &legs)) {
		weir_legs_free(&legs);
		return 1;
	}
	drop_faulty(top, &legs);
	drop_partial(top, &legs);
	result = merge_legs(top, &legs);
	weir_legs_free(&legs);
	if (!result)
		result = get_result(top, &found);
	if (result)
		return result;
	/* What is missing altogether could be anything. */
	if (top->ending.missings)
		found.exact = found.rest_groups_exact = false;
	result = send_result(top, &found);
	free(found.lines);
	return result;
}

static int prepare(struct top *top)
{
	char title[WEIR_FIELDS_TEXT_MAX], error[512];
	const char *word = "";

	if (weir_fields_parse(top->ask->fields, &top->fields, &word) < 0) {
		weir_job_fail(top->job, -EINVAL, 0, "%s",
			      weir_fields_complain(top->ask->fields, word, error, sizeof(error)));
		return -EINVAL;
	}
	for (unsigned i = 0; i < top->fields.count; i++) {
		size_t used = strlen(top->words);

		snprintf(top->words + used, sizeof(top->words) - used, "%s%s", i ? "," : "",
			 weir_fields_title(&top->fields, i, title, sizeof(title)));
	}
	return 0;
}

static void free_top(struct top *top)
{
	for (size_t i = 0; i < top->legs; i++) {
		weir_aggregate_free(top->leg[i].low);
		weir_aggregate_free(top->leg[i].more);
	}
	free(top->leg);
	weir_bounds_free(top->bounds);
	weir_reply_progress_free(&top->progress);
	weir_ending_drop(&top->ending);
}

void weir_reply_top(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master)
{
	struct top top = {.master = master, .job = job, .ask = ask, .progress.job = job};
	int result = 0;

	if (prepare(&top))
		return;
	if (is_of_everything(&top))
		result = try_summaries(&top);
	if (result < 0 && result != -ECANCELED && result != -ENOMEM)
		result = 0; /* the nodes have it all, and more room */
	if (result == 1)
		weir_ending_send(&top.ending, job, 0);
	if (result == 0) {
		result = ask_nodes(&top);
		if (result == 0)
			weir_ending_send(&top.ending, job, 0);
	}
	if (result < 0)
		weir_ending_send(&top.ending, job, result);
	free_top(&top);
}
