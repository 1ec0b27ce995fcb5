// SPDX-License-Identifier: GPL-2.0
/* main.c - weir-master: start and stop its parts in order. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "daemon/common/log.h"
#include "daemon/master/fanout.h"
#include "daemon/wire/local.h"

static const char usage[] =
	"Usage: weir-master [-c FILE] [-v]\n"
	"Takes interval summaries from weir nodes and answers for the whole cluster.\n"
	"\n"
	"  -c, --config FILE   read FILE instead of /etc/weir/master.conf\n"
	"  -v, --verbose       log more\n"
	"      --print-config  print all settings with their defaults, and exit\n"
	"      --help\n"
	"      --version\n";

static const struct option options[] = {
	{"config", required_argument, NULL, 'c'}, {"verbose", no_argument, NULL, 'v'},
	{"print-config", no_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},	  {NULL, 0, NULL, 0},
};

/* True: go on. Otherwise *@status is the exit status. */
static bool parse(int argc, char **argv, const char **path, bool *verbose, int *status)
{
	int c;

	*status = EXIT_SUCCESS;
	while ((c = getopt_long(argc, argv, "c:v", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*path = optarg;
			break;
		case 'v':
			*verbose = true;
			break;
		case 'p':
			weir_settings_print();
			return false;
		case 'h':
			fputs(usage, stdout);
			return false;
		case 'V':
			puts("weir-master " WEIR_VERSION);
			return false;
		default:
			fputs(usage, stderr);
			*status = 2;
			return false;
		}
	}
	if (optind == argc)
		return true;
	fprintf(stderr, "weir-master: unexpected argument \"%s\"\n%s", argv[optind], usage);
	*status = 2;
	return false;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	weir_log_info("%s: stopping", strsignal((int)number));
	event_base_loopexit(arg, NULL);
}

/* A descriptor a node, while the usual limit is 1024 with 1048576 to be had. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit); /* else accept() will say */
	}
}

static int serve(struct weir_master *master)
{
	struct event *interrupt = evsignal_new(master->base, SIGINT, on_signal, master->base);
	struct event *terminate = evsignal_new(master->base, SIGTERM, on_signal, master->base);
	struct weir_local *local = NULL;
	int result = -ENOMEM;

	if (interrupt && terminate && !event_add(interrupt, NULL) && !event_add(terminate, NULL))
		result = weir_fanout_new(master, &master->fanout);
	if (!result)
		result = weir_sessions_start(master);
	if (!result)
		result = weir_local_start(master->base, master->settings.socket,
					  "weir-master " WEIR_VERSION, master->settings.name,
					  weir_reply_run, master, &local);
	if (!result) {
		weir_log_info("weir-master %s: %s, listening on %s, socket %s", WEIR_VERSION,
			      master->settings.name, master->settings.listen,
			      master->settings.socket);
		event_base_dispatch(master->base);
		/* A break, unlike an exit, is for what only a restart can mend. */
		if (event_base_got_break(master->base))
			result = -EIO;
	}
	weir_local_stop(local); /* ends the query threads, which use the rest */
	weir_sessions_stop();
	weir_fanout_free(master->fanout);
	if (interrupt)
		event_free(interrupt);
	if (terminate)
		event_free(terminate);
	return result;
}

int main(int argc, char **argv)
{
	struct weir_master master = {0};
	const char *path = NULL;
	bool verbose = false;
	int status, result;

	if (!parse(argc, argv, &path, &verbose, &status))
		return status;
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptors();
	weir_log_init("weir-master", verbose);
	if (weir_settings_read(path, &master.settings)) {
		weir_settings_free(&master.settings);
		return 2;
	}
	result = weir_keep_open(master.settings.state, master.settings.min_free_bytes, &master.keep);
	if (!result) {
		master.base = event_base_new();
		result = master.base ? serve(&master) : -ENOMEM;
	}
	if (master.base)
		event_base_free(master.base);
	weir_keep_close(master.keep);
	weir_settings_free(&master.settings);
	libevent_global_shutdown();
	return result ? EXIT_FAILURE : EXIT_SUCCESS;
}
