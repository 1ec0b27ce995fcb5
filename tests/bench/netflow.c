// SPDX-License-Identifier: GPL-2.0
#include "tests/bench/netflow.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/common/record.h"
#include "daemon/node/message.h"
#include "tests/bench/stream.h"

enum {
	/* What fits an Ethernet frame, as exporters send. */
	DATAGRAM_BYTES = 1472,
	HEADER_BYTES = 16,
	SET_BYTES = 4,
	TEMPLATE_4 = 256,
	TEMPLATE_6 = 257,
	/* Datagrams between two looks at the receiver's queue; a thirtieth of the smallest
	 * usual buffer. */
	LOOK_EVERY = 16,
	/* Of the receiver's buffer as its kernel counts: never more than this waits. */
	QUEUE_BYTES = 96 << 10,
	TEMPLATES_EVERY = 4096,
};

struct element {
	uint16_t id, bytes;
};

/* IANA's numbers. */
static const struct element common[] = {
	{7, 2},	 {11, 2}, {4, 1}, {5, 1}, {6, 2},   {10, 4},  {14, 4},	{58, 2},
	{56, 6}, {80, 6}, {1, 8}, {2, 8}, {152, 8}, {153, 8}, {136, 1},
};

struct sender {
	int fd;
	uint16_t port;
	uint32_t sequence; /* data records before this message */
	uint64_t datagrams, records, bytes;
	uint16_t set; /* the template of the open set, 0: none */
	size_t set_at, length;
	uint32_t held; /* records in the open message */
	uint8_t buffer[DATAGRAM_BYTES];
};

static void put16(struct sender *s, uint16_t value)
{
	value = htobe16(value);
	memcpy(s->buffer + s->length, &value, 2);
	s->length += 2;
}

static void put32(struct sender *s, uint32_t value)
{
	value = htobe32(value);
	memcpy(s->buffer + s->length, &value, 4);
	s->length += 4;
}

static void put64(struct sender *s, uint64_t value)
{
	value = htobe64(value);
	memcpy(s->buffer + s->length, &value, 8);
	s->length += 8;
}

static void put_bytes(struct sender *s, const void *from, size_t bytes)
{
	memcpy(s->buffer + s->length, from, bytes);
	s->length += bytes;
}

static void put16_at(struct sender *s, size_t at, uint16_t value)
{
	value = htobe16(value);
	memcpy(s->buffer + at, &value, 2);
}

/* Bytes that wait in the receiver's buffer, and what it dropped. */
static int look(uint16_t port, uint64_t *queued, uint64_t *dropped)
{
	char line[512];
	FILE *file = fopen("/proc/net/udp", "re");
	int ret = -ENOENT;

	if (!file)
		return -errno;
	while (ret && fgets(line, sizeof(line), file)) {
		unsigned local, rx;
		uint64_t drops;

		if (sscanf(line,
			   " %*d: %*x:%x %*x:%*x %*x %*x:%x %*x:%*x %*x %*u %*u %*u %*u %*s "
			   "%" SCNu64,
			   &local, &rx, &drops) != 3 ||
		    local != port)
			continue;
		*queued = rx;
		*dropped = drops;
		ret = 0;
	}
	fclose(file);
	return ret;
}

static int wait_for_room(struct sender *s, uint64_t most)
{
	uint64_t queued, dropped;

	for (;;) {
		int ret = look(s->port, &queued, &dropped);

		if (ret || queued <= most)
			return ret;
		sched_yield();
	}
}

static int flush(struct sender *s)
{
	uint32_t sequence = htobe32(s->sequence);

	if (s->length <= HEADER_BYTES)
		return 0;
	if (s->set)
		put16_at(s, s->set_at + 2, (uint16_t)(s->length - s->set_at));
	put16_at(s, 2, (uint16_t)s->length);
	memcpy(s->buffer + 8, &sequence, 4);
	if (s->datagrams % LOOK_EVERY == 0 && wait_for_room(s, QUEUE_BYTES))
		return -EIO;
	if (send(s->fd, s->buffer, s->length, 0) != (ssize_t)s->length)
		return -errno;
	s->datagrams++;
	s->bytes += s->length;
	s->sequence += s->held;
	s->held = 0;
	s->set = 0;
	s->length = 0;
	return 0;
}

static void begin(struct sender *s, uint32_t seconds)
{
	s->length = 0;
	put16(s, 10);
	put16(s, 0);
	put32(s, seconds);
	put32(s, 0);
	put32(s, 1);
}

static void put_template(struct sender *s, uint16_t id, struct element source,
			 struct element destination)
{
	size_t count = sizeof(common) / sizeof(common[0]);

