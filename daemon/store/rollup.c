// SPDX-License-Identifier: GPL-2.0
/*
 * rollup.c - the environment "rollups". docs/store.md has the format.
 *
 * Removing an entry gives its pages back to LMDB and not to the file system: the file
 * is as large as it was at its largest. So the quota counts what entries take.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/internal.h"
#include "daemon/store/rollup.h"

enum {
	DB_META,
	DB_FIRST, /* of WEIR_ROLLUP_MINUTE; the others follow */
	MAGIC = 0x50555257, /* "WRUP" */
	FRONT = 8, /* magic u32, u64s in the head u32 */
	SUM = 8,
	PAGE = 4096,
	/* Entries deleted by one transaction. */
	REMOVE_AT_ONCE = 64,
};

const char *const weir_rollup_words[WEIR_ROLLUP_LEVELS] = {"minute", "hour", "day"};
const uint64_t weir_rollup_ns[WEIR_ROLLUP_LEVELS] = {60 * WEIR_NS_PER_SECOND,
						     3600 * WEIR_NS_PER_SECOND,
						     86400 * WEIR_NS_PER_SECOND};

const char *const weir_rollup_dbs[] = {"meta", "minute", "hour", "day", NULL};

_Static_assert(sizeof(struct weir_rollup_head) == 12 * 8, "append only, u64s only");
_Static_assert(sizeof(struct weir_rollup_sums) == 14 * 8, "append only, u64s only");

static int fill(struct weir_store *store, const char *path)
{
	struct weir_lmdb_options options = {
		.dbs = weir_rollup_dbs, .create = true, .map_bytes = store->options.max_bytes};
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret = weir_lmdb_open(path, &options, &lmdb);

	if (ret)
		return ret;
	if (!weir_lmdb_begin(lmdb, true, &txn)) {
		weir_meta_put_format(&txn, DB_META);
		weir_lmdb_commit(&txn);
	}
	weir_lmdb_close(lmdb);
	return txn.error;
}

static int open_it(struct weir_store *store, const char *path)
{
	struct weir_lmdb_options options = {
		.dbs = weir_rollup_dbs,
		.read_only = store->options.read_only,
		.map_bytes = store->options.read_only ? 0 : store->options.max_bytes};
	struct weir_lmdb_txn txn;
	int ret = weir_trust(path);

	if (!ret)
		ret = weir_lmdb_open(path, &options, &store->rollups);
	if (ret)
		return ret;
	ret = weir_lmdb_begin(store->rollups, false, &txn);
	if (!ret)
		ret = weir_meta_check_format(&txn, DB_META, path);
	weir_lmdb_abort(&txn);
	return ret;
}

int weir_rollup_open(struct weir_store *store)
{
	char *path = weir_folder_path(store->dir, "rollups");
	bool absent;
	int ret = 0;

	if (!path)
		return -ENOMEM;
	absent = access(path, F_OK);
	if (absent && !store->options.read_only)
		ret = weir_folder_create(store, "rollups", fill);
	if (!ret && !(absent && store->options.read_only))
		ret = open_it(store, path);
	if (ret) {
		weir_lmdb_close(store->rollups);
		store->rollups = NULL;
	}
	/* Records and segments do without. A full disk is tried again at the next start. */
	if (ret && ret != -ENOTSUP)
		weir_log_error("%s: cannot be opened: %s; no roll-ups are made until it is moved "
			       "away or repaired", path, strerror(-ret));
	free(path);
	return ret == -ENOTSUP ? ret : 0;
}

bool weir_rollup_is_open(const struct weir_store *store)
{
	return store->rollups;
}

static int read_value(enum weir_rollup_level level, uint64_t segment,
		      const struct weir_lmdb_value *value, bool whole,
		      struct weir_rollup_head *head, size_t *body_at);

/* Absent ones are zero: nothing was put yet. */
static int get_sums(struct weir_lmdb_txn *txn, enum weir_rollup_level level,
		    struct weir_rollup_sums *sums)
{
	int ret = weir_meta_get(txn, DB_META, weir_rollup_words[level], sums, sizeof(*sums));

