// SPDX-License-Identifier: GPL-2.0
/*
 * reply_audit.c - the ledger of the cluster.
 *
 * Per stream: what was applied and what never came make up what the node claims ("master").
 * Per connected node: its own ledger, and its segments against ours ("replication"). And over
 * all: the sum of the nodes is the sum here ("cluster").
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/master/reply.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"

enum { TERMS_MAX = 4 };

struct check {
	Weir__Wire__Check message;
	Weir__Wire__Totals left, right, term_totals[TERMS_MAX];
	Weir__Wire__Term term[TERMS_MAX], *pointer[TERMS_MAX];
	struct weir_totals left_sum, right_sum;
	char note[512];
};

/* What a node says of its segments, taken from its own Check "summary". */
struct claim {
	bool known;
	uint64_t seq;
	struct weir_totals summed;
};

struct audit {
	struct weir_job *job;
	struct weir_master *master;
	const Weir__Wire__Ask *ask;
	struct claim *claim; /* by leg */
	size_t claims;
	struct weir_session_state *states;
	size_t connected;
	struct weir_totals nodes, here; /* for the cluster's line */
	uint64_t unconfirmed;		/* streams whose node could not be asked */
};

static void check_open(struct check *check, const char *node, char *hop, char *left_name,
		       const struct weir_totals *left, char *right_name)
{
	memset(check, 0, sizeof(*check));
	weir__wire__check__init(&check->message);
	check->message.node = (char *)node;
	check->message.hop = hop;
	check->message.left_name = left_name;
	check->message.right_name = right_name;
	check->left_sum = *left;
	check->message.terms = check->pointer;
	check->message.note = check->note;
}

static void check_term(struct check *check, char *name, const struct weir_totals *totals)
{
	size_t i = check->message.n_terms++;

	weir_totals_add(&check->right_sum, totals);
	weir_convert_totals_put(&check->term_totals[i], totals);
	weir__wire__term__init(&check->term[i]);
	check->term[i].name = name;
	check->term[i].totals = &check->term_totals[i];
	check->pointer[i] = &check->term[i];
}

static int check_send(struct check *check, struct weir_job *job, bool readable)
{
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Check *pointer = &check->message;

	weir_convert_totals_put(&check->left, &check->left_sum);
	weir_convert_totals_put(&check->right, &check->right_sum);
	check->message.left = &check->left;
	check->message.right = &check->right;
	check->message.holds = readable && weir_totals_equal(&check->left_sum, &check->right_sum);
	part.n_checks = 1;
	part.checks = &pointer;
	return weir_job_part(job, &part);
}

static bool is_summary(const Weir__Wire__Check *check)
{
	return strcmp(check->hop, "summary") == 0 && check->n_terms > 0 &&
	       strcmp(check->terms[0]->name, "in segments") == 0;
}

