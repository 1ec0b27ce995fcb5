// SPDX-License-Identifier: GPL-2.0
/* json.c - JSON out, by jansson. */
#include "daemon/cli/json.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"

json_t *weir_cli_json_totals(const struct weir_totals *totals)
{
	return json_pack("{s:I, s:I, s:I}", "flows", (json_int_t)totals->flows, "packets",
			 (json_int_t)totals->packets, "bytes", (json_int_t)totals->bytes);
}

json_t *weir_cli_json_string(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string)
		return string;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c > 126)
			*c = '?';
	}
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *weir_cli_json_time(uint64_t ns)
{
	char text[40];

	return ns ? json_string(weir_cli_time_exact(ns, text, sizeof(text))) : json_null();
}

static json_t *mac(const uint8_t address[6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", address[0], address[1],
		 address[2], address[3], address[4], address[5]);
	return json_string(text);
}

/* Keys that say something only about some flows. */
static void add_particulars(json_t *object, const struct weir_flow *f)
{
	static const uint8_t none[6];

	if (f->vlan_id)
		json_object_set_new(object, "vlan", json_integer(f->vlan_id));
	if (f->mark)
		json_object_set_new(object, "mark", json_integer(f->mark));
	if (f->fragments)
		json_object_set_new(object, "fragments", json_integer(f->fragments));
	if (f->retransmitted)
		json_object_set_new(object, "retransmitted", json_integer(f->retransmitted));
	if (f->out_of_order)
		json_object_set_new(object, "out_of_order", json_integer(f->out_of_order));
	if (f->second_ns)
		json_object_set_new(object, "second", weir_cli_json_time(f->second_ns));
	if (f->payload_ns)
		json_object_set_new(object, "payload", weir_cli_json_time(f->payload_ns));
	if (memcmp(f->src_mac, none, 6))
		json_object_set_new(object, "src_mac", mac(f->src_mac));
	if (memcmp(f->dst_mac, none, 6))
		json_object_set_new(object, "dst_mac", mac(f->dst_mac));
}

void weir_cli_json_end_points(json_t *object, const struct weir_flow *f)
{
	char text[WEIR_TEXT_ADDRESS];

	json_object_set_new(
		object, "src",
		json_string(weir_text_address(f->src_addr, f->ip_version, text, sizeof(text))));
	json_object_set_new(
		object, "dst",
		json_string(weir_text_address(f->dst_addr, f->ip_version, text, sizeof(text))));
	json_object_set_new(object, "proto",
			    json_string(weir_text_protocol(f->protocol, text, sizeof(text))));
	if (weir_fields_has_ports(f->protocol)) {
		json_object_set_new(object, "sport", json_integer(f->src_port));
		json_object_set_new(object, "dport", json_integer(f->dst_port));
	} else if (f->protocol == IPPROTO_ICMP || f->protocol == IPPROTO_ICMPV6) {
		json_object_set_new(object, "icmp_type", json_integer(f->dst_port >> 8));
		json_object_set_new(object, "icmp_code", json_integer(f->dst_port & 255));
	}
}

json_t *weir_cli_json_flow(const struct weir_cli_flow *flow, bool with_node, bool live)
{
	const struct weir_flow *f = &flow->flow;
	json_t *object = json_object();
	char flags[16];

	if (with_node)
		json_object_set_new(object, "node", weir_cli_json_string(flow->node));
	json_object_set_new(object, "start", weir_cli_json_time(f->start_ns));
	json_object_set_new(object, "end", weir_cli_json_time(f->end_ns));
	json_object_set_new(object, "start_ns", json_integer((json_int_t)f->start_ns));
	json_object_set_new(object, "end_ns", json_integer((json_int_t)f->end_ns));
	json_object_set_new(object, "duration_ns", json_integer((json_int_t)weir_cli_duration_ns(f)));
	weir_cli_json_end_points(object, f);
	json_object_set_new(object, "packets", json_integer((json_int_t)f->packets));
	json_object_set_new(object, "bytes", json_integer((json_int_t)f->bytes));
	if (f->tcp_flags)
		json_object_set_new(
			object, "tcp_flags",
			json_string(weir_text_tcp_flags(f->tcp_flags, flags, sizeof(flags))));
	json_object_set_new(object, "tos", json_integer(f->tos));
	json_object_set_new(object, "min_ttl", json_integer(f->min_ttl));
	json_object_set_new(object, "in_if", json_integer(f->in_ifindex));
	json_object_set_new(object, "out_if", json_integer(f->out_ifindex));
	if (flow->in_name[0])
		json_object_set_new(object, "in_name", weir_cli_json_string(flow->in_name));
	if (flow->out_name[0])
		json_object_set_new(object, "out_name", weir_cli_json_string(flow->out_name));
	if (!live)
		json_object_set_new(object, "end_reason", json_integer(f->end_reason));
	json_object_set_new(object, "observed", json_integer(f->observed));
	add_particulars(object, f);
	return object;
}

int weir_cli_json_print(json_t *value, bool one_line)
{
	int ret = -1;

	if (value)
		ret = json_dumpf(value, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
	return ret ? -ENOMEM : 0;
}
