// SPDX-License-Identifier: GPL-2.0
/*
 * An LMDB data file: checked, walked, searched for lost pages, and everything salvaged. Whatever is in it,
 * nothing is read outside of it, and it comes to an end.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/store/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *arg, const struct weir_pages_entry *entry)
{
	uint64_t *sum = arg;

	/* All of it can be read. */
	for (size_t i = 0; i < entry->key_bytes; i++)
		*sum += entry->key[i];
	for (size_t i = 0; entry->value && i < entry->value_bytes; i++)
		*sum += entry->value[i];
	return 0;
}

static void report(void *arg, const char *sentence)
{
	*(uint64_t *)arg += strlen(sentence);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const dbs[] = {"meta", "times", "blocks", "segments"};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct weir_pages *pages = NULL;
	uint64_t sum = 0, faults = 0;
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	weir_pages_open(path, &pages);
	if (pages) {
		weir_pages_check(pages, report, &sum);
		for (unsigned i = 0; i < 4; i++) {
			weir_pages_entries(pages, dbs[i]);
			weir_pages_each(pages, dbs[i], true, visit, &sum, &faults);
		}
		weir_pages_orphans(pages, visit, &sum);
	}
	weir_pages_close(pages);
	close(fd);
	return 0;
}

#include "tests/fuzz/replay.h"
