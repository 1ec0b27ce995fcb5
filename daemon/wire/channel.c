// SPDX-License-Identifier: GPL-2.0
/* channel.c - one connection in the event loop. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "daemon/common/clock.h"
#include "daemon/wire/address.h"
#include "daemon/wire/channel.h"

enum {
	FRAMES_A_TURN = 64, /* then the other connections get theirs */
	LINGER_MS = 2000,   /* to let a Bye out */
};

struct weir_channel {
	struct bufferevent *bev;
	struct event_base *base;
	struct weir_address *address; /* while a name is resolved */
	struct event *more;           /* frames are left in the buffer */
	struct event *closing;
	struct event *tick;
	struct weir_channel_options options;
	const struct weir_channel_ops *ops;
	void *arg;
	struct weir_channel_clock clock;
	uint64_t heard_ns; /* monotonic */
	uint64_t ping_id, ping_monotonic_ns;
	uint64_t last_seq;
	bool trusted, paused, failed, lingering, was_full;
	bool stopped; /* full, so nothing is read that might ask for more output */
	char reason[WEIR_CHANNEL_REASON_BYTES];
};

static struct timeval to_timeval(uint64_t ns)
{
	struct timeval tv = {(time_t)(ns / WEIR_NS_PER_SECOND),
			     (suseconds_t)(ns % WEIR_NS_PER_SECOND / 1000)};

	return tv;
}

/* The queue behind the failure: closed() runs from the loop, not from here. */
static void fail_after(struct weir_channel *channel, unsigned ms)
{
	struct timeval tv = to_timeval((uint64_t)ms * 1000000);

	bufferevent_disable(channel->bev, EV_READ);
	event_add(channel->closing, &tv);
}

static void fail_text(struct weir_channel *channel, const char *format, va_list args)
{
	if (channel->failed)
		return;
	channel->failed = true;
	vsnprintf(channel->reason, sizeof(channel->reason), format, args);
}

void weir_channel_fail(struct weir_channel *channel, const char *format, ...)
{
	va_list args;

	if (channel->failed)
		return;
	va_start(args, format);
	fail_text(channel, format, args);
	va_end(args);
	fail_after(channel, 0);
}

void weir_channel_bye(struct weir_channel *channel, const char *format, ...)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Bye bye = WEIR__WIRE__BYE__INIT;
	char reason[WEIR_CHANNEL_REASON_BYTES];
	va_list args;

	if (channel->failed)
		return;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	bye.reason = reason;
	frame.body_case = WEIR__WIRE__FRAME__BODY_BYE;
	frame.bye = &bye;
	weir_channel_send(channel, &frame);
	if (channel->failed)
		return;
	channel->failed = true;
	channel->lingering = true;
	memcpy(channel->reason, reason, sizeof(reason));
	fail_after(channel, LINGER_MS);
}

static void on_closing(evutil_socket_t fd, short what, void *arg)
{
	struct weir_channel *channel = arg;

	channel->ops->closed(channel->arg, channel->reason);
}

static void send_ping(struct weir_channel *channel, const Weir__Wire__Ping *answered)
{
	Weir__Wire__Frame frame = WEIR__WIRE__FRAME__INIT;
	Weir__Wire__Ping ping = WEIR__WIRE__PING__INIT;

	ping.reply = answered != NULL;
	ping.id = answered ? answered->id : ++channel->ping_id;
	ping.clock_ns = weir_clock_now_ns();
	ping.last_seq = channel->last_seq;
	if (!answered)
		channel->ping_monotonic_ns = weir_clock_monotonic_ns();
	frame.body_case = WEIR__WIRE__FRAME__BODY_PING;
	frame.ping = &ping;
	weir_channel_send(channel, &frame);
}

/* The peer answered at about the middle between our asking and now. */
static void take_ping(struct weir_channel *channel, const Weir__Wire__Ping *ping)
{
	if (!ping->reply) {
		if (!weir_channel_full(channel))
			send_ping(channel, ping);
	} else if (ping->id == channel->ping_id && channel->ping_monotonic_ns) {
		uint64_t trip = weir_clock_monotonic_ns() - channel->ping_monotonic_ns;

		channel->clock.known = true;
		channel->clock.round_trip_ns = trip;
		channel->clock.offset_ns =
			(int64_t)(ping->clock_ns - (weir_clock_now_ns() - trip / 2));
		channel->ping_monotonic_ns = 0;
	}
	if (channel->ops->pinged)
		channel->ops->pinged(channel->arg, ping);
}

