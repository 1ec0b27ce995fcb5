/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * weir - the contract between weir.ko and user space
 *
 * The module meters packets into flow records (RFC 5470) and hands them to one
 * subscriber over generic netlink, family "weir". Every network namespace has
 * an instance of its own: its own tables, stream, ledger and configuration. A
 * socket talks to the instance of the namespace it was opened in. Every
 * operation needs CAP_NET_ADMIN in the initial user namespace. Integers are in
 * host byte order unless their type or comment says otherwise. An unknown
 * attribute in a reply is to be skipped; a fixed struct may grow at its end,
 * its size is always stated or implied by the attribute's length, and a reader
 * uses the part it knows.
 *
 * Metering
 *   In the initial namespace metering starts when the module is loaded, unless
 *   it was loaded with autostart=0. Elsewhere it starts with
 *   SET_CONFIG(ENABLED = 1), which allocates all memory the instance will ever
 *   use: per CPU a table of TABLE_FLOWS flows and a log of LOG_BATCHES batches.
 *   Starting draws a new random INSTANCE number; batch numbers start at 1.
 *
 *   The initial namespace's instance can cover the others (COVER = 1): its
 *   hooks are in every namespace, also those to come, but where another instance
 *   is on. Flows seen there have that namespace's inode number in NETNS of their
 *   record, and interface numbers are those of that namespace.
 *
 * Tunnels
 *   A packet of a tunnel in LOOK_INSIDE is counted in the flow of what is inside: addresses, ports,
 *   protocol, tos, TTL, TCP and fragments of a record are those of the inner packet, and tunnel
 *   and tunnel_id are part of its key. bytes stay those of the outermost IP packet, so that
 *   totals can be compared with an interface's. Up to two tunnels in each other are entered;
 *   tunnel and tunnel_id are of the innermost that has an id (a GRE key, a VNI, a TEID),
 *   or else of the innermost. VXLAN is UDP to port 4789 or 8472, GENEVE to 6081, GTP-U (T-PDU
 *   only) to 2152. What is not a whole IP packet inside (ARP, control messages, another
 *   protocol on that port, a cut packet) and fragments of the outer packet are counted
 *   in the outer flow. So are super-packets (GRO, GSO) of several UDP datagrams: each
 *   carries a packet of its own.
 *
 * The stream
 *   A flow that ends (idle, active, end of TCP connection, evicted, flushed)
 *   becomes a record. Records of one CPU are collected in a batch; a batch that
 *   is full, or old, is sealed and gets the next number, SEQ. It stays in the
 *   kernel until a subscriber acknowledges it.
 *
 *   SUBSCRIBE   in:  INSTANCE (the one known, or 0), SEQ (next batch wanted, or
 *                    0 for the oldest held), WINDOW (batches that may be
 *                    unacknowledged at a time; optional)
 *               out: INSTANCE, SEQ (the first batch that will be sent),
 *                    MISSING (batches between the one asked for and that one)
 *     The socket now owns the stream and receives a BATCH message for each
 *     batch from SEQ on. If the INSTANCE given is the current one, all batches
 *     before SEQ count as acknowledged: the subscriber proves by naming the
 *     next one that it has committed those. MISSING is not zero when the
 *     subscriber asks for batches that were acknowledged before (it lost its
 *     own state); those are gone. With another INSTANCE, SEQ is ignored and the
 *     stream starts at the oldest batch held. -EBUSY: another socket owns the
 *     stream. -ERANGE: SEQ was never handed out. -ENETDOWN: metering is off.
 *     The owner may subscribe again; batches that reach it before the reply
 *     belong to its earlier subscription.
 *     The stream is released when the socket is closed, however that happens.
 *
 *   BATCH       INSTANCE, SEQ, CPU, CLOCK_OFFSET_NS (add to the record's
 *               monotonic times to get nanoseconds since the Unix epoch, as of
 *               when the batch was sealed), RECORD_SIZE, NUMBERED (totals of
 *               all batches 1..SEQ), RECORDS (array of struct weir_record,
 *               RECORD_SIZE apart; the count is the attribute's length divided
 *               by that). Sent with netlink sequence number 0.
 *               The content of a batch never changes: a batch that is sent
 *               again is the same to the last byte.
 *
 *   ACK         in:  INSTANCE, SEQ: this batch and all before it are durable.
 *               Only the owner may acknowledge. -ESTALE: another INSTANCE.
 *               -ERANGE: SEQ was not sent yet.
 *
 *   END         Sent to the owner as the last message of an instance (metering
 *               switched off, namespace or module going away): INSTANCE, SEQ
 *               (last number given), NUMBERED (totals of 1..SEQ), LOST. All that
 *               was in the table was moved to the log before. A subscriber that
 *               holds fewer than SEQ batches after END has lost the difference
 *               and can name it exactly. LOST here is what got no number, so
 *               that SEEN = NUMBERED + LOST holds at the end; batches that have
 *               one and were not acknowledged are the subscriber's to judge.
 *               For up to 2 seconds of it, as long as the owner takes or
 *               acknowledges something each second, ACK works, also of batches that
 *               came before END; when the module goes away the family may be gone
 *               (-ENOENT) before END has been read.
 *
 * The ledger
 *   For every CPU, at any moment and exactly, for packets and for bytes:
 *     SEEN = TABLE + PENDING + ACKED + sum of LOST[reason]
 *   PENDING is what sits in open batches and in numbered batches not yet
 *   acknowledged. flows in SEEN is the number of flows created, so the same
 *   holds for flows, except that LOST counts packets that found no flow.
 *   Packets that are not this instance's to count (second sight of a packet that is
 *   counted at another hook, headers damaged) are in SKIPPED, by reason, and
 *   not in SEEN.
 *
 *   GET_STATS   as a request: one message, the sum over CPUs (each CPU read at
 *               one moment of its own, so the sum balances too). As a dump: one
 *               message per CPU, with CPU.
 *               out: INSTANCE, SEEN, TABLE, PENDING, ACKED (struct
 *               weir_totals), LOST (array of weir_totals by enum weir_lost),
 *               SKIPPED (array of weir_totals by enum weir_skip, flows unused),
 *               COUNTERS (array of u64 by enum weir_counter); and, in the
 *               request form: SEQ (last number given), ACKED_SEQ, NUMBERED,
 *               OWNER (netlink port of the subscriber, 0 for none), MEMORY
 *               (bytes held), TABLE_FLOWS and LOG_BATCHES (capacity over all
 *               CPUs), CPUS, UPTIME_NS, CLOCK_OFFSET_NS, NETNS (inode number
 *               of the namespace), VERSION (of the module), ENABLED. While
 *               metering is off the request form shows INSTANCE (0 if there
 *               was none) and the ledger with which the last instance ended,
 *               its unacknowledged batches under LOST, CPUS and MEMORY 0 and
 *               none of what belongs to a stream; the dump says -ENETDOWN.
 *
 * Modes
 *   MODES is a mask of where packets are seen. It and INTERFACES change while
 *   metering is on, between two packets of each CPU: no packet is missed, none counted twice
 *   (what a process sends while NETDEV is switched: may be, one packet a CPU).
 *     ROUTED   IPv4 and IPv6 at FORWARD, LOCAL_IN, LOCAL_OUT: what is forwarded, received, sent.
 *     INGRESS  PRE_ROUTING, LOCAL_OUT: also what routing drops; no out-interface but for what is
 *              sent. Not together with ROUTED.
 *     BRIDGE   what a bridge forwards; what the host itself receives and sends through it is
 *              for the IP modes.
 *     NETDEV   what comes in and (Linux 5.16 on) goes out by the INTERFACES, also what OVS,
 *              macvlan or a flowtable take away before the IP modes, or promiscuous mode brings.
 *   INTERFACES is patterns as a shell has, separated by spaces, of names: "eth* !eth3 tap*" is all
 *   whose names begin with eth, but for eth3, and with tap; as they appear and are renamed. An
 *   interface on top of one that is metered (VLAN, bond, bridge, macvlan, ipvlan) is not
 *   metered as well: its packets are. If only some of those below are, packets of the others
 *   are not seen there.
 *   A packet that several modes see is counted by one of them, and under SKIPPED as OTHER_MODE
 *   by the others: what comes in by, or goes out by, an interface of NETDEV is counted there;
 *   what a bridge forwards, there and not where br_netfilter shows it. So what a firewall
 *   drops on its way to such an interface is in SKIPPED only. IPsec and tunnels: the packet
 *   inside and the one outside are two packets.
 *   Counted more than once are: a datagram that multicast routing sends to several
 *   interfaces (ROUTED, NETDEV: for each); with an IP mode, what the host receives through a
 *   bridge by a port of NETDEV when not all ports are, and receive packet steering is on for
 *   the bridge, or a VLAN device is on it; in NETDEV, what goes through a VRF only some of whose
 *   ports are metered, what Open vSwitch hands to an internal port, and, in NETDEV alone,
 *   what is in a PPPoE session that ends here. Not counted in NETDEV are packets from the
 *   host to itself in a VRF, and the outside of L2TPv3, and of IPsec that leaves by a VLAN or
 *   bond, when the inside came by a metered interface.
 *
 * Control
 *   GET_CONFIG  out: every attribute SET_CONFIG takes.
 *   SET_CONFIG  in: any of ENABLED (u8), ACTIVE_TIMEOUT_MS, IDLE_TIMEOUT_MS,
 *               FIN_TIMEOUT_MS (u32), TABLE_FLOWS (u32, per CPU), LOG_BATCHES (u32,
 *               per CPU; while metering is off), MODES (u32, bits 1 << enum weir_mode),
 *               INTERFACES (string: patterns of names, for WEIR_MODE_NETDEV),
 *               LOOK_INSIDE (u32, bits 1 << enum weir_tunnel), SAMPLING (u32, one
 *               packet of so many, up to 2^24; 0 or 1: all), SAMPLING_METHOD (u32,
 *               enum weir_sampling), COVER (u8, 1: other namespaces too). All or
 *               nothing. -ERANGE and -EINVAL come with an extack sentence and
 *               the attribute at fault. Sizes are rounded up to powers of two.
 *               With ENABLED = 0 LOG_BATCHES may come in the same request; -EBUSY:
 *               it came while metering is on. TABLE_FLOWS changes at any time: flows
 *               move, and those for which a smaller table has no room become records
 *               (flowEndReason 5). Without room in the log they stay for now, both
 *               tables are kept, and another change is refused with -EBUSY. -ENOMEM:
 *               more than half of the free memory. Timeouts: 100 ms to a day; TABLE_FLOWS: 64 to
 *               2^24; LOG_BATCHES: 2 to 65536.
 *   DUMP_FLOWS  dump of the flows in the tables now: messages with RECORD_SIZE,
 *               CPU, CLOCK_OFFSET_NS, RECORDS (end_reason 0). Filter, all optional
 *               and all must match: FILTER_ADDR (16 bytes, IPv4 mapped) with
 *               FILTER_PREFIX (u8, of 128), either direction; FILTER_PORT (u16,
 *               host order), either direction; FILTER_PROTOCOL (u8).
 *               The tables move while they are read: a flow is
 *               shown at most once per CPU, one that lives through the dump is shown.
 *               Where TABLE_FLOWS changes meanwhile that cannot be had: -EINTR.
 *   FLUSH       ends every flow in the tables (flowEndReason 4) and moves it
 *               to the log as far as there is room.
 *               out: MOVED (u64 flows), LEFT (u64 flows that found no room).
 *
 *   GET_INTERFACES
 *               dump of the interfaces of the namespace: IFINDEX, IFNAME, SEEN_BY (modes in
 *               force that see its packets), BYPASS (ways in which packets may come in by it
 *               that none of them sees). -ENETDOWN: metering is off.
 *
 *   NOTICE      multicast, group "notices" (CAP_NET_ADMIN): NOTICE (u32, enum
 *               weir_notice), INSTANCE; at most one of a kind each second.
 *
 * History
 *   1  first version.
 */
