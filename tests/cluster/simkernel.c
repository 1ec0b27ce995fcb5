// SPDX-License-Identifier: GPL-2.0
/* simkernel.c - a kernel for weir-node without a module. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "tests/cluster/simkernel.h"

enum {
	FLOWS_A_BATCH = 100,
	TICKS_A_SECOND = 100,
	SEQ_MAX = 1 << 20,
};

struct state {
	uint64_t instance;
	uint64_t base_ns; /* when it was made; all times of flows follow from it */
	uint64_t made;	  /* batches numbered so far */
	uint64_t acked;
	struct weir_totals numbered[SEQ_MAX]; /* of 1..seq */
};

struct weir_kernel {
	int timer;
	uint64_t sent;
	struct weir_record record[FLOWS_A_BATCH];
};

static struct state *state;
static uint64_t limit, a_tick;

/* splitmix64: the same on every machine. */
static uint64_t random_of(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void put_address(uint8_t address[16], uint8_t ip_version, uint64_t host)
{
	static const uint8_t v4[13] = {[10] = 0xff, 0xff, 10}, v6[13] = {0x20, 1, 0x0d, 0xb8};

	memcpy(address, ip_version == 4 ? v4 : v6, 13);
	address[13] = (uint8_t)(host >> 16);
	address[14] = (uint8_t)(host >> 8);
	address[15] = (uint8_t)host;
}

/* Few hosts have much and many have little, as on a network. */
static uint64_t host_of(uint64_t *seed)
{
	uint64_t bits = random_of(seed) % 14;

	return random_of(seed) % (1ULL << bits);
}

/* What only TCP has: the times of a handshake and of a request, and here and there a loss. */
static void make_tcp(struct weir_record *record, uint64_t *seed)
{
	record->tcp_flags = 0x1b; /* FIN, SYN, PSH, ACK */
	record->second_ns = record->start_ns + 1000 + random_of(seed) % 40000000;
	record->payload_ns = record->second_ns + random_of(seed) % 1000000;
	if (random_of(seed) % 8 == 0)
		record->retransmitted = (uint32_t)(1 + random_of(seed) % 9);
	if (random_of(seed) % 16 == 0)
		record->out_of_order = (uint32_t)(1 + random_of(seed) % 9);
}

static void make_icmp(struct weir_record *record)
{
	record->protocol = record->ip_version == 4 ? 1 : 58;
	record->src_port = 0;
	record->dst_port = htons(record->ip_version == 4 ? 8 << 8 : 128 << 8); /* echo request */
}

static void make_record(struct weir_record *record, uint64_t seq, uint64_t *seed)
{
	static const uint16_t ports[] = {443, 80, 53, 22, 25, 123, 993, 8080};

	memset(record, 0, sizeof(*record));
	record->ip_version = random_of(seed) % 8 ? 4 : 6;
	put_address(record->src_addr, record->ip_version, host_of(seed));
	put_address(record->dst_addr, record->ip_version, 0x10000 + host_of(seed));
	record->src_port = htons((uint16_t)(32768 + random_of(seed) % 28000));
	record->dst_port = htons(ports[random_of(seed) % 8]);
	record->in_ifindex = 1;
	record->protocol = record->dst_port == htons(53) ? 17 : 6;
	record->end_reason = WEIR_END_IDLE;
	record->observed = WEIR_OBSERVED_FORWARD;
	record->min_ttl = (uint8_t)(50 + random_of(seed) % 14);
	record->tos = random_of(seed) % 4 ? 0 : 0xb8;
	record->vlan_id = random_of(seed) % 4 ? 0 : 100;
	record->src_mac[0] = 2;
	record->src_mac[5] = (uint8_t)(random_of(seed) % 4);
	record->dst_mac[0] = 2;
	record->packets = 1 + random_of(seed) % 1000;
	record->bytes = record->packets * (40 + random_of(seed) % 1460);
	record->start_ns = 1000000000ULL * seq / 100;
	record->end_ns = record->start_ns + 200000000 + random_of(seed) % 1000000000;
	if (random_of(seed) % 16 == 0)
		make_icmp(record);
	else if (record->protocol == 6)
		make_tcp(record, seed);
}

/* The other direction of @request. */
static void make_reply(struct weir_record *record, const struct weir_record *request,
		       uint64_t *seed)
{
	*record = *request;
	memcpy(record->src_addr, request->dst_addr, sizeof(record->src_addr));
	memcpy(record->dst_addr, request->src_addr, sizeof(record->dst_addr));
	memcpy(record->src_mac, request->dst_mac, sizeof(record->src_mac));
	memcpy(record->dst_mac, request->src_mac, sizeof(record->dst_mac));
	record->src_port = request->dst_port;
	record->dst_port = request->src_port;
	record->packets = 1 + random_of(seed) % 1000;
	record->bytes = record->packets * (40 + random_of(seed) % 1460);
	if (record->protocol == 1 || record->protocol == 58) { /* echo reply */
		record->src_port = 0;
		record->dst_port = htons(record->protocol == 1 ? 0 : 129 << 8);
	}
	if (record->protocol != 6)
		return;
	record->start_ns = (request->start_ns + request->second_ns) / 2;
	record->second_ns = request->payload_ns + random_of(seed) % 1000000;
	record->payload_ns = record->second_ns + random_of(seed) % 20000000;
	record->retransmitted = record->out_of_order = 0;
}

/* Source NAT for some, tunnels and namespaces for a few; nothing of it depends on chance. */
static void make_tail(struct weir_record *record, uint64_t seq, unsigned i)
{
	if (i % 3 == 0) {
		put_address(record->nat_src_addr, record->ip_version, 0);
		record->nat_src_addr[15] = (uint8_t)(200 + seq % 5);
		record->nat_src_port = record->src_port ? htons((uint16_t)(1024 + i)) : 0;
	}
	if (i % 7 == 0) {
		record->tunnel = WEIR_TUNNEL_VXLAN;
		record->tunnel_id = 40 + i % 5;
	}
	if (i % 5 == 0)
		record->netns = 4026532000u + i % 2;
}

static bool is_long(uint64_t seq)
{
	return seq % 4 == 0;
}

static void make_batch(struct weir_record *record, uint64_t seq, struct weir_totals *sum)
{
	uint64_t seed = state->instance ^ (seq * 0x2545f4914f6cdd1dULL);

	for (unsigned i = 0; i < FLOWS_A_BATCH; i++) {
		if (i % 4 == 3) /* a quarter is answered within the batch */
			make_reply(&record[i], &record[i - 1], &seed);
		else
			make_record(&record[i], seq, &seed);
		if (is_long(seq))
			make_tail(&record[i], seq, i);
		sum->flows++;
		sum->packets += record[i].packets;
		sum->bytes += record[i].bytes;
	}
}

int simkernel_open(const char *path, uint64_t batches, uint64_t rate)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*state)) < 0)
		return -errno;
	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (state == MAP_FAILED)
		return -errno;
	limit = batches < SEQ_MAX ? batches : SEQ_MAX - 1;
	a_tick = rate / TICKS_A_SECOND ? rate / TICKS_A_SECOND : 1;
	if (!state->instance) {
		state->base_ns = weir_clock_now_ns();
		state->instance = state->base_ns | 1;
	}
	return 0;
}

