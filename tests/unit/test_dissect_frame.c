// SPDX-License-Identifier: GPL-2.0
/*
 * kmod/dissect*.c on frames, with what is in front of IP, and on tunnels.
 *
 * Addresses end in 1 and 2 outside, 3 and 4 in a tunnel, 5 and 6 in a tunnel in a tunnel.
 */
#include "tests/unit/packet.h"

enum { IP = 0x0800, IP6 = 0x86dd, VLAN = 0x8100, QINQ = 0x88a8, MPLS = 0x8847, PPPOE = 0x8864 };

struct test {
	const char *name;
	const char *hex;
	u16 ethertype;	/* 0: looked at as IP */
	u32 look;	/* inside which */
	u32 padding;
	u32 gso_segs, gso_size, gso_headers;
	bool gso_recount, gso_udp;
	u16 known_vlan, known_inner_vlan;

	enum weir_dissected result;
	/* 0: protocol TCP, bytes from ip_offset to the end, 1 packet, source ends in 1 */
	u16 vlan, inner_vlan, pppoe;
	u32 mpls, ip_offset;
	u32 tunnel, id;
	u8 from, protocol;
	bool six;
	u16 src_port, dst_port, flags, where, tcp_flags;
	u64 bytes, packets;
	bool short_l4;
};

static void check(const struct test *t)
{
	const struct weir_frame frame = {.gso_segs = t->gso_segs,
					 .gso_size = t->gso_size,
					 .gso_headers = t->gso_headers,
					 .gso_recount = t->gso_recount,
					 .gso_udp = t->gso_udp,
					 .vlan_id = t->known_vlan,
					 .inner_vlan_id = t->known_inner_vlan};
	struct bytes b = parse(t->hex);
	const u32 len = b.len;
	enum weir_dissected result;
	struct weir_packet p;

	memset(b.at + b.len, 0xee, t->padding);
	b.len += t->padding;
	result = look_as(t->name, &b, &frame, (struct as){t->ethertype, t->look}, &p);
	ck_assert_msg(result == t->result, "%s: result %d", t->name, result);
	if (t->result)
		return;
	EQUAL(key.vlan_id, t->vlan);
	EQUAL(key.inner_vlan_id, t->inner_vlan);
	EQUAL(mpls_label, t->mpls);
	EQUAL(pppoe_session, t->pppoe);
	EQUAL(ip_offset, t->ip_offset);
	EQUAL(key.where, t->where | (t->six ? WEIR_WHERE_IPV6 : 0) |
				 t->tunnel << WEIR_WHERE_TUNNEL_SHIFT);
	EQUAL(key.tunnel_id, t->id);
	EQUAL(key.src_addr[15], t->from ? t->from : 1);
	EQUAL(key.dst_addr[15], t->from ? t->from + 1 : 2);
	EQUAL(key.protocol, t->protocol ? t->protocol : IPPROTO_TCP);
	EQUAL(key.src_port, htons(t->src_port));
	EQUAL(key.dst_port, htons(t->dst_port));
	EQUAL(flags, t->flags);
	EQUAL(tcp_flags, t->tcp_flags);
	EQUAL(short_l4, t->short_l4);
	EQUAL(packets, t->packets ? t->packets : 1);
	EQUAL(bytes, t->bytes ? t->bytes : len - t->ip_offset);
}

#define DAMAGED .result = WEIR_DISSECTED_DAMAGED
#define TRUNCATED .result = WEIR_DISSECTED_TRUNCATED
#define NOT_IP .result = WEIR_DISSECTED_NOT_IP
#define ACK .src_port = 40001, .dst_port = 443, .tcp_flags = 0x10
#define TCP4 IP4("06", TCP("5010"))
#define TCP6 IP6("06", TCP("5010"))

