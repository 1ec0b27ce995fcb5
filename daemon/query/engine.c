// SPDX-License-Identifier: GPL-2.0
/* engine.c - the threads of one query, and the blocks they work on. */
#include "daemon/query/engine.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/query/governor.h"

enum {
	LOOK_MS = 20, /* how often the thread that asked looks at `cancel` */
	BACKGROUND_NICE = 10,
	BACKGROUND_IO = 7, /* lowest of the best-effort class */
	SPILL_BUFFER_BYTES = 16 << 10,
	SUM_CHUNK = 512, /* numbers widened at a time: they stay in the first-level cache */
};

#define PROGRESS_NS (WEIR_NS_PER_SECOND / 4)

uint64_t weir_engine_ns(void)
{
	return weir_clock_monotonic_ns();
}

bool weir_engine_cancelled(const struct weir_engine *engine)
{
	const atomic_bool *cancel = engine->query->cancel;

	return cancel && atomic_load_explicit(cancel, memory_order_relaxed);
}

static int make_worker(struct weir_engine *e, unsigned i, bool either_way)
{
	struct weir_worker *worker = &e->workers[i];
	size_t buffer = SPILL_BUFFER_BYTES;
	int ret;

	worker->engine = e;
	worker->index = i;
	worker->budget.bound_bytes = e->memory_bytes / e->threads;
	/* Many streams are open at a time: they should not dwarf a small bound. */
	while (buffer > 1024 && buffer * 64 > worker->budget.bound_bytes)
		buffer /= 2;
	weir_spill_init(&worker->spill, e->query->spill_dir, buffer, &e->spilled,
			e->query->spill_bytes ? e->query->spill_bytes : UINT64_MAX);
	worker->spill.keep_bytes = e->query->spill_keep_bytes;
	ret = weir_columns_new(e->store, &worker->figures, &worker->columns);
	return ret ? ret : weir_select_new(e->query, either_way, &worker->select);
}

static void init_sync(struct weir_engine *e)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&e->wake, &attributes);
	pthread_condattr_destroy(&attributes);
}

/* As sums of groups do: what is at the end stays there. */
static void add_up(unsigned long long *sum, uint64_t value)
{
	if (__builtin_add_overflow(*sum, value, sum))
		*sum = UINT64_MAX;
}

/* The blocks up to @through. */
static void leave_out(struct weir_engine *e, uint64_t through)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->block_count; i++)
		if (e->blocks[i].number > through)
			e->blocks[kept++] = e->blocks[i];
	e->block_count = kept;
}

static int plan(struct weir_engine *e)
{
	const struct weir_query *query = e->query;
	uint64_t to_ns = query->to_ns ? query->to_ns : UINT64_MAX, began_ns = weir_engine_ns();
	/* Roll-ups stand for the store's own blocks only, and these go with them. */
	int ret = (query->after_block ? weir_plan_own : weir_store_plan)(
		e->store, query->from_ns, to_ns, &e->blocks, &e->block_count,
		&e->result->blocks_damaged);

	if (!ret && query->after_block)
		leave_out(e, query->after_block);
	e->result->blocks_planned = e->block_count;
	e->result->plan_ns = weir_engine_ns() - began_ns;
	return ret;
}

int weir_engine_open(struct weir_engine *engine, struct weir_store *store,
		     const struct weir_query *query, bool either_way,
		     struct weir_query_result *result)
{
	struct weir_engine *e = engine;
	int ret;

