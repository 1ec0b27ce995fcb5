// SPDX-License-Identifier: GPL-2.0
/* check.c - a whole store: folder after folder, then the ledger over all of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/store/block.h"
#include "daemon/store/check_part.h"

void weir_check_say(struct weir_check_run *run, struct weir_check_part *part, const char *format,
		    ...)
{
	char sentence[320];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	run->check->faults++;
	if (part)
		part->faults++;
	run->options->fault(run->options->arg, part ? part->survey->name : "", sentence);
}

bool weir_check_cancelled(const struct weir_check_run *run)
{
	return run->options->cancel && *run->options->cancel;
}

static uint64_t bytes_of(const struct weir_survey *survey)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < survey->count; i++)
		if (survey->parts[i].kind == WEIR_SURVEY_PARTITION)
			bytes += survey->parts[i].disk_bytes;
	return bytes;
}

static bool is_gone(const struct weir_check_part *part)
{
	return access(part->survey->path, F_OK) != 0;
}

/* Removed by retention after it was listed: nothing to say about it. */
static void drop(struct weir_check_run *run, struct weir_check_part *part)
{
	struct weir_survey_part *survey = part->survey;

	run->check->faults -= part->faults;
	*part = (struct weir_check_part){.survey = survey, .gone = true};
}

static int check_parts(struct weir_check_run *run)
{
	struct weir_check *check = run->check;
	int ret = 0;

	for (unsigned i = 0; i < check->survey->count && !ret; i++) {
		struct weir_check_part *part = &check->parts[i];

		part->survey = &check->survey->parts[i];
		if (weir_check_cancelled(run))
			return -ECANCELED;
		ret = weir_check_part(run, part);
		if (is_gone(part)) {
			drop(run, part);
			ret = 0;
		}
		if (ret && ret != -ECANCELED)
			weir_log_error("%s: cannot be checked: %s", part->survey->path,
				       ret == -EBUSY ? "it changes all the time" : strerror(-ret));
		check->damaged_parts += !!part->faults;
		check->blocks += part->blocks;
		check->damaged_blocks += part->damaged_blocks;
		check->records += part->records;
		check->damaged_records += part->damaged_records;
		check->segments += part->segments;
		weir_totals_add(&check->held, &part->totals);
		weir_totals_add(&check->damaged, &part->meta.damaged.totals);
	}
	return ret;
}

/* Each partition goes on where the one before ended. */
static void check_joints(struct weir_check_run *run)
{
	const struct weir_check_part *before = NULL;

	for (unsigned i = 0; i < run->check->survey->count; i++) {
		struct weir_check_part *part = &run->check->parts[i];

		if (part->survey->kind != WEIR_SURVEY_PARTITION)
			continue;
		if (before && before->known && part->known && part->meta.has_base &&
		    (before->meta.state.last_block > part->meta.base.last_block ||
		     before->meta.state.summed.seq > part->meta.base.segment))
			weir_check_say(run, part, "it does not go on where %s ends",
				       before->survey->name);
		if (!part->gone)
			before = part;
	}
}

static void balance(struct weir_check_run *run)
{
	struct weir_check *check = run->check;
	const struct weir_check_part *oldest = NULL, *newest = NULL;
	struct weir_totals sum;

	for (unsigned i = 0; i < check->survey->count; i++) {
		const struct weir_check_part *part = &check->parts[i];

		if (part->survey->kind != WEIR_SURVEY_PARTITION || part->gone)
			continue;
		if (!part->known || part->damaged_blocks)
			return;
		oldest = oldest ? oldest : part;
		newest = part;
	}
	if (!newest || run->options->depth != WEIR_CHECK_ALL)
		return;
	/* What an old format does not tell was never removed: it knew no retention. */
	check->expired = oldest->meta.has_base ? oldest->meta.base.stored : (struct weir_totals){0};
	check->stored = newest->meta.state.stored;
	check->balance_known = true;
	sum = check->expired;
	weir_totals_add(&sum, &check->held);
	weir_totals_add(&sum, &check->damaged);
	check->balanced = weir_totals_equal(&sum, &check->stored);
	if (!check->balanced)
		weir_check_say(run, NULL, "the ledger does not balance: stored %" PRIu64
			       " flows; expired, held and damaged are %" PRIu64,
			       (uint64_t)check->stored.flows, (uint64_t)sum.flows);
}

static const struct weir_check_part *last_partition(const struct weir_check *check,
						    const struct weir_check_part *before)
{
	for (unsigned i = check->survey->count; i-- > 0;) {
		const struct weir_check_part *part = &check->parts[i];

		if (part->survey->kind == WEIR_SURVEY_PARTITION && (!before || part < before) &&
		    !part->gone)
			return part;
	}
	return NULL;
}

static bool is_zero(const struct weir_totals *totals)
{
	return !totals->flows && !totals->packets && !totals->bytes;
}

/* What was stored or refused is in segments, or is held behind the last one. */
static void balance_summary(struct weir_check_run *run)
{
	struct weir_check *check = run->check;
	const struct weir_check_part *newest = last_partition(check, NULL), *before;
	const struct weir_store_state *state;
	struct weir_totals lost, rest;

	if (!newest || !newest->known || run->options->depth != WEIR_CHECK_ALL)
		return;
	state = &newest->meta.state;
	rest = newest->unsummed;
	if (state->summed.block < newest->meta.base.last_block) {
		before = last_partition(check, newest);
		if (!before || !before->known ||
		    before->meta.state.summed.block != state->summed.block)
			return;
		weir_totals_add(&rest, &before->unsummed);
	}
	lost = state->stored;
	weir_totals_add(&lost, &state->position.refused);
	weir_totals_add(&lost, &state->position.refused_before);
	weir_totals_subtract(&lost, &state->summed.totals);
	weir_totals_subtract(&lost, &rest);
	check->unsummed_known = true;
	check->unsummed_lost = lost;
	if (!is_zero(&lost))
		weir_check_say(run, NULL, "%" PRId64 " records were stored but are in no segment, "
			       "nor held behind the last one", (int64_t)lost.flows);
}

static int prepare(struct weir_check_run *run, const char *dir)
{
	int ret = weir_survey_make(dir, &run->check->survey);

	if (ret)
		return ret;
	run->check->parts = calloc(run->check->survey->count, sizeof(*run->check->parts));
	run->flows = malloc(WEIR_STORE_BLOCK_RECORDS * sizeof(*run->flows));
	if (!run->check->parts || !run->flows)
		return -ENOMEM;
	run->total = bytes_of(run->check->survey);
	return weir_block_reader_new(&run->reader);
}

int weir_check_store(const char *dir, const struct weir_check_options *options,
		     struct weir_check **check)
{
	struct weir_check_run run = {.options = options};
	int ret;

	run.check = calloc(1, sizeof(*run.check));
	if (!run.check)
		return -ENOMEM;
	ret = prepare(&run, dir);
	if (!ret)
		ret = check_parts(&run);
	if (!ret) {
		check_joints(&run);
		balance(&run);
		balance_summary(&run);
	}
	weir_block_reader_free(run.reader);
	free(run.flows);
	if (ret) {
		weir_check_free(run.check);
		return ret;
	}
	*check = run.check;
	return 0;
}

void weir_check_free(struct weir_check *check)
{
	if (!check)
		return;
	weir_survey_free(check->survey);
	free(check->parts);
	free(check);
}