static const struct test links[] = {
	{"IPv4", TCP4, IP, ACK},
	{"IPv6", TCP6, IP6, ACK, .six = true},
	{"IPv4, padded", TCP4, IP, .padding = 6, ACK},
	{"IPv6 as IPv4", TCP6, IP, DAMAGED},
	{"IPv4 as IPv6", TCP4, IP6, DAMAGED},
	{"nothing", "", IP, TRUNCATED},
	{"ARP", "0001080006040001", 0x0806, NOT_IP},
	{"no ethertype", TCP4, 0xffff, NOT_IP},

	{"VLAN", "0064 0800" TCP4, VLAN, ACK, .vlan = 100, .ip_offset = 4},
	{"VLAN, padded", "0064 0800" TCP4, VLAN, .padding = 6, ACK, .vlan = 100, .ip_offset = 4},
	{"priority and DEI are no VLAN", "f064 86dd" TCP6, VLAN, ACK, .vlan = 100, .six = true,
	 .ip_offset = 4},
	{"priority without a VLAN", "e000 0800" TCP4, VLAN, ACK, .ip_offset = 4},
	{"VLAN behind a priority", "e000 8100 0007 0800" TCP4, VLAN, ACK, .vlan = 7,
	 .ip_offset = 8},
	{"the last VLAN", "0fff 0800" TCP4, VLAN, ACK, .vlan = 4095, .ip_offset = 4},
	{"QinQ", "0064 8100 00c8 0800" TCP4, QINQ, ACK, .vlan = 100, .inner_vlan = 200,
	 .ip_offset = 8},
	{"QinQ of old", "0064 8100 00c8 0800" TCP4, 0x9100, ACK, .vlan = 100, .inner_vlan = 200,
	 .ip_offset = 8},
	{"three tags: the outer two", "0001 8100 0002 8100 0003 0800" TCP4, QINQ, ACK, .vlan = 1,
	 .inner_vlan = 2, .ip_offset = 12},
	{"the card took the tag", TCP4, IP, .known_vlan = 9, ACK, .vlan = 9},
	{"the card took the outer tag", "0064 0800" TCP4, VLAN, .known_vlan = 9, ACK, .vlan = 9,
	 .inner_vlan = 100, .ip_offset = 4},
	{"both are known", TCP4, .known_vlan = 9, .known_inner_vlan = 10, ACK, .vlan = 9,
	 .inner_vlan = 10},
	{"tag cut", "0064 08", VLAN, TRUNCATED},
	{"inner tag cut", "0064 8100 00", VLAN, TRUNCATED},
	{"VLAN of ARP", "0064 0806 0001080006040001", VLAN, NOT_IP},
	{"VLAN of damaged IP", "0064 0800 44000014", VLAN, TRUNCATED},
	{"16 tags", "0001 8100 0002 8100 0003 8100 0004 8100 0005 8100 0006 8100 0007 8100 0008 8100"
	 "0009 8100 000a 8100 000b 8100 000c 8100 000d 8100 000e 8100 000f 8100 0010 0800" TCP4,
	 VLAN, ACK, .vlan = 1, .inner_vlan = 2, .ip_offset = 64},
	{"17 tags", "0001 8100 0002 8100 0003 8100 0004 8100 0005 8100 0006 8100 0007 8100 0008 8100"
	 "0009 8100 000a 8100 000b 8100 000c 8100 000d 8100 000e 8100 000f 8100 0010 8100 0011 0800"
	 TCP4, VLAN, NOT_IP},

	{"MPLS, bottom of stack", "00064140" TCP4, MPLS, ACK, .mpls = 100, .ip_offset = 4},
	{"MPLS multicast", "00064140" TCP4, 0x8848, ACK, .mpls = 100, .ip_offset = 4},
	{"MPLS, IPv6", "00064140" TCP6, MPLS, ACK, .mpls = 100, .six = true, .ip_offset = 4},
	{"MPLS, three labels: the top", "00064040 000c8040 fffff140" TCP4, MPLS, ACK, .mpls = 100,
	 .ip_offset = 12},
	{"MPLS, padded", "00064140" TCP4, MPLS, .padding = 9, ACK, .mpls = 100, .ip_offset = 4},
	{"MPLS, explicit null", "00000140" TCP4, MPLS, ACK, .ip_offset = 4},
	{"MPLS, IPv6 explicit null", "00002140" TCP6, MPLS, ACK, .mpls = 2, .six = true,
	 .ip_offset = 4},
	{"MPLS, explicit null of the other version", "00000140" TCP6, MPLS, DAMAGED},
	{"MPLS, explicit null, damaged", "00000140 45000013" IP4("06", ""), MPLS, DAMAGED},
	{"MPLS, pseudowire", "00064140 00000000 020000000001 020000000002 0800" TCP4, MPLS, NOT_IP},
	{"MPLS, MAC address that looks like IPv4",
	 "00064140 4500ffffffff 020000000002 0800" TCP4, MPLS, NOT_IP},
	{"MPLS, nothing below", "00064140", MPLS, NOT_IP},
	{"MPLS, stack cut", "00064040 0006", MPLS, TRUNCATED},
	{"VLAN, MPLS", "0064 8847 00064140" TCP4, VLAN, ACK, .vlan = 100, .mpls = 100,
	 .ip_offset = 8},

	{"PPPoE", "1100 1234 EEEE 0021" TCP4, PPPOE, ACK, .pppoe = 0x1234, .ip_offset = 8},
	{"PPPoE, IPv6", "1100 1234 EEEE 0057" TCP6, PPPOE, ACK, .pppoe = 0x1234, .six = true,
	 .ip_offset = 8},
	{"PPPoE, padded", "1100 1234 EEEE 0021" TCP4, PPPOE, .padding = 4, ACK, .pppoe = 0x1234,
	 .ip_offset = 8},
	{"PPPoE, protocol in a byte", "1100 1234 EEEE 21" TCP4, PPPOE, ACK, .pppoe = 0x1234,
	 .ip_offset = 7},
	{"PPPoE, MPLS", "1100 1234 EEEE 0281 00064140" TCP4, PPPOE, ACK, .pppoe = 0x1234,
	 .mpls = 100, .ip_offset = 12},
	{"VLAN, PPPoE", "0007 8864 1100 1234 EEEE 0021" TCP4, VLAN, ACK, .vlan = 7,
	 .pppoe = 0x1234, .ip_offset = 12},
	{"PPPoE, LCP", "1100 1234 EEEE c021 0900 0008 00000000", PPPOE, NOT_IP},
	{"PPPoE, compressed", "1100 1234 EEEE 002d 0102", PPPOE, NOT_IP},
	{"PPPoE, not a session", "1109 0000 EEEE 0021" TCP4, PPPOE, NOT_IP},
	{"PPPoE, version 2", "2100 1234 EEEE 0021" TCP4, PPPOE, NOT_IP},
	{"PPPoE discovery", "1109 0000 EEEE", 0x8863, NOT_IP},
	{"PPPoE, cut", "1100 1234 00", PPPOE, TRUNCATED},
	{"PPPoE, no protocol", "1100 1234 0000", PPPOE, TRUNCATED},
	{"PPPoE, longer than the frame", "1100 1234 002b 0021" TCP4, PPPOE, TRUNCATED},
	{"PPPoE, shorter than the packet", "1100 1234 0029 0021" TCP4, PPPOE, TRUNCATED},

	{"SNAP", "aaaa03 000000 0800" TCP4, 48, ACK, .ip_offset = 8},
	{"SNAP, as the kernel says it", "aaaa03 000000 86dd" TCP6, 4, ACK, .six = true,
	 .ip_offset = 8},
	{"VLAN, SNAP", "0064 0030 aaaa03 000000 0800" TCP4, VLAN, ACK, .vlan = 100,
	 .ip_offset = 12},
	{"SNAP of another organisation", "aaaa03 00000c 0800" TCP4, 48, NOT_IP},
	{"SNAP, no protocol", "aaaa03 000000 0004" TCP4, 48, NOT_IP},
	{"spanning tree", "424203 0000 00 00", 38, NOT_IP},
	{"SNAP where no length is", "aaaa03 000000 0800" TCP4, 0x0806, NOT_IP},
	{"SNAP in PPP", "1100 1234 EEEE 002d aaaa03 000000 0800" TCP4, PPPOE, NOT_IP},
	{"LLC, cut", "aaaa03", 3, NOT_IP},
};

