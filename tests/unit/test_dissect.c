// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/dissect.c on IP packets.
 */
#include "tests/unit/packet.h"

struct test {
	const char *name;
	const char *hex;
	u32 padding;	/* bytes after the packet */
	enum weir_dissected result;
	/* frame */
	u32 gso_segs, gso_size, gso_headers;
	bool gso_recount;
	/* packet; 0 in packets is 1, in bytes the packet's length, in protocol TCP */
	u16 src_port, dst_port;
	u16 where, flags, tcp_flags;
	u8 protocol, tos, ecn;
	u64 packets, bytes;
	u32 seq, seq_len;
	bool payload, short_l4;
};

static void check_addresses(const struct test *t, const struct weir_packet *packet, bool ipv6)
{
	static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const u8 net4[3] = {10, 0, 0}, net6[15] = {0x20, 0x01, 0x0d, 0xb8};
	const struct weir_packet p = *packet;

	EQUAL(key.src_addr[15], 1);
	EQUAL(key.dst_addr[15], 2);
	for (int i = 0; i < 2; i++) {
		const u8 *addr = i ? p.key.dst_addr : p.key.src_addr;

		if (ipv6)
			ck_assert_msg(!memcmp(addr, net6, 15), "%s", t->name);
		else
			ck_assert_msg(!memcmp(addr, mapped, 12) && !memcmp(addr + 12, net4, 3),
				      "%s", t->name);
	}
}

static void check(const struct test *t)
{
	struct weir_frame frame = {.gso_segs = t->gso_segs,
				   .gso_size = t->gso_size,
				   .gso_headers = t->gso_headers,
				   .gso_recount = t->gso_recount};
	struct bytes b = parse(t->hex);
	const u32 len = b.len;
	const bool ipv6 = b.at[0] >> 4 == 6;
	struct weir_packet p;
	enum weir_dissected result;

	memset(b.at + b.len, 0xee, t->padding);
	b.len += t->padding;
	result = look(t->name, &b, &frame, &p);
	ck_assert_msg(result == t->result, "%s: result %d", t->name, result);
	if (t->result)
		return;
	EQUAL(key.protocol, t->protocol ? t->protocol : IPPROTO_TCP);
	EQUAL(key.src_port, htons(t->src_port));
	EQUAL(key.dst_port, htons(t->dst_port));
	EQUAL(key.where, t->where | (ipv6 ? WEIR_WHERE_IPV6 : 0));
	EQUAL(key.in_ifindex, 0);
	EQUAL(key.tos, t->tos);
	EQUAL(ecn, t->ecn);
	EQUAL(ttl, 0x40);
	EQUAL(packets, t->packets ? t->packets : 1);
	EQUAL(bytes, t->bytes ? t->bytes : len);
	EQUAL(flags, t->flags);
	EQUAL(tcp_flags, t->tcp_flags);
	EQUAL(tcp_seq_len, t->seq_len);
	if (t->seq_len)
		EQUAL(tcp_seq, 0x12345678);
	EQUAL(payload, t->payload);
	EQUAL(short_l4, t->short_l4);
	check_addresses(t, &p, ipv6);
}

#define DAMAGED .result = WEIR_DISSECTED_DAMAGED
#define TRUNCATED .result = WEIR_DISSECTED_TRUNCATED
#define BOTH_PORTS .src_port = 40001, .dst_port = 443
#define ACK_ONLY BOTH_PORTS, .tcp_flags = 0x10

