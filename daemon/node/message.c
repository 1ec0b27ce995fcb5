// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include "daemon/node/message.h"

/* The least an attribute's payload must be; structs and arrays may grow. 0: any. */
static const uint16_t least[__WEIR_A_MAX] = {
	[WEIR_A_INSTANCE] = 8,
	[WEIR_A_SEQ] = 8,
	[WEIR_A_MISSING] = 8,
	[WEIR_A_CPU] = 4,
	[WEIR_A_CLOCK_OFFSET_NS] = 8,
	[WEIR_A_RECORD_SIZE] = 4,
	[WEIR_A_NUMBERED] = sizeof(struct weir_totals),
	[WEIR_A_SEEN] = sizeof(struct weir_totals),
	[WEIR_A_TABLE] = sizeof(struct weir_totals),
	[WEIR_A_PENDING] = sizeof(struct weir_totals),
	[WEIR_A_ACKED] = sizeof(struct weir_totals),
	[WEIR_A_ACKED_SEQ] = 8,
	[WEIR_A_OWNER] = 4,
	[WEIR_A_MEMORY] = 8,
	[WEIR_A_CPUS] = 4,
	[WEIR_A_ENABLED] = 1,
	[WEIR_A_ACTIVE_TIMEOUT_MS] = 4,
	[WEIR_A_IDLE_TIMEOUT_MS] = 4,
	[WEIR_A_FIN_TIMEOUT_MS] = 4,
	[WEIR_A_TABLE_FLOWS] = 4,
	[WEIR_A_LOG_BATCHES] = 4,
};

static int collect(const struct nlattr *attr, void *data)
{
	struct weir_message *message = data;
	unsigned type = mnl_attr_get_type(attr);

	if (!type || type >= __WEIR_A_MAX) /* of a later version */
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attr) < least[type])
		return MNL_CB_ERROR;
	message->attr[type] = attr;
	return MNL_CB_OK;
}

int weir_message_parse(const struct nlmsghdr *nlh, struct weir_message *message)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);

	memset(message, 0, sizeof(*message));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*genl))
		return -EBADMSG;
	message->cmd = genl->cmd;
	return mnl_attr_parse(nlh, sizeof(*genl), collect, message) == MNL_CB_ERROR ? -EBADMSG : 0;
}

uint64_t weir_message_u64(const struct weir_message *message, enum weir_attr attr)
{
	return message->attr[attr] ? mnl_attr_get_u64(message->attr[attr]) : 0;
}

uint32_t weir_message_u32(const struct weir_message *message, enum weir_attr attr)
{
	uint32_t value = 0;

	if (message->attr[attr])
		memcpy(&value, mnl_attr_get_payload(message->attr[attr]), sizeof(value));
	return value;
}

/* Copy what both sides know of a struct or array; the rest of @to is zero. */
static void copy(const struct weir_message *message, enum weir_attr attr, void *to, size_t bytes)
{
	const struct nlattr *from = message->attr[attr];
	size_t there = from ? mnl_attr_get_payload_len(from) : 0;

	memset(to, 0, bytes);
	if (there)
		memcpy(to, mnl_attr_get_payload(from), there < bytes ? there : bytes);
}

static void sum_lost(const struct weir_message *message, struct weir_totals *lost)
{
	const struct nlattr *attr = message->attr[WEIR_A_LOST];
	size_t count = attr ? mnl_attr_get_payload_len(attr) / sizeof(*lost) : 0;

	memset(lost, 0, sizeof(*lost));
	/* Reasons of a later version count as well. */
	for (size_t i = 0; i < count; i++) {
		struct weir_totals one;

		memcpy(&one, (const uint8_t *)mnl_attr_get_payload(attr) + i * sizeof(one),
		       sizeof(one));
		weir_totals_add(lost, &one);
	}
}

