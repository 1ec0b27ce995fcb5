// SPDX-License-Identifier: GPL-2.0
/* answer.c - what a node's answers share: bounds, filters, progress, and how it ended. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/text.h"
#include "daemon/node/answer.h"
#include "daemon/wire/convert.h"

/* Without the folder queries still run, in memory. */
static void make_spill_folder(struct weir_node *node)
{
	const struct weir_node_config *config = &node->config;

	if (!config->query_spill_bytes)
		return;
	if (*config->query_spill_folder)
		node->spill = strdup(config->query_spill_folder);
	else if (asprintf(&node->spill, "%s/spill", config->state) < 0)
		node->spill = NULL;
	if (node->spill && mkdir(node->spill, 0700) && errno != EEXIST) {
		weir_log_warn("%s: %s; queries get no disk", node->spill, strerror(errno));
		free(node->spill);
		node->spill = NULL;
	}
}

int weir_answer_start(struct weir_node *node)
{
	make_spill_folder(node);
	return weir_governor_new((unsigned)node->config.query_threads,
				 node->config.query_memory_total_bytes, &node->governor);
}

void weir_answer_stop(struct weir_node *node)
{
	weir_governor_free(node->governor);
	node->governor = NULL;
	free(node->spill);
	node->spill = NULL;
}

static void send_progress(void *arg, uint64_t blocks, uint64_t blocks_total, uint64_t records)
{
	Weir__Wire__Progress progress = WEIR__WIRE__PROGRESS__INIT;
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	struct weir_answer *answer = arg;

	progress.blocks = blocks;
	progress.blocks_total = blocks_total;
	progress.records = records;
	part.state = &progress;
	weir_job_offer(answer->job, &part);
}

/* As much disk as it may have, but none that ingest will need: min_free is never touched. */
static void allow_spill(const struct weir_node *node, struct weir_query *query)
{
	uint64_t reserve = 2 * node->config.min_free_bytes, available;
	struct statvfs fs;

	if (!node->spill || statvfs(node->spill, &fs))
		return;
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (available <= reserve)
		return;
	query->spill_dir = node->spill;
	query->spill_keep_bytes = reserve;
	query->spill_bytes = available - reserve;
	if (node->config.query_spill_bytes < query->spill_bytes)
		query->spill_bytes = node->config.query_spill_bytes;
}

/* Names in filters and fields are those of this machine, now. Flows of another, or of long ago, in a folder that
 * the command line reads, are nobody's here: the node has no name then. */
static int read_names(struct weir_answer *answer)
{
	const struct weir_node_config *config = &answer->node->config;
	int result = weir_names_new(config->name, config->site, &answer->names);

	return result || !config->name[0] ? result : weir_names_read(answer->names);
}

static bool compile(struct weir_answer *answer, struct weir_filter **filter)
{
	char error[256];
	size_t at = 0;
	int result = read_names(answer);

	if (result) {
		weir_job_fail(answer->job, result, 0, "reading the names of interfaces: %s",
			      strerror(-result));
		return false;
	}
	if (!*answer->ask->filter)
		return true;
	result = weir_filter_parse(answer->ask->filter, filter, error, sizeof(error), &at);
	if (!result)
		result = weir_filter_bind(*filter, answer->names, error, sizeof(error), &at);
	if (result == -EINVAL)
		weir_job_fail_filter(answer->job, at, error);
	else if (result)
		weir_job_fail(answer->job, result, 0, "%s", strerror(-result));
	answer->query.filter = *filter;
	return !result;
}

/* Fill in what all questions share. False: the job was told what is wrong. */
static bool prepare(struct weir_answer *answer, struct weir_filter **filter)
{
	const struct weir_node_config *config = &answer->node->config;
	const Weir__Wire__Ask *ask = answer->ask;
	struct weir_query *query = &answer->query;

	query->from_ns = ask->from_ns;
	query->to_ns = ask->to_ns;
	query->cancel = weir_job_cancelled(answer->job);
	query->threads = (unsigned)config->query_threads;
	query->memory_bytes = config->query_memory_bytes;
	allow_spill(answer->node, query);
	query->background = true;
	query->governor = answer->node->governor;
	if (ask->progress) {
		query->progress = send_progress;
		query->progress_arg = answer;
	}
	return compile(answer, filter);
}

/* Which bound was hit, and what to do. */
static void fail(const struct weir_answer *answer, int result)
{
	const struct weir_query_result *r = &answer->result;
	char text[40];

	if (result == -ECANCELED && weir_job_timed_out(answer->job))
		weir_job_fail(answer->job, -ETIMEDOUT, 0,
			      "stopped after %s, the query_timeout of node.conf; ask for a shorter "
			      "time or filter, or raise it",
			      weir_clock_duration_text(answer->node->config.query_timeout_ns, text,
						       sizeof(text)));
	else if (result == -ECANCELED)
		weir_job_fail(answer->job, result, 0, "cancelled");
	else if (result == -E2BIG)
		weir_job_fail(answer->job, result, 0,
			      "%s do not fit into %sB of memory, the query_memory of node.conf, and "
			      "query_spill and min_free allow no disk; ask for less (fewer fields, a "
			      "shorter time, a filter), or raise query_memory or query_spill",
			      r->bound ? r->bound : "the results",
			      weir_text_quantity(r->bound_bytes, text, sizeof(text)));
	else if (result == -EDQUOT)
		weir_job_fail(answer->job, result, 0,
			      "what does not fit into memory needs more than %sB of disk, which is "
			      "what query_spill of node.conf and min_free leave; ask for less (fewer "
			      "fields, a shorter time, a filter), or raise query_memory or "
			      "query_spill",
			      weir_text_quantity(answer->query.spill_bytes, text, sizeof(text)));
	else if (result == -ENOSPC)
		weir_job_fail(answer->job, result, 0,
			      "what does not fit into memory (query_memory of node.conf) finds no "
			      "room in %s: the file system is full", answer->node->spill);
	else
		weir_job_fail(answer->job, result, 0, "reading the store: %s", strerror(-result));
}

