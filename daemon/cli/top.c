// SPDX-License-Identifier: GPL-2.0
/* top.c - weir top: the largest by any fields, with bounds where they are not exact. */
#include "daemon/cli/groups.h"

enum {
	LINES_USUAL = 10,
};

int weir_cli_top(const struct weir_cli_options *o)
{
	struct weir_cli_answer answer = {0};
	struct weir_cli_groups g;
	int status = WEIR_EXIT_USAGE;

	if (weir_cli_groups_new(&g, o, o->by ? o->by : "host") == 0)
		status = weir_cli_groups_ask(&g, o->limit_given ? o->limit : LINES_USUAL, &answer);
	if ((status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL) &&
	    weir_cli_rows_end(&g, &answer)) {
		weir_cli_say("out of memory");
		status = WEIR_EXIT_FAILED;
	}
	weir_cli_client_end(o, &answer);
	weir_cli_groups_free(&g);
	return status;
}