int weir_message_event(const struct weir_message *message, struct weir_kernel_event *event)
{
	const struct nlattr *records = message->attr[WEIR_A_RECORDS];

	if (!message->attr[WEIR_A_INSTANCE] || !message->attr[WEIR_A_SEQ] ||
	    !message->attr[WEIR_A_NUMBERED])
		return -EBADMSG;
	event->instance = weir_message_u64(message, WEIR_A_INSTANCE);
	event->seq = weir_message_u64(message, WEIR_A_SEQ);
	copy(message, WEIR_A_NUMBERED, &event->numbered, sizeof(event->numbered));
	if (message->cmd == WEIR_CMD_END) {
		event->kind = WEIR_KERNEL_END;
		sum_lost(message, &event->lost);
		return 0;
	}
	if (message->cmd != WEIR_CMD_BATCH || !records || !message->attr[WEIR_A_RECORD_SIZE] ||
	    !message->attr[WEIR_A_CLOCK_OFFSET_NS])
		return -EBADMSG;
	event->kind = WEIR_KERNEL_BATCH;
	event->cpu = weir_message_u32(message, WEIR_A_CPU);
	event->record_size = weir_message_u32(message, WEIR_A_RECORD_SIZE);
	event->clock_offset_ns = (int64_t)weir_message_u64(message, WEIR_A_CLOCK_OFFSET_NS);
	event->records = mnl_attr_get_payload(records);
	event->record_bytes = mnl_attr_get_payload_len(records);
	return 0;
}

int weir_message_start(const struct weir_message *message, struct weir_kernel_start *start)
{
	if (message->cmd != WEIR_CMD_SUBSCRIBE || !message->attr[WEIR_A_INSTANCE] ||
	    !message->attr[WEIR_A_SEQ])
		return -EBADMSG;
	start->instance = weir_message_u64(message, WEIR_A_INSTANCE);
	start->seq = weir_message_u64(message, WEIR_A_SEQ);
	start->missing = weir_message_u64(message, WEIR_A_MISSING);
	return start->instance && start->seq ? 0 : -EBADMSG;
}

int weir_message_stats(const struct weir_message *message, struct weir_kernel_stats *stats)
{
	if (message->cmd != WEIR_CMD_GET_STATS || !message->attr[WEIR_A_INSTANCE])
		return -EBADMSG;
	stats->instance = weir_message_u64(message, WEIR_A_INSTANCE);
	copy(message, WEIR_A_SEEN, &stats->seen, sizeof(stats->seen));
	copy(message, WEIR_A_TABLE, &stats->table, sizeof(stats->table));
	copy(message, WEIR_A_PENDING, &stats->pending, sizeof(stats->pending));
	copy(message, WEIR_A_ACKED, &stats->acked, sizeof(stats->acked));
	copy(message, WEIR_A_NUMBERED, &stats->numbered, sizeof(stats->numbered));
	copy(message, WEIR_A_LOST, stats->lost, sizeof(stats->lost));
	copy(message, WEIR_A_SKIPPED, stats->skipped, sizeof(stats->skipped));
	copy(message, WEIR_A_COUNTERS, stats->counters, sizeof(stats->counters));
	stats->seq = weir_message_u64(message, WEIR_A_SEQ);
	stats->acked_seq = weir_message_u64(message, WEIR_A_ACKED_SEQ);
	stats->owner = weir_message_u32(message, WEIR_A_OWNER);
	stats->memory_bytes = weir_message_u64(message, WEIR_A_MEMORY);
	stats->table_flows = weir_message_u32(message, WEIR_A_TABLE_FLOWS);
	stats->log_batches = weir_message_u32(message, WEIR_A_LOG_BATCHES);
	/* While metering is off the figures are those of the last instance. */
	stats->stopped = message->attr[WEIR_A_ENABLED] &&
			 !*(const uint8_t *)mnl_attr_get_payload(message->attr[WEIR_A_ENABLED]);
	stats->cpus = weir_message_u32(message, WEIR_A_CPUS);
	return 0;
}

static int find_sentence(const struct nlattr *attr, void *data)
{
	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		*(const struct nlattr **)data = attr;
	return MNL_CB_OK;
}

int weir_message_error(const struct nlmsghdr *nlh, char *why)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);
	size_t payload = mnl_nlmsg_get_payload_len(nlh), skip = sizeof(*error);
	const struct nlattr *sentence = NULL;
	int code;

	if (payload < sizeof(*error))
		return -EBADMSG;
	code = error->error;
	if (code > 0 || code < -4095)
		return -EBADMSG;
	/* The request comes back between the error and the attributes, unless capped. */
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
		skip += MNL_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && skip < payload)
		mnl_attr_parse(nlh, skip, find_sentence, &sentence);
	if (sentence)
		snprintf(why, WEIR_KERNEL_WHY, "%.*s", (int)mnl_attr_get_payload_len(sentence),
			 (const char *)mnl_attr_get_payload(sentence));
	else
		snprintf(why, WEIR_KERNEL_WHY, "%s", strerror(-code));
	return code;
}
