// SPDX-License-Identifier: GPL-2.0
/*
 * losesegment.c - takes a segment out of a partition of a node's store, as damage would.
 *
 *   losesegment PARTITION SEQ
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/lmdb.h"

int main(int argc, char **argv)
{
	static const char *const dbs[] = {"segments", NULL};
	struct weir_lmdb_options options = {.dbs = dbs};
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret;

	if (argc != 3) {
		fprintf(stderr, "usage: losesegment PARTITION SEQ\n");
		return 2;
	}
	ret = weir_lmdb_open(argv[1], &options, &lmdb);
	if (!ret) {
		weir_lmdb_begin(lmdb, true, &txn);
		ret = weir_lmdb_delete_number(&txn, 0, strtoull(argv[2], NULL, 10));
		if (ret)
			weir_lmdb_abort(&txn);
		else
			ret = weir_lmdb_commit(&txn);
		weir_lmdb_close(lmdb);
	}
	if (ret)
		fprintf(stderr, "%s: segment %s: %s\n", argv[1], argv[2], strerror(-ret));
	return ret ? 1 : 0;
}
