// SPDX-License-Identifier: GPL-2.0
/*
 * sessions.c - connections of nodes, and the commits that apply what they push.
 *
 * Pushes wait in one queue; an event at the end of the loop's turn applies all that
 * arrived in it in one transaction and acknowledges them after its commit. While
 * the disk is full they stay in the queue: nodes have a bounded number of segments in
 * flight, so it is bounded too, and a peer that does not keep to that is not
 * read from. Everything else on the connections goes on.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/master/apply.h"
#include "daemon/master/fanout.h"
#include "daemon/wire/address.h"
#include "daemon/wire/local.h"

enum {
	HELLO_SECONDS = 10,
	PING_SECONDS = 10,
	DEAD_SECONDS = 30,
	WAITING_MAX = 256,	      /* segments of one node; its window is 64 */
	WAITING_BYTES_MAX = 64 << 20, /* of one node */
	COMMIT_PUSHES = 512,	      /* in one transaction */
	AGAIN_SECONDS = 1,	      /* between tries while the disk is full, or accept() fails */
	LOG_BURST = 20,		      /* lines about connections, within LOG_SECONDS */
	LOG_SECONDS = 10,
	STRANGERS_MAX = 128,	      /* have not said who they are; not counted in max_nodes */
};

struct weir_session {
	struct weir_session *next;
	struct weir_channel *channel;
	struct event *hello; /* gives up on a peer that does not say who it is */
	bool greeted;
	unsigned waiting; /* pushes in the queue */
	size_t waiting_bytes;
	struct weir_apply_peer peer;
	struct weir_session_state state; /* under sessions.mutex, as query threads read it */
};

struct push {
	struct push *next;
	struct weir_session *session;
	struct weir_apply_verdict verdict;
	uint8_t *body;
	size_t body_bytes;
};

static struct {
	struct weir_master *master;
	struct evconnlistener *listener;
	struct event *commit, *again, *rest;
	struct weir_session *first;
	unsigned count, strangers; /* greeted, and not */
	struct push *queue, **queue_end;
	bool disk_full; /* mutex */
	uint64_t log_from_ns;
	unsigned log_lines, log_quiet;
} sessions;

/* Guards the list, each session's state and disk_full; only the loop writes. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Anyone who reaches the port can cause these lines, with a Hello or without: no more than so
 * many. */
static bool may_log(void)
{
	uint64_t now_ns = weir_clock_monotonic_ns();

	if (now_ns - sessions.log_from_ns > LOG_SECONDS * WEIR_NS_PER_SECOND) {
		if (sessions.log_quiet)
			weir_log_warn("%u more lines about connections were left out",
				      sessions.log_quiet);
		sessions.log_from_ns = now_ns;
		sessions.log_lines = 0;
		sessions.log_quiet = 0;
	}
	if (sessions.log_lines++ < LOG_BURST)
		return true;
	sessions.log_quiet++;
	return false;
}

static void send_ack(const struct push *push)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Ack ack = WEIR__WIRE__ACK__INIT;

	ack.seq = push->verdict.seq;
	ack.applied = push->verdict.applied;
	ack.reason = (char *)push->verdict.reason;
	frame.body_case = WEIR__WIRE__FRAME__BODY_ACK;
	frame.ack = &ack;
	weir_channel_send(push->session->channel, &frame);
}

/* The first rejection is worth a line; what was in flight behind it follows from it. */
static void note_rejection(struct weir_session *session, const struct weir_apply_verdict *verdict)
{
	if (session->state.rejected[0])
		return;
	pthread_mutex_lock(&mutex);
	snprintf(session->state.rejected, sizeof(session->state.rejected), "%s", verdict->reason);
	pthread_mutex_unlock(&mutex);
	weir_log_error("node %s at %s: segment %llu rejected: %s", session->state.name,
		       session->state.address, (unsigned long long)verdict->seq, verdict->reason);
}

static void unqueue(struct push *push)
{
	struct weir_session *session = push->session;

	session->waiting--;
	session->waiting_bytes -= push->body_bytes;
	if (session->waiting < WAITING_MAX / 2 && session->waiting_bytes < WAITING_BYTES_MAX / 2)
		weir_channel_pause(session->channel, false);
	free(push->body);
	free(push);
}

