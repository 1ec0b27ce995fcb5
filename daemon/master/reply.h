/* SPDX-License-Identifier: GPL-2.0 */
/*
 * reply.h - a master's answers, one file a verb: reply_top.c, reply_flows.c,
 * reply_groups.c, reply_pairs.c, reply_nodes.c, reply_audit.c. They run in query threads.
 */
#ifndef WEIR_MASTER_REPLY_H
#define WEIR_MASTER_REPLY_H

#include "daemon/master/fanout.h"

enum {
	WEIR_REPLY_GROUPS_MAX = 4000000,
	WEIR_REPLY_NOTE_BYTES = 512,
};

/* What will be said in the End, collected while the answer is put together. */
struct weir_ending {
	struct weir_totals matched;
	uint64_t blocks_read, blocks_damaged;
	uint64_t sampled; /* by any node; 0: by none */
	struct {
		char node[WEIR_KEEP_NAME_BYTES];
		char reason[WEIR_REPLY_NOTE_BYTES];
	} *missing;
	size_t missings;
	char (*note)[WEIR_REPLY_NOTE_BYTES];
	size_t notes;
	struct weir_reply_explain {
		char node[WEIR_KEEP_NAME_BYTES];
		Weir__Wire__Explain message;
	} *explain;
	size_t explains;
};

void weir_ending_missing(struct weir_ending *ending, const char *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void weir_ending_note(struct weir_ending *ending, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Count what the legs that answered say, name the others as missing. */
void weir_ending_legs(struct weir_ending *ending, const struct weir_legs *legs);
/* How the answer of @leg came about. Done by weir_ending_legs(), for those that answered. */
void weir_ending_explain(struct weir_ending *ending, const struct weir_leg *leg);
/* Send the End for @status (0, or a negative errno with a sentence of its own); frees what @ending holds. */
void weir_ending_send(struct weir_ending *ending, struct weir_job *job, int status);
/* Free what @ending holds: the End was sent already. */
void weir_ending_drop(struct weir_ending *ending);
/* Of a leg that answered: name what it left out. */
void weir_ending_damaged(struct weir_ending *ending, const struct weir_leg *leg);
/* Every node that was asked found the question at fault: tell that, true. One alone is missing. */
bool weir_ending_fault(struct weir_job *job, const struct weir_legs *legs);
/* Is the node called @name asked? */
bool weir_reply_is_asked(const Weir__Wire__Ask *ask, const char *name);

/* What the nodes say of their progress, added up for who asked. All zero but for the job. */
struct weir_reply_progress {
	struct weir_job *job;
	Weir__Wire__Progress *leg;
	size_t legs;
	uint64_t sent_ns;
};
/* Whether @part is of that kind; nothing is left to do with it then. */
bool weir_reply_progress_take(struct weir_reply_progress *progress, size_t leg,
			      const Weir__Wire__Part *part);
void weir_reply_progress_free(struct weir_reply_progress *progress);

void weir_reply_groups(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master);
void weir_reply_pairs(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master);
void weir_reply_top(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master);
void weir_reply_flows(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master);
void weir_reply_nodes(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master);
void weir_reply_audit(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master);

#endif