static const struct test ipv4[] = {
	{"plain", IP4("06", TCP("5010")), ACK_ONLY},
	{"padded", IP4("06", TCP("5010")), .padding = 6, ACK_ONLY},
	{"options", IP4_OPT("4600", "0000", "06", "01010101" TCP("5010")), ACK_ONLY},
	{"most options",
	 IP4_OPT("4f00", "0000", "06",
		 "0101010101010101010101010101010101010101"
		 "0101010101010101010101010101010101010101" TCP("5010")),
	 ACK_ONLY},
	{"nothing behind the header", IP4("fd", ""), .protocol = 253},
	{"IHL 4", IP4_OPT("4400", "0000", "06", TCP("5010")), DAMAGED},
	{"IHL 0", IP4_OPT("4000", "0000", "06", TCP("5010")), DAMAGED},
	{"IHL past the end", IP4_OPT("4f00", "0000", "06", TCP("5010")), DAMAGED},
	{"length below the header",
	 "4500 0013 1234 0000 4006 0000 0a000001 0a000002" TCP("5010"), DAMAGED},
	{"length below its options",
	 "4600 0014 1234 0000 4006 0000 0a000001 0a000002 01010101" TCP("5010"), DAMAGED},
	{"length beyond the frame",
	 "4500 0029 1234 0000 4006 0000 0a000001 0a000002" TCP("5010"), TRUNCATED},
	{"length ends in the TCP header",
	 "4500 0027 1234 0000 4006 0000 0a000001 0a000002" TCP("5010"), BOTH_PORTS,
	 .tcp_flags = 0x10, .bytes = 39, .short_l4 = true},
	{"length 0", "4500 0000 1234 0000 4006 0000 0a000001 0a000002" TCP("5010"), DAMAGED},
	{"length 0, wrong IHL", "4f00 0000 1234 0000 4006 0000 0a000001 0a000002" TCP("5010"),
	 DAMAGED},
	{"19 bytes", "4500 0013 1234 0000 4006 0000 0a000001 0a0000", TRUNCATED},
	{"1 byte", "45", TRUNCATED},
	{"no byte", "", TRUNCATED},
	{"version 5", IP4_OPT("5500", "0000", "06", TCP("5010")), DAMAGED},
	{"version 0", IP4_OPT("0500", "0000", "06", TCP("5010")), DAMAGED},
	{"EF and ECT(0)", IP4_OPT("45ba", "0000", "06", TCP("5010")), ACK_ONLY, .tos = 0xb8,
	 .ecn = 2},
	{"CE", IP4_OPT("4503", "0000", "06", TCP("5010")), ACK_ONLY, .ecn = 3},
	{"all of DSCP", IP4_OPT("45fd", "0000", "06", TCP("5010")), ACK_ONLY, .tos = 0xfc,
	 .ecn = 1},
	{"don't fragment", IP4_FRAG("4000", "06", TCP("5010")), ACK_ONLY},
	{"reserved flag", IP4_FRAG("8000", "06", TCP("5010")), ACK_ONLY},
	{"first fragment", IP4_FRAG("2000", "06", TCP("5018") "aabb"), BOTH_PORTS,
	 .tcp_flags = 0x18, .flags = WEIR_FLOW_FRAGMENTS, .payload = true},
	{"first fragment, cut", IP4_FRAG("2000", "06", "9c4101bb12345678"), BOTH_PORTS,
	 .short_l4 = true, .flags = WEIR_FLOW_FRAGMENTS},
	{"first fragment, cut behind the flags",
	 IP4_FRAG("2000", "06", "9c4101bb 12345678 00000001 5112"), BOTH_PORTS, .tcp_flags = 0x112,
	 .short_l4 = true, .flags = WEIR_FLOW_FRAGMENTS},
	{"first fragment, cut in the flags",
	 IP4_FRAG("2000", "06", "9c4101bb 12345678 00000001 51"), BOTH_PORTS, .short_l4 = true,
	 .flags = WEIR_FLOW_FRAGMENTS},
	{"first fragment, cut in the ports", IP4_FRAG("2000", "06", "9c4101"), .short_l4 = true,
	 .flags = WEIR_FLOW_FRAGMENTS},
	{"middle fragment", IP4_FRAG("2001", "06", TCP("5018") "aabb"),
	 .flags = WEIR_FLOW_FRAGMENTS, .where = WEIR_WHERE_LATER_FRAGMENT},
	{"last fragment", IP4_FRAG("1fff", "06", "aabb"), .flags = WEIR_FLOW_FRAGMENTS,
	 .where = WEIR_WHERE_LATER_FRAGMENT},
	{"last fragment of UDP", IP4_FRAG("00b9", "11", UDP "aabb"), .protocol = IPPROTO_UDP,
	 .flags = WEIR_FLOW_FRAGMENTS, .where = WEIR_WHERE_LATER_FRAGMENT},
};

