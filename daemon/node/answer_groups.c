// SPDX-License-Identifier: GPL-2.0
/* answer_groups.c - VERB_GROUPS: any figures by any fields; VERB_TOP: the usual three. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/answer.h"
#include "daemon/query/measure.h"
#include "daemon/wire/convert.h"

enum {
	GROUPS_A_PART = 4096, /* of at most some 130 bytes each */
	TOP_MEASURES = 3,     /* in the order of enum weir_order */
};

/* Groups of one Part, until it is full. */
struct batch {
	struct weir_answer *answer;
	const struct weir_query_spec *spec;
	struct weir_query_rest rest;
	uint32_t count;
	bool sent; /* one Part at least */
	uint8_t keys[GROUPS_A_PART * WEIR_FIELDS_KEY_MAX];
	uint64_t values[GROUPS_A_PART * WEIR_QUERY_MEASURES_MAX];
};

static int send_groups(struct batch *batch)
{
	Weir__Wire__Remainder remainder = WEIR__WIRE__REMAINDER__INIT;
	Weir__Wire__Groups groups = WEIR__WIRE__GROUPS__INIT;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;

	if (!batch->count)
		return 0;
	groups.count = batch->count;
	groups.keys.data = batch->keys;
	groups.keys.len = (size_t)batch->count * batch->spec->fields.key_bytes;
	groups.values = batch->values;
	groups.n_values = (size_t)batch->count * batch->spec->measures;
	groups.incomplete = weir_answer_lacks(batch->answer);
	part.groups = &groups;
	remainder.groups = batch->rest.groups;
	remainder.values = batch->rest.value;
	remainder.n_values = batch->spec->measures;
	if (!batch->sent)
		part.remainder = &remainder;
	batch->count = 0;
	batch->sent = true;
	return weir_job_part(batch->answer->job, &part);
}

static int add_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	struct batch *batch = arg;
	unsigned key_bytes = batch->spec->fields.key_bytes, measures = batch->spec->measures;

	memcpy(batch->keys + (size_t)batch->count * key_bytes, key, key_bytes);
	memcpy(batch->values + (size_t)batch->count * measures, value, measures * sizeof(*value));
	return ++batch->count == GROUPS_A_PART ? send_groups(batch) : 0;
}

static bool parse_fields(struct weir_answer *answer, struct weir_fields *fields)
{
	const char *word = "";
	char error[512];

	if (weir_fields_parse(answer->ask->fields, fields, &word) == 0) {
		weir_fields_bind(fields, answer->names);
		return true;
	}
	weir_job_fail(answer->job, -EINVAL, 0, "%s",
		      weir_fields_complain(answer->ask->fields, word, error, sizeof(error)));
	return false;
}

static bool parse_spec(struct weir_answer *answer, struct weir_query_spec *spec)
{
	const Weir__Wire__Ask *ask = answer->ask;
	char error[512];

	memset(spec, 0, sizeof(*spec));
	if (!parse_fields(answer, &spec->fields))
		return false;
	if (!ask->n_measures || ask->n_measures > WEIR_QUERY_MEASURES_MAX ||
	    ask->order_column >= ask->n_measures) {
		weir_job_fail(answer->job, -EINVAL, 0, "1 to %d figures can be asked for at once",
			      WEIR_QUERY_MEASURES_MAX);
		return false;
	}
	for (size_t i = 0; i < ask->n_measures; i++) {
		if (weir_measure_parse(ask->measures[i], &spec->measure[i], error, sizeof(error))) {
			weir_job_fail(answer->job, -EINVAL, 0, "%s", error);
			return false;
		}
		weir_fields_bind(&spec->measure[i].distinct, answer->names);
	}
	spec->measures = (unsigned)ask->n_measures;
	spec->order = ask->by_key ? WEIR_ORDER_KEY : (int)ask->order_column;
	spec->reverse = ask->ascending && !ask->by_key;
	spec->limit = ask->limit;
	return true;
}

