/* SPDX-License-Identifier: GPL-2.0 */
/* check_part.h - between check.c, check_part.c and check_content.c. */
#ifndef WEIR_STORE_CHECK_PART_H
#define WEIR_STORE_CHECK_PART_H

#include "daemon/store/check.h"

struct weir_check_run {
	const struct weir_check_options *options;
	struct weir_check *check;
	struct weir_block_reader *reader;
	struct weir_flow *flows; /* of one block */
	uint64_t done, total; /* bytes, for the progress */
};

/* Something is wrong with @part. */
void weir_check_say(struct weir_check_run *run, struct weir_check_part *part, const char *format,
		    ...) __attribute__((format(printf, 3, 4)));
bool weir_check_cancelled(const struct weir_check_run *run);
/* check_part.c: a folder of any kind. */
int weir_check_part(struct weir_check_run *run, struct weir_check_part *part);
/* check_content.c: blocks and segments of a partition whose pages are sound, in @txn. */
int weir_check_content(struct weir_check_run *run, struct weir_check_part *part,
		       struct weir_lmdb_txn *txn);

/* check_rollups.c: the same for roll-ups. */
int weir_check_rollups(struct weir_check_run *run, struct weir_check_part *part);

#endif
