// SPDX-License-Identifier: GPL-2.0
/*
 * audit.c - weir audit: every equation of the ledger, checked again.
 *
 * Numbers are always written in full here. The daemon says whether an equation
 * holds, and is not believed when packets or bytes differ. One that does not
 * hold although its sides are equal could not be read: that is a partial answer, not a difference.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/client.h"
#include "daemon/cli/json.h"

struct audit {
	const struct weir_cli_options *options;
	struct weir_cli_table *table;
	json_t *array;
	unsigned checks, differ, unread;
};

enum result { HOLDS, DIFFERS, UNREAD };

static enum result judge(const Weir__Wire__Check *check)
{
	struct weir_totals left = weir_convert_totals_get(check->left);
	struct weir_totals right = weir_convert_totals_get(check->right);

	if (left.packets != right.packets || left.bytes != right.bytes)
		return DIFFERS;
	if (check->holds)
		return HOLDS;
	return left.flows != right.flows ? DIFFERS : UNREAD;
}

static void totals_cells(struct weir_cli_table *t, const struct weir_totals *totals)
{
	weir_cli_table_number(t, totals->flows, true);
	weir_cli_table_number(t, totals->packets, true);
	weir_cli_table_number(t, totals->bytes, true);
}

static void difference_cells(struct weir_cli_table *t, const struct weir_totals *l,
			     const struct weir_totals *r)
{
	const int64_t values[] = {(int64_t)(l->flows - r->flows),
				  (int64_t)(l->packets - r->packets),
				  (int64_t)(l->bytes - r->bytes)};
	char text[32];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "%s%" PRId64, values[i] > 0 ? "+" : "", values[i]);
		weir_cli_table_cell(t, text);
	}
}

static void lead_cells(struct weir_cli_table *t, const char *node, const char *hop,
		       const char *equation)
{
	weir_cli_table_cell(t, node);
	weir_cli_table_cell(t, hop);
	weir_cli_table_cell(t, equation);
}

static void put_terms(struct weir_cli_table *t, const Weir__Wire__Check *check)
{
	char name[96];

	for (size_t i = 0; i < check->n_terms; i++) {
		struct weir_totals totals = weir_convert_totals_get(check->terms[i]->totals);

		snprintf(name, sizeof(name), "    %s", check->terms[i]->name);
		lead_cells(t, "", "", name);
		totals_cells(t, &totals);
		weir_cli_table_cell(t, "");
	}
}

static void put_rows(struct audit *a, const Weir__Wire__Check *check, enum result result)
{
	struct weir_totals left = weir_convert_totals_get(check->left);
	struct weir_totals right = weir_convert_totals_get(check->right);
	struct weir_cli_table *t = a->table;
	char equation[256];

	snprintf(equation, sizeof(equation), "%s = %s", check->left_name, check->right_name);
	lead_cells(t, check->node, check->hop, equation);
	totals_cells(t, &left);
	if (result == HOLDS) {
		weir_cli_table_cell(t, check->note[0] ? check->note : "ok");
	} else if (result == UNREAD) {
		weir_cli_table_cell(t, "not checked");
	} else {
		weir_cli_table_cell(t, "DIFFERS");
		lead_cells(t, "", "", "  right side");
		totals_cells(t, &right);
		weir_cli_table_cell(t, "");
		lead_cells(t, "", "", "  difference");
		difference_cells(t, &left, &right);
		weir_cli_table_cell(t, check->note);
	}
	if (a->options->verbose || result == DIFFERS)
		put_terms(t, check);
}

static json_t *check_json(const Weir__Wire__Check *check, enum result result)
{
	struct weir_totals left = weir_convert_totals_get(check->left);
	struct weir_totals right = weir_convert_totals_get(check->right);
	static const char *const words[] = {"holds", "differs", "unread"};
	json_t *object = json_object(), *terms = json_array();

	json_object_set_new(object, "node", weir_cli_json_string(check->node));
	json_object_set_new(object, "hop", weir_cli_json_string(check->hop));
	json_object_set_new(object, "holds", json_boolean(result == HOLDS));
	json_object_set_new(object, "result", json_string(words[result]));
	json_object_set_new(object, "left_name", weir_cli_json_string(check->left_name));
	json_object_set_new(object, "left", weir_cli_json_totals(&left));
	json_object_set_new(object, "right_name", weir_cli_json_string(check->right_name));
	json_object_set_new(object, "right", weir_cli_json_totals(&right));
	json_object_set_new(object, "note", weir_cli_json_string(check->note));
	for (size_t i = 0; i < check->n_terms; i++) {
		struct weir_totals totals = weir_convert_totals_get(check->terms[i]->totals);
		json_t *term = weir_cli_json_totals(&totals);

		json_object_set_new(term, "name", weir_cli_json_string(check->terms[i]->name));
		json_array_append_new(terms, term);
	}
	json_object_set_new(object, "terms", terms);
	return object;
}

static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct audit *a = arg;

	for (size_t i = 0; i < part->n_checks; i++) {
		const Weir__Wire__Check *check = part->checks[i];

		enum result result = judge(check);

		a->checks++;
		a->differ += result == DIFFERS;
		a->unread += result == UNREAD;
		if (result == UNREAD)
			weir_cli_say("missing: %s, %s: %s", check->node, check->hop, check->note);
		if (a->array)
			json_array_append_new(a->array, check_json(check, result));
		else
			put_rows(a, check, result);
	}
	return 0;
}

static const char *verdict(const struct audit *a, const struct weir_cli_answer *answer, char *text,
			   size_t bytes)
{
	if (a->differ)
		snprintf(text, bytes, "The ledger does NOT balance: %u of %u equations differ.",
			 a->differ, a->checks);
	else if (a->checks == a->unread)
		snprintf(text, bytes, "Nothing could be checked.");
	else if (a->unread || answer->partial)
		snprintf(text, bytes,
			 "All %u equations that could be checked hold; what could not is named "
			 "above.",
			 a->checks - a->unread);
	else
		snprintf(text, bytes,
			 "The ledger balances: all %u equations hold, to the packet and the byte.",
			 a->checks);
	return text;
}

static int print_json(struct audit *a, const struct weir_cli_answer *answer)
{
	json_t *object = json_object(), *missing = json_array();
	char text[128];

	for (size_t i = 0; answer->end && i < answer->end->n_missing; i++)
		json_array_append_new(missing, weir_cli_json_string(answer->end->missing[i]->node));
	json_object_set_new(object, "verdict", json_string(verdict(a, answer, text, sizeof(text))));
	json_object_set_new(
		object, "balanced",
		json_boolean(a->checks && !a->differ && !a->unread && !answer->partial));
	json_object_set_new(object, "differ", json_integer(a->differ));
	json_object_set_new(object, "checks", a->array);
	json_object_set_new(object, "missing", missing);
	a->array = NULL;
	return weir_cli_json_print(object, false);
}

int weir_cli_audit(const struct weir_cli_options *o)
{
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	struct weir_cli_answer answer;
	struct audit a = {.options = o};
	int status, ret = 0;
	char text[128];

	a.array = o->json ? json_array() : NULL;
	a.table = o->json ? NULL
			  : weir_cli_table_new(stdout,
					       "NODE|HOP|EQUATION|>FLOWS|>PACKETS|>BYTES|RESULT");
	if (!a.array && !a.table) {
		weir_cli_say("out of memory");
		return WEIR_EXIT_FAILED;
	}
	ask.verb = WEIR__WIRE__VERB__VERB_AUDIT;
	ask.deep = o->deep;
	status = weir_cli_client_ask(o, &ask, take_part, &a, &answer);
	if (a.table && a.checks)
		ret = weir_cli_table_end(a.table);
	else if (a.table)
		weir_cli_table_drop(a.table);
	if (status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL) {
		if (o->json)
			ret = print_json(&a, &answer);
		else
			printf("%s\n", verdict(&a, &answer, text, sizeof(text)));
		if (a.differ)
			status = WEIR_EXIT_DIFFERS;
		else if (a.checks == a.unread)
			status = WEIR_EXIT_FAILED;
		else if (a.unread)
			status = WEIR_EXIT_PARTIAL;
	}
	json_decref(a.array);
	weir_cli_client_free(&answer);
	return ret ? WEIR_EXIT_FAILED : status;
}
