// SPDX-License-Identifier: GPL-2.0
/* help.c - weir help, and weir VERB --help. */
#include <string.h>

#include "daemon/cli/cli.h"

void weir_cli_help_overview(FILE *out)
{
	fprintf(out, "usage: weir [VERB] [OPTION]... [WORD]...\n\n");
	for (const struct weir_cli_verb *verb = weir_cli_verbs; verb->name; verb++)
		fprintf(out, "  %-7s %s\n", verb->name, verb->summary);
	fprintf(out, "\nweir alone is weir stat. weir VERB --help tells more, as do weir(8) and "
		     "weir-filter(7).\n");
}

static void help_verb(const struct weir_cli_verb *verb)
{
	printf("usage: weir %s [OPTION]...%s%s\n%s.\n\n", verb->name, verb->words[0] ? " " : "",
	       verb->words, verb->summary);
	weir_cli_options_print(verb);
	if (verb->more)
		printf("\n%s", verb->more);
}

int weir_cli_help(const struct weir_cli_options *o)
{
	const struct weir_cli_verb *verb = o->verb;

	/* As "weir VERB --help" main.c passes that verb's options. */
	if (strcmp(verb->name, "help")) {
		help_verb(verb);
		return WEIR_EXIT_OK;
	}
	if (o->argc == 0) {
		weir_cli_help_overview(stdout);
		return WEIR_EXIT_OK;
	}
	verb = weir_cli_find_verb(o->argv[0]);
	if (!verb)
		return WEIR_EXIT_USAGE;
	help_verb(verb);
	return WEIR_EXIT_OK;
}
