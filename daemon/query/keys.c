// SPDX-License-Identifier: GPL-2.0
/*
 * keys.c - the keys of many records of a block.
 *
 * What a key is, is said by the fields' build() alone. Numbers and addresses, masked or not,
 * are written here straight from the columns; for other fields the records are gathered.
 */
#include "daemon/query/keys.h"

#include <endian.h>
#include <string.h>

void weir_keys_init(struct weir_keys *keys)
{
	memset(keys, 0, sizeof(*keys));
}

void weir_keys_add(struct weir_keys *keys, const struct weir_fields *fields)
{
	keys->list[keys->lists] = fields;
	keys->word[keys->lists++] = keys->words;
	keys->words += (fields->key_bytes + 7) / 8;
	keys->columns |= weir_fields_columns(fields);
}

static enum weir_column_id address_of(const struct weir_field_use *use, unsigned end)
{
	if (use->field->form == WEIR_FIELD_ADDRESS)
		return (enum weir_column_id)use->field->column;
	return end ? WEIR_COLUMN_DST_ADDR : WEIR_COLUMN_SRC_ADDR;
}

struct mask {
	uint64_t half[2];
};

/* As memory, not as a number: the first @bits of 16 bytes. */
static struct mask make_mask(unsigned bits)
{
	struct mask mask;
	uint64_t high = bits >= 64 ? UINT64_MAX : bits ? ~(UINT64_MAX >> bits) : 0;
	uint64_t low = bits <= 64 ? 0 : ~(bits >= 128 ? 0 : UINT64_MAX >> (bits - 64));

	mask.half[0] = htobe64(high);
	mask.half[1] = htobe64(low);
	return mask;
}

static inline void put_address(const struct mask *mask, uint8_t version, const uint8_t *address,
			       uint8_t *to)
{
	uint64_t half[2];

	memcpy(half, address, sizeof(half));
	half[0] &= mask->half[0];
	half[1] &= mask->half[1];
	*to = version;
	memcpy(to + 1, half, sizeof(half));
}

static void put_addresses(const struct weir_field_use *use, unsigned end,
			  const struct weir_columns *c, const uint16_t *rows, uint32_t count,
			  uint8_t *to, size_t stride)
{
	const struct mask mask4 = make_mask(96u + use->bits4), mask6 = make_mask(use->bits6);
	const struct weir_vector *versions = weir_columns_get(c, WEIR_COLUMN_IP_VERSION);
	const struct weir_vector *addresses = weir_columns_get(c, address_of(use, end));

	if (versions->form == WEIR_VECTOR_CONSTANT) {
		uint8_t version = *(const uint8_t *)versions->values;
		const struct mask *mask = version == 4 ? &mask4 : &mask6;

		for (uint32_t i = 0; i < count; i++)
			put_address(mask, version, weir_vector_at(addresses, rows[i]),
				    to + i * stride);
		return;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint8_t version = *(const uint8_t *)weir_vector_at(versions, rows[i]);

		put_address(version == 4 ? &mask4 : &mask6, version,
			    weir_vector_at(addresses, rows[i]), to + i * stride);
	}
}

#define PUT(type, convert)                                                                         \
	for (uint32_t i = 0; i < count; i++) {                                                     \
		const type value = convert(*(const type *)weir_vector_at(vector, rows[i]));        \
                                                                                                   \
		memcpy(to + i * stride, &value, sizeof(value));                                    \
	}
#define SAME(value) (value)

static void put_numbers(const struct weir_vector *vector, const uint16_t *rows, uint32_t count,
			uint8_t *to, size_t stride)
{
	switch (vector->width) {
	case 1:
		PUT(uint8_t, SAME)
		break;
	case 2:
		PUT(uint16_t, htobe16)
		break;
	case 4:
		PUT(uint32_t, htobe32)
		break;
	default:
		PUT(uint64_t, htobe64)
		break;
	}
}

