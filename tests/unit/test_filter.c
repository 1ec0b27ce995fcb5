// SPDX-License-Identifier: GPL-2.0
/* The filter language: what matches, what is refused, where, and with which words. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/filter.h"

static struct weir_flow make_flow(const char *src, const char *dst, uint8_t protocol,
				  uint16_t src_port, uint16_t dst_port)
{
	struct weir_flow flow = {.protocol = protocol, .src_port = src_port, .dst_port = dst_port};
	uint8_t bits;

	ck_assert_int_eq(weir_text_parse_prefix(src, flow.src_addr, &bits, &flow.ip_version), 0);
	ck_assert_int_eq(weir_text_parse_prefix(dst, flow.dst_addr, &bits, &flow.ip_version), 0);
	return flow;
}

static bool matches(const char *text, const struct weir_flow *flow)
{
	struct weir_filter *filter;
	char error[256];
	size_t at;
	bool match;
	int ret = weir_filter_parse(text, &filter, error, sizeof(error), &at);

	ck_assert_msg(ret == 0, "%s: %s at %zu", text, error, at);
	match = weir_filter_match(filter, flow);
	weir_filter_free(filter);
	return match;
}

static void check_table(const struct weir_flow *flow, const char *const *yes, const char *const *no)
{
	for (; *yes; yes++)
		ck_assert_msg(matches(*yes, flow), "should match: %s", *yes);
	for (; *no; no++)
		ck_assert_msg(!matches(*no, flow), "should not match: %s", *no);
}

START_TEST(tcp_flow)
{
	static const char *const yes[] = {"",
					  "any",
					  "tcp",
					  "TCP",
					  "proto tcp",
					  "proto 6",
					  "proto in {tcp udp}",
					  "ipv4",
					  "inet",
					  "host 10.1.2.3",
					  "src host 10.1.2.3",
					  "dst host 10.9.9.9",
					  "10.1.2.3",
					  "src 10.1.2.3",
					  "ip 10.1.2.3",
					  "net 10.0.0.0/8",
					  "src net 10.1.0.0/16",
					  "10.1.2.0/25",
					  "net 0.0.0.0/0",
					  "src and dst net 10.0.0.0/8",
					  "src or dst host 10.9.9.9",
					  "net 10.9.9.8/31",
					  "host in {1.1.1.1, 10.9.9.9}",
					  "port 443",
					  "dst port 443",
					  "src port 40000-50000",
					  "port > 1023",
					  "dst port < 1024",
					  "dst port <= 443",
					  "dst port >= 443",
					  "port = 443",
					  "dst port != 80",
					  "port in {80 443}",
					  "port in [80, 443]",
					  "port {1-10 443}",
					  "tcp dst port 443",
					  "tcp 10.1.2.3",
					  "ipv4 10.0.0.0/8",
					  "tcp src 10.1.2.3",
					  "proto tcp port 443",
					  "proto 6 10.9.9.9",
					  "proto {tcp udp} dst port 443",
					  "tcp port 443",
					  "ipv4 host 10.1.2.3",
					  "flags S",
					  "flags sa",
					  "tcp flags SA",
					  "flags 0x12",
					  "flags = SAPF",
					  "bytes > 1m",
					  "bytes >= 1500000",
					  "bytes = 1500k",
					  "bytes 1500000",
					  "packets < 2k",
					  "packets 1000-2000",
					  "duration > 9s",
					  "duration = 10s",
					  "duration < 1m",
					  "duration <= 10000ms",
					  "in if 3",
					  "out if 0",
					  "in if in {2 3}",
					  "vlan 100",
					  "tos 0xb8",
					  "dscp 46",
					  "ttl 63",
					  "mark 7",
					  "mark != 8",
					  "not udp",
					  "! udp",
					  "!udp",
					  "not not tcp",
					  "tcp and port 443",
					  "tcp && port 443",
					  "udp or tcp",
					  "udp || tcp",
					  "(udp or tcp) and (port 443)",
					  "udp and port 1 or tcp",
					  "tcp or udp and port 1",
					  "not (udp or port 53)",
					  "src 10.1.2.3 and not port 80",
					  NULL};
	static const char *const no[] = {"udp",
					 "proto 17",
					 "ipv6",
					 "inet6",
					 "host 10.1.2.4",
					 "dst host 10.1.2.3",
					 "net 11.0.0.0/8",
					 "net ::/0",
					 "src and dst net 10.1.0.0/16",
					 "10.1.2.4/31",
					 "src port 443",
					 "port 444",
					 "port > 60000",
					 "port < 443",
					 "port < 0",
					 "dst port != 443",
					 "port in {80 8080}",
					 "flags R",
					 "flags SR",
					 "flags = S",
					 "flags = 0",
					 "bytes > 1500000",
					 "bytes < 1500000",
					 "duration > 10s",
					 "in if 4",
					 "out if 3",
					 "vlan 0",
					 "tos 0",
					 "dscp 45",
					 "icmp-type 1",
					 "not tcp",
					 "not any",
					 "! (tcp)",
					 "tcp and udp",
					 "udp or icmp",
					 "not not udp",
					 "mark > 4294967295",
					 "bytes > 18446744073709551615",
					 "(udp or tcp) and port 1",
					 NULL};
	struct weir_flow flow = make_flow("10.1.2.3", "10.9.9.9", 6, 40001, 443);

	flow.packets = 1234;
	flow.bytes = 1500000;
	flow.start_ns = 5000000000;
	flow.end_ns = 15000000000;
	flow.in_ifindex = 3;
	flow.vlan_id = 100;
	flow.tos = 0xb8;
	flow.min_ttl = 63;
	flow.mark = 7;
	flow.tcp_flags = 0x1b; /* .A.P.SF is 0x1b */
	check_table(&flow, yes, no);
}
END_TEST

