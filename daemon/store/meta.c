// SPDX-License-Identifier: GPL-2.0
/*
 * meta.c - the small values: arrays of little-endian u64, read as far as they
 * go, so that a later version can append members and both can read both.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "daemon/common/log.h"
#include "daemon/store/internal.h"

enum {
	MAGIC = 0x52494557, /* "WEIR" */
	BYTES_MAX = 512,
};

struct format {
	uint64_t magic;
	uint64_t version;
	uint64_t oldest_reader; /* versions from here on can read it */
};

/* "stored" on disk. */
struct stored {
	struct weir_totals totals;
	uint64_t last_block;
};

/* The order of members is the order on disk. */
_Static_assert(sizeof(struct weir_store_position) == 32 * 8, "append only, u64s only");
_Static_assert(offsetof(struct weir_store_summed, hash) == 6 * 8, "append only after the hash");
_Static_assert(sizeof(struct weir_store_summed) == 6 * 8 + 32 + 8, "append only");

void weir_meta_encode(const void *u64s, size_t bytes, void *to)
{
	for (size_t at = 0; at < bytes; at += 8) {
		uint64_t value;

		memcpy(&value, (const uint8_t *)u64s + at, 8);
		value = htole64(value);
		memcpy((uint8_t *)to + at, &value, 8);
	}
}

void weir_meta_decode(const void *from, size_t from_bytes, void *u64s, size_t bytes)
{
	memset(u64s, 0, bytes);
	for (size_t at = 0; at + 8 <= bytes && at + 8 <= from_bytes; at += 8) {
		uint64_t value;

		memcpy(&value, (const uint8_t *)from + at, 8);
		value = le64toh(value);
		memcpy((uint8_t *)u64s + at, &value, 8);
	}
}

int weir_meta_put(struct weir_lmdb_txn *txn, unsigned db, const char *key, const void *u64s,
		  size_t bytes)
{
	uint8_t buffer[BYTES_MAX];

	if (bytes > sizeof(buffer))
		return -EINVAL;
	weir_meta_encode(u64s, bytes, buffer);
	return weir_lmdb_put(txn, db, key, buffer, bytes);
}

int weir_meta_get(struct weir_lmdb_txn *txn, unsigned db, const char *key, void *u64s, size_t bytes)
{
	struct weir_lmdb_value value;
	int ret = weir_lmdb_get(txn, db, key, &value);

	if (!ret)
		weir_meta_decode(value.data, value.bytes, u64s, bytes);
	return ret;
}

/* The three values of a state as they are on disk. */
struct encoded {
	uint8_t position[sizeof(struct weir_store_position)];
	uint8_t stored[sizeof(struct stored)];
	uint8_t summed[sizeof(struct weir_store_summed)];
};

static void encode(const struct weir_store_state *state, struct encoded *to)
{
	struct stored stored = {state->stored, state->last_block};
	size_t hash = offsetof(struct weir_store_summed, hash);

	weir_meta_encode(&state->position, sizeof(state->position), to->position);
	weir_meta_encode(&stored, sizeof(stored), to->stored);
	weir_meta_encode(&state->summed, hash, to->summed);
	memcpy(to->summed + hash, state->summed.hash, sizeof(state->summed.hash));
	weir_meta_encode(&state->summed.start_ns, sizeof(state->summed.start_ns),
			 to->summed + offsetof(struct weir_store_summed, start_ns));
}

uint64_t weir_meta_sum_value(uint64_t before, const void *value, size_t bytes)
{
	return XXH3_64bits_withSeed(value, bytes, before);
}

