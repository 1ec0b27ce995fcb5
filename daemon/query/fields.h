/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fields.h - the words a user can group by, and their binary form.
 *
 * A key is the concatenation of its fields' values, each of fixed width and in
 * network order, so equal keys are equal bytes on every machine, and keys in the
 * order of their bytes are in the order of their values; summaries, the network and
 * the aggregation use the same form.
 *
 *   word        bytes  meaning
 *   src            17   IP version (4 or 6), source address
 *   dst            17   the same of the destination
 *   host           17   either end; a flow counts for both (once if they are equal)
 *   sport           2   source port
 *   dport           2   destination port
 *   proto           1   protocol
 *   service         3   protocol, and the lower of the two ports: the
 *                       server's, as ephemeral ports lie above registered ones;
 *                       ICMP: type * 256 + code; 0 for protocols without ports
 *   in_if           4   interface index of the node the packet came in by
 *   out_if          4
 *   tos             1
 *   vlan            2
 *   version         1   4 or 6
 *   dscp            1   the upper six bits of tos
 *   flags           2   the TCP flags seen, 9 bits
 *   ttl             1   the least seen
 *   mark            4
 *   sclass          1   enum weir_port_class of the source port
 *   dclass          1
 *   src_mac         6
 *   dst_mac         6
 *   end_reason      1   enum weir_end_reason
 *   observed        1   enum weir_observed
 *   time/5m         8   when the span of this length, counted from 1970, began in
 *                       which the flow ended; nanoseconds since the Unix epoch
 *   in_name        16   the interface's name, bytes, filled up with zeros
 *   out_name       16
 *   nat_src        17   IP version, then 16 bytes of address; 0 and zeros: there is none
 *   nat_dst        17
 *   nat_sport       2
 *   nat_dport       2
 *   tunnel          1   enum weir_tunnel
 *   tunnel_id       4
 *   netns           4
 *   inner_vlan      2
 *   mpls            4
 *   pppoe           2
 *   sampling        4
 *   node           64   the node's name
 *   site           64
 *
 * src, dst and host take prefix lengths: "src/24" masks IPv4 addresses, "src/24/64" also
 * IPv6 addresses; "src//64" only those. The form of the key stays the same.
 */
#ifndef WEIR_QUERY_FIELDS_H
#define WEIR_QUERY_FIELDS_H

#include "daemon/common/flow.h"

enum {
	WEIR_FIELDS_MAX = 8,		       /* fields in one key */
	WEIR_FIELDS_NAME_BYTES = 64,	       /* a node's or a site's */
	WEIR_FIELDS_INTERFACE_BYTES = 16,      /* IF_NAMESIZE */
	WEIR_FIELDS_KEY_MAX = 2 * 64 + 6 * 17, /* bytes in one key; node, site and addresses */
	WEIR_FIELDS_TEXT_MAX = 72,	       /* room for the text of any field */
};

/* How the key is made, for an engine with faster ways than build(). */
enum weir_field_form {
	WEIR_FIELD_NUMBER,  /* the column's value, in network order */
	WEIR_FIELD_ADDRESS, /* version and address of the column, masked to bits4 or bits6 */
	WEIR_FIELD_HOST,    /* the same of either end */
	WEIR_FIELD_OTHER,   /* only build() knows */
};

struct weir_field_use;

struct weir_field {
	const char *word;
	const char *help; /* half a sentence */
	unsigned bytes;
	enum weir_field_form form;
	uint8_t column;	  /* of NUMBER and ADDRESS */
	uint64_t columns; /* that build() reads, as WEIR_COLUMN_BIT()s */
	/* @end: 0 or 1, which end HOST is built for */
	void (*build)(const struct weir_field_use *use, const struct weir_flow *flow, unsigned end,
		      uint8_t *key);
	void (*print)(const struct weir_field_use *use, const uint8_t *key, char *text,
		      size_t text_bytes);
};

/* names.h: for node, site, in_name and out_name. */
struct weir_names;

/* A field with what was written behind it. */
struct weir_field_use {
	const struct weir_field *field;
	unsigned offset;		/* of its value in the key */
	uint8_t bits4, bits6;		/* of an address that are kept; 32 and 128: all */
	uint64_t every_ns;		/* of time */
	const struct weir_names *names; /* NULL until bound */
};

/* A parsed list of fields, such as "src/24,dst,service". */
struct weir_fields {
	struct weir_field_use use[WEIR_FIELDS_MAX];
	unsigned count;
	unsigned key_bytes;
	bool has_host; /* a flow can count under two keys */
};

/* Parse "src,dport". -EINVAL: *@word (if not NULL) points at the word at fault inside @text. */
int weir_fields_parse(const char *text, struct weir_fields *fields, const char **word);
/* The sentence for what was at fault there: "dts" is not a field; did you mean "dst"? Returns @error. */
const char *weir_fields_complain(const char *text, const char *word, char *error,
				 size_t error_bytes);
/* A sentence fragment listing the words known, for error messages and help. */
const char *weir_fields_words(void);
/* The field by index from 0, for help texts; NULL past the last. */
const struct weir_field *weir_fields_at(unsigned index);
/* The columns they read, as WEIR_COLUMN_BIT()s. */
uint64_t weir_fields_columns(const struct weir_fields *fields);

/* Build the keys of @flow: returns how many (1, or 2 when has_host), each fields->key_bytes long.
 */
unsigned weir_fields_keys(const struct weir_fields *fields, const struct weir_flow *flow,
			  uint8_t keys[2][WEIR_FIELDS_KEY_MAX]);
/* Text of field @i of @key, e.g. "10.0.0.1", "tcp/443", "icmp/echo-request". Returns @text. */
const char *weir_fields_text(const struct weir_fields *fields, unsigned i, const uint8_t *key,
			     char *text, size_t text_bytes);
/* If field @i is a plain number (a port, a VLAN, ...): true and its value. */
bool weir_fields_number(const struct weir_fields *fields, unsigned i, const uint8_t *key,
			uint64_t *value);
/* The word of field @i without what was written behind it: "src". */
const char *weir_fields_word(const struct weir_fields *fields, unsigned i);
/* The field as a user would write it, for column heads: "src/24", "time/5m". Returns @text. */
const char *weir_fields_title(const struct weir_fields *fields, unsigned i, char *text,
			      size_t text_bytes);
/* The same as a name in JSON and CSV: "src_24", "time_5m". Returns @text. */
const char *weir_fields_name(const struct weir_fields *fields, unsigned i, char *text,
			     size_t text_bytes);

/* The server's port of @flow, or its ICMP type and code, or 0: the second half of field "service".
 */
uint16_t weir_fields_service_port(const struct weir_flow *flow);
/* Whether src_port and dst_port of @protocol are ports (for ICMP they are type and code). */
bool weir_fields_has_ports(uint8_t protocol);
/* "echo-request", "port-unreachable", else "42.0" (type.code). Returns @text. */
const char *weir_fields_icmp_text(uint8_t protocol, uint16_t type_code, char *text,
				  size_t text_bytes);

/* Fields "sclass" and "dclass": IANA's ranges (RFC 6335). */
enum weir_port_class {
	WEIR_PORT_NONE = 0,   /* a protocol without ports */
	WEIR_PORT_SYSTEM,     /* 0 to 1023 */
	WEIR_PORT_REGISTERED, /* 1024 to 32767 */
	WEIR_PORT_EPHEMERAL,  /* 32768 to 65535: what Linux takes for clients, and IANA's */
};

#endif
