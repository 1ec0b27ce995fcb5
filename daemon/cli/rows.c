// SPDX-License-Identifier: GPL-2.0
/*
 * rows.c - figures by fields for people (a table) and for programs.
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
	return !(g->series_ns && g->fields.count == 1) && is_lines(g);
}

static const uint8_t *key_at(const struct weir_cli_groups *g, size_t row)
{
	return g->keys + row * g->fields.key_bytes;
}

static bool is_time(const struct weir_cli_groups *g, unsigned field)
{
	return !strcmp(weir_fields_word(&g->fields, field), "time");
}

/* A series has a column "time" whatever its steps are, so that a script need not know them. */
static const char *field_name(const struct weir_cli_groups *g, unsigned field, char *text,
			      size_t bytes)
{
	if (g->series_ns && field == 0)
		return "time";
	return weir_fields_name(&g->fields, field, text, bytes);
}

static uint64_t time_of(const struct weir_cli_groups *g, unsigned field, const uint8_t *key)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < 8; i++)
		ns = ns << 8 | key[g->fields.use[field].offset + i];
	return ns;
}

/* The value of a field for programs. */
static const char *field_text(const struct weir_cli_groups *g, unsigned field, const uint8_t *key,
			      char *text, size_t bytes)
{
	if (is_time(g, field))
		return weir_cli_time_exact(time_of(g, field, key), text, bytes);
	return weir_fields_text(&g->fields, field, key, text, bytes);
}

/* For people. */
static void field_cell(const struct weir_cli_groups *g, struct weir_cli_table *table,
		       unsigned field, const uint8_t *key)
{
	char text[WEIR_FIELDS_TEXT_MAX], named[WEIR_FIELDS_TEXT_MAX + 40];
	const char *name = NULL;
	unsigned port;
	uint8_t protocol;
	char *slash;

	if (is_time(g, field)) {
		weir_cli_table_cell(table, weir_cli_time_local(time_of(g, field, key), 0, text,
							       sizeof(text)));
		return;
	}
	weir_fields_text(&g->fields, field, key, text, sizeof(text));
	slash = strchr(text, '/');
	if (slash && !strcmp(weir_fields_word(&g->fields, field), "service") &&
	    sscanf(slash + 1, "%u", &port) == 1) {
		*slash = '\0';
		if (!weir_text_parse_protocol(text, &protocol) && weir_fields_has_ports(protocol))
			name = weir_cli_service_name(protocol, (uint16_t)port);
		*slash = '/';
	}
	snprintf(named, sizeof(named), name ? "%s (%s)" : "%s", text, name);
	weir_cli_table_cell(table, named);
}

/* Shares are shown of sums whose whole is known. */
static bool whole_of(const struct weir_cli_groups *g, unsigned measure, uint64_t *whole)
{
	const struct weir_measure *m = &g->measure[measure];

	if (m->kind != WEIR_MEASURE_SUM)
		return false;
	if (!strcmp(m->quantity->word, "bytes"))
		*whole = g->matched.bytes;
	else if (!strcmp(m->quantity->word, "packets"))
		*whole = g->matched.packets;
	else if (!strcmp(m->quantity->word, "flows"))
		*whole = g->matched.flows;
	else
		return false;
	return true;
}

static bool has_share(const struct weir_cli_groups *g, unsigned measure)
{
	uint64_t whole;

	return !g->series_ns && whole_of(g, measure, &whole) &&
	       strcmp(g->measure[measure].quantity->word, "flows");
}

static const char *figure_text(const struct weir_cli_groups *g, unsigned measure, uint64_t value,
			       char *text, size_t bytes)
{
	const struct weir_measure *m = &g->measure[measure];

	if (m->kind == WEIR_MEASURE_DISTINCT || g->options->exact)
		return weir_cli_show_number(value, g->options->exact, text, bytes);
	return weir_quantity_text(m->quantity, value, text, bytes);
}

/* "12.3 M", or "12.3 M .. 12.9 M". */
static void figure_cell(const struct weir_cli_groups *g, struct weir_cli_table *table,
			unsigned measure, uint64_t low, uint64_t high)
{
	char a[32], b[32], text[80];

	figure_text(g, measure, low, a, sizeof(a));
	if (low == high)
		snprintf(text, sizeof(text), "%s", a);
	else
		snprintf(text, sizeof(text), "%s .. %s", a,
			 figure_text(g, measure, high, b, sizeof(b)));
	weir_cli_table_cell(table, text);
}

static void share_cell(const struct weir_cli_groups *g, struct weir_cli_table *table,
		       unsigned measure, uint64_t part)
{
	uint64_t whole = 0;
	char text[32];

	whole_of(g, measure, &whole);
	snprintf(text, sizeof(text), "%.1f", whole ? 100.0 * (double)part / (double)whole : 0.0);
	weir_cli_table_cell(table, text);
}

/* Bits a second, the mean of each step of a series. */
static bool has_rate(const struct weir_cli_groups *g)
{
	return g->series_ns && g->measure[0].kind == WEIR_MEASURE_SUM &&
	       !strcmp(g->measure[0].quantity->word, "bytes");
}

static void rate_cell(const struct weir_cli_groups *g, struct weir_cli_table *table, uint64_t bytes)
{
	unsigned __int128 bits = (unsigned __int128)bytes * 8 * 1000000000 / g->series_ns;
	char text[32];

	weir_cli_table_cell(table, weir_cli_show_number((uint64_t)bits, g->options->exact, text,
							sizeof(text)));
}

static void head(char *columns, size_t bytes, const char *mark, const char *name)
{
	size_t used = strlen(columns);

	snprintf(columns + used, bytes - used, "%s%s", used ? "|" : "", mark);
	for (used = strlen(columns); *name && used + 1 < bytes; name++)
		columns[used++] = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
	columns[used] = '\0';
}

