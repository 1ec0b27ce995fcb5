// SPDX-License-Identifier: GPL-2.0
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/block.h"
#include "daemon/store/salvage.h"

/* Numbers that were met. Open addressing; 0 is no number. */
struct set {
	uint64_t *slots;
	size_t room, count; /* room: a power of two */
};

struct known {
	uint64_t number, records;
};

struct work {
	struct weir_salvage *salvage;
	struct weir_block_reader *reader;
	struct weir_flow *flows;
	struct known *known; /* of the index of times, ascending */
	size_t known_count, known_room;
	uint64_t times_faults;
	struct set blocks, segments;
	bool orphans; /* what is visited now nobody leads to */
	bool all_orphans; /* and it is known not to be free */
	struct weir_survey_meta candidate;
	unsigned candidate_keys;
	uint64_t candidate_sum, candidate_found; /* as written, and of what was found */
	bool candidate_has_sum;
};

static bool set_has(const struct set *set, uint64_t number)
{
	if (!set->room)
		return false;
	for (size_t i = number * 0x9e3779b97f4a7c15u & (set->room - 1);; i = (i + 1) & (set->room - 1)) {
		if (set->slots[i] == number)
			return true;
		if (!set->slots[i])
			return false;
	}
}

static int set_put(struct set *set, uint64_t number)
{
	if (2 * set->count >= set->room) {
		struct set grown = {.room = set->room ? 2 * set->room : 1024};

		grown.slots = calloc(grown.room, sizeof(*grown.slots));
		if (!grown.slots)
			return -ENOMEM;
		for (size_t i = 0; i < set->room; i++)
			if (set->slots[i])
				set_put(&grown, set->slots[i]);
		free(set->slots);
		*set = grown;
	}
	for (size_t i = number * 0x9e3779b97f4a7c15u & (set->room - 1);; i = (i + 1) & (set->room - 1)) {
		if (set->slots[i])
			continue;
		set->slots[i] = number;
		set->count++;
		return 0;
	}
}

static bool number_of(const struct weir_pages_entry *entry, uint64_t *number)
{
	uint64_t big;

	if (entry->key_bytes != sizeof(big))
		return false;
	memcpy(&big, entry->key, sizeof(big));
	*number = be64toh(big);
	return *number != 0;
}

