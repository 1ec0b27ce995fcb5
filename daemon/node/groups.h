/* SPDX-License-Identifier: GPL-2.0 */
/*
 * groups.h - sums by key, made for the summary: a bounded number of groups, keys of one to
 * three 64-bit words, found in steps that the caller can take for many records at once.
 *
 * A lookup touches two cache lines that are rarely in the cache: a slot, which holds a
 * part of the hash and the group's number, and the group. So the caller hashes a row of keys and
 * asks for all slots (weir_groups_want_slot()), then for all groups (weir_groups_want_group()),
 * and then looks them up: the memory works on all of them at the same time.
 *
 * Keys are what strangers put into packets. The hash is multilinear over words with random
 * keys of 128 bits: strongly universal, so two keys chosen without knowing those collide
 * with probability 2^-64, and nobody outside sees what collides. Slots are at most half full.
 */
#ifndef WEIR_NODE_GROUPS_H
#define WEIR_NODE_GROUPS_H

#include "daemon/common/flow.h"

enum {
	WEIR_GROUPS_WORDS_MAX = 3,
	WEIR_GROUPS_NONE = 0, /* numbers of groups count from 1 */
};

struct weir_groups_slot {
	uint32_t tag;	 /* upper half of the hash */
	uint32_t number; /* WEIR_GROUPS_NONE: empty */
};

struct weir_groups {
	unsigned words; /* of a key */
	unsigned stride; /* words from a group to the next; 2^n, so that none straddles */
	uint32_t count, max;
	uint32_t shift; /* 32 - log2 of the number of slots: a tag shifted by it is a slot */
	uint32_t mask;	/* slots - 1 */
	struct weir_groups_slot *slots;
	uint64_t *memory; /* of groups, by number */
	unsigned __int128 seed[WEIR_GROUPS_WORDS_MAX + 1];
};

/* A group in memory; the words of its key follow. */
struct weir_groups_entry {
	struct weir_totals totals;
	uint64_t key[];
};

/* -EINVAL, -ENOMEM, -EIO: no random numbers. */
int weir_groups_new(unsigned words, uint32_t max, struct weir_groups *groups);
void weir_groups_free(struct weir_groups *groups);
void weir_groups_clear(struct weir_groups *groups);
/* A new group with @key, which has none; its number, or WEIR_GROUPS_NONE: there is no room. */
uint32_t weir_groups_append(struct weir_groups *groups, const uint64_t *key, uint64_t hash);

/* @number: 1 to groups->count. */
static inline struct weir_groups_entry *weir_groups_at(const struct weir_groups *groups,
						       uint32_t number)
{
	return (struct weir_groups_entry *)(groups->memory + (size_t)number * groups->stride);
}

/* @words: groups->words, as a constant where the caller has one, so that the loop unrolls. */
static inline uint64_t weir_groups_hash(const struct weir_groups *groups, const uint64_t *key,
					unsigned words)
{
	unsigned __int128 sum = groups->seed[WEIR_GROUPS_WORDS_MAX];

	for (unsigned i = 0; i < words; i++)
		sum += groups->seed[i] * key[i];
	return (uint64_t)(sum >> 64);
}

static inline uint32_t weir_groups_slot_of(const struct weir_groups *groups, uint64_t hash)
{
	return (uint32_t)(hash >> 32 >> groups->shift);
}

static inline void weir_groups_want_slot(const struct weir_groups *groups, uint64_t hash)
{
	__builtin_prefetch(&groups->slots[weir_groups_slot_of(groups, hash)]);
}

/* Ask for the first group whose hash looks like @hash, if there is one. */
static inline void weir_groups_want_group(const struct weir_groups *groups, uint64_t hash)
{
	uint32_t at = weir_groups_slot_of(groups, hash), tag = (uint32_t)(hash >> 32);

	while (groups->slots[at].number && groups->slots[at].tag != tag)
		at = (at + 1) & groups->mask;
	/* Number 0, of the empty slot, is memory nobody uses. */
	__builtin_prefetch(weir_groups_at(groups, groups->slots[at].number));
}

/* The number of the group of @key, made if there is none, or WEIR_GROUPS_NONE: no room. */
static inline uint32_t weir_groups_find(struct weir_groups *groups, const uint64_t *key,
					unsigned words, uint64_t hash)
{
	uint32_t at = weir_groups_slot_of(groups, hash), tag = (uint32_t)(hash >> 32);

	for (; groups->slots[at].number; at = (at + 1) & groups->mask) {
		const struct weir_groups_entry *entry;
		uint64_t differs = 0;

		if (groups->slots[at].tag != tag)
			continue;
		entry = weir_groups_at(groups, groups->slots[at].number);
		for (unsigned i = 0; i < words; i++)
			differs |= entry->key[i] ^ key[i];
		if (!differs)
			return groups->slots[at].number;
	}
	return weir_groups_append(groups, key, hash);
}

#endif
