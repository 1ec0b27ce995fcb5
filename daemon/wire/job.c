// SPDX-License-Identifier: GPL-2.0
/*
 * job.c - answering one Ask in a thread of its own.
 *
 * A job is created and freed by the loop. Its thread touches @ask, @queue and @ended
 * (under the mutex), and @cancel. A job whose channel went away is cancelled
 * and stays until its thread has ended.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "daemon/common/log.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/job.h"

struct weir_job {
	struct weir_job *next;
	struct weir_jobs *jobs;
	struct weir_channel *channel; /* loop only; NULL: gone */
	Weir__Wire__Ask *ask;
	pthread_t thread;
	atomic_bool cancel, timed_out;
	struct event *limit; /* armed by the thread, runs in the loop */
	pthread_mutex_t mutex;
	pthread_cond_t room;
	struct evbuffer *queue; /* mutex */
	bool end_queued;	/* mutex */
	bool finished;		/* mutex; the thread does nothing any more */
};

struct weir_jobs {
	struct event_base *base;
	struct weir_job *first;
	unsigned count;
	struct event *wake;
	int wake_fd;
	weir_job_run *run;
	void *arg;
};

static void wake_loop(struct weir_job *job)
{
	uint64_t one = 1;

	if (write(job->jobs->wake_fd, &one, sizeof(one)) < 0)
		weir_log_error("waking the event loop: %s", strerror(errno));
}

/* Thread side. */
static int enqueue(struct weir_job *job, const Weir__Wire__Frame *frame, bool last)
{
	int result = 0;

	pthread_mutex_lock(&job->mutex);
	while (!last && !atomic_load(&job->cancel) &&
	       evbuffer_get_length(job->queue) > WEIR_JOB_QUEUE_BYTES)
		pthread_cond_wait(&job->room, &job->mutex);
	if (job->end_queued)
		result = -EALREADY;
	else if (!last && atomic_load(&job->cancel))
		result = -ECANCELED;
	else
		result = weir_frame_put(job->queue, frame);
	if (result == 0)
		job->end_queued = last;
	pthread_mutex_unlock(&job->mutex);
	if (result == 0)
		wake_loop(job);
	return result;
}

int weir_job_part(struct weir_job *job, Weir__Wire__Part *part)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;

	part->id = job->ask->id;
	frame.body_case = WEIR__WIRE__FRAME__BODY_PART;
	frame.part = part;
	return enqueue(job, &frame, false);
}

void weir_job_offer(struct weir_job *job, Weir__Wire__Part *part)
{
	bool waits;

	pthread_mutex_lock(&job->mutex);
	waits = evbuffer_get_length(job->queue) != 0;
	pthread_mutex_unlock(&job->mutex);
	if (!waits) /* and nobody else adds to it */
		weir_job_part(job, part);
}

void weir_job_end(struct weir_job *job, Weir__Wire__End *end)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;

	end->id = job->ask->id;
	frame.body_case = WEIR__WIRE__FRAME__BODY_END;
	frame.end = end;
	enqueue(job, &frame, true);
}

void weir_job_fail(struct weir_job *job, int status, size_t at, const char *format, ...)
{
	Weir__Wire__End end = WEIR__WIRE__END__INIT;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	end.status = status;
	end.error = text;
	end.error_at = (uint32_t)at;
	weir_job_end(job, &end);
}

void weir_job_fail_filter(struct weir_job *job, size_t at, const char *error)
{
	Weir__Wire__End end = WEIR__WIRE__END__INIT;

	end.status = -EINVAL;
	end.error = (char *)error;
	end.error_at = (uint32_t)at;
	end.in_filter = true;
	weir_job_end(job, &end);
}

const atomic_bool *weir_job_cancelled(const struct weir_job *job)
{
	return &job->cancel;
}

void weir_job_limit(struct weir_job *job, uint64_t limit_ns)
{
	struct timeval limit = {(time_t)(limit_ns / 1000000000),
				(suseconds_t)(limit_ns % 1000000000 / 1000)};

	if (limit_ns && event_add(job->limit, &limit) < 0)
		weir_log_warn("a query runs without its time limit: no timer");
}

bool weir_job_timed_out(const struct weir_job *job)
{
	return atomic_load(&job->timed_out);
}

static void *run(void *arg)
{
	struct weir_job *job = arg;
	bool ended;

	job->jobs->run(job, job->ask, job->jobs->arg);
	pthread_mutex_lock(&job->mutex);
	ended = job->end_queued;
	pthread_mutex_unlock(&job->mutex);
	if (!ended && atomic_load(&job->cancel))
		weir_job_fail(job, -ECANCELED, 0, "cancelled");
	else if (!ended)
		weir_job_fail(job, -EIO, 0, "the query ended without an answer");
	pthread_mutex_lock(&job->mutex);
	job->finished = true;
	pthread_mutex_unlock(&job->mutex);
	wake_loop(job);
	return NULL;
}

