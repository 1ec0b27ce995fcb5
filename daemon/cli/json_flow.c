// SPDX-License-Identifier: GPL-2.0
/*
 * json_flow.c - a flow as a line of JSON.
 *
 * Written directly and not as a tree of values: lists of millions of flows go this way, and the
 * tree takes most of their time.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/common/text.h"
#include "daemon/query/words.h"

/* Names: quotes and control characters are left to jansson, and what is not ASCII. */
static bool is_plain(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\' ||
		    (unsigned char)*text > 126)
			return false;
	}
	return true;
}

static void put_name(FILE *out, char before, const char *key, const char *text)
{
	json_t *string;

	if (is_plain(text)) {
		fprintf(out, "%c\"%s\":\"%s\"", before, key, text);
		return;
	}
	string = weir_cli_json_string(text);
	fprintf(out, "%c\"%s\":", before, key);
	if (!string || json_dumpf(string, out, JSON_ENCODE_ANY))
		fputs("null", out);
	json_decref(string);
}

static void put_number(FILE *out, const char *key, uint64_t value)
{
	fprintf(out, ",\"%s\":%" PRIu64, key, value);
}

static void put_time(FILE *out, const char *key, uint64_t ns)
{
	char text[40];

	if (ns)
		fprintf(out, ",\"%s\":\"%s\"", key, weir_cli_time_exact(ns, text, sizeof(text)));
}

static void put_mac(FILE *out, const char *key, const uint8_t mac[6])
{
	static const uint8_t none[6];

	if (memcmp(mac, none, sizeof(none)))
		fprintf(out, ",\"%s\":\"%02x:%02x:%02x:%02x:%02x:%02x\"", key, mac[0], mac[1],
			mac[2], mac[3], mac[4], mac[5]);
}

static void put_if_set(FILE *out, const char *key, uint64_t value)
{
	if (value)
		put_number(out, key, value);
}

static void put_end_points(FILE *out, const struct weir_flow *f)
{
	char src[WEIR_TEXT_ADDRESS], dst[WEIR_TEXT_ADDRESS], proto[16];

	fprintf(out, ",\"src\":\"%s\",\"dst\":\"%s\",\"proto\":\"%s\"",
		weir_text_address(f->src_addr, f->ip_version, src, sizeof(src)),
		weir_text_address(f->dst_addr, f->ip_version, dst, sizeof(dst)),
		weir_text_protocol(f->protocol, proto, sizeof(proto)));
	if (weir_fields_has_ports(f->protocol)) {
		put_number(out, "sport", f->src_port);
		put_number(out, "dport", f->dst_port);
	} else if (f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6) {
		put_number(out, "icmp_type", f->dst_port >> 8);
		put_number(out, "icmp_code", f->dst_port & 255);
	}
}

static void put_address(FILE *out, const char *key, uint64_t high, uint64_t low)
{
	char text[WEIR_TEXT_ADDRESS];
	uint8_t address[16], version = weir_flow_address(high, low, address);

	if (version)
		fprintf(out, ",\"%s\":\"%s\"", key,
			weir_text_address(address, version, text, sizeof(text)));
}

static void put_word(FILE *out, const char *key, const struct weir_words *words, uint64_t number)
{
	char text[32];

	fprintf(out, ",\"%s\":\"%s\"", key, weir_words_text(words, number, text, sizeof(text)));
}

/* What only a long record has, and sampling. */
static void put_tail(FILE *out, const struct weir_flow *f)
{
	put_address(out, "nat_src", f->nat_src_high, f->nat_src_low);
	put_if_set(out, "nat_sport", f->nat_src_port);
	put_address(out, "nat_dst", f->nat_dst_high, f->nat_dst_low);
	put_if_set(out, "nat_dport", f->nat_dst_port);
	if (f->tunnel) {
		put_word(out, "tunnel", weir_words_tunnel, f->tunnel);
		put_number(out, "tunnel_id", f->tunnel_id);
	}
	put_if_set(out, "netns", f->netns);
	put_if_set(out, "inner_vlan", f->inner_vlan_id);
	put_if_set(out, "mpls", f->mpls_label);
	put_if_set(out, "pppoe", f->pppoe_session);
	if (f->sampling) {
		put_number(out, "sampling", f->sampling);
		put_word(out, "sampling_method", weir_words_sampling_method, f->sampling_method);
	}
}

/* Keys that say something only about some flows. */
static void put_particulars(FILE *out, const struct weir_flow *f)
{
	put_if_set(out, "vlan", f->vlan_id);
	put_if_set(out, "mark", f->mark);
	put_if_set(out, "fragments", f->fragments);
	put_if_set(out, "retransmitted", f->retransmitted);
	put_if_set(out, "out_of_order", f->out_of_order);
	put_time(out, "second", f->second_ns);
	put_time(out, "payload", f->payload_ns);
	put_mac(out, "src_mac", f->src_mac);
	put_mac(out, "dst_mac", f->dst_mac);
	if (f->flags & WEIR_FLOW_PARTIAL)
		fputs(",\"partial\":true", out);
	if (weir_flow_tail(f))
		put_tail(out, f);
}

static void put_when(FILE *out, char before, const struct weir_flow *f)
{
	char start[40], end[40];

	fprintf(out, "%c\"start\":\"%s\",\"end\":\"%s\"", before,
		weir_cli_time_exact(f->start_ns, start, sizeof(start)),
		weir_cli_time_exact(f->end_ns, end, sizeof(end)));
	put_number(out, "start_ns", f->start_ns);
	put_number(out, "end_ns", f->end_ns);
	put_number(out, "duration_ns", weir_cli_duration_ns(f));
}

void weir_cli_json_flow(FILE *out, const struct weir_cli_flow *flow, bool with_node, bool live)
{
	const struct weir_flow *f = &flow->flow;
	char flags[16];

	if (with_node)
		put_name(out, '{', "node", flow->node);
	put_when(out, with_node ? ',' : '{', f);
	put_end_points(out, f);
	put_number(out, "packets", f->packets);
	put_number(out, "bytes", f->bytes);
	if (f->tcp_flags)
		fprintf(out, ",\"tcp_flags\":\"%s\"",
			weir_text_tcp_flags(f->tcp_flags, flags, sizeof(flags)));
	put_number(out, "tos", f->tos);
	put_number(out, "min_ttl", f->min_ttl);
	put_number(out, "in_if", f->in_ifindex);
	put_number(out, "out_if", f->out_ifindex);
	if (flow->in_name[0])
		put_name(out, ',', "in_name", flow->in_name);
	if (flow->out_name[0])
		put_name(out, ',', "out_name", flow->out_name);
	if (!live)
		put_number(out, "end_reason", f->end_reason);
	put_number(out, "observed", f->observed);
	put_particulars(out, f);
	fputs("}\n", out);
}
