// SPDX-License-Identifier: GPL-2.0
/* interfaces.c - weir stat --interfaces, and what weir stat says of traffic that is not seen. */
#include "daemon/cli/interfaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/json.h"

enum {
	BYPASSES = WEIR_BYPASS_FLOWTABLE + 1,
};

static const struct {
	const char *word, *why;
} bypasses[BYPASSES] = {
	[WEIR_BYPASS_RX_HANDLER] = {"rx-handler",
				    "a bridge, OVS, macvlan or bond takes packets before the hooks"},
	[WEIR_BYPASS_XDP] = {"xdp", "a program may redirect or drop packets before the hooks"},
	[WEIR_BYPASS_FLOWTABLE] = {"flowtable",
				   "an nftables flowtable forwards packets of known connections unseen"},
};

struct fetching {
	struct weir_cli_interfaces *interfaces;
	bool out_of_memory;
};

static void take(void *arg, const struct weir_cli_interface *interface)
{
	struct fetching *f = arg;
	struct weir_cli_interfaces *all = f->interfaces;
	struct weir_cli_interface *list =
		realloc(all->list, (all->count + 1) * sizeof(*all->list));

	if (!list) {
		f->out_of_memory = true;
		return;
	}
	all->list = list;
	list[all->count++] = *interface;
}

static int compare(const void *a, const void *b)
{
	const struct weir_cli_interface *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

int weir_cli_interfaces_fetch(struct weir_cli_module *module, bool quiet,
			      struct weir_cli_interfaces *interfaces)
{
	struct fetching f = {interfaces, false};
	int ret = weir_cli_module_interfaces(module, quiet, take, &f);

	if (ret == -EOPNOTSUPP && quiet)
		return 0;
	if (!ret && f.out_of_memory) {
		weir_cli_say("out of memory");
		ret = -ENOMEM;
	}
	if (interfaces->count)
		qsort(interfaces->list, interfaces->count, sizeof(*interfaces->list), compare);
	return ret;
}

void weir_cli_interfaces_free(struct weir_cli_interfaces *interfaces)
{
	free(interfaces->list);
	interfaces->list = NULL;
	interfaces->count = 0;
}

static const char *first_why(uint32_t bypass)
{
	for (unsigned i = 0; i < BYPASSES; i++) {
		if (bypass >> i & 1)
			return bypasses[i].why;
	}
	return "traffic goes past the hooks";
}

void weir_cli_interfaces_warn(const struct weir_cli_interfaces *interfaces)
{
	bool any = false;

	for (size_t i = 0; i < interfaces->count; i++) {
		const struct weir_cli_interface *one = &interfaces->list[i];

		if (!one->bypass)
			continue;
		if (!any)
			printf("\nNot all traffic of these interfaces reaches the hooks in force:\n");
		any = true;
		printf("  %-15s  %s\n", one->name, first_why(one->bypass));
	}
}

static void bypass_words(uint32_t bypass, char *text, size_t bytes)
{
	size_t used = 0;

	snprintf(text, bytes, "-");
	for (unsigned i = 0; i < 32 && used < bytes; i++) {
		const char *comma = used ? "," : "";

		if (!(bypass >> i & 1))
			continue;
		if (i < BYPASSES)
			used += (size_t)snprintf(text + used, bytes - used, "%s%s", comma,
						 bypasses[i].word);
		else
			used += (size_t)snprintf(text + used, bytes - used, "%s%u", comma, i);
	}
}

static const char *mode_words(uint32_t modes, char *text, size_t bytes)
{
	struct weir_setting setting = {.attribute = WEIR_A_MODES, .value = modes};

	return weir_setting_text(weir_setting_of(WEIR_A_MODES), &setting, text, bytes);
}

static json_t *words_json(const char *words)
{
	json_t *list = json_array();
	char text[256];

	snprintf(text, sizeof(text), "%s", words);
	for (char *rest, *word = strtok_r(text, ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest))
		json_array_append_new(list, json_string(word));
	return list;
}

json_t *weir_cli_interfaces_json(const struct weir_cli_interfaces *interfaces, bool bypassed)
{
	json_t *list = json_array();

	for (size_t i = 0; i < interfaces->count; i++) {
		const struct weir_cli_interface *one = &interfaces->list[i];
		json_t *object;
		char text[256];

		if (bypassed && !one->bypass)
			continue;
		object = json_object();
		json_object_set_new(object, "index", json_integer(one->index));
		json_object_set_new(object, "name", weir_cli_json_string(one->name));
		json_object_set_new(object, "seen_by",
				    words_json(one->seen_by ? mode_words(one->seen_by, text,
									 sizeof(text))
							    : ""));
		bypass_words(one->bypass, text, sizeof(text));
		json_object_set_new(object, "bypass", words_json(one->bypass ? text : ""));
		json_array_append_new(list, object);
	}
	return list;
}

static void print_table(const struct weir_cli_interfaces *interfaces)
{
	struct weir_cli_table *t = weir_cli_table_new(stdout, ">INDEX|NAME|SEEN BY|BYPASS|WHY");

	if (!t)
		return;
	for (size_t i = 0; i < interfaces->count; i++) {
		const struct weir_cli_interface *one = &interfaces->list[i];
		char text[256];

		weir_cli_table_number(t, one->index, true);
		weir_cli_table_cell(t, one->name);
		weir_cli_table_cell(t, one->seen_by ? mode_words(one->seen_by, text, sizeof(text))
						    : "-");
		bypass_words(one->bypass, text, sizeof(text));
		weir_cli_table_cell(t, text);
		weir_cli_table_cell(t, one->bypass ? first_why(one->bypass) : "");
	}
	weir_cli_table_end(t);
}

int weir_cli_interfaces(const struct weir_cli_options *o)
{
	struct weir_cli_interfaces interfaces = {0};
	struct weir_cli_module *module;
	int ret;

	if (weir_cli_module_open(&module, false))
		return WEIR_EXIT_FAILED;
	ret = weir_cli_interfaces_fetch(module, false, &interfaces);
	weir_cli_module_close(module);
	if (!ret && o->json)
		ret = weir_cli_json_print(weir_cli_interfaces_json(&interfaces, false), false);
	else if (!ret)
		print_table(&interfaces);
	weir_cli_interfaces_free(&interfaces);
	return ret ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
}
