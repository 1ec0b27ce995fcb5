// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/store/backup.h"
#include "daemon/store/mount.h"

/* A folder that changed so recently may change again under the same time. */
static const uint64_t settled_ns = WEIR_NS_PER_SECOND;

bool weir_mount_is_name(const char *name)
{
	size_t length = strlen(name);

	return length && length < WEIR_PARTITION_MOUNT &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
		       length;
}

static int only_mounts(const struct dirent *entry)
{
	return weir_mount_is_name(entry->d_name);
}

bool weir_mount_overlap(const struct weir_mount_range *a, const struct weir_mount_range *b)
{
	return a->first <= b->last && b->first <= a->last &&
	       !memcmp(a->node_id, b->node_id, sizeof(a->node_id));
}

struct weir_partition *weir_mount_find(struct weir_store *store, uint32_t id)
{
	for (unsigned i = 0; i < store->mounted_count; i++)
		if (store->mounted[i]->id == id)
			return store->mounted[i];
	return NULL;
}

int weir_mount_open(struct weir_store *store, struct weir_partition *partition)
{
	struct weir_lmdb_options options = {.dbs = weir_partition_dbs,
					    .read_only = true,
					    .immutable = true,
					    .map_bytes = 1};
	char *path;
	int ret;

	if (asprintf(&path, "%s/" WEIR_MOUNT_FOLDER "/%s/%s", store->dir, partition->mount,
		     partition->name) < 0)
		return -ENOMEM;
	ret = weir_trust(path);
	if (!ret)
		ret = weir_lmdb_open(path, &options, &partition->lmdb);
	if (ret && ret != -ENOENT)
		weir_log_error("%s: mounted partition cannot be opened: %s", path, strerror(-ret));
	free(path);
	return ret;
}

static void forget(struct weir_store *store, unsigned index)
{
	struct weir_partition *partition = store->mounted[index];

	store->mounted_count--;
	memmove(store->mounted + index, store->mounted + index + 1,
		(store->mounted_count - index) * sizeof(*store->mounted));
	weir_partition_drop(store, partition);
}

static struct weir_partition *find_named(struct weir_store *store, const char *mount,
					 const char *name)
{
	for (unsigned i = 0; i < store->mounted_count; i++)
		if (!strcmp(store->mounted[i]->mount, mount) &&
		    !strcmp(store->mounted[i]->name, name))
			return store->mounted[i];
	return NULL;
}

static int add(struct weir_store *store, const char *mount,
	       const struct weir_backup_manifest *manifest, const struct weir_backup_part *part)
{
	struct weir_partition *there = find_named(store, mount, part->name), **grown;

	if (there) {
		there->seen = true;
		return 0;
	}
	grown = reallocarray(store->mounted, store->mounted_count + 1, sizeof(*grown));
	if (grown)
		store->mounted = grown;
	there = calloc(1, sizeof(*there));
	if (!grown || !there) {
		free(there);
		return -ENOMEM;
	}
	snprintf(there->mount, sizeof(there->mount), "%.*s", WEIR_PARTITION_MOUNT - 1, mount);
	snprintf(there->name, sizeof(there->name), "%.*s", WEIR_STORE_PARTITION_NAME - 1,
		 part->name);
	there->id = WEIR_MOUNT_BIT | ++store->last_mount;
	there->seen = true;
	there->first_block = part->first_block;
	there->last_block = part->last_block;
	memcpy(there->node_id, manifest->identity.node_id, sizeof(there->node_id));
	store->mounted[store->mounted_count++] = there;
	return 0;
}

static int take_in(struct weir_store *store, const char *restored, const char *name)
{
	char *path = weir_folder_path(restored, name);
	struct weir_backup_manifest manifest;
	int ret = path ? weir_backup_read(path, &manifest) : -ENOMEM;

	free(path);
	if (ret)
		return ret;
	for (unsigned i = 0; i < manifest.count && !ret; i++)
		if (manifest.parts[i].kind == WEIR_SURVEY_PARTITION)
			ret = add(store, name, &manifest, &manifest.parts[i]);
	weir_backup_free(&manifest);
	return ret;
}

static void reload(struct weir_store *store, const char *restored)
{
	struct dirent **names = NULL;
	int count = scandir(restored, &names, only_mounts, alphasort);
	unsigned before = store->mounted_count;

	for (unsigned i = 0; i < store->mounted_count; i++)
		store->mounted[i]->seen = false;
	for (int i = 0; i < count; i++) {
		int ret = take_in(store, restored, names[i]->d_name);

		if (ret)
			weir_log_error("%s/%s: is not shown: %s", restored, names[i]->d_name,
				       strerror(-ret));
		free(names[i]);
	}
	free(names);
	for (unsigned i = store->mounted_count; i-- > 0;)
		if (!store->mounted[i]->seen)
			forget(store, i);
	if (store->mounted_count != before)
		weir_log_info("%s: %u partitions of backups are shown beside the store's own",
			      restored, store->mounted_count);
}

bool weir_mount_refresh(struct weir_store *store)
{
	bool any;

	char *restored = weir_folder_path(store->dir, WEIR_MOUNT_FOLDER);
	struct stat status = {0};
	uint64_t changed_ns = 0;

	if (restored && !stat(restored, &status))
		changed_ns = (uint64_t)status.st_mtim.tv_sec * WEIR_NS_PER_SECOND +
			     (uint64_t)status.st_mtim.tv_nsec;
	pthread_mutex_lock(&store->lock);
	if (restored && changed_ns != store->mounts_changed_ns) {
		reload(store, restored);
		store->mounts_changed_ns =
			weir_clock_now_ns() - changed_ns > settled_ns ? changed_ns : 1;
	}
	any = store->mounted_count;
	pthread_mutex_unlock(&store->lock);
	free(restored);
	return any;
}

int weir_mount_list(struct weir_store *store, struct weir_mounted **mounted, unsigned *count)
{
	int ret = 0;

	pthread_mutex_lock(&store->lock);
	*count = store->mounted_count;
	*mounted = calloc(*count + 1, sizeof(**mounted));
	if (!*mounted)
		ret = -ENOMEM;
	for (unsigned i = 0; i < *count && !ret; i++) {
		const struct weir_partition *partition = store->mounted[i];
		struct weir_mounted *to = &(*mounted)[i];

		to->id = partition->id;
		memcpy(to->name, partition->name, sizeof(to->name));
		to->range.first = partition->first_block;
		to->range.last = partition->last_block;
		memcpy(to->range.node_id, partition->node_id, sizeof(to->range.node_id));
	}
	pthread_mutex_unlock(&store->lock);
	return ret;
}

void weir_mount_unload(struct weir_store *store)
{
	pthread_mutex_lock(&store->lock);
	while (store->mounted_count)
		forget(store, store->mounted_count - 1);
	free(store->mounted);
	store->mounted = NULL;
	pthread_mutex_unlock(&store->lock);
}

const char *weir_store_mounts(struct weir_store *store, char *text, size_t text_bytes)
{
	const char *last = "";
	size_t used = 0;

	*text = '\0';
	if (!weir_mount_refresh(store))
		return text;
	pthread_mutex_lock(&store->lock);
	/* Partitions of one backup follow each other. */
	for (unsigned i = 0; i < store->mounted_count && used < text_bytes; i++) {
		if (!strcmp(store->mounted[i]->mount, last))
			continue;
		last = store->mounted[i]->mount;
		used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", used ? ", " : "",
					 last);
	}
	pthread_mutex_unlock(&store->lock);
	return text;
}
