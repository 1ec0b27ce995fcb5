// SPDX-License-Identifier: GPL-2.0
/*
 * replaced.c - see replaced.h.
 *
 * Merges are numbered as they commit. A plan notes the number of the last one when it
 * begins; a copy left by merge m is of use to plans that noted less than m. A plan that begins
 * while a merge commits may read the index before or after it: it counts as before, which
 * only keeps copies longer.
 */
#include "daemon/store/replaced.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct weir_replaced_plan {
	struct weir_replaced_plan *next;
	uint64_t merges;    /* when it began */
	const void *blocks; /* its name; NULL: being made */
};

struct copy {
	struct copy *next;
	uint64_t merge; /* that replaced it; UINT64_MAX: is about to */
	uint64_t number;
	uint32_t records;
	size_t bytes;
	uint8_t block[] __attribute__((aligned(8)));
};

struct weir_replaced {
	char *path; /* of the file "plans" */
	bool read_only;
	pthread_mutex_t lock; /* all that follows */
	int fd; /* of that file, flock'ed: shared by plans of readers, alone by merges; -1: not open */
	struct weir_replaced_plan *plans;
	struct copy *copies;
	size_t bytes;
	uint64_t merges;
	unsigned paused;
	bool replacing; /* between begin and done */
	pthread_cond_t done;
};

int weir_replaced_new(const char *dir, bool read_only, struct weir_replaced **replaced)
{
	struct weir_replaced *new = calloc(1, sizeof(*new));

	if (!new || asprintf(&new->path, "%s/plans", dir) < 0) {
		free(new);
		return -ENOMEM;
	}
	new->read_only = read_only;
	new->fd = -1;
	pthread_mutex_init(&new->lock, NULL);
	pthread_cond_init(&new->done, NULL);
	*replaced = new;
	return 0;
}

/* Under lock. False: somebody has it in the other way, or it cannot be opened. A reader waits for the
 * end of a merge, which is short, and does not create the file: any writer that merges did. */
