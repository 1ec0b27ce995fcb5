// SPDX-License-Identifier: GPL-2.0
/*
 * segment.c - a summary as a message of weir.proto.
 *
 * The message is built from malloc'ed parts that generated code can free as one;
 * then packed, hashed and thrown away. The bytes are what is stored and sent:
 * nobody encodes them again, so the hash holds whatever the encoder does.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/segment.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/hash.h"

struct builder {
	Weir__Wire__Segment *segment;
	bool failed; /* no memory; sticky */
};

static void *get(struct builder *b, size_t count, size_t bytes)
{
	void *memory = calloc(count ? count : 1, bytes);

	b->failed |= !memory;
	return memory;
}

static void put_bytes(struct builder *b, ProtobufCBinaryData *to, const void *from, size_t bytes)
{
	to->data = get(b, 1, bytes);
	if (!to->data)
		return;
	memcpy(to->data, from, bytes);
	to->len = bytes;
}

static char *put_text(struct builder *b, const char *from)
{
	char *text = strdup(from);

	b->failed |= !text;
	return text;
}

static Weir__Wire__Totals *put_totals(struct builder *b, const struct weir_totals *from)
{
	Weir__Wire__Totals *totals = get(b, 1, sizeof(*totals));

	if (totals)
		weir_convert_totals_put(totals, from);
	return totals;
}

static void put_list(struct builder *b, Weir__Wire__Totals ***to, size_t *to_count,
		     const struct weir_totals *from, size_t count)
{
	*to = get(b, count, sizeof(**to));
	for (size_t i = 0; *to && i < count; i++) {
		(*to)[i] = put_totals(b, &from[i]);
		if (!(*to)[i])
			return;
		*to_count = i + 1;
	}
}

static void put_top(struct builder *b, Weir__Wire__Dimension *to, unsigned key_bytes,
		    const struct weir_summary_row *rows, size_t count)
{
	to->top = get(b, count, sizeof(*to->top));
	for (size_t i = 0; to->top && i < count && !b->failed; i++) {
		Weir__Wire__Entry *entry = get(b, 1, sizeof(*entry));

		if (!entry)
			return;
		weir__wire__entry__init(entry);
		to->top[to->n_top++] = entry;
		put_bytes(b, &entry->key, rows[i].key, key_bytes);
		entry->totals = put_totals(b, &rows[i].totals);
	}
}

static void put_dimension(struct builder *b, Weir__Wire__Dimension *to,
			  const struct weir_summary *summary, enum weir_summary_dimension which,
			  uint64_t limit)
{
	struct weir_summary_row *rows;
	struct weir_rest rest;
	size_t count;

	weir__wire__dimension__init(to);
	to->fields = put_text(b, weir_summary_words(which));
	if (b->failed || weir_summary_top(summary, which, limit, &rows, &count, &rest)) {
		b->failed = true;
		return;
	}
	put_top(b, to, weir_summary_key_bytes(which), rows, count);
	free(rows);
	to->rest_groups = rest.groups;
	to->rest = put_totals(b, &rest.totals);
	to->largest = put_totals(b, &rest.largest);
}

static void put_dimensions(struct builder *b, const struct weir_summary *summary, uint64_t limit)
{
	Weir__Wire__Segment *segment = b->segment;

	segment->dimensions = get(b, WEIR_SUMMARY_DIMENSIONS, sizeof(*segment->dimensions));
	for (unsigned i = 0; i < WEIR_SUMMARY_DIMENSIONS && !b->failed; i++) {
		Weir__Wire__Dimension *dimension = get(b, 1, sizeof(*dimension));

		if (!dimension)
			return;
		segment->dimensions[segment->n_dimensions++] = dimension;
		put_dimension(b, dimension, summary, (enum weir_summary_dimension)i, limit);
	}
}

/* The interface with index @index, appended if the list has none. */
static Weir__Wire__Interface *interface(struct builder *b, uint32_t index)
{
	Weir__Wire__Segment *segment = b->segment;
	Weir__Wire__Interface *new;
	char name[IF_NAMESIZE] = "";

	for (size_t i = 0; i < segment->n_interfaces; i++)
		if (segment->interfaces[i]->index == index)
			return segment->interfaces[i];
	new = get(b, 1, sizeof(*new));
	if (!new)
		return NULL;
	weir__wire__interface__init(new);
	segment->interfaces[segment->n_interfaces++] = new;
	new->index = index;
	if (index && !if_indextoname(index, name))
		*name = '\0';
	new->name = put_text(b, name);
	return new;
}

static int by_index(const void *a, const void *b)
{
	const Weir__Wire__Interface *const *x = a, *const *y = b;

	return (*x)->index < (*y)->index ? -1 : (*x)->index > (*y)->index;
}

