// SPDX-License-Identifier: GPL-2.0
/*
 * The words of the filter language beyond addresses, ports and operators, which test_filter.c
 * has: numbers with units, rates and round trips, names of all kinds, what tcpdump and
 * nfdump write differently, and the sentence for each mistake.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sample.h"

START_TEST(numbers)
{
	static const char *const yes[] = {"bytes = 1.5m",
					  "bytes = 1500k",
					  "bytes = 1500kB",
					  "bytes < 2Mi",
					  "bytes > 1.4MiB",
					  "bytes > 1Ki",
					  "bytes gt 1m",
					  "bytes ge 1500000",
					  "bytes le 1500000",
					  "bytes lt 1500001",
					  "bytes eq 1500000",
					  "bytes ne 1",
					  "bytes == 0x16e360",
					  "bytes in {1 1500000}",
					  "bytes 1m-2m",
					  "packets = 1k",
					  "packets != 999",
					  "duration > 10s",
					  "duration = 12000ms",
					  "duration = 0.2min",
					  "duration < 1m",
					  "duration < 1h",
					  "duration < 1d",
					  "duration > 0",
					  "duration 10s-20s",
					  "bps = 1m",
					  "bps > 999k",
					  "bps < 1.1m",
					  "pps = 83",
					  "bpp = 1500",
					  "bpp > 1.4k",
					  "rtt = 25ms",
					  "rtt > 24.9ms",
					  "rtt < 25001us",
					  "rtt >= 25000000ns",
					  "retransmitted > 3",
					  "retransmitted = 4",
					  "out-of-order = 2",
					  "out_of_order 1-3",
					  "fragments 0",
					  "ttl < 64",
					  "min-ttl = 63",
					  "mark 0x10",
					  "mark = 16",
					  "ecn 1",
					  "ecn > 0",
					  NULL};
	static const char *const no[] = {
		"bytes > 1.5m",	 "bytes < 1.5m",      "bytes > 1500001", "duration > 12s",
		"duration = 0",	 "bps > 1m",	      "pps > 83",	 "rtt > 25ms",
		"rtt < 25ms",	 "retransmitted > 4", "fragments > 0",	 "response > 0",
		"response < 1h", "response = 0",      "icmp-type 0",	 NULL};
	struct weir_flow flow = sample_client();

	sample_check(&flow, yes, no);
}
END_TEST

START_TEST(named)
{
	static const char *const yes[] = {"dscp ef",
					  "dscp EF",
					  "dscp = ef",
					  "dscp in {ef af41}",
					  "dscp in [cs1, ef]",
					  "dscp 46",
					  "dscp ge ef",
					  "dscp != le",
					  "tos 0xb9",
					  "vlan",
					  "vlan 100",
					  "vlan and tcp",
					  "vlan > 99",
					  "vlan in {99 100}",
					  "end-reason active",
					  "end_reason in {idle active}",
					  "end-reason != idle",
					  "observed forwarded",
					  "forwarded",
					  "observed != local-in",
					  "gso",
					  "port https",
					  "dst port in {http https}",
					  "dst port http-https",
					  "ether host 52:54:00:12:34:56",
					  "ether src 52:54:0:12:34:56",
					  "ether src host 52-54-00-12-34-56",
					  "src mac 52:54:00:12:34:56",
					  "mac 52:54:00:00:00:0A",
					  "ether dst in {52:54:00:00:00:0a 0:0:0:0:0:1}",
					  "src or dst mac 52:54:00:12:34:56",
					  "in if eth0",
					  "out if wan0",
					  "out if wan*",
					  "if wan?",
					  "if *",
					  "if ETH0",
					  "if 3",
					  "if 5",
					  "in if 2-3",
					  "in if in {eth0 9}",
					  "in if in {9 eth0}",
					  "out if {eth0 wan1 wan0}",
					  "ifname eth0",
					  "on wan0",
					  "interface eth0",
					  "in iface \"eth0\"",
					  "in if = eth0",
					  "in if != 0",
					  "in if >= 3",
					  "in if lt 4",
					  "in if != wan0",
					  "if != eth0",
					  "out if ne eth*",
					  "in if == \"eth0\"",
					  "not if nothing*",
					  "node router-1",
					  "node ROUTER-1",
					  "node router*",
					  "node in {a b router-?}",
					  "not node other",
					  "site \"Berlin Mitte\"",
					  "site berlin*",
					  "site in {hamburg \"berlin mitte\"}",
					  "node router-1 and tcp or udp",
					  NULL};
	static const char *const no[] = {"dscp af41",
					 "dscp le",
					 "dscp le and any",
					 "dscp le ef and udp",
					 "dscp < ef",
					 "vlan 0",
					 "not vlan",
					 "end-reason end",
					 "end-reason resources",
					 "local-in",
					 "local-out",
					 "fragmented",
					 "later-fragment",
					 "ipsec",
					 "port ssh",
					 "src port https",
					 "ether src 52:54:00:00:00:0a",
					 "src and dst mac 52:54:00:12:34:56",
					 "in if wan*",
					 "in if != eth0",
					 "out if != wan*",
					 "in if > 3",
					 "out if eth0",
					 "if eth0.100",
					 "if nothing*",
					 "in if {eth0.100 4}",
					 "node other",
					 "node router",
					 "site hamburg",
					 "not site berlin*",
					 NULL};
	struct weir_flow flow = sample_client();

	sample_check(&flow, yes, no);
}
END_TEST

START_TEST(as_in_tcpdump)
{
	static const char *const yes[] = {"net 10.1",
					  "net 10",
					  "net 192.0.2",
					  "src net 10.1",
					  "net 10.0.0.0 mask 255.0.0.0",
					  "src net 10.1.0.0 mask 255.255.0.0 and tcp",
					  "net 10.1.2.3/8",
					  "portrange 400-500",
					  "dst portrange 443-443",
					  "tcp portrange 1-1000",
					  "ip",
					  "ip and tcp",
					  "ip host 10.1.2.3",
					  "ip proto tcp",
					  "ip proto 6 and dst port 443",
					  "ip src 10.1.2.3",
					  "src host 10.9.9.9 or 10.1.2.3",
					  "tcp dst port 80 or 443",
					  "tcp port http or https",
					  "host 10.9.9.9 or 10.1.2.3 and tcp",
					  "syn",
					  "syn and ack",
					  "tcp-syn",
					  "syn and not fin",
					  "not multicast",
					  NULL};
	static const char *const no[] = {"ip6",
					 "ip6 host 2001:db8::1",
					 "ip proto udp",
					 "dst net 10.1",
					 "net 11",
					 "net 10.2",
					 "src host 10.9.9.9 or 192.0.2.80",
					 "src 10.1.2.3 and 192.0.2.80",
					 "udp port 80 or 443",
					 "ip6 port 80 or 443",
					 "udp dst port 80 or 443",
					 "src port 80 or 443",
					 "portrange 444-40000",
					 "rst",
					 "multicast",
					 "net 10.0.0.0 mask 255.255.0.0",
					 NULL};
	static const char *const six[] = {
		"ip6",	    "ip6 and udp", "ip6 proto udp port 53", "ip6 udp port 53",
		"ipv6 udp", "multicast",   "udp multicast",	    "ip6 multicast",
		NULL};
	static const char *const not_six[] = {"ip",	"ip6 proto 6",	 "ip6 tcp",
					      "ip udp", "tcp multicast", NULL};
	struct weir_flow flow = sample_client();

	sample_check(&flow, yes, no);
	flow = sample_flow("2001:db8::1", "ff02::fb", 17, 5353, 53);
	sample_check(&flow, six, not_six);
}
END_TEST

START_TEST(as_in_nfdump)
{
	static const char *const yes[] = {"src ip in [10.0.0.0/8 172.16.0.0/12]",
					  "ip in [10.1.2.3]",
					  "ip 10.1.2.3",
					  "src ip 10.1.2.3",
					  "dst port in [80,443]",
					  "net 10.0.0.0 255.0.0.0",
					  "net 10/8",
					  "net 10.1/16",
					  "net in {172.16/12 10/8}",
					  "proto tcp and dst port = 443",
					  "port > 1024",
					  "port gt 1024",
					  "inet and not port 80",
					  "flags S and not flags FRU",
					  "not flags RF",
					  "flags ap",
					  "flags = SAP",
					  "flags eq APS",
					  "not flags U",
					  "not flags = S",
					  "not (flags SF)",
					  "flags syn",
					  "flags 0x1a",
					  NULL};
	static const char *const no[] = {"not flags AF",     "not flags FA",
					 "! flags AFRU",     "flags S and not flags AFRPU",
					 "not (flags SA)",   "flags SF",
					 "flags X",	     "flags = S",
					 "not not flags RF", NULL};
	static const char *const udp[] = {"not flags A", "not flags SA", NULL};
	static const char *const not_udp[] = {"flags A", "syn", "flags = 0", NULL};
	struct weir_flow flow = sample_client();

	sample_check(&flow, yes, no);
	flow = sample_flow("10.0.0.1", "10.0.0.2", 17, 1, 2);
	sample_check(&flow, udp, not_udp);
	flow = sample_client();
	flow.tcp_flags = 2;
	ck_assert(sample_matches("flags S and not flags AFRPU", &flow));
}
END_TEST

static void refuses(const char *text, size_t at, const char *sentence)
{
	struct weir_filter *filter;
	char error[256];
	size_t found;
	int ret = weir_filter_parse(text, &filter, error, sizeof(error), &found);

	ck_assert_msg(ret == -EINVAL, "taken: %s", text);
	ck_assert_msg(!strcmp(error, sentence), "%s: %s", text, error);
	ck_assert_msg(found == at, "%s: offset %zu, not %zu", text, found, at);
}

START_TEST(mistakes)
{
	refuses("duration > 10", 11, "\"10\" of what? Write 10ms or 10s");
	refuses("tcp and rtt < 5", 14, "\"5\" of what? Write 5ms or 5s");
	refuses("duration > 10x", 11, "expected a duration (such as 500ms, 10s, 5m), not \"10x\"");
	refuses("bytes > 1.5", 8,
		"expected a number of bytes (such as 1500, 64k, 1m), not \"1.5\"");
	refuses("bytes > 1.m", 8,
		"expected a number of bytes (such as 1500, 64k, 1m), not \"1.m\"");
	refuses("bps gt", 6,
		"the filter ends where a rate (such as 9600, 64k, 1.5m) should follow");
	refuses("dscp ef1", 5,
		"expected a DSCP (0 to 63, ef, af11 to af43, cs0 to cs7), not \"ef1\"; did you "
		"mean "
		"\"ef\"?");
	refuses("dscp 64", 5,
		"expected a DSCP (0 to 63, ef, af11 to af43, cs0 to cs7), not \"64\"");
	refuses("end-reason idel", 11,
		"expected a reason (idle, active, end, forced, resources or none), not \"idel\"; "
		"did "
		"you mean \"idle\"?");
	refuses("end-reason > idle", 11, "\"end-reason\" has no order; use = or !=");
	refuses("proto > tcp", 6, "\"proto\" has no order; use = or !=");
	refuses("observed here", 9, "expected forwarded, local-in, local-out, pre-routing, bridge, ingress or egress, not \"here\"");
	refuses("ecn 4", 4, "expected a number, 0 to 3, not \"4\"");
	refuses("retransmited > 1", 0,
		"\"retransmited\" is not a test; did you mean \"retransmitted\"?");
	refuses("respons > 1s", 0, "\"respons\" is not a test; did you mean \"response\"?");
	refuses("tcp and fragmentd", 8,
		"\"fragmentd\" is not a test; did you mean \"fragmented\"?");
	refuses("mac 1:2:3", 4,
		"expected a MAC address (such as 52:54:00:12:34:56), not \"1:2:3\"");
	refuses("ether host 1:2:3:4:5:6:7", 11,
		"expected a MAC address (such as 52:54:00:12:34:56), not \"1:2:3:4:5:6:7\"");
	refuses("ether proto 5", 6, "weir counts IP packets only");
	refuses("net 10.0.0.0 mask 255.0.255.0", 18, "the mask 255.0.255.0 has a hole");
	refuses("net 10.0.0.0 mask", 17,
		"the filter ends where an IPv4 network mask (such as 255.0.0.0) should follow");
	refuses("net 2001:db8:: mask 255.0.0.0", 20,
		"expected an IPv4 network mask (such as 255.0.0.0), not \"255.0.0.0\"");
	refuses("net 10.", 4,
		"expected a network (such as 10.0.0.0/8, 2001:db8::/32), not \"10.\"");
	refuses("net 10.1.2.3.4", 4,
		"expected a network (such as 10.0.0.0/8, 2001:db8::/32), not \"10.1.2.3.4\"");
	refuses("port 80 or 70000", 11, "expected a port, 0 to 65535, not \"70000\"");
	refuses("80", 0, "a number alone is not a test; write \"port 80\"");
	refuses("tcp and 80", 8, "a number alone is not a test; write \"port 80\"");
	refuses("(port 80) or 443", 13, "a number alone is not a test; write \"port 443\"");
	refuses("port 80, 443", 7, "a list goes in braces, such as {80 443}");
	refuses("and tcp", 0, "expected a test (such as host 10.0.0.1, port 53, tcp), not \"and\"");
	refuses("tcp and or udp", 8,
		"expected a test (such as host 10.0.0.1, port 53, tcp), not \"or\"");
	refuses("tcp[13] = 2", 3,
		"a flow has no bytes of packets to look at; TCP flags are \"flags SA\", ICMP's "
		"type "
		"is \"icmp-type 8\"");
	refuses("ip6 tcp udp", 8, "expected \"and\" or \"or\", not \"udp\"");
	refuses("ip ip6", 3, "expected \"and\" or \"or\", not \"ip6\"");
	refuses("as 3320", 0, "weir records no AS numbers");
	refuses("tcp and router 10.0.0.1", 8, "the exporter is a node here: write \"node NAME\"");
	refuses("greater 100", 0,
		"a flow has no packet length; its mean is \"bpp\" (such as bpp >= 1000)");
	refuses("arp", 0, "weir counts IP packets only");
	refuses("in if and tcp", 6, "expected an interface's name or index, not \"and\"");
	refuses("if interface12345678", 3, "a name has at most 15 characters here");
	refuses("if 5-3", 3, "the range \"5-3\" is upside down");
	refuses("in if > eth0", 8, "expected an interface's index, not \"eth0\"");
	refuses("if 4294967296", 3, "expected an interface's name or index, not \"4294967296\"");
	refuses("node", 4, "the filter ends where a node's name should follow");
	refuses("node or tcp", 5, "expected a node's name, not \"or\"");
	refuses("site \"\"", 5, "expected a site's name, not \"\"\"\"");
	refuses("site {a", 7, "the filter ends where a site's name should follow");
	refuses("site \"a", 5, "the quote is not closed");
	refuses("\"tcp\"", 0,
		"expected a test (such as host 10.0.0.1, port 53, tcp), not \"\"tcp\"\"");
	refuses("flags = = S", 8, "expected TCP flags (letters of FSRPAUECN), not \"=\"");
	refuses("src vlan 5", 4, "expected host, net, port, mac or an address, not \"vlan\"");
}
END_TEST

/* What a test or quantity says it reads is all that it reads: with everything else
 * overwritten the result stays. */
