// SPDX-License-Identifier: GPL-2.0
/* test_batch.c - records as flows, and the netlink messages they come in. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/batch.h"
#include "daemon/node/message.h"

static struct weir_record example(void)
{
	struct weir_record r = {
		.src_addr = {1},
		.dst_addr = {2},
		.src_port = htons(443),
		.dst_port = htons(50000),
		.in_ifindex = 3,
		.out_ifindex = 4,
		.vlan_id = 5,
		.protocol = 6,
		.tos = 7,
		.ip_version = 4,
		.end_reason = WEIR_END_ACTIVE,
		.observed = WEIR_OBSERVED_LOCAL_IN,
		.min_ttl = 8,
		.tcp_flags = 0x112,
		.flags = WEIR_FLOW_GSO,
		.mark = 9,
		.fragments = 10,
		.packets = 11,
		.bytes = 12,
		.start_ns = 1000,
		.end_ns = 2000,
		.second_ns = 1500,
		.retransmitted = 13,
		.out_of_order = 14,
		.src_mac = {15},
		.dst_mac = {16},
		.sampling = 17,
		.tunnel_id = 18,
		.netns = 19,
		.tunnel = WEIR_TUNNEL_VXLAN,
		.sampling_method = WEIR_SAMPLING_FLOWS,
		.inner_vlan_id = 20,
		.mpls_label = 21,
		.pppoe_session = 22,
		.nat_src_port = htons(23),
		.nat_dst_port = htons(24),
		.nat_src_addr = {0x20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
		.nat_dst_addr = {[10] = 0xff, 0xff, 192, 0, 2, 80},
	};

	return r;
}

static void check_tail(const struct weir_flow *flow)
{
	ck_assert_uint_eq(flow->tunnel_id, 18);
	ck_assert_uint_eq(flow->netns, 19);
	ck_assert_uint_eq(flow->tunnel, WEIR_TUNNEL_VXLAN);
	ck_assert_uint_eq(flow->sampling_method, WEIR_SAMPLING_FLOWS);
	ck_assert_uint_eq(flow->inner_vlan_id, 20);
	ck_assert_uint_eq(flow->mpls_label, 21);
	ck_assert_uint_eq(flow->pppoe_session, 22);
	ck_assert_uint_eq(flow->nat_src_port, 23);
	ck_assert_uint_eq(flow->nat_dst_port, 24);
	ck_assert(flow->nat_src_high == 0x2001020304050607 &&
		  flow->nat_src_low == 0x08090a0b0c0d0e0f);
	ck_assert(flow->nat_dst_high == 0 && flow->nat_dst_low == 0xffffc0000250);
}

START_TEST(test_convert)
{
	struct weir_record record = example();
	struct weir_totals totals = {0};
	struct weir_flow flow;

	weir_batch_convert(&record, 1, sizeof(record), 1000000, &flow, &totals);
	ck_assert_mem_eq(flow.src_addr, record.src_addr, 16);
	ck_assert_mem_eq(flow.dst_addr, record.dst_addr, 16);
	ck_assert_mem_eq(flow.src_mac, record.src_mac, 6);
	ck_assert_mem_eq(flow.dst_mac, record.dst_mac, 6);
	ck_assert_uint_eq(flow.src_port, 443);
	ck_assert_uint_eq(flow.dst_port, 50000);
	ck_assert_uint_eq(flow.in_ifindex, 3);
	ck_assert_uint_eq(flow.out_ifindex, 4);
	ck_assert_uint_eq(flow.vlan_id, 5);
	ck_assert_uint_eq(flow.protocol, 6);
	ck_assert_uint_eq(flow.tos, 7);
	ck_assert_uint_eq(flow.ip_version, 4);
	ck_assert_uint_eq(flow.end_reason, WEIR_END_ACTIVE);
	ck_assert_uint_eq(flow.observed, WEIR_OBSERVED_LOCAL_IN);
	ck_assert_uint_eq(flow.min_ttl, 8);
	ck_assert_uint_eq(flow.tcp_flags, 0x112);
	ck_assert_uint_eq(flow.flags, WEIR_FLOW_GSO);
	ck_assert_uint_eq(flow.mark, 9);
	ck_assert_uint_eq(flow.fragments, 10);
	ck_assert_uint_eq(flow.retransmitted, 13);
	ck_assert_uint_eq(flow.out_of_order, 14);
	ck_assert_uint_eq(flow.start_ns, 1001000);
	ck_assert_uint_eq(flow.end_ns, 1002000);
	ck_assert_uint_eq(flow.second_ns, 1001500);
	ck_assert_uint_eq(flow.payload_ns, 0); /* never */
	ck_assert_uint_eq(flow.sampling, 17);
	check_tail(&flow);
	ck_assert_uint_eq(totals.flows, 1);
	ck_assert_uint_eq(totals.packets, 11);
	ck_assert_uint_eq(totals.bytes, 12);
}
END_TEST

