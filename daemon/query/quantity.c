// SPDX-License-Identifier: GPL-2.0
/* quantity.c - the numbers of a flow that have a name. A quantity is a row of the table below. */
#include "daemon/query/quantity.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/text.h"

enum {
	TCP_SYN = 0x02,
	TCP_ACK = 0x10,
	TCP_ALL = 0x1ff,
};

static uint64_t duration_ns(const struct weir_flow *flow)
{
	return flow->end_ns > flow->start_ns ? flow->end_ns - flow->start_ns : 0;
}

/* @count * @times a second over the flow's duration, rounded down. */
static bool rate(const struct weir_flow *flow, uint64_t count, unsigned times, uint64_t *value)
{
	unsigned __int128 scaled = (unsigned __int128)count * times * WEIR_NS_PER_SECOND;
	uint64_t ns = duration_ns(flow);

	if (!ns)
		return false;
	scaled /= ns;
	*value = scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
	return true;
}

static bool get_flows(const struct weir_flow *flow, uint64_t *value)
{
	*value = 1;
	return true;
}

static bool get_duration(const struct weir_flow *flow, uint64_t *value)
{
	*value = duration_ns(flow);
	return true;
}

static bool get_bps(const struct weir_flow *flow, uint64_t *value)
{
	return rate(flow, flow->bytes, 8, value);
}

static bool get_pps(const struct weir_flow *flow, uint64_t *value)
{
	return rate(flow, flow->packets, 1, value);
}

static bool get_bpp(const struct weir_flow *flow, uint64_t *value)
{
	if (!flow->packets)
		return false;
	*value = flow->bytes / flow->packets;
	return true;
}

