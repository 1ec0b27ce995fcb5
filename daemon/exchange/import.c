// SPDX-License-Identifier: GPL-2.0
/* import.c - a file of IPFIX messages into a store. */
#include "daemon/exchange/import.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/exchange/origin.h"
#include "daemon/store/store.h"

enum {
	BLOCK = WEIR_STORE_BLOCK_RECORDS,
	PROGRESS_NS = 250000000,
};

struct import {
	const struct weir_import_options *options;
	struct weir_import_result *result;
	struct weir_store *store;
	struct weir_store_position position; /* as it will be with the next commit */
	struct weir_origin origin;
	uint64_t done; /* messages that an earlier run has committed */
	uint64_t message; /* number of the one being read, from 1 */
	uint64_t file_bytes, told_ns;
	struct weir_flow *block, *fresh; /* for the next commit; of the message being read */
	size_t block_count, fresh_count;
};

static int fail(struct import *i, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct import *i, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(i->result->why, sizeof(i->result->why), format, args);
	va_end(args);
	return error;
}

static int take_flow(void *arg, struct weir_flow *flow)
{
	struct import *i = arg;

	/* Both addresses of a flow take eight bytes at least, so a message cannot hold so many. */
	if (i->fresh_count == BLOCK)
		return -E2BIG;
	i->fresh[i->fresh_count++] = *flow;
	return 0;
}

static uint64_t newest(const struct weir_flow *flows, size_t count)
{
	uint64_t end_ns = 0;

	for (size_t n = 0; n < count; n++)
		end_ns = flows[n].end_ns > end_ns ? flows[n].end_ns : end_ns;
	return end_ns;
}

/* Partitions are named for the time of the flows, but never for one to come: nothing older could be put behind
 * them. */
static uint64_t partition_time(const struct import *i)
{
	uint64_t now_ns = weir_clock_now_ns(), end_ns = newest(i->block, i->block_count);

	return end_ns && end_ns < now_ns ? end_ns : now_ns;
}

static void note_added(struct import *i)
{
	struct weir_import_result *r = i->result;

	for (size_t n = 0; n < i->block_count; n++) {
		const struct weir_flow *f = &i->block[n];

		weir_flow_count(&r->added, f);
		r->first_ns = !r->first_ns || f->start_ns < r->first_ns ? f->start_ns : r->first_ns;
		r->last_ns = f->end_ns > r->last_ns ? f->end_ns : r->last_ns;
	}
}

/* Everything up to message @i->position.seq, with its number. */
static int commit(struct import *i)
{
	struct weir_store_txn *txn;
	int ret = weir_store_begin(i->store, partition_time(i), &txn);

	if (ret)
		return fail(i, ret, "%s: %s", i->options->into, strerror(-ret));
	for (size_t n = 0; n < i->block_count; n++)
		weir_flow_count(&i->position.received, &i->block[n]);
	i->position.numbered = i->position.received;
	if (i->block_count)
		weir_store_put_block(txn, i->block, i->block_count);
	weir_store_put_position(txn, &i->position);
	ret = weir_store_commit(txn);
	if (ret)
		return fail(i, ret, "%s: writing: %s", i->options->into, strerror(-ret));
	note_added(i);
	i->block_count = 0;
	return 0;
}

static void tell(struct import *i, uint64_t offset)
{
	uint64_t now_ns = weir_clock_monotonic_ns();

	if (!i->options->progress || now_ns - i->told_ns < PROGRESS_NS)
		return;
	i->told_ns = now_ns;
	i->options->progress(i->options->arg, i->result->added.flows, offset, i->file_bytes);
}

/* What came of a message goes into one block, so that a commit holds whole messages. */
static int take_message(struct import *i)
{
	int ret = 0;

	if (i->message <= i->done) {
		i->fresh_count = 0; /* read for its templates only */
		return 0;
	}
	if (i->block_count + i->fresh_count > BLOCK)
		ret = commit(i);
	memcpy(i->block + i->block_count, i->fresh, i->fresh_count * sizeof(*i->fresh));
	i->block_count += i->fresh_count;
	i->fresh_count = 0;
	i->position.seq = i->message;
	return ret;
}

