// SPDX-License-Identifier: GPL-2.0
#include "tests/bench/player.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/node/message.h"
#include "tests/bench/stream.h"

enum {
	MESSAGE_BYTES = 128 << 10,
	WINDOW_MAX = 1 << 16,
};

struct weir_kernel {
	int fd;
	pid_t sender;
	unsigned log_batches;
	uint64_t last; /* batches there are, from END; 0: it has not come */
	struct weir_totals played;
	uint64_t acked, slowest_ns;
	uint64_t received_ns[WINDOW_MAX]; /* by seq */
	sem_t done;
	uint8_t buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
};

static struct weir_kernel player;

/* In the other process. */
static int play(const struct weir_stream *stream, int fd)
{
	const struct nlmsghdr *nlh;
	uint64_t sent = 0, acked = 0;
	size_t offset = 0;

	while ((nlh = weir_stream_next(stream, &offset))) {
		while (sent - acked >= WEIR_KERNEL_WINDOW)
			if (recv(fd, &acked, sizeof(acked), 0) != sizeof(acked))
				return 1;
		if (send(fd, nlh, nlh->nlmsg_len, MSG_NOSIGNAL) != (ssize_t)nlh->nlmsg_len)
			return 1;
		sent++;
	}
	while (recv(fd, &acked, sizeof(acked), 0) == sizeof(acked))
		;
	return 0;
}

int weir_player_start(const char *path, unsigned log_batches)
{
	int fds[2], bytes = 64 << 20;
	struct weir_stream stream;
	int ret = weir_stream_open(path, &stream);

	if (ret)
		return ret;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	/* The sender's buffer is what counts for a local socket. */
	if (setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		return -errno;
	player.sender = fork();
	if (player.sender < 0)
		return -errno;
	if (!player.sender) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		_exit(play(&stream, fds[1]));
	}
	close(fds[1]);
	weir_stream_close(&stream);
	player.fd = fds[0];
	player.log_batches = log_batches;
	sem_init(&player.done, 0, 0);
	return fcntl(player.fd, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

uint64_t weir_player_wait(struct weir_totals *played, uint64_t *slowest_ns)
{
	while (sem_wait(&player.done))
		;
	*played = player.played;
	*slowest_ns = player.slowest_ns;
	return player.acked == player.last ? player.last : 0;
}

static int open_player(struct weir_kernel **kernel, char *why)
{
	*kernel = &player;
	return 0;
}

static void close_player(struct weir_kernel *kernel)
{
	int status;

	if (kernel->fd < 0)
		return;
	close(kernel->fd);
	kernel->fd = -1;
	waitpid(kernel->sender, &status, 0);
	sem_post(&kernel->done);
}

static int configure(const struct weir_node_config *config, char *why)
{
	return 0;
}

static int subscribe(struct weir_kernel *kernel, uint64_t instance, uint64_t seq,
		     struct weir_kernel_start *start, char *why)
{
	if (kernel->fd < 0)
		return -ENETDOWN;
	*start = (struct weir_kernel_start){.instance = WEIR_STREAM_INSTANCE, .seq = 1};
	return 0;
}

static int get_fd(const struct weir_kernel *kernel)
{
	return kernel->fd;
}

static int receive(struct weir_kernel *kernel, struct weir_kernel_event *event)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)kernel->buffer;
	struct weir_message message;
	ssize_t got = recv(kernel->fd, kernel->buffer, sizeof(kernel->buffer), 0);
	int ret;

	if (got < 0)
		return -errno;
	if (!mnl_nlmsg_ok(nlh, (int)got))
		return -EBADMSG;
	ret = weir_message_parse(nlh, &message);
	if (!ret)
		ret = weir_message_event(&message, event);
	if (!ret && event->kind == WEIR_KERNEL_END) {
		kernel->last = event->seq;
		kernel->played = event->numbered;
	}
	kernel->received_ns[event->seq % WINDOW_MAX] = weir_clock_monotonic_ns();
	return ret;
}

static int ack(struct weir_kernel *kernel, uint64_t instance, uint64_t seq)
{
	uint64_t took =
		weir_clock_monotonic_ns() - kernel->received_ns[(kernel->acked + 1) % WINDOW_MAX];

	if (took > kernel->slowest_ns)
		kernel->slowest_ns = took;
	kernel->acked = seq;
	return send(kernel->fd, &seq, sizeof(seq), MSG_NOSIGNAL) == sizeof(seq) ? 0 : -errno;
}

static int get_stats(struct weir_kernel_stats *stats)
{
	*stats = (struct weir_kernel_stats){
		.instance = WEIR_STREAM_INSTANCE, .cpus = 1, .log_batches = player.log_batches};
	return 0;
}

const struct weir_kernel_ops weir_player_ops = {
	.open = open_player,
	.close = close_player,
	.configure = configure,
	.subscribe = subscribe,
	.fd = get_fd,
	.receive = receive,
	.ack = ack,
	.get_stats = get_stats,
};
