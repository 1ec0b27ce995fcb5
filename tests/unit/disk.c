// SPDX-License-Identifier: GPL-2.0
/* disk.c - in the place of libc's calls that change files: do them, and write them down. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/unit/disk_log.h"

struct disk disk = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct call *add(enum kind kind)
{
	if (disk.count == disk.room) {
		disk.room = disk.room ? 2 * disk.room : 1024;
		disk.calls = reallocarray(disk.calls, disk.room, sizeof(*disk.calls));
		assert(disk.calls);
	}
	memset(&disk.calls[disk.count], 0, sizeof(struct call));
	disk.calls[disk.count].kind = kind;
	return &disk.calls[disk.count++];
}

/* Called around each call, under the lock. */
static void maybe_die(bool after)
{
	if (disk.kill && disk.kill_after == after && disk.count >= disk.kill_at + after)
		kill(getpid(), SIGKILL);
}

static int new_inode(bool is_dir)
{
	assert(disk.inodes < INODES_MAX);
	disk.is_dir[disk.inodes] = is_dir;
	return disk.inodes++;
}

struct entry *disk_find_entry(struct entry *entries, size_t count, int dir, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].dir == dir && !strcmp(entries[i].name, name))
			return &entries[i];
	return NULL;
}

void disk_put_entry(struct entry **entries, size_t *count, size_t *room, int dir, const char *name,
		    int inode)
{
	struct entry *there = disk_find_entry(*entries, *count, dir, name);

	if (there) {
		there->inode = inode;
		return;
	}
	if (*count == *room) {
		*room = *room ? 2 * *room : 64;
		*entries = reallocarray(*entries, *room, sizeof(**entries));
		assert(*entries);
	}
	(*entries)[(*count)++] = (struct entry){dir, inode, strdup(name)};
}

void disk_drop_entry(struct entry *entries, size_t *count, int dir, const char *name)
{
	struct entry *there = disk_find_entry(entries, *count, dir, name);

	if (!there)
		return;
	free(there->name);
	*there = entries[--*count];
}

/* Lock files are memory maps, and nothing of them outlives a failure of power. */
static bool is_lock(const char *name)
{
	return !strcmp(name, "lock.mdb") || !strcmp(name, "lock");
}

/* The folder that @path is in, and its last name. False: it is not ours. */
static bool resolve(const char *path, int *dir, char name[256])
{
	size_t root = strlen(disk.root);
	char copy[4096], *rest, *part;

	if (!disk.on || strncmp(path, disk.root, root) || (path[root] && path[root] != '/'))
		return false;
	snprintf(copy, sizeof(copy), "%s", path + root);
	rest = copy;
	*dir = 0;
	name[0] = '\0';
	while ((part = strsep(&rest, "/"))) {
		if (!*part || !strcmp(part, "."))
			continue;
		if (name[0]) {
			struct entry *entry =
				disk_find_entry(disk.entries, disk.entry_count, *dir, name);

			if (!entry)
				return false;
			*dir = entry->inode;
		}
		snprintf(name, 256, "%s", part);
	}
	return !is_lock(name);
}

static int inode_of(const char *path)
{
	struct entry *entry;
	char name[256];
	int dir;

	if (!resolve(path, &dir, name))
		return -1;
	if (!name[0])
		return 0;
	entry = disk_find_entry(disk.entries, disk.entry_count, dir, name);
	return entry ? entry->inode : -1;
}

static int do_open(int at, const char *path, int flags, mode_t mode)
{
	char name[256];
	int fd, dir, error;

	pthread_mutex_lock(&disk.lock);
	if (disk.on && at == AT_FDCWD && flags & O_CREAT && inode_of(path) < 0 &&
	    resolve(path, &dir, name)) {
		struct call *call;

		maybe_die(false);
		fd = (int)syscall(SYS_openat, at, path, flags, mode);
		error = errno;
		if (fd >= 0) {
			int inode = new_inode(false);

			call = add(NAME);
			call->inode = dir;
			call->child = inode;
			call->name = strdup(name);
			disk_put_entry(&disk.entries, &disk.entry_count, &disk.entry_room, dir,
				       name, inode);
			maybe_die(true);
		}
	} else {
		fd = (int)syscall(SYS_openat, at, path, flags, mode);
		error = errno;
	}
	if (fd >= 0 && fd < FDS_MAX) {
		disk.fds[fd].inode = disk.on && at == AT_FDCWD ? inode_of(path) : -1;
		disk.fds[fd].durable = flags & (O_DSYNC | O_SYNC) & ~O_CREAT;
		if (disk.fds[fd].inode >= 0 && flags & O_TRUNC) {
			struct call *call = add(SIZE);

			call->inode = disk.fds[fd].inode;
		}
	}
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return fd;
}

