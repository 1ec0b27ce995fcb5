// SPDX-License-Identifier: GPL-2.0
/* operand_address.c - the tests of addresses, networks and MAC addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/filter.h"

static const char address_wanted[] = "an address (such as 10.0.0.1, 2001:db8::1)";
static const char net_wanted[] = "a network (such as 10.0.0.0/8, 2001:db8::/32)";
static const char mac_wanted[] = "a MAC address (such as 52:54:00:12:34:56)";

static bool parse_prefix(const char *text, struct weir_prefix *prefix)
{
	return !weir_text_parse_prefix(text, prefix->address, &prefix->bits, &prefix->ip_version);
}

bool weir_address_sees(const struct weir_parser *p)
{
	struct weir_prefix prefix;

	return weir_parser_at_word(p) && !p->token.quoted && parse_prefix(p->token.word, &prefix);
}

/*
 * tcpdump's "10.1" is 10.1.0.0/16: one to three numbers; nfdump's "172.16/12" has its
 * length. Numbers left out are 0.
 */
static bool parse_short_net(const char *text, struct weir_prefix *prefix)
{
	static const char *const rest[] = {"", ".0.0.0", ".0.0", ".0"};
	size_t length = strspn(text, "0123456789.");
	unsigned parts = 1;
	char full[WEIR_FILTER_WORD_MAX + 16];

	for (size_t i = 0; i < length; i++)
		parts += text[i] == '.';
	if (!length || text[length - 1] == '.' || parts > 3 ||
	    (text[length] && text[length] != '/'))
		return false;
	if (text[length])
		snprintf(full, sizeof(full), "%.*s%s%s", (int)length, text, rest[parts],
			 text + length);
	else
		snprintf(full, sizeof(full), "%.*s%s/%u", (int)length, text, rest[parts],
			 parts * 8);
	return parse_prefix(full, prefix);
}

/* Only what the prefix says, so that equal networks are equal bytes. */
static void clear_rest(struct weir_prefix *prefix)
{
	unsigned bytes = prefix->bits / 8;

	if (prefix->bits == 128)
		return;
	prefix->address[bytes] &= (uint8_t)(0xff00 >> prefix->bits % 8);
	memset(prefix->address + bytes + 1, 0, 15 - bytes);
}

static int refuse(struct weir_parser *p, enum weir_address_form form)
{
	return weir_parser_expect(p, form == WEIR_ADDRESS_NET ? net_wanted : address_wanted);
}

/* The mask behind "net A": "mask M" as in tcpdump, or "M" as in nfdump. */
static int parse_mask(struct weir_parser *p, struct weir_prefix *prefix)
{
	struct in_addr in;
	uint32_t mask;

	if (weir_parser_sees(p, "mask"))
		weir_parser_step(p);
	if (!weir_parser_at_word(p) || prefix->ip_version != 4 ||
	    inet_pton(AF_INET, p->token.word, &in) != 1)
		return weir_parser_expect(p, "an IPv4 network mask (such as 255.0.0.0)");
	mask = ntohl(in.s_addr);
	if (~mask & (~mask + 1))
		return weir_parser_fail(p, p->token.at, "the mask %s has a hole", p->token.word);
	prefix->bits = (uint8_t)(96 + __builtin_popcount(mask));
	weir_parser_step(p);
	return 0;
}

/* "net" and one address without a length: a mask has to follow. */
static int finish_net(struct weir_parser *p, struct weir_prefix *prefix)
{
	char word[WEIR_FILTER_WORD_MAX + 1];
	size_t at = p->token.at;
	uint8_t ignored[4];

	strcpy(word, p->token.word);
	weir_parser_step(p);
	if (weir_parser_sees(p, "mask") ||
	    (weir_parser_at_word(p) && inet_pton(AF_INET, p->token.word, ignored) == 1))
		return parse_mask(p, prefix);
	return weir_parser_fail(
		p, at, "\"net\" takes ADDRESS/LENGTH; write \"host %s\" for one address", word);
}

static int add_prefix(struct weir_parser *p, const void *arg)
{
	enum weir_address_form form = *(const enum weir_address_form *)arg;
	union weir_value value = {0};
	const char *word = p->token.word;
	bool whole;
	int ret = 0;

	if (!weir_parser_at_word(p))
		return refuse(p, form);
	whole = parse_prefix(word, &value.prefix);
	if (!whole && (form != WEIR_ADDRESS_NET || !parse_short_net(word, &value.prefix)))
		return refuse(p, form);
	if (form == WEIR_ADDRESS_HOST && strchr(word, '/'))
		return weir_parser_fail(p, p->token.at,
					"\"host\" takes one address; write \"net %s\"", word);
	if (form == WEIR_ADDRESS_NET && whole && !strchr(word, '/'))
		ret = finish_net(p, &value.prefix);
	else
		weir_parser_step(p);
	if (ret)
		return ret;
	clear_rest(&value.prefix);
	return weir_parser_add_value(p, &value);
}

int weir_address_test(struct weir_parser *p, enum weir_address_form form,
		      enum weir_direction direction)
{
	unsigned first = p->value_count;
	int ret = weir_parser_set(p, add_prefix, &form);

	return ret ? ret : weir_parser_add_test(p, WEIR_TEST_ADDRESS, direction, first);
}

int weir_address_multicast_test(struct weir_parser *p)
{
	static const char *const nets[] = {"224.0.0.0/4", "ff00::/8"};
	unsigned first = p->value_count;
	int ret = 0;

	for (unsigned i = 0; i < 2 && !ret; i++) {
		union weir_value value = {0};

		parse_prefix(nets[i], &value.prefix);
		ret = weir_parser_add_value(p, &value);
	}
	return ret ? ret : weir_parser_add_test(p, WEIR_TEST_ADDRESS, WEIR_DST, first);
}

/* Six bytes of one or two digits each, between ":" or "-". */
static bool parse_mac(const char *text, uint8_t mac[6])
{
	for (unsigned i = 0; i < 6; i++) {
		size_t digits = strspn(text, "0123456789abcdefABCDEF");

		if (digits < 1 || digits > 2)
			return false;
		mac[i] = (uint8_t)strtoul(text, NULL, 16);
		text += digits;
		if (i < 5 && *text != ':' && *text != '-')
			return false;
		text += i < 5;
	}
	return !*text;
}

static int add_mac(struct weir_parser *p, const void *arg)
{
	union weir_value value = {0};

	if (!weir_parser_at_word(p) || !parse_mac(p->token.word, value.mac))
		return weir_parser_expect(p, mac_wanted);
	weir_parser_step(p);
	return weir_parser_add_value(p, &value);
}

int weir_address_mac_test(struct weir_parser *p, enum weir_direction direction)
{
	unsigned first = p->value_count;
	int ret = weir_parser_set(p, add_mac, NULL);

	return ret ? ret : weir_parser_add_test(p, WEIR_TEST_MAC, direction, first);
}