static const struct known *find_known(const struct work *work, uint64_t number)
{
	size_t low = 0, high = work->known_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (work->known[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < work->known_count && work->known[low].number == number ? &work->known[low] :
									       NULL;
}

static bool is_cancelled(const struct work *work)
{
	return work->salvage->cancel && *work->salvage->cancel;
}

static int visit_times(void *arg, const struct weir_pages_entry *entry)
{
	struct work *work = arg;
	struct weir_meta_times times;
	uint64_t number;

	if (!entry->value || !number_of(entry, &number))
		return 0;
	if (work->known_count && number <= work->known[work->known_count - 1].number)
		return 0; /* out of order: damaged */
	if (work->known_count == work->known_room) {
		size_t room = work->known_room ? 2 * work->known_room : 1024;
		struct known *grown = reallocarray(work->known, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		work->known = grown;
		work->known_room = room;
	}
	weir_meta_decode(entry->value, entry->value_bytes, &times, sizeof(times));
	work->known[work->known_count++] = (struct known){number, times.records};
	return 0;
}

static void count_block(struct weir_salvage *salvage, uint64_t number,
			const struct weir_meta_times *times, const struct weir_totals *totals)
{
	struct weir_meta_held *held = &salvage->held;

	if (!held->blocks || times->min_ns < held->min_ns)
		held->min_ns = times->min_ns;
	if (!held->blocks || times->max_ns > held->max_ns)
		held->max_ns = times->max_ns;
	held->blocks++;
	held->records += times->records;
	weir_totals_add(&salvage->totals, totals);
	if (number > salvage->last_block)
		salvage->last_block = number;
}

static int take_block(struct work *work, const struct weir_pages_entry *entry)
{
	struct weir_salvage *salvage = work->salvage;
	struct weir_meta_times times;
	struct weir_totals totals;
	uint64_t number;
	char why[160];

	if (is_cancelled(work))
		return -ECANCELED;
	if (!entry->value || !number_of(entry, &number) || set_has(&work->blocks, number))
		return 0;
	if (salvage->block_limit && number > salvage->block_limit)
		return 0;
	/* An old page may hold what was removed since, unless it is known to be in use. */
	if (work->orphans && !find_known(work, number) &&
	    !(work->all_orphans && work->times_faults))
		return 0;
	if (weir_check_block(work->reader, work->flows, number, entry->value, entry->value_bytes,
			     &times, &totals, why, sizeof(why)))
		return 0;
	count_block(salvage, number, &times, &totals);
	if (set_put(&work->blocks, number))
		return -ENOMEM;
	return salvage->block ? salvage->block(salvage->arg, number, entry, &times) : 0;
}

static int take_segment(struct work *work, const struct weir_pages_entry *entry)
{
	struct weir_salvage *salvage = work->salvage;
	uint64_t seq;
	char why[160];

	if (!number_of(entry, &seq))
		return 0;
	if (!work->orphans && seq > salvage->highest_segment)
		salvage->highest_segment = seq;
	if (!entry->value || !entry->value_bytes || set_has(&work->segments, seq))
		return 0;
	if (salvage->segment_limit && seq > salvage->segment_limit)
		return 0;
	if (work->orphans && !work->all_orphans)
		return 0;
	if (salvage->check_segment &&
	    !salvage->check_segment(salvage->check_arg, seq, entry->value, entry->value_bytes,
				    NULL, why, sizeof(why))) {
		salvage->lost_segments += !work->orphans;
		return 0;
	}
	salvage->segments++;
	if (seq > salvage->last_segment)
		salvage->last_segment = seq;
	if (set_put(&work->segments, seq))
		return -ENOMEM;
	return salvage->segment ? salvage->segment(salvage->arg, seq, entry) : 0;
}

static int visit_block(void *arg, const struct weir_pages_entry *entry)
{
	struct work *work = arg;
	uint64_t number;

	if (number_of(entry, &number) && number > work->salvage->highest_block)
		work->salvage->highest_block = number;
	return take_block(arg, entry);
}

static int visit_segment(void *arg, const struct weir_pages_entry *entry)
{
	return take_segment(arg, entry);
}

enum {
	HAS_FORMAT = 1,
	HAS_HELD = 2,
	HAS_POSITION = 4,
	HAS_STORED = 8,
	HAS_SUMMED = 16,
	HAS_ALL = 31,
};

static unsigned take_state(struct work *work, const char *key, const struct weir_pages_entry *entry)
{
	struct weir_store_state *state = &work->candidate.state;

	if (weir_meta_decode_state(key, entry->value, entry->value_bytes, state))
		return 0;
	/* In the order of the keys, which is that of the sum. */
	work->candidate_found =
		weir_meta_sum_value(work->candidate_found, entry->value, entry->value_bytes);
	return !strcmp(key, "position") ? HAS_POSITION :
	       !strcmp(key, "stored")	? HAS_STORED :
					  HAS_SUMMED;
}

/* All keys are on one page, in order of the alphabet, so that one page is one commit. */
static int visit_meta(void *arg, const struct weir_pages_entry *entry)
{
	struct work *work = arg;
	struct weir_survey_meta *meta = &work->candidate;
	char key[16] = "";

	if (!entry->value || entry->key_bytes >= sizeof(key))
		return 0;
	memcpy(key, entry->key, entry->key_bytes);
	if (!strcmp(key, "base")) {
		meta->has_base = true;
		weir_meta_decode(entry->value, entry->value_bytes, &meta->base, sizeof(meta->base));
	} else if (!strcmp(key, "damaged")) {
		weir_meta_decode(entry->value, entry->value_bytes, &meta->damaged,
				 sizeof(meta->damaged));
	} else if (!strcmp(key, "format")) {
		work->candidate_keys |= HAS_FORMAT;
	} else if (!strcmp(key, "held")) {
		weir_meta_decode(entry->value, entry->value_bytes, &meta->held, sizeof(meta->held));
		work->candidate_keys |= HAS_HELD;
	} else if (!strcmp(key, "sum")) {
		weir_meta_decode(entry->value, entry->value_bytes, &work->candidate_sum,
				 sizeof(work->candidate_sum));
		work->candidate_has_sum = true;
	} else {
		work->candidate_keys |= take_state(work, key, entry);
	}
	return 0;
}

static bool is_later(const struct weir_store_state *a, const struct weir_store_state *b)
{
	if (a->last_block != b->last_block)
		return a->last_block > b->last_block;
	if (a->position.instances != b->position.instances)
		return a->position.instances > b->position.instances;
	if (a->position.seq != b->position.seq)
		return a->position.seq > b->position.seq;
	return a->summed.seq > b->summed.seq;
}

static void forget_candidate(struct work *work)
{
	work->candidate = (struct weir_survey_meta){0};
	work->candidate_keys = 0;
	work->candidate_has_sum = false;
	work->candidate_found = 0;
}

static void keep_candidate(struct work *work, enum weir_salvage_meta kind)
{
	struct weir_salvage *salvage = work->salvage;
	bool whole = work->candidate_keys == HAS_ALL &&
		     (!work->candidate_has_sum ||
		      work->candidate_sum == work->candidate_found);

	if (whole && salvage->has_meta != WEIR_SALVAGE_META &&
	    (!salvage->has_meta || is_later(&work->candidate.state, &salvage->meta.state))) {
		salvage->meta = work->candidate;
		salvage->has_meta = kind;
	}
	forget_candidate(work);
}

/* Of a lost page: meta, blocks, segments, or an index. What it is shows in the key and the value. */
static int visit_orphan(void *arg, const struct weir_pages_entry *entry)
{
	struct work *work = arg;
	uint64_t number;

	if (!number_of(entry, &number)) {
		visit_meta(work, entry);
		if (entry->key_bytes == 6 && !memcmp(entry->key, "summed", 6))
			keep_candidate(work, WEIR_SALVAGE_OLD_META);
		return 0;
	}
	if (!entry->value || entry->value_bytes < 64)
		return 0;
	if (!memcmp(entry->value, "WBLK", 4))
		return take_block(work, entry);
	return take_segment(work, entry);
}

static int walk(struct work *work, struct weir_pages *pages)
{
	struct {
		const char *db;
		weir_pages_visit *visit;
	} trees[] = {{"meta", visit_meta},
		     {"times", visit_times},
		     {"blocks", visit_block},
		     {"segments", visit_segment}};
	int ret = 0;

	weir_pages_check(pages, NULL, NULL);
	work->all_orphans = weir_pages_free_known(pages);
	for (unsigned i = 0; i < 4 && !ret; i++) {
		uint64_t faults = 0;

		ret = weir_pages_each(pages, trees[i].db, true, trees[i].visit, work, &faults);
		if (i == 0 && !ret && !faults)
			keep_candidate(work, WEIR_SALVAGE_META);
		if (i == 1)
			work->times_faults = faults + (ret == -ENOENT);
		if (i == 3)
			work->salvage->segments_known = !ret && !faults;
		if (ret == -ENOENT)
			ret = 0;
	}
	work->orphans = true;
	forget_candidate(work);
	return ret ? ret : weir_pages_orphans(pages, visit_orphan, work);
}

static void count_lost(struct work *work)
{
	if (work->known_count &&
	    work->known[work->known_count - 1].number > work->salvage->highest_block)
		work->salvage->highest_block = work->known[work->known_count - 1].number;
	for (size_t i = 0; i < work->known_count; i++) {
		if (set_has(&work->blocks, work->known[i].number))
			continue;
		work->salvage->lost_blocks++;
		work->salvage->lost_records += work->known[i].records;
	}
}

int weir_salvage_partition(const char *path, struct weir_salvage *salvage)
{
	struct work work = {.salvage = salvage};
	char *file = weir_folder_path(path, "data.mdb");
	struct weir_pages *pages = NULL;
	int ret = file ? weir_pages_open(file, &pages) : -ENOMEM;

	free(file);
	if (ret && ret != -EBADMSG)
		return ret == -ENOENT ? 0 : ret;
	work.flows = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*work.flows));
	ret = work.flows ? weir_block_reader_new(&work.reader) : -ENOMEM;
	if (!ret)
		ret = walk(&work, pages);
	if (!ret)
		count_lost(&work);
	weir_pages_close(pages);
	weir_block_reader_free(work.reader);
	free(work.flows);
	free(work.known);
	free(work.blocks.slots);
	free(work.segments.slots);
	return ret;
}
