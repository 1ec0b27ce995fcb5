// SPDX-License-Identifier: GPL-2.0
/* reply.c - what a master's answers share. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/master/reply.h"
#include "daemon/query/query.h"
#include "daemon/wire/convert.h"

bool weir_reply_is_asked(const Weir__Wire__Ask *ask, const char *name)
{
	for (size_t i = 0; i < ask->n_nodes; i++)
		if (strcmp(ask->nodes[i], name) == 0)
			return true;
	return ask->n_nodes == 0;
}

void weir_ending_missing(struct weir_ending *ending, const char *node, const char *format, ...)
{
	void *grown = realloc(ending->missing, (ending->missings + 1) * sizeof(*ending->missing));
	va_list args;

	if (!grown)
		return;
	ending->missing = grown;
	snprintf(ending->missing[ending->missings].node, WEIR_KEEP_NAME_BYTES, "%s", node);
	va_start(args, format);
	vsnprintf(ending->missing[ending->missings].reason, WEIR_REPLY_NOTE_BYTES, format, args);
	va_end(args);
	ending->missings++;
}

void weir_ending_note(struct weir_ending *ending, const char *format, ...)
{
	void *grown = realloc(ending->note, (ending->notes + 1) * sizeof(*ending->note));
	va_list args;

	if (!grown)
		return;
	ending->note = grown;
	va_start(args, format);
	vsnprintf(ending->note[ending->notes++], WEIR_REPLY_NOTE_BYTES, format, args);
	va_end(args);
}

void weir_ending_damaged(struct weir_ending *ending, const struct weir_leg *leg)
{
	char text[40];

	ending->blocks_damaged += leg->blocks_damaged;
	if (leg->sampled > ending->sampled)
		ending->sampled = leg->sampled;
	if (leg->blocks_damaged)
		weir_ending_missing(ending, leg->name,
				    "%llu damaged blocks of records were left out (see its log)",
				    (unsigned long long)leg->blocks_damaged);
	if (leg->refused)
		weir_ending_missing(ending, leg->name, "it could not store all records of that time, as "
				    "its disk was full");
	if (leg->horizon_ns)
		weir_ending_missing(ending, leg->name,
				    "it no longer holds records of flows that ended before %s",
				    weir_clock_text(leg->horizon_ns, text, sizeof(text)));
}

void weir_ending_explain(struct weir_ending *ending, const struct weir_leg *leg)
{
	struct weir_reply_explain *grown;

	if (!leg->explained)
		return;
	grown = realloc(ending->explain, (ending->explains + 1) * sizeof(*grown));
	if (!grown)
		return;
	ending->explain = grown;
	grown += ending->explains++;
	snprintf(grown->node, sizeof(grown->node), "%s", leg->name);
	grown->message = leg->explain;
}

void weir_ending_legs(struct weir_ending *ending, const struct weir_legs *legs)
{
	for (size_t i = 0; i < legs->count; i++) {
		const struct weir_leg *leg = &legs->leg[i];

		if (!leg->answered) {
			weir_ending_missing(ending, leg->name, "%s", leg->reason);
			continue;
		}
		weir_totals_add(&ending->matched, &leg->matched);
		ending->blocks_read += leg->blocks_read;
		weir_ending_damaged(ending, leg);
		weir_ending_explain(ending, leg);
	}
}

bool weir_ending_fault(struct weir_job *job, const struct weir_legs *legs)
{
	const struct weir_leg *fault = NULL;
	char text[WEIR_KEEP_NAME_BYTES + sizeof(fault->reason) + 8];

	for (size_t i = 0; i < legs->count; i++) {
		const struct weir_leg *leg = &legs->leg[i];

		if (!leg->connected)
			continue;
		if (leg->answered || leg->status != -EINVAL)
			return false;
		fault = leg;
	}
	if (fault && fault->in_filter) {
		snprintf(text, sizeof(text), "node %s: %s", fault->name, fault->reason);
		weir_job_fail_filter(job, fault->error_at, text);
	} else if (fault) {
		weir_job_fail(job, -EINVAL, fault->error_at, "node %s: %s", fault->name,
			      fault->reason);
	}
	return fault;
}

static const char *sentence(int status)
{
	if (status == -E2BIG)
		return "the answer has more groups than a master can hold; ask for fewer fields, a "
		       "shorter time, or filter";
	if (status == -ECANCELED)
		return "cancelled";
	return strerror(-status);
}

void weir_ending_drop(struct weir_ending *ending)
{
	free(ending->missing);
	free(ending->note);
	free(ending->explain);
	memset(ending, 0, sizeof(*ending));
}

void weir_ending_send(struct weir_ending *ending, struct weir_job *job, int status)
{
	Weir__Wire__Missing *missing = calloc(ending->missings + 1, sizeof(*missing));
	Weir__Wire__Missing **pointers = calloc(ending->missings + 1, sizeof(*pointers));
	char **notes;
	Weir__Wire__Explain **explain = calloc(ending->explains + 1, sizeof(*explain));
	Weir__Wire__End end = WEIR__WIRE__END__INIT;
	Weir__Wire__Totals matched;

	if (ending->sampled)
		weir_ending_note(ending, WEIR_CONVERT_SAMPLED_NOTE,
				 (unsigned long long)ending->sampled);
	notes = calloc(ending->notes + 1, sizeof(*notes));
	if (status || !missing || !pointers || !notes || !explain) {
		status = status ? status : -ENOMEM;
		weir_job_fail(job, status, 0, "%s", sentence(status));
		goto free_all;
	}
	for (size_t i = 0; i < ending->missings; i++) {
		weir__wire__missing__init(&missing[i]);
		missing[i].node = ending->missing[i].node;
		missing[i].reason = ending->missing[i].reason;
		pointers[i] = &missing[i];
	}
	for (size_t i = 0; i < ending->notes; i++)
		notes[i] = ending->note[i];
	for (size_t i = 0; i < ending->explains; i++) {
		explain[i] = &ending->explain[i].message;
		explain[i]->node = ending->explain[i].node;
	}
	weir_convert_totals_put(&matched, &ending->matched);
	end.matched = &matched;
	end.n_missing = ending->missings;
	end.missing = pointers;
	end.n_notes = ending->notes;
	end.notes = notes;
	end.n_explain = ending->explains;
	end.explain = explain;
	end.blocks_read = ending->blocks_read;
	end.sampled = ending->sampled;
	end.blocks_damaged = ending->blocks_damaged;
	weir_job_end(job, &end);
free_all:
	free(missing);
	free(pointers);
	free(notes);
	free(explain);
	weir_ending_drop(ending);
}

/* A name nobody knows is a slip of the user's, not a node that is away. */
static bool names_known(struct weir_job *job, const Weir__Wire__Ask *ask,
			struct weir_master *master)
{
	struct weir_keep_stream *streams = NULL;
	struct weir_session_state *states = NULL;
	size_t count = 0, connected = 0;
	bool all = true;

