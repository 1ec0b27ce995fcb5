/* SPDX-License-Identifier: GPL-2.0 */
/*
 * quantity.h - the numbers of a flow that have a name.
 *
 * Filters compare them, lists are ordered by them, aggregations sum them up. Some are a
 * column of the store as it is, some are computed, and some are not known of every
 * flow: a flow of one packet has no rate, a UDP flow no round trip. What is not
 * known passes no test, sorts below everything and adds nothing to a sum.
 *
 * docs/weir-filter.7.scd defines each of them for the user.
 */
#ifndef WEIR_QUERY_QUANTITY_H
#define WEIR_QUERY_QUANTITY_H

#include "daemon/store/column.h"

/* How values are written by people; all are whole numbers here. */
enum weir_unit {
	WEIR_UNIT_COUNT,  /* 1234, 1.23 k */
	WEIR_UNIT_BYTES,  /* the same */
	WEIR_UNIT_RATE,	  /* a second: 1234, 1.23 k */
	WEIR_UNIT_NS,	  /* a time span in nanoseconds: 12.3s */
	WEIR_UNIT_NUMBER, /* an identifier: never scaled */
};

struct weir_quantity {
	const char *word;
	const char *help; /* half a sentence */
	enum weir_unit unit;
	bool listed;	  /* for --order and sums; the others exist for filters */
	bool summable;	  /* the sum over flows means something */
	uint8_t column;	  /* the value is this column's, of every flow; 0: computed, see columns */
	uint64_t columns; /* that get() reads, as WEIR_COLUMN_BIT()s */
	bool (*get)(const struct weir_flow *flow, uint64_t *value); /* false: not known */
};

/* By word, in any case, "-" being as good as "_"; NULL: there is none. */
const struct weir_quantity *weir_quantity_find(const char *word, size_t length);
/* By index from 0; NULL past the last. The order is that of help texts. */
const struct weir_quantity *weir_quantity_at(unsigned index);
unsigned weir_quantity_index(const struct weir_quantity *quantity);
/* A sentence fragment listing the words for --order, or only those that can be summed. */
const char *weir_quantity_words(bool summable);
/* The sentence for a word that is none, or none that can be summed. Returns @error. */
const char *weir_quantity_complain(const char *word, size_t length, bool summable, char *error,
				   size_t error_bytes);

/* Its value; 0 if it is not known. */
uint64_t weir_quantity_of(const struct weir_quantity *quantity, const struct weir_flow *flow);
/* @value (of a flow, or a sum) as people write it. Returns @text. */
const char *weir_quantity_text(const struct weir_quantity *quantity, uint64_t value, char *text,
			       size_t text_bytes);

/* Whether @a and @b are one word: in any case, "-" as good as "_". @a need not end at @length. */
bool weir_quantity_same_word(const char *a, size_t length, const char *b);

#endif
