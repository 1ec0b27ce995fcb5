// SPDX-License-Identifier: GPL-2.0
/* text.c - addresses, names and quantities. */
#include "daemon/common/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

const char *weir_text_address(const uint8_t address[16], uint8_t ip_version, char *text,
			      size_t text_bytes)
{
	char full[INET6_ADDRSTRLEN];

	if (ip_version == 4)
		inet_ntop(AF_INET, address + 12, full, sizeof(full));
	else
		inet_ntop(AF_INET6, address, full, sizeof(full));
	snprintf(text, text_bytes, "%s", full);
	return text;
}

/* A number of 1 to 3 digits and nothing else, at most @max. */
static int parse_small(const char *text, unsigned max, unsigned *value)
{
	unsigned v = 0, digits = 0;

	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 4; digits++)
		v = v * 10 + (unsigned)(text[digits] - '0');
	if (digits == 0 || digits > 3 || text[digits] || v > max)
		return -EINVAL;
	*value = v;
	return 0;
}

int weir_text_parse_prefix(const char *text, uint8_t address[16], uint8_t *prefix,
			   uint8_t *ip_version)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	char bare[INET6_ADDRSTRLEN];
	unsigned bits;

	if (length >= sizeof(bare))
		return -EINVAL;
	memcpy(bare, text, length);
	bare[length] = '\0';
	if (inet_pton(AF_INET, bare, address + 12) == 1) {
		memcpy(address, mapped, sizeof(mapped));
		*ip_version = 4;
		bits = 32;
	} else if (inet_pton(AF_INET6, bare, address) == 1) {
		*ip_version = 6;
		bits = 128;
	} else {
		return -EINVAL;
	}
	if (slash && parse_small(slash + 1, bits, &bits))
		return -EINVAL;
	*prefix = (uint8_t)(*ip_version == 4 ? 96 + bits : bits);
	return 0;
}

/* IANA's protocol numbers people meet on routers; the first name of a number is the one written. */
static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{"icmp", 1},   {"igmp", 2},	 {"ipip", 4},	    {"tcp", 6},	   {"udp", 17},
	{"dccp", 33},  {"ipv6", 41},	 {"gre", 47},	    {"esp", 50},   {"ah", 51},
	{"icmp6", 58}, {"ospf", 89},	 {"pim", 103},	    {"vrrp", 112}, {"l2tp", 115},
	{"sctp", 132}, {"udplite", 136}, {"rsvp", 46},	    {"eigrp", 88}, {"ipcomp", 108},
	{"hip", 139},  {"icmpv6", 58},	 {"ipv6-icmp", 58},
};

const char *weir_text_protocol(uint8_t protocol, char *text, size_t text_bytes)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (protocols[i].number == protocol) {
			snprintf(text, text_bytes, "%s", protocols[i].name);
			return text;
		}
	}
	snprintf(text, text_bytes, "%u", protocol);
	return text;
}

int weir_text_parse_protocol(const char *text, uint8_t *protocol)
{
	unsigned number;

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
		if (!strcasecmp(text, protocols[i].name)) {
			*protocol = protocols[i].number;
			return 0;
		}
	}
	if (parse_small(text, 255, &number))
		return -EINVAL;
	*protocol = (uint8_t)number;
	return 0;
}

const char *weir_text_tcp_flags(uint16_t flags, char *text, size_t text_bytes)
{
	static const char letters[] = "CEUAPRSF"; /* bit 7 .. bit 0 */
	char full[9];

	for (unsigned i = 0; i < 8; i++)
		full[i] = flags & (0x80u >> i) ? letters[i] : '.';
	full[8] = '\0';
	snprintf(text, text_bytes, "%s", full);
	return text;
}

const char *weir_text_quantity(uint64_t value, char *text, size_t text_bytes)
{
	static const char prefixes[] = "kMGTPE";
	uint64_t unit = 1000, hundredths;
	unsigned i = 0;

	if (value < 1000) {
		snprintf(text, text_bytes, "%" PRIu64, value);
		return text;
	}
	/* Cut, not rounded: 999,999 is "999 k", never a 1.00 M that is not there yet. */
	while (i < 5 && value / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	hundredths = value / (unit / 100);
	if (hundredths < 1000)
		snprintf(text, text_bytes, "%" PRIu64 ".%02u %c", hundredths / 100,
			 (unsigned)(hundredths % 100), prefixes[i]);
	else if (hundredths < 10000)
		snprintf(text, text_bytes, "%" PRIu64 ".%u %c", hundredths / 100,
			 (unsigned)(hundredths % 100 / 10), prefixes[i]);
	else
		snprintf(text, text_bytes, "%" PRIu64 " %c", hundredths / 100, prefixes[i]);
	return text;
}

static int suffix_shift(const char *suffix)
{
	static const char letters[] = "kmgt";

	if (!*suffix)
		return 0;
	for (int i = 0; letters[i]; i++) {
		if (strncasecmp(suffix, &letters[i], 1))
			continue;
		if (!suffix[1] || !strcasecmp(suffix + 1, "b") || !strcasecmp(suffix + 1, "ib"))
			return 10 * (i + 1);
	}
	return -EINVAL;
}

int weir_text_parse_bytes(const char *text, uint64_t *bytes)
{
	uint64_t v = 0;
	int shift;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return -ERANGE;
	}
	shift = suffix_shift(text);
	if (shift < 0)
		return shift;
	if (v > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = v << shift;
	return 0;
}

const char *weir_text_hex(const void *bytes, size_t count, char *text, size_t text_bytes)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;
	size_t out = 0;

	for (size_t i = 0; i < count && out + 2 < text_bytes; i++) {
		text[out++] = digits[p[i] >> 4];
		text[out++] = digits[p[i] & 15];
	}
	if (text_bytes)
		text[out] = '\0';
	return text;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

unsigned weir_text_distance(const char *a, const char *b, unsigned most)
{
	enum { LONGEST = 32 };
	unsigned row[3][LONGEST + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > LONGEST || m > LONGEST)
		return most + 1;
	for (unsigned j = 0; j <= m; j++)
		row[0][j] = j;
	for (unsigned i = 1; i <= n; i++) {
		unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *upper = row[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= m; j++) {
			unsigned same = lower(a[i - 1]) == lower(b[j - 1]);
			unsigned best = up[j - 1] + !same;

			if (up[j] + 1 < best)
				best = up[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && upper[j - 2] + 1 < best)
				best = upper[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[n % 3][m] > most ? most + 1 : row[n % 3][m];
}