static int sim_open(struct weir_kernel **kernel, char *why)
{
	struct itimerspec every = {{0, 1000000000 / TICKS_A_SECOND},
				   {0, 1000000000 / TICKS_A_SECOND}};
	struct weir_kernel *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	timerfd_settime(new->timer, 0, &every, NULL);
	*kernel = new;
	return 0;
}

static void sim_close(struct weir_kernel *kernel)
{
	close(kernel->timer);
	free(kernel);
}

static int sim_configure(const struct weir_node_config *config, char *why)
{
	return 0;
}

/* As weir.ko: naming the next batch acknowledges those before it, and what was acknowledged is gone. */
static int sim_subscribe(struct weir_kernel *kernel, uint64_t instance, uint64_t seq,
			 struct weir_kernel_start *start, char *why)
{
	memset(start, 0, sizeof(*start));
	start->instance = state->instance;
	start->seq = state->acked + 1;
	if (instance == state->instance && seq > state->made + 1) {
		snprintf(why, WEIR_KERNEL_WHY, "batch %llu was never handed out",
			 (unsigned long long)seq);
		return -ERANGE;
	}
	if (instance == state->instance && seq > start->seq) {
		state->acked = seq - 1;
		start->seq = seq;
	} else if (instance == state->instance && seq) {
		start->missing = start->seq - seq;
	}
	kernel->sent = start->seq - 1;
	return 0;
}

