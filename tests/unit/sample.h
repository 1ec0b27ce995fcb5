/* SPDX-License-Identifier: GPL-2.0 */
/* sample.h - flows, names and filters for tests of the filter language. */
#ifndef WEIR_TESTS_SAMPLE_H
#define WEIR_TESTS_SAMPLE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/filter.h"
#include "daemon/query/names.h"
#include "daemon/store/column.h"

#define MS 1000000ULL
#define S  (1000 * MS)

static inline struct weir_flow sample_flow(const char *src, const char *dst, uint8_t protocol,
					   uint16_t src_port, uint16_t dst_port)
{
	struct weir_flow flow = {.protocol = protocol, .src_port = src_port, .dst_port = dst_port};
	uint8_t bits;

	ck_assert_int_eq(weir_text_parse_prefix(src, flow.src_addr, &bits, &flow.ip_version), 0);
	ck_assert_int_eq(weir_text_parse_prefix(dst, flow.dst_addr, &bits, &flow.ip_version), 0);
	return flow;
}

static inline struct weir_names *sample_names(void)
{
	struct weir_names *names;

	ck_assert_int_eq(weir_names_new("router-1", "Berlin Mitte", &names), 0);
	ck_assert_int_eq(weir_names_add(names, 7, "wan1"), 0);
	ck_assert_int_eq(weir_names_add(names, 3, "eth0"), 0);
	ck_assert_int_eq(weir_names_add(names, 5, "wan0"), 0);
	ck_assert_int_eq(weir_names_add(names, 4, "eth0.100"), 0);
	return names;
}

static inline struct weir_filter *sample_filter(const char *text)
{
	struct weir_filter *filter;
	char error[256];
	size_t at;
	int ret = weir_filter_parse(text, &filter, error, sizeof(error), &at);

	ck_assert_msg(ret == 0, "%s: %s at %zu", text, error, at);
	return filter;
}

static inline bool sample_matches(const char *text, const struct weir_flow *flow)
{
	struct weir_names *names = sample_names();
	struct weir_filter *filter = sample_filter(text);
	char error[256] = "";
	size_t at = 0;
	bool match;

	ck_assert_msg(weir_filter_bind(filter, names, error, sizeof(error), &at) == 0,
		      "%s: %s at %zu", text, error, at);
	weir_names_free(names); /* nothing of it is needed any more */
	match = weir_filter_match(filter, flow);
	weir_filter_free(filter);
	return match;
}

static inline void sample_check(const struct weir_flow *flow, const char *const *yes,
				const char *const *no)
{
	for (; *yes; yes++)
		ck_assert_msg(sample_matches(*yes, flow), "should match: %s", *yes);
	for (; *no; no++)
		ck_assert_msg(!sample_matches(*no, flow), "should not match: %s", *no);
}

/* The client's direction of a TCP connection through a router. */
static inline struct weir_flow sample_client(void)
{
	struct weir_flow flow = sample_flow("10.1.2.3", "192.0.2.80", 6, 40001, 443);

	flow.packets = 1000;
	flow.bytes = 1500000;
	flow.start_ns = 1000 * S;
	flow.second_ns = flow.start_ns + 25 * MS;
	flow.payload_ns = flow.start_ns + 30 * MS;
	flow.end_ns = flow.start_ns + 12 * S;
	flow.in_ifindex = 3;
	flow.out_ifindex = 5;
	flow.vlan_id = 100;
	flow.tos = 0xb8 | 1;
	flow.min_ttl = 63;
	flow.mark = 0x10;
	flow.tcp_flags = 0x1a; /* .AP.S. */
	flow.retransmitted = 4;
	flow.out_of_order = 2;
	flow.end_reason = WEIR_END_ACTIVE;
	flow.observed = WEIR_OBSERVED_FORWARD;
	flow.flags = WEIR_FLOW_GSO;
	memcpy(flow.src_mac, "\x52\x54\x00\x12\x34\x56", 6);
	memcpy(flow.dst_mac, "\x52\x54\x00\x00\x00\x0a", 6);
	return flow;
}

/* Overwrite what is not in @keep, a set of columns. */
static inline void sample_scramble(struct weir_flow *flow, uint64_t keep)
{
	for (unsigned id = 1; id <= weir_column_count; id++) {
		const struct weir_column *column = weir_column_find((uint16_t)id);
		uint8_t *at = (uint8_t *)flow + column->offset;

		for (unsigned i = 0; i < column->width && !(keep & WEIR_COLUMN_BIT(id)); i++)
			at[i] = (uint8_t)random();
	}
}

#endif
