// SPDX-License-Identifier: GPL-2.0
#include "daemon/node/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/common/large.h"

enum {
	FIRST_SLOTS_LOG2 = 10,
	/* Of groups: as many as a quiet node has. */
	SMALL_BYTES = 2 << 20,
};

int weir_groups_new(unsigned words, uint32_t max, struct weir_groups *groups)
{
	struct weir_groups new = {.words = words, .max = max};

	if (!words || words > WEIR_GROUPS_WORDS_MAX || !max || max > INT32_MAX / 2)
		return -EINVAL;
	new.stride = words == 1 ? 4 : 8;
	new.shift = 32 - FIRST_SLOTS_LOG2;
	new.mask = (1U << FIRST_SLOTS_LOG2) - 1;
	/* What is never touched takes no memory, so this does not have to grow. */
	new.memory =
		weir_large_alloc(((size_t)max + 1) * new.stride * sizeof(uint64_t), SMALL_BYTES);
	new.slots = calloc((size_t) new.mask + 1, sizeof(*new.slots));
	if (!new.memory || !new.slots) {
		weir_groups_free(&new);
		return -ENOMEM;
	}
	if (getrandom(new.seed, sizeof(new.seed), 0) != sizeof(new.seed)) {
		weir_groups_free(&new);
		return -EIO;
	}
	*groups = new;
	return 0;
}

void weir_groups_free(struct weir_groups *groups)
{
	free(groups->memory);
	free(groups->slots);
	groups->memory = NULL;
	groups->slots = NULL;
}

void weir_groups_clear(struct weir_groups *groups)
{
	groups->count = 0;
	memset(groups->slots, 0, ((size_t)groups->mask + 1) * sizeof(*groups->slots));
}

static void put_slot(struct weir_groups *groups, struct weir_groups_slot slot)
{
	uint32_t at = slot.tag >> groups->shift;

	while (groups->slots[at].number)
		at = (at + 1) & groups->mask;
	groups->slots[at] = slot;
}

/* Twice as many slots, filled from the tags without reading a group. */
static int add_slots(struct weir_groups *groups)
{
	struct weir_groups_slot *old = groups->slots;
	size_t count = (size_t)groups->mask + 1;
	struct weir_groups_slot *slots = weir_large_alloc(2 * count * sizeof(*slots), 0);

	if (!slots)
		return -ENOMEM;
	memset(slots, 0, 2 * count * sizeof(*slots));
	groups->slots = slots;
	groups->mask = (uint32_t)(2 * count - 1);
	groups->shift--;
	for (size_t i = 0; i < count; i++)
		if (old[i].number)
			put_slot(groups, old[i]);
	free(old);
	return 0;
}

uint32_t weir_groups_append(struct weir_groups *groups, const uint64_t *key, uint64_t hash)
{
	struct weir_groups_entry *entry;

	if (groups->count == groups->max)
		return WEIR_GROUPS_NONE;
	if (2 * (groups->count + 1) > groups->mask && add_slots(groups))
		return WEIR_GROUPS_NONE;
	entry = weir_groups_at(groups, ++groups->count);
	memset(&entry->totals, 0, sizeof(entry->totals));
	memcpy(entry->key, key, groups->words * sizeof(*key));
	put_slot(groups, (struct weir_groups_slot){(uint32_t)(hash >> 32), groups->count});
	return groups->count;
}
