// SPDX-License-Identifier: GPL-2.0
/*
 * csv.c - comma-separated values (RFC 4180, lines end in LF).
 *
 * Scripts count columns: new ones are added at the end, none is moved or renamed.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/common/text.h"
#include "daemon/query/words.h"

/* Names come from configuration, and from other machines: nothing of theirs steers a terminal. */
void weir_cli_csv_quoted(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar((unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
	}
	putchar('"');
}

void weir_cli_csv_text(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '"' || *c == ',' || (unsigned char)*c < ' ' || *c == 127) {
			weir_cli_csv_quoted(text);
			return;
		}
	}
	fputs(text, stdout);
}

void weir_cli_csv_flow_heads(bool with_node)
{
	printf("%sstart,end,proto,src,sport,dst,dport,packets,bytes,tcp_flags,tos,in_if,out_if,"
	       "vlan,end_reason,observed,min_ttl,retransmitted,out_of_order,duration_ns,fragments,"
	       "mark,second,payload,src_mac,dst_mac,in_name,out_name,nat_src,nat_sport,nat_dst,"
	       "nat_dport,tunnel,tunnel_id,netns,inner_vlan,mpls,pppoe,sampling,sampling_method,"
	       "flow_flags\n",
	       with_node ? "node," : "");
}

static void put_time(uint64_t ns)
{
	char text[40];

	fputs(ns ? weir_cli_time_exact(ns, text, sizeof(text)) : "", stdout);
}

static void put_mac(const uint8_t mac[6])
{
	static const uint8_t none[6];

	if (memcmp(mac, none, sizeof(none)))
		printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		       mac[5]);
}

static void put_address(uint64_t high, uint64_t low)
{
	char text[WEIR_TEXT_ADDRESS];
	uint8_t address[16], version = weir_flow_address(high, low, address);

	putchar(',');
	if (version)
		fputs(weir_text_address(address, version, text, sizeof(text)), stdout);
}

/* Numbers and words empty where there is no such thing, as most of these. */
static void put_some(uint64_t number)
{
	if (number)
		printf(",%" PRIu64, number);
	else
		putchar(',');
}

static void put_tail(const struct weir_flow *f)
{
	char tunnel[32], method[32];

	put_address(f->nat_src_high, f->nat_src_low);
	put_some(f->nat_src_port);
	put_address(f->nat_dst_high, f->nat_dst_low);
	put_some(f->nat_dst_port);
	printf(",%s", f->tunnel ? weir_words_text(weir_words_tunnel, f->tunnel, tunnel,
						  sizeof(tunnel))
				: "");
	if (f->tunnel)
		printf(",%u", f->tunnel_id);
	else
		putchar(',');
	put_some(f->netns);
	put_some(f->inner_vlan_id);
	put_some(f->mpls_label);
	put_some(f->pppoe_session);
	put_some(f->sampling);
	printf(",%s,%u\n",
	       f->sampling ? weir_words_text(weir_words_sampling_method, f->sampling_method, method,
					     sizeof(method))
			   : "",
	       f->flags);
}

/* Times and addresses of a layer that were not seen are empty, not zero. */
static void put_particulars(const struct weir_cli_flow *flow)
{
	const struct weir_flow *f = &flow->flow;

	printf(",%" PRIu64 ",%u,%u,", weir_cli_duration_ns(f), f->fragments, f->mark);
	put_time(f->second_ns);
	putchar(',');
	put_time(f->payload_ns);
	putchar(',');
	put_mac(f->src_mac);
	putchar(',');
	put_mac(f->dst_mac);
	putchar(',');
	weir_cli_csv_text(flow->in_name);
	putchar(',');
	weir_cli_csv_text(flow->out_name);
	put_tail(f);
}

void weir_cli_csv_flow(const struct weir_cli_flow *flow, bool with_node)
{
	const struct weir_flow *f = &flow->flow;
	char start[40], end[40], proto[16], src[WEIR_TEXT_ADDRESS], dst[WEIR_TEXT_ADDRESS],
		flags[16];

	if (with_node) {
		weir_cli_csv_quoted(flow->node);
		putchar(',');
	}
	printf("%s,%s,%s,%s,%u,%s,%u,%" PRIu64 ",%" PRIu64 ",%s,%u,%u,%u,%u,%u,%u,%u,%u,%u",
	       weir_cli_time_exact(f->start_ns, start, sizeof(start)),
	       weir_cli_time_exact(f->end_ns, end, sizeof(end)),
	       weir_text_protocol(f->protocol, proto, sizeof(proto)),
	       weir_text_address(f->src_addr, f->ip_version, src, sizeof(src)), f->src_port,
	       weir_text_address(f->dst_addr, f->ip_version, dst, sizeof(dst)), f->dst_port,
	       f->packets, f->bytes, weir_text_tcp_flags(f->tcp_flags, flags, sizeof(flags)),
	       f->tos, f->in_ifindex, f->out_ifindex, f->vlan_id, f->end_reason, f->observed,
	       f->min_ttl, f->retransmitted, f->out_of_order);
	put_particulars(flow);
}
