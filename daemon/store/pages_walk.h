/* SPDX-License-Identifier: GPL-2.0 */
/* pages_walk.h - what pages.c and pages_check.c share: trees of LMDB's data file. */
#ifndef WEIR_STORE_PAGES_WALK_H
#define WEIR_STORE_PAGES_WALK_H

#include <string.h>

#include "daemon/store/pages.h"

enum {
	WEIR_PAGES_DEPTH_MAX = 32,
};

struct weir_pages_database {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct weir_pages_root {
	uint32_t magic, version;
	uint64_t address, map_bytes;
	struct weir_pages_database free, main;
	uint64_t last_page, transaction;
};

_Static_assert(sizeof(struct weir_pages_database) == 48, "on disk");
_Static_assert(sizeof(struct weir_pages_root) == 136, "on disk");

struct weir_pages {
	int fd;
	size_t size;			     /* of a page */
	struct weir_pages_root root;	     /* looked at; root.transaction 0: none */
	unsigned root_index;		     /* where it is */
	bool other_known;		     /* the other root can be read */
	uint64_t other_transaction;
	uint8_t *page[WEIR_PAGES_DEPTH_MAX]; /* the way down */
	uint8_t *value;
	size_t value_room;
	/* Of the last check: a bit for each page that is free or has an owner. */
	uint8_t *owned;
	uint64_t owned_pages;
	bool free_known; /* which pages are free, too */
	uint64_t faults;
	weir_pages_report *report;
	void *arg;
};

/* What one walk through a tree does and finds. */
struct weir_pages_walk {
	struct weir_pages *pages;
	const char *name;
	bool numbers; /* keys are native integers: the free list */
	bool claim;   /* note who owns which page */
	uint8_t *seen; /* else: a bit a page, so that no loop is walked for ever; NULL: no matter */
	uint64_t seen_pages;
	bool values;
	weir_pages_visit *visit;
	void *arg;
	struct weir_pages_database found;
	uint8_t last_key[512];
	size_t last_key_bytes;
	bool has_last;
};

struct weir_pages_names {
	struct weir_pages *pages;
	unsigned count;
	struct {
		char name[64];
		struct weir_pages_database database;
	} at[16];
};

static inline uint64_t weir_pages_u64(const uint8_t *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Count what is wrong, and report it to whoever asked. */
void weir_pages_fault(struct weir_pages *pages, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Note that @page has an owner. False, and a fault: it has one already, or is outside of the file.
 */
bool weir_pages_claim(struct weir_pages *pages, uint64_t page, const char *who);
/* Faults are counted; an error returned is another one, or what the visitor returned. */
int weir_pages_walk(struct weir_pages_walk *walk, const struct weir_pages_database *database);
/* The named databases. @walk says how. */
int weir_pages_list(struct weir_pages_walk *walk, struct weir_pages_names *names);

#endif
