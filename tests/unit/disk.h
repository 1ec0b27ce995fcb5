/* SPDX-License-Identifier: GPL-2.0 */
/*
 * disk.h - what a run wrote to files, and every way in which a power failure could have left it.
 *
 * Link disk.o into a test: it takes the place of libc's calls that change files, for
 * LMDB too. Between disk_begin() and disk_end() each call below a folder is done and recorded.
 *
 * disk_build() then makes the folder as it could be found after power failed while call N was
 * under way. The model is what POSIX promises and no more: a write is on the disk when
 * fsync or fdatasync of its file returned (or its own O_DSYNC write did); until then any of its
 * sectors (512 bytes) is there or not, whichever of the later ones is. A file has a name, a new
 * name or none any more when fsync of the folder returned; until then the changes to one folder are
 * there up to some point. Memory maps are not looked at: LMDB writes only its lock files so, which
 * are left out.
 */
#ifndef WEIR_TESTS_DISK_H
#define WEIR_TESTS_DISK_H

#include <stddef.h>
#include <stdint.h>

enum disk_variant {
	DISK_NOTHING, /* only what must be there */
	DISK_ALL,     /* all that was called */
	DISK_SOME,    /* a random part of it, sector by sector */
	DISK_NAMES,   /* all names, nothing of what is in files but what must be */
	DISK_DATA,    /* the other way round */
	DISK_VARIANTS,
};

/* Record below @root, which exists and is empty. */
void disk_begin(const char *root);
void disk_end(void);
/* Calls recorded so far. */
size_t disk_calls(void);
/* From now on @value holds whatever happens to the machine. */
void disk_mark(uint64_t value);
/* Make the folder @into, which is there and empty. Returns the last mark that was set before. */
uint64_t disk_build(size_t call, enum disk_variant variant, uint64_t seed, const char *into);
/* Not a call, but where disk_mark() was. */
int disk_is_mark(size_t call);
/* For a message: what call that is. */
const char *disk_name(size_t call);
/* End this process as kill -9 does at call number @call, before it (or after it, with @after).
 * Instead of recording data. */
void disk_kill_at(size_t call, int after);

#endif
