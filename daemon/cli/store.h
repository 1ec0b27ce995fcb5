/* SPDX-License-Identifier: GPL-2.0 */
/* store.h - what the verbs of weir store share. */
#ifndef WEIR_CLI_STORE_H
#define WEIR_CLI_STORE_H

#include "daemon/cli/cli.h"
#include "daemon/store/check.h"

struct weir_cli_store {
	const struct weir_cli_options *options;
	const char *dir; /* of the store */
	const char *word; /* what stands behind the verb; NULL: nothing */
	int writer; /* pid of the process that writes to it, 0: none, -1: not known which */
	/* Quotas of node.conf that is in force there, 0: none */
	const struct weir_node_config *config; /* NULL: none was read */
};

typedef int weir_cli_store_run(const struct weir_cli_store *s);

weir_cli_store_run weir_cli_store_stat, weir_cli_store_check, weir_cli_store_repair,
	weir_cli_store_backup, weir_cli_store_verify, weir_cli_store_restore,
	weir_cli_store_unmount;

enum {
	WEIR_CLI_MOUNTS_MAX = 64,
};

struct weir_cli_mounts {
	unsigned count;
	struct weir_cli_mount {
		char name[48];
		unsigned partitions;
		uint64_t records, oldest_ns, newest_ns;
	} at[WEIR_CLI_MOUNTS_MAX];
};
/* store_backup.c: what is mounted in folder @restored. */
void weir_cli_store_mounts(const char *restored, struct weir_cli_mounts *mounts);

/* A line on a terminal that is written over, at most ten times a second, after the first second. */
void weir_cli_store_progress(const char *what, uint64_t done, uint64_t total);
void weir_cli_store_progress_end(void);
/* Becomes true with Ctrl-C. */
extern volatile bool weir_cli_store_cancelled;
/* That segments can be read and form a chain. Begins zeroed. */
struct weir_cli_store_chain {
	uint64_t seq;
	uint8_t hash[32];
};
bool weir_cli_store_chain_add(struct weir_cli_store_chain *chain, uint64_t seq, const void *body,
			    size_t body_bytes, const uint8_t *hash, char *why, size_t why_bytes);

#endif
