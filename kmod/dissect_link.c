// SPDX-License-Identifier: GPL-2.0
/*
 * dissect_link - what is in front of IP in a frame
 *
 * Each header says what the next one is, except MPLS: what is below the bottom of
 * the stack is known to the router that pops it. There a packet that is whole and
 * consistent IP is taken for that, anything else is not IP.
 */

#include "dissect_parts.h"

enum {
	/* tags, labels and so on: a frame with more is made to cost time */
	WEIR_MAX_LINKS = 16,

	ETHER_IPV4 = 0x0800,
	ETHER_IPV6 = 0x86dd,
	ETHER_VLAN = 0x8100,
	ETHER_VLAN_S = 0x88a8,		/* 802.1ad, the provider's */
	ETHER_VLAN_OLD = 0x9100,	/* what QinQ used before there was one */
	ETHER_MPLS = 0x8847,
	ETHER_MPLS_MC = 0x8848,
	ETHER_PPPOE = 0x8864,
	ETHER_LENGTHS = 0x0600,		/* below: 802.3, LLC follows */
	ETHER_NONE = 0,

	VLAN_TAG = 4,
	VLAN_ID = 0x0fff,

	MPLS_ENTRY = 4,
	MPLS_LABEL_SHIFT = 12,
	MPLS_BOTTOM = 0x100,
	MPLS_IPV4_NULL = 0,		/* RFC 3032: explicit null says what follows */
	MPLS_IPV6_NULL = 2,

	PPPOE_HEADER = 6,
	PPPOE_VERSION_TYPE = 0x11,
	PPP_PROTOCOL = 2,
	PPP_LAST_BYTE = 0x01,
	PPP_IPV4 = 0x0021,
	PPP_IPV6 = 0x0057,
	PPP_MPLS = 0x0281,

	SNAP_HEADER = 8,
};

static void note_vlan(struct weir_packet *p, u16 id)
{
	if (!id)	/* a priority without a VLAN */
		return;
	if (!p->key.vlan_id)
		p->key.vlan_id = id;
	else if (!p->key.inner_vlan_id)
		p->key.inner_vlan_id = id;
}

static enum weir_dissected step_vlan(const struct weir_frame *f, struct weir_layer *l,
				     struct weir_packet *p, u16 *ethertype)
{
	u8 buf[VLAN_TAG] UNINITIALIZED;
	const u8 *tag = look_in(f, l, l->at, VLAN_TAG, buf);

	if (!tag)
		return WEIR_DISSECTED_TRUNCATED;
	note_vlan(p, be16_at(tag) & VLAN_ID);
	*ethertype = be16_at(tag + 2);
	l->at += VLAN_TAG;
	return WEIR_DISSECTED_OK;
}

/* What the first byte below the stack looks like. */
static u8 guess_version(const struct weir_frame *f, const struct weir_layer *l)
{
	u8 buf[1] UNINITIALIZED;
	const u8 *first = look_in(f, l, l->at, 1, buf);

	return first ? *first >> 4 : 0;
}

static enum weir_dissected step_mpls(const struct weir_frame *f, struct weir_layer *l,
				     struct weir_packet *p, u16 *ethertype)
{
	u8 buf[MPLS_ENTRY] UNINITIALIZED;
	const u8 *at = look_in(f, l, l->at, MPLS_ENTRY, buf);
	u32 label, version;

	if (!at)
		return WEIR_DISSECTED_TRUNCATED;
	label = be32_at(at) >> MPLS_LABEL_SHIFT;
	if (!p->mpls_label)
		p->mpls_label = label;
	l->at += MPLS_ENTRY;
	if (!(be32_at(at) & MPLS_BOTTOM))
		return WEIR_DISSECTED_OK;	/* the next entry */

	version = label == MPLS_IPV4_NULL ? 4 : label == MPLS_IPV6_NULL ? 6 : 0;
	l->guessed = !version;
	if (!version)
		version = guess_version(f, l);
	*ethertype = version == 4 ? ETHER_IPV4 : version == 6 ? ETHER_IPV6 : ETHER_NONE;
	return WEIR_DISSECTED_OK;
}

