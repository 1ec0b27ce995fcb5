// SPDX-License-Identifier: GPL-2.0
/* json.c - JSON out, by jansson. */
#include "daemon/cli/json.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"

json_t *weir_cli_json_number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *weir_cli_json_totals(const struct weir_totals *totals)
{
	return json_pack("{s:o, s:o, s:o}", "flows", weir_cli_json_number(totals->flows),
			 "packets", weir_cli_json_number(totals->packets), "bytes",
			 weir_cli_json_number(totals->bytes));
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

int weir_cli_json_print(json_t *value, bool one_line)
{
	int ret = -1;

	if (value)
		ret = json_dumpf(value, stdout, one_line ? JSON_COMPACT : JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
	return ret ? -ENOMEM : 0;
}
