// SPDX-License-Identifier: GPL-2.0
/* text.c: addresses, protocols, quantities as people write them. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"

START_TEST(addresses)
{
	uint8_t address[16], bits, version;
	char text[WEIR_TEXT_ADDRESS];

	ck_assert_int_eq(weir_text_parse_prefix("10.0.0.1", address, &bits, &version), 0);
	ck_assert_int_eq(bits, 128);
	ck_assert_int_eq(version, 4);
	ck_assert_int_eq(address[10], 0xff);
	ck_assert_str_eq(weir_text_address(address, 4, text, sizeof(text)), "10.0.0.1");
	ck_assert_str_eq(weir_text_address(address, 6, text, sizeof(text)), "::ffff:10.0.0.1");
	ck_assert_int_eq(weir_text_parse_prefix("10.0.0.0/8", address, &bits, &version), 0);
	ck_assert_int_eq(bits, 104);
	ck_assert_int_eq(weir_text_parse_prefix("2001:db8::/32", address, &bits, &version), 0);
	ck_assert_int_eq(bits, 32);
	ck_assert_int_eq(version, 6);
	ck_assert_str_eq(weir_text_address(address, 6, text, sizeof(text)), "2001:db8::");
}
END_TEST

START_TEST(bad_addresses)
{
	static const char *const bad[] = {"",
					  "10.0.0",
					  "10.0.0.256",
					  "10.0.0.0/33",
					  "::/129",
					  "10.0.0.0/",
					  "10.0.0.0/ 8",
					  "10.0.0.0/+8",
					  "10.0.0.0/8x",
					  "/8",
					  "g::1",
					  "10.0.0.0/0008",
					  "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222"};
	uint8_t address[16], bits, version;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(weir_text_parse_prefix(bad[i], address, &bits, &version), -EINVAL);
}
END_TEST

START_TEST(protocols)
{
	uint8_t protocol;
	char text[16];

	for (unsigned i = 0; i < 256; i++) {
		weir_text_protocol((uint8_t)i, text, sizeof(text));
		ck_assert_int_eq(weir_text_parse_protocol(text, &protocol), 0);
		ck_assert_uint_eq(protocol, i);
	}
	ck_assert_str_eq(weir_text_protocol(58, text, sizeof(text)), "icmp6");
	ck_assert_int_eq(weir_text_parse_protocol("ICMPv6", &protocol), 0);
	ck_assert_uint_eq(protocol, 58);
	ck_assert_int_eq(weir_text_parse_protocol("256", &protocol), -EINVAL);
	ck_assert_int_eq(weir_text_parse_protocol("", &protocol), -EINVAL);
	ck_assert_int_eq(weir_text_parse_protocol("tcpx", &protocol), -EINVAL);
}
END_TEST

START_TEST(quantities)
{
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {{0, "0"},
		    {999, "999"},
		    {1000, "1.00 k"},
		    {1234, "1.23 k"},
		    {12345, "12.3 k"},
		    {123456, "123 k"},
		    {999999, "999 k"},
		    {1000000, "1.00 M"},
		    {45678901, "45.6 M"},
		    {1000000000, "1.00 G"},
		    {UINT64_MAX, "18.4 E"}};
	char text[32];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_str_eq(weir_text_quantity(rows[i].value, text, sizeof(text)),
				 rows[i].text);
}
END_TEST

START_TEST(bytes)
{
	uint64_t v;

	ck_assert_int_eq(weir_text_parse_bytes("4096", &v), 0);
	ck_assert_uint_eq(v, 4096);
	ck_assert_int_eq(weir_text_parse_bytes("64k", &v), 0);
	ck_assert_uint_eq(v, 65536);
	ck_assert_int_eq(weir_text_parse_bytes("2GiB", &v), 0);
	ck_assert_uint_eq(v, 2ULL << 30);
	ck_assert_int_eq(weir_text_parse_bytes("16777216t", &v), -ERANGE);
	ck_assert_int_eq(weir_text_parse_bytes("99999999999999999999", &v), -ERANGE);
	ck_assert_int_eq(weir_text_parse_bytes("-1", &v), -EINVAL);
	ck_assert_int_eq(weir_text_parse_bytes("", &v), -EINVAL);
	ck_assert_int_eq(weir_text_parse_bytes("1.5G", &v), -EINVAL);
	ck_assert_int_eq(weir_text_parse_bytes("1x", &v), -EINVAL);
}
END_TEST

START_TEST(others)
{
	char text[16];

	ck_assert_str_eq(weir_text_tcp_flags(0x12, text, sizeof(text)), "...A..S.");
	ck_assert_str_eq(weir_text_tcp_flags(0xff, text, sizeof(text)), "CEUAPRSF");
	ck_assert_str_eq(weir_text_hex("\x01\xfe", 2, text, sizeof(text)), "01fe");
	ck_assert_str_eq(weir_text_hex("\x01\xfe", 2, text, 4), "01");
	ck_assert_uint_eq(weir_text_distance("prot", "proto", 2), 1);
	ck_assert_uint_eq(weir_text_distance("prot", "PROT", 2), 0);
	ck_assert_uint_eq(weir_text_distance("tpo", "top", 2), 1);
	ck_assert_uint_eq(weir_text_distance("abc", "xyz", 2), 3);
	ck_assert_uint_eq(weir_text_distance("", "ab", 2), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("text");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, addresses);
	tcase_add_test(tcase, bad_addresses);
	tcase_add_test(tcase, protocols);
	tcase_add_test(tcase, quantities);
	tcase_add_test(tcase, bytes);
	tcase_add_test(tcase, others);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
