// SPDX-License-Identifier: GPL-2.0
/* rows_table.c - figures by fields for people. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/groups.h"
#include "daemon/common/text.h"

static void field_cell(const struct weir_cli_groups *g, struct weir_cli_table *table,
		       unsigned field, const uint8_t *key)
{
	char text[WEIR_FIELDS_TEXT_MAX], named[WEIR_FIELDS_TEXT_MAX + 40];
	const char *name = NULL;
	unsigned port;
	uint8_t protocol;
	char *slash;
	uint64_t ns;

	if (weir_cli_groups_time(g, field, key, &ns)) {
		weir_cli_table_cell(table, weir_cli_time_local(ns, 0, text, sizeof(text)));
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

static void write_row(const struct weir_cli_groups *g, struct weir_cli_table *table, size_t row)
{
	const uint64_t *low = g->low + row * g->measures, *high = g->high + row * g->measures;

	for (unsigned i = 0; i < g->fields.count; i++)
		field_cell(g, table, i, g->keys + row * g->fields.key_bytes);
	for (unsigned i = 0; i < g->measures; i++) {
		figure_cell(g, table, i, low[i], high[i]);
		if (has_share(g, i))
			share_cell(g, table, i, low[i]);
	}
	if (has_rate(g))
		rate_cell(g, table, low[0]);
}

int weir_cli_rows_table(const struct weir_cli_groups *g)
{
	struct weir_cli_table *table = open_table(g);
	char name[48];

	if (!table)
		return -ENOMEM;
	for (size_t row = 0; row < g->count; row++)
		write_row(g, table, row);
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
