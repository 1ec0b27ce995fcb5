// SPDX-License-Identifier: GPL-2.0
/* show.c - flows for people (a table), for programs (JSON lines), for spreadsheets (CSV). */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

struct weir_cli_flows_out {
	const struct weir_cli_options *options;
	struct weir_cli_table *table;
	struct weir_cli_nfdump_sum nfdump;
	bool with_node, live;
};

const char *weir_cli_show_number(uint64_t value, bool exact, char *text, size_t text_bytes)
{
	if (!exact)
		return weir_text_quantity(value, text, text_bytes);
	snprintf(text, text_bytes, "%" PRIu64, value);
	return text;
}

const char *weir_cli_show_bytes(uint64_t value, bool exact, char *text, size_t text_bytes)
{
	size_t length;

	weir_cli_show_number(value, exact, text, text_bytes);
	length = strlen(text);
	/* "12.3 MB", "950 B" */
	snprintf(text + length, text_bytes - length, "%sB", exact || value < 1000 ? " " : "");
	return text;
}

const char *weir_cli_show_duration(uint64_t ns, bool exact, char *text, size_t text_bytes)
{
	if (exact)
		snprintf(text, text_bytes, "%" PRIu64, ns);
	else if (ns >= 1000000 && ns < 10000000) /* round trips live here */
		snprintf(text, text_bytes, "%" PRIu64 ".%02" PRIu64 "ms", ns / 1000000,
			 ns % 1000000 / 10000);
	else if (ns >= 10000000 && ns < 100000000)
		snprintf(text, text_bytes, "%" PRIu64 ".%" PRIu64 "ms", ns / 1000000,
			 ns % 1000000 / 100000);
	else
		weir_clock_duration_text(ns, text, text_bytes);
	return text;
}

static const char *const end_words[] = {
	[WEIR_END_NONE] = "",	       [WEIR_END_IDLE] = "idle",
	[WEIR_END_ACTIVE] = "active",  [WEIR_END_DETECTED] = "tcp",
	[WEIR_END_FORCED] = "flushed", [WEIR_END_NO_RESOURCES] = "evicted",
};

static const char *end_word(uint8_t reason)
{
	return reason < sizeof(end_words) / sizeof(end_words[0]) ? end_words[reason] : "?";
}

struct weir_cli_flows_out *weir_cli_show_begin(const struct weir_cli_options *o, bool with_node,
					       bool live)
{
	struct weir_cli_flows_out *out = calloc(1, sizeof(*out));
	char columns[256];

	if (!out)
		return NULL;
	out->options = o;
	out->with_node = with_node;
	out->live = live;
	if (o->csv)
		weir_cli_csv_flow_heads(with_node);
	else if (o->output == WEIR_OUTPUT_NFDUMP)
		weir_cli_nfdump_heads();
	if (o->output != WEIR_OUTPUT_TABLE)
		return out;
	snprintf(columns, sizeof(columns),
		 "%sLAST|>DURATION|PROTO|SOURCE|DESTINATION|IN|OUT|FLAGS|>PACKETS|>BYTES%s",
		 with_node ? "NODE|" : "", live ? "" : "|END");
	out->table = weir_cli_table_new(stdout, columns);
	if (!out->table) {
		free(out);
		return NULL;
	}
	return out;
}

const char *weir_cli_show_end_point(const struct weir_flow *f, bool destination, char *text,
				    size_t bytes)
{
	char address[WEIR_TEXT_ADDRESS], icmp[32];
	unsigned port = destination ? f->dst_port : f->src_port;

	weir_text_address(destination ? f->dst_addr : f->src_addr, f->ip_version, address,
			  sizeof(address));
	if (weir_fields_has_ports(f->protocol))
		snprintf(text, bytes, f->ip_version == 6 ? "[%s]:%u" : "%s:%u", address, port);
	else if (destination && (f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6))
		snprintf(text, bytes, "%s %s", address,
			 weir_fields_icmp_text(f->protocol, f->dst_port, icmp, sizeof(icmp)));
	else
		snprintf(text, bytes, "%s", address);
	return text;
}

static void interface_cell(struct weir_cli_table *t, const char *name, uint32_t index)
{
	char text[16];

	if (index == 0)
		weir_cli_table_cell(t, "local");
	else if (name[0])
		weir_cli_table_cell(t, name);
	else {
		snprintf(text, sizeof(text), "if%u", index);
		weir_cli_table_cell(t, text);
	}
}

uint64_t weir_cli_duration_ns(const struct weir_flow *f)
{
	return f->end_ns > f->start_ns ? f->end_ns - f->start_ns : 0;
}

static void put_row(struct weir_cli_flows_out *out, const struct weir_cli_flow *flow)
{
	const struct weir_flow *f = &flow->flow;
	struct weir_cli_table *t = out->table;
	char text[96];

	if (out->with_node)
		weir_cli_table_cell(t, flow->node);
	weir_cli_table_cell(t, weir_cli_time_local(f->end_ns, 3, text, sizeof(text)));
	weir_cli_table_cell(t, weir_clock_duration_text(weir_cli_duration_ns(f), text, sizeof(text)));
	weir_cli_table_cell(t, weir_text_protocol(f->protocol, text, sizeof(text)));
	weir_cli_table_cell(t, weir_cli_show_end_point(f, false, text, sizeof(text)));
	weir_cli_table_cell(t, weir_cli_show_end_point(f, true, text, sizeof(text)));
	interface_cell(t, flow->in_name, f->in_ifindex);
	interface_cell(t, flow->out_name, f->out_ifindex);
	weir_cli_table_cell(t, f->protocol == IPPROTO_TCP
				       ? weir_text_tcp_flags(f->tcp_flags, text, sizeof(text))
				       : "-");
	weir_cli_table_number(t, f->packets, out->options->exact);
	weir_cli_table_number(t, f->bytes, out->options->exact);
	if (!out->live)
		weir_cli_table_cell(t, end_word(f->end_reason));
}

void weir_cli_show_flow(struct weir_cli_flows_out *out, const struct weir_cli_flow *flow)
{
	if (out->table)
		put_row(out, flow);
	else if (out->options->csv)
		weir_cli_csv_flow(flow, out->with_node);
	else if (out->options->output == WEIR_OUTPUT_NFDUMP)
		weir_cli_nfdump_flow(&flow->flow, &out->nfdump);
	else
		weir_cli_json_flow(stdout, flow, out->with_node, out->live);
}

int weir_cli_show_end(struct weir_cli_flows_out *out)
{
	int ret = 0;

	if (out->table && weir_cli_table_end(out->table))
		ret = -ENOMEM;
	if (out->options->output == WEIR_OUTPUT_NFDUMP)
		weir_cli_nfdump_end(&out->nfdump);
	free(out);
	return ret;
}