static int read_messages(struct import *i, struct weir_ipfix_file *file, struct weir_ipfix_reader *reader)
{
	const uint8_t *message;
	uint64_t offset;
	size_t bytes;
	int ret;

	while ((ret = weir_ipfix_file_next(file, reader, &message, &bytes, &offset)) == 1) {
		if (i->options->stop && atomic_load(i->options->stop)) {
			ret = commit(i);
			return ret ? ret : -ECANCELED;
		}
		i->message++;
		ret = weir_ipfix_read_message(reader, message, bytes, offset, take_flow, i);
		if (!ret)
			ret = take_message(i);
		if (ret)
			return i->result->why[0] ? ret : fail(i, ret, "%s", strerror(-ret));
		tell(i, offset);
	}
	if (ret == -EPROTO)
		return fail(i, ret, "%s: this is no file of IPFIX messages", i->options->file);
	if (ret)
		return fail(i, ret, "%s: reading: %s", i->options->file, strerror(-ret));
	i->position.ended = 1;
	return commit(i);
}

/* Where the store is with this file: at its beginning, in the middle, or past it. */
static int attach(struct import *i)
{
	struct weir_store_position *p = &i->position;
	int ret = weir_store_position(i->store, p);

	if (ret)
		return fail(i, ret, "%s: %s", i->options->into, strerror(-ret));
	if (p->instance == i->origin.instance && p->ended) {
		i->result->before = p->received.flows;
		return fail(i, -EEXIST, "%s: its content was imported before; nothing was added",
			    i->options->file);
	}
	if (p->instance == i->origin.instance) {
		i->done = p->seq;
		i->result->before = p->received.flows;
		return 0;
	}
	weir_totals_add(&p->before, &p->received);
	memset(&p->received, 0, sizeof(p->received));
	memset(&p->numbered, 0, sizeof(p->numbered));
	p->instance = i->origin.instance;
	p->seq = 0;
	p->ended = 0;
	p->instances++;
	return 0;
}

static int run(struct import *i, int fd)
{
	struct weir_ipfix_reader *reader = NULL;
	struct weir_ipfix_file *file = NULL;
	int ret = weir_ipfix_reader_new(i->options->complain, i->options->arg, &reader);

	if (!ret)
		ret = weir_ipfix_file_new(fd, &file);
	i->block = calloc(BLOCK, sizeof(*i->block));
	i->fresh = calloc(BLOCK, sizeof(*i->fresh));
	if (ret || !i->block || !i->fresh)
		ret = fail(i, -ENOMEM, "out of memory");
	if (!ret)
		ret = read_messages(i, file, reader);
	if (reader) {
		i->result->counts = *weir_ipfix_reader_counts(reader);
		strcpy(i->result->name, weir_ipfix_reader_name(reader));
	}
	free(i->block);
	free(i->fresh);
	weir_ipfix_file_free(file);
	weir_ipfix_reader_free(reader);
	return ret;
}

static int open_store(struct import *i)
{
	struct weir_store_options options = {.imported = true};
	int ret = weir_store_open(i->options->into, &options, &i->store);

	return ret ? fail(i, ret, "%s: cannot be opened: %s", i->options->into, strerror(-ret)) : 0;
}

static int list_as_done(const struct import *i, int ret)
{
	char why[sizeof(i->result->why)];
	int listed = weir_origin_end(i->options->into, &i->origin, i->position.received.flows, i->result->name,
				     why, sizeof(why));

	if (listed && !ret)
		memcpy(i->result->why, why, sizeof(why));
	return ret ? ret : listed;
}

static int import_from(struct import *i, int fd)
{
	struct stat stat;
	int ret;

	if (!fstat(fd, &stat) && S_ISREG(stat.st_mode))
		i->file_bytes = (uint64_t)stat.st_size;
	ret = weir_origin_begin(i->options->into, i->options->file, fd, &i->origin, i->result->why,
				sizeof(i->result->why));
	if (ret)
		return ret;
	ret = open_store(i);
	if (!ret)
		ret = attach(i);
	if (!ret)
		ret = run(i, fd);
	weir_store_close(i->store);
	if (ret && !i->result->added.flows && !i->result->before)
		weir_origin_forget(i->options->into, &i->origin);
	/* Listed as done after it is. An end in between is found in the store's position, by the next run. */
	if (!ret || i->position.ended)
		ret = list_as_done(i, ret);
	return ret;
}

int weir_import_ipfix(const struct weir_import_options *options, struct weir_import_result *result)
{
	struct import i = {.options = options, .result = result};
	int fd = strcmp(options->file, "-") ? open(options->file, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	int ret;

	memset(result, 0, sizeof(*result));
	if (fd < 0) {
		ret = -errno;
		return fail(&i, ret, "%s: %s", options->file, strerror(-ret));
	}
	ret = import_from(&i, fd);
	if (fd != STDIN_FILENO)
		close(fd);
	return ret;
}
