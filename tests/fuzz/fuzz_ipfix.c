// SPDX-License-Identifier: GPL-2.0
/*
 * fuzz_ipfix.c - read anything as a file of IPFIX messages. Whatever it is, reading ends: there are not more
 * records than bytes. What came out as flows is written and read again, and must be the same.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/exchange/ipfix.h"
#include "tests/fuzz/replay.h"

enum { KEPT = 512 };

static struct weir_flow first[KEPT], second[KEPT];
static size_t count, limit;
static uint8_t *written;
static size_t written_bytes;

static int keep(void *arg, struct weir_flow *flow)
{
	struct weir_flow *flows = arg;

	if (count < KEPT)
		flows[count] = *flow;
	if (++count > limit)
		abort();
	return 0;
}

static int append(void *arg, const uint8_t *message, size_t bytes)
{
	written = realloc(written, written_bytes + bytes);
	if (!written)
		abort();
	memcpy(written + written_bytes, message, bytes);
	written_bytes += bytes;
	return 0;
}

static void read_all(const uint8_t *data, size_t bytes, struct weir_flow *flows)
{
	int fd = memfd_create("ipfix", 0);
	struct weir_ipfix_reader *reader;
	struct weir_ipfix_file *file;
	const uint8_t *message;
	uint64_t offset;
	size_t length;

	count = 0;
	limit = 2 * bytes;
	if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes || lseek(fd, 0, SEEK_SET) ||
	    weir_ipfix_reader_new(NULL, NULL, &reader) || weir_ipfix_file_new(fd, &file))
		abort();
	while (weir_ipfix_file_next(file, reader, &message, &length, &offset) == 1) {
		/* A copy of that size, so that ASan sees one byte too far. */
		uint8_t *copy = malloc(length);

		memcpy(copy, message, length);
		if (weir_ipfix_read_message(reader, copy, length, offset, keep, flows))
			abort();
		free(copy);
	}
	weir_ipfix_file_free(file);
	weir_ipfix_reader_free(reader);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct weir_ipfix_writer_options options = {.domain = 1, .export_time = 1767225600};
	struct weir_ipfix_writer *writer;
	size_t kept;

	read_all(data, bytes, first);
	kept = count < KEPT ? count : KEPT;
	written_bytes = 0;
	if (weir_ipfix_writer_new(&options, append, NULL, &writer))
		abort();
	for (size_t i = 0; i < kept; i++)
		weir_ipfix_writer_put(writer, &first[i]);
	weir_ipfix_writer_end(writer);
	weir_ipfix_writer_free(writer);
	read_all(written, written_bytes, second);
	if (count != kept || memcmp(first, second, kept * sizeof(first[0])))
		abort();
	return 0;
}
