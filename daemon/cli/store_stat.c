// SPDX-License-Identifier: GPL-2.0
/* store_stat.c - weir store stat: what is in a store, how large it is, how far back it goes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "daemon/cli/json.h"
#include "daemon/cli/store.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"
#include "daemon/node/node.h"
#include "daemon/store/column.h"
#include "daemon/store/mount.h"

struct sums {
	uint64_t blocks, records, bytes, segments, oldest_ns, newest_ns, partitions;
	uint64_t columns[64];
	struct weir_totals damaged;
};

struct stat {
	const struct weir_cli_store *store;
	const struct weir_check *check;
	const struct weir_check_part *oldest, *newest; /* that could be read */
	struct sums sums;
	uint64_t free_bytes;
	uint64_t faults;
};

static void take_fault(void *arg, const char *part, const char *sentence)
{
	struct stat *stat = arg;

	stat->faults++;
	weir_cli_say("%s%s%s", part, *part ? ": " : "", sentence);
}

static void take_progress(void *arg, uint64_t done, uint64_t total)
{
	weir_cli_store_progress("looked at", done, total);
}

static void add_part(struct stat *stat, const struct weir_check_part *part)
{
	const struct weir_meta_held *held = &part->meta.held;
	struct sums *sums = &stat->sums;

	sums->partitions++;
	sums->bytes += part->survey->disk_bytes;
	if (!part->known)
		return;
	if (!stat->oldest)
		stat->oldest = part;
	stat->newest = part;
	sums->blocks += held->blocks;
	sums->records += held->records;
	sums->segments += part->segments;
	weir_totals_add(&sums->damaged, &part->meta.damaged.totals);
	for (unsigned i = 0; i < 64; i++)
		sums->columns[i] += part->column_bytes[i];
	if (!held->blocks)
		return;
	if (!sums->oldest_ns || held->min_ns < sums->oldest_ns)
		sums->oldest_ns = held->min_ns;
	if (held->max_ns > sums->newest_ns)
		sums->newest_ns = held->max_ns;
}

static void sum_up(struct stat *stat)
{
	struct statvfs fs;

	for (unsigned i = 0; i < stat->check->survey->count; i++)
		if (stat->check->parts[i].survey->kind == WEIR_SURVEY_PARTITION)
			add_part(stat, &stat->check->parts[i]);
	if (!statvfs(stat->store->dir, &fs))
		stat->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
}

static double each(uint64_t bytes, uint64_t records)
{
	return records ? (double)bytes / (double)records : 0;
}

static void ratio_cell(struct weir_cli_table *t, uint64_t bytes, uint64_t records)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f", each(bytes, records));
	weir_cli_table_cell(t, records ? text : "-");
}

static void bytes_cell(struct weir_cli_table *t, uint64_t bytes, bool exact)
{
	char text[32];

	weir_cli_table_cell(t, weir_cli_show_bytes(bytes, exact, text, sizeof(text)));
}

static void time_cell(struct weir_cli_table *t, uint64_t ns)
{
	char text[40];

	weir_clock_text(ns, text, sizeof(text));
	text[19] = '\0'; /* whole seconds */
	text[10] = ' ';
	weir_cli_table_cell(t, ns ? text : "-");
}

static void partition_row(struct weir_cli_table *t, const struct weir_check_part *part, bool exact)
{
	const struct weir_meta_held *held = &part->meta.held;

	weir_cli_table_cell(t, part->survey->name);
	if (!part->known) {
		for (unsigned i = 0; i < 2; i++)
			weir_cli_table_cell(t, "-");
		bytes_cell(t, part->survey->disk_bytes, exact);
		for (unsigned i = 0; i < 4; i++)
			weir_cli_table_cell(t, i == 1 ? "DAMAGED" : "-");
		return;
	}
	weir_cli_table_number(t, held->records, exact);
	weir_cli_table_number(t, held->blocks, exact);
	bytes_cell(t, part->survey->disk_bytes, exact);
	ratio_cell(t, part->survey->disk_bytes, held->records);
	time_cell(t, held->blocks ? held->min_ns : 0);
	time_cell(t, held->blocks ? held->max_ns : 0);
	weir_cli_table_number(t, part->segments, exact);
}

