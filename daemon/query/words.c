// SPDX-License-Identifier: GPL-2.0
#include "daemon/query/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/query/quantity.h"

/* IANA's registry "Differentiated Services Field Codepoints"; be and cs0 are both 0. */
const struct weir_words weir_words_dscp[] = {
	{"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},	{"cs4", 32},  {"cs5", 40},
	{"cs6", 48},  {"cs7", 56},  {"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18},
	{"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28}, {"af33", 30}, {"af41", 34},
	{"af42", 36}, {"af43", 38}, {"ef", 46},	  {"va", 44},	{"le", 1},    {"be", 0},
	{"df", 0},    {NULL, 0},
};

/* The names of IPFIX's flowEndReason, shortened; "none" is a flow still in the kernel's table. */
const struct weir_words weir_words_end_reason[] = {
	{"none", WEIR_END_NONE},
	{"idle", WEIR_END_IDLE},
	{"active", WEIR_END_ACTIVE},
	{"end", WEIR_END_DETECTED},
	{"forced", WEIR_END_FORCED},
	{"resources", WEIR_END_NO_RESOURCES},
	{NULL, 0},
};

const struct weir_words weir_words_observed[] = {
	{"forwarded", WEIR_OBSERVED_FORWARD},
	{"local-in", WEIR_OBSERVED_LOCAL_IN},
	{"local-out", WEIR_OBSERVED_LOCAL_OUT},
	{"pre-routing", WEIR_OBSERVED_PRE_ROUTING},
	{"bridge", WEIR_OBSERVED_BRIDGE},
	{"ingress", WEIR_OBSERVED_INGRESS},
	{"egress", WEIR_OBSERVED_EGRESS},
	{NULL, 0},
};

/* The first is a flow that was not looked inside, or none. */
const struct weir_words weir_words_tunnel[] = {
	{"none", WEIR_TUNNEL_NONE},   {"ipip", WEIR_TUNNEL_IPIP},     {"gre", WEIR_TUNNEL_GRE},
	{"vxlan", WEIR_TUNNEL_VXLAN}, {"geneve", WEIR_TUNNEL_GENEVE}, {"gtpu", WEIR_TUNNEL_GTPU},
	{"gtp-u", WEIR_TUNNEL_GTPU},  {NULL, 0},
};

const struct weir_words weir_words_sampling_method[] = {
	{"packets", WEIR_SAMPLING_PACKETS},
	{"flows", WEIR_SAMPLING_FLOWS},
	{NULL, 0},
};

const struct weir_words weir_words_tcp_flags[] = {
	{"fin", 0x001},	     {"syn", 0x002},	 {"rst", 0x004},     {"psh", 0x008},
	{"ack", 0x010},	     {"urg", 0x020},	 {"ece", 0x040},     {"cwr", 0x080},
	{"push", 0x008},     {"tcp-fin", 0x001}, {"tcp-syn", 0x002}, {"tcp-rst", 0x004},
	{"tcp-push", 0x008}, {"tcp-ack", 0x010}, {"tcp-urg", 0x020}, {"tcp-ece", 0x040},
	{"tcp-cwr", 0x080},  {NULL, 0},
};

const struct weir_words weir_words_flow_flags[] = {
	{"fragmented", WEIR_FLOW_FRAGMENTS},
	{"later-fragment", WEIR_FLOW_LATER_FRAGMENT},
	{"ipsec", WEIR_FLOW_SECPATH},
	{"gso", WEIR_FLOW_GSO},
	{"partial", WEIR_FLOW_PARTIAL},
	{NULL, 0},
};

/* What a filter may call a port: names of /etc/services that people type. A table, as the
 * command line, masters and nodes must all read the same in a filter. */
const struct weir_words weir_words_port[] = {
	{"http", 80},	     {"https", 443},	   {"ftp-data", 20},	  {"ftp", 21},
	{"ssh", 22},	     {"telnet", 23},	   {"smtp", 25},	  {"domain", 53},
	{"dns", 53},	     {"bootps", 67},	   {"bootpc", 68},	  {"tftp", 69},
	{"kerberos", 88},    {"pop3", 110},	   {"sunrpc", 111},	  {"ntp", 123},
	{"netbios-ns", 137}, {"imap", 143},	   {"snmp", 161},	  {"snmp-trap", 162},
	{"bgp", 179},	     {"ldap", 389},	   {"microsoft-ds", 445}, {"isakmp", 500},
	{"syslog", 514},     {"submissions", 465}, {"submission", 587},	  {"ldaps", 636},
	{"imaps", 993},	     {"pop3s", 995},	   {"openvpn", 1194},	  {"radius", 1812},
	{"nfs", 2049},	     {"mysql", 3306},	   {"rdp", 3389},	  {"ipsec-nat-t", 4500},
	{"sip", 5060},	     {"sips", 5061},	   {"postgresql", 5432},  {"wireguard", 51820},
	{NULL, 0},
};

bool weir_words_find(const struct weir_words *words, const char *word, uint64_t *number)
{
	for (; words->word; words++) {
		if (!weir_quantity_same_word(word, strlen(word), words->word))
			continue;
		*number = words->number;
		return true;
	}
	return false;
}

const char *weir_words_text(const struct weir_words *words, uint64_t number, char *text,
			    size_t text_bytes)
{
	for (; words->word; words++) {
		if (words->number != number)
			continue;
		snprintf(text, text_bytes, "%s", words->word);
		return text;
	}
	snprintf(text, text_bytes, "%" PRIu64, number);
	return text;
}
