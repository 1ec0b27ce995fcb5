// SPDX-License-Identifier: GPL-2.0
/*
 * pages.c - see pages.h. LMDB's data format 1, as liblmdb 0.9 writes it on machines of 64 bits
 * and little endian, which are the ones weir is for:
 *
 *   page 0, 1   roots, written in turn, the one with the higher transaction counts
 *   page        number u64, pad u16, flags u16, then lower u16, upper u16 (first page of an
 *               overflow run: pages u32), then u16 offsets of the nodes
 *   node        u16 low, u16 high, u16 flags, u16 key bytes, key, value. On a branch the first
 *               three are a page number, on a leaf low and high are the bytes of the value
 *   big value   a run of overflow pages, whose number is the node's value
 *   database    48 bytes: pad, flags, depth, page counts, entries, root; those with names
 *               are values of the main database, which is named by the root, as is the free list
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store/pages_walk.h"

enum {
	FORMAT = 1,
	HEAD_BYTES = 16,
	NODE_BYTES = 8,
	ROOT_TRIES = 20,
	SIZE_MIN = 512,
	SIZE_MAX_ = 65536,
	/* One value; a block has less than 12 MB. */
	VALUE_MAX = 256 << 20,

	IS_BRANCH = 0x01,
	IS_LEAF = 0x02,
	IS_OVERFLOW = 0x04,
	IS_META = 0x08,
	KINDS = 0x0f,

	NODE_BIG = 0x01,
	NODE_DATABASE = 0x02,
	NODE_DUPLICATES = 0x04,
};

#define MAGIC	0xBEEFC0DEu
#define NO_PAGE UINT64_MAX

void weir_pages_fault(struct weir_pages *pages, const char *format, ...)
{
	char sentence[256];
	va_list args;

	pages->faults++;
	if (!pages->report)
		return;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	pages->report(pages->arg, sentence);
}

static uint16_t u16_at(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static uint32_t u32_at(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Exactly so many bytes, or an error. */
static int read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t got = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -EBADMSG;
		done += (size_t)got;
	}
	return 0;
}

/* The root at @offset. -EBADMSG: there is none. */
static int read_root(struct weir_pages *pages, uint64_t offset, struct weir_pages_root *root)
{
	uint8_t head[HEAD_BYTES + sizeof(*root)];
	int ret = read_at(pages->fd, head, sizeof(head), offset);

	if (ret)
		return ret;
	memcpy(root, head + HEAD_BYTES, sizeof(*root));
	if (!(u16_at(head + 10) & IS_META) || root->magic != MAGIC || root->version != FORMAT)
		return -EBADMSG;
	if (root->free.pad < SIZE_MIN || root->free.pad > SIZE_MAX_ ||
	    (root->free.pad & (root->free.pad - 1)) || root->last_page < 1)
		return -EBADMSG;
	return 0;
}

/* The size of a page is in the roots; the second lies one page further. */
static int find_size(struct weir_pages *pages)
{
	struct weir_pages_root root;
	int ret = read_root(pages, 0, &root);

	if (!ret) {
		pages->size = root.free.pad;
		return 0;
	}
	for (size_t size = SIZE_MIN; size <= SIZE_MAX_; size *= 2) {
		if (!read_root(pages, size, &root) && root.free.pad == size) {
			pages->size = size;
			return 0;
		}
	}
	pages->size = 4096;
	return ret;
}

static void look_at(struct weir_pages *pages, const struct weir_pages_root *roots,
		    const bool *known, unsigned index)
{
	pages->root = roots[index];
	pages->root_index = index;
	pages->other_known = known[!index];
	pages->other_transaction = roots[!index].transaction;
}

struct roots {
	struct weir_pages_root root[2];
	bool known[2];
};

static int read_roots(struct weir_pages *pages, struct roots *roots)
{
	memset(roots, 0, sizeof(*roots));
	for (unsigned i = 0; i < 2; i++) {
		int ret = read_root(pages, i * pages->size, &roots->root[i]);

		if (ret && ret != -EBADMSG)
			return ret;
		roots->known[i] = !ret && roots->root[i].free.pad == pages->size;
	}
	return 0;
}

