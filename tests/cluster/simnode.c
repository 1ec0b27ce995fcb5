// SPDX-License-Identifier: GPL-2.0
/*
 * simnode.c - all of weir-node but the kernel, for tests where weir.ko cannot be loaded.
 *
 *   simnode CONFIG STATE_OF_THE_KERNEL BATCHES RATE
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <event2/thread.h>

#include "daemon/common/log.h"
#include "daemon/node/node.h"
#include "tests/cluster/simkernel.h"

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	event_base_loopexit(arg, NULL);
}

static int serve(struct weir_node *node, const char *path)
{
	struct event_base *base = event_base_new();
	struct event *stop = base ? evsignal_new(base, SIGTERM, on_signal, base) : NULL;
	int result = -1;

	if (stop && !event_add(stop, NULL) && !weir_ingest_start(node)) {
		result = weir_serve_start(node, base);
		if (!result)
			result = weir_replicate_start(node, base);
		if (!result)
			result = weir_reload_start(node, base, path);
		if (!result)
			result = weir_keeper_start(node);
		if (!result)
			event_base_dispatch(base);
		weir_ingest_stop(node);
		weir_keeper_stop();
		weir_reload_stop();
		weir_replicate_stop();
		weir_serve_stop();
	}
	if (stop)
		event_free(stop);
	if (base)
		event_base_free(base);
	return result;
}

int main(int argc, char **argv)
{
	struct weir_node node = {.kernel = &simkernel_ops};
	struct weir_store_options options = {0};
	int result;

	if (argc != 5) {
		fprintf(stderr, "usage: simnode CONFIG KERNEL_STATE BATCHES RATE\n");
		return 2;
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	weir_log_init("simnode", false);
	evthread_use_pthreads();
	node.segment_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (weir_config_read(argv[1], &node.config) ||
	    simkernel_open(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10)))
		return 2;
	options.min_free_bytes = node.config.min_free_bytes;
	if (weir_store_open(node.config.state, &options, &node.store)) {
		weir_config_free(&node.config);
		return 1;
	}
	result = serve(&node, argv[1]);
	weir_store_close(node.store);
	weir_config_free(&node.config);
	return result ? 1 : 0;
}
