/* SPDX-License-Identifier: GPL-2.0 */
/*
 * spill.h - rows that do not fit into memory, in files without a name.
 *
 * Each thread writes to one file of its own; what belongs together in it is a stream: a
 * list of extents. When all is written, any thread may read any stream.
 */
#ifndef WEIR_QUERY_SPILL_H
#define WEIR_QUERY_SPILL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_spill {
	const char *dir; /* NULL: nothing may be spilled */
	int fd;		 /* -1: not used yet */
	uint64_t end;	 /* bytes written */
	_Atomic uint64_t *used; /* by all files of a query */
	uint64_t most;		/* of them */
	uint64_t keep_bytes;	/* free space of the file system that is not for us */
	uint64_t looked;	/* `end` when its free space was looked at */
	size_t buffer_bytes;
};

struct weir_extent {
	uint64_t offset, bytes;
};

struct weir_stream {
	struct weir_spill *spill; /* where it lies; NULL: nothing was written */
	struct weir_extent *extent;
	size_t extents, room;
	uint8_t *buffer;
	size_t fill;
	uint64_t bytes; /* in extents and buffer */
};

struct weir_reader {
	const struct weir_stream *stream;
	size_t row_bytes;
	size_t extent;	 /* to read next */
	uint64_t offset; /* in it */
	uint8_t *buffer;
	size_t room, at, fill;
};

/* @buffer_bytes: of a stream and a reader each, at least one row. @used: what all who share
 * the bound @most have written. */
void weir_spill_init(struct weir_spill *spill, const char *dir, size_t buffer_bytes,
		     _Atomic uint64_t *used, uint64_t most);
/* All that was spilled is gone. */
void weir_spill_close(struct weir_spill *spill);

/* Add a row. -E2BIG: nothing may be spilled. -EDQUOT: the bound is reached. -ENOSPC, -EIO and such, -ENOMEM. A zeroed
 * @stream is empty. */
int weir_stream_write(struct weir_stream *stream, struct weir_spill *spill, const void *row,
		      size_t bytes);
/* Write what is in the buffer and give it back. The stream is complete for readers; it may
 * be written on. */
int weir_stream_flush(struct weir_stream *stream);
void weir_stream_free(struct weir_stream *stream);

/* Rows of one size from the beginning of @stream. */
int weir_reader_init(struct weir_reader *reader, const struct weir_stream *stream,
		     size_t row_bytes);
/* *@row is valid until the next call; NULL: no more. */
int weir_reader_next(struct weir_reader *reader, const void **row);
void weir_reader_free(struct weir_reader *reader);

#endif
