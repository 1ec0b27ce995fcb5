// SPDX-License-Identifier: GPL-2.0
/*
 * keep.c - what a master keeps, in one LMDB environment.
 *
 *   meta      "format", "master_id"
 *   streams   index                    -> struct weir_keep_stream
 *   segments  index << 40 | seq        -> the body as it was sent
 *   spans     index << 40 | seq        -> start_ns, end_ns: to find a time without decoding
 *
 * Format history: 1 first version.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/master/keep.h"
#include "daemon/store/lmdb.h"

enum {
	META,
	STREAMS,
	SEGMENTS,
	SPANS,

	FORMAT = 1,
	SEQ_BITS = 40,       /* 10 s intervals for 348,000 years */
	STREAMS_MAX = 65536, /* a hostile node can make an epoch a connection, but not without end */
	SEGMENTS_A_READ = 256, /* then a new read transaction: an old one keeps freed pages alive */
};

#define MAP_BYTES (1ULL << 40)

static const char *const dbs[] = {"meta", "streams", "segments", "spans", NULL};

struct weir_keep {
	struct weir_lmdb *lmdb;
	char *dir;
	int lock_fd;
	uint64_t min_free_bytes;
	uint8_t master_id[WEIR_KEEP_ID_BYTES];
	pthread_mutex_t mutex;
	struct weir_keep_stream *stream; /* mutex; as of the last commit */
	size_t streams;			 /* mutex */
	size_t streams_max;
};

struct weir_keep_txn {
	struct weir_keep *keep;
	struct weir_lmdb_txn lmdb;
	struct weir_keep_stream *stream; /* becomes the keep's at commit */
	size_t streams, room;
};

struct span {
	uint64_t start_ns, end_ns;
};

static uint64_t key_of(uint32_t index, uint64_t seq)
{
	return (uint64_t)index << SEQ_BITS | seq;
}

