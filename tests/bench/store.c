// SPDX-License-Identifier: GPL-2.0
/*
 * store.c - what bench-store measures.
 *
 *   store make STREAM RECORDS ms|ns  record a stream, with times in ms or ns
 *   store weir STREAM STATE          weir-node's ingest, from a socket to the disk
 *   store netflow STREAM PORT        the same records as IPFIX to 127.0.0.1, no faster than
 *                                    the reader of PORT takes them
 *
 * Figures come one a line, name, tab, value.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/node/node.h"
#include "daemon/store/store.h"
#include "tests/bench/netflow.h"
#include "tests/bench/player.h"
#include "tests/bench/stream.h"

static double seconds(const struct timeval *tv)
{
	return (double)tv->tv_sec + (double)tv->tv_usec / 1e6;
}

static void print_usage(const struct rusage *before, const struct rusage *after)
{
	printf("user_s\t%.6f\n", seconds(&after->ru_utime) - seconds(&before->ru_utime));
	printf("system_s\t%.6f\n", seconds(&after->ru_stime) - seconds(&before->ru_stime));
}

/* Everything sent is in the store, and the node's ledger says the same. */
static int check(struct weir_store *store, const struct weir_totals *played)
{
	struct weir_store_state state;

	if (weir_store_state(store, &state))
		return 1;
	if (weir_totals_equal(&state.stored, played) &&
	    weir_totals_equal(&state.position.received, played) && !state.position.missing_batches)
		return 0;
	fprintf(stderr, "store: %" PRIu64 " records were played, %" PRIu64 " are stored\n",
		(uint64_t)played->flows, (uint64_t)state.stored.flows);
	return 1;
}

static int run_weir(const char *stream, const char *dir)
{
	struct weir_node node = {.kernel = &weir_player_ops, .segment_fd = -1};
	struct weir_store_options options = {0};
	struct weir_store_figures figures;
	struct rusage before, after;
	struct weir_store_state state;
	struct weir_totals played;
	uint64_t start_ns, end_ns, slowest_ns;

	if (weir_config_read("/dev/null", &node.config) ||
	    weir_player_start(stream, WEIR_KERNEL_WINDOW))
		return 1;
	node.config.state = (char *)dir;
	if (weir_store_open(dir, &options, &node.store))
		return 1;
	getrusage(RUSAGE_SELF, &before);
	start_ns = weir_clock_monotonic_ns();
	if (weir_ingest_start(&node) || !weir_player_wait(&played, &slowest_ns))
		return 1;
	end_ns = weir_clock_monotonic_ns();
	getrusage(RUSAGE_SELF, &after);
	weir_ingest_stop(&node);
	if (check(node.store, &played) || weir_store_figures(node.store, &figures) ||
	    weir_store_state(node.store, &state))
		return 1;
	weir_store_close(node.store);
	printf("records\t%" PRIu64 "\n", (uint64_t)played.flows);
	printf("wall_s\t%.6f\n", (double)(end_ns - start_ns) / 1e9);
	print_usage(&before, &after);
	printf("slowest_ack_s\t%.6f\n", (double)slowest_ns / 1e9);
	printf("disk_bytes\t%" PRIu64 "\n", figures.disk_bytes);
	printf("blocks\t%" PRIu64 "\n", figures.blocks);
	printf("segments\t%" PRIu64 "\n", state.summed.seq);
	return 0;
}

int main(int argc, char **argv)
{
	weir_log_init("bench-store", false);
	if (argc == 5 && !strcmp(argv[1], "make"))
		return weir_stream_make(argv[2], strtoull(argv[3], NULL, 10),
					!strcmp(argv[4], "ms"))
			       ? 1
			       : 0;
	if (argc == 4 && !strcmp(argv[1], "weir"))
		return run_weir(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "netflow"))
		return weir_netflow_send(argv[2], (uint16_t)atoi(argv[3])) ? 1 : 0;
	fprintf(stderr, "usage: store make STREAM RECORDS ms|ns | weir STREAM STATE | netflow "
			"STREAM PORT\n");
	return 2;
}
