// SPDX-License-Identifier: GPL-2.0
/*
 * flows.c - the same flows in every form: a store, a file of IPFIX messages, messages to a collector.
 *
 *	flows store FOLDER COUNT [SEED]
 *	flows ipfix FILE COUNT [SEED]
 *	flows send PORT COUNT [SEED]		to 127.0.0.1, UDP
 *	flows replay PORT FILE			the messages of a file, the same way
 *
 * Times are whole milliseconds, which every tool keeps. Sending waits while the receiver's queue is half full, and
 * ends with status 1 if the kernel dropped a datagram all the same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/exchange/ipfix.h"
#include "daemon/store/store.h"
#include "tests/bench/flowgen.h"

enum {
	A_TIME = 65536, /* flows made at a time, and in a block */
	QUEUE_MAX = 4 << 20, /* bytes that may wait in the receiver's socket */
	LOOK_EVERY = 16, /* messages */
};

struct sender {
	int fd;
	unsigned port;
	unsigned messages;
};

static int fail(const char *what, int error)
{
	fprintf(stderr, "flows: %s: %s\n", what, strerror(error < 0 ? -error : errno));
	return 1;
}

/* Bytes that wait for @port, and datagrams dropped there. */
static bool queue_of(unsigned port, unsigned *bytes, unsigned *drops)
{
	FILE *table = fopen("/proc/net/udp", "re");
	char line[512];
	bool found = false;

	*bytes = *drops = 0;
	while (table && fgets(line, sizeof(line), table)) {
		unsigned local, waiting, dropped;

		if (sscanf(line, "%*d: %*x:%x %*x:%*x %*x %*x:%x %*x:%*x %*x %*u %*d %*u %*d %*x %u", &local,
			   &waiting, &dropped) == 3 && local == port) {
			*bytes += waiting;
			*drops += dropped;
			found = true;
		}
	}
	if (table)
		fclose(table);
	return found;
}

static int send_message(void *arg, const uint8_t *message, size_t bytes)
{
	static const struct timespec moment = {0, 200000};
	struct sender *s = arg;
	unsigned waiting, drops;

	while (s->messages % LOOK_EVERY == 0 && queue_of(s->port, &waiting, &drops) && waiting > QUEUE_MAX)
		nanosleep(&moment, NULL);
	s->messages++;
	return send(s->fd, message, bytes, 0) == (ssize_t)bytes ? 0 : -errno;
}

static int open_sender(const char *port, struct sender *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	s->port = (unsigned)atoi(port);
	to.sin_port = htons((uint16_t)s->port);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

static int close_sender(const struct sender *s)
{
	static const struct timespec moment = {0, 1000000};
	unsigned waiting = 1, drops = 0;

	while (queue_of(s->port, &waiting, &drops) && waiting)
		nanosleep(&moment, NULL);
	close(s->fd);
	if (drops)
		fprintf(stderr, "flows: %u datagrams dropped\n", drops);
	return drops ? 1 : 0;
}

static int write_message(void *arg, const uint8_t *message, size_t bytes)
{
	return fwrite(message, 1, bytes, arg) == bytes ? 0 : -EIO;
}

static int write_all(struct weir_flowgen *gen, uint64_t count, weir_ipfix_emit *emit, void *arg)
{
	struct weir_ipfix_writer_options options = {.domain = 1, .name = "flowgen"};
	struct weir_flow *flows = calloc(A_TIME, sizeof(*flows));
	struct weir_ipfix_writer *writer;
	int ret = flows ? weir_ipfix_writer_new(&options, emit, arg, &writer) : -ENOMEM;

	if (ret)
		return ret;
	while (!ret && count) {
		size_t n = count < A_TIME ? count : A_TIME;

		weir_flowgen_fill(gen, flows, n);
		for (size_t i = 0; !ret && i < n; i++)
			ret = weir_ipfix_writer_put(writer, &flows[i]);
		count -= n;
	}
	if (!ret)
		ret = weir_ipfix_writer_end(writer);
	weir_ipfix_writer_free(writer);
	free(flows);
	return ret;
}

static int make_ipfix(struct weir_flowgen *gen, const char *path, uint64_t count)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "we") : stdout;
	int ret = file ? write_all(gen, count, write_message, file) : -errno;

	if (file && fclose(file) && !ret)
		ret = -errno;
	return ret ? fail(path, ret) : 0;
}

static int send_flows(struct weir_flowgen *gen, const char *port, uint64_t count)
{
	struct sender sender = {0};
	int ret = open_sender(port, &sender);

	if (!ret)
		ret = write_all(gen, count, send_message, &sender);
	return ret ? fail(port, ret) : close_sender(&sender);
}

static int make_store(struct weir_flowgen *gen, const char *dir, uint64_t count)
{
	struct weir_store_options options = {0};
	struct weir_flow *flows = calloc(A_TIME, sizeof(*flows));
	struct weir_store *store;
	int ret = flows ? weir_store_open(dir, &options, &store) : -ENOMEM;

	if (ret)
		return fail(dir, ret);
	while (!ret && count) {
		size_t n = count < A_TIME ? count : A_TIME;
		struct weir_store_txn *txn;

		weir_flowgen_fill(gen, flows, n);
		ret = weir_store_begin(store, flows[n - 1].end_ns, &txn);
		if (ret)
			break;
		weir_store_put_block(txn, flows, n);
		ret = weir_store_commit(txn);
		count -= n;
	}
	weir_store_close(store);
	free(flows);
	return ret ? fail(dir, ret) : 0;
}

static int replay(const char *port, const char *path)
{
	static uint8_t message[WEIR_IPFIX_MESSAGE_BYTES + 1];
	struct sender sender = {0};
	FILE *file = fopen(path, "re");
	int ret = file ? open_sender(port, &sender) : -errno;

	while (!ret && fread(message, 1, 4, file) == 4) {
		size_t bytes = (size_t)message[2] << 8 | message[3];

		if (bytes < 16 || fread(message + 4, 1, bytes - 4, file) != bytes - 4)
			ret = -EBADMSG;
		else
			ret = send_message(&sender, message, bytes);
	}
	if (file)
		fclose(file);
	return ret ? fail(path, ret) : close_sender(&sender);
}

int main(int argc, char **argv)
{
	struct weir_flowgen_options options = {.milliseconds = true};
	struct weir_flowgen *gen;
	uint64_t count;
	int status = 2;

	if (argc == 4 && !strcmp(argv[1], "replay"))
		return replay(argv[2], argv[3]);
	if (argc < 4) {
		fprintf(stderr, "usage: flows store|ipfix|send WHERE COUNT [SEED]\n"
				"       flows replay PORT FILE\n");
		return 2;
	}
	options.seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	count = strtoull(argv[3], NULL, 10);
	gen = weir_flowgen_new(&options);
	if (!gen)
		return fail(argv[1], -ENOMEM);
	if (!strcmp(argv[1], "store"))
		status = make_store(gen, argv[2], count);
	else if (!strcmp(argv[1], "ipfix"))
		status = make_ipfix(gen, argv[2], count);
	else if (!strcmp(argv[1], "send"))
		status = send_flows(gen, argv[2], count);
	weir_flowgen_free(gen);
	return status;
}