START_TEST(icmp_has_no_ports)
{
	static const char *const yes[] = {"icmp6",
					  "icmpv6",
					  "ipv6",
					  "icmp-type 128",
					  "icmp-code 3",
					  "icmp6 icmp-type 128",
					  "net 2001:db8::/32",
					  "2001:db8::1",
					  "dst net 2001:db8:8000::/33",
					  "net ::/0",
					  NULL};
	static const char *const no[] = {"port 32771",
					 "port 0",
					 "port != 1",
					 "port >= 0",
					 "icmp",
					 "icmp-type 0",
					 "net 0.0.0.0/0",
					 "flags S",
					 "flags = 0",
					 "src net 2001:db8:8000::/33",
					 NULL};
	struct weir_flow flow = make_flow("2001:db8::1", "2001:db8:8000::1", 58, 0, 128 * 256 + 3);

	check_table(&flow, yes, no);
}
END_TEST

/* IPv4-mapped addresses inside real IPv6 packets are IPv6. */
START_TEST(families_stay_apart)
{
	struct weir_flow flow = make_flow("::ffff:10.0.0.1", "::1", 17, 1, 2);

	ck_assert(!matches("10.0.0.1", &flow));
	ck_assert(matches("::ffff:10.0.0.1", &flow));
	flow.ip_version = 4;
	ck_assert(matches("10.0.0.1", &flow));
	ck_assert(!matches("::ffff:10.0.0.1", &flow));
}
END_TEST

static void refuses(const char *text, size_t at, const char *sentence)
{
	struct weir_filter *filter;
	char error[256];
	size_t found;
	int ret = weir_filter_parse(text, &filter, error, sizeof(error), &found);

	ck_assert_msg(ret == -EINVAL, "taken: %s", text);
	ck_assert_str_eq(error, sentence);
	ck_assert_msg(found == at, "%s: offset %zu, not %zu", text, found, at);
}

START_TEST(errors)
{
	refuses("src port htp", 9, "expected a port, 0 to 65535, not \"htp\"; did you mean \"http\"?");
	refuses("port 65536", 5, "expected a port, 0 to 65535, not \"65536\"");
	refuses("port 9-5", 5, "the range \"9-5\" is upside down");
	refuses("port", 4, "the filter ends where a port, 0 to 65535 should follow");
	refuses("port in 80", 8, "expected \"{\" and a list, not \"80\"");
	refuses("port in {80", 11, "the filter ends where a port, 0 to 65535 should follow");
	refuses("port {}", 6, "expected a port, 0 to 65535, not \"}\"");
	refuses("tcp and", 7,
		"the filter ends where a test (such as host 10.0.0.1, port 53, tcp) should follow");
	refuses("tcp udp", 4, "expected \"and\" or \"or\", not \"udp\"");
	refuses("(tcp", 4, "the filter ends where \"and\", \"or\" or \")\" should follow");
	refuses("tcp)", 3, "\")\" without \"(\"");
	refuses("prot tcp", 0, "\"prot\" is not a test; did you mean \"proto\"?");
	refuses("tcp and zzzzzz", 8,
		"expected a test (such as host 10.0.0.1, port 53, tcp), not \"zzzzzz\"");
	refuses("host 10.0.0.0/8", 5, "\"host\" takes one address; write \"net 10.0.0.0/8\"");
	refuses("net 10.0.0.1", 4,
		"\"net\" takes ADDRESS/LENGTH; write \"host 10.0.0.1\" for one address");
	refuses("host 10.0.0.256", 5,
		"expected an address (such as 10.0.0.1, 2001:db8::1), not \"10.0.0.256\"");
	refuses("src", 3, "the filter ends where host, net, port, mac or an address should follow");
	refuses("src and port 5", 8, "expected \"dst\", not \"port\"");
	refuses("flags SZ", 6, "expected TCP flags (letters of FSRPAUECN), not \"SZ\"");
	refuses("flags 0", 6, "expected TCP flags (letters of FSRPAUECN), not \"0\"");
	refuses("proto nope", 6,
		"expected a protocol (tcp, udp, icmp, ... or 0 to 255), not \"nope\"");
	refuses("bytes > 5x", 8, "expected a number of bytes (such as 1500, 64k, 1m), not \"5x\"");
	refuses("bytes > 99999999999g", 8,
		"expected a number of bytes (such as 1500, 64k, 1m), not \"99999999999g\"");
	refuses("vlan 4096", 5, "expected a VLAN number, 0 to 4095, not \"4096\"");
	refuses("in eth0", 3, "expected \"if\" and an interface, not \"eth0\"");
	refuses("tcp & udp", 4, "expected \"and\" or \"or\", not \"&\"");
	refuses("tcp \x01", 4, "expected \"and\" or \"or\", not the character 0x01");
	refuses("\xff", 0,
		"expected a test (such as host 10.0.0.1, port 53, tcp), not the character 0xff");
}
END_TEST