int weir_meta_put_state(struct weir_lmdb_txn *txn, const struct weir_store_state *state)
{
	struct encoded encoded;
	uint64_t sum;

	encode(state, &encoded);
	sum = weir_meta_sum_value(0, encoded.position, sizeof(encoded.position));
	sum = weir_meta_sum_value(sum, encoded.stored, sizeof(encoded.stored));
	sum = weir_meta_sum_value(sum, encoded.summed, sizeof(encoded.summed));
	weir_lmdb_put(txn, WEIR_DB_META, "position", encoded.position, sizeof(encoded.position));
	weir_lmdb_put(txn, WEIR_DB_META, "stored", encoded.stored, sizeof(encoded.stored));
	weir_lmdb_put(txn, WEIR_DB_META, "summed", encoded.summed, sizeof(encoded.summed));
	weir_meta_put(txn, WEIR_DB_META, "sum", &sum, sizeof(sum));
	return txn->error;
}

int weir_meta_decode_state(const char *key, const void *data, size_t bytes,
			   struct weir_store_state *state)
{
	size_t hash = offsetof(struct weir_store_summed, hash);
	size_t start = offsetof(struct weir_store_summed, start_ns);
	struct stored stored;

	if (!strcmp(key, "position")) {
		weir_meta_decode(data, bytes, &state->position, sizeof(state->position));
	} else if (!strcmp(key, "stored")) {
		weir_meta_decode(data, bytes, &stored, sizeof(stored));
		state->stored = stored.totals;
		state->last_block = stored.last_block;
	} else if (!strcmp(key, "summed")) {
		if (bytes < start)
			return -EBADMSG;
		weir_meta_decode(data, bytes, &state->summed, hash);
		memcpy(state->summed.hash, (const uint8_t *)data + hash,
		       sizeof(state->summed.hash));
		weir_meta_decode((const uint8_t *)data + start, bytes - start,
				 &state->summed.start_ns, sizeof(state->summed.start_ns));
	} else {
		return -ENOENT;
	}
	return 0;
}

int weir_meta_get_state(struct weir_lmdb_txn *txn, struct weir_store_state *state)
{
	static const char *const keys[] = {"position", "stored", "summed"};
	struct weir_lmdb_value value;
	uint64_t sum, found = 0;
	int ret = 0;

	for (unsigned i = 0; i < 3 && !ret; i++) {
		ret = weir_lmdb_get(txn, WEIR_DB_META, keys[i], &value);
		if (!ret)
			ret = weir_meta_decode_state(keys[i], value.data, value.bytes, state);
		if (!ret)
			found = weir_meta_sum_value(found, value.data, value.bytes);
	}
	if (ret)
		return ret == -ENOENT ? -EBADMSG : ret;
	ret = weir_meta_get(txn, WEIR_DB_META, "sum", &sum, sizeof(sum));
	if (ret)
		return ret == -ENOENT ? 0 : ret; /* written by a version that had none */
	return sum == found ? 0 : -EBADMSG;
}

int weir_meta_put_format(struct weir_lmdb_txn *txn, unsigned db)
{
	struct format format = {MAGIC, WEIR_STORE_FORMAT, WEIR_STORE_FORMAT};

	return weir_meta_put(txn, db, "format", &format, sizeof(format));
}

int weir_meta_raise_format(struct weir_lmdb_txn *txn, unsigned db)
{
	struct format format;
	int ret = weir_meta_get(txn, db, "format", &format, sizeof(format));

	if (ret || format.version >= WEIR_STORE_FORMAT)
		return ret;
	return weir_meta_put_format(txn, db);
}

int weir_meta_check_format(struct weir_lmdb_txn *txn, unsigned db, const char *path)
{
	struct format format;
	int ret = weir_meta_get(txn, db, "format", &format, sizeof(format));

	if (ret == -ENOENT || (!ret && format.magic != MAGIC)) {
		weir_log_error("%s: not a part of a weir store", path);
		return -EBADMSG;
	}
	if (ret)
		return ret;
	if (format.oldest_reader > WEIR_STORE_FORMAT) {
		weir_log_error("%s: written in store format %llu; this program reads up to %d: "
			       "install the weir version that wrote it, or a later one",
			       path, (unsigned long long)format.version, WEIR_STORE_FORMAT);
		return -ENOTSUP;
	}
	return 0;
}
