// SPDX-License-Identifier: GPL-2.0
/*
 * table.c - a hash table filled by the batch.
 *
 * Rows lie densely in chunks that never move; an index of slots points at them by
 * linear probing. A slot has half of the hash beside the row's number, so that growing the
 * index reads no row, and a wrong slot seldom costs a look at one. A lookup in a table larger
 * than the caches waits for memory twice, slot and row: for a batch, all slots are
 * fetched first, then all rows, so that the waits overlap.
 *
 * The hash: each pair of key words, each word hidden by a secret of its own, is multiplied
 * to 128 bits, whose halves are folded; the pairs are summed by exclusive or and mixed
 * once more. With independent random secrets for each word it is universal (like NH), it is
 * never shown to anybody, and it is some ten times faster than SipHash on these keys.
 */
#include "daemon/query/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
	FIRST_SLOTS = 64,
	CHUNK_BYTES_MAX = 2 << 20,
	HUGE_PAGE = 2 << 20,
	CACHE_LINE = 64,
	CHUNK_ROWS_MIN = 16,
};

struct slot {
	uint32_t hash; /* upper half; picks the slot too */
	uint32_t row;  /* number plus one; 0: empty */
};

struct weir_table {
	const struct weir_table_form *form;
	struct weir_budget *budget;
	unsigned row_words;
	unsigned chunk_bits; /* log2 of rows in a chunk */
	bool huge; /* chunks are of huge pages */
	uint64_t **chunk;
	size_t chunks, chunk_room;
	size_t count;
	struct slot *slots;
	size_t slot_count; /* a power of two */
};

