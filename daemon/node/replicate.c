// SPDX-License-Identifier: GPL-2.0
/*
 * replicate.c - one connection to each master, for ever.
 *
 * The master decides where its stream goes on (Welcome.next_seq); what it has
 * acknowledged is kept as its cursor, to tell how far behind a master is. It drops
 * nothing: a master that lost its store, or is new, gets every segment the spool
 * holds (intake.c keeps its quota). The cursor may lag. A segment the store has lost
 * is a hole: the next Hello to that master begins behind it. Segments go out in
 * order, some dozens unacknowledged at a time. A master whose history is not ours,
 * or that rejects a segment, gets nothing more on this connection, but may still ask.
 *
 * All of it runs in the loop's thread, except weir_replicate_get_state().
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/util.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/node/answer.h"
#include "daemon/wire/hash.h"
#include "daemon/wire/local.h"

enum {
	WINDOW = 64, /* segments in flight: ten minutes of them, a fraction of the queue's bound */
	PING_SECONDS = 10,
	DEAD_SECONDS = 30,
	WRITE_SECONDS = 60, /* nothing of what waits could be written for so long */
	HELLO_SECONDS = 15, /* from connect to Welcome, then it is no master */
	BACKOFF_MIN_MS = 500,
	BACKOFF_MAX_MS = 30000,
	REJECTED_SECONDS = 60, /* before a rejected segment is tried again */
	SAVE_SECONDS = 1,      /* how far cursors may lag; each is a commit */
};

struct link {
	unsigned index;
	const struct weir_node_master *master;
	struct weir_channel *channel; /* NULL: waiting for retry */
	struct event *retry;          /* connects, or ends a connection that does not get on */
	unsigned backoff_ms;
	bool welcome;
	bool pushing;
	uint64_t next_seq; /* to send */
	uint64_t acked_seq;
	uint64_t saved_seq; /* the cursor in the store */
	uint64_t behind_hole; /* where the next Hello begins; 0: with the oldest segment */
	/* Under state_mutex, as query threads read it: */
	struct weir_replicate_state state;
};

static struct {
	struct weir_node *node;
	struct event_base *base;
	struct event *segment, *save;
	struct weir_jobs *jobs;
	struct link link[WEIR_NODE_MASTERS_MAX];
	unsigned links;
	uint64_t last_seq;
} replicate;

static pthread_mutex_t state_mutex = PTHREAD_MUTEX_INITIALIZER;

/* Publish the state, and log it if it is another than before. */
static void set_state(struct link *link, bool connected, const char *format, ...)
{
	char error[sizeof(link->state.error)];
	bool changed;
	va_list args;

	va_start(args, format);
	vsnprintf(error, sizeof(error), format, args);
	va_end(args);
	pthread_mutex_lock(&state_mutex);
	changed = link->state.connected != connected || strcmp(link->state.error, error) != 0;
	link->state.connected = connected;
	memcpy(link->state.error, error, sizeof(error));
	pthread_mutex_unlock(&state_mutex);
	if (changed && error[0])
		weir_log_warn("master %s: %s", link->master->name, error);
}

static void set_acked(struct link *link, uint64_t seq)
{
	link->acked_seq = seq;
	pthread_mutex_lock(&state_mutex);
	link->state.acked_seq = seq;
	pthread_mutex_unlock(&state_mutex);
}

void weir_replicate_get_state(unsigned i, struct weir_replicate_state *state)
{
	memset(state, 0, sizeof(*state));
	if (i >= replicate.links)
		return;
	pthread_mutex_lock(&state_mutex);
	*state = replicate.link[i].state;
	pthread_mutex_unlock(&state_mutex);
}

static void arm(struct link *link, unsigned ms)
{
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000) * 1000};

	event_add(link->retry, &tv);
}

/* Somewhere in the upper half of the backoff, so that nodes do not come back all at once. */
static void retry_later(struct link *link)
{
	uint32_t random;

	evutil_secure_rng_get_bytes(&random, sizeof(random));
	arm(link, link->backoff_ms / 2 + random % (link->backoff_ms / 2));
	link->backoff_ms *= 2;
	if (link->backoff_ms > BACKOFF_MAX_MS)
		link->backoff_ms = BACKOFF_MAX_MS;
}

static void send_push(struct link *link, void *body, size_t body_bytes)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Push push = WEIR__WIRE__PUSH__INIT;

	push.body.data = body;
	push.body.len = body_bytes;
	frame.body_case = WEIR__WIRE__FRAME__BODY_PUSH;
	frame.push = &push;
	weir_channel_send(link->channel, &frame);
}

