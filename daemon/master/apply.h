/* SPDX-License-Identifier: GPL-2.0 */
/* apply.h - a pushed segment becomes part of the master's view, once. */
#ifndef WEIR_MASTER_APPLY_H
#define WEIR_MASTER_APPLY_H

#include "daemon/master/keep.h"
#include "weir.pb-c.h"

/* Who pushes, as its Hello said. */
struct weir_apply_peer {
	uint8_t node_id[WEIR_KEEP_ID_BYTES];
	uint8_t epoch[WEIR_KEEP_ID_BYTES];
	char name[WEIR_KEEP_NAME_BYTES];
	uint64_t first_seq; /* oldest segment it holds: a gap before that one is real */
};

struct weir_apply_verdict {
	uint64_t seq;
	Weir__Wire__Applied applied;
	char reason[256]; /* a sentence, if APPLIED_NEVER */
};

/**
 * weir_apply_push - judge the encoded segment @body and apply it if it is the next one.
 * 0: *@verdict tells; APPLIED_NOW counts only once @txn is committed. An
 * error is the store's, and says nothing about the segment: abort @txn.
 */
int weir_apply_push(struct weir_keep_txn *txn, const struct weir_apply_peer *peer,
		    const void *body, size_t body_bytes, uint64_t now_ns,
		    struct weir_apply_verdict *verdict);

#endif
