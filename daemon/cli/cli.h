/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cli.h - what the verbs of the command line share.
 *
 * main.c finds the verb, options.c reads what follows it, and the verb's own file does the
 * rest: module.c asks the kernel, client.c a daemon, groups.c for figures by fields. table.c,
 * show.c and rows_table.c write for people, json*.c, csv.c, nfdump.c and rows.c for
 * programs. Sentences for people go to stderr.
 */
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/query/query.h"

enum weir_cli_exit {
	WEIR_EXIT_OK = 0,
	WEIR_EXIT_FAILED = 1,
	WEIR_EXIT_USAGE = 2,
	WEIR_EXIT_PARTIAL = 3,	     /* something is missing; stderr names it */
	WEIR_EXIT_DIFFERS = 4,	     /* audit found a difference */
	WEIR_EXIT_DAMAGED = 5,	     /* store check found damage */
	WEIR_EXIT_INTERRUPTED = 130, /* Ctrl-C, as a shell shows it */
};

enum weir_cli_target { WEIR_TARGET_AUTO, WEIR_TARGET_NODE, WEIR_TARGET_MASTER };

enum weir_cli_output {
	WEIR_OUTPUT_TABLE,
	WEIR_OUTPUT_JSON,	/* a document, or a line per flow: each verb's usual JSON */
	WEIR_OUTPUT_JSON_LINES, /* always a line per row */
	WEIR_OUTPUT_CSV,
	WEIR_OUTPUT_NFDUMP,
};

enum {
	WEIR_CLI_FIGURES_MAX = 8,
};

/* A --sum, --min, --max or --distinct with what was written behind it. */
struct weir_cli_figure {
	const char *kind, *words;
};

struct weir_cli_verb;

struct weir_cli_options {
	const struct weir_cli_verb *verb;
	bool json, csv, exact, verbose, deep, help, ascending, explain;
	bool interfaces; /* of stat: these and nothing else */
	bool scale; /* sums of a sample */
	enum weir_cli_output output; /* json and csv above follow it */
	enum weir_cli_target target;
	const char *socket; /* NULL: the target's usual one */
	const char *into; /* a folder for what is imported; NULL: not given */
	uint64_t from_ns, to_ns;
	uint64_t limit;
	bool limit_given;
	const char *state, *config, *new_dir, *mount; /* of weir store; NULL: not given */
	bool columns, quick, yes, verify;
	const char *by;
	const char *order; /* NULL: not given. What it may be is the verb's to say */
	const char *sort;
	struct weir_cli_figure figure[WEIR_CLI_FIGURES_MAX]; /* as they were given */
	unsigned figures;
	const char *every; /* as written; NULL: not given */
	uint64_t every_ns;
	char *words;		    /* what is no option, joined by blanks; "" for nothing */
	struct weir_filter *filter; /* words compiled, if the verb takes a filter */
	int argc;		    /* the words again, one by one */
	char **argv;
};

typedef int weir_cli_run(const struct weir_cli_options *o);

struct weir_cli_verb {
	const char *name;
	weir_cli_run *run;
	const char *summary; /* one line */
	const char *words;   /* for the usage line: "[FILTER]"; "": takes none */
	const char *options; /* letters of options.c's table */
	const char *more;    /* for --help, after the options; may be NULL */
	bool takes_filter;
	bool lists_flows; /* nfdump's form can hold them */
};

/* Ends with a verb without name. */
extern const struct weir_cli_verb weir_cli_verbs[];
const struct weir_cli_verb *weir_cli_find_verb(const char *name);

/* options.c. 0, or -EINVAL after a sentence on stderr. @argv[0] is the verb. */
int weir_cli_options_parse(const struct weir_cli_verb *verb, int argc, char **argv,
			   struct weir_cli_options *o);
void weir_cli_options_free(struct weir_cli_options *o);
void weir_cli_options_print(const struct weir_cli_verb *verb);

/* A sentence on stderr: "weir: ...". */
void weir_cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same of a filter, with a caret under the word at fault. */
void weir_cli_say_at(const char *error, const char *filter, size_t at);

