// SPDX-License-Identifier: GPL-2.0
/* dissect - what one packet says about itself */

#include "dissect.h"
#ifdef __KERNEL__
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/build_bug.h>
#include <uapi/weir.h>
#else
#include <netinet/in.h>
#include "../uapi/weir.h"
#endif

enum {
	IPV4_HEADER = 20,
	IPV6_HEADER = 40,
	IPV4_OFFSET_MASK = 0x1fff,
	IPV4_MORE_FRAGMENTS = 0x2000,
	IPV6_OFFSET_MASK = 0xfff8,
	IPV6_MORE_FRAGMENTS = 0x0001,

	/*
	 * RFC 8200 names seven kinds of extension header and lets one of them
	 * come twice: a packet with more is made to cost time.
	 */
	WEIR_MAX_EXTENSIONS = 8,

	ECN_MASK = 0x03,
	OPTION_JUMBO = 0xc2,
	BIG_TCP_HEADER = 8,

	TCP_FIN = 0x01,
	TCP_SYN = 0x02,

	/* not every libc names them */
	PROTO_DCCP = 33,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,
};

/* Where the transport header is and what is known on the way to it. */
struct upper {
	u32 offset;		/* of the transport header in the frame */
	u32 end;		/* of the packet, without padding */
	u32 unsent;		/* bytes before offset that no packet on the wire has */
	bool fragment;
	bool later_fragment;
};

static u16 be16_at(const u8 *at)
{
	return (u16)(at[0] << 8 | at[1]);
}

static u32 be32_at(const u8 *at)
{
	return (u32)be16_at(at) << 16 | be16_at(at + 2);
}

/* @n bytes at @offset: in place when linear, else copied to @buf. */
static const u8 *look(const struct weir_frame *f, u32 offset, u32 n, u8 *buf)
{
	if (offset <= f->linear_len && n <= f->linear_len - offset)
		return f->linear + offset;
	if (offset > f->len || n > f->len - offset)
		return NULL;
	if (!f->pull || !f->pull(f->ctx, offset, buf, n))
		return NULL;
	return buf;
}

static void map_ipv4(u8 *to, const u8 *from)
{
	memset(to, 0, 10);
	to[10] = 0xff;
	to[11] = 0xff;
	memcpy(to + 12, from, 4);
}

/*
 * Linux sends SYN, pure ACKs, FIN and retransmissions of an ECN connection as Not-ECT
 * and new data as ECT: with ECN in the key one direction would be three flows.
 */
static void set_tos(struct weir_packet *p, u8 tos)
{
	p->key.tos = tos & ~ECN_MASK;
	p->ecn = tos & ECN_MASK;
}

static bool dissect_ipv4(const struct weir_frame *f, struct weir_packet *p, struct upper *up)
{
	u8 buf[IPV4_HEADER];
	const u8 *ip = look(f, 0, IPV4_HEADER, buf);
	u32 header, total;
	u16 frag;

	if (!ip)
		return false;
	header = (ip[0] & 0x0f) * 4;
	total = be16_at(ip + 2);
	if (!total)		/* BIG TCP: does not fit the field */
		total = f->len;
	if (header < IPV4_HEADER || total < header || f->len < total)
		return false;

	map_ipv4(p->key.src_addr, ip + 12);
	map_ipv4(p->key.dst_addr, ip + 16);
	set_tos(p, ip[1]);
	p->key.protocol = ip[9];
	p->ttl = ip[8];
	p->bytes = total;

	frag = be16_at(ip + 6);
	up->fragment = frag & (IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS);
	up->later_fragment = frag & IPV4_OFFSET_MASK;
	up->offset = header;
	up->end = total;
	return true;
}

/* Length of the extension header at @ext, 0 when @kind is not one. */
static u32 extension_length(u8 kind, const u8 *ext)
{
	switch (kind) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (ext[1] + 1) * 8;
	case IPPROTO_FRAGMENT:
		return 8;
	case IPPROTO_AH:
		return (ext[1] + 2) * 4;
	}
	return 0;
}

static bool is_extension(u8 kind)
{
	static const u8 any[2];

	return extension_length(kind, any);
}

/* Follow the extension headers; a chain that is cut ends at the last one read. */
static void walk_extensions(const struct weir_frame *f, struct weir_packet *p, struct upper *up)
{
	u8 kind = p->key.protocol;
	unsigned int n;

	for (n = 0; n < WEIR_MAX_EXTENSIONS && is_extension(kind); n++) {
		u8 buf[8];
		const u8 *ext = up->end - up->offset < 8 ? NULL : look(f, up->offset, 8, buf);
		u32 length;

		if (!ext)
			break;
		length = extension_length(kind, ext);
		if (length > up->end - up->offset) {	/* says what follows, past the end */
			kind = ext[0];
			up->offset = up->end;
			break;
		}
		if (kind == IPPROTO_FRAGMENT) {
			u16 frag = be16_at(ext + 2);

			up->fragment |= frag & (IPV6_OFFSET_MASK | IPV6_MORE_FRAGMENTS);
			up->later_fragment = frag & IPV6_OFFSET_MASK;
		}
		up->offset += length;
		kind = ext[0];
		if (up->later_fragment)
			break;
	}
	p->key.protocol = kind;
}

/*
 * Kernels with BIG TCP for IPv6 put a hop-by-hop header with the jumbo option (RFC 2675) into a
 * super-packet whose length does not fit the field, and take it out before
 * the wire. Return: its length, 0 when there is none.
 */
