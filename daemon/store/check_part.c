// SPDX-License-Identifier: GPL-2.0
/*
 * check_part.c - one folder of a store: its pages, then what is in it.
 *
 * LMDB is let at it only after the pages were found sound. If a writer is
 * active, its commits may reuse pages while they are looked at; then what was found says
 * nothing and is looked at again, and at last under a read transaction, which pins the pages.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/check_part.h"
#include "daemon/store/pages.h"

enum {
	TRIES = 20,
};

struct notes {
	char *sentence[64];
	unsigned count;
	uint64_t more;
};

static void note(void *arg, const char *sentence)
{
	struct notes *notes = arg;

	if (notes->count < sizeof(notes->sentence) / sizeof(notes->sentence[0]))
		notes->sentence[notes->count++] = strdup(sentence);
	else
		notes->more++;
}

static void forget(struct notes *notes)
{
	for (unsigned i = 0; i < notes->count; i++)
		free(notes->sentence[i]);
	*notes = (struct notes){0};
}

static void say_notes(struct weir_check_run *run, struct weir_check_part *part,
		      struct notes *notes)
{
	for (unsigned i = 0; i < notes->count; i++)
		weir_check_say(run, part, "%s", notes->sentence[i] ? notes->sentence[i] : "damaged");
	if (notes->more)
		weir_check_say(run, part, "and %" PRIu64 " more faults of LMDB's pages",
			       notes->more);
	forget(notes);
}

/* Faults found in a file that nobody wrote to meanwhile. */
static int check_pages(struct weir_pages *pages, struct notes *notes, uint64_t *faults)
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t was = weir_pages_transaction(pages);
		int ret;

		forget(notes);
		*faults = weir_pages_check(pages, note, notes);
		if (!*faults)
			return 0;
		ret = weir_pages_refresh(pages, 0);
		if (ret)
			return ret == -EBADMSG ? 0 : ret;
		if (weir_pages_transaction(pages) == was)
			return 0;
	}
	return -EBUSY;
}

/* The same with the pages pinned. What LMDB itself reads for that was seen before, only not at one
 * moment. */
static int check_pinned(struct weir_pages *pages, const char *path, struct notes *notes,
			uint64_t *faults)
{
	struct weir_lmdb *lmdb;
	struct weir_lmdb_txn txn;
	int ret = weir_survey_open(path, &lmdb);

	if (ret)
		return ret;
	for (unsigned i = 0; i < TRIES; i++) {
		ret = weir_lmdb_begin(lmdb, false, &txn);
		if (!ret)
			ret = weir_pages_refresh(pages, weir_lmdb_transaction(&txn));
		forget(notes);
		if (!ret)
			*faults = weir_pages_check(pages, note, notes);
		weir_lmdb_abort(&txn);
		/* Two commits came between the two lines above. */
		if (ret != -ESTALE)
			break;
	}
	weir_lmdb_close(lmdb);
	return ret;
}

static int check_structure(struct weir_check_run *run, struct weir_check_part *part)
{
	char *file = weir_folder_path(part->survey->path, "data.mdb");
	struct weir_pages *pages = NULL;
	struct notes notes = {0};
	uint64_t faults = 0;
	int ret;

	if (!file)
		return -ENOMEM;
	ret = weir_pages_open(file, &pages);
	free(file);
	if (ret && ret != -EBADMSG) {
		weir_check_say(run, part, "data.mdb cannot be opened: %s", strerror(-ret));
		part->unsound = true;
		return 0;
	}
	ret = check_pages(pages, &notes, &faults);
	if (ret == -EBUSY)
		ret = check_pinned(pages, part->survey->path, &notes, &faults);
	part->unsound = faults;
	say_notes(run, part, &notes);
	weir_pages_close(pages);
	return ret;
}

static int read_meta(struct weir_check_run *run, struct weir_check_part *part,
		     struct weir_lmdb_txn *txn)
{
	int ret = weir_survey_read(txn, part->survey->path, &part->meta);

	if (ret == -ENOTSUP) {
		part->later = true;
		weir_check_say(run, part, "it was written by a later weir");
		return ret;
	}
	if (ret == -EBADMSG) {
		weir_check_say(run, part, "what it says of itself is missing or damaged");
		return ret;
	}
	part->known = !ret;
	return ret;
}

static int check_partition(struct weir_check_run *run, struct weir_check_part *part)
{
	struct weir_lmdb *lmdb;
	struct weir_lmdb_txn txn;
	int ret = weir_survey_open(part->survey->path, &lmdb);

	if (ret == -EBADMSG) {
		weir_check_say(run, part, "it is no partition of a weir store");
		return 0;
	}
	if (ret)
		return ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = read_meta(run, part, &txn);
	if (!ret)
		ret = weir_check_content(run, part, &txn);
	weir_lmdb_abort(&txn);
	weir_lmdb_close(lmdb);
	if (ret == -EBADMSG && !part->faults)
		weir_check_say(run, part, "an index cannot be read");
	return ret == -EBADMSG || ret == -ENOTSUP ? 0 : ret;
}

int weir_check_part(struct weir_check_run *run, struct weir_check_part *part)
{
	int ret = check_structure(run, part);

	if (!ret && !part->unsound && part->survey->kind == WEIR_SURVEY_PARTITION)
		ret = check_partition(run, part);
	if (!ret && !part->unsound && part->survey->kind == WEIR_SURVEY_ROLLUPS)
		ret = weir_check_rollups(run, part);
	return ret;
}
