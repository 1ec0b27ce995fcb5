// SPDX-License-Identifier: GPL-2.0
/*
 * test.c - one test of a filter for many records.
 *
 * What a test means is said by weir_filter_step_holds() alone. Here are shorter ways
 * to the same answer: by ranges of numbers, by the places of prefixes and ranges in a sorted
 * dictionary, and by asking weir_filter_step_holds() once for each combination of values that
 * there is. The last resort is to ask it for each record.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "daemon/query/select.h"

enum {
	COMBINATIONS_MAX = 16384,
	SOURCES_MAX = 4, /* columns of a test that is asked by combination */
};

static uint32_t words_of(const struct weir_columns *c)
{
	return (c->count + 63) / 64;
}

static void clear(const struct weir_columns *c, struct weir_bits *bits)
{
	memset(bits, 0, words_of(c) * sizeof(uint64_t));
}

static void add_bits(const struct weir_columns *c, struct weir_bits *to,
		     const struct weir_bits *bits)
{
	for (uint32_t w = 0; w < words_of(c); w++)
		to->word[w] |= bits->word[w];
}

/* The records of @in with these codes into @out. @low to @high is all of them that count. */
static void pick_codes(const struct weir_columns *c, const struct weir_codes *codes, uint32_t low,
		       uint32_t high, const struct weir_bits *in, struct weir_bits *out)
{
	if (low >= high)
		clear(c, out);
	else if (!codes->codes || (low == 0 && high == codes->entries))
		memcpy(out, in, words_of(c) * sizeof(uint64_t));
	else
		weir_kernel_codes(codes->codes, c->count, low, high, in, out);
}

static void pick_version(struct weir_columns *c, uint8_t version, const struct weir_bits *in,
			 struct weir_bits *out)
{
	const struct weir_vector *v = weir_columns_get(c, WEIR_COLUMN_IP_VERSION);
	const struct weir_range range = {version, version};
	const struct weir_codes *codes = weir_columns_codes(c, WEIR_COLUMN_IP_VERSION);

	if (v->form == WEIR_VECTOR_CONSTANT && *(const uint8_t *)v->values == version) {
		memcpy(out, in, words_of(c) * sizeof(uint64_t));
	} else if (v->form == WEIR_VECTOR_CONSTANT) {
		clear(c, out);
	} else if (v->form == WEIR_VECTOR_NUMBERS) {
		weir_kernel_ranges(v, &range, 1, in, out);
	} else {
		uint32_t at = 0;

		while (at < codes->entries && ((const uint8_t *)codes->values)[at] != version)
			at++;
		pick_codes(c, codes, at, at < codes->entries ? at + 1 : at, in, out);
	}
}

/* Codes of an address column that begin with one of the prefixes of a step. */
struct found {
	uint32_t ranges;
	uint32_t first, end; /* of the last one */
};

/* Add codes to ->lut, which has them if there is more than one range. */
static int add_range(struct weir_select *s, struct weir_columns *c, enum weir_column_id id,
		     struct found *found, uint32_t first, uint32_t end)
{
	if (found->ranges == 1) {
		int ret = weir_columns_load_codes(c, id);

		if (ret)
			return ret;
		memset(s->lut, 0, weir_columns_get(c, id)->entries);
		memset(s->lut + found->first, 1, found->end - found->first);
	}
	if (found->ranges++)
		memset(s->lut + first, 1, end - first);
	found->first = first;
	found->end = end;
	return 0;
}

/* Where in the dictionary the prefixes of one IP version lie. */
static int find_prefixes(struct weir_select *s, struct weir_columns *c,
			 const struct weir_step *step, enum weir_column_id id, uint8_t version,
			 struct found *found)
{
	*found = (struct found){0};
	for (unsigned i = 0; i < step->count; i++) {
		const struct weir_prefix *prefix = &s->filter->values[step->first + i].prefix;
		uint32_t first, end;
		int ret;

		if (prefix->ip_version != version)
			continue;
		ret = weir_store_view_prefix(c->view, weir_columns_id(c, id), prefix->address,
					     prefix->bits, &first, &end);
		if (!ret && first < end)
			ret = add_range(s, c, id, found, first, end);
		if (ret)
			return ret;
	}
	return 0;
}

