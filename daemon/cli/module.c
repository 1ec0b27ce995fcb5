// SPDX-License-Identifier: GPL-2.0
/* module.c - requests to weir.ko by libnl. */
#include "daemon/cli/module.h"

#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/cli/cli.h"
#include "daemon/common/record.h"

enum {
	RECEIVE_BYTES = 1 << 20,
};

typedef void take_message(void *arg, struct nlattr **attrs);

struct weir_cli_module {
	struct nl_sock *socket;
	int family;
	/* of the request under way */
	take_message *take;
	void *arg;
	int error; /* the kernel's answer, a negative errno */
	bool done;
	bool quiet; /* about a command that the module does not know */
	char sentence[256]; /* the kernel's own words */
	int attribute;	    /* it found fault with; 0: did not say */
	const struct nlmsghdr *request;
};

/* The attribute of the request at @offset, as told by NLMSGERR_ATTR_OFFS. */
static int attribute_at(const struct nlmsghdr *request, uint32_t offset)
{
	const struct nlattr *attr = (const void *)((const char *)request + offset);

	if (!request || offset < NLMSG_HDRLEN + GENL_HDRLEN ||
	    offset + sizeof(*attr) > request->nlmsg_len)
		return 0;
	return attr->nla_type & NLA_TYPE_MASK;
}

/* Extended acknowledgement: attributes behind the error, in an ACK, an error or DONE. */
static void read_words(struct weir_cli_module *m, const struct nlmsghdr *reply, size_t skip)
{
	struct nlattr *attrs[NLMSGERR_ATTR_MAX + 1];
	struct nlattr *first = (struct nlattr *)((char *)nlmsg_data(reply) + NLMSG_ALIGN(skip));
	int left = nlmsg_datalen(reply) - (int)NLMSG_ALIGN(skip);

	if (!(reply->nlmsg_flags & NLM_F_ACK_TLVS) || left <= 0 ||
	    nla_parse(attrs, NLMSGERR_ATTR_MAX, first, left, NULL))
		return;
	if (attrs[NLMSGERR_ATTR_MSG])
		nla_strlcpy(m->sentence, attrs[NLMSGERR_ATTR_MSG], sizeof(m->sentence));
	if (attrs[NLMSGERR_ATTR_OFFS] && nla_len(attrs[NLMSGERR_ATTR_OFFS]) >= 4)
		m->attribute = attribute_at(m->request, nla_get_u32(attrs[NLMSGERR_ATTR_OFFS]));
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *answer, void *arg)
{
	const struct nlmsghdr *reply = (const struct nlmsghdr *)answer - 1;
	struct weir_cli_module *m = arg;
	size_t skip = sizeof(*answer);

	if (!(reply->nlmsg_flags & NLM_F_CAPPED))
		skip += answer->msg.nlmsg_len - NLMSG_HDRLEN;
	m->error = answer->error;
	m->done = true;
	read_words(m, reply, skip);
	return NL_STOP;
}

static int on_ack(struct nl_msg *message, void *arg)
{
	struct weir_cli_module *m = arg;

	m->done = true;
	return NL_STOP;
}

/* The end of a dump carries its result. */
static int on_finish(struct nl_msg *message, void *arg)
{
	const struct nlmsghdr *reply = nlmsg_hdr(message);
	struct weir_cli_module *m = arg;
	int result = 0;

	if (nlmsg_datalen(reply) >= (int)sizeof(result))
		memcpy(&result, nlmsg_data(reply), sizeof(result));
	if (result < 0) {
		m->error = result;
		read_words(m, reply, sizeof(result));
	}
	m->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *message, void *arg)
{
	struct nlattr *attrs[WEIR_A_MAX + 1];
	struct weir_cli_module *m = arg;

	if (genlmsg_parse(nlmsg_hdr(message), 0, attrs, WEIR_A_MAX, NULL) == 0 && m->take)
		m->take(m->arg, attrs);
	return NL_OK;
}

/* Tables move while they are dumped; uapi/weir.h says what that means. */
static int on_interrupted(struct nl_msg *message, void *arg)
{
	return NL_OK;
}