static const char *const all_tests[] = {
	"src 10.1.2.3",
	"host 10.1.2.3",
	"dst net 192.0.2.0/24",
	"src mac 52:54:00:12:34:56",
	"mac 1:2:3:4:5:6",
	"dst port 443",
	"port 443",
	"src port > 1024",
	"in if 3",
	"if 9",
	"tcp",
	"ipv4",
	"bytes > 1m",
	"packets 1000",
	"duration > 1s",
	"bps > 1k",
	"pps > 1",
	"bpp > 1",
	"rtt > 1ms",
	"response > 1ms",
	"retransmitted > 1",
	"out-of-order 2",
	"fragments > 0",
	"vlan 100",
	"tos 0xb9",
	"dscp ef",
	"ecn 1",
	"ttl 63",
	"mark 0x10",
	"icmp-type 1",
	"icmp-code 1",
	"end-reason active",
	"forwarded",
	"flags SA",
	"flags = SAP",
	"not flags F",
	"gso",
	"any",
	"multicast",
	"syn",
};

START_TEST(columns)
{
	srandom(5);
	for (size_t i = 0; i < sizeof(all_tests) / sizeof(all_tests[0]); i++) {
		struct weir_filter *filter = sample_filter(all_tests[i]);

		for (unsigned n = 0; n < 200; n++) {
			struct weir_flow flow = sample_client(), other;

			if (n % 4 == 1)
				sample_scramble(&flow, ~weir_filter_columns(filter));
			if (n % 4 == 2)
				flow.protocol = n % 8 == 2 ? 1 : 17;
			if (n % 4 == 3) {
				flow.src_port = 443;
				flow.dst_port = 40001;
			}
			other = flow;
			sample_scramble(&other, weir_filter_columns(filter));
			ck_assert_msg(weir_filter_match(filter, &flow) ==
					      weir_filter_match(filter, &other),
				      "%s", all_tests[i]);
		}
		weir_filter_free(filter);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("language");
	TCase *tcase = tcase_create("language");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, numbers);
	tcase_add_test(tcase, named);
	tcase_add_test(tcase, as_in_tcpdump);
	tcase_add_test(tcase, as_in_nfdump);
	tcase_add_test(tcase, mistakes);
	tcase_add_test(tcase, columns);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