void weir_answer_groups(struct weir_answer *answer)
{
	struct weir_query_spec spec;
	struct batch *batch;
	int result = -ENOMEM;

	if (!parse_spec(answer, &spec))
		return;
	batch = malloc(sizeof(*batch));
	if (batch) {
		batch->answer = answer;
		batch->spec = &spec;
		batch->count = 0;
		batch->sent = false;
		weir_answer_horizon(answer);
		result = weir_query_groups(answer->node->store, &answer->query, &spec, add_group,
					   batch, &batch->rest, &answer->result);
		if (result == 0)
			result = send_groups(batch);
	}
	weir_answer_end(answer, result);
	free(batch);
}

struct lines {
	struct weir_answer *answer;
	unsigned key_bytes, count;
	bool sent;
	struct weir_query_rest rest;
	uint8_t keys[GROUPS_A_PART * WEIR_FIELDS_KEY_MAX];
	Weir__Wire__Line line[GROUPS_A_PART];
	Weir__Wire__Totals low[GROUPS_A_PART];
	Weir__Wire__Line *pointer[GROUPS_A_PART];
};

static struct weir_totals totals_of(const uint64_t value[TOP_MEASURES])
{
	return (struct weir_totals){.flows = value[WEIR_BY_FLOWS],
				    .packets = value[WEIR_BY_PACKETS],
				    .bytes = value[WEIR_BY_BYTES]};
}

/* Every Part has the rest of the whole answer: who reads it takes that of the last. */
static int send_lines(struct lines *lines)
{
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Top top = WEIR__WIRE__TOP__INIT;
	struct weir_totals rest = totals_of(lines->rest.value);
	bool exact = !weir_answer_lacks(lines->answer);
	Weir__Wire__Totals rest_totals;

	if (!lines->count && lines->sent)
		return 0;
	weir_convert_totals_put(&rest_totals, &rest);
	top.n_lines = lines->count;
	top.lines = lines->pointer;
	top.exact = top.rest_groups_exact = exact;
	top.lower_bounds_only = !exact;
	top.rest_groups = lines->rest.groups;
	top.rest = &rest_totals;
	part.top = &top;
	lines->count = 0;
	lines->sent = true;
	return weir_job_part(lines->answer->job, &part);
}

static int add_line(void *arg, const uint8_t *key, const uint64_t *value)
{
	struct lines *lines = arg;
	unsigned i = lines->count++;
	struct weir_totals low = totals_of(value);
	Weir__Wire__Line *line = &lines->line[i];

	weir__wire__line__init(line);
	line->key.data = lines->keys + (size_t)i * lines->key_bytes;
	line->key.len = lines->key_bytes;
	memcpy(line->key.data, key, lines->key_bytes);
	weir_convert_totals_put(&lines->low[i], &low);
	line->low = &lines->low[i];
	lines->pointer[i] = line;
	return lines->count == GROUPS_A_PART ? send_lines(lines) : 0;
}

void weir_answer_top(struct weir_answer *answer)
{
	static const char *const sums[TOP_MEASURES] = {
		[WEIR_BY_BYTES] = "bytes", [WEIR_BY_PACKETS] = "packets", [WEIR_BY_FLOWS] = "flows"};
	const Weir__Wire__Ask *ask = answer->ask;
	struct weir_query_spec spec = {.measures = TOP_MEASURES,
				       .limit = ask->partial ? 0 : ask->limit};
	struct lines *lines;
	int result = -ENOMEM;

	if (!parse_fields(answer, &spec.fields))
		return;
	for (unsigned i = 0; i < TOP_MEASURES; i++)
		spec.measure[i].quantity = weir_quantity_find(sums[i], strlen(sums[i]));
	spec.order = ask->order < TOP_MEASURES ? (int)ask->order : WEIR_BY_BYTES;
	if (weir_answer_rolled_top(answer, &spec))
		return;
	weir_answer_horizon(answer);
	lines = malloc(sizeof(*lines));
	if (lines) {
		lines->answer = answer;
		lines->key_bytes = spec.fields.key_bytes;
		lines->count = 0;
		lines->sent = false;
		result = weir_query_groups(answer->node->store, &answer->query, &spec, add_line,
					   lines, &lines->rest, &answer->result);
		if (result == 0)
			result = send_lines(lines);
	}
	weir_answer_end(answer, result);
	free(lines);
}
