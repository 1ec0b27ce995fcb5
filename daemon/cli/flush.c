// SPDX-License-Identifier: GPL-2.0
/* flush.c - weir flush: end all flows in the kernel's tables now. */
#include "daemon/cli/json.h"
#include "daemon/cli/module.h"

int weir_cli_flush(const struct weir_cli_options *o)
{
	struct weir_cli_module *module;
	uint64_t moved, left;
	char text[32], text2[32];
	int ret;

	if (weir_cli_module_open(&module, false))
		return WEIR_EXIT_FAILED;
	ret = weir_cli_module_flush(module, &moved, &left);
	weir_cli_module_close(module);
	if (ret)
		return WEIR_EXIT_FAILED;
	if (o->json)
		weir_cli_json_print(json_pack("{s:I, s:I}", "moved", (json_int_t)moved, "left",
					      (json_int_t)left),
				    false);
	else
		printf("%s flows ended and moved to the log\n",
		       weir_cli_show_number(moved, true, text, sizeof(text)));
	if (!left)
		return WEIR_EXIT_OK;
	weir_cli_say("%s flows stay in the tables: the log is full until weir-node reads it",
		     weir_cli_show_number(left, true, text2, sizeof(text2)));
	return WEIR_EXIT_PARTIAL;
}
