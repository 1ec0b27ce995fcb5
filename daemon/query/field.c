// SPDX-License-Identifier: GPL-2.0
/* field.c - each field: how its value is put into a key, and written. A row of the table below. */
#include "daemon/query/field.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/text.h"
#include "daemon/query/names.h"
#include "daemon/query/words.h"
#include "daemon/store/column.h"

enum {
	ADDRESS_BYTES = 17,
	MAC_BYTES = 6,
	TCP_FLAGS = 0x1ff,
};

static void put(uint8_t *key, unsigned bytes, uint64_t value)
{
	for (unsigned i = bytes; i-- > 0; value >>= 8)
		key[i] = (uint8_t)value;
}

uint64_t weir_field_get(const uint8_t *key, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | key[i];
	return value;
}

static void put_address(const struct weir_field_use *use, uint8_t ip_version,
			const uint8_t address[16], uint8_t *key)
{
	unsigned bits = ip_version == 4 ? 96u + use->bits4 : use->bits6;
	unsigned bytes = bits / 8;

	key[0] = ip_version;
	memcpy(key + 1, address, 16);
	if (bits == 128)
		return;
	key[1 + bytes] &= (uint8_t)(0xff00 >> bits % 8);
	memset(key + 2 + bytes, 0, 15 - bytes);
}

#define BUILD(name)                                                                                \
	static void build_##name(const struct weir_field_use *use, const struct weir_flow *flow,   \
				 unsigned end, uint8_t *key)
#define BUILD_NUMBER(name, bytes, value)                                                           \
	BUILD(name)                                                                                \
	{                                                                                          \
		put(key, bytes, value);                                                            \
	}

BUILD(src)
{
	put_address(use, flow->ip_version, flow->src_addr, key);
}

BUILD(dst)
{
	put_address(use, flow->ip_version, flow->dst_addr, key);
}

BUILD(host)
{
	put_address(use, flow->ip_version, end ? flow->dst_addr : flow->src_addr, key);
}

BUILD(service)
{
	key[0] = flow->protocol;
	put(key + 1, 2, weir_fields_service_port(flow));
}

BUILD(src_mac)
{
	memcpy(key, flow->src_mac, MAC_BYTES);
}

BUILD(dst_mac)
{
	memcpy(key, flow->dst_mac, MAC_BYTES);
}

BUILD(time)
{
	put(key, 8, flow->end_ns - flow->end_ns % use->every_ns);
}

static uint8_t port_class(const struct weir_flow *flow, uint16_t port)
{
	if (!weir_fields_has_ports(flow->protocol))
		return WEIR_PORT_NONE;
	if (port < 1024)
		return WEIR_PORT_SYSTEM;
	return port < 32768 ? WEIR_PORT_REGISTERED : WEIR_PORT_EPHEMERAL;
}

/* Names are those of the meter's own namespace. */
static void put_interface(const struct weir_field_use *use, const struct weir_flow *flow,
			  uint32_t index, uint8_t *key)
{
	const char *name = use->names && !flow->netns ? weir_names_interface(use->names, index) : NULL;
	char number[WEIR_FIELDS_INTERFACE_BYTES];

	snprintf(number, sizeof(number), "#%" PRIu32, index);
	memset(key, 0, WEIR_FIELDS_INTERFACE_BYTES);
	if (index)
		memcpy(key, name ? name : number, strlen(name ? name : number));
}

BUILD(in_name)
{
	put_interface(use, flow, flow->in_ifindex, key);
}

BUILD(out_name)
{
	put_interface(use, flow, flow->out_ifindex, key);
}

BUILD(node)
{
	memset(key, 0, WEIR_FIELDS_NAME_BYTES);
	if (use->names)
		memcpy(key, use->names->node, WEIR_FIELDS_NAME_BYTES);
}

BUILD(site)
{
	memset(key, 0, WEIR_FIELDS_NAME_BYTES);
	if (use->names)
		memcpy(key, use->names->site, WEIR_FIELDS_NAME_BYTES);
}

