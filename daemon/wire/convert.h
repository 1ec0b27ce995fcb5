/* SPDX-License-Identifier: GPL-2.0 */
/* convert.h - between weir's structs and their messages. */
#ifndef WEIR_WIRE_CONVERT_H
#define WEIR_WIRE_CONVERT_H

#include "daemon/common/flow.h"
#include "daemon/query/query.h"
#include "weir.pb-c.h"

/* Into a message the caller owns (it is initialised here). */
void weir_convert_totals_put(Weir__Wire__Totals *message, const struct weir_totals *totals);
/* An absent message means zero. */
struct weir_totals weir_convert_totals_get(const Weir__Wire__Totals *message);

/* @message points into @flow afterwards, and is valid as long as that. Names are left empty. */
void weir_convert_flow_put(Weir__Wire__Flow *message, const struct weir_flow *flow);
/* -EBADMSG: an address or a number cannot be one. */
int weir_convert_flow_get(const Weir__Wire__Flow *message, struct weir_flow *flow);

/* @message and @sides (forward, reverse) point into @pair afterwards; the node is left empty. */
void weir_convert_pair_put(Weir__Wire__Pair *message, Weir__Wire__PairSide sides[2],
			   const struct weir_pair *pair);
/* -EBADMSG as above. */
int weir_convert_pair_get(const Weir__Wire__Pair *message, struct weir_pair *pair);

/* A deep copy with malloc, free with protobuf_c_message_free_unpacked(copy, NULL); NULL: no memory. */
void *weir_convert_copy(const ProtobufCMessage *message);

/* What an answer says of a sample, with its 1 of N (%llu). */
#define WEIR_CONVERT_SAMPLED_NOTE                                                                  \
	"sampled, 1 of %llu: only so much of the traffic in some or all of these records was "     \
	"counted; figures are as counted, but for those of --scale, which are estimates"

#endif
