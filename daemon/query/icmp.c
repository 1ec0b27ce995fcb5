// SPDX-License-Identifier: GPL-2.0
/* icmp.c - names of ICMP types and codes, as IANA gives them, shortened. */
#include <netinet/in.h>
#include <stdio.h>

#include "daemon/query/fields.h"

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