/* Segment next_seq was dropped by the quota a moment ago, or its partition is gone or
 * damaged. A new connection admits that by where its Hello begins. */
static void jump_hole(struct link *link, int error)
{
	uint64_t next = 0;
	int result = weir_store_next_segment(replicate.node->store, link->next_seq + 1, &next);

	if (result) {
		weir_channel_fail(link->channel, "reading the store: %s", strerror(-result));
		return;
	}
	if (!next)
		next = replicate.last_seq + 1;
	weir_log_error("master %s: segments %llu to %llu cannot be read (%s); it will count them "
		       "as missing", link->master->name, (unsigned long long)link->next_seq,
		       (unsigned long long)(next - 1), strerror(-error));
	link->behind_hole = next;
	weir_channel_fail(link->channel, "going on with segment %llu", (unsigned long long)next);
}

static void pump(struct link *link)
{
	while (link->pushing && !weir_channel_failed(link->channel) &&
	       !weir_channel_full(link->channel) && link->next_seq <= replicate.last_seq &&
	       link->next_seq - link->acked_seq <= WINDOW) {
		size_t body_bytes;
		void *body;
		int result = weir_store_get_segment(replicate.node->store, link->next_seq, &body,
						    &body_bytes);

		if (result == -ENOENT || result == -EBADMSG) {
			/* First let it acknowledge what it has: the Hello begins behind the hole. */
			if (link->next_seq == link->acked_seq + 1)
				jump_hole(link, result);
			return;
		}
		if (result) {
			weir_channel_fail(link->channel, "segment %llu cannot be read: %s",
					  (unsigned long long)link->next_seq, strerror(-result));
			return;
		}
		send_push(link, body, body_bytes);
		free(body);
		link->next_seq++;
	}
}

static void on_connected(void *arg)
{
	const struct weir_store_identity *identity = weir_store_identity(replicate.node->store);
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Hello hello = WEIR__WIRE__HELLO__INIT;
	struct link *link = arg;
	uint64_t oldest = 0;
	int result = weir_store_oldest_segment(replicate.node->store, &oldest);

	if (result) {
		weir_channel_fail(link->channel, "reading the store: %s", strerror(-result));
		return;
	}
	hello.newest = WEIR_WIRE_NEWEST;
	hello.oldest = WEIR_WIRE_OLDEST;
	hello.role = WEIR__WIRE__ROLE__ROLE_NODE;
	hello.software = "weir-node " WEIR_VERSION;
	hello.node_id.data = (uint8_t *)identity->node_id;
	hello.node_id.len = sizeof(identity->node_id);
	hello.epoch.data = (uint8_t *)identity->epoch;
	hello.epoch.len = sizeof(identity->epoch);
	hello.name = replicate.node->config.name;
	hello.clock_ns = weir_clock_now_ns();
	hello.first_seq = oldest ? oldest : replicate.last_seq + 1;
	if (link->behind_hole > hello.first_seq)
		hello.first_seq = link->behind_hole;
	hello.last_seq = replicate.last_seq;
	frame.body_case = WEIR__WIRE__FRAME__BODY_HELLO;
	frame.hello = &hello;
	weir_channel_send(link->channel, &frame);
}

/* Does the master's last hash belong to our segment @seq? -ENOENT: it is dropped, who knows. */
static int compare_hash(uint64_t seq, const ProtobufCBinaryData *theirs)
{
	uint8_t ours[WEIR_HASH_BYTES];
	struct weir_store_summed summed;
	size_t body_bytes;
	void *body;
	int result = weir_store_summed(replicate.node->store, &summed);

	if (result)
		return result;
	if (summed.seq == seq) {
		memcpy(ours, summed.hash, sizeof(ours));
	} else {
		result = weir_store_get_segment(replicate.node->store, seq, &body, &body_bytes);
		if (result)
			return result;
		result = weir_hash_segment(body, body_bytes, ours);
		free(body);
		if (result)
			return result;
	}
	return theirs->len == sizeof(ours) && !memcmp(theirs->data, ours, sizeof(ours)) ? 0 :
											  -EBADMSG;
}