static void list_partitions(const struct stat *stat)
{
	bool exact = stat->store->options->exact;
	struct weir_cli_table *t = weir_cli_table_new(
		stdout, "PARTITION|>RECORDS|>BLOCKS|>ON DISK|>B/RECORD|OLDEST|NEWEST|>SEGMENTS");

	if (!t)
		return;
	for (unsigned i = 0; i < stat->check->survey->count; i++)
		if (stat->check->parts[i].survey->kind == WEIR_SURVEY_PARTITION)
			partition_row(t, &stat->check->parts[i], exact);
	weir_cli_table_end(t);
}

static void list_columns(const struct stat *stat)
{
	bool exact = stat->store->options->exact;
	struct weir_cli_table *t;
	uint64_t all = 0;
	char share[16];

	for (unsigned i = 0; i < 64; i++)
		all += stat->sums.columns[i];
	t = weir_cli_table_new(stdout, "COLUMN|>BYTES|>B/RECORD|>SHARE");
	if (!t)
		return;
	for (unsigned i = 0; i < weir_column_count; i++) {
		uint64_t bytes = stat->sums.columns[weir_column_table[i].id];

		weir_cli_table_cell(t, weir_column_table[i].name);
		bytes_cell(t, bytes, exact);
		ratio_cell(t, bytes, stat->sums.records);
		snprintf(share, sizeof(share), "%.1f %%", 100 * each(bytes, all));
		weir_cli_table_cell(t, share);
	}
	weir_cli_table_cell(t, "all");
	bytes_cell(t, all, exact);
	ratio_cell(t, all, stat->sums.records);
	weir_cli_table_cell(t, "");
	weir_cli_table_end(t);
}

static void print_writer(const struct stat *stat)
{
	int writer = stat->store->writer;

	if (writer > 0)
		printf("; process %d writes to it", writer);
	else if (writer)
		printf("; a process writes to it");
	putchar('\n');
}

static void print_horizon(const struct stat *stat)
{
	const struct sums *sums = &stat->sums;
	char from[40], to[40], span[40];

	if (!sums->newest_ns) {
		printf("horizon   no records\n");
		return;
	}
	printf("horizon   %s to %s, %s\n", weir_clock_text(sums->oldest_ns, from, sizeof(from)),
	       weir_clock_text(sums->newest_ns, to, sizeof(to)),
	       weir_clock_duration_text(sums->newest_ns - sums->oldest_ns, span, sizeof(span)));
}

static void print_totals(const char *name, const struct weir_totals *totals, bool exact)
{
	char flows[32], packets[32], bytes[32];

	printf("%s%s flows, %s packets, %s\n", name,
	       weir_cli_show_number(totals->flows, exact, flows, sizeof(flows)),
	       weir_cli_show_number(totals->packets, exact, packets, sizeof(packets)),
	       weir_cli_show_bytes(totals->bytes, exact, bytes, sizeof(bytes)));
}

static void print_ledger(const struct stat *stat)
{
	bool exact = stat->store->options->exact;
	const struct weir_totals *damaged = &stat->sums.damaged;

	if (!stat->newest)
		return;
	print_totals("stored    ", &stat->newest->meta.state.stored, exact);
	if (stat->oldest->meta.has_base && stat->oldest->meta.base.stored.flows)
		print_totals("  expired ", &stat->oldest->meta.base.stored, exact);
	if (damaged->flows || damaged->packets)
		print_totals("  damaged ", damaged, exact);
}

static const struct weir_check_part *rollups_of(const struct stat *stat)
{
	for (unsigned i = 0; i < stat->check->survey->count; i++)
		if (stat->check->parts[i].survey->kind == WEIR_SURVEY_ROLLUPS &&
		    stat->check->parts[i].known)
			return &stat->check->parts[i];
	return NULL;
}

