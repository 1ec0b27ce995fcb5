// SPDX-License-Identifier: GPL-2.0
/* top.c - weir top: the largest by any fields, with bounds where they are not exact. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/client.h"
#include "daemon/cli/json.h"
#include "daemon/common/text.h"

enum {
	LINES_USUAL = 10,
};

struct top {
	const struct weir_cli_options *options;
	struct weir_fields fields;
	Weir__Wire__Top *answer; /* a copy; NULL: none came */
	struct weir_totals matched;
};

/* Move the lines of @more behind those of @top. The rest is that of the last Part. */
static int append(Weir__Wire__Top *top, Weir__Wire__Top *more)
{
	Weir__Wire__Totals *rest = top->rest;
	size_t count = top->n_lines + more->n_lines;
	Weir__Wire__Line **lines = realloc(top->lines, (count + !count) * sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	top->lines = lines;
	for (size_t i = 0; i < more->n_lines; i++)
		lines[top->n_lines++] = more->lines[i];
	more->n_lines = 0;
	top->rest = more->rest;
	more->rest = rest;
	top->rest_groups = more->rest_groups;
	top->rest_groups_exact = more->rest_groups_exact;
	top->exact = top->exact && more->exact;
	top->lower_bounds_only = top->lower_bounds_only || more->lower_bounds_only;
	return 0;
}

/* A long answer comes in several Parts. */
static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct top *t = arg;
	Weir__Wire__Top *copy;
	int result = 0;

	if (!part->top)
		return 0;
	copy = weir_convert_copy(&part->top->base);
	if (copy && !t->answer) {
		t->answer = copy;
		return 0;
	}
	if (copy) {
		result = append(t->answer, copy);
		weir__wire__top__free_unpacked(copy, NULL);
	}
	if (!copy || result) {
		weir_cli_say("out of memory");
		return -ENOMEM;
	}
	return 0;
}

static struct weir_totals low_of(const Weir__Wire__Line *line)
{
	return weir_convert_totals_get(line->low);
}

static struct weir_totals high_of(const struct top *t, const Weir__Wire__Line *line)
{
	if (t->answer->lower_bounds_only)
		return low_of(line); /* there is none; text shows what is known */
	return weir_convert_totals_get(line->high ? line->high : line->low);
}

/* "12.3 M", or "12.3 M .. 12.9 M". */
static void range_cell(struct weir_cli_table *table, uint64_t low, uint64_t high, bool exact)
{
	char a[32], b[32], text[80];

	weir_cli_show_number(low, exact, a, sizeof(a));
	if (low == high) {
		weir_cli_table_cell(table, a);
		return;
	}
	snprintf(text, sizeof(text), "%s .. %s", a,
		 weir_cli_show_number(high, exact, b, sizeof(b)));
	weir_cli_table_cell(table, text);
}

static void share_cell(struct weir_cli_table *table, uint64_t part, uint64_t whole)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", whole ? 100.0 * (double)part / (double)whole : 0.0);
	weir_cli_table_cell(table, text);
}

static void key_cell(const struct top *t, struct weir_cli_table *table, unsigned field,
		     const uint8_t *key)
{
	char text[64], named[96];
	const char *name = NULL;
	unsigned port;
	uint8_t protocol;

	weir_fields_text(&t->fields, field, key, text, sizeof(text));
	if (!strcmp(weir_fields_word(&t->fields, field), "service")) {
		char *slash = strchr(text, '/');

		if (slash && sscanf(slash + 1, "%u", &port) == 1) {
			*slash = '\0';
			if (!weir_text_parse_protocol(text, &protocol) &&
			    weir_fields_has_ports(protocol))
				name = weir_cli_service_name(protocol, (uint16_t)port);
			*slash = '/';
		}
	}
	if (name)
		snprintf(named, sizeof(named), "%s (%s)", text, name);
	else
		snprintf(named, sizeof(named), "%s", text);
	weir_cli_table_cell(table, named);
}

static void total_row(const struct top *t, struct weir_cli_table *table, const char *name,
		      const struct weir_totals *totals)
{
	bool exact = t->options->exact;

	weir_cli_table_cell(table, name);
	for (unsigned i = 1; i < t->fields.count; i++)
		weir_cli_table_cell(table, "");
	weir_cli_table_number(table, totals->bytes, exact);
	share_cell(table, totals->bytes, t->matched.bytes);
	weir_cli_table_number(table, totals->packets, exact);
	share_cell(table, totals->packets, t->matched.packets);
	weir_cli_table_number(table, totals->flows, exact);
}

static struct weir_cli_table *open_table(const struct top *t)
{
	char columns[256] = "";
	size_t used = 0;