static const struct test transport[] = {
	{"SYN", IP4("06", TCP("5002")), BOTH_PORTS, .tcp_flags = 0x02, .seq_len = 1},
	{"SYN ACK", IP4("06", TCP("5012")), BOTH_PORTS, .tcp_flags = 0x12, .seq_len = 1},
	{"SYN with data", IP4("06", TCP("5002") "aabbcc"), BOTH_PORTS, .tcp_flags = 0x02,
	 .seq_len = 4, .payload = true},
	{"FIN", IP4("06", TCP("5011")), BOTH_PORTS, .tcp_flags = 0x11, .seq_len = 1},
	{"FIN with data", IP4("06", TCP("5019") "aabb"), BOTH_PORTS, .tcp_flags = 0x19,
	 .seq_len = 3, .payload = true},
	{"SYN FIN", IP4("06", TCP("5003")), BOTH_PORTS, .tcp_flags = 0x03, .seq_len = 2},
	{"RST", IP4("06", TCP("5004")), BOTH_PORTS, .tcp_flags = 0x04},
	{"data", IP4("06", TCP("5018") "aa"), BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 1,
	 .payload = true},
	{"padding is no data", IP4("06", TCP("5010")), .padding = 20, ACK_ONLY},
	{"flag 8", IP4("06", TCP("5110")), BOTH_PORTS, .tcp_flags = 0x110},
	{"all flags", IP4("06", TCP("5fff")), BOTH_PORTS, .tcp_flags = 0x1ff, .seq_len = 2},
	{"reserved bits are no flags", IP4("06", TCP("5e10")), ACK_ONLY},
	{"TCP options", IP4("06", TCP("6002") "01010101"), BOTH_PORTS, .tcp_flags = 0x02,
	 .seq_len = 1},
	{"TCP options and data", IP4("06", TCP("6018") "01010101aabb"), BOTH_PORTS,
	 .tcp_flags = 0x18, .seq_len = 2, .payload = true},
	{"data offset 4", IP4("06", TCP("4018") "aabb"), BOTH_PORTS, .tcp_flags = 0x18},
	{"data offset 0", IP4("06", TCP("0003") "aabb"), BOTH_PORTS, .tcp_flags = 0x03},
	{"data offset past the end", IP4("06", TCP("6018")), BOTH_PORTS, .tcp_flags = 0x18},
	{"data offset into the padding", IP4("06", TCP("6018")), .padding = 8, BOTH_PORTS,
	 .tcp_flags = 0x18},
	{"TCP, 19 bytes", IP4("06", PORTS "12345678 00000001 5010 ffff 0000 00"), BOTH_PORTS,
	 .tcp_flags = 0x10, .short_l4 = true},
	{"TCP, 19 bytes and padding", IP4("06", PORTS "12345678 00000001 5010 ffff 0000 00"),
	 .padding = 7, BOTH_PORTS, .tcp_flags = 0x10, .short_l4 = true},
	{"TCP, no byte", IP4("06", ""), .short_l4 = true},
	{"UDP", IP4("11", UDP), BOTH_PORTS, .protocol = IPPROTO_UDP},
	{"UDP, 7 bytes", IP4("11", PORTS "000800"), BOTH_PORTS, .protocol = IPPROTO_UDP,
	 .short_l4 = true},
	{"UDP, 4 bytes", IP4("11", PORTS), BOTH_PORTS, .protocol = IPPROTO_UDP, .short_l4 = true},
	{"UDP, 3 bytes", IP4("11", "9c4101"), .padding = 5, .protocol = IPPROTO_UDP,
	 .short_l4 = true},
	{"UDP-Lite", IP4("88", UDP "aa"), BOTH_PORTS, .protocol = UDPLITE},
	{"UDP-Lite, 7 bytes", IP4("88", PORTS "000800"), BOTH_PORTS, .protocol = UDPLITE,
	 .short_l4 = true},
	{"SCTP", IP4("84", PORTS "00000001 00000002"), BOTH_PORTS, .protocol = SCTP},
	{"SCTP, 11 bytes", IP4("84", PORTS "00000001 000000"), BOTH_PORTS, .protocol = SCTP,
	 .short_l4 = true},
	{"DCCP", IP4("21", PORTS "03000000 01000000"), BOTH_PORTS, .protocol = DCCP},
	{"DCCP, 11 bytes", IP4("21", PORTS "03000000 010000"), BOTH_PORTS, .protocol = DCCP,
	 .short_l4 = true},
	{"ICMP", IP4("01", "0301 0000 0000 0000"), .protocol = IPPROTO_ICMP, .dst_port = 0x0301},
	{"ICMP error: what it quotes is not looked at",
	 IP4("01", "0303 0000 00000000 4500001c 12340000 40110000 0a000002 0a000001" UDP),
	 .protocol = IPPROTO_ICMP, .dst_port = 0x0303},
	{"ICMPv6 error: what it quotes is not looked at",
	 IP6("3a", "0100 0000 00000000 60000000 00081140" ADDRESSES6 UDP),
	 .protocol = IPPROTO_ICMPV6, .dst_port = 0x0100},
	{"ICMP, 4 bytes", IP4("01", "0b00 0000"), .protocol = IPPROTO_ICMP, .dst_port = 0x0b00},
	{"ICMP, 3 bytes", IP4("01", "0b0000"), .protocol = IPPROTO_ICMP, .dst_port = 0x0b00,
	 .short_l4 = true},
	{"ICMP, 1 byte", IP4("01", "0b"), .protocol = IPPROTO_ICMP, .short_l4 = true},
	{"ICMPv6", IP6("3a", "8007 0000 0001 0002"), .protocol = IPPROTO_ICMPV6,
	 .dst_port = 0x8007},
	{"ICMPv6, 4 bytes", IP6("3a", "8007 0000"), .protocol = IPPROTO_ICMPV6,
	 .dst_port = 0x8007},
	{"ICMPv6, 3 bytes", IP6("3a", "800700"), .protocol = IPPROTO_ICMPV6,
	 .dst_port = 0x8007, .short_l4 = true},
	{"ICMP in IPv6", IP6("01", "0301 0000"), .protocol = IPPROTO_ICMP},
	{"ICMPv6 in IPv4", IP4("3a", "8000 0000"), .protocol = IPPROTO_ICMPV6},
	{"GRE has no ports", IP4("2f", "1234567812345678"), .protocol = IPPROTO_GRE},
	{"ESP has no ports", IP4("32", "1234567812345678"), .protocol = IPPROTO_ESP},
	{"IPv4 in IPv4 is the outer one",
	 IP4("04", "4500 001c 1234 0000 4011 0000 0a000003 0a000004" UDP),
	 .protocol = IPPROTO_IPIP},
	{"no extension headers in IPv4", IP4("3c", EXT("11") UDP), .protocol = IPPROTO_DSTOPTS},
};