/* As of one moment: a writer may commit between the two, or write one while it is read. */
static int read_stable(struct weir_pages *pages, struct roots *roots)
{
	struct roots again;
	int ret;

	for (unsigned i = 0; i < ROOT_TRIES; i++) {
		ret = read_roots(pages, roots);
		if (!ret)
			ret = read_roots(pages, &again);
		if (ret || !memcmp(roots, &again, sizeof(again)))
			return ret;
	}
	return 0;
}

int weir_pages_refresh(struct weir_pages *pages, uint64_t transaction)
{
	struct roots roots;
	unsigned newer;
	int ret = read_stable(pages, &roots);

	pages->root = (struct weir_pages_root){0};
	if (ret)
		return ret;
	if (!roots.known[0] && !roots.known[1])
		return -EBADMSG;
	newer = !roots.known[0] || (roots.known[1] && roots.root[1].transaction >
							      roots.root[0].transaction);
	if (!transaction || roots.root[newer].transaction == transaction)
		look_at(pages, roots.root, roots.known, newer);
	else if (roots.known[!newer] && roots.root[!newer].transaction == transaction)
		look_at(pages, roots.root, roots.known, !newer);
	else
		return -ESTALE;
	return 0;
}

int weir_pages_open(const char *path, struct weir_pages **pages)
{
	struct weir_pages *new = calloc(1, sizeof(*new));
	int ret;

	if (!new)
		return -ENOMEM;
	new->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (new->fd < 0) {
		ret = -errno;
		free(new);
		return ret;
	}
	ret = find_size(new);
	for (unsigned i = 0; i < WEIR_PAGES_DEPTH_MAX; i++) {
		new->page[i] = malloc(new->size);
		if (!new->page[i])
			ret = -ENOMEM;
	}
	if (!ret)
		ret = weir_pages_refresh(new, 0);
	if (ret && ret != -EBADMSG) {
		weir_pages_close(new);
		return ret;
	}
	*pages = new;
	return ret;
}

void weir_pages_close(struct weir_pages *pages)
{
	if (!pages)
		return;
	for (unsigned i = 0; i < WEIR_PAGES_DEPTH_MAX; i++)
		free(pages->page[i]);
	free(pages->value);
	free(pages->owned);
	close(pages->fd);
	free(pages);
}

size_t weir_pages_size(const struct weir_pages *pages)
{
	return pages->size;
}

uint64_t weir_pages_transaction(const struct weir_pages *pages)
{
	return pages->root.transaction;
}

/* False, and a fault: somebody has it already, or it is outside of the file. */
bool weir_pages_claim(struct weir_pages *pages, uint64_t page, const char *who)
{
	if (page < 2 || page > pages->root.last_page) {
		weir_pages_fault(pages, "%s: page %" PRIu64 " is outside of the file", who, page);
		return false;
	}
	if (page / 8 >= pages->owned_pages / 8 + 1)
		return false;
	if (pages->owned[page / 8] & 1 << page % 8) {
		weir_pages_fault(pages, "%s: page %" PRIu64 " has another owner too", who, page);
		return false;
	}
	pages->owned[page / 8] |= (uint8_t)(1 << page % 8);
	return true;
}

static unsigned node_count(const uint8_t *page)
{
	return (u16_at(page + 12) - HEAD_BYTES) / 2u;
}

/* Whether the page is what it should be and all its nodes lie inside of it. */
static bool is_sound(const uint8_t *page, size_t size, unsigned kind)
{
	unsigned lower = u16_at(page + 12), upper = u16_at(page + 14);
	unsigned flags = u16_at(page + 10);

	if ((flags & KINDS) != kind || lower < HEAD_BYTES || lower % 2 || lower > upper ||
	    upper > size)
		return false;
	for (unsigned i = 0; i < node_count(page); i++) {
		unsigned at = u16_at(page + HEAD_BYTES + 2 * i);
		size_t value, key;

		if (at < upper || at + NODE_BYTES > size)
			return false;
		key = u16_at(page + at + 6);
		if (at + NODE_BYTES + key > size)
			return false;
		if (kind == IS_BRANCH)
			continue;
		value = u32_at(page + at);
		if (u16_at(page + at + 4) & NODE_BIG)
			value = 8;
		if (value > size || at + NODE_BYTES + key + value > size)
			return false;
	}
	return true;
}

