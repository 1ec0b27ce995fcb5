// SPDX-License-Identifier: GPL-2.0
/* export.c - weir export: flows of a node, a cluster or a folder as a file of IPFIX messages. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/cli/client.h"
#include "daemon/common/clock.h"
#include "daemon/exchange/ipfix.h"
#include "daemon/query/names.h"

enum {
	OUTPUT_BYTES = 1 << 20,
	NODES_MAX = 4096, /* writers, with 70 KB each */
	PROGRESS_NS = 500000000,
};

/* The file under another name until it is whole. */
struct output {
	const char *path;
	char *draft; /* NULL: standard output, or what is no regular file */
	FILE *file;
	uint64_t bytes;
};

struct writer {
	char name[WEIR_IPFIX_NAME_BYTES];
	struct weir_ipfix_writer *ipfix;
};

struct export {
	const struct weir_cli_options *options;
	struct output out;
	struct writer *writer; /* one a node: an observation domain */
	unsigned writers;
	uint64_t flows, unreadable, started_ns, told_ns;
	bool told;
};

static atomic_bool stop;

static void on_interrupt(int number)
{
	atomic_store(&stop, true);
}

static int open_output(struct output *out, const char *path)
{
	mode_t mask = umask(0);
	struct stat there;
	int fd;

	umask(mask);
	out->path = path;
	if (!strcmp(path, "-")) {
		out->file = stdout;
		return 0;
	}
	/* A device, a pipe or a link is written to: a file that takes its name would replace it. */
	if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
		out->file = fopen(path, "we");
		if (!out->file)
			weir_cli_say("%s: %s", path, strerror(errno));
		return out->file ? 0 : -EIO;
	}
	if (asprintf(&out->draft, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(out->draft, O_CLOEXEC);
	if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0)
		out->file = fdopen(fd, "w");
	if (!out->file) {
		weir_cli_say("%s: %s", out->draft, strerror(errno));
		if (fd >= 0) {
			close(fd);
			unlink(out->draft);
		}
		return -EIO;
	}
	setvbuf(out->file, NULL, _IOFBF, OUTPUT_BYTES);
	return 0;
}

/* The file takes its name only when all of it is on the disk. */
static int keep_output(struct output *out)
{
	bool good = fflush(out->file) == 0 && !ferror(out->file);

	if (out->draft) {
		good = good && fsync(fileno(out->file)) == 0;
		good = fclose(out->file) == 0 && good;
		good = good && rename(out->draft, out->path) == 0;
		out->file = NULL;
	} else if (out->file != stdout) {
		good = fclose(out->file) == 0 && good;
		out->file = NULL;
	}
	if (good)
		return 0;
	weir_cli_say("%s: %s", out->path, strerror(errno));
	return -EIO;
}

static void drop_output(struct output *out)
{
	if (out->file && out->file != stdout)
		fclose(out->file);
	if (out->draft)
		unlink(out->draft);
	free(out->draft);
	out->draft = NULL;
}

static int write_message(void *arg, const uint8_t *message, size_t bytes)
{
	struct output *out = arg;

	if (fwrite(message, 1, bytes, out->file) != bytes) {
		weir_cli_say("%s: %s", out->path, strerror(errno));
		return -EIO;
	}
	out->bytes += bytes;
	return 0;
}

/* The writer of a node's flows; the last one used is the likeliest. */
static struct writer *writer_of(struct export *e, const char *name)
{
	struct weir_ipfix_writer_options options = {.domain = e->writers + 1, .name = name};
	struct writer *w;

	for (unsigned i = e->writers; i--;)
		if (!strncmp(e->writer[i].name, name, sizeof(w->name) - 1))
			return &e->writer[i];
	w = e->writers < NODES_MAX ? reallocarray(e->writer, e->writers + 1, sizeof(*w)) : NULL;
	if (!w)
		return NULL;
	e->writer = w;
	w += e->writers;
	memset(w, 0, sizeof(*w));
	strncpy(w->name, name, sizeof(w->name) - 1);
	if (weir_ipfix_writer_new(&options, write_message, &e->out, &w->ipfix))
		return NULL;
	e->writers++;
	return w;
}

static void show_progress(struct export *e, bool end)
{
	uint64_t now_ns = weir_clock_monotonic_ns();
	char flows[32], bytes[32];

	if (end && e->told)
		fputs("\r\033[K", stderr);
	if (end || !isatty(STDERR_FILENO) || now_ns - e->started_ns < WEIR_NS_PER_SECOND ||
	    now_ns - e->told_ns < PROGRESS_NS)
		return;
	e->told_ns = now_ns;
	e->told = true;
	fprintf(stderr, "\r\033[K%s flows, %s",
		weir_cli_show_number(e->flows, false, flows, sizeof(flows)),
		weir_cli_show_bytes(e->out.bytes, false, bytes, sizeof(bytes)));
}

static int put_flow(struct export *e, const char *node, const struct weir_flow *flow)
{
	struct writer *w = writer_of(e, node);
	int ret = w ? weir_ipfix_writer_put(w->ipfix, flow) : -ENOMEM;

	if (!ret && !(++e->flows & 0xfff))
		show_progress(e, false);
	return ret;
}

static int take_part(void *arg, const Weir__Wire__Part *part)
{
	struct export *e = arg;
	struct weir_flow flow;

	for (size_t i = 0; i < part->n_flows; i++) {
		int ret;

		if (weir_cli_client_interrupted())
			return -EINTR;
		if (weir_convert_flow_get(part->flows[i], &flow)) {
			e->unreadable++;
			continue;
		}
		ret = put_flow(e, part->flows[i]->node, &flow);
		if (ret)
			return ret;
	}
	return 0;
}

