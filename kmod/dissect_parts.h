/* SPDX-License-Identifier: GPL-2.0 */
/* dissect_parts - what the files of dissect share */
#ifndef _WEIR_DISSECT_PARTS_H
#define _WEIR_DISSECT_PARTS_H

#include "dissect.h"

/**
 * struct weir_layer - where one IP packet is in the frame
 * @at: its IP header
 * @end: set to the end of what may belong to it; then its own, without padding
 * @version: 4 or 6 when something in front of it said so, else 0
 * @guessed: nothing said that it is IP
 * @transport: the transport header
 * @payload: what follows the headers that are known
 * @unsent: bytes before @payload that no packet on the wire has
 * @fragment: a part of a packet
 * @later_fragment: a part that does not start with the transport header
 */
struct weir_layer {
	u32 at;
	u32 end;
	u32 transport;
	u32 payload;
	u32 unsent;
	u8 version;
	bool guessed;
	bool fragment;
	bool later_fragment;
};

static inline u16 be16_at(const u8 *at)
{
	return (u16)(at[0] << 8 | at[1]);
}

static inline u32 be32_at(const u8 *at)
{
	return (u32)be16_at(at) << 16 | be16_at(at + 2);
}

/* @n bytes at @offset: in place when linear, else copied to @buf. */
static inline const u8 *look(const struct weir_frame *f, u32 offset, u32 n, u8 *buf)
{
	if (offset <= f->linear_len && n <= f->linear_len - offset)
		return f->linear + offset;
	if (offset > f->len || n > f->len - offset)
		return NULL;
	if (!f->pull || !f->pull(f->ctx, offset, buf, n))
		return NULL;
	return buf;
}

/* The same, within a layer. */
static inline const u8 *look_in(const struct weir_frame *f, const struct weir_layer *l,
				u32 offset, u32 n, u8 *buf)
{
	if (offset > l->end || n > l->end - offset)
		return NULL;
	return look(f, offset, n, buf);
}

/* Did the network stack merge packets into this one, or leave it to be cut? */
static inline bool is_gso(const struct weir_frame *f)
{
	return f->gso_segs > 1 || f->gso_recount;
}

/* Read IP at @l->at and what it carries; all of @p but packets. */
enum weir_dissected weir_dissect_ip(const struct weir_frame *f, struct weir_layer *l,
				    struct weir_packet *p);

/* Step over what is in front of IP at @l->at, which is of @ethertype. */
enum weir_dissected weir_dissect_link(const struct weir_frame *f, u16 ethertype,
				      struct weir_layer *l, struct weir_packet *p);

#endif /* _WEIR_DISSECT_PARTS_H */
