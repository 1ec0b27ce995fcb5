/* SPDX-License-Identifier: GPL-2.0 */
/* pairs.h - conversations in the output asked for (show_pairs.c). */
#ifndef WEIR_CLI_PAIRS_H
#define WEIR_CLI_PAIRS_H

#include "daemon/cli/cli.h"

struct weir_cli_pairs_out;

struct weir_cli_pairs_out *weir_cli_pairs_begin(const struct weir_cli_options *o, bool with_node);
void weir_cli_pairs_show(struct weir_cli_pairs_out *out, const struct weir_pair *pair,
			 const char *node);
int weir_cli_pairs_end(struct weir_cli_pairs_out *out);

#endif
