/* SPDX-License-Identifier: GPL-2.0 */
/*
 * block.h - records stored together, column by column. docs/store.md has the format.
 *
 * Nothing here knows of LMDB: a block is bytes with a number.
 */
#ifndef WEIR_STORE_BLOCK_H
#define WEIR_STORE_BLOCK_H

#include "daemon/store/codec.h"
#include "daemon/store/vector.h"

enum {
	WEIR_BLOCK_VERSION = 2,
	WEIR_BLOCK_RECORDS_MAX = 65536,
};

enum weir_block_level {
	WEIR_BLOCK_LEVEL_NONE, /* not compressed; for tests and comparisons */
	WEIR_BLOCK_LEVEL_HOT, /* fast to make and to read */
	/* 4 % smaller for three times the work, and slower to read: when there is time. */
	WEIR_BLOCK_LEVEL_COLD,
};

struct weir_block_times {
	uint64_t min_ns; /* earliest start */
	uint64_t max_ns; /* latest end */
};

/* Makes one block after another; one thread's. It remembers which codecs did well, so keep it. */
struct weir_block_writer;

int weir_block_writer_new(enum weir_block_level level, struct weir_block_writer **writer);
void weir_block_writer_free(struct weir_block_writer *writer);
/**
 * weir_block_write - make a block of @count records (1 .. 65536), in any order.
 * It has no number until weir_block_seal() gives it one, so it can be made before its place is known.
 * *@block is valid until the next call. -EINVAL: @count; -ENOMEM.
 */
int weir_block_write(struct weir_block_writer *writer, const struct weir_flow *flows, size_t count,
		     uint8_t **block, size_t *bytes, struct weir_block_times *times);
/* The number goes into the checksum, so a block cannot pass for another. */
void weir_block_seal(uint64_t number, uint8_t *block, size_t bytes);
/* For tests and measurements: write column @id like this, if it can be. Codec 0: as usual again. */
void weir_block_force(struct weir_block_writer *writer, enum weir_column_id id,
		      struct weir_codec_choice choice);

/* One block after another, read by one thread. Owns the memory that columns are decoded into. */
struct weir_block_reader;

int weir_block_reader_new(struct weir_block_reader **reader);
void weir_block_reader_free(struct weir_block_reader *reader);

/**
 * weir_block_open - look at block @number in @from, which stays there until the next one is opened.
 * Header and directory are checked. -EBADMSG: damaged. -ENOTSUP: of a later version.
 */
int weir_block_open(struct weir_block_reader *reader, uint64_t number, const uint8_t *from,
		    size_t bytes);
uint32_t weir_block_count(const struct weir_block_reader *reader);
struct weir_block_times weir_block_times(const struct weir_block_reader *reader);

/* What each part of a block takes, for people who ask where the disk went. */
struct weir_block_section {
	const char *name; /* of the column, or "addresses", or "head" */
	const char *codec;
	uint8_t base; /* column that the codec refers to, 0: none */
	uint32_t bytes;
};
enum {
	WEIR_BLOCK_SECTIONS_MAX = WEIR_COLUMN_END + 2,
};
/* How many were written to @sections. */
unsigned weir_block_sections(const struct weir_block_reader *reader,
			     struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX]);
/* Bytes that column @id takes, 0 if there is none; that of sources includes the dictionary. */
uint32_t weir_block_column_bytes(const struct weir_block_reader *reader, enum weir_column_id id);
/* Check every checksum without decoding anything. */
int weir_block_check(struct weir_block_reader *reader);

/* See view.h for these. */
bool weir_block_range(struct weir_block_reader *reader, enum weir_column_id id, uint64_t *min,
		      uint64_t *max);
bool weir_block_may_hold_prefix(struct weir_block_reader *reader, enum weir_column_id id,
				const uint8_t address[16], unsigned bits);
bool weir_block_may_hold_number(struct weir_block_reader *reader, enum weir_column_id id,
				uint64_t low, uint64_t high);
int weir_block_prefix(struct weir_block_reader *reader, enum weir_column_id id,
		      const uint8_t address[16], unsigned bits, uint32_t *first, uint32_t *end);
int weir_block_run_rows(struct weir_block_reader *reader, enum weir_column_id id, uint32_t first,
			uint32_t end, uint32_t *from, uint32_t *to);
int weir_block_codes(struct weir_block_reader *reader, enum weir_column_id id,
		     struct weir_vector *vector);
int weir_block_column(struct weir_block_reader *reader, enum weir_column_id id,
		      struct weir_vector *vector);
int weir_block_rows(struct weir_block_reader *reader, uint64_t columns, struct weir_flow *flows);

/* For tests: compute anew the checksums that a hostile or unlucky change made wrong. */
void weir_block_reseal(uint64_t number, uint8_t *block, size_t bytes);

#endif
