// SPDX-License-Identifier: GPL-2.0
/* dissect - what one packet says about itself */

#include "dissect_parts.h"

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
	JUMBO_HEADER = 8,
	IPV6_LENGTH_MAX = 0xffff,

	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_FLAGS_END = 14,

	/* not every libc names them */
	PROTO_DCCP = 33,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,
};

static __always_inline void map_ipv4(u8 *to, const u8 *from)
{
	static const u8 prefix[4] = { 0, 0, 0xff, 0xff };

	memset(to, 0, 8);
	memcpy(to + 8, prefix, 4);
	memcpy(to + 12, from, 4);
}

/*
 * Linux sends SYN, pure ACKs, FIN and retransmissions of an ECN connection as Not-ECT
 * and new data as ECT: with ECN in the key one direction would be three flows.
 */
static __always_inline void set_tos(struct weir_packet *p, u8 tos)
{
	p->key.tos = tos & ~ECN_MASK;
	p->ecn = tos & ECN_MASK;
}

static void note_fragment(struct weir_layer *l, struct weir_packet *p, u32 offset, u32 id)
{
	l->fragment = true;
	l->later_fragment = offset;
	p->fragment_id = id;
	p->flags |= WEIR_FLOW_FRAGMENTS;
	if (offset)
		p->key.where |= WEIR_WHERE_LATER_FRAGMENT;
}