/* Where does the stream to this master go on? False: nowhere, the histories differ. */
static bool agree(struct link *link, const Weir__Wire__Welcome *welcome)
{
	uint64_t oldest = 0;
	int result;

	if (welcome->next_seq < 1 || welcome->next_seq > replicate.last_seq + 1) {
		set_state(link, true,
			  "the histories differ: it has %llu segments of this store, which wrote "
			  "%llu; was the store restored from an old copy? Nothing is sent",
			  (unsigned long long)(welcome->next_seq - 1),
			  (unsigned long long)replicate.last_seq);
		return false;
	}
	result = welcome->next_seq > 1 ? compare_hash(welcome->next_seq - 1, &welcome->last_hash) :
					 0;
	if (result && result != -ENOENT) {
		set_state(link, true, "the histories differ at segment %llu (%s). Nothing is sent",
			  (unsigned long long)(welcome->next_seq - 1), strerror(-result));
		return false;
	}
	result = weir_store_oldest_segment(replicate.node->store, &oldest);
	if (result) {
		weir_channel_fail(link->channel, "reading the store: %s", strerror(-result));
		return false;
	}
	if (!oldest)
		oldest = replicate.last_seq + 1;
	if (link->behind_hole > oldest)
		oldest = link->behind_hole;
	link->behind_hole = 0;
	link->next_seq = welcome->next_seq > oldest ? welcome->next_seq : oldest;
	set_acked(link, link->next_seq - 1);
	if (link->next_seq != welcome->next_seq)
		weir_log_warn("master %s: wants segment %llu, the oldest held is %llu; it will "
			      "count the gap as missing", link->master->name,
			      (unsigned long long)welcome->next_seq, (unsigned long long)oldest);
	return true;
}

static void take_welcome(struct link *link, const Weir__Wire__Welcome *welcome)
{
	if (welcome->version < WEIR_WIRE_OLDEST || welcome->version > WEIR_WIRE_NEWEST) {
		weir_channel_fail(link->channel, "it chose protocol version %u", welcome->version);
		return;
	}
	event_del(link->retry);
	link->welcome = true;
	weir_channel_set_last_seq(link->channel, replicate.last_seq);
	weir_channel_trust(link->channel, WEIR_FRAME_BYTES_HELLO);
	link->pushing = agree(link, welcome);
	if (!link->pushing) {
		arm(link, REJECTED_SECONDS * 1000); /* perhaps somebody put it right by then */
		return;
	}
	set_state(link, true, "%s", "");
	weir_log_info("master %s: connected to %s (%s), sending from segment %llu of %llu",
		      link->master->name, welcome->name, welcome->software,
		      (unsigned long long)link->next_seq, (unsigned long long)replicate.last_seq);
	pump(link);
}

static void take_ack(struct link *link, const Weir__Wire__Ack *ack)
{
	if (ack->applied != WEIR__WIRE__APPLIED__APPLIED_NOW &&
	    ack->applied != WEIR__WIRE__APPLIED__APPLIED_BEFORE) {
		if (!link->pushing)
			return; /* it was in flight behind the rejected one */
		link->pushing = false;
		set_state(link, true, "rejected segment %llu: %s", (unsigned long long)ack->seq,
			  ack->reason);
		arm(link, REJECTED_SECONDS * 1000);
		return;
	}
	if (ack->seq != link->acked_seq + 1 || ack->seq >= link->next_seq) {
		if (link->pushing)
			weir_channel_fail(link->channel,
					  "acknowledged segment %llu out of turn, %llu was next",
					  (unsigned long long)ack->seq,
					  (unsigned long long)link->acked_seq + 1);
		return;
	}
	link->backoff_ms = BACKOFF_MIN_MS; /* it gets on: a Welcome alone does not say so */
	set_acked(link, ack->seq);
	pump(link);
}

static void on_frame(void *arg, Weir__Wire__Frame *frame)
{
	struct link *link = arg;

	if (!link->welcome && frame->body_case == WEIR__WIRE__FRAME__BODY_WELCOME)
		take_welcome(link, frame->welcome);
	else if (link->welcome && frame->body_case == WEIR__WIRE__FRAME__BODY_ACK)
		take_ack(link, frame->ack);
	else if (link->welcome && frame->body_case == WEIR__WIRE__FRAME__BODY_ASK)
		weir_jobs_start(replicate.jobs, link->channel, frame->ask);
	else if (link->welcome && frame->body_case == WEIR__WIRE__FRAME__BODY_CANCEL)
		weir_jobs_cancel(replicate.jobs, link->channel, frame->cancel->id);
	else
		weir_channel_fail(link->channel, "sent a message out of place");
}

static void on_drained(void *arg)
{
	struct link *link = arg;

	pump(link);
	weir_jobs_drained(replicate.jobs, link->channel);
}

static void hang_up(struct link *link)
{
	event_del(link->retry);
	if (!link->channel)
		return;
	weir_jobs_forget(replicate.jobs, link->channel);
	weir_channel_free(link->channel);
	link->channel = NULL;
	link->welcome = false;
	link->pushing = false;
}