static u32 big_tcp_header(const struct weir_frame *f, const u8 *ip)
{
	u8 buf[BIG_TCP_HEADER];
	const u8 *ext;

	if ((f->gso_segs <= 1 && !f->gso_recount) || be16_at(ip + 4) || ip[6] != IPPROTO_HOPOPTS)
		return 0;
	ext = look(f, IPV6_HEADER, BIG_TCP_HEADER, buf);
	return ext && ext[0] == IPPROTO_TCP && !ext[1] && ext[2] == OPTION_JUMBO && ext[3] == 4 ?
		BIG_TCP_HEADER : 0;
}

static bool dissect_ipv6(const struct weir_frame *f, struct weir_packet *p, struct upper *up)
{
	u8 buf[IPV6_HEADER];
	const u8 *ip = look(f, 0, IPV6_HEADER, buf);
	u32 total;

	if (!ip)
		return false;
	total = be16_at(ip + 4);
	total = total ? total + IPV6_HEADER : f->len;	/* 0: jumbo or BIG TCP */
	if (f->len < total)
		return false;

	memcpy(p->key.src_addr, ip + 8, 16);
	memcpy(p->key.dst_addr, ip + 24, 16);
	set_tos(p, (u8)(be16_at(ip) >> 4));
	p->key.protocol = ip[6];
	p->key.where = WEIR_WHERE_IPV6;
	p->ttl = ip[7];
	up->unsent = big_tcp_header(f, ip);
	p->bytes = total - up->unsent;
	up->offset = IPV6_HEADER;
	up->end = total;
	walk_extensions(f, p, up);
	return true;
}

/* Shortest transport header there is, 0 for protocols without ports. */
static u32 transport_header(const struct weir_packet *p)
{
	switch (p->key.protocol) {
	case IPPROTO_TCP:
		return 20;
	case IPPROTO_UDP:
	case PROTO_UDPLITE:
		return 8;
	case PROTO_SCTP:
	case PROTO_DCCP:
		return 12;
	case IPPROTO_ICMP:
		return p->key.where & WEIR_WHERE_IPV6 ? 0 : 4;
	case IPPROTO_ICMPV6:
		return p->key.where & WEIR_WHERE_IPV6 ? 4 : 0;
	}
	return 0;
}

/* Return: length of this packet's TCP header. */
static u32 dissect_tcp(struct weir_packet *p, const struct upper *up, const u8 *tcp)
{
	u32 header = (tcp[12] >> 4) * 4;
	u32 data;

	p->tcp_flags = (u16)((tcp[12] & 1) << 8 | tcp[13]);
	if (header < 20 || header > up->end - up->offset)
		return 20;
	data = up->end - up->offset - header;
	p->payload = data;
	if (up->fragment)	/* its end is elsewhere */
		return header;
	p->tcp_seq = be32_at(tcp + 4);
	p->tcp_seq_len = data + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	return header;
}

/* Return: bytes of headers from the IP header to the payload. */
static u32 dissect_upper(const struct weir_frame *f, struct weir_packet *p, const struct upper *up)
{
	u32 need = transport_header(p);
	u8 buf[20];
	const u8 *l4;

	if (up->later_fragment || !need)
		return up->offset;
	l4 = up->end - up->offset < need ? NULL : look(f, up->offset, need, buf);
	if (!l4) {
		p->short_l4 = true;
		return up->offset;
	}
	if (p->key.protocol == IPPROTO_ICMP || p->key.protocol == IPPROTO_ICMPV6) {
		memcpy(&p->key.dst_port, l4, 2);	/* type, code */
		return up->offset + need;
	}
	memcpy(&p->key.src_port, l4, 2);
	memcpy(&p->key.dst_port, l4 + 2, 2);
	if (p->key.protocol == IPPROTO_TCP)
		need = dissect_tcp(p, up, l4);
	return up->offset + need;
}

/* Count a super-packet as the packets the wire sees. */
static void count_segments(const struct weir_frame *f, struct weir_packet *p, u32 headers)
{
	u64 segs = f->gso_segs;

	p->packets = 1;
	if (segs <= 1 && !f->gso_recount)
		return;
	if (f->gso_headers)
		headers = f->gso_headers;
	if (f->gso_recount) {
		if (!f->gso_size || p->bytes <= headers)
			return;
		segs = ((u32)p->bytes - headers + f->gso_size - 1) / f->gso_size;
	}
	if (segs <= 1)
		return;
	p->packets = segs;
	p->bytes += (segs - 1) * headers;
	p->flags |= WEIR_FLOW_GSO;
}

bool weir_dissect(const struct weir_frame *f, struct weir_packet *p)
{
	struct upper up = { 0 };
	u32 headers;
	u8 version;
	u8 buf[1];
	const u8 *first = look(f, 0, 1, buf);

	memset(p, 0, sizeof(*p));
	if (!first)
		return false;
	version = *first >> 4;
	if (version == 4 ? !dissect_ipv4(f, p, &up) :
	    version == 6 ? !dissect_ipv6(f, p, &up) : true)
		return false;

	if (up.fragment)
		p->flags |= WEIR_FLOW_FRAGMENTS;
	if (up.later_fragment)
		p->key.where |= WEIR_WHERE_LATER_FRAGMENT;
	headers = dissect_upper(f, p, &up) - up.unsent;
	count_segments(f, p, headers);
	return true;
}
