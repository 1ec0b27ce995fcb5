// SPDX-License-Identifier: GPL-2.0
/* main.c - weir-node: orders start and stop. */
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/node/node.h"

static const char usage[] =
	"Usage: weir-node [-v] [-c FILE]\n"
	"Store the flow records of this machine, answer queries, replicate summaries.\n"
	"\n"
	"  -c, --config FILE    read FILE instead of /etc/weir/node.conf\n"
	"  -v, --verbose        log more\n"
	"      --print-config   print every key with its default, and exit\n"
	"      --version        print the version, and exit\n"
	"  -h, --help           print this, and exit\n"
	"\n"
	"See weir-node(8), node.conf(5).\n";

struct arguments {
	const char *config;
	bool verbose;
	bool print_config;
};

/* 0: go on. Else exit with *@status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments, int *status)
{
	enum { PRINT_CONFIG = 256, VERSION };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"verbose", no_argument, NULL, 'v'},
						{"print-config", no_argument, NULL, PRINT_CONFIG},
						{"version", no_argument, NULL, VERSION},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option;

	*status = 0;
	while ((option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			arguments->config = optarg;
			break;
		case 'v':
			arguments->verbose = true;
			break;
		case PRINT_CONFIG:
			arguments->print_config = true;
			break;
		case VERSION:
			puts("weir-node " WEIR_VERSION);
			return 1;
		case 'h':
			fputs(usage, stdout);
			return 1;
		default:
			fputs("Try \"weir-node --help\".\n", stderr);
			*status = 2;
			return 1;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "weir-node: unexpected \"%s\"\nTry \"weir-node --help\".\n", argv[optind]);
	*status = 2;
	return 1;
}

/* Make the folder @path is in, like /run/weir after a boot. */
static void make_parent(const char *path)
{
	char *copy = strdup(path);

	if (copy && mkdir(dirname(copy), 0750) && errno != EEXIST)
		weir_log_warn("%s: %s", path, strerror(errno));
	free(copy);
}

/* Each day of records and each connection takes some. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		weir_log_debug("RLIMIT_NOFILE: %s", strerror(errno));
}

/* Tell systemd, if it asked (sd_notify(3) describes the protocol). */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = path ? strlen(path) : 0;
	int fd;

	if (!length || length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, length);
	if (*path == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   offsetof(struct sockaddr_un, sun_path) + length) < 0)
		weir_log_debug("NOTIFY_SOCKET: %s", strerror(errno));
	close(fd);
}

static void stop(evutil_socket_t signal_number, short what, void *base)
{
	weir_log_info("stopping on %s", strsignal(signal_number));
	event_base_loopexit(base, NULL);
}

static int loop(struct event_base *base)
{
	struct event *term = evsignal_new(base, SIGTERM, stop, base);
	struct event *interrupt = evsignal_new(base, SIGINT, stop, base);
	int ret = -ENOMEM;

	if (term && interrupt && !event_add(term, NULL) && !event_add(interrupt, NULL)) {
		notify("READY=1");
		/* Also goes on while nothing but signals is waited for. */
		ret = event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -EIO : 0;
		notify("STOPPING=1");
	}
	if (term)
		event_free(term);
	if (interrupt)
		event_free(interrupt);
	return ret;
}

/* Start in the order of the data, stop in the reverse one. */
static int run(struct weir_node *node, struct event_base *base, const char *path)
{
	int ret = weir_serve_start(node, base);

	if (ret)
		return ret;
	ret = weir_replicate_start(node, base);
	if (!ret)
		ret = weir_reload_start(node, base, path);
	if (!ret)
		ret = weir_keeper_start(node);
	if (!ret)
		ret = weir_ingest_start(node);
	if (!ret) {
		weir_log_info("node \"%s\" version " WEIR_VERSION ", store %s", node->config.name,
			      node->config.state);
		ret = loop(base);
		weir_ingest_stop(node);
	}
	atomic_store(&node->stopping, true);
	weir_keeper_stop();
	weir_reload_stop();
	weir_replicate_stop();
	weir_serve_stop();
	return ret;
}

static int run_with_store(struct weir_node *node, const char *path)
{
	struct weir_store_options options = {.min_free_bytes = node->config.min_free_bytes};
	struct event_base *base;
	int ret;

	make_parent(node->config.state);
	make_parent(node->config.socket);
	ret = weir_store_open(node->config.state, &options, &node->store);
	if (ret)
		return ret;
	node->segment_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	base = node->segment_fd < 0 ? NULL : event_base_new();
	ret = base ? run(node, base, path) : -ENOMEM;
	if (base)
		event_base_free(base);
	if (node->segment_fd >= 0)
		close(node->segment_fd);
	weir_store_close(node->store);
	return ret;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	struct weir_node node = {.segment_fd = -1};
	int status, ret;

	if (parse_arguments(argc, argv, &arguments, &status))
		return status;
	if (arguments.print_config) {
		weir_config_print();
		return 0;
	}
	umask(077);
	weir_log_init("weir-node", arguments.verbose);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	if (weir_config_read(arguments.config, &node.config))
		return 2;
	if (evthread_use_pthreads()) {
		weir_log_error("libevent has no threads");
		ret = -ENOTSUP;
	} else {
		ret = run_with_store(&node, arguments.config);
	}
	if (ret)
		weir_log_error("ended: %s", strerror(-ret));
	weir_config_free(&node.config);
	return ret ? 1 : 0;
}
