// SPDX-License-Identifier: GPL-2.0
/* store_repair.c - weir store repair. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/cli/store.h"
#include "daemon/store/repair.h"
#include "daemon/wire/convert.h"
#include "daemon/wire/frame.h"

struct fixer {
	const struct weir_cli_store *store;
	struct weir_cli_store_chain chain;
	json_t *array;
};

static void take_sentence(void *arg, const char *part, const char *sentence)
{
	struct fixer *fixer = arg;

	if (fixer->array)
		json_array_append_new(fixer->array, json_pack("{s:s, s:o}", "part", part, "what",
							      weir_cli_json_string(sentence)));
	else
		printf("%s: %s\n", part, sentence);
}

static bool take_segment(void *arg, uint64_t seq, const void *body, size_t body_bytes,
			 const uint8_t *hash, char *why, size_t why_bytes)
{
	struct weir_cli_store_chain alone = {0};

	/* Only what is wrong with the segment itself: a break of the chain is not its own. */
	return weir_cli_store_chain_add(&alone, seq, body, body_bytes, hash, why, why_bytes);
}

static bool take_identity(void *arg, const void *body, size_t body_bytes,
			  struct weir_store_identity *identity)
{
	Weir__Wire__Segment *segment =
		weir_frame_unpack(&weir__wire__segment__descriptor, body, body_bytes);
	bool has = segment && segment->node_id.len == sizeof(identity->node_id) &&
		   segment->epoch.len == sizeof(identity->epoch);

	if (has) {
		memcpy(identity->node_id, segment->node_id.data, sizeof(identity->node_id));
		memcpy(identity->epoch, segment->epoch.data, sizeof(identity->epoch));
	}
	if (segment)
		weir__wire__segment__free_unpacked(segment, NULL);
	return has;
}

static int write_json(const struct fixer *fixer, const struct weir_repair_result *result)
{
	json_t *object = json_object();

	json_object_set_new(object, "done", json_boolean(fixer->store->options->yes));
	json_object_set_new(object, "parts", json_integer(result->parts));
	json_object_set_new(object, "beyond_repair", json_integer(result->beyond));
	json_object_set_new(object, "lost_blocks", json_integer((json_int_t)result->lost_blocks));
	json_object_set_new(object, "lost_records", json_integer((json_int_t)result->lost_records));
	json_object_set_new(object, "lost_segments",
			    json_integer((json_int_t)result->lost_segments));
	json_object_set_new(object, "damaged", weir_cli_json_totals(&result->damaged));
	json_object_set_new(object, "new_epoch", json_boolean(result->new_epoch));
	json_object_set_new(object, "steps", fixer->array);
	return weir_cli_json_print(object, false);
}

static void print_result(const struct weir_cli_store *s, const struct weir_repair_result *result)
{
	bool yes = s->options->yes;

	if (!result->parts && !result->beyond) {
		printf("%s: sound; there is nothing to repair\n", s->dir);
		return;
	}
	printf("%s: %u part%s %s repaired; the ledger %s %" PRIu64 " records as damaged\n", s->dir,
	       result->parts, result->parts == 1 ? "" : "s",
	       yes ? (result->parts == 1 ? "is" : "are") : "would be",
	       yes ? "counts" : "would count", (uint64_t)result->damaged.flows);
	if (result->beyond)
		printf("%u cannot be repaired by this version and %s left alone\n", result->beyond,
		       result->beyond == 1 ? "is" : "are");
	if (!yes)
		printf("Nothing was changed. weir store repair --yes does it.\n");
}

int weir_cli_store_repair(const struct weir_cli_store *s)
{
	struct fixer fixer = {.store = s};
	struct weir_repair_options options = {.dry_run = !s->options->yes,
					      .say = take_sentence,
					      .segment = take_segment,
					      .identity = take_identity,
					      .arg = &fixer,
					      .cancel = &weir_cli_store_cancelled};
	struct weir_repair_result result;

	if (s->options->json)
		fixer.array = json_array();
	if (weir_repair_store(s->dir, &options, &result)) {
		json_decref(fixer.array);
		return WEIR_EXIT_FAILED;
	}
	if (s->options->json) {
		if (write_json(&fixer, &result))
			return WEIR_EXIT_FAILED;
	} else {
		print_result(s, &result);
	}
	if (result.beyond || (!s->options->yes && result.parts))
		return WEIR_EXIT_DAMAGED;
	return WEIR_EXIT_OK;
}