static void dispatch(struct weir_channel *channel, Weir__Wire__Frame *frame)
{
	if (frame->body_case == WEIR__WIRE__FRAME__BODY_PING && channel->trusted)
		take_ping(channel, frame->ping);
	else if (frame->body_case == WEIR__WIRE__FRAME__BODY_BYE)
		weir_channel_fail(channel, "the other side closed: %s", frame->bye->reason);
	else
		channel->ops->frame(channel->arg, frame);
	weir__wire__frame__free_unpacked(frame, NULL);
}

/* A peer that asks and does not read its answers is not read from either, or its
 * answers would queue up here without bound. */
static void stop_reading(struct weir_channel *channel)
{
	channel->stopped = true;
	bufferevent_disable(channel->bev, EV_READ);
}

static void go_on_reading(struct weir_channel *channel)
{
	channel->heard_ns = weir_clock_monotonic_ns();
	bufferevent_enable(channel->bev, EV_READ);
	event_active(channel->more, EV_TIMEOUT, 0);
}

static void read_frames(struct weir_channel *channel)
{
	struct evbuffer *in = bufferevent_get_input(channel->bev);
	int result = 0;

	for (unsigned i = 0; i < FRAMES_A_TURN && result == 0; i++) {
		Weir__Wire__Frame *frame;

		if (channel->failed || channel->paused || channel->stopped)
			return;
		if (weir_channel_full(channel)) {
			stop_reading(channel);
			return;
		}
		result = weir_frame_get(in, channel->options.max_bytes, &frame);
		if (result == 0)
			dispatch(channel, frame);
	}
	if (result == 0)
		event_active(channel->more, EV_TIMEOUT, 0);
	else if (result == -EMSGSIZE)
		weir_channel_fail(channel, "sent a frame longer than %zu bytes, or is no weir",
				  channel->options.max_bytes);
	else if (result == -EBADMSG)
		weir_channel_fail(channel, "sent what is no frame");
	else if (result != -EAGAIN)
		weir_channel_fail(channel, "reading a frame: %s", strerror(-result));
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct weir_channel *channel = arg;

	channel->heard_ns = weir_clock_monotonic_ns();
	read_frames(channel);
}

static void on_more(evutil_socket_t fd, short what, void *arg)
{
	read_frames(arg);
}