static __always_inline enum weir_dissected
dissect_ipv4(const struct weir_frame *f, struct weir_layer *l, struct weir_packet *p, const u8 *ip)
{
	const u32 there = l->end - l->at;
	u32 header, total;
	u16 frag;

	header = (ip[0] & 0x0f) * 4;
	total = be16_at(ip + 2);
	if (!total && is_gso(f))	/* BIG TCP: does not fit the field */
		total = there;
	if (header < IPV4_HEADER || total < header)
		return WEIR_DISSECTED_DAMAGED;
	if (total > there)
		return WEIR_DISSECTED_TRUNCATED;

	map_ipv4(p->key.src_addr, ip + 12);
	map_ipv4(p->key.dst_addr, ip + 16);
	set_tos(p, ip[1]);
	p->key.protocol = ip[9];
	p->ttl = ip[8];
	p->bytes = total;

	frag = be16_at(ip + 6);
	if (frag & (IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS))
		note_fragment(l, p, frag & IPV4_OFFSET_MASK, be16_at(ip + 4));
	l->transport = l->at + header;
	l->end = l->at + total;
	return WEIR_DISSECTED_OK;
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
static void walk_extensions(const struct weir_frame *f, struct weir_layer *l,
			    struct weir_packet *p)
{
	u8 kind = p->key.protocol;
	unsigned int n;

	for (n = 0; n < WEIR_MAX_EXTENSIONS && is_extension(kind); n++) {
		u8 buf[8] UNINITIALIZED;
		const u8 *ext = look_in(f, l, l->transport, 8, buf);
		u32 length;

		if (!ext)
			break;
		length = extension_length(kind, ext);
		if (length > l->end - l->transport) {	/* says what follows, past the end */
			kind = ext[0];
			l->transport = l->end;
			break;
		}
		/* neither an offset nor more to come: RFC 6946, all of the packet */
		if (kind == IPPROTO_FRAGMENT &&
		    be16_at(ext + 2) & (IPV6_OFFSET_MASK | IPV6_MORE_FRAGMENTS))
			note_fragment(l, p, be16_at(ext + 2) & IPV6_OFFSET_MASK, be32_at(ext + 4));
		l->transport += length;
		kind = ext[0];
		if (l->later_fragment)
			break;
	}
	p->key.protocol = kind;
}

/*
 * A jumbogram (RFC 2675) says its length in a hop-by-hop option. So do super-packets of
 * kernels with BIG TCP for IPv6, which take the header out before the wire; newer
 * ones leave the length 0.
 */
static enum weir_dissected jumbo_length(const struct weir_frame *f, struct weir_layer *l,
					u8 next, u32 *total)
{
	u8 buf[JUMBO_HEADER] UNINITIALIZED;
	const u8 *ext;

	*total = is_gso(f) ? l->end - l->at : IPV6_HEADER;
	if (next != IPPROTO_HOPOPTS)
		return WEIR_DISSECTED_OK;
	ext = look_in(f, l, l->at + IPV6_HEADER, JUMBO_HEADER, buf);
	if (!ext)
		return WEIR_DISSECTED_TRUNCATED;
	if (ext[2] != OPTION_JUMBO || ext[3] != 4)
		return WEIR_DISSECTED_DAMAGED;
	if (is_gso(f)) {
		l->unsent = ext[0] == IPPROTO_TCP && !ext[1] ? JUMBO_HEADER : 0;
		return WEIR_DISSECTED_OK;
	}
	if (be32_at(ext + 4) <= IPV6_LENGTH_MAX)
		return WEIR_DISSECTED_DAMAGED;
	if (be32_at(ext + 4) > l->end - l->at - IPV6_HEADER)
		return WEIR_DISSECTED_TRUNCATED;
	*total = IPV6_HEADER + be32_at(ext + 4);
	return WEIR_DISSECTED_OK;
}

static __always_inline enum weir_dissected
dissect_ipv6(const struct weir_frame *f, struct weir_layer *l, struct weir_packet *p)
{
	enum weir_dissected result;
	u8 buf[IPV6_HEADER] UNINITIALIZED;
	const u8 *ip = look_in(f, l, l->at, IPV6_HEADER, buf);
	u32 total;

	if (!ip)
		return WEIR_DISSECTED_TRUNCATED;
	total = be16_at(ip + 4) + IPV6_HEADER;
	if (total == IPV6_HEADER) {
		result = jumbo_length(f, l, ip[6], &total);
		if (result)
			return result;
	}
	if (total > l->end - l->at)
		return WEIR_DISSECTED_TRUNCATED;

	memcpy(p->key.src_addr, ip + 8, 16);
	memcpy(p->key.dst_addr, ip + 24, 16);
	set_tos(p, (u8)(be16_at(ip) >> 4));
	p->key.protocol = ip[6];
	p->key.where |= WEIR_WHERE_IPV6;
	p->ttl = ip[7];
	p->bytes = total - l->unsent;
	l->transport = l->at + IPV6_HEADER;
	l->end = l->at + total;
	if (is_extension(p->key.protocol))
		walk_extensions(f, l, p);
	return WEIR_DISSECTED_OK;
}

/* Shortest transport header there is, 0 for protocols without ports. */
static __always_inline u32 transport_header(const struct weir_packet *p)
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

static u16 tcp_flags_at(const u8 *tcp)
{
	return (u16)((tcp[12] & 1) << 8 | tcp[13]);
}

/* Return: length of this packet's TCP header. */
static u32 dissect_tcp(const struct weir_layer *l, struct weir_packet *p, const u8 *tcp)
{
	u32 header = (tcp[12] >> 4) * 4;
	u32 data;

	p->tcp_flags = tcp_flags_at(tcp);
	if (header < 20 || header > l->end - l->transport)
		return 20;
	data = l->end - l->transport - header;
	p->payload = data;
	if (l->fragment)	/* its end is elsewhere */
		return header;
	p->tcp_seq = be32_at(tcp + 4);
	p->tcp_seq_len = data + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	return header;
}

/*
 * A fragment may end inside the transport header, and who would hide makes it so:
 * what is there of it counts.
 */
static void dissect_cut(const struct weir_frame *f, const struct weir_layer *l,
			struct weir_packet *p)
{
	u8 buf[TCP_FLAGS_END] UNINITIALIZED;
	const u8 *l4;

	p->short_l4 = true;
	if (p->key.protocol == IPPROTO_ICMP || p->key.protocol == IPPROTO_ICMPV6) {
		l4 = look_in(f, l, l->transport, 2, buf);
		if (l4)
			memcpy(&p->key.dst_port, l4, 2);
		return;
	}
	l4 = look_in(f, l, l->transport, 4, buf);
	if (!l4)
		return;
	memcpy(&p->key.src_port, l4, 2);
	memcpy(&p->key.dst_port, l4 + 2, 2);
	if (p->key.protocol != IPPROTO_TCP)
		return;
	l4 = look_in(f, l, l->transport, TCP_FLAGS_END, buf);
	if (l4)
		p->tcp_flags = tcp_flags_at(l4);
}

static __always_inline void
dissect_transport(const struct weir_frame *f, struct weir_layer *l, struct weir_packet *p)
{
	u32 need = transport_header(p);
	u8 buf[20] UNINITIALIZED;
	const u8 *l4;

	l->payload = l->transport;
	if (l->later_fragment || !need)
		return;
	l4 = look_in(f, l, l->transport, need, buf);
	if (!l4) {
		dissect_cut(f, l, p);
		return;
	}
	if (p->key.protocol == IPPROTO_ICMP || p->key.protocol == IPPROTO_ICMPV6) {
		memcpy(&p->key.dst_port, l4, 2);	/* type, code */
	} else {
		memcpy(&p->key.src_port, l4, 2);
		memcpy(&p->key.dst_port, l4 + 2, 2);
		if (p->key.protocol == IPPROTO_TCP)
			need = dissect_tcp(l, p, l4);
	}
	l->payload += need;
}

static __always_inline enum weir_dissected
dissect_ip(const struct weir_frame *f, struct weir_layer *l, struct weir_packet *p)
{
	enum weir_dissected result;
	u8 buf[IPV4_HEADER] UNINITIALIZED;
	const u8 *ip = look_in(f, l, l->at, IPV4_HEADER, buf);
	u8 version;

	if (!ip)
		return WEIR_DISSECTED_TRUNCATED;
	version = *ip >> 4;
	if (l->version && l->version != version)
		return WEIR_DISSECTED_DAMAGED;
	if (version == 4)
		result = dissect_ipv4(f, l, p, ip);
	else if (version == 6)
		result = dissect_ipv6(f, l, p);
	else
		result = WEIR_DISSECTED_DAMAGED;
	if (!result)
		dissect_transport(f, l, p);
	return result;
}

enum weir_dissected weir_dissect_ip(const struct weir_frame *f, struct weir_layer *l,
				    struct weir_packet *p)
{
	return dissect_ip(f, l, p);
}

/* Count a super-packet, which repeats so many bytes of headers, as the packets the wire sees. */
static void count_segments(const struct weir_frame *f, struct weir_packet *p, u32 headers)
{
	u64 segs = f->gso_segs;

	if (f->gso_headers > p->ip_offset)
		headers = f->gso_headers - p->ip_offset;
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

/*
 * A super-packet in a tunnel repeats the headers down to the innermost ones, whether
 * they are the flow's or not.
 */
static u32 repeated_headers(const struct weir_frame *f, const struct weir_layer *outside,
			    const struct weir_packet *outer)
{
	struct weir_layer l = *outside;
	struct weir_packet p = *outer;

	weir_dissect_inside(f, WEIR_LOOK_INSIDE_ALL, &l, &p);
	return l.payload - p.ip_offset - l.unsent;
}

/* May it be more than it looks: tunnelled, or a super-packet? */
static inline bool is_deep(const struct weir_frame *f, u32 look_inside, const struct weir_packet *p)
{
	return is_tunnel(look_inside, p) || is_gso(f);
}

static void look_deeper(const struct weir_frame *f, u32 look_inside, struct weir_layer *l,
			struct weir_packet *p)
{
	u32 headers = l->payload - p->ip_offset - l->unsent;

	if (is_gso(f) && !f->gso_headers && p->key.protocol != IPPROTO_TCP)
		headers = repeated_headers(f, l, p);
	if (look_inside)
		weir_dissect_inside(f, look_inside, l, p);
	if (is_gso(f))
		count_segments(f, p, headers);
}

enum weir_dissected weir_dissect(const struct weir_frame *f, u32 look_inside,
				 struct weir_packet *p)
{
	struct weir_layer l = { .end = f->len };
	enum weir_dissected result;

	packet_start(p, f->vlan_id, f->inner_vlan_id);
	result = dissect_ip(f, &l, p);
	if (!result && is_deep(f, look_inside, p))
		look_deeper(f, look_inside, &l, p);
	return result;
}

enum weir_dissected weir_dissect_frame(const struct weir_frame *f, u16 ethertype,
				       u32 look_inside, struct weir_packet *p)
{
	struct weir_layer l = { .end = f->len };
	enum weir_dissected result;

	packet_start(p, f->vlan_id, f->inner_vlan_id);
	result = weir_dissect_link(f, ethertype, &l, p);
	if (result)
		return result;
	p->ip_offset = l.at;
	result = weir_dissect_ip(f, &l, p);
	if (!result && is_deep(f, look_inside, p))
		look_deeper(f, look_inside, &l, p);
	return result && l.guessed ? WEIR_DISSECTED_NOT_IP : result;
}
