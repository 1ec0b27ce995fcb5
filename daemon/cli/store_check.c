// SPDX-License-Identifier: GPL-2.0
/* store_check.c - weir store check. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/cli/store.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/hash.h"

enum {
	/* Faults listed without -v. */
	FAULTS_SHOWN = 20,
};

struct finder {
	const struct weir_cli_store *store;
	struct weir_cli_store_chain chain;
	uint64_t faults;
	json_t *array;
};

bool weir_cli_store_chain_add(struct weir_cli_store_chain *chain, uint64_t seq, const void *body,
			      size_t body_bytes, const uint8_t *hash, char *why, size_t why_bytes)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	bool follows = chain->seq && seq == chain->seq + 1;

	if (!segment) {
		snprintf(why, why_bytes, "it cannot be read");
		chain->seq = 0;
		return false;
	}
	*why = '\0';
	if (segment->seq != seq)
		snprintf(why, why_bytes, "it says that it is segment %" PRIu64, segment->seq);
	else if (segment->prev_hash.len != sizeof(chain->hash))
		snprintf(why, why_bytes, "it does not say what it follows");
	else if (follows && memcmp(segment->prev_hash.data, chain->hash, sizeof(chain->hash)))
		snprintf(why, why_bytes, "it does not follow the one before: the chain is broken");
	weir__wire__segment__free_unpacked(segment, NULL);
	chain->seq = weir_hash_segment(body, body_bytes, chain->hash) ? 0 : seq;
	if (hash && chain->seq && memcmp(hash, chain->hash, sizeof(chain->hash)))
		snprintf(why, why_bytes, "it is not the one that was written last");
	return !*why;
}

static bool take_segment(void *arg, uint64_t seq, const void *body, size_t body_bytes,
			 const uint8_t *hash, char *why, size_t why_bytes)
{
	struct finder *finder = arg;

	return weir_cli_store_chain_add(&finder->chain, seq, body, body_bytes, hash, why,
					why_bytes);
}

static void take_fault(void *arg, const char *part, const char *sentence)
{
	struct finder *finder = arg;
	const struct weir_cli_options *o = finder->store->options;

	finder->faults++;
	if (finder->array) {
		json_array_append_new(finder->array, json_pack("{s:s, s:o}", "part", part, "fault",
							       weir_cli_json_string(sentence)));
		return;
	}
	if (!o->verbose && finder->faults > FAULTS_SHOWN)
		return;
	weir_cli_store_progress_end();
	weir_cli_say("%s%s%s", part, *part ? ": " : "", sentence);
}

static void take_progress(void *arg, uint64_t done, uint64_t total)
{
	weir_cli_store_progress("checked", done, total);
}

static void list_parts(const struct weir_check *check, bool exact)
{
	struct weir_cli_table *t = weir_cli_table_new(
		stdout, "PART|VERDICT|>FAULTS|>BLOCKS|>DAMAGED|>RECORDS|>LOST|>SEGMENTS");

	if (!t)
		return;
	for (unsigned i = 0; i < check->survey->count; i++) {
		const struct weir_check_part *part = &check->parts[i];
		const uint64_t numbers[] = {part->faults,  part->blocks,	  part->damaged_blocks,
					    part->records, part->damaged_records, part->segments};

		weir_cli_table_cell(t, part->survey->name);
		weir_cli_table_cell(t, part->unsound ? "UNREADABLE" :
				       part->later   ? "LATER" :
				       part->faults  ? "DAMAGED" :
						       "sound");
		for (unsigned k = 0; k < 6; k++)
			weir_cli_table_number(t, numbers[k], exact);
	}
	weir_cli_table_end(t);
}

static json_t *part_json(const struct weir_check_part *part)
{
	return json_pack("{s:s, s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "name",
			 part->survey->name, "sound", !part->faults, "readable", !part->unsound,
			 "faults", (json_int_t)part->faults, "blocks", (json_int_t)part->blocks,
			 "damaged_blocks", (json_int_t)part->damaged_blocks, "records",
			 (json_int_t)part->records, "damaged_records",
			 (json_int_t)part->damaged_records, "segments",
			 (json_int_t)part->segments);
}

static int write_json(const struct weir_check *check, struct finder *finder)
{
	json_t *object = json_object(), *parts = json_array();

	for (unsigned i = 0; i < check->survey->count; i++)
		json_array_append_new(parts, part_json(&check->parts[i]));
	json_object_set_new(object, "store", weir_cli_json_string(check->survey->dir));
	json_object_set_new(object, "faults", json_integer((json_int_t)check->faults));
	json_object_set_new(object, "damaged_parts", json_integer(check->damaged_parts));
	json_object_set_new(object, "parts", parts);
	json_object_set_new(object, "list", finder->array);
	if (check->balance_known) {
		json_object_set_new(object, "stored", weir_cli_json_totals(&check->stored));
		json_object_set_new(object, "expired", weir_cli_json_totals(&check->expired));
		json_object_set_new(object, "held", weir_cli_json_totals(&check->held));
		json_object_set_new(object, "damaged", weir_cli_json_totals(&check->damaged));
		json_object_set_new(object, "balanced", json_boolean(check->balanced));
	}
	return weir_cli_json_print(object, false);
}

static void verdict(const struct weir_cli_store *s, const struct weir_check *check,
		    const struct finder *finder)
{
	char blocks[32], records[32], lost[32];

	weir_cli_show_number(check->blocks, s->options->exact, blocks, sizeof(blocks));
	weir_cli_show_number(check->records, s->options->exact, records, sizeof(records));
	weir_cli_show_number(check->damaged_records, s->options->exact, lost, sizeof(lost));
	if (finder->faults > FAULTS_SHOWN && !s->options->verbose)
		weir_cli_say("%" PRIu64 " more faults; -v lists them",
			     finder->faults - FAULTS_SHOWN);
	if (!check->faults) {
		printf("%s: sound: %s records in %s blocks%s\n", s->dir, records, blocks,
		       !check->balance_known ? "" : "; stored = expired + held + damaged");
		return;
	}
	printf("%s: DAMAGED: %" PRIu64 " faults in %u of %u parts; %s of %s records cannot be "
	       "read\n", s->dir, check->faults, check->damaged_parts, check->survey->count, lost,
	       records);
	printf("Nothing was changed. With weir-node stopped, weir store repair says what can be "
	       "done.\n");
}

int weir_cli_store_check(const struct weir_cli_store *s)
{
	struct finder finder = {.store = s};
	struct weir_check_options options = {
		.depth = s->options->quick ? WEIR_CHECK_INDEX : WEIR_CHECK_ALL,
		.fault = take_fault,
		.progress = take_progress,
		.segment = take_segment,
		.arg = &finder,
		.cancel = &weir_cli_store_cancelled};
	struct weir_check *check;
	int ret, status;

	if (s->options->json)
		finder.array = json_array();
	ret = weir_check_store(s->dir, &options, &check);
	weir_cli_store_progress_end();
	if (ret) {
		json_decref(finder.array);
		return WEIR_EXIT_FAILED;
	}
	status = check->faults ? WEIR_EXIT_DAMAGED : WEIR_EXIT_OK;
	if (s->options->json) {
		if (write_json(check, &finder))
			status = WEIR_EXIT_FAILED;
	} else {
		if (s->options->verbose || check->faults)
			list_parts(check, s->options->exact);
		verdict(s, check, &finder);
	}
	weir_check_free(check);
	return status;
}
