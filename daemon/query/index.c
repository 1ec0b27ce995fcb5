// SPDX-License-Identifier: GPL-2.0
/* index.c - what the index of a block says about a test, before any column is read. */
#include <endian.h>
#include <string.h>

#include "daemon/query/select.h"

static bool may_hold_address(struct weir_columns *c, enum weir_column_id id,
			     const struct weir_filter *f, const struct weir_step *s)
{
	id = weir_columns_id(c, id);
	for (unsigned i = 0; i < s->count; i++) {
		const struct weir_prefix *prefix = &f->values[s->first + i].prefix;

		if (weir_store_view_may_hold_prefix(c->view, id, prefix->address, prefix->bits))
			return true;
	}
	return false;
}

static bool may_hold_number(struct weir_columns *c, enum weir_column_id id,
			    const struct weir_filter *f, const struct weir_step *s)
{
	id = weir_columns_id(c, id);
	for (unsigned i = 0; i < s->count; i++) {
		const struct weir_range *range = &f->values[s->first + i].range;

		if (weir_store_view_may_hold_number(c->view, id, range->low, range->high))
			return true;
	}
	return false;
}

static bool may_hold_half(struct weir_columns *c, enum weir_column_id id, uint64_t half,
			  unsigned bits)
{
	uint64_t rest = bits >= 64 ? 0 : UINT64_MAX >> bits;

	return weir_store_view_may_hold_number(c->view, weir_columns_id(c, id), half & ~rest,
					       half | rest);
}

/* @id is the column of the higher halves; the lower ones are in the next. */
static bool may_hold_nat(struct weir_columns *c, enum weir_column_id id,
			 const struct weir_filter *f, const struct weir_step *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct weir_prefix *prefix = &f->values[s->first + i].prefix;
		uint64_t half[2];

		memcpy(half, prefix->address, sizeof(half));
		if (may_hold_half(c, id, be64toh(half[0]), prefix->bits) &&
		    may_hold_half(c, id + 1, be64toh(half[1]),
				  prefix->bits > 64 ? prefix->bits - 64 : 0))
			return true;
	}
	return false;
}

typedef bool may_hold(struct weir_columns *c, enum weir_column_id id, const struct weir_filter *f,
		      const struct weir_step *s);

static enum weir_verdict ends(struct weir_columns *c, const struct weir_filter *f,
			      const struct weir_step *s, may_hold *may, enum weir_column_id src,
			      enum weir_column_id dst)
{
	bool possible;

	switch (s->direction) {
	case WEIR_SRC:
		possible = may(c, src, f, s);
		break;
	case WEIR_DST:
		possible = may(c, dst, f, s);
		break;
	case WEIR_BOTH:
		possible = may(c, src, f, s) && may(c, dst, f, s);
		break;
	default:
		possible = may(c, src, f, s) || may(c, dst, f, s);
		break;
	}
	return possible ? WEIR_UNKNOWN : WEIR_NEVER;
}

static enum weir_verdict number(struct weir_columns *c, const struct weir_filter *f,
				const struct weir_step *s)
{
	enum weir_column_id id = weir_quantity_at(s->quantity)->column;
	uint64_t min, max;

	if (!id)
		return WEIR_UNKNOWN;
	if (!may_hold_number(c, id, f, s))
		return WEIR_NEVER;
	if (!weir_store_view_range(c->view, weir_columns_id(c, id), &min, &max))
		return WEIR_UNKNOWN;
	for (unsigned i = 0; i < s->count; i++) {
		const struct weir_range *range = &f->values[s->first + i].range;

		if (min >= range->low && max <= range->high)
			return WEIR_ALWAYS;
	}
	return WEIR_UNKNOWN;
}

enum weir_verdict weir_select_verdict(struct weir_columns *columns,
				      const struct weir_filter *filter,
				      const struct weir_step *step)
{
	switch ((enum weir_test)step->test) {
	case WEIR_TEST_ANY:
		return WEIR_ALWAYS;
	case WEIR_TEST_NONE:
	case WEIR_TEST_NODE:
	case WEIR_TEST_SITE:
		return WEIR_NEVER;
	case WEIR_TEST_ADDRESS:
		return ends(columns, filter, step, may_hold_address, WEIR_COLUMN_SRC_ADDR,
			    WEIR_COLUMN_DST_ADDR);
	case WEIR_TEST_PORT:
		return ends(columns, filter, step, may_hold_number, WEIR_COLUMN_SRC_PORT,
			    WEIR_COLUMN_DST_PORT);
	case WEIR_TEST_INTERFACE:
		return ends(columns, filter, step, may_hold_number, WEIR_COLUMN_IN_IFINDEX,
			    WEIR_COLUMN_OUT_IFINDEX);
	case WEIR_TEST_NAT_ADDRESS:
		return ends(columns, filter, step, may_hold_nat, WEIR_COLUMN_NAT_SRC_HIGH,
			    WEIR_COLUMN_NAT_DST_HIGH);
	case WEIR_TEST_NAT_PORT:
		return ends(columns, filter, step, may_hold_number, WEIR_COLUMN_NAT_SRC_PORT,
			    WEIR_COLUMN_NAT_DST_PORT);
	case WEIR_TEST_NUMBER:
		return number(columns, filter, step);
	default:
		return WEIR_UNKNOWN;
	}
}