#define IPIP_BIT (1U << WEIR_TUNNEL_IPIP)
#define GRE_BIT (1U << WEIR_TUNNEL_GRE)
#define VXLAN_BIT (1U << WEIR_TUNNEL_VXLAN)
#define GENEVE_BIT (1U << WEIR_TUNNEL_GENEVE)
#define GTPU_BIT (1U << WEIR_TUNNEL_GTPU)
#define ALL .look = WEIR_LOOK_INSIDE_ALL

#define IN4_AS(version, frag, proto, rest) \
	version "00 LLLL 0001" frag "20" proto "0000 0a000003 0a000004" rest
#define IN4(proto, rest) IN4_AS("45", "0000", proto, rest)
#define IN6(next, rest)                                                                            \
	"60000000 PPPP" next "20"                                                                  \
	"20010db8000000000000000000000003 20010db8000000000000000000000004" rest
#define IN_TCP4 IN4("06", TCP("5010"))
#define IN_TCP6 IN6("06", TCP("5010"))
#define IN2_TCP4 "4500 LLLL 0001 0000 20 06 0000 0a000005 0a000006" TCP("5010")
#define ETHER(type) "020000000003 020000000004" type
#define UDP_TO(port, rest) "c000" port "UUUU 0000" rest
#define VXLAN_VNI(vni, rest) UDP_TO("12b5", "08000000" vni "00" rest)
#define GENEVE(first, type, options, rest) \
	UDP_TO("17c1", first "00" type "00002a 00" options rest)
#define GTPU(flags, rest) UDP_TO("0868", flags "ff GGGG 12345678" rest)

/* The flow is what is outside. */
#define OUTER_IPIP .protocol = IPPROTO_IPIP
#define OUTER_GRE .protocol = IPPROTO_GRE
#define OUTER(to) .protocol = IPPROTO_UDP, .src_port = 0xc000, .dst_port = (to)
/* The flow is what is inside. */
#define IN(kind) ACK, .from = 3, .tunnel = WEIR_TUNNEL_##kind
#define IN_ID(kind, number) IN(kind), .id = (number)

