// SPDX-License-Identifier: GPL-2.0
/* live.c - weir live: the flows in the kernel's tables now. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/cli/module.h"
#include "daemon/query/names.h"

struct live {
	const struct weir_cli_options *options;
	struct weir_flow *flows;
	size_t count, room;
	bool out_of_memory;
};

static void take_flow(void *arg, const struct weir_flow *flow)
{
	struct live *l = arg;

	if (!weir_filter_match(l->options->filter, flow))
		return;
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 1024;
		struct weir_flow *flows = realloc(l->flows, room * sizeof(*flows));

		if (!flows) {
			l->out_of_memory = true;
			return;
		}
		l->flows = flows;
		l->room = room;
	}
	l->flows[l->count++] = *flow;
}

static int compare(const void *x, const void *y, void *arg)
{
	const struct weir_flow *a = x, *b = y;
	const char *sort = arg;

	if (!strcmp(sort, "packets") && a->packets != b->packets)
		return a->packets > b->packets ? -1 : 1;
	if (!strcmp(sort, "age") && a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->end_ns > b->end_ns ? -1 : a->end_ns < b->end_ns;
}

static int show(const struct live *l)
{
	struct weir_cli_flows_out *out = weir_cli_show_begin(l->options, false, true);
	uint64_t limit = l->options->limit ? l->options->limit : UINT64_MAX;

	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < l->count && i < limit; i++) {
		char in[IF_NAMESIZE] = "", to[IF_NAMESIZE] = "";
		struct weir_cli_flow flow = {.flow = l->flows[i], .node = ""};

		/* Another namespace has numbers of its own. */
		if (!l->flows[i].netns) {
			if_indextoname(l->flows[i].in_ifindex, in);
			if_indextoname(l->flows[i].out_ifindex, to);
		}
		flow.in_name = in;
		flow.out_name = to;
		weir_cli_show_flow(out, &flow);
	}
	return weir_cli_show_end(out);
}

/* Interfaces named in the filter are those of this network namespace. */
static int bind_names(const struct weir_cli_options *o)
{
	struct weir_names *names = NULL;
	char error[256];
	size_t at;
	int ret = weir_names_new(NULL, NULL, &names);

	if (!ret)
		ret = weir_names_read(names);
	if (!ret)
		ret = weir_filter_bind(o->filter, names, error, sizeof(error), &at);
	if (ret == -EINVAL)
		weir_cli_say_at(error, o->words, at);
	else if (ret)
		weir_cli_say("reading the names of interfaces: %s", strerror(-ret));
	weir_names_free(names);
	return ret;
}

int weir_cli_live(const struct weir_cli_options *o)
{
	struct live l = {.options = o};
	struct weir_cli_module *module;
	int ret = bind_names(o);

	if (ret)
		return ret == -EINVAL ? WEIR_EXIT_USAGE : WEIR_EXIT_FAILED;
	if (weir_cli_module_open(&module, false))
		return WEIR_EXIT_FAILED;
	ret = weir_cli_module_dump(module, take_flow, &l);
	weir_cli_module_close(module);
	if (!ret && l.count)
		qsort_r(l.flows, l.count, sizeof(*l.flows), compare,
			(void *)(o->sort ? o->sort : "bytes"));
	if (!ret)
		ret = l.out_of_memory ? -ENOMEM : show(&l);
	if (ret == -ENOMEM)
		weir_cli_say("out of memory");
	else if (!ret && o->output == WEIR_OUTPUT_TABLE && o->limit && l.count > o->limit)
		printf("%zu of %zu flows shown\n", (size_t)o->limit, l.count);
	free(l.flows);
	return ret ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
}
