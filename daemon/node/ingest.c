// SPDX-License-Identifier: GPL-2.0
/*
 * ingest.c - the thread between the kernel's stream and the store.
 *
 * Why a kill -9 at any instruction neither loses nor repeats a record
 *
 * Let the stream be batches 1, 2, ... of one instance. The store has, in one
 * transaction, the records of batches 1..P (those of this instance that it was
 * given) and the number P. The kernel has every batch above A, its last
 * acknowledged one. We keep A <= P at every instant:
 *
 *   - A moves in two ways only. ACK(n) is sent after a commit that returned with
 *     P = n. SUBSCRIBE(n + 1) is sent with n = P as read from the store, or as
 *     committed by this thread; never while records sit in memory uncommitted.
 *   - P moves only by a commit, forward, by all the batches whose records are in
 *     the same transaction, none left out: a batch is taken only if its number is the
 *     expected one.
 *
 * So wherever we are killed, the disk has exactly 1..P and the kernel has at least
 * P+1 and all later ones. On restart we subscribe at P+1. Not lost: those above P are in
 * the kernel as A <= P. Not repeated: the kernel sends from P+1 on, and a batch with a
 * number below the expected one would be passed over. What was in memory or in the
 * socket's queue was above P and comes again, the same to the last byte. A kill
 * between commit and ACK leaves A < P: the SUBSCRIBE acknowledges. A kill inside
 * the commit: LMDB's root page is written last, so the transaction is there or
 * it is not, and P with it. Summaries are made from committed blocks only and
 * rebuilt from those that no segment covers. Merging small blocks (between commits, when
 * nothing waits) is a transaction that moves neither P nor a sum, and touches only blocks that a
 * segment covers.
 *
 * A full disk is the same case, drawn out: the commit fails, P stays, nothing is
 * acknowledged, we stop reading, the kernel's window closes, and the back-pressure
 * is the kernel's to bear and to count. What was taken stays in memory and is
 * tried again each second.
 *
 * A gap within a subscription (a message that was lost between the kernel and us)
 * is no loss: commit, subscribe again, and the kernel sends it again. Only what
 * the answer to SUBSCRIBE or the END message says is gone is counted as missing.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/node/intake.h"
#include "daemon/node/position.h"

enum {
	/* Messages read before looking at deadlines again. */
	DRAIN_MAX = 64,
	SAID_BYTES = WEIR_KERNEL_WHY + 64,
	/* CPUs whose batches are counted apart; more share a count, and are committed sooner. */
	CPUS = 256,
};

static const uint64_t retry_ns = WEIR_NS_PER_SECOND;
/* The module takes 2 s at most for its farewell (kmod/export.c). */
static const uint64_t gone_ns = 5 * WEIR_NS_PER_SECOND;

static struct ingest {
	struct weir_node *node;
	const struct weir_kernel_ops *ops;
	pthread_t thread;
	int stop_fd;
	struct weir_intake intake;
	struct weir_kernel *kernel; /* NULL: not subscribed */
	uint64_t expected; /* next batch */
	uint64_t acked; /* last one acknowledged */
	unsigned log_half; /* of what the kernel holds for one CPU: then commit */
	unsigned taken[CPUS]; /* since the last commit, by CPU */
	unsigned taken_most;  /* the largest of these */
	bool over; /* leave this subscription once all is committed */
	uint64_t gone_since; /* monotonic: the module denies our instance since; 0: it does not */
	bool gone; /* for so long that what is in the socket is all there will be */
	uint64_t retry_at; /* monotonic: not before, subscribe or commit again */
	bool closing; /* what failed last is the closing of the interval, not a commit */
	int close_error; /* reported: the interval cannot be closed, though the disk works */
	bool merging; /* there may be small blocks to merge */
	int merge_error; /* reported */
	char said[SAID_BYTES]; /* the last state reported */
} ingest;

/* One line for each change of state, however often it is tried. */
static void say(struct ingest *in, const char *sentence)
{
	if (!strcmp(in->said, sentence))
		return;
	snprintf(in->said, sizeof(in->said), "%s", sentence);
	weir_log_warn("%s", sentence);
}

static void detach(struct ingest *in)
{
	if (in->kernel)
		in->ops->close(in->kernel);
	in->kernel = NULL;
	in->over = false;
	in->gone = false;
	in->gone_since = 0;
	in->retry_at = weir_clock_monotonic_ns() + retry_ns;
	atomic_store(&in->node->attached, false);
}

static bool is_storing(const struct ingest *in)
{
	return !atomic_load(&in->node->store_error);
}