/* Read page @number, a branch or leaf, to level @level of the way down. */
static int read_page(struct weir_pages_walk *walk, uint64_t number, unsigned level)
{
	struct weir_pages *pages = walk->pages;
	uint8_t *page = pages->page[level];
	int ret;

	if (level + 1 >= WEIR_PAGES_DEPTH_MAX || number < 2 || number > pages->root.last_page) {
		weir_pages_fault(pages, "%s: page %" PRIu64 " is outside of the file", walk->name,
				 number);
		return -EBADMSG;
	}
	ret = read_at(pages->fd, page, pages->size, number * pages->size);
	if (ret) {
		weir_pages_fault(pages, "%s: page %" PRIu64 " cannot be read: %s", walk->name,
				 number,
				 ret == -EBADMSG ? "the file is too short" : strerror(-ret));
		return -EBADMSG;
	}
	if (weir_pages_u64(page) != number ||
	    !is_sound(page, pages->size, u16_at(page + 10) & KINDS) ||
	    !(u16_at(page + 10) & (IS_BRANCH | IS_LEAF))) {
		weir_pages_fault(pages, "%s: page %" PRIu64 " is damaged", walk->name, number);
		return -EBADMSG;
	}
	return 0;
}

/* The value of a big node, in pages->value when it is wanted. */
static int read_big(struct weir_pages_walk *walk, uint64_t number, size_t bytes)
{
	struct weir_pages *pages = walk->pages;
	uint64_t run = (HEAD_BYTES + bytes - 1) / pages->size + 1;
	uint8_t head[HEAD_BYTES];
	int ret;

	if (bytes > VALUE_MAX || number < 2 || number > pages->root.last_page ||
	    run > pages->root.last_page - number + 1) {
		weir_pages_fault(pages, "%s: a value at page %" PRIu64 " is outside of the file",
				 walk->name, number);
		return -EBADMSG;
	}
	for (uint64_t i = 0; walk->claim && i < run; i++)
		weir_pages_claim(pages, number + i, walk->name);
	walk->found.overflows += run;
	ret = read_at(pages->fd, head, sizeof(head), number * pages->size);
	if (ret || weir_pages_u64(head) != number || (u16_at(head + 10) & KINDS) != IS_OVERFLOW ||
	    u32_at(head + 12) != run) {
		weir_pages_fault(pages, "%s: page %" PRIu64 ", the first of a value, is damaged",
				 walk->name, number);
		return -EBADMSG;
	}
	if (!walk->values) {
		/* That it is there is part of the structure. */
		return read_at(pages->fd, head, 1, number * pages->size + HEAD_BYTES + bytes - 1);
	}
	if (bytes > pages->value_room) {
		uint8_t *room = realloc(pages->value, bytes);

		if (!room)
			return -ENOMEM;
		pages->value = room;
		pages->value_room = bytes;
	}
	return read_at(pages->fd, pages->value, bytes, number * pages->size + HEAD_BYTES);
}

static int compare_keys(const struct weir_pages_walk *walk, const uint8_t *a, size_t a_bytes,
			const uint8_t *b, size_t b_bytes)
{
	size_t common = a_bytes < b_bytes ? a_bytes : b_bytes;
	int order;

	if (walk->numbers && a_bytes == 8 && b_bytes == 8) {
		uint64_t left = weir_pages_u64(a), right = weir_pages_u64(b);

		return left < right ? -1 : left > right;
	}
	order = memcmp(a, b, common);
	return order ? order : a_bytes < b_bytes ? -1 : a_bytes > b_bytes;
}

static void check_order(struct weir_pages_walk *walk, uint64_t number, const uint8_t *key,
			size_t bytes)
{
	if (bytes > sizeof(walk->last_key))
		return;
	if (walk->has_last &&
	    compare_keys(walk, walk->last_key, walk->last_key_bytes, key, bytes) >= 0)
		weir_pages_fault(walk->pages, "%s: the keys on page %" PRIu64 " are not in order",
				 walk->name, number);
	memcpy(walk->last_key, key, bytes);
	walk->last_key_bytes = bytes;
	walk->has_last = true;
}

