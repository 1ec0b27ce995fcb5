// SPDX-License-Identifier: GPL-2.0
/* verbs.c - the table of verbs. */
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/common/text.h"

#define QUERY_MORE                                                                                 \
	"Without --node, --master or --socket the node on this machine is asked if there is "      \
	"one,\n"                                                                                   \
	"else the master. FILTER is described in weir-filter(7).\n"

const struct weir_cli_verb weir_cli_verbs[] = {
	{"stat", weir_cli_stat, "Show the kernel's counters and its ledger", "", "jvx",
	 "-v adds a line for each CPU.\n", false},
	{"live", weir_cli_live, "Show the flows in the kernel's tables now", "[FILTER]", "jcnsx",
	 "Example: weir live tcp and bytes '>' 1m --limit 20\n", true},
	{"flows", weir_cli_flows, "List stored flow records, newest first", "[FILTER]", "jcnftxNMS",
	 "Shows 20 flows unless --limit says otherwise.\n" QUERY_MORE, true},
	{"top", weir_cli_top, "Show the largest hosts, services, ...", "[FILTER]", "jbonftxNMS",
	 "FIELDS: src, dst, host, sport, dport, proto, service, in_if, out_if, tos, vlan.\n"
	 "Shows 10 lines unless --limit says otherwise. Example: weir top --by src,dst "
	 "tcp\n" QUERY_MORE,
	 true},
	{"nodes", weir_cli_nodes, "Show how each machine stands", "", "jxNMS", NULL, false},
	{"audit", weir_cli_audit, "Check the ledger, hop by hop", "", "jvDNMS",
	 "-v shows what each side consists of. Exit status 4: an equation does not hold.\n", false},
	{"get", weir_cli_get, "Show the module's configuration in this network namespace",
	 "[SETTING]", "j", NULL, false},
	{"set", weir_cli_set, "Change the module's configuration in this network namespace",
	 "SETTING VALUE...", "",
	 "Settings: enabled on|off, active-timeout, idle-timeout, fin-timeout (60s, 500ms),\n"
	 "table-flows and log-batches (per CPU, while metering is off), mode routed.\n"
	 "All of them are changed, or none.\n",
	 false},
	{"flush", weir_cli_flush, "End all flows in the kernel's tables now", "", "j", NULL, false},
	{"export", weir_cli_export, "Write flow records to a file of IPFIX messages", "FILE [FILTER]",
	 "ftZNMS",
	 "All of them, newest first from a daemon, oldest first from a folder; FILE - is standard "
	 "output.\n" QUERY_MORE,
	 false},
	{"import", weir_cli_import, "Read a file of IPFIX messages into a store of its own", "FILE", "xW",
	 "FILE - is standard input. What is imported stays apart from a node's own records.\n"
	 "Exit status 3: something of FILE could not be read; the rest is imported.\n",
	 false},
	{"help", weir_cli_help, "Show this, or the help of a verb", "[VERB]", "", NULL, false},
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
