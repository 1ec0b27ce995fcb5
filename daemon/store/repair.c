// SPDX-License-Identifier: GPL-2.0
/* repair.c - a whole store: what check found, part after part, the oldest first. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/repair_part.h"

void weir_repair_tell(struct weir_repair *repair, const char *part, const char *format, ...)
{
	char sentence[320];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	repair->options->say(repair->options->arg, part, sentence);
}

static int make_dir(const char *dir, const char *name)
{
	char *path = weir_folder_path(dir, name);
	int ret = 0;

	if (!path)
		return -ENOMEM;
	if (!mkdir(path, 0700))
		ret = weir_folder_sync(dir);
	else if (errno != EEXIST)
		ret = -errno;
	free(path);
	return ret;
}

char *weir_repair_workplace(struct weir_repair *repair, const char *name, int *ret)
{
	char *place = weir_folder_path(repair->dir, "repair"), *path;

	*ret = place ? make_dir(repair->dir, "repair") : -ENOMEM;
	path = *ret ? NULL : weir_folder_path(place, name);
	free(place);
	if (path) {
		weir_folder_discard(path);
		if (mkdir(path, 0700)) {
			*ret = -errno;
			free(path);
			path = NULL;
		}
	} else if (!*ret) {
		*ret = -ENOMEM;
	}
	return path;
}

char *weir_repair_damaged_name(const char *dir, const char *name)
{
	char *path = NULL;

	if (make_dir(dir, "damaged"))
		return NULL;
	for (unsigned i = 1; i < 10000; i++) {
		if (asprintf(&path, "%s/damaged/%s-%u", dir, name, i) < 0)
			return NULL;
		if (!mkdir(path, 0700))
			return path;
		free(path);
		if (errno != EEXIST)
			return NULL;
	}
	return NULL;
}

static int sync_two(const char *dir, const char *sub)
{
	char *path = weir_folder_path(dir, sub);
	int ret = path ? weir_folder_sync(path) : -ENOMEM;

	free(path);
	return ret ? ret : weir_folder_sync(dir);
}

int weir_repair_put_away(const char *dir, const char *name)
{
	char *from = weir_folder_path(dir, name), *slash = strrchr(dir, '/'), *root, *to;
	int ret = -ENOMEM;

	/* @dir is the store, or its folder repair. */
	root = slash && !strcmp(slash, "/repair") ? strndup(dir, (size_t)(slash - dir)) : strdup(dir);
	to = from && root ? weir_repair_damaged_name(root, name) : NULL;
	if (to)
		/* Over the empty folder of that name. */
		ret = rename(from, to) ? -errno : sync_two(root, "damaged");
	if (!ret && strcmp(root, dir))
		ret = weir_folder_sync(dir);
	free(to);
	free(root);
	free(from);
	return ret;
}

int weir_repair_exchange(struct weir_repair *repair, const char *name)
{
	char *place = weir_folder_path(repair->dir, "repair");
	char *new = place ? weir_folder_path(place, name) : NULL;
	char *old = weir_folder_path(repair->dir, name);
	int ret = -ENOMEM;

	if (new && old)
		ret = weir_folder_sync(place);
	if (!ret && renameat2(AT_FDCWD, new, AT_FDCWD, old, RENAME_EXCHANGE))
		ret = -errno;
	if (!ret)
		ret = weir_folder_sync(repair->dir);
	if (!ret)
		ret = weir_folder_sync(place);
	if (!ret)
		ret = weir_repair_put_away(place, name);
	if (!ret)
		weir_repair_tell(repair, name, "the damaged one is in %s/damaged", repair->dir);
	free(old);
	free(new);
	free(place);
	return ret;
}

static const struct weir_check_part *find_part(const struct weir_repair *repair, const char *name)
{
	for (unsigned i = 0; i < repair->check->survey->count; i++)
		if (!strcmp(repair->check->survey->parts[i].name, name))
			return &repair->check->parts[i];
	return NULL;
}

/* What an earlier repair left when it was interrupted: before the exchange it is what was being made, and
 * is made again; after it, it is the damaged one. */