static void finish(struct push *push)
{
	if (push->verdict.applied == WEIR__WIRE__APPLIED__APPLIED_NEVER) {
		note_rejection(push->session, &push->verdict);
	} else if (!push->session->state.confirmed) {
		pthread_mutex_lock(&mutex);
		push->session->state.confirmed = true;
		pthread_mutex_unlock(&mutex);
	}
	send_ack(push);
	unqueue(push);
}

static void set_disk_full(bool full)
{
	bool changed = sessions.disk_full != full;

	pthread_mutex_lock(&mutex);
	sessions.disk_full = full;
	pthread_mutex_unlock(&mutex);
	if (changed && full)
		weir_log_error("%s: the disk is full: segments are not taken until there is room "
			       "(min_free); nodes keep them, queries are answered",
			       sessions.master->settings.state);
	else if (changed)
		weir_log_info("%s: there is room again, taking segments",
			      sessions.master->settings.state);
}

/* No push may hold up those of others: what cannot be judged goes with its connection, and
 * the node sends it again. These errors are not its: they will be said and tried again. */
static bool is_of_the_store(int result)
{
	return result == -ENOSPC || result == -ENOTRECOVERABLE || result == -EBADMSG;
}

/* Judge up to COMMIT_PUSHES of the queue in one transaction. *@count of them are decided when it returns 0. */
static int apply_some(unsigned *count)
{
	struct weir_keep_txn *txn;
	uint64_t now_ns = weir_clock_now_ns();
	int result = weir_keep_begin(sessions.master->keep, &txn);

	*count = 0;
	if (result)
		return result;
	for (struct push *push = sessions.queue; push && *count < COMMIT_PUSHES && !result;
	     push = push->next) {
		result = weir_apply_push(txn, &push->session->peer, push->body, push->body_bytes,
					 now_ns, &push->verdict);
		if (!result)
			++*count;
		else if (!is_of_the_store(result))
			weir_channel_fail(push->session->channel, "a segment could not be judged: %s",
					  strerror(-result));
	}
	if (!result)
		return weir_keep_commit(txn);
	weir_keep_abort(txn);
	return result;
}

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = {AGAIN_SECONDS, 0};
	unsigned count;
	int result;

	if (!sessions.queue)
		return;
	result = apply_some(&count);
	if (result == -ENOTRECOVERABLE || result == -EBADMSG) {
		weir_log_error("%s: %s; stopping, nothing acknowledged is lost",
			       sessions.master->settings.state, strerror(-result));
		event_base_loopbreak(sessions.master->base);
		return;
	}
	if (result) {
		if (result == -ENOSPC)
			set_disk_full(true);
		else
			weir_log_error("%s: commit: %s; trying again",
				       sessions.master->settings.state, strerror(-result));
		event_add(sessions.again, &tv);
		return;
	}
	set_disk_full(false);
	while (count--) {
		struct push *push = sessions.queue;

		sessions.queue = push->next;
		if (!sessions.queue)
			sessions.queue_end = &sessions.queue;
		finish(push);
	}
	if (sessions.queue)
		event_active(sessions.commit, EV_TIMEOUT, 0);
}

static void take_push(struct weir_session *session, Weir__Wire__Push *message)
{
	struct push *push = calloc(1, sizeof(*push));

	if (!push) {
		weir_channel_fail(session->channel, "no memory for a segment");
		return;
	}
	push->session = session;
	push->body = message->body.data; /* taken over: no copy of what may be megabytes */
	push->body_bytes = message->body.len;
	message->body.data = NULL;
	message->body.len = 0;
	*sessions.queue_end = push;
	sessions.queue_end = &push->next;
	session->waiting_bytes += push->body_bytes;
	if (++session->waiting > WAITING_MAX || session->waiting_bytes > WAITING_BYTES_MAX)
		weir_channel_pause(session->channel, true);
	if (!evtimer_pending(sessions.again, NULL))
		event_active(sessions.commit, EV_TIMEOUT, 0);
}

