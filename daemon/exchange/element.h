/* SPDX-License-Identifier: GPL-2.0 */
/* element.h - information elements that weir knows; see ipfix.h. */
#ifndef WEIR_EXCHANGE_ELEMENT_H
#define WEIR_EXCHANGE_ELEMENT_H

#include "daemon/common/flow.h"

/* What a value is to a flow. */
enum weir_ipfix_kind {
	WEIR_IPFIX_NUMBER,    /* a member, unsigned */
	WEIR_IPFIX_OCTETS,    /* a member, byte for byte: MAC and IPv6 addresses */
	WEIR_IPFIX_IPV4,      /* a member of 16 bytes, mapped */
	WEIR_IPFIX_TIME,      /* offset: enum weir_ipfix_moment, size: enum weir_ipfix_form */
	WEIR_IPFIX_ICMP,      /* type * 256 + code */
	WEIR_IPFIX_ICMP_TYPE,
	WEIR_IPFIX_ICMP_CODE,
	WEIR_IPFIX_DSCP,      /* the upper six bits of tos */
	WEIR_IPFIX_DIRECTION, /* written for others; says less than observed */
	WEIR_IPFIX_SPARE,     /* a NUMBER, if the element of its own is not there */
	WEIR_IPFIX_NAT4,      /* two members of 8 bytes, halves of an address: the lower 4 bytes of it */
	WEIR_IPFIX_NAT6,      /* all 16 */
	WEIR_IPFIX_MPLS,      /* a member, the upper 20 of 24 bits */
	WEIR_IPFIX_BOOT,      /* of an exporter, in options: what times of sysUpTime count from */
	WEIR_IPFIX_NAME,      /* of an observation domain, in options */
};

enum weir_ipfix_moment { WEIR_IPFIX_START, WEIR_IPFIX_END };

/* The coarsest first. */
enum weir_ipfix_form {
	WEIR_IPFIX_UPTIME_MS,
	WEIR_IPFIX_S,
	WEIR_IPFIX_DELTA_US, /* before the message's export time */
	WEIR_IPFIX_MS,
	WEIR_IPFIX_NTP_US,
	WEIR_IPFIX_NTP_NS,
	WEIR_IPFIX_FORMS,
};

/* In which of weir's templates an element is written. */
enum {
	WEIR_IPFIX_IN_IPV4 = 1,
	WEIR_IPFIX_IN_IPV6 = 2,
	WEIR_IPFIX_IN_ICMP4 = 4,
	WEIR_IPFIX_IN_ICMP6 = 8,
	WEIR_IPFIX_WITH_TAIL = 4, /* from here on the same four again, for flows that have one */
	WEIR_IPFIX_IN_TAILS = 0xf0,
	WEIR_IPFIX_IN_ALL = 0xff,
	WEIR_IPFIX_TEMPLATES = 8,
};

/* RFC 5610, in numbers of IANA's registries. */
enum {
	WEIR_IPFIX_TYPE_UNSIGNED8 = 1,
	WEIR_IPFIX_TYPE_UNSIGNED16,
	WEIR_IPFIX_TYPE_UNSIGNED32,
	WEIR_IPFIX_TYPE_UNSIGNED64,
};

struct weir_ipfix_element {
	uint32_t enterprise; /* 0: IANA's */
	uint16_t id;
	uint8_t bytes; /* as weir writes it */
	uint8_t kind;
	uint8_t templates;
	uint16_t offset; /* of the member */
	uint8_t size;
	/* for those of WEIR_IPFIX_ENTERPRISE */
	uint8_t type, semantics;
	uint16_t units;
	const char *name;
	const char *description;
};

/* In the order in which they are written; ends with id 0. */
extern const struct weir_ipfix_element weir_ipfix_elements[];
/* NULL: not known. */
const struct weir_ipfix_element *weir_ipfix_element_find(uint32_t enterprise, uint16_t id);

/**
 * weir_ipfix_turn_nat - from weir's way to name the two sides of NAT to IPFIX's, or back.
 * To IPFIX a packet's ends are what it came with, and postNAT... what it went on with. In routed
 * mode weir has the latter as the destination, and the former as what is beyond; of what it sees
 * leave an interface, it has both ends that way.
 */
void weir_ipfix_turn_nat(struct weir_flow *flow);

static inline uint64_t weir_ipfix_number(const uint8_t *value, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number = number << 8 | value[i];
	return number;
}

static inline void weir_ipfix_put_number(uint8_t *to, uint64_t number, size_t bytes)
{
	while (bytes--) {
		to[bytes] = (uint8_t)number;
		number >>= 8;
	}
}

/* A time as read: one value for each form that was there. */
struct weir_ipfix_reading {
	uint64_t value[WEIR_IPFIX_FORMS];
	uint8_t got; /* bit i: form i */
};

/* The finest there is, nanoseconds since 1970. Forms that wrap are near a finer one or @export_time
 * (seconds). @boot_ms 0: not known. 0: there is no time in it. Past what 64 bits hold: UINT64_MAX. */
uint64_t weir_ipfix_time_ns(const struct weir_ipfix_reading *reading, uint32_t export_time, uint64_t boot_ms);
/* RFC 7011, 6.1.10; rounded up, so that rounding down and rounding to the nearest give @ns again. */
uint64_t weir_ipfix_time_ntp(uint64_t ns);

#endif