static int finish_earlier(struct weir_repair *repair, enum weir_survey_kind kind, const char *name)
{
	const struct weir_check_part *part = find_part(repair, name);
	char *place = weir_folder_path(repair->dir, "repair"), *left;
	int ret = 0;

	left = place ? weir_folder_path(place, name) : NULL;
	if (!left)
		ret = -ENOMEM;
	else if (!access(left, F_OK) && part && part->survey->kind == kind && !part->faults)
		ret = weir_repair_put_away(place, name);
	free(left);
	free(place);
	return ret;
}

static int finish_all(struct weir_repair *repair)
{
	int ret = 0;

	for (unsigned i = 0; i < repair->check->survey->count && !ret; i++)
		ret = finish_earlier(repair, repair->check->survey->parts[i].kind,
				     repair->check->survey->parts[i].name);
	return ret;
}

/* What the meta of unsound parts says, as far as it can be read: the parts before them end there. */
static int look_ahead(struct weir_repair *repair)
{
	for (unsigned i = 0; i < repair->check->survey->count; i++) {
		struct weir_check_part *part = &repair->check->parts[i];
		struct weir_salvage found = {.cancel = repair->options->cancel};
		int ret;

		if (part->survey->kind != WEIR_SURVEY_PARTITION || part->known || part->later)
			continue;
		ret = weir_salvage_partition(part->survey->path, &found);
		if (ret)
			return ret;
		part->meta = found.meta;
		part->known = found.has_meta;
		part->unsound = true; /* made anew, whatever is the matter */
	}
	return 0;
}

static const struct weir_check_part *next_of(const struct weir_repair *repair, unsigned index)
{
	unsigned next = index + 1;

	if (next >= repair->check->survey->count ||
	    repair->check->parts[next].survey->kind != WEIR_SURVEY_PARTITION)
		return NULL;
	return &repair->check->parts[next];
}

static int repair_partition(struct weir_repair *repair, unsigned index)
{
	struct weir_check_part *part = &repair->check->parts[index];
	struct weir_survey_meta now = part->meta;
	int ret = 0;

	if (part->later) {
		repair->result->beyond++;
		repair->has_before = false;
		return 0;
	}
	if (part->unsound)
		ret = weir_rebuild_partition(repair, part, next_of(repair, index), &now);
	else if (part->faults)
		ret = weir_mend_partition(repair, part, &now);
	repair->result->parts += part->faults != 0;
	repair->before = now;
	repair->has_before = true;
	repair->last_segment = now.state.summed.seq;
	return ret;
}

/* What cannot be made anew from the inside: put away, so that the node makes a new one. */
static int put_rollups_away(struct weir_repair *repair, struct weir_check_part *part)
{
	repair->result->parts++;
	weir_repair_tell(repair, part->survey->name,
			 "%s to %s/damaged; the node begins new ones with the segments it has",
			 repair->options->dry_run ? "would be moved" : "is moved", repair->dir);
	return repair->options->dry_run ? 0 : weir_repair_put_away(repair->dir, part->survey->name);
}

static int repair_parts(struct weir_repair *repair)
{
	struct weir_check_part *state = NULL;
	int ret = 0;

	for (unsigned i = 0; i < repair->check->survey->count && !ret; i++) {
		struct weir_check_part *part = &repair->check->parts[i];

		if (part->survey->kind == WEIR_SURVEY_STATE)
			state = part;
		else if (part->survey->kind == WEIR_SURVEY_PARTITION)
			ret = repair_partition(repair, i);
		else if (part->faults)
			ret = put_rollups_away(repair, part);
		if (ret && ret != -ECANCELED)
			weir_log_error("%s: cannot be repaired: %s", part->survey->path,
				       strerror(-ret));
	}
	if (!ret)
		ret = weir_repair_state(repair, state);
	if (!ret && repair->pending)
		ret = weir_repair_exchange(repair, repair->pending);
	return ret;
}

/* When nothing is left in it. */
static void remove_workplace(struct weir_repair *repair)
{
	char *place = weir_folder_path(repair->dir, "repair");

	if (place)
		rmdir(place);
	free(place);
}

static void ignore_fault(void *arg, const char *part, const char *sentence)
{
}

static bool covers(const struct weir_totals *a, const struct weir_totals *b)
{
	return a->flows >= b->flows && a->packets >= b->packets && a->bytes >= b->bytes;
}

