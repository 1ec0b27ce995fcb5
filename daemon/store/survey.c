// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/survey.h"

static bool kind_of(const char *name, enum weir_survey_kind *kind)
{
	if (!strcmp(name, "state"))
		*kind = WEIR_SURVEY_STATE;
	else if (!strcmp(name, "rollups"))
		*kind = WEIR_SURVEY_ROLLUPS;
	else if (weir_newest_is_name(name))
		*kind = WEIR_SURVEY_PARTITION;
	else
		return false;
	return true;
}

static int in_order(const void *a, const void *b)
{
	const struct weir_survey_part *left = a, *right = b;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	return strcmp(left->name, right->name);
}

static int add(struct weir_survey *survey, const char *name, enum weir_survey_kind kind)
{
	struct weir_survey_part *grown =
		reallocarray(survey->parts, survey->count + 1, sizeof(*grown));
	struct weir_survey_part *part;
	struct stat status;
	char *file;

	if (!grown)
		return -ENOMEM;
	survey->parts = grown;
	part = &grown[survey->count];
	*part = (struct weir_survey_part){.kind = kind};
	snprintf(part->name, sizeof(part->name), "%.*s", WEIR_SURVEY_NAME - 1, name);
	part->path = weir_folder_path(survey->dir, name);
	if (!part->path)
		return -ENOMEM;
	survey->count++;
	file = weir_folder_path(part->path, "data.mdb");
	if (!file)
		return -ENOMEM;
	if (!stat(file, &status)) {
		part->disk_bytes = (uint64_t)status.st_blocks * 512;
		part->file_bytes = (uint64_t)status.st_size;
	}
	free(file);
	return 0;
}

static int list(struct weir_survey *survey)
{
	DIR *folder = opendir(survey->dir);
	enum weir_survey_kind kind;
	struct dirent *entry;
	int ret = 0;

	if (!folder) {
		ret = -errno;
		if (ret == -ENOENT)
			weir_log_error("%s: there is no weir store here", survey->dir);
		else
			weir_log_error("%s: %s", survey->dir, strerror(errno));
		return ret;
	}
	while (!ret && (entry = readdir(folder)))
		if (kind_of(entry->d_name, &kind))
			ret = add(survey, entry->d_name, kind);
	closedir(folder);
	if (!ret && !survey->count) {
		weir_log_error("%s: there is no weir store here", survey->dir);
		ret = -ENOENT;
	}
	return ret;
}

int weir_survey_make(const char *dir, struct weir_survey **survey)
{
	struct weir_survey *new = calloc(1, sizeof(*new));
	int ret = -ENOMEM;

	if (!new)
		return -ENOMEM;
	new->dir = strdup(dir);
	if (new->dir)
		ret = list(new);
	if (ret) {
		weir_survey_free(new);
		return ret;
	}
	qsort(new->parts, new->count, sizeof(*new->parts), in_order);
	*survey = new;
	return 0;
}

void weir_survey_free(struct weir_survey *survey)
{
	if (!survey)
		return;
	for (unsigned i = 0; i < survey->count; i++)
		free(survey->parts[i].path);
	free(survey->parts);
	free(survey->dir);
	free(survey);
}

int weir_survey_open(const char *path, struct weir_lmdb **lmdb)
{
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs, .read_only = true};

	return weir_lmdb_open(path, &options, lmdb);
}

int weir_survey_open_copy(const char *path, struct weir_lmdb **lmdb)
{
	struct weir_lmdb_options options = {
		.dbs = weir_partition_dbs, .read_only = true, .immutable = true};

	return weir_lmdb_open(path, &options, lmdb);
}

int weir_survey_state(const char *path, struct weir_store_identity *identity,
		      struct weir_store_expired *expired)
{
	static const char *const dbs[] = {"meta", NULL};
	struct weir_lmdb_options options = {.dbs = dbs, .read_only = true};
	char *lock = weir_folder_path(path, "lock.mdb");
	struct weir_lmdb_value value;
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret;

