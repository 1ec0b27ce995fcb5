// SPDX-License-Identifier: GPL-2.0
/* match.c - one flow against a compiled filter. */
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

static bool has_nat_address(const struct weir_filter *f, const struct weir_step *step,
			    uint64_t high, uint64_t low)
{
	uint8_t address[16], version = weir_flow_address(high, low, address);

	return version && has_address(f, step, version, address);
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

static bool has_mac(const struct weir_filter *f, const struct weir_step *step, const uint8_t *mac)
{
	for (unsigned i = 0; i < step->count; i++) {
		if (!memcmp(f->values[step->first + i].mac, mac, 6))
			return true;
	}
	return false;
}

static bool has_bits(const struct weir_filter *f, const struct weir_step *step, uint64_t number)
{
	uint64_t bits = f->values[step->first].range.low;

	return (number & bits) == bits;
}

bool weir_filter_step_holds(const struct weir_filter *f, const struct weir_step *s,
			    const struct weir_flow *flow)
{
	uint64_t number;

	switch ((enum weir_test)s->test) {
	case WEIR_TEST_ANY:
		return true;
	case WEIR_TEST_NONE:
	case WEIR_TEST_NODE:
	case WEIR_TEST_SITE:
		return false;
	case WEIR_TEST_ADDRESS:
		return combine(s->direction, has_address(f, s, flow->ip_version, flow->src_addr),
			       has_address(f, s, flow->ip_version, flow->dst_addr));
	case WEIR_TEST_MAC:
		return combine(s->direction, has_mac(f, s, flow->src_mac),
			       has_mac(f, s, flow->dst_mac));
	case WEIR_TEST_PORT:
		return weir_fields_has_ports(flow->protocol) &&
		       combine(s->direction, has_number(f, s, flow->src_port),
			       has_number(f, s, flow->dst_port));
	case WEIR_TEST_INTERFACE:
		return !(s->own && flow->netns) &&
		       combine(s->direction, has_number(f, s, flow->in_ifindex),
			       has_number(f, s, flow->out_ifindex));
	case WEIR_TEST_NAT_ADDRESS:
		return combine(s->direction,
			       has_nat_address(f, s, flow->nat_src_high, flow->nat_src_low),
			       has_nat_address(f, s, flow->nat_dst_high, flow->nat_dst_low));
	case WEIR_TEST_NAT_PORT:
		return combine(s->direction,
			       flow->nat_src_port && has_number(f, s, flow->nat_src_port),
			       flow->nat_dst_port && has_number(f, s, flow->nat_dst_port));
	case WEIR_TEST_NUMBER:
		return weir_quantity_at(s->quantity)->get(flow, &number) &&
		       has_number(f, s, number);
	case WEIR_TEST_BITS:
		return weir_quantity_at(s->quantity)->get(flow, &number) && has_bits(f, s, number);
	case WEIR_TEST_ANY_BITS:
		return weir_quantity_at(s->quantity)->get(flow, &number) &&
		       (number & f->values[s->first].range.low);
	}
	return false;
}

/* The columns of the source's, the destination's or both ends' member. */
static uint64_t ends(const struct weir_step *step, enum weir_column_id src, enum weir_column_id dst)
{
	if (step->direction == WEIR_SRC)
		return WEIR_COLUMN_BIT(src);
	if (step->direction == WEIR_DST)
		return WEIR_COLUMN_BIT(dst);
	return WEIR_COLUMN_BIT(src) | WEIR_COLUMN_BIT(dst);
}

uint64_t weir_filter_step_columns(const struct weir_step *step)
{
	switch ((enum weir_test)step->test) {
	case WEIR_TEST_ADDRESS:
		return WEIR_COLUMN_BIT(WEIR_COLUMN_IP_VERSION) |
		       ends(step, WEIR_COLUMN_SRC_ADDR, WEIR_COLUMN_DST_ADDR);
	case WEIR_TEST_MAC:
		return ends(step, WEIR_COLUMN_SRC_MAC, WEIR_COLUMN_DST_MAC);
	case WEIR_TEST_PORT:
		return WEIR_COLUMN_BIT(WEIR_COLUMN_PROTOCOL) |
		       ends(step, WEIR_COLUMN_SRC_PORT, WEIR_COLUMN_DST_PORT);
	case WEIR_TEST_INTERFACE:
		return ends(step, WEIR_COLUMN_IN_IFINDEX, WEIR_COLUMN_OUT_IFINDEX) |
		       (step->own ? WEIR_COLUMN_BIT(WEIR_COLUMN_NETNS) : 0);
	case WEIR_TEST_NAT_ADDRESS:
		return ends(step, WEIR_COLUMN_NAT_SRC_HIGH, WEIR_COLUMN_NAT_DST_HIGH) |
		       ends(step, WEIR_COLUMN_NAT_SRC_LOW, WEIR_COLUMN_NAT_DST_LOW);
	case WEIR_TEST_NAT_PORT:
		return ends(step, WEIR_COLUMN_NAT_SRC_PORT, WEIR_COLUMN_NAT_DST_PORT);
	case WEIR_TEST_NUMBER:
	case WEIR_TEST_BITS:
	case WEIR_TEST_ANY_BITS:
		return weir_quantity_at(step->quantity)->columns;
	default:
		return 0;
	}
}

uint64_t weir_filter_columns(const struct weir_filter *filter)
{
	uint64_t columns = 0;

	for (unsigned i = 0; filter && i < filter->step_count; i++)
		columns |= weir_filter_step_columns(&filter->steps[i]);
	return columns;
}

bool weir_filter_match(const struct weir_filter *filter, const struct weir_flow *flow)
{
	uint16_t at;

	if (!filter)
		return true;
	at = filter->entry;
	while (at < filter->step_count) {
		const struct weir_step *step = &filter->steps[at];

		at = weir_filter_step_holds(filter, step, flow) ? step->if_true : step->if_false;
	}
	return at == WEIR_FILTER_TRUE;
}