static const struct test tunnels[] = {
	{"IPIP", IP4("04", IN_TCP4), ALL, IN(IPIP)},
	{"IPIP, not looked into", IP4("04", IN_TCP4), OUTER_IPIP},
	{"IPIP, others looked into", IP4("04", IN_TCP4), .look = ~IPIP_BIT, OUTER_IPIP},
	{"IPIP alone", IP4("04", IN_TCP4), .look = IPIP_BIT, IN(IPIP)},
	{"6in4", IP4("29", IN_TCP6), ALL, IN(IPIP), .six = true},
	{"4in6", IP6("04", IN_TCP4), ALL, IN(IPIP)},
	{"6in6", IP6("29", IN_TCP6), ALL, IN(IPIP), .six = true},
	{"4in6 behind destination options", IP6("3c", EXT("04") IN_TCP4), ALL, IN(IPIP)},
	{"IPIP, padded", IP4("04", IN_TCP4), .padding = 9, ALL, IN(IPIP)},
	{"IPIP, padded inside too", IP4("04", "4500 0028 0001 0000 2006 0000 0a000003 0a000004"
					TCP("5010") "000000"), ALL, IN(IPIP)},
	{"IPIP, the other version", IP4("04", IN_TCP6), ALL, OUTER_IPIP},
	{"6in4, the other version", IP4("29", IN_TCP4), ALL, .protocol = IPPROTO_IPV6},
	{"IPIP, inside too long",
	 IP4("04", "4500 0029 0001 0000 2006 0000 0a000003 0a000004" TCP("5010")), ALL, OUTER_IPIP},
	{"IPIP, inside too long, but for the padding",
	 IP4("04", "4500 0029 0001 0000 2006 0000 0a000003 0a000004" TCP("5010")), .padding = 9,
	 ALL, OUTER_IPIP},
	{"IPIP, inside damaged", IP4("04", IN4_AS("44", "0000", "06", TCP("5010"))), ALL,
	 OUTER_IPIP},
	{"IPIP, inside cut", IP4("04", "4500 0028 0001"), ALL, OUTER_IPIP},
	{"IPIP, TCP cut inside", IP4("04", IN4("06", PORTS "1234")), ALL, .from = 3,
	 .tunnel = WEIR_TUNNEL_IPIP, .src_port = 40001, .dst_port = 443, .short_l4 = true},
	{"IPIP, ICMP inside", IP4("04", IN4("01", "0800 0000 00010001")), ALL, .from = 3,
	 .tunnel = WEIR_TUNNEL_IPIP, .protocol = IPPROTO_ICMP, .dst_port = 0x0800},
	{"IPIP, first fragment outside", IP4_FRAG("2000", "04", IN_TCP4), ALL, OUTER_IPIP,
	 .flags = WEIR_FLOW_FRAGMENTS},
	{"IPIP, later fragment outside", IP4_FRAG("0005", "04", IN_TCP4), ALL, OUTER_IPIP,
	 .flags = WEIR_FLOW_FRAGMENTS, .where = WEIR_WHERE_LATER_FRAGMENT},
	{"IPIP, first fragment inside", IP4("04", IN4_AS("45", "2000", "06", TCP("5010"))), ALL,
	 IN(IPIP), .flags = WEIR_FLOW_FRAGMENTS},
	{"IPIP, later fragment inside", IP4("04", IN4_AS("45", "0005", "06", TCP("5010"))), ALL,
	 .from = 3, .tunnel = WEIR_TUNNEL_IPIP, .flags = WEIR_FLOW_FRAGMENTS,
	 .where = WEIR_WHERE_LATER_FRAGMENT},

	{"GRE", IP4("2f", "0000 0800" IN_TCP4), ALL, IN(GRE)},
	{"GRE, not looked into", IP4("2f", "0000 0800" IN_TCP4), .look = ~GRE_BIT, OUTER_GRE},
	{"GRE, IPv6 in IPv6", IP6("2f", "0000 86dd" IN_TCP6), ALL, IN(GRE), .six = true},
	{"GRE, key", IP4("2f", "2000 0800 00000007" IN_TCP4), ALL, IN_ID(GRE, 7)},
	{"GRE, checksum", IP4("2f", "8000 0800 00000007" IN_TCP4), ALL, IN(GRE)},
	{"GRE, sequence", IP4("2f", "1000 0800 00000007" IN_TCP4), ALL, IN(GRE)},
	{"GRE, all three", IP4("2f", "b000 0800 00000001 fedcba98 00000003" IN_TCP4), ALL,
	 IN_ID(GRE, 0xfedcba98)},
	{"GRE, the other version", IP4("2f", "0000 0800" IN_TCP6), ALL, OUTER_GRE},
	{"GRE, routing", IP4("2f", "4000 0800" IN_TCP4), ALL, OUTER_GRE},
	{"GRE, source route", IP4("2f", "0800 0800" IN_TCP4), ALL, OUTER_GRE},
	{"GRE, version 1", IP4("2f", "2001 880b 00000007" IN_TCP4), ALL, OUTER_GRE},
	{"GRE, keepalive", IP4("2f", "0000 0000"), ALL, OUTER_GRE},
	{"GRE, cut", IP4("2f", "0000 08"), ALL, OUTER_GRE},
	{"GRE, key cut", IP4("2f", "2000 0800 0000"), ALL, OUTER_GRE},
	{"GRE, nothing inside", IP4("2f", "0000 0800"), ALL, OUTER_GRE},
	{"GRE, Ethernet", IP4("2f", "2000 6558 00000007" ETHER("0800") IN_TCP4), ALL,
	 IN_ID(GRE, 7)},
	{"GRE, Ethernet, cut", IP4("2f", "0000 6558 020000000003 0200"), ALL, OUTER_GRE},
	{"GRE, Ethernet, ARP", IP4("2f", "0000 6558" ETHER("0806") "00010800"), ALL, OUTER_GRE},
	{"GRE, Ethernet, VLAN", IP4("2f", "0000 6558" ETHER("8100") "0064 0800" IN_TCP4), ALL,
	 IN(GRE), .vlan = 100},
	{"GRE, MPLS", IP4("2f", "0000 8847 00064140" IN_TCP4), ALL, IN(GRE), .mpls = 100},
	{"GRE, PPPoE inside is not this host's", IP4("2f", "0000 6558" ETHER("8864")
	 "1100 1234 EEEE 0021" IN_TCP4), ALL, IN(GRE)},
	{"GRE, MPLS, pseudowire", IP4("2f", "0000 8847 00064140 00000000" IN_TCP4), ALL, OUTER_GRE},
	{"GRE, ERSPAN", IP4("2f", "1000 88be 00000001 10000000 00000000" ETHER("0800") IN_TCP4),
	 ALL, OUTER_GRE},

	{"VXLAN", IP4("11", VXLAN_VNI("abcdef", ETHER("0800") IN_TCP4)), ALL,
	 IN_ID(VXLAN, 0xabcdef)},
	{"VXLAN, not looked into", IP4("11", VXLAN_VNI("abcdef", ETHER("0800") IN_TCP4)),
	 .look = ~VXLAN_BIT, OUTER(4789)},
	{"VXLAN, old port",
	 IP4("11", UDP_TO("2118", "08000000 00002a00" ETHER("86dd") IN_TCP6)), ALL,
	 IN_ID(VXLAN, 42), .six = true},
	{"VXLAN, other port", IP4("11", UDP_TO("12b4", "08000000 00002a00" ETHER("0800") IN_TCP4)),
	 ALL, OUTER(4788)},
	{"VXLAN over IPv6", IP6("11", VXLAN_VNI("00002a", ETHER("0800") IN_TCP4)), ALL,
	 IN_ID(VXLAN, 42)},
	{"VXLAN, VNI 0", IP4("11", VXLAN_VNI("000000", ETHER("0800") IN_TCP4)), ALL, IN(VXLAN)},
	{"VXLAN, group policy", IP4("11", UDP_TO("12b5", "88000007 00002a00" ETHER("0800") IN_TCP4)),
	 ALL, IN_ID(VXLAN, 42)},
	{"VXLAN without VNI", IP4("11", UDP_TO("12b5", "00000000 00002a00" ETHER("0800") IN_TCP4)),
	 ALL, OUTER(4789)},
	{"VXLAN, ARP", IP4("11", VXLAN_VNI("00002a", ETHER("0806") "00010800")), ALL, OUTER(4789)},
	{"VXLAN, cut", IP4("11", UDP_TO("12b5", "08000000 0000")), ALL, OUTER(4789)},
	{"VXLAN, UDP cut", IP4("11", "c00012b50008"), ALL, .protocol = IPPROTO_UDP,
	 .src_port = 0xc000, .dst_port = 4789, .short_l4 = true},
	{"VXLAN, padded inside",
	 IP4("11", VXLAN_VNI("00002a", ETHER("0800")
			     "4500 0028 0001 0000 2006 0000 0a000003 0a000004" TCP("5010")
			     "000000000000")), ALL, IN_ID(VXLAN, 42)},
	{"VXLAN, tagged inside",
	 IP4("11", VXLAN_VNI("00002a", ETHER("8100") "0064 0800" IN_TCP4)), ALL,
	 IN_ID(VXLAN, 42), .vlan = 100},
	{"VXLAN, tagged outside and inside",
	 "0007 0800" IP4("11", VXLAN_VNI("00002a", ETHER("8100") "0064 0800" IN_TCP4)), VLAN, ALL,
	 IN_ID(VXLAN, 42), .vlan = 7, .inner_vlan = 100, .ip_offset = 4},
	{"VXLAN behind PPPoE", "1100 1234 EEEE 0021"
	 IP4("11", VXLAN_VNI("00002a", ETHER("0800") IN_TCP4)), PPPOE, ALL, IN_ID(VXLAN, 42),
	 .pppoe = 0x1234, .ip_offset = 8},

	{"GENEVE", IP4("11", GENEVE("00", "6558", "", ETHER("0800") IN_TCP4)), ALL,
	 IN_ID(GENEVE, 42)},
	{"GENEVE, not looked into", IP4("11", GENEVE("00", "6558", "", ETHER("0800") IN_TCP4)),
	 .look = ~GENEVE_BIT, OUTER(6081)},
	{"GENEVE, options", IP4("11", GENEVE("02", "6558", "0102800100000001", ETHER("0800")
					     IN_TCP4)), ALL, IN_ID(GENEVE, 42)},
	{"GENEVE, IP", IP4("11", GENEVE("01", "86dd", "01028000", IN_TCP6)), ALL,
	 IN_ID(GENEVE, 42), .six = true},
	{"GENEVE, options beyond the packet", IP4("11", GENEVE("3f", "0800", "", IN_TCP4)), ALL,
	 OUTER(6081)},
	{"GENEVE, version 1", IP4("11", GENEVE("40", "0800", "", IN_TCP4)), ALL, OUTER(6081)},
	{"GENEVE, control", IP4("11", UDP_TO("17c1", "0080 0800 00002a00" IN_TCP4)), ALL,
	 OUTER(6081)},
	{"GENEVE, cut", IP4("11", UDP_TO("17c1", "0000 0800")), ALL, OUTER(6081)},

	{"GTP-U", IP4("11", GTPU("30", IN_TCP4)), ALL, IN_ID(GTPU, 0x12345678)},
	{"GTP-U, not looked into", IP4("11", GTPU("30", IN_TCP4)), .look = ~GTPU_BIT, OUTER(2152)},
	{"GTP-U, IPv6", IP6("11", GTPU("30", IN_TCP6)), ALL, IN_ID(GTPU, 0x12345678), .six = true},
	{"GTP-U, sequence", IP4("11", GTPU("32", "0001 00 00" IN_TCP4)), ALL,
	 IN_ID(GTPU, 0x12345678)},
	{"GTP-U, next extension without its flag", IP4("11", GTPU("32", "0001 00 85" IN_TCP4)), ALL,
	 IN_ID(GTPU, 0x12345678)},
	{"GTP-U, extension flag, none", IP4("11", GTPU("34", "0000 00 00" IN_TCP4)), ALL,
	 IN_ID(GTPU, 0x12345678)},
	{"GTP-U, PDU session container", IP4("11", GTPU("34", "0000 00 85 01 0009 00" IN_TCP4)), ALL,
	 IN_ID(GTPU, 0x12345678)},
	{"GTP-U, two extensions",
	 IP4("11", GTPU("34", "0000 00 c0 02 0000 00000000 85 01 0009 00" IN_TCP4)), ALL,
	 IN_ID(GTPU, 0x12345678)},
	{"GTP-U, four extensions",
	 IP4("11", GTPU("34", "0000 00 85 01 0000 85 01 0000 85 01 0000 85 01 0000 00" IN_TCP4)), ALL,
	 IN_ID(GTPU, 0x12345678)},
	{"GTP-U, five extensions",
	 IP4("11", GTPU("34", "0000 00 85 01 0000 85 01 0000 85 01 0000 85 01 0000 85 01 0000 00"
			IN_TCP4)), ALL, OUTER(2152)},
	{"GTP-U, extension of no length", IP4("11", GTPU("34", "0000 00 85 00 000900" IN_TCP4)), ALL,
	 OUTER(2152)},
	{"GTP-U, extension beyond the packet", IP4("11", GTPU("34", "0000 00 85 ff 000900")), ALL,
	 OUTER(2152)},
	{"GTP-U, echo", IP4("11", UDP_TO("0868", "3201 0004 00000000 00000000")), ALL, OUTER(2152)},
	{"GTP-U, version 2", IP4("11", GTPU("50", IN_TCP4)), ALL, OUTER(2152)},
	{"GTP prime", IP4("11", GTPU("20", IN_TCP4)), ALL, OUTER(2152)},
	{"GTP-U, longer than the packet",
	 IP4("11", UDP_TO("0868", "30ff 0029 12345678" IN_TCP4)), ALL, OUTER(2152)},
	{"GTP-U, shorter than what is inside",
	 IP4("11", UDP_TO("0868", "30ff 0027 12345678" IN_TCP4)), ALL, OUTER(2152)},
	{"GTP-U, Ethernet inside", IP4("11", GTPU("30", ETHER("0800") IN_TCP4)), ALL, OUTER(2152)},

	{"GRE in VXLAN: the key's", IP4("11", VXLAN_VNI("00002a", ETHER("0800")
	 IN4("2f", "2000 0800 00000007" IN2_TCP4))), ALL, ACK, .from = 5,
	 .tunnel = WEIR_TUNNEL_GRE, .id = 7},
	{"GRE without a key in VXLAN: the VNI", IP4("11", VXLAN_VNI("00002a", ETHER("0800")
	 IN4("2f", "0000 0800" IN2_TCP4))), ALL, ACK, .from = 5, .tunnel = WEIR_TUNNEL_VXLAN,
	 .id = 42},
	{"IPIP in VXLAN: the VNI", IP4("11", VXLAN_VNI("00002a", ETHER("0800")
	 IN4("04", IN2_TCP4))), ALL, ACK, .from = 5, .tunnel = WEIR_TUNNEL_VXLAN, .id = 42},
	{"VXLAN in IPIP", IP4("04", IN4("11", VXLAN_VNI("00002a", ETHER("0800") IN2_TCP4))), ALL,
	 ACK, .from = 5, .tunnel = WEIR_TUNNEL_VXLAN, .id = 42},
	{"GRE in IPIP: the innermost", IP4("04", IN4("2f", "0000 0800" IN2_TCP4)), ALL, ACK,
	 .from = 5, .tunnel = WEIR_TUNNEL_GRE},
	{"IPIP in VXLAN, IPIP not looked into", IP4("11", VXLAN_VNI("00002a", ETHER("0800")
	 IN4("04", IN2_TCP4))), .look = VXLAN_BIT, .from = 3, .protocol = IPPROTO_IPIP,
	 .tunnel = WEIR_TUNNEL_VXLAN, .id = 42},
	{"three tunnels: two are entered",
	 IP4("04", IN4("04", "4500 LLLL 0001 0000 2004 0000 0a000005 0a000006" IN2_TCP4)), ALL,
	 .from = 5, .protocol = IPPROTO_IPIP, .tunnel = WEIR_TUNNEL_IPIP},
};

