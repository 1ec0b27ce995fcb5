// SPDX-License-Identifier: GPL-2.0
/* backup.c - see backup.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/backup.h"
#include "daemon/store/check.h"
#include "daemon/store/pages.h"

/* Where a part is copied to before it has its name. */
static const char unnamed[] = "copy.new";

struct backup {
	const char *to;
	const struct weir_backup_options *options;
	struct weir_backup_result *result;
	struct weir_check *check; /* of the store: which parts are sound */
	struct weir_backup_manifest before, now;
	uint64_t done, total; /* bytes */
};

static void say(struct backup *b, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct backup *b, const char *part, const char *format, ...)
{
	char sentence[320];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	b->options->say(b->options->arg, part, sentence);
}

static int hash_entry(void *arg, const struct weir_pages_entry *entry)
{
	XXH3_state_t *hash = arg;

	XXH3_64bits_update(hash, entry->key, entry->key_bytes);
	if (entry->value)
		XXH3_64bits_update(hash, entry->value, entry->value_bytes);
	return 0;
}

/* A number for what is in the environment whose folder is @path: its small values, and how
 * much there is of all others. Equal before and after copying; any commit of ours changes it. */
static int sign(const char *path, uint64_t *signature)
{
	static const char *const small[] = {"meta", "cursors"};
	static const char *const large[] = {"blocks", "times",	"segments",
					    "minute", "hour", "day"};
	char *file = weir_folder_path(path, "data.mdb");
	struct weir_pages *pages = NULL;
	XXH3_state_t *hash = XXH3_createState();
	int ret = file && hash ? weir_pages_open(file, &pages) : -ENOMEM;

	if (hash)
		XXH3_64bits_reset(hash);
	for (unsigned i = 0; i < 2 && !ret; i++) {
		ret = weir_pages_each(pages, small[i], true, hash_entry, hash, NULL);
		ret = ret == -ENOENT ? 0 : ret;
	}
	for (unsigned i = 0; i < 6 && !ret; i++) {
		uint64_t count = weir_pages_entries(pages, large[i]);

		XXH3_64bits_update(hash, &count, sizeof(count));
	}
	if (!ret)
		*signature = XXH3_64bits_digest(hash);
	XXH3_freeState(hash);
	weir_pages_close(pages);
	free(file);
	return ret;
}

static const struct weir_backup_part *find(const struct weir_backup_manifest *manifest,
					   const char *name)
{
	for (unsigned i = 0; i < manifest->count; i++)
		if (!strcmp(manifest->parts[i].name, name))
			return &manifest->parts[i];
	return NULL;
}

static int add(struct backup *b, const struct weir_backup_part *part)
{
	struct weir_backup_part *grown =
		reallocarray(b->now.parts, b->now.count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	b->now.parts = grown;
	b->now.parts[b->now.count++] = *part;
	b->result->bytes += part->bytes;
	b->result->records += part->records;
	if (part->blocks && (!b->result->oldest_ns || part->min_ns < b->result->oldest_ns))
		b->result->oldest_ns = part->min_ns;
	if (part->blocks && part->max_ns > b->result->newest_ns)
		b->result->newest_ns = part->max_ns;
	return 0;
}

static bool is_there(struct backup *b, const char *folder)
{
	char *path = weir_folder_path(b->to, folder);
	bool there = path && !access(path, F_OK);

	free(path);
	return there;
}

/* Copy the environment in @from, whatever its databases are. */
static int copy(struct backup *b, const char *from, char **copied)
{
	static const char *const no_dbs[] = {NULL};
	struct weir_lmdb_options options = {.dbs = no_dbs, .read_only = true};
	struct weir_lmdb *lmdb;
	char *file = NULL;
	int ret, fd;

	*copied = weir_folder_path(b->to, unnamed);
	if (!*copied)
		return -ENOMEM;
	weir_folder_discard(*copied);
	if (mkdir(*copied, 0700))
		return -errno;
	ret = weir_lmdb_open(from, &options, &lmdb);
	if (ret)
		return ret;
	ret = weir_lmdb_copy(lmdb, *copied);
	weir_lmdb_close(lmdb);
	if (!ret)
		file = weir_folder_path(*copied, "data.mdb");
	if (!file)
		return ret ? ret : -ENOMEM;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0600) || fsync(fd))
		ret = -errno;
	if (fd >= 0)
		close(fd);
	free(file);
	return ret ? ret : weir_folder_sync(*copied);
}

