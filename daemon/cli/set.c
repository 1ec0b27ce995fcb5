// SPDX-License-Identifier: GPL-2.0
/* set.c - weir set, weir get: the module's configuration in this network namespace. */
#include <errno.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/cli/module.h"
#include "daemon/common/setting.h"

/* NULL after a sentence. */
static const struct weir_setting_row *find_row(const char *name)
{
	const char *nearest;
	const struct weir_setting_row *row = weir_setting_find(name, &nearest);

	if (!row && nearest)
		weir_cli_say("there is no setting \"%s\"; did you mean %s?", name, nearest);
	else if (!row)
		weir_cli_say("there is no setting \"%s\"; see weir get", name);
	return row;
}

/* NAME VALUE pairs, or NAME=VALUE words. */
static int parse_settings(const struct weir_cli_options *o, struct weir_setting *settings,
			  unsigned *count)
{
	*count = 0;
	for (int i = 0; i < o->argc; i++) {
		char *name = o->argv[i], *value = strchr(name, '=');
		const struct weir_setting_row *row;

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
		if (weir_setting_parse(row, value, &settings[*count])) {
			weir_cli_say("set %s: \"%s\" is not %s", row->name, value, row->expected);
			return -EINVAL;
		}
		(*count)++;
	}
	return 0;
}

int weir_cli_set(const struct weir_cli_options *o)
{
	struct weir_setting settings[WEIR_SETTINGS_MAX];
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
	const struct weir_setting_row *only; /* NULL: all */
	json_t *object;
	bool found;
};

/* Words of a set are a list, durations seconds. */
static json_t *setting_json(const struct weir_setting_row *row, const struct weir_setting *setting,
			    char *text)
{
	json_t *list;

	switch (row->kind) {
	case WEIR_SETTING_SWITCH:
		return json_boolean(setting->value);
	case WEIR_SETTING_TIMEOUT:
		return json_real(setting->value / 1000.0);
	case WEIR_SETTING_COUNT:
		return json_integer(setting->value);
	case WEIR_SETTING_WORD:
		return json_string(text);
	case WEIR_SETTING_PATTERNS:
		return weir_cli_json_string(setting->text);
	case WEIR_SETTING_WORDS:
		list = json_array();
		if (!setting->value)
			return list;
		for (char *rest, *word = strtok_r(text, ",", &rest); word;
		     word = strtok_r(NULL, ",", &rest))
			json_array_append_new(list, json_string(word));
		return list;
	}
	return json_null();
}

static void take_setting(void *arg, const struct weir_setting *setting)
{
	const struct weir_setting_row *row = weir_setting_of(setting->attribute);
	char text[WEIR_SETTING_TEXT];
	struct getting *g = arg;

	if (!row || (g->only && g->only != row))
		return;
	g->found = true;
	weir_setting_text(row, setting, text, sizeof(text));
	if (g->object)
		json_object_set_new(g->object, row->name, setting_json(row, setting, text));
	else if (g->only)
		printf("%s\n", text);
	else
		printf("%-15s %s\n", row->name, text);
}

int weir_cli_get(const struct weir_cli_options *o)
{
	struct getting g = {0};
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
