/* SPDX-License-Identifier: GPL-2.0 */
/*
 * check.h - is everything that a store holds what was put into it?
 *
 * Each folder in turn: first LMDB's own pages (pages.h), then, if these can be
 * trusted, what is in them: every checksum, the index of every block against its records, the
 * sums kept against sums made again, segments by number and, through a visitor, as a chain. At last the ledger
 * of the store as a whole.
 *
 * A node may be writing: each partition is seen as of one moment. A check of the one that is
 * written pins its old pages, so its file grows by what is written meanwhile.
 */
#ifndef WEIR_STORE_CHECK_H
#define WEIR_STORE_CHECK_H

#include "daemon/store/rollup.h"
#include "daemon/store/survey.h"

/* @part: the folder's name; "": the store as a whole. */
typedef void weir_check_fault(void *arg, const char *part, const char *sentence);
typedef void weir_check_progress(void *arg, uint64_t bytes, uint64_t bytes_total);
/* Segments, in order. @hash: what its SHA-256 should be, or NULL. Whatever is wrong with one: false,
 * and a sentence in @why. */
typedef bool weir_check_segment(void *arg, uint64_t seq, const void *body, size_t body_bytes,
				const uint8_t *hash, char *why, size_t why_bytes);

enum weir_check_depth {
	WEIR_CHECK_ALL,
	WEIR_CHECK_INDEX, /* of blocks the heads only */
	WEIR_CHECK_META, /* pages, and what each part says of itself */
};

struct weir_check_options {
	enum weir_check_depth depth;
	weir_check_fault *fault;
	weir_check_progress *progress; /* may be NULL */
	weir_check_segment *segment;   /* may be NULL */
	void *arg;
	const volatile bool *cancel; /* may be NULL */
};

struct weir_check_part {
	struct weir_survey_part *survey;
	uint64_t faults;
	bool unsound; /* LMDB's pages are damaged: what is in them was not looked at */
	bool later; /* of a later weir: not looked at */
	bool known; /* meta could be read */
	bool gone; /* retention removed it before it was looked at: nothing of it is counted */
	struct weir_survey_meta meta;
	uint64_t blocks, damaged_blocks;
	uint64_t records, damaged_records; /* by the index, all and those of damaged blocks */
	struct weir_totals totals; /* of the blocks that are sound */
	struct weir_totals unsummed; /* of those behind the last segment, at its last commit */
	uint64_t segments;
	struct weir_rollup_sums rollups[WEIR_ROLLUP_LEVELS]; /* what the roll-ups say of themselves */
	uint64_t rollups_since_ns[WEIR_ROLLUP_LEVELS]; /* the oldest begins; 0: none */
	uint64_t column_bytes[64]; /* by id, of the blocks that are sound; not with WEIR_CHECK_META */
};

struct weir_check {
	struct weir_survey *survey;
	struct weir_check_part *parts; /* as survey->parts */
	uint64_t faults;
	unsigned damaged_parts;
	uint64_t blocks, damaged_blocks, records, damaged_records, segments;
	bool balanced; /* stored = expired + held + damaged, where it could be told */
	bool balance_known;
	struct weir_totals stored, expired, held, damaged;
	/* stored + refused - in segments - behind the last one: damaged before they were summed up. Not
	 * zero is a fault. */
	bool unsummed_known;
	struct weir_totals unsummed_lost;
};

/* 0 also when faults were found. -ECANCELED. */
int weir_check_store(const char *dir, const struct weir_check_options *options,
		     struct weir_check **check);
void weir_check_free(struct weir_check *check);

/* One block by itself; for repair too. 0, -EBADMSG, -ENOTSUP; the sentence goes to @why. */
struct weir_block_reader;
int weir_check_block(struct weir_block_reader *reader, struct weir_flow *flows, uint64_t number,
		     const void *data, size_t bytes, struct weir_meta_times *times,
		     struct weir_totals *totals, char *why, size_t why_bytes);

#endif
