/* SPDX-License-Identifier: GPL-2.0 */
/*
 * query.h - ask one store: lists of flows, sums by key, conversations.
 *
 * All of them read the store with threads of their own, which they end before they
 * return, and call back (emit, progress) from the calling thread only. Answers do not depend on the
 * number of threads, the memory allowed, or where in the store a record lies: every order
 * is total.
 *
 * Common results, besides 0 and what an emit function returned:
 *   -ECANCELED  query->cancel was set
 *   -E2BIG      the memory allowed is not enough and nothing may be spilled;
 *               result->bound says what was too much
 *   -EDQUOT     spill_bytes is not enough
 *   -ENOSPC, -EIO  spilling failed
 *   -ENOMEM, -EINVAL
 * A damaged block is no error: it is left out, counted in the result and named in the log.
 */
#ifndef WEIR_QUERY_QUERY_H
#define WEIR_QUERY_QUERY_H

#include <stdatomic.h>

#include "daemon/query/aggregate.h"
#include "daemon/query/fields.h"
#include "daemon/query/quantity.h"
#include "daemon/store/store.h"

struct weir_filter;
struct weir_governor;

/**
 * weir_filter_parse - compile a filter expression; NULL or "" matches all.
 * -EINVAL: @error gets a sentence, *@at (may be NULL) the offset in @text of the word at fault, so that
 * the caller can draw a caret.
 */
int weir_filter_parse(const char *text, struct weir_filter **filter, char *error,
		      size_t error_bytes, size_t *at);
bool weir_filter_match(const struct weir_filter *filter, const struct weir_flow *flow);
void weir_filter_free(struct weir_filter *filter);

enum {
	/* Of struct weir_query::memory_bytes when it is 0. */
	WEIR_QUERY_MEMORY_BYTES = 512 << 20,
	/* What a thread has besides, at most: decoded columns of one block and work space. */
	WEIR_QUERY_THREAD_BYTES = 48 << 20,
	WEIR_QUERY_THREADS_MAX = 64,
	WEIR_QUERY_MEASURES_MAX = 8,
	WEIR_QUERY_LIMIT_MAX = 250000, /* flows of many nodes that a master merges in memory */
};

/* How far a query is. Called from the thread that asked, at most four times a second. */
typedef void weir_query_progress(void *arg, uint64_t blocks_done, uint64_t blocks_total,
				 uint64_t records);

/* What to read, and with what. All zero: everything, with all cores. */
struct weir_query {
	uint64_t from_ns, to_ns; /* flows alive in [from, to); to 0 or UINT64_MAX: no end */
	uint64_t after_block; /* only of blocks numbered above it; 0: all */
	const struct weir_filter *filter; /* NULL: all */
	const atomic_bool *cancel; /* NULL, or looked at all the time */
	unsigned threads; /* 0: one a core; at most WEIR_QUERY_THREADS_MAX */
	/* Bound of tables, lists and sorting, over all threads. 0: the default. What a
	 * thread needs to read a block (WEIR_QUERY_THREAD_BYTES) comes on top. */
	uint64_t memory_bytes;
	/* Folder for files without a name (gone with the process) that take what does not fit
	 * into memory. NULL: nothing is spilled, -E2BIG. */
	const char *spill_dir;
	uint64_t spill_bytes; /* at most; 0: as many as there is room for */
	uint64_t spill_keep_bytes; /* of the file system's free space, for others; also -EDQUOT */
	/* Threads read with low priority (CPU and disk), so that ingest comes first. */
	bool background;
	/* NULL, or bounds threads and memory of all queries together: this one may wait for its
	 * turn, and get fewer threads and less memory than asked for. */
	struct weir_governor *governor;
	weir_query_progress *progress; /* may be NULL */
	void *progress_arg;
};

