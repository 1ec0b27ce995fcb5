/* SPDX-License-Identifier: GPL-2.0 */
/*
 * job.h - answering one Ask in a thread of its own, while the event loop goes on.
 *
 * The thread hands Parts to the loop through a queue with a bound: it waits when
 * the other side does not read, so a slow reader costs a bounded amount
 * of memory and delays nobody else. The End is sent exactly once, whatever happens.
 *
 * Loop side: new, start, cancel, drained, free. Thread side: part, end, cancelled.
 */
#ifndef WEIR_WIRE_JOB_H
#define WEIR_WIRE_JOB_H

#include <stdatomic.h>

#include "daemon/wire/channel.h"

struct weir_jobs; /* those of one program */
struct weir_job;

enum {
	WEIR_JOBS_MAX = 8, /* at once; more are told to try later */
	WEIR_JOB_QUEUE_BYTES = 4 << 20,
};

/* Runs in the thread. It returns after it called weir_job_end(); if it did not, the job does. */
typedef void weir_job_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *arg);

int weir_jobs_new(struct event_base *base, weir_job_run *run, void *arg, struct weir_jobs **jobs);
/* Cancels all and waits for them. */
void weir_jobs_free(struct weir_jobs *jobs);

/* Answer @ask on @channel. Errors become an End. */
void weir_jobs_start(struct weir_jobs *jobs, struct weir_channel *channel,
		     const Weir__Wire__Ask *ask);
/* Stop the job of @channel with this Ask id, if there is one. */
void weir_jobs_cancel(struct weir_jobs *jobs, struct weir_channel *channel, uint64_t id);
/* @channel is no more: call before freeing it. */
void weir_jobs_forget(struct weir_jobs *jobs, struct weir_channel *channel);
/* @channel can take more. */
void weir_jobs_drained(struct weir_jobs *jobs, struct weir_channel *channel);

/* Send @part (its id is set here). Waits while the queue is full. -ECANCELED, -EMSGSIZE, -ENOMEM. */
int weir_job_part(struct weir_job *job, Weir__Wire__Part *part);
/* The same for what may be dropped: it is, if anything before it still waits. Never waits. */
void weir_job_offer(struct weir_job *job, Weir__Wire__Part *part);
void weir_job_end(struct weir_job *job, Weir__Wire__End *end);
/* An End that says only what went wrong; @at as in End.error_at. */
void weir_job_fail(struct weir_job *job, int status, size_t at, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Cancel the job when it is not over after @limit_ns from now; 0: let it run. */
void weir_job_limit(struct weir_job *job, uint64_t limit_ns);
/* It was cancelled by that limit. */
bool weir_job_timed_out(const struct weir_job *job);
/* An End that blames the filter, at offset @at: status -EINVAL. */
void weir_job_fail_filter(struct weir_job *job, size_t at, const char *error);
const atomic_bool *weir_job_cancelled(const struct weir_job *job);

#endif
