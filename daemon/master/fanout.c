// SPDX-License-Identifier: GPL-2.0
/*
 * fanout.c - one question to many nodes, asked from a query thread.
 *
 * A call is made by its thread and freed by the loop, after the thread set `stopped` and
 * let go of it. One mutex guards all calls: what is done under it is short.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/master/fanout.h"
#include "daemon/wire/convert.h"

enum {
	INBOX_BYTES = 64 << 20, /* of one call, encoded: a node that outruns the merge is cut off */
	LOOK_MS = 100,		/* how often a waiting thread looks whether it was cancelled */
};

struct letter {
	struct letter *next;
	size_t leg;
	size_t bytes;
	Weir__Wire__Part *part;
};

struct line {
	struct weir_session *session; /* NULL: closed */
	uint64_t id;		      /* of the Ask on that connection */
};

struct call {
	struct call *next;
	Weir__Wire__Ask *ask;
	pthread_cond_t changed;
	struct weir_leg *leg; /* the thread takes it when it stops */
	struct line *line;    /* loop only */
	size_t legs, room, open;
	struct letter *first, **last;
	size_t inbox_bytes;
	bool started, stopped;
	bool failed; /* no memory for the legs */
};

struct weir_fanout {
	struct weir_master *master;
	struct event *wake;
	int wake_fd;
	pthread_mutex_t mutex; /* guards calls and all in them but `line` */
	struct call *calls;
	uint64_t next_id; /* loop only */
};

static void wake_loop(struct weir_fanout *fanout)
{
	uint64_t one = 1;

	if (write(fanout->wake_fd, &one, sizeof(one)) < 0)
		weir_log_error("waking the event loop: %s", strerror(errno));
}

static bool is_asked(const Weir__Wire__Ask *ask, const char *name)
{
	for (size_t i = 0; i < ask->n_nodes; i++)
		if (strcmp(ask->nodes[i], name) == 0)
			return true;
	return ask->n_nodes == 0;
}

static void free_letters(struct call *call)
{
	while (call->first) {
		struct letter *letter = call->first;

		call->first = letter->next;
		weir__wire__part__free_unpacked(letter->part, NULL);
		free(letter);
	}
	call->last = &call->first;
	call->inbox_bytes = 0;
}

static void free_call(struct call *call)
{
	free_letters(call);
	pthread_cond_destroy(&call->changed);
	if (call->ask)
		weir__wire__ask__free_unpacked(call->ask, NULL);
	free(call->leg);
	free(call->line);
	free(call);
}

/* The loop's side, mutex held. */
static struct weir_leg *add_leg(struct call *call, const uint8_t *node_id, const char *name)
{
	struct weir_leg *leg;

	if (call->legs == call->room) {
		size_t room = call->room ? call->room * 2 : 16;
		struct weir_leg *legs = realloc(call->leg, room * sizeof(*legs));
		struct line *lines;

		if (legs)
			call->leg = legs;
		lines = legs ? realloc(call->line, room * sizeof(*lines)) : NULL;
		if (!lines) {
			call->failed = true;
			return NULL;
		}
		call->line = lines;
		call->room = room;
	}
	leg = &call->leg[call->legs];
	memset(leg, 0, sizeof(*leg));
	memset(&call->line[call->legs], 0, sizeof(*call->line));
	memcpy(leg->node_id, node_id, sizeof(leg->node_id));
	snprintf(leg->name, sizeof(leg->name), "%s", name);
	call->legs++;
	return leg;
}

struct start {
	struct weir_fanout *fanout;
	struct call *call;
};

static void ask_session(void *arg, struct weir_session *session,
			const struct weir_session_state *state)
{
	struct start *start = arg;
	struct call *call = start->call;
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	struct weir_leg *leg;

	if (call->failed || !is_asked(call->ask, state->name))
		return;
	leg = add_leg(call, state->node_id, state->name);
	if (!leg)
		return;
	leg->connected = true;
	memcpy(leg->epoch, state->epoch, sizeof(leg->epoch));
	call->line[call->legs - 1] = (struct line){session, ++start->fanout->next_id};
	call->open++;
	call->ask->id = start->fanout->next_id;
	frame.body_case = WEIR__WIRE__FRAME__BODY_ASK;
	frame.ask = call->ask;
	weir_session_send(session, &frame);
}

static bool has_leg(const struct call *call, const uint8_t *node_id)
{
	for (size_t i = 0; i < call->legs; i++)
		if (!memcmp(call->leg[i].node_id, node_id, WEIR_KEEP_ID_BYTES))
			return true;
	return false;
}

/* Nodes that are known and away. Streams are in order of their making, so the last of a node names it. */
static void add_absent(struct weir_fanout *fanout, struct call *call)
{
	struct weir_keep_stream *streams;
	char text[40];
	size_t count;

	if (weir_keep_streams(fanout->master->keep, &streams, &count)) {
		call->failed = true;
		return;
	}
	for (size_t i = count; i-- > 0;) {
		struct weir_leg *leg;

		if (has_leg(call, streams[i].node_id) || !is_asked(call->ask, streams[i].name))
			continue;
		leg = add_leg(call, streams[i].node_id, streams[i].name);
		if (!leg)
			break;
		snprintf(leg->reason, sizeof(leg->reason),
			 "not connected; its last segment ends at %s",
			 weir_clock_text(streams[i].last_end_ns, text, sizeof(text)));
	}
	free(streams);
}

