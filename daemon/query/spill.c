// SPDX-License-Identifier: GPL-2.0
/* spill.c - rows that do not fit into memory. O_TMPFILE: nothing is left behind, however we end. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/query/spill.h"

enum {
	LOOK_BYTES = 4 << 20, /* written between two looks at the free space */
};

void weir_spill_init(struct weir_spill *spill, const char *dir, size_t buffer_bytes,
		     _Atomic uint64_t *used, uint64_t most)
{
	*spill = (struct weir_spill){.dir = dir,
				     .fd = -1,
				     .buffer_bytes = buffer_bytes,
				     .used = used,
				     .most = most};
}

void weir_spill_close(struct weir_spill *spill)
{
	if (spill->fd >= 0)
		close(spill->fd);
	spill->fd = -1;
}

/* Some file systems have no O_TMPFILE. */
static int make_file(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd < 0 ? -errno : fd;
	path = malloc(strlen(dir) + sizeof("/spill-XXXXXX"));
	if (!path)
		return -ENOMEM;
	strcat(strcpy(path, dir), "/spill-XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	else
		fd = -errno;
	free(path);
	return fd;
}

static int add_extent(struct weir_stream *stream, uint64_t offset, uint64_t bytes)
{
	struct weir_extent *last = stream->extents ? &stream->extent[stream->extents - 1] : NULL;

	if (last && last->offset + last->bytes == offset) {
		last->bytes += bytes;
		return 0;
	}
	if (stream->extents == stream->room) {
		size_t room = stream->room ? 2 * stream->room : 4;
		struct weir_extent *grown = realloc(stream->extent, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		stream->extent = grown;
		stream->room = room;
	}
	stream->extent[stream->extents++] = (struct weir_extent){offset, bytes};
	return 0;
}

/* Others write too, not least other queries: so it is looked at again and again. */
static bool has_space(struct weir_spill *spill)
{
	struct statvfs fs;

	if (spill->end && spill->end - spill->looked < LOOK_BYTES)
		return true;
	spill->looked = spill->end;
	return fstatvfs(spill->fd, &fs) || (uint64_t)fs.f_bavail * fs.f_frsize > spill->keep_bytes;
}

static int write_buffer(struct weir_stream *stream)
{
	struct weir_spill *spill = stream->spill;
	size_t done = 0;
	int ret;

	if (!stream->fill)
		return 0;
	if (atomic_fetch_add(spill->used, stream->fill) + stream->fill > spill->most)
		return -EDQUOT;
	if (spill->fd < 0) {
		spill->fd = make_file(spill->dir);
		if (spill->fd < 0)
			return spill->fd;
	}
	if (spill->keep_bytes && !has_space(spill))
		return -EDQUOT;
	ret = add_extent(stream, spill->end, stream->fill);
	while (!ret && done < stream->fill) {
		ssize_t n = pwrite(spill->fd, stream->buffer + done, stream->fill - done,
				   (off_t)(spill->end + done));

		if (n < 0 && errno != EINTR)
			ret = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	spill->end += done;
	stream->fill = 0;
	return ret;
}

int weir_stream_write(struct weir_stream *stream, struct weir_spill *spill, const void *row,
		      size_t bytes)
{
	if (!spill->dir)
		return -E2BIG;
	if (!stream->buffer) {
		stream->buffer = malloc(spill->buffer_bytes);
		if (!stream->buffer)
			return -ENOMEM;
		stream->spill = spill;
	}
	if (stream->fill + bytes > spill->buffer_bytes) {
		int ret = write_buffer(stream);

		if (ret)
			return ret;
	}
	memcpy(stream->buffer + stream->fill, row, bytes);
	stream->fill += bytes;
	stream->bytes += bytes;
	return 0;
}

int weir_stream_flush(struct weir_stream *stream)
{
	int ret = write_buffer(stream);

	free(stream->buffer);
	stream->buffer = NULL;
	return ret;
}

void weir_stream_free(struct weir_stream *stream)
{
	free(stream->buffer);
	free(stream->extent);
	memset(stream, 0, sizeof(*stream));
}

int weir_reader_init(struct weir_reader *reader, const struct weir_stream *stream, size_t row_bytes)
{
	size_t rows = stream->spill ? stream->spill->buffer_bytes / row_bytes : 1;

	*reader = (struct weir_reader){.stream = stream, .row_bytes = row_bytes};
	reader->room = (rows ? rows : 1) * row_bytes;
	reader->buffer = malloc(reader->room);
	return reader->buffer ? 0 : -ENOMEM;
}

/* Fill the buffer; a row may begin in one extent and end in the next. */
static int fill_buffer(struct weir_reader *reader)
{
	const struct weir_stream *stream = reader->stream;

	reader->at = reader->fill = 0;
	while (reader->fill < reader->room && reader->extent < stream->extents) {
		const struct weir_extent *extent = &stream->extent[reader->extent];
		uint64_t left = extent->bytes - reader->offset;
		size_t wanted = reader->room - reader->fill;
		ssize_t n = pread(stream->spill->fd, reader->buffer + reader->fill,
				  left < wanted ? left : wanted,
				  (off_t)(extent->offset + reader->offset));

		if (n == 0)
			return -EIO;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			continue;
		reader->fill += (size_t)n;
		reader->offset += (uint64_t)n;
		if (reader->offset == extent->bytes) {
			reader->extent++;
			reader->offset = 0;
		}
	}
	return 0;
}

int weir_reader_next(struct weir_reader *reader, const void **row)
{
	*row = NULL;
	if (reader->at == reader->fill) {
		int ret = fill_buffer(reader);

		if (ret || !reader->fill)
			return ret;
	}
	*row = reader->buffer + reader->at;
	reader->at += reader->row_bytes;
	return 0;
}

void weir_reader_free(struct weir_reader *reader)
{
	free(reader->buffer);
	reader->buffer = NULL;
}
