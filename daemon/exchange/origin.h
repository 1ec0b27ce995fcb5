/* SPDX-License-Identifier: GPL-2.0 */
/*
 * origin.h - the list "imports" of a store that holds flows of elsewhere: see import.h.
 *
 * A line a file, members separated by tabs: SHA-256 of its content ("-" and a random number for a pipe),
 * "begun", "done" or "part." (of which the rest cannot follow), when (RFC 3339), flows, name of the observation domain, name of the file. Tabs
 * and control characters in names are written as "?".
 */
#ifndef WEIR_EXCHANGE_ORIGIN_H
#define WEIR_EXCHANGE_ORIGIN_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR_ORIGIN_ID_BYTES = 80 };

struct weir_origin {
	uint64_t instance; /* for the store's position */
	char id[WEIR_ORIGIN_ID_BYTES];
	char file[256];
};

/**
 * weir_origin_begin - note in @dir, which is made if need be, that @file is being imported.
 * @fd is read from where it stands, and put back. -EEXIST: it is done,
 * or a part of it is and others came after. -EPERM: @dir is not empty and has no
 * list. @why gets a sentence after a failure.
 */
int weir_origin_begin(const char *dir, const char *file, int fd, struct weir_origin *origin, char *why,
		      size_t why_bytes);
/* Nothing of it was imported after all. */
void weir_origin_forget(const char *dir, const struct weir_origin *origin);
int weir_origin_end(const char *dir, const struct weir_origin *origin, uint64_t flows, const char *name,
		    char *why, size_t why_bytes);

#endif
