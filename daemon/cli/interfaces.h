/* SPDX-License-Identifier: GPL-2.0 */
/* interfaces.h - which interfaces the module sees, and which it does not. */
#ifndef WEIR_CLI_INTERFACES_H
#define WEIR_CLI_INTERFACES_H

#include <jansson.h>

#include "daemon/cli/cli.h"
#include "daemon/cli/module.h"

struct weir_cli_interfaces {
	struct weir_cli_interface *list;
	size_t count;
};

/* A negative errno, after a sentence; a module that does not tell has none when @quiet. */
int weir_cli_interfaces_fetch(struct weir_cli_module *module, bool quiet,
			      struct weir_cli_interfaces *interfaces);
void weir_cli_interfaces_free(struct weir_cli_interfaces *interfaces);
/* A line for each whose traffic goes past the hooks in force. */
void weir_cli_interfaces_warn(const struct weir_cli_interfaces *interfaces);
/* An array; @bypassed: of those only. */
json_t *weir_cli_interfaces_json(const struct weir_cli_interfaces *interfaces, bool bypassed);
/* weir stat --interfaces */
int weir_cli_interfaces(const struct weir_cli_options *options);

#endif
