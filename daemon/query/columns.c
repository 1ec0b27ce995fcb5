// SPDX-License-Identifier: GPL-2.0
/* columns.c - the columns of one block, decoded when they are wanted. */
#include "daemon/query/columns.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"

enum {
	CODES_MAX = 65536,
};

int weir_columns_new(struct weir_store *store, struct weir_query_result *figures,
		     struct weir_columns **columns)
{
	struct weir_columns *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->figures = figures;
	ret = weir_store_view_new(store, &c->view);
	if (ret) {
		free(c);
		return ret;
	}
	*columns = c;
	return 0;
}

void weir_columns_free(struct weir_columns *columns)
{
	if (!columns)
		return;
	weir_store_view_free(columns->view);
	for (unsigned i = 0; i < WEIR_COLUMN_END; i++) {
		free(columns->code_room[i]);
		free(columns->value_room[i]);
	}
	free(columns->seen);
	free(columns->host_room[0]);
	free(columns->host_room[1]);
	free(columns);
}

int weir_columns_open(struct weir_columns *columns, const struct weir_store_block *block)
{
	int ret = weir_store_view_open(columns->view, block);

	columns->loaded = columns->unspelled = columns->counted = 0;
	columns->coded = columns->uncoded = 0;
	columns->hosts = 0;
	columns->swapped = false;
	columns->count = ret ? 0 : weir_store_view_records(columns->view);
	return ret;
}

void weir_columns_close(struct weir_columns *columns)
{
	weir_store_view_close(columns->view);
}

static enum weir_column_id other_end(enum weir_column_id id)
{
	switch (id) {
	case WEIR_COLUMN_SRC_ADDR:
		return WEIR_COLUMN_DST_ADDR;
	case WEIR_COLUMN_DST_ADDR:
		return WEIR_COLUMN_SRC_ADDR;
	case WEIR_COLUMN_SRC_PORT:
		return WEIR_COLUMN_DST_PORT;
	case WEIR_COLUMN_DST_PORT:
		return WEIR_COLUMN_SRC_PORT;
	case WEIR_COLUMN_IN_IFINDEX:
		return WEIR_COLUMN_OUT_IFINDEX;
	case WEIR_COLUMN_OUT_IFINDEX:
		return WEIR_COLUMN_IN_IFINDEX;
	case WEIR_COLUMN_SRC_MAC:
		return WEIR_COLUMN_DST_MAC;
	case WEIR_COLUMN_DST_MAC:
		return WEIR_COLUMN_SRC_MAC;
	case WEIR_COLUMN_NAT_SRC_HIGH:
		return WEIR_COLUMN_NAT_DST_HIGH;
	case WEIR_COLUMN_NAT_DST_HIGH:
		return WEIR_COLUMN_NAT_SRC_HIGH;
	case WEIR_COLUMN_NAT_SRC_LOW:
		return WEIR_COLUMN_NAT_DST_LOW;
	case WEIR_COLUMN_NAT_DST_LOW:
		return WEIR_COLUMN_NAT_SRC_LOW;
	case WEIR_COLUMN_NAT_SRC_PORT:
		return WEIR_COLUMN_NAT_DST_PORT;
	case WEIR_COLUMN_NAT_DST_PORT:
		return WEIR_COLUMN_NAT_SRC_PORT;
	default:
		return id;
	}
}

enum weir_column_id weir_columns_id(const struct weir_columns *columns, enum weir_column_id id)
{
	return columns->swapped ? other_end(id) : id;
}

/* Ids of @set, one after another. */
static enum weir_column_id next_id(uint64_t *set)
{
	enum weir_column_id id = (enum weir_column_id)__builtin_ctzll(*set);

	*set &= *set - 1;
	return id;
}

static void count_bytes(struct weir_columns *c, enum weir_column_id id)
{
	if (!(c->counted & WEIR_COLUMN_BIT(id)))
		c->figures->bytes_read += weir_store_view_column_bytes(c->view, id);
	c->counted |= WEIR_COLUMN_BIT(id);
}

static int load(struct weir_columns *c, enum weir_column_id id, bool spell)
{
	uint64_t bit = WEIR_COLUMN_BIT(id);
	int ret;

	if (c->loaded & bit || (!spell && c->unspelled & bit))
		return 0;
	ret = (spell ? weir_store_view_column : weir_store_view_codes)(c->view, id, &c->vector[id]);
	if (ret)
		return ret;
	count_bytes(c, id);
	*(spell ? &c->loaded : &c->unspelled) |= bit;
	return 0;
}

