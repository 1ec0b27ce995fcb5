// SPDX-License-Identifier: GPL-2.0
/* groups.c - figures by fields: from options to a question, and the answer to it. */
#include "daemon/cli/groups.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const usual_sums[] = {"bytes", "packets", "flows"};

enum {
	USUAL = sizeof(usual_sums) / sizeof(usual_sums[0]),
};

static int parse_by(struct weir_cli_groups *g, const char *by)
{
	const char *word = by;
	char error[512];

	g->by = strdup(by);
	if (g->by && weir_fields_parse(by, &g->fields, &word) == 0)
		return 0;
	weir_cli_say("%s --by: %s", g->options->verb->name,
		     weir_fields_complain(by, word, error, sizeof(error)));
	return -EINVAL;
}

static int say_bad(const struct weir_cli_groups *g, const char *option, const char *error)
{
	weir_cli_say("%s --%s: %s", g->options->verb->name, option, error);
	return -EINVAL;
}

/* Of what --scale multiplies the other name. */
static const char *scaled_of(const struct weir_cli_groups *g, const char *word, size_t length)
{
	static const char *const names[USUAL] = {"scaled_bytes", "scaled_packets", "scaled_flows"};

	for (unsigned i = 0; i < USUAL && g->options->scale; i++) {
		if (weir_quantity_same_word(word, length, usual_sums[i]))
			return names[i];
	}
	return NULL;
}

/* @quietly: only try. */
static int add_measure(struct weir_cli_groups *g, const char *kind, const char *words,
		       size_t length, bool quietly)
{
	const char *scaled = strcmp(kind, "distinct") ? scaled_of(g, words, length) : NULL;
	char error[512], *text = g->text[g->measures];

	if (scaled) {
		words = scaled;
		length = strlen(scaled);
	}
	if (g->measures == WEIR_QUERY_MEASURES_MAX) {
		snprintf(error, sizeof(error), "at most %d figures", WEIR_QUERY_MEASURES_MAX);
		return say_bad(g, kind, error);
	}
	if (snprintf(text, sizeof(g->text[0]), "%s %.*s", kind, (int)length, words) >=
	    (int)sizeof(g->text[0]))
		return say_bad(g, kind, "that is too long");
	if (weir_measure_parse(text, &g->measure[g->measures], error, sizeof(error)))
		return quietly ? -EINVAL : say_bad(g, kind, strchr(error, ' ') + 1);
	weir_measure_name(&g->measure[g->measures], g->name[g->measures], WEIR_MEASURE_NAME);
	for (unsigned i = 0; i < g->measures; i++) {
		if (!strcmp(g->name[i], g->name[g->measures]))
			return 0; /* asked for twice: one column */
	}
	g->measures++;
	return 0;
}

/* "bytes,packets": one each. */
static int add_measures(struct weir_cli_groups *g, const char *kind, const char *words)
{
	for (;;) {
		size_t length;
		int ret;

		words += strspn(words, " ");
		length = strcspn(words, ", ");
		ret = add_measure(g, kind, words, length, false);
		if (ret)
			return ret;
		words += length;
		words += strspn(words, " ");
		if (!*words)
			return 0;
		words += *words == ',';
	}
}

/* What was asked for, and the usual sums beside it if no other sums were. */
static int parse_figures(struct weir_cli_groups *g)
{
	const struct weir_cli_options *o = g->options;
	bool sums = false;
	int ret = 0;

	for (unsigned i = 0; i < o->figures && !ret; i++) {
		const struct weir_cli_figure *figure = &o->figure[i];

		sums = sums || !strcmp(figure->kind, "sum");
		if (!strcmp(figure->kind, "distinct"))
			ret = add_measure(g, figure->kind, figure->words, strlen(figure->words),
					  false);
		else
			ret = add_measures(g, figure->kind, figure->words);
	}
	for (unsigned i = 0; i < USUAL && !sums && !ret; i++) {
		if (g->measures < WEIR_QUERY_MEASURES_MAX)
			ret = add_measure(g, "sum", usual_sums[i], strlen(usual_sums[i]), false);
	}
	return ret;
}