static bool lock_file(struct weir_replaced *replaced)
{
	int how = replaced->read_only ? LOCK_SH : LOCK_EX | LOCK_NB, ret;

	if (replaced->fd < 0)
		replaced->fd = open(replaced->path,
				    (replaced->read_only ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC,
				    0600);
	if (replaced->fd < 0)
		return false;
	do
		ret = flock(replaced->fd, how);
	while (ret && errno == EINTR);
	return !ret;
}

static void unlock_file(struct weir_replaced *replaced)
{
	if (replaced->fd >= 0)
		flock(replaced->fd, LOCK_UN);
}

/* Whether this process, a reader, keeps the writer's from merging. */
static bool is_in_use(const struct weir_replaced *replaced)
{
	return replaced->read_only && (replaced->plans || replaced->paused);
}

/* Take out of the list all copies that merges 1..@through left. Under lock. */
static void drop(struct weir_replaced *replaced, uint64_t through)
{
	struct copy **at = &replaced->copies;

	while (*at) {
		struct copy *copy = *at;

		if (copy->merge > through) {
			at = &copy->next;
			continue;
		}
		*at = copy->next;
		replaced->bytes -= copy->bytes;
		free(copy);
	}
}

void weir_replaced_share(struct weir_replaced *replaced)
{
	pthread_mutex_lock(&replaced->lock);
	if (lock_file(replaced))
		unlock_file(replaced);
	pthread_mutex_unlock(&replaced->lock);
}

void weir_replaced_free(struct weir_replaced *replaced)
{
	if (!replaced)
		return;
	drop(replaced, UINT64_MAX);
	while (replaced->plans) {
		struct weir_replaced_plan *plan = replaced->plans;

		replaced->plans = plan->next;
		free(plan);
	}
	if (replaced->fd >= 0)
		close(replaced->fd);
	pthread_cond_destroy(&replaced->done);
	pthread_mutex_destroy(&replaced->lock);
	free(replaced->path);
	free(replaced);
}

struct weir_replaced_plan *weir_replaced_begin_plan(struct weir_replaced *replaced)
{
	struct weir_replaced_plan *plan = malloc(sizeof(*plan));

	if (!plan)
		return NULL;
	pthread_mutex_lock(&replaced->lock);
	if (replaced->read_only && !is_in_use(replaced))
		lock_file(replaced);
	plan->blocks = NULL;
	plan->merges = replaced->merges;
	plan->next = replaced->plans;
	replaced->plans = plan;
	pthread_mutex_unlock(&replaced->lock);
	return plan;
}

/* Drop what no plan needs. Under lock. */
static void drop_unneeded(struct weir_replaced *replaced)
{
	uint64_t oldest = replaced->merges;

	for (const struct weir_replaced_plan *plan = replaced->plans; plan; plan = plan->next)
		if (plan->merges < oldest)
			oldest = plan->merges;
	drop(replaced, oldest);
}

void weir_replaced_name_plan(struct weir_replaced *replaced, struct weir_replaced_plan *plan,
			     const void *blocks)
{
	pthread_mutex_lock(&replaced->lock);
	plan->blocks = blocks;
	pthread_mutex_unlock(&replaced->lock);
}

struct weir_replaced_plan *weir_replaced_find_plan(struct weir_replaced *replaced,
						   const void *blocks)
{
	struct weir_replaced_plan *plan;

	pthread_mutex_lock(&replaced->lock);
	for (plan = replaced->plans; plan && plan->blocks != blocks; plan = plan->next)
		;
	pthread_mutex_unlock(&replaced->lock);
	return plan;
}

void weir_replaced_end_plan(struct weir_replaced *replaced, struct weir_replaced_plan *plan)
{
	struct weir_replaced_plan **at = &replaced->plans;

	if (!plan)
		return;
	pthread_mutex_lock(&replaced->lock);
	while (*at != plan)
		at = &(*at)->next;
	*at = plan->next;
	if (replaced->read_only && !is_in_use(replaced))
		unlock_file(replaced);
	drop_unneeded(replaced);
	pthread_mutex_unlock(&replaced->lock);
	free(plan);
}

bool weir_replaced_find(struct weir_replaced *replaced, uint64_t number, uint32_t records,
			const void **block, size_t *bytes)
{
	struct copy *copy;

	pthread_mutex_lock(&replaced->lock);
	for (copy = replaced->copies; copy; copy = copy->next)
		if (copy->number == number && copy->records == records)
			break;
	pthread_mutex_unlock(&replaced->lock);
	if (!copy)
		return false;
	*block = copy->block;
	*bytes = copy->bytes;
	return true;
}

bool weir_replaced_begin(struct weir_replaced *replaced)
{
	bool begun;

	pthread_mutex_lock(&replaced->lock);
	begun = replaced->replacing = !replaced->paused && lock_file(replaced);
	pthread_mutex_unlock(&replaced->lock);
	return begun;
}

int weir_replaced_add(struct weir_replaced *replaced, uint64_t number, uint32_t records,
		      const void *block, size_t bytes)
{
	struct copy *copy = malloc(sizeof(*copy) + bytes);

	if (!copy)
		return -ENOMEM;
	copy->merge = UINT64_MAX;
	copy->number = number;
	copy->records = records;
	copy->bytes = bytes;
	memcpy(copy->block, block, bytes);
	pthread_mutex_lock(&replaced->lock);
	copy->next = replaced->copies;
	replaced->copies = copy;
	replaced->bytes += bytes;
	pthread_mutex_unlock(&replaced->lock);
	return 0;
}

void weir_replaced_done(struct weir_replaced *replaced)
{
	pthread_mutex_lock(&replaced->lock);
	replaced->merges++;
	replaced->replacing = false;
	unlock_file(replaced);
	pthread_cond_broadcast(&replaced->done);
	for (struct copy *copy = replaced->copies; copy; copy = copy->next)
		if (copy->merge == UINT64_MAX)
			copy->merge = replaced->merges;
	drop_unneeded(replaced);
	pthread_mutex_unlock(&replaced->lock);
}

size_t weir_replaced_bytes(struct weir_replaced *replaced)
{
	size_t bytes;

	pthread_mutex_lock(&replaced->lock);
	bytes = replaced->bytes;
	pthread_mutex_unlock(&replaced->lock);
	return bytes;
}

void weir_replaced_pause(struct weir_replaced *replaced)
{
	pthread_mutex_lock(&replaced->lock);
	if (replaced->read_only && !is_in_use(replaced))
		lock_file(replaced);
	replaced->paused++;
	while (replaced->replacing)
		pthread_cond_wait(&replaced->done, &replaced->lock);
	pthread_mutex_unlock(&replaced->lock);
}

void weir_replaced_resume(struct weir_replaced *replaced)
{
	pthread_mutex_lock(&replaced->lock);
	replaced->paused--;
	if (replaced->read_only && !is_in_use(replaced))
		unlock_file(replaced);
	pthread_mutex_unlock(&replaced->lock);
}
