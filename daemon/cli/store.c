// SPDX-License-Identifier: GPL-2.0
/*
 * store.c - weir store: the verbs that work on the folder of a store itself.
 *
 * They ask no daemon. Those that only read work beside a node that writes; those that
 * change something take the node's lock or refuse.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/cli/store.h"
#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/text.h"
#include "daemon/node/node.h"

static const struct {
	const char *name;
	weir_cli_store_run *run;
	const char *word; /* NULL: takes none */
} verbs[] = {
	{"stat", weir_cli_store_stat, NULL},
	{"check", weir_cli_store_check, NULL},
	{"repair", weir_cli_store_repair, NULL},
	{"backup", weir_cli_store_backup, "the folder of the backup"},
	{"verify", weir_cli_store_verify, "the folder of the backup"},
	{"restore", weir_cli_store_restore, "the folder of the backup"},
	{"unmount", weir_cli_store_unmount, "what is mounted"},
};

enum {
	VERBS = sizeof(verbs) / sizeof(verbs[0]),
};

volatile bool weir_cli_store_cancelled;

static struct {
	uint64_t begun_ns, last_ns;
	bool shown;
} progress;

void weir_cli_store_progress(const char *what, uint64_t done, uint64_t total)
{
	uint64_t now = weir_clock_monotonic_ns();
	char left[32], right[32];

	if (!isatty(STDERR_FILENO))
		return;
	if (!progress.begun_ns)
		progress.begun_ns = now;
	if (now - progress.begun_ns < WEIR_NS_PER_SECOND ||
	    now - progress.last_ns < WEIR_NS_PER_SECOND / 10)
		return;
	progress.last_ns = now;
	progress.shown = true;
	if (done > total)
		done = total;
	fprintf(stderr, "\r\033[K%s %s of %s (%.0f %%)", what,
		weir_cli_show_bytes(done, false, left, sizeof(left)),
		weir_cli_show_bytes(total, false, right, sizeof(right)),
		total ? 100.0 * (double)done / (double)total : 100.0);
	fflush(stderr);
}

void weir_cli_store_progress_end(void)
{
	if (progress.shown)
		fputs("\r\033[K", stderr);
	progress.shown = false;
	progress.begun_ns = 0;
}

static void cancel(int signal_number)
{
	weir_cli_store_cancelled = true;
}

static void catch_interrupt(void)
{
	struct sigaction action = {.sa_handler = cancel, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* The folder of --state, or else the one a node on this machine would use. The configuration
 * counts for its own folder only. */
static int find_dir(struct weir_cli_store *s, struct weir_node_config *config, bool *has_config)
{
	const struct weir_cli_options *o = s->options;

	*has_config = false;
	s->dir = o->state;
	if (o->state && !o->config)
		return 0;
	if (weir_config_read(o->config, config))
		return -EINVAL;
	*has_config = true;
	s->config = config;
	if (!s->dir)
		s->dir = config->state;
	else if (strcmp(s->dir, config->state))
		s->config = NULL;
	return 0;
}

static int find_verb(const struct weir_cli_options *o)
{
	unsigned least = 3;
	int best = -1;

	if (!o->argc) {
		weir_cli_say("store: what about it? See weir store --help");
		return -1;
	}
	for (int i = 0; i < VERBS; i++) {
		unsigned distance = weir_text_distance(o->argv[0], verbs[i].name, 2);

		if (!distance)
			return i;
		if (distance < least) {
			least = distance;
			best = i;
		}
	}
	if (best >= 0)
		weir_cli_say("store: there is no verb \"%s\"; did you mean %s?", o->argv[0],
			     verbs[best].name);
	else
		weir_cli_say("store: there is no verb \"%s\"; see weir store --help", o->argv[0]);
	return -1;
}

static bool words_fit(const struct weir_cli_options *o, int verb)
{
	int wanted = verbs[verb].word ? 2 : 1;

	if (verbs[verb].word && o->argc < wanted)
		weir_cli_say("store %s: name %s", verbs[verb].name, verbs[verb].word);
	else if (o->argc > wanted)
		weir_cli_say("store %s takes no word \"%s\"; see weir store --help",
			     verbs[verb].name, o->argv[wanted]);
	return o->argc == wanted;
}

int weir_cli_store(const struct weir_cli_options *o)
{
	struct weir_cli_store s = {.options = o};
	struct weir_node_config config;
	int verb = find_verb(o), status = WEIR_EXIT_FAILED, ret;
	bool has_config;

	if (verb < 0 || !words_fit(o, verb))
		return WEIR_EXIT_USAGE;
	weir_log_init("weir", o->verbose);
	catch_interrupt();
	if (find_dir(&s, &config, &has_config))
		return WEIR_EXIT_FAILED;
	s.word = o->argc > 1 ? o->argv[1] : NULL;
	ret = weir_survey_writer(s.dir, &s.writer);
	if (ret)
		weir_cli_say("%s: %s", s.dir, strerror(-ret));
	else
		status = verbs[verb].run(&s);
	if (has_config)
		weir_config_free(&config);
	return weir_cli_store_cancelled ? WEIR_EXIT_INTERRUPTED : status;
}