/* By the name of its column, without the unit if one likes; "distinct": the first of these. */
static bool find_column(struct weir_cli_groups *g, const char *word)
{
	char order[WEIR_MEASURE_NAME];
	size_t length = strlen(word);

	if (length >= sizeof(order))
		return false;
	/* As quantities may be written: --order Out-of-order is the column out_of_order. */
	for (size_t i = 0; i <= length; i++)
		order[i] = word[i] == '-' ? '_' : (char)tolower((unsigned char)word[i]);

	for (unsigned i = 0; i < g->measures; i++) {
		const char *rest = g->name[i] + length;

		if (strncmp(g->name[i], order, length) ||
		    (*rest && strcmp(rest, "_ns") &&
		     (strcmp(order, "distinct") || g->measure[i].kind != WEIR_MEASURE_DISTINCT)))
			continue;
		g->order = i;
		return true;
	}
	return false;
}

static int choose_order(struct weir_cli_groups *g)
{
	const char *order = g->options->order;
	char error[512], text[128];

	if (order && scaled_of(g, order, strlen(order)))
		order = scaled_of(g, order, strlen(order));
	if (!order || find_column(g, order))
		return 0;
	if (add_measure(g, "sum", order, strlen(order), true) == 0) {
		g->order = g->measures - 1;
		return 0;
	}
	snprintf(text, sizeof(text), "sum %s", order);
	if (weir_measure_parse(text, &(struct weir_measure){0}, error, sizeof(error)))
		return say_bad(g, "order", strchr(error, ' ') + 1);
	return -EINVAL; /* too many, which was said */
}

int weir_cli_groups_new(struct weir_cli_groups *g, const struct weir_cli_options *o, const char *by)
{
	int ret;

	memset(g, 0, sizeof(*g));
	g->options = o;
	g->exact = true;
	g->rest_groups_exact = true;
	ret = parse_by(g, by);
	if (!ret)
		ret = parse_figures(g);
	if (!ret)
		ret = choose_order(g);
	g->usual = !o->figures && !o->scale && g->measures == USUAL && !o->ascending;
	return ret;
}

void weir_cli_groups_free(struct weir_cli_groups *g)
{
	free(g->by);
	free(g->keys);
	free(g->low);
	free(g->high);
}

static int make_room(struct weir_cli_groups *g)
{
	size_t room = g->room ? 2 * g->room : 1024;
	uint8_t *keys = realloc(g->keys, room * g->fields.key_bytes);
	uint64_t *low, *high;

	if (keys)
		g->keys = keys;
	low = realloc(g->low, room * g->measures * sizeof(*low));
	if (low)
		g->low = low;
	high = realloc(g->high, room * g->measures * sizeof(*high));
	if (high)
		g->high = high;
	if (!keys || !low || !high)
		return -ENOMEM;
	g->room = room;
	return 0;
}

static int compare_keys(const void *a, const void *b, void *arg)
{
	const struct weir_cli_groups *g = arg;

	return memcmp(a, b, g->fields.key_bytes);
}

void weir_cli_groups_sort(struct weir_cli_groups *g)
{
	if (g->count)
		qsort_r(g->keys, g->count, g->fields.key_bytes, compare_keys, g);
}