/* A length that does not fit its field, as in super-packets, bounds nothing. */
static enum weir_dissected pppoe_end(const struct weir_frame *f, struct weir_layer *l, u32 length)
{
	if (is_gso(f))
		return WEIR_DISSECTED_OK;
	if (length > l->end - l->at)
		return WEIR_DISSECTED_TRUNCATED;
	l->end = l->at + length;
	return WEIR_DISSECTED_OK;
}

static enum weir_dissected step_pppoe(const struct weir_frame *f, struct weir_layer *l,
				      struct weir_packet *p, u16 *ethertype)
{
	u8 buf[PPPOE_HEADER] UNINITIALIZED;
	const u8 *at = look_in(f, l, l->at, PPPOE_HEADER, buf);
	enum weir_dissected result;
	u16 protocol;

	if (!at)
		return WEIR_DISSECTED_TRUNCATED;
	if (at[0] != PPPOE_VERSION_TYPE || at[1])
		return WEIR_DISSECTED_NOT_IP;
	p->pppoe_session = be16_at(at + 2);
	l->at += PPPOE_HEADER;
	result = pppoe_end(f, l, be16_at(at + 4));
	if (result)
		return result;

	at = look_in(f, l, l->at, PPP_PROTOCOL, buf);
	if (!at)
		return WEIR_DISSECTED_TRUNCATED;
	if (at[0] & PPP_LAST_BYTE) {	/* compressed, RFC 1661: PPP_IPV4 and PPP_IPV6 fit */
		protocol = at[0];
		l->at++;
	} else {
		protocol = be16_at(at);
		l->at += PPP_PROTOCOL;
	}
	*ethertype = protocol == PPP_IPV4 ? ETHER_IPV4 :
		     protocol == PPP_IPV6 ? ETHER_IPV6 :
		     protocol == PPP_MPLS ? ETHER_MPLS : ETHER_NONE;
	return WEIR_DISSECTED_OK;
}

static enum weir_dissected step_llc(const struct weir_frame *f, struct weir_layer *l,
				    u16 *ethertype)
{
	/* DSAP, SSAP, control; then the organisation whose protocols are Ethernet's */
	static const u8 snap[SNAP_HEADER - 2] = { 0xaa, 0xaa, 0x03, 0, 0, 0 };
	u8 buf[SNAP_HEADER] UNINITIALIZED;
	const u8 *at = look_in(f, l, l->at, SNAP_HEADER, buf);

	if (!at || memcmp(at, snap, sizeof(snap)) || be16_at(at + sizeof(snap)) < ETHER_LENGTHS)
		return WEIR_DISSECTED_NOT_IP;
	*ethertype = be16_at(at + sizeof(snap));
	l->at += SNAP_HEADER;
	return WEIR_DISSECTED_OK;
}

static enum weir_dissected step(const struct weir_frame *f, struct weir_layer *l,
				struct weir_packet *p, u16 *ethertype)
{
	switch (*ethertype) {
	case ETHER_VLAN:
	case ETHER_VLAN_S:
	case ETHER_VLAN_OLD:
		return step_vlan(f, l, p, ethertype);
	case ETHER_MPLS:
	case ETHER_MPLS_MC:
		return step_mpls(f, l, p, ethertype);
	case ETHER_PPPOE:
		return step_pppoe(f, l, p, ethertype);
	}
	if (*ethertype != ETHER_NONE && *ethertype < ETHER_LENGTHS)
		return step_llc(f, l, ethertype);
	return WEIR_DISSECTED_NOT_IP;
}

enum weir_dissected weir_dissect_link(const struct weir_frame *f, u16 ethertype,
				      struct weir_layer *l, struct weir_packet *p)
{
	unsigned int n;

	for (n = 0; n <= WEIR_MAX_LINKS; n++) {
		enum weir_dissected result;

		if (ethertype == ETHER_IPV4 || ethertype == ETHER_IPV6) {
			l->version = ethertype == ETHER_IPV4 ? 4 : 6;
			return WEIR_DISSECTED_OK;
		}
		result = step(f, l, p, &ethertype);
		if (result)
			return result;
	}
	return WEIR_DISSECTED_NOT_IP;
}