/* Core records have no tail, whatever was in the flow before; all records end somewhere. */
START_TEST(test_core_and_long)
{
	enum { COUNT = 5 };
	static const size_t sizes[] = {offsetof(struct weir_record, sampling), WEIR_RECORD_CORE,
				       sizeof(struct weir_record), 160};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i], count;
		uint8_t *records = malloc(COUNT * size);
		struct weir_record record = example();
		struct weir_totals totals = {0};
		struct weir_flow flows[COUNT], cut;

		for (unsigned n = 0; n < COUNT; n++) {
			record.packets = n + 1;
			memcpy(records + n * size, &record, size);
		}
		memset(flows, 0xff, sizeof(flows));
		ck_assert_int_eq(weir_batch_count(COUNT * size, (uint32_t)size, &count), 0);
		ck_assert_uint_eq(count, COUNT);
		weir_batch_convert(records, count, (uint32_t)size, 0, flows, &totals);
		ck_assert_uint_eq(totals.packets, 15);
		ck_assert_uint_eq(flows[4].packets, 5);
		ck_assert_uint_eq(flows[4].dst_mac[0], 16);
		ck_assert_uint_eq(flows[4].sampling, size < WEIR_RECORD_CORE ? 0 : 17);
		if (size == sizeof(record))
			check_tail(&flows[4]);
		cut = flows[4];
		cut.sampling = 0;
		if (size <= WEIR_RECORD_CORE)
			ck_assert_uint_eq(weir_flow_tail(&cut), 0);
		free(records);
	}
}
END_TEST

/* A later module sends longer records: the end is passed over. */
START_TEST(test_longer_records)
{
	enum { SIZE = sizeof(struct weir_record) + 24 };
	uint8_t records[3 * SIZE];
	struct weir_totals totals = {0};
	struct weir_flow flows[3];
	size_t count;

	memset(records, 0xff, sizeof(records));
	for (unsigned i = 0; i < 3; i++) {
		struct weir_record record = example();

		record.packets = i + 1;
		memcpy(records + i * SIZE, &record, sizeof(record));
	}
	ck_assert_int_eq(weir_batch_count(sizeof(records), SIZE, &count), 0);
	ck_assert_uint_eq(count, 3);
	weir_batch_convert(records, count, SIZE, 0, flows, &totals);
	ck_assert_uint_eq(flows[2].packets, 3);
	ck_assert_uint_eq(flows[2].bytes, 12);
	ck_assert_uint_eq(totals.packets, 6);
	ck_assert_int_eq(weir_batch_count(sizeof(records) - 1, SIZE, &count), -EBADMSG);
	ck_assert_int_eq(weir_batch_count(100, 100, &count), -EBADMSG);
	ck_assert_int_eq(weir_batch_count(0, 0, &count), -EBADMSG);
}
END_TEST

static struct nlmsghdr *begin(void *buffer, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	genl->cmd = cmd;
	return nlh;
}

