/* SPDX-License-Identifier: GPL-2.0 */
/*
 * pages.h - an LMDB data file read page by page, without LMDB.
 *
 * LMDB trusts its file: a page that says nonsense ends the process that reads
 * it. So what may be damaged is looked at here first, and rescued from here. Every
 * number read is checked before it is used, a file that ends early is an error, and nothing is ever
 * written.
 *
 * The file may be in use: see weir_pages_refresh().
 */
#ifndef WEIR_STORE_PAGES_H
#define WEIR_STORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_pages;

struct weir_pages_entry {
	const uint8_t *key;
	size_t key_bytes;
	const uint8_t *value; /* NULL: it cannot be read, or was not asked for */
	size_t value_bytes;
};

/* A sentence about something that is wrong. */
typedef void weir_pages_report(void *arg, const char *sentence);
/* Stops the walk by returning non-zero. What @entry points to is valid during the call. */
typedef int weir_pages_visit(void *arg, const struct weir_pages_entry *entry);

/* @path is the file. 0; -EBADMSG: neither of LMDB's two roots can be read, so that only
 * weir_pages_orphans() finds anything; other errors: no object. */
int weir_pages_open(const char *path, struct weir_pages **pages);
void weir_pages_close(struct weir_pages *pages);
/* Bytes that one page has, and the number of the transaction that is looked at. */
size_t weir_pages_size(const struct weir_pages *pages);
uint64_t weir_pages_transaction(const struct weir_pages *pages);
/* The file as of its newest transaction, or as of @transaction, which a reader of this file
 * must hold, or the pages may be written over while they are read. -ESTALE: it is
 * not one of the last two. 0: the newest. */
int weir_pages_refresh(struct weir_pages *pages, uint64_t transaction);

/* Check everything: each database, the list of free pages, that no page has two owners.
 * Returns the number of faults, each of which was reported. */
uint64_t weir_pages_check(struct weir_pages *pages, weir_pages_report *report, void *arg);
/* How many entries database @db says it has; 0 also when there is none. */
uint64_t weir_pages_entries(struct weir_pages *pages, const char *db);
/* Visit what is reachable of database @db in order of its keys; pages that cannot be read
 * are counted in *@faults. @values: with the values. -ENOENT: there is no such database
 * (or its root cannot be reached). */
int weir_pages_each(struct weir_pages *pages, const char *db, bool values, weir_pages_visit *visit,
		    void *arg, uint64_t *faults);
/* Whether the last check could read the whole list of free pages. */
bool weir_pages_free_known(const struct weir_pages *pages);
/* Visit the entries of all leaf pages that nothing points to and that are not known to be free.
 * After weir_pages_check(). They may be old. */
int weir_pages_orphans(struct weir_pages *pages, weir_pages_visit *visit, void *arg);

#endif
