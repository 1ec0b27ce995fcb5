/* SPDX-License-Identifier: GPL-2.0 */
/*
 * answer.h - a node's answers to questions, from its own store. The same for the
 * command line and for a master. Runs in a query thread (daemon/wire/job.h).
 */
#ifndef WEIR_NODE_ANSWER_H
#define WEIR_NODE_ANSWER_H

#include "daemon/node/node.h"
#include "daemon/wire/job.h"

/* A weir_job_run; @node is struct weir_node. */
void weir_answer_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *node);

/* audit.c: VERB_AUDIT. */
void weir_audit_run(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_node *node);

#endif