/* Of @in, the records [@from, @to). */
static void pick_rows(const struct weir_columns *c, uint32_t from, uint32_t to,
		      const struct weir_bits *in, struct weir_bits *out)
{
	clear(c, out);
	for (uint32_t w = from / 64; 64 * w < to; w++) {
		uint64_t bits = UINT64_MAX;

		if (64 * w < from)
			bits &= UINT64_MAX << from % 64;
		if (to - 64 * w < 64)
			bits &= (1ULL << to % 64) - 1;
		out->word[w] = in->word[w] & bits;
	}
}

/* The records of @in with a code that was found. */
static int pick_found(struct weir_select *s, struct weir_columns *c, enum weir_column_id id,
		      const struct found *found, const struct weir_bits *in, struct weir_bits *out)
{
	const struct weir_codes *codes;
	uint32_t from, to;
	int ret = -ENODATA;

	if (found->ranges == 1)
		ret = weir_columns_run_rows(c, id, found->first, found->end, &from, &to);
	if (!ret)
		pick_rows(c, from, to, in, out);
	if (ret != -ENODATA)
		return ret;
	ret = weir_columns_load_codes(c, id);
	if (ret)
		return ret;
	codes = weir_columns_codes(c, id);
	if (found->ranges == 1)
		pick_codes(c, codes, found->first, found->end, in, out);
	else
		weir_kernel_lut(codes->codes, c->count, s->lut, in, out);
	return 0;
}

/* One end's address, from a dictionary: where in it do the prefixes lie? If they do not, nothing
 * is decoded. -ENODATA: there is no dictionary. */
static int test_dictionary(struct weir_select *s, struct weir_columns *c,
			   const struct weir_step *step, enum weir_column_id id,
			   const struct weir_bits *in, struct weir_bits *out)
{
	struct weir_bits *hit = &s->scratch[0], *one = &s->scratch[1];

	clear(c, out);
	for (uint8_t version = 4; version <= 6; version += 2) {
		struct found found;
		int ret = find_prefixes(s, c, step, id, version, &found);

		if (ret)
			return ret;
		if (!found.ranges)
			continue;
		ret = weir_columns_load(c, WEIR_COLUMN_BIT(WEIR_COLUMN_IP_VERSION));
		if (!ret)
			ret = pick_found(s, c, id, &found, in, one);
		if (ret)
			return ret;
		pick_version(c, version, one, hit);
		add_bits(c, out, hit);
	}
	return 0;
}

/* Ranges in a column of numbers. */
static void test_values(struct weir_select *s, struct weir_columns *c, enum weir_column_id id,
			const union weir_value *value, unsigned count, const struct weir_bits *in,
			struct weir_bits *out)
{
	const struct weir_vector *v = weir_columns_get(c, id);
	const struct weir_codes *codes = NULL;
	uint32_t hits = 0;

	if (v->form == WEIR_VECTOR_NUMBERS && count == 1) {
		weir_kernel_ranges(v, &value->range, 1, in, out);
		return;
	}
	codes = weir_columns_codes(c, id);
	if (!codes) {
		clear(c, out);
		for (unsigned i = 0; i < count; i++) {
			weir_kernel_ranges(v, &value[i].range, 1, in, &s->scratch[0]);
			add_bits(c, out, &s->scratch[0]);
		}
		return;
	}
	for (uint32_t code = 0; code < codes->entries; code++) {
		struct weir_vector one = {.width = codes->width, .values = codes->values};
		uint64_t number = weir_vector_number(&one, code);

		s->lut[code] = 0;
		for (unsigned i = 0; i < count && !s->lut[code]; i++)
			s->lut[code] = number >= value[i].range.low &&
				       number <= value[i].range.high;
		hits += s->lut[code];
	}
	if (!hits || hits == codes->entries)
		pick_codes(c, codes, 0, hits, in, out);
	else
		weir_kernel_lut(codes->codes, c->count, s->lut, in, out);
}

