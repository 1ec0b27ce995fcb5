// SPDX-License-Identifier: GPL-2.0
/*
 * keeper.c - the thread that keeps quotas: it makes roll-ups of the segments there are, and removes
 * what is older or more than what is to be kept.
 *
 * A record or a segment goes only when it is in roll-ups, and when every master has the segment or
 * the spool is full of later ones. So a master that is away holds up what its spool may
 * hold, and no more.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/node/node.h"
#include "daemon/node/rollup.h"

static struct {
	pthread_mutex_t lock; /* of what follows, up to the next comment */
	pthread_cond_t changed;
	bool running, stop, work;
	struct weir_node_keep keep;
	char said[160]; /* for weir_keeper_describe() */
	/* The thread's own. */
	struct weir_node *node;
	pthread_t thread;
	bool losing; /* reported: the spool drops what a master still lacks */
	bool ahead; /* reported: the clock jumped */
	int error; /* reported */
	uint64_t waiting_since_ns; /* monotonic: records are due to go and cannot; 0: they are not */
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Ages come without anybody telling. */
static const uint64_t look_ns = 10 * WEIR_NS_PER_SECOND;
/* Records wait for the end of their minute, or of an interval that is longer: no news. */
static const uint64_t patience_ns = 300 * WEIR_NS_PER_SECOND;

/* The last segment that every master has acknowledged, as far as its cursor tells. */
static uint64_t acknowledged(const struct weir_node *node, uint64_t last)
{
	for (unsigned i = 0; i < node->config.masters; i++) {
		uint64_t seq;

		if (weir_store_get_cursor(node->store, node->config.master[i].name, &seq))
			return 0;
		if (seq < last)
			last = seq;
	}
	return last;
}

/* Segments up to this one have no place in the spool any more. */
static uint64_t beyond_spool(const struct weir_node_keep *keep, uint64_t last)
{
	return keep->spool_segments && last > keep->spool_segments ? last - keep->spool_segments : 0;
}

static void keep_spool(const struct weir_node_keep *keep, uint64_t through, uint64_t acked)
{
	struct weir_node *node = keeper.node;
	bool losing = acked < through;
	uint64_t oldest;

	if (!through || weir_store_oldest_segment(node->store, &oldest) || !oldest ||
	    oldest > through)
		return;
	if (losing && !keeper.losing)
		weir_log_warn("the spool of %" PRIu64 " segments is full: from segment %" PRIu64
			      " on they are dropped before every master has them; \"weir nodes\" "
			      "tells which is behind", keep->spool_segments, oldest);
	else if (!losing && keeper.losing)
		weir_log_info("every master has segment %" PRIu64 ", the last one dropped: no "
			      "more are lost", through);
	keeper.losing = losing;
	weir_store_drop_segments(node->store, through);
}

/* One line for each change. */
static void say(const char *sentence)
{
	bool changed;

	pthread_mutex_lock(&keeper.lock);
	changed = strcmp(keeper.said, sentence);
	snprintf(keeper.said, sizeof(keeper.said), "%s", sentence);
	pthread_mutex_unlock(&keeper.lock);
	if (changed && *sentence)
		weir_log_warn("%s", sentence);
	else if (changed)
		weir_log_info("what is kept is within its quota again");
}

static void note_waiting(bool waiting, bool for_master)
{
	uint64_t now = weir_clock_monotonic_ns();

	if (!waiting)
		keeper.waiting_since_ns = 0;
	else if (!keeper.waiting_since_ns)
		keeper.waiting_since_ns = now;
	if (!waiting)
		say("");
	else if (now - keeper.waiting_since_ns > patience_ns + keeper.node->config.interval_ns)
		say(for_master ? "more records are kept than the quota says: a master lacks their "
				 "summaries" :
				 "more records are kept than the quota says: they are not rolled up");
}

static int keep_records(const struct weir_node_keep *keep, uint64_t block, uint64_t rolled,
			uint64_t acked, uint64_t now_ns)
{
	struct weir_store_quota quota = {.keep_ns = keep->raw_ns,
					 .keep_bytes = keep->raw_bytes,
					 .release_block = block,
					 .release_segment = acked < rolled ? acked : rolled};
	struct weir_store_retained retained;
	int ret;

	weir_store_set_quota(keeper.node->store, &quota);
	ret = weir_store_retain(keeper.node->store, &quota, now_ns, &retained);
	if (!ret)
		note_waiting(retained.waiting, acked < rolled);
	return ret;
}