static void on_closed(void *arg, const char *reason)
{
	struct link *link = arg;

	set_state(link, false, "%s: %s", link->master->address, reason);
	hang_up(link);
	retry_later(link);
}

static const struct weir_channel_ops link_ops = {
	.connected = on_connected,
	.frame = on_frame,
	.drained = on_drained,
	.closed = on_closed,
};

static void dial(struct link *link)
{
	static const struct weir_channel_options options = {
		.max_bytes = WEIR_FRAME_BYTES_HELLO,
		.ping_ns = PING_SECONDS * WEIR_NS_PER_SECOND,
		.dead_ns = DEAD_SECONDS * WEIR_NS_PER_SECOND,
		.write_ns = WRITE_SECONDS * WEIR_NS_PER_SECOND,
	};
	int result;

	link->channel = weir_channel_new(replicate.base, -1, &options, &link_ops, link);
	if (!link->channel) {
		set_state(link, false, "no memory");
		retry_later(link);
		return;
	}
	arm(link, HELLO_SECONDS * 1000);
	result = weir_channel_connect(link->channel, link->master->address);
	if (result)
		weir_channel_fail(link->channel, "%s", strerror(-result));
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	if (!link->channel)
		dial(link);
	else if (!link->welcome)
		weir_channel_fail(link->channel, "no answer within %d s", HELLO_SECONDS);
	else
		weir_channel_fail(link->channel, "trying again");
}

static void refresh_last(void)
{
	struct weir_store_summed summed;

	if (weir_store_summed(replicate.node->store, &summed) == 0)
		replicate.last_seq = summed.seq;
}

static void on_segment(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		weir_log_error("reading the segment eventfd: %s", strerror(errno));
	refresh_last();
	for (unsigned i = 0; i < replicate.links; i++) {
		struct link *link = &replicate.link[i];

		if (!link->channel || !link->welcome)
			continue;
		weir_channel_set_last_seq(link->channel, replicate.last_seq);
		pump(link);
	}
}

static void save_cursors(void)
{
	int result = 0;

	for (unsigned i = 0; i < replicate.links && !result; i++) {
		struct link *link = &replicate.link[i];

		if (link->saved_seq == link->acked_seq)
			continue;
		result = weir_store_put_cursor(replicate.node->store, link->master->name,
					       link->acked_seq);
		if (!result)
			link->saved_seq = link->acked_seq;
	}
	/* A full disk is ingest's to announce; cursors are tried again in a second. */
	if (result && result != -ENOSPC)
		weir_log_error("saving what masters have: %s", strerror(-result));
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	save_cursors();
}

static int start_link(unsigned i)
{
	struct link *link = &replicate.link[i];
	int result;

	link->index = i;
	link->master = &replicate.node->config.master[i];
	link->backoff_ms = BACKOFF_MIN_MS;
	result = weir_store_get_cursor(replicate.node->store, link->master->name, &link->saved_seq);
	if (result)
		return result;
	set_acked(link, link->saved_seq);
	link->retry = event_new(replicate.base, -1, 0, on_retry, link);
	if (!link->retry)
		return -ENOMEM;
	replicate.links = i + 1;
	dial(link);
	return 0;
}

int weir_replicate_start(struct weir_node *node, struct event_base *base)
{
	struct timeval tv = {SAVE_SECONDS, 0};
	int result;

	replicate.node = node;
	replicate.base = base;
	refresh_last();
	result = weir_jobs_new(base, weir_answer_run, node, &replicate.jobs);
	if (result)
		return result;
	replicate.segment = event_new(base, node->segment_fd, EV_READ | EV_PERSIST, on_segment, NULL);
	replicate.save = event_new(base, -1, EV_PERSIST, on_save, NULL);
	if (!replicate.segment || !replicate.save || event_add(replicate.segment, NULL) ||
	    event_add(replicate.save, &tv))
		result = -ENOMEM;
	for (unsigned i = 0; i < node->config.masters && !result; i++)
		result = start_link(i);
	if (result)
		weir_replicate_stop();
	return result;
}

void weir_replicate_stop(void)
{
	if (replicate.node)
		save_cursors();
	for (unsigned i = 0; i < replicate.links; i++) {
		hang_up(&replicate.link[i]);
		event_free(replicate.link[i].retry);
	}
	weir_jobs_free(replicate.jobs);
	if (replicate.segment)
		event_free(replicate.segment);
	if (replicate.save)
		event_free(replicate.save);
	memset(&replicate, 0, sizeof(replicate));
}
