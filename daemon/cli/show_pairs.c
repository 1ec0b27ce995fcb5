// SPDX-License-Identifier: GPL-2.0
/* show_pairs.c - conversations for people and for programs. What is not known is empty, or null. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/cli/pairs.h"
#include "daemon/common/text.h"

struct weir_cli_pairs_out {
	const struct weir_cli_options *options;
	struct weir_cli_table *table;
	bool with_node, failed;
};

static void csv_heads(bool with_node)
{
	static const char *const sides[] = {"forward", "reverse"};

	printf("%sstart,end,duration_ns,proto,src,sport,dst,dport,initiator_seen",
	       with_node ? "node," : "");
	for (unsigned i = 0; i < 2; i++)
		printf(",%s_records,%s_packets,%s_bytes,%s_start,%s_end,%s_tcp_flags,"
		       "%s_retransmitted,%s_out_of_order,%s_fragments,%s_min_ttl,%s_end_reason",
		       sides[i], sides[i], sides[i], sides[i], sides[i], sides[i], sides[i],
		       sides[i], sides[i], sides[i], sides[i]);
	puts(",rtt_ns,client_rtt_ns,server_rtt_ns,response_ns");
}

struct weir_cli_pairs_out *weir_cli_pairs_begin(const struct weir_cli_options *o, bool with_node)
{
	struct weir_cli_pairs_out *out = calloc(1, sizeof(*out));
	char columns[256];

	if (!out)
		return NULL;
	out->options = o;
	out->with_node = with_node;
	if (o->csv)
		csv_heads(with_node);
	if (o->output != WEIR_OUTPUT_TABLE)
		return out;
	snprintf(columns, sizeof(columns),
		 "%sLAST|>DURATION|PROTO|SOURCE||DESTINATION|>PACKETS|>BYTES|>PACKETS BACK|"
		 ">BYTES BACK|>RTT|>RESPONSE", with_node ? "NODE|" : "");
	out->table = weir_cli_table_new(stdout, columns);
	if (!out->table) {
		free(out);
		return NULL;
	}
	return out;
}

static uint64_t duration(const struct weir_pair *p)
{
	return p->end_ns > p->start_ns ? p->end_ns - p->start_ns : 0;
}

/* The ends, as a flow has them. */
static struct weir_flow ends_of(const struct weir_pair *p)
{
	struct weir_flow flow = {.src_port = p->src_port,
				 .dst_port = p->dst_port,
				 .protocol = p->protocol,
				 .ip_version = p->ip_version};

	memcpy(flow.src_addr, p->src_addr, sizeof(flow.src_addr));
	memcpy(flow.dst_addr, p->dst_addr, sizeof(flow.dst_addr));
	return flow;
}

static const char *arrow(const struct weir_pair *p)
{
	if (!p->reverse.records)
		return "->";
	return p->initiator_seen ? "<->" : "<?>";
}

static void span_cell(const struct weir_cli_pairs_out *out, uint64_t ns)
{
	char text[32];

	weir_cli_table_cell(out->table, ns ? weir_cli_show_duration(ns, out->options->exact, text,
								    sizeof(text)) : "-");
}

static void put_row(const struct weir_cli_pairs_out *out, const struct weir_pair *p,
		    const char *node)
{
	struct weir_cli_table *t = out->table;
	struct weir_flow ends = ends_of(p);
	bool exact = out->options->exact;
	char text[96];

	if (out->with_node)
		weir_cli_table_cell(t, node);
	weir_cli_table_cell(t, weir_cli_time_local(p->end_ns, 3, text, sizeof(text)));
	weir_cli_table_cell(t, weir_cli_show_duration(duration(p), exact, text, sizeof(text)));
	weir_cli_table_cell(t, weir_text_protocol(p->protocol, text, sizeof(text)));
	weir_cli_table_cell(t, weir_cli_show_end_point(&ends, false, text, sizeof(text)));
	weir_cli_table_cell(t, arrow(p));
	weir_cli_table_cell(t, weir_cli_show_end_point(&ends, true, text, sizeof(text)));
	weir_cli_table_number(t, p->forward.packets, exact);
	weir_cli_table_number(t, p->forward.bytes, exact);
	weir_cli_table_number(t, p->reverse.packets, exact);
	weir_cli_table_number(t, p->reverse.bytes, exact);
	span_cell(out, p->rtt_ns);
	span_cell(out, p->response_ns);
}

static void csv_time(uint64_t ns)
{
	char text[40];

	printf("%s,", ns ? weir_cli_time_exact(ns, text, sizeof(text)) : "");
}