/* Whether storing goes on. One line for each change, with what is in the way. */
static void set_storing(struct ingest *in, int error)
{
	int was = atomic_exchange(&in->node->store_error, error);

	if (error)
		in->retry_at = weir_clock_monotonic_ns() + retry_ns;
	if (error == was)
		return;
	if (error == -ENOSPC)
		weir_log_error("%s: the disk is full (below min_free): not storing; the kernel "
			       "keeps records until there is room, nothing is acknowledged",
			       in->node->config.state);
	else if (error)
		weir_log_error("%s: cannot store: %s; trying again every second, nothing is "
			       "acknowledged until then",
			       in->node->config.state, strerror(-error));
	else
		weir_log_info("%s: storing again", in->node->config.state);
}

/* Commit what was taken, then tell the kernel. */
static bool save(struct ingest *in)
{
	int ret = weir_intake_commit(&in->intake);

	if (ret)
		in->closing = false;
	/* Nothing to commit says nothing about a disk that had no room for a segment. */
	if (!in->closing)
		set_storing(in, ret);
	if (ret)
		return false;
	if (!in->kernel || in->intake.position.seq <= in->acked)
		return true;
	in->acked = in->intake.position.seq;
	ret = in->ops->ack(in->kernel, in->intake.position.instance, in->acked);
	if (ret) {
		weir_log_warn("acknowledging batch %" PRIu64 ": %s; subscribing again", in->acked,
			      strerror(-ret));
		in->over = true;
	}
	return true;
}

static bool is_disk_error(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EIO || error == -EROFS;
}

/* A disk that fails would fail the next commit too. Anything else concerns the summary
 * alone: records go on being stored, and the interval becomes longer. */
static void note_close(struct ingest *in, int error)
{
	bool disk = is_disk_error(error);

	in->closing = disk;
	set_storing(in, disk ? error : 0);
	if (disk)
		return;
	if (error)
		in->intake.close_ns = weir_clock_monotonic_ns() + retry_ns;
	if (error && error != in->close_error)
		weir_log_error("%s: the interval cannot be summed up: %s; trying again every "
			       "second, records are stored meanwhile",
			       in->node->config.state, strerror(-error));
	else if (!error && in->close_error)
		weir_log_info("%s: intervals are summed up again", in->node->config.state);
	in->close_error = error;
}

static void close_interval(struct ingest *in)
{
	int ret;

	if (!save(in))
		return;
	ret = weir_intake_close_interval(&in->intake);
	note_close(in, ret);
	if (ret)
		return;
	in->merging = true; /* what this segment covers is ripe */
	/* No END came, but the instance is gone: its socket would stay silent for
	 * ever. While it ends, there may still come something. */
	if (!in->intake.kernel_gone || !in->kernel)
		in->gone_since = 0;
	else if (!in->gone_since)
		in->gone_since = weir_clock_monotonic_ns();
	else if (weir_clock_monotonic_ns() - in->gone_since > gone_ns)
		in->gone = true;
}

/* Half of what the kernel can hold for us, so that it never waits for commit_ns. Its logs are the
 * CPUs' own, and one CPU may make all of the traffic. */
static unsigned log_half(struct ingest *in)
{
	struct weir_kernel_stats stats;
	unsigned most = WEIR_KERNEL_WINDOW;

	if (!in->ops->get_stats(&stats) && stats.cpus && stats.log_batches / stats.cpus < most)
		most = stats.log_batches / stats.cpus;
	return most > 1 ? most / 2 : 1;
}

static void count_batch(struct ingest *in, uint32_t cpu)
{
	if (in->intake.batches == 1) { /* the first since a commit */
		memset(in->taken, 0, sizeof(in->taken));
		in->taken_most = 0;
	}
	if (++in->taken[cpu % CPUS] > in->taken_most)
		in->taken_most = in->taken[cpu % CPUS];
}

/* Whether to commit before taking more: what comes would not fit, or the kernel's logs fill up. */
static bool is_full(const struct ingest *in)
{
	return !weir_intake_has_room(&in->intake) ||
	       in->intake.batches >= WEIR_KERNEL_WINDOW / 2 ||
	       (in->intake.batches && in->taken_most >= in->log_half);
}

