// SPDX-License-Identifier: GPL-2.0
/*
 * choose.c - codecs chosen by what they do to the records that come.
 *
 * Every candidate of a column is tried on a block now and then, and the best one serves
 * until the next trial. What is best depends on the network: whether an address has one MAC
 * address, whether times are whole milliseconds, how many services there are. The
 * candidates are those that were worth it on the records of tests/bench/flowgen.c (65536 to
 * a block, times in ms; bytes and ns a record to decode, on a busy machine, make bench-block
 * prints them anew):
 *
 *   src_addr    runs 0.09 2.1            codes 0.23 1.8            1.31 for the addresses of both
 *   dst_addr    codes 1.43 2.8           ascending 1.28 5.4        must read sources as well
 *   ports       frequent 1.24 1.9        frame 1.46 2.9            services here, noise there
 *   protocol    dictionary 0.17 0.5      frame 0.22 1.4            indexes need fewer bits
 *   tcp_flags   dictionary 0.26 0.3      frame 0.33 1.2
 *   packets     dictionary 0.58 0.6      frame 0.57 1.2            while there are 256 at most
 *   bytes       frame 1.66 1.3                                     quotient and rest by packets: 1.70
 *   end_ns      frame 1.38 0.8                                     all end at about the same time
 *   start_ns    delta to end 1.22 3.5    frame 1.52 1.2
 *   second_ns   delta to start 0.63 4.8  delta to end 1.21 3.2     frame 2.03 5.9
 *   payload_ns  delta to start 0.75 6.0  delta to second 0.74 7.5  frame 1.72 5.9
 *   out_ifindex dictionary 0.12 0.4      map of dst_addr 0.02 3.8
 *   min_ttl     dictionary 0.20 0.6      map of src_addr 0.13 3.0
 *   src_mac     map of src_addr 0.53 3.9 frame 0.81 3.0
 *
 * All columns of these records together: 13.5 bytes hot, 12.9 cold, and 23.8 without zstd; lz4
 * in its place makes 16.7, as it has no entropy coding, and of zstd's levels the first is best
 * (pack.c). With times in ns 21.7 and 21.0: 8 of these are the digits of four times below the ms.
 * Sorting rows by destination within a source is worth 0.3. Hot, addresses and ports are less
 * compressed than this table says (block_write.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/store/choose.h"

enum {
	/* Blocks from one trial of all candidates to the next: traffic changes its nature by the
	 * hour, and a trial costs about three times as much as writing. */
	TRIAL_BLOCKS = 64,
	CANDIDATES_MAX = 5,
	/* An earlier candidate is faster to read, and gives way only to one that saves so much of it. */
	GAIN_PART = 30,
	/* A column that needs another one, to be read, must be smaller by a byte for so many records:
	 * most queries do without the other. */
	NEEDS_OTHER_RECORDS = 5,
};

struct memory {
	struct weir_codec_choice choice; /* codec 0: none yet */
	unsigned blocks; /* until the next trial */
	uint32_t count; /* records in the last trial */
};

struct weir_chooser {
	struct memory memory[WEIR_COLUMN_END];
	struct weir_bytes trial, best;
	bool thorough;
};

#define ANY  {WEIR_CODEC_DICTIONARY, 0}, {WEIR_CODEC_FRAME, 0}
#define ENDS {WEIR_CODEC_MAP, WEIR_COLUMN_SRC_ADDR}, {WEIR_CODEC_MAP, WEIR_COLUMN_DST_ADDR}