BUILD_NUMBER(sport, 2, flow->src_port)
BUILD_NUMBER(dport, 2, flow->dst_port)
BUILD_NUMBER(proto, 1, flow->protocol)
BUILD_NUMBER(in_if, 4, flow->in_ifindex)
BUILD_NUMBER(out_if, 4, flow->out_ifindex)
BUILD_NUMBER(tos, 1, flow->tos)
BUILD_NUMBER(vlan, 2, flow->vlan_id)
BUILD_NUMBER(version, 1, flow->ip_version)
BUILD_NUMBER(dscp, 1, flow->tos >> 2)
BUILD_NUMBER(flags, 2, flow->tcp_flags &TCP_FLAGS)
BUILD_NUMBER(ttl, 1, flow->min_ttl)
BUILD_NUMBER(mark, 4, flow->mark)
BUILD_NUMBER(sclass, 1, port_class(flow, flow->src_port))
BUILD_NUMBER(dclass, 1, port_class(flow, flow->dst_port))
BUILD_NUMBER(end_reason, 1, flow->end_reason)
BUILD_NUMBER(observed, 1, flow->observed)

BUILD_NUMBER(nat_sport, 2, flow->nat_src_port)
BUILD_NUMBER(nat_dport, 2, flow->nat_dst_port)
BUILD_NUMBER(tunnel, 1, flow->tunnel)
BUILD_NUMBER(tunnel_id, 4, flow->tunnel_id)
BUILD_NUMBER(netns, 4, flow->netns)
BUILD_NUMBER(inner_vlan, 2, flow->inner_vlan_id)
BUILD_NUMBER(mpls, 4, flow->mpls_label)
BUILD_NUMBER(pppoe, 2, flow->pppoe_session)
BUILD_NUMBER(sampling, 4, flow->sampling)

BUILD(nat_src)
{
	key[0] = weir_flow_address(flow->nat_src_high, flow->nat_src_low, key + 1);
}

BUILD(nat_dst)
{
	key[0] = weir_flow_address(flow->nat_dst_high, flow->nat_dst_low, key + 1);
}

#define PRINT(name)                                                                                \
	static void print_##name(const struct weir_field_use *use, const uint8_t *key, char *text, \
				 size_t text_bytes)

PRINT(address)
{
	unsigned bits = key[0] == 4 ? use->bits4 : use->bits6;
	char address[WEIR_TEXT_ADDRESS];

	weir_text_address(key + 1, key[0], address, sizeof(address));
	if (bits == (key[0] == 4 ? 32 : 128))
		snprintf(text, text_bytes, "%s", address);
	else
		snprintf(text, text_bytes, "%s/%u", address, bits);
}

PRINT(number)
{
	snprintf(text, text_bytes, "%" PRIu64, weir_field_get(key, use->field->bytes));
}

PRINT(proto)
{
	weir_text_protocol(key[0], text, text_bytes);
}

PRINT(service)
{
	uint16_t number = (uint16_t)weir_field_get(key + 1, 2);
	char protocol[16], icmp[32];

	weir_text_protocol(key[0], protocol, sizeof(protocol));
	if (key[0] == IPPROTO_ICMP || key[0] == IPPROTO_ICMPV6)
		snprintf(text, text_bytes, "%s/%s", protocol,
			 weir_fields_icmp_text(key[0], number, icmp, sizeof(icmp)));
	else if (weir_fields_has_ports(key[0]))
		snprintf(text, text_bytes, "%s/%u", protocol, number);
	else
		snprintf(text, text_bytes, "%s", protocol);
}

PRINT(tos)
{
	snprintf(text, text_bytes, "0x%02x", key[0]);
}

PRINT(version)
{
	snprintf(text, text_bytes, "ipv%u", key[0]);
}

PRINT(dscp)
{
	weir_words_text(weir_words_dscp, key[0], text, text_bytes);
}

