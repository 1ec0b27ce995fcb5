// SPDX-License-Identifier: GPL-2.0
/* disk_build.c - a folder as a power failure could have left it, from the calls alone. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/disk_log.h"

enum {
	SECTOR = 512,
};

struct file {
	uint8_t *data;
	uint64_t bytes;
};

struct build {
	size_t call;
	enum disk_variant variant;
	uint64_t dice;
	size_t *synced;	     /* of each inode: calls before this one are durable */
	size_t *names_until; /* of each folder: changes before this one are there */
	struct file *files;
	struct entry *entries;
	size_t entry_count, entry_room;
};

static uint64_t roll(struct build *b)
{
	b->dice ^= b->dice << 13;
	b->dice ^= b->dice >> 7;
	b->dice ^= b->dice << 17;
	return b->dice;
}

static void resize(struct file *file, uint64_t bytes)
{
	if (bytes > file->bytes) {
		file->data = realloc(file->data, bytes);
		assert(file->data);
		memset(file->data + file->bytes, 0, bytes - file->bytes);
	}
	file->bytes = bytes;
}

static bool there(struct build *b)
{
	switch (b->variant) {
	case DISK_NOTHING:
	case DISK_NAMES:
		return false;
	case DISK_ALL:
	case DISK_DATA:
		return true;
	default:
		return roll(b) % 2;
	}
}

static void apply_write(struct build *b, const struct call *call, bool durable)
{
	struct file *file = &b->files[call->inode];
	uint64_t at = 0;

	while (at < call->bytes) {
		uint64_t to = (call->offset + at) / SECTOR * SECTOR + SECTOR - call->offset;
		bool is_there = durable || there(b);

		if (to > call->bytes)
			to = call->bytes;
		if (is_there && file->bytes < call->offset + to)
			resize(file, call->offset + to);
		if (is_there)
			memcpy(file->data + call->offset + at, call->data + at, to - at);
		at = to;
	}
}

static void apply_name(struct build *b, const struct call *call)
{
	struct entry *from, *to;
	int inode;

	if (call->kind == NAME) {
		disk_put_entry(&b->entries, &b->entry_count, &b->entry_room, call->inode,
			       call->name, call->child);
		return;
	}
	if (call->kind == UNNAME) {
		disk_drop_entry(b->entries, &b->entry_count, call->inode, call->name);
		return;
	}
	from = disk_find_entry(b->entries, b->entry_count, call->inode, call->name);
	to = disk_find_entry(b->entries, b->entry_count, call->to_dir, call->to_name);
	if (!from)
		return;
	inode = from->inode;
	if (call->kind == EXCHANGE) {
		if (!to)
			return;
		from->inode = to->inode;
		to->inode = inode;
		return;
	}
	disk_drop_entry(b->entries, &b->entry_count, call->inode, call->name);
	disk_put_entry(&b->entries, &b->entry_count, &b->entry_room, call->to_dir, call->to_name,
		       inode);
}

/* A rename between folders is durable with either of them. */
static bool is_named(const struct build *b, const struct call *call, size_t index)
{
	if (index < b->names_until[call->inode])
		return true;
	return (call->kind == RENAME || call->kind == EXCHANGE) &&
	       index < b->names_until[call->to_dir];
}

static bool is_name(const struct call *call)
{
	return call->kind == NAME || call->kind == UNNAME || call->kind == RENAME ||
	       call->kind == EXCHANGE;
}

/* How far the changes of each folder got: to where it was synced, or later. */
static void choose_names(struct build *b)
{
	for (int i = 0; i < disk.inodes; i++) {
		size_t span = b->call + 1 - b->synced[i];

		b->names_until[i] = b->synced[i];
		if (b->variant == DISK_ALL || b->variant == DISK_NAMES)
			b->names_until[i] += span;
		else if (b->variant == DISK_SOME)
			b->names_until[i] += roll(b) % (span + 1);
	}
}

static void write_file(const char *path, const struct file *file)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	uint64_t done = 0;

	assert(fd >= 0);
	while (done < file->bytes) {
		ssize_t some = syscall(SYS_write, fd, file->data + done, file->bytes - done);

		assert(some > 0);
		done += (uint64_t)some;
	}
	syscall(SYS_close, fd);
}

static void write_dir(struct build *b, int dir, const char *path, unsigned depth)
{
	assert(depth < 20);
	for (size_t i = 0; i < b->entry_count; i++) {
		char name[4096];

		if (b->entries[i].dir != dir)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, b->entries[i].name);
		if (!disk.is_dir[b->entries[i].inode]) {
			write_file(name, &b->files[b->entries[i].inode]);
			continue;
		}
		if (syscall(SYS_mkdirat, AT_FDCWD, name, 0700))
			abort();
		write_dir(b, b->entries[i].inode, name, depth + 1);
	}
}

uint64_t disk_build(size_t call, enum disk_variant variant, uint64_t seed, const char *into)
{
	struct build b = {.call = call, .variant = variant, .dice = seed * 2654435761u + 1};
	uint64_t mark = 0;

	b.synced = calloc((size_t)disk.inodes, sizeof(*b.synced));
	b.names_until = calloc((size_t)disk.inodes, sizeof(*b.names_until));
	b.files = calloc((size_t)disk.inodes, sizeof(*b.files));
	assert(b.synced && b.names_until && b.files);
	/* The call itself is under way: a sync has not returned. */
	for (size_t i = 0; i < call; i++) {
		if (disk.calls[i].kind == SYNC)
			b.synced[disk.calls[i].inode] = i;
		else if (disk.calls[i].kind == MARK)
			mark = disk.calls[i].bytes;
	}
	choose_names(&b);
	for (size_t i = 0; i <= call && i < disk.count; i++) {
		const struct call *c = &disk.calls[i];

		if (is_name(c)) {
			if (is_named(&b, c, i))
				apply_name(&b, c);
		} else if (c->kind == WRITE) {
			apply_write(&b, c, i < b.synced[c->inode] || (c->durable && i < call));
		} else if (c->kind == SIZE && (i < b.synced[c->inode] || there(&b))) {
			resize(&b.files[c->inode], c->bytes);
		}
	}
	write_dir(&b, 0, into, 0);
	for (int i = 0; i < disk.inodes; i++)
		free(b.files[i].data);
	for (size_t i = 0; i < b.entry_count; i++)
		free(b.entries[i].name);
	free(b.entries);
	free(b.files);
	free(b.names_until);
	free(b.synced);
	return mark;
}

int disk_is_mark(size_t call)
{
	return disk.calls[call].kind == MARK;
}

const char *disk_name(size_t call)
{
	static const char *const names[] = {"write",  "resize",	  "sync",   "name",
					    "rename", "exchange", "unname", "mark"};
	static char text[600];
	const struct call *c = &disk.calls[call];

	snprintf(text, sizeof(text), "%s of inode %d (%s%s%s) offset %lu bytes %lu%s",
		 names[c->kind], c->inode, c->name ? c->name : "", c->to_name ? " -> " : "",
		 c->to_name ? c->to_name : "", (unsigned long)c->offset, (unsigned long)c->bytes,
		 c->durable ? " O_DSYNC" : "");
	return text;
}