	if (!ask->n_nodes)
		return true;
	if (weir_keep_streams(master->keep, &streams, &count) ||
	    weir_sessions_states(&states, &connected))
		count = connected = 0;
	for (size_t i = 0; i < ask->n_nodes && all; i++) {
		bool known = false;

		for (size_t j = 0; j < count; j++)
			known = known || !strcmp(streams[j].name, ask->nodes[i]);
		for (size_t j = 0; j < connected; j++)
			known = known || !strcmp(states[j].name, ask->nodes[i]);
		if (!known)
			weir_job_fail(job, -ENOENT, 0, "no node is called \"%s\" here",
				      ask->nodes[i]);
		all = known;
	}
	free(streams);
	free(states);
	return all;
}

/* Before any node is troubled with it. */
static bool filter_fine(struct weir_job *job, const Weir__Wire__Ask *ask)
{
	struct weir_filter *filter = NULL;
	char error[256];
	size_t at = 0;

	if (weir_filter_parse(ask->filter, &filter, error, sizeof(error), &at) < 0) {
		weir_job_fail_filter(job, at, error);
		return false;
	}
	weir_filter_free(filter);
	return true;
}

void weir_reply_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *arg)
{
	struct weir_master *master = arg;

	if (!filter_fine(job, ask) || !names_known(job, ask, master))
		return;
	switch (ask->verb) {
	case WEIR__WIRE__VERB__VERB_FLOWS:
	case WEIR__WIRE__VERB__VERB_LIST:
		weir_reply_flows(job, ask, master);
		break;
	case WEIR__WIRE__VERB__VERB_TOP:
		weir_reply_top(job, ask, master);
		break;
	case WEIR__WIRE__VERB__VERB_GROUPS:
		weir_reply_groups(job, ask, master);
		break;
	case WEIR__WIRE__VERB__VERB_PAIRS:
		weir_reply_pairs(job, ask, master);
		break;
	case WEIR__WIRE__VERB__VERB_NODES:
		weir_reply_nodes(job, ask, master);
		break;
	case WEIR__WIRE__VERB__VERB_AUDIT:
		weir_reply_audit(job, ask, master);
		break;
	default:
		weir_job_fail(job, -EOPNOTSUPP, 0, "this weir-master does not know verb %d",
			      (int)ask->verb);
	}
}
