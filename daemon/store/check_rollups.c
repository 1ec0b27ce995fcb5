// SPDX-License-Identifier: GPL-2.0
/* check_rollups.c - every roll-up by its checksum, no gap between two, sums as they are kept. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/store/check_part.h"

struct level {
	enum weir_rollup_level level;
	const char *word;
	struct weir_rollup_sums *sums;
	struct weir_totals totals;
	uint64_t entries, last; /* segment */
};

static void take(struct weir_check_run *run, struct weir_check_part *part, struct level *l,
		 uint64_t segment, const struct weir_rollup_head *head)
{
	l->entries++;
	weir_totals_add(&l->totals, &head->totals);
	if (head->last_segment != segment)
		weir_check_say(run, part, "the %s up to segment %" PRIu64 " says that it ends with %"
			       PRIu64, l->word, segment, head->last_segment);
	if (l->last && head->first_segment <= l->last)
		weir_check_say(run, part, "the %s up to segment %" PRIu64 " covers segments that the "
			       "one before it covers too", l->word, segment);
	l->last = segment;
}

static int check_entries(struct weir_check_run *run, struct weir_check_part *part,
			 struct level *l, struct weir_lmdb_txn *txn)
{
	struct weir_rollup_head head;
	uint64_t segment = 0;
	int ret;

	while (!(ret = weir_rollup_next_in(txn, l->level, segment, &segment, &head)) ||
	       ret == -EBADMSG) {
		if (weir_check_cancelled(run))
			return -ECANCELED;
		if (txn->error)
			return txn->error;
		if (!ret) {
			take(run, part, l, segment, &head);
			continue;
		}
		weir_check_say(run, part, "the %s up to segment %" PRIu64 " is damaged", l->word,
			       segment);
		l->entries++;
	}
	return ret == -ENOENT ? 0 : ret;
}

static int check_level(struct weir_check_run *run, struct weir_check_part *part,
		       enum weir_rollup_level level, struct weir_lmdb_txn *txn)
{
	struct level l = {.level = level,
			  .word = weir_rollup_words[level],
			  .sums = &part->rollups[level]};
	uint64_t before = part->faults, first;
	struct weir_rollup_head head;
	int ret = weir_rollup_sums_in(txn, level, l.sums);

	if (!ret && !weir_rollup_next_in(txn, level, 0, &first, &head))
		part->rollups_since_ns[level] = head.start_ns;
	if (ret || run->options->depth == WEIR_CHECK_META)
		return ret;
	ret = check_entries(run, part, &l, txn);
	if (ret || part->faults != before)
		return ret;
	if (l.entries != l.sums->entries)
		weir_check_say(run, part, "%" PRIu64 " %ss are there; it says it holds %" PRIu64,
			       l.entries, l.word, l.sums->entries);
	else if (!weir_totals_equal(&l.totals, &l.sums->held))
		weir_check_say(run, part, "its %ss hold %" PRIu64 " flows; it says %" PRIu64, l.word,
			       (uint64_t)l.totals.flows, (uint64_t)l.sums->held.flows);
	if (l.last > l.sums->segment)
		weir_check_say(run, part, "a %s ends with segment %" PRIu64 ", but %" PRIu64
			       " is the last one taken in", l.word, l.last, l.sums->segment);
	return 0;
}

int weir_check_rollups(struct weir_check_run *run, struct weir_check_part *part)
{
	struct weir_lmdb_options options = {.dbs = weir_rollup_dbs, .read_only = true};
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret = weir_lmdb_open(part->survey->path, &options, &lmdb);

	if (ret == -EBADMSG)
		weir_check_say(run, part, "they are no roll-ups of a weir store");
	if (ret)
		return ret == -EBADMSG ? 0 : ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = weir_meta_check_format(&txn, 0, part->survey->path);
	part->known = !ret;
	for (int level = 0; level < WEIR_ROLLUP_LEVELS && !ret; level++)
		ret = check_level(run, part, (enum weir_rollup_level)level, &txn);
	weir_lmdb_abort(&txn);
	weir_lmdb_close(lmdb);
	if (ret == -ENOTSUP)
		part->later = true;
	if (ret == -ENOTSUP || (ret == -EBADMSG && !part->faults))
		weir_check_say(run, part, ret == -ENOTSUP ? "they were written by a later weir" :
							    "what they say of themselves is damaged");
	return ret == -EBADMSG || ret == -ENOTSUP ? 0 : ret;
}