static void used_cell(struct weir_cli_table *t, uint64_t is, uint64_t most)
{
	char text[32];

	snprintf(text, sizeof(text), "%.0f %%", 100 * each(is, most));
	weir_cli_table_cell(t, most ? text : "-");
}

static void span_cell(struct weir_cli_table *t, uint64_t ns)
{
	char text[32];

	weir_cli_table_cell(t, ns ? weir_clock_duration_text(ns, text, sizeof(text)) : "-");
}

struct kept {
	const char *what;
	uint64_t count, bytes, since_ns;
	uint64_t most_bytes, most_ns;
};

static void kept_row(const struct stat *stat, struct weir_cli_table *t, const struct kept *kept)
{
	bool exact = stat->store->options->exact, told = stat->store->config;
	uint64_t now = weir_clock_now_ns();
	uint64_t age = kept->since_ns && now > kept->since_ns ? now - kept->since_ns : 0;

	weir_cli_table_cell(t, kept->what);
	weir_cli_table_number(t, kept->count, exact);
	bytes_cell(t, kept->bytes, exact);
	if (told && kept->most_bytes)
		bytes_cell(t, kept->most_bytes, exact);
	else
		weir_cli_table_cell(t, told ? "any" : "?");
	used_cell(t, kept->bytes, told ? kept->most_bytes : 0);
	span_cell(t, age);
	if (told && kept->most_ns)
		span_cell(t, kept->most_ns);
	else
		weir_cli_table_cell(t, told ? "any" : "?");
	used_cell(t, age, told ? kept->most_ns : 0);
}

/* What there is of each kind, and how much of it there may be. */
static void list_kept(const struct stat *stat)
{
	static const char *const words[] = {"minutes", "hours", "days"};
	const struct weir_node_keep none = {0};
	const struct weir_node_keep *keep =
		stat->store->config ? &stat->store->config->keep : &none;
	const struct weir_check_part *rollups = rollups_of(stat);
	struct weir_cli_table *t = weir_cli_table_new(
		stdout, "KEPT|>COUNT|>ON DISK|>MOST|>USED|>BACK TO|>MOST|>USED");
	struct kept records = {"records",	   stat->sums.records, stat->sums.bytes,
			       stat->sums.oldest_ns, keep->raw_bytes,	  keep->raw_ns};

	if (!t)
		return;
	kept_row(stat, t, &records);
	for (unsigned i = 0; rollups && i < WEIR_ROLLUP_LEVELS; i++) {
		struct kept kept = {words[i],
				    rollups->rollups[i].entries,
				    rollups->rollups[i].bytes,
				    rollups->rollups_since_ns[i],
				    keep->rollup_bytes[i],
				    keep->rollup_ns[i]};

		kept_row(stat, t, &kept);
	}
	weir_cli_table_end(t);
}

static void print_mounted(const struct stat *stat)
{
	char *restored = weir_folder_path(stat->store->dir, WEIR_MOUNT_FOLDER);
	struct weir_cli_mounts mounts = {0};

	if (restored)
		weir_cli_store_mounts(restored, &mounts);
	for (unsigned i = 0; i < mounts.count; i++) {
		const struct weir_cli_mount *m = &mounts.at[i];
		char from[40], to[40], records[32];

		printf("mounted   %s: %s records of %u partitions, %s to %s\n", m->name,
		       weir_cli_show_number(m->records, stat->store->options->exact, records,
					    sizeof(records)),
		       m->partitions, weir_clock_text(m->oldest_ns, from, sizeof(from)),
		       weir_clock_text(m->newest_ns, to, sizeof(to)));
	}
	free(restored);
}

