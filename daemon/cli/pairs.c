// SPDX-License-Identifier: GPL-2.0
/* pairs.c - weir pairs: both directions of conversations, joined. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/client.h"
#include "daemon/cli/pairs.h"

enum {
	LIMIT_USUAL = 20,
};

struct pairs {
	const struct weir_cli_options *options;
	const struct weir_cli_answer *answer;
	struct weir_cli_pairs_out *out;
	uint64_t shown, more, unreadable;
};

static int begin(struct pairs *p)
{
	if (!p->out)
		p->out = weir_cli_pairs_begin(p->options, p->answer->from_master);
	return p->out ? 0 : -ENOMEM;
}

static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct pairs *p = arg;

	if (part->remainder)
		p->more = part->remainder->groups;
	for (size_t i = 0; i < part->n_pairs; i++) {
		struct weir_pair pair;

		if (weir_cli_client_interrupted())
			return -EINTR;
		if (weir_convert_pair_get(part->pairs[i], &pair)) {
			p->unreadable++;
			continue;
		}
		if (begin(p))
			return -ENOMEM;
		weir_cli_pairs_show(p->out, &pair, part->pairs[i]->node);
		p->shown++;
	}
	return 0;
}

static bool choose_order(const struct weir_cli_options *o, Weir__Wire__Ask *ask)
{
	enum weir_pair_order order;

	ask->ascending = o->ascending;
	if (!o->order || !strcmp(o->order, "time"))
		return true;
	ask->order_by = (char *)o->order;
	if (!weir_pair_order_parse(o->order, &order))
		return true;
	weir_cli_say("pairs --order: \"%s\" orders no conversations; there are time, %s", o->order,
		     WEIR_PAIR_ORDERS);
	return false;
}

static int finish(struct pairs *p, int status)
{
	bool answered = status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL;

	if ((answered && begin(p)) || (p->out && weir_cli_pairs_end(p->out))) {
		weir_cli_say("out of memory");
		return WEIR_EXIT_FAILED;
	}
	if (p->unreadable)
		weir_cli_say("missing: %" PRIu64 " conversations came in a form this version "
			     "cannot read", p->unreadable);
	if (answered && p->options->output == WEIR_OUTPUT_TABLE)
		printf("%" PRIu64 " of %" PRIu64 " conversations shown\n", p->shown,
		       p->shown + p->more);
	return p->unreadable && status == WEIR_EXIT_OK ? WEIR_EXIT_PARTIAL : status;
}

int weir_cli_pairs(const struct weir_cli_options *o)
{
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	struct weir_cli_answer answer;
	struct pairs p = {.options = o, .answer = &answer};
	int status;

	if (!choose_order(o, &ask))
		return WEIR_EXIT_USAGE;
	ask.verb = WEIR__WIRE__VERB__VERB_PAIRS;
	ask.from_ns = o->from_ns;
	ask.to_ns = o->to_ns;
	ask.filter = o->words;
	ask.limit = o->limit_given ? o->limit : LIMIT_USUAL;
	status = finish(&p, weir_cli_client_ask(o, &ask, take_part, &p, &answer));
	weir_cli_client_end(o, &answer);
	return status;
}