static int take_claim(struct audit *audit, size_t leg, const Weir__Wire__Check *check)
{
	if (leg >= audit->claims) {
		struct claim *grown = realloc(audit->claim, (leg + 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		memset(grown + audit->claims, 0, (leg + 1 - audit->claims) * sizeof(*grown));
		audit->claim = grown;
		audit->claims = leg + 1;
	}
	audit->claim[leg].known = true;
	audit->claim[leg].seq = check->seq;
	audit->claim[leg].summed = weir_convert_totals_get(check->terms[0]->totals);
	return 0;
}

/* What only a master can say. */
static bool is_of_a_master(const Weir__Wire__Check *check)
{
	return !strcmp(check->hop, "master") || !strcmp(check->hop, "replication") ||
	       !strcmp(check->hop, "cluster");
}

/* Passed on under the name it said Hello with: a node speaks for nobody else. */
static int pass_check(struct audit *audit, const char *name, const Weir__Wire__Check *check)
{
	Weir__Wire__Check copy = *check, *pointer = &copy;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;

	copy.node = (char *)name;
	part.n_checks = 1;
	part.checks = &pointer;
	return weir_job_part(audit->job, &part);
}

static int take_part(void *arg, size_t leg, const char *name, Weir__Wire__Part *part)
{
	struct audit *audit = arg;
	int result = 0;

	for (size_t i = 0; i < part->n_checks && !result; i++) {
		const Weir__Wire__Check *check = part->checks[i];

		if (is_of_a_master(check))
			continue;
		if (is_summary(check))
			result = take_claim(audit, leg, check);
		if (!result)
			result = pass_check(audit, name, check);
	}
	return result;
}

struct recount {
	struct weir_totals totals;
	uint64_t through; /* segments that come meanwhile are not in the sums compared with */
};

static int recount_segment(void *arg, uint64_t seq, const void *body, size_t body_bytes)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	struct recount *recount = arg;
	struct weir_totals totals;

	if (!segment)
		return -EBADMSG;
	totals = weir_convert_totals_get(segment->totals);
	if (seq <= recount->through)
		weir_totals_add(&recount->totals, &totals);
	weir__wire__segment__free_unpacked(segment, NULL);
	return 0;
}

/* What the node claimed at @seq: the running sum in our copy of that segment. */
static int claimed_at(struct weir_master *master, const struct weir_keep_stream *stream,
		      uint64_t seq, struct weir_totals *claimed)
{
	Weir__Wire__Segment *segment;
	size_t body_bytes;
	void *body;
	int result;

	memset(claimed, 0, sizeof(*claimed));
	if (!seq)
		return 0;
	result = weir_keep_segment(master->keep, stream->index, seq, &body, &body_bytes);
	if (result)
		return result;
	segment = weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	free(body);
	if (!segment)
		return -EBADMSG;
	*claimed = weir_convert_totals_get(segment->cumulative);
	weir__wire__segment__free_unpacked(segment, NULL);
	return 0;
}

/* The left side is read from the stored segment, the right from the sums kept beside it: that
 * they agree is what says both are right. */
static int audit_stream(struct audit *audit, const struct weir_keep_stream *stream)
{
	struct recount recount = {.totals = stream->applied, .through = stream->last_seq};
	struct weir_totals claimed;
	struct check check;
	int result = claimed_at(audit->master, stream, stream->last_seq, &claimed);

	if (!result && audit->ask->deep) {
		memset(&recount.totals, 0, sizeof(recount.totals));
		result = weir_keep_scan(audit->master->keep, stream->index, 0, UINT64_MAX,
					weir_job_cancelled(audit->job), recount_segment, &recount);
	}
	if (result == -ECANCELED)
		return result;
	check_open(&check, stream->name, "master", "claimed by the node", &claimed,
		   "applied here + never came");
	check_term(&check, audit->ask->deep ? "applied here, counted again" : "applied here",
		   &recount.totals);
	check_term(&check, "never came", &stream->missing);
	check.message.seq = stream->last_seq;
	if (result)
		snprintf(check.note, sizeof(check.note), "reading segments: %s", strerror(-result));
	else if (stream->gaps)
		snprintf(check.note, sizeof(check.note), "%llu segments never came, in %llu gaps",
			 (unsigned long long)stream->missing_segments,
			 (unsigned long long)stream->gaps);
	return check_send(&check, audit->job, !result);
}

static const struct claim *claim_of(const struct audit *audit, const struct weir_legs *legs,
				    const struct weir_keep_stream *stream)
{
	for (size_t i = 0; i < legs->count && i < audit->claims; i++)
		if (legs->leg[i].answered && audit->claim[i].known &&
		    !memcmp(legs->leg[i].node_id, stream->node_id, WEIR_KEEP_ID_BYTES) &&
		    !memcmp(legs->leg[i].epoch, stream->epoch, WEIR_KEEP_ID_BYTES))
			return &audit->claim[i];
	return NULL;
}

/* Nobody to compare with: what is here stands for it on both sides of the cluster's line. */
static void take_as_is(struct audit *audit, const struct weir_keep_stream *stream)
{
	audit->unconfirmed++;
	weir_totals_add(&audit->nodes, &stream->cumulative);
	weir_totals_add(&audit->here, &stream->applied);
	weir_totals_add(&audit->here, &stream->missing);
}

/* What is on the way is worked out from the node's claim, so it would make any equation
 * hold: it counts only if the node goes on from the history that is here. NULL: it does. */
static const char *why_unconfirmed(const struct audit *audit, const struct weir_keep_stream *stream)
{
	for (size_t i = 0; i < audit->connected; i++) {
		const struct weir_session_state *state = &audit->states[i];

		if (memcmp(state->node_id, stream->node_id, WEIR_KEEP_ID_BYTES) ||
		    memcmp(state->epoch, stream->epoch, WEIR_KEEP_ID_BYTES))
			continue;
		if (state->rejected[0])
			return state->rejected;
		return state->confirmed ? NULL : "no segment came on this connection yet, so its "
						 "history is not known to be the one here";
	}
	return "it disconnected while it was asked";
}

/* What is in all segments up to @through, of which some may never have come. */
static void add_here(struct check *check, const struct weir_keep_stream *stream, uint64_t through,
		     struct weir_totals *here)
{
	if (!stream->gaps) {
		check_term(check, "in segments here", here);
	} else if (through == stream->last_seq) {
		weir_totals_subtract(here, &stream->missing);
		check_term(check, "in segments here", here);
		check_term(check, "never came", &stream->missing);
	} else {
		check_term(check, "in segments here, or never came", here);
	}
}

static void add_waiting(struct check *check, uint64_t behind)
{
	struct weir_totals waiting = check->left_sum;
	const struct weir_totals *here = &check->right_sum;

	snprintf(check->note, sizeof(check->note), "%llu segments behind",
		 (unsigned long long)behind);
	/* If we have more than the node claims, this would wrap: then they differ. */
	if (here->flows > waiting.flows || here->packets > waiting.packets ||
	    here->bytes > waiting.bytes)
		return;
	weir_totals_subtract(&waiting, here);
	check_term(check, "on the way", &waiting);
}

/* What the node summed up, and we have up to the same segment, or behind it so much. */
static int audit_replication(struct audit *audit, const struct weir_keep_stream *stream,
			     const struct claim *claim)
{
	uint64_t through = claim->seq < stream->last_seq ? claim->seq : stream->last_seq;
	uint64_t behind = claim->seq - through;
	const char *unconfirmed = behind ? why_unconfirmed(audit, stream) : NULL;
	struct weir_totals here;
	struct check check;
	int result = claimed_at(audit->master, stream, through, &here);
	bool readable = !result && !unconfirmed;

	check_open(&check, stream->name, "replication", "in segments at the node", &claim->summed,
		   behind ? "in segments here + on the way" : "in segments here");
	check.message.seq = through;
	add_here(&check, stream, through, &here);
	if (behind)
		add_waiting(&check, behind);
	if (unconfirmed)
		snprintf(check.note, sizeof(check.note), "%llu segments behind: %s",
			 (unsigned long long)behind, unconfirmed);
	if (result)
		snprintf(check.note, sizeof(check.note), "segment %llu: %s",
			 (unsigned long long)through, strerror(-result));
	if (readable) {
		weir_totals_add(&audit->nodes, &claim->summed);
		weir_totals_add(&audit->here, &check.right_sum);
	} else {
		take_as_is(audit, stream);
	}
	return check_send(&check, audit->job, readable);
}

static int audit_all(struct audit *audit, const struct weir_legs *legs)
{
	struct weir_keep_stream *streams;
	size_t count;
	int result = weir_keep_streams(audit->master->keep, &streams, &count);

	if (result)
		return result;
	for (size_t i = 0; i < count && !result; i++) {
		const struct claim *claim = claim_of(audit, legs, &streams[i]);

		if (!weir_reply_is_asked(audit->ask, streams[i].name))
			continue;
		result = audit_stream(audit, &streams[i]);
		if (!result && claim) {
			result = audit_replication(audit, &streams[i], claim);
		} else if (!result) {
			take_as_is(audit, &streams[i]);
		}
	}
	free(streams);
	return result;
}

static int audit_cluster(struct audit *audit)
{
	struct check check;

	check_open(&check, "", "cluster", "sum over nodes", &audit->nodes,
		   "sum here, with what is on the way");
	check_term(&check, "sum here", &audit->here);
	if (audit->unconfirmed)
		snprintf(check.note, sizeof(check.note),
			 "%llu streams are taken as they are here: their nodes could not be asked, "
			 "or their stores are gone",
			 (unsigned long long)audit->unconfirmed);
	return check_send(&check, audit->job, true);
}

void weir_reply_audit(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master)
{
	struct audit audit = {.job = job, .master = master, .ask = ask};
	struct weir_ending ending = {0};
	struct weir_legs legs;
	int result = weir_fanout_ask(master->fanout, ask, weir_job_cancelled(job), take_part,
				     &audit, &legs);

	if (!result)
		result = weir_sessions_states(&audit.states, &audit.connected);
	if (!result) {
		weir_ending_legs(&ending, &legs);
		result = audit_all(&audit, &legs);
		weir_legs_free(&legs);
	}
	if (!result)
		result = audit_cluster(&audit);
	weir_ending_send(&ending, job, result);
	free(audit.claim);
	free(audit.states);
}
