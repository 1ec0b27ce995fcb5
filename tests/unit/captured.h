/* SPDX-License-Identifier: GPL-2.0 */
/* captured - what the dissector makes of a capture, beside the reference's rows */
#ifndef WEIR_TESTS_CAPTURED_H
#define WEIR_TESTS_CAPTURED_H

#include "capture.h"
#include "kmod/dissect.h"

enum {
	NO_ROW = -1,
};

/* A packet the dissector took, in the order of time. */
struct captured_event {
	capture_ns time;
	u64 now; /* the same for the cache */
	size_t at; /* in the capture */
	int row; /* of the table, by what the packet itself has of ports */
	u32 key;
	struct weir_packet p;
};

/* A sum over packets of one row. */
struct captured_sum {
	u64 packets, bytes, records;
	u64 fragments;
	capture_ns first, last;
	u8 tcp_flags;
};

struct captured {
	const char *name;
	struct capture capture;
	struct capture_table table;
	struct captured_event *events;
	size_t nevents;
	struct weir_key *keys; /* in_ifindex is the number here plus one: so records name it */
	int *rows;	       /* of the table, by key */
	u32 nkeys;
	struct captured_sum *expected; /* of records, by row */
	size_t later, moved; /* fragments; those that are in the flow of their first */
	unsigned long differences;
};

/*
 * Read the capture and its reference and dissect: with what is refused, that is the reference. Then
 * later fragments get the ports of their first, as a model says they should. False: it
 * could not be read.
 */
bool captured_open(struct captured *c, const char *folder, const char *corrections,
		   const char *name);
void captured_close(struct captured *c);

/* Say what is not as it should be, and count it. */
__attribute__((format(printf, 2, 3))) void captured_differ(struct captured *c, const char *format,
							     ...);

void captured_sum_add(struct captured_sum *s, const struct captured_sum *what);

/* The time of the packet that the cache got at @now. */
capture_ns captured_time(struct captured *c, u64 now);

/* @sums of records by row are those of the packets. */
void captured_compare(struct captured *c, const struct captured_sum *sums);

#endif
