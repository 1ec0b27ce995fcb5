/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store_folder.h - a folder in memory with a store in it, for the tests of what looks
 * after stores. What is tested survives processes and damage, not power failures: memory will do.
 */
#ifndef WEIR_TESTS_STORE_FOLDER_H
#define WEIR_TESTS_STORE_FOLDER_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/store/internal.h"
#include "daemon/wire/hash.h"

#define DAY   (86400 * WEIR_NS_PER_SECOND)
#define START (20000 * DAY) /* 2024-10-04 */

/* What a test file does not need is no fault. */
#define HELPER __attribute__((unused)) static

static char base[64]; /* of all that a test makes */
static char dir[80]; /* of the store */

HELPER int folder_remove_one(const char *path, const struct stat *status, int type,
			     struct FTW *ftw)
{
	return remove(path);
}

HELPER void folder_remove(const char *path)
{
	nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

HELPER void folder_setup(void)
{
	snprintf(base, sizeof(base), "%s/weir-test-store-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	ck_assert_ptr_nonnull(mkdtemp(base));
	snprintf(dir, sizeof(dir), "%s/store", base);
}

HELPER void folder_teardown(void)
{
	folder_remove(base);
}

HELPER struct weir_store *folder_open(const char *path, bool read_only)
{
	struct weir_store_options options = {.read_only = read_only, .max_bytes = 1 << 30};
	struct weir_store *store = NULL;

	ck_assert_int_eq(weir_store_open(path, &options, &store), 0);
	return store;
}

HELPER struct weir_flow folder_flow(uint64_t i)
{
	struct weir_flow flow;

	memset(&flow, 0, sizeof(flow));
	for (unsigned at = 0; at < 16; at++) {
		flow.src_addr[at] = (uint8_t)(i * 7 + at);
		flow.dst_addr[at] = (uint8_t)(i * 11 + at);
	}
	flow.packets = i % 1000 + 1;
	flow.bytes = (i % 1000 + 1) * 100 + i % 7;
	flow.start_ns = START + i * 1000;
	flow.end_ns = flow.start_ns + 500;
	flow.src_port = (uint16_t)(i + 9);
	flow.dst_port = (uint16_t)(i % 50);
	flow.protocol = i % 3 ? 6 : 17;
	flow.ip_version = 6;
	return flow;
}

static bool folder_no_segments; /* folder_put() makes none */

/* Commit one block of flows @first .. @first + @count, with a position that says so, and a segment
 * that covers it. */
HELPER int folder_put(struct weir_store *store, uint64_t now, uint64_t first, size_t count)
{
	struct weir_flow *flows = calloc(count, sizeof(*flows));
	struct weir_store_state state;
	struct weir_store_txn *txn;
	char body[3000];
	int ret;

	ck_assert_int_eq(weir_store_state(store, &state), 0);
	for (size_t i = 0; i < count; i++) {
		flows[i] = folder_flow(first + i);
		weir_flow_count(&state.position.received, &flows[i]);
	}
	/* The segment sums up all that none did. */
	state.summed.totals = state.stored;
	for (size_t i = 0; i < count; i++)
		weir_flow_count(&state.summed.totals, &flows[i]);
	state.position.seq++;
	state.position.instance = 1;
	state.position.instances = 1;
	state.position.numbered = state.position.received;
	state.summed.seq++;
	state.summed.end_ns = now;
	memset(body, (int)state.summed.seq, sizeof(body));
	ck_assert_int_eq(weir_hash_segment(body, sizeof(body), state.summed.hash), 0);
	ret = weir_store_begin(store, now, &txn);
	if (!ret) {
		state.summed.block = weir_store_next_block(txn);
		weir_store_put_block(txn, flows, count);
		weir_store_put_position(txn, &state.position);
		if (!folder_no_segments)
			weir_store_put_segment(txn, &state.summed, body, sizeof(body));
		ret = weir_store_commit(txn);
	}
	free(flows);
	return ret;
}

struct folder_seen {
	uint64_t blocks, flows, digest;
	struct weir_totals totals;
};

HELPER int folder_visit(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	struct folder_seen *seen = arg;

	seen->blocks++;
	seen->flows += count;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = (const uint8_t *)&flows[i];
		uint64_t hash = 0xcbf29ce484222325;

		weir_flow_count(&seen->totals, &flows[i]);
		for (size_t k = 0; k < sizeof(flows[i]); k++)
			hash = (hash ^ bytes[k]) * 0x100000001b3;
		seen->digest += hash; /* their order in a block is nobody's */
	}
	return 0;
}

HELPER struct folder_seen folder_scan(struct weir_store *store)
{
	struct folder_seen seen = {0};

	ck_assert_int_eq(weir_store_scan(store, 0, UINT64_MAX, false, folder_visit, &seen, NULL),
			 0);
	return seen;
}

/* The name of the data file of partition @name. */
HELPER const char *folder_file(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s/data.mdb", dir, name);
	return path;
}

HELPER uint8_t *folder_read(const char *path, size_t *bytes)
{
	int fd = open(path, O_RDONLY);
	struct stat status;
	uint8_t *data;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	*bytes = (size_t)status.st_size;
	data = malloc(*bytes + 1);
	ck_assert_int_eq(pread(fd, data, *bytes, 0), (ssize_t)*bytes);
	close(fd);
	return data;
}

HELPER void folder_write(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

/* As folder_put() makes them: the body is known by its number, and hashed. */
HELPER bool folder_segment(void *arg, uint64_t seq, const void *body, size_t body_bytes,
			   const uint8_t *hash, char *why, size_t why_bytes)
{
	const uint8_t *bytes = body;
	uint8_t is[32];

	snprintf(why, why_bytes, "not as it was written");
	for (size_t i = 0; i < body_bytes; i++)
		if (bytes[i] != (uint8_t)seq)
			return false;
	if (body_bytes != 3000 || weir_hash_segment(body, body_bytes, is))
		return false;
	return !hash || !memcmp(hash, is, sizeof(is));
}

#endif
