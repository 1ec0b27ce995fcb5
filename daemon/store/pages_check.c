// SPDX-License-Identifier: GPL-2.0
/* pages_check.c - is an LMDB data file what it should be? All of it but the values. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/store/pages_walk.h"

static void compare_counts(struct weir_pages_walk *walk, const struct weir_pages_database *says)
{
	const struct weir_pages_database *found = &walk->found;
	const struct {
		const char *what;
		uint64_t says, found;
	} rows[] = {{"levels", says->depth, found->depth},
		    {"branch pages", says->branches, found->branches},
		    {"leaf pages", says->leaves, found->leaves},
		    {"overflow pages", says->overflows, found->overflows},
		    {"entries", says->entries, found->entries}};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].says != rows[i].found)
			weir_pages_fault(walk->pages, "%s: %" PRIu64 " %s instead of %" PRIu64,
					 walk->name, rows[i].found, rows[i].what, rows[i].says);
	}
}

/* @before: faults before the walk. After one the counts differ, which says nothing new. */
static int finish(struct weir_pages_walk *walk, const struct weir_pages_database *says,
		  uint64_t before, int ret)
{
	if (!ret && walk->pages->faults == before)
		compare_counts(walk, says);
	return ret;
}

/* A transaction's freed pages: how many, then their numbers. */
static int visit_free(void *arg, const struct weir_pages_entry *entry)
{
	struct weir_pages *pages = arg;
	uint64_t count;

	if (!entry->value)
		return 0;
	count = entry->value_bytes >= 8 ? weir_pages_u64(entry->value) : UINT64_MAX;
	if (count > entry->value_bytes / 8 - 1 || entry->key_bytes != 8) {
		weir_pages_fault(pages, "the list of free pages is damaged");
		return 0;
	}
	for (uint64_t i = 1; i <= count; i++)
		weir_pages_claim(pages, weir_pages_u64(entry->value + 8 * i),
				 "the list of free pages");
	return 0;
}

static int prepare_owners(struct weir_pages *pages)
{
	struct stat status;
	uint64_t most;

	if (fstat(pages->fd, &status))
		return -errno;
	/* No owner of a page beyond the end of the file can be noted, nor read. */
	most = (uint64_t)status.st_size / pages->size + 1;
	if (pages->root.last_page >= most + (1 << 20))
		weir_pages_fault(pages, "the file is cut: it ends at page %" PRIu64 " of %" PRIu64,
				 most - 1, pages->root.last_page);
	else if (pages->root.last_page > most)
		most = pages->root.last_page;
	free(pages->owned);
	pages->owned_pages = most;
	pages->owned = calloc(1, most / 8 + 1);
	return pages->owned ? 0 : -ENOMEM;
}

static int check_free(struct weir_pages *pages)
{
	struct weir_pages_walk walk = {.pages = pages,
				       .name = "the list of free pages",
				       .numbers = true,
				       .claim = true,
				       .values = true,
				       .visit = visit_free,
				       .arg = pages};
	uint64_t before = pages->faults;
	int ret = finish(&walk, &pages->root.free, before,
			 weir_pages_walk(&walk, &pages->root.free));

	pages->free_known = !ret && pages->faults == before;
	return ret;
}

bool weir_pages_free_known(const struct weir_pages *pages)
{
	return pages->free_known;
}

static int check_databases(struct weir_pages *pages)
{
	struct weir_pages_walk walk = {.pages = pages, .claim = true};
	uint64_t before = pages->faults;
	struct weir_pages_names names;
	int ret = finish(&walk, &pages->root.main, before, weir_pages_list(&walk, &names));

	for (unsigned i = 0; i < names.count && !ret; i++) {
		walk = (struct weir_pages_walk){
			.pages = pages, .name = names.at[i].name, .claim = true};
		before = pages->faults;
		ret = finish(&walk, &names.at[i].database, before,
			     weir_pages_walk(&walk, &names.at[i].database));
	}
	return ret;
}

/* Transactions take turns with the two roots: an odd number is in the second one. A root that tells
 * another story would let LMDB fall back to an earlier commit without a word. */
static void check_roots(struct weir_pages *pages)
{
	/* The one that is looked at may be the older one, if a reader holds that. */
	uint64_t older = pages->other_transaction, newer = pages->root.transaction;

	if (!pages->root.magic)
		weir_pages_fault(pages, "both of LMDB's root pages are damaged");
	else if (!pages->other_known)
		weir_pages_fault(pages, "one of LMDB's root pages is damaged");
	else if (newer % 2 != pages->root_index || (newer != older + 1 && older != newer + 1))
		weir_pages_fault(pages, "LMDB's root pages do not go together");
}

uint64_t weir_pages_check(struct weir_pages *pages, weir_pages_report *report, void *arg)
{
	int ret;

	pages->faults = 0;
	pages->free_known = false;
	pages->report = report;
	pages->arg = arg;
	check_roots(pages);
	ret = prepare_owners(pages);
	if (!ret && pages->root.magic)
		ret = check_free(pages);
	if (!ret && pages->root.magic)
		ret = check_databases(pages);
	if (ret)
		weir_pages_fault(pages, "cannot be checked: %s", strerror(-ret));
	pages->report = NULL;
	return pages->faults;
}
