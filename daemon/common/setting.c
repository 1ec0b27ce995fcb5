// SPDX-License-Identifier: GPL-2.0
/* setting.c - the module's settings. One is a row of the table below. */
#include "daemon/common/setting.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/common/clock.h"
#include "daemon/common/text.h"
#include "uapi/weir.h"

static const char *const modes[] = {
	[WEIR_MODE_ROUTED] = "routed",
	[WEIR_MODE_INGRESS] = "ingress",
	[WEIR_MODE_BRIDGE] = "bridge",
	[WEIR_MODE_NETDEV] = "netdev",
	[__WEIR_MODE_COUNT] = NULL,
};

static const char *const tunnels[] = {
	[WEIR_TUNNEL_NONE] = NULL,
	[WEIR_TUNNEL_IPIP] = "ipip",
	[WEIR_TUNNEL_GRE] = "gre",
	[WEIR_TUNNEL_VXLAN] = "vxlan",
	[WEIR_TUNNEL_GENEVE] = "geneve",
	[WEIR_TUNNEL_GTPU] = "gtpu",
	[__WEIR_TUNNEL_COUNT] = NULL,
};

static const char *const methods[] = {
	[WEIR_SAMPLING_PACKETS] = "packets",
	[WEIR_SAMPLING_FLOWS] = "flows",
	[WEIR_SAMPLING_FLOWS + 1] = NULL,
};

static const char on_or_off[] = "on or off";
static const char a_duration[] = "a duration (such as 500ms, 60s, 5m)";
static const char a_number[] = "a whole number";

static const struct weir_setting_row rows[] = {
	{"enabled", WEIR_A_ENABLED, WEIR_SETTING_SWITCH, NULL, on_or_off},
	{"modes", WEIR_A_MODES, WEIR_SETTING_WORDS, modes,
	 "some of routed, ingress, bridge and netdev, with commas between"},
	{"interfaces", WEIR_A_INTERFACES, WEIR_SETTING_PATTERNS, NULL,
	 "patterns of interface names (such as \"eth* !eth3\"), or none"},
	{"look-inside", WEIR_A_LOOK_INSIDE, WEIR_SETTING_WORDS, tunnels,
	 "some of ipip, gre, vxlan, geneve and gtpu, with commas between, or all, or none"},
	{"sampling", WEIR_A_SAMPLING, WEIR_SETTING_COUNT, NULL,
	 "a whole number: one packet of so many is counted; 1: all"},
	{"sampling-method", WEIR_A_SAMPLING_METHOD, WEIR_SETTING_WORD, methods,
	 "packets or flows"},
	{"cover", WEIR_A_COVER, WEIR_SETTING_SWITCH, NULL, on_or_off},
	{"active-timeout", WEIR_A_ACTIVE_TIMEOUT_MS, WEIR_SETTING_TIMEOUT, NULL, a_duration},
	{"idle-timeout", WEIR_A_IDLE_TIMEOUT_MS, WEIR_SETTING_TIMEOUT, NULL, a_duration},
	{"fin-timeout", WEIR_A_FIN_TIMEOUT_MS, WEIR_SETTING_TIMEOUT, NULL, a_duration},
	{"table-flows", WEIR_A_TABLE_FLOWS, WEIR_SETTING_COUNT, NULL, a_number},
	{"log-batches", WEIR_A_LOG_BATCHES, WEIR_SETTING_COUNT, NULL, a_number},
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
};

_Static_assert((int)ROWS <= (int)WEIR_SETTINGS_MAX, "room for all");

const struct weir_setting_row *weir_setting_at(unsigned index)
{
	return index < ROWS ? &rows[index] : NULL;
}

const struct weir_setting_row *weir_setting_find(const char *name, const char **nearest)
{
	unsigned least = 4;

	*nearest = NULL;
	for (unsigned i = 0; i < ROWS; i++) {
		unsigned distance = weir_text_distance(name, rows[i].name, 3);

		if (!strcasecmp(name, rows[i].name))
			return &rows[i];
		if (distance < least) {
			least = distance;
			*nearest = rows[i].name;
		}
	}
	return NULL;
}

const struct weir_setting_row *weir_setting_of(uint16_t attribute)
{
	for (unsigned i = 0; i < ROWS; i++) {
		if (rows[i].attribute == attribute)
			return &rows[i];
	}
	return NULL;
}