/* What the manifest says of a partition that was copied, but for its digest. */
static int describe(struct backup *b, const char *path, struct weir_backup_part *part)
{
	struct weir_survey_meta meta;
	struct weir_lmdb *lmdb;
	struct weir_lmdb_txn txn;
	int ret;

	if (part->kind != WEIR_SURVEY_PARTITION)
		return 0;
	ret = weir_survey_open_copy(path, &lmdb);
	if (ret)
		return ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = weir_survey_read(&txn, path, &meta);
	weir_lmdb_abort(&txn);
	weir_lmdb_close(lmdb);
	if (ret)
		return ret;
	part->blocks = meta.held.blocks;
	part->records = meta.held.records;
	part->min_ns = meta.held.min_ns;
	part->max_ns = meta.held.max_ns;
	part->first_block = meta.base.last_block + 1;
	part->last_block = meta.state.last_block;
	b->now.state = meta.state; /* the newest comes last */
	return 0;
}

static int digest(const char *path, struct weir_backup_part *part)
{
	char *file = weir_folder_path(path, "data.mdb");
	int ret = file ? weir_backup_digest(file, part->sha256, &part->bytes) : -ENOMEM;

	free(file);
	return ret;
}

static void name_folder(struct weir_backup_part *part, uint64_t signature)
{
	snprintf(part->folder, sizeof(part->folder), "%s-%016" PRIx64, part->name, signature);
}

static int copy_part(struct backup *b, const struct weir_survey_part *from,
		     struct weir_backup_part *part)
{
	uint64_t signature = 0;
	char *copied, *to;
	int ret = copy(b, from->path, &copied);

	if (!ret)
		ret = sign(copied, &signature);
	if (!ret)
		name_folder(part, signature);
	to = ret ? NULL : weir_folder_path(b->to, part->folder);
	if (to && access(to, F_OK)) {
		ret = rename(copied, to) ? -errno : weir_folder_sync(b->to);
		b->result->copied++;
	}
	if (to && !ret)
		ret = digest(to, part);
	if (to && !ret)
		ret = describe(b, to, part);
	b->result->copied_bytes += part->bytes;
	free(to);
	free(copied);
	return ret;
}

/* One that was copied already, whether a manifest names it or not. */
static int take_existing(struct backup *b, struct weir_backup_part *part)
{
	const struct weir_backup_part *known = find(&b->before, part->name);
	char *path = weir_folder_path(b->to, part->folder);
	int ret = path ? 0 : -ENOMEM;

	if (known && !strcmp(known->folder, part->folder))
		*part = *known;
	else if (!ret)
		ret = digest(path, part);
	if (!ret)
		ret = describe(b, path, part);
	free(path);
	return ret;
}

static int keep_earlier(struct backup *b, const struct weir_survey_part *from)
{
	const struct weir_backup_part *known = find(&b->before, from->name);

	b->result->damaged++;
	if (!known) {
		say(b, from->name, "it is damaged, and is left out; see weir store check");
		return 0;
	}
	say(b, from->name, "it is damaged; what an earlier backup has of it stays");
	return add(b, known);
}

static int back_up_part(struct backup *b, const struct weir_check_part *part)
{
	struct weir_backup_part new = {.kind = part->survey->kind};
	uint64_t signature = 0;
	int ret;

	if (b->options->cancel && *b->options->cancel)
		return -ECANCELED;
	if (part->faults)
		return keep_earlier(b, part->survey);
	snprintf(new.name, sizeof(new.name), "%s", part->survey->name);
	/* A writer may be at it: then this is wrong at worst, and it is copied. */
	ret = sign(part->survey->path, &signature);
	name_folder(&new, signature);
	if (!ret && is_there(b, new.folder))
		ret = take_existing(b, &new);
	else
		ret = copy_part(b, part->survey, &new);
	/* Retention removed it meanwhile. */
	if (ret && access(part->survey->path, F_OK))
		return 0;
	if (ret)
		return ret;
	b->done += part->survey->disk_bytes;
	if (b->options->progress)
		b->options->progress(b->options->arg, b->done, b->total);
	return add(b, &new);
}

/* In the order of backup.h: roll-ups, partitions, state. */
static int back_up_parts(struct backup *b)
{
	static const enum weir_survey_kind order[] = {WEIR_SURVEY_ROLLUPS, WEIR_SURVEY_PARTITION,
						      WEIR_SURVEY_STATE};
	int ret = 0;

	for (unsigned k = 0; k < 3; k++)
		for (unsigned i = 0; i < b->check->survey->count && !ret; i++)
			if (b->check->parts[i].survey->kind == order[k])
				ret = back_up_part(b, &b->check->parts[i]);
	return ret;
}

