// SPDX-License-Identifier: GPL-2.0
/* governor.c - threads and memory of all queries of a process together. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "daemon/query/governor.h"

enum {
	LEAST_BYTES = 1 << 20, /* that a query makes do with, beside others */
};

struct weir_governor {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned threads; /* in use */
	unsigned threads_all;
	unsigned running; /* queries */
	uint64_t memory_bytes; /* free */
	uint64_t memory_all;
	struct waiter *first; /* first come, first served */
};

struct waiter {
	struct waiter *next;
};

int weir_governor_new(unsigned threads, uint64_t memory_bytes, struct weir_governor **governor)
{
	struct weir_governor *g = calloc(1, sizeof(*g));
	pthread_condattr_t attributes;

	if (!g)
		return -ENOMEM;
	g->threads_all = threads ? threads : weir_governor_cores();
	g->memory_bytes = g->memory_all =
		memory_bytes ? memory_bytes : 2ULL * WEIR_QUERY_MEMORY_BYTES;
	pthread_mutex_init(&g->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&g->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	*governor = g;
	return 0;
}

void weir_governor_free(struct weir_governor *governor)
{
	if (!governor)
		return;
	pthread_cond_destroy(&governor->changed);
	pthread_mutex_destroy(&governor->lock);
	free(governor);
}

unsigned weir_governor_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (cores < 1)
		return 1;
	return cores > WEIR_QUERY_THREADS_MAX ? WEIR_QUERY_THREADS_MAX : (unsigned)cores;
}

static bool cancelled(const atomic_bool *cancel)
{
	return cancel && atomic_load_explicit(cancel, memory_order_relaxed);
}

/* Nobody signals a cancelled query, so look again now and then. */
static void wait_a_little(struct weir_governor *g)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50 * 1000 * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&g->changed, &g->lock, &until);
}

static void queue_up(struct weir_governor *g, struct waiter *self)
{
	struct waiter **at = &g->first;

	while (*at)
		at = &(*at)->next;
	*at = self;
}

static void go(struct weir_governor *g, struct waiter *self)
{
	struct waiter **at = &g->first;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
	pthread_cond_broadcast(&g->changed);
}

/*
 * A reader that pauses holds a query for minutes, and those behind it should not have to wait: so
 * there always is a thread to be had, and who can spill makes do with half of what the others left.
 */
static bool find_memory(const struct weir_governor *g, bool spills, uint64_t *memory_bytes)
{
	if (spills && g->running && *memory_bytes > g->memory_bytes / 2) {
		if (g->memory_bytes / 2 < LEAST_BYTES)
			return false;
		*memory_bytes = g->memory_bytes / 2;
	}
	return *memory_bytes <= g->memory_bytes;
}

static void take(struct weir_governor *g, unsigned *threads, uint64_t memory_bytes)
{
	unsigned free_threads = g->threads < g->threads_all ? g->threads_all - g->threads : 1;

	if (*threads > free_threads)
		*threads = free_threads;
	g->threads += *threads;
	g->memory_bytes -= memory_bytes;
	g->running++;
}

/* In order, so that a query that asks for much memory is not overtaken for ever. */
int weir_governor_enter(struct weir_governor *governor, const atomic_bool *cancel, bool spills,
			unsigned *threads, uint64_t *memory_bytes)
{
	struct weir_governor *g = governor;
	struct waiter self = {NULL};
	int ret = 0;

	if (!g)
		return 0;
	pthread_mutex_lock(&g->lock);
	if (*memory_bytes > g->memory_all)
		*memory_bytes = g->memory_all;
	queue_up(g, &self);
	while (g->first != &self || !find_memory(g, spills, memory_bytes)) {
		if (cancelled(cancel)) {
			ret = -ECANCELED;
			break;
		}
		wait_a_little(g);
	}
	if (!ret)
		take(g, threads, *memory_bytes);
	go(g, &self);
	pthread_mutex_unlock(&g->lock);
	return ret;
}

void weir_governor_rest(struct weir_governor *governor, unsigned threads)
{
	if (!governor)
		return;
	pthread_mutex_lock(&governor->lock);
	governor->threads -= threads;
	pthread_mutex_unlock(&governor->lock);
}

void weir_governor_leave(struct weir_governor *governor, unsigned threads, uint64_t memory_bytes)
{
	if (!governor)
		return;
	pthread_mutex_lock(&governor->lock);
	governor->threads -= threads;
	governor->memory_bytes += memory_bytes;
	governor->running--;
	pthread_cond_broadcast(&governor->changed);
	pthread_mutex_unlock(&governor->lock);
}
