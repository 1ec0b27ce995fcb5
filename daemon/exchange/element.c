// SPDX-License-Identifier: GPL-2.0
/*
 * element.c - the information elements. Names, numbers, and types are those of IANA's registry
 * "IPFIX Information Elements"; a member that has none there gets one under WEIR_IPFIX_ENTERPRISE.
 */
#include "daemon/exchange/element.h"

#include <endian.h>
#include <stddef.h>
#include <string.h>

#include "daemon/exchange/ipfix.h"

#define MEMBER(m)    offsetof(struct weir_flow, m), sizeof(((struct weir_flow *)0)->m)
#define NONE	     0, 0
#define ALL	     WEIR_IPFIX_IN_ALL
#define BOTH(of)     ((of) | (of) << WEIR_IPFIX_WITH_TAIL)
#define V4	     BOTH(WEIR_IPFIX_IN_IPV4 | WEIR_IPFIX_IN_ICMP4)
#define V6	     BOTH(WEIR_IPFIX_IN_IPV6 | WEIR_IPFIX_IN_ICMP6)
#define PORTS	     BOTH(WEIR_IPFIX_IN_IPV4 | WEIR_IPFIX_IN_IPV6)
#define TAIL	     WEIR_IPFIX_IN_TAILS
#define TYPE_OF(b)   ((b) == 8 ? 4 : (b) == 4 ? 3 : (b)) /* unsigned64, 32, 16, 8 */
#define IANA(id, bytes, kind, templates, ...) \
	{0, id, bytes, WEIR_IPFIX_##kind, templates, __VA_ARGS__, 0, 0, 0, NULL, NULL}
#define OURS_IN(templates, id, bytes, member, semantics, units, name, description)                \
	{WEIR_IPFIX_ENTERPRISE, id, bytes, WEIR_IPFIX_NUMBER, templates, MEMBER(member), \
	 TYPE_OF(bytes), semantics, units, name, description}
#define OURS(...) OURS_IN(ALL, __VA_ARGS__)

/* Of RFC 5610's registries of semantics and units. */
enum { DELTA_COUNTER = 3, IDENTIFIER = 4, FLAGS = 5 };
enum { NO_UNIT = 0, PACKETS = 3, NANOSECONDS = 8 };

const struct weir_ipfix_element weir_ipfix_elements[] = {
	/* Milliseconds for those who read nothing finer, and because they do not wrap in 2036. */
	IANA(152, 8, TIME, ALL, WEIR_IPFIX_START, WEIR_IPFIX_MS), /* flowStartMilliseconds */
	IANA(153, 8, TIME, ALL, WEIR_IPFIX_END, WEIR_IPFIX_MS), /* flowEndMilliseconds */
	IANA(156, 8, TIME, ALL, WEIR_IPFIX_START, WEIR_IPFIX_NTP_NS), /* flowStartNanoseconds */
	IANA(157, 8, TIME, ALL, WEIR_IPFIX_END, WEIR_IPFIX_NTP_NS), /* flowEndNanoseconds */
	IANA(1, 8, NUMBER, ALL, MEMBER(bytes)), /* octetDeltaCount */
	IANA(2, 8, NUMBER, ALL, MEMBER(packets)), /* packetDeltaCount */
	IANA(8, 4, IPV4, V4, MEMBER(src_addr)), /* sourceIPv4Address */
	IANA(12, 4, IPV4, V4, MEMBER(dst_addr)), /* destinationIPv4Address */
	IANA(27, 16, OCTETS, V6, MEMBER(src_addr)), /* sourceIPv6Address */
	IANA(28, 16, OCTETS, V6, MEMBER(dst_addr)), /* destinationIPv6Address */
	IANA(7, 2, NUMBER, PORTS, MEMBER(src_port)), /* sourceTransportPort */
	IANA(11, 2, NUMBER, PORTS, MEMBER(dst_port)), /* destinationTransportPort */
	IANA(32, 2, ICMP, BOTH(WEIR_IPFIX_IN_ICMP4), MEMBER(dst_port)), /* icmpTypeCodeIPv4 */
	IANA(139, 2, ICMP, BOTH(WEIR_IPFIX_IN_ICMP6), MEMBER(dst_port)), /* icmpTypeCodeIPv6 */
	IANA(4, 1, NUMBER, ALL, MEMBER(protocol)), /* protocolIdentifier */
	IANA(60, 1, NUMBER, ALL, MEMBER(ip_version)), /* ipVersion */
	IANA(5, 1, NUMBER, ALL, MEMBER(tos)), /* ipClassOfService */
	IANA(52, 1, NUMBER, ALL, MEMBER(min_ttl)), /* minimumTTL */
	IANA(6, 2, NUMBER, ALL, MEMBER(tcp_flags)), /* tcpControlBits */
	IANA(58, 2, NUMBER, ALL, MEMBER(vlan_id)), /* vlanId */
	IANA(10, 4, NUMBER, ALL, MEMBER(in_ifindex)), /* ingressInterface */
	IANA(14, 4, NUMBER, ALL, MEMBER(out_ifindex)), /* egressInterface */
	IANA(56, 6, OCTETS, ALL, MEMBER(src_mac)), /* sourceMacAddress */
	IANA(80, 6, OCTETS, ALL, MEMBER(dst_mac)), /* destinationMacAddress */
	IANA(136, 1, NUMBER, ALL, MEMBER(end_reason)), /* flowEndReason */
	IANA(61, 1, DIRECTION, ALL, MEMBER(observed)), /* flowDirection */
	/* What IANA has no element for. */
	OURS(1, 1, observed, IDENTIFIER, NO_UNIT, "weirObservedAt",
	     "where the flow was seen: 1 forwarded, 2 to this host, 3 from this host, 4 before routing, "
	     "5 in a bridge, 6 ingress, 7 egress of an interface"),
	OURS(2, 8, second_ns, IDENTIFIER, NANOSECONDS, "weirSecondPacketTime",
	     "time of the second packet, nanoseconds since 1970 UTC, 0: there was none"),
	OURS(3, 8, payload_ns, IDENTIFIER, NANOSECONDS, "weirFirstPayloadTime",
	     "time of the first TCP payload, nanoseconds since 1970 UTC, 0: there was none"),
	OURS(4, 4, mark, IDENTIFIER, NO_UNIT, "weirPacketMark",
	     "the kernel's mark on the first packet"),
	OURS(5, 4, fragments, DELTA_COUNTER, PACKETS, "weirFragmentDeltaCount",
	     "packets that were fragments"),
	OURS(6, 4, retransmitted, DELTA_COUNTER, PACKETS, "weirRetransmittedDeltaCount",
	     "TCP segments wholly below the highest seen"),
	OURS(7, 4, out_of_order, DELTA_COUNTER, PACKETS, "weirOutOfOrderDeltaCount",
	     "TCP segments beyond the next expected"),
	OURS(8, 2, flags, FLAGS, NO_UNIT, "weirFlowFlags",
	     "1 fragments, 2 later fragments without ports, 4 out of IPsec, 8 super-packets, 16 partial"),
	/* Of flows that have a tail. */
	IANA(225, 4, NAT4, V4 & TAIL, MEMBER(nat_src_high)), /* postNATSourceIPv4Address */
	IANA(226, 4, NAT4, V4 & TAIL, MEMBER(nat_dst_high)), /* postNATDestinationIPv4Address */
	IANA(281, 16, NAT6, V6 & TAIL, MEMBER(nat_src_high)), /* postNATSourceIPv6Address */
	IANA(282, 16, NAT6, V6 & TAIL, MEMBER(nat_dst_high)), /* postNATDestinationIPv6Address */
	IANA(227, 2, NUMBER, TAIL, MEMBER(nat_src_port)), /* postNAPTSourceTransportPort */
	IANA(228, 2, NUMBER, TAIL, MEMBER(nat_dst_port)), /* postNAPTDestinationTransportPort */
	IANA(245, 2, NUMBER, TAIL, MEMBER(inner_vlan_id)), /* dot1qCustomerVlanId */
	IANA(70, 3, MPLS, TAIL, MEMBER(mpls_label)), /* mplsTopLabelStackSection */
	IANA(34, 4, NUMBER, TAIL, MEMBER(sampling)), /* samplingInterval */
	OURS_IN(TAIL, 9, 1, sampling_method, IDENTIFIER, NO_UNIT, "weirSamplingMethod",
		"how one of samplingInterval is chosen: 0 packets at random, 1 flows by hash"),
	OURS_IN(TAIL, 10, 1, tunnel, IDENTIFIER, NO_UNIT, "weirTunnel",
		"what the flow was in: 0 nothing, 1 IP, 2 GRE, 3 VXLAN, 4 GENEVE, 5 GTP-U"),
	OURS_IN(TAIL, 11, 4, tunnel_id, IDENTIFIER, NO_UNIT, "weirTunnelId",
		"the tunnel's key, VNI or TEID"),
	OURS_IN(TAIL, 12, 4, netns, IDENTIFIER, NO_UNIT, "weirNetworkNamespace",
		"inode number of the network namespace, 0: the meter's own"),
	OURS_IN(TAIL, 13, 2, pppoe_session, IDENTIFIER, NO_UNIT, "weirPppoeSession",
		"the PPPoE session of the first packet, 0: none"),
	/* Read only: what others write instead. */
	IANA(85, 0, SPARE, 0, MEMBER(bytes)), /* octetTotalCount */
	IANA(86, 0, SPARE, 0, MEMBER(packets)), /* packetTotalCount */
	IANA(22, 0, TIME, 0, WEIR_IPFIX_START, WEIR_IPFIX_UPTIME_MS), /* flowStartSysUpTime */
	IANA(21, 0, TIME, 0, WEIR_IPFIX_END, WEIR_IPFIX_UPTIME_MS), /* flowEndSysUpTime */
	IANA(150, 0, TIME, 0, WEIR_IPFIX_START, WEIR_IPFIX_S), /* flowStartSeconds */
	IANA(151, 0, TIME, 0, WEIR_IPFIX_END, WEIR_IPFIX_S), /* flowEndSeconds */
	IANA(154, 0, TIME, 0, WEIR_IPFIX_START, WEIR_IPFIX_NTP_US), /* flowStartMicroseconds */
	IANA(155, 0, TIME, 0, WEIR_IPFIX_END, WEIR_IPFIX_NTP_US), /* flowEndMicroseconds */
	IANA(158, 0, TIME, 0, WEIR_IPFIX_START, WEIR_IPFIX_DELTA_US), /* flowStartDeltaMicroseconds */
	IANA(159, 0, TIME, 0, WEIR_IPFIX_END, WEIR_IPFIX_DELTA_US), /* flowEndDeltaMicroseconds */
	IANA(176, 0, ICMP_TYPE, 0, MEMBER(dst_port)), /* icmpTypeIPv4 */
	IANA(177, 0, ICMP_CODE, 0, MEMBER(dst_port)), /* icmpCodeIPv4 */
	IANA(178, 0, ICMP_TYPE, 0, MEMBER(dst_port)), /* icmpTypeIPv6 */
	IANA(179, 0, ICMP_CODE, 0, MEMBER(dst_port)), /* icmpCodeIPv6 */
	IANA(195, 0, DSCP, 0, MEMBER(tos)), /* ipDiffServCodePoint */
	IANA(192, 0, SPARE, 0, MEMBER(min_ttl)), /* ipTTL */
	IANA(243, 0, SPARE, 0, MEMBER(vlan_id)), /* dot1qVlanId */
	IANA(305, 0, SPARE, 0, MEMBER(sampling)), /* samplingPacketInterval */
	IANA(160, 0, BOOT, 0, NONE), /* systemInitTimeMilliseconds */
	IANA(300, 0, NAME, 0, NONE), /* observationDomainName */
	{0},
};

const struct weir_ipfix_element *weir_ipfix_element_find(uint32_t enterprise, uint16_t id)
{
	const struct weir_ipfix_element *element = weir_ipfix_elements;

	/* Once a field of a template, so a search is fast enough. */
	for (; element->id; element++)
		if (element->id == id && element->enterprise == enterprise)
			return element;
	return NULL;
}

/* Not 0.0.0.0 or ::, which are as good as none. */
static bool is_some(uint64_t high, uint64_t low)
{
	return high || (low && low != 0xffffULL << 32);
}

static void turn(struct weir_flow *flow, uint8_t address[16], uint16_t *port, uint64_t *nat_high,
		 uint64_t *nat_low, uint16_t *nat_port)
{
	uint64_t high, low;
	uint16_t own = *port;

	memcpy(&high, address, 8);
	memcpy(&low, address + 8, 8);
	high = be64toh(high);
	low = be64toh(low);
	if (is_some(high, low) && is_some(*nat_high, *nat_low)) {
		weir_flow_address(*nat_high, *nat_low, address);
		*nat_high = high;
		*nat_low = low;
	}
	if (own && *nat_port && flow->protocol != 1 && flow->protocol != 58) {
		*port = *nat_port;
		*nat_port = own;
	}
}

/* Where either is zero there is nothing to turn; so turning twice is as not turning. */
void weir_ipfix_turn_nat(struct weir_flow *flow)
{
	bool leaves = flow->observed == WEIR_OBSERVED_EGRESS;

	if (leaves)
		turn(flow, flow->src_addr, &flow->src_port, &flow->nat_src_high, &flow->nat_src_low,
		     &flow->nat_src_port);
	if (leaves || flow->observed == WEIR_OBSERVED_FORWARD ||
	    flow->observed == WEIR_OBSERVED_LOCAL_IN)
		turn(flow, flow->dst_addr, &flow->dst_port, &flow->nat_dst_high, &flow->nat_dst_low,
		     &flow->nat_dst_port);
}
