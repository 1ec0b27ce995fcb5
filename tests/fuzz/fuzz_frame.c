// SPDX-License-Identifier: GPL-2.0
/* Bytes from the network: any stream is frames, an error, or a wait for more; and what is a frame
 * can be sent on and read again. */
#include <stdint.h>
#include <stdlib.h>

#include <event2/buffer.h>

#include "daemon/wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_on(const Weir__Wire__Frame *frame)
{
	struct evbuffer *buffer = evbuffer_new();
	Weir__Wire__Frame *again;

	/* What grew beyond the limit by being encoded anew is refused, not sent. */
	if (weir_frame_put(buffer, frame) == 0) {
		if (weir_frame_get(buffer, WEIR_FRAME_BYTES_MAX, &again))
			abort();
		if (again->body_case != frame->body_case || evbuffer_get_length(buffer))
			abort();
		weir__wire__frame__free_unpacked(again, NULL);
	}
	evbuffer_free(buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *in = evbuffer_new();
	Weir__Wire__Frame *frame;

	evbuffer_add(in, data, size);
	while (weir_frame_get(in, WEIR_FRAME_BYTES_HELLO, &frame) == 0) {
		send_on(frame);
		weir__wire__frame__free_unpacked(frame, NULL);
	}
	evbuffer_free(in);
	return 0;
}

#include "tests/fuzz/replay.h"