static void note_start(struct ingest *in, const struct weir_kernel_start *start)
{
	struct weir_store_position *position = &in->intake.position;
	uint64_t was = position->instance, seq = position->seq;
	bool ended = position->ended;
	char said[SAID_BYTES];

	if (weir_position_start(position, start)) {
		weir_intake_touch(&in->intake);
		if (was && !ended)
			weir_log_warn("instance %016" PRIx64 " of the module ended unseen: what it "
				      "had beyond batch %" PRIu64 " is lost, and nobody knows how "
				      "much that was", was, seq);
		else if (was)
			weir_log_info("instance %016" PRIx64 " of the module is over; stored up "
				      "to its batch %" PRIu64,
				      was, seq);
	}
	in->expected = start->seq > position->seq ? start->seq : position->seq + 1;
	in->acked = in->expected - 1;
	snprintf(said, sizeof(said), "reading instance %016" PRIx64 " from batch %" PRIu64 " on",
		 start->instance, in->expected);
	if (strcmp(said, in->said))
		weir_log_info("%s", said);
	snprintf(in->said, sizeof(in->said), "%s", said);
	if (in->expected > position->seq + 1)
		weir_log_error("%" PRIu64 " batches of instance %016" PRIx64 " are missing: "
			       "they were acknowledged before, but are not in this store",
			       in->expected - position->seq - 1, start->instance);
}

static void attach(struct ingest *in)
{
	const struct weir_store_position *position = &in->intake.position;
	struct weir_kernel_start start;
	char why[WEIR_KERNEL_WHY] = "", said[SAID_BYTES];
	int ret = 0;

	in->retry_at = weir_clock_monotonic_ns() + retry_ns;
	if (in->node->config.configure_kernel)
		ret = in->ops->configure(&in->node->config, why);
	if (!ret)
		ret = in->ops->open(&in->kernel, why);
	if (!ret)
		ret = in->ops->subscribe(in->kernel, position->instance,
					 position->instance ? position->seq + 1 : 0, &start, why);
	if (ret) {
		snprintf(said, sizeof(said), "waiting for the kernel: %s",
			 *why ? why : strerror(-ret));
		say(in, said);
		detach(in);
		return;
	}
	note_start(in, &start);
	in->log_half = log_half(in);
	in->over = false;
	atomic_store(&in->node->attached, true);
}

static void take_batch(struct ingest *in, const struct weir_kernel_event *batch)
{
	int ret;

	switch (weir_position_check(&in->intake.position, in->expected, batch)) {
	case WEIR_POSITION_AGAIN:
		weir_log_warn("batch %" PRIu64 " came again; passed over", batch->seq);
		return;
	case WEIR_POSITION_GAP:
		weir_log_warn("batch %" PRIu64 " came instead of %" PRIu64 "; subscribing again",
			      batch->seq, in->expected);
		in->over = true;
		return;
	case WEIR_POSITION_FOREIGN:
		weir_log_warn("a batch of instance %016" PRIx64 " came; subscribing again",
			      batch->instance);
		in->over = true;
		return;
	case WEIR_POSITION_NEXT:
		break;
	}
	ret = weir_intake_take(&in->intake, batch);
	if (ret == -EBADMSG) {
		weir_log_error("batch %" PRIu64 " cannot be read (%zu bytes, records of %u): is the "
			       "module of another version?",
			       batch->seq, batch->record_bytes, batch->record_size);
		in->over = true;
		return;
	}
	if (ret)
		weir_log_error("batch %" PRIu64 ": the kernel's sum of batches up to it differs "
			       "from what came; the difference is counted as missing",
			       batch->seq);
	in->expected++;
	count_batch(in, batch->cpu);
}

static void take_event(struct ingest *in, const struct weir_kernel_event *event)
{
	uint64_t missing;

	if (event->kind == WEIR_KERNEL_BATCH) {
		take_batch(in, event);
		return;
	}
	in->over = true;
	if (event->kind == WEIR_KERNEL_REFUSED) {
		weir_log_warn("the kernel refused an acknowledgement: %s; subscribing again",
			      event->why);
		return;
	}
	if (event->instance != in->intake.position.instance)
		return;
	missing = weir_position_end(&in->intake.position, event);
	weir_intake_touch(&in->intake);
	if (missing)
		weir_log_error("metering stopped: %" PRIu64 " batches of instance %016" PRIx64
			       " did not reach us, up to %" PRIu64,
			       missing, event->instance, event->seq);
	else
		weir_log_info("metering stopped; all %" PRIu64 " batches of instance %016" PRIx64
			      " are here",
			      event->seq, event->instance);
}

/* Returns whether anything was there. */
static bool drain(struct ingest *in)
{
	struct weir_kernel_event event;
	bool any = false;

	for (unsigned i = 0; i < DRAIN_MAX && !in->over; i++) {
		int ret;

		/* Never take what a failing commit would leave no room for. */
		if (is_full(in) && !save(in))
			return any;
		ret = in->ops->receive(in->kernel, &event);
		if (ret == -EAGAIN || ret == -EINTR) {
			in->over |= in->gone;
			return any;
		}
		if (ret) {
			weir_log_warn("reading from the kernel: %s; subscribing again",
				      strerror(-ret));
			in->over = true;
			return any;
		}
		take_event(in, &event);
		any = true;
	}
	return any;
}