static int parse_switch(const char *text, uint32_t *value)
{
	static const char *const on[] = {"on", "yes", "true", "1"};
	static const char *const off[] = {"off", "no", "false", "0"};

	for (unsigned i = 0; i < 4; i++) {
		if (!strcasecmp(text, on[i]) || !strcasecmp(text, off[i])) {
			*value = !strcasecmp(text, on[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_timeout(const char *text, uint32_t *value)
{
	uint64_t ns;

	if (weir_clock_parse_duration(text, &ns) || ns % 1000000 || ns / 1000000 > UINT32_MAX)
		return -EINVAL;
	*value = (uint32_t)(ns / 1000000);
	return 0;
}

static int parse_count(const char *text, uint32_t *value)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || n > UINT32_MAX)
		return -EINVAL;
	*value = (uint32_t)n;
	return 0;
}

/* The number of the word from @text on, of @length. */
static int find_word(const char *const *words, const char *text, size_t length, uint32_t *number)
{
	for (uint32_t i = words[0] ? 0 : 1; words[i]; i++) {
		if (strlen(words[i]) == length && !strncasecmp(words[i], text, length)) {
			*number = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Between commas or blanks. All and none are words for sets that may be empty. */
static int parse_words(const char *const *words, const char *text, uint32_t *value)
{
	bool may_be_empty = !words[0];
	uint32_t number;

	*value = 0;
	if (may_be_empty && !strcasecmp(text, "none"))
		return 0;
	if (may_be_empty && !strcasecmp(text, "all")) {
		for (number = 1; words[number]; number++)
			*value |= 1U << number;
		return 0;
	}
	while (*text) {
		size_t length = strcspn(text, ", ");

		if (length && find_word(words, text, length, &number))
			return -EINVAL;
		if (length)
			*value |= 1U << number;
		text += length;
		text += strspn(text, ", ");
	}
	return *value ? 0 : -EINVAL;
}

/* Patterns are divided by blanks; commas do as well, as hardly any name has one. */
static int parse_patterns(const char *text, struct weir_setting *setting)
{
	if (strlen(text) >= sizeof(setting->text))
		return -EINVAL;
	strcpy(setting->text, strcasecmp(text, "none") ? text : "");
	for (char *c = setting->text; *c; c++) {
		if (*c == ',')
			*c = ' ';
	}
	return 0;
}

int weir_setting_parse(const struct weir_setting_row *row, const char *text,
		       struct weir_setting *setting)
{
	memset(setting, 0, sizeof(*setting));
	setting->attribute = row->attribute;
	setting->bytes = 4;
	switch (row->kind) {
	case WEIR_SETTING_SWITCH:
		setting->bytes = 1;
		return parse_switch(text, &setting->value);
	case WEIR_SETTING_WORD:
		return find_word(row->words, text, strlen(text), &setting->value);
	case WEIR_SETTING_WORDS:
		return parse_words(row->words, text, &setting->value);
	case WEIR_SETTING_TIMEOUT:
		return parse_timeout(text, &setting->value);
	case WEIR_SETTING_COUNT:
		return parse_count(text, &setting->value);
	case WEIR_SETTING_PATTERNS:
		setting->bytes = 0;
		return parse_patterns(text, setting);
	}
	return -EINVAL;
}

/* Bits of a later version are numbers. */
static void write_words(const char *const *words, uint32_t value, char *text, size_t bytes)
{
	uint32_t count = words[0] ? 0 : 1;
	size_t used = 0;

	while (words[count])
		count++;
	snprintf(text, bytes, "none");
	for (uint32_t i = 0; i < 32 && used < bytes; i++) {
		const char *comma = used ? "," : "";

		if (!(value >> i & 1))
			continue;
		if (i < count && words[i])
			used += (size_t)snprintf(text + used, bytes - used, "%s%s", comma,
						 words[i]);
		else
			used += (size_t)snprintf(text + used, bytes - used, "%s%u", comma, i);
	}
}

static const char *word_of(const char *const *words, uint32_t value)
{
	for (uint32_t i = 0; words[i]; i++) {
		if (i == value)
			return words[i];
	}
	return NULL;
}

const char *weir_setting_text(const struct weir_setting_row *row,
			      const struct weir_setting *setting, char *text, size_t text_bytes)
{
	uint32_t value = setting->value;
	const char *word;

	switch (row->kind) {
	case WEIR_SETTING_SWITCH:
		snprintf(text, text_bytes, "%s", value ? "on" : "off");
		break;
	case WEIR_SETTING_WORD:
		word = word_of(row->words, value);
		if (word)
			snprintf(text, text_bytes, "%s", word);
		else
			snprintf(text, text_bytes, "%u", value);
		break;
	case WEIR_SETTING_WORDS:
		write_words(row->words, value, text, text_bytes);
		break;
	case WEIR_SETTING_TIMEOUT:
		if (value % 1000)
			snprintf(text, text_bytes, "%ums", value);
		else
			snprintf(text, text_bytes, "%us", value / 1000);
		break;
	case WEIR_SETTING_COUNT:
		snprintf(text, text_bytes, "%u", value);
		break;
	case WEIR_SETTING_PATTERNS:
		snprintf(text, text_bytes, "%s", setting->text[0] ? setting->text : "none");
		break;
	}
	return text;
}
