// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/merge.h"
#include "daemon/query/fields.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/dimension.h"
#include "daemon/wire/frame.h"

/* Interfaces have lists of their own in a segment. */
enum { IN = 4, OUT = 5 };

const char *const weir_merge_words[WEIR_MERGE_DIMENSIONS] = {"host",  "src,dst", "service",
							      "proto", "in_if",	  "out_if"};

struct dimension {
	struct weir_bounds *bounds; /* NULL: not wanted */
	unsigned key_bytes;
};

struct weir_merge {
	struct dimension dimension[WEIR_MERGE_DIMENSIONS];
	struct weir_rollup_head head;
};

int weir_merge_find(const char *fields)
{
	for (int i = 0; i < WEIR_MERGE_DIMENSIONS; i++)
		if (!strcmp(weir_merge_words[i], fields))
			return i;
	return -1;
}

int weir_merge_new(int only, struct weir_merge **merge)
{
	struct weir_merge *new = calloc(1, sizeof(*new));
	int ret = new ? 0 : -ENOMEM;

	for (int i = 0; i < WEIR_MERGE_DIMENSIONS && !ret; i++) {
		struct weir_fields fields;

		ret = weir_fields_parse(weir_merge_words[i], &fields, NULL);
		if (ret)
			break;
		new->dimension[i].key_bytes = fields.key_bytes;
		/* What is merged is bounded already: so many lists of so many keys. */
		if (only < 0 || only == i)
			ret = weir_bounds_new(fields.key_bytes, UINT32_MAX - 1,
					      &new->dimension[i].bounds);
	}
	if (ret) {
		weir_merge_free(new);
		return ret;
	}
	*merge = new;
	return 0;
}

void weir_merge_free(struct weir_merge *merge)
{
	if (!merge)
		return;
	for (unsigned i = 0; i < WEIR_MERGE_DIMENSIONS; i++)
		weir_bounds_free(merge->dimension[i].bounds);
	free(merge);
}

const struct weir_rollup_head *weir_merge_head(const struct weir_merge *merge)
{
	return &merge->head;
}

struct weir_bounds *weir_merge_bounds(struct weir_merge *merge, int dimension)
{
	return merge->dimension[dimension].bounds;
}

/* @next comes behind what is there. */
static void extend(struct weir_rollup_head *head, const struct weir_rollup_head *next)
{
	if (!head->last_segment) {
		*head = *next;
		return;
	}
	if (next->start_ns < head->start_ns)
		head->start_ns = next->start_ns;
	if (next->end_ns > head->end_ns)
		head->end_ns = next->end_ns;
	head->last_segment = next->last_segment;
	if (next->last_block > head->last_block)
		head->last_block = next->last_block;
	weir_totals_add(&head->totals, &next->totals);
	head->cumulative = next->cumulative;
}

static int add_dimension(struct dimension *to, const char *words,
			 Weir__Wire__Dimension *const *dimensions, size_t count,
			 const struct weir_totals *totals)
{
	const Weir__Wire__Dimension *dimension =
		weir_dimension_find(dimensions, count, words, to->key_bytes);

	if (dimension)
		return weir_dimension_add(to->bounds, dimension);
	/* Of a version that did not have it. */
	weir_bounds_add_unlisted(to->bounds, totals);
	return 0;
}

static int add_interfaces(struct dimension *to, const Weir__Wire__Segment *segment, bool in)
{
	int ret = 0;

	for (size_t i = 0; i < segment->n_interfaces && !ret; i++) {
		const Weir__Wire__Interface *interface = segment->interfaces[i];
		const Weir__Wire__Totals *message = in ? interface->in : interface->out;
		struct weir_totals totals = weir_convert_totals_get(message);
		uint32_t key = htonl(interface->index);

		if (message)
			ret = weir_bounds_add_exact(to->bounds, (const uint8_t *)&key, &totals);
	}
	return ret;
}

static struct weir_rollup_head head_of(const Weir__Wire__Segment *segment)
{
	return (struct weir_rollup_head){.start_ns = segment->start_ns,
					 .end_ns = segment->end_ns,
					 .first_segment = segment->seq,
					 .last_segment = segment->seq,
					 .first_block = segment->first_block,
					 .last_block = segment->last_block,
					 .totals = weir_convert_totals_get(segment->totals),
					 .cumulative = weir_convert_totals_get(segment->cumulative)};
}

