// SPDX-License-Identifier: GPL-2.0
/* select.c - which records of a block a query is about: the ways through the filter's steps. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/select.h"

int weir_select_new(const struct weir_query *query, bool either_way, struct weir_select **select)
{
	struct weir_select *s = calloc(1, sizeof(*s));
	size_t steps = query->filter ? query->filter->step_count : 0;

	if (!s)
		return -ENOMEM;
	s->from_ns = query->from_ns;
	s->to_ns = query->to_ns ? query->to_ns : UINT64_MAX;
	s->filter = query->filter;
	s->either_way = either_way && query->filter;
	s->verdict = calloc(steps + 1, sizeof(*s->verdict));
	s->reached = calloc(steps + 1, sizeof(*s->reached));
	s->reach = calloc(steps + 1, sizeof(*s->reach));
	if (!s->verdict || !s->reached || !s->reach) {
		weir_select_free(s);
		return -ENOMEM;
	}
	*select = s;
	return 0;
}

void weir_select_free(struct weir_select *select)
{
	if (!select)
		return;
	for (unsigned i = 0; select->filter && select->reach && i < select->filter->step_count; i++)
		free(select->reach[i]);
	for (unsigned i = 0; i < select->pooled; i++)
		free(select->pool[i]);
	free(select->verdict);
	free(select->reached);
	free(select->reach);
	free(select);
}

static void go(struct weir_select *s, uint16_t to, bool *ends_true, bool *ends_false)
{
	if (to == WEIR_FILTER_TRUE)
		*ends_true = true;
	else if (to == WEIR_FILTER_FALSE)
		*ends_false = true;
	else
		s->reached[to] = true;
}

/* Which ends can be reached, as far as the index knows. Jumps go to lower numbers only. */
static void foresee(struct weir_select *s, struct weir_columns *columns, bool *ends_true,
		    bool *ends_false)
{
	const struct weir_filter *f = s->filter;

	*ends_true = *ends_false = false;
	if (!f) {
		*ends_true = true;
		return;
	}
	memset(s->reached, 0, f->step_count * sizeof(*s->reached));
	go(s, f->entry, ends_true, ends_false);
	for (unsigned i = f->step_count; i-- > 0;) {
		if (!s->reached[i])
			continue;
		s->verdict[i] = (uint8_t)weir_select_verdict(columns, f, &f->steps[i]);
		if (s->verdict[i] != WEIR_NEVER)
			go(s, f->steps[i].if_true, ends_true, ends_false);
		if (s->verdict[i] != WEIR_ALWAYS)
			go(s, f->steps[i].if_false, ends_true, ends_false);
	}
}

/* What the index says of the times: NEVER, ALWAYS, or the columns have to be read. */
static enum weir_verdict times(const struct weir_select *s, struct weir_columns *columns,
			       bool *look_at_start, bool *look_at_end)
{
	uint64_t min, max;

	*look_at_start = s->to_ns != UINT64_MAX;
	*look_at_end = s->from_ns != 0;
	if (*look_at_start &&
	    weir_store_view_range(columns->view, WEIR_COLUMN_START_NS, &min, &max)) {
		if (min >= s->to_ns)
			return WEIR_NEVER;
		*look_at_start = max >= s->to_ns;
	}
	if (*look_at_end &&
	    weir_store_view_range(columns->view, WEIR_COLUMN_END_NS, &min, &max)) {
		if (max < s->from_ns)
			return WEIR_NEVER;
		*look_at_end = min < s->from_ns;
	}
	return *look_at_start || *look_at_end ? WEIR_UNKNOWN : WEIR_ALWAYS;
}

bool weir_select_skips(struct weir_select *select, struct weir_columns *columns)
{
	bool ends_true, ends_false, start, end;

	if (times(select, columns, &start, &end) == WEIR_NEVER)
		return true;
	foresee(select, columns, &ends_true, &ends_false);
	if (ends_true || !select->either_way)
		return !ends_true;
	columns->swapped = true;
	foresee(select, columns, &ends_true, &ends_false);
	columns->swapped = false;
	return !ends_true;
}

static void set_all(const struct weir_columns *columns, struct weir_bits *bits)
{
	uint32_t words = columns->count / 64;

	memset(bits, 0xff, words * sizeof(uint64_t));
	if (columns->count % 64)
		bits->word[words] = (1ULL << columns->count % 64) - 1;
}

/* Keep only records alive in the time asked for. @bits may be all of them. */
static int test_times(struct weir_select *s, struct weir_columns *columns, struct weir_bits *bits)
{
	const struct weir_range before = {0, s->to_ns - 1}, after = {s->from_ns, UINT64_MAX};
	bool start, end;
	int ret = 0;

	times(s, columns, &start, &end);
	if (start)
		ret = weir_columns_load(columns, WEIR_COLUMN_BIT(WEIR_COLUMN_START_NS));
	if (end && !ret)
		ret = weir_columns_load(columns, WEIR_COLUMN_BIT(WEIR_COLUMN_END_NS));
	if (ret)
		return ret;
	if (start)
		weir_select_range(s, columns, WEIR_COLUMN_START_NS, &before, bits);
	if (end)
		weir_select_range(s, columns, WEIR_COLUMN_END_NS, &after, bits);
	return 0;
}

