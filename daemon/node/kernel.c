// SPDX-License-Identifier: GPL-2.0
/*
 * kernel.c - sockets to the module.
 *
 * The stream has a socket of its own, made anew for each subscription, so
 * what comes on it is the answer to SUBSCRIBE, then batches, in order; an error
 * message can only be the answer to an ACK, which asks for none if it succeeds.
 *
 * Options: NETLINK_NO_ENOBUFS, or one overrun makes the kernel refuse everything
 * until the queue is empty; nothing is lost without it, as the kernel keeps a
 * batch whose delivery failed. SO_RCVBUFFORCE takes a whole window, counted as the
 * kernel does, with the buffer a batch was allocated in.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/setting.h"
#include "daemon/node/message.h"
#include "daemon/node/node.h"

enum {
	/* A batch is 32 KB now; an attribute cannot exceed 64 KB. */
	MESSAGE_BYTES = 128 << 10,
	/* 32 KB of data sits in a buffer of 64 KB at worst; the kernel doubles what is asked for. */
	RECEIVE_BYTES = WEIR_KERNEL_WINDOW * (64 << 10),
	REPLY_TIMEOUT_MS = 3000,
	/* Messages that are no answer: a new socket may get what was meant for the last owner
	 * of its port, a window at most. */
	STRAYS_MAX = 2 * WEIR_KERNEL_WINDOW,
};

struct weir_kernel {
	struct mnl_socket *socket;
	uint16_t family;
	uint32_t request; /* netlink sequence number of the last one */
	uint8_t buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
};

static struct nlmsghdr *request(struct weir_kernel *kernel, uint16_t type, uint8_t cmd,
				uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(kernel->buffer);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++kernel->request;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = WEIR_GENL_VERSION;
	return nlh;
}

/* One message into the buffer. -EAGAIN after @timeout_ms. */
static int take(struct weir_kernel *kernel, int timeout_ms, const struct nlmsghdr **nlh)
{
	struct pollfd fd = {.fd = mnl_socket_get_fd(kernel->socket), .events = POLLIN};
	ssize_t got;

	if (timeout_ms && poll(&fd, 1, timeout_ms) <= 0)
		return -EAGAIN;
	got = mnl_socket_recvfrom(kernel->socket, kernel->buffer, sizeof(kernel->buffer));
	if (got < 0)
		/* libmnl: ENOSPC is a message that was cut */
		return errno == ENOSPC ? -EBADMSG : -errno;
	*nlh = (const struct nlmsghdr *)kernel->buffer;
	return mnl_nlmsg_ok(*nlh, got) ? 0 : -EBADMSG;
}

/* The answer to the last request; others are passed over. */
static int take_answer(struct weir_kernel *kernel, const struct nlmsghdr **nlh)
{
	for (unsigned i = 0; i < STRAYS_MAX; i++) {
		int ret = take(kernel, REPLY_TIMEOUT_MS, nlh);

		if (ret || (*nlh)->nlmsg_seq == kernel->request)
			return ret;
	}
	return -EPROTO;
}

/* Send what request() began and wait for the answer. 0 with *@nlh NULL: an empty acknowledgement. */
static int ask(struct weir_kernel *kernel, const struct nlmsghdr *question,
	       const struct nlmsghdr **nlh, char *why)
{
	int ret = 0;

	if (mnl_socket_sendto(kernel->socket, question, question->nlmsg_len) < 0)
		ret = -errno;
	if (!ret)
		ret = take_answer(kernel, nlh);
	if (ret) {
		snprintf(why, WEIR_KERNEL_WHY, "no answer over netlink: %s",
			 ret == -EAGAIN ? "timed out" : strerror(-ret));
		return ret == -EAGAIN ? -ETIMEDOUT : ret;
	}
	if ((*nlh)->nlmsg_type == NLMSG_ERROR) {
		ret = weir_message_error(*nlh, why);
		*nlh = NULL;
	}
	return ret;
}