static const struct test ipv6[] = {
	{"plain", IP6("06", TCP("5010")), ACK_ONLY},
	{"padded", IP6("06", TCP("5010")), .padding = 9, ACK_ONLY},
	{"traffic class", IP6_TOS("6ba12345", "06", TCP("5010")), ACK_ONLY, .tos = 0xb8,
	 .ecn = 2},
	{"flow label is no traffic class", IP6_TOS("600fffff", "06", TCP("5010")), ACK_ONLY},
	{"CE", IP6_TOS("60300000", "06", TCP("5010")), ACK_ONLY, .ecn = 3},
	{"39 bytes", "60000000 0000 3b40" "20010db8000000000000000000000001"
	 "20010db80000000000000000000000", TRUNCATED},
	{"header alone", IP6("3b", ""), .protocol = IPPROTO_NONE},
	{"length beyond the frame", "60000000 0015 0640" ADDRESSES6 TCP("5010"), TRUNCATED},
	{"length ends in the TCP header", "60000000 0013 0640" ADDRESSES6 TCP("5010"),
	 BOTH_PORTS, .tcp_flags = 0x10, .bytes = 59, .short_l4 = true},
	{"length 0: the rest is padding", "60000000 0000 3b40" ADDRESSES6 TCP("5010"), .bytes = 40,
	 .protocol = IPPROTO_NONE},
	{"length 0, TCP cut", "60000000 0000 0640" ADDRESSES6 TCP("5010"), .bytes = 40,
	 .short_l4 = true},
	{"length 0 before a hop-by-hop header", "60000000 0000 0040" ADDRESSES6 EXT("06"), DAMAGED},
	{"length 0, hop-by-hop header cut", "60000000 0000 0040" ADDRESSES6 "0600 c204 000100",
	 TRUNCATED},
	{"jumbogram of a length that fits the field",
	 "60000000 0000 0040" ADDRESSES6 "0600 c204 00000020" TCP("5018") "aabbccdd", DAMAGED},
	{"length 0, padding of four bytes", "60000000 0000 0040" ADDRESSES6 "0600 0104 00010000"
	 TCP("5018"), DAMAGED},
	{"length 0, jumbo option of five bytes", "60000000 0000 0040" ADDRESSES6
	 "0600 c205 00010000" TCP("5018"), DAMAGED},
	{"jumbogram, longer than can be", "60000000 0000 0040" ADDRESSES6 "0600 c204 fffffff0"
	 TCP("5018"), TRUNCATED},
	{"jumbogram, cut",
	 "60000000 0000 0040" ADDRESSES6 "0600 c204 00010000" TCP("5018") "aabbccdd", TRUNCATED},
	{"hop-by-hop", IP6("00", EXT("06") TCP("5010")), ACK_ONLY},
	{"routing", IP6("2b", EXT("06") TCP("5010")), ACK_ONLY},
	{"destination options", IP6("3c", EXT16("06") TCP("5010")), ACK_ONLY},
	{"AH, 24 bytes", IP6("33", "0604 0000 00000001 00000002 0000000000000000 00000000"
			     TCP("5010")), ACK_ONLY},
	{"AH in IPv4 is its own", IP4("33", "0604 0000 00000001 00000002 0000000000000000 00000000"
				      TCP("5010")), .protocol = IPPROTO_AH},
	{"ESP ends the chain", IP6("00", EXT("32") "12345678"), .protocol = IPPROTO_ESP},
	{"no next header", IP6("3c", EXT("3b") "12345678"), .protocol = IPPROTO_NONE},
	{"mobility is not followed", IP6("87", EXT("06") TCP("5010")), .protocol = 135},
	{"every kind",
	 IP6("00", EXT("3c") EXT16("2b") EXT("2c") FRAGMENT("33", "0000")
	     "3c02 0000 00000001 00000002 00000000" EXT("11") UDP),
	 BOTH_PORTS, .protocol = IPPROTO_UDP},
	{"8 headers",
	 IP6("3c", EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c")
	     EXT("11") UDP), BOTH_PORTS, .protocol = IPPROTO_UDP},
	{"9 headers",
	 IP6("3c", EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c") EXT("3c")
	     EXT("2b") EXT("11") UDP), .protocol = IPPROTO_ROUTING},
	{"atomic fragment", IP6("2c", FRAGMENT("06", "0000") TCP("5010")), ACK_ONLY},
	{"reserved bits are no fragment", IP6("2c", FRAGMENT("06", "0006") TCP("5010")), ACK_ONLY},
	{"first fragment", IP6("2c", FRAGMENT("06", "0001") TCP("5018") "aa"), BOTH_PORTS,
	 .tcp_flags = 0x18, .payload = true, .flags = WEIR_FLOW_FRAGMENTS},
	{"middle fragment", IP6("2c", FRAGMENT("06", "0009") TCP("5018") "aa"),
	 .flags = WEIR_FLOW_FRAGMENTS, .where = WEIR_WHERE_LATER_FRAGMENT},
	{"last fragment", IP6("00", EXT("2c") FRAGMENT("11", "fff8") "aa"),
	 .protocol = IPPROTO_UDP, .flags = WEIR_FLOW_FRAGMENTS,
	 .where = WEIR_WHERE_LATER_FRAGMENT},
	{"later fragment, its data is no header",
	 IP6("2c", FRAGMENT("3c", "0008") EXT("06") TCP("5010")), .protocol = IPPROTO_DSTOPTS,
	 .flags = WEIR_FLOW_FRAGMENTS, .where = WEIR_WHERE_LATER_FRAGMENT},
	{"destination options in a first fragment",
	 IP6("2c", FRAGMENT("3c", "0001") EXT("06") TCP("5010")), ACK_ONLY,
	 .flags = WEIR_FLOW_FRAGMENTS},
	{"first fragment, then atomic",
	 IP6("2c", FRAGMENT("2c", "0001") FRAGMENT("06", "0000") TCP("5018") "aa"), BOTH_PORTS,
	 .tcp_flags = 0x18, .payload = true, .flags = WEIR_FLOW_FRAGMENTS},
	{"atomic, then later",
	 IP6("2c", FRAGMENT("2c", "0000") FRAGMENT("06", "0010") "aabb"),
	 .flags = WEIR_FLOW_FRAGMENTS, .where = WEIR_WHERE_LATER_FRAGMENT},
	{"fragment header cut", IP6("2c", "0600 0009 001234"), .protocol = IPPROTO_FRAGMENT},
	{"extension longer than the packet", IP6("3c", EXT16("11")), .protocol = IPPROTO_UDP,
	 .short_l4 = true},
	{"extension into the padding", IP6("3c", "1101 0000 0000 0000"), .padding = 16,
	 .protocol = IPPROTO_UDP, .short_l4 = true},
	{"extension header into the padding", IP6("3c", "1100 0000"), .padding = 16,
	 .protocol = IPPROTO_DSTOPTS},
	{"fragment header into the padding", IP6("2c", "0600 0009 0012"), .padding = 2,
	 .protocol = IPPROTO_FRAGMENT},
	{"longest extension, cut", IP6("00", "3cff 0000 0000 0000" EXT("11") UDP),
	 .protocol = IPPROTO_DSTOPTS},
};