static void start_call(struct weir_fanout *fanout, struct call *call)
{
	struct start start = {fanout, call};

	weir_sessions_each(ask_session, &start);
	add_absent(fanout, call);
	call->started = true;
	pthread_cond_signal(&call->changed);
}

static void close_leg(struct call *call, size_t i, const char *reason)
{
	struct weir_leg *leg = &call->leg[i];

	call->line[i].session = NULL;
	call->open--;
	leg->answered = !reason;
	if (reason)
		snprintf(leg->reason, sizeof(leg->reason), "%s", reason);
	pthread_cond_signal(&call->changed);
}

static void cancel_leg(struct call *call, size_t i)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Cancel cancel = WEIR__WIRE__CANCEL__INIT;

	cancel.id = call->line[i].id;
	frame.body_case = WEIR__WIRE__FRAME__BODY_CANCEL;
	frame.cancel = &cancel;
	weir_session_send(call->line[i].session, &frame);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct weir_fanout *fanout = arg;
	struct call **at = &fanout->calls;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		weir_log_error("reading an eventfd: %s", strerror(errno));
	pthread_mutex_lock(&fanout->mutex);
	while (*at) {
		struct call *call = *at;

		if (!call->stopped && !call->started)
			start_call(fanout, call);
		if (!call->stopped) {
			at = &call->next;
			continue;
		}
		for (size_t i = 0; i < call->legs; i++)
			if (call->line[i].session)
				cancel_leg(call, i);
		*at = call->next;
		free_call(call);
	}
	pthread_mutex_unlock(&fanout->mutex);
}

int weir_fanout_new(struct weir_master *master, struct weir_fanout **out)
{
	struct weir_fanout *fanout = calloc(1, sizeof(*fanout));

	if (!fanout)
		return -ENOMEM;
	fanout->master = master;
	pthread_mutex_init(&fanout->mutex, NULL);
	fanout->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fanout->wake_fd >= 0)
		fanout->wake = event_new(master->base, fanout->wake_fd, EV_READ | EV_PERSIST,
					 on_wake, fanout);
	if (!fanout->wake || event_add(fanout->wake, NULL) < 0) {
		weir_fanout_free(fanout);
		return -ENOMEM;
	}
	*out = fanout;
	return 0;
}

void weir_fanout_free(struct weir_fanout *fanout)
{
	if (!fanout)
		return;
	while (fanout->calls) {
		struct call *call = fanout->calls;

		fanout->calls = call->next;
		free_call(call);
	}
	if (fanout->wake)
		event_free(fanout->wake);
	if (fanout->wake_fd >= 0)
		close(fanout->wake_fd);
	pthread_mutex_destroy(&fanout->mutex);
	free(fanout);
}

static void take_part(struct call *call, size_t leg, Weir__Wire__Frame *frame)
{
	struct letter *letter = calloc(1, sizeof(*letter));

	if (letter)
		letter->bytes = weir__wire__part__get_packed_size(frame->part);
	if (!letter || call->inbox_bytes + letter->bytes > INBOX_BYTES) {
		cancel_leg(call, leg);
		close_leg(call, leg, "its answer is larger than the master can take; ask for less");
		free(letter);
		return;
	}
	letter->leg = leg;
	letter->part = frame->part;
	frame->part = NULL;
	frame->body_case = WEIR__WIRE__FRAME__BODY__NOT_SET;
	*call->last = letter;
	call->last = &letter->next;
	call->inbox_bytes += letter->bytes;
	pthread_cond_signal(&call->changed);
}

static void take_end(struct call *call, size_t i, const Weir__Wire__End *end)
{
	struct weir_leg *leg = &call->leg[i];

	leg->status = end->status;
	leg->error_at = end->error_at;
	leg->in_filter = end->in_filter;
	leg->matched = weir_convert_totals_get(end->matched);
	leg->blocks_read = end->blocks_read;
	leg->blocks_damaged = end->blocks_damaged;
	leg->refused = end->refused;
	leg->sampled = end->sampled;
	leg->horizon_ns = end->rolled ? 0 : end->horizon_ns;
	if (end->n_explain) {
		leg->explained = true;
		leg->explain = *end->explain[0];
		leg->explain.node = NULL; /* ours to say, not its own */
		leg->explain.base.n_unknown_fields = 0;
		leg->explain.base.unknown_fields = NULL;
	}
	if (end->status == -EOPNOTSUPP)
		close_leg(call, i, "its version does not know this question; upgrade it");
	else
		close_leg(call, i, end->status ? end->error : NULL);
}

