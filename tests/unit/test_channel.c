// SPDX-License-Identifier: GPL-2.0
/* channel.c: what a connection holds, whatever its peer does. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "daemon/common/clock.h"
#include "daemon/wire/channel.h"

enum {
	PING_BYTES = 64 << 20, /* far more than what may be queued for the answers to them */
	QUIET_TURNS = 200,
};

static struct event_base *base;
static struct weir_channel *channel;
static int peer;
static unsigned closed, drained;

static void on_nothing(void *arg)
{
}

static void on_frame(void *arg, Weir__Wire__Frame *frame)
{
}

static void on_drained(void *arg)
{
	drained++;
}

static void on_closed(void *arg, const char *reason)
{
	closed++;
}

static const struct weir_channel_ops ops = {
	.connected = on_nothing, .frame = on_frame, .drained = on_drained, .closed = on_closed};

static void open_channel(const struct weir_channel_options *options)
{
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	base = event_base_new();
	channel = weir_channel_new(base, fds[0], options, &ops, NULL);
	ck_assert_ptr_nonnull(channel);
	weir_channel_trust(channel, 1 << 16);
	peer = fds[1];
	closed = drained = 0;
}

static void close_channel(void)
{
	weir_channel_free(channel);
	event_base_free(base);
	close(peer);
}

/* Pings, one after the other; *@one is the size of each. */
static char *make_pings(size_t *one)
{
	struct evbuffer *buffer = evbuffer_new();
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Ping ping = WEIR__WIRE__PING__INIT;
	char *pings = malloc(PING_BYTES);

	ping.id = 7;
	frame.body_case = WEIR__WIRE__FRAME__BODY_PING;
	frame.ping = &ping;
	ck_assert_int_eq(weir_frame_put(buffer, &frame), 0);
	*one = evbuffer_get_length(buffer);
	evbuffer_remove(buffer, pings, *one);
	evbuffer_free(buffer);
	for (size_t at = *one; at + *one <= PING_BYTES; at += *one)
		memcpy(pings + at, pings, *one);
	return pings;
}

/* Let the channel work until it has taken nothing of @bytes for many turns. Returns what it took. */
static size_t push(const char *bytes, size_t count)
{
	size_t sent = 0;

	for (unsigned quiet = 0; quiet < QUIET_TURNS && sent < count; quiet++) {
		ssize_t n = write(peer, bytes + sent, count - sent);

		if (n > 0) {
			sent += (size_t)n;
			quiet = 0;
		}
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	return sent;
}

/* A peer that sends Pings and reads no answer must not make us hold them all. */
START_TEST(test_pings_unread)
{
	struct weir_channel_options options = {.dead_ns = WEIR_NS_PER_SECOND / 5};
	uint64_t until = weir_clock_monotonic_ns() + WEIR_NS_PER_SECOND;
	size_t one, sent, more;
	char *pings, *scratch;

	open_channel(&options);
	pings = make_pings(&one);
	sent = push(pings, PING_BYTES / one * one);
	ck_assert_uint_lt(sent, 4 * WEIR_CHANNEL_QUEUE_BYTES);
	ck_assert(weir_channel_full(channel));
	/* It is we who do not read, so its silence says nothing. */
	while (weir_clock_monotonic_ns() < until)
		event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(closed, 0);

	/* Once it reads its answers, it is read from again. */
	scratch = malloc(1 << 20);
	for (unsigned quiet = 0; quiet < QUIET_TURNS; quiet++) {
		if (read(peer, scratch, 1 << 20) > 0)
			quiet = 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert(!weir_channel_full(channel));
	ck_assert_uint_ge(drained, 1);
	more = push(pings + sent % one, one * 1000);
	ck_assert_uint_eq(more, one * 1000);
	ck_assert_uint_eq(closed, 0);
	free(scratch);
	free(pings);
	close_channel();
}
END_TEST

START_TEST(test_write_timeout)
{
	struct weir_channel_options options = {.write_ns = WEIR_NS_PER_SECOND / 5};
	uint64_t until = weir_clock_monotonic_ns() + 3 * WEIR_NS_PER_SECOND;
	size_t one;
	char *pings;

	open_channel(&options);
	pings = make_pings(&one);
	push(pings, PING_BYTES / one * one);
	while (!closed && weir_clock_monotonic_ns() < until)
		event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(closed, 1);
	free(pings);
	close_channel();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("channel");
	TCase *tests = tcase_create("channel");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, test_pings_unread);
	tcase_add_test(tests, test_write_timeout);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
