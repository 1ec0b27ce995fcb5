/* SPDX-License-Identifier: GPL-2.0 */
/*
 * codec.h - how one column becomes bytes. docs/store.md describes each for a stranger.
 *
 * Codecs turn a column of numbers (a MAC address is one of 48 bits, first byte highest) into
 * arrays of smaller ones, which pack.h writes. Which codec a column gets is measured:
 * choose.c.
 */
#ifndef WEIR_STORE_CODEC_H
#define WEIR_STORE_CODEC_H

#include "daemon/store/column.h"
#include "daemon/store/pack.h"

/* On disk: append, never reuse. */
enum weir_codec {
	WEIR_CODEC_PLAIN, /* values one after another: format 1 */
	WEIR_CODEC_FRAME, /* least value + divisor * number */
	WEIR_CODEC_DICTIONARY, /* up to 256 distinct values, ascending, and codes */
	WEIR_CODEC_FREQUENT, /* codes of the most frequent values, and the others in full */
	WEIR_CODEC_DELTA, /* differences to another column, with a number for "none" */
	WEIR_CODEC_MAP, /* a value for each address of another column, and exceptions */
	WEIR_CODEC_RUNS, /* address codes that ascend: how often each one comes */
	WEIR_CODEC_ASCENDING, /* address codes that ascend while another column's stay */
	WEIR_CODEC_CODES, /* address codes in no order */
	WEIR_CODEC_END,
};

enum {
	WEIR_CODEC_ROWS_MAX = 65536,
};

/* One way to write a column. */
struct weir_codec_choice {
	uint8_t codec;
	uint8_t base; /* the other column of DELTA, MAP, ASCENDING; else 0 */
};

/* The columns of one block on their way to disk, rows in their final order. */
struct weir_codec_rows {
	uint32_t count;
	/* By column id: count values as in struct weir_flow, one after another, and two bytes that
	 * may be read; NULL for addresses. */
	uint8_t *values[WEIR_COLUMN_END];
	/* Addresses: count codes, and how many distinct ones. */
	const uint16_t *codes[WEIR_COLUMN_DST_ADDR + 1];
	uint32_t entries[WEIR_COLUMN_DST_ADDR + 1];
};

/* Writes columns; owns the arrays in between. One thread's. */
struct weir_coder;
/* As weir_packer_expect(): @key_parts for addresses and ports, @parts for all else. */
int weir_coder_new(unsigned key_parts, unsigned parts, struct weir_coder **coder);
void weir_coder_free(struct weir_coder *coder);
/* Look at column @id of @rows, which stays there until the next one. Tells the least and greatest. */
void weir_coder_load(struct weir_coder *coder, const struct weir_codec_rows *rows,
		     enum weir_column_id id, uint64_t *min, uint64_t *max);
/* Append it to @to by @choice. False: it cannot be written so; nothing was appended. */
bool weir_coder_write(struct weir_coder *coder, struct weir_codec_choice choice,
		      struct weir_bytes *to);

/* The value at @at as a number of the codecs. */
uint64_t weir_codec_number(const struct weir_column *column, const uint8_t *at);

#endif
