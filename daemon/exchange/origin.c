// SPDX-License-Identifier: GPL-2.0
/* origin.c - what came from where. The list is small and written whole, under another name first. */
#include "daemon/exchange/origin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/store.h"

enum { PIECE = 1 << 17, LIST_MAX = 16 << 20 };

static int fail(int error, char *why, size_t why_bytes, const char *dir, const char *what)
{
	snprintf(why, why_bytes, "%s: %s%s%s", dir, what, error == -EPERM ? "" : ": ",
		 error == -EPERM ? "" : strerror(-error));
	return error;
}

/* SHA-256 of the rest of the file, which is put back to where it was. */
static int digest(int fd, uint8_t hash[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t *piece = malloc(PIECE);
	off_t from = lseek(fd, 0, SEEK_CUR), at = from;
	ssize_t got = -1;
	bool good = ctx && piece && from >= 0 && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	while (good && (got = pread(fd, piece, PIECE, at)) > 0) {
		good = EVP_DigestUpdate(ctx, piece, (size_t)got) == 1;
		at += got;
	}
	good = good && got == 0 && EVP_DigestFinal_ex(ctx, hash, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	free(piece);
	return good ? 0 : -EIO;
}

static int identify(int fd, struct weir_origin *origin)
{
	uint8_t hash[32];
	struct stat stat;
	size_t used = 0, bytes = sizeof(hash);

	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode)) { /* a pipe has no second reading */
		bytes = 8;
		if (getrandom(hash, bytes, 0) != (ssize_t)bytes)
			return -EIO;
		used = (size_t)sprintf(origin->id, "-");
	} else if (digest(fd, hash)) {
		return -EIO;
	}
	for (size_t i = 0; i < bytes; i++)
		used += (size_t)sprintf(origin->id + used, "%02x", hash[i]);
	memcpy(&origin->instance, hash, sizeof(origin->instance));
	origin->instance |= 1; /* 0 means: none */
	return 0;
}

static void clean(char *to, size_t to_bytes, const char *text)
{
	snprintf(to, to_bytes, "%s", text);
	for (char *c = to; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
}

static char *path_of(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

/* The whole list, "" if there is none yet; NULL: it cannot be read. */
static char *read_list(const char *dir)
{
	char *path = path_of(dir, WEIR_STORE_IMPORTS), *text = calloc(1, LIST_MAX);
	FILE *file = path && text ? fopen(path, "re") : NULL;
	bool good = file ? true : path && text && errno == ENOENT;

	if (file) {
		size_t got = fread(text, 1, LIST_MAX - 1, file);

		good = !ferror(file) && got < LIST_MAX - 1;
		fclose(file);
	}
	free(path);
	if (good)
		return text;
	free(text);
	return NULL;
}

static int write_durably(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), ret = 0;
	size_t bytes = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, bytes) != (ssize_t)bytes)
		ret = errno ? -errno : -ENOSPC;
	if (!ret && fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

static int sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = fsync(fd) ? -errno : 0;
	close(fd);
	return ret;
}

static int write_list(const char *dir, const char *text)
{
	char *path = path_of(dir, WEIR_STORE_IMPORTS), *draft = path_of(dir, WEIR_STORE_IMPORTS ".draft");
	int ret = path && draft ? write_durably(draft, text) : -ENOMEM;

	if (!ret && rename(draft, path))
		ret = -errno;
	if (!ret)
		ret = sync_folder(dir);
	free(path);
	free(draft);
	return ret;
}

/* Nothing is in it but what belongs to the list, or the list is there. */
static bool is_ours(const char *dir)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	bool empty = folder, listed = false;

	while (folder && (entry = readdir(folder))) {
		listed |= !strcmp(entry->d_name, WEIR_STORE_IMPORTS);
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    strcmp(entry->d_name, WEIR_STORE_IMPORTS ".draft"))
			empty = false;
	}
	if (folder)
		closedir(folder);
	return empty || listed;
}

/* The line of @id, or NULL. */
static char *find_line(char *list, const char *id)
{
	size_t length = strlen(id);

	for (char *line = list; *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, id, length) && line[length] == '\t')
			return line;
		if (!strchr(line, '\n'))
			break;
	}
	return NULL;
}