/* What --explain and honest footers need. Right after 0; how far it came otherwise. */
struct weir_query_result {
	struct weir_totals matched; /* all that matched, shown or not */
	uint64_t blocks_planned; /* may hold flows of that time */
	uint64_t blocks_read; /* of them: columns were decoded, and all is well with them */
	uint64_t blocks_skipped; /* the block's index said that none can match */
	uint64_t blocks_damaged; /* cannot be read; their records are missing in the answer */
	uint64_t blocks_gone; /* removed by retention meanwhile */
	uint64_t records_read; /* in the blocks read */
	/* In blocks where something matched: one packet of so many was counted, at the most; 0: all
	 * were. Sums are as counted. */
	uint64_t sampled;
	uint64_t bytes_read; /* of columns decoded, as they are on disk */
	uint64_t spilled_bytes; /* written to spill_dir */
	/* Time of all threads together, by stage: so they can be more than total_ns. */
	uint64_t plan_ns, read_ns, filter_ns, aggregate_ns, sort_ns;
	uint64_t total_ns; /* from call to return */
	uint64_t wait_ns; /* of it: for the governor */
	unsigned threads; /* that read */
	/* After -E2BIG: a fragment of a sentence, "sorted flows", "groups"; else NULL. */
	const char *bound;
	uint64_t bound_bytes; /* the memory it would have had to fit in */
};

/* The order of a list. */
enum weir_list_order {
	WEIR_LIST_BY_END, /* by time: the end of the flow, then its start */
	WEIR_LIST_BY_QUANTITY, /* then by time as above, newest first */
	/* As found: newest block first, by end (newest first) within the block. Needs no memory
	 * for all of them and begins at once: for export and pipes. A limit ends the query
	 * early; what matched is then what it saw. */
	WEIR_LIST_AS_FOUND,
};

struct weir_list {
	enum weir_list_order order;
	const struct weir_quantity *quantity; /* of BY_QUANTITY */
	bool ascending; /* default: largest or newest first */
	uint64_t limit; /* 0: all */
};

/* Non-zero stops, and becomes the result of the query. @flow is valid during the call. */
typedef int weir_query_emit(void *arg, const struct weir_flow *flow);

/**
 * weir_query_list - the matching flows in order, one call of @emit each.
 * Flows that are equal in what the order compares come in the order of their
 * members, so the list is always the same. @list NULL: all, newest first. @result may be NULL.
 */
int weir_query_list(struct weir_store *store, const struct weir_query *query,
		    const struct weir_list *list, weir_query_emit *emit, void *arg,
		    struct weir_query_result *result);

enum weir_measure_kind {
	WEIR_MEASURE_SUM, /* stays at UINT64_MAX rather than wrap */
	WEIR_MEASURE_MIN,
	WEIR_MEASURE_MAX,
	WEIR_MEASURE_DISTINCT, /* how many different values of `distinct`: exact */
};

/* One figure of a group. */
struct weir_measure {
	enum weir_measure_kind kind;
	const struct weir_quantity *quantity; /* of SUM, MIN, MAX */
	struct weir_fields distinct; /* of DISTINCT; with "host", both ends are values */
};

enum {
	WEIR_ORDER_KEY = -1, /* by the bytes of the key: addresses, numbers and times ascend */
};

struct weir_query_spec {
	struct weir_fields fields; /* count 0: one group of everything (none if nothing matches) */
	struct weir_measure measure[WEIR_QUERY_MEASURES_MAX];
	unsigned measures;
	int order; /* index of a measure, or WEIR_ORDER_KEY; ties by key, ascending */
	bool reverse; /* measures: smallest first, else largest; keys: largest first, else smallest */
	uint64_t limit; /* 0: all */
};

/* What a list of groups left out. */
struct weir_query_rest {
	uint64_t groups;
	/* Of SUM: the sum over them; of MIN, MAX: that; of DISTINCT: 0, as it cannot be summed. */
	uint64_t value[WEIR_QUERY_MEASURES_MAX];
	uint64_t largest[WEIR_QUERY_MEASURES_MAX]; /* value among them */
};

/* @key: fields.key_bytes as weir_fields_keys() makes them; @value: one a measure. Both are valid during
 * the call. Non-zero stops, and becomes the result of the query. */
typedef int weir_query_emit_group(void *arg, const uint8_t *key, const uint64_t *value);

/**
 * weir_query_groups - sum the matching flows by fields; one call of @emit a group, in order.
 * A flow counts for both its hosts when "host" is a field (see fields.h). A time series
 * has a time bucket as first field and the order WEIR_ORDER_KEY. *@rest (may be NULL) is complete
 * before the first call of @emit.
 */
int weir_query_groups(struct weir_store *store, const struct weir_query *query,
		      const struct weir_query_spec *spec, weir_query_emit_group *emit, void *arg,
		      struct weir_query_rest *rest, struct weir_query_result *result);

