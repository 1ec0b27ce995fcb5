// SPDX-License-Identifier: GPL-2.0
/*
 * folder.c - folders that exist whole or not at all.
 *
 * An LMDB file that was cut short by a power failure while it was made cannot be
 * told from a damaged one. So an environment is filled under the name
 * "NAME.new", made durable, and then renamed; one to be removed is renamed to
 * "NAME.old" before its files go one by one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/internal.h"

char *weir_folder_path(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

int weir_folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

int weir_folder_sync_parent(const char *path)
{
	char *copy = strdup(path);
	int ret = copy ? weir_folder_sync(dirname(copy)) : -ENOMEM;

	free(copy);
	/* A folder that may be entered but not read cannot be synced by us, nor used better. */
	return ret == -EACCES ? 0 : ret;
}

void weir_folder_discard(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

int weir_folder_create(struct weir_store *store, const char *name, weir_folder_fill *fill)
{
	char *path = weir_folder_path(store->dir, name), *new = NULL;
	int ret = -ENOMEM;

	if (!path || asprintf(&new, "%s.new", path) < 0) {
		free(path);
		return ret;
	}
	weir_folder_discard(new);
	ret = mkdir(new, 0700) ? -errno : fill(store, new);
	if (!ret)
		ret = weir_folder_sync(new);
	if (!ret)
		ret = rename(new, path) ? -errno : weir_folder_sync(store->dir);
	else
		weir_folder_discard(new);
	free(new);
	free(path);
	return ret;
}

int weir_folder_remove(const char *dir, const char *name)
{
	char *path = weir_folder_path(dir, name), *old = NULL;
	int ret = -ENOMEM;

	if (path && asprintf(&old, "%s.old", path) >= 0) {
		ret = rename(path, old) ? -errno : weir_folder_sync(dir);
		if (!ret)
			weir_folder_discard(old);
		free(old);
	}
	free(path);
	return ret;
}

static bool is_leftover(const char *name)
{
	size_t length = strlen(name);

	return length > 4 && (!strcmp(name + length - 4, ".new") || !strcmp(name + length - 4, ".old"));
}

void weir_folder_clean(const char *dir)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		char *path;

		if (!is_leftover(entry->d_name))
			continue;
		path = weir_folder_path(dir, entry->d_name);
		if (path)
			weir_folder_discard(path);
		free(path);
	}
	closedir(folder);
}
