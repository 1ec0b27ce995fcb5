// SPDX-License-Identifier: GPL-2.0
/*
 * reader - takes the module's stream as weir-node does and only counts it
 *
 *	reader			until a signal comes or metering ends
 *	reader RECORDS		until that many have come
 *
 * Acknowledges each EVERY batches and checks that what came is what was numbered.
 * Prints RECORDS BATCHES WALL_NS from the first batch to the last acknowledgement. Exit
 * status 1 if a record is missing.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/node/kernel.h"

enum { EVERY = 64, POLL_MS = 200, ATTEMPTS = 50 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

struct count {
	struct weir_totals got, before; /* before: of batches ahead of the first */
	struct weir_totals numbered;
	uint64_t batches, first_ns, seq, acked;
	bool ended;
};

static void add(struct count *count, const struct weir_kernel_event *event)
{
	struct weir_totals batch = {0};

	for (size_t at = 0; at < event->record_bytes; at += event->record_size) {
		struct weir_record record;

		memcpy(&record, (const uint8_t *)event->records + at, WEIR_RECORD_CORE);
		batch.flows++;
		batch.packets += record.packets;
		batch.bytes += record.bytes;
	}
	if (!count->batches++) {
		count->first_ns = weir_clock_monotonic_ns();
		count->before.flows = event->numbered.flows - batch.flows;
		count->before.packets = event->numbered.packets - batch.packets;
		count->before.bytes = event->numbered.bytes - batch.bytes;
	}
	count->got.flows += batch.flows;
	count->got.packets += batch.packets;
	count->got.bytes += batch.bytes;
	count->numbered = event->numbered;
	count->seq = event->seq;
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "reader: %s: %s\n", what, why);
	exit(1);
}

static void acknowledge(struct weir_kernel *kernel, uint64_t instance, struct count *count)
{
	int ret = weir_kernel_netlink.ack(kernel, instance, count->seq);

	if (ret)
		fail("acknowledging", strerror(-ret));
	count->acked = count->seq;
}

/* All that waits in the socket. */
static void drain(struct weir_kernel *kernel, uint64_t instance, struct count *count, uint64_t wanted)
{
	struct weir_kernel_event event;
	int ret = 0;

	while (!count->ended && count->got.flows < wanted &&
	       !(ret = weir_kernel_netlink.receive(kernel, &event))) {
		if (event.kind == WEIR_KERNEL_REFUSED)
			fail("acknowledging", event.why);
		if (event.kind == WEIR_KERNEL_END)
			count->ended = true;
		else
			add(count, &event);
		if (count->seq - count->acked >= EVERY)
			acknowledge(kernel, instance, count);
	}
	if (ret && ret != -EAGAIN)
		fail("receiving", strerror(-ret));
}

int main(int argc, char **argv)
{
	const uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : UINT64_MAX;
	struct weir_kernel_start start;
	struct weir_kernel *kernel;
	struct count count = {0};
	struct pollfd fd = {.events = POLLIN};
	char why[WEIR_KERNEL_WHY];
	int attempts = ATTEMPTS;

	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (weir_kernel_netlink.open(&kernel, why))
		fail("opening", why);
	/* the one before may just have gone */
	while (weir_kernel_netlink.subscribe(kernel, 0, 0, &start, why)) {
		if (!attempts--)
			fail("subscribing", why);
		poll(NULL, 0, POLL_MS);
	}
	fd.fd = weir_kernel_netlink.fd(kernel);
	while (!stop && !count.ended && count.got.flows < wanted) {
		if (poll(&fd, 1, POLL_MS) > 0)
			drain(kernel, start.instance, &count, wanted);
		if (count.seq != count.acked && !count.ended)
			acknowledge(kernel, start.instance, &count);
	}
	printf("%llu %llu %llu\n", (unsigned long long)count.got.flows,
	       (unsigned long long)count.batches,
	       count.batches ? (unsigned long long)(weir_clock_monotonic_ns() - count.first_ns) : 0ULL);
	weir_kernel_netlink.close(kernel);
	count.got.flows += count.before.flows;
	count.got.packets += count.before.packets;
	count.got.bytes += count.before.bytes;
	if (memcmp(&count.got, &count.numbered, sizeof(count.got)))
		fail("counting", "what came is not what was numbered");
	return 0;
}
