/* SPDX-License-Identifier: GPL-2.0 */
/*
 * channel.h - one connection in the event loop: whole frames in, whole frames out.
 *
 * Nodes, masters and the sockets for the command line share it. It reads at most
 * what one frame may hold, keeps others from starving by handling a bounded
 * number of frames a turn, tells when its output queue is long and reads nothing
 * more until that has drained, notices a peer that is silent, and measures the
 * peer's clock. All of it belongs to the loop's thread.
 *
 * A channel ends by weir_channel_fail(), by its owner or by itself. Then closed() is
 * called once, from the loop and never from inside a call of the owner's, and the
 * owner frees the channel there.
 */
#ifndef WEIR_WIRE_CHANNEL_H
#define WEIR_WIRE_CHANNEL_H

#include <stdbool.h>

#include "daemon/wire/frame.h"

struct event_base;
struct weir_channel;

enum {
	WEIR_CHANNEL_QUEUE_BYTES = 4 << 20, /* output above that: weir_channel_full() */
	WEIR_CHANNEL_REASON_BYTES = 256,
};

struct weir_channel_options {
	size_t max_bytes;  /* of a frame; weir_channel_trust() raises it */
	uint64_t ping_ns;  /* send a Ping this often; 0: never */
	uint64_t dead_ns;  /* fail after this long without a byte; 0: never */
	uint64_t write_ns; /* fail when nothing could be written for so long; 0: never */
};

struct weir_channel_ops {
	void (*connected)(void *arg);
	/* @frame is freed after the call. Ping does not come here. */
	void (*frame)(void *arg, Weir__Wire__Frame *frame);
	void (*drained)(void *arg); /* no longer full; may be NULL */
	void (*pinged)(void *arg, const Weir__Wire__Ping *ping); /* may be NULL */
	void (*closed)(void *arg, const char *reason);
};

struct weir_channel_clock {
	bool known;
	int64_t offset_ns; /* peer's clock minus ours */
	uint64_t round_trip_ns;
};

/* Take over @fd (connected, or -1 to connect later). NULL: no memory; @fd is left alone. */
struct weir_channel *weir_channel_new(struct event_base *base, int fd,
				      const struct weir_channel_options *options,
				      const struct weir_channel_ops *ops, void *arg);
/* Connect to "host:port" or "[v6]:port"; names are resolved without blocking.
 * -EINVAL: not of that form. Later errors come as closed(). */
int weir_channel_connect(struct weir_channel *channel, const char *address);
void weir_channel_free(struct weir_channel *channel);

/* The handshake is done: frames up to @max_bytes are welcome, and Pings go out. */
void weir_channel_trust(struct weir_channel *channel, size_t max_bytes);
/* Queue @frame. An error fails the channel; on a failed one nothing happens. */
void weir_channel_send(struct weir_channel *channel, const Weir__Wire__Frame *frame);
/* Queue frames that are encoded already, taking them out of @frames. */
void weir_channel_send_buffer(struct weir_channel *channel, struct evbuffer *frames);
bool weir_channel_full(const struct weir_channel *channel);
/* Stop and go on reading: what the peer sends then waits at its end. */
void weir_channel_pause(struct weir_channel *channel, bool paused);
/* What Pings carry as last_seq. */
void weir_channel_set_last_seq(struct weir_channel *channel, uint64_t seq);

void weir_channel_fail(struct weir_channel *channel, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Say why with a Bye, let it out, then fail. */
void weir_channel_bye(struct weir_channel *channel, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool weir_channel_failed(const struct weir_channel *channel);

void weir_channel_get_clock(const struct weir_channel *channel, struct weir_channel_clock *clock);
int weir_channel_fd(const struct weir_channel *channel);

#endif
