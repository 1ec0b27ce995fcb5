// SPDX-License-Identifier: GPL-2.0
#include "daemon/node/rollup.h"

int weir_rollup_run(struct weir_node *node)
{
	return 0;
}
