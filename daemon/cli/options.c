// SPDX-License-Identifier: GPL-2.0
/* options.c - the options of all verbs; a verb names those it takes by their letters. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/cli/cli.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

/* Upper-case letters have a long form only. */
static const struct row {
	char letter;
	const char *name;
	int argument;	   /* as getopt_long(3) has it */
	const char *value; /* for the help */
	const char *help;
} rows[] = {
	{'f', "from", required_argument, "TIME",
	 "flows alive since then (-1h, 2026-11-23 15:04, @SECONDS)"},
	{'t', "to", required_argument, "TIME", "flows alive before then"},
	{'b', "by", required_argument, "FIELDS", "group by these, separated by commas"},
	{'E', "every", required_argument, "DURATION", "one line for so much time (5m)"},
	{'U', "sum", required_argument, "QUANTITIES", "sum these (bytes,packets,flows)"},
	{'K', "min", required_argument, "QUANTITIES", "show the least of these"},
	{'G', "max", required_argument, "QUANTITIES", "show the largest of these"},
	{'I', "distinct", required_argument, "FIELDS",
	 "count how many different ones there are; may be repeated"},
	{'Z', "scale", no_argument, NULL, "multiply sampled bytes, packets and flows by their rate"},
	{'o', "order", required_argument, "QUANTITY",
	 "the largest first: bytes, packets, duration, ..."},
	{'A', "ascending", no_argument, NULL, "the smallest first"},
	{'s', "sort", required_argument, "WHAT", "bytes, packets or age (bytes)"},
	{'n', "limit", required_argument, "N", "show at most N lines; 0: all"},
	{'x', "exact", no_argument, NULL, "write numbers in full"},
	{'j', "json", no_argument, NULL, "write JSON"},
	{'c', "csv", no_argument, NULL, "write comma-separated values"},
	{'F', "output", required_argument, "FORMAT", "table, json, jsonl, csv, nfdump"},
	{'X', "explain", no_argument, NULL, "say on stderr how the answer came about"},
	{'v', "verbose", no_argument, NULL, "say more"},
	{'i', "interfaces", no_argument, NULL, "which interfaces are seen, and which go past"},
	{'d', "state", required_argument, "DIR", "the folder of a store"},
	{'C', "config", required_argument, "FILE", "read this instead of /etc/weir/node.conf"},
	{'L', "columns", no_argument, NULL, "show what each column takes"},
	{'Q', "quick", no_argument, NULL, "do not read what is in the blocks"},
	{'Y', "yes", no_argument, NULL, "do it; without it is only said what would be done"},
	{'V', "verify", no_argument, NULL, "read everything back and compare"},
	{'W', "new", required_argument, "DIR", "make a new store of the backup there"},
	{'T', "mount", required_argument, "NAME", "show the backup beside what the node has"},
	{'D', "deep", no_argument, NULL, "count every stored record again"},
	{'N', "node", optional_argument, "[=SOCKET]", "ask the node on this machine"},
	{'M', "master", optional_argument, "[=SOCKET]",
	 "ask the master on this machine, for the cluster"},
	{'S', "socket", required_argument, "PATH",
	 "connect there instead of /run/weir/{node,master}.sock"},
	{'J', "into", required_argument, "DIR", "the store to write; made if it is not there"},
	{'h', "help", no_argument, NULL, "this text"},
};

enum {
	ROWS = sizeof(rows) / sizeof(rows[0]),
};

/* Much of it comes from other machines: nothing of theirs may steer the terminal. */
void weir_cli_say(const char *format, ...)
{
	char *text;
	va_list args;
	int bytes;

	fflush(stdout);
	va_start(args, format);
	bytes = vasprintf(&text, format, args);
	va_end(args);
	if (bytes < 0) {
		fputs("weir: out of memory\n", stderr);
		return;
	}
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	}
	fprintf(stderr, "weir: %s\n", text);
	free(text);
}

void weir_cli_say_at(const char *error, const char *filter, size_t at)
{
	size_t column = 0;

	weir_cli_say("%s", error);
	fputs("  ", stderr);
	/* On one line, whatever is in it, and with a place on it for a character of several bytes. */
	for (const char *c = filter; *c; c++) {
		fputc((unsigned char)*c < ' ' || *c == 127 ? ' ' : *c, stderr);
		column += c < filter + at && (*c & 0xc0) != 0x80;
	}
	fprintf(stderr, "\n  %*s^\n", (int)column, "");
	fprintf(stderr, "See weir-filter(7) for the filter language.\n");
}

static bool takes(const struct weir_cli_verb *verb, const struct row *row)
{
	return row->letter == 'h' || strchr(verb->options, row->letter);
}

void weir_cli_options_print(const struct weir_cli_verb *verb)
{
	for (unsigned i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		char left[64];

		if (!takes(verb, row))
			continue;
		snprintf(left, sizeof(left), "%s%c%s--%s%s%s", row->letter >= 'a' ? "-" : " ",
			 row->letter >= 'a' ? row->letter : ' ', row->letter >= 'a' ? ", " : "  ",
			 row->name, row->argument == required_argument ? " " : "",
			 row->value ? row->value : "");
		printf("  %-24s %s\n", left, row->help);
	}
}

