/* SPDX-License-Identifier: GPL-2.0 */
/*
 * frame.h - whole messages over a byte stream, for libevent and for plain sockets.
 */
#ifndef WEIR_WIRE_FRAME_H
#define WEIR_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "weir.pb-c.h" /* generated into build/gen */

struct evbuffer;

enum {
	WEIR_FRAME_BYTES_MAX = 16 << 20,
	WEIR_FRAME_BYTES_HELLO = 64 << 10, /* before Hello was accepted */
};

/**
 * weir_frame_unpack - decode @count bytes as a message of @descriptor, or NULL.
 * A few bytes can stand for a large struct (an empty submessage is two), so what
 * decoding may allocate is bounded by the size of what came in. Free the
 * result with protobuf_c_message_free_unpacked(message, NULL) or the typed form of it.
 */
void *weir_frame_unpack(const ProtobufCMessageDescriptor *descriptor, const void *bytes,
			size_t count);

/* Append @frame to @out. -ENOMEM, -EMSGSIZE. */
int weir_frame_put(struct evbuffer *out, const Weir__Wire__Frame *frame);
/**
 * weir_frame_get - take one frame off @in.
 * 0: *@frame is set, free it with weir__wire__frame__free_unpacked(). -EAGAIN: not
 * all of it is there yet. -EMSGSIZE: longer than @max_bytes. -EBADMSG: not a Frame, or one
 * without a body. After the last two the stream is lost: close it.
 */
int weir_frame_get(struct evbuffer *in, size_t max_bytes, Weir__Wire__Frame **frame);

/* The same, blocking, on a socket (the command line). -ECONNRESET: the other side closed. */
int weir_frame_write(int fd, const Weir__Wire__Frame *frame);
int weir_frame_read(int fd, size_t max_bytes, Weir__Wire__Frame **frame);

#endif