#ifndef _UAPI_WEIR_H
#define _UAPI_WEIR_H

#include <linux/types.h>

#define WEIR_GENL_NAME		"weir"
#define WEIR_GENL_VERSION	1
#define WEIR_GENL_NOTICES	"notices"

enum weir_cmd {
	WEIR_CMD_GET_STATS = 1,
	WEIR_CMD_GET_CONFIG,
	WEIR_CMD_SET_CONFIG,
	WEIR_CMD_DUMP_FLOWS,
	WEIR_CMD_FLUSH,
	WEIR_CMD_SUBSCRIBE,
	WEIR_CMD_ACK,
	WEIR_CMD_BATCH,			/* kernel to owner */
	WEIR_CMD_END,			/* kernel to owner */
	WEIR_CMD_NOTICE,		/* kernel to group "notices" */
	WEIR_CMD_GET_INTERFACES,

	__WEIR_CMD_MAX,
#define WEIR_CMD_MAX (__WEIR_CMD_MAX - 1)
};

enum weir_attr {
	WEIR_A_PAD = 1,			/* padding of 64-bit attributes */
	WEIR_A_INSTANCE,		/* u64, random */
	WEIR_A_SEQ,			/* u64, batch number, from 1 */
	WEIR_A_MISSING,			/* u64, batches */
	WEIR_A_WINDOW,			/* u32, batches */
	WEIR_A_CPU,			/* u32 */
	WEIR_A_CLOCK_OFFSET_NS,		/* s64, real time minus monotonic */
	WEIR_A_RECORD_SIZE,		/* u32, bytes */
	WEIR_A_RECORDS,			/* struct weir_record[] */
	WEIR_A_NUMBERED,		/* struct weir_totals */
	WEIR_A_SEEN,			/* struct weir_totals */
	WEIR_A_TABLE,			/* struct weir_totals */
	WEIR_A_PENDING,			/* struct weir_totals */
	WEIR_A_ACKED,			/* struct weir_totals */
	WEIR_A_LOST,			/* struct weir_totals[], by enum weir_lost */
	WEIR_A_SKIPPED,			/* struct weir_totals[], by enum weir_skip */
	WEIR_A_COUNTERS,		/* u64[], by enum weir_counter */
	WEIR_A_ACKED_SEQ,		/* u64 */
	WEIR_A_OWNER,			/* u32, netlink port */
	WEIR_A_MEMORY,			/* u64, bytes */
	WEIR_A_CPUS,			/* u32, CPUs with a table */
	WEIR_A_UPTIME_NS,		/* u64, since metering started */
	WEIR_A_NETNS,			/* u32, inode number */
	WEIR_A_VERSION,			/* string */
	WEIR_A_ENABLED,			/* u8, 0 or 1 */
	WEIR_A_MODES,			/* u32, bits 1 << enum weir_mode */
	WEIR_A_ACTIVE_TIMEOUT_MS,	/* u32 */
	WEIR_A_IDLE_TIMEOUT_MS,		/* u32 */
	WEIR_A_FIN_TIMEOUT_MS,		/* u32 */
	WEIR_A_TABLE_FLOWS,		/* u32 */
	WEIR_A_LOG_BATCHES,		/* u32 */
	WEIR_A_FILTER_ADDR,		/* 16 bytes */
	WEIR_A_FILTER_PREFIX,		/* u8, 0..128 */
	WEIR_A_FILTER_PORT,		/* u16 */
	WEIR_A_FILTER_PROTOCOL,		/* u8 */
	WEIR_A_MOVED,			/* u64, flows */
	WEIR_A_LEFT,			/* u64, flows */
	WEIR_A_NOTICE,			/* u32, enum weir_notice */
	WEIR_A_INTERFACES,		/* string, patterns separated by spaces */
	WEIR_A_LOOK_INSIDE,		/* u32, bits 1 << enum weir_tunnel */
	WEIR_A_SAMPLING,		/* u32, one packet of so many; 0 or 1: all */
	WEIR_A_SAMPLING_METHOD,		/* u32, enum weir_sampling */
	WEIR_A_COVER,			/* u8, 0 or 1 */
	WEIR_A_IFINDEX,			/* u32 */
	WEIR_A_IFNAME,			/* string */
	WEIR_A_SEEN_BY,			/* u32, bits 1 << enum weir_mode */
	WEIR_A_BYPASS,			/* u32, bits 1 << enum weir_bypass */