static void forget_pushes(struct weir_session *session)
{
	struct push **at = &sessions.queue;

	while (*at) {
		struct push *push = *at;

		if (push->session != session) {
			at = &push->next;
			continue;
		}
		*at = push->next;
		free(push->body);
		free(push);
	}
	sessions.queue_end = at;
}

static void send_welcome(struct weir_session *session)
{
	const struct weir_master *master = sessions.master;
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Welcome welcome = WEIR__WIRE__WELCOME__INIT;
	struct weir_keep_stream stream = {0};

	weir_keep_stream(master->keep, session->peer.node_id, session->peer.epoch, &stream);
	welcome.version = WEIR_WIRE_NEWEST;
	welcome.software = "weir-master " WEIR_VERSION;
	welcome.master_id.data = (uint8_t *)weir_keep_master_id(master->keep);
	welcome.master_id.len = WEIR_KEEP_ID_BYTES;
	welcome.name = master->settings.name;
	welcome.clock_ns = weir_clock_now_ns();
	welcome.next_seq = stream.last_seq + 1;
	if (stream.last_seq) {
		welcome.last_hash.data = stream.last_hash;
		welcome.last_hash.len = sizeof(stream.last_hash);
	}
	frame.body_case = WEIR__WIRE__FRAME__BODY_WELCOME;
	frame.welcome = &welcome;
	weir_channel_send(session->channel, &frame);
	if (may_log())
		weir_log_info("node %s at %s: connected, segment %llu is next", session->state.name,
			      session->state.address, (unsigned long long)welcome.next_seq);
}

/* A node that comes again before its old connection was found dead. */
static void replace_older(struct weir_session *session)
{
	for (struct weir_session *other = sessions.first; other; other = other->next)
		if (other != session && other->greeted &&
		    !memcmp(other->peer.node_id, session->peer.node_id, WEIR_KEEP_ID_BYTES))
			weir_channel_bye(other->channel, "replaced by a newer connection of this "
							 "node, from %s", session->state.address);
}

