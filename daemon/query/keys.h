/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keys.h - the keys of many records of a block, as weir_fields_keys() would make them.
 *
 * A key is one list of fields, or two one behind the other, each padded with zeros to whole
 * words. With "host" among its fields a list has two ends; an end is chosen for each list.
 */
#ifndef WEIR_QUERY_KEYS_H
#define WEIR_QUERY_KEYS_H

#include "daemon/query/columns.h"

enum {
	WEIR_KEYS_LISTS = 2,
};

struct weir_keys {
	const struct weir_fields *list[WEIR_KEYS_LISTS];
	unsigned lists;
	unsigned word[WEIR_KEYS_LISTS]; /* where each list begins */
	unsigned words;
	uint64_t columns; /* of all fields */
};

void weir_keys_init(struct weir_keys *keys);
/* Add a list, which must outlive @keys. */
void weir_keys_add(struct weir_keys *keys, const struct weir_fields *fields);

/* Which end each list's "host" is. */
struct weir_keys_ends {
	uint8_t end[WEIR_KEYS_LISTS];
};

/* Write the keys of @count (at most WEIR_COLUMNS_GATHER) records in @rows to @out, keys->words words
 * each. @flow: room for as many. */
void weir_keys_build(const struct weir_keys *keys, const struct weir_keys_ends *ends,
		     const struct weir_columns *columns, const uint16_t *rows, uint32_t count,
		     struct weir_flow *flow, uint64_t *out);
/* Of the @count records in @rows, those whose two ends give different keys, into @to. Returns how many. */
uint32_t weir_keys_differ(const struct weir_fields *fields, const struct weir_columns *columns,
			  const uint16_t *rows, uint32_t count, uint16_t *to);
/**
 * weir_keys_codes - number the keys of the block: equal numbers mean equal keys, from 0 to below @most.
 * A number for each of @count records in @rows, by row, into @code; returns how many numbers there may
 * be, or 0: that cannot be done (some field is computed, or there are too many). With @both, numbers mean
 * the same whichever ends are chosen.
 */
uint32_t weir_keys_codes(const struct weir_keys *keys, const struct weir_keys_ends *ends,
			 struct weir_columns *columns, const uint16_t *rows, uint32_t count,
			 bool both, uint32_t most, uint16_t *code);

#endif
