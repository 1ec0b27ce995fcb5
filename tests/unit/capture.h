/* SPDX-License-Identifier: GPL-2.0 */
/* capture - the packets of a capture file (pcap, pcapng), and the flow table that goes with it */
#ifndef WEIR_TESTS_CAPTURE_H
#define WEIR_TESTS_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nanoseconds since 1970. Some captures have times that 64 bits do not hold. */
__extension__ typedef unsigned __int128 capture_ns;

struct capture_packet {
	capture_ns time;
	uint32_t link;	   /* LINKTYPE_ */
	uint32_t captured; /* bytes at data */
	uint32_t length;   /* bytes on the wire */
	const uint8_t *data;
};

struct capture {
	uint8_t *bytes;
	struct capture_packet *packets; /* as they are in the file */
	size_t n;
};

/* One row of the reference: a five-tuple over the whole capture. */
struct capture_flow {
	uint8_t src[16], dst[16]; /* IPv4 is IPv4-mapped */
	uint16_t src_port, dst_port;
	uint8_t protocol;
	uint8_t tcp_flags;
	uint32_t fragments, bad;
	uint64_t packets, bytes;
	capture_ns first, last;
};

struct capture_table {
	struct capture_flow *flows;
	size_t n;
};

/* Read a whole file. What is cut at its end is left out, as every reader does. */
bool capture_read(const char *path, struct capture *c);
void capture_free(struct capture *c);

/* Where the network header is and its ethertype. False: the frame has none. */
bool capture_network(const struct capture_packet *p, uint16_t *ethertype, uint32_t *offset);

/* Read the reference of the capture @name from its folder. */
bool capture_table_read(const char *folder, const char *name, struct capture_table *t);
/* Rows of @name in the file of corrections take the place of the reference's, or are added. */
bool capture_table_correct(const char *path, const char *name, struct capture_table *t);
void capture_table_free(struct capture_table *t);

#endif
