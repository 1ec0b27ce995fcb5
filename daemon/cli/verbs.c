// SPDX-License-Identifier: GPL-2.0
/* verbs.c - the table of verbs. */
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/common/text.h"

#define QUERY_MORE                                                                                 \
	"FILTER is described in weir-filter(7), fields and quantities as well. Without --node,\n"   \
	"--master or --socket the node on this machine is asked if there is one, else the\n"        \
	"master; with --state the folder of a store is read.\n"

#define FIELDS_MORE                                                                                \
	"FIELDS: src, dst, host, sport, dport, proto, service, in_if, out_if, vlan, dscp, flags,\n" \
	"... separated by commas; src/24 and src/24/64 are networks, time/5m spans of time.\n"      \
	"QUANTITIES: bytes, packets, flows, duration, retransmitted, out_of_order, fragments;\n"    \
	"of --min, --max also bps, pps, bpp, rtt, response, ttl.\n"

const struct weir_cli_verb weir_cli_verbs[] = {
	{"stat", weir_cli_stat, "Show the kernel's counters and its ledger", "", "jvxi",
	 "-v adds a line for each CPU.\n", false, false},
	{"live", weir_cli_live, "Show the flows in the kernel's tables now", "[FILTER]", "jcFnsx",
	 "Example: weir live tcp and bytes '>' 1m --limit 20\n", true, true},
	{"flows", weir_cli_flows, "List stored flow records, newest first", "[FILTER]",
	 "oAnftjcFxXdNMS",
	 "Shows 20 flows unless --limit says otherwise. QUANTITY: time, bytes, packets, duration,\n"
	 "bps, pps, bpp, rtt, response, retransmitted, out_of_order, fragments, ttl.\n"
	 "Examples:\n"
	 "  weir flows src net 10.0.0.0/8 and port 443 --from -10m\n"
	 "  weir flows tcp --order rtt --limit 5             the slowest handshakes\n"
	 "  weir flows --from yesterday --to today --limit 0 --csv >flows.csv\n" QUERY_MORE,
	 true, true},
	{"top", weir_cli_top, "Show the largest hosts, services, ...", "[FILTER]",
	 "bUKGIZoAnftjcFxXdNMS",
	 "Groups by host and shows 10 lines unless told otherwise. --order takes any figure shown.\n"
	 "Examples:\n"
	 "  weir top --by src,dst tcp --order packets\n"
	 "  weir top --by src/24,service --from -1h\n"
	 "  weir top --by src --distinct dst,dport           who scans\n"
	 "  weir top --by dst --sum retransmitted,packets    where segments get lost\n"
	 "  weir top --by service --max rtt --order max_rtt\n" FIELDS_MORE QUERY_MORE,
	 true, false},
	{"series", weir_cli_series, "Show figures over time", "[FILTER]", "EbUKGIZonftjcFxXdNMS",
	 "A flow counts when it ended. Without --by a step without flows is a line of zeros.\n"
	 "With --by, --limit shows the so many largest over the whole time.\n"
	 "Examples:\n"
	 "  weir series --every 5m --from -6h\n"
	 "  weir series --every 1h --by proto --from today --csv\n"
	 "  weir series --every 10m --by service --limit 5 --from -6h\n"
	 "  weir series --every 1m --distinct src dst port 22 --from -1h\n" FIELDS_MORE QUERY_MORE,
	 true, false},
	{"pairs", weir_cli_pairs, "Show conversations, both directions joined", "[FILTER]",
	 "oAnftjcFxXdNMS",
	 "With the round trip of the TCP handshake, and how long the server took to respond.\n"
	 "Shows 20, newest first, unless told otherwise. QUANTITY: time, bytes, packets, duration,\n"
	 "rtt, response, retransmitted. Examples:\n"
	 "  weir pairs host 10.0.0.1 --from -1h\n"
	 "  weir pairs dst port 443 --order rtt --limit 10\n" QUERY_MORE,
	 true, false},
	{"nodes", weir_cli_nodes, "Show how each machine stands", "", "jxNMS", NULL, false, false},
	{"audit", weir_cli_audit, "Check the ledger, hop by hop", "", "jvDNMS",
	 "-v shows what each side consists of. Exit status 4: an equation does not hold.\n", false, false},
	{"get", weir_cli_get, "Show the module's configuration in this network namespace",
	 "[SETTING]", "j", NULL, false, false},
	{"set", weir_cli_set, "Change the module's configuration in this network namespace",
	 "SETTING VALUE... | SETTING=VALUE...", "",
	 "Settings: enabled on|off, active-timeout, idle-timeout, fin-timeout (60s, 500ms),\n"
	 "table-flows, log-batches (per CPU), modes routed|ingress and bridge and netdev, interfaces\n"
	 "(\"eth* !eth3\", of mode netdev), look-inside ipip,gre,vxlan,geneve,gtpu|all|none,\n"
	 "sampling N, sampling-method packets|flows, cover on|off. Examples:\n"
	 "  weir set idle-timeout 10s sampling 100\n"
	 "  weir set modes=routed,netdev interfaces=\"tap* eth1\"\n"
	 "All of them are changed, or none. weir.ko(4) tells what they mean.\n",
	 false, false},
	{"flush", weir_cli_flush, "End all flows in the kernel's tables now", "", "j", NULL, false, false},
	{"store", weir_cli_store, "Look after the folder of a node's store",
	 "stat|check|repair|backup DIR|verify DIR|restore DIR|unmount NAME", "djvxCLQYVWT",
	 "stat     what is in it, how large it is, how far back it goes\n"
	 "check    is all that it holds what was put into it?\n"
	 "repair   move aside what is damaged, so that the rest is served (no node may run)\n"
	 "backup   copy what is new since the last backup in DIR\n"
	 "verify   read a backup back: is it still what was copied?\n"
	 "restore  a backup as a store of its own (--new), or beside the node's data (--mount)\n"
	 "unmount  end the latter\n"
	 "weir-store(8) has the whole story. Exit status 5: something is damaged.\n",
	 false, false},
	{"export", weir_cli_export, "Write flow records to a file of IPFIX messages", "FILE [FILTER]",
	 "ftdNMS",
	 "All of them, newest first from a daemon, oldest first from a folder (--state DIR); FILE - is "
	 "standard output.\n" QUERY_MORE,
	 false, false},
	{"import", weir_cli_import, "Read a file of IPFIX messages into a store of its own", "FILE", "xJ",
	 "FILE - is standard input. What is imported stays apart from a node's own records.\n"
	 "Exit status 3: something of FILE could not be read; the rest is imported.\n",
	 false, false},
	{"help", weir_cli_help, "Show this, or the help of a verb", "[VERB]", "", NULL, false, false},
	{0},
};

const struct weir_cli_verb *weir_cli_find_verb(const char *name)
{
	const struct weir_cli_verb *best = NULL;
	unsigned least = 3;

	for (const struct weir_cli_verb *verb = weir_cli_verbs; verb->name; verb++) {
		unsigned distance = weir_text_distance(name, verb->name, 2);

		if (!strcmp(verb->name, name))
			return verb;
		if (distance < least) {
			least = distance;
			best = verb;
		}
	}
	if (best)
		weir_cli_say("there is no verb \"%s\"; did you mean %s?", name, best->name);
	else
		weir_cli_say("there is no verb \"%s\"; see weir help", name);
	return NULL;
}