/* What expired while the backup ran is in "state" as expired, so it must not be held as well. */
static int drop_expired(struct backup *b)
{
	struct weir_store_expired expired;
	const struct weir_backup_part *state = find(&b->now, "state");
	unsigned kept = 0;
	char *path;
	int ret;

	if (!state)
		return 0;
	path = weir_folder_path(b->to, state->folder);
	ret = path ? weir_survey_state(path, &b->now.identity, &expired) : -ENOMEM;
	free(path);
	for (unsigned i = 0; i < b->now.count && !ret; i++) {
		struct weir_backup_part *part = &b->now.parts[i];

		if (part->kind == WEIR_SURVEY_PARTITION && expired.partitions &&
		    part->last_block <= expired.last_block && part->last_block &&
		    i + 2 < b->now.count)
			continue;
		b->now.parts[kept++] = *part;
	}
	if (!ret)
		b->now.count = kept;
	return ret;
}

/* Remove what is a part or was to become one, and is in no manifest. */
static void remove_others(struct backup *b)
{
	DIR *folder = opendir(b->to);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		const char *dash = strrchr(entry->d_name, '-');
		bool ours = !strcmp(entry->d_name, unnamed), named = false;
		char *path;

		ours |= dash && strlen(dash) == 17 && strspn(dash + 1, "0123456789abcdef") == 16;
		for (unsigned i = 0; i < b->now.count; i++)
			named |= !strcmp(b->now.parts[i].folder, entry->d_name);
		if (!ours || named)
			continue;
		path = weir_folder_path(b->to, entry->d_name);
		if (path)
			weir_folder_discard(path);
		free(path);
		b->result->removed++;
	}
	if (folder)
		closedir(folder);
}

static void no_fault(void *arg, const char *part, const char *sentence)
{
}

static int look(struct backup *b, const char *dir)
{
	struct weir_check_options check = {
		.depth = WEIR_CHECK_META, .fault = no_fault, .cancel = b->options->cancel};
	int ret = weir_check_store(dir, &check, &b->check);

	for (unsigned i = 0; !ret && i < b->check->survey->count; i++)
		b->total += b->check->survey->parts[i].disk_bytes;
	return ret;
}

static int run(struct backup *b, const char *dir)
{
	int ret = look(b, dir);

	if (ret)
		return ret;
	if (mkdir(b->to, 0700) && errno != EEXIST) {
		weir_log_error("%s: %s", b->to, strerror(errno));
		return -errno;
	}
	ret = weir_folder_sync_parent(b->to);
	if (!ret)
		ret = weir_backup_read(b->to, &b->before);
	if (ret == -ENOENT)
		ret = 0;
	if (!ret)
		ret = back_up_parts(b);
	if (!ret)
		ret = drop_expired(b);
	if (ret)
		return ret;
	b->now.taken_ns = weir_clock_now_ns();
	b->result->parts = b->now.count;
	ret = weir_backup_write(b->to, &b->now);
	if (!ret)
		remove_others(b);
	return ret;
}

/* Into the backup of another store nothing is mixed. */
static int check_owner(struct backup *b, const char *dir)
{
	char *state = weir_folder_path(dir, "state");
	struct weir_store_identity identity;
	struct weir_store_expired expired;
	int ret = weir_backup_read(b->to, &b->before);

	if (!ret && state && !weir_survey_state(state, &identity, &expired) &&
	    memcmp(identity.node_id, b->before.identity.node_id, sizeof(identity.node_id))) {
		weir_log_error("%s: the backup of another node is there", b->to);
		ret = -EEXIST;
	}
	weir_backup_free(&b->before);
	free(state);
	return ret == -ENOENT ? 0 : ret;
}

int weir_backup_make(const char *dir, const char *backup, const struct weir_backup_options *options,
		     struct weir_backup_result *result)
{
	struct backup b = {.to = backup, .options = options, .result = result};
	int ret;

	memset(result, 0, sizeof(*result));
	ret = check_owner(&b, dir);
	if (!ret)
		ret = run(&b, dir);
	if (ret && ret != -ECANCELED && ret != -EEXIST)
		weir_log_error("%s: the backup is not complete: %s; the one before is as it was",
			       backup, strerror(-ret));
	weir_check_free(b.check);
	weir_backup_free(&b.before);
	weir_backup_free(&b.now);
	return ret;
}