	if (ret == -ENOENT)
		memset(sums, 0, sizeof(*sums));
	return ret == -ENOENT ? 0 : ret;
}

int weir_rollup_sums_in(struct weir_lmdb_txn *txn, unsigned level,
			struct weir_rollup_sums *sums)
{
	return get_sums(txn, level, sums);
}

int weir_rollup_next_in(struct weir_lmdb_txn *txn, unsigned level, uint64_t after,
			uint64_t *segment, struct weir_rollup_head *head)
{
	struct weir_lmdb_value value;
	size_t body_at;
	int ret = weir_lmdb_seek_number(txn, DB_FIRST + level, after + 1, false, segment, &value);

	return ret ? ret : read_value(level, *segment, &value, true, head, &body_at);
}

int weir_rollup_sums(struct weir_store *store, enum weir_rollup_level level,
		     struct weir_rollup_sums *sums)
{
	struct weir_lmdb_txn txn;
	int ret;

	memset(sums, 0, sizeof(*sums));
	if (!store->rollups)
		return 0;
	ret = weir_lmdb_begin(store->rollups, false, &txn);
	if (!ret)
		ret = get_sums(&txn, level, sums);
	weir_lmdb_abort(&txn);
	return ret;
}

static uint64_t seed_of(enum weir_rollup_level level, uint64_t segment)
{
	return segment ^ (uint64_t)(level + 1) << 56;
}

static size_t value_bytes(size_t body_bytes)
{
	return FRONT + sizeof(struct weir_rollup_head) + body_bytes + SUM;
}

/* What LMDB takes for a value, roughly: whole pages when it is large. */
static uint64_t disk_bytes(size_t bytes)
{
	return bytes > PAGE / 2 ? (bytes + 16 + PAGE - 1) / PAGE * PAGE : bytes + 16;
}

static void write_value(enum weir_rollup_level level, const struct weir_rollup_head *head,
			const void *body, size_t body_bytes, uint8_t *to)
{
	uint64_t front = MAGIC | (uint64_t)(sizeof(*head) / 8) << 32, sum;
	size_t summed = value_bytes(body_bytes) - SUM;

	weir_meta_encode(&front, FRONT, to);
	weir_meta_encode(head, sizeof(*head), to + FRONT);
	memcpy(to + FRONT + sizeof(*head), body, body_bytes);
	sum = XXH3_64bits_withSeed(to, summed, seed_of(level, head->last_segment));
	weir_meta_encode(&sum, SUM, to + summed);
}

/* *@body_at: where the body begins. @whole: check all of it, and not only what it says of itself. */
static int read_value(enum weir_rollup_level level, uint64_t segment,
		      const struct weir_lmdb_value *value, bool whole,
		      struct weir_rollup_head *head, size_t *body_at)
{
	const uint8_t *from = value->data;
	uint64_t front, sum;
	size_t head_bytes;

	if (value->bytes < FRONT + SUM)
		return -EBADMSG;
	weir_meta_decode(from, FRONT, &front, FRONT);
	head_bytes = (size_t)(front >> 32) * 8;
	if ((uint32_t)front != MAGIC || head_bytes > value->bytes - FRONT - SUM)
		return -EBADMSG;
	weir_meta_decode(from + value->bytes - SUM, SUM, &sum, SUM);
	if (whole && sum != XXH3_64bits_withSeed(from, value->bytes - SUM, seed_of(level, segment)))
		return -EBADMSG;
	weir_meta_decode(from + FRONT, head_bytes, head, sizeof(*head));
	*body_at = FRONT + head_bytes;
	return head->last_segment == segment ? 0 : -EBADMSG;
}

static void say_damaged(const struct weir_store *store, enum weir_rollup_level level,
			uint64_t segment)
{
	weir_log_warn("%s/rollups: the %s up to segment %" PRIu64 " is damaged and left out",
		      store->dir, weir_rollup_words[level], segment);
}

