// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/cover.h"

struct level {
	struct weir_rollup_head *heads;
	size_t count;
};

struct finding {
	uint64_t from_ns, to_ns, through;
	struct level level[WEIR_ROLLUP_LEVELS];
	struct weir_cover *cover;
	size_t room;
	int error;
};

static bool is_needed(const struct finding *f, const struct weir_rollup_head *head)
{
	return head->end_ns > f->from_ns && head->start_ns < f->to_ns &&
	       head->first_block <= f->through;
}

static bool is_inside(const struct finding *f, const struct weir_rollup_head *head)
{
	return head->start_ns >= f->from_ns && head->end_ns <= f->to_ns &&
	       head->last_block <= f->through;
}

static void take(struct finding *f, int level, const struct weir_rollup_head *head)
{
	struct weir_cover *cover = f->cover;

	if (!is_needed(f, head) || f->error)
		return;
	if (cover->count == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		void *grown = reallocarray(cover->pieces, room, sizeof(*cover->pieces));

		if (!grown) {
			f->error = -ENOMEM;
			return;
		}
		cover->pieces = grown;
		f->room = room;
	}
	if (!cover->count) {
		cover->start_ns = head->start_ns;
		cover->more_before = head->start_ns > f->from_ns &&
				     head->cumulative.flows > head->totals.flows;
	}
	cover->pieces[cover->count++] =
		(struct weir_cover_piece){(enum weir_rollup_level)level, *head};
	if (head->start_ns < cover->start_ns)
		cover->start_ns = head->start_ns;
	if (head->end_ns > cover->end_ns)
		cover->end_ns = head->end_ns;
	if (head->last_block > cover->last_block)
		cover->last_block = head->last_block;
}

static void walk(struct finding *f, int level, uint64_t first, uint64_t last);

/* The entry of @level that begins at or behind segment @first. */
static size_t seek(const struct level *level, uint64_t first)
{
	size_t low = 0, high = level->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (level->heads[middle].first_segment < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether smaller ones are there for all of @head that is asked for. */
static bool has_smaller(const struct finding *f, int level, const struct weir_rollup_head *head)
{
	const struct level *smaller = &f->level[level - 1];
	size_t i = seek(smaller, head->first_segment);
	uint64_t last = 0;

	if (i == smaller->count || smaller->heads[i].last_segment > head->last_segment)
		return false;
	if (smaller->heads[i].first_segment != head->first_segment &&
	    smaller->heads[i].start_ns > f->from_ns)
		return false;
	for (; i < smaller->count && smaller->heads[i].last_segment <= head->last_segment; i++) {
		if (last && smaller->heads[i].first_segment != last + 1)
			return false;
		last = smaller->heads[i].last_segment;
	}
	return last == head->last_segment;
}

static void expand(struct finding *f, int level, const struct weir_rollup_head *head)
{
	if (!is_needed(f, head))
		return;
	if (level == WEIR_ROLLUP_MINUTE || is_inside(f, head) || !has_smaller(f, level, head))
		take(f, level, head);
	else
		walk(f, level - 1, head->first_segment, head->last_segment);
}

/* Segments @first..@last: the entries of @level, and smaller ones where it has none. */
static void walk(struct finding *f, int level, uint64_t first, uint64_t last)
{
	const struct level *here = &f->level[level];

	for (size_t i = seek(here, first);
	     i < here->count && here->heads[i].last_segment <= last; i++) {
		const struct weir_rollup_head *head = &here->heads[i];

		if (level != WEIR_ROLLUP_MINUTE && head->first_segment > first)
			walk(f, level - 1, first, head->first_segment - 1);
		expand(f, level, head);
		first = head->last_segment + 1;
	}
	if (level != WEIR_ROLLUP_MINUTE && first <= last)
		walk(f, level - 1, first, last);
}

int weir_cover_find(struct weir_store *store, uint64_t from_ns, uint64_t to_ns, uint64_t through,
		    struct weir_cover *cover)
{
	struct finding f = {
		.from_ns = from_ns, .to_ns = to_ns, .through = through, .cover = cover};

	memset(cover, 0, sizeof(*cover));
	/* The small ones first: what goes meanwhile is in a larger one that is read later. */
	for (int i = 0; i < WEIR_ROLLUP_LEVELS && !f.error; i++)
		f.error = weir_rollup_heads(store, (enum weir_rollup_level)i, 0,
					    &f.level[i].heads, &f.level[i].count);
	if (!f.error)
		walk(&f, WEIR_ROLLUP_DAY, 1, UINT64_MAX);
	for (unsigned i = 0; i < WEIR_ROLLUP_LEVELS; i++)
		free(f.level[i].heads);
	if (f.error)
		free(cover->pieces);
	return f.error;
}