static int visit_node(struct weir_pages_walk *walk, uint64_t number, const uint8_t *node)
{
	uint16_t flags = u16_at(node + 4);
	struct weir_pages_entry entry = {.key = node + NODE_BYTES, .key_bytes = u16_at(node + 6)};
	int ret = 0;

	entry.value = entry.key + entry.key_bytes;
	entry.value_bytes = u32_at(node);
	if (flags & NODE_DUPLICATES)
		weir_pages_fault(walk->pages,
				 "%s: page %" PRIu64 " has a node of a kind weir does not use",
				 walk->name, number);
	check_order(walk, number, entry.key, entry.key_bytes);
	walk->found.entries++;
	if (flags & NODE_BIG) {
		ret = read_big(walk, weir_pages_u64(entry.value), entry.value_bytes);
		if (ret && ret != -EBADMSG)
			return ret;
		entry.value = ret || !walk->values ? NULL : walk->pages->value;
	}
	return walk->visit ? walk->visit(walk->arg, &entry) : 0;
}

static int walk_page(struct weir_pages_walk *walk, uint64_t number, unsigned level);

static int walk_leaf(struct weir_pages_walk *walk, uint64_t number, const uint8_t *page)
{
	int ret = 0;

	walk->found.leaves++;
	if (!node_count(page))
		weir_pages_fault(walk->pages, "%s: page %" PRIu64 " is empty", walk->name, number);
	for (unsigned i = 0; i < node_count(page) && !ret; i++)
		ret = visit_node(walk, number, page + u16_at(page + HEAD_BYTES + 2 * i));
	return ret;
}

static int walk_branch(struct weir_pages_walk *walk, uint64_t number, const uint8_t *page,
		       unsigned level)
{
	int ret = 0;

	walk->found.branches++;
	if (node_count(page) < 2)
		weir_pages_fault(walk->pages,
				 "%s: branch page %" PRIu64 " has less than two children",
				 walk->name, number);
	for (unsigned i = 0; i < node_count(page) && !ret; i++) {
		const uint8_t *node = page + u16_at(page + HEAD_BYTES + 2 * i);
		uint64_t child = u32_at(node) | (uint64_t)u16_at(node + 4) << 32;

		/* All keys below are at or above the one that leads there, which is itself above
		 * those before; the first of a branch is not used. */
		if (i && walk->has_last && u16_at(node + 6) <= sizeof(walk->last_key) &&
		    compare_keys(walk, walk->last_key, walk->last_key_bytes, node + NODE_BYTES,
				 u16_at(node + 6)) >= 0)
			weir_pages_fault(walk->pages,
					 "%s: the keys on branch page %" PRIu64 " are not in order",
					 walk->name, number);
		ret = walk_page(walk, child, level + 1);
		if (ret == -EBADMSG)
			ret = 0; /* counted; go on beside it */
	}
	return ret;
}

static int walk_page(struct weir_pages_walk *walk, uint64_t number, unsigned level)
{
	const uint8_t *page = walk->pages->page[level];
	int ret;

	if (walk->claim && !weir_pages_claim(walk->pages, number, walk->name))
		return -EBADMSG;
	if (walk->seen && number < walk->seen_pages) {
		if (walk->seen[number / 8] & 1 << number % 8)
			return -EBADMSG;
		walk->seen[number / 8] |= (uint8_t)(1 << number % 8);
	}
	ret = read_page(walk, number, level);
	if (ret)
		return ret;
	if (level + 1u > walk->found.depth)
		walk->found.depth = (uint16_t)(level + 1);
	if (u16_at(page + 10) & IS_LEAF)
		return walk_leaf(walk, number, page);
	return walk_branch(walk, number, page, level);
}

int weir_pages_walk(struct weir_pages_walk *walk, const struct weir_pages_database *database)
{
	int ret;

	walk->found = (struct weir_pages_database){.root = database->root};
	walk->has_last = false;
	if (database->root == NO_PAGE)
		return 0;
	ret = walk_page(walk, database->root, 0);
	return ret == -EBADMSG ? 0 : ret;
}

