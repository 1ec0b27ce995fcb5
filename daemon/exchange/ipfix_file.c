// SPDX-License-Identifier: GPL-2.0
/* ipfix_file.c - a file, or a pipe, to messages; past what is damaged. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/exchange/element.h"
#include "daemon/exchange/ipfix.h"

enum {
	BUFFER_BYTES = 1 << 20,
};

struct weir_ipfix_file {
	int fd;
	bool ended;
	size_t at, used;  /* what of the buffer is not yet handed out */
	uint64_t offset;  /* in the file, of @at */
	uint8_t buffer[BUFFER_BYTES];
};

int weir_ipfix_file_new(int fd, struct weir_ipfix_file **file)
{
	struct weir_ipfix_file *new = malloc(sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->fd = fd;
	new->ended = false;
	new->at = new->used = 0;
	new->offset = 0;
	*file = new;
	return 0;
}

void weir_ipfix_file_free(struct weir_ipfix_file *file)
{
	free(file);
}

/* Have @wanted bytes (of at most half the buffer), or all there are. */
static int fill(struct weir_ipfix_file *f, size_t wanted)
{
	if (f->used - f->at >= wanted || f->ended)
		return 0;
	memmove(f->buffer, f->buffer + f->at, f->used - f->at);
	f->used -= f->at;
	f->at = 0;
	while (f->used < wanted && !f->ended) {
		ssize_t got = read(f->fd, f->buffer + f->used, sizeof(f->buffer) - f->used);

		if (got < 0 && errno != EINTR)
			return -errno;
		f->ended = !got;
		if (got > 0)
			f->used += (size_t)got;
	}
	return 0;
}

static void skip(struct weir_ipfix_file *f, size_t bytes)
{
	f->at += bytes;
	f->offset += bytes;
}

/* Bytes of the message that may begin there, 0: none does. */
static size_t message_at(const struct weir_ipfix_file *f, size_t at)
{
	const uint8_t *header = f->buffer + at;
	size_t bytes;

	if (f->used - at < WEIR_IPFIX_HEADER_BYTES || weir_ipfix_number(header, 2) != WEIR_IPFIX_VERSION)
		return 0;
	bytes = weir_ipfix_number(header + 2, 2);
	return bytes < WEIR_IPFIX_HEADER_BYTES ? 0 : bytes;
}

/* Whether the sets fill the message. */
static bool sets_fit(const uint8_t *message, size_t bytes)
{
	size_t at = WEIR_IPFIX_HEADER_BYTES;

	while (bytes - at >= 4) {
		size_t set = weir_ipfix_number(message + at + 2, 2);

		if (set < 4 || set > bytes - at)
			return false;
		at += set;
	}
	return at == bytes;
}

/* Any two bytes may be ten: in the middle of a file only what consists of sets, and is followed by another
 * one or ends the file, is a message. */
static bool believable(const struct weir_ipfix_file *f, size_t at)
{
	size_t bytes = message_at(f, at), end = at + bytes;

	if (bytes <= WEIR_IPFIX_HEADER_BYTES || end > f->used || !sets_fit(f->buffer + at, bytes))
		return false;
	return end == f->used ? f->ended : message_at(f, end) != 0;
}

/* To the next message that can be believed, or the end. */
static int search(struct weir_ipfix_file *f, struct weir_ipfix_reader *reader, const char *why)
{
	uint64_t from = f->offset;
	char sentence[160];
	int ret;

	do {
		const uint8_t *next;

		skip(f, f->used > f->at);
		/* Whole messages with the header of the next, so that believable() sees enough. */
		ret = fill(f, 2 * (WEIR_IPFIX_MESSAGE_BYTES + 1));
		next = memchr(f->buffer + f->at, 0, f->used - f->at); /* the upper half of ten */
		skip(f, next ? (size_t)(next - f->buffer) - f->at : f->used - f->at);
	} while (!ret && f->at < f->used && !believable(f, f->at));
	snprintf(sentence, sizeof(sentence), "%s; %" PRIu64 " bytes passed over to %s", why,
		 f->offset - from, f->at < f->used ? "the next one" : "the end of the file");
	weir_ipfix_reader_damage(reader, from, f->offset - from, sentence);
	return ret;
}

/* Where the message ends. One that is followed by none may say a wrong length: it ends where the next one
 * begins that can be believed. */
static size_t extent(const struct weir_ipfix_file *f, size_t said)
{
	size_t end = f->at + said < f->used ? f->at + said : f->used;

	if (believable(f, f->at))
		return said;
	for (size_t at = f->at + WEIR_IPFIX_HEADER_BYTES; at < end; at++)
		if (!f->buffer[at] && believable(f, at))
			return at - f->at;
	return end - f->at;
}

int weir_ipfix_file_next(struct weir_ipfix_file *f, struct weir_ipfix_reader *reader,
			 const uint8_t **message, size_t *bytes, uint64_t *offset)
{
	int ret = fill(f, 2 * (WEIR_IPFIX_MESSAGE_BYTES + 1));
	size_t left = f->used - f->at, said;

	if (ret)
		return ret;
	if (!left)
		return 0;
	said = message_at(f, f->at);
	if (!said && !f->offset)
		return -EPROTO;
	if (!said && left < WEIR_IPFIX_HEADER_BYTES)
		said = left; /* cut in the header: the reader says so */
	if (!said) {
		ret = search(f, reader, "no message begins here");
		left = f->used - f->at;
		if (ret || !left)
			return ret;
		said = message_at(f, f->at);
	}
	*message = f->buffer + f->at;
	*offset = f->offset;
	*bytes = extent(f, said);
	skip(f, *bytes);
	return 1;
}