static void explain(const struct weir_query_result *r, Weir__Wire__Explain *message)
{
	weir__wire__explain__init(message);
	message->blocks_planned = r->blocks_planned;
	message->blocks_read = r->blocks_read;
	message->blocks_skipped = r->blocks_skipped;
	message->blocks_damaged = r->blocks_damaged;
	message->blocks_gone = r->blocks_gone;
	message->records_read = r->records_read;
	message->bytes_read = r->bytes_read;
	message->spilled_bytes = r->spilled_bytes;
	message->plan_ns = r->plan_ns;
	message->read_ns = r->read_ns;
	message->filter_ns = r->filter_ns;
	message->aggregate_ns = r->aggregate_ns;
	message->sort_ns = r->sort_ns;
	message->total_ns = r->total_ns;
	message->wait_ns = r->wait_ns;
	message->threads = r->threads;
}

bool weir_answer_lacks(const struct weir_answer *answer)
{
	return answer->result.blocks_damaged || answer->result.blocks_gone || answer->horizon_ns ||
	       answer->refused;
}

/* Nobody should take them for what the node holds. */
static void note_mounted(struct weir_answer *answer)
{
	char names[200];

	if (!answer->counted && *weir_store_mounts(answer->node->store, names, sizeof(names)))
		weir_answer_note(answer, "records of backups are in this answer, mounted as: %s", names);
}

void weir_answer_end(struct weir_answer *answer, int result)
{
	Weir__Wire__End end = WEIR__WIRE__END__INIT;
	Weir__Wire__Explain explained, *pointer = &explained;
	char *notes[WEIR_ANSWER_NOTES_MAX];
	Weir__Wire__Totals matched;

	if (result) {
		fail(answer, result);
		return;
	}
	if (answer->result.blocks_gone)
		weir_answer_note(answer, "%llu blocks of records were removed while they were read: "
				 "they are not in this answer, or not all of them",
				 (unsigned long long)answer->result.blocks_gone);
	weir_answer_horizon(answer);
	note_mounted(answer);
	if (answer->result.sampled)
		weir_answer_note(answer, WEIR_CONVERT_SAMPLED_NOTE,
				 (unsigned long long)answer->result.sampled);
	for (unsigned i = 0; i < answer->notes; i++)
		notes[i] = answer->note[i];
	end.n_notes = answer->notes;
	end.notes = notes;
	end.horizon_ns = answer->horizon_ns;
	end.refused = answer->refused;
	end.sampled = answer->result.sampled;
	if (answer->horizon_ns) {
		end.n_rollup_ns = WEIR_ROLLUP_LEVELS;
		end.rollup_ns = answer->rollup_ns;
		end.rolled = answer->rolled;
	}
	weir_convert_totals_put(&matched, &answer->result.matched);
	end.matched = &matched;
	end.blocks_read = answer->result.blocks_read;
	end.blocks_damaged = answer->result.blocks_damaged;
	explain(&answer->result, &explained);
	end.n_explain = 1;
	end.explain = &pointer;
	weir_job_end(answer->job, &end);
}

static void ask_store(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_node *node,
		      void (*run)(struct weir_answer *answer))
{
	struct weir_answer answer = {.job = job, .ask = ask, .node = node};
	struct weir_filter *filter = NULL;

	weir_job_limit(job, node->config.query_timeout_ns);
	if (prepare(&answer, &filter))
		run(&answer);
	weir_filter_free(filter);
	weir_names_free(answer.names);
}

void weir_answer_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *arg)
{
	struct weir_node *node = arg;

	switch (ask->verb) {
	case WEIR__WIRE__VERB__VERB_FLOWS:
	case WEIR__WIRE__VERB__VERB_LIST:
		ask_store(job, ask, node, weir_answer_flows);
		break;
	case WEIR__WIRE__VERB__VERB_TOP:
		ask_store(job, ask, node, weir_answer_top);
		break;
	case WEIR__WIRE__VERB__VERB_GROUPS:
		ask_store(job, ask, node, weir_answer_groups);
		break;
	case WEIR__WIRE__VERB__VERB_PAIRS:
		ask_store(job, ask, node, weir_answer_pairs);
		break;
	case WEIR__WIRE__VERB__VERB_NODES:
		weir_answer_nodes(job, node);
		break;
	case WEIR__WIRE__VERB__VERB_AUDIT:
		weir_audit_run(job, ask, node);
		break;
	default:
		weir_job_fail(job, -EOPNOTSUPP, 0, "this weir-node does not know verb %d",
			      (int)ask->verb);
	}
}
