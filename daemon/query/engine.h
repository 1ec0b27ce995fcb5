/* SPDX-License-Identifier: GPL-2.0 */
/*
 * engine.h - the threads of one query, and the blocks they work on.
 *
 * Each worker takes one block after another: asks its index, chooses its records, decodes
 * the columns that the query needs, and hands them to the kind of query it is (list, groups,
 * pairs), which keeps what it found in the worker. What follows (joining what the workers found)
 * is made of tasks that workers take in the same way. The thread that asked does no
 * work: it waits, tells of progress, and looks whether it is to stop.
 */
#ifndef WEIR_QUERY_ENGINE_H
#define WEIR_QUERY_ENGINE_H

#include <pthread.h>

#include "daemon/query/select.h"
#include "daemon/query/sorter.h"

struct weir_engine;

struct weir_worker {
	struct weir_engine *engine;
	unsigned index;
	pthread_t thread;
	struct weir_columns *columns; /* of the block at hand */
	struct weir_select *select; /* the records chosen in it */
	struct weir_query_result figures; /* of this worker */
	struct weir_budget budget; /* its share of the query's memory */
	struct weir_spill spill;
	void *state; /* of the kind of query */
};

/* What a kind of query does with a block in which something was chosen, columns loaded. @index counts
 * the plan's blocks, oldest first. -EBADMSG and -ENOTSUP: it is damaged; then nothing of it was kept. */
typedef int weir_engine_block(struct weir_worker *worker, size_t index);
typedef int weir_engine_task(struct weir_worker *worker, size_t index);

struct weir_engine {
	const struct weir_query *query;
	struct weir_query_result *result;
	struct weir_store *store;
	struct weir_store_block *blocks;
	size_t block_count;
	struct weir_worker *workers;
	unsigned threads;
	uint64_t memory_bytes;
	bool rests; /* other queries may have the threads */
	uint64_t columns; /* needed of each record chosen */
	bool newest_first; /* the order in which blocks are taken */
	weir_engine_block *block;
	/* Called for each block in turn, after block() or when there was nothing in it, with
	 * the block closed. May wait. NULL: not needed. */
	weir_engine_block *after;
	/* Called by the thread that asked, now and then, after weir_engine_wake(), and when the query is
	 * stopped, without the lock. NULL: not needed. */
	int (*attend)(struct weir_engine *engine);
	void *state; /* of the kind of query */

	/* Of the tasks that run now. */
	weir_engine_task *task;
	size_t task_count;
	_Atomic size_t next;
	atomic_bool stop;
	_Atomic uint64_t done, records; /* blocks, and the records in them */
	_Atomic uint64_t spilled; /* bytes, of all threads */
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t wake;
	bool woken; /* for attend() */
	unsigned running;
	int error; /* the first one */
	uint64_t told_ns, began_ns;
};

/* Wait for the governor, plan the blocks, make workers. @result is cleared. */
int weir_engine_open(struct weir_engine *engine, struct weir_store *store,
		     const struct weir_query *query, bool either_way,
		     struct weir_query_result *result);
/* Sum up the figures so far, before the first row of the answer is handed out: who gets it may
 * have to say what is missing. While no task runs. */
void weir_engine_settle(struct weir_engine *engine);
/* No task will run any more: what is left is to hand out the answer, to who may take his time. */
void weir_engine_rest(struct weir_engine *engine);
/* Sum up the figures and free all, but the workers' states. */
void weir_engine_close(struct weir_engine *engine);

/* Run engine->block over all blocks. */
int weir_engine_blocks(struct weir_engine *engine);
/* Run @task with 0 .. @count - 1, over all workers. */
int weir_engine_each(struct weir_engine *engine, size_t count, weir_engine_task *task);
/* Whether a worker should give up what it does (and return -ECANCELED). */
static inline bool weir_engine_stops(const struct weir_engine *engine)
{
	return atomic_load_explicit(&engine->stop, memory_order_relaxed);
}
/* For the thread that asked, while it emits: whether the query was cancelled. */
bool weir_engine_cancelled(const struct weir_engine *engine);
/* Wake the thread that asked. */
void weir_engine_wake(struct weir_engine *engine);
/* Say that @what did not fit into memory. */
void weir_engine_bound(struct weir_engine *engine, const char *what);

/* For measuring stages: the time now. */
uint64_t weir_engine_ns(void);

#endif
