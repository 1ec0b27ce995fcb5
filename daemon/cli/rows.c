// SPDX-License-Identifier: GPL-2.0
/*
 * rows.c - figures by fields for programs; rows_table.c has them for people.
 *
 * CSV and JSON lines have the same columns: the fields, the figures, and for each figure the
 * upper bound, "bytes_high", which is empty (null) where none is known.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/groups.h"
#include "daemon/cli/json.h"
#include "daemon/common/text.h"

/* A row a line, and nothing after the last. */
static bool is_lines(const struct weir_cli_groups *g)
{
	return g->options->csv || g->options->output == WEIR_OUTPUT_JSON_LINES ||
	       (g->options->json && g->series_ns);
}

bool weir_cli_rows_stream(const struct weir_cli_groups *g)
{
	/* A series of times alone is filled up first, see series.c. */
	return !g->hold && is_lines(g);
}

static const uint8_t *key_at(const struct weir_cli_groups *g, size_t row)
{
	return g->keys + row * g->fields.key_bytes;
}

static const uint64_t *low_at(const struct weir_cli_groups *g, size_t row)
{
	return g->low + row * g->measures;
}

static const uint64_t *high_at(const struct weir_cli_groups *g, size_t row)
{
	return g->high + row * g->measures;
}

/* A series has a column "time" whatever its steps are, so that a script need not know them. */
static const char *field_name(const struct weir_cli_groups *g, unsigned field, char *text,
			      size_t bytes)
{
	if (g->series_ns && field == 0)
		return "time";
	return weir_fields_name(&g->fields, field, text, bytes);
}

/* The value of a field for programs. */
static const char *field_text(const struct weir_cli_groups *g, unsigned field, const uint8_t *key,
			      char *text, size_t bytes)
{
	uint64_t ns;

	if (weir_cli_groups_time(g, field, key, &ns))
		return weir_cli_time_exact(ns, text, bytes);
	return weir_fields_text(&g->fields, field, key, text, bytes);
}

static void write_csv(struct weir_cli_groups *g)
{
	char text[WEIR_MEASURE_NAME];

	for (unsigned i = 0; i < g->fields.count && !g->heads_written; i++)
		printf("%s%s", i ? "," : "", field_name(g, i, text, sizeof(text)));
	for (unsigned i = 0; i < 2 * g->measures && !g->heads_written; i++)
		printf(",%s%s", g->name[i % g->measures], i < g->measures ? "" : "_high");
	if (!g->heads_written)
		putchar('\n');
	g->heads_written = true;
	for (size_t row = 0; row < g->count; row++) {
		const uint64_t *low = low_at(g, row), *high = high_at(g, row);

		for (unsigned i = 0; i < g->fields.count; i++) {
			if (i)
				putchar(',');
			weir_cli_csv_text(field_text(g, i, key_at(g, row), text, sizeof(text)));
		}
		for (unsigned i = 0; i < g->measures; i++)
			printf(",%" PRIu64, low[i]);
		for (unsigned i = 0; i < g->measures; i++) {
			if (g->lower_bounds_only)
				putchar(',');
			else
				printf(",%" PRIu64, high[i]);
		}
		putchar('\n');
	}
}

static void add_fields(const struct weir_cli_groups *g, json_t *object, const uint8_t *key)
{
	char text[WEIR_FIELDS_TEXT_MAX], buffer[64];
	uint64_t value;

	for (unsigned i = 0; i < g->fields.count; i++) {
		const char *name = field_name(g, i, buffer, sizeof(buffer));

		if (!weir_cli_groups_time(g, i, key, &value) &&
		    weir_fields_number(&g->fields, i, key, &value))
			json_object_set_new(object, name, weir_cli_json_number(value));
		else
			json_object_set_new(object, name,
					    weir_cli_json_string(field_text(g, i, key, text,
									    sizeof(text))));
	}
}

static int write_json_lines(struct weir_cli_groups *g)
{
	int ret = 0;

	for (size_t row = 0; row < g->count && !ret; row++) {
		const uint64_t *low = low_at(g, row), *high = high_at(g, row);
		json_t *object = json_object();
		char name[WEIR_MEASURE_NAME + 8];

		add_fields(g, object, key_at(g, row));
		for (unsigned i = 0; i < g->measures; i++)
			json_object_set_new(object, g->name[i], weir_cli_json_number(low[i]));
		for (unsigned i = 0; i < g->measures; i++) {
			snprintf(name, sizeof(name), "%s_high", g->name[i]);
			json_object_set_new(object, name,
					    g->lower_bounds_only ?
						    json_null() :
						    weir_cli_json_number(high[i]));
		}
		ret = weir_cli_json_print(object, true);
	}
	return ret;
}

static json_t *figures(const struct weir_cli_groups *g, const uint64_t *values)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < g->measures; i++)
		json_object_set_new(object, g->name[i], weir_cli_json_number(values[i]));
	return object;
}

static json_t *missing_json(const Weir__Wire__End *end)
{
	json_t *array = json_array();

	for (size_t i = 0; end && i < end->n_missing; i++) {
		json_t *one = json_object();

		json_object_set_new(one, "node", weir_cli_json_string(end->missing[i]->node));
		json_object_set_new(one, "reason", weir_cli_json_string(end->missing[i]->reason));
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *notes_json(const Weir__Wire__End *end)
{
	json_t *array = json_array();

	for (size_t i = 0; end && i < end->n_notes; i++)
		json_array_append_new(array, weir_cli_json_string(end->notes[i]));
	return array;
}

static int write_json(const struct weir_cli_groups *g, const struct weir_cli_answer *answer)
{
	json_t *object = json_object(), *lines = json_array();

	for (size_t row = 0; row < g->count; row++) {
		json_t *line = json_object();

		add_fields(g, line, key_at(g, row));
		json_object_set_new(line, "low", figures(g, low_at(g, row)));
		json_object_set_new(line, "high", g->lower_bounds_only ?
							  json_null() :
							  figures(g, high_at(g, row)));
		json_array_append_new(lines, line);
	}
	json_object_set_new(object, "order", json_string(g->name[g->order]));
	json_object_set_new(object, "exact", json_boolean(g->exact));
	json_object_set_new(object, "all", weir_cli_json_totals(&g->matched));
	json_object_set_new(object, "lines", lines);
	json_object_set_new(object, "rest_groups", weir_cli_json_number(g->rest_groups));
	json_object_set_new(object, "rest_groups_exact", json_boolean(g->rest_groups_exact));
	json_object_set_new(object, "rest", figures(g, g->rest));
	json_object_set_new(object, "missing", missing_json(answer->end));
	json_object_set_new(object, "notes", notes_json(answer->end));
	return weir_cli_json_print(object, false);
}

void weir_cli_rows_write(struct weir_cli_groups *g)
{
	if (g->options->csv)
		write_csv(g);
	else if (write_json_lines(g))
		g->failed = true;
	g->count = 0;
}

int weir_cli_rows_end(struct weir_cli_groups *g, const struct weir_cli_answer *answer)
{
	if (is_lines(g)) {
		weir_cli_rows_write(g);
		return g->failed ? -ENOMEM : 0;
	}
	return g->options->json ? write_json(g, answer) : weir_cli_rows_table(g);
}
