/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fanout.h - one question to many nodes, asked from a query thread.
 *
 * The loop sends the Ask and passes on what comes back; the query thread waits here, takes
 * the Parts in its own time, and merges them without locks. Who is not connected, late,
 * disconnected meanwhile, or answers with an error becomes a leg with a reason.
 */
#ifndef WEIR_MASTER_FANOUT_H
#define WEIR_MASTER_FANOUT_H

#include "daemon/master/master.h"

struct weir_leg {
	uint8_t node_id[WEIR_KEEP_ID_BYTES];
	uint8_t epoch[WEIR_KEEP_ID_BYTES]; /* of the store that answers, if connected */
	char name[WEIR_KEEP_NAME_BYTES];
	bool connected;	 /* it was asked */
	bool answered;	 /* all of its answer is here */
	char reason[256]; /* why not */
	int status;	 /* of its End; -EINVAL with error_at: the question is at fault */
	uint32_t error_at;
	bool in_filter;
	struct weir_totals matched;
	uint64_t blocks_read, blocks_damaged;
	uint64_t horizon_ns; /* it holds no records of flows that ended before, which were asked for; or 0 */
	uint64_t sampled; /* as End has it */
	bool refused; /* it had no room for records of the time asked for */
	bool explained;
	Weir__Wire__Explain explain; /* numbers only */
};

struct weir_legs {
	struct weir_leg *leg;
	size_t count;
};

int weir_fanout_new(struct weir_master *master, struct weir_fanout **fanout);
/* When no thread is in weir_fanout_ask() any more. */
void weir_fanout_free(struct weir_fanout *fanout);

/**
 * weir_fanout_ask - ask the connected nodes that @ask names (none: all).
 *
 * Calls @part in this thread for each Part, in the order of its leg; it may take what is in it. Known nodes that are not
 * connected get a leg as well. *@legs is filled, free it with weir_legs_free().
 * -ECANCELED; an error of @part stops the question and is the result.
 */
typedef int weir_fanout_part(void *arg, size_t leg, const char *name, Weir__Wire__Part *part);
int weir_fanout_ask(struct weir_fanout *fanout, const Weir__Wire__Ask *ask,
		    const atomic_bool *cancel, weir_fanout_part *part, void *arg,
		    struct weir_legs *legs);
void weir_legs_free(struct weir_legs *legs);

/* From sessions.c, in the loop. @frame is a Part or an End; its body may be taken. */
void weir_fanout_take(struct weir_fanout *fanout, struct weir_session *session,
		      Weir__Wire__Frame *frame);
void weir_fanout_gone(struct weir_fanout *fanout, struct weir_session *session);

#endif