	for (unsigned i = 0; i < t->fields.count; i++) {
		for (const char *c = weir_fields_word(&t->fields, i); *c; c++)
			columns[used++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
		columns[used++] = '|';
	}
	snprintf(columns + used, sizeof(columns) - used, ">BYTES|>%%|>PACKETS|>%%|>FLOWS");
	return weir_cli_table_new(stdout, columns);
}

static int print_text(const struct top *t)
{
	struct weir_cli_table *table = open_table(t);
	struct weir_totals rest;
	char name[48];

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; t->answer && i < t->answer->n_lines; i++) {
		const Weir__Wire__Line *line = t->answer->lines[i];
		struct weir_totals low = low_of(line), high = high_of(t, line);

		for (unsigned k = 0; k < t->fields.count; k++)
			key_cell(t, table, k, line->key.data);
		range_cell(table, low.bytes, high.bytes, t->options->exact);
		share_cell(table, low.bytes, t->matched.bytes);
		range_cell(table, low.packets, high.packets, t->options->exact);
		share_cell(table, low.packets, t->matched.packets);
		range_cell(table, low.flows, high.flows, t->options->exact);
	}
	rest = weir_convert_totals_get(t->answer ? t->answer->rest : NULL);
	if (t->answer && (t->answer->rest_groups || rest.flows)) {
		snprintf(name, sizeof(name), "rest (%s%" PRIu64 " more)",
			 t->answer->rest_groups_exact ? "" : "at least ", t->answer->rest_groups);
		total_row(t, table, name, &rest);
	}
	total_row(t, table, "all", &t->matched);
	if (weir_cli_table_end(table))
		return -ENOMEM;
	if (t->fields.has_host)
		printf("A flow counts for both its hosts, so lines and rest add up to more than "
		       "all.\n");
	if (!t->answer || t->answer->exact)
		printf("Exact.\n");
	else if (t->answer->lower_bounds_only)
		printf("Lower bounds only: what is missing is not in them.\n");
	else
		printf("Not exact: true values lie in the ranges shown, and the order may differ "
		       "within them.\n");
	return 0;
}

static json_t *line_json(const struct top *t, const Weir__Wire__Line *line)
{
	struct weir_totals low = low_of(line), high = high_of(t, line);
	json_t *object = json_object();
	char text[64];

	for (unsigned i = 0; i < t->fields.count; i++)
		json_object_set_new(object, weir_fields_word(&t->fields, i),
				    json_string(weir_fields_text(&t->fields, i, line->key.data,
								 text, sizeof(text))));
	json_object_set_new(object, "low", weir_cli_json_totals(&low));
	json_object_set_new(object, "high", t->answer->lower_bounds_only ?
						    json_null() : weir_cli_json_totals(&high));
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

static int print_json(const struct top *t, const struct weir_cli_answer *answer)
{
	static const char *const orders[] = {"bytes", "packets", "flows"};
	struct weir_totals rest = weir_convert_totals_get(t->answer ? t->answer->rest : NULL);
	json_t *object = json_object(), *lines = json_array();

	for (size_t i = 0; t->answer && i < t->answer->n_lines; i++)
		json_array_append_new(lines, line_json(t, t->answer->lines[i]));
	json_object_set_new(object, "order", json_string(orders[t->options->order]));
	json_object_set_new(object, "exact", json_boolean(!t->answer || t->answer->exact));
	json_object_set_new(object, "all", weir_cli_json_totals(&t->matched));
	json_object_set_new(object, "lines", lines);
	json_object_set_new(object, "rest_groups",
			    json_integer(t->answer ? (json_int_t)t->answer->rest_groups : 0));
	json_object_set_new(object, "rest_groups_exact",
			    json_boolean(!t->answer || t->answer->rest_groups_exact));
	json_object_set_new(object, "rest", weir_cli_json_totals(&rest));
	json_object_set_new(object, "missing", missing_json(answer->end));
	json_object_set_new(object, "notes", notes_json(answer->end));
	return weir_cli_json_print(object, false);
}

/* Keys come over a socket: as long as the fields say, or the answer is not one to this question. */
static bool well_formed(const struct top *t)
{
	for (size_t i = 0; t->answer && i < t->answer->n_lines; i++) {
		if (t->answer->lines[i]->key.len != t->fields.key_bytes)
			return false;
	}
	return true;
}

static int parse_fields(struct top *t)
{
	const char *by = t->options->by ? t->options->by : "host";
	const char *word;

	if (weir_fields_parse(by, &t->fields, &word) == 0)
		return 0;
	weir_cli_say("top --by: \"%.*s\" cannot be used here; fields are %s, each once",
		     (int)strcspn(word, ", "), word, weir_fields_words());
	return -EINVAL;
}

int weir_cli_top(const struct weir_cli_options *o)
{
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	struct weir_cli_answer answer;
	struct top t = {.options = o};
	int status, ret = 0;

	if (parse_fields(&t))
		return WEIR_EXIT_USAGE;
	ask.verb = WEIR__WIRE__VERB__VERB_TOP;
	ask.from_ns = o->from_ns;
	ask.to_ns = o->to_ns;
	ask.filter = o->words;
	ask.fields = (char *)(o->by ? o->by : "host");
	ask.order = o->order;
	ask.limit = o->limit_given ? o->limit : LINES_USUAL;
	status = weir_cli_client_ask(o, &ask, take_part, &t, &answer);
	t.matched = answer.matched;
	if (status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL) {
		if (!well_formed(&t)) {
			weir_cli_say("the answer has keys of another form than --by asks for");
			status = WEIR_EXIT_FAILED;
		} else {
			ret = o->json ? print_json(&t, &answer) : print_text(&t);
		}
	}
	if (t.answer)
		protobuf_c_message_free_unpacked(&t.answer->base, NULL);
	weir_cli_client_free(&answer);
	return ret ? WEIR_EXIT_FAILED : status;
}
