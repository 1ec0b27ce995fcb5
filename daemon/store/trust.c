// SPDX-License-Identifier: GPL-2.0
/*
 * trust.c - before LMDB opens an environment: are its pages what they should be?
 *
 * LMDB ends the process that reads a page which says nonsense, and makes a new environment of an
 * empty file. One damaged partition must cost its own records and nothing else. Looking at the structure
 * reads what the first query would read too, but no values.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/store/internal.h"
#include "daemon/store/pages.h"

enum {
	TRIES = 20,
};

static void keep_first(void *arg, const char *sentence)
{
	char *first = arg;

	if (!*first)
		snprintf(first, 256, "%s", sentence);
}

/* Faults count only if no writer committed while they were found. If one always does, it is alive
 * with this file, so LMDB can read it. */
static int look(struct weir_pages *pages, char first[256])
{
	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t was = weir_pages_transaction(pages);
		int ret;

		*first = '\0';
		if (!weir_pages_check(pages, keep_first, first))
			return 0;
		ret = weir_pages_refresh(pages, 0);
		if (ret || weir_pages_transaction(pages) == was)
			return -EBADMSG;
	}
	return 0;
}

int weir_trust(const char *path)
{
	char *file = weir_folder_path(path, "data.mdb"), first[256] = "";
	struct weir_pages *pages = NULL;
	int ret = file ? weir_pages_open(file, &pages) : -ENOMEM;

	/* -EBADMSG has an object too, and tells what it is. */
	if (!ret || ret == -EBADMSG)
		ret = look(pages, first);
	if (ret == -EBADMSG)
		weir_log_error("%s: damaged: %s; weir store check tells more", path, first);
	weir_pages_close(pages);
	free(file);
	return ret;
}
