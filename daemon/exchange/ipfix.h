/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ipfix.h - flows as IPFIX messages (RFC 7011), one behind the other in a file (RFC 5655).
 *
 *   element.c      which information element stands for which member of struct weir_flow
 *   ipfix_write.c  flows to messages
 *   ipfix_read.c   messages of anyone to flows
 *   ipfix_time.c   the eight ways in which IPFIX writes a time
 *   ipfix_file.c   a file to messages, past what is damaged
 *
 * What weir writes it reads again to the last bit. Of what others write it takes what a weir
 * flow has a place for. It is own code because libfixbuf 2.4, which would do, gives records without
 * end from a file of 40 bytes (a template whose fields have no length), says what it
 * left out only in a log, and has asserts in the way; its tools check this code in the tests.
 */
#ifndef WEIR_EXCHANGE_IPFIX_H
#define WEIR_EXCHANGE_IPFIX_H

#include <sys/types.h>

#include "daemon/common/flow.h"

enum {
	WEIR_IPFIX_VERSION = 10,
	WEIR_IPFIX_HEADER_BYTES = 16,
	WEIR_IPFIX_MESSAGE_BYTES = 65535, /* at most, of anyone */
	WEIR_IPFIX_WRITE_BYTES = 16384,	  /* at most, of weir: so much goes if one is damaged */
	WEIR_IPFIX_NAME_BYTES = 64,
	/* weir has no number of its own: this one is for documentation (RFC 5612), nobody else's. The
	 * elements are declared in each file, RFC 5610. */
	WEIR_IPFIX_ENTERPRISE = 32473,
};

/* ---- write ---- */

/* Whole messages; non-zero stops and is the result. */
typedef int weir_ipfix_emit(void *arg, const uint8_t *message, size_t bytes);

struct weir_ipfix_writer;

struct weir_ipfix_writer_options {
	uint32_t domain;      /* observation domain id */
	const char *name;     /* its name: of the node; "" for none */
	uint32_t export_time; /* seconds; 0: the clock, for each message */
	size_t message_bytes; /* at most; 0: WEIR_IPFIX_WRITE_BYTES. 4096 is the least */
};

/* -ENOMEM, or what @emit says. */
int weir_ipfix_writer_new(const struct weir_ipfix_writer_options *options, weir_ipfix_emit *emit,
			  void *arg, struct weir_ipfix_writer **writer);
int weir_ipfix_writer_put(struct weir_ipfix_writer *writer, const struct weir_flow *flow);
/* What waits in an open message goes out. A file without flows has templates all the same. */
int weir_ipfix_writer_end(struct weir_ipfix_writer *writer);
void weir_ipfix_writer_free(struct weir_ipfix_writer *writer);

/* ---- read ---- */

struct weir_ipfix_counts {
	uint64_t messages, flows;
	uint64_t options;	 /* records about exporters, not flows */
	uint64_t other_records;	 /* without both addresses: no flows */
	uint64_t damaged;	 /* places where something did not fit */
	uint64_t passed_bytes;	 /* not read because of that, or for want of a template */
	uint64_t unknown_sets;	 /* sets without a template */
	uint64_t missing;	 /* records that sequence numbers say were written, and are not here */
	uint64_t clipped;	 /* numbers larger than weir's place for them */
};

/* A sentence on what is wrong @offset bytes into the file. */
typedef void weir_ipfix_complain(void *arg, uint64_t offset, const char *sentence);
/* Non-zero stops and is the result. @flow is the callee's to change. */
typedef int weir_ipfix_take(void *arg, struct weir_flow *flow);

struct weir_ipfix_reader;

int weir_ipfix_reader_new(weir_ipfix_complain *complain, void *arg, struct weir_ipfix_reader **reader);
void weir_ipfix_reader_free(struct weir_ipfix_reader *reader);
/* @bytes may be less than the message's header says (a file cut short): what is whole is read. A
 * damaged message is no error; complaints and counts tell. -ENOMEM, or what @take says. */
int weir_ipfix_read_message(struct weir_ipfix_reader *reader, const uint8_t *message, size_t bytes,
			    uint64_t offset, weir_ipfix_take *take, void *arg);
const struct weir_ipfix_counts *weir_ipfix_reader_counts(const struct weir_ipfix_reader *reader);
/* The name of the first observation domain that has one, or "". */
const char *weir_ipfix_reader_name(const struct weir_ipfix_reader *reader);
/* Something between messages was damaged: complain and count, as if the reader had seen it. */
void weir_ipfix_reader_damage(struct weir_ipfix_reader *reader, uint64_t offset, uint64_t bytes,
			      const char *sentence);

/* ---- file ---- */

struct weir_ipfix_file;

/* @fd stays the caller's; it may be a pipe. */
int weir_ipfix_file_new(int fd, struct weir_ipfix_file **file);
void weir_ipfix_file_free(struct weir_ipfix_file *file);
/**
 * weir_ipfix_file_next - the next message, valid until the next call.
 * Searches for one where none begins, and tells @reader what it passed over. 1, 0 at the end, or a
 * negative errno. -EPROTO: nothing at the start of the file looks like IPFIX.
 */
int weir_ipfix_file_next(struct weir_ipfix_file *file, struct weir_ipfix_reader *reader,
			 const uint8_t **message, size_t *bytes, uint64_t *offset);

#endif