static int bad_value(const struct weir_cli_verb *verb, const char *option, const char *value,
		     const char *expected)
{
	weir_cli_say("%s --%s: \"%s\" is not %s", verb->name, option, value, expected);
	return -EINVAL;
}

static int parse_limit(const char *text, uint64_t *limit)
{
	char *end;

	errno = 0;
	*limit = strtoull(text, &end, 10);
	return errno || *text < '0' || *text > '9' || *end ? -EINVAL : 0;
}

static int set_output(struct weir_cli_options *o, enum weir_cli_output output)
{
	if (o->output != WEIR_OUTPUT_TABLE && o->output != output) {
		weir_cli_say("%s: one output at a time, of --json, --csv and --output",
			     o->verb->name);
		return -EINVAL;
	}
	o->output = output;
	o->json = output == WEIR_OUTPUT_JSON || output == WEIR_OUTPUT_JSON_LINES;
	o->csv = output == WEIR_OUTPUT_CSV;
	return 0;
}

/* The verb's outputs are the usual ones, and for flows nfdump's besides. */
static int name_output(struct weir_cli_options *o, const char *name)
{
	static const struct {
		const char *name;
		enum weir_cli_output output;
	} outputs[] = {
		{"table", WEIR_OUTPUT_TABLE},	   {"json", WEIR_OUTPUT_JSON},
		{"jsonl", WEIR_OUTPUT_JSON_LINES}, {"csv", WEIR_OUTPUT_CSV},
		{"nfdump", WEIR_OUTPUT_NFDUMP},
	};

	for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
		if (strcasecmp(name, outputs[i].name))
			continue;
		if (outputs[i].output != WEIR_OUTPUT_NFDUMP || o->verb->lists_flows)
			return set_output(o, outputs[i].output);
		weir_cli_say("%s --output: only flows have the form of nfdump; see weir flows",
			     o->verb->name);
		return -EINVAL;
	}
	return bad_value(o->verb, "output", name,
			 o->verb->lists_flows ? "table, json, jsonl, csv or nfdump"
					      : "table, json, jsonl or csv");
}

static int add_figure(struct weir_cli_options *o, const char *kind, const char *words)
{
	if (o->figures == WEIR_CLI_FIGURES_MAX) {
		weir_cli_say("%s: at most %d of --sum, --min, --max and --distinct", o->verb->name,
			     WEIR_CLI_FIGURES_MAX);
		return -EINVAL;
	}
	o->figure[o->figures++] = (struct weir_cli_figure){kind, words};
	return 0;
}

static int set_every(struct weir_cli_options *o, const char *value)
{
	o->every = value;
	if (weir_clock_parse_duration(value, &o->every_ns) || !o->every_ns)
		return bad_value(o->verb, "every", value, "a duration (such as 10s, 5m, 1h, 1d)");
	return 0;
}

static int set_target(struct weir_cli_options *o, enum weir_cli_target target, const char *socket)
{
	if (o->target != WEIR_TARGET_AUTO && o->target != target) {
		weir_cli_say("%s: --node and --master exclude each other", o->verb->name);
		return -EINVAL;
	}
	o->target = target;
	if (socket)
		o->socket = socket;
	return 0;
}

static int set_time(const struct weir_cli_options *o, const char *option, const char *value,
		    uint64_t *ns)
{
	if (weir_clock_parse_time(value, weir_clock_now_ns(), ns))
		return bad_value(o->verb, option, value,
				 "a time (such as -1h, today, 2026-11-23 15:04, @1795446000)");
	return 0;
}

static int take_option(struct weir_cli_options *o, int letter, const char *value)
{
	switch (letter) {
	case 'f':
		return set_time(o, "from", value, &o->from_ns);
	case 't':
		if (set_time(o, "to", value, &o->to_ns))
			return -EINVAL;
		o->to_ns += !o->to_ns; /* 0 would be no end, and nothing ends before 1970 */
		return 0;
	case 'n':
		o->limit_given = true;
		return parse_limit(value, &o->limit)
			       ? bad_value(o->verb, "limit", value, "a whole number")
			       : 0;
	case 'j':
		return set_output(o, WEIR_OUTPUT_JSON);
	case 'c':
		return set_output(o, WEIR_OUTPUT_CSV);
	case 'F':
		return name_output(o, value);
	case 'U':
		return add_figure(o, "sum", value);
	case 'K':
		return add_figure(o, "min", value);
	case 'G':
		return add_figure(o, "max", value);
	case 'I':
		return add_figure(o, "distinct", value);
	case 'E':
		return set_every(o, value);
	case 's':
		if (strcmp(value, "bytes") && strcmp(value, "packets") && strcmp(value, "age"))
			return bad_value(o->verb, "sort", value, "bytes, packets or age");
		o->sort = value;
		return 0;
	case 'N':
		return set_target(o, WEIR_TARGET_NODE, value);
	case 'M':
		return set_target(o, WEIR_TARGET_MASTER, value);
	}
	if (letter == 'b')
		o->by = value;
	else if (letter == 'S')
		o->socket = value;
	else if (letter == 'd')
		o->state = value;
	else if (letter == 'C')
		o->config = value;
	else if (letter == 'W')
		o->new_dir = value;
	else if (letter == 'T')
		o->mount = value;
	else if (letter == 'J')
		o->into = value;
	else if (letter == 'o')
		o->order = value;
	o->columns |= letter == 'L';
	o->quick |= letter == 'Q';
	o->yes |= letter == 'Y';
	o->verify |= letter == 'V';
	o->ascending |= letter == 'A';
	o->scale |= letter == 'Z';
	o->explain |= letter == 'X';
	o->exact |= letter == 'x';
	o->verbose |= letter == 'v';
	o->interfaces |= letter == 'i';
	o->deep |= letter == 'D';
	o->help |= letter == 'h';
	return 0;
}

