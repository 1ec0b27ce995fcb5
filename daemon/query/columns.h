/* SPDX-License-Identifier: GPL-2.0 */
/*
 * columns.h - the columns of one block, decoded when they are wanted.
 *
 * Also the same records seen the other way round: with `swapped`, source and destination change
 * places (addresses, ports, MACs, interfaces). And codes: a column of few different
 * values as a number for each record and the value for each number, so that whatever depends
 * on that column alone is computed once for each value.
 */
#ifndef WEIR_QUERY_COLUMNS_H
#define WEIR_QUERY_COLUMNS_H

#include "daemon/query/query.h"
#include "daemon/store/view.h"

enum {
	WEIR_COLUMNS_GATHER = 256, /* records gathered at a time: their structs stay in cache */
};

/* codes[record] < entries; the value of a code is the vector's or the number itself. */
struct weir_codes {
	const uint16_t *codes; /* NULL: all records have code 0 */
	uint32_t entries;
	const void *values;
	uint8_t width;
};

struct weir_columns {
	struct weir_store_view *view;
	struct weir_query_result *figures;
	uint32_t count; /* records in the block */
	bool swapped;
	uint64_t loaded; /* columns in vector[], as WEIR_COLUMN_BIT()s */
	uint64_t unspelled; /* address columns there whose codes alone are loaded */
	uint64_t counted; /* columns whose bytes were counted as read */
	struct weir_vector vector[WEIR_COLUMN_END];
	uint64_t coded; /* columns in codes[] */
	uint64_t uncoded; /* tried in vain */
	struct weir_codes codes[WEIR_COLUMN_END];
	uint16_t *code_room[WEIR_COLUMN_END]; /* of codes made here */
	uint16_t *value_room[WEIR_COLUMN_END];
	uint16_t *seen; /* work space for making codes, 65536 of them */
	/* Of both ends' dictionaries: the place of each address in their union. */
	uint16_t *host_room[2];
	uint32_t hosts; /* addresses in the union, 0: not made */
};

int weir_columns_new(struct weir_store *store, struct weir_query_result *figures,
		     struct weir_columns **columns);
void weir_columns_free(struct weir_columns *columns);

/* As weir_store_view_open(). */
int weir_columns_open(struct weir_columns *columns, const struct weir_store_block *block);
void weir_columns_close(struct weir_columns *columns);

/* The column that is read for @id: the other end's, when swapped. */
enum weir_column_id weir_columns_id(const struct weir_columns *columns, enum weir_column_id id);
/* Decode all of @set (as seen: swapped if so). -EBADMSG, -ENOTSUP: the block is damaged. */
int weir_columns_load(struct weir_columns *columns, uint64_t set);
/* Decode the codes of the address column @id; its values, if they are a dictionary, are left
 * until weir_columns_load(). */
int weir_columns_load_codes(struct weir_columns *columns, enum weir_column_id id);
/* As weir_store_view_run_rows(). */
int weir_columns_run_rows(struct weir_columns *columns, enum weir_column_id id, uint32_t first,
			  uint32_t end, uint32_t *from, uint32_t *to);
/* A loaded column. */
const struct weir_vector *weir_columns_get(const struct weir_columns *columns,
					   enum weir_column_id id);
/* A loaded column as codes; NULL: it has too many different values for that, or no memory. */
const struct weir_codes *weir_columns_codes(struct weir_columns *columns, enum weir_column_id id);
/* Of two address columns (loaded): *@map[i] is the place of code i of the source or destination
 * column among the addresses of both. How many these are; 0: not to be had. */
uint32_t weir_columns_hosts(struct weir_columns *columns, const uint16_t *map[2]);
/* Put the members of @set (loaded) of @count records into @flows. @rows: which; NULL: from @first on. */
void weir_columns_gather(const struct weir_columns *columns, uint64_t set, const uint16_t *rows,
			 uint32_t first, uint32_t count, struct weir_flow *flows);
/* Put the value of @code into the member @id of @flow. */
void weir_codes_put(const struct weir_codes *codes, enum weir_column_id id, uint32_t code,
		    struct weir_flow *flow);

#endif
