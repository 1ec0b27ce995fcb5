// SPDX-License-Identifier: GPL-2.0
/*
 * dissect_tunnel - IP inside IP
 *
 * A tunnel is entered when what it carries is IP with a header that is whole and
 * consistent; else the packet stays what it is outside. So whatever else is sent to
 * a tunnel's port, and ARP, control messages and encrypted packets, are flows of
 * the tunnel's own addresses. Fragments are not entered: only the first has
 * the headers, and all of a packet shall be in one flow.
 *
 * Tunnels in a tunnel are entered as well, to a depth. The key has room for one:
 * the innermost with an id, or else the innermost.
 */

#include "dissect_parts.h"

enum {
	WEIR_MAX_TUNNELS = 2,
	WEIR_MAX_GTPU_EXTENSIONS = 4,

	ETHER_HEADER = 14,
	ETHER_TYPE = 12,
	ETHER_IN_TUNNEL = 0x6558,	/* transparent Ethernet bridging */

	GRE_HEADER = 4,
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_SOURCE_ROUTE = 0x0800,
	GRE_VERSION = 0x0007,

	VXLAN_HEADER = 8,
	VXLAN_HAS_VNI = 0x08,

	GENEVE_HEADER = 8,
	GENEVE_VERSION = 0xc0,
	GENEVE_OPTIONS = 0x3f,		/* in units of 4 bytes */
	GENEVE_CONTROL = 0x80,

	GTPU_HEADER = 8,
	GTPU_OPTIONAL = 4,		/* sequence, N-PDU number, next extension */
	GTPU_VERSION = 0xf0,		/* and protocol type */
	GTPU_VERSION_1 = 0x30,
	GTPU_HAS_OPTIONAL = 0x07,
	GTPU_HAS_EXTENSION = 0x04,
	GTPU_T_PDU = 0xff,
};

/**
 * struct inside - what a tunnel's header says
 * @at: where what it carries starts
 * @end: where that ends at the latest
 * @ethertype: what it is; 0: IP, of @version
 * @version: 4, 6, or 0 when only the packet itself says
 */
struct inside {
	u32 at;
	u32 end;
	u32 id;
	u16 ethertype;
	u8 version;
	u8 kind;
	bool has_id;
};

static bool find_gre(const struct weir_frame *f, const struct weir_layer *l, struct inside *in)
{
	u8 buf[GRE_HEADER] UNINITIALIZED;
	const u8 *gre = look_in(f, l, l->transport, GRE_HEADER, buf);
	u16 flags;

	if (!gre)
		return false;
	flags = be16_at(gre);
	if (flags & (GRE_ROUTING | GRE_SOURCE_ROUTE | GRE_VERSION))
		return false;
	in->ethertype = be16_at(gre + 2);
	in->at = l->transport + GRE_HEADER + (flags & GRE_CHECKSUM ? 4 : 0);
	if (flags & GRE_KEY) {
		gre = look_in(f, l, in->at, 4, buf);
		if (!gre)
			return false;
		in->id = be32_at(gre);
		in->has_id = true;
		in->at += 4;
	}
	if (flags & GRE_SEQUENCE)
		in->at += 4;
	return true;
}

static bool find_vxlan(const struct weir_frame *f, const struct weir_layer *l, struct inside *in)
{
	u8 buf[VXLAN_HEADER] UNINITIALIZED;
	const u8 *vxlan = look_in(f, l, l->payload, VXLAN_HEADER, buf);

	if (!vxlan || !(vxlan[0] & VXLAN_HAS_VNI))
		return false;
	in->id = be32_at(vxlan + 4) >> 8;
	in->has_id = true;
	in->ethertype = ETHER_IN_TUNNEL;
	in->at = l->payload + VXLAN_HEADER;
	return true;
}

static bool find_geneve(const struct weir_frame *f, const struct weir_layer *l, struct inside *in)
{
	u8 buf[GENEVE_HEADER] UNINITIALIZED;
	const u8 *geneve = look_in(f, l, l->payload, GENEVE_HEADER, buf);

	if (!geneve || geneve[0] & GENEVE_VERSION || geneve[1] & GENEVE_CONTROL)
		return false;
	in->id = be32_at(geneve + 4) >> 8;
	in->has_id = true;
	in->ethertype = be16_at(geneve + 2);
	in->at = l->payload + GENEVE_HEADER + (geneve[0] & GENEVE_OPTIONS) * 4;
	return true;
}

/* Extension headers: length in units of 4 bytes, content, kind of the next one. */
static bool skip_gtpu_extensions(const struct weir_frame *f, const struct weir_layer *l,
				 struct inside *in)
{
	unsigned int n;
	u8 buf[1] UNINITIALIZED;
	const u8 *next = look_in(f, l, in->at - 1, 1, buf);

	for (n = 0; n < WEIR_MAX_GTPU_EXTENSIONS; n++) {
		const u8 *length;

		if (!next)
			return false;
		if (!*next)
			return true;
		length = look_in(f, l, in->at, 1, buf);
		if (!length || !*length)
			return false;
		in->at += *length * 4;
		next = look_in(f, l, in->at - 1, 1, buf);
	}
	return next && !*next;
}

