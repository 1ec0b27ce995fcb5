// SPDX-License-Identifier: GPL-2.0
/*
 * client.c - ask a node or a master over its Unix socket.
 *
 * SIGINT is blocked but while waiting in ppoll(), so it is never missed and never cuts a
 * frame; while data keeps coming, when ppoll() takes no signal, it is seen as pending. A
 * second Ctrl-C ends the program at once.
 */
#include "daemon/cli/client.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/wire/frame.h"

#define NODE_SOCKET   "/run/weir/node.sock"
#define MASTER_SOCKET "/run/weir/master.sock"

enum {
	VERSION_NEWEST = 1,
	VERSION_OLDEST = 1,
	ASK_ID = 1,
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
	interrupted = 1;
}

struct connection {
	int fd;
	const char *path;
	const char *peer; /* "weir-node", for sentences */
	bool master;
	sigset_t waiting; /* signals blocked while waiting: SIGINT is not */
	struct weir_cli_progress progress;
};

bool weir_cli_client_interrupted(void)
{
	sigset_t pending;

	return interrupted || (sigpending(&pending) == 0 && sigismember(&pending, SIGINT) == 1);
}

static void choose(const struct weir_cli_options *o, struct connection *c)
{
	c->master = o->target == WEIR_TARGET_MASTER ||
		    (o->target == WEIR_TARGET_AUTO && !o->socket && access(NODE_SOCKET, F_OK) &&
		     access(MASTER_SOCKET, F_OK) == 0);
	c->path = o->socket ? o->socket : c->master ? MASTER_SOCKET : NODE_SOCKET;
	c->peer = c->master ? "weir-master" : "weir-node";
}

static int open_socket(struct connection *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;

	if (strlen(c->path) >= sizeof(address.sun_path)) {
		weir_cli_say("the socket's path is too long: %s", c->path);
		return -ENAMETOOLONG;
	}
	strcpy(address.sun_path, c->path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return 0;
	error = errno;
	if (error == ENOENT || error == ECONNREFUSED)
		weir_cli_say(
			"%s does not run here: nobody listens on %s (start it, or name another "
			"socket with --socket)",
			c->peer, c->path);
	else if (error == EACCES || error == EPERM)
		weir_cli_say("%s: this user may not ask %s; run it as root", c->path, c->peer);
	else
		weir_cli_say("%s: %s", c->path, strerror(error));
	return -error;
}

static int lost(const struct connection *c, int ret)
{
	if (ret == -ECONNRESET || ret == -EPIPE)
		weir_cli_say("%s closed the connection before it had answered", c->peer);
	else
		weir_cli_say("%s: %s", c->path, strerror(-ret));
	return ret;
}

/* One frame; -EINTR after Ctrl-C. */
static int read_frame(struct connection *c, size_t max_bytes, Weir__Wire__Frame **frame)
{
	struct pollfd fd = {.fd = c->fd, .events = POLLIN};
	int ret;

	while (ppoll(&fd, 1, NULL, &c->waiting) < 0) {
		if (interrupted)
			return -EINTR;
		if (errno != EINTR)
			return lost(c, -errno);
	}
	if (weir_cli_client_interrupted())
		return -EINTR;
	ret = weir_frame_read(c->fd, max_bytes, frame);
	return ret ? lost(c, ret) : 0;
}

static int write_frame(const struct connection *c, const Weir__Wire__Frame *frame)
{
	int ret = weir_frame_write(c->fd, frame);

	return ret ? lost(c, ret) : 0;
}

static int greet(struct connection *c)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT, *reply;
	Weir__Wire__Hello hello = WEIR__WIRE__HELLO__INIT;
	int ret;

	hello.newest = VERSION_NEWEST;
	hello.oldest = VERSION_OLDEST;
	hello.role = WEIR__WIRE__ROLE__ROLE_CLI;
	hello.software = (char *)"weir " WEIR_VERSION;
	hello.clock_ns = weir_clock_now_ns();
	frame.body_case = WEIR__WIRE__FRAME__BODY_HELLO;
	frame.hello = &hello;
	ret = write_frame(c, &frame);
	if (!ret)
		ret = read_frame(c, WEIR_FRAME_BYTES_HELLO, &reply);
	if (ret)
		return ret;
	if (reply->body_case == WEIR__WIRE__FRAME__BODY_BYE) {
		weir_cli_say("%s refused: %s", c->peer, reply->bye->reason);
		ret = -EACCES;
	} else if (reply->body_case != WEIR__WIRE__FRAME__BODY_WELCOME) {
		weir_cli_say("%s: what listens there is not %s", c->path, c->peer);
		ret = -EPROTO;
	} else if (!strncmp(reply->welcome->software, "weir-master", 11)) {
		c->master = true; /* --socket may name either */
		c->peer = "weir-master";
	}
	weir__wire__frame__free_unpacked(reply, NULL);
	return ret;
}

static void send_cancel(const struct connection *c)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Cancel cancel = WEIR__WIRE__CANCEL__INIT;

	cancel.id = ASK_ID;
	frame.body_case = WEIR__WIRE__FRAME__BODY_CANCEL;
	frame.cancel = &cancel;
	(void)weir_frame_write(c->fd, &frame); /* closing the connection says it too */
}