	memset(result, 0, sizeof(*result));
	memset(e, 0, sizeof(*e));
	e->query = query;
	e->result = result;
	e->store = store;
	e->began_ns = e->told_ns = weir_engine_ns();
	e->threads = query->threads ? query->threads : weir_governor_cores();
	if (e->threads > WEIR_QUERY_THREADS_MAX)
		e->threads = WEIR_QUERY_THREADS_MAX;
	e->memory_bytes = query->memory_bytes ? query->memory_bytes : WEIR_QUERY_MEMORY_BYTES;
	init_sync(e);
	ret = weir_governor_enter(query->governor, query->cancel, query->spill_dir, &e->threads,
				  &e->memory_bytes);
	result->wait_ns = weir_engine_ns() - e->began_ns;
	if (ret) {
		e->threads = 0;
		e->memory_bytes = 0;
		return ret;
	}
	result->threads = e->threads;
	ret = plan(e);
	if (ret)
		return ret;
	e->workers = calloc(e->threads, sizeof(*e->workers));
	if (!e->workers)
		return -ENOMEM;
	for (unsigned i = 0; i < e->threads && !ret; i++)
		ret = make_worker(e, i, either_way);
	return ret;
}

static void add_figures(struct weir_query_result *sum, const struct weir_query_result *one)
{
	add_up(&sum->matched.flows, one->matched.flows);
	add_up(&sum->matched.packets, one->matched.packets);
	add_up(&sum->matched.bytes, one->matched.bytes);
	sum->blocks_read += one->blocks_read;
	sum->blocks_skipped += one->blocks_skipped;
	sum->blocks_damaged += one->blocks_damaged;
	sum->blocks_gone += one->blocks_gone;
	sum->records_read += one->records_read;
	sum->sampled = one->sampled > sum->sampled ? one->sampled : sum->sampled;
	sum->bytes_read += one->bytes_read;
	sum->read_ns += one->read_ns;
	sum->filter_ns += one->filter_ns;
	sum->aggregate_ns += one->aggregate_ns;
	sum->sort_ns += one->sort_ns;
}

void weir_engine_settle(struct weir_engine *engine)
{
	for (unsigned i = 0; engine->workers && i < engine->threads; i++) {
		struct weir_worker *worker = &engine->workers[i];

		add_figures(engine->result, &worker->figures);
		memset(&worker->figures, 0, sizeof(worker->figures));
	}
}

void weir_engine_rest(struct weir_engine *engine)
{
	if (!engine->rests)
		weir_governor_rest(engine->query->governor, engine->threads);
	engine->rests = true;
}

void weir_engine_close(struct weir_engine *engine)
{
	struct weir_engine *e = engine;

	weir_engine_settle(e);
	for (unsigned i = 0; e->workers && i < e->threads; i++) {
		struct weir_worker *worker = &e->workers[i];

		e->result->spilled_bytes += worker->spill.end;
		if (worker->engine)
			weir_spill_close(&worker->spill);
		weir_columns_free(worker->columns);
		weir_select_free(worker->select);
	}
	if (e->threads)
		weir_governor_leave(e->query->governor, e->rests ? 0 : e->threads, e->memory_bytes);
	free(e->workers);
	weir_store_plan_free(e->store, e->blocks);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->lock);
	e->result->total_ns = weir_engine_ns() - e->began_ns;
}

void weir_engine_wake(struct weir_engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	engine->woken = true;
	pthread_cond_broadcast(&engine->wake);
	pthread_mutex_unlock(&engine->lock);
}

void weir_engine_bound(struct weir_engine *engine, const char *what)
{
	pthread_mutex_lock(&engine->lock);
	if (!engine->result->bound) {
		engine->result->bound = what;
		engine->result->bound_bytes = engine->memory_bytes;
	}
	pthread_mutex_unlock(&engine->lock);
}

static void fail(struct weir_engine *e, int error)
{
	pthread_mutex_lock(&e->lock);
	if (!e->error)
		e->error = error;
	atomic_store(&e->stop, true);
	pthread_cond_broadcast(&e->wake);
	pthread_mutex_unlock(&e->lock);
}

/* Not refused to anybody; if it fails all the same, the query is only less polite. */
static void lower_priority(void)
{
	const struct sched_param none = {0};
	pid_t self = (pid_t)syscall(SYS_gettid);

	sched_setscheduler(self, SCHED_BATCH, &none);
	setpriority(PRIO_PROCESS, (id_t)self, BACKGROUND_NICE);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, self,
		IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, BACKGROUND_IO));
}