#define OPEN_BODY(at)                                                                              \
	va_list args;                                                                              \
	mode_t mode = 0;                                                                           \
	if (flags & O_CREAT) {                                                                     \
		va_start(args, flags);                                                             \
		mode = va_arg(args, mode_t);                                                       \
		va_end(args);                                                                      \
	}                                                                                          \
	return do_open(at, path, flags, mode)

int open(const char *path, int flags, ...)
{
	OPEN_BODY(AT_FDCWD);
}
int open64(const char *path, int flags, ...)
{
	OPEN_BODY(AT_FDCWD);
}
int openat(int at, const char *path, int flags, ...)
{
	OPEN_BODY(at);
}

int close(int fd)
{
	pthread_mutex_lock(&disk.lock);
	if (fd >= 0 && fd < FDS_MAX)
		disk.fds[fd].inode = -1;
	pthread_mutex_unlock(&disk.lock);
	return (int)syscall(SYS_close, fd);
}

static int inode_at(int fd)
{
	return disk.on && fd >= 0 && fd < FDS_MAX ? disk.fds[fd].inode : -1;
}

/* @gather copies what is written. */
static void record_write(int fd, const struct iovec *parts, int count, uint64_t offset,
			 uint64_t bytes)
{
	struct call *call = add(WRITE);
	uint64_t done = 0;

	call->inode = inode_at(fd);
	call->durable = disk.fds[fd].durable;
	call->offset = offset;
	call->bytes = bytes;
	if (disk.kill)
		return;
	call->data = malloc(bytes + 1);
	assert(call->data);
	for (int i = 0; i < count && done < bytes; i++) {
		uint64_t some = parts[i].iov_len < bytes - done ? parts[i].iov_len : bytes - done;

		memcpy(call->data + done, parts[i].iov_base, some);
		done += some;
	}
}

static ssize_t do_write(int fd, const struct iovec *parts, int count, int64_t offset)
{
	bool here = offset < 0, ours;
	ssize_t done;
	int error;

	pthread_mutex_lock(&disk.lock);
	ours = inode_at(fd) >= 0;
	if (ours) {
		if (here)
			offset = lseek(fd, 0, SEEK_CUR);
		maybe_die(false);
	}
	done = here ? syscall(SYS_writev, fd, parts, count)
		    : syscall(SYS_pwritev, fd, parts, count, offset, offset >> 32);
	error = errno;
	if (ours && done > 0) {
		record_write(fd, parts, count, (uint64_t)offset, (uint64_t)done);
		maybe_die(true);
	}
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return done;
}

