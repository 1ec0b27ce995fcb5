// SPDX-License-Identifier: GPL-2.0
/* set.c - weir set, weir get: the module's configuration in this network namespace. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/cli/json.h"
#include "daemon/cli/module.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

enum {
	SETTINGS_MAX = 16,
};

enum kind { SWITCH, MODE, TIMEOUT, COUNT };

static const struct row {
	const char *name;
	uint16_t attribute;
	enum kind kind;
} rows[] = {
	{"enabled", WEIR_A_ENABLED, SWITCH},
	{"mode", WEIR_A_MODES, MODE},
	{"active-timeout", WEIR_A_ACTIVE_TIMEOUT_MS, TIMEOUT},
	{"idle-timeout", WEIR_A_IDLE_TIMEOUT_MS, TIMEOUT},
	{"fin-timeout", WEIR_A_FIN_TIMEOUT_MS, TIMEOUT},
	{"table-flows", WEIR_A_TABLE_FLOWS, COUNT},
	{"log-batches", WEIR_A_LOG_BATCHES, COUNT},
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
};

static const struct row *find_row(const char *name)
{
	const char *best = NULL;
	unsigned least = 4;

	for (unsigned i = 0; i < ROWS; i++) {
		unsigned distance = weir_text_distance(name, rows[i].name, 3);

		if (!strcasecmp(name, rows[i].name))
			return &rows[i];
		if (distance < least) {
			least = distance;
			best = rows[i].name;
		}
	}
	if (best)
		weir_cli_say("there is no setting \"%s\"; did you mean %s?", name, best);
	else
		weir_cli_say("there is no setting \"%s\"; see weir get", name);
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

static int parse_value(const struct row *row, const char *text, struct weir_cli_setting *s)
{
	const char *expected = "a whole number";
	int ret = -EINVAL;

	s->attribute = row->attribute;
	s->bytes = row->kind == SWITCH ? 1 : 4;
	switch (row->kind) {
	case SWITCH:
		ret = parse_switch(text, &s->value);
		expected = "on or off";
		break;
	case MODE:
		s->value = 1 << WEIR_MODE_ROUTED;
		ret = strcasecmp(text, "routed") ? -EINVAL : 0;
		expected = "a mode (routed)";
		break;
	case TIMEOUT:
		ret = parse_timeout(text, &s->value);
		expected = "a duration (such as 500ms, 60s, 5m)";
		break;
	case COUNT:
		ret = parse_count(text, &s->value);
		break;
	}
	if (ret)
		weir_cli_say("set %s: \"%s\" is not %s", row->name, text, expected);
	return ret;
}

/* NAME VALUE pairs, or NAME=VALUE words. */
static int parse_settings(const struct weir_cli_options *o, struct weir_cli_setting *settings,
			  unsigned *count)
{
	*count = 0;
	for (int i = 0; i < o->argc; i++) {
		char *name = o->argv[i], *value = strchr(name, '=');
		const struct row *row;

		if (value)
			*value++ = '\0';
		row = find_row(name);
		if (!row)
			return -EINVAL;
		if (!value && i + 1 == o->argc) {
			weir_cli_say("set %s: a value is missing", name);
			return -EINVAL;
		}
		if (!value)
			value = o->argv[++i];
		for (unsigned k = 0; k < *count; k++) {
			if (settings[k].attribute == row->attribute) {
				weir_cli_say("set: %s is given twice", name);
				return -EINVAL;
			}
		}
		if (parse_value(row, value, &settings[*count]))
			return -EINVAL;
		(*count)++;
	}
	return 0;
}

int weir_cli_set(const struct weir_cli_options *o)
{
	struct weir_cli_setting settings[SETTINGS_MAX];
	struct weir_cli_module *module;
	unsigned count;
	int ret;

	if (o->argc == 0) {
		weir_cli_say("set: a setting and its value are missing; see weir set --help");
		return WEIR_EXIT_USAGE;
	}
	if (parse_settings(o, settings, &count))
		return WEIR_EXIT_USAGE;
	if (weir_cli_module_open(&module, false))
		return WEIR_EXIT_FAILED;
	ret = weir_cli_module_set_config(module, settings, count);
	weir_cli_module_close(module);
	return ret ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
}

struct getting {
	const struct weir_cli_options *options;
	const struct row *only; /* NULL: all */
	json_t *object;
	bool found;
};

static const char *value_text(const struct row *row, uint32_t value, char *text, size_t bytes)
{
	if (row->kind == SWITCH)
		snprintf(text, bytes, "%s", value ? "on" : "off");
	else if (row->kind == MODE && value == 1 << WEIR_MODE_ROUTED)
		snprintf(text, bytes, "routed");
	else if (row->kind == TIMEOUT && value % 1000)
		snprintf(text, bytes, "%ums", value);
	else if (row->kind == TIMEOUT)
		snprintf(text, bytes, "%us", value / 1000);
	else
		snprintf(text, bytes, "%u", value);
	return text;
}

static void take_setting(void *arg, const struct weir_cli_setting *setting)
{
	const struct row *row = rows;
	struct getting *g = arg;
	char text[32];

	while (row < rows + ROWS && row->attribute != setting->attribute)
		row++;
	if (row == rows + ROWS || (g->only && g->only != row))
		return;
	g->found = true;
	value_text(row, setting->value, text, sizeof(text));
	if (g->object && row->kind == SWITCH)
		json_object_set_new(g->object, row->name, json_boolean(setting->value));
	else if (g->object && row->kind == MODE)
		json_object_set_new(g->object, row->name, json_string(text));
	else if (g->object && row->kind == TIMEOUT)
		json_object_set_new(g->object, row->name, json_real(setting->value / 1000.0));
	else if (g->object)
		json_object_set_new(g->object, row->name, json_integer(setting->value));
	else if (g->only)
		printf("%s\n", text);
	else
		printf("%-15s %s\n", row->name, text);
}

int weir_cli_get(const struct weir_cli_options *o)
{
	struct getting g = {.options = o};
	struct weir_cli_module *module;
	int ret;

	if (o->argc > 1) {
		weir_cli_say("get: one setting, or none for all; not \"%s\"", o->argv[1]);
		return WEIR_EXIT_USAGE;
	}
	if (o->argc) {
		g.only = find_row(o->argv[0]);
		if (!g.only)
			return WEIR_EXIT_USAGE;
	}
	if (weir_cli_module_open(&module, false))
		return WEIR_EXIT_FAILED;
	g.object = o->json ? json_object() : NULL;
	ret = weir_cli_module_get_config(module, take_setting, &g);
	weir_cli_module_close(module);
	if (!ret && !g.found)
		weir_cli_say("the module did not tell this setting; it may be of another version");
	if (!ret && g.object)
		return weir_cli_json_print(g.object, false) ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
	json_decref(g.object);
	return ret || !g.found ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
}