	put16(s, id);
	put16(s, (uint16_t)(count + 2));
	put16(s, source.id);
	put16(s, source.bytes);
	put16(s, destination.id);
	put16(s, destination.bytes);
	for (size_t i = 0; i < count; i++) {
		put16(s, common[i].id);
		put16(s, common[i].bytes);
	}
}

static int send_templates(struct sender *s, uint32_t seconds)
{
	begin(s, seconds);
	s->set_at = s->length;
	s->set = 2;
	put16(s, 2);
	put16(s, 0);
	put_template(s, TEMPLATE_4, (struct element){8, 4}, (struct element){12, 4});
	put_template(s, TEMPLATE_6, (struct element){27, 16}, (struct element){28, 16});
	return flush(s);
}

static void put_flow(struct sender *s, const struct weir_flow *flow)
{
	size_t bytes = flow->ip_version == 6 ? 16 : 4;

	put_bytes(s, flow->src_addr + 16 - bytes, bytes);
	put_bytes(s, flow->dst_addr + 16 - bytes, bytes);
	put16(s, flow->src_port);
	put16(s, flow->dst_port);
	s->buffer[s->length++] = flow->protocol;
	s->buffer[s->length++] = flow->tos;
	put16(s, flow->tcp_flags);
	put32(s, flow->in_ifindex);
	put32(s, flow->out_ifindex);
	put16(s, flow->vlan_id);
	put_bytes(s, flow->src_mac, 6);
	put_bytes(s, flow->dst_mac, 6);
	put64(s, flow->bytes);
	put64(s, flow->packets);
	put64(s, flow->start_ns / 1000000);
	put64(s, flow->end_ns / 1000000);
	s->buffer[s->length++] = flow->end_reason;
}

static size_t flow_bytes(bool ipv6)
{
	size_t bytes = ipv6 ? 32 : 8;

	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		bytes += common[i].bytes;
	return bytes;
}

static int add(struct sender *s, const struct weir_flow *flow)
{
	uint16_t set = flow->ip_version == 6 ? TEMPLATE_6 : TEMPLATE_4;
	uint32_t now = (uint32_t)(flow->end_ns / 1000000000);
	int ret = 0;

	if (s->length && s->length + SET_BYTES + flow_bytes(flow->ip_version == 6) > DATAGRAM_BYTES)
		ret = flush(s);
	if (!ret && s->datagrams % TEMPLATES_EVERY == 0 && !s->length)
		ret = send_templates(s, now);
	if (ret)
		return ret;
	if (!s->length)
		begin(s, now);
	if (s->set != set) {
		if (s->set)
			put16_at(s, s->set_at + 2, (uint16_t)(s->length - s->set_at));
		s->set = set;
		s->set_at = s->length;
		put16(s, set);
		put16(s, 0);
	}
	put_flow(s, flow);
	s->held++;
	s->records++;
	return 0;
}

static int add_batch(struct sender *s, const struct nlmsghdr *nlh)
{
	struct weir_kernel_event event;
	struct weir_message message;
	struct weir_flow flow;
	int ret = weir_message_parse(nlh, &message);

	if (!ret)
		ret = weir_message_event(&message, &event);
	if (ret || event.kind != WEIR_KERNEL_BATCH)
		return ret;
	for (size_t at = 0; at < event.record_bytes && !ret; at += event.record_size) {
		weir_record_read((const uint8_t *)event.records + at, event.record_size,
				 event.clock_offset_ns, &flow);
		ret = add(s, &flow);
	}
	return ret;
}

int weir_netflow_send(const char *path, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sender s = {.port = port};
	uint64_t queued, dropped = 0;
	struct weir_stream stream;
	const struct nlmsghdr *nlh;
	size_t offset = 0;
	int ret = weir_stream_open(path, &stream);

	if (ret)
		return ret;
	s.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s.fd < 0 || connect(s.fd, (struct sockaddr *)&to, sizeof(to)))
		return -errno;
	while (!ret && (nlh = weir_stream_next(&stream, &offset)))
		ret = add_batch(&s, nlh);
	if (!ret)
		ret = flush(&s);
	if (!ret)
		ret = wait_for_room(&s, 0);
	if (!ret)
		ret = look(port, &queued, &dropped);
	if (ret)
		fprintf(stderr, "netflow: %s\n", strerror(-ret));
	printf("records\t%" PRIu64 "\ndatagrams\t%" PRIu64 "\nbytes\t%" PRIu64 "\ndropped\t%" PRIu64
	       "\n",
	       s.records, s.datagrams, s.bytes, dropped);
	close(s.fd);
	weir_stream_close(&stream);
	return ret;
}
