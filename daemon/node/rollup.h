/* SPDX-License-Identifier: GPL-2.0 */
/* rollup.h - minutes from segments, hours from minutes, days from hours. */
#ifndef WEIR_NODE_ROLLUP_H
#define WEIR_NODE_ROLLUP_H

#include "daemon/node/node.h"

/* Take in every segment that is there: each minute, hour and day that is over gets its entry. One that
 * is not over waits for the first segment after it. One thread at a time. */
int weir_rollup_run(struct weir_node *node);

#endif