#define DATA8 "0102030405060708"
#define DATA24 DATA8 DATA8 DATA8

static const struct test gso[] = {
	{"not one", IP4("06", TCP("5018") DATA24), .gso_segs = 1, BOTH_PORTS, .tcp_flags = 0x18,
	 .seq_len = 24, .payload = true},
	{"three segments", IP4("06", TCP("5018") DATA24), .gso_segs = 3, .gso_size = 8, BOTH_PORTS,
	 .tcp_flags = 0x18, .seq_len = 24, .payload = true, .packets = 3, .bytes = 64 + 2 * 40,
	 .flags = WEIR_FLOW_GSO},
	{"options of IP and TCP are repeated",
	 IP4_OPT("4600", "0000", "06", "01010101" TCP("8018") "010101010101010101010101" DATA24),
	 .gso_segs = 2, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24, .payload = true,
	 .packets = 2, .bytes = 24 + 32 + 24 + 56, .flags = WEIR_FLOW_GSO},
	{"IPv6 and its extension headers", IP6("00", EXT("06") TCP("5018") DATA24), .gso_segs = 3,
	 BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24, .payload = true, .packets = 3,
	 .bytes = 48 + 20 + 24 + 2 * 68, .flags = WEIR_FLOW_GSO},
	{"IPv6 BIG TCP: the jumbo option is never sent",
	 "60000000 0000 0040" ADDRESSES6 "0600c20400010000" TCP("5018") DATA24, .gso_segs = 3,
	 .gso_size = 8, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24, .payload = true,
	 .packets = 3, .bytes = 40 + 20 + 24 + 2 * 60, .flags = WEIR_FLOW_GSO},
	{"IPv4 BIG TCP", "4500 0000 1234 0000 4006 0000 0a000001 0a000002" TCP("5018") DATA24,
	 .gso_segs = 3, .gso_size = 8, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24,
	 .payload = true, .packets = 3, .bytes = 64 + 2 * 40, .flags = WEIR_FLOW_GSO},
	{"IPv6 BIG TCP without the option", "60000000 0000 0640" ADDRESSES6 TCP("5018") DATA24,
	 .gso_segs = 3, .gso_size = 8, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24,
	 .payload = true, .packets = 3, .bytes = 84 + 2 * 60, .flags = WEIR_FLOW_GSO},
	{"UDP", IP4("11", UDP DATA24), .gso_segs = 3, .gso_size = 8, BOTH_PORTS,
	 .protocol = IPPROTO_UDP, .packets = 3, .bytes = 52 + 2 * 28, .flags = WEIR_FLOW_GSO},
	{"UFO: fragments repeat the IP header", IP4("11", UDP DATA24), .gso_segs = 4,
	 .gso_size = 8, .gso_headers = 20, BOTH_PORTS, .protocol = IPPROTO_UDP, .packets = 4,
	 .bytes = 52 + 3 * 20, .flags = WEIR_FLOW_GSO},
	{"UFO recounted", IP4("11", UDP DATA24), .gso_recount = true, .gso_size = 8,
	 .gso_headers = 20, BOTH_PORTS, .protocol = IPPROTO_UDP, .packets = 4,
	 .bytes = 52 + 3 * 20, .flags = WEIR_FLOW_GSO},
	{"tunnel: headers from outside", IP4("2f", DATA24 DATA24 DATA24), .gso_segs = 2,
	 .gso_headers = 64, .protocol = IPPROTO_GRE, .packets = 2, .bytes = 92 + 64,
	 .flags = WEIR_FLOW_GSO},
	{"recount: says 1000, is 3", IP4("06", TCP("5018") DATA24), .gso_segs = 1000,
	 .gso_size = 8, .gso_recount = true, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24,
	 .payload = true, .packets = 3, .bytes = 64 + 2 * 40, .flags = WEIR_FLOW_GSO},
	{"recount: says 0, is 4 with the last one short", IP4("06", TCP("5018") DATA24),
	 .gso_size = 7, .gso_recount = true, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24,
	 .payload = true, .packets = 4, .bytes = 64 + 3 * 40, .flags = WEIR_FLOW_GSO},
	{"recount: padding is no payload", IP4("06", TCP("5018") DATA24), .padding = 30,
	 .gso_size = 8, .gso_recount = true, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24,
	 .payload = true, .packets = 3, .bytes = 64 + 2 * 40, .flags = WEIR_FLOW_GSO},
	{"recount: fits one", IP4("06", TCP("5018") DATA24), .gso_segs = 9, .gso_size = 24,
	 .gso_recount = true, BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24, .payload = true},
	{"recount: size 0", IP4("06", TCP("5018") DATA24), .gso_segs = 9, .gso_recount = true,
	 BOTH_PORTS, .tcp_flags = 0x18, .seq_len = 24, .payload = true},
	{"recount: no payload", IP4("06", TCP("5010")), .gso_segs = 9, .gso_size = 8,
	 .gso_recount = true, ACK_ONLY},
	{"recount: headers beyond the packet", IP4("06", TCP("5010")), .gso_segs = 9,
	 .gso_size = 8, .gso_headers = 100, .gso_recount = true, ACK_ONLY},
	{"recount: TCP header cut", IP4("06", DATA8), .gso_size = 2, .gso_recount = true,
	 .src_port = 0x0102, .dst_port = 0x0304,
	 .short_l4 = true, .packets = 4, .bytes = 28 + 3 * 20, .flags = WEIR_FLOW_GSO},
};