static int keep_rollups(const struct weir_node_keep *keep, uint64_t now_ns)
{
	int ret = 0;

	for (unsigned i = 0; i < WEIR_ROLLUP_LEVELS && !ret; i++) {
		unsigned removed;

		ret = weir_rollup_retain(keeper.node->store, (enum weir_rollup_level)i,
					 keep->rollup_ns[i], keep->rollup_bytes[i],
					 now_ns, &removed);
	}
	return ret;
}

/* For ages. One line for each change. */
static uint64_t age_clock(void)
{
	uint64_t now = weir_clock_now_ns(), age = weir_store_age_clock(keeper.node->store, now);
	bool ahead = age != now;

	if (ahead && !keeper.ahead)
		weir_log_warn("the clock is %" PRIu64 " days ahead of what was stored last: nothing goes for "
			      "its age because of that for a day", (uint64_t)((now - age) / (86400 * WEIR_NS_PER_SECOND)));
	keeper.ahead = ahead;
	return age;
}

static int work(const struct weir_node_keep *keep)
{
	struct weir_node *node = keeper.node;
	struct weir_store_summed summed;
	struct weir_rollup_sums rolled;
	uint64_t acked, beyond, now_ns;
	int ret = weir_rollup_run(node), other;

	other = weir_store_summed(node->store, &summed);
	if (!other)
		other = weir_rollup_sums(node->store, WEIR_ROLLUP_MINUTE, &rolled);
	if (other)
		return other;
	/* Nothing waits for roll-ups that cannot be made because their file is damaged. */
	if (!weir_rollup_is_open(node->store))
		rolled = (struct weir_rollup_sums){.segment = summed.seq, .block = summed.block};
	acked = acknowledged(node, summed.seq);
	beyond = beyond_spool(keep, summed.seq);
	keep_spool(keep, beyond < rolled.segment ? beyond : rolled.segment, acked);
	if (acked < beyond)
		acked = beyond;
	now_ns = age_clock();
	other = keep_records(keep, rolled.block, rolled.segment, acked, now_ns);
	if (!other)
		other = keep_rollups(keep, now_ns);
	return ret ? ret : other;
}

static void report(int error)
{
	if (error && error != keeper.error)
		weir_log_error("keeping quotas: %s; trying again", strerror(-error));
	else if (!error && keeper.error)
		weir_log_info("keeping quotas again");
	keeper.error = error;
}

static void wait_for_work(void)
{
	uint64_t at = weir_clock_monotonic_ns() + look_ns;
	struct timespec until = {(time_t)(at / WEIR_NS_PER_SECOND), (long)(at % WEIR_NS_PER_SECOND)};

	while (!keeper.stop && !keeper.work)
		if (pthread_cond_clockwait(&keeper.changed, &keeper.lock, CLOCK_MONOTONIC, &until))
			break;
}

static void *run(void *arg)
{
	pthread_mutex_lock(&keeper.lock);
	while (!keeper.stop) {
		struct weir_node_keep keep = keeper.keep;

		keeper.work = false;
		pthread_mutex_unlock(&keeper.lock);
		report(work(&keep));
		pthread_mutex_lock(&keeper.lock);
		wait_for_work();
	}
	pthread_mutex_unlock(&keeper.lock);
	return NULL;
}

int weir_keeper_start(struct weir_node *node)
{
	sigset_t all, before;
	int ret;

	keeper.node = node;
	keeper.keep = node->config.keep;
	keeper.stop = false;
	keeper.said[0] = '\0';
	keeper.losing = false;
	keeper.ahead = false;
	keeper.error = 0;
	keeper.waiting_since_ns = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&keeper.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	keeper.running = !ret;
	return ret;
}

void weir_keeper_stop(void)
{
	if (!keeper.running)
		return;
	pthread_mutex_lock(&keeper.lock);
	keeper.stop = true;
	pthread_cond_signal(&keeper.changed);
	pthread_mutex_unlock(&keeper.lock);
	pthread_join(keeper.thread, NULL);
	keeper.running = false;
}

void weir_keeper_wake(void)
{
	pthread_mutex_lock(&keeper.lock);
	keeper.work = true;
	pthread_cond_signal(&keeper.changed);
	pthread_mutex_unlock(&keeper.lock);
}

void weir_keeper_set(const struct weir_node_keep *keep)
{
	pthread_mutex_lock(&keeper.lock);
	keeper.keep = *keep;
	keeper.work = true;
	pthread_cond_signal(&keeper.changed);
	pthread_mutex_unlock(&keeper.lock);
}

void weir_keeper_describe(char *text, size_t bytes)
{
	pthread_mutex_lock(&keeper.lock);
	snprintf(text, bytes, "%s", keeper.said);
	pthread_mutex_unlock(&keeper.lock);
}