static void put_others(const struct weir_fields *fields, unsigned end,
		       const struct weir_columns *c, const uint16_t *rows, uint32_t count,
		       struct weir_flow *flow, uint8_t *to, size_t stride)
{
	uint64_t set = 0;

	for (unsigned k = 0; k < fields->count; k++) {
		if (fields->use[k].field->form == WEIR_FIELD_OTHER)
			set |= fields->use[k].field->columns;
	}
	weir_columns_gather(c, set, rows, 0, count, flow);
	for (unsigned k = 0; k < fields->count; k++) {
		const struct weir_field_use *use = &fields->use[k];

		if (use->field->form != WEIR_FIELD_OTHER)
			continue;
		for (uint32_t i = 0; i < count; i++)
			use->field->build(use, &flow[i], end, to + i * stride + use->offset);
	}
}

static void put_list(const struct weir_fields *fields, unsigned end, const struct weir_columns *c,
		     const uint16_t *rows, uint32_t count, struct weir_flow *flow, uint8_t *to,
		     size_t stride)
{
	bool others = false;

	for (unsigned k = 0; k < fields->count; k++) {
		const struct weir_field_use *use = &fields->use[k];

		switch (use->field->form) {
		case WEIR_FIELD_NUMBER:
			put_numbers(weir_columns_get(c, use->field->column), rows, count,
				    to + use->offset, stride);
			break;
		case WEIR_FIELD_ADDRESS:
		case WEIR_FIELD_HOST:
			put_addresses(use, end, c, rows, count, to + use->offset, stride);
			break;
		case WEIR_FIELD_OTHER:
			others = true;
			break;
		}
	}
	if (others)
		put_others(fields, end, c, rows, count, flow, to, stride);
}

void weir_keys_build(const struct weir_keys *keys, const struct weir_keys_ends *ends,
		     const struct weir_columns *columns, const uint16_t *rows, uint32_t count,
		     struct weir_flow *flow, uint64_t *out)
{
	for (unsigned i = 0; i < keys->lists; i++) {
		const struct weir_fields *fields = keys->list[i];
		unsigned next = i + 1 < keys->lists ? keys->word[i + 1] : keys->words;

		if (fields->key_bytes % 8) {
			for (uint32_t k = 0; k < count; k++)
				out[k * keys->words + next - 1] = 0;
		}
		put_list(fields, ends->end[i], columns, rows, count, flow,
			 (uint8_t *)(out + keys->word[i]), keys->words * sizeof(*out));
	}
}

/* Whether the addresses of the two ends differ as far as the mask goes. */
static bool host_differs(const struct mask *mask, const uint8_t *src, const uint8_t *dst)
{
	uint64_t a[2], b[2];

	memcpy(a, src, sizeof(a));
	memcpy(b, dst, sizeof(b));
	return ((a[0] ^ b[0]) & mask->half[0]) || ((a[1] ^ b[1]) & mask->half[1]);
}

uint32_t weir_keys_differ(const struct weir_fields *fields, const struct weir_columns *columns,
			  const uint16_t *rows, uint32_t count, uint16_t *to)
{
	const struct weir_vector *src = weir_columns_get(columns, WEIR_COLUMN_SRC_ADDR);
	const struct weir_vector *dst = weir_columns_get(columns, WEIR_COLUMN_DST_ADDR);
	const struct weir_vector *versions = weir_columns_get(columns, WEIR_COLUMN_IP_VERSION);
	unsigned bits4 = 0, bits6 = 0;
	struct mask mask4, mask6;
	uint32_t differ = 0;

	/* The longest masks see the most. */
	for (unsigned k = 0; k < fields->count; k++) {
		const struct weir_field_use *use = &fields->use[k];

		if (use->field->form != WEIR_FIELD_HOST)
			continue;
		bits4 = use->bits4 > bits4 ? use->bits4 : bits4;
		bits6 = use->bits6 > bits6 ? use->bits6 : bits6;
	}
	mask4 = make_mask(96 + bits4);
	mask6 = make_mask(bits6);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t version = *(const uint8_t *)weir_vector_at(versions, rows[i]);

		to[differ] = rows[i];
		differ += host_differs(version == 4 ? &mask4 : &mask6,
				       weir_vector_at(src, rows[i]), weir_vector_at(dst, rows[i]));
	}
	return differ;
}