static void *work(void *arg)
{
	struct weir_worker *worker = arg;
	struct weir_engine *e = worker->engine;

	if (e->query->background)
		lower_priority();
	while (!weir_engine_stops(e)) {
		size_t index = atomic_fetch_add(&e->next, 1);
		int ret;

		if (index >= e->task_count)
			break;
		ret = e->task(worker, index);
		if (ret) {
			fail(e, ret);
			break;
		}
	}
	pthread_mutex_lock(&e->lock);
	e->running--;
	pthread_cond_broadcast(&e->wake);
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static void tell(struct weir_engine *e)
{
	uint64_t now_ns = weir_engine_ns();

	if (!e->query->progress || now_ns - e->told_ns < PROGRESS_NS)
		return;
	e->told_ns = now_ns;
	e->query->progress(e->query->progress_arg, atomic_load(&e->done), e->block_count,
			   atomic_load(&e->records));
}

/* What the thread that asked does while the workers work. Comes and goes with the lock. */
static void look_after(struct weir_engine *e)
{
	struct timespec until;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (!e->woken)
		pthread_cond_timedwait(&e->wake, &e->lock, &until);
	e->woken = false;
	pthread_mutex_unlock(&e->lock);
	if (weir_engine_cancelled(e))
		fail(e, -ECANCELED);
	ret = e->attend ? e->attend(e) : 0;
	if (ret)
		fail(e, ret);
	tell(e);
	pthread_mutex_lock(&e->lock);
}

static unsigned start(struct weir_engine *e, unsigned wanted)
{
	unsigned started = 0;

	for (; started < wanted; started++) {
		pthread_mutex_lock(&e->lock);
		e->running++;
		pthread_mutex_unlock(&e->lock);
		if (pthread_create(&e->workers[started].thread, NULL, work,
				   &e->workers[started])) {
			pthread_mutex_lock(&e->lock);
			e->running--;
			pthread_mutex_unlock(&e->lock);
			break;
		}
	}
	return started;
}

int weir_engine_each(struct weir_engine *engine, size_t count, weir_engine_task *task)
{
	struct weir_engine *e = engine;
	unsigned started;

	if (e->error)
		return e->error;
	if (weir_engine_cancelled(e))
		return -ECANCELED;
	e->task = task;
	e->task_count = count;
	atomic_store(&e->next, 0);
	started = start(e, count < e->threads ? (unsigned)count : e->threads);
	if (!started && count)
		return -EAGAIN;
	pthread_mutex_lock(&e->lock);
	while (e->running)
		look_after(e);
	pthread_mutex_unlock(&e->lock);
	for (unsigned i = 0; i < started; i++)
		pthread_join(e->workers[i].thread, NULL);
	if (!e->error && e->attend)
		e->error = e->attend(e);
	if (!e->error && weir_engine_cancelled(e))
		e->error = -ECANCELED;
	return e->error;
}

/* The halves apart: neither can overflow, and there is no carry to wait for. */
struct halves {
	uint64_t low, high;
};

static void add_numbers(struct halves *sum, const uint64_t *numbers, uint32_t count)
{
	uint64_t low = 0, high = 0;

	for (uint32_t i = 0; i < count; i++) {
		low += numbers[i] & UINT32_MAX;
		high += numbers[i] >> 32;
	}
	sum->low += low;
	sum->high += high;
}

static void add_all(struct halves *sum, const struct weir_vector *vector)
{
	uint64_t numbers[SUM_CHUNK];

	for (uint32_t first = 0; first < vector->count; first += SUM_CHUNK) {
		uint32_t left = vector->count - first, count = left < SUM_CHUNK ? left : SUM_CHUNK;

		weir_vector_numbers(vector, first, count, numbers);
		add_numbers(sum, numbers, count);
	}
}

static uint64_t sum_up(const struct weir_vector *vector, const struct weir_select *select)
{
	struct halves sum = {0};

	if (select->all)
		add_all(&sum, vector);
	for (uint32_t i = 0; i < select->count && !select->all; i++) {
		uint64_t number = weir_vector_number(vector, select->row[i]);

		add_numbers(&sum, &number, 1);
	}
	sum.high += sum.low >> 32;
	return sum.high > UINT32_MAX ? UINT64_MAX : sum.high << 32 | (sum.low & UINT32_MAX);
}

/* By the block's index: who is told that figures are of a sample need not know of which records. */
static void note_sampling(struct weir_worker *worker)
{
	uint64_t least, most;

	if (weir_store_view_range(worker->columns->view, WEIR_COLUMN_SAMPLING, &least, &most) &&
	    most > 1 && most > worker->figures.sampled)
		worker->figures.sampled = most;
}

static void count_matched(struct weir_worker *worker)
{
	struct weir_totals *matched = &worker->figures.matched;

	if (!worker->select->count)
		return;
	note_sampling(worker);
	matched->flows += worker->select->count;
	add_up(&matched->packets, sum_up(weir_columns_get(worker->columns, WEIR_COLUMN_PACKETS),
					 worker->select));
	add_up(&matched->bytes, sum_up(weir_columns_get(worker->columns, WEIR_COLUMN_BYTES),
				       worker->select));
}

/* Choose the records of the open block and decode what is needed of them. */
static int prepare(struct weir_worker *worker)
{
	struct weir_query_result *figures = &worker->figures;
	uint64_t began_ns = weir_engine_ns(), read_ns = figures->read_ns;
	int ret = weir_select_run(worker->select, worker->columns);

	figures->filter_ns += weir_engine_ns() - began_ns - (figures->read_ns - read_ns);
	if (!ret && worker->select->count)
		ret = weir_columns_load(worker->columns, worker->engine->columns |
						WEIR_COLUMN_BIT(WEIR_COLUMN_PACKETS) |
						WEIR_COLUMN_BIT(WEIR_COLUMN_BYTES));
	return ret;
}

/* Nothing is counted if anything of the block is found to be damaged. */
static int run_block(struct weir_worker *worker, size_t index)
{
	struct weir_query_result *figures = &worker->figures;
	uint64_t began_ns = weir_engine_ns(), read_ns;
	int ret;

	worker->select->count = 0;
	if (weir_select_skips(worker->select, worker->columns)) {
		figures->blocks_skipped++;
		figures->filter_ns += weir_engine_ns() - began_ns;
		return 0;
	}
	ret = prepare(worker);
	began_ns = weir_engine_ns();
	read_ns = figures->read_ns;
	if (!ret && worker->select->count)
		ret = worker->engine->block(worker, index);
	if (!ret) {
		figures->blocks_read++;
		figures->records_read += worker->columns->count;
		count_matched(worker);
	}
	figures->aggregate_ns += weir_engine_ns() - began_ns - (figures->read_ns - read_ns);
	return ret;
}

static int take_block(struct weir_worker *worker, size_t index)
{
	struct weir_engine *e = worker->engine;
	size_t at = e->newest_first ? e->block_count - 1 - index : index;
	uint64_t began_ns = weir_engine_ns();
	int ret = weir_columns_open(worker->columns, &e->blocks[at]);

	worker->figures.read_ns += weir_engine_ns() - began_ns;
	if (!ret) {
		ret = run_block(worker, at);
		weir_columns_close(worker->columns);
	}
	if (ret) {
		worker->select->count = 0;
		worker->figures.blocks_damaged += ret == -EBADMSG || ret == -ENOTSUP;
		worker->figures.blocks_gone += ret == -ESTALE;
		if (ret == -EBADMSG || ret == -ENOTSUP || ret == -ESTALE)
			ret = 0;
	}
	atomic_fetch_add(&e->done, 1);
	atomic_fetch_add(&e->records, e->blocks[at].records);
	if (!ret && e->after)
		ret = e->after(worker, index);
	return ret;
}

int weir_engine_blocks(struct weir_engine *engine)
{
	return weir_engine_each(engine, engine->block_count, take_block);
}
