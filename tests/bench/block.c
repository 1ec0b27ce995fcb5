// SPDX-License-Identifier: GPL-2.0
/*
 * block.c - what blocks take on disk and cost to make and to read.
 *
 *	build/bench/block [-b BLOCKS] [-r RECORDS_PER_BLOCK] [-l none|hot|cold] [-c] [-w ms|ns]
 *
 * Figures are lines of name, value, unit, with tabs between. -c: every codec that is tried for a
 * column, on its own. Times are of the processor, of one thread, the least over blocks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/store/block.h"
#include "daemon/store/choose.h"
#include "tests/bench/flowgen.h"

enum { BLOCKS_MAX = 1000 };

static struct {
	unsigned blocks;
	size_t records;
	enum weir_block_level level;
	bool candidates;
	bool milliseconds, nanoseconds;
} options = {8, 65536, WEIR_BLOCK_LEVEL_HOT, false, true, true};

static const char *prefix;
static double samples[BLOCKS_MAX];

static double now_ns(void)
{
	struct timespec ts;

	/* What others do on this machine is not in it. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

/* What else runs on the machine only ever adds. */
static double least(unsigned count)
{
	qsort(samples, count, sizeof(*samples), compare);
	return samples[0];
}

static void print(const char *name, const char *detail, double value, const char *unit)
{
	printf("%s.%s%s%s\t%.3f\t%s\n", prefix, name, *detail ? "." : "", detail, value, unit);
}

struct made {
	uint8_t *data;
	size_t bytes;
};

static struct weir_flow *generate(bool milliseconds)
{
	struct weir_flowgen_options o = {.milliseconds = milliseconds};
	struct weir_flowgen *gen = weir_flowgen_new(&o);
	struct weir_flow *flows = malloc(options.blocks * options.records * sizeof(*flows));

	if (!gen || !flows)
		exit(1);
	weir_flowgen_fill(gen, flows, options.blocks * options.records);
	weir_flowgen_free(gen);
	return flows;
}

static void encode(const struct weir_flow *flows, struct made *made)
{
	struct weir_block_writer *writer;
	double total = 0;

	if (weir_block_writer_new(options.level, &writer))
		exit(1);
	for (unsigned i = 0; i < options.blocks; i++) {
		struct weir_block_times times;
		double start = now_ns();
		uint8_t *block;

		if (weir_block_write(writer, flows + i * options.records, options.records, &block,
				     &made[i].bytes, &times))
			exit(1);
		weir_block_seal(i, block, made[i].bytes);
		samples[i] = (now_ns() - start) / (double)options.records;
		made[i].data = malloc(made[i].bytes);
		memcpy(made[i].data, block, made[i].bytes);
		total += (double)made[i].bytes;
	}
	print("first_block", "", samples[0], "ns/flow");
	print("encode", "", least(options.blocks), "ns/flow");
	print("size", "", total / (double)(options.blocks * options.records), "bytes/flow");
	weir_block_writer_free(writer);
}

static void print_sections(const struct made *made)
{
	struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX];
	struct weir_block_reader *reader;
	unsigned count;

	if (weir_block_reader_new(&reader) ||
	    weir_block_open(reader, options.blocks - 1, made[options.blocks - 1].data,
			    made[options.blocks - 1].bytes))
		exit(1);
	count = weir_block_sections(reader, sections);
	for (unsigned i = 0; i < count; i++) {
		char detail[64];

		snprintf(detail, sizeof(detail), "%s.%s", sections[i].name, sections[i].codec);
		print("bytes", detail, sections[i].bytes / (double)options.records, "bytes/flow");
	}
	weir_block_reader_free(reader);
}

static void open_block(struct weir_block_reader *reader, const struct made *made, unsigned i)
{
	if (weir_block_open(reader, i, made[i].data, made[i].bytes))
		exit(1);
}

/* Each column alone, with what it needs of others. */
static void decode(const struct made *made)
{
	struct weir_flow *rows = malloc(options.records * sizeof(*rows));
	struct weir_block_reader *reader;
	struct weir_vector vector;

	if (!rows || weir_block_reader_new(&reader))
		exit(1);
	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		for (unsigned i = 0; i < options.blocks; i++) {
			double start = now_ns();

			open_block(reader, made, i);
			if (weir_block_column(reader, id, &vector))
				exit(1);
			samples[i] = (now_ns() - start) / (double)options.records;
		}
		print("decode", weir_column_find(id)->name, least(options.blocks), "ns/flow");
	}
	for (unsigned i = 0; i < options.blocks; i++) {
		double start = now_ns();

		open_block(reader, made, i);
		if (weir_block_rows(reader, WEIR_COLUMN_ALL, rows))
			exit(1);
		samples[i] = (now_ns() - start) / (double)options.records;
	}
	print("decode", "rows", least(options.blocks), "ns/flow");
	weir_block_reader_free(reader);
	free(rows);
}

