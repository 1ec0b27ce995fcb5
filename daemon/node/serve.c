// SPDX-License-Identifier: GPL-2.0
/* serve.c - this node's Unix socket. */
#include "daemon/node/answer.h"
#include "daemon/wire/local.h"

static struct weir_local *local;

int weir_serve_start(struct weir_node *node, struct event_base *base)
{
	return weir_local_start(base, node->config.socket, "weir-node " WEIR_VERSION,
				node->config.name, weir_answer_run, node, &local);
}

void weir_serve_stop(void)
{
	weir_local_stop(local);
	local = NULL;
}
