/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fields.h - the words a user can group by, and their binary form.
 *
 * A key is the concatenation of its fields' values, each of fixed width and in
 * network order, so equal keys are equal bytes on every machine; summaries,
 * the network and the aggregation use the same form.
 *
 *   word     bytes  meaning
 *   src        17   IP version (4 or 6), source address
 *   dst        17   the same of the destination
 *   host       17   either end; a flow counts for both (once if they are equal)
 *   sport       2   source port
 *   dport       2   destination port
 *   proto       1   protocol
 *   service     3   protocol, and the lower of the two ports: the
 *                   server's, as ephemeral ports lie above registered ones;
 *                   ICMP: type * 256 + code; 0 for protocols without ports
 *   in_if       4   interface index of the node the packet came in by
 *   out_if      4
 *   tos         1
 *   vlan        2
 */
#ifndef WEIR_QUERY_FIELDS_H
#define WEIR_QUERY_FIELDS_H

#include "daemon/common/flow.h"

enum {
	WEIR_FIELDS_MAX = 8, /* fields in one key */
	WEIR_FIELDS_KEY_MAX = 17 * 3 + 16, /* bytes in one key */
};

struct weir_field;

/* A parsed list of fields, such as "src,dst,service". */
struct weir_fields {
	const struct weir_field *field[WEIR_FIELDS_MAX];
	unsigned count;
	unsigned key_bytes;
	bool has_host; /* a flow can count under two keys */
};

/* Parse "src,dport". -EINVAL: *@word (if not NULL) points at the word at fault inside @text. */
int weir_fields_parse(const char *text, struct weir_fields *fields, const char **word);
/* A sentence fragment listing the words known, for error messages and help. */
const char *weir_fields_words(void);

/* Build the keys of @flow: returns how many (1, or 2 when has_host), each fields->key_bytes long. */
unsigned weir_fields_keys(const struct weir_fields *fields, const struct weir_flow *flow,
			  uint8_t keys[2][WEIR_FIELDS_KEY_MAX]);
/* Text of field @i of @key, e.g. "10.0.0.1", "tcp/443", "icmp/echo-request". Returns @text. */
const char *weir_fields_text(const struct weir_fields *fields, unsigned i, const uint8_t *key,
			     char *text, size_t text_bytes);
/* The word of field @i, for column heads and JSON names. */
const char *weir_fields_word(const struct weir_fields *fields, unsigned i);

/* The server's port of @flow, or its ICMP type and code, or 0: the second half of field "service". */
uint16_t weir_fields_service_port(const struct weir_flow *flow);
/* Whether src_port and dst_port of @protocol are ports (for ICMP they are type and code). */
bool weir_fields_has_ports(uint8_t protocol);
/* "echo-request", "port-unreachable", else "42.0" (type.code). Returns @text. */
const char *weir_fields_icmp_text(uint8_t protocol, uint16_t type_code, char *text,
				  size_t text_bytes);

#endif