static int join_words(struct weir_cli_options *o)
{
	size_t bytes = 1, used = 0;

	for (int i = 0; i < o->argc; i++)
		bytes += strlen(o->argv[i]) + 1;
	o->words = malloc(bytes);
	if (!o->words)
		return -ENOMEM;
	o->words[0] = '\0';
	for (int i = 0; i < o->argc; i++)
		used += (size_t)sprintf(o->words + used, "%s%s", i ? " " : "", o->argv[i]);
	return 0;
}

static int compile_filter(struct weir_cli_options *o)
{
	char error[256];
	size_t at;
	int ret = weir_filter_parse(o->words, &o->filter, error, sizeof(error), &at);

	if (ret == -EINVAL) {
		weir_cli_say_at(error, o->words, at);
	} else if (ret) {
		weir_cli_say("%s", strerror(-ret));
	}
	return ret;
}

static int check(struct weir_cli_options *o)
{
	int ret = join_words(o);

	if (ret || o->help)
		return ret;
	if (o->to_ns && o->from_ns >= o->to_ns) {
		weir_cli_say("%s: --from is not before --to", o->verb->name);
		return -EINVAL;
	}
	if (!o->verb->words[0] && o->argc) {
		weir_cli_say("%s takes no words, not \"%s\"; see weir %s --help", o->verb->name,
			     o->argv[0], o->verb->name);
		return -EINVAL;
	}
	return o->verb->takes_filter ? compile_filter(o) : 0;
}

/* The option of @verb that was probably meant, or NULL. */
static const char *nearest(const struct weir_cli_verb *verb, const char *word)
{
	const char *best = NULL;
	unsigned least = 3;

	for (unsigned i = 0; i < ROWS; i++) {
		unsigned distance = weir_text_distance(word, rows[i].name, 2);

		if (takes(verb, &rows[i]) && distance < least) {
			least = distance;
			best = rows[i].name;
		}
	}
	return best;
}

static int refuse(const struct weir_cli_verb *verb, int result, char **argv)
{
	const char *word = argv[optind - 1], *like;

	if (result == ':')
		weir_cli_say("%s: a value is missing after %s", verb->name, word);
	else if (optopt && !strncmp(word, "--", 2))
		weir_cli_say("%s: %s takes no value", verb->name, word);
	else if (optopt)
		weir_cli_say("%s: there is no option -%c; see weir %s --help", verb->name, optopt,
			     verb->name);
	else if ((like = nearest(verb, word + strspn(word, "-"))))
		weir_cli_say("%s: there is no option %s; did you mean --%s?", verb->name, word,
			     like);
	else
		weir_cli_say("%s: there is no option %s; see weir %s --help", verb->name, word,
			     verb->name);
	return -EINVAL;
}

int weir_cli_options_parse(const struct weir_cli_verb *verb, int argc, char **argv,
			   struct weir_cli_options *o)
{
	struct option longs[ROWS + 1] = {0};
	char shorts[2 * ROWS + 2] = ":";
	unsigned count = 0, used = 1;
	int c, ret;

	memset(o, 0, sizeof(*o));
	o->verb = verb;
	for (unsigned i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (!takes(verb, row))
			continue;
		longs[count++] = (struct option){row->name, row->argument, NULL, row->letter};
		if (row->letter < 'a')
			continue;
		shorts[used++] = row->letter;
		if (row->argument == required_argument)
			shorts[used++] = ':';
	}
	shorts[used] = '\0';
	optind = 0; /* glibc: start anew */
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		ret = c == '?' || c == ':' ? refuse(verb, c, argv) : take_option(o, c, optarg);
		if (ret)
			return ret;
	}
	o->argc = argc - optind;
	o->argv = argv + optind;
	return check(o);
}

void weir_cli_options_free(struct weir_cli_options *o)
{
	free(o->words);
	weir_filter_free(o->filter);
}