/* A part of the number of a key: the code of a column, or for a host its place among both ends'. */
struct part {
	const uint16_t *codes; /* NULL: 0 */
	const uint16_t *map; /* NULL: the code itself */
	uint32_t entries;
};

struct parts {
	struct part part[WEIR_COLUMN_END];
	unsigned count;
	uint64_t columns; /* that are in there */
	uint64_t product; /* numbers there may be */
};

static bool add_part(struct parts *parts, struct weir_columns *c, enum weir_column_id id,
		     const uint16_t *map, uint32_t entries)
{
	const struct weir_codes *codes;

	if (parts->columns & WEIR_COLUMN_BIT(id))
		return true;
	parts->columns |= WEIR_COLUMN_BIT(id);
	codes = weir_columns_codes(c, id);
	if (!codes)
		return false;
	if (!map)
		entries = codes->entries;
	parts->product *= entries;
	if (entries > 1)
		parts->part[parts->count++] = (struct part){codes->codes, map, entries};
	return parts->product <= WEIR_STORE_BLOCK_RECORDS;
}

static bool add_use(struct parts *parts, struct weir_columns *c, const struct weir_field_use *use,
		    unsigned end, bool both)
{
	const uint16_t *map[2] = {NULL, NULL};
	uint32_t hosts = 0;

	/* An end's own field beside "host" would be a part of one end's numbers only. */
	if (use->field->form == WEIR_FIELD_OTHER || (both && use->field->form == WEIR_FIELD_ADDRESS))
		return false;
	if (use->field->form == WEIR_FIELD_NUMBER)
		return add_part(parts, c, (enum weir_column_id)use->field->column, NULL, 0);
	if (both && use->field->form == WEIR_FIELD_HOST) {
		hosts = weir_columns_hosts(c, map);
		if (!hosts)
			return false;
	}
	return add_part(parts, c, address_of(use, end), map[end], hosts) &&
	       add_part(parts, c, WEIR_COLUMN_IP_VERSION, NULL, 0);
}

/* Join the code of one more part. */
static void put_part(const struct part *part, const uint16_t *rows, uint32_t count, bool first,
		     uint16_t *code)
{
	uint32_t times = first ? 0 : part->entries;

	if (!part->codes)
		return;
	if (part->map) {
		for (uint32_t i = 0; i < count; i++)
			code[rows[i]] = (uint16_t)(code[rows[i]] * times +
						   part->map[part->codes[rows[i]]]);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		code[rows[i]] = (uint16_t)(code[rows[i]] * times + part->codes[rows[i]]);
}

uint32_t weir_keys_codes(const struct weir_keys *keys, const struct weir_keys_ends *ends,
			 struct weir_columns *columns, const uint16_t *rows, uint32_t count,
			 bool both, uint32_t most, uint16_t *code)
{
	struct parts parts = {.product = 1};

	for (unsigned i = 0; i < keys->lists; i++) {
		for (unsigned k = 0; k < keys->list[i]->count; k++) {
			if (!add_use(&parts, columns, &keys->list[i]->use[k], ends->end[i], both))
				return 0;
		}
	}
	if (parts.product > most)
		return 0;
	/* Few values first: the numbers in use then lie together. */
	for (unsigned k = 1; k < parts.count; k++) {
		for (unsigned j = k; j && parts.part[j].entries < parts.part[j - 1].entries; j--) {
			struct part t = parts.part[j];

			parts.part[j] = parts.part[j - 1];
			parts.part[j - 1] = t;
		}
	}
	if (!parts.count) {
		for (uint32_t i = 0; i < count; i++)
			code[rows[i]] = 0;
	}
	for (unsigned k = 0; k < parts.count; k++)
		put_part(&parts.part[k], rows, count, k == 0, code);
	return (uint32_t)parts.product;
}
