// SPDX-License-Identifier: GPL-2.0
/*
 * nfdump.c - flows as "nfdump -o csv" of nfdump 1.7 writes them, for scripts made for that.
 *
 * What weir does not know is what nfdump writes when its exporter did not say. Times are
 * in the local zone, as there. tests/cluster/as_nfdump.py holds it against nfdump itself.
 */
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

/* As nfdump abbreviates them; the rest are numbers. */
static const char *const protocols[] = {
	[1] = "ICMP", [2] = "IGMP", [3] = "GGP", [4] = "IPIP", [5] = "ST", [6] = "TCP",
	[7] = "CBT", [8] = "EGP", [9] = "IGP", [10] = "BBN", [11] = "NVPII", [12] = "PUP",
	[13] = "ARGUS", [14] = "ENCOM", [15] = "XNET", [16] = "CHAOS", [17] = "UDP",
	[18] = "MUX", [19] = "DCN", [20] = "HMP", [21] = "PRM", [22] = "XNS", [23] = "Trnk1",
	[24] = "Trnk2", [25] = "Leaf1", [26] = "Leaf2", [27] = "RDP", [28] = "IRTP",
	[29] = "ISO-4", [30] = "NETBK", [31] = "MFESP", [32] = "MEINP", [33] = "DCCP",
	[34] = "3PC", [35] = "IDPR", [36] = "XTP", [37] = "DDP", [38] = "IDPR", [39] = "TP++",
	[40] = "IL", [41] = "IPv6", [42] = "SDRP", [43] = "Rte6", [44] = "Frag6", [45] = "IDRP",
	[46] = "RSVP", [47] = "GRE", [48] = "MHRP", [49] = "BNA", [50] = "ESP", [51] = "AH",
	[52] = "INLSP", [53] = "SWIPE", [54] = "NARP", [55] = "MOBIL", [56] = "TLSP",
	[57] = "SKIP", [58] = "ICMP6", [59] = "NOHE6", [60] = "OPTS6", [61] = "HOST",
	[62] = "CFTP", [63] = "NET", [64] = "SATNT", [65] = "KLAN", [66] = "RVD", [67] = "IPPC",
	[68] = "FS", [69] = "SATM", [70] = "VISA", [71] = "IPCV", [72] = "CPNX", [73] = "CPHB",
	[74] = "WSN", [75] = "PVP", [76] = "BSATM", [77] = "SUNND", [78] = "WBMON",
	[79] = "WBEXP", [80] = "ISOIP", [81] = "VMTP", [82] = "SVMTP", [83] = "VINES",
	[84] = "TTP", [85] = "NSIGP", [86] = "DGP", [87] = "TCF", [88] = "EIGRP", [89] = "OSPF",
	[90] = "S-RPC", [91] = "LARP", [92] = "MTP", [93] = "AX.25", [94] = "OS", [95] = "MICP",
	[96] = "SCCSP", [97] = "ETHIP", [98] = "ENCAP", [100] = "GMTP", [101] = "IFMP",
	[102] = "PNNI", [103] = "PIM", [104] = "ARIS", [105] = "SCPS", [106] = "QNX",
	[107] = "A/N", [108] = "IPcmp", [109] = "SNP", [110] = "CpqPP", [111] = "IPXIP",
	[112] = "VRRP", [113] = "PGM", [114] = "0hop", [115] = "L2TP", [116] = "DDX",
	[117] = "IATP", [118] = "STP", [119] = "SRP", [120] = "UTI", [121] = "SMP", [122] = "SM",
	[123] = "PTP", [124] = "ISIS4", [125] = "FIRE", [126] = "CRTP", [127] = "CRUDP",
	[129] = "IPLT", [130] = "SPS", [131] = "PIPE", [132] = "SCTP", [133] = "FC",
	[135] = "MHEAD", [136] = "UDP-L", [137] = "MPLS",
};

enum {
	PADDED_FROM = sizeof(protocols) / sizeof(protocols[0]), /* so does nfdump */
};

void weir_cli_nfdump_heads(void)
{
	puts("ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,"
	     "dir,nh,nhb,svln,dvln,ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,"
	     "mpls8,mpls9,mpls10,cl,sl,al,ra,eng,exid,tr");
}

static const char *protocol_text(uint8_t protocol, char *text, size_t bytes)
{
	if (protocol < PADDED_FROM && protocols[protocol])
		return protocols[protocol];
	snprintf(text, bytes, protocol < PADDED_FROM ? "%u" : "%-5u", protocol);
	return text;
}

static const char *mac_text(const uint8_t mac[6], char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return text;
}

/* In milliseconds, cut, as nfdump stores times. */
static uint64_t milliseconds(const struct weir_flow *f)
{
	uint64_t start = f->start_ns / 1000000, end = f->end_ns / 1000000;

	return end > start ? end - start : 0;
}

void weir_cli_nfdump_flow(const struct weir_flow *f, struct weir_cli_nfdump_sum *sum)
{
	char start[40], end[40], received[40], src[WEIR_TEXT_ADDRESS], dst[WEIR_TEXT_ADDRESS],
		proto[16], flags[16], src_mac[18], dst_mac[18];
	uint64_t ms = milliseconds(f);

	printf("%s,%s,%" PRIu64 ".%03" PRIu64 ",%s,%s,%u,%u,%s,%s,0,%u,%" PRIu64 ",%" PRIu64
	       ",0,0,%u,%u,0,0,0,0,0,0,0.0.0.0,0.0.0.0,%u,0,%s,00:00:00:00:00:00,%s,"
	       "00:00:00:00:00:00",
	       weir_cli_time_local(f->start_ns, 0, start, sizeof(start)),
	       weir_cli_time_local(f->end_ns, 0, end, sizeof(end)), ms / 1000, ms % 1000,
	       weir_text_address(f->src_addr, f->ip_version, src, sizeof(src)),
	       weir_text_address(f->dst_addr, f->ip_version, dst, sizeof(dst)), f->src_port,
	       f->dst_port, protocol_text(f->protocol, proto, sizeof(proto)),
	       weir_text_tcp_flags(f->tcp_flags, flags, sizeof(flags)), f->tos, f->packets,
	       f->bytes, f->in_ifindex, f->out_ifindex, f->vlan_id, mac_text(f->src_mac, src_mac),
	       mac_text(f->dst_mac, dst_mac));
	for (unsigned i = 0; i < 10; i++)
		fputs(",0-0-0", stdout);
	printf(",    0.000,    0.000,    0.000,0.0.0.0,0/0,0,%s\n",
	       weir_cli_time_local(0, 3, received, sizeof(received)));
	weir_flow_count(&sum->totals, f);
	if (!sum->first_ms || f->start_ns / 1000000 < sum->first_ms)
		sum->first_ms = f->start_ns / 1000000;
	if (f->end_ns / 1000000 > sum->last_ms)
		sum->last_ms = f->end_ns / 1000000;
}

/* nfdump's own closing lines: of what was written. */
void weir_cli_nfdump_end(const struct weir_cli_nfdump_sum *sum)
{
	const struct weir_totals *t = &sum->totals;
	double seconds = (double)(sum->last_ms - sum->first_ms) / 1000;
	uint64_t bps = seconds > 0 ? (uint64_t)((double)t->bytes * 8 / seconds) : 0;
	uint64_t pps = seconds > 0 ? (uint64_t)((double)t->packets / seconds) : 0;

	printf("Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n%llu,%llu,%llu,%" PRIu64
	       ",%" PRIu64 ",%llu\n",
	       t->flows, t->bytes, t->packets, bps, pps, t->packets ? t->bytes / t->packets : 0);
}
