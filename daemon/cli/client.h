/* SPDX-License-Identifier: GPL-2.0 */
/* client.h - ask a node or a master over its Unix socket. */
#ifndef WEIR_CLI_CLIENT_H
#define WEIR_CLI_CLIENT_H

#include "daemon/cli/cli.h"
#include "daemon/wire/convert.h"

/* What came with the end of an answer; from_master is right before the first part. */
struct weir_cli_answer {
	struct weir_totals matched;
	bool from_master;     /* what answered: several machines may speak */
	bool partial;	      /* something is missing; it was named on stderr */
	Weir__Wire__End *end; /* for details; freed by weir_cli_client_free() */
};

/* One part of the answer; valid during the call. Non-zero stops: the rest is cancelled. */
typedef int weir_cli_take_part(void *arg, const Weir__Wire__Part *part);

/**
 * weir_cli_client_ask - send @ask (its id is set here), hand out the parts, fill @answer.
 * Returns an exit status (cli.h): OK, PARTIAL, FAILED after a sentence on
 * stderr, INTERRUPTED after Ctrl-C, which tells the daemon to stop.
 */
int weir_cli_client_ask(const struct weir_cli_options *o, Weir__Wire__Ask *ask,
			weir_cli_take_part *take, void *arg, struct weir_cli_answer *answer);
/* Ctrl-C was pressed: a part that takes long to write may return -EINTR in the middle. */
bool weir_cli_client_interrupted(void);
/* After all of it was written: with --explain say how it came about; free. */
void weir_cli_client_end(const struct weir_cli_options *o, struct weir_cli_answer *answer);
void weir_cli_client_free(struct weir_cli_answer *answer);

/* explain.c: on stderr. */
void weir_cli_explain(const Weir__Wire__End *end);

/* progress.c: one line on stderr, if that is a terminal, from the second second on. */
struct weir_cli_progress {
	uint64_t started_ns;
	bool shown;
};
void weir_cli_progress_show(struct weir_cli_progress *p, const Weir__Wire__Part *part);
void weir_cli_progress_clear(struct weir_cli_progress *p);

/* folder.c: answers from the folder of a store, as a node there would give them. A failure is said on stderr. */
struct weir_cli_folder;
int weir_cli_folder_open(const char *state, struct weir_cli_folder **folder);
const char *weir_cli_folder_socket(const struct weir_cli_folder *folder);
void weir_cli_folder_close(struct weir_cli_folder *folder);

#endif