static bool is_in(const char *line, const char *state)
{
	const char *tab = strchr(line, '\t');

	return tab && !strncmp(tab + 1, state, strlen(state)) && tab[1 + strlen(state)] == '\t';
}

/* What was begun and not finished cannot be gone on with once another file has been begun: the store
 * remembers the place in one file only. */
static void give_up_others(char *list, const char *id)
{
	char *own = find_line(list, id);

	for (char *line = list; *line; line = strchr(line, '\n') + 1) {
		if (line != own && is_in(line, "begun"))
			memcpy(strchr(line, '\t') + 1, "part.", 5);
		if (!strchr(line, '\n'))
			break;
	}
}

static void remove_line(char *list, const char *id)
{
	char *line = find_line(list, id), *end = line ? strchr(line, '\n') : NULL;

	if (end)
		memmove(line, end + 1, strlen(end + 1) + 1);
	else if (line)
		*line = '\0';
}

/* The list with the line of @origin anew, at the end. */
static int put_line(const char *dir, char *list, const struct weir_origin *origin, const char *state,
		    uint64_t flows, const char *name)
{
	char when[32], domain[128], *text;
	time_t now = time(NULL);
	struct tm tm;
	int ret;

	remove_line(list, origin->id);
	gmtime_r(&now, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	clean(domain, sizeof(domain), name);
	if (asprintf(&text, "%s%s\t%s\t%s\t%" PRIu64 "\t%s\t%s\n", list, origin->id, state, when, flows,
		     domain, origin->file) < 0)
		return -ENOMEM;
	ret = write_list(dir, text);
	free(text);
	return ret;
}

static int open_list(const char *dir, char **list, char *why, size_t why_bytes)
{
	int ret;

	if (mkdir(dir, 0700) && errno != EEXIST) {
		ret = -errno;
		return fail(ret, why, why_bytes, dir, "cannot be made");
	}
	*list = read_list(dir);
	if (!*list)
		return fail(-EIO, why, why_bytes, dir, "its list of imports cannot be read");
	if (is_ours(dir))
		return 0;
	free(*list);
	return fail(-EPERM, why, why_bytes, dir,
		    "is not a store of imported flows; they are never mixed with a node's own. Name an "
		    "empty or a new folder");
}

int weir_origin_begin(const char *dir, const char *file, int fd, struct weir_origin *origin, char *why,
		      size_t why_bytes)
{
	char *list = NULL, *line;
	int ret;

	memset(origin, 0, sizeof(*origin));
	clean(origin->file, sizeof(origin->file), file);
	ret = identify(fd, origin);
	if (ret)
		return fail(ret, why, why_bytes, file, "reading");
	ret = open_list(dir, &list, why, why_bytes);
	if (ret)
		return ret;
	line = find_line(list, origin->id);
	if (line && is_in(line, "done")) {
		snprintf(why, why_bytes, "%s: its content was imported before; nothing was added", file);
		ret = -EEXIST;
	} else if (line && is_in(line, "part.")) {
		snprintf(why, why_bytes,
			 "%s: a part of it was imported, and then another file; import it into another "
			 "folder", file);
		ret = -EEXIST;
	} else {
		give_up_others(list, origin->id);
		ret = put_line(dir, list, origin, "begun", 0, "");
		if (ret)
			fail(ret, why, why_bytes, dir, "writing the list of imports");
	}
	free(list);
	return ret;
}

void weir_origin_forget(const char *dir, const struct weir_origin *origin)
{
	char *list = read_list(dir);

	if (list) {
		remove_line(list, origin->id);
		write_list(dir, list);
	}
	free(list);
}

int weir_origin_end(const char *dir, const struct weir_origin *origin, uint64_t flows, const char *name,
		    char *why, size_t why_bytes)
{
	char *list = read_list(dir);
	int ret = list ? put_line(dir, list, origin, "done", flows, name) : -EIO;

	free(list);
	return ret ? fail(ret, why, why_bytes, dir, "writing the list of imports") : 0;
}