static void csv_side(const struct weir_pair_side *s)
{
	char flags[16];

	printf(",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", s->records, s->packets, s->bytes);
	csv_time(s->start_ns);
	csv_time(s->end_ns);
	printf("%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%u,%u",
	       weir_text_tcp_flags(s->tcp_flags, flags, sizeof(flags)), s->retransmitted,
	       s->out_of_order, s->fragments, s->min_ttl, s->end_reason);
}

static void csv_span(uint64_t ns)
{
	if (ns)
		printf(",%" PRIu64, ns);
	else
		putchar(',');
}

static void put_csv(const struct weir_cli_pairs_out *out, const struct weir_pair *p,
		    const char *node)
{
	char proto[16], src[WEIR_TEXT_ADDRESS], dst[WEIR_TEXT_ADDRESS];

	if (out->with_node) {
		weir_cli_csv_quoted(node);
		putchar(',');
	}
	csv_time(p->start_ns);
	csv_time(p->end_ns);
	printf("%" PRIu64 ",%s,%s,%u,%s,%u,%d", duration(p),
	       weir_text_protocol(p->protocol, proto, sizeof(proto)),
	       weir_text_address(p->src_addr, p->ip_version, src, sizeof(src)), p->src_port,
	       weir_text_address(p->dst_addr, p->ip_version, dst, sizeof(dst)), p->dst_port,
	       p->initiator_seen);
	csv_side(&p->forward);
	csv_side(&p->reverse);
	csv_span(p->rtt_ns);
	csv_span(p->client_rtt_ns);
	csv_span(p->server_rtt_ns);
	csv_span(p->response_ns);
	putchar('\n');
}

static void set(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, weir_cli_json_number(value));
}

static void set_span(json_t *object, const char *name, uint64_t ns)
{
	json_object_set_new(object, name, ns ? weir_cli_json_number(ns) : json_null());
}

static json_t *side_json(const struct weir_pair_side *s)
{
	json_t *object;
	char flags[16];

	if (!s->records)
		return json_null();
	object = json_object();
	set(object, "records", s->records);
	set(object, "packets", s->packets);
	set(object, "bytes", s->bytes);
	json_object_set_new(object, "start", weir_cli_json_time(s->start_ns));
	json_object_set_new(object, "end", weir_cli_json_time(s->end_ns));
	json_object_set_new(
		object, "tcp_flags",
		json_string(weir_text_tcp_flags(s->tcp_flags, flags, sizeof(flags))));
	set(object, "retransmitted", s->retransmitted);
	set(object, "out_of_order", s->out_of_order);
	set(object, "fragments", s->fragments);
	set(object, "min_ttl", s->min_ttl);
	set(object, "end_reason", s->end_reason);
	return object;
}

static json_t *pair_json(const struct weir_cli_pairs_out *out, const struct weir_pair *p,
			 const char *node)
{
	struct weir_flow ends = ends_of(p);
	json_t *object = json_object();

	if (out->with_node)
		json_object_set_new(object, "node", weir_cli_json_string(node));
	json_object_set_new(object, "start", weir_cli_json_time(p->start_ns));
	json_object_set_new(object, "end", weir_cli_json_time(p->end_ns));
	set(object, "start_ns", p->start_ns);
	set(object, "end_ns", p->end_ns);
	set(object, "duration_ns", duration(p));
	weir_cli_json_end_points(object, &ends);
	json_object_set_new(object, "initiator_seen", json_boolean(p->initiator_seen));
	json_object_set_new(object, "forward", side_json(&p->forward));
	json_object_set_new(object, "reverse", side_json(&p->reverse));
	set_span(object, "rtt_ns", p->rtt_ns);
	set_span(object, "client_rtt_ns", p->client_rtt_ns);
	set_span(object, "server_rtt_ns", p->server_rtt_ns);
	set_span(object, "response_ns", p->response_ns);
	return object;
}

void weir_cli_pairs_show(struct weir_cli_pairs_out *out, const struct weir_pair *pair,
			 const char *node)
{
	if (out->table)
		put_row(out, pair, node);
	else if (out->options->csv)
		put_csv(out, pair, node);
	else if (weir_cli_json_print(pair_json(out, pair, node), true))
		out->failed = true;
}

int weir_cli_pairs_end(struct weir_cli_pairs_out *out)
{
	int ret = out->failed ? -ENOMEM : 0;

	if (out->table && weir_cli_table_end(out->table))
		ret = -ENOMEM;
	free(out);
	return ret;
}