static void test_ranges(struct weir_select *s, struct weir_columns *c, const struct weir_step *step,
			enum weir_column_id id, const struct weir_bits *in, struct weir_bits *out)
{
	test_values(s, c, id, &s->filter->values[step->first], step->count, in, out);
}

void weir_select_range(struct weir_select *select, struct weir_columns *columns,
		       enum weir_column_id id, const struct weir_range *range,
		       struct weir_bits *bits)
{
	const union weir_value value = {.range = *range};
	struct weir_bits out;

	test_values(select, columns, id, &value, 1, bits, &out);
	memcpy(bits, &out, words_of(columns) * sizeof(uint64_t));
}

/* Whether the protocol is one with ports, then the port. */
static int test_port(struct weir_select *s, struct weir_columns *c, const struct weir_step *step,
		     enum weir_column_id id, const struct weir_bits *in, struct weir_bits *out)
{
	const struct weir_codes *codes = weir_columns_codes(c, WEIR_COLUMN_PROTOCOL);
	struct weir_bits *hit = &s->scratch[2];
	uint8_t has_ports[256];
	uint32_t hits = 0;

	test_ranges(s, c, step, id, in, hit);
	if (!codes)
		return -ENOMEM;
	for (uint32_t code = 0; code < codes->entries; code++) {
		struct weir_flow flow = {0};

		weir_codes_put(codes, WEIR_COLUMN_PROTOCOL, code, &flow);
		has_ports[code] = weir_fields_has_ports(flow.protocol);
		hits += has_ports[code];
	}
	if (!hits || hits == codes->entries)
		pick_codes(c, codes, 0, hits, hit, out);
	else
		weir_kernel_lut(codes->codes, c->count, has_ports, hit, out);
	return 0;
}

/* Ask once for each combination of the values of all columns of the test. False: too many. */
static bool test_combinations(struct weir_select *s, struct weir_columns *c,
			      const struct weir_step *step, const struct weir_bits *in,
			      struct weir_bits *out)
{
	const struct weir_codes *codes[SOURCES_MAX];
	enum weir_column_id id[SOURCES_MAX];
	uint64_t set = weir_filter_step_columns(step), product = 1;
	unsigned sources = 0;

	for (; set; set &= set - 1) {
		if (sources == SOURCES_MAX)
			return false;
		id[sources] = (enum weir_column_id)__builtin_ctzll(set);
		codes[sources] = weir_columns_codes(c, id[sources]);
		if (!codes[sources])
			return false;
		product *= codes[sources++]->entries;
		if (product > COMBINATIONS_MAX)
			return false;
	}
	for (uint32_t i = 0; i < product; i++) {
		struct weir_flow flow = {0};
		uint32_t left = i;

		for (unsigned k = 0; k < sources; k++) {
			weir_codes_put(codes[k], id[k], left % codes[k]->entries, &flow);
			left /= codes[k]->entries;
		}
		s->lut[i] = weir_filter_step_holds(s->filter, step, &flow);
	}
	for (uint32_t w = 0; w < words_of(c); w++) {
		uint64_t bits = in->word[w];

		out->word[w] = 0;
		for (; bits; bits &= bits - 1) {
			unsigned bit = (unsigned)__builtin_ctzll(bits);
			uint32_t row = 64 * w + bit, at = 0;

			for (unsigned k = sources; k-- > 0;)
				at = at * codes[k]->entries +
				     (codes[k]->codes ? codes[k]->codes[row] : 0);
			out->word[w] |= (uint64_t)s->lut[at] << bit;
		}
	}
	return true;
}