static struct weir_bits *take_bits(struct weir_select *s)
{
	return s->pooled ? s->pool[--s->pooled] : malloc(sizeof(struct weir_bits));
}

static void give_bits(struct weir_select *s, struct weir_bits *bits)
{
	if (s->pooled < sizeof(s->pool) / sizeof(s->pool[0]))
		s->pool[s->pooled++] = bits;
	else
		free(bits);
}

/* @bits are to go on at step @to. */
static int hand_on(struct weir_select *s, const struct weir_columns *columns, uint16_t to,
		   const struct weir_bits *bits)
{
	uint32_t words = (columns->count + 63) / 64;
	struct weir_bits *at;
	uint64_t any = 0;

	if (to == WEIR_FILTER_FALSE)
		return 0;
	for (uint32_t w = 0; w < words; w++)
		any |= bits->word[w];
	if (!any)
		return 0;
	at = to == WEIR_FILTER_TRUE ? &s->chosen : s->reach[to];
	if (!at) {
		at = take_bits(s);
		if (!at)
			return -ENOMEM;
		s->reach[to] = at;
		memcpy(at, bits, words * sizeof(uint64_t));
		return 0;
	}
	for (uint32_t w = 0; w < words; w++)
		at->word[w] |= bits->word[w];
	return 0;
}

static int run_step(struct weir_select *s, struct weir_columns *columns, unsigned i)
{
	const struct weir_step *step = &s->filter->steps[i];
	uint32_t words = (columns->count + 63) / 64;
	struct weir_bits passed, *in = s->reach[i];
	int ret;

	if (s->verdict[i] == WEIR_ALWAYS)
		return hand_on(s, columns, step->if_true, in);
	if (s->verdict[i] == WEIR_NEVER)
		return hand_on(s, columns, step->if_false, in);
	ret = weir_select_test(s, columns, step, in, &passed);
	if (!ret)
		ret = hand_on(s, columns, step->if_true, &passed);
	if (ret || step->if_false == WEIR_FILTER_FALSE)
		return ret;
	for (uint32_t w = 0; w < words; w++)
		in->word[w] &= ~passed.word[w];
	return hand_on(s, columns, step->if_false, in);
}

/* Add the records of @in for which the filter holds to ->chosen. */
static int run_steps(struct weir_select *s, struct weir_columns *columns,
		     const struct weir_bits *in)
{
	const struct weir_filter *f = s->filter;
	int ret = hand_on(s, columns, f->entry, in);

	for (unsigned i = f->step_count; i-- > 0;) {
		if (!s->reach[i])
			continue;
		if (!ret)
			ret = run_step(s, columns, i);
		give_bits(s, s->reach[i]);
		s->reach[i] = NULL;
	}
	return ret;
}

static void list_rows(struct weir_select *s, const struct weir_columns *columns)
{
	uint32_t words = (columns->count + 63) / 64, count = 0;

	for (uint32_t w = 0; w < words; w++)
		count += (uint32_t)__builtin_popcountll(s->chosen.word[w]);
	s->count = count;
	s->all = count == columns->count;
	if (s->all && s->counting >= count)
		return;
	s->counting = s->all ? count : 0;
	count = 0;
	for (uint32_t w = 0; w < words; w++) {
		for (uint64_t bits = s->chosen.word[w]; bits; bits &= bits - 1)
			s->row[count++] = (uint16_t)(64 * w + (uint32_t)__builtin_ctzll(bits));
	}
}

/* The second way, for those that were not chosen the first way. */
static int run_swapped(struct weir_select *s, struct weir_columns *columns, struct weir_bits *alive)
{
	uint32_t words = (columns->count + 63) / 64;
	bool ends_true, ends_false;
	int ret = 0;

	for (uint32_t w = 0; w < words; w++)
		alive->word[w] &= ~s->chosen.word[w];
	columns->swapped = true;
	foresee(s, columns, &ends_true, &ends_false);
	if (ends_true)
		ret = run_steps(s, columns, alive);
	columns->swapped = false;
	return ret;
}

int weir_select_run(struct weir_select *select, struct weir_columns *columns)
{
	struct weir_select *s = select;
	struct weir_bits alive;
	bool ends_true, ends_false;
	int ret;

	set_all(columns, &alive);
	ret = test_times(s, columns, &alive);
	if (ret)
		return ret;
	if (!s->filter) {
		s->chosen = alive;
		list_rows(s, columns);
		return 0;
	}
	memset(&s->chosen, 0, sizeof(s->chosen));
	foresee(s, columns, &ends_true, &ends_false);
	if (ends_true)
		ret = run_steps(s, columns, &alive);
	if (!ret && s->either_way)
		ret = run_swapped(s, columns, &alive);
	if (!ret)
		list_rows(s, columns);
	return ret;
}
