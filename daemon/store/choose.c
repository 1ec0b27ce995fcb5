// SPDX-License-Identifier: GPL-2.0
/* choose.c - codecs chosen by what they do to the records that come. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/choose.h"

enum {
	/* Blocks from one trial of all candidates to the next: traffic changes its nature by the
	 * hour, and a trial costs about three times as much as writing. */
	TRIAL_BLOCKS = 64,
	CANDIDATES_MAX = 5,
};

struct memory {
	struct weir_codec_choice choice; /* codec 0: none yet */
	unsigned blocks; /* until the next trial */
	uint32_t count; /* records in the last trial */
};

struct weir_chooser {
	struct memory memory[WEIR_COLUMN_END];
	struct weir_bytes trial, best;
};

#define ANY  {WEIR_CODEC_FRAME, 0}, {WEIR_CODEC_DICTIONARY, 0}
#define ENDS {WEIR_CODEC_MAP, WEIR_COLUMN_SRC_ADDR}, {WEIR_CODEC_MAP, WEIR_COLUMN_DST_ADDR}

static const struct weir_codec_choice candidates[WEIR_COLUMN_END][CANDIDATES_MAX] = {
	[WEIR_COLUMN_SRC_ADDR] = {{WEIR_CODEC_RUNS, 0}, {WEIR_CODEC_CODES, 0}},
	[WEIR_COLUMN_DST_ADDR] = {{WEIR_CODEC_ASCENDING, WEIR_COLUMN_SRC_ADDR},
				  {WEIR_CODEC_CODES, 0}},
	[WEIR_COLUMN_SRC_PORT] = {ANY, {WEIR_CODEC_FREQUENT, 0}},
	[WEIR_COLUMN_DST_PORT] = {ANY, {WEIR_CODEC_FREQUENT, 0}},
	[WEIR_COLUMN_PROTOCOL] = {ANY},
	[WEIR_COLUMN_IP_VERSION] = {ANY, ENDS},
	[WEIR_COLUMN_TOS] = {ANY, ENDS},
	[WEIR_COLUMN_VLAN_ID] = {ANY, ENDS},
	[WEIR_COLUMN_IN_IFINDEX] = {ANY, ENDS},
	[WEIR_COLUMN_OUT_IFINDEX] = {ANY, ENDS},
	[WEIR_COLUMN_PACKETS] = {ANY},
	[WEIR_COLUMN_BYTES] = {ANY},
	[WEIR_COLUMN_START_NS] = {{WEIR_CODEC_FRAME, 0}, {WEIR_CODEC_DELTA, WEIR_COLUMN_END_NS}},
	[WEIR_COLUMN_END_NS] = {{WEIR_CODEC_FRAME, 0}},
	[WEIR_COLUMN_SECOND_NS] = {{WEIR_CODEC_FRAME, 0},
				   {WEIR_CODEC_DELTA, WEIR_COLUMN_START_NS},
				   {WEIR_CODEC_DELTA, WEIR_COLUMN_END_NS}},
	[WEIR_COLUMN_PAYLOAD_NS] = {{WEIR_CODEC_FRAME, 0},
				    {WEIR_CODEC_DELTA, WEIR_COLUMN_SECOND_NS},
				    {WEIR_CODEC_DELTA, WEIR_COLUMN_START_NS}},
	[WEIR_COLUMN_MARK] = {ANY, ENDS},
	[WEIR_COLUMN_FRAGMENTS] = {ANY},
	[WEIR_COLUMN_RETRANSMITTED] = {ANY},
	[WEIR_COLUMN_OUT_OF_ORDER] = {ANY},
	[WEIR_COLUMN_TCP_FLAGS] = {ANY},
	[WEIR_COLUMN_FLAGS] = {ANY},
	[WEIR_COLUMN_END_REASON] = {ANY},
	[WEIR_COLUMN_OBSERVED] = {ANY},
	[WEIR_COLUMN_MIN_TTL] = {ANY, ENDS},
	[WEIR_COLUMN_SRC_MAC] = {ANY, ENDS},
	[WEIR_COLUMN_DST_MAC] = {ANY, ENDS},
};

const struct weir_codec_choice *weir_chooser_candidates(enum weir_column_id id, unsigned *count)
{
	for (*count = 0; *count < CANDIDATES_MAX && candidates[id][*count].codec; ++*count)
		;
	return candidates[id];
}

int weir_chooser_new(struct weir_chooser **chooser)
{
	*chooser = calloc(1, sizeof(**chooser));
	return *chooser ? 0 : -ENOMEM;
}

void weir_chooser_free(struct weir_chooser *chooser)
{
	if (!chooser)
		return;
	weir_bytes_free(&chooser->trial);
	weir_bytes_free(&chooser->best);
	free(chooser);
}

/* All candidates; the smallest one goes into chooser->best. An earlier one is simpler to read, and
 * gives way only to one that saves a thirtieth. */
static struct weir_codec_choice try_all(struct weir_chooser *chooser, struct weir_coder *coder,
					enum weir_column_id id)
{
	struct weir_codec_choice best = {0};
	unsigned count;
	const struct weir_codec_choice *choices = weir_chooser_candidates(id, &count);

	for (unsigned i = 0; i < count; i++) {
		struct weir_bytes swap = chooser->best;

		weir_bytes_reset(&chooser->trial);
		if (!weir_coder_write(coder, choices[i], &chooser->trial))
			continue;
		if (best.codec && chooser->trial.count + swap.count / 30 >= swap.count)
			continue;
		best = choices[i];
		chooser->best = chooser->trial;
		chooser->trial = swap;
	}
	return best;
}

struct weir_codec_choice weir_chooser_write(struct weir_chooser *chooser, struct weir_coder *coder,
					    enum weir_column_id id, uint32_t count,
					    struct weir_bytes *to)
{
	struct memory *memory = &chooser->memory[id];

	/* What is right for a hundred records says nothing of 65536. */
	if (memory->choice.codec && memory->blocks && count / 4 <= memory->count &&
	    memory->count / 4 <= count) {
		memory->blocks--;
		if (weir_coder_write(coder, memory->choice, to))
			return memory->choice;
	}
	memory->choice = try_all(chooser, coder, id);
	memory->blocks = TRIAL_BLOCKS;
	memory->count = count;
	weir_bytes_put(to, chooser->best.data, chooser->best.count);
	if (chooser->best.error || chooser->trial.error)
		to->error = -ENOMEM;
	return memory->choice;
}