PRINT(flags)
{
	char flags[16];

	weir_text_tcp_flags((uint16_t)weir_field_get(key, 2), flags, sizeof(flags));
	/* The ninth flag, once NS, is seen so rarely that it has no column of its own. */
	snprintf(text, text_bytes, "%s%s", key[0] & 1 ? "N" : "", flags);
}

PRINT(mark)
{
	snprintf(text, text_bytes, "0x%" PRIx64, weir_field_get(key, 4));
}

PRINT(class)
{
	static const char *const names[] = {"none", "system", "registered", "ephemeral"};

	snprintf(text, text_bytes, "%s", names[key[0] & 3]);
}

PRINT(mac)
{
	snprintf(text, text_bytes, "%02x:%02x:%02x:%02x:%02x:%02x", key[0], key[1], key[2], key[3],
		 key[4], key[5]);
}

PRINT(end_reason)
{
	weir_words_text(weir_words_end_reason, key[0], text, text_bytes);
}

PRINT(observed)
{
	weir_words_text(weir_words_observed, key[0], text, text_bytes);
}

/* Nothing where there is no NAT. */
PRINT(nat_address)
{
	if (key[0])
		print_address(use, key, text, text_bytes);
	else
		*text = '\0';
}

PRINT(tunnel)
{
	weir_words_text(weir_words_tunnel, key[0], text, text_bytes);
}

PRINT(time)
{
	weir_clock_text(weir_field_get(key, 8), text, text_bytes);
}

PRINT(name)
{
	int length = (int)strnlen((const char *)key, use->field->bytes);

	snprintf(text, text_bytes, "%.*s", length, (const char *)key);
}

#define BIT(id)	    WEIR_COLUMN_BIT(WEIR_COLUMN_##id)
#define NUMBER(id)  WEIR_FIELD_NUMBER, WEIR_COLUMN_##id, BIT(id)
#define ADDRESS(id) WEIR_FIELD_ADDRESS, WEIR_COLUMN_##id, BIT(id) | BIT(IP_VERSION)
#define OTHER(of)   WEIR_FIELD_OTHER, 0, (of)
#define SERVICE	    (BIT(PROTOCOL) | BIT(SRC_PORT) | BIT(DST_PORT))
#define NAME	    WEIR_FIELDS_NAME_BYTES
#define INTERFACE   WEIR_FIELDS_INTERFACE_BYTES