static int sim_fd(const struct weir_kernel *kernel)
{
	return kernel->timer;
}

static void tick(struct weir_kernel *kernel)
{
	uint64_t ticks;

	if (read(kernel->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	for (uint64_t i = 0; i < ticks * a_tick && state->made < limit; i++) {
		struct weir_totals sum = state->numbered[state->made];

		make_batch(kernel->record, state->made + 1, &sum);
		state->numbered[state->made + 1] = sum;
		/* The batch exists once it is counted: order matters to a kill. */
		__atomic_store_n(&state->made, state->made + 1, __ATOMIC_RELEASE);
	}
}

static int sim_receive(struct weir_kernel *kernel, struct weir_kernel_event *event)
{
	struct weir_totals ignored = {0};

	if (kernel->sent >= state->made)
		tick(kernel);
	if (kernel->sent >= state->made || kernel->sent - state->acked >= WEIR_KERNEL_WINDOW)
		return -EAGAIN;
	memset(event, 0, sizeof(*event));
	event->kind = WEIR_KERNEL_BATCH;
	event->instance = state->instance;
	event->seq = ++kernel->sent;
	event->numbered = state->numbered[event->seq];
	event->record_size = is_long(event->seq) ? sizeof(struct weir_record) : WEIR_RECORD_CORE;
	event->clock_offset_ns = (int64_t)state->base_ns;
	make_batch(kernel->record, event->seq, &ignored);
	for (unsigned i = 1; i < FLOWS_A_BATCH; i++)
		memmove((uint8_t *)kernel->record + (size_t)i * event->record_size,
			&kernel->record[i], event->record_size);
	event->records = kernel->record;
	event->record_bytes = FLOWS_A_BATCH * event->record_size;
	return 0;
}

static int sim_ack(struct weir_kernel *kernel, uint64_t instance, uint64_t seq)
{
	if (instance != state->instance)
		return -ESTALE;
	if (seq > kernel->sent)
		return -ERANGE;
	if (seq > state->acked)
		state->acked = seq;
	return 0;
}

static int sim_get_stats(struct weir_kernel_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->instance = state->instance;
	stats->seq = __atomic_load_n(&state->made, __ATOMIC_ACQUIRE);
	stats->acked_seq = state->acked;
	if (stats->acked_seq > stats->seq)
		stats->acked_seq = stats->seq;
	stats->numbered = state->numbered[stats->seq];
	stats->seen = stats->numbered;
	stats->acked = state->numbered[stats->acked_seq];
	stats->pending = stats->numbered;
	weir_totals_subtract(&stats->pending, &stats->acked);
	stats->cpus = 1;
	stats->log_batches = 1024;
	return 0;
}

const struct weir_kernel_ops simkernel_ops = {
	.open = sim_open,
	.close = sim_close,
	.configure = sim_configure,
	.subscribe = sim_subscribe,
	.fd = sim_fd,
	.receive = sim_receive,
	.ack = sim_ack,
	.get_stats = sim_get_stats,
};