ssize_t write(int fd, const void *data, size_t bytes)
{
	return do_write(fd, &(struct iovec){(void *)data, bytes}, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return do_write(fd, parts, count, -1);
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
	return do_write(fd, &(struct iovec){(void *)data, bytes}, 1, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset)
{
	return do_write(fd, &(struct iovec){(void *)data, bytes}, 1, offset);
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	return do_write(fd, parts, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset)
{
	return do_write(fd, parts, count, offset);
}

static int do_size(int fd, off_t bytes)
{
	int ret, error;

	pthread_mutex_lock(&disk.lock);
	if (inode_at(fd) >= 0)
		maybe_die(false);
	ret = (int)syscall(SYS_ftruncate, fd, bytes);
	error = errno;
	if (!ret && inode_at(fd) >= 0) {
		struct call *call = add(SIZE);

		call->inode = inode_at(fd);
		call->bytes = (uint64_t)bytes;
		maybe_die(true);
	}
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return ret;
}

int ftruncate(int fd, off_t bytes)
{
	return do_size(fd, bytes);
}
int ftruncate64(int fd, off_t bytes)
{
	return do_size(fd, bytes);
}

static int do_sync(int fd, long number)
{
	int ret, error;

	pthread_mutex_lock(&disk.lock);
	if (inode_at(fd) >= 0)
		maybe_die(false);
	ret = (int)syscall(number, fd);
	error = errno;
	if (!ret && inode_at(fd) >= 0) {
		add(SYNC)->inode = inode_at(fd);
		maybe_die(true);
	}
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return ret;
}

int fsync(int fd)
{
	return do_sync(fd, SYS_fsync);
}
int fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync);
}

int mkdir(const char *path, mode_t mode)
{
	char name[256];
	int ret, error, dir;
	bool ours;

	pthread_mutex_lock(&disk.lock);
	ours = disk.on && resolve(path, &dir, name) && name[0];
	if (ours)
		maybe_die(false);
	ret = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
	error = errno;
	if (!ret && ours) {
		struct call *call = add(NAME);

		call->inode = dir;
		call->child = new_inode(true);
		call->name = strdup(name);
		disk_put_entry(&disk.entries, &disk.entry_count, &disk.entry_room, dir, name,
			       call->child);
		maybe_die(true);
	}
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return ret;
}

static void unname(int dir, const char *name)
{
	struct call *call;

	if (!disk_find_entry(disk.entries, disk.entry_count, dir, name))
		return;
	call = add(UNNAME);
	call->inode = dir;
	call->name = strdup(name);
	disk_drop_entry(disk.entries, &disk.entry_count, dir, name);
	maybe_die(true);
}

static int do_unlink(int at, const char *path, int flags)
{
	char full[4096], link[64], name[256];
	int ret, error, dir;
	ssize_t bytes;
	bool ours;

	pthread_mutex_lock(&disk.lock);
	if (disk.on && at != AT_FDCWD && *path != '/') {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", at);
		bytes = readlink(link, full, sizeof(full) - 300);
		assert(bytes > 0);
		snprintf(full + bytes, sizeof(full) - (size_t)bytes, "/%s", path);
	} else {
		snprintf(full, sizeof(full), "%s", path);
	}
	ours = disk.on && resolve(full, &dir, name) && name[0];
	if (ours)
		maybe_die(false);
	ret = (int)syscall(SYS_unlinkat, at, path, flags);
	error = errno;
	if (!ret && ours)
		unname(dir, name);
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return ret;
}

int unlink(const char *path)
{
	return do_unlink(AT_FDCWD, path, 0);
}
int unlinkat(int at, const char *path, int flags)
{
	return do_unlink(at, path, flags);
}
int rmdir(const char *path)
{
	return do_unlink(AT_FDCWD, path, AT_REMOVEDIR);
}

static void record_rename(int dir, const char *name, int to_dir, const char *to_name, bool exchange)
{
	struct entry *from = disk_find_entry(disk.entries, disk.entry_count, dir, name);
	struct entry *to = disk_find_entry(disk.entries, disk.entry_count, to_dir, to_name);
	struct call *call = add(exchange ? EXCHANGE : RENAME);
	int inode;

	assert(from && (to || !exchange));
	call->inode = dir;
	call->to_dir = to_dir;
	call->name = strdup(name);
	call->to_name = strdup(to_name);
	inode = from->inode;
	if (exchange) {
		from->inode = to->inode;
		to->inode = inode;
		return;
	}
	disk_drop_entry(disk.entries, &disk.entry_count, dir, name);
	disk_put_entry(&disk.entries, &disk.entry_count, &disk.entry_room, to_dir, to_name, inode);
}

int renameat2(int at, const char *from, int to_at, const char *to, unsigned flags)
{
	char name[256], to_name[256];
	int ret, error, dir, to_dir;
	bool ours;

	pthread_mutex_lock(&disk.lock);
	ours = disk.on && resolve(from, &dir, name) && resolve(to, &to_dir, to_name);
	if (ours)
		maybe_die(false);
	ret = (int)syscall(SYS_renameat2, at, from, to_at, to, flags);
	error = errno;
	if (!ret && ours) {
		record_rename(dir, name, to_dir, to_name, flags & RENAME_EXCHANGE);
		maybe_die(true);
	}
	pthread_mutex_unlock(&disk.lock);
	errno = error;
	return ret;
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

void disk_begin(const char *root)
{
	pthread_mutex_lock(&disk.lock);
	disk.root = strdup(root);
	disk.is_dir = calloc(INODES_MAX, sizeof(*disk.is_dir));
	for (unsigned i = 0; i < FDS_MAX; i++)
		disk.fds[i].inode = -1;
	disk.on = true;
	new_inode(true);
	pthread_mutex_unlock(&disk.lock);
}

void disk_end(void)
{
	disk.on = false;
}

size_t disk_calls(void)
{
	return disk.count;
}

void disk_mark(uint64_t value)
{
	pthread_mutex_lock(&disk.lock);
	if (disk.on)
		add(MARK)->bytes = value;
	pthread_mutex_unlock(&disk.lock);
}

void disk_kill_at(size_t call, int after)
{
	disk.kill = true;
	disk.kill_at = call;
	disk.kill_after = after;
}