static int lock_dir(struct weir_keep *keep)
{
	char path[4096];

	if (mkdir(keep->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if ((size_t)snprintf(path, sizeof(path), "%s/lock", keep->dir) >= sizeof(path))
		return -ENAMETOOLONG;
	keep->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (keep->lock_fd < 0)
		return -errno;
	if (flock(keep->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	return 0;
}

/* A new environment gets its format and a random identity. */
static int read_meta(struct weir_keep *keep)
{
	struct weir_lmdb_txn txn;
	struct weir_lmdb_value value;
	uint32_t format = FORMAT;
	int result = weir_lmdb_begin(keep->lmdb, true, &txn);

	if (result)
		return result;
	result = weir_lmdb_get(&txn, META, "format", &value);
	if (result == -ENOENT) {
		if (getrandom(keep->master_id, sizeof(keep->master_id), 0) < 0)
			result = -errno;
		weir_lmdb_put(&txn, META, "format", &format, sizeof(format));
		weir_lmdb_put(&txn, META, "master_id", keep->master_id, sizeof(keep->master_id));
		return weir_lmdb_commit(&txn);
	}
	if (!result && (value.bytes != sizeof(format) || memcmp(value.data, &format, sizeof(format))))
		result = -EBADMSG;
	if (!result)
		result = weir_lmdb_get(&txn, META, "master_id", &value);
	if (!result && value.bytes == sizeof(keep->master_id))
		memcpy(keep->master_id, value.data, value.bytes);
	else if (!result)
		result = -EBADMSG;
	weir_lmdb_abort(&txn);
	return result == -ENOENT ? -EBADMSG : result;
}

static int grow(struct weir_keep_stream **stream, size_t *room, size_t count)
{
	size_t more = *room ? *room * 2 : 16;
	struct weir_keep_stream *grown;

	if (count < *room)
		return 0;
	grown = realloc(*stream, more * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*stream = grown;
	*room = more;
	return 0;
}

static int read_streams(struct weir_keep *keep)
{
	struct weir_lmdb_txn txn;
	struct weir_lmdb_value value;
	uint64_t index = 1;
	size_t room = 0;
	int result = weir_lmdb_begin(keep->lmdb, false, &txn);

	while (!result) {
		struct weir_keep_stream *stream;

		result = weir_lmdb_seek_number(&txn, STREAMS, index, false, &index, &value);
		if (!result)
			result = grow(&keep->stream, &room, keep->streams);
		if (!result && value.bytes > sizeof(*stream))
			result = -EBADMSG; /* of a newer version */
		if (result)
			break;
		stream = &keep->stream[keep->streams++];
		memset(stream, 0, sizeof(*stream));
		memcpy(stream, value.data, value.bytes);
		if (stream->index != keep->streams)
			result = -EBADMSG;
		index++;
	}
	weir_lmdb_abort(&txn);
	return result == -ENOENT ? 0 : result;
}

int weir_keep_open(const char *dir, uint64_t min_free_bytes, struct weir_keep **out)
{
	struct weir_lmdb_options options = {.dbs = dbs, .create = true, .map_bytes = MAP_BYTES};
	struct weir_keep *keep = calloc(1, sizeof(*keep));
	int result;

	if (!keep)
		return -ENOMEM;
	pthread_mutex_init(&keep->mutex, NULL);
	keep->lock_fd = -1;
	keep->min_free_bytes = min_free_bytes;
	keep->streams_max = STREAMS_MAX;
	keep->dir = strdup(dir);
	result = keep->dir ? lock_dir(keep) : -ENOMEM;
	if (!result)
		result = weir_lmdb_open(dir, &options, &keep->lmdb);
	if (!result)
		result = read_meta(keep);
	if (!result)
		result = read_streams(keep);
	if (!result) {
		*out = keep;
		return 0;
	}
	weir_log_error("state folder %s: %s", dir,
		       result == -EBUSY   ? "another weir-master uses it" :
		       result == -EBADMSG ? "damaged, or not of this version of weir-master" :
					    strerror(-result));
	weir_keep_close(keep);
	return result;
}

void weir_keep_close(struct weir_keep *keep)
{
	if (!keep)
		return;
	if (keep->lmdb)
		weir_lmdb_close(keep->lmdb);
	if (keep->lock_fd >= 0)
		close(keep->lock_fd);
	pthread_mutex_destroy(&keep->mutex);
	free(keep->stream);
	free(keep->dir);
	free(keep);
}

const uint8_t *weir_keep_master_id(const struct weir_keep *keep)
{
	return keep->master_id;
}

static int enough_room(struct weir_keep *keep)
{
	struct statvfs fs;

	if (statvfs(keep->dir, &fs) < 0)
		return -errno;
	return (uint64_t)fs.f_bavail * fs.f_frsize < keep->min_free_bytes ? -ENOSPC : 0;
}

int weir_keep_begin(struct weir_keep *keep, struct weir_keep_txn **out)
{
	struct weir_keep_txn *txn;
	int result = enough_room(keep);

	if (result)
		return result;
	txn = calloc(1, sizeof(*txn));
	if (!txn)
		return -ENOMEM;
	txn->keep = keep;
	result = weir_keep_streams(keep, &txn->stream, &txn->streams);
	txn->room = txn->streams;
	if (!result)
		result = weir_lmdb_begin(keep->lmdb, true, &txn->lmdb);
	if (result) {
		free(txn->stream);
		free(txn);
		return result;
	}
	*out = txn;
	return 0;
}

struct weir_keep_stream *weir_keep_find(struct weir_keep_txn *txn, const uint8_t *node_id,
					const uint8_t *epoch)
{
	struct weir_keep_stream *stream;

	for (size_t i = 0; i < txn->streams; i++) {
		stream = &txn->stream[i];
		if (!memcmp(stream->node_id, node_id, WEIR_KEEP_ID_BYTES) &&
		    !memcmp(stream->epoch, epoch, WEIR_KEEP_ID_BYTES))
			return stream;
	}
	return NULL;
}

int weir_keep_make(struct weir_keep_txn *txn, const uint8_t *node_id, const uint8_t *epoch,
		   struct weir_keep_stream **out)
{
	struct weir_keep_stream *stream;

	if (txn->streams >= txn->keep->streams_max)
		return -EUSERS;
	if (grow(&txn->stream, &txn->room, txn->streams))
		return -ENOMEM;
	stream = &txn->stream[txn->streams++];
	memset(stream, 0, sizeof(*stream));
	stream->size = sizeof(*stream);
	stream->index = (uint32_t)txn->streams;
	memcpy(stream->node_id, node_id, WEIR_KEEP_ID_BYTES);
	memcpy(stream->epoch, epoch, WEIR_KEEP_ID_BYTES);
	*out = stream;
	return 0;
}

void weir_keep_limit(struct weir_keep *keep, size_t streams_max)
{
	keep->streams_max = streams_max;
}

int weir_keep_put(struct weir_keep_txn *txn, struct weir_keep_stream *stream, uint64_t start_ns,
		  uint64_t end_ns, const void *body, size_t body_bytes)
{
	uint64_t key = key_of(stream->index, stream->last_seq);
	struct span span = {start_ns, end_ns};

	stream->size = sizeof(*stream);
	weir_lmdb_put_number(&txn->lmdb, SEGMENTS, key, body, body_bytes);
	weir_lmdb_put_number(&txn->lmdb, SPANS, key, &span, sizeof(span));
	weir_lmdb_put_number(&txn->lmdb, STREAMS, stream->index, stream, sizeof(*stream));
	return txn->lmdb.error;
}

int weir_keep_peek(struct weir_keep_txn *txn, uint32_t index, uint64_t seq, const void **body,
		   size_t *body_bytes)
{
	struct weir_lmdb_value value;
	int result = weir_lmdb_get_number(&txn->lmdb, SEGMENTS, key_of(index, seq), &value);

	if (result)
		return result;
	*body = value.data;
	*body_bytes = value.bytes;
	return 0;
}

int weir_keep_commit(struct weir_keep_txn *txn)
{
	struct weir_keep *keep = txn->keep;
	struct weir_keep_stream *old = txn->stream;
	int result = weir_lmdb_commit(&txn->lmdb);

	if (result == 0) {
		pthread_mutex_lock(&keep->mutex);
		old = keep->stream;
		keep->stream = txn->stream;
		keep->streams = txn->streams;
		pthread_mutex_unlock(&keep->mutex);
	}
	free(old);
	free(txn);
	return result;
}

void weir_keep_abort(struct weir_keep_txn *txn)
{
	weir_lmdb_abort(&txn->lmdb);
	free(txn->stream);
	free(txn);
}

int weir_keep_streams(struct weir_keep *keep, struct weir_keep_stream **streams, size_t *count)
{
	struct weir_keep_stream *copy;

	pthread_mutex_lock(&keep->mutex);
	copy = malloc((keep->streams ? keep->streams : 1) * sizeof(*copy));
	if (copy && keep->streams)
		memcpy(copy, keep->stream, keep->streams * sizeof(*copy));
	*count = keep->streams;
	pthread_mutex_unlock(&keep->mutex);
	*streams = copy;
	return copy ? 0 : -ENOMEM;
}

int weir_keep_stream(struct weir_keep *keep, const uint8_t *node_id, const uint8_t *epoch,
		     struct weir_keep_stream *stream)
{
	int result = -ENOENT;

	pthread_mutex_lock(&keep->mutex);
	for (size_t i = 0; i < keep->streams && result; i++) {
		if (memcmp(keep->stream[i].node_id, node_id, WEIR_KEEP_ID_BYTES) ||
		    memcmp(keep->stream[i].epoch, epoch, WEIR_KEEP_ID_BYTES))
			continue;
		*stream = keep->stream[i];
		result = 0;
	}
	pthread_mutex_unlock(&keep->mutex);
	return result;
}

int weir_keep_segment(struct weir_keep *keep, uint32_t index, uint64_t seq, void **body,
		      size_t *body_bytes)
{
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	int result = weir_lmdb_begin(keep->lmdb, false, &txn);

	if (result)
		return result;
	result = weir_lmdb_get_number(&txn, SEGMENTS, key_of(index, seq), &value);
	if (!result) {
		*body = malloc(value.bytes ? value.bytes : 1);
		if (*body)
			memcpy(*body, value.data, value.bytes);
		*body_bytes = value.bytes;
		result = *body ? 0 : -ENOMEM;
	}
	weir_lmdb_abort(&txn);
	return result;
}

struct scan {
	uint32_t index;
	uint64_t from_ns, to_ns;
	uint64_t seq; /* next to look at */
	const atomic_bool *cancel;
	weir_keep_visit *visit;
	void *arg;
};

/* One span, and its segment if it overlaps. -ENOENT: the stream's end. */
static int scan_one(struct weir_lmdb_txn *txn, struct scan *scan)
{
	struct weir_lmdb_value value;
	struct span span;
	uint64_t key;
	int result;

	if (scan->cancel && atomic_load(scan->cancel))
		return -ECANCELED;
	result = weir_lmdb_seek_number(txn, SPANS, key_of(scan->index, scan->seq), false, &key,
				       &value);
	if (result)
		return result;
	if (key >> SEQ_BITS != scan->index)
		return -ENOENT;
	if (value.bytes != sizeof(span))
		return -EBADMSG;
	memcpy(&span, value.data, sizeof(span));
	scan->seq = (key & ((1ULL << SEQ_BITS) - 1)) + 1;
	if (span.end_ns <= scan->from_ns || span.start_ns >= scan->to_ns)
		return 0;
	result = weir_lmdb_get_number(txn, SEGMENTS, key, &value);
	if (result)
		return result == -ENOENT ? -EBADMSG : result;
	return scan->visit(scan->arg, scan->seq - 1, value.data, value.bytes);
}

int weir_keep_scan(struct weir_keep *keep, uint32_t index, uint64_t from_ns, uint64_t to_ns,
		   const atomic_bool *cancel, weir_keep_visit *visit, void *arg)
{
	struct scan scan = {index, from_ns, to_ns, 1, cancel, visit, arg};
	struct weir_lmdb_txn txn;
	int result = 0;

	while (!result) {
		result = weir_lmdb_begin(keep->lmdb, false, &txn);
		if (result)
			return result;
		for (unsigned i = 0; i < SEGMENTS_A_READ && !result; i++)
			result = scan_one(&txn, &scan);
		weir_lmdb_abort(&txn);
	}
	return result == -ENOENT ? 0 : result;
}
