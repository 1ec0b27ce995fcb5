// SPDX-License-Identifier: GPL-2.0
/*
 * restore.c - a backup becomes a store again, or a folder that a node reads beside its own.
 *
 * Either is made under another name, complete and checked against the manifest, made durable, and
 * then renamed: an interruption leaves nothing that anybody would take for the whole.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/backup.h"
#include "daemon/store/mount.h"

enum {
	CHUNK = 1 << 20,
	STATE_MAP_BYTES = 64 << 20,
};

struct restore {
	const char *backup;
	const struct weir_backup_options *options;
	struct weir_backup_result *result;
	struct weir_backup_manifest manifest;
	uint64_t total;
};

static void say(struct restore *r, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(struct restore *r, const char *part, const char *format, ...)
{
	char sentence[320];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	r->options->say(r->options->arg, part, sentence);
}

static int begin(struct restore *r)
{
	int ret = weir_backup_read(r->backup, &r->manifest);

	memset(r->result, 0, sizeof(*r->result));
	if (ret == -ENOENT)
		weir_log_error("%s: there is no weir backup here", r->backup);
	for (unsigned i = 0; !ret && i < r->manifest.count; i++)
		r->total += r->manifest.parts[i].bytes;
	return ret;
}

static int copy_bytes(struct restore *r, int from, int to)
{
	uint8_t *chunk = malloc(CHUNK);
	int ret = chunk ? 0 : -ENOMEM;

	while (!ret) {
		ssize_t got = read(from, chunk, CHUNK);

		if (!got)
			break;
		if (got < 0)
			ret = -errno;
		else if (write(to, chunk, (size_t)got) != got)
			ret = errno ? -errno : -EIO;
		else if (r->options->cancel && *r->options->cancel)
			ret = -ECANCELED;
		r->result->copied_bytes += got > 0 ? (uint64_t)got : 0;
		if (r->options->progress)
			r->options->progress(r->options->arg, r->result->copied_bytes, r->total);
	}
	free(chunk);
	if (!ret && fsync(to))
		ret = -errno;
	return ret;
}

static int copy_file(struct restore *r, const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out, ret;

	if (in < 0)
		return -errno;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ret = out < 0 ? -errno : copy_bytes(r, in, out);
	if (out >= 0)
		close(out);
	close(in);
	return ret;
}

/* -EBADMSG: what was copied is not what the manifest says (said). */
static int check_file(struct restore *r, const struct weir_backup_part *part, const char *file)
{
	uint8_t sha256[WEIR_BACKUP_SHA256];
	uint64_t bytes;
	int ret = weir_backup_digest(file, sha256, &bytes);

	if (!ret && memcmp(sha256, part->sha256, sizeof(sha256))) {
		say(r, part->name, "the backup's copy of it is damaged: its checksum is wrong");
		ret = -EBADMSG;
	}
	return ret;
}

/* Part @part to folder @into under its own name. */
static int copy_part(struct restore *r, const struct weir_backup_part *part, const char *into)
{
	char *source = weir_folder_path(r->backup, part->folder);
	char *from = source ? weir_folder_path(source, "data.mdb") : NULL;
	char *folder = weir_folder_path(into, part->name);
	char *to = folder ? weir_folder_path(folder, "data.mdb") : NULL;
	int ret = from && to ? 0 : -ENOMEM;

	if (!ret && mkdir(folder, 0700))
		ret = -errno;
	if (!ret)
		ret = copy_file(r, from, to);
	if (!ret)
		ret = check_file(r, part, to);
	if (!ret)
		ret = weir_folder_sync(folder);
	if (!ret) {
		r->result->parts++;
		r->result->records += part->records;
		r->result->bytes += part->bytes;
	}
	if (ret && ret != -EBADMSG && ret != -ECANCELED)
		say(r, part->name, "%s", strerror(-ret));
	free(to);
	free(folder);
	free(from);
	free(source);
	return ret;
}