static int visit_name(void *arg, const struct weir_pages_entry *entry)
{
	struct weir_pages_names *names = arg;

	if (entry->value_bytes != sizeof(struct weir_pages_database) || !entry->value ||
	    entry->key_bytes >= sizeof(names->at[0].name)) {
		weir_pages_fault(names->pages, "the list of databases is damaged");
		return 0;
	}
	if (names->count == sizeof(names->at) / sizeof(names->at[0]))
		return 0;
	memcpy(names->at[names->count].name, entry->key, entry->key_bytes);
	names->at[names->count].name[entry->key_bytes] = '\0';
	memcpy(&names->at[names->count].database, entry->value, sizeof(struct weir_pages_database));
	names->count++;
	return 0;
}

int weir_pages_list(struct weir_pages_walk *walk, struct weir_pages_names *names)
{
	walk->name = "the list of databases";
	walk->visit = visit_name;
	walk->arg = names;
	*names = (struct weir_pages_names){.pages = walk->pages};
	return weir_pages_walk(walk, &walk->pages->root.main);
}

uint64_t weir_pages_entries(struct weir_pages *pages, const char *db)
{
	struct weir_pages_walk walk = {.pages = pages};
	struct weir_pages_names names;

	if (!pages->root.magic || weir_pages_list(&walk, &names))
		return 0;
	for (unsigned i = 0; i < names.count; i++)
		if (!strcmp(names.at[i].name, db))
			return names.at[i].database.entries;
	return 0;
}

int weir_pages_each(struct weir_pages *pages, const char *db, bool values, weir_pages_visit *visit,
		    void *arg, uint64_t *faults)
{
	struct weir_pages_walk walk = {.pages = pages};
	uint64_t before = pages->faults;
	struct weir_pages_names names;
	struct stat status;
	int ret;

	if (!pages->root.magic)
		return -ENOENT;
	if (fstat(pages->fd, &status))
		return -errno;
	walk.seen_pages = (uint64_t)status.st_size / pages->size;
	walk.seen = calloc(1, walk.seen_pages / 8 + 1);
	if (!walk.seen)
		return -ENOMEM;
	ret = weir_pages_list(&walk, &names);
	if (ret) {
		free(walk.seen);
		return ret;
	}
	ret = -ENOENT;
	walk = (struct weir_pages_walk){.pages = pages,
					.name = db,
					.values = values,
					.visit = visit,
					.arg = arg,
					.seen = walk.seen,
					.seen_pages = walk.seen_pages};
	for (unsigned i = 0; i < names.count; i++) {
		if (!strcmp(names.at[i].name, db))
			ret = weir_pages_walk(&walk, &names.at[i].database);
	}
	free(walk.seen);
	if (faults)
		*faults += pages->faults - before;
	return ret;
}

int weir_pages_orphans(struct weir_pages *pages, weir_pages_visit *visit, void *arg)
{
	struct weir_pages_walk walk = {.pages = pages, .values = true, .visit = visit, .arg = arg};
	struct stat status;
	uint64_t count, last = pages->root.last_page;
	uint8_t *page = pages->page[0];
	int ret = 0;

	if (fstat(pages->fd, &status))
		return -errno;
	count = (uint64_t)status.st_size / pages->size;
	/* Without a root nobody says where the file ends. */
	if (!pages->root.magic)
		pages->root.last_page = count ? count - 1 : 0;
	walk.name = "a lost page";
	for (uint64_t i = 2; i < count && !ret; i++) {
		if (i < pages->owned_pages && pages->owned[i / 8] & 1 << i % 8)
			continue;
		if (read_at(pages->fd, page, pages->size, i * pages->size) ||
		    weir_pages_u64(page) != i || !(u16_at(page + 10) & IS_LEAF) ||
		    !is_sound(page, pages->size, IS_LEAF))
			continue;
		walk.has_last = false;
		ret = walk_leaf(&walk, i, page);
	}
	pages->root.last_page = last;
	return ret;
}
