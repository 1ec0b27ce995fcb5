// SPDX-License-Identifier: GPL-2.0
#include "daemon/common/large.h"

#include <stdlib.h>
#include <sys/mman.h>

enum {
	LARGE_PAGE_BYTES = 2 << 20,
};

static size_t round_up(size_t bytes)
{
	return (bytes + LARGE_PAGE_BYTES - 1) / LARGE_PAGE_BYTES * LARGE_PAGE_BYTES;
}

void *weir_large_alloc(size_t bytes, size_t small)
{
	char *memory;

	if (bytes < LARGE_PAGE_BYTES)
		return malloc(bytes);
	bytes = round_up(bytes);
	small = round_up(small);
	memory = aligned_alloc(LARGE_PAGE_BYTES, bytes);
	/* Advice: without large pages all goes on, only slower. */
	if (memory && small < bytes)
		(void)madvise(memory + small, bytes - small, MADV_HUGEPAGE);
	return memory;
}