int weir_merge_add_segment(struct weir_merge *merge, const void *body, size_t body_bytes)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	struct weir_rollup_head head;
	int ret = 0;

	if (!segment)
		return -EBADMSG;
	head = head_of(segment);
	for (int i = 0; i < WEIR_MERGE_DIMENSIONS && !ret; i++) {
		struct dimension *to = &merge->dimension[i];

		if (!to->bounds)
			continue;
		ret = i < IN ? add_dimension(to, weir_merge_words[i], segment->dimensions,
					     segment->n_dimensions, &head.totals) :
			       add_interfaces(to, segment, i == IN);
	}
	extend(&merge->head, &head);
	weir__wire__segment__free_unpacked(segment, NULL);
	return ret;
}

int weir_merge_add_rollup(struct weir_merge *merge, const struct weir_rollup_head *head,
			  const void *body, size_t body_bytes)
{
	Weir__Wire__Rollup *rollup =
		weir_frame_unpack(&weir__wire__rollup__descriptor, body, body_bytes);
	int ret = 0;

	if (!rollup)
		return -EBADMSG;
	for (int i = 0; i < WEIR_MERGE_DIMENSIONS && !ret; i++) {
		struct dimension *to = &merge->dimension[i];

		if (to->bounds)
			ret = add_dimension(to, weir_merge_words[i], rollup->dimensions,
					    rollup->n_dimensions, &head->totals);
	}
	extend(&merge->head, head);
	weir__wire__rollup__free_unpacked(rollup, NULL);
	return ret;
}

/* A Dimension and all it points to. */
struct encoded {
	Weir__Wire__Dimension message;
	Weir__Wire__Totals rest, largest;
	struct line {
		Weir__Wire__Entry entry;
		Weir__Wire__Totals low, high;
	} *lines;
	struct weir_bounds_result result;
};

static int encode_dimension(const struct dimension *from, const char *words, size_t top,
			    struct encoded *to)
{
	int ret = weir_bounds_result(from->bounds, WEIR_BY_BYTES, top, &to->result);
	size_t count = to->result.count;

	weir__wire__dimension__init(&to->message);
	if (ret)
		return ret;
	to->lines = calloc(count + 1, sizeof(*to->lines));
	to->message.top = calloc(count + 1, sizeof(*to->message.top));
	if (!to->lines || !to->message.top)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct weir_bounds_line *line = &to->result.lines[i];
		Weir__Wire__Entry *entry = &to->lines[i].entry;

		weir__wire__entry__init(entry);
		entry->key.data = (uint8_t *)line->key;
		entry->key.len = from->key_bytes;
		weir_convert_totals_put(&to->lines[i].low, &line->low);
		entry->totals = &to->lines[i].low;
		weir_convert_totals_put(&to->lines[i].high, &line->high);
		if (!weir_totals_equal(&line->low, &line->high))
			entry->high = &to->lines[i].high;
		to->message.top[to->message.n_top++] = entry;
	}
	to->message.fields = (char *)words;
	to->message.rest_groups = to->result.rest_groups;
	to->message.incomplete = to->result.incomplete;
	weir_convert_totals_put(&to->rest, &to->result.rest);
	weir_convert_totals_put(&to->largest, &to->result.largest);
	to->message.rest = &to->rest;
	to->message.largest = &to->largest;
	return 0;
}

int weir_merge_encode(const struct weir_merge *merge, size_t top, void **body, size_t *body_bytes)
{
	struct encoded encoded[WEIR_MERGE_DIMENSIONS] = {0};
	Weir__Wire__Dimension *pointer[WEIR_MERGE_DIMENSIONS];
	Weir__Wire__Rollup rollup = WEIR__WIRE__ROLLUP__INIT;
	int ret = 0;

	rollup.dimensions = pointer;
	for (int i = 0; i < WEIR_MERGE_DIMENSIONS && !ret; i++) {
		/* There are few interfaces, and nobody ranks them. */
		ret = encode_dimension(&merge->dimension[i], weir_merge_words[i],
				       i < IN ? top : SIZE_MAX, &encoded[i]);
		pointer[rollup.n_dimensions++] = &encoded[i].message;
	}
	if (!ret) {
		*body_bytes = weir__wire__rollup__get_packed_size(&rollup);
		*body = malloc(*body_bytes + 1);
		ret = *body ? 0 : -ENOMEM;
	}
	if (!ret)
		weir__wire__rollup__pack(&rollup, *body);
	for (int i = 0; i < WEIR_MERGE_DIMENSIONS; i++) {
		free(encoded[i].lines);
		free(encoded[i].message.top);
		free(encoded[i].result.lines);
	}
	return ret;
}