int weir_columns_load(struct weir_columns *columns, uint64_t set)
{
	uint64_t began_ns = weir_clock_monotonic_ns();
	int ret = 0;

	while (set && !ret)
		ret = load(columns, weir_columns_id(columns, next_id(&set)), true);
	columns->figures->read_ns += weir_clock_monotonic_ns() - began_ns;
	return ret;
}

int weir_columns_load_codes(struct weir_columns *columns, enum weir_column_id id)
{
	uint64_t began_ns = weir_clock_monotonic_ns();
	int ret = load(columns, weir_columns_id(columns, id), false);

	columns->figures->read_ns += weir_clock_monotonic_ns() - began_ns;
	return ret;
}

int weir_columns_run_rows(struct weir_columns *columns, enum weir_column_id id, uint32_t first,
			  uint32_t end, uint32_t *from, uint32_t *to)
{
	uint64_t began_ns = weir_clock_monotonic_ns();
	int ret;

	id = weir_columns_id(columns, id);
	ret = weir_store_view_run_rows(columns->view, id, first, end, from, to);
	if (!ret)
		count_bytes(columns, id);
	columns->figures->read_ns += weir_clock_monotonic_ns() - began_ns;
	return ret;
}

const struct weir_vector *weir_columns_get(const struct weir_columns *columns,
					   enum weir_column_id id)
{
	return &columns->vector[weir_columns_id(columns, id)];
}

/* Give each different value of one or two bytes a code, in the order of appearance. */
static bool make_codes(struct weir_columns *c, enum weir_column_id id)
{
	const struct weir_vector *vector = &c->vector[id];
	struct weir_codes *codes = &c->codes[id];
	uint16_t *code, *value;
	uint32_t entries = 0;

	if (!c->code_room[id])
		c->code_room[id] = malloc(CODES_MAX * sizeof(uint16_t));
	if (!c->value_room[id])
		c->value_room[id] = malloc(CODES_MAX * sizeof(uint16_t));
	if (!c->seen)
		c->seen = malloc(CODES_MAX * sizeof(uint16_t));
	if (!c->code_room[id] || !c->value_room[id] || !c->seen)
		return false;
	code = c->code_room[id];
	value = c->value_room[id];
	/* A value is known if its code's value is itself: seen[] needs no clearing, but for tools'
	 * sake and determinism it is. */
	memset(c->seen, 0, CODES_MAX * sizeof(uint16_t));
	for (uint32_t row = 0; row < vector->count; row++) {
		uint16_t number = vector->width == 1 ? ((const uint8_t *)vector->values)[row] :
						       ((const uint16_t *)vector->values)[row];
		uint32_t at = c->seen[number];

		if (at >= entries || value[at] != number) {
			at = entries++;
			c->seen[number] = (uint16_t)at;
			value[at] = number;
		}
		code[row] = (uint16_t)at;
	}
	*codes = (struct weir_codes){.codes = code, .entries = entries, .values = value, .width = 2};
	return true;
}

const struct weir_codes *weir_columns_codes(struct weir_columns *columns, enum weir_column_id id)
{
	const struct weir_vector *vector;
	uint64_t bit;
	bool done = true;

	id = weir_columns_id(columns, id);
	bit = WEIR_COLUMN_BIT(id);
	if (columns->coded & bit)
		return &columns->codes[id];
	if (columns->uncoded & bit)
		return NULL;
	vector = &columns->vector[id];
	if (vector->form == WEIR_VECTOR_DICTIONARY)
		columns->codes[id] = (struct weir_codes){vector->codes, vector->entries,
							 vector->values, vector->width};
	else if (vector->form == WEIR_VECTOR_CONSTANT)
		columns->codes[id] = (struct weir_codes){NULL, 1, vector->values, vector->width};
	else
		done = vector->width <= 2 && make_codes(columns, id);
	if (done)
		columns->coded |= bit;
	else
		columns->uncoded |= bit;
	return done ? &columns->codes[id] : NULL;
}

