// SPDX-License-Identifier: GPL-2.0
/*
 * folder.c - questions to the folder of a store: of imported flows, of a backup, of a node that does not run.
 *
 * A child process answers them over a socket of its own as a node would, with the node's own code, so that
 * whatever can be asked of a node can be asked of a folder. It ends when this process does, however that happens.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/thread.h>

#include "daemon/cli/client.h"
#include "daemon/node/node.h"

struct weir_cli_folder {
	char dir[80]; /* of the socket, and for what a query cannot hold in memory */
	char socket[96];
	pid_t child;
	int alive; /* the child reads the other end, which ends with this process */
};

static void set_text(char **member, const char *text)
{
	free(*member);
	*member = strdup(text);
}

/* A node without a name: its interfaces are not those of this machine. */
static int configure(struct weir_node *node, const struct weir_cli_folder *f)
{
	int ret = weir_config_read("/dev/null", &node->config);

	if (ret)
		return ret;
	set_text(&node->config.name, "");
	set_text(&node->config.state, f->dir);
	set_text(&node->config.socket, f->socket);
	node->config.query_timeout_ns = 0;
	return node->config.name && node->config.state && node->config.socket ? 0 : -ENOMEM;
}

static void on_parent_gone(evutil_socket_t fd, short what, void *base)
{
	event_base_loopbreak(base);
}

static void answer_until_alone(struct weir_node *node, int alive, int ready)
{
	struct event_base *base = event_base_new();
	struct event *gone = base ? event_new(base, alive, EV_READ, on_parent_gone, base) : NULL;
	int ret = gone && !event_add(gone, NULL) ? weir_serve_start(node, base) : -ENOMEM;

	if (write(ready, &ret, sizeof(ret)) == sizeof(ret) && !ret)
		event_base_dispatch(base);
	weir_serve_stop();
	if (gone)
		event_free(gone);
	if (base)
		event_base_free(base);
}

static void be_a_node(const struct weir_cli_folder *f, const char *state, int alive, int ready)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_node node = {0};
	char *spill;
	int ret;

	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	evthread_use_pthreads();
	ret = configure(&node, f);
	if (!ret)
		ret = weir_store_open(state, &options, &node.store);
	if (!ret)
		answer_until_alone(&node, alive, ready);
	else if (write(ready, &ret, sizeof(ret)) != sizeof(ret))
		ret = -EPIPE; /* nobody is there to be told */
	weir_store_close(node.store);
	weir_config_free(&node.config);
	if (asprintf(&spill, "%s/spill", f->dir) > 0)
		rmdir(spill);
	unlink(f->socket);
	rmdir(f->dir);
	_exit(ret ? 1 : 0);
}

static int start(struct weir_cli_folder *f, const char *state)
{
	int alive[2], ready[2], ret = -EIO;

	if (pipe(alive))
		return -errno;
	if (pipe(ready)) {
		close(alive[0]);
		close(alive[1]);
		return -EMFILE;
	}
	f->child = fork();
	if (!f->child) {
		close(alive[1]);
		close(ready[0]);
		be_a_node(f, state, alive[0], ready[1]);
	}
	close(alive[0]);
	close(ready[1]);
	f->alive = alive[1];
	if (f->child > 0 && read(ready[0], &ret, sizeof(ret)) != sizeof(ret))
		ret = -EIO;
	close(ready[0]);
	return ret;
}

/* Sockets have short names only: a TMPDIR that is too long is not taken. */
static int make_dir(struct weir_cli_folder *f)
{
	const char *tmp = getenv("TMPDIR");
	int bytes = snprintf(f->dir, sizeof(f->dir), "%s/weir-XXXXXX", tmp && *tmp ? tmp : "/tmp");

	if (bytes >= (int)sizeof(f->dir))
		strcpy(f->dir, "/tmp/weir-XXXXXX");
	if (!mkdtemp(f->dir))
		return -errno;
	snprintf(f->socket, sizeof(f->socket), "%s/socket", f->dir);
	return 0;
}

int weir_cli_folder_open(const char *state, struct weir_cli_folder **folder)
{
	struct weir_cli_folder *f = calloc(1, sizeof(*f));
	int ret = f ? make_dir(f) : -ENOMEM;

	if (!ret) {
		ret = start(f, state);
		if (ret)
			weir_cli_folder_close(f);
	} else {
		free(f);
	}
	if (ret)
		weir_cli_say("%s: cannot be read as a store: %s", state, strerror(-ret));
	else
		*folder = f;
	return ret;
}

const char *weir_cli_folder_socket(const struct weir_cli_folder *folder)
{
	return folder->socket;
}

void weir_cli_folder_close(struct weir_cli_folder *f)
{
	if (!f)
		return;
	close(f->alive);
	if (f->child > 0)
		waitpid(f->child, NULL, 0);
	free(f);
}