	__WEIR_A_MAX,
#define WEIR_A_MAX (__WEIR_A_MAX - 1)
};

/* Where packets are observed. */
enum weir_mode {
	WEIR_MODE_ROUTED = 0,	/* IPv4 and IPv6 FORWARD, LOCAL_IN, LOCAL_OUT */
	WEIR_MODE_INGRESS = 1,	/* IPv4 and IPv6 PRE_ROUTING, LOCAL_OUT; not with ROUTED */
	WEIR_MODE_BRIDGE = 2,	/* frames a bridge forwards */
	WEIR_MODE_NETDEV = 3,	/* ingress and egress of the INTERFACES */

	__WEIR_MODE_COUNT,
};

/* Which hook created the flow (observation point). */
enum weir_observed {
	WEIR_OBSERVED_FORWARD = 1,
	WEIR_OBSERVED_LOCAL_IN = 2,
	WEIR_OBSERVED_LOCAL_OUT = 3,
	WEIR_OBSERVED_PRE_ROUTING = 4,
	WEIR_OBSERVED_BRIDGE = 5,
	WEIR_OBSERVED_INGRESS = 6,
	WEIR_OBSERVED_EGRESS = 7,
};

/* Tunnels that can be looked into (LOOK_INSIDE). */
enum weir_tunnel {
	WEIR_TUNNEL_NONE = 0,
	WEIR_TUNNEL_IPIP = 1,	/* IPv4 or IPv6 in IPv4 or IPv6, 6in4 too; no id */
	WEIR_TUNNEL_GRE = 2,	/* id: key, 0 without */
	WEIR_TUNNEL_VXLAN = 3,	/* id: VNI */
	WEIR_TUNNEL_GENEVE = 4,	/* id: VNI */
	WEIR_TUNNEL_GTPU = 5,	/* id: TEID */

