// SPDX-License-Identifier: GPL-2.0
/* main.c - weir, the command line: find the verb, read its options, run it. */
#include <errno.h>
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/cli/module.h"

/* "weir" alone: statistics where there are some to show, else the list of verbs. */
static const char *usual_verb(void)
{
	struct weir_cli_module *module;

	if (weir_cli_module_open(&module, true))
		return "help";
	weir_cli_module_close(module);
	return "stat";
}

static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	weir_cli_say("writing the output: %s", strerror(errno));
	return WEIR_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	const struct weir_cli_verb *verb;
	struct weir_cli_options options;
	int status = WEIR_EXIT_USAGE;
	char *alone[] = {NULL, NULL};
	const char *name = argc > 1 ? argv[1] : usual_verb();

	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		printf("weir " WEIR_VERSION "\n");
		return finish(WEIR_EXIT_OK);
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h"))
		name = "help";
	verb = weir_cli_find_verb(name);
	if (!verb)
		return WEIR_EXIT_USAGE;
	alone[0] = (char *)name;
	if (weir_cli_options_parse(verb, argc > 1 ? argc - 1 : 1, argc > 1 ? argv + 1 : alone,
				   &options) == 0)
		status = options.help ? weir_cli_help(&options) : verb->run(&options);
	weir_cli_options_free(&options);
	return finish(status);
}