/* TCP with its handshake in the record: an unanswered SYN never becomes an ACK. */
static bool has_handshake(const struct weir_flow *flow)
{
	return flow->protocol == IPPROTO_TCP &&
	       (flow->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

/*
 * From the client's SYN to its next packet, which answers the SYN+ACK. One direction
 * alone does not say which end the client is: it is taken to have the higher port, as
 * everywhere (field "service"). A repeated SYN would be taken for the answer; no
 * TCP repeats one within a second (RFC 6298), so what is longer and had
 * retransmissions is not known.
 */
static bool get_rtt(const struct weir_flow *flow, uint64_t *value)
{
	if (!has_handshake(flow) || flow->src_port <= flow->dst_port ||
	    flow->second_ns < flow->start_ns || !flow->second_ns)
		return false;
	*value = flow->second_ns - flow->start_ns;
	return !flow->retransmitted || *value < WEIR_NS_PER_SECOND;
}

/* From the server's SYN+ACK to the first data it sent. */
static bool get_response(const struct weir_flow *flow, uint64_t *value)
{
	if (!has_handshake(flow) || flow->src_port >= flow->dst_port ||
	    flow->payload_ns < flow->start_ns || !flow->payload_ns)
		return false;
	*value = flow->payload_ns - flow->start_ns;
	return true;
}

static bool get_dscp(const struct weir_flow *flow, uint64_t *value)
{
	*value = flow->tos >> 2;
	return true;
}

static bool get_ecn(const struct weir_flow *flow, uint64_t *value)
{
	*value = flow->tos & 3;
	return true;
}

static bool get_tcp_flags(const struct weir_flow *flow, uint64_t *value)
{
	*value = flow->tcp_flags & TCP_ALL;
	return flow->protocol == IPPROTO_TCP;
}

static bool is_icmp(const struct weir_flow *flow)
{
	return flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
}

static bool get_icmp_type(const struct weir_flow *flow, uint64_t *value)
{
	*value = flow->dst_port >> 8;
	return is_icmp(flow);
}

static bool get_icmp_code(const struct weir_flow *flow, uint64_t *value)
{
	*value = flow->dst_port & 255;
	return is_icmp(flow);
}

#define GET(member)                                                                                \
	static bool get_##member(const struct weir_flow *flow, uint64_t *value)                    \
	{                                                                                          \
		*value = flow->member;                                                             \
		return true;                                                                       \
	}
GET(packets)
GET(bytes)
GET(retransmitted)
GET(out_of_order)
GET(fragments)
GET(min_ttl)
GET(mark)
GET(vlan_id)
GET(tos)
GET(protocol)
GET(ip_version)
GET(end_reason)
GET(observed)
GET(flags)
GET(sampling)
GET(netns)
GET(tunnel)
GET(tunnel_id)
GET(inner_vlan_id)
GET(mpls_label)
GET(pppoe_session)

static bool get_nat(const struct weir_flow *flow, uint64_t *value)
{
	*value = flow->nat_src_high || flow->nat_src_low || flow->nat_dst_high ||
		 flow->nat_dst_low;
	return true;
}

/* How much traffic one counted packet stands for, or one flow when flows are chosen. */
static bool scaled(const struct weir_flow *flow, uint64_t count, uint64_t *value)
{
	uint64_t times = flow->sampling > 1 ? flow->sampling : 1;

	if (__builtin_mul_overflow(count, times, value))
		*value = UINT64_MAX;
	return true;
}

static bool get_scaled_bytes(const struct weir_flow *flow, uint64_t *value)
{
	return scaled(flow, flow->bytes, value);
}

static bool get_scaled_packets(const struct weir_flow *flow, uint64_t *value)
{
	return scaled(flow, flow->packets, value);
}

/* How many flows a sample of packets missed cannot be told. */
static bool get_scaled_flows(const struct weir_flow *flow, uint64_t *value)
{
	*value = 1;
	return flow->sampling_method == WEIR_SAMPLING_FLOWS ? scaled(flow, 1, value) : true;
}

#define BIT(id)	     WEIR_COLUMN_BIT(WEIR_COLUMN_##id)
#define PLAIN(id)    WEIR_COLUMN_##id, BIT(id)
#define COMPUTED(of) 0, (of)
#define TIMES	     (BIT(START_NS) | BIT(END_NS))
#define PORTS	     (BIT(SRC_PORT) | BIT(DST_PORT))
#define HANDSHAKE    (BIT(PROTOCOL) | BIT(TCP_FLAGS) | PORTS | BIT(START_NS))

static const struct weir_quantity table[] = {
	{"bytes", "bytes of IP packets, headers included", WEIR_UNIT_BYTES, true, true,
	 PLAIN(BYTES), get_bytes},
	{"packets", "packets", WEIR_UNIT_COUNT, true, true, PLAIN(PACKETS), get_packets},
	{"flows", "flow records: 1 for each", WEIR_UNIT_COUNT, true, true, COMPUTED(0), get_flows},
	{"duration", "from first to last packet", WEIR_UNIT_NS, true, true, COMPUTED(TIMES),
	 get_duration},
	{"bps", "bits a second over the duration", WEIR_UNIT_RATE, true, false,
	 COMPUTED(TIMES | BIT(BYTES)), get_bps},
	{"pps", "packets a second over the duration", WEIR_UNIT_RATE, true, false,
	 COMPUTED(TIMES | BIT(PACKETS)), get_pps},
	{"bpp", "bytes a packet", WEIR_UNIT_BYTES, true, false, COMPUTED(BIT(BYTES) | BIT(PACKETS)),
	 get_bpp},
	{"rtt", "round trip of the TCP handshake", WEIR_UNIT_NS, true, false,
	 COMPUTED(HANDSHAKE | BIT(SECOND_NS) | BIT(RETRANSMITTED)), get_rtt},
	{"response", "from a server's SYN+ACK to its first data", WEIR_UNIT_NS, true, false,
	 COMPUTED(HANDSHAKE | BIT(PAYLOAD_NS)), get_response},
	{"retransmitted", "TCP segments sent again", WEIR_UNIT_COUNT, true, true,
	 PLAIN(RETRANSMITTED), get_retransmitted},
	{"out_of_order", "TCP segments beyond the next expected", WEIR_UNIT_COUNT, true, true,
	 PLAIN(OUT_OF_ORDER), get_out_of_order},
	{"fragments", "packets that were fragments", WEIR_UNIT_COUNT, true, true, PLAIN(FRAGMENTS),
	 get_fragments},
	{"scaled_bytes", "bytes times the sampling rate", WEIR_UNIT_BYTES, true, true,
	 COMPUTED(BIT(BYTES) | BIT(SAMPLING)), get_scaled_bytes},
	{"scaled_packets", "packets times the sampling rate", WEIR_UNIT_COUNT, true, true,
	 COMPUTED(BIT(PACKETS) | BIT(SAMPLING)), get_scaled_packets},
	{"scaled_flows", "records times the rate at which flows were chosen", WEIR_UNIT_COUNT, true,
	 true, COMPUTED(BIT(SAMPLING) | BIT(SAMPLING_METHOD)), get_scaled_flows},
	{"ttl", "the least TTL or hop limit seen", WEIR_UNIT_NUMBER, true, false, PLAIN(MIN_TTL),
	 get_min_ttl},
	{"mark", "the mark of the first packet", WEIR_UNIT_NUMBER, false, false, PLAIN(MARK),
	 get_mark},
	{"vlan", "VLAN", WEIR_UNIT_NUMBER, false, false, PLAIN(VLAN_ID), get_vlan_id},
	{"tos", "the TOS or traffic class byte", WEIR_UNIT_NUMBER, false, false, PLAIN(TOS),
	 get_tos},
	{"dscp", "its upper six bits", WEIR_UNIT_NUMBER, false, false, COMPUTED(BIT(TOS)),
	 get_dscp},
	{"ecn", "its lower two bits", WEIR_UNIT_NUMBER, false, false, COMPUTED(BIT(TOS)), get_ecn},
	{"proto", "protocol", WEIR_UNIT_NUMBER, false, false, PLAIN(PROTOCOL), get_protocol},
	{"version", "IP version", WEIR_UNIT_NUMBER, false, false, PLAIN(IP_VERSION),
	 get_ip_version},
	{"icmp_type", "ICMP type", WEIR_UNIT_NUMBER, false, false,
	 COMPUTED(BIT(PROTOCOL) | BIT(DST_PORT)), get_icmp_type},
	{"icmp_code", "ICMP code", WEIR_UNIT_NUMBER, false, false,
	 COMPUTED(BIT(PROTOCOL) | BIT(DST_PORT)), get_icmp_code},
	{"tcp_flags", "TCP flags", WEIR_UNIT_NUMBER, false, false,
	 COMPUTED(BIT(PROTOCOL) | BIT(TCP_FLAGS)), get_tcp_flags},
	{"end_reason", "why the record ended", WEIR_UNIT_NUMBER, false, false, PLAIN(END_REASON),
	 get_end_reason},
	{"observed", "which hook saw the flow", WEIR_UNIT_NUMBER, false, false, PLAIN(OBSERVED),
	 get_observed},
	{"flow_flags", "WEIR_FLOW_*", WEIR_UNIT_NUMBER, false, false, PLAIN(FLAGS), get_flags},
	{"sampling", "one packet of so many was counted", WEIR_UNIT_NUMBER, false, false,
	 PLAIN(SAMPLING), get_sampling},
	{"netns", "network namespace", WEIR_UNIT_NUMBER, false, false, PLAIN(NETNS), get_netns},
	{"tunnel", "kind of tunnel", WEIR_UNIT_NUMBER, false, false, PLAIN(TUNNEL), get_tunnel},
	{"tunnel_id", "the tunnel's key, VNI or TEID", WEIR_UNIT_NUMBER, false, false,
	 PLAIN(TUNNEL_ID), get_tunnel_id},
	{"inner_vlan", "the customer's VLAN", WEIR_UNIT_NUMBER, false, false,
	 PLAIN(INNER_VLAN_ID), get_inner_vlan_id},
	{"mpls", "MPLS label", WEIR_UNIT_NUMBER, false, false, PLAIN(MPLS_LABEL), get_mpls_label},
	{"pppoe", "PPPoE session", WEIR_UNIT_NUMBER, false, false, PLAIN(PPPOE_SESSION),
	 get_pppoe_session},
	{"nat", "1: an address beyond NAT is known", WEIR_UNIT_NUMBER, false, false,
	 COMPUTED(BIT(NAT_SRC_HIGH) | BIT(NAT_SRC_LOW) | BIT(NAT_DST_HIGH) | BIT(NAT_DST_LOW)),
	 get_nat},
};

enum { ROWS = sizeof(table) / sizeof(table[0]) };

static char plain(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c == '-' ? '_' : c;
}

bool weir_quantity_same_word(const char *a, size_t length, const char *b)
{
	for (size_t i = 0; i < length; i++) {
		if (!b[i] || plain(a[i]) != plain(b[i]))
			return false;
	}
	return !b[length];
}

const struct weir_quantity *weir_quantity_find(const char *word, size_t length)
{
	for (unsigned i = 0; i < ROWS; i++) {
		if (weir_quantity_same_word(word, length, table[i].word))
			return &table[i];
	}
	return NULL;
}

const struct weir_quantity *weir_quantity_at(unsigned index)
{
	return index < ROWS ? &table[index] : NULL;
}

unsigned weir_quantity_index(const struct weir_quantity *quantity)
{
	return (unsigned)(quantity - table);
}

const char *weir_quantity_words(bool summable)
{
	return summable ? "bytes, packets, flows, duration, retransmitted, out_of_order, fragments, "
			  "scaled_bytes, scaled_packets, scaled_flows"
			: "bytes, packets, flows, duration, bps, pps, bpp, rtt, response, "
			  "retransmitted, out_of_order, fragments, scaled_bytes, scaled_packets, "
			  "scaled_flows, ttl";
}

uint64_t weir_quantity_of(const struct weir_quantity *quantity, const struct weir_flow *flow)
{
	uint64_t value;

	return quantity->get(flow, &value) ? value : 0;
}

const char *weir_quantity_text(const struct weir_quantity *quantity, uint64_t value, char *text,
			       size_t text_bytes)
{
	switch (quantity->unit) {
	case WEIR_UNIT_NS:
		return weir_clock_duration_text(value, text, text_bytes);
	case WEIR_UNIT_NUMBER:
		snprintf(text, text_bytes, "%" PRIu64, value);
		return text;
	default:
		return weir_text_quantity(value, text, text_bytes);
	}
}
