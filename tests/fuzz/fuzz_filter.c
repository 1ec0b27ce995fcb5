// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes as a filter expression, matched against a few flows before and after its names are
 * bound. Two evaluations must agree: the steps, and the tree.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/filter.h"
#include "daemon/query/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool holds(const struct weir_filter *f, unsigned node, const struct weir_flow *flow)
{
	const struct weir_filter_node *n = &f->nodes[node];

	switch (n->kind) {
	case WEIR_NODE_NOT:
		return !holds(f, n->left, flow);
	case WEIR_NODE_AND:
		return holds(f, n->left, flow) && holds(f, n->right, flow);
	case WEIR_NODE_OR:
		return holds(f, n->left, flow) || holds(f, n->right, flow);
	}
	return weir_filter_step_holds(f, &n->step, flow);
}

static void match(const struct weir_filter *filter)
{
	static const uint8_t protocols[] = {1, 6, 17, 47, 58, 6};

	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct weir_flow flow = {.protocol = protocols[i],
					 .ip_version = i % 2 ? 4 : 6,
					 .src_port = i > 4 ? 40000 : 443,
					 .dst_port = 443,
					 .bytes = UINT64_MAX >> i,
					 .packets = i,
					 .tcp_flags = 0x12,
					 .in_ifindex = (uint32_t)i,
					 .start_ns = 1,
					 .second_ns = i,
					 .end_ns = i};

		if (weir_filter_match(filter, &flow) != holds(filter, filter->root, &flow))
			abort();
	}
}

static void use(struct weir_filter *filter)
{
	struct weir_names *names;
	char error[64] = "";
	size_t at = 0;

	if (weir_filter_columns(filter) & ~WEIR_COLUMN_ALL)
		abort();
	match(filter);
	if (weir_names_new("node", "site", &names))
		return;
	weir_names_add(names, 2, "eth0");
	weir_names_add(names, 3, "eth1");
	if (weir_filter_bind(filter, names, error, sizeof(error), &at)) {
		if (!error[0] || at > WEIR_FILTER_TEXT_MAX)
			abort();
	} else {
		match(filter);
	}
	weir_names_free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_filter *filter;
	char *text = malloc(size + 1);
	char error[64];
	size_t at;
	int ret;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	ret = weir_filter_parse(text, &filter, error, sizeof(error), &at);
	if (ret) {
		/* A refusal has a sentence, and an offset inside the text. */
		if (!error[0] || at > strlen(text))
			abort();
	} else {
		use(filter);
		weir_filter_free(filter);
	}
	free(text);
	return 0;
}

#include "tests/fuzz/replay.h"