	__WEIR_TUNNEL_COUNT,
};

/* How packets are chosen when SAMPLING is over 1. */
enum weir_sampling {
	WEIR_SAMPLING_PACKETS = 0,	/* at random, one of N on average */
	WEIR_SAMPLING_FLOWS = 1,	/* all, both ways, of one connection of N, by hash */
};

/* Why traffic of an interface does not reach the hooks in force. */
enum weir_bypass {
	WEIR_BYPASS_RX_HANDLER = 0,	/* a bridge, OVS, macvlan, bond takes it before */
	WEIR_BYPASS_XDP = 1,		/* a program may redirect or drop it before */
	WEIR_BYPASS_FLOWTABLE = 2,	/* forwarded at ingress by an nftables flowtable */
};

/* IPFIX flowEndReason, information element 136. 0 in a live dump. */
enum weir_end_reason {
	WEIR_END_NONE = 0,
	WEIR_END_IDLE = 1,
	WEIR_END_ACTIVE = 2,
	WEIR_END_DETECTED = 3,		/* FIN or RST was seen */
	WEIR_END_FORCED = 4,		/* flush, or metering switched off */
	WEIR_END_NO_RESOURCES = 5,	/* evicted from a full set */
};

/* struct weir_record, flags */
#define WEIR_FLOW_FRAGMENTS	0x0001	/* some packets were fragments */
#define WEIR_FLOW_LATER_FRAGMENT 0x0002	/* fragments whose first was not seen: no ports */
#define WEIR_FLOW_SECPATH	0x0004	/* packets came out of IPsec */
#define WEIR_FLOW_GSO		0x0008	/* super-packets were counted as what they stand for */
#define WEIR_FLOW_PARTIAL	0x0010	/* a flowtable forwards packets of it unseen */