static bool find_gtpu(const struct weir_frame *f, const struct weir_layer *l, struct inside *in)
{
	u8 buf[GTPU_HEADER] UNINITIALIZED;
	const u8 *gtpu = look_in(f, l, l->payload, GTPU_HEADER, buf);
	u32 length;
	u8 flags;

	if (!gtpu || (gtpu[0] & GTPU_VERSION) != GTPU_VERSION_1 || gtpu[1] != GTPU_T_PDU)
		return false;
	flags = gtpu[0];
	length = be16_at(gtpu + 2);
	in->id = be32_at(gtpu + 4);
	in->has_id = true;
	in->at = l->payload + GTPU_HEADER;
	if (!is_gso(f)) {	/* a super-packet's may not fit the field */
		if (length > l->end - in->at)
			return false;
		in->end = in->at + length;
	}
	if (!(flags & GTPU_HAS_OPTIONAL))
		return true;
	in->at += GTPU_OPTIONAL;
	return !(flags & GTPU_HAS_EXTENSION) || skip_gtpu_extensions(f, l, in);
}

static bool find_inside(const struct weir_frame *f, const struct weir_layer *l,
			const struct weir_packet *p, struct inside *in)
{
	switch (in->kind) {
	case WEIR_TUNNEL_IPIP:
		in->at = l->transport;
		in->version = p->key.protocol == IPPROTO_IPIP ? 4 : 6;
		return true;
	case WEIR_TUNNEL_GRE:
		return find_gre(f, l, in);
	case WEIR_TUNNEL_VXLAN:
		return find_vxlan(f, l, in);
	case WEIR_TUNNEL_GENEVE:
		return find_geneve(f, l, in);
	case WEIR_TUNNEL_GTPU:
		return find_gtpu(f, l, in);
	}
	return false;
}

/*
 * Is there one packet inside, as outside? A super-packet of UDP datagrams carries as
 * many tunnelled packets, which need not be of one flow. What is cut below
 * the tunnel repeats the tunnel's header.
 */
static bool is_one_inside(const struct weir_frame *f, const struct inside *in)
{
	if (!is_gso(f))
		return true;
	return f->gso_headers ? in->at < f->gso_headers : !f->gso_udp;
}

/* Step over an Ethernet header, and what else is in front of IP. */
static enum weir_dissected find_ip(const struct weir_frame *f, struct inside *in,
				   struct weir_layer *l, struct weir_packet *p)
{
	u8 buf[ETHER_HEADER] UNINITIALIZED;
	const u8 *ether;

	if (!in->ethertype)
		return WEIR_DISSECTED_OK;
	if (in->ethertype == ETHER_IN_TUNNEL) {
		ether = look_in(f, l, l->at, ETHER_HEADER, buf);
		if (!ether)
			return WEIR_DISSECTED_TRUNCATED;
		in->ethertype = be16_at(ether + ETHER_TYPE);
		l->at += ETHER_HEADER;
	}
	return weir_dissect_link(f, in->ethertype, l, p);
}

/* The outside's share of what is known. */
static void start_inside(struct weir_packet *p, const struct weir_packet *outside)
{
	packet_start(p, outside->key.vlan_id, outside->key.inner_vlan_id);
	p->mpls_label = outside->mpls_label;
	p->ip_offset = outside->ip_offset;
}

static void note_tunnel(struct weir_packet *p, const struct weir_packet *outside,
			const struct inside *in, bool *has_id)
{
	const u16 mask = WEIR_WHERE_TUNNEL_MASK;

	if (in->has_id || !*has_id) {
		p->key.where |= in->kind << WEIR_WHERE_TUNNEL_SHIFT;
		p->key.tunnel_id = in->id;
		*has_id = in->has_id;
	} else {
		p->key.where |= outside->key.where & mask;
		p->key.tunnel_id = outside->key.tunnel_id;
	}
}

static bool enter(const struct weir_frame *f, u32 look_inside, struct weir_layer *l,
		  struct weir_packet *p, bool *has_id)
{
	struct inside in = { .end = l->end, .kind = tunnel_kind(p) };
	struct weir_layer inner = { 0 };
	struct weir_packet packet UNINITIALIZED;

	if (!is_tunnel(look_inside, p) || l->fragment || p->short_l4 ||
	    !find_inside(f, l, p, &in) || !is_one_inside(f, &in))
		return false;

	start_inside(&packet, p);
	inner.at = in.at;
	inner.end = in.end;
	inner.version = in.version;
	if (find_ip(f, &in, &inner, &packet) || weir_dissect_ip(f, &inner, &packet))
		return false;
	note_tunnel(&packet, p, &in, has_id);
	packet.pppoe_session = p->pppoe_session;
	packet.bytes = p->bytes - inner.unsent;
	inner.unsent += l->unsent;
	*p = packet;
	*l = inner;
	return true;
}

void weir_dissect_inside(const struct weir_frame *f, u32 look_inside, struct weir_layer *l,
			 struct weir_packet *p)
{
	bool has_id = false;
	unsigned int n;

	for (n = 0; n < WEIR_MAX_TUNNELS; n++)
		if (!enter(f, look_inside, l, p, &has_id))
			return;
}