static unsigned __int128 address_at(const struct weir_vector *vector, uint32_t i)
{
	uint64_t half[2];

	memcpy(half, (const uint8_t *)vector->values + 16 * (size_t)i, sizeof(half));
	return (unsigned __int128)be64toh(half[0]) << 64 | be64toh(half[1]);
}

/* Both are sorted; which one goes on is a coin tossed, so it is no branch. */
static uint32_t unite(const struct weir_vector *a, const struct weir_vector *b, uint16_t *map_a,
		      uint16_t *map_b)
{
	uint32_t i = 0, k = 0, place = 0;

	while (i < a->entries && k < b->entries) {
		unsigned __int128 x = address_at(a, i), y = address_at(b, k);

		map_a[i] = map_b[k] = (uint16_t)place++;
		i += x <= y;
		k += y <= x;
	}
	for (; i < a->entries; i++)
		map_a[i] = (uint16_t)place++;
	for (; k < b->entries; k++)
		map_b[k] = (uint16_t)place++;
	return place;
}

uint32_t weir_columns_hosts(struct weir_columns *columns, const uint16_t *map[2])
{
	const struct weir_vector *src = weir_columns_get(columns, WEIR_COLUMN_SRC_ADDR);
	const struct weir_vector *dst = weir_columns_get(columns, WEIR_COLUMN_DST_ADDR);

	if (src->form != WEIR_VECTOR_DICTIONARY || dst->form != WEIR_VECTOR_DICTIONARY)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		if (!columns->host_room[i])
			columns->host_room[i] = malloc(CODES_MAX * sizeof(uint16_t));
		if (!columns->host_room[i])
			return 0;
		map[i] = columns->host_room[i];
	}
	if (!columns->hosts)
		columns->hosts = unite(src, dst, columns->host_room[0], columns->host_room[1]);
	return columns->hosts <= CODES_MAX ? columns->hosts : 0;
}

static bool is_zero(const struct weir_columns *columns, uint64_t set)
{
	static const uint8_t zero[16];

	while (set) {
		const struct weir_vector *vector = weir_columns_get(columns, next_id(&set));

		if (vector->form != WEIR_VECTOR_CONSTANT ||
		    memcmp(vector->values, zero, vector->width))
			return false;
	}
	return true;
}

void weir_columns_gather(const struct weir_columns *columns, uint64_t set, const uint16_t *rows,
			 uint32_t first, uint32_t count, struct weir_flow *flows)
{
	/* The whole record of a block without tail. */
	if ((set & WEIR_COLUMN_TAIL) == WEIR_COLUMN_TAIL && is_zero(columns, WEIR_COLUMN_TAIL)) {
		set &= ~WEIR_COLUMN_TAIL;
		for (uint32_t i = 0; i < count; i++)
			memset((uint8_t *)&flows[i] + WEIR_FLOW_TAIL_AT, 0, WEIR_FLOW_TAIL_BYTES);
	}
	while (set) {
		enum weir_column_id id = next_id(&set);
		const struct weir_vector *vector = weir_columns_get(columns, id);

		if (rows)
			weir_vector_gather(vector, id, rows + first, count, flows);
		else
			weir_vector_scatter(vector, id, first, count, flows);
	}
}

static uint64_t number_at(const struct weir_codes *codes, uint32_t code)
{
	switch (codes->width) {
	case 1:
		return ((const uint8_t *)codes->values)[code];
	case 2:
		return ((const uint16_t *)codes->values)[code];
	case 4:
		return ((const uint32_t *)codes->values)[code];
	default:
		return ((const uint64_t *)codes->values)[code];
	}
}

void weir_codes_put(const struct weir_codes *codes, enum weir_column_id id, uint32_t code,
		    struct weir_flow *flow)
{
	const struct weir_column *column = weir_column_find((uint16_t)id);
	uint8_t *to = (uint8_t *)flow + column->offset;
	uint64_t number;

	if (!column->number) {
		memcpy(to, (const uint8_t *)codes->values + (size_t)code * column->width,
		       column->width);
		return;
	}
	/* The codes may be of a wider type than the member. */
	number = number_at(codes, code);
	switch (column->width) {
	case 1:
		*to = (uint8_t)number;
		break;
	case 2:
		memcpy(to, &(uint16_t){(uint16_t)number}, 2);
		break;
	case 4:
		memcpy(to, &(uint32_t){(uint32_t)number}, 4);
		break;
	default:
		memcpy(to, &number, 8);
		break;
	}
}