static void add_entry(struct weir_rollup_sums *sums, const struct weir_rollup_head *head,
		      uint64_t bytes)
{
	struct weir_totals gap = head->cumulative;

	/* Between what was taken in before and this one. */
	weir_totals_subtract(&gap, &head->totals);
	weir_totals_subtract(&gap, &sums->held);
	weir_totals_subtract(&gap, &sums->expired);
	weir_totals_subtract(&gap, &sums->skipped);
	weir_totals_add(&sums->skipped, &gap);
	weir_totals_add(&sums->held, &head->totals);
	sums->segment = head->last_segment;
	if (head->last_block > sums->block)
		sums->block = head->last_block;
	sums->entries++;
	sums->bytes += bytes;
}

int weir_rollup_put(struct weir_store *store, enum weir_rollup_level level,
		    const struct weir_rollup_head *head, const void *body, size_t body_bytes)
{
	size_t bytes = value_bytes(body_bytes);
	struct weir_rollup_sums sums;
	struct weir_lmdb_txn txn;
	uint8_t *to;
	int ret;

	if (!store->rollups || store->options.read_only)
		return -EROFS;
	ret = weir_lmdb_begin(store->rollups, true, &txn);
	if (!ret)
		ret = get_sums(&txn, level, &sums);
	if (!ret && (head->first_segment <= sums.segment ||
		     head->last_segment < head->first_segment))
		ret = -EEXIST;
	if (ret) {
		weir_lmdb_abort(&txn);
		return ret;
	}
	to = weir_lmdb_append_number(&txn, DB_FIRST + level, head->last_segment, bytes);
	if (to) {
		write_value(level, head, body, body_bytes, to);
		add_entry(&sums, head, disk_bytes(bytes));
		weir_meta_put(&txn, DB_META, weir_rollup_words[level], &sums, sizeof(sums));
	}
	return weir_lmdb_commit(&txn);
}

static int read_heads(struct weir_store *store, struct weir_lmdb_txn *txn,
		      enum weir_rollup_level level, uint64_t after, struct weir_rollup_head *heads,
		      size_t room, size_t *count)
{
	while (*count < room && after < UINT64_MAX) {
		struct weir_lmdb_value value;
		size_t at;
		int ret = weir_lmdb_seek_number(txn, DB_FIRST + level, after + 1, false, &after,
						&value);

		if (ret)
			return ret == -ENOENT ? 0 : ret;
		if (read_value(level, after, &value, false, &heads[*count], &at))
			say_damaged(store, level, after);
		else
			++*count;
	}
	return 0;
}

int weir_rollup_heads(struct weir_store *store, enum weir_rollup_level level, uint64_t after,
		      struct weir_rollup_head **heads, size_t *count)
{
	struct weir_lmdb_txn txn;
	uint64_t entries = 0;
	int ret = 0;

	*count = 0;
	*heads = NULL;
	if (store->rollups) {
		ret = weir_lmdb_begin(store->rollups, false, &txn);
		if (!ret)
			ret = weir_lmdb_entries(&txn, DB_FIRST + level, &entries);
	}
	if (!ret)
		*heads = calloc(entries + 1, sizeof(**heads));
	if (!ret && !*heads)
		ret = -ENOMEM;
	if (!ret && entries)
		ret = read_heads(store, &txn, level, after, *heads, entries, count);
	if (store->rollups)
		weir_lmdb_abort(&txn);
	if (ret)
		free(*heads);
	return ret;
}

int weir_rollup_get(struct weir_store *store, enum weir_rollup_level level, uint64_t segment,
		    struct weir_rollup_head *head, void **body, size_t *body_bytes)
{
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	size_t at;
	int ret;

	if (!store->rollups)
		return -ENOENT;
	ret = weir_lmdb_begin(store->rollups, false, &txn);
	if (!ret)
		ret = weir_lmdb_get_number(&txn, DB_FIRST + level, segment, &value);
	if (!ret)
		ret = read_value(level, segment, &value, true, head, &at);
	if (ret == -EBADMSG)
		say_damaged(store, level, segment);
	if (!ret) {
		*body_bytes = value.bytes - at - SUM;
		*body = malloc(*body_bytes + 1);
		ret = *body ? 0 : -ENOMEM;
	}
	if (!ret)
		memcpy(*body, (const uint8_t *)value.data + at, *body_bytes);
	weir_lmdb_abort(&txn);
	return ret;
}

