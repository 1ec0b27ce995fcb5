/* SPDX-License-Identifier: GPL-2.0 */
/*
 * answer.h - a node's answers to questions, from its own store, one file a verb. The same for
 * the command line and for a master. They run in query threads (daemon/wire/job.h).
 */
#ifndef WEIR_NODE_ANSWER_H
#define WEIR_NODE_ANSWER_H

#include "daemon/node/node.h"
#include "daemon/query/names.h"
#include "daemon/query/query.h"
#include "daemon/wire/job.h"

/* Make what bounds queries, before the first of them; free it after the last. */
int weir_answer_start(struct weir_node *node);
void weir_answer_stop(struct weir_node *node);

/* A weir_job_run; @node is struct weir_node. */
void weir_answer_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *node);

enum {
	WEIR_ANSWER_NOTES_MAX = 8,
	WEIR_ANSWER_NOTE_BYTES = 400,
};

/* What questions to the store share. */
struct weir_answer {
	struct weir_job *job;
	const Weir__Wire__Ask *ask;
	struct weir_node *node;
	struct weir_names *names; /* that fields and filters are bound to */
	struct weir_query query; /* filled from @ask, the filter in it too */
	struct weir_query_result result;
	char note[WEIR_ANSWER_NOTES_MAX][WEIR_ANSWER_NOTE_BYTES]; /* for the End */
	unsigned notes;
	bool horizon_told;
	bool refused; /* records of that time were not stored, for lack of room */
	bool counted; /* roll-ups stand for records that are gone, */
	bool rolled; /* all of them */
	uint64_t horizon_ns; /* the question reaches back to before it, what records do not; 0: no */
	uint64_t rollup_ns[WEIR_ROLLUP_LEVELS]; /* if so, where roll-ups begin; 0: there are none */
};

/* Add a sentence to the End. Past the last that fits, none. */
void weir_answer_note(struct weir_answer *answer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* answer_rollup.c: say how far back records reach, if the question reaches further: sets
 * horizon_ns. Once is enough; weir_answer_end() does it as well. */
void weir_answer_horizon(struct weir_answer *answer);
/* answer_rollup.c: VERB_TOP of a time of which records are gone, from roll-ups and the records that
 * are left. False: there is nothing for it to do, the records can answer. */
bool weir_answer_rolled_top(struct weir_answer *answer, const struct weir_query_spec *spec);

/* Whether records that were asked for are not in the answer, as far as is known by now. */
bool weir_answer_lacks(const struct weir_answer *answer);
/* Send the End that says how @result (0, or a negative errno of a query) came about. */
void weir_answer_end(struct weir_answer *answer, int result);

/* Each sends all Parts and the End. */
void weir_answer_flows(struct weir_answer *answer);
void weir_answer_groups(struct weir_answer *answer);
void weir_answer_top(struct weir_answer *answer);
void weir_answer_pairs(struct weir_answer *answer);
void weir_answer_nodes(struct weir_job *job, struct weir_node *node);

/* audit.c: VERB_AUDIT. */
void weir_audit_run(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_node *node);

#endif
