/* SPDX-License-Identifier: GPL-2.0 */
/*
 * master.h - what the parts of weir-master share.
 *
 * The event loop (main thread) owns connections and is the only writer to keep.
 * Each query from the command line runs in a thread of its own (reply.c), reads keep, and
 * reaches nodes through fanout.h, which has the loop do the talking.
 */
#ifndef WEIR_MASTER_MASTER_H
#define WEIR_MASTER_MASTER_H

#include "daemon/master/keep.h"
#include "daemon/wire/job.h"

struct event_base;
struct weir_fanout;

struct weir_master_settings {
	char *name;
	char *state;
	char *socket;
	char *listen;
	uint64_t query_timeout_ns;
	uint64_t min_free_bytes;
	uint64_t max_nodes;
};

struct weir_master {
	struct weir_master_settings settings;
	struct event_base *base;
	struct weir_keep *keep;
	struct weir_fanout *fanout;
};

/* settings.c: defaults, then @path (NULL: /etc/weir/master.conf if it exists). The error is logged. */
int weir_settings_read(const char *path, struct weir_master_settings *settings);
void weir_settings_free(struct weir_master_settings *settings);
void weir_settings_print(void);

/* sessions.c: connections of nodes. */
int weir_sessions_start(struct weir_master *master);
void weir_sessions_stop(void);

/* A connected node, as query threads may see it. */
struct weir_session_state {
	uint8_t node_id[WEIR_KEEP_ID_BYTES];
	uint8_t epoch[WEIR_KEEP_ID_BYTES];
	char name[WEIR_KEEP_NAME_BYTES];
	char software[WEIR_KEEP_NAME_BYTES];
	char address[64];
	uint64_t last_seq; /* newest segment it said it wrote */
	struct weir_channel_clock clock;
	bool confirmed; /* a segment came on this connection that follows, or is, one that is here */
	char rejected[256]; /* why its segments are not applied, or "" */
};
/* All of them, malloc'ed. Any thread. */
int weir_sessions_states(struct weir_session_state **states, size_t *count);
/* Segments wait for room on the disk. Any thread. */
bool weir_sessions_disk_full(void);
/* Loop only. Visit the connected nodes; @session stays valid until it is reported gone to fanout.h. */
struct weir_session;
typedef void weir_sessions_visit(void *arg, struct weir_session *session,
				 const struct weir_session_state *state);
void weir_sessions_each(weir_sessions_visit *visit, void *arg);
void weir_session_send(struct weir_session *session, const Weir__Wire__Frame *frame);

/* reply.c: a weir_job_run for the Unix socket; @arg is struct weir_master. */
void weir_reply_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *arg);

#endif
