/* SPDX-License-Identifier: GPL-2.0 */
/* repair_part.h - between repair.c, rebuild.c, mend.c and repair_state.c. */
#ifndef WEIR_STORE_REPAIR_PART_H
#define WEIR_STORE_REPAIR_PART_H

#include "daemon/store/repair.h"

struct weir_repair {
	const char *dir;
	const struct weir_repair_options *options;
	struct weir_repair_result *result;
	struct weir_check *check; /* as it was found */
	/* From partition to partition: */
	bool has_before;
	struct weir_survey_meta before; /* of the one before, as it is now */
	uint64_t taken_segment; /* by the roll-ups */
	/* For repair_state.c, at the end. */
	bool new_epoch;
	const char *pending; /* the newest partition, made anew, to be exchanged after the new epoch */
	uint64_t last_segment; /* of the newest partition now */
	bool has_identity; /* of some segment */
	struct weir_store_identity identity;
};

void weir_repair_tell(struct weir_repair *repair, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The folder repair/NAME, empty. malloc'ed; NULL: *@ret says why. */
char *weir_repair_workplace(struct weir_repair *repair, const char *name, int *ret);
/* repair/NAME and NAME change places, and then the damaged one goes to damaged/. */
int weir_repair_exchange(struct weir_repair *repair, const char *name);
/* Move @dir/@name to damaged/. */
int weir_repair_put_away(const char *dir, const char *name);
/* A name in damaged/ that is not taken, malloc'ed, the folder made. */
char *weir_repair_damaged_name(const char *dir, const char *name);
/* Put what a partition says of itself. */
void weir_repair_put_meta(struct weir_lmdb_txn *txn, const struct weir_survey_meta *meta);

/* rebuild.c: a partition whose pages are damaged, or what they say. @next: the one after it, NULL for the
 * newest. *@now: what it says in the end. */
int weir_rebuild_partition(struct weir_repair *repair, struct weir_check_part *part,
			   const struct weir_check_part *next, struct weir_survey_meta *now);
/* mend.c: one with sound pages but damaged blocks, segments, or sums. */
int weir_mend_partition(struct weir_repair *repair, struct weir_check_part *part,
			struct weir_survey_meta *now);
/* repair_state.c: the environment "state": made anew if damaged, and with the new epoch. */
int weir_repair_state(struct weir_repair *repair, struct weir_check_part *part);

#endif