/* Called when the output fell to the low mark, half of what counts as full. */
static void on_write(struct bufferevent *bev, void *arg)
{
	struct weir_channel *channel = arg;

	if (channel->lingering && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		fail_after(channel, 0);
	if (channel->failed || !channel->was_full)
		return;
	channel->was_full = false;
	if (channel->stopped) {
		channel->stopped = false;
		if (!channel->paused)
			go_on_reading(channel);
	}
	if (channel->ops->drained)
		channel->ops->drained(channel->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct weir_channel *channel = arg;
	int error = EVUTIL_SOCKET_ERROR();

	if (channel->lingering) {
		fail_after(channel, 0);
	} else if (what & BEV_EVENT_CONNECTED) {
		channel->heard_ns = weir_clock_monotonic_ns();
		channel->ops->connected(channel->arg);
	} else if (what & BEV_EVENT_TIMEOUT) {
		weir_channel_fail(channel, "took nothing of what was sent to it for too long");
	} else if (what & BEV_EVENT_EOF) {
		weir_channel_fail(channel, evbuffer_get_length(bufferevent_get_input(bev)) ?
						   "closed in the middle of a frame" :
						   "closed the connection");
	} else {
		weir_channel_fail(channel, "%s", evutil_socket_error_to_string(error));
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct weir_channel *channel = arg;
	uint64_t silent_ns = weir_clock_monotonic_ns() - channel->heard_ns;
	bool listening = !channel->paused && !channel->stopped;
	char text[32];

	if (channel->failed)
		return;
	if (channel->options.dead_ns && listening && silent_ns > channel->options.dead_ns)
		weir_channel_fail(channel, "gave no sign of life for %s",
				  weir_clock_duration_text(silent_ns, text, sizeof(text)));
	else if (channel->trusted && channel->options.ping_ns && !weir_channel_full(channel))
		send_ping(channel, NULL);
}

/* Often enough for Pings, and to notice silence before half as long again has passed. */
static int start_tick(struct weir_channel *channel)
{
	uint64_t every_ns = channel->options.dead_ns / 2;
	struct timeval tv;

	if (channel->options.ping_ns && (!every_ns || channel->options.ping_ns < every_ns))
		every_ns = channel->options.ping_ns;
	if (!every_ns)
		return 0;
	tv = to_timeval(every_ns);
	return event_add(channel->tick, &tv);
}

struct weir_channel *weir_channel_new(struct event_base *base, int fd,
				      const struct weir_channel_options *options,
				      const struct weir_channel_ops *ops, void *arg)
{
	struct weir_channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->options = *options;
	channel->ops = ops;
	channel->arg = arg;
	channel->base = base;
	channel->heard_ns = weir_clock_monotonic_ns();
	channel->more = event_new(base, -1, 0, on_more, channel);
	channel->closing = event_new(base, -1, 0, on_closing, channel);
	channel->tick = event_new(base, -1, EV_PERSIST, on_tick, channel);
	if (!channel->more || !channel->closing || !channel->tick || start_tick(channel))
		goto free_channel;
	channel->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!channel->bev)
		goto free_channel;
	bufferevent_setcb(channel->bev, on_read, on_write, on_event, channel);
	bufferevent_setwatermark(channel->bev, EV_READ, 0, options->max_bytes + 4);
	if (options->write_ns) {
		struct timeval tv = to_timeval(options->write_ns);

		bufferevent_set_timeouts(channel->bev, NULL, &tv);
	}
	if (fd >= 0) {
		evutil_make_socket_nonblocking(fd);
		bufferevent_setfd(channel->bev, fd);
		bufferevent_enable(channel->bev, EV_READ | EV_WRITE);
	}
	return channel;

free_channel:
	weir_channel_free(channel);
	return NULL;
}

void weir_channel_free(struct weir_channel *channel)
{
	if (!channel)
		return;
	weir_address_free(channel->address);
	if (channel->bev)
		bufferevent_free(channel->bev);
	if (channel->more)
		event_free(channel->more);
	if (channel->closing)
		event_free(channel->closing);
	if (channel->tick)
		event_free(channel->tick);
	free(channel);
}

static void on_resolved(void *arg, const struct sockaddr *address, socklen_t bytes,
			const char *error)
{
	struct weir_channel *channel = arg;

	if (channel->failed)
		return;
	if (error)
		weir_channel_fail(channel, "%s", error);
	else if (bufferevent_socket_connect(channel->bev, address, (int)bytes) < 0)
		weir_channel_fail(channel, "%s", strerror(errno));
	else
		bufferevent_enable(channel->bev, EV_READ | EV_WRITE);
}

int weir_channel_connect(struct weir_channel *channel, const char *address)
{
	return weir_address_resolve(channel->base, address, on_resolved, channel,
				    &channel->address);
}

void weir_channel_trust(struct weir_channel *channel, size_t max_bytes)
{
	channel->trusted = true;
	channel->options.max_bytes = max_bytes;
	bufferevent_setwatermark(channel->bev, EV_READ, 0, max_bytes + 4);
	if (channel->options.ping_ns)
		send_ping(channel, NULL);
}

static void mark_full(struct weir_channel *channel)
{
	if (!weir_channel_full(channel))
		return;
	channel->was_full = true;
	bufferevent_setwatermark(channel->bev, EV_WRITE, WEIR_CHANNEL_QUEUE_BYTES / 2, 0);
}

void weir_channel_send(struct weir_channel *channel, const Weir__Wire__Frame *frame)
{
	int result;

	if (channel->failed)
		return;
	result = weir_frame_put(bufferevent_get_output(channel->bev), frame);
	if (result)
		weir_channel_fail(channel, "sending a frame: %s", strerror(-result));
	mark_full(channel);
}

void weir_channel_send_buffer(struct weir_channel *channel, struct evbuffer *frames)
{
	if (channel->failed)
		evbuffer_drain(frames, evbuffer_get_length(frames));
	else if (evbuffer_add_buffer(bufferevent_get_output(channel->bev), frames) < 0)
		weir_channel_fail(channel, "sending: no memory");
	mark_full(channel);
}

bool weir_channel_full(const struct weir_channel *channel)
{
	return evbuffer_get_length(bufferevent_get_output(channel->bev)) > WEIR_CHANNEL_QUEUE_BYTES;
}

void weir_channel_pause(struct weir_channel *channel, bool paused)
{
	if (channel->paused == paused || channel->failed)
		return;
	channel->paused = paused;
	if (paused) {
		bufferevent_disable(channel->bev, EV_READ);
		return;
	}
	if (!channel->stopped)
		go_on_reading(channel);
}

void weir_channel_set_last_seq(struct weir_channel *channel, uint64_t seq)
{
	channel->last_seq = seq;
}

bool weir_channel_failed(const struct weir_channel *channel)
{
	return channel->failed;
}

void weir_channel_get_clock(const struct weir_channel *channel, struct weir_channel_clock *clock)
{
	*clock = channel->clock;
}

int weir_channel_fd(const struct weir_channel *channel)
{
	return bufferevent_getfd(channel->bev);
}
