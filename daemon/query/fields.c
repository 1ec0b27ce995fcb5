// SPDX-License-Identifier: GPL-2.0
/* fields.c - the words a user can group by. A field is a row of the table below. */
#include "daemon/query/fields.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/common/text.h"

enum {
	ADDRESS_BYTES = 17,
	PROTOCOL_DCCP = 33,
	PROTOCOL_UDPLITE = 136,
};

struct weir_field {
	const char *word;
	unsigned bytes;
	/* @end: 0 or 1, which end "host" is built for */
	void (*build)(const struct weir_flow *flow, unsigned end, uint8_t *key);
	void (*print)(const uint8_t *key, char *text, size_t text_bytes);
};

bool weir_fields_has_ports(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case PROTOCOL_DCCP:
	case PROTOCOL_UDPLITE:
		return true;
	}
	return false;
}

uint16_t weir_fields_service_port(const struct weir_flow *flow)
{
	if (weir_fields_has_ports(flow->protocol))
		return flow->src_port < flow->dst_port ? flow->src_port : flow->dst_port;
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		return flow->dst_port;
	return 0;
}

struct icmp_name {
	uint16_t type_code;
	const char *name;
};

#define ICMP(type, code) ((type)*256 + (code))

static const struct icmp_name icmp4_names[] = {
	{ICMP(0, 0), "echo-reply"},
	{ICMP(3, 0), "net-unreachable"},
	{ICMP(3, 1), "host-unreachable"},
	{ICMP(3, 2), "protocol-unreachable"},
	{ICMP(3, 3), "port-unreachable"},
	{ICMP(3, 4), "fragmentation-needed"},
	{ICMP(3, 9), "net-prohibited"},
	{ICMP(3, 10), "host-prohibited"},
	{ICMP(3, 13), "admin-prohibited"},
	{ICMP(4, 0), "source-quench"},
	{ICMP(5, 0), "redirect"},
	{ICMP(8, 0), "echo-request"},
	{ICMP(9, 0), "router-advertisement"},
	{ICMP(10, 0), "router-solicitation"},
	{ICMP(11, 0), "time-exceeded"},
	{ICMP(11, 1), "reassembly-timeout"},
	{ICMP(12, 0), "parameter-problem"},
	{ICMP(13, 0), "timestamp-request"},
	{ICMP(14, 0), "timestamp-reply"},
};

static const struct icmp_name icmp6_names[] = {
	{ICMP(1, 0), "no-route"},
	{ICMP(1, 1), "admin-prohibited"},
	{ICMP(1, 3), "address-unreachable"},
	{ICMP(1, 4), "port-unreachable"},
	{ICMP(2, 0), "packet-too-big"},
	{ICMP(3, 0), "time-exceeded"},
	{ICMP(3, 1), "reassembly-timeout"},
	{ICMP(4, 0), "parameter-problem"},
	{ICMP(128, 0), "echo-request"},
	{ICMP(129, 0), "echo-reply"},
	{ICMP(130, 0), "mld-query"},
	{ICMP(131, 0), "mld-report"},
	{ICMP(132, 0), "mld-done"},
	{ICMP(133, 0), "router-solicitation"},
	{ICMP(134, 0), "router-advertisement"},
	{ICMP(135, 0), "neighbour-solicitation"},
	{ICMP(136, 0), "neighbour-advertisement"},
	{ICMP(137, 0), "redirect"},
	{ICMP(143, 0), "mld2-report"},
};

const char *weir_fields_icmp_text(uint8_t protocol, uint16_t type_code, char *text,
				  size_t text_bytes)
{
	const struct icmp_name *names = icmp4_names;
	size_t count = sizeof(icmp4_names) / sizeof(icmp4_names[0]);

	if (protocol == IPPROTO_ICMPV6) {
		names = icmp6_names;
		count = sizeof(icmp6_names) / sizeof(icmp6_names[0]);
	}
	for (size_t i = 0; i < count; i++) {
		if (names[i].type_code == type_code) {
			snprintf(text, text_bytes, "%s", names[i].name);
			return text;
		}
	}
	snprintf(text, text_bytes, "%u.%u", type_code >> 8, type_code & 255);
	return text;
}

static void put16(uint8_t *key, uint16_t value)
{
	key[0] = (uint8_t)(value >> 8);
	key[1] = (uint8_t)value;
}

static void put32(uint8_t *key, uint32_t value)
{
	put16(key, (uint16_t)(value >> 16));
	put16(key + 2, (uint16_t)value);
}

static unsigned get16(const uint8_t *key)
{
	return (unsigned)key[0] << 8 | key[1];
}

static void put_address(uint8_t *key, uint8_t ip_version, const uint8_t address[16])
{
	key[0] = ip_version;
	memcpy(key + 1, address, 16);
}

static void build_src(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put_address(key, flow->ip_version, flow->src_addr);
}