/* A host that is nowhere, looked for in every block. */
static void search(const struct made *made)
{
	static const uint8_t absent[16] = {[10] = 0xff, 0xff, 10, 1, 255, 254};
	struct weir_block_reader *reader;

	if (weir_block_reader_new(&reader))
		exit(1);
	for (unsigned i = 0; i < options.blocks; i++) {
		double start = now_ns();

		open_block(reader, made, i);
		if (weir_block_may_hold_prefix(reader, WEIR_COLUMN_SRC_ADDR, absent, 128) ||
		    weir_block_may_hold_prefix(reader, WEIR_COLUMN_DST_ADDR, absent, 128))
			exit(1);
		samples[i] = now_ns() - start;
	}
	print("search_absent", "", least(options.blocks) / 1000, "us/block");
	print("search_absent_rate", "", (double)options.records * 1000 / least(options.blocks),
	      "Mflow/s");
	weir_block_reader_free(reader);
}

/* Bytes of column @id, 0 if it is not coded as @codec and @base say. */
static uint32_t bytes_as(struct weir_block_reader *reader, enum weir_column_id id,
			 const char *codec, uint8_t base)
{
	struct weir_block_section sections[WEIR_BLOCK_SECTIONS_MAX];
	unsigned count = weir_block_sections(reader, sections);

	for (unsigned i = 0; i < count; i++)
		if (!strcmp(sections[i].name, weir_column_find(id)->name))
			return strcmp(sections[i].codec, codec) || sections[i].base != base ?
				       0 :
				       sections[i].bytes;
	return 0;
}

static void try_candidate(const struct weir_flow *flows, enum weir_column_id id,
			  struct weir_codec_choice choice)
{
	static const char *const names[] = {"plain", "frame",     "dictionary", "frequent", "delta",
					    "map",   "runs",      "ascending",  "codes"};
	struct weir_block_writer *writer;
	struct weir_block_reader *reader;
	struct weir_block_times times;
	struct weir_vector vector;
	struct made made;
	char name[96];
	uint32_t bytes;

	if (weir_block_writer_new(options.level, &writer) || weir_block_reader_new(&reader))
		exit(1);
	weir_block_force(writer, id, choice);
	if (weir_block_write(writer, flows, options.records, &made.data, &made.bytes, &times))
		exit(1);
	weir_block_seal(0, made.data, made.bytes);
	for (unsigned i = 0; i < 9; i++) {
		double start = now_ns();

		open_block(reader, &made, 0);
		if (weir_block_column(reader, id, &vector))
			exit(1);
		samples[i] = (now_ns() - start) / (double)options.records;
	}
	snprintf(name, sizeof(name), "%s.%s%s%s", weir_column_find(id)->name, names[choice.codec],
		 choice.base ? "_" : "", choice.base ? weir_column_find(choice.base)->name : "");
	bytes = bytes_as(reader, id, names[choice.codec], choice.base);
	if (bytes) {
		print("candidate", name, bytes / (double)options.records, "bytes/flow");
		print("candidate", name, least(9), "ns/flow");
	}
	weir_block_reader_free(reader);
	weir_block_writer_free(writer);
}

static void try_candidates(const struct weir_flow *flows)
{
	for (unsigned id = 1; id < WEIR_COLUMN_END; id++) {
		unsigned count;
		const struct weir_codec_choice *choices = weir_chooser_candidates(id, &count);

		for (unsigned i = 0; i < count; i++)
			try_candidate(flows, id, choices[i]);
	}
}

static void run(const char *name, bool milliseconds)
{
	struct weir_flow *flows = generate(milliseconds);
	struct made *made = calloc(options.blocks, sizeof(*made));

	if (!made)
		exit(1);
	prefix = name;
	encode(flows, made);
	print_sections(made);
	decode(made);
	search(made);
	if (options.candidates)
		try_candidates(flows);
	for (unsigned i = 0; i < options.blocks; i++)
		free(made[i].data);
	free(made);
	free(flows);
}

int main(int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "b:r:l:cw:")) != -1;) {
		if (c == 'b')
			options.blocks = (unsigned)atoi(optarg);
		else if (c == 'r')
			options.records = (size_t)atoi(optarg);
		else if (c == 'l')
			options.level = *optarg == 'n' ? WEIR_BLOCK_LEVEL_NONE :
					*optarg == 'c' ? WEIR_BLOCK_LEVEL_COLD :
							 WEIR_BLOCK_LEVEL_HOT;
		else if (c == 'c')
			options.candidates = true;
		else if (c == 'w')
			*(*optarg == 'm' ? &options.nanoseconds : &options.milliseconds) = false;
		else
			return 2;
	}
	if (!options.blocks || options.blocks > BLOCKS_MAX || !options.records ||
	    options.records > WEIR_BLOCK_RECORDS_MAX)
		return 2;
	if (options.milliseconds)
		run("ms", true);
	if (options.nanoseconds)
		run("ns", false);
	return 0;
}
