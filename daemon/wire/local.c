// SPDX-License-Identifier: GPL-2.0
/* local.c - the Unix socket where the command line asks. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/wire/local.h"

enum {
	CLIENTS_MAX = 64,
	/* A pager may hold an answer for long, but not a query thread for ever. */
	WRITE_SECONDS = 600,
	HELLO_SECONDS = 10, /* docs/protocol.md promises it: a place is not held by silence */
	REST_MS = 1000, /* when accept() cannot go on */
};

struct client {
	struct client *next;
	struct weir_local *local;
	struct weir_channel *channel;
	struct event *hello; /* its time for one is over */
	pid_t pid;
	bool greeted;
};

struct weir_local {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *rest;
	struct weir_jobs *jobs;
	struct client *first;
	unsigned count;
	const char *software, *name;
	char *path;
};

uint32_t weir_local_version(const Weir__Wire__Hello *hello)
{
	uint32_t newest = hello->newest < WEIR_WIRE_NEWEST ? hello->newest : WEIR_WIRE_NEWEST;

	if (newest < WEIR_WIRE_OLDEST || newest < hello->oldest)
		return 0;
	return newest;
}

static void on_connected(void *arg)
{
}

static void greet(struct client *client, const Weir__Wire__Hello *hello)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Welcome welcome = WEIR__WIRE__WELCOME__INIT;

	welcome.version = weir_local_version(hello);
	if (!welcome.version) {
		weir_channel_bye(client->channel,
				 "%s speaks protocol versions %d to %d, you speak %u to %u",
				 client->local->software, WEIR_WIRE_OLDEST, WEIR_WIRE_NEWEST,
				 hello->oldest, hello->newest);
		return;
	}
	client->greeted = true;
	event_del(client->hello);
	welcome.software = (char *)client->local->software;
	welcome.name = (char *)client->local->name;
	welcome.clock_ns = weir_clock_now_ns();
	frame.body_case = WEIR__WIRE__FRAME__BODY_WELCOME;
	frame.welcome = &welcome;
	weir_channel_trust(client->channel, WEIR_FRAME_BYTES_HELLO);
	weir_channel_send(client->channel, &frame);
}

static void on_frame(void *arg, Weir__Wire__Frame *frame)
{
	struct client *client = arg;
	struct weir_jobs *jobs = client->local->jobs;

	if (!client->greeted && frame->body_case == WEIR__WIRE__FRAME__BODY_HELLO)
		greet(client, frame->hello);
	else if (client->greeted && frame->body_case == WEIR__WIRE__FRAME__BODY_ASK)
		weir_jobs_start(jobs, client->channel, frame->ask);
	else if (client->greeted && frame->body_case == WEIR__WIRE__FRAME__BODY_CANCEL)
		weir_jobs_cancel(jobs, client->channel, frame->cancel->id);
	else
		weir_channel_fail(client->channel, "sent a message out of place");
}

static void on_drained(void *arg)
{
	struct client *client = arg;

	weir_jobs_drained(client->local->jobs, client->channel);
}

static void drop(struct client *client)
{
	struct client **at = &client->local->first;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->local->count--;
	weir_jobs_forget(client->local->jobs, client->channel);
	weir_channel_free(client->channel);
	event_free(client->hello);
	free(client);
}

static void on_no_hello(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;

	weir_channel_fail(client->channel, "sent no Hello within %d s", HELLO_SECONDS);
}

static void on_closed(void *arg, const char *reason)
{
	struct client *client = arg;

	/* Leaving after an answer is the normal end. */
	if (strcmp(reason, "closed the connection") != 0)
		weir_log_warn("%s: process %d: %s", client->local->path, (int)client->pid, reason);
	drop(client);
}

static const struct weir_channel_ops client_ops = {
	.connected = on_connected,
	.frame = on_frame,
	.drained = on_drained,
	.closed = on_closed,
};

/* The mode of the socket says the same; credentials also hold when it was changed. */
static bool allowed(struct weir_local *local, int fd, pid_t *pid)
{
	struct ucred peer = {0};
	socklen_t bytes = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return false;
	*pid = peer.pid;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	weir_log_warn("%s: process %d of user %u was turned away", local->path, (int)peer.pid,
		      (unsigned)peer.uid);
	return false;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		      int bytes, void *arg)
{
	static const struct weir_channel_options options = {
		.max_bytes = WEIR_FRAME_BYTES_HELLO,
		.write_ns = WRITE_SECONDS * WEIR_NS_PER_SECOND,
	};
	struct timeval patience = {HELLO_SECONDS, 0};
	struct weir_local *local = arg;
	struct client *client;
	pid_t pid = 0;

	if (!allowed(local, fd, &pid) || local->count >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	client = calloc(1, sizeof(*client));
	if (client)
		client->hello = event_new(local->base, -1, 0, on_no_hello, client);
	if (client && client->hello && !event_add(client->hello, &patience))
		client->channel = weir_channel_new(local->base, fd, &options, &client_ops, client);
	if (!client || !client->channel) {
		if (client && client->hello)
			event_free(client->hello);
		free(client);
		close(fd);
		return;
	}
	client->local = local;
	client->pid = pid;
	client->next = local->first;
	local->first = client;
	local->count++;
}

/* Out of file descriptors, most likely: without a rest this would spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct weir_local *local = arg;
	struct timeval tv = {REST_MS / 1000, 0};

	weir_log_warn("%s: accept: %s", local->path, strerror(errno));
	evconnlistener_disable(listener);
	event_add(local->rest, &tv);
}

static void on_rest(evutil_socket_t fd, short what, void *arg)
{
	struct weir_local *local = arg;

	evconnlistener_enable(local->listener);
}

/* A socket file nobody answers on was left by a kill -9. */
static int clear_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = 0;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		result = -EADDRINUSE;
	else if (errno == ECONNREFUSED)
		unlink(address->sun_path);
	close(fd);
	return result;
}

static int bind_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, result;
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	result = clear_stale(&address);
	if (result)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		result = -errno;
	umask(mask);
	if (result == 0)
		return fd;
	close(fd);
	return result;
}

int weir_local_start(struct event_base *base, const char *path, const char *software,
		     const char *name, weir_job_run *run, void *arg, struct weir_local **out)
{
	struct weir_local *local = calloc(1, sizeof(*local));
	int fd, result;

	if (!local)
		return -ENOMEM;
	local->base = base;
	local->software = software;
	local->name = name;
	fd = bind_path(path);
	result = fd < 0 ? fd : weir_jobs_new(base, run, arg, &local->jobs);
	if (result) {
		weir_log_error("socket %s: %s", path,
			       result == -EADDRINUSE ? "another process answers there" :
						       strerror(-result));
		if (fd >= 0)
			close(fd);
		free(local);
		return result;
	}
	local->path = strdup(path);
	local->rest = event_new(base, -1, 0, on_rest, local);
	local->listener = evconnlistener_new(base, on_accept, local,
					     LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, 32, fd);
	if (!local->listener)
		close(fd);
	if (!local->path || !local->rest || !local->listener) {
		weir_local_stop(local);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(local->listener, on_accept_error);
	*out = local;
	return 0;
}

void weir_local_stop(struct weir_local *local)
{
	if (!local)
		return;
	while (local->first)
		drop(local->first);
	weir_jobs_free(local->jobs);
	if (local->listener)
		evconnlistener_free(local->listener);
	if (local->rest)
		event_free(local->rest);
	if (local->path)
		unlink(local->path);
	free(local->path);
	free(local);
}