static uint64_t next_deadline(const struct ingest *in)
{
	uint64_t deadline = in->intake.close_ns, due = weir_intake_commit_due(&in->intake);

	if (!is_storing(in))
		return in->retry_at;
	if (due < deadline)
		deadline = due;
	if (!in->kernel && in->retry_at < deadline)
		deadline = in->retry_at;
	return deadline;
}

/* Wait for messages, the next deadline, or the end. Returns whether messages are there. */
static bool wait_for_work(struct ingest *in)
{
	bool reading = in->kernel && !in->over && is_storing(in);
	uint64_t now = weir_clock_monotonic_ns(), deadline = next_deadline(in);
	struct pollfd fds[2] = {{.fd = in->stop_fd, .events = POLLIN},
				{.fd = reading ? in->ops->fd(in->kernel) : -1, .events = POLLIN}};
	struct timespec wait = {0};

	if (deadline > now) {
		wait.tv_sec = (deadline - now) / WEIR_NS_PER_SECOND;
		wait.tv_nsec = (deadline - now) % WEIR_NS_PER_SECOND;
	}
	/* The rest of a subscription that is over is due at once; merging is for idle moments. */
	if ((in->over || in->gone || in->merging) && is_storing(in))
		wait = (struct timespec){0};
	if (ppoll(fds, 2, &wait, NULL) <= 0)
		return reading && in->gone;
	return reading && fds[1].revents;
}

/* Nothing is there to take: make some larger block of small ones, which takes no longer than a
 * commit. What goes wrong with it concerns nothing else. */
static void merge(struct ingest *in)
{
	int ret = weir_store_merge(in->node->store, weir_clock_now_ns());

	in->merging = ret > 0;
	if (ret < 0 && ret != in->merge_error)
		weir_log_warn("%s: small blocks cannot be merged: %s; trying again after each "
			      "interval", in->node->config.state, strerror(-ret));
	in->merge_error = ret < 0 ? ret : 0;
}

static void step(struct ingest *in)
{
	uint64_t now = weir_clock_monotonic_ns();

	if (!is_storing(in) && now >= in->retry_at) {
		if (in->closing)
			close_interval(in);
		else
			save(in);
	}
	if (!is_storing(in))
		return;
	if (in->over && save(in))
		detach(in);
	if (!in->kernel && now >= in->retry_at && save(in))
		attach(in);
	if (!(wait_for_work(in) && drain(in)) && in->merging && is_storing(in))
		merge(in);
}

static void *run(void *arg)
{
	struct ingest *in = arg;

	while (!atomic_load(&in->node->stopping)) {
		step(in);
		if (!is_storing(in)) {
			wait_for_work(in);
			continue;
		}
		if (weir_clock_monotonic_ns() >= weir_intake_commit_due(&in->intake))
			save(in);
		if (weir_clock_monotonic_ns() >= in->intake.close_ns)
			close_interval(in);
	}
	if (!save(in) && in->intake.count)
		weir_log_error("stopping with %zu records not stored; the kernel still has them",
			       in->intake.count);
	detach(in);
	return NULL;
}

int weir_ingest_start(struct weir_node *node)
{
	sigset_t all, before;
	int ret;

	memset(&ingest, 0, sizeof(ingest));
	if (!node->kernel)
		node->kernel = &weir_kernel_netlink;
	ingest.node = node;
	ingest.ops = node->kernel;
	ingest.stop_fd = eventfd(0, EFD_CLOEXEC);
	if (ingest.stop_fd < 0)
		return -errno;
	atomic_store(&node->stopping, false);
	atomic_store(&node->store_error, 0);
	ret = weir_intake_open(&ingest.intake, node);
	if (!ret) {
		/* Signals are the event loop's. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		ret = -pthread_create(&ingest.thread, NULL, run, &ingest);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (ret)
			weir_intake_close(&ingest.intake);
	}
	if (ret)
		close(ingest.stop_fd);
	return ret;
}

void weir_ingest_stop(struct weir_node *node)
{
	atomic_store(&node->stopping, true);
	if (eventfd_write(ingest.stop_fd, 1))
		weir_log_error("cannot stop the ingest thread: %s", strerror(errno));
	pthread_join(ingest.thread, NULL);
	weir_intake_close(&ingest.intake);
	close(ingest.stop_fd);
}
