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

const struct weir_words weir_words_end_reason[] = {
	{"none", WEIR_END_NONE},	 {"idle", WEIR_END_IDLE},	{"active", WEIR_END_ACTIVE},
	{"detected", WEIR_END_DETECTED}, {"forced", WEIR_END_FORCED},	{"evicted", WEIR_END_NO_RESOURCES},
	{"end", WEIR_END_DETECTED},	 {"flushed", WEIR_END_FORCED},	{"resources", WEIR_END_NO_RESOURCES},
	{NULL, 0},
};

const struct weir_words weir_words_observed[] = {
	{"forwarded", WEIR_OBSERVED_FORWARD},
	{"in", WEIR_OBSERVED_LOCAL_IN},
	{"out", WEIR_OBSERVED_LOCAL_OUT},
	{"forward", WEIR_OBSERVED_FORWARD},
	{"local-in", WEIR_OBSERVED_LOCAL_IN},
	{"local-out", WEIR_OBSERVED_LOCAL_OUT},
	{NULL, 0},
};

const struct weir_words weir_words_tcp_flags[] = {
	{"fin", 0x001},	    {"syn", 0x002},	{"rst", 0x004},	    {"psh", 0x008},
	{"ack", 0x010},	    {"urg", 0x020},	{"ece", 0x040},	    {"cwr", 0x080},
	{"push", 0x008},    {"tcp-fin", 0x001}, {"tcp-syn", 0x002}, {"tcp-rst", 0x004},
	{"tcp-push", 0x008}, {"tcp-ack", 0x010}, {"tcp-urg", 0x020}, {"tcp-ece", 0x040},
	{"tcp-cwr", 0x080}, {NULL, 0},
};

const struct weir_words weir_words_flow_flags[] = {
	{"fragmented", WEIR_FLOW_FRAGMENTS},
	{"later-fragment", WEIR_FLOW_LATER_FRAGMENT},
	{"ipsec", WEIR_FLOW_SECPATH},
	{"gso", WEIR_FLOW_GSO},
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
