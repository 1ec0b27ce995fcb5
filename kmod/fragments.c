// SPDX-License-Identifier: GPL-2.0
/*
 * fragments - the ports of fragments that do not have them
 *
 * Only the first fragment of a datagram has the transport header. What says that
 * others belong to it is the identification in the IP header (with the addresses
 * and, for IPv4, the protocol), so that is what the ports are remembered under:
 * in a table of fixed size per CPU, each datagram in one set of four. A set
 * that is full forgets the datagram that had no fragment for longest, so a flood
 * of fragments costs those who send them their ports and nobody memory or time.
 *
 * A fragment that comes before the first, by another CPU, or when the first was
 * lost, has no ports; its flow says so.
 */

#include <linux/siphash.h>
#include <linux/vmalloc.h>

#include "fragments.h"
#include "meter.h"

enum {
	FRAGMENT_SETS = 64,		/* a power of two */
	FRAGMENT_WAYS = 4,

	/*
	 * Between two fragments of one datagram. They are sent in a row; but IPv4 has
	 * 65536 identifications between two hosts, which come again in seconds.
	 */
	FRAGMENT_TICKS = 1000,
};

/* One datagram in a line. Down to match_protocol: which; compared as bytes. */
struct fragment {
	u8 src_addr[16];
	u8 dst_addr[16];
	u32 id;
	u32 in_ifindex;
	u32 netns;
	u32 tunnel_id;
	u16 vlan_id;
	u16 inner_vlan_id;
	u16 where;
	u8 match_protocol;	/* IPv6: 0, each fragment may name another header */
	u8 protocol;
	__be16 src_port;
	__be16 dst_port;
	u32 seen;		/* its last fragment, weir_ticks(), not 0; 0: free */
};

struct weir_fragments {
	struct fragment sets[FRAGMENT_SETS][FRAGMENT_WAYS];
};

u64 weir_fragments_memory(void)
{
	return sizeof(struct weir_fragments);
}

int weir_fragments_init(struct weir_cpu *c, int node)
{
	BUILD_BUG_ON(sizeof(struct fragment) != 64);

	c->fragments = vzalloc_node(sizeof(*c->fragments), node);
	return c->fragments ? 0 : -ENOMEM;
}

void weir_fragments_destroy(struct weir_cpu *c)
{
	vfree(c->fragments);
	c->fragments = NULL;
}

static void describe(struct fragment *want, const struct weir_packet *p, u32 tick)
{
	const struct weir_key *key = &p->key;

	memcpy(want->src_addr, key->src_addr, sizeof(want->src_addr));
	memcpy(want->dst_addr, key->dst_addr, sizeof(want->dst_addr));
	want->id = p->fragment_id;
	want->in_ifindex = key->in_ifindex;
	want->netns = key->netns;
	want->tunnel_id = key->tunnel_id;
	want->vlan_id = key->vlan_id;
	want->inner_vlan_id = key->inner_vlan_id;
	want->where = key->where & ~WEIR_WHERE_LATER_FRAGMENT;
	want->match_protocol = key->where & WEIR_WHERE_IPV6 ? 0 : key->protocol;
	want->protocol = key->protocol;
	want->src_port = key->src_port;
	want->dst_port = key->dst_port;
	want->seen = tick;
}

static struct fragment *find(struct fragment *set, const struct fragment *want)
{
	int way;

	for (way = 0; way < FRAGMENT_WAYS; way++)
		if (set[way].seen && want->seen - set[way].seen <= FRAGMENT_TICKS &&
		    !memcmp(&set[way], want, offsetof(struct fragment, protocol)))
			return &set[way];
	return NULL;
}

/* A free one, or the one to forget. */
static struct fragment *choose(struct fragment *set, u32 tick)
{
	struct fragment *oldest = &set[0];
	int way;

	for (way = 0; way < FRAGMENT_WAYS; way++) {
		if (!set[way].seen)
			return &set[way];
		if (tick - set[way].seen > tick - oldest->seen)
			oldest = &set[way];
	}
	return oldest;
}

void weir_fragments_ports(struct weir_cpu *c, struct weir_packet *p, u64 now)
{
	const u32 tick = max_t(u32, weir_ticks(now), 1);
	struct fragment want, *set, *known;
	u32 hash;

	describe(&want, p, tick);
	hash = hsiphash(&want, offsetof(struct fragment, protocol), &c->meter->hash_key);
	set = c->fragments->sets[hash & (FRAGMENT_SETS - 1)];
	known = find(set, &want);
	if (!(p->key.where & WEIR_WHERE_LATER_FRAGMENT)) {
		if (!known)
			known = choose(set, tick);
		*known = want;
		return;
	}
	if (!known)
		return;
	known->seen = tick;
	p->key.src_port = known->src_port;
	p->key.dst_port = known->dst_port;
	p->key.protocol = known->protocol;
	p->key.where &= ~WEIR_WHERE_LATER_FRAGMENT;
}