static struct weir_cli_table *open_table(const struct weir_cli_groups *g)
{
	char columns[2048] = "", text[WEIR_MEASURE_NAME];

	for (unsigned i = 0; i < g->fields.count; i++)
		head(columns, sizeof(columns), "",
		     g->series_ns && !i ?
			     "time" :
			     weir_fields_title(&g->fields, i, text, sizeof(text)));
	for (unsigned i = 0; i < g->measures; i++) {
		const struct weir_measure *m = &g->measure[i];

		snprintf(text, sizeof(text), "%s", g->name[i]);
		if (!g->options->exact && m->kind != WEIR_MEASURE_DISTINCT &&
		    m->quantity->unit == WEIR_UNIT_NS)
			text[strlen(text) - 3] = '\0'; /* the unit is beside the figure */
		head(columns, sizeof(columns), ">", text);
		if (has_share(g, i))
			head(columns, sizeof(columns), ">", "%");
	}
	if (has_rate(g))
		head(columns, sizeof(columns), ">", "bits/s");
	return weir_cli_table_new(stdout, columns);
}

static void total_row(const struct weir_cli_groups *g, struct weir_cli_table *table,
		      const char *name, const uint64_t *values)
{
	weir_cli_table_cell(table, name);
	for (unsigned i = 1; i < g->fields.count; i++)
		weir_cli_table_cell(table, "");
	for (unsigned i = 0; i < g->measures; i++) {
		uint64_t whole, value = values ? values[i] : 0;
		bool known = values ? g->measure[i].kind != WEIR_MEASURE_DISTINCT :
				      whole_of(g, i, &whole);

		if (!values && known)
			value = whole;
		if (known)
			figure_cell(g, table, i, value, value);
		else
			weir_cli_table_cell(table, "");
		if (has_share(g, i))
			share_cell(g, table, i, value);
	}
}

static void closing_lines(const struct weir_cli_groups *g)
{
	if (g->fields.has_host)
		printf("A flow counts for both its hosts, so lines and rest add up to more than "
		       "all.\n");
	if (g->exact)
		printf("Exact.\n");
	else if (g->lower_bounds_only)
		printf("Lower bounds only: what is missing is not in them.\n");
	else
		printf("Not exact: true values lie in the ranges shown, and the order may differ "
		       "within them.\n");
}

static int write_table(const struct weir_cli_groups *g)
{
	struct weir_cli_table *table = open_table(g);
	char name[48];

	if (!table)
		return -ENOMEM;
	for (size_t row = 0; row < g->count; row++) {
		const uint64_t *low = g->low + row * g->measures, *high = g->high + row * g->measures;

		for (unsigned i = 0; i < g->fields.count; i++)
			field_cell(g, table, i, key_at(g, row));
		for (unsigned i = 0; i < g->measures; i++) {
			figure_cell(g, table, i, low[i], high[i]);
			if (has_share(g, i))
				share_cell(g, table, i, low[i]);
		}
		if (has_rate(g))
			rate_cell(g, table, low[0]);
	}
	if (!g->series_ns && g->rest_groups) {
		snprintf(name, sizeof(name), "rest (%s%" PRIu64 " more)",
			 g->rest_groups_exact ? "" : "at least ", g->rest_groups);
		total_row(g, table, name, g->rest);
	}
	if (!g->series_ns)
		total_row(g, table, "all", NULL);
	if (weir_cli_table_end(table))
		return -ENOMEM;
	closing_lines(g);
	return 0;
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
		const uint64_t *low = g->low + row * g->measures, *high = g->high + row * g->measures;

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

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static void add_fields(const struct weir_cli_groups *g, json_t *object, const uint8_t *key)
{
	char text[WEIR_FIELDS_TEXT_MAX], buffer[64];
	uint64_t value;

	for (unsigned i = 0; i < g->fields.count; i++) {
		const char *name = field_name(g, i, buffer, sizeof(buffer));

		if (!is_time(g, i) && weir_fields_number(&g->fields, i, key, &value))
			json_object_set_new(object, name, number(value));
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
		const uint64_t *low = g->low + row * g->measures, *high = g->high + row * g->measures;
		json_t *object = json_object();
		char name[WEIR_MEASURE_NAME + 8];

		add_fields(g, object, key_at(g, row));
		for (unsigned i = 0; i < g->measures; i++)
			json_object_set_new(object, g->name[i], number(low[i]));
		for (unsigned i = 0; i < g->measures; i++) {
			snprintf(name, sizeof(name), "%s_high", g->name[i]);
			json_object_set_new(object, name,
					    g->lower_bounds_only ? json_null() : number(high[i]));
		}
		ret = weir_cli_json_print(object, true);
	}
	return ret;
}

static json_t *figures(const struct weir_cli_groups *g, const uint64_t *values)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < g->measures; i++)
		json_object_set_new(object, g->name[i], number(values[i]));
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
		json_object_set_new(line, "low", figures(g, g->low + row * g->measures));
		json_object_set_new(line, "high", g->lower_bounds_only ?
							  json_null() :
							  figures(g, g->high + row * g->measures));
		json_array_append_new(lines, line);
	}
	json_object_set_new(object, "order", json_string(g->name[g->order]));
	json_object_set_new(object, "exact", json_boolean(g->exact));
	json_object_set_new(object, "all", weir_cli_json_totals(&g->matched));
	json_object_set_new(object, "lines", lines);
	json_object_set_new(object, "rest_groups", number(g->rest_groups));
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
	return g->options->json ? write_json(g, answer) : write_table(g);
}