/* Why a packet that should have been counted in a flow was not. */
enum weir_lost {
	WEIR_LOST_NO_ROOM = 0,	/* the set was full and the log had no room for a victim */
	WEIR_LOST_DISCARDED,	/* records dropped unacknowledged because metering stopped */

	__WEIR_LOST_COUNT,
};

/* Why a packet at a hook is not this instance's to count. */
enum weir_skip {
	WEIR_SKIP_LOOPBACK = 0,	/* counted at LOCAL_OUT already */
	WEIR_SKIP_LOOPED,	/* own multicast or broadcast coming back */
	WEIR_SKIP_L3MASTER,	/* second pass through a VRF device */
	WEIR_SKIP_BRIDGED,	/* pushed here by br_netfilter */
	WEIR_SKIP_TRUNCATED,	/* shorter than its IP header, or than that says */
	WEIR_SKIP_IPVS,		/* sent on by a virtual server, counted when it came in */
	WEIR_SKIP_DAMAGED,	/* its IP header contradicts itself */
	WEIR_SKIP_NOT_IP,	/* a frame of another protocol (bridge, netdev) */
	WEIR_SKIP_SAMPLED,	/* not chosen by SAMPLING */
	WEIR_SKIP_OTHER_MODE,	/* for another hook to count, of the modes in force */
	WEIR_SKIP_FLOODED,	/* one more copy of a frame that a bridge sends to many ports */

	__WEIR_SKIP_COUNT,
};