static int find_family(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
	    mnl_attr_get_payload_len(attr) >= sizeof(uint16_t))
		*(uint16_t *)data = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static int resolve(struct weir_kernel *kernel, char *why)
{
	struct nlmsghdr *question = request(kernel, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	const struct nlmsghdr *nlh;
	int ret;

	mnl_attr_put_strz(question, CTRL_ATTR_FAMILY_NAME, WEIR_GENL_NAME);
	ret = ask(kernel, question, &nlh, why);
	if (ret == -ENOENT)
		snprintf(why, WEIR_KERNEL_WHY, "the weir module is not loaded (modprobe weir)");
	if (ret)
		return ret;
	if (nlh)
		mnl_attr_parse(nlh, sizeof(struct genlmsghdr), find_family, &kernel->family);
	return kernel->family ? 0 : -EPROTO;
}

static void set_option(struct mnl_socket *socket, int option)
{
	int on = 1;

	/* Each makes messages better or overruns milder; none is needed to be right. */
	if (mnl_socket_setsockopt(socket, option, &on, sizeof(on)) < 0)
		weir_log_debug("netlink socket option %d: %s", option, strerror(errno));
}

static void close_kernel(struct weir_kernel *kernel)
{
	if (kernel->socket)
		mnl_socket_close(kernel->socket);
	free(kernel);
}

static int open_kernel(struct weir_kernel **kernel, char *why)
{
	struct weir_kernel *new = calloc(1, sizeof(*new));
	int bytes = RECEIVE_BYTES, ret, fd;

	if (!new)
		return -ENOMEM;
	new->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!new->socket || mnl_socket_bind(new->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		ret = -errno;
		snprintf(why, WEIR_KERNEL_WHY, "no netlink socket: %s", strerror(errno));
		close_kernel(new);
		return ret;
	}
	fd = mnl_socket_get_fd(new->socket);
	set_option(new->socket, NETLINK_EXT_ACK);
	set_option(new->socket, NETLINK_CAP_ACK);
	set_option(new->socket, NETLINK_NO_ENOBUFS);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		weir_log_debug("netlink receive buffer: %s", strerror(errno));
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		weir_log_debug("netlink socket: %s", strerror(errno));
	ret = resolve(new, why);
	if (ret) {
		close_kernel(new);
		return ret;
	}
	*kernel = new;
	return 0;
}

/* "program (pid 123)" if the owner's port is a process id, as it usually is. */
static void name_owner(uint32_t port, char *text, size_t text_bytes)
{
	char path[32], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%u/comm", port);
	file = fopen(path, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	snprintf(text, text_bytes, *name ? "%s (pid %u)" : "%snetlink port %u", name, port);
}

static int subscribe(struct weir_kernel *kernel, uint64_t instance, uint64_t seq,
		     struct weir_kernel_start *start, char *why)
{
	struct nlmsghdr *question = request(kernel, kernel->family, WEIR_CMD_SUBSCRIBE, 0);
	struct weir_kernel_stats stats;
	const struct nlmsghdr *nlh;
	struct weir_message message;
	char owner[64];
	int ret;

	mnl_attr_put_u64(question, WEIR_A_INSTANCE, instance);
	mnl_attr_put_u64(question, WEIR_A_SEQ, seq);
	mnl_attr_put_u32(question, WEIR_A_WINDOW, WEIR_KERNEL_WINDOW);
	ret = ask(kernel, question, &nlh, why);
	if (ret == -EBUSY && !weir_kernel_get_stats(&stats) && stats.owner) {
		name_owner(stats.owner, owner, sizeof(owner));
		snprintf(why, WEIR_KERNEL_WHY, "the stream is owned by %s", owner);
	} else if (ret == -ENETDOWN) {
		snprintf(why, WEIR_KERNEL_WHY, "metering is off in this network namespace");
	}
	if (ret)
		return ret;
	ret = nlh ? weir_message_parse(nlh, &message) : -EPROTO;
	if (!ret)
		ret = weir_message_start(&message, start);
	if (ret)
		snprintf(why, WEIR_KERNEL_WHY, "the answer to SUBSCRIBE makes no sense");
	return ret;
}

static int get_fd(const struct weir_kernel *kernel)
{
	return mnl_socket_get_fd(kernel->socket);
}

static int receive(struct weir_kernel *kernel, struct weir_kernel_event *event)
{
	struct weir_message message;
	const struct nlmsghdr *nlh;
	int ret;

	for (;;) {
		ret = take(kernel, 0, &nlh);
		if (ret)
			return ret == -EWOULDBLOCK ? -EAGAIN : ret;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			event->kind = WEIR_KERNEL_REFUSED;
			event->error = weir_message_error(nlh, event->why);
			if (!event->error)
				continue;
			return 0;
		}
		if (nlh->nlmsg_type != kernel->family)
			continue;
		ret = weir_message_parse(nlh, &message);
		/* Commands of a later version are passed over. */
		if (!ret && message.cmd != WEIR_CMD_BATCH && message.cmd != WEIR_CMD_END)
			continue;
		return ret ? ret : weir_message_event(&message, event);
	}
}

static int ack(struct weir_kernel *kernel, uint64_t instance, uint64_t seq)
{
	/* Not in kernel->buffer: an event may still point into that. */
	uint8_t buffer[256] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = kernel->family;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++kernel->request;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = WEIR_CMD_ACK;
	genl->version = WEIR_GENL_VERSION;
	mnl_attr_put_u64(nlh, WEIR_A_INSTANCE, instance);
	mnl_attr_put_u64(nlh, WEIR_A_SEQ, seq);
	return mnl_socket_sendto(kernel->socket, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

static int get_stats(struct weir_kernel *kernel, struct weir_kernel_stats *stats, char *why)
{
	struct nlmsghdr *question = request(kernel, kernel->family, WEIR_CMD_GET_STATS, 0);
	const struct nlmsghdr *nlh;
	struct weir_message message;
	int ret = ask(kernel, question, &nlh, why);

	if (ret)
		return ret;
	ret = nlh ? weir_message_parse(nlh, &message) : -EPROTO;
	return ret ? ret : weir_message_stats(&message, stats);
}

int weir_kernel_get_stats(struct weir_kernel_stats *stats)
{
	struct weir_kernel *kernel;
	char why[WEIR_KERNEL_WHY];
	int ret = open_kernel(&kernel, why);

	if (ret)
		return ret;
	ret = get_stats(kernel, stats, why);
	close_kernel(kernel);
	return ret;
}

static uint32_t to_ms(uint64_t ns)
{
	return ns / (WEIR_NS_PER_SECOND / 1000);
}

/* As the kernel does: up to a power of two. */
static uint64_t round_up(uint64_t size)
{
	uint64_t power = 1;

	while (power < size)
		power *= 2;
	return power;
}

/* Said once for each size found, as configure() is tried every second while the stream is
 * somebody else's. @said belongs to the ingest thread, like all of configure(). */
static void compare_size(const char *key, const char *what, uint64_t wanted, uint32_t found,
			 uint32_t *said)
{
	if (!wanted || round_up(wanted) == found || *said == found)
		return;
	*said = found;
	weir_log_warn("the kernel meters with %u %s per CPU, not the %llu of %s: that takes effect "
		      "when the module is loaded again",
		      found, what, (unsigned long long)wanted, key);
}

/* *@resize: the table is of another size than it should be. */
static int is_enabled(struct weir_kernel *kernel, const struct weir_node_config *config,
		      bool *resize, char *why)
{
	struct nlmsghdr *question = request(kernel, kernel->family, WEIR_CMD_GET_CONFIG, 0);
	const struct nlmsghdr *nlh;
	struct weir_message message;
	static uint32_t batches_said;
	int ret = ask(kernel, question, &nlh, why);

	if (!ret)
		ret = nlh ? weir_message_parse(nlh, &message) : -EPROTO;
	if (ret)
		return ret;
	if (!message.attr[WEIR_A_ENABLED] || !mnl_attr_get_u8(message.attr[WEIR_A_ENABLED]))
		return 0;
	*resize = config->table_flows && round_up(config->table_flows) !=
						 weir_message_u32(&message, WEIR_A_TABLE_FLOWS);
	compare_size("log_batches", "batches", config->log_batches,
		     weir_message_u32(&message, WEIR_A_LOG_BATCHES), &batches_said);
	return 1;
}

/* They were looked at when the file was read. Return: whether there are any. */
static bool put_settings(struct nlmsghdr *question, const struct weir_node_config *config)
{
	bool any = false;

	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++) {
		const char *text = config->setting[i], *nearest;
		const struct weir_setting_row *row =
			weir_setting_find(weir_node_settings[i], &nearest);
		struct weir_setting setting;

		if (!text || !*text || !row || weir_setting_parse(row, text, &setting))
			continue;
		if (!setting.bytes)
			mnl_attr_put_strz(question, setting.attribute, setting.text);
		else if (setting.bytes == 1)
			mnl_attr_put_u8(question, setting.attribute, (uint8_t)setting.value);
		else
			mnl_attr_put_u32(question, setting.attribute, setting.value);
		any = true;
	}
	return any;
}

static int set_config(struct weir_kernel *kernel, const struct weir_node_config *config,
		      bool enabled, char *why)
{
	struct nlmsghdr *question =
		request(kernel, kernel->family, WEIR_CMD_SET_CONFIG, NLM_F_ACK);
	const struct nlmsghdr *nlh;

	mnl_attr_put_u32(question, WEIR_A_ACTIVE_TIMEOUT_MS, to_ms(config->active_timeout_ns));
	mnl_attr_put_u32(question, WEIR_A_IDLE_TIMEOUT_MS, to_ms(config->idle_timeout_ns));
	mnl_attr_put_u32(question, WEIR_A_FIN_TIMEOUT_MS, to_ms(config->fin_timeout_ns));
	if (!enabled) {
		put_settings(question, config);
		if (config->table_flows)
			mnl_attr_put_u32(question, WEIR_A_TABLE_FLOWS, config->table_flows);
		if (config->log_batches)
			mnl_attr_put_u32(question, WEIR_A_LOG_BATCHES, config->log_batches);
		mnl_attr_put_u8(question, WEIR_A_ENABLED, 1);
	}
	return ask(kernel, question, &nlh, why);
}

/* What can change while flows are counted. Refused, metering goes on as it is, and so do we:
 * a warning, once for each sentence in @said. */
static void offer(struct weir_kernel *kernel, struct nlmsghdr *question, const char *what,
		  char said[WEIR_KERNEL_WHY])
{
	char why[WEIR_KERNEL_WHY] = "";
	const struct nlmsghdr *nlh;
	int ret = ask(kernel, question, &nlh, why);

	if (ret && !*why)
		snprintf(why, sizeof(why), "%s", strerror(-ret));
	if (ret && strcmp(why, said))
		weir_log_warn("the kernel does not take %s, and meters as before: %s", what, why);
	strcpy(said, why);
}

static void offer_settings(struct weir_kernel *kernel, const struct weir_node_config *config)
{
	struct nlmsghdr *question =
		request(kernel, kernel->family, WEIR_CMD_SET_CONFIG, NLM_F_ACK);
	static char said[WEIR_KERNEL_WHY];

	if (put_settings(question, config))
		offer(kernel, question, "the settings of [kernel]", said);
}

static void offer_table(struct weir_kernel *kernel, const struct weir_node_config *config)
{
	struct nlmsghdr *question =
		request(kernel, kernel->family, WEIR_CMD_SET_CONFIG, NLM_F_ACK);
	static char said[WEIR_KERNEL_WHY];

	mnl_attr_put_u32(question, WEIR_A_TABLE_FLOWS, config->table_flows);
	offer(kernel, question, "table_flows", said);
}

static int configure(const struct weir_node_config *config, char *why)
{
	struct weir_kernel *kernel;
	bool resize = false, enabled;
	int ret = open_kernel(&kernel, why);

	if (ret)
		return ret;
	ret = is_enabled(kernel, config, &resize, why);
	enabled = ret > 0;
	if (ret >= 0)
		ret = set_config(kernel, config, enabled, why);
	if (!ret && enabled)
		offer_settings(kernel, config);
	if (!ret && resize)
		offer_table(kernel, config);
	close_kernel(kernel);
	return ret;
}

const struct weir_kernel_ops weir_kernel_netlink = {
	.open = open_kernel,
	.close = close_kernel,
	.configure = configure,
	.subscribe = subscribe,
	.fd = get_fd,
	.receive = receive,
	.ack = ack,
	.get_stats = weir_kernel_get_stats,
};
