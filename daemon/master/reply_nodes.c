// SPDX-License-Identifier: GPL-2.0
/* reply_nodes.c - all nodes this master knows, and how each of them stands. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/master/reply.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"

struct known {
	const struct weir_keep_stream *stream; /* its newest; NULL: none yet */
	const struct weir_session_state *session; /* NULL: not connected */
	const uint8_t *node_id;
	struct weir_totals applied;
	uint64_t epochs;
	uint64_t missing_segments;
};

static struct known *find(struct known *known, size_t count, const uint8_t *node_id)
{
	for (size_t i = 0; i < count; i++)
		if (!memcmp(known[i].node_id, node_id, WEIR_KEEP_ID_BYTES))
			return &known[i];
	return NULL;
}

static size_t gather(struct known *known, const struct weir_keep_stream *streams, size_t count,
		     const struct weir_session_state *states, size_t connected)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct known *one = find(known, n, streams[i].node_id);

		if (!one) {
			one = &known[n++];
			one->node_id = streams[i].node_id;
		}
		if (!one->stream || streams[i].applied_ns >= one->stream->applied_ns)
			one->stream = &streams[i];
		one->epochs++;
		one->missing_segments += streams[i].missing_segments;
		weir_totals_add(&one->applied, &streams[i].applied);
	}
	for (size_t i = 0; i < connected; i++) {
		struct known *one = find(known, n, states[i].node_id);

		if (!one) {
			one = &known[n++];
			one->node_id = states[i].node_id;
		}
		one->session = &states[i];
	}
	return n;
}

static void describe(const struct known *one, char *text, size_t text_bytes)
{
	text[0] = '\0';
	if (one->session && one->session->rejected[0])
		snprintf(text, text_bytes, "rejected: %s", one->session->rejected);
	else if (one->session && weir_sessions_disk_full())
		snprintf(text, text_bytes, "waits: the master's disk is full");
	else if (one->missing_segments)
		snprintf(text, text_bytes, "%llu segments never came here",
			 (unsigned long long)one->missing_segments);
}

/* The kernel's ledger in the newest segment; the segment must outlive the message. */
static Weir__Wire__Segment *newest_segment(struct weir_master *master, const struct known *one)
{
	Weir__Wire__Segment *segment;
	size_t body_bytes;
	void *body;

	if (!one->stream || weir_keep_segment(master->keep, one->stream->index,
					      one->stream->last_seq, &body, &body_bytes))
		return NULL;
	segment = weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	free(body);
	return segment;
}

static void fill_session(Weir__Wire__Node *message, const struct known *one)
{
	uint64_t written = one->session->last_seq;

	message->name = (char *)one->session->name;
	message->software = (char *)one->session->software;
	message->address = (char *)one->session->address;
	message->connected = true;
	message->clock_offset_ns = one->session->clock.offset_ns;
	message->clock_known = one->session->clock.round_trip_ns != 0;
	message->round_trip_ns = one->session->clock.round_trip_ns;
	/* The session may be of another store than the stream, which then says nothing about it. */
	if (!one->stream || memcmp(one->stream->epoch, one->session->epoch, WEIR_KEEP_ID_BYTES))
		message->lag_segments = written;
	else if (written > one->stream->last_seq)
		message->lag_segments = written - one->stream->last_seq;
}

static int send_node(struct weir_job *job, struct weir_master *master, const struct known *one)
{
	Weir__Wire__Segment *segment = newest_segment(master, one);
	Weir__Wire__Node message = WEIR__WIRE__NODE__INIT, *pointer = &message;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Totals totals;
	char state[300];
	int result;

	weir_convert_totals_put(&totals, &one->applied);
	message.totals = &totals;
	message.node_id.data = (uint8_t *)one->node_id;
	message.node_id.len = WEIR_KEEP_ID_BYTES;
	message.epochs = one->epochs;
	message.storing = true;
	if (one->stream) {
		message.name = (char *)one->stream->name;
		message.software = (char *)one->stream->software;
		message.last_seq = one->stream->last_seq;
		message.last_end_ns = one->stream->last_end_ns;
		message.oldest_ns = one->stream->first_end_ns;
	}
	if (one->session)
		fill_session(&message, one);
	if (segment)
		message.kernel = segment->kernel;
	describe(one, state, sizeof(state));
	message.state = state;
	part.n_nodes = 1;
	part.nodes = &pointer;
	result = weir_job_part(job, &part);
	if (segment)
		weir__wire__segment__free_unpacked(segment, NULL);
	return result;
}

void weir_reply_nodes(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_master *master)
{
	struct weir_keep_stream *streams = NULL;
	struct weir_session_state *states = NULL;
	struct weir_ending ending = {0};
	struct known *known = NULL;
	size_t count = 0, connected = 0, n;
	int result = weir_keep_streams(master->keep, &streams, &count);

	if (!result)
		result = weir_sessions_states(&states, &connected);
	if (!result)
		known = calloc(count + connected + 1, sizeof(*known));
	if (!result && !known)
		result = -ENOMEM;
	if (!result) {
		n = gather(known, streams, count, states, connected);
		for (size_t i = 0; i < n && !result; i++) {
			const char *name = known[i].session ? known[i].session->name :
							      known[i].stream->name;

			if (weir_reply_is_asked(ask, name))
				result = send_node(job, master, &known[i]);
		}
	}
	weir_ending_send(&ending, job, result);
	free(known);
	free(states);
	free(streams);
}