int weir_table_secrets(struct weir_table_form *form)
{
	size_t got = 0;

	while (got < sizeof(form->secret)) {
		ssize_t n = getrandom((uint8_t *)form->secret + got, sizeof(form->secret) - got, 0);

		if (n < 0 && errno != EINTR)
			return -EIO;
		if (n > 0)
			got += (size_t)n;
	}
	return 0;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t weir_table_hash(const struct weir_table_form *form, const uint64_t *key)
{
	const uint64_t *secret = form->secret;
	uint64_t hash = form->secret[WEIR_TABLE_KEY_WORDS];
	unsigned i = 0;

	for (; i + 1 < form->key_words; i += 2)
		hash ^= fold(key[i] ^ secret[i], key[i + 1] ^ secret[i + 1]);
	if (i < form->key_words)
		hash ^= fold(key[i] ^ secret[i], secret[i + 1]);
	return fold(hash ^ form->secret[WEIR_TABLE_KEY_WORDS + 1], 0x9e3779b97f4a7c15ULL);
}

static void choose_chunks(struct weir_table *t)
{
	size_t row_bytes = t->row_words * sizeof(uint64_t);
	uint64_t bytes = t->budget->bound_bytes / 32;

	if (bytes > CHUNK_BYTES_MAX)
		bytes = CHUNK_BYTES_MAX;
	while (row_bytes << (t->chunk_bits + 1) <= bytes || 1u << t->chunk_bits < CHUNK_ROWS_MIN)
		t->chunk_bits++;
	t->huge = row_bytes << t->chunk_bits > HUGE_PAGE / 2;
}

int weir_table_new(const struct weir_table_form *form, struct weir_budget *budget,
		   struct weir_table **table)
{
	struct weir_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->form = form;
	t->budget = budget;
	t->row_words = form->key_words + form->values;
	if (!t->row_words)
		t->row_words = 1;
	choose_chunks(t);
	*table = t;
	return 0;
}

static size_t chunk_bytes(const struct weir_table *t)
{
	return (t->row_words * sizeof(uint64_t)) << t->chunk_bits;
}

void weir_table_clear(struct weir_table *table)
{
	for (size_t i = 0; i < table->chunks; i++)
		free(table->chunk[i]);
	weir_budget_give(table->budget, table->chunks * chunk_bytes(table));
	weir_budget_give(table->budget, table->slot_count * sizeof(*table->slots));
	free(table->slots);
	table->slots = NULL;
	table->chunks = table->count = table->slot_count = 0;
}

void weir_table_free(struct weir_table *table)
{
	if (!table)
		return;
	weir_table_clear(table);
	free(table->chunk);
	free(table);
}

size_t weir_table_count(const struct weir_table *table)
{
	return table->count;
}

uint64_t *weir_table_row(const struct weir_table *table, size_t i)
{
	return table->chunk[i >> table->chunk_bits] +
	       (i & ((1u << table->chunk_bits) - 1)) * table->row_words;
}

/* Every lookup goes somewhere else: with small pages, most of them would wait for the page
 * tables too. */
static void *allocate(size_t bytes, bool huge)
{
	size_t to = huge ? HUGE_PAGE : CACHE_LINE;
	void *p = aligned_alloc(to, (bytes + to - 1) / to * to);

	if (p && huge)
		madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

/* A few rows fit in any case: with less, nothing could ever be added. */
static bool take(struct weir_table *t, bool first, size_t bytes)
{
	if (!first)
		return weir_budget_take(t->budget, bytes);
	weir_budget_insist(t->budget, bytes);
	return true;
}

/* At most half of the slots are used. */
static int grow_slots(struct weir_table *t)
{
	size_t count = t->slot_count ? 2 * t->slot_count : FIRST_SLOTS, mask = count - 1;
	struct slot *slots;

	/* Both are there for a while. */
	if (count > UINT32_MAX || !take(t, !t->slot_count, count * sizeof(*slots)))
		return -EDQUOT;
	slots = allocate(count * sizeof(*slots), count * sizeof(*slots) >= HUGE_PAGE);
	if (!slots) {
		weir_budget_give(t->budget, count * sizeof(*slots));
		return -ENOMEM;
	}
	memset(slots, 0, count * sizeof(*slots));
	for (size_t i = 0; i < t->slot_count; i++) {
		size_t at = t->slots[i].hash & mask;

		if (!t->slots[i].row)
			continue;
		while (slots[at].row)
			at = (at + 1) & mask;
		slots[at] = t->slots[i];
	}
	free(t->slots);
	weir_budget_give(t->budget, t->slot_count * sizeof(*slots));
	t->slots = slots;
	t->slot_count = count;
	return 0;
}

static int add_chunk(struct weir_table *t)
{
	if (t->chunks == t->chunk_room) {
		size_t room = t->chunk_room ? 2 * t->chunk_room : 16;
		uint64_t **grown = realloc(t->chunk, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		t->chunk = grown;
		t->chunk_room = room;
	}
	if (!take(t, !t->chunks, chunk_bytes(t)))
		return -EDQUOT;
	/* The first chunk of a small table should not cost a huge page. */
	t->chunk[t->chunks] = allocate(chunk_bytes(t), t->chunks && t->huge);
	if (!t->chunk[t->chunks]) {
		weir_budget_give(t->budget, chunk_bytes(t));
		return -ENOMEM;
	}
	t->chunks++;
	return 0;
}

/* So that @count rows more find a place and half of the slots are empty. */
static int make_room(struct weir_table *t, size_t count)
{
	int ret = 0;

	while (!ret && 2 * (t->count + count) > t->slot_count)
		ret = grow_slots(t);
	while (!ret && t->count + count > t->chunks << t->chunk_bits)
		ret = add_chunk(t);
	return ret;
}

void weir_join_nothing(const struct weir_table_form *form, uint64_t *values)
{
	for (unsigned v = 0; v < form->values; v++)
		values[v] = form->join[v] == WEIR_JOIN_MIN ? UINT64_MAX : 0;
}

static inline void join_values(const struct weir_table_form *form, uint64_t *into,
			       const uint64_t *values)
{
	for (unsigned v = 0; v < form->values; v++) {
		if (form->join[v] == WEIR_JOIN_ADD) {
			if (__builtin_add_overflow(into[v], values[v], &into[v]))
				into[v] = UINT64_MAX;
		} else if (form->join[v] == WEIR_JOIN_MIN) {
			into[v] = values[v] < into[v] ? values[v] : into[v];
		} else {
			into[v] = values[v] > into[v] ? values[v] : into[v];
		}
	}
}

void weir_join_values(const struct weir_table_form *form, uint64_t *into, const uint64_t *values)
{
	join_values(form, into, values);
}

static inline bool same_key(const uint64_t *x, const uint64_t *y, unsigned words)
{
	uint64_t different = 0;

	for (unsigned i = 0; i < words; i++)
		different |= x[i] ^ y[i];
	return !different;
}

/* There is room for it. It is at slot @at or behind it, if it is there. */
static void add_row(struct weir_table *t, uint32_t hash, size_t at, const uint64_t *key,
		    const uint64_t *values)
{
	const struct weir_table_form *form = t->form;
	size_t mask = t->slot_count - 1;
	uint64_t *row;

	for (; t->slots[at].row; at = (at + 1) & mask) {
		if (t->slots[at].hash != hash)
			continue;
		row = weir_table_row(t, t->slots[at].row - 1);
		if (same_key(row, key, form->key_words)) {
			join_values(form, row + form->key_words, values);
			return;
		}
	}
	row = weir_table_row(t, t->count);
	memcpy(row, key, form->key_words * sizeof(*key));
	memcpy(row + form->key_words, values, form->values * sizeof(*values));
	t->slots[at] = (struct slot){hash, (uint32_t)++t->count};
}

/* There is room for all of them. */
static void add_batch(struct weir_table *t, const uint64_t *keys, size_t key_stride,
		      const uint64_t *values, size_t value_stride, size_t count)
{
	uint32_t hash[WEIR_TABLE_BATCH], slot[WEIR_TABLE_BATCH];
	size_t mask = t->slot_count - 1;

	for (size_t i = 0; i < count; i++) {
		hash[i] = (uint32_t)(weir_table_hash(t->form, keys + i * key_stride) >> 32);
		__builtin_prefetch(&t->slots[hash[i] & mask], 1);
	}
	for (size_t i = 0; i < count; i++) {
		size_t at = hash[i] & mask;

		while (t->slots[at].row && t->slots[at].hash != hash[i])
			at = (at + 1) & mask;
		slot[i] = (uint32_t)at;
		if (t->slots[at].row) {
			const uint64_t *row = weir_table_row(t, t->slots[at].row - 1);

			__builtin_prefetch(row, 1);
			__builtin_prefetch(row + t->row_words - 1, 1);
		}
	}
	for (size_t i = 0; i < count; i++)
		add_row(t, hash[i], slot[i], keys + i * key_stride, values + i * value_stride);
}

int weir_table_add(struct weir_table *table, const uint64_t *keys, size_t key_stride,
		   const uint64_t *values, size_t value_stride, size_t count, size_t *done)
{
	for (*done = 0; *done < count;) {
		size_t some = count - *done;
		int ret = make_room(table, some);

		/* Fewer at a time, as long as there is room for one: most may be there already. */
		while (ret == -EDQUOT && some > 1) {
			some /= 2;
			ret = make_room(table, some);
		}
		if (ret)
			return ret;
		add_batch(table, keys + *done * key_stride, key_stride,
			  values + *done * value_stride, value_stride, some);
		*done += some;
	}
	return 0;
}
