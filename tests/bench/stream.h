/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stream.h - a recorded stream: the messages with which weir.ko hands over its batches, one
 * after the other in a file, as they would come off the netlink socket, END last.
 */
#ifndef WEIR_TESTS_STREAM_H
#define WEIR_TESTS_STREAM_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* What fits into a batch of 32 KB less its overhead, as in kmod/log.h. */
	WEIR_STREAM_BATCH_RECORDS = 236,
	/* Any number does: nobody looks a family up where there is no kernel. */
	WEIR_STREAM_FAMILY = 0x22,
};

#define WEIR_STREAM_INSTANCE 0x77656972ULL

struct weir_stream {
	const uint8_t *data;
	size_t bytes;
};

/* Make @path of @records flows of flowgen: the same on every machine. @milliseconds: with times in
 * whole ms, as other exporters have them; weir.ko has ns. */
int weir_stream_make(const char *path, uint64_t records, bool milliseconds);
int weir_stream_open(const char *path, struct weir_stream *stream);
void weir_stream_close(struct weir_stream *stream);
/* The message at *@offset, which moves behind it. NULL: no more. */
const struct nlmsghdr *weir_stream_next(const struct weir_stream *stream, size_t *offset);

#endif