enum weir_counter {
	WEIR_COUNTER_CREATED = 0,	/* flows created */
	WEIR_COUNTER_END_IDLE,
	WEIR_COUNTER_END_ACTIVE,
	WEIR_COUNTER_END_DETECTED,
	WEIR_COUNTER_END_FORCED,
	WEIR_COUNTER_EVICTED,		/* flowEndReason 5 */
	WEIR_COUNTER_BATCHES,		/* batches sealed */
	WEIR_COUNTER_LOG_FULL,		/* times expiry stopped because the log was full */
	WEIR_COUNTER_SHORT_L4,		/* counted, with what there was of a cut transport header */
	WEIR_COUNTER_PARTIAL,		/* flows handed over to a flowtable (WEIR_FLOW_PARTIAL) */

	__WEIR_COUNTER_COUNT,
};

enum weir_notice {
	WEIR_NOTICE_STARTED = 1,	/* metering started: a new INSTANCE */
	WEIR_NOTICE_STOPPED,
	WEIR_NOTICE_OWNED,		/* a subscriber took the stream */
	WEIR_NOTICE_RELEASED,		/* the subscriber is gone */
	WEIR_NOTICE_LOG_FULL,		/* expiry stopped until someone acknowledges */
};

struct weir_totals {
	__u64 flows;
	__u64 packets;
	__u64 bytes;			/* IP length, RFC 7012 octetDeltaCount */
};

/*
 * One flow record. Times are CLOCK_MONOTONIC nanoseconds; 0 means "never".
 * IPv4 addresses are IPv4-mapped (RFC 4291, 2.5.5.2). ICMP and ICMPv6 have
 * src_port 0 and dst_port = type * 256 + code.
 *
 * Records of a batch are RECORD_SIZE apart: WEIR_RECORD_CORE when all that
 * follows is zero in every one of them, which is the common case, else the
 * whole struct.
 */
struct weir_record {
	/* flow key */
	__u8	src_addr[16];
	__u8	dst_addr[16];
	__be16	src_port;
	__be16	dst_port;
	__u32	in_ifindex;		/* 0: sent by this host */
	__u32	out_ifindex;		/* not key; of the last packet; 0: for this host */
	__u16	vlan_id;
	__u8	protocol;		/* after IPv6 extension headers */
	__u8	tos;			/* DSCP, which is key; ECN bits are the OR of all */
	__u8	ip_version;		/* 4 or 6 */
	/* facts */
	__u8	end_reason;		/* enum weir_end_reason */
	__u8	observed;		/* enum weir_observed */
	__u8	min_ttl;
	__u16	tcp_flags;		/* OR of all; bit 8 is the former NS */
	__u16	flags;			/* WEIR_FLOW_* */
	__u32	mark;			/* skb mark of the first packet */
	__u32	fragments;		/* packets that were fragments */
	__u64	packets;
	__u64	bytes;
	__u64	start_ns;
	__u64	end_ns;			/* last packet */
	__u64	second_ns;		/* second packet */
	__u64	payload_ns;		/* TCP: first packet with payload */
	__u32	retransmitted;		/* TCP: segments wholly below the highest seen */
	__u32	out_of_order;		/* TCP: segments beyond the next expected */
	__u8	src_mac[6];		/* of the first packet, 0 if unknown */
	__u8	dst_mac[6];
	__u32	sampling;		/* one packet of so many was counted; 0: all */

	/* from here on only in long records */
	__u32	tunnel_id;		/* key; see enum weir_tunnel */
	__u32	netns;			/* key; inode number, 0: the instance's own */
	__u8	tunnel;			/* key; enum weir_tunnel, 0: not looked inside */
	__u8	sampling_method;	/* enum weir_sampling */
	__u16	inner_vlan_id;		/* key; QinQ: the customer's tag */
	__u32	mpls_label;		/* top of stack, of the first packet; 0: none */
	__u16	pppoe_session;		/* of the first packet; 0: none */
	/*
	 * The other side of NAT, 0 without: with src as it leaves (post-NAT) and dst as it
	 * came (pre-NAT) where the key is that between the two (routed), else
	 * what the wire on the other side has.
	 */
	__be16	nat_src_port;
	__be16	nat_dst_port;
	__u16	reserved;
	__u8	nat_src_addr[16];
	__u8	nat_dst_addr[16];
};

#define WEIR_RECORD_CORE	136

#endif /* _UAPI_WEIR_H */