static const struct weir_field table[] = {
	{"src", "source address; src/24 or src/24/64: its network", ADDRESS_BYTES,
	 ADDRESS(SRC_ADDR), build_src, print_address},
	{"dst", "destination address", ADDRESS_BYTES, ADDRESS(DST_ADDR), build_dst, print_address},
	{"host", "either address: a flow counts for both", ADDRESS_BYTES, WEIR_FIELD_HOST, 0,
	 BIT(SRC_ADDR) | BIT(DST_ADDR) | BIT(IP_VERSION), build_host, print_address},
	{"sport", "source port", 2, NUMBER(SRC_PORT), build_sport, print_number},
	{"dport", "destination port", 2, NUMBER(DST_PORT), build_dport, print_number},
	{"proto", "protocol", 1, NUMBER(PROTOCOL), build_proto, print_proto},
	{"service", "protocol and the server's port", 3, OTHER(SERVICE), build_service,
	 print_service},
	{"in_if", "interface index the packets came in by", 4, NUMBER(IN_IFINDEX), build_in_if,
	 print_number},
	{"out_if", "interface index they left by", 4, NUMBER(OUT_IFINDEX), build_out_if,
	 print_number},
	{"tos", "TOS or traffic class byte", 1, NUMBER(TOS), build_tos, print_tos},
	{"vlan", "VLAN", 2, NUMBER(VLAN_ID), build_vlan, print_number},
	{"version", "IP version", 1, NUMBER(IP_VERSION), build_version, print_version},
	{"dscp", "DSCP", 1, OTHER(BIT(TOS)), build_dscp, print_dscp},
	{"flags", "TCP flags seen", 2, OTHER(BIT(TCP_FLAGS)), build_flags, print_flags},
	{"ttl", "least TTL or hop limit seen", 1, NUMBER(MIN_TTL), build_ttl, print_number},
	{"mark", "mark of the first packet", 4, NUMBER(MARK), build_mark, print_mark},
	{"sclass", "source port's range: system, registered, ephemeral", 1,
	 OTHER(BIT(PROTOCOL) | BIT(SRC_PORT)), build_sclass, print_class},
	{"dclass", "destination port's range", 1, OTHER(BIT(PROTOCOL) | BIT(DST_PORT)),
	 build_dclass, print_class},
	{"src_mac", "source MAC address", MAC_BYTES, OTHER(BIT(SRC_MAC)), build_src_mac, print_mac},
	{"dst_mac", "destination MAC address", MAC_BYTES, OTHER(BIT(DST_MAC)), build_dst_mac,
	 print_mac},
	{"end_reason", "why the record ended", 1, NUMBER(END_REASON), build_end_reason,
	 print_end_reason},
	{"observed", "where the flow was seen: forwarded, in, out", 1, NUMBER(OBSERVED),
	 build_observed, print_observed},
	{"time", "time/5m: the span of time it ended in", 8, OTHER(BIT(END_NS)), build_time,
	 print_time},
	{"in_name", "name of the interface the packets came in by", INTERFACE,
	 OTHER(BIT(IN_IFINDEX) | BIT(NETNS)), build_in_name, print_name},
	{"out_name", "name of the interface they left by", INTERFACE, OTHER(BIT(OUT_IFINDEX) | BIT(NETNS)),
	 build_out_name, print_name},
	{"nat_src", "the source beyond NAT", ADDRESS_BYTES,
	 OTHER(BIT(NAT_SRC_HIGH) | BIT(NAT_SRC_LOW)), build_nat_src, print_nat_address},
	{"nat_dst", "the destination beyond NAT", ADDRESS_BYTES,
	 OTHER(BIT(NAT_DST_HIGH) | BIT(NAT_DST_LOW)), build_nat_dst, print_nat_address},
	{"nat_sport", "the source port beyond NAT", 2, NUMBER(NAT_SRC_PORT), build_nat_sport,
	 print_number},
	{"nat_dport", "the destination port beyond NAT", 2, NUMBER(NAT_DST_PORT), build_nat_dport,
	 print_number},
	{"tunnel", "the tunnel it was in", 1, NUMBER(TUNNEL), build_tunnel, print_tunnel},
	{"tunnel_id", "its key, VNI or TEID", 4, NUMBER(TUNNEL_ID), build_tunnel_id, print_number},
	{"netns", "network namespace", 4, NUMBER(NETNS), build_netns, print_number},
	{"inner_vlan", "the customer's VLAN of two", 2, NUMBER(INNER_VLAN_ID), build_inner_vlan,
	 print_number},
	{"mpls", "MPLS label", 4, NUMBER(MPLS_LABEL), build_mpls, print_number},
	{"pppoe", "PPPoE session", 2, NUMBER(PPPOE_SESSION), build_pppoe, print_number},
	{"sampling", "one packet of so many was counted; 0: all", 4, NUMBER(SAMPLING),
	 build_sampling, print_number},
	{"node", "the node's name", NAME, OTHER(0), build_node, print_name},
	{"site", "the node's site", NAME, OTHER(0), build_site, print_name},
};

bool weir_field_is_number(const struct weir_field *field)
{
	return field->print == print_number;
}

const struct weir_field *weir_fields_at(unsigned index)
{
	return index < sizeof(table) / sizeof(table[0]) ? &table[index] : NULL;
}

const char *weir_fields_words(void)
{
	return "src, dst, host, sport, dport, proto, service, in_if, out_if, tos, vlan, version, "
	       "dscp, flags, ttl, mark, sclass, dclass, src_mac, dst_mac, end_reason, observed, "
	       "time/5m, in_name, out_name, nat_src, nat_dst, nat_sport, nat_dport, tunnel, "
	       "tunnel_id, netns, inner_vlan, mpls, pppoe, sampling, node, site";
}
