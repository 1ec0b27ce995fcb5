// SPDX-License-Identifier: GPL-2.0
/* fields.c: words, keys as bytes, and their text. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/fields.h"

static struct weir_flow make_flow(const char *src, const char *dst, uint8_t protocol,
				  uint16_t src_port, uint16_t dst_port)
{
	struct weir_flow flow = {.protocol = protocol, .src_port = src_port, .dst_port = dst_port};
	uint8_t bits;

	ck_assert_int_eq(weir_text_parse_prefix(src, flow.src_addr, &bits, &flow.ip_version), 0);
	ck_assert_int_eq(weir_text_parse_prefix(dst, flow.dst_addr, &bits, &flow.ip_version), 0);
	return flow;
}

static void expect_text(const char *fields_text, const struct weir_flow *flow, unsigned i,
			const char *expected)
{
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;
	char text[64];

	ck_assert_int_eq(weir_fields_parse(fields_text, &fields, NULL), 0);
	weir_fields_keys(&fields, flow, keys);
	ck_assert_str_eq(weir_fields_text(&fields, i, keys[0], text, sizeof(text)), expected);
}

START_TEST(parsing)
{
	struct weir_fields fields;
	const char *text, *word;

	ck_assert_int_eq(weir_fields_parse("src, dst ,service", &fields, NULL), 0);
	ck_assert_uint_eq(fields.count, 3);
	ck_assert_uint_eq(fields.key_bytes, 37);
	ck_assert(!fields.has_host);
	ck_assert_str_eq(weir_fields_word(&fields, 2), "service");
	ck_assert_int_eq(weir_fields_parse("host", &fields, NULL), 0);
	ck_assert(fields.has_host);
	ck_assert_int_eq(
		weir_fields_parse("src,dst,host,in_if,out_if,service,sport,dport", &fields, NULL),
		0);
	ck_assert_uint_eq(fields.key_bytes, 66);
	ck_assert_uint_le(fields.key_bytes, WEIR_FIELDS_KEY_MAX);
	text = "src,dts";
	ck_assert_int_eq(weir_fields_parse(text, &fields, &word), -EINVAL);
	ck_assert_ptr_eq(word, text + 4);
	ck_assert_int_eq(weir_fields_parse("", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("src,", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("src,src", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse(",src", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("sr", &fields, &word), -EINVAL);
	ck_assert_int_eq(weir_fields_parse("src,dst,host,in_if,out_if,service,sport,dport,tos",
					   &fields, &word),
			 -EINVAL);
	ck_assert_str_eq(word, "tos");
}
END_TEST

START_TEST(keys_are_bytes)
{
	static const uint8_t expected[] = {4, 0, 0,    0,    0,	   0,	 0,    0,
					   0, 0, 0,    0xff, 0xff, 10,	 0,    0,
					   1, 6, 0x01, 0xbb, 0x01, 0x02, 0x03, 0x04};
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 443, 50000);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;

	flow.in_ifindex = 0x01020304;
	ck_assert_int_eq(weir_fields_parse("src,service,in_if", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 1);
	ck_assert_uint_eq(fields.key_bytes, sizeof(expected));
	ck_assert_mem_eq(keys[0], expected, sizeof(expected));
}
END_TEST

START_TEST(host_counts_both_ends)
{
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 17, 53, 50000);
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	struct weir_fields fields;
	char text[64];

	ck_assert_int_eq(weir_fields_parse("service,host", &fields, NULL), 0);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 2);
	ck_assert_str_eq(weir_fields_text(&fields, 1, keys[0], text, sizeof(text)), "10.0.0.1");
	ck_assert_str_eq(weir_fields_text(&fields, 1, keys[1], text, sizeof(text)), "10.0.0.2");
	ck_assert_str_eq(weir_fields_text(&fields, 0, keys[1], text, sizeof(text)), "udp/53");
	memcpy(flow.dst_addr, flow.src_addr, 16);
	ck_assert_uint_eq(weir_fields_keys(&fields, &flow, keys), 1);
}
END_TEST

START_TEST(texts)
{
	struct weir_flow flow = make_flow("2001:db8::1", "2001:db8::2", 6, 50000, 443);

	flow.tos = 0xb8;
	flow.vlan_id = 4095;
	flow.out_ifindex = 4000000000;
	expect_text("service", &flow, 0, "tcp/443");
	expect_text("src,dst", &flow, 1, "2001:db8::2");
	expect_text("sport,dport,proto", &flow, 0, "50000");
	expect_text("sport,dport,proto", &flow, 2, "tcp");
	expect_text("tos,vlan,out_if", &flow, 0, "0xb8");
	expect_text("tos,vlan,out_if", &flow, 1, "4095");
	expect_text("tos,vlan,out_if", &flow, 2, "4000000000");
	flow.protocol = 58;
	flow.src_port = 0;
	flow.dst_port = 128 * 256;
	expect_text("service", &flow, 0, "icmp6/echo-request");
	flow.dst_port = 200 * 256 + 7;
	expect_text("service", &flow, 0, "icmp6/200.7");
	flow.protocol = 1;
	flow.dst_port = 3 * 256 + 3;
	expect_text("service", &flow, 0, "icmp/port-unreachable");
	flow.protocol = 47;
	expect_text("service", &flow, 0, "gre");
	flow.protocol = 200;
	expect_text("service", &flow, 0, "200");
}
END_TEST

/* What weir_fields_words() lists is what weir_fields_parse() takes. */
START_TEST(words_are_all_known)
{
	char *words = strdup(weir_fields_words()), *rest = words, *word;
	struct weir_fields fields;
	char title[WEIR_FIELDS_TEXT_MAX];
	unsigned count = 0;

	while ((word = strsep(&rest, ", "))) {
		if (!*word)
			continue;
		ck_assert_int_eq(weir_fields_parse(word, &fields, NULL), 0);
		ck_assert_str_eq(weir_fields_title(&fields, 0, title, sizeof(title)), word);
		ck_assert_ptr_eq(fields.use[0].field, weir_fields_at(count));
		count++;
	}
	ck_assert_ptr_null(weir_fields_at(count));
	free(words);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fields");
	TCase *tcase = tcase_create("fields");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, parsing);
	tcase_add_test(tcase, keys_are_bytes);
	tcase_add_test(tcase, host_counts_both_ends);
	tcase_add_test(tcase, texts);
	tcase_add_test(tcase, words_are_all_known);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