#define DATA24 "0102030405060708 0102030405060708 0102030405060708"
#define IN_DATA IN4("06", TCP("5010") DATA24)
#define IN_SEGMENTS(kind, number) IN_ID(kind, number), .flags = WEIR_FLOW_GSO
/* Outside 20, UDP 8, VXLAN 8, Ethernet 14, inside 20, TCP 20. */
#define VXLAN_DATA IP4("11", VXLAN_VNI("00002a", ETHER("0800") IN_DATA))

static const struct test super[] = {
	{"VXLAN, looked into", VXLAN_DATA, ALL, .gso_segs = 3, .gso_size = 8, .gso_headers = 90,
	 IN_SEGMENTS(VXLAN, 42), .packets = 3, .bytes = 90 + 24 + 2 * 90},
	{"VXLAN, not looked into", VXLAN_DATA, .gso_segs = 3, .gso_size = 8, .gso_headers = 90,
	 OUTER(4789), .flags = WEIR_FLOW_GSO, .packets = 3, .bytes = 90 + 24 + 2 * 90},
	{"VXLAN, looked into, the stack does not say", VXLAN_DATA, ALL, .gso_segs = 3,
	 .gso_size = 8, IN_SEGMENTS(VXLAN, 42), .packets = 3, .bytes = 90 + 24 + 2 * 90},
	{"VXLAN, not looked into, the stack does not say", VXLAN_DATA, .gso_segs = 3,
	 .gso_size = 8, OUTER(4789), .flags = WEIR_FLOW_GSO, .packets = 3,
	 .bytes = 90 + 24 + 2 * 90},
	{"VXLAN, recounted", VXLAN_DATA, ALL, .gso_segs = 77, .gso_size = 8, .gso_recount = true,
	 IN_SEGMENTS(VXLAN, 42), .packets = 3, .bytes = 90 + 24 + 2 * 90},
	{"VXLAN behind a tag", "0007 0800" VXLAN_DATA, VLAN, ALL, .gso_segs = 3, .gso_size = 8,
	 .gso_headers = 94, IN_SEGMENTS(VXLAN, 42), .packets = 3, .bytes = 90 + 24 + 2 * 90,
	 .vlan = 7, .ip_offset = 4},
	{"datagrams to VXLAN's port", VXLAN_DATA, ALL, .gso_segs = 3, .gso_size = 29,
	 .gso_udp = true, OUTER(4789), .flags = WEIR_FLOW_GSO, .packets = 3,
	 .bytes = 114 + 2 * 28},
	{"datagrams in VXLAN",
	 IP4("11", VXLAN_VNI("00002a", ETHER("0800") IN4("11", UDP_TO("0050", DATA24)))), ALL,
	 .gso_segs = 3, .gso_size = 8, .gso_headers = 78, .gso_udp = true, .from = 3,
	 .tunnel = WEIR_TUNNEL_VXLAN, .id = 42, .protocol = IPPROTO_UDP, .src_port = 0xc000,
	 .dst_port = 80, .flags = WEIR_FLOW_GSO, .packets = 3, .bytes = 78 + 24 + 2 * 78},
	{"GTP-U datagrams in VXLAN: each has its own inside",
	 IP4("11", VXLAN_VNI("00002a", ETHER("0800") IN4("11", GTPU("30", IN2_TCP4)))), ALL,
	 .gso_segs = 2, .gso_size = 24, .gso_headers = 78, .gso_udp = true, .from = 3,
	 .tunnel = WEIR_TUNNEL_VXLAN, .id = 42, .protocol = IPPROTO_UDP, .src_port = 0xc000,
	 .dst_port = 2152, .flags = WEIR_FLOW_GSO, .packets = 2, .bytes = 78 + 48 + 78},
	{"IPIP of a BIG TCP inside", "4500 0000 0001 0000 4004 0000 0a000001 0a000002"
	 "4500 0000 0001 0000 2006 0000 0a000003 0a000004" TCP("5010") DATA24, ALL, .gso_segs = 3,
	 .gso_size = 8, .gso_headers = 60, IN_SEGMENTS(IPIP, 0), .packets = 3,
	 .bytes = 60 + 24 + 2 * 60},
	{"6in6 of a BIG TCP with the option inside", "60000000 0000 2940" ADDRESSES6
	 "60000000 0000 0020 20010db8000000000000000000000003 20010db8000000000000000000000004"
	 "0600c20400010000" TCP("5010") DATA24, ALL, .gso_segs = 3, .gso_size = 8,
	 IN_SEGMENTS(IPIP, 0), .six = true, .packets = 3, .bytes = 100 + 24 + 2 * 100},
	{"TCP behind PPPoE: its length is one segment's", "1100 1234 0032 0021"
	 IP4("06", TCP("5010") DATA24), PPPOE, .gso_segs = 3, .gso_size = 8, ACK,
	 .pppoe = 0x1234, .flags = WEIR_FLOW_GSO, .ip_offset = 8, .packets = 3,
	 .bytes = 64 + 2 * 40},
	{"TCP behind MPLS", "00064140" IP4("06", TCP("5010") DATA24), MPLS, .gso_segs = 3,
	 .gso_size = 8, .gso_headers = 44, ACK, .mpls = 100, .flags = WEIR_FLOW_GSO,
	 .ip_offset = 4, .packets = 3, .bytes = 64 + 2 * 40},
};

