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

/* The columns that make up the keys, each once. False: some field is computed. */
static bool key_columns(const struct weir_keys *keys, const struct weir_keys_ends *ends,
			uint64_t *set)
{
	*set = 0;
	for (unsigned i = 0; i < keys->lists; i++) {
		for (unsigned k = 0; k < keys->list[i]->count; k++) {
			const struct weir_field_use *use = &keys->list[i]->use[k];

			if (use->field->form == WEIR_FIELD_OTHER)
				return false;
			if (use->field->form == WEIR_FIELD_NUMBER)
				*set |= use->field->columns;
			else
				*set |= WEIR_COLUMN_BIT(address_of(use, ends->end[i])) |
					WEIR_COLUMN_BIT(WEIR_COLUMN_IP_VERSION);
		}
	}
	return true;
}

uint32_t weir_keys_codes(const struct weir_keys *keys, const struct weir_keys_ends *ends,
			 struct weir_columns *columns, const uint16_t *rows, uint32_t count,
			 uint32_t most, uint16_t *code)
{
	const struct weir_codes *part[WEIR_COLUMN_END];
	uint64_t set, product = 1;
	unsigned parts = 0;

	if (!key_columns(keys, ends, &set))
		return 0;
	for (; set; set &= set - 1) {
		const struct weir_codes *codes = weir_columns_codes(
			columns, (enum weir_column_id)__builtin_ctzll(set));

		if (!codes)
			return 0;
		product *= codes->entries;
		if (product > most)
			return 0;
		if (codes->entries > 1 && codes->codes)
			part[parts++] = codes;
	}
	if (!parts) {
		for (uint32_t i = 0; i < count; i++)
			code[rows[i]] = 0;
		return 1;
	}
	for (uint32_t i = 0; i < count; i++)
		code[rows[i]] = part[0]->codes[rows[i]];
	for (unsigned k = 1; k < parts; k++) {
		for (uint32_t i = 0; i < count; i++)
			code[rows[i]] = (uint16_t)(code[rows[i]] * part[k]->entries +
						   part[k]->codes[rows[i]]);
	}
	return (uint32_t)product;
}
