/* SPDX-License-Identifier: GPL-2.0 */
/*
 * node.h - what the parts of weir-node share.
 *
 * Three threads matter. The ingest thread (ingest.c) reads the kernel's stream,
 * commits, acknowledges, and closes intervals (summary.c); it alone writes to the
 * store, apart from cursors. The event loop (main thread) replicates
 * (replicate.c) and answers (serve.c); each query runs in a thread of its
 * own. Ingest tells the loop about a new segment through segment_fd. A third thread (keeper.c)
 * makes roll-ups of segments and removes what is beyond its quota.
 */
#ifndef WEIR_NODE_NODE_H
#define WEIR_NODE_NODE_H

#include <stdatomic.h>

#include "daemon/store/rollup.h"
#include "daemon/store/store.h"

struct event_base;
struct weir_governor;
struct weir_kernel_ops;

enum {
	WEIR_NODE_MASTERS_MAX = 8,
};

struct weir_node_master { /* a section [master NAME] */
	char *name;
	char *address; /* "host:port", "[v6]:port" */
};

/* What is kept, for how long and in how many bytes; 0: no bound. In force at once on SIGHUP. */
struct weir_node_keep {
	uint64_t raw_ns, raw_bytes;
	uint64_t rollup_ns[WEIR_ROLLUP_LEVELS], rollup_bytes[WEIR_ROLLUP_LEVELS];
	uint64_t spool_segments; /* drop the oldest segments past this many; 0: never */
};

/* Settings of the module that are words; config.c has their names. */
enum {
	WEIR_NODE_SETTINGS = 6,
};

extern const char *const weir_node_settings[WEIR_NODE_SETTINGS];

struct weir_node_config {
	char *name;   /* of this node; the host name by default */
	char *site;   /* where it stands; "": not said */
	char *state;  /* folder of the store */
	char *socket; /* for the command line */
	uint64_t interval_ns;
	uint64_t commit_ns; /* commit at least this often while records come */
	uint64_t min_free_bytes;
	uint64_t summary_top; /* keys per dimension */
	struct weir_node_keep keep;
	uint64_t rollup_top; /* keys per dimension of a roll-up */
	char *when_full; /* "summaries" or "wait" */
	/* Of queries: threads and memory of all of them, and of one; 0 threads: as many as cores. */
	uint64_t query_threads, query_memory_bytes, query_memory_total_bytes;
	uint64_t query_spill_bytes; /* disk for what does not fit into memory; 0: none */
	char *query_spill_folder;   /* "": folder "spill" in state */
	uint64_t query_timeout_ns;  /* 0: none */
	bool configure_kernel; /* set the timeouts below and switch metering on */
	uint64_t active_timeout_ns, idle_timeout_ns, fin_timeout_ns;
	uint64_t table_flows, log_batches; /* per CPU; 0: the module's own */
	char *setting[WEIR_NODE_SETTINGS]; /* as weir set has them; "" or NULL: left alone */
	struct weir_node_master master[WEIR_NODE_MASTERS_MAX];
	unsigned masters;
};

struct weir_node {
	struct weir_node_config config;
	struct weir_store *store;
	const struct weir_kernel_ops *kernel; /* kernel.h; tests have their own. NULL: netlink */
	struct weir_governor *governor; /* of the threads and the memory of queries */
	char *spill; /* folder for what queries cannot hold in memory; NULL: none */
	int segment_fd; /* eventfd: ingest adds 1 for each segment committed */
	atomic_bool stopping;
	atomic_int store_error; /* not 0: the disk is full or fails (negative errno), ingest waits */
	atomic_bool refusing; /* there is no room for records: they are summed up and not stored */
	atomic_bool attached; /* the kernel's stream is ours */
};

/* config.c: defaults, then @path (NULL: /etc/weir/node.conf if it exists). */
int weir_config_read(const char *path, struct weir_node_config *config);
void weir_config_free(struct weir_node_config *config);
void weir_config_print(void);

/* ingest.c: start the thread; stop it after a last commit of what it holds. */
int weir_ingest_start(struct weir_node *node);
void weir_ingest_stop(struct weir_node *node);

/* keeper.c: start the thread that makes roll-ups and keeps quotas; stop it. */
int weir_keeper_start(struct weir_node *node);
void weir_keeper_stop(void);
/* A segment was written, or a master has acknowledged one. Any thread, also when it does not run. */
void weir_keeper_wake(void);
/* From now on @keep is in force. */
void weir_keeper_set(const struct weir_node_keep *keep);
/* What the keeper would have people know: "" or a sentence. */
void weir_keeper_describe(char *text, size_t bytes);

/* reload.c: on SIGHUP, read @path again and take from it what can change while running. */
int weir_reload_start(struct weir_node *node, struct event_base *base, const char *path);
void weir_reload_stop(void);

/* replicate.c: one connection per master, for ever. In the event loop's thread. */
int weir_replicate_start(struct weir_node *node, struct event_base *base);
void weir_replicate_stop(void);
/* For "weir nodes": fill state of master @i. */
struct weir_replicate_state {
	bool connected;
	uint64_t acked_seq;
	char error[128]; /* why not connected */
};
void weir_replicate_get_state(unsigned i, struct weir_replicate_state *state);

/* serve.c: the Unix socket. */
int weir_serve_start(struct weir_node *node, struct event_base *base);
void weir_serve_stop(void);

#endif