static void build_dst(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put_address(key, flow->ip_version, flow->dst_addr);
}

static void build_host(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put_address(key, flow->ip_version, end ? flow->dst_addr : flow->src_addr);
}

static void build_sport(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put16(key, flow->src_port);
}

static void build_dport(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put16(key, flow->dst_port);
}

static void build_proto(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	key[0] = flow->protocol;
}

static void build_service(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	key[0] = flow->protocol;
	put16(key + 1, weir_fields_service_port(flow));
}

static void build_in_if(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put32(key, flow->in_ifindex);
}

static void build_out_if(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put32(key, flow->out_ifindex);
}

static void build_tos(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	key[0] = flow->tos;
}

static void build_vlan(const struct weir_flow *flow, unsigned end, uint8_t *key)
{
	put16(key, flow->vlan_id);
}

static void print_address(const uint8_t *key, char *text, size_t text_bytes)
{
	weir_text_address(key + 1, key[0], text, text_bytes);
}

static void print16(const uint8_t *key, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "%u", get16(key));
}

static void print32(const uint8_t *key, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "%u", get16(key) << 16 | get16(key + 2));
}

static void print_proto(const uint8_t *key, char *text, size_t text_bytes)
{
	weir_text_protocol(key[0], text, text_bytes);
}

static void print_service(const uint8_t *key, char *text, size_t text_bytes)
{
	char protocol[16], icmp[32];

	weir_text_protocol(key[0], protocol, sizeof(protocol));
	if (key[0] == IPPROTO_ICMP || key[0] == IPPROTO_ICMPV6)
		snprintf(text, text_bytes, "%s/%s", protocol,
			 weir_fields_icmp_text(key[0], (uint16_t)get16(key + 1), icmp,
					       sizeof(icmp)));
	else if (weir_fields_has_ports(key[0]))
		snprintf(text, text_bytes, "%s/%u", protocol, get16(key + 1));
	else
		snprintf(text, text_bytes, "%s", protocol);
}

static void print_tos(const uint8_t *key, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "0x%02x", key[0]);
}

static const struct weir_field known[] = {
	{"src", ADDRESS_BYTES, build_src, print_address},
	{"dst", ADDRESS_BYTES, build_dst, print_address},
	{"host", ADDRESS_BYTES, build_host, print_address},
	{"sport", 2, build_sport, print16},
	{"dport", 2, build_dport, print16},
	{"proto", 1, build_proto, print_proto},
	{"service", 3, build_service, print_service},
	{"in_if", 4, build_in_if, print32},
	{"out_if", 4, build_out_if, print32},
	{"tos", 1, build_tos, print_tos},
	{"vlan", 2, build_vlan, print16},
};

const char *weir_fields_words(void)
{
	return "src, dst, host, sport, dport, proto, service, in_if, out_if, tos, vlan";
}

static const struct weir_field *find(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].word) == length && !strncasecmp(known[i].word, word, length))
			return &known[i];
	}
	return NULL;
}

static bool has(const struct weir_fields *fields, const struct weir_field *field)
{
	for (unsigned i = 0; i < fields->count; i++) {
		if (fields->field[i] == field)
			return true;
	}
	return false;
}

int weir_fields_parse(const char *text, struct weir_fields *fields, const char **word)
{
	memset(fields, 0, sizeof(*fields));
	for (;;) {
		const struct weir_field *field;
		size_t length;

		text += strspn(text, " ");
		length = strcspn(text, ", ");
		if (word)
			*word = text;
		field = find(text, length);
		if (!field || has(fields, field) || fields->count == WEIR_FIELDS_MAX)
			return -EINVAL;
		fields->field[fields->count++] = field;
		fields->key_bytes += field->bytes;
		fields->has_host = fields->has_host || field->build == build_host;
		text += length;
		text += strspn(text, " ");
		if (!*text)
			return 0;
		if (*text == ',')
			text++;
	}
}

unsigned weir_fields_keys(const struct weir_fields *fields, const struct weir_flow *flow,
			  uint8_t keys[2][WEIR_FIELDS_KEY_MAX])
{
	unsigned ends = 1;

	if (fields->has_host && memcmp(flow->src_addr, flow->dst_addr, sizeof(flow->src_addr)))
		ends = 2;
	for (unsigned end = 0; end < ends; end++) {
		uint8_t *key = keys[end];

		for (unsigned i = 0; i < fields->count; i++) {
			fields->field[i]->build(flow, end, key);
			key += fields->field[i]->bytes;
		}
	}
	return ends;
}

const char *weir_fields_text(const struct weir_fields *fields, unsigned i, const uint8_t *key,
			     char *text, size_t text_bytes)
{
	for (unsigned k = 0; k < i; k++)
		key += fields->field[k]->bytes;
	fields->field[i]->print(key, text, text_bytes);
	return text;
}

const char *weir_fields_word(const struct weir_fields *fields, unsigned i)
{
	return fields->field[i]->word;
}
