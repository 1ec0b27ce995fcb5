// SPDX-License-Identifier: GPL-2.0
/*
 * apply.c - a pushed segment becomes part of the master's view, once.
 *
 * A stream is a chain: every segment carries the hash of the one before and the sum
 * of all up to itself. So a duplicate can be told from a different history, and a gap is
 * known to the byte: what the node claims, less what is here, is what is missing.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/master/apply.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/hash.h"

/* Sums over many segments must not overflow; no link carries this much in an interval. */
#define COUNTER_MAX (1ULL << 56)

struct push {
	const struct weir_apply_peer *peer;
	const Weir__Wire__Segment *segment;
	const void *body;
	size_t body_bytes;
	uint8_t hash[WEIR_HASH_BYTES];
	struct weir_totals totals, cumulative;
	uint64_t now_ns;
	struct weir_apply_verdict *verdict;
};

/* A verdict is no error of ours: 0. */
static int reject(struct weir_apply_verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int reject(struct weir_apply_verdict *verdict, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(verdict->reason, sizeof(verdict->reason), format, args);
	va_end(args);
	verdict->applied = WEIR__WIRE__APPLIED__APPLIED_NEVER;
	return 0;
}

static bool plausible(const struct weir_totals *totals)
{
	return totals->flows <= COUNTER_MAX && totals->packets <= COUNTER_MAX &&
	       totals->bytes <= COUNTER_MAX;
}

static bool message_plausible(const Weir__Wire__Totals *message)
{
	struct weir_totals totals = weir_convert_totals_get(message);

	return plausible(&totals);
}

static bool dimension_plausible(const Weir__Wire__Dimension *dimension)
{
	for (size_t i = 0; i < dimension->n_top; i++)
		if (!message_plausible(dimension->top[i]->totals))
			return false;
	return message_plausible(dimension->rest) && message_plausible(dimension->largest) &&
	       dimension->rest_groups <= COUNTER_MAX;
}

static bool segment_plausible(const Weir__Wire__Segment *segment)
{
	for (size_t i = 0; i < segment->n_dimensions; i++)
		if (!dimension_plausible(segment->dimensions[i]))
			return false;
	return message_plausible(segment->totals);
}

static bool is_id(const ProtobufCBinaryData *data, const uint8_t *id)
{
	return data->len == WEIR_KEEP_ID_BYTES && memcmp(data->data, id, WEIR_KEEP_ID_BYTES) == 0;
}

static int judge_earlier(struct weir_keep_txn *txn, const struct weir_keep_stream *stream,
			 const struct push *push)
{
	uint8_t hash[WEIR_HASH_BYTES];
	size_t body_bytes;
	const void *body;
	int result = weir_keep_peek(txn, stream->index, push->verdict->seq, &body, &body_bytes);

	if (result == -ENOENT)
		return reject(push->verdict, "segment %llu lies in a gap that was counted as missing",
			      (unsigned long long)push->verdict->seq);
	if (!result)
		result = weir_hash_segment(body, body_bytes, hash);
	if (result)
		return result;
	if (memcmp(hash, push->hash, sizeof(hash)))
		return reject(push->verdict, "the histories differ: another segment %llu is here",
			      (unsigned long long)push->verdict->seq);
	push->verdict->applied = WEIR__WIRE__APPLIED__APPLIED_BEFORE;
	return 0;
}

/* What the node claims beyond what is here. False: less than nothing. */
static bool gap_of(const struct weir_keep_stream *stream, const struct push *push,
		   struct weir_totals *gap)
{
	return !__builtin_sub_overflow(push->cumulative.flows, stream->cumulative.flows,
				       &gap->flows) &&
	       !__builtin_sub_overflow(gap->flows, push->totals.flows, &gap->flows) &&
	       !__builtin_sub_overflow(push->cumulative.packets, stream->cumulative.packets,
				       &gap->packets) &&
	       !__builtin_sub_overflow(gap->packets, push->totals.packets, &gap->packets) &&
	       !__builtin_sub_overflow(push->cumulative.bytes, stream->cumulative.bytes,
				       &gap->bytes) &&
	       !__builtin_sub_overflow(gap->bytes, push->totals.bytes, &gap->bytes);
}

static void copy_text(char into[WEIR_KEEP_NAME_BYTES], const char *from)
{
	snprintf(into, WEIR_KEEP_NAME_BYTES, "%s", from);
}

static int apply(struct weir_keep_txn *txn, struct weir_keep_stream *stream,
		 const struct push *push, const struct weir_totals *gap)
{
	uint64_t seq = push->verdict->seq;

	if (seq != stream->last_seq + 1) {
		stream->gaps++;
		stream->missing_segments += seq - stream->last_seq - 1;
	}
	weir_totals_add(&stream->missing, gap);
	weir_totals_add(&stream->applied, &push->totals);
	stream->cumulative = push->cumulative;
	stream->last_seq = seq;
	stream->segments++;
	memcpy(stream->last_hash, push->hash, sizeof(stream->last_hash));
	if (!stream->first_end_ns)
		stream->first_end_ns = push->segment->end_ns;
	if (!stream->created_ns)
		stream->created_ns = push->now_ns;
	stream->last_end_ns = push->segment->end_ns;
	stream->applied_ns = push->now_ns;
	copy_text(stream->name, push->peer->name); /* checked, the segment's is not */
	copy_text(stream->software, push->segment->software);
	push->verdict->applied = WEIR__WIRE__APPLIED__APPLIED_NOW;
	return weir_keep_put(txn, stream, push->segment->start_ns, push->segment->end_ns,
			     push->body, push->body_bytes);
}

/* The place of @stream is zero for a new one, which is not in @txn yet. */
static int judge_next(struct weir_keep_txn *txn, const struct weir_keep_stream *at,
		      const struct push *push)
{
	const ProtobufCBinaryData *prev = &push->segment->prev_hash;
	struct weir_keep_stream *stream;
	uint64_t seq = push->verdict->seq;
	struct weir_totals gap = {0};
	int result;
	bool is_gap = seq != at->last_seq + 1;

	if (is_gap && seq != push->peer->first_seq)
		return reject(push->verdict, "segment %llu is missing before %llu",
			      (unsigned long long)at->last_seq + 1, (unsigned long long)seq);
	if (prev->len != WEIR_HASH_BYTES ||
	    (!is_gap && memcmp(prev->data, at->last_hash, WEIR_HASH_BYTES)))
		return reject(push->verdict,
			      "the histories differ: segment %llu does not follow the one here",
			      (unsigned long long)seq);
	if (!gap_of(at, push, &gap) || (!is_gap && (gap.flows || gap.packets || gap.bytes)))
		return reject(push->verdict,
			      "segment %llu: its running sum is not that of the segments before",
			      (unsigned long long)seq);
	stream = weir_keep_find(txn, push->peer->node_id, push->peer->epoch);
	result = stream ? 0 :
			  weir_keep_make(txn, push->peer->node_id, push->peer->epoch, &stream);
	if (result == -EUSERS)
		return reject(push->verdict, "this master holds as many streams as it can; start an "
					     "empty one");
	if (result)
		return result;
	return apply(txn, stream, push, &gap);
}

static int judge(struct weir_keep_txn *txn, struct push *push)
{
	static const struct weir_keep_stream beginning;
	const Weir__Wire__Segment *segment = push->segment;
	const struct weir_keep_stream *stream;
	int result;

	if (!is_id(&segment->node_id, push->peer->node_id) ||
	    !is_id(&segment->epoch, push->peer->epoch))
		return reject(push->verdict, "the segment is of another node or store");
	if (!segment->seq || segment->seq >> 40 || !segment_plausible(segment))
		return reject(push->verdict, "segment %llu holds numbers that cannot be",
			      (unsigned long long)segment->seq);
	push->totals = weir_convert_totals_get(segment->totals);
	push->cumulative = weir_convert_totals_get(segment->cumulative);
	result = weir_hash_segment(push->body, push->body_bytes, push->hash);
	if (result)
		return result;
	stream = weir_keep_find(txn, push->peer->node_id, push->peer->epoch);
	if (!stream)
		stream = &beginning;
	if (segment->seq <= stream->last_seq)
		return judge_earlier(txn, stream, push);
	return judge_next(txn, stream, push);
}

int weir_apply_push(struct weir_keep_txn *txn, const struct weir_apply_peer *peer,
		    const void *body, size_t body_bytes, uint64_t now_ns,
		    struct weir_apply_verdict *verdict)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	struct push push = {.peer = peer,
			    .segment = segment,
			    .body = body,
			    .body_bytes = body_bytes,
			    .now_ns = now_ns,
			    .verdict = verdict};
	int result;

	memset(verdict, 0, sizeof(*verdict));
	if (!segment)
		return reject(verdict, "not a segment");
	verdict->seq = segment->seq;
	result = judge(txn, &push);
	weir__wire__segment__free_unpacked(segment, NULL);
	return result;
}