static void print_head(const struct stat *stat)
{
	bool exact = stat->store->options->exact;
	const struct sums *sums = &stat->sums;
	char records[32], blocks[32], bytes[32], room[32], segments[32];

	printf("store     %s", stat->check->survey->dir);
	print_writer(stat);
	printf("records   %s in %s blocks and %" PRIu64 " partitions\n",
	       weir_cli_show_number(sums->records, exact, records, sizeof(records)),
	       weir_cli_show_number(sums->blocks, exact, blocks, sizeof(blocks)),
	       sums->partitions);
	printf("on disk   %s, %.1f bytes a record; %s free\n",
	       weir_cli_show_bytes(sums->bytes, exact, bytes, sizeof(bytes)),
	       each(sums->bytes, sums->records),
	       weir_cli_show_bytes(stat->free_bytes, exact, room, sizeof(room)));
	print_horizon(stat);
	printf("segments  %s held",
	       weir_cli_show_number(sums->segments, exact, segments, sizeof(segments)));
	if (stat->newest)
		printf(", the last is %" PRIu64, stat->newest->meta.state.summed.seq);
	if (stat->store->config && stat->store->config->keep.spool_segments)
		printf(" (%" PRIu64 " are kept)", stat->store->config->keep.spool_segments);
	putchar('\n');
	print_ledger(stat);
	print_mounted(stat);
}

static json_t *partition_json(const struct weir_check_part *part)
{
	const struct weir_meta_held *held = &part->meta.held;
	json_t *object = json_object();

	json_object_set_new(object, "name", json_string(part->survey->name));
	json_object_set_new(object, "readable", json_boolean(part->known));
	json_object_set_new(object, "disk_bytes",
			    json_integer((json_int_t)part->survey->disk_bytes));
	if (!part->known)
		return object;
	json_object_set_new(object, "blocks", json_integer((json_int_t)held->blocks));
	json_object_set_new(object, "records", json_integer((json_int_t)held->records));
	json_object_set_new(object, "segments", json_integer((json_int_t)part->segments));
	json_object_set_new(object, "oldest",
			    weir_cli_json_time(held->blocks ? held->min_ns : 0));
	json_object_set_new(object, "newest",
			    weir_cli_json_time(held->blocks ? held->max_ns : 0));
	return object;
}

static json_t *kept_json(uint64_t count, uint64_t bytes, uint64_t since_ns, bool told,
			 uint64_t most_bytes, uint64_t most_ns)
{
	json_t *object = json_object();

	json_object_set_new(object, "count", json_integer((json_int_t)count));
	json_object_set_new(object, "bytes", json_integer((json_int_t)bytes));
	json_object_set_new(object, "since", weir_cli_json_time(since_ns));
	json_object_set_new(object, "most_bytes",
			    told && most_bytes ? json_integer((json_int_t)most_bytes) :
						 json_null());
	json_object_set_new(object, "most_ns",
			    told && most_ns ? json_integer((json_int_t)most_ns) : json_null());
	return object;
}

static json_t *all_kept_json(const struct stat *stat)
{
	const struct weir_check_part *rollups = rollups_of(stat);
	const struct weir_node_keep none = {0};
	bool told = stat->store->config;
	const struct weir_node_keep *keep = told ? &stat->store->config->keep : &none;
	json_t *object = json_object();

	json_object_set_new(object, "records",
			    kept_json(stat->sums.records, stat->sums.bytes, stat->sums.oldest_ns,
				      told, keep->raw_bytes, keep->raw_ns));
	for (unsigned i = 0; rollups && i < WEIR_ROLLUP_LEVELS; i++)
		json_object_set_new(object, weir_rollup_words[i],
				    kept_json(rollups->rollups[i].entries,
					      rollups->rollups[i].bytes,
					      rollups->rollups_since_ns[i], told,
					      keep->rollup_bytes[i], keep->rollup_ns[i]));
	return object;
}