static const struct weir_codec_choice candidates[WEIR_COLUMN_END][CANDIDATES_MAX] = {
	[WEIR_COLUMN_SRC_ADDR] = {{WEIR_CODEC_RUNS, 0}, {WEIR_CODEC_CODES, 0}},
	[WEIR_COLUMN_DST_ADDR] = {{WEIR_CODEC_CODES, 0},
				  {WEIR_CODEC_ASCENDING, WEIR_COLUMN_SRC_ADDR}},
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
				   {WEIR_CODEC_DELTA, WEIR_COLUMN_END_NS},
				   {WEIR_CODEC_DELTA, WEIR_COLUMN_START_NS}},
	[WEIR_COLUMN_PAYLOAD_NS] = {{WEIR_CODEC_FRAME, 0},
				    {WEIR_CODEC_DELTA, WEIR_COLUMN_START_NS},
				    {WEIR_CODEC_DELTA, WEIR_COLUMN_SECOND_NS}},
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
	[WEIR_COLUMN_SAMPLING] = {ANY},
	[WEIR_COLUMN_NAT_SRC_HIGH] = {ANY, ENDS},
	[WEIR_COLUMN_NAT_SRC_LOW] = {ANY, ENDS},
	[WEIR_COLUMN_NAT_DST_HIGH] = {ANY, ENDS},
	[WEIR_COLUMN_NAT_DST_LOW] = {ANY, ENDS},
	[WEIR_COLUMN_NAT_SRC_PORT] = {ANY,
				      {WEIR_CODEC_FREQUENT, 0},
				      {WEIR_CODEC_DELTA, WEIR_COLUMN_SRC_PORT}},
	[WEIR_COLUMN_NAT_DST_PORT] = {ANY,
				      {WEIR_CODEC_FREQUENT, 0},
				      {WEIR_CODEC_DELTA, WEIR_COLUMN_DST_PORT}},
	[WEIR_COLUMN_TUNNEL] = {ANY, ENDS},
	[WEIR_COLUMN_TUNNEL_ID] = {ANY, ENDS},
	[WEIR_COLUMN_NETNS] = {ANY, ENDS},
	[WEIR_COLUMN_INNER_VLAN_ID] = {ANY, ENDS},
	[WEIR_COLUMN_MPLS_LABEL] = {ANY, ENDS},
	[WEIR_COLUMN_PPPOE_SESSION] = {ANY, ENDS},
	[WEIR_COLUMN_SAMPLING_METHOD] = {ANY},
};

const struct weir_codec_choice *weir_chooser_candidates(enum weir_column_id id, unsigned *count)
{
	for (*count = 0; *count < CANDIDATES_MAX && candidates[id][*count].codec; ++*count)
		;
	return candidates[id];
}

int weir_chooser_new(bool thorough, struct weir_chooser **chooser)
{
	struct weir_chooser *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->thorough = thorough;
	*chooser = new;
	return 0;
}

void weir_chooser_free(struct weir_chooser *chooser)
{
	if (!chooser)
		return;
	weir_bytes_free(&chooser->trial);
	weir_bytes_free(&chooser->best);
	free(chooser);
}

/* Whether @bytes by @choice are better than @best_bytes. */
static bool is_better(const struct weir_chooser *chooser, uint32_t count,
		      struct weir_codec_choice choice, size_t bytes, struct weir_codec_choice best,
		      size_t best_bytes)
{
	size_t handicap = count / NEEDS_OTHER_RECORDS;

	if (!best.codec)
		return true;
	if (chooser->thorough)
		return bytes < best_bytes;
	if (choice.base && !best.base)
		bytes += handicap;
	return bytes + best_bytes / GAIN_PART < best_bytes;
}

/* All candidates; the best one goes into chooser->best. */
static struct weir_codec_choice try_all(struct weir_chooser *chooser, struct weir_coder *coder,
					enum weir_column_id id, uint32_t records)
{
	struct weir_codec_choice best = {0};
	unsigned count;
	const struct weir_codec_choice *choices = weir_chooser_candidates(id, &count);

	for (unsigned i = 0; i < count; i++) {
		struct weir_bytes swap = chooser->best;

		weir_bytes_reset(&chooser->trial);
		if (!weir_coder_write(coder, choices[i], &chooser->trial) ||
		    !is_better(chooser, records, choices[i], chooser->trial.count, best,
			       swap.count))
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
	memory->choice = try_all(chooser, coder, id, count);
	memory->blocks = chooser->thorough ? 0 : TRIAL_BLOCKS;
	memory->count = count;
	weir_bytes_put(to, chooser->best.data, chooser->best.count);
	if (chooser->best.error || chooser->trial.error)
		to->error = -ENOMEM;
	return memory->choice;
}