	/* A copy has none, and no writer. */
	options.immutable = lock && access(lock, F_OK);
	free(lock);
	ret = weir_lmdb_open(path, &options, &lmdb);
	memset(expired, 0, sizeof(*expired));
	if (ret)
		return ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = weir_lmdb_get(&txn, 0, "identity", &value);
	if (!ret && value.bytes < sizeof(*identity))
		ret = -EBADMSG;
	if (!ret) {
		memcpy(identity, value.data, sizeof(*identity));
		weir_meta_get(&txn, 0, "expired", expired, sizeof(*expired));
	}
	weir_lmdb_abort(&txn);
	weir_lmdb_close(lmdb);
	return ret == -ENOENT ? -EBADMSG : ret;
}

/* One that does not say where it begins: before its first block. */
static int find_base(struct weir_lmdb_txn *txn, struct weir_survey_meta *meta)
{
	uint64_t first;
	int ret = weir_lmdb_seek_number(txn, WEIR_DB_TIMES, 1, false, &first, NULL);

	if (!ret)
		meta->base.last_block = first - 1;
	else if (ret == -ENOENT)
		meta->base.last_block = meta->state.last_block;
	return ret == -ENOENT ? 0 : ret;
}

int weir_survey_read(struct weir_lmdb_txn *txn, const char *path, struct weir_survey_meta *meta)
{
	int ret = weir_meta_check_format(txn, WEIR_DB_META, path);

	memset(meta, 0, sizeof(*meta));
	if (!ret)
		ret = weir_meta_get_state(txn, &meta->state);
	if (!ret)
		ret = weir_meta_get(txn, WEIR_DB_META, "held", &meta->held, sizeof(meta->held));
	if (ret)
		return ret == -ENOENT ? -EBADMSG : ret;
	ret = weir_meta_get(txn, WEIR_DB_META, "base", &meta->base, sizeof(meta->base));
	meta->has_base = !ret;
	if (ret == -ENOENT)
		ret = find_base(txn, meta);
	if (!ret)
		ret = weir_meta_get(txn, WEIR_DB_META, "damaged", &meta->damaged,
				    sizeof(meta->damaged));
	return ret == -ENOENT ? 0 : ret;
}

int weir_survey_writer(const char *dir, int *pid)
{
	char *path = weir_folder_path(dir, "lock"), text[16] = "";
	int fd, ret = 0;

	*pid = 0;
	if (!path)
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	free(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	/* Shared: two that ask are not in each other's way, but a writer is. */
	if (flock(fd, LOCK_SH | LOCK_NB)) {
		ret = errno == EWOULDBLOCK ? 0 : -errno;
		if (!ret && pread(fd, text, sizeof(text) - 1, 0) > 0)
			*pid = atoi(text);
		if (!ret && *pid <= 0)
			*pid = -1; /* there is one, unknown */
	}
	close(fd);
	return ret;
}

int weir_survey_lock(const char *dir, int *fd)
{
	char *path = weir_folder_path(dir, "lock"), text[16] = "";
	int ret = 0;

	if (!path)
		return -ENOMEM;
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0)
		ret = -errno;
	else if (flock(*fd, LOCK_EX | LOCK_NB))
		ret = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (ret == -EBUSY) {
		if (pread(*fd, text, sizeof(text) - 1, 0) < 0)
			*text = '\0';
		weir_log_error("%s: another process is writing to this store%s%s; stop it first",
			       dir, *text ? ", pid " : "", text);
	} else if (ret) {
		weir_log_error("%s: %s", path, strerror(-ret));
	} else {
		int length = snprintf(text, sizeof(text), "%d", (int)getpid());

		/* For the message above only. */
		if (ftruncate(*fd, 0) || pwrite(*fd, text, (size_t)length, 0) != length)
			weir_log_debug("%s: could not note the pid", path);
	}
	if (ret && *fd >= 0)
		close(*fd);
	free(path);
	return ret;
}

int weir_survey_peek(const char *path, struct weir_survey_meta *meta)
{
	struct weir_lmdb_txn txn;
	struct weir_lmdb *lmdb;
	int ret = weir_survey_open(path, &lmdb);

	if (ret)
		return ret;
	ret = weir_lmdb_begin(lmdb, false, &txn);
	if (!ret)
		ret = weir_survey_read(&txn, path, meta);
	weir_lmdb_abort(&txn);
	weir_lmdb_close(lmdb);
	return ret;
}
