// SPDX-License-Identifier: GPL-2.0
/* pair.c - what a conversation can be ordered by. */
#include <errno.h>
#include <strings.h>

#include "daemon/query/query.h"

int weir_pair_order_parse(const char *word, enum weir_pair_order *order)
{
	static const char *const words[] = {
		[WEIR_PAIR_BY_END] = "end",
		[WEIR_PAIR_BY_BYTES] = "bytes",
		[WEIR_PAIR_BY_PACKETS] = "packets",
		[WEIR_PAIR_BY_DURATION] = "duration",
		[WEIR_PAIR_BY_RTT] = "rtt",
		[WEIR_PAIR_BY_RESPONSE] = "response",
		[WEIR_PAIR_BY_RETRANSMITTED] = "retransmitted",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(words[i], word)) {
			*order = (enum weir_pair_order)i;
			return 0;
		}
	}
	return -EINVAL;
}

uint64_t weir_pair_value(const struct weir_pair *pair, enum weir_pair_order order)
{
	switch (order) {
	case WEIR_PAIR_BY_END:
		return pair->end_ns;
	case WEIR_PAIR_BY_BYTES:
		return pair->forward.bytes + pair->reverse.bytes;
	case WEIR_PAIR_BY_PACKETS:
		return pair->forward.packets + pair->reverse.packets;
	case WEIR_PAIR_BY_DURATION:
		return pair->end_ns > pair->start_ns ? pair->end_ns - pair->start_ns : 0;
	case WEIR_PAIR_BY_RTT:
		return pair->rtt_ns;
	case WEIR_PAIR_BY_RESPONSE:
		return pair->response_ns;
	case WEIR_PAIR_BY_RETRANSMITTED:
		return pair->forward.retransmitted + pair->reverse.retransmitted;
	}
	return 0;
}