weir_cli_run weir_cli_stat, weir_cli_live, weir_cli_flows, weir_cli_top, weir_cli_series,
	weir_cli_pairs, weir_cli_nodes, weir_cli_audit, weir_cli_set, weir_cli_get, weir_cli_flush,
	weir_cli_store, weir_cli_export, weir_cli_import, weir_cli_help;
/* The list of verbs. */
void weir_cli_help_overview(FILE *out);

/* table.c: aligned columns. Rows are held back to find the widths, a thousand at a time. */
struct weir_cli_table;
/* @columns: heads separated by '|'; one that starts with '>' is set flush right. NULL: no memory.
 */
struct weir_cli_table *weir_cli_table_new(FILE *out, const char *columns);
/* The next cell; copied. After the last column the row is done. */
void weir_cli_table_cell(struct weir_cli_table *table, const char *text);
/* A cell with a number: readable, or exact with @exact. */
void weir_cli_table_number(struct weir_cli_table *table, uint64_t value, bool exact);
/* Write what is held back, free. -ENOMEM if something was left out. */
int weir_cli_table_end(struct weir_cli_table *table);
/* Free without writing what is held back. */
void weir_cli_table_drop(struct weir_cli_table *table);

/* times.c: with 0, 3, 6 or 9 digits behind the second, in this machine's zone. Returns @text. */
const char *weir_cli_time_local(uint64_t ns, unsigned digits, char *text, size_t text_bytes);
/* "2026-11-23T15:04:05.678901234Z". Returns @text. */
const char *weir_cli_time_exact(uint64_t ns, char *text, size_t text_bytes);

/* show.c: flows in the output asked for. */
struct weir_cli_flow {
	struct weir_flow flow;
	const char *node;		/* "" if it is the only one */
	const char *in_name, *out_name; /* "" if not known */
};
struct weir_cli_flows_out;
struct weir_cli_flows_out *weir_cli_show_begin(const struct weir_cli_options *o, bool with_node,
					       bool live);
void weir_cli_show_flow(struct weir_cli_flows_out *out, const struct weir_cli_flow *flow);
int weir_cli_show_end(struct weir_cli_flows_out *out);
/* "12.3 M", or "12345678" with @exact. Returns @text. */
const char *weir_cli_show_number(uint64_t value, bool exact, char *text, size_t text_bytes);
/* The same with its unit: "12.3 MB", "950 B". Returns @text. */
const char *weir_cli_show_bytes(uint64_t value, bool exact, char *text, size_t text_bytes);

/* The same of any duration: "1.25ms", "4m05s", or "1250000" with @exact. Returns @text. */
const char *weir_cli_show_duration(uint64_t ns, bool exact, char *text, size_t text_bytes);
/* "10.0.0.1:443", "[2001:db8::1]:443", "10.0.0.1 echo-request". Returns @text. */
const char *weir_cli_show_end_point(const struct weir_flow *f, bool destination, char *text,
				    size_t text_bytes);
uint64_t weir_cli_duration_ns(const struct weir_flow *flow);

/* csv.c */
void weir_cli_csv_quoted(const char *text);
/* Quoted where it must be. */
void weir_cli_csv_text(const char *text);
void weir_cli_csv_flow_heads(bool with_node);
void weir_cli_csv_flow(const struct weir_cli_flow *flow, bool with_node);

/* nfdump.c: as nfdump -o csv has it. */
struct weir_cli_nfdump_sum {
	struct weir_totals totals;
	uint64_t first_ms, last_ms;
};
void weir_cli_nfdump_heads(void);
void weir_cli_nfdump_flow(const struct weir_flow *flow, struct weir_cli_nfdump_sum *sum);
void weir_cli_nfdump_end(const struct weir_cli_nfdump_sum *sum);

/* services.c: the name /etc/services gives a port, NULL for none. */
const char *weir_cli_service_name(uint8_t protocol, uint16_t port);

#endif