START_TEST(bounds)
{
	struct weir_filter *filter;
	char error[256], *text = malloc(20000);
	size_t at, used = 0;
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 1, 1023);

	memset(text, '(', 64);
	strcpy(text + 64, "tcp");
	memset(text + 67, ')', 64);
	text[131] = '\0';
	ck_assert(matches(text, &flow));
	memset(text, '!', 65);
	strcpy(text + 65, "tcp");
	ck_assert_int_eq(weir_filter_parse(text, &filter, error, sizeof(error), &at), -EINVAL);
	ck_assert_str_eq(error, "the filter is nested more than 64 deep");
	ck_assert_uint_eq(at, 64);
	memset(text, ' ', 4097);
	text[4097] = '\0';
	ck_assert_int_eq(weir_filter_parse(text, &filter, error, sizeof(error), &at), -EINVAL);
	ck_assert_str_eq(error, "the filter is longer than 4096 characters");
	for (int i = 0; i < 1024; i++)
		used += (size_t)sprintf(text + used, "%s%d", i ? " " : "port{", i % 10);
	strcpy(text + used, "}");
	ck_assert(matches(text, &flow));
	strcpy(text + used, " 1}");
	ck_assert_int_eq(weir_filter_parse(text, &filter, error, sizeof(error), &at), -EINVAL);
	ck_assert_str_eq(error, "the filter has more than 1024 values");
	used = (size_t)sprintf(text, "any");
	for (int i = 0; i < 600; i++)
		used += (size_t)sprintf(text + used, "&&any");
	ck_assert_int_eq(weir_filter_parse(text, &filter, error, sizeof(error), &at), -EINVAL);
	ck_assert_str_eq(error, "the filter has more than 1024 tests and operators");
	free(text);
}
END_TEST

/* Random trees of and, or, not over tests whose truth is known, against plain evaluation. */
static bool build(char *text, size_t *used, unsigned depth)
{
	unsigned kind = depth ? (unsigned)random() % 4 : 3;
	bool left, right;

	if (kind == 3) {
		left = random() % 2;
		*used += (size_t)sprintf(text + *used, "%s", left ? "tcp" : "udp");
		return left;
	}
	if (kind == 2) {
		*used += (size_t)sprintf(text + *used, "not ");
		left = build(text, used, 0);
		return !left;
	}
	*used += (size_t)sprintf(text + *used, "(");
	left = build(text, used, depth - 1);
	*used += (size_t)sprintf(text + *used, kind ? " and " : " || ");
	right = build(text, used, depth - 1);
	*used += (size_t)sprintf(text + *used, ")");
	return kind ? left && right : left || right;
}

START_TEST(random_trees)
{
	struct weir_flow flow = make_flow("10.0.0.1", "10.0.0.2", 6, 1, 2);
	char text[8192];

	srandom(7);
	for (int i = 0; i < 5000; i++) {
		size_t used = 0;
		bool expected = build(text, &used, 5);

		ck_assert_msg(matches(text, &flow) == expected, "%s", text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filter");
	TCase *tcase = tcase_create("filter");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, tcp_flow);
	tcase_add_test(tcase, icmp_has_no_ports);
	tcase_add_test(tcase, families_stay_apart);
	tcase_add_test(tcase, errors);
	tcase_add_test(tcase, bounds);
	tcase_add_test(tcase, random_trees);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