/* Ask for each record. */
static void test_rows(struct weir_select *s, struct weir_columns *c, const struct weir_step *step,
		      const struct weir_bits *in, struct weir_bits *out)
{
	uint64_t set = weir_filter_step_columns(step);
	uint16_t row[WEIR_COLUMNS_GATHER];
	uint32_t w = 0;

	clear(c, out);
	while (w < words_of(c)) {
		uint32_t count = 0;

		for (; w < words_of(c) && count <= WEIR_COLUMNS_GATHER - 64; w++) {
			for (uint64_t bits = in->word[w]; bits; bits &= bits - 1)
				row[count++] = (uint16_t)(64 * w + (uint32_t)__builtin_ctzll(bits));
		}
		weir_columns_gather(c, set, row, 0, count, s->flow);
		for (uint32_t i = 0; i < count; i++) {
			if (weir_filter_step_holds(s->filter, step, &s->flow[i]))
				out->word[row[i] / 64] |= 1ULL << row[i] % 64;
		}
	}
}

/* A column of 4 bytes that blocks seldom have. */
static bool is_zero(const struct weir_vector *vector)
{
	return vector->form == WEIR_VECTOR_CONSTANT && !weir_vector_number(vector, 0);
}

/* A test of one end or none. */
static int test_one(struct weir_select *s, struct weir_columns *c, const struct weir_step *step,
		    const struct weir_bits *in, struct weir_bits *out)
{
	bool src = step->direction == WEIR_SRC;
	enum weir_column_id id;
	int ret;

	if (step->test == WEIR_TEST_ADDRESS) {
		id = src ? WEIR_COLUMN_SRC_ADDR : WEIR_COLUMN_DST_ADDR;
		ret = test_dictionary(s, c, step, id, in, out);
		if (ret != -ENODATA)
			return ret;
	}
	ret = weir_columns_load(c, weir_filter_step_columns(step));
	if (ret)
		return ret;
	switch ((enum weir_test)step->test) {
	case WEIR_TEST_PORT:
		return test_port(s, c, step, src ? WEIR_COLUMN_SRC_PORT : WEIR_COLUMN_DST_PORT, in,
				 out);
	case WEIR_TEST_INTERFACE:
		if (step->own && !is_zero(weir_columns_get(c, WEIR_COLUMN_NETNS)))
			break;
		test_ranges(s, c, step, src ? WEIR_COLUMN_IN_IFINDEX : WEIR_COLUMN_OUT_IFINDEX, in,
			    out);
		return 0;
	case WEIR_TEST_NUMBER:
		id = weir_quantity_at(step->quantity)->column;
		if (!id)
			break;
		test_ranges(s, c, step, id, in, out);
		return 0;
	default:
		break;
	}
	if (!test_combinations(s, c, step, in, out))
		test_rows(s, c, step, in, out);
	return 0;
}

static bool has_ends(const struct weir_step *step)
{
	switch ((enum weir_test)step->test) {
	case WEIR_TEST_ADDRESS:
	case WEIR_TEST_MAC:
	case WEIR_TEST_PORT:
	case WEIR_TEST_INTERFACE:
	case WEIR_TEST_NAT_ADDRESS:
	case WEIR_TEST_NAT_PORT:
		return true;
	default:
		return false;
	}
}

static bool is_empty(const struct weir_columns *c, const struct weir_bits *bits)
{
	uint64_t any = 0;

	for (uint32_t w = 0; w < words_of(c); w++)
		any |= bits->word[w];
	return !any;
}

int weir_select_test(struct weir_select *select, struct weir_columns *columns,
		     const struct weir_step *step, const struct weir_bits *in,
		     struct weir_bits *out)
{
	struct weir_step one = *step;
	struct weir_bits src;
	int ret;

	if (!has_ends(step) || step->direction == WEIR_SRC || step->direction == WEIR_DST)
		return test_one(select, columns, step, in, out);
	one.direction = WEIR_SRC;
	ret = test_one(select, columns, &one, in, &src);
	if (ret)
		return ret;
	one.direction = WEIR_DST;
	if (step->direction == WEIR_BOTH) {
		if (is_empty(columns, &src)) {
			clear(columns, out);
			return 0;
		}
		return test_one(select, columns, &one, &src, out);
	}
	ret = test_one(select, columns, &one, in, out);
	if (!ret)
		add_bits(columns, out, &src);
	return ret;
}