/* Remove folder @path with the folders in it. */
static void discard_deep(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		char *sub;

		if (entry->d_name[0] == '.')
			continue;
		if (!unlinkat(dirfd(folder), entry->d_name, 0))
			continue;
		sub = weir_folder_path(path, entry->d_name);
		if (sub)
			weir_folder_discard(sub);
		free(sub);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

/* The masters have seen another future of this store, perhaps. */
static int start_epoch(struct restore *r, const char *path)
{
	static const char *const dbs[] = {"meta", NULL};
	struct weir_lmdb_options options = {.dbs = dbs, .map_bytes = STATE_MAP_BYTES};
	struct weir_store_identity identity = r->manifest.identity;
	uint64_t dropped = r->manifest.state.summed.seq;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret;

	if (getrandom(identity.epoch, sizeof(identity.epoch), 0) != sizeof(identity.epoch))
		return -EIO;
	ret = weir_lmdb_open(path, &options, &lmdb);
	if (ret)
		return ret;
	if (!weir_lmdb_begin(lmdb, true, &txn)) {
		weir_lmdb_put(&txn, 0, "identity", &identity, sizeof(identity));
		weir_meta_put(&txn, 0, "dropped", &dropped, sizeof(dropped));
		weir_lmdb_commit(&txn);
	}
	weir_lmdb_close(lmdb);
	return txn.error;
}

static int check_whole(struct restore *r)
{
	bool state = false, partition = false;

	for (unsigned i = 0; i < r->manifest.count; i++) {
		state |= r->manifest.parts[i].kind == WEIR_SURVEY_STATE;
		partition |= r->manifest.parts[i].kind == WEIR_SURVEY_PARTITION;
	}
	if (state)
		return 0;
	weir_log_error("%s: it holds no copy of \"state\", which was damaged: mount it beside a "
		       "store instead", r->backup);
	return partition ? -EBADMSG : -ENOENT;
}

static int fill_new(struct restore *r, const char *into)
{
	char *state = weir_folder_path(into, "state");
	int ret = state ? check_whole(r) : -ENOMEM;

	for (unsigned i = 0; i < r->manifest.count && !ret; i++)
		ret = copy_part(r, &r->manifest.parts[i], into);
	if (!ret)
		ret = start_epoch(r, state);
	if (!ret)
		ret = weir_folder_sync(into);
	free(state);
	return ret;
}

/* Make folder @to from a folder that @fill filled; @to must not be, or be empty. */
static int make(struct restore *r, const char *to, int (*fill)(struct restore *, const char *))
{
	char *new;
	int ret;

	if (asprintf(&new, "%s.new", to) < 0)
		return -ENOMEM;
	discard_deep(new);
	ret = mkdir(new, 0700) ? -errno : fill(r, new);
	if (!ret && rename(new, to))
		ret = errno == ENOTEMPTY || errno == EEXIST ? -EEXIST : -errno;
	if (!ret)
		ret = weir_folder_sync_parent(to);
	if (ret)
		discard_deep(new);
	if (ret == -EEXIST)
		weir_log_error("%s: it is there already", to);
	else if (ret && ret != -ECANCELED)
		weir_log_error("%s: not restored: %s", to, strerror(-ret));
	free(new);
	return ret;
}

int weir_restore_new(const char *backup, const char *dir, const struct weir_backup_options *options,
		     struct weir_backup_result *result)
{
	struct restore r = {.backup = backup, .options = options, .result = result};
	struct stat status;
	int ret = begin(&r);

	if (!ret && !stat(dir, &status) && rmdir(dir)) {
		weir_log_error("%s: it is there already, and not empty", dir);
		ret = -EEXIST;
	}
	if (!ret)
		ret = make(&r, dir, fill_new);
	weir_backup_free(&r.manifest);
	return ret;
}

static bool overlaps(const struct weir_backup_part *part, const struct weir_survey_meta *meta)
{
	return part->first_block <= meta->state.last_block &&
	       part->last_block > meta->base.last_block;
}

/* The partition of the store @dir that has records of @part; "": none. */
static int find_overlap(const char *dir, const struct weir_backup_manifest *manifest,
			const struct weir_backup_part *part, char name[WEIR_SURVEY_NAME])
{
	struct weir_store_identity identity;
	struct weir_store_expired expired;
	struct weir_survey *survey;
	char *state = weir_folder_path(dir, "state");
	int ret = state ? weir_survey_make(dir, &survey) : -ENOMEM;

	*name = '\0';
	if (!ret && weir_survey_state(state, &identity, &expired))
		memset(&identity, 0, sizeof(identity));
	free(state);
	if (ret || memcmp(identity.node_id, manifest->identity.node_id, sizeof(identity.node_id))) {
		if (!ret)
			weir_survey_free(survey);
		return ret;
	}
	for (unsigned i = 0; i < survey->count && !*name; i++) {
		struct weir_survey_meta meta;

		if (survey->parts[i].kind == WEIR_SURVEY_PARTITION &&
		    !weir_survey_peek(survey->parts[i].path, &meta) && overlaps(part, &meta))
			snprintf(name, WEIR_SURVEY_NAME, "%s", survey->parts[i].name);
	}
	weir_survey_free(survey);
	return ret;
}

static const char *mount_dir; /* of the store; one call at a time */

static int fill_mount(struct restore *r, const char *into)
{
	struct weir_backup_manifest kept = r->manifest;
	int ret = 0;

	kept.count = 0;
	for (unsigned i = 0; i < r->manifest.count && !ret; i++) {
		struct weir_backup_part part = r->manifest.parts[i];
		char name[WEIR_SURVEY_NAME];

		if (part.kind != WEIR_SURVEY_PARTITION || !part.blocks)
			continue;
		ret = find_overlap(mount_dir, &r->manifest, &part, name);
		if (!ret && *name) {
			say(r, part.name, "left out: the store has these records itself, in %s",
			    name);
			continue;
		}
		if (!ret)
			ret = copy_part(r, &part, into);
		snprintf(part.folder, sizeof(part.folder), "%s", part.name);
		kept.parts[kept.count++] = part;
	}
	if (!ret && !kept.count) {
		say(r, "", "nothing is left to be mounted");
		return -ENODATA;
	}
	return ret ? ret : weir_backup_write(into, &kept);
}

int weir_restore_mount(const char *dir, const char *backup, const char *name,
		       const struct weir_backup_options *options,
		       struct weir_backup_result *result)
{
	struct restore r = {.backup = backup, .options = options, .result = result};
	char *restored = weir_folder_path(dir, WEIR_MOUNT_FOLDER), *to = NULL;
	int ret = restored ? begin(&r) : -ENOMEM;

	if (!ret && !weir_mount_is_name(name)) {
		weir_log_error("\"%s\" cannot be the name of a folder of this kind", name);
		ret = -EINVAL;
	}
	if (!ret && mkdir(restored, 0700) && errno != EEXIST) {
		ret = -errno;
		weir_log_error("%s: %s", restored, strerror(errno));
	}
	if (!ret)
		ret = weir_folder_sync(dir);
	if (!ret) {
		to = weir_folder_path(restored, name);
		mount_dir = dir;
		ret = to ? make(&r, to, fill_mount) : -ENOMEM;
	}
	free(to);
	free(restored);
	weir_backup_free(&r.manifest);
	return ret;
}

int weir_restore_unmount(const char *dir, const char *name)
{
	char *restored = weir_folder_path(dir, WEIR_MOUNT_FOLDER);
	char *from = restored ? weir_folder_path(restored, name) : NULL, *old = NULL;
	int ret = -ENOMEM;

	if (from && asprintf(&old, "%s.old", from) >= 0) {
		discard_deep(old);
		ret = !weir_mount_is_name(name) ? -ENOENT : rename(from, old) ? -errno : 0;
		if (!ret)
			ret = weir_folder_sync(restored);
		if (!ret)
			discard_deep(old);
	}
	if (ret == -ENOENT)
		weir_log_error("%s: nothing is mounted by the name of %s", dir, name);
	else if (ret)
		weir_log_error("%s: %s", from, strerror(-ret));
	free(old);
	free(from);
	free(restored);
	return ret;
}