START_TEST(ipv4_table)
{
	check(&ipv4[_i]);
}
END_TEST

START_TEST(transport_table)
{
	check(&transport[_i]);
}
END_TEST

START_TEST(ipv6_table)
{
	check(&ipv6[_i]);
}
END_TEST

START_TEST(gso_table)
{
	check(&gso[_i]);
}
END_TEST

/* Cut packets whose header still states the whole length are truncated, whoever they are. */
static void cut_frame(const struct test *t)
{
	const struct weir_frame frame = {0};
	struct bytes b = parse(t->hex);
	const u32 len = b.len;
	struct weir_packet p;

	if (t->result || !strpbrk(t->hex, "LP"))	/* states another length */
		return;
	for (b.len = 0; b.len < len; b.len++)
		ck_assert_msg(look(t->name, &b, &frame, &p) == WEIR_DISSECTED_TRUNCATED,
			      "%s: %u of %u", t->name, b.len, len);
}

/* The same, but the length in the header is what is there: a short packet, counted. */
static void cut_packet(const struct test *t)
{
	const struct weir_frame frame = {0};
	struct bytes b = parse(t->hex);
	const bool six = b.at[0] >> 4 == 6;
	const u32 len = b.len, header = six ? 40 : (b.at[0] & 15) * 4;
	struct weir_packet p;

	if (t->result)
		return;
	for (b.len = header; b.len < len; b.len++) {
		put16(&b, six ? 4 : 2, six ? b.len - 40 : b.len);
		if (six && b.at[6] == IPPROTO_HOPOPTS && b.len == 40) {	/* where a length may be */
			ck_assert_int_eq(look(t->name, &b, &frame, &p), WEIR_DISSECTED_TRUNCATED);
			continue;
		}
		ck_assert_msg(!look(t->name, &b, &frame, &p), "%s: %u of %u", t->name, b.len, len);
		ck_assert_uint_eq(p.bytes, b.len);
		ck_assert_uint_eq(p.packets, 1);
		if (p.key.where & WEIR_WHERE_LATER_FRAGMENT) {
			ck_assert_uint_eq(p.key.src_port, 0);
			ck_assert_uint_eq(p.key.dst_port, 0);
			ck_assert_uint_eq(p.tcp_flags, 0);
		}
		ck_assert(!p.short_l4 || (!p.tcp_seq_len && !p.payload));
		ck_assert_uint_le(p.tcp_seq_len, b.len - header + 2);
	}
}