static json_t *mounts_json(const struct stat *stat)
{
	char *restored = weir_folder_path(stat->store->dir, WEIR_MOUNT_FOLDER);
	struct weir_cli_mounts mounts = {0};
	json_t *array = json_array();

	if (restored)
		weir_cli_store_mounts(restored, &mounts);
	for (unsigned i = 0; i < mounts.count; i++)
		json_array_append_new(
			array, json_pack("{s:s, s:I, s:I, s:o, s:o}", "name", mounts.at[i].name,
					 "records", (json_int_t)mounts.at[i].records, "partitions",
					 (json_int_t)mounts.at[i].partitions, "oldest",
					 weir_cli_json_time(mounts.at[i].oldest_ns), "newest",
					 weir_cli_json_time(mounts.at[i].newest_ns)));
	free(restored);
	return array;
}

static json_t *columns_json(const struct stat *stat)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < weir_column_count; i++)
		json_object_set_new(
			object, weir_column_table[i].name,
			json_integer((json_int_t)stat->sums.columns[weir_column_table[i].id]));
	return object;
}

static void add_sums_json(const struct stat *stat, json_t *object)
{
	const struct sums *sums = &stat->sums;

	json_object_set_new(object, "blocks", json_integer((json_int_t)sums->blocks));
	json_object_set_new(object, "records", json_integer((json_int_t)sums->records));
	json_object_set_new(object, "disk_bytes", json_integer((json_int_t)sums->bytes));
	json_object_set_new(object, "free_bytes", json_integer((json_int_t)stat->free_bytes));
	json_object_set_new(object, "segments", json_integer((json_int_t)sums->segments));
	json_object_set_new(object, "oldest", weir_cli_json_time(sums->oldest_ns));
	json_object_set_new(object, "newest", weir_cli_json_time(sums->newest_ns));
	json_object_set_new(object, "damaged", weir_cli_json_totals(&sums->damaged));
	if (!stat->newest)
		return;
	json_object_set_new(object, "stored",
			    weir_cli_json_totals(&stat->newest->meta.state.stored));
	json_object_set_new(object, "expired",
			    weir_cli_json_totals(&stat->oldest->meta.base.stored));
}

static int write_json(const struct stat *stat)
{
	json_t *object = json_object(), *partitions = json_array();
	int writer = stat->store->writer;

	for (unsigned i = 0; i < stat->check->survey->count; i++)
		if (stat->check->parts[i].survey->kind == WEIR_SURVEY_PARTITION)
			json_array_append_new(partitions, partition_json(&stat->check->parts[i]));
	json_object_set_new(object, "store", weir_cli_json_string(stat->check->survey->dir));
	json_object_set_new(object, "writer", writer ? json_integer(writer) : json_null());
	add_sums_json(stat, object);
	json_object_set_new(object, "kept", all_kept_json(stat));
	json_object_set_new(object, "mounted", mounts_json(stat));
	if (stat->store->options->columns)
		json_object_set_new(object, "columns", columns_json(stat));
	json_object_set_new(object, "partitions", partitions);
	return weir_cli_json_print(object, false);
}

int weir_cli_store_stat(const struct weir_cli_store *s)
{
	struct stat stat = {.store = s};
	struct weir_check_options options = {
		.depth = s->options->columns ? WEIR_CHECK_INDEX : WEIR_CHECK_META,
		.fault = take_fault,
		.progress = take_progress,
		.arg = &stat,
		.cancel = &weir_cli_store_cancelled};
	struct weir_check *check;
	int ret = weir_check_store(s->dir, &options, &check);

	weir_cli_store_progress_end();
	if (ret)
		return WEIR_EXIT_FAILED;
	stat.check = check;
	sum_up(&stat);
	if (s->options->json) {
		ret = write_json(&stat);
	} else {
		print_head(&stat);
		putchar('\n');
		list_kept(&stat);
		putchar('\n');
		list_partitions(&stat);
		if (s->options->columns) {
			putchar('\n');
			list_columns(&stat);
		}
	}
	weir_check_free(check);
	if (ret)
		return WEIR_EXIT_FAILED;
	return stat.faults ? WEIR_EXIT_DAMAGED : WEIR_EXIT_OK;
}
