// SPDX-License-Identifier: GPL-2.0
/*
 * frame.c - whole messages over a byte stream.
 *
 * A frame is its length (32 bits, network order) and an encoded Frame. The length is
 * checked before anything is read or allocated for it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "daemon/wire/frame.h"

enum {
	LENGTH_BYTES = 4,
	/* Decoded messages are larger than encoded ones: a flow of 70 bytes becomes a struct of
	 * some 350. What is beyond this ratio was not made by weir. */
	UNPACK_RATIO = 16,
	UNPACK_BASE_BYTES = 64 << 10,
};

struct budget {
	size_t left;
};

static void *budget_alloc(void *arg, size_t bytes)
{
	struct budget *budget = arg;

	if (bytes > budget->left)
		return NULL;
	budget->left -= bytes;
	return malloc(bytes);
}

static void budget_free(void *arg, void *memory)
{
	free(memory);
}

void *weir_frame_unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes,
			size_t count)
{
	struct budget budget = {UNPACK_BASE_BYTES + count * UNPACK_RATIO};
	ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};

	if (count > WEIR_FRAME_BYTES_MAX)
		return NULL;
	return protobuf_c_message_unpack(descriptor, &allocator, count, bytes);
}

static int unpack(const void *bytes, size_t count, Weir__Wire__Frame **frame)
{
	Weir__Wire__Frame *got = weir_frame_unpack(&weir__wire__frame__descriptor, bytes, count);

	if (!got)
		return -EBADMSG;
	if (got->body_case == WEIR__WIRE__FRAME__BODY__NOT_SET) {
		weir__wire__frame__free_unpacked(got, NULL);
		return -EBADMSG;
	}
	*frame = got;
	return 0;
}

/* Length and message in one piece of memory, *@total bytes. */
static uint8_t *pack(const Weir__Wire__Frame *frame, size_t *total, int *result)
{
	size_t bytes = weir__wire__frame__get_packed_size(frame);
	uint32_t length = htonl((uint32_t)bytes);
	uint8_t *packed;

	*result = -EMSGSIZE;
	if (bytes > WEIR_FRAME_BYTES_MAX)
		return NULL;
	*result = -ENOMEM;
	packed = malloc(LENGTH_BYTES + bytes);
	if (!packed)
		return NULL;
	memcpy(packed, &length, LENGTH_BYTES);
	weir__wire__frame__pack(frame, packed + LENGTH_BYTES);
	*total = LENGTH_BYTES + bytes;
	*result = 0;
	return packed;
}

static void free_packed(const void *data, size_t bytes, void *arg)
{
	free((void *)data);
}

int weir_frame_put(struct evbuffer *out, const Weir__Wire__Frame *frame)
{
	size_t total = 0;
	int result;
	uint8_t *packed = pack(frame, &total, &result);

	if (!packed)
		return result;
	if (evbuffer_add_reference(out, packed, total, free_packed, NULL) == 0)
		return 0;
	free(packed);
	return -ENOMEM;
}

int weir_frame_get(struct evbuffer *in, size_t max_bytes, Weir__Wire__Frame **frame)
{
	uint32_t length;
	uint8_t *bytes;
	int result;

	if (evbuffer_copyout(in, &length, LENGTH_BYTES) < LENGTH_BYTES)
		return -EAGAIN;
	length = ntohl(length);
	if (length > max_bytes)
		return -EMSGSIZE;
	if (evbuffer_get_length(in) < LENGTH_BYTES + (size_t)length)
		return -EAGAIN;
	bytes = evbuffer_pullup(in, LENGTH_BYTES + (ev_ssize_t)length);
	if (!bytes)
		return -ENOMEM;
	result = unpack(bytes + LENGTH_BYTES, length, frame);
	evbuffer_drain(in, LENGTH_BYTES + (size_t)length);
	return result;
}

static int wait_for(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	while (poll(&poll_fd, 1, -1) < 0)
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	return 0;
}

int weir_frame_write(int fd, const Weir__Wire__Frame *frame)
{
	size_t total = 0, sent = 0;
	int result;
	uint8_t *packed = pack(frame, &total, &result);

	if (!packed)
		return result;
	while (sent < total && result == 0) {
		ssize_t n = send(fd, packed + sent, total - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			result = wait_for(fd, POLLOUT);
		else if (errno == EPIPE)
			result = -ECONNRESET;
		else if (errno != EINTR)
			result = -errno;
	}
	free(packed);
	return result;
}

static int read_all(int fd, void *into, size_t bytes)
{
	uint8_t *at = into;
	int result;

	while (bytes > 0) {
		ssize_t n = read(fd, at, bytes);

		if (n == 0)
			return -ECONNRESET;
		if (n > 0) {
			at += n;
			bytes -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			result = wait_for(fd, POLLIN);
			if (result)
				return result;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int weir_frame_read(int fd, size_t max_bytes, Weir__Wire__Frame **frame)
{
	uint32_t length;
	uint8_t *bytes;
	int result = read_all(fd, &length, sizeof(length));

	if (result)
		return result;
	length = ntohl(length);
	if (length > max_bytes)
		return -EMSGSIZE;
	bytes = malloc(length ? length : 1);
	if (!bytes)
		return -ENOMEM;
	result = read_all(fd, bytes, length);
	if (result == 0)
		result = unpack(bytes, length, frame);
	free(bytes);
	return result;
}