/* Loop side. */
static void free_job(struct weir_job *job)
{
	if (job->ask)
		weir__wire__ask__free_unpacked(job->ask, NULL);
	if (job->limit)
		event_free(job->limit);
	if (job->queue)
		evbuffer_free(job->queue);
	pthread_cond_destroy(&job->room);
	pthread_mutex_destroy(&job->mutex);
	free(job);
}

static void cancel(struct weir_job *job)
{
	pthread_mutex_lock(&job->mutex);
	atomic_store(&job->cancel, true);
	pthread_cond_signal(&job->room);
	pthread_mutex_unlock(&job->mutex);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct weir_job *job = arg;

	atomic_store(&job->timed_out, true);
	cancel(job);
}

/* Move what is queued to the channel; true when the job is over. */
static bool pump(struct weir_job *job)
{
	bool over;

	pthread_mutex_lock(&job->mutex);
	if (!job->channel)
		evbuffer_drain(job->queue, evbuffer_get_length(job->queue));
	else if (!weir_channel_full(job->channel))
		weir_channel_send_buffer(job->channel, job->queue);
	if (evbuffer_get_length(job->queue) <= WEIR_JOB_QUEUE_BYTES)
		pthread_cond_signal(&job->room);
	over = job->finished && evbuffer_get_length(job->queue) == 0;
	pthread_mutex_unlock(&job->mutex);
	return over;
}

static void pump_all(struct weir_jobs *jobs)
{
	struct weir_job **at = &jobs->first;

	while (*at) {
		struct weir_job *job = *at;

		if (!pump(job)) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		jobs->count--;
		pthread_join(job->thread, NULL);
		free_job(job);
	}
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		weir_log_error("reading an eventfd: %s", strerror(errno));
	pump_all(arg);
}

int weir_jobs_new(struct event_base *base, weir_job_run *job_run, void *arg, struct weir_jobs **out)
{
	struct weir_jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		return -ENOMEM;
	jobs->base = base;
	jobs->run = job_run;
	jobs->arg = arg;
	jobs->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (jobs->wake_fd >= 0)
		jobs->wake = event_new(base, jobs->wake_fd, EV_READ | EV_PERSIST, on_wake, jobs);
	if (!jobs->wake || event_add(jobs->wake, NULL) < 0) {
		weir_jobs_free(jobs);
		return -ENOMEM;
	}
	*out = jobs;
	return 0;
}

void weir_jobs_free(struct weir_jobs *jobs)
{
	if (!jobs)
		return;
	for (struct weir_job *job = jobs->first; job; job = job->next) {
		job->channel = NULL;
		cancel(job);
	}
	while (jobs->first) {
		struct weir_job *job = jobs->first;

		jobs->first = job->next;
		pthread_join(job->thread, NULL);
		free_job(job);
	}
	if (jobs->wake)
		event_free(jobs->wake);
	if (jobs->wake_fd >= 0)
		close(jobs->wake_fd);
	free(jobs);
}

static void refuse(struct weir_channel *channel, uint64_t id, int status, const char *why)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__End end = WEIR__WIRE__END__INIT;

	end.id = id;
	end.status = status;
	end.error = (char *)why;
	frame.body_case = WEIR__WIRE__FRAME__BODY_END;
	frame.end = &end;
	weir_channel_send(channel, &frame);
}

void weir_jobs_start(struct weir_jobs *jobs, struct weir_channel *channel,
		     const Weir__Wire__Ask *ask)
{
	struct weir_job *job;

	if (jobs->count >= WEIR_JOBS_MAX) {
		refuse(channel, ask->id, -EBUSY,
		       "too many queries are running at once; try again in a moment");
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		refuse(channel, ask->id, -ENOMEM, "no memory");
		return;
	}
	job->jobs = jobs;
	job->channel = channel;
	pthread_mutex_init(&job->mutex, NULL);
	pthread_cond_init(&job->room, NULL);
	job->ask = weir_convert_copy(&ask->base);
	job->queue = evbuffer_new();
	job->limit = evtimer_new(jobs->base, on_limit, job);
	if (!job->ask || !job->queue || !job->limit || pthread_create(&job->thread, NULL, run, job)) {
		refuse(channel, ask->id, -ENOMEM, "no memory for a query thread");
		free_job(job);
		return;
	}
	job->next = jobs->first;
	jobs->first = job;
	jobs->count++;
}

void weir_jobs_cancel(struct weir_jobs *jobs, struct weir_channel *channel, uint64_t id)
{
	for (struct weir_job *job = jobs->first; job; job = job->next)
		if (job->channel == channel && job->ask->id == id)
			cancel(job);
}

void weir_jobs_forget(struct weir_jobs *jobs, struct weir_channel *channel)
{
	for (struct weir_job *job = jobs->first; job; job = job->next) {
		if (job->channel != channel)
			continue;
		job->channel = NULL;
		cancel(job);
	}
	pump_all(jobs);
}

void weir_jobs_drained(struct weir_jobs *jobs, struct weir_channel *channel)
{
	pump_all(jobs);
}
