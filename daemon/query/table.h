/* SPDX-License-Identifier: GPL-2.0 */
/*
 * table.h - a hash table of keys to a few numbers, made to be filled by the batch.
 *
 * Keys are rows of whole 64-bit words, the last one padded with zeros. What comes in twice
 * is joined, number by number. The hash is keyed with secrets of the query, as
 * keys are what strangers put into packets. Not thread-safe.
 */
#ifndef WEIR_QUERY_TABLE_H
#define WEIR_QUERY_TABLE_H

#include "daemon/query/budget.h"

enum {
	WEIR_TABLE_KEY_WORDS = 64,  /* in one key */
	WEIR_TABLE_VALUES = 8,
	WEIR_TABLE_BATCH = 64, /* rows that are looked up together */
};

/* How two numbers of one key become one. */
enum weir_join { WEIR_JOIN_ADD, WEIR_JOIN_MIN, WEIR_JOIN_MAX };

struct weir_table_form {
	unsigned key_words, values;
	uint8_t join[WEIR_TABLE_VALUES];
	uint64_t secret[WEIR_TABLE_KEY_WORDS + 2];
};

/* The key follows, then the values. */
struct weir_table;

/* Zeros in @form besides key_words, values and join: secrets are drawn. -EIO. */
int weir_table_secrets(struct weir_table_form *form);
uint64_t weir_table_hash(const struct weir_table_form *form, const uint64_t *key);

int weir_table_new(const struct weir_table_form *form, struct weir_budget *budget,
		   struct weir_table **table);
void weir_table_free(struct weir_table *table);
/* Forget all rows and give back the memory. */
void weir_table_clear(struct weir_table *table);

/* Bytes of a row: key and values. */
static inline size_t weir_table_row_bytes(const struct weir_table_form *form)
{
	return (form->key_words + form->values) * sizeof(uint64_t);
}

/**
 * weir_table_add - join @count rows (at most WEIR_TABLE_BATCH), whose keys and values are
 * @key_stride and @value_stride words apart. @done is how many were; -EDQUOT: the memory of the budget is
 * used up, the rows from *@done on were not added. -ENOMEM.
 */
int weir_table_add(struct weir_table *table, const uint64_t *keys, size_t key_stride,
		   const uint64_t *values, size_t value_stride, size_t count, size_t *done);

size_t weir_table_count(const struct weir_table *table);
/* Row @i, in the order they came: key words, then values. */
uint64_t *weir_table_row(const struct weir_table *table, size_t i);
void weir_join_values(const struct weir_table_form *form, uint64_t *into, const uint64_t *values);
/* What joining leaves unchanged. */
void weir_join_nothing(const struct weir_table_form *form, uint64_t *values);

#endif
