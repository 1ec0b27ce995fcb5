/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gather.h - groups of many nodes become one table: every node is asked for all its groups,
 * and figures of equal keys are merged. Half an answer of a node counts as none.
 */
#ifndef WEIR_MASTER_GATHER_H
#define WEIR_MASTER_GATHER_H

#include "daemon/master/reply.h"
#include "daemon/query/measure.h"

struct weir_gather_rows {
	uint8_t *keys;
	uint64_t *values; /* columns of each row, one behind the other */
	size_t count, room;
};

struct weir_gather {
	unsigned key_bytes, columns;
	const struct weir_measure *measure; /* of each column; none DISTINCT */
	struct weir_reply_progress *progress;
	struct weir_gather_rows *leg; /* what each node sent */
	bool *faulty;
	size_t legs;
	size_t rows; /* of all of them */
	struct weir_gather_rows merged; /* keys are distinct and ascending */
};

/* One more row; -ENOMEM. */
int weir_gather_add(struct weir_gather_rows *rows, unsigned key_bytes, unsigned columns,
		    const uint8_t *key, const uint64_t *values);
/**
 * weir_gather_run - ask as @ask says and merge what came. 0 with *@legs filled, free it with
 * weir_legs_free(): who did not answer, or not sensibly, is in it with its reason. -E2BIG: more
 * groups than a master holds. -ECANCELED, -ENOMEM.
 */
int weir_gather_run(struct weir_gather *gather, struct weir_master *master, struct weir_job *job,
		    const Weir__Wire__Ask *ask, struct weir_legs *legs);
void weir_gather_free(struct weir_gather *gather);

#endif