static void put_interfaces(struct builder *b, const struct weir_summary *summary)
{
	const struct weir_groups *in = &summary->in, *out = &summary->out;

	b->segment->interfaces =
		get(b, (size_t)in->count + out->count, sizeof(*b->segment->interfaces));
	for (uint32_t number = 1; number <= in->count && !b->failed; number++) {
		const struct weir_groups_entry *entry = weir_groups_at(in, number);
		Weir__Wire__Interface *to = interface(b, (uint32_t)entry->key[0]);

		if (to)
			to->in = put_totals(b, &entry->totals);
	}
	for (uint32_t number = 1; number <= out->count && !b->failed; number++) {
		const struct weir_groups_entry *entry = weir_groups_at(out, number);
		Weir__Wire__Interface *to = interface(b, (uint32_t)entry->key[0]);

		if (to)
			to->out = put_totals(b, &entry->totals);
	}
	if (!b->failed)
		qsort(b->segment->interfaces, b->segment->n_interfaces,
		      sizeof(*b->segment->interfaces), by_index);
}

static void put_kernel(struct builder *b, const struct weir_kernel_stats *from)
{
	Weir__Wire__Kernel *to = get(b, 1, sizeof(*to));

	if (!to)
		return;
	weir__wire__kernel__init(to);
	b->segment->kernel = to;
	to->instance = from->instance;
	to->seen = put_totals(b, &from->seen);
	to->table = put_totals(b, &from->table);
	to->pending = put_totals(b, &from->pending);
	to->acked = put_totals(b, &from->acked);
	put_list(b, &to->lost, &to->n_lost, from->lost, __WEIR_LOST_COUNT);
	put_list(b, &to->skipped, &to->n_skipped, from->skipped, __WEIR_SKIP_COUNT);
	to->seq = from->seq;
	to->acked_seq = from->acked_seq;
	to->numbered = put_totals(b, &from->numbered);
}

static void put_ledger(struct builder *b, const struct weir_store_state *state)
{
	const struct weir_store_position *from = &state->position;
	Weir__Wire__Ledger *to = get(b, 1, sizeof(*to));

	if (!to)
		return;
	weir__wire__ledger__init(to);
	b->segment->ledger = to;
	to->instance = from->instance;
	to->seq = from->seq;
	to->numbered = put_totals(b, &from->numbered);
	to->received = put_totals(b, &from->received);
	to->before = put_totals(b, &from->before);
	to->missing_batches = from->missing_batches;
	to->missing = put_totals(b, &from->missing);
	to->instances = from->instances;
	to->refused = put_totals(b, &from->refused);
	to->missing_before = put_totals(b, &from->missing_before);
	to->instances_unfinished = from->instances_unfinished;
	to->lost = put_totals(b, &from->lost);
	to->refused_before = put_totals(b, &from->refused_before);
	to->stored = put_totals(b, &state->stored);
}

static void put_head(struct builder *b, const struct weir_summary *summary,
		     const struct weir_summary_frame *frame, const struct weir_store_summed *next)
{
	const struct weir_store_summed *last = &frame->state->summed;
	Weir__Wire__Segment *to = b->segment;

	put_bytes(b, &to->node_id, frame->identity->node_id, sizeof(frame->identity->node_id));
	put_bytes(b, &to->epoch, frame->identity->epoch, sizeof(frame->identity->epoch));
	put_bytes(b, &to->prev_hash, last->hash, sizeof(last->hash));
	to->seq = next->seq;
	to->start_ns = frame->start_ns;
	to->end_ns = frame->end_ns;
	to->first_block = last->block + 1;
	to->last_block = next->block;
	to->totals = put_totals(b, &summary->totals);
	to->cumulative = put_totals(b, &next->totals);
	to->name = put_text(b, frame->name);
	to->software = put_text(b, "weir-node " WEIR_VERSION);
}

int weir_summary_encode(const struct weir_summary *summary, const struct weir_summary_frame *frame,
			uint8_t **body, size_t *body_bytes, struct weir_store_summed *next)
{
	struct builder b = {0};
	int ret = -ENOMEM;

	b.segment = get(&b, 1, sizeof(*b.segment));
	if (!b.segment)
		return -ENOMEM;
	weir__wire__segment__init(b.segment);
	*next = frame->state->summed;
	next->seq++;
	if (summary->last_block)
		next->block = summary->last_block;
	next->start_ns = frame->start_ns;
	next->end_ns = frame->end_ns;
	weir_totals_add(&next->totals, &summary->totals);
	put_head(&b, summary, frame, next);
	put_dimensions(&b, summary, frame->top);
	put_interfaces(&b, summary);
	if (frame->kernel)
		put_kernel(&b, frame->kernel);
	put_ledger(&b, frame->state);
	if (!b.failed) {
		*body_bytes = weir__wire__segment__get_packed_size(b.segment);
		*body = malloc(*body_bytes);
		if (*body) {
			weir__wire__segment__pack(b.segment, *body);
			ret = weir_hash_segment(*body, *body_bytes, next->hash);
		}
		if (*body && ret)
			free(*body);
	}
	weir__wire__segment__free_unpacked(b.segment, NULL);
	return ret;
}