/* A master holds what it merges in memory, so it has a bound: whatever was not sent is missing here. */
static int judge(const struct export *e, const struct weir_cli_answer *answer, int status)
{
	uint64_t matched = answer->matched.flows, got = e->flows + e->unreadable;

	if (status != WEIR_EXIT_OK || matched <= got)
		return status;
	weir_cli_say("missing: %" PRIu64 " of %" PRIu64 " flows that match were not sent%s", matched - got,
		     matched, answer->from_master ? "; export node by node, or less at a time" : "");
	return WEIR_EXIT_PARTIAL;
}

static int ask_daemon(struct export *e, const char *filter)
{
	Weir__Wire__Ask ask = WEIR__WIRE__ASK__INIT;
	struct weir_cli_answer answer;
	int status;

	ask.verb = WEIR__WIRE__VERB__VERB_FLOWS;
	ask.from_ns = e->options->from_ns;
	ask.to_ns = e->options->to_ns;
	ask.filter = (char *)filter;
	status = weir_cli_client_ask(e->options, &ask, take_part, e, &answer);
	status = judge(e, &answer, status);
	weir_cli_client_free(&answer);
	return status;
}

struct scan {
	struct export *e;
	const struct weir_filter *filter;
	uint64_t from_ns, to_ns;
};

static int take_block(void *arg, uint64_t block, const struct weir_flow *flows, size_t count)
{
	const struct scan *s = arg;

	for (size_t i = 0; i < count; i++) {
		const struct weir_flow *f = &flows[i];
		int ret;

		if (f->end_ns < s->from_ns || f->start_ns >= s->to_ns ||
		    (s->filter && !weir_filter_match(s->filter, f)))
			continue;
		ret = put_flow(s->e, "", f);
		if (ret)
			return ret;
	}
	return atomic_load(&stop) ? -EINTR : 0;
}

static int scan_folder(struct export *e, struct weir_filter *filter)
{
	const struct weir_cli_options *o = e->options;
	struct weir_store_options options = {.read_only = true};
	struct scan scan = {e, filter, o->from_ns, o->to_ns ? o->to_ns : UINT64_MAX};
	struct weir_store *store;
	uint64_t damaged = 0;
	int ret = weir_store_open(o->state, &options, &store);

	if (ret) {
		weir_cli_say("%s: cannot be read as a store: %s", o->state, strerror(-ret));
		return WEIR_EXIT_FAILED;
	}
	signal(SIGINT, on_interrupt);
	ret = weir_store_scan(store, scan.from_ns, scan.to_ns, false, take_block, &scan, &damaged);
	signal(SIGINT, SIG_DFL);
	weir_store_close(store);
	if (ret == -EINTR)
		return WEIR_EXIT_INTERRUPTED;
	if (ret) {
		weir_cli_say("%s: %s", o->state, strerror(-ret));
		return WEIR_EXIT_FAILED;
	}
	if (damaged)
		weir_cli_say("missing: %" PRIu64 " damaged blocks of records were left out", damaged);
	return damaged ? WEIR_EXIT_PARTIAL : WEIR_EXIT_OK;
}

/* Names in a filter are a node's to resolve; a folder does not know them. */
static int ask_folder(struct export *e, const char *words)
{
	struct weir_filter *filter;
	struct weir_names *names = NULL;
	char error[256] = "out of memory";
	int status = WEIR_EXIT_USAGE;

	if (weir_filter_parse(words, &filter, error, sizeof(error), NULL)) {
		weir_cli_say("%s", error);
		return status;
	}
	if (weir_names_new(NULL, NULL, &names) || weir_filter_bind(filter, names, error, sizeof(error), NULL))
		weir_cli_say("%s", error);
	else
		status = scan_folder(e, filter);
	weir_names_free(names);
	weir_filter_free(filter);
	return status;
}

static int end_writers(struct export *e, int status)
{
	int ret = status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL ? 0 : -EINTR;

	if (!ret && !e->writers)
		ret = writer_of(e, "") ? 0 : -ENOMEM;
	for (unsigned i = 0; i < e->writers; i++) {
		if (!ret)
			ret = weir_ipfix_writer_end(e->writer[i].ipfix);
		weir_ipfix_writer_free(e->writer[i].ipfix);
	}
	free(e->writer);
	return ret;
}

static void say_end(const struct export *e)
{
	char bytes[32];

	if (e->out.draft)
		weir_cli_say("%" PRIu64 " flows written to %s, %s", e->flows, e->out.path,
			     weir_cli_show_bytes(e->out.bytes, false, bytes, sizeof(bytes)));
}

int weir_cli_export(const struct weir_cli_options *o)
{
	struct export e = {.options = o, .started_ns = weir_clock_monotonic_ns()};
	const char *words = o->words;
	int status;

	if (!o->argc) {
		weir_cli_say("export: name a file to write, or - for standard output");
		return WEIR_EXIT_USAGE;
	}
	words += strlen(o->argv[0]);
	words += *words == ' ';
	if (open_output(&e.out, o->argv[0]))
		return WEIR_EXIT_FAILED;
	status = o->state ? ask_folder(&e, words) : ask_daemon(&e, words);
	show_progress(&e, true);
	if (end_writers(&e, status) || keep_output(&e.out)) {
		drop_output(&e.out);
		return status == WEIR_EXIT_OK || status == WEIR_EXIT_PARTIAL ? WEIR_EXIT_FAILED : status;
	}
	say_end(&e);
	if (e.unreadable) {
		weir_cli_say("missing: %" PRIu64 " flows came in a form this version cannot read",
			     e.unreadable);
		status = WEIR_EXIT_PARTIAL;
	}
	free(e.out.draft);
	return status;
}