struct bounds {
	uint64_t keep_ns, keep_bytes, now_ns;
	uint64_t through; /* later ones are not in the next level yet */
};

/* When the entry of @segment ended; if that is to come, as the clock was ahead, when the next one did
 * that is past. */
static uint64_t end_of(struct weir_lmdb_txn *txn, enum weir_rollup_level level, uint64_t segment,
		       const struct weir_rollup_head *head, uint64_t now_ns)
{
	struct weir_rollup_head next = *head;
	struct weir_lmdb_value value;
	size_t at;

	while (next.end_ns > now_ns &&
	       !weir_lmdb_seek_number(txn, DB_FIRST + level, segment + 1, false, &segment, &value))
		if (read_value(level, segment, &value, false, &next, &at))
			next.end_ns = UINT64_MAX;
	return next.end_ns > now_ns ? head->end_ns : next.end_ns;
}

static bool is_due(const struct bounds *bounds, const struct weir_rollup_sums *sums,
		   const struct weir_rollup_head *head, uint64_t end_ns)
{
	if (sums->entries < 2 || head->last_segment > bounds->through)
		return false;
	if (bounds->keep_bytes && sums->bytes > bounds->keep_bytes)
		return true;
	return bounds->keep_ns && bounds->now_ns > end_ns &&
	       bounds->now_ns - end_ns > bounds->keep_ns;
}

static void take_away(struct weir_rollup_sums *sums, const struct weir_rollup_head *head,
		      uint64_t bytes)
{
	weir_totals_subtract(&sums->held, &head->totals);
	weir_totals_add(&sums->expired, &head->totals);
	if (head->end_ns > sums->expired_ns)
		sums->expired_ns = head->end_ns;
	sums->entries--;
	sums->bytes -= bytes;
}

/* One transaction. A damaged entry goes as it is due by what its head says. */
static int remove_some(struct weir_store *store, enum weir_rollup_level level,
		       const struct bounds *bounds, unsigned *removed)
{
	struct weir_rollup_sums sums;
	struct weir_lmdb_txn txn;
	int ret = weir_lmdb_begin(store->rollups, true, &txn);

	*removed = 0;
	if (!ret)
		ret = get_sums(&txn, level, &sums);
	while (!ret && *removed < REMOVE_AT_ONCE) {
		struct weir_rollup_head head = {0};
		struct weir_lmdb_value value;
		uint64_t segment;
		size_t at;

		if (weir_lmdb_seek_number(&txn, DB_FIRST + level, 0, false, &segment, &value))
			break;
		if (read_value(level, segment, &value, false, &head, &at))
			head = (struct weir_rollup_head){.last_segment = segment};
		if (!is_due(bounds, &sums, &head,
			    end_of(&txn, level, segment, &head, bounds->now_ns)))
			break;
		take_away(&sums, &head, disk_bytes(value.bytes));
		ret = weir_lmdb_delete_number(&txn, DB_FIRST + level, segment);
		++*removed;
	}
	if (!ret && *removed) {
		weir_meta_put(&txn, DB_META, weir_rollup_words[level], &sums, sizeof(sums));
		ret = weir_lmdb_commit(&txn);
	}
	weir_lmdb_abort(&txn);
	return ret;
}

int weir_rollup_retain(struct weir_store *store, enum weir_rollup_level level, uint64_t keep_ns,
		       uint64_t keep_bytes, uint64_t now_ns, unsigned *removed)
{
	struct bounds bounds = {keep_ns, keep_bytes, now_ns, UINT64_MAX};
	struct weir_rollup_sums next;
	unsigned some;
	int ret = 0;

	*removed = 0;
	if (!store->rollups || store->options.read_only || (!keep_ns && !keep_bytes))
		return 0;
	if (level + 1 < WEIR_ROLLUP_LEVELS) {
		ret = weir_rollup_sums(store, level + 1, &next);
		bounds.through = next.segment;
	}
	do {
		some = 0;
		if (!ret)
			ret = remove_some(store, level, &bounds, &some);
		*removed += some;
	} while (!ret && some == REMOVE_AT_ONCE);
	return ret;
}