START_TEST(test_messages)
{
	uint8_t buffer[4096] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = begin(buffer, WEIR_CMD_BATCH);
	struct weir_totals numbered = {1, 2, 3};
	struct weir_record record = example();
	struct weir_kernel_event event;
	struct weir_message message;

	mnl_attr_put_u64(nlh, WEIR_A_INSTANCE, 77);
	mnl_attr_put_u64(nlh, WEIR_A_SEQ, 5);
	mnl_attr_put(nlh, WEIR_A_NUMBERED, sizeof(numbered), &numbered);
	mnl_attr_put_u32(nlh, WEIR_A_RECORD_SIZE, sizeof(record));
	mnl_attr_put_u64(nlh, 900, 1); /* unknown */
	mnl_attr_put(nlh, WEIR_A_RECORDS, sizeof(record), &record);
	ck_assert_int_eq(weir_message_parse(nlh, &message), 0);
	ck_assert_int_eq(weir_message_event(&message, &event), -EBADMSG); /* no clock offset */
	mnl_attr_put_u64(nlh, WEIR_A_CLOCK_OFFSET_NS, -5);
	ck_assert_int_eq(weir_message_parse(nlh, &message), 0);
	ck_assert_int_eq(weir_message_event(&message, &event), 0);
	ck_assert_int_eq(event.kind, WEIR_KERNEL_BATCH);
	ck_assert_uint_eq(event.instance, 77);
	ck_assert_uint_eq(event.seq, 5);
	ck_assert_int_eq(event.clock_offset_ns, -5);
	ck_assert_uint_eq(event.numbered.bytes, 3);
	ck_assert_uint_eq(event.record_bytes, sizeof(record));

	nlh = begin(buffer, WEIR_CMD_END);
	mnl_attr_put_u32(nlh, WEIR_A_INSTANCE, 1); /* too short */
	ck_assert_int_eq(weir_message_parse(nlh, &message), -EBADMSG);
}
END_TEST

/* ENABLED = 0: the figures are those of an instance that is over. */
START_TEST(test_stats_of_the_last)
{
	for (uint8_t enabled = 0; enabled < 2; enabled++) {
		uint8_t buffer[256] __attribute__((aligned(8)));
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
		struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
		struct weir_kernel_stats stats;
		struct weir_message message;

		genl->cmd = WEIR_CMD_GET_STATS;
		mnl_attr_put_u64(nlh, WEIR_A_INSTANCE, 77);
		mnl_attr_put_u8(nlh, WEIR_A_ENABLED, enabled);
		ck_assert_int_eq(weir_message_parse(nlh, &message), 0);
		ck_assert_int_eq(weir_message_stats(&message, &stats), 0);
		ck_assert_uint_eq(stats.instance, 77);
		ck_assert_int_eq(stats.stopped, !enabled);
	}
}
END_TEST

START_TEST(test_error_sentence)
{
	uint8_t buffer[1024] __attribute__((aligned(8)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct nlmsgerr *error = mnl_nlmsg_put_extra_header(nlh, sizeof(*error));
	char why[WEIR_KERNEL_WHY];

	nlh->nlmsg_type = NLMSG_ERROR;
	error->error = -ERANGE;
	error->msg.nlmsg_len = 600; /* capped: not there */
	nlh->nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "weir: SEQ was not sent yet");
	ck_assert_int_eq(weir_message_error(nlh, why), -ERANGE);
	ck_assert_str_eq(why, "weir: SEQ was not sent yet");
	nlh->nlmsg_flags = 0;
	ck_assert_int_eq(weir_message_error(nlh, why), -ERANGE);
	ck_assert_str_eq(why, strerror(ERANGE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("batch");
	TCase *tests = tcase_create("batch");
	SRunner *runner;
	int failed;

	tcase_add_test(tests, test_convert);
	tcase_add_test(tests, test_core_and_long);
	tcase_add_test(tests, test_longer_records);
	tcase_add_test(tests, test_messages);
	tcase_add_test(tests, test_stats_of_the_last);
	tcase_add_test(tests, test_error_sentence);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