START_TEST(cut_at_every_byte)
{
	static const struct {
		const struct test *tests;
		size_t n;
	} tables[] = {
		{ipv4, sizeof(ipv4) / sizeof(*ipv4)},
		{transport, sizeof(transport) / sizeof(*transport)},
		{ipv6, sizeof(ipv6) / sizeof(*ipv6)},
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (size_t k = 0; k < tables[i].n; k++) {
			cut_frame(&tables[i].tests[k]);
			cut_packet(&tables[i].tests[k]);
		}
}
END_TEST

/* Hop-by-hop (8), destination options (16), UDP (8): what is known after each byte. */
START_TEST(cut_chain)
{
	const struct weir_frame frame = {0};
	struct bytes b = parse(IP6("00", EXT("3c") EXT16("11") UDP));
	struct weir_packet p;

	for (u32 n = 1; n <= 32; n++) {
		b.len = 40 + n;
		put16(&b, 4, n);
		ck_assert(!look("chain", &b, &frame, &p));
		ck_assert_uint_eq(p.key.protocol, n < 8	   ? IPPROTO_HOPOPTS
						  : n < 16 ? IPPROTO_DSTOPTS
							   : IPPROTO_UDP);
		ck_assert_uint_eq(p.short_l4, n >= 16 && n < 32);
		ck_assert_uint_eq(p.key.src_port, n < 28 ? 0 : htons(40001));
	}
}
END_TEST

static bool pull_fails(const void *ctx, u32 offset, void *to, u32 n)
{
	memset(to, 0xee, n);
	return false;
}

/* What cannot be read is not there, and what was half written to the buffer is not used. */
START_TEST(failing_pull)
{
	struct bytes b = parse(IP4("06", TCP("5018") "aabb"));
	struct weir_frame frame = {.linear = b.at, .len = b.len, .pull = pull_fails};
	struct weir_packet p;

	for (u32 n = 0; n <= b.len; n++) {
		frame.linear_len = n;
		ck_assert_uint_eq(weir_dissect(&frame, 0, &p),
				  n < 20 ? WEIR_DISSECTED_TRUNCATED : WEIR_DISSECTED_OK);
		if (n < 20)
			continue;
		ck_assert_uint_eq(p.short_l4, n < 40);
		ck_assert_uint_eq(p.key.src_port, n < 24 ? 0 : htons(40001));
		ck_assert_uint_eq(p.tcp_flags, n < 34 ? 0 : 0x18);
		ck_assert_uint_eq(p.bytes, b.len);
	}
	frame.linear_len = 20;
	frame.pull = NULL;
	ck_assert(!weir_dissect(&frame, 0, &p));
	ck_assert(p.short_l4);
}
END_TEST

/* 70000 bytes behind the header, most of them not there to be read. */
START_TEST(jumbogram)
{
	struct bytes b = parse("60000000 0000 0040" ADDRESSES6 "0600 c204 00011170" TCP("5018"));
	struct weir_frame frame = {.linear = b.at, .linear_len = b.len, .len = 70040};
	struct weir_packet p;

	ck_assert(!weir_dissect(&frame, 0, &p));
	ck_assert_uint_eq(p.bytes, 70040);
	ck_assert_uint_eq(p.tcp_seq_len, 70000 - 28);
	frame.len += 10;	/* padding */
	ck_assert(!weir_dissect(&frame, 0, &p));
	ck_assert_uint_eq(p.bytes, 70040);
	frame.len = 70039;
	ck_assert_uint_eq(weir_dissect(&frame, 0, &p), WEIR_DISSECTED_TRUNCATED);
}
END_TEST

/* A super-packet of 128 KiB, most of it not there to be read. */
START_TEST(big_tcp)
{
	struct bytes b = parse("60000000 0000 0640" ADDRESSES6 TCP("5018"));
	const struct weir_frame frame = {.linear = b.at, .linear_len = b.len,
					 .len = 60 + 90 * 1440, .gso_segs = 90, .gso_size = 1440};
	struct weir_packet p;

	ck_assert(!weir_dissect(&frame, 0, &p));
	ck_assert_uint_eq(p.packets, 90);
	ck_assert_uint_eq(p.bytes, 90 * 1500);
	ck_assert_uint_eq(p.tcp_seq_len, 90 * 1440);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dissect");
	TCase *tcase = tcase_create("dissect");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, ipv4_table, 0, sizeof(ipv4) / sizeof(*ipv4));
	tcase_add_loop_test(tcase, transport_table, 0, sizeof(transport) / sizeof(*transport));
	tcase_add_loop_test(tcase, ipv6_table, 0, sizeof(ipv6) / sizeof(*ipv6));
	tcase_add_loop_test(tcase, gso_table, 0, sizeof(gso) / sizeof(*gso));
	tcase_add_test(tcase, cut_at_every_byte);
	tcase_add_test(tcase, cut_chain);
	tcase_add_test(tcase, failing_pull);
	tcase_add_test(tcase, jumbogram);
	tcase_add_test(tcase, big_tcp);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
