// SPDX-License-Identifier: GPL-2.0
/* import.c - weir import: a file of IPFIX messages into a store of its own. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "daemon/cli/cli.h"
#include "daemon/exchange/import.h"

enum {
	COMPLAINTS = 10, /* shown; the rest is counted */
};

struct view {
	const char *file;
	uint64_t complaints;
	bool told;
};

static atomic_bool stop;

static void on_interrupt(int number)
{
	atomic_store(&stop, true);
}

static void clear_progress(struct view *v)
{
	if (v->told)
		fputs("\r\033[K", stderr);
	v->told = false;
}

static void complain(void *arg, uint64_t offset, const char *sentence)
{
	struct view *v = arg;

	clear_progress(v);
	if (v->complaints++ < COMPLAINTS)
		weir_cli_say("%s, byte %" PRIu64 ": %s", v->file, offset, sentence);
}

static void show_progress(void *arg, uint64_t flows, uint64_t offset, uint64_t file_bytes)
{
	struct view *v = arg;
	char number[32];

	if (!isatty(STDERR_FILENO))
		return;
	clear_progress(v);
	weir_cli_show_number(flows, false, number, sizeof(number));
	if (file_bytes)
		fprintf(stderr, "%s flows, %.0f %%", number, 100.0 * (double)offset / (double)file_bytes);
	else
		fprintf(stderr, "%s flows", number);
	v->told = true;
}

static void say_what_is_missing(const struct view *v, const struct weir_ipfix_counts *c)
{
	if (v->complaints > COMPLAINTS)
		weir_cli_say("%s: and %" PRIu64 " more places like these", v->file,
			     v->complaints - COMPLAINTS);
	if (c->passed_bytes)
		weir_cli_say("missing: %" PRIu64 " bytes of %s could not be read", c->passed_bytes, v->file);
	if (c->missing)
		weir_cli_say("missing: %" PRIu64 " records which, by its sequence numbers, were written "
			     "and are not in %s", c->missing, v->file);
	if (c->other_records)
		weir_cli_say("note: %" PRIu64 " records without addresses of both ends are no flows",
			     c->other_records);
	if (c->clipped)
		weir_cli_say("note: %" PRIu64 " numbers were larger than their place and are kept as the "
			     "largest", c->clipped);
}

static int judge(const struct view *v, int ret, const struct weir_import_result *r)
{
	const struct weir_ipfix_counts *c = &r->counts;
	uint64_t there = r->before + r->added.flows;

	if (ret == -ECANCELED) {
		weir_cli_say("interrupted: %" PRIu64 " flows are in the store; the same command goes on "
			     "behind them", there);
		return WEIR_EXIT_INTERRUPTED;
	}
	if (ret) {
		weir_cli_say("%s", r->why);
		return WEIR_EXIT_FAILED;
	}
	say_what_is_missing(v, c);
	return c->damaged || c->unknown_sets || c->missing ? WEIR_EXIT_PARTIAL : WEIR_EXIT_OK;
}

static void say_end(const struct weir_cli_options *o, const struct weir_import_result *r)
{
	uint64_t flows = r->added.flows;
	char bytes[32];

	printf("%" PRIu64 " flows imported into %s, %s of traffic%s%s\n", flows, o->into,
	       weir_cli_show_bytes(r->added.bytes, o->exact, bytes, sizeof(bytes)),
	       r->name[0] ? ", of " : "", r->name);
	if (r->before)
		printf("%" PRIu64 " flows were there from an import of this file that was interrupted\n",
		       r->before);
}

int weir_cli_import(const struct weir_cli_options *o)
{
	struct weir_import_options options = {.into = o->into, .stop = &stop, .complain = complain,
					      .progress = show_progress};
	struct weir_import_result result;
	struct view view = {0};
	int ret, status;

	if (o->argc != 1 || !o->into) {
		weir_cli_say("import: name one file, or - for standard input, and --into FOLDER");
		return WEIR_EXIT_USAGE;
	}
	options.file = o->argv[0];
	view.file = strcmp(o->argv[0], "-") ? o->argv[0] : "standard input";
	options.arg = &view;
	signal(SIGINT, on_interrupt);
	ret = weir_import_ipfix(&options, &result);
	clear_progress(&view);
	status = judge(&view, ret, &result);
	if (status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL)
		say_end(o, &result);
	return status;
}