/*
 * Conversations: both directions of one exchange, joined.
 *
 * The key is IP version, protocol and the two (address, port) ends, without regard to
 * direction, and the network namespace, tunnel and tunnel's id: where one packet is recorded in
 * several of them, each has its own conversation, with its own times. But not the ids of GTP-U, which differ by
 * direction, nor the VLAN or the interface, as on a router they do so too. The
 * "ports" of an ICMP echo or timestamp are those of the request, in both directions; other
 * ICMP types have their own, so errors stay apart. Records of one key, by start,
 * belong together until none was active for longer than gap_ns; then the next conversation
 * begins (ports are used again). So the pieces that the active timeout makes of a long
 * connection are one, and two connections closer than the gap as well.
 *
 * Forward is the direction of the record that started first (equal starts: towards the
 * lower port, then the lower address). That is the initiator if the beginning was seen: initiator_seen.
 *
 * The filter chooses records; a record is chosen as well if the filter holds with
 * its ends swapped (src and dst, in_if and out_if, MACs). So "src net 10.0.0.0/8" gives both
 * directions of what these networks are in.
 */
struct weir_pair_side {
	uint64_t records, packets, bytes;
	uint64_t start_ns, end_ns; /* 0: nothing was seen in this direction */
	uint64_t retransmitted, out_of_order, fragments;
	uint16_t tcp_flags; /* of all records */
	uint8_t min_ttl; /* smallest */
	uint8_t end_reason; /* of the record that ended last */
};

struct weir_pair {
	uint8_t src_addr[16], dst_addr[16]; /* of forward */
	uint16_t src_port, dst_port;
	uint8_t protocol, ip_version;
	/* Of the key; tunnel_id is 0 in GTP-U. For the order: they are not sent on. */
	uint8_t tunnel;
	uint32_t netns, tunnel_id;
	/* TCP: the first forward record has SYN. Others: there is a reverse side that
	 * began later, or none. */
	bool initiator_seen;
	uint64_t start_ns, end_ns;
	struct weir_pair_side forward, reverse;
	/* TCP, from the times of the first packets; 0: not known. The observer is between
	 * client and server: SYN at t0, SYN-ACK at t1, ACK at t2. */
	uint64_t server_rtt_ns; /* t1 - t0: observer - server - observer */
	uint64_t client_rtt_ns; /* t2 - t1: observer - client - observer */
	uint64_t rtt_ns; /* their sum; 0 unless both are known */
	uint64_t response_ns; /* first payload of the client to first payload of the server */
};

enum weir_pair_order {
	WEIR_PAIR_BY_END,
	WEIR_PAIR_BY_BYTES, /* of both directions */
	WEIR_PAIR_BY_PACKETS,
	WEIR_PAIR_BY_DURATION,
	WEIR_PAIR_BY_RTT,
	WEIR_PAIR_BY_RESPONSE,
	WEIR_PAIR_BY_RETRANSMITTED,
};

struct weir_pairs {
	enum weir_pair_order order; /* then by end, start and key */
	bool ascending;
	uint64_t limit; /* 0: all */
	uint64_t gap_ns; /* 0: WEIR_PAIR_GAP_NS */
};
#define WEIR_PAIR_GAP_NS (60ULL * 1000000000ULL)

#define WEIR_PAIR_ORDERS "end, bytes, packets, duration, rtt, response, retransmitted"
/* One of these words; -EINVAL. */
int weir_pair_order_parse(const char *word, enum weir_pair_order *order);
/* What an order compares. */
uint64_t weir_pair_value(const struct weir_pair *pair, enum weir_pair_order order);

typedef int weir_query_emit_pair(void *arg, const struct weir_pair *pair);

/* The conversations in order. *@count (may be NULL): how many there are, shown or not; known
 * before the first call of @emit. */
int weir_query_pairs(struct weir_store *store, const struct weir_query *query,
		     const struct weir_pairs *pairs, weir_query_emit_pair *emit, void *arg,
		     uint64_t *count, struct weir_query_result *result);

/**
 * weir_governor_new - bound what all queries of a process use together.
 * @threads: of all queries (0: one a core), but each has one at least; @memory_bytes: of all queries
 * (0: twice the default of one). A query that does not find its memory waits, first come first
 * served; but one that may spill takes half of what the others left, if that is less than it asked
 * for. One that asks for more memory than there is at all is bounded by what there is.
 */
int weir_governor_new(unsigned threads, uint64_t memory_bytes, struct weir_governor **governor);
/* No query may be running. */
void weir_governor_free(struct weir_governor *governor);

#endif