/* The keys of `only` are sorted. */
static bool is_wanted(const struct weir_cli_groups *g, const uint8_t *key)
{
	size_t low = 0, high = g->only->count;
	unsigned bytes = g->only->fields.key_bytes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(key + (g->fields.key_bytes - bytes),
				   g->only->keys + middle * bytes, bytes);

		if (!order)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

int weir_cli_groups_add(struct weir_cli_groups *g, const uint8_t *key, const uint64_t *low,
			const uint64_t *high)
{
	size_t bytes = g->measures * sizeof(*low);

	if (g->only && !is_wanted(g, key))
		return 0;
	if (g->count == g->room && make_room(g))
		return -ENOMEM;
	memcpy(g->keys + g->count * g->fields.key_bytes, key, g->fields.key_bytes);
	memcpy(g->low + g->count * g->measures, low, bytes);
	memcpy(g->high + g->count * g->measures, high ? high : low, bytes);
	g->count++;
	return 0;
}

bool weir_cli_groups_time(const struct weir_cli_groups *g, unsigned field, const uint8_t *key,
			  uint64_t *ns)
{
	if (strcmp(weir_fields_word(&g->fields, field), "time"))
		return false;
	*ns = 0;
	for (unsigned i = 0; i < 8; i++)
		*ns = *ns << 8 | key[g->fields.use[field].offset + i];
	return true;
}

static void put_totals(uint64_t value[USUAL], const Weir__Wire__Totals *message)
{
	struct weir_totals totals = weir_convert_totals_get(message);

	value[0] = totals.bytes;
	value[1] = totals.packets;
	value[2] = totals.flows;
}

static int take_top(struct weir_cli_groups *g, const Weir__Wire__Top *top)
{
	uint64_t low[USUAL], high[USUAL];

	for (size_t i = 0; i < top->n_lines; i++) {
		const Weir__Wire__Line *line = top->lines[i];

		if (line->key.len != g->fields.key_bytes)
			return -EBADMSG;
		put_totals(low, line->low);
		put_totals(high, line->high && !top->lower_bounds_only ? line->high : line->low);
		if (weir_cli_groups_add(g, line->key.data, low, high))
			return -ENOMEM;
	}
	/* Each Part says it of the whole answer so far; the last is right. */
	put_totals(g->rest, top->rest);
	g->rest_groups = top->rest_groups;
	g->rest_groups_exact = top->rest_groups_exact;
	g->exact = g->exact && top->exact;
	g->lower_bounds_only = g->lower_bounds_only || top->lower_bounds_only;
	return 0;
}

static int take_groups(struct weir_cli_groups *g, const Weir__Wire__Groups *groups)
{
	if (groups->keys.len != (size_t)groups->count * g->fields.key_bytes ||
	    groups->n_values != (size_t)groups->count * g->measures)
		return -EBADMSG;
	for (uint32_t i = 0; i < groups->count; i++) {
		if (weir_cli_groups_add(g, groups->keys.data + (size_t)i * g->fields.key_bytes,
					groups->values + (size_t)i * g->measures, NULL))
			return -ENOMEM;
	}
	if (groups->incomplete) {
		g->lower_bounds_only = true;
		g->exact = g->rest_groups_exact = false;
	}
	return 0;
}

static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct weir_cli_groups *g = arg;
	int ret = 0;

	if (part->remainder) {
		g->rest_groups = part->remainder->groups;
		for (unsigned i = 0; i < g->measures && i < part->remainder->n_values; i++)
			g->rest[i] = part->remainder->values[i];
	}
	if (part->top && g->usual)
		ret = take_top(g, part->top);
	if (part->groups && !ret)
		ret = take_groups(g, part->groups);
	if (ret == -EBADMSG)
		weir_cli_say("the answer has keys of another form than --by asks for");
	else if (ret)
		weir_cli_say("out of memory");
	else if (weir_cli_rows_stream(g))
		weir_cli_rows_write(g);
	if (!ret && weir_cli_client_interrupted())
		ret = -EINTR;
	return ret;
}

int weir_cli_groups_ask(struct weir_cli_groups *g, uint64_t limit, struct weir_cli_answer *answer)
{
	const struct weir_cli_options *o = g->options;
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	char *measures[WEIR_QUERY_MEASURES_MAX];
	int status;

	for (unsigned i = 0; i < g->measures; i++)
		measures[i] = g->text[i];
	ask.verb = g->usual && !g->series_ns ? WEIR__WIRE__VERB__VERB_TOP :
					       WEIR__WIRE__VERB__VERB_GROUPS;
	ask.from_ns = o->from_ns;
	ask.to_ns = o->to_ns;
	ask.filter = o->words;
	ask.fields = g->by;
	ask.order = g->order; /* as enum weir_order has them */
	ask.limit = limit;
	ask.measures = measures;
	ask.n_measures = g->measures;
	ask.order_column = g->order;
	ask.ascending = o->ascending;
	ask.by_key = g->series_ns;
	status = weir_cli_client_ask(o, &ask, take_part, g, answer);
	g->matched = answer->matched;
	if (answer->partial && ask.verb == WEIR__WIRE__VERB__VERB_GROUPS) {
		g->lower_bounds_only = true;
		g->exact = g->rest_groups_exact = false;
	}
	return status;
}