static int read_answer(struct connection *c, weir_cli_take_part *take, void *arg,
		       Weir__Wire__End **end)
{
	Weir__Wire__Frame *frame;
	int ret;

	for (;;) {
		ret = read_frame(c, WEIR_FRAME_BYTES_MAX, &frame);
		if (ret)
			return ret;
		if (frame->body_case == WEIR__WIRE__FRAME__BODY_END && frame->end->id == ASK_ID) {
			*end = frame->end;
			frame->end = NULL; /* kept; the rest goes */
			frame->body_case = WEIR__WIRE__FRAME__BODY__NOT_SET;
		} else if (frame->body_case == WEIR__WIRE__FRAME__BODY_PART) {
			weir_cli_progress_show(&c->progress, frame->part);
			ret = take(arg, frame->part);
		} else if (frame->body_case == WEIR__WIRE__FRAME__BODY_BYE) {
			weir_cli_say("%s ended the connection: %s", c->peer, frame->bye->reason);
			ret = -ECONNRESET;
		}
		weir__wire__frame__free_unpacked(frame, NULL);
		if (ret || *end)
			return ret;
	}
}

/* Names are known where the question goes to: errors in a filter come from there as well. */
static bool blames_filter(const struct weir_cli_options *o, const Weir__Wire__End *end)
{
	return end->status == -EINVAL && end->in_filter && o->words[0] &&
	       end->error_at <= strlen(o->words);
}

static int judge(const struct weir_cli_options *o, const struct connection *c,
		 const Weir__Wire__End *end, struct weir_cli_answer *answer)
{
	if (blames_filter(o, end)) {
		weir_cli_say_at(end->error, o->words, end->error_at);
		return WEIR_EXIT_USAGE;
	}
	if (end->status) {
		weir_cli_say("%s: %s", c->peer,
			     end->error && end->error[0] ? end->error : strerror(-end->status));
		return WEIR_EXIT_FAILED;
	}
	answer->matched = weir_convert_totals_get(end->matched);
	for (size_t i = 0; i < end->n_missing; i++) {
		weir_cli_say("missing: %s: %s", end->missing[i]->node, end->missing[i]->reason);
		answer->partial = true;
	}
	for (size_t i = 0; i < end->n_notes; i++)
		weir_cli_say("note: %s", end->notes[i]);
	if (end->blocks_damaged && !c->master) { /* a master names the nodes */
		weir_cli_say("missing: %" PRIu64
			     " damaged blocks of records were left out (see the log of %s)",
			     end->blocks_damaged, c->peer);
		answer->partial = true;
	}
	return answer->partial ? WEIR_EXIT_PARTIAL : WEIR_EXIT_OK;
}

static void catch_signals(struct connection *c)
{
	struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &c->waiting);
	sigdelset(&c->waiting, SIGINT);
	sigaction(SIGINT, &action, NULL);
}

static int converse(const struct weir_cli_options *o, struct connection *c, Weir__Wire__Ask *ask,
		    weir_cli_take_part *take, void *arg, struct weir_cli_answer *answer)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	int ret = greet(c);

	ask->id = ASK_ID;
	ask->progress = isatty(STDERR_FILENO);
	frame.body_case = WEIR__WIRE__FRAME__BODY_ASK;
	frame.ask = ask;
	answer->from_master = c->master;
	if (!ret)
		ret = write_frame(c, &frame);
	if (!ret)
		ret = read_answer(c, take, arg, &answer->end);
	weir_cli_progress_clear(&c->progress);
	if (ret) {
		send_cancel(c);
		return ret == -EINTR ? WEIR_EXIT_INTERRUPTED : WEIR_EXIT_FAILED;
	}
	return judge(o, c, answer->end, answer);
}

int weir_cli_client_ask(const struct weir_cli_options *o, Weir__Wire__Ask *ask,
			weir_cli_take_part *take, void *arg, struct weir_cli_answer *answer)
{
	struct connection c = {.fd = -1,
			       .progress = {.started_ns = weir_clock_monotonic_ns()}};
	struct weir_cli_folder *folder = NULL;
	int status = WEIR_EXIT_FAILED;

	memset(answer, 0, sizeof(*answer));
	choose(o, &c);
	if (o->state) {
		if (weir_cli_folder_open(o->state, &folder))
			return status;
		c.path = weir_cli_folder_socket(folder);
		c.master = false;
	}
	catch_signals(&c);
	if (open_socket(&c) == 0)
		status = converse(o, &c, ask, take, arg, answer);
	if (c.fd >= 0)
		close(c.fd);
	weir_cli_folder_close(folder);
	sigprocmask(SIG_SETMASK, &c.waiting, NULL);
	signal(SIGINT, SIG_DFL);
	return status;
}

void weir_cli_client_end(const struct weir_cli_options *o, struct weir_cli_answer *answer)
{
	if (o->explain && answer->end)
		weir_cli_explain(answer->end);
	weir_cli_client_free(answer);
}

void weir_cli_client_free(struct weir_cli_answer *answer)
{
	if (answer->end)
		weir__wire__end__free_unpacked(answer->end, NULL);
	answer->end = NULL;
}
