/* SPDX-License-Identifier: GPL-2.0 */
/*
 * import.h - flows of elsewhere into a store of their own.
 *
 * Such a store is a folder like a node's with a file "imports" in it, which lists what came from where, a
 * line each. Without that file nothing is imported into a folder, and with it no node writes there:
 * records of others never count in a ledger of this machine's packets.
 *
 * A file is to the store what an instance of the module is to a node's: it has a number (from its
 * content), its messages are counted, and how many were read is committed together with their
 * records. So an import that was killed goes on where it was, and none is done twice.
 */
#ifndef WEIR_EXCHANGE_IMPORT_H
#define WEIR_EXCHANGE_IMPORT_H

#include <stdatomic.h>

#include "daemon/exchange/ipfix.h"

struct weir_import_options {
	const char *into;     /* the folder; made if it is not there */
	const char *file;     /* path, or "-": standard input */
	const atomic_bool *stop; /* may be NULL: what is whole is committed, -ECANCELED */
	weir_ipfix_complain *complain;
	/* At most a few times a second; may be NULL. */
	void (*progress)(void *arg, uint64_t flows, uint64_t offset, uint64_t file_bytes);
	void *arg; /* of both */
};

struct weir_import_result {
	struct weir_ipfix_counts counts; /* of the whole file, as far as it was read */
	struct weir_totals added;	 /* now */
	uint64_t before;		 /* flows that an import of the same file had committed before it was ended */
	uint64_t first_ns, last_ns;	 /* start and end of what was added */
	char name[WEIR_IPFIX_NAME_BYTES]; /* of the observation domain, "" if none is given */
	char why[256];			 /* a sentence, after a failure */
};

/**
 * weir_import_ipfix - import one file of IPFIX messages.
 * A damaged file is no failure: see the counts. -EEXIST: it was imported before. -EPERM: the folder is something
 * else. -EPROTO: this is no IPFIX. -ECANCELED. Others: reading or writing failed.
 */
int weir_import_ipfix(const struct weir_import_options *options, struct weir_import_result *result);

#endif
