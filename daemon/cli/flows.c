// SPDX-License-Identifier: GPL-2.0
/* flows.c - weir flows: the newest flow records of a store, or of the cluster. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "daemon/cli/client.h"

enum {
	LIMIT_USUAL = 20,
};

struct flows {
	const struct weir_cli_options *options;
	struct weir_cli_flows_out *out;
	const struct weir_cli_answer *answer;
	uint64_t shown, unreadable;
};

static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct flows *f = arg;

	for (size_t i = 0; i < part->n_flows; i++) {
		const Weir__Wire__Flow *message = part->flows[i];
		struct weir_cli_flow flow = {.node = message->node,
					     .in_name = message->in_name,
					     .out_name = message->out_name};

		if (weir_cli_client_interrupted())
			return -EINTR;
		if (weir_convert_flow_get(message, &flow.flow)) {
			f->unreadable++;
			continue;
		}
		if (!f->out)
			f->out = weir_cli_show_begin(f->options, f->answer->from_master, false);
		if (!f->out)
			return -ENOMEM;
		weir_cli_show_flow(f->out, &flow);
		f->shown++;
	}
	return 0;
}

static void print_end(const struct flows *f, const struct weir_totals *matched)
{
	bool exact = f->options->exact;
	char flows[32], packets[32], bytes[32];

	if (f->options->output != WEIR_OUTPUT_TABLE)
		return;
	printf("%" PRIu64 " of %s flows shown; together they are %s packets, %s\n", f->shown,
	       weir_cli_show_number(matched->flows, exact, flows, sizeof(flows)),
	       weir_cli_show_number(matched->packets, exact, packets, sizeof(packets)),
	       weir_cli_show_bytes(matched->bytes, exact, bytes, sizeof(bytes)));
}

/* "time" is the usual order, by the end of flows. False after a sentence. */
static bool choose_order(const struct weir_cli_options *o, Weir__Wire__Ask *ask)
{
	const struct weir_quantity *quantity;
	char error[512];

	ask->verb = WEIR__WIRE__VERB__VERB_FLOWS;
	if (!o->order && !o->ascending)
		return true;
	ask->verb = WEIR__WIRE__VERB__VERB_LIST;
	ask->ascending = o->ascending;
	if (!o->order || !strcasecmp(o->order, "time") || !strcasecmp(o->order, "end"))
		return true;
	quantity = weir_quantity_find(o->order, strlen(o->order));
	if (quantity && quantity->listed) {
		ask->order_by = (char *)quantity->word;
		return true;
	}
	weir_cli_say("flows --order takes time or a quantity: %s",
		     weir_quantity_complain(o->order, strlen(o->order), false, error,
					    sizeof(error)));
	return false;
}

static int finish(struct flows *f, int status)
{
	if (!f->out && (status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL)) /* heads alone */
		f->out = weir_cli_show_begin(f->options, f->answer->from_master, false);
	if (f->out && weir_cli_show_end(f->out)) {
		weir_cli_say("out of memory");
		status = WEIR_EXIT_FAILED;
	}
	if (f->unreadable) {
		weir_cli_say("missing: %" PRIu64 " flows came in a form this version cannot read",
			     f->unreadable);
		status = status == WEIR_EXIT_OK ? WEIR_EXIT_PARTIAL : status;
	}
	if (status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL)
		print_end(f, &f->answer->matched);
	return status;
}

int weir_cli_flows(const struct weir_cli_options *o)
{
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	struct weir_cli_answer answer;
	struct flows f = {.options = o, .answer = &answer};
	int status;

	if (!choose_order(o, &ask))
		return WEIR_EXIT_USAGE;
	ask.from_ns = o->from_ns;
	ask.to_ns = o->to_ns;
	ask.filter = o->words;
	ask.limit = o->limit_given ? o->limit : LIMIT_USUAL;
	status = finish(&f, weir_cli_client_ask(o, &ask, take_part, &f, &answer));
	weir_cli_client_end(o, &answer);
	return status;
}