static int connect_family(struct weir_cli_module *m)
{
	int one = 1, ret;

	ret = genl_connect(m->socket);
	if (ret) {
		weir_cli_say("netlink: %s", nl_geterror(ret));
		return -EIO;
	}
	/* Both may be missing on old kernels: then there are no words, and errors say less. */
	setsockopt(nl_socket_get_fd(m->socket), SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	setsockopt(nl_socket_get_fd(m->socket), SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	nl_socket_set_buffer_size(m->socket, RECEIVE_BYTES, 0);
	nl_socket_enable_msg_peek(m->socket);
	m->family = genl_ctrl_resolve(m->socket, WEIR_GENL_NAME);
	return m->family < 0 ? -ENOENT : 0;
}

int weir_cli_module_open(struct weir_cli_module **module, bool quiet)
{
	struct weir_cli_module *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return -ENOMEM;
	m->socket = nl_socket_alloc();
	if (!m->socket) {
		free(m);
		return -ENOMEM;
	}
	ret = connect_family(m);
	if (ret == -ENOENT && !quiet)
		weir_cli_say("the kernel module is not loaded; load it with: modprobe weir");
	if (ret) {
		weir_cli_module_close(m);
		return ret;
	}
	nl_socket_modify_cb(m->socket, NL_CB_VALID, NL_CB_CUSTOM, on_valid, m);
	nl_socket_modify_cb(m->socket, NL_CB_ACK, NL_CB_CUSTOM, on_ack, m);
	nl_socket_modify_cb(m->socket, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, m);
	nl_socket_modify_cb(m->socket, NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, m);
	nl_socket_modify_err_cb(m->socket, NL_CB_CUSTOM, on_error, m);
	*module = m;
	return 0;
}

void weir_cli_module_close(struct weir_cli_module *module)
{
	if (!module)
		return;
	nl_socket_free(module->socket);
	free(module);
}

static void explain(const struct weir_cli_module *m)
{
	const struct weir_setting_row *row = weir_setting_of((uint16_t)m->attribute);
	const char *name = row ? row->name : NULL;

	if (m->error == -EPERM)
		weir_cli_say("this needs CAP_NET_ADMIN: run it as root");
	else if (m->error == -ENETDOWN)
		weir_cli_say("metering is off in this network namespace; switch it on with: weir "
			     "set enabled on");
	else if (m->error == -EOPNOTSUPP && !m->sentence[0])
		weir_cli_say("the module that is loaded does not know how: it is of an earlier version");
	else if (m->sentence[0] && name)
		weir_cli_say("the kernel refused %s: %s", name, m->sentence);
	else if (m->sentence[0])
		weir_cli_say("the kernel refused: %s", m->sentence);
	else if (name)
		weir_cli_say("the kernel refused %s: %s", name, strerror(-m->error));
	else
		weir_cli_say("the kernel refused: %s", strerror(-m->error));
}

static int ask(struct weir_cli_module *m, struct nl_msg *message, take_message *take, void *arg)
{
	int ret = nl_send_auto(m->socket, message);

	m->request = nlmsg_hdr(message);
	m->take = take;
	m->arg = arg;
	m->error = 0;
	m->attribute = 0;
	m->sentence[0] = '\0';
	m->done = false;
	while (ret >= 0 && !m->done)
		ret = nl_recvmsgs_default(m->socket);
	m->request = NULL;
	if (ret < 0 && !m->error) {
		weir_cli_say("netlink: %s", nl_geterror(ret));
		return -EIO;
	}
	if (m->error && !(m->quiet && m->error == -EOPNOTSUPP))
		explain(m);
	return m->error;
}

static struct nl_msg *new_request(const struct weir_cli_module *m, uint8_t command, int flags)
{
	struct nl_msg *message = nlmsg_alloc();

	if (message &&
	    !genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, m->family, 0,
			 flags | NLM_F_REQUEST | NLM_F_ACK, command, WEIR_GENL_VERSION)) {
		nlmsg_free(message);
		message = NULL;
	}
	if (!message)
		weir_cli_say("out of memory");
	return message;
}

/* As much as both sides know of an attribute that may grow; the rest of @to is zero. */
static void copy(struct nlattr *attr, void *to, size_t bytes)
{
	size_t have = attr ? (size_t)nla_len(attr) : 0;

	memset(to, 0, bytes);
	if (attr)
		memcpy(to, nla_data(attr), have < bytes ? have : bytes);
}

#define COPY(attrs, type, to) copy((attrs)[type], &(to), sizeof(to))

struct stats_taker {
	weir_cli_take_stats *take;
	void *arg;
};

static void take_stats(void *arg, struct nlattr **attrs)
{
	const struct stats_taker *taker = arg;
	struct weir_cli_stats s;

	memset(&s, 0, sizeof(s));
	COPY(attrs, WEIR_A_CPU, s.cpu);
	COPY(attrs, WEIR_A_INSTANCE, s.instance);
	COPY(attrs, WEIR_A_SEQ, s.seq);
	COPY(attrs, WEIR_A_ACKED_SEQ, s.acked_seq);
	COPY(attrs, WEIR_A_MEMORY, s.memory_bytes);
	COPY(attrs, WEIR_A_UPTIME_NS, s.uptime_ns);
	COPY(attrs, WEIR_A_SEEN, s.seen);
	COPY(attrs, WEIR_A_TABLE, s.table);
	COPY(attrs, WEIR_A_PENDING, s.pending);
	COPY(attrs, WEIR_A_ACKED, s.acked);
	COPY(attrs, WEIR_A_NUMBERED, s.numbered);
	COPY(attrs, WEIR_A_LOST, s.lost);
	COPY(attrs, WEIR_A_SKIPPED, s.skipped);
	COPY(attrs, WEIR_A_COUNTERS, s.counters);
	COPY(attrs, WEIR_A_OWNER, s.owner);
	COPY(attrs, WEIR_A_TABLE_FLOWS, s.table_flows);
	COPY(attrs, WEIR_A_LOG_BATCHES, s.log_batches);
	COPY(attrs, WEIR_A_CPUS, s.cpus);
	COPY(attrs, WEIR_A_NETNS, s.netns);
	if (attrs[WEIR_A_VERSION])
		nla_strlcpy(s.version, attrs[WEIR_A_VERSION], sizeof(s.version));
	taker->take(taker->arg, &s);
}

int weir_cli_module_stats(struct weir_cli_module *module, bool per_cpu, weir_cli_take_stats *take,
			  void *arg)
{
	struct nl_msg *message = new_request(module, WEIR_CMD_GET_STATS, per_cpu ? NLM_F_DUMP : 0);
	struct stats_taker taker = {take, arg};
	int ret;

	if (!message)
		return -ENOMEM;
	ret = ask(module, message, take_stats, &taker);
	nlmsg_free(message);
	return ret;
}

struct setting_taker {
	weir_cli_take_setting *take;
	void *arg;
};

static void take_settings(void *arg, struct nlattr **attrs)
{
	const struct setting_taker *taker = arg;

	for (unsigned i = 0; weir_setting_at(i); i++) {
		const struct weir_setting_row *row = weir_setting_at(i);
		struct nlattr *attr = attrs[row->attribute];
		struct weir_setting s = {.attribute = row->attribute};

		if (!attr)
			continue;
		if (row->kind == WEIR_SETTING_PATTERNS) {
			nla_strlcpy(s.text, attr, sizeof(s.text));
		} else {
			s.bytes = (uint8_t)nla_len(attr);
			s.value = s.bytes == 1 ? nla_get_u8(attr) : nla_get_u32(attr);
		}
		taker->take(taker->arg, &s);
	}
}

int weir_cli_module_get_config(struct weir_cli_module *module, weir_cli_take_setting *take,
			       void *arg)
{
	struct nl_msg *message = new_request(module, WEIR_CMD_GET_CONFIG, 0);
	struct setting_taker taker = {take, arg};
	int ret;

	if (!message)
		return -ENOMEM;
	ret = ask(module, message, take_settings, &taker);
	nlmsg_free(message);
	return ret;
}

int weir_cli_module_set_config(struct weir_cli_module *module,
			       const struct weir_setting *settings, unsigned count)
{
	struct nl_msg *message = new_request(module, WEIR_CMD_SET_CONFIG, 0);
	int ret = 0;

	if (!message)
		return -ENOMEM;
	for (unsigned i = 0; i < count && !ret; i++) {
		if (!settings[i].bytes)
			ret = nla_put_string(message, settings[i].attribute, settings[i].text);
		else if (settings[i].bytes == 1)
			ret = nla_put_u8(message, settings[i].attribute,
					 (uint8_t)settings[i].value);
		else
			ret = nla_put_u32(message, settings[i].attribute, settings[i].value);
	}
	if (!ret)
		ret = ask(module, message, NULL, NULL);
	nlmsg_free(message);
	return ret;
}

struct interface_taker {
	weir_cli_take_interface *take;
	void *arg;
};

static void take_interfaces(void *arg, struct nlattr **attrs)
{
	const struct interface_taker *taker = arg;
	struct weir_cli_interface interface;

	memset(&interface, 0, sizeof(interface));
	COPY(attrs, WEIR_A_IFINDEX, interface.index);
	COPY(attrs, WEIR_A_SEEN_BY, interface.seen_by);
	COPY(attrs, WEIR_A_BYPASS, interface.bypass);
	if (attrs[WEIR_A_IFNAME])
		nla_strlcpy(interface.name, attrs[WEIR_A_IFNAME], sizeof(interface.name));
	taker->take(taker->arg, &interface);
}

int weir_cli_module_interfaces(struct weir_cli_module *module, bool quiet,
			       weir_cli_take_interface *take, void *arg)
{
	struct nl_msg *message = new_request(module, WEIR_CMD_GET_INTERFACES, NLM_F_DUMP);
	struct interface_taker taker = {take, arg};
	int ret;

	if (!message)
		return -ENOMEM;
	module->quiet = quiet;
	ret = ask(module, message, take_interfaces, &taker);
	module->quiet = false;
	nlmsg_free(message);
	return ret;
}

struct flow_taker {
	weir_cli_take_flow *take;
	void *arg;
};

static void take_flows(void *arg, struct nlattr **attrs)
{
	const struct flow_taker *taker = arg;
	struct weir_flow flow;
	uint32_t record_bytes;
	int64_t offset_ns;
	const char *at;
	size_t left;

	COPY(attrs, WEIR_A_RECORD_SIZE, record_bytes);
	COPY(attrs, WEIR_A_CLOCK_OFFSET_NS, offset_ns);
	if (!attrs[WEIR_A_RECORDS] || !record_bytes)
		return;
	at = nla_data(attrs[WEIR_A_RECORDS]);
	left = (size_t)nla_len(attrs[WEIR_A_RECORDS]);
	for (; left >= record_bytes; at += record_bytes, left -= record_bytes) {
		weir_record_read(at, record_bytes, offset_ns, &flow);
		taker->take(taker->arg, &flow);
	}
}

int weir_cli_module_dump(struct weir_cli_module *module, weir_cli_take_flow *take, void *arg)
{
	struct nl_msg *message = new_request(module, WEIR_CMD_DUMP_FLOWS, NLM_F_DUMP);
	struct flow_taker taker = {take, arg};
	int ret;

	if (!message)
		return -ENOMEM;
	ret = ask(module, message, take_flows, &taker);
	nlmsg_free(message);
	return ret;
}

static void take_flushed(void *arg, struct nlattr **attrs)
{
	uint64_t *counts = arg;

	COPY(attrs, WEIR_A_MOVED, counts[0]);
	COPY(attrs, WEIR_A_LEFT, counts[1]);
}

int weir_cli_module_flush(struct weir_cli_module *module, uint64_t *moved, uint64_t *left)
{
	struct nl_msg *message = new_request(module, WEIR_CMD_FLUSH, 0);
	uint64_t counts[2] = {0, 0};
	int ret;

	if (!message)
		return -ENOMEM;
	ret = ask(module, message, take_flushed, counts);
	nlmsg_free(message);
	*moved = counts[0];
	*left = counts[1];
	return ret;
}
