// SPDX-License-Identifier: GPL-2.0
/* match.c - one flow against a compiled filter. */
#include <netinet/in.h>
#include <string.h>

#include "daemon/query/filter.h"

static bool in_prefix(const struct weir_prefix *prefix, uint8_t ip_version, const uint8_t *address)
{
	unsigned bytes = prefix->bits / 8, bits = prefix->bits % 8;

	/* Mapped IPv4 lies inside ::/0; the version keeps the families apart. */
	if (prefix->ip_version != ip_version || memcmp(prefix->address, address, bytes))
		return false;
	return !bits || !((prefix->address[bytes] ^ address[bytes]) >> (8 - bits));
}

static bool has_address(const struct weir_filter *f, const struct weir_step *step,
			uint8_t ip_version, const uint8_t *address)
{
	for (unsigned i = 0; i < step->count; i++) {
		if (in_prefix(&f->values[step->first + i].prefix, ip_version, address))
			return true;
	}
	return false;
}

static bool has_number(const struct weir_filter *f, const struct weir_step *step, uint64_t number)
{
	for (unsigned i = 0; i < step->count; i++) {
		const struct weir_range *range = &f->values[step->first + i].range;

		if (number >= range->low && number <= range->high)
			return true;
	}
	return false;
}

static bool combine(uint8_t direction, bool src, bool dst)
{
	switch (direction) {
	case WEIR_SRC:
		return src;
	case WEIR_DST:
		return dst;
	case WEIR_BOTH:
		return src && dst;
	default:
		return src || dst;
	}
}

static bool is_icmp(const struct weir_flow *flow)
{
	return flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6;
}

static uint64_t duration(const struct weir_flow *flow)
{
	return flow->end_ns > flow->start_ns ? flow->end_ns - flow->start_ns : 0;
}

static bool holds(const struct weir_filter *f, const struct weir_step *s,
		  const struct weir_flow *flow)
{
	switch ((enum weir_test)s->test) {
	case WEIR_TEST_ANY:
		return true;
	case WEIR_TEST_ADDRESS:
		return combine(s->direction, has_address(f, s, flow->ip_version, flow->src_addr),
			       has_address(f, s, flow->ip_version, flow->dst_addr));
	case WEIR_TEST_PORT:
		return weir_fields_has_ports(flow->protocol) &&
		       combine(s->direction, has_number(f, s, flow->src_port),
			       has_number(f, s, flow->dst_port));
	case WEIR_TEST_PROTOCOL:
		return has_number(f, s, flow->protocol);
	case WEIR_TEST_VERSION:
		return has_number(f, s, flow->ip_version);
	case WEIR_TEST_FLAGS:
		return flow->protocol == IPPROTO_TCP &&
		       (flow->tcp_flags & f->values[s->first].range.low) ==
			       f->values[s->first].range.low;
	case WEIR_TEST_FLAGS_EQUAL:
		return flow->protocol == IPPROTO_TCP && has_number(f, s, flow->tcp_flags & 0x1ff);
	case WEIR_TEST_BYTES:
		return has_number(f, s, flow->bytes);
	case WEIR_TEST_PACKETS:
		return has_number(f, s, flow->packets);
	case WEIR_TEST_DURATION:
		return has_number(f, s, duration(flow));
	case WEIR_TEST_IN_IF:
		return has_number(f, s, flow->in_ifindex);
	case WEIR_TEST_OUT_IF:
		return has_number(f, s, flow->out_ifindex);
	case WEIR_TEST_VLAN:
		return has_number(f, s, flow->vlan_id);
	case WEIR_TEST_TOS:
		return has_number(f, s, flow->tos);
	case WEIR_TEST_DSCP:
		return has_number(f, s, flow->tos >> 2);
	case WEIR_TEST_TTL:
		return has_number(f, s, flow->min_ttl);
	case WEIR_TEST_MARK:
		return has_number(f, s, flow->mark);
	case WEIR_TEST_ICMP_TYPE:
		return is_icmp(flow) && has_number(f, s, flow->dst_port >> 8);
	case WEIR_TEST_ICMP_CODE:
		return is_icmp(flow) && has_number(f, s, flow->dst_port & 255);
	}
	return false;
}

bool weir_filter_match(const struct weir_filter *filter, const struct weir_flow *flow)
{
	uint16_t at;

	if (!filter)
		return true;
	at = filter->entry;
	while (at < filter->step_count) {
		const struct weir_step *step = &filter->steps[at];

		at = holds(filter, step, flow) ? step->if_true : step->if_false;
	}
	return at == WEIR_FILTER_TRUE;
}