static const char *find_fault(const Weir__Wire__Hello *hello)
{
	if (!weir_local_version(hello))
		return "no protocol version in common";
	if (hello->role != WEIR__WIRE__ROLE__ROLE_NODE)
		return "this port is for nodes; the command line uses the socket";
	if (hello->node_id.len != WEIR_KEEP_ID_BYTES || hello->epoch.len != WEIR_KEEP_ID_BYTES)
		return "Hello without a node id and epoch";
	if (!hello->name[0] || strlen(hello->name) >= WEIR_KEEP_NAME_BYTES)
		return "a node needs a name of 1 to 63 bytes";
	for (const char *c = hello->name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "the node's name has control characters";
	return NULL;
}

static void take_hello(struct weir_session *session, const Weir__Wire__Hello *hello)
{
	const char *fault = find_fault(hello);

	if (!fault && sessions.count >= sessions.master->settings.max_nodes)
		fault = "max_nodes are connected to this master";
	if (fault) {
		weir_channel_bye(session->channel, "%s", fault);
		return;
	}
	event_del(session->hello);
	sessions.strangers--;
	sessions.count++;
	memcpy(session->peer.node_id, hello->node_id.data, WEIR_KEEP_ID_BYTES);
	memcpy(session->peer.epoch, hello->epoch.data, WEIR_KEEP_ID_BYTES);
	snprintf(session->peer.name, WEIR_KEEP_NAME_BYTES, "%s", hello->name);
	session->peer.first_seq = hello->first_seq;
	pthread_mutex_lock(&mutex);
	memcpy(session->state.node_id, session->peer.node_id, WEIR_KEEP_ID_BYTES);
	memcpy(session->state.epoch, session->peer.epoch, WEIR_KEEP_ID_BYTES);
	snprintf(session->state.name, WEIR_KEEP_NAME_BYTES, "%s", hello->name);
	snprintf(session->state.software, WEIR_KEEP_NAME_BYTES, "%s", hello->software);
	session->state.last_seq = hello->last_seq;
	session->greeted = true;
	pthread_mutex_unlock(&mutex);
	replace_older(session);
	send_welcome(session);
	weir_channel_trust(session->channel, WEIR_FRAME_BYTES_MAX);
}

static void on_connected(void *arg)
{
}

static void on_frame(void *arg, Weir__Wire__Frame *frame)
{
	struct weir_session *session = arg;

	if (!session->greeted && frame->body_case == WEIR__WIRE__FRAME__BODY_HELLO)
		take_hello(session, frame->hello);
	else if (session->greeted && frame->body_case == WEIR__WIRE__FRAME__BODY_PUSH)
		take_push(session, frame->push);
	else if (session->greeted && (frame->body_case == WEIR__WIRE__FRAME__BODY_PART ||
				      frame->body_case == WEIR__WIRE__FRAME__BODY_END))
		weir_fanout_take(sessions.master->fanout, session, frame);
	else
		weir_channel_fail(session->channel, "sent a message out of place");
}

static void on_pinged(void *arg, const Weir__Wire__Ping *ping)
{
	struct weir_session *session = arg;

	pthread_mutex_lock(&mutex);
	weir_channel_get_clock(session->channel, &session->state.clock);
	if (ping->last_seq > session->state.last_seq)
		session->state.last_seq = ping->last_seq;
	pthread_mutex_unlock(&mutex);
}

static void drop(struct weir_session *session)
{
	struct weir_session **at = &sessions.first;

	while (*at != session)
		at = &(*at)->next;
	pthread_mutex_lock(&mutex);
	*at = session->next;
	pthread_mutex_unlock(&mutex);
	if (session->greeted)
		sessions.count--;
	else
		sessions.strangers--;
	weir_fanout_gone(sessions.master->fanout, session);
	forget_pushes(session);
	weir_channel_free(session->channel);
	event_free(session->hello);
	free(session);
}

static void on_closed(void *arg, const char *reason)
{
	struct weir_session *session = arg;

	if (!may_log())
		;
	else if (session->greeted)
		weir_log_warn("node %s at %s: %s", session->state.name, session->state.address,
			      reason);
	else
		weir_log_warn("%s: %s", session->state.address, reason);
	drop(session);
}

static const struct weir_channel_ops session_ops = {
	.connected = on_connected,
	.frame = on_frame,
	.pinged = on_pinged,
	.closed = on_closed,
};

static void on_hello_late(evutil_socket_t fd, short what, void *arg)
{
	struct weir_session *session = arg;

	weir_channel_fail(session->channel, "did not say who it is within %d s", HELLO_SECONDS);
}

static struct weir_session *new_session(int fd)
{
	static const struct weir_channel_options options = {
		.max_bytes = WEIR_FRAME_BYTES_HELLO,
		.ping_ns = PING_SECONDS * WEIR_NS_PER_SECOND,
		.dead_ns = DEAD_SECONDS * WEIR_NS_PER_SECOND,
		.write_ns = 2 * DEAD_SECONDS * WEIR_NS_PER_SECOND,
	};
	struct event_base *base = sessions.master->base;
	struct weir_session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->hello = event_new(base, -1, 0, on_hello_late, session);
	if (session->hello)
		session->channel = weir_channel_new(base, fd, &options, &session_ops, session);
	if (session->channel)
		return session;
	if (session->hello)
		event_free(session->hello);
	free(session);
	return NULL;
}

/* Who has been silent longest gives way: a node says Hello at once, so it gets in even while
 * somebody opens connections as fast as they are closed. */
static void make_room(void)
{
	struct weir_session *oldest = NULL;

	for (struct weir_session *session = sessions.first; session; session = session->next)
		if (!session->greeted && !weir_channel_failed(session->channel))
			oldest = session; /* newest come first */
	if (oldest)
		weir_channel_fail(oldest->channel, "did not say who it is, and others wait");
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int bytes, void *arg)
{
	struct timeval tv = {HELLO_SECONDS, 0};
	struct weir_session *session = NULL;
	char text[WEIR_ADDRESS_TEXT];

	weir_address_text(address, text, sizeof(text));
	if (sessions.strangers >= STRANGERS_MAX)
		make_room();
	/* Those that failed are freed by the loop a little later. */
	if (sessions.strangers < 2 * STRANGERS_MAX)
		session = new_session(fd);
	if (!session) {
		if (may_log())
			weir_log_warn("%s: turned away, %u others have not said who they are", text,
				      sessions.strangers);
		close(fd);
		return;
	}
	snprintf(session->state.address, sizeof(session->state.address), "%s", text);
	event_add(session->hello, &tv);
	pthread_mutex_lock(&mutex);
	session->next = sessions.first;
	sessions.first = session;
	pthread_mutex_unlock(&mutex);
	sessions.strangers++;
}

/* Out of file descriptors, most likely: without a rest this would spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct timeval tv = {AGAIN_SECONDS, 0};

	if (may_log())
		weir_log_warn("accept: %s", strerror(errno));
	evconnlistener_disable(listener);
	event_add(sessions.rest, &tv);
}

static void on_rest(evutil_socket_t fd, short what, void *arg)
{
	evconnlistener_enable(sessions.listener);
}

static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

	if (address->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static int start_listening(void)
{
	const struct weir_master_settings *settings = &sessions.master->settings;
	struct sockaddr_storage address;
	socklen_t bytes;
	int result = weir_address_numeric(settings->listen, &address, &bytes);

	if (result)
		return result;
	if (!is_loopback(&address))
		weir_log_warn("listening on %s: this version has no TLS, whoever reaches the port can "
			      "write as any node and read nothing; keep it to a trusted network",
			      settings->listen);
	sessions.listener =
		evconnlistener_new_bind(sessions.master->base, on_accept, NULL,
					LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC |
						LEV_OPT_CLOSE_ON_FREE,
					128, (struct sockaddr *)&address, (int)bytes);
	if (!sessions.listener) {
		result = errno ? -errno : -EIO;
		weir_log_error("listen on %s: %s", settings->listen, strerror(-result));
		return result;
	}
	evconnlistener_set_error_cb(sessions.listener, on_accept_error);
	return 0;
}

int weir_sessions_start(struct weir_master *master)
{
	int result = -ENOMEM;

	sessions.master = master;
	sessions.queue_end = &sessions.queue;
	sessions.commit = event_new(master->base, -1, 0, on_commit, NULL);
	sessions.again = event_new(master->base, -1, 0, on_commit, NULL);
	sessions.rest = event_new(master->base, -1, 0, on_rest, NULL);
	if (sessions.commit && sessions.again && sessions.rest)
		result = start_listening();
	if (result)
		weir_sessions_stop();
	return result;
}

void weir_sessions_stop(void)
{
	if (sessions.listener)
		evconnlistener_free(sessions.listener);
	while (sessions.first)
		drop(sessions.first);
	if (sessions.commit)
		event_free(sessions.commit);
	if (sessions.again)
		event_free(sessions.again);
	if (sessions.rest)
		event_free(sessions.rest);
	memset(&sessions, 0, sizeof(sessions));
}

int weir_sessions_states(struct weir_session_state **out, size_t *count)
{
	struct weir_session_state *states;
	size_t room = 1, n = 0;

	pthread_mutex_lock(&mutex);
	for (struct weir_session *session = sessions.first; session; session = session->next)
		room++;
	states = malloc(room * sizeof(*states));
	for (struct weir_session *session = sessions.first; session && states;
	     session = session->next)
		if (session->greeted)
			states[n++] = session->state;
	pthread_mutex_unlock(&mutex);
	*out = states;
	*count = n;
	return states ? 0 : -ENOMEM;
}

bool weir_sessions_disk_full(void)
{
	bool full;

	pthread_mutex_lock(&mutex);
	full = sessions.disk_full;
	pthread_mutex_unlock(&mutex);
	return full;
}

void weir_sessions_each(weir_sessions_visit *visit, void *arg)
{
	for (struct weir_session *session = sessions.first; session; session = session->next)
		if (session->greeted && !weir_channel_failed(session->channel))
			visit(arg, session, &session->state);
}

void weir_session_send(struct weir_session *session, const Weir__Wire__Frame *frame)
{
	weir_channel_send(session->channel, frame);
}
