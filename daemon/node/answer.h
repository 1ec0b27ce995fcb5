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

/* What questions to the store share. */
struct weir_answer {
	struct weir_job *job;
	const Weir__Wire__Ask *ask;
	struct weir_node *node;
	struct weir_names *names; /* that fields and filters are bound to */
	struct weir_query query; /* filled from @ask, the filter in it too */
	struct weir_query_result result;
};

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