START_TEST(link_table)
{
	check(&links[_i]);
}
END_TEST

START_TEST(tunnel_table)
{
	check(&tunnels[_i]);
}
END_TEST

START_TEST(super_table)
{
	check(&super[_i]);
}
END_TEST

/*
 * Cut anywhere, a tunnelled packet is truncated. With the outer length set to what is there,
 * it is a packet of the outer flow until the inner IP packet is whole, which is at its end.
 */
START_TEST(cut_tunnel)
{
	const struct weir_frame frame = {0};
	const struct as all = {0, WEIR_LOOK_INSIDE_ALL};
	struct bytes b = parse(tunnels[_i].hex);
	const bool six = b.at[0] >> 4 == 6;
	const u32 len = b.len;
	struct weir_packet p;

	if (tunnels[_i].ethertype)
		return;
	for (b.len = 0; b.len < len; b.len++)
		ck_assert_int_eq(look_as(tunnels[_i].name, &b, &frame, all, &p),
				 WEIR_DISSECTED_TRUNCATED);
	if (tunnels[_i].padding || strstr(tunnels[_i].name, "padded"))
		return;
	for (b.len = six ? 48 : 20; b.len < len; b.len++) {
		put16(&b, six ? 4 : 2, six ? b.len - 40 : b.len);
		ck_assert(!look_as(tunnels[_i].name, &b, &frame, all, &p));
		ck_assert_uint_eq(p.key.src_addr[15], 1);
		ck_assert_uint_eq(p.key.where & WEIR_WHERE_TUNNEL_MASK, 0);
		ck_assert_uint_eq(p.key.tunnel_id, 0);
		ck_assert_uint_eq(p.bytes, b.len);
	}
}
END_TEST

START_TEST(every_skip_reason)
{
	ck_assert_uint_eq(weir_dissected_skip(WEIR_DISSECTED_TRUNCATED), WEIR_SKIP_TRUNCATED);
	ck_assert_uint_eq(weir_dissected_skip(WEIR_DISSECTED_DAMAGED), WEIR_SKIP_DAMAGED);
	ck_assert_uint_eq(weir_dissected_skip(WEIR_DISSECTED_NOT_IP), WEIR_SKIP_NOT_IP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dissect_frame");
	TCase *tcase = tcase_create("dissect_frame");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, link_table, 0, sizeof(links) / sizeof(*links));
	tcase_add_loop_test(tcase, tunnel_table, 0, sizeof(tunnels) / sizeof(*tunnels));
	tcase_add_loop_test(tcase, super_table, 0, sizeof(super) / sizeof(*super));
	tcase_add_loop_test(tcase, cut_tunnel, 0, sizeof(tunnels) / sizeof(*tunnels));
	tcase_add_test(tcase, every_skip_reason);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