/* Records that are lost before a segment summed them up count as if they never came: as missing.
 * Masters know nothing else of them, and damaged are those that they know. */
static bool settle(struct weir_survey_meta *meta, const struct weir_totals *lost)
{
	struct weir_store_position *position = &meta->state.position;

	if (!covers(&meta->state.stored, lost) || !covers(&meta->damaged.totals, lost))
		return false;
	if (covers(&position->received, lost)) {
		weir_totals_subtract(&position->received, lost);
		weir_totals_add(&position->missing, lost);
	} else if (covers(&position->before, lost)) {
		weir_totals_subtract(&position->before, lost);
		weir_totals_add(&position->missing_before, lost);
	} else {
		return false;
	}
	weir_totals_subtract(&meta->state.stored, lost);
	weir_totals_subtract(&meta->damaged.totals, lost);
	return true;
}

static int put_settled(struct weir_repair *repair, const struct weir_check_part *part,
		       const struct weir_totals *lost)
{
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs,
					    .map_bytes = part->survey->file_bytes + (1 << 26)};
	struct weir_survey_meta meta = part->meta;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret;

	if (!settle(&meta, lost)) {
		weir_repair_tell(repair, part->survey->name, "what is lost of it does not add up, "
				 "and is left as it is");
		repair->result->beyond++;
		return 0;
	}
	ret = weir_lmdb_open(part->survey->path, &options, &lmdb);
	if (ret)
		return ret;
	if (!weir_lmdb_begin(lmdb, true, &txn)) {
		weir_repair_put_meta(&txn, &meta);
		weir_lmdb_commit(&txn);
	}
	weir_lmdb_close(lmdb);
	weir_repair_tell(repair, part->survey->name, "%" PRIu64 " records that are lost were in no "
			 "segment yet: they count as missing", (uint64_t)lost->flows);
	weir_totals_subtract(&repair->result->damaged, lost);
	return txn.error;
}

/* After all else: does the ledger hold now? */
static int check_again(struct weir_repair *repair, const struct weir_check_options *options)
{
	const struct weir_check_part *newest = NULL;
	struct weir_check *check;
	int ret = weir_check_store(repair->dir, options, &check);

	if (ret)
		return ret;
	for (unsigned i = 0; i < check->survey->count; i++)
		if (check->parts[i].survey->kind == WEIR_SURVEY_PARTITION)
			newest = &check->parts[i];
	if (newest && check->unsummed_known && check->faults == 1 && check->unsummed_lost.flows)
		ret = put_settled(repair, newest, &check->unsummed_lost);
	else
		repair->result->beyond += check->faults && !repair->result->beyond;
	weir_check_free(check);
	return ret;
}

static int run(struct weir_repair *repair)
{
	const struct weir_repair_options *options = repair->options;
	struct weir_check_options check = {.fault = ignore_fault,
					   .segment = options->segment,
					   .arg = options->arg,
					   .cancel = options->cancel};
	int ret = weir_check_store(repair->dir, &check, &repair->check);

	if (!ret && !options->dry_run)
		ret = finish_all(repair);
	if (!ret)
		ret = look_ahead(repair);
	for (unsigned i = 0; !ret && i < repair->check->survey->count; i++)
		for (unsigned level = 0; level < WEIR_ROLLUP_LEVELS; level++)
			if (repair->check->parts[i].rollups[level].segment > repair->taken_segment)
				repair->taken_segment =
					repair->check->parts[i].rollups[level].segment;
	if (!ret)
		ret = repair_parts(repair);
	if (!ret && !options->dry_run && repair->check->faults)
		ret = check_again(repair, &check);
	if (!ret && !options->dry_run)
		remove_workplace(repair);
	weir_check_free(repair->check);
	return ret;
}

int weir_repair_store(const char *dir, const struct weir_repair_options *options,
		      struct weir_repair_result *result)
{
	struct weir_repair repair = {.dir = dir, .options = options, .result = result};
	int fd, ret = weir_survey_lock(dir, &fd);

	memset(result, 0, sizeof(*result));
	if (ret)
		return ret;
	ret = run(&repair);
	close(fd);
	return ret;
}