/* Answers to questions given up are nobody's: they pass. */
void weir_fanout_take(struct weir_fanout *fanout, struct weir_session *session,
		      Weir__Wire__Frame *frame)
{
	bool is_part = frame->body_case == WEIR__WIRE__FRAME__BODY_PART;
	uint64_t id = is_part ? frame->part->id : frame->end->id;
	bool found = false;

	pthread_mutex_lock(&fanout->mutex);
	for (struct call *call = fanout->calls; call && !found; call = call->next) {
		for (size_t i = 0; i < call->legs && !found; i++) {
			if (call->line[i].session != session || call->line[i].id != id)
				continue;
			found = true;
			if (is_part)
				take_part(call, i, frame);
			else
				take_end(call, i, frame->end);
		}
	}
	pthread_mutex_unlock(&fanout->mutex);
}

void weir_fanout_gone(struct weir_fanout *fanout, struct weir_session *session)
{
	pthread_mutex_lock(&fanout->mutex);
	for (struct call *call = fanout->calls; call; call = call->next)
		for (size_t i = 0; i < call->legs; i++)
			if (call->line[i].session == session)
				close_leg(call, i, "it disconnected while it was asked");
	pthread_mutex_unlock(&fanout->mutex);
}

/* The query thread's side. */
static struct call *new_call(struct weir_fanout *fanout, const Weir__Wire__Ask *ask)
{
	struct call *call = calloc(1, sizeof(*call));
	pthread_condattr_t attr;

	if (!call)
		return NULL;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&call->changed, &attr);
	pthread_condattr_destroy(&attr);
	call->last = &call->first;
	call->ask = weir_convert_copy(&ask->base);
	if (!call->ask) {
		free_call(call);
		return NULL;
	}
	pthread_mutex_lock(&fanout->mutex);
	call->next = fanout->calls;
	fanout->calls = call;
	pthread_mutex_unlock(&fanout->mutex);
	wake_loop(fanout);
	return call;
}

/* Give all letters to @part, without the mutex: once started, the legs and their names stay. */
static int deliver(struct weir_fanout *fanout, struct call *call, weir_fanout_part *part, void *arg)
{
	struct letter *letter = call->first;
	int result = 0;

	call->first = NULL;
	call->last = &call->first;
	call->inbox_bytes = 0;
	pthread_mutex_unlock(&fanout->mutex);
	while (letter) {
		struct letter *next = letter->next;

		if (!result)
			result = part(arg, letter->leg, call->leg[letter->leg].name, letter->part);
		weir__wire__part__free_unpacked(letter->part, NULL);
		free(letter);
		letter = next;
	}
	pthread_mutex_lock(&fanout->mutex);
	return result;
}

static void wait_a_little(struct weir_fanout *fanout, struct call *call)
{
	uint64_t until_ns = weir_clock_monotonic_ns() + LOOK_MS * 1000000ULL;
	struct timespec until = {(time_t)(until_ns / WEIR_NS_PER_SECOND),
				 (long)(until_ns % WEIR_NS_PER_SECOND)};

	pthread_cond_timedwait(&call->changed, &fanout->mutex, &until);
}

static int collect(struct weir_fanout *fanout, struct call *call, const atomic_bool *cancel,
		   weir_fanout_part *part, void *arg)
{
	uint64_t end_ns = weir_clock_monotonic_ns() + fanout->master->settings.query_timeout_ns;
	int result = 0;

	while (!result) {
		if (call->first)
			result = deliver(fanout, call, part, arg);
		else if (call->failed)
			result = -ENOMEM;
		else if (cancel && atomic_load(cancel))
			result = -ECANCELED;
		else if (call->started && !call->open)
			break;
		else if (weir_clock_monotonic_ns() > end_ns)
			break;
		else
			wait_a_little(fanout, call);
	}
	return result;
}

int weir_fanout_ask(struct weir_fanout *fanout, const Weir__Wire__Ask *ask,
		    const atomic_bool *cancel, weir_fanout_part *part, void *arg,
		    struct weir_legs *legs)
{
	struct call *call = new_call(fanout, ask);
	char text[32];
	int result;

	memset(legs, 0, sizeof(*legs));
	if (!call)
		return -ENOMEM;
	weir_clock_duration_text(fanout->master->settings.query_timeout_ns, text, sizeof(text));
	pthread_mutex_lock(&fanout->mutex);
	result = collect(fanout, call, cancel, part, arg);
	if (!result && !call->started)
		result = -ETIMEDOUT; /* the loop is busy beyond reason */
	legs->count = call->legs;
	legs->leg = malloc((call->legs ? call->legs : 1) * sizeof(*legs->leg));
	if (legs->leg && call->legs)
		memcpy(legs->leg, call->leg, call->legs * sizeof(*legs->leg));
	for (size_t i = 0; legs->leg && i < legs->count; i++)
		if (!legs->leg[i].answered && !legs->leg[i].reason[0])
			snprintf(legs->leg[i].reason, sizeof(legs->leg[i].reason),
				 "no complete answer within %s", text);
	if (!legs->leg && !result)
		result = -ENOMEM;
	call->stopped = true;
	pthread_mutex_unlock(&fanout->mutex);
	wake_loop(fanout);
	if (result)
		weir_legs_free(legs);
	return result;
}

void weir_legs_free(struct weir_legs *legs)
{
	free(legs->leg);
	memset(legs, 0, sizeof(*legs));
}
