// SPDX-License-Identifier: GPL-2.0
/* serve.c - this node's Unix socket. */
#include "daemon/node/answer.h"
#include "daemon/wire/local.h"

static struct weir_local *local;
static struct weir_node *served;

int weir_serve_start(struct weir_node *node, struct event_base *base)
{
	int ret = weir_answer_start(node);

	if (ret)
		return ret;
	served = node;
	return weir_local_start(base, node->config.socket, "weir-node " WEIR_VERSION,
				node->config.name, weir_answer_run, node, &local);
}

void weir_serve_stop(void)
{
	weir_local_stop(local);
	local = NULL;
	if (served)
		weir_answer_stop(served);
	served = NULL;
}
