// SPDX-License-Identifier: GPL-2.0
/* answer.c - a node's answers to questions, from its own store. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/node/answer.h"
#include "daemon/node/kernel.h"
#include "daemon/query/query.h"
#include "daemon/wire/convert.h"

enum {
	FLOWS_A_PART = 256,
	LINES_A_PART = 4096,
	NAMES = 32, /* interface names remembered during an answer */
};

/* Compile what all queries share. False: the job was told what is wrong. */
static bool prepare(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_query *query,
		    struct weir_filter **filter)
{
	char error[256];
	size_t at = 0;

	memset(query, 0, sizeof(*query));
	query->from_ns = ask->from_ns;
	query->to_ns = ask->to_ns ? ask->to_ns : UINT64_MAX;
	query->cancel = weir_job_cancelled(job);
	*filter = NULL;
	if (!*ask->filter)
		return true;
	if (weir_filter_parse(ask->filter, filter, error, sizeof(error), &at) < 0) {
		weir_job_fail(job, -EINVAL, at, "%s", error);
		return false;
	}
	query->filter = *filter;
	return true;
}

static void finish(struct weir_job *job, const Weir__Wire__Ask *ask, int result,
		   const struct weir_query_result *figures)
{
	Weir__Wire__Totals matched;
	Weir__Wire__End end = WEIR__WIRE__END__INIT;

	if (result == -ECANCELED) {
		weir_job_fail(job, result, 0, "cancelled");
		return;
	}
	if (result == -E2BIG) {
		weir_job_fail(job, result, 0,
			      "%s do not fit into %llu MiB; ask for fewer fields, a shorter time, "
			      "or filter", figures->bound,
			      (unsigned long long)(figures->bound_bytes >> 20));
		return;
	}
	if (result) {
		weir_job_fail(job, result, 0, "reading the store: %s", strerror(-result));
		return;
	}
	weir_convert_totals_put(&matched, &figures->matched);
	end.matched = &matched;
	end.blocks_read = figures->blocks_read;
	end.blocks_damaged = figures->blocks_damaged;
	weir_job_end(job, &end);
}

struct name {
	uint32_t index;
	char text[IF_NAMESIZE];
};

struct list {
	struct weir_job *job;
	unsigned count;
	struct weir_flow flow[FLOWS_A_PART];
	Weir__Wire__Flow message[FLOWS_A_PART];
	Weir__Wire__Flow *pointer[FLOWS_A_PART];
	struct name name[NAMES];
	unsigned names;
};

/* As the interface is called now: it may have been renamed since the flow. "" if it is gone. */
static char *interface_name(struct list *list, uint32_t index)
{
	static char none[] = "";
	struct name *name;

	if (!index)
		return none;
	for (unsigned i = 0; i < list->names; i++)
		if (list->name[i].index == index)
			return list->name[i].text;
	if (list->names == NAMES)
		return none;
	name = &list->name[list->names++];
	name->index = index;
	if (!if_indextoname(index, name->text))
		name->text[0] = '\0';
	return name->text;
}

static int send_flows(struct list *list)
{
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;

	if (!list->count)
		return 0;
	part.n_flows = list->count;
	part.flows = list->pointer;
	list->count = 0;
	return weir_job_part(list->job, &part);
}

static int add_flow(void *arg, const struct weir_flow *flow)
{
	struct list *list = arg;
	unsigned i = list->count++;

	list->flow[i] = *flow;
	weir_convert_flow_put(&list->message[i], &list->flow[i]);
	list->message[i].in_name = interface_name(list, flow->in_ifindex);
	list->message[i].out_name = interface_name(list, flow->out_ifindex);
	list->pointer[i] = &list->message[i];
	return list->count == FLOWS_A_PART ? send_flows(list) : 0;
}

static void answer_flows(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_node *node)
{
	const struct weir_list order = {.limit = ask->limit,
					.order = ask->limit ? WEIR_LIST_BY_END :
							      WEIR_LIST_AS_FOUND};
	struct weir_query_result figures = {0};
	struct weir_filter *filter;
	struct weir_query query;
	struct list *list;
	int result = -ENOMEM;

	if (!prepare(job, ask, &query, &filter))
		return;
	list = calloc(1, sizeof(*list));
	if (list) {
		list->job = job;
		result = weir_query_list(node->store, &query, &order, add_flow, list, &figures);
		if (result == 0)
			result = send_flows(list);
	}
	finish(job, ask, result, &figures);
	free(list);
	weir_filter_free(filter);
}

/* Groups on their way out, in parts. What was left out goes with the last of them. */
struct lines {
	struct weir_job *job;
	unsigned key_bytes, count;
	bool exact;
	uint8_t key[LINES_A_PART][WEIR_FIELDS_KEY_MAX];
	Weir__Wire__Line line[LINES_A_PART];
	Weir__Wire__Totals low[LINES_A_PART];
	Weir__Wire__Line *pointer[LINES_A_PART];
};

static int send_lines(struct lines *lines, const struct weir_query_rest *rest)
{
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Top top = WEIR__WIRE__TOP__INIT;
	Weir__Wire__Totals rest_totals;

	top.n_lines = lines->count;
	top.lines = lines->pointer;
	top.exact = lines->exact;
	top.lower_bounds_only = !lines->exact;
	if (rest) {
		const struct weir_totals totals = {rest->value[WEIR_BY_FLOWS],
						   rest->value[WEIR_BY_PACKETS],
						   rest->value[WEIR_BY_BYTES]};

		top.rest_groups_exact = lines->exact;
		weir_convert_totals_put(&rest_totals, &totals);
		top.rest_groups = rest->groups;
		top.rest = &rest_totals;
	}
	part.top = &top;
	lines->count = 0;
	return weir_job_part(lines->job, &part);
}

static int add_line(void *arg, const uint8_t *key, const uint64_t *value)
{
	struct lines *lines = arg;
	const struct weir_totals totals = {value[WEIR_BY_FLOWS], value[WEIR_BY_PACKETS],
					   value[WEIR_BY_BYTES]};
	unsigned i;
	int ret = lines->count == LINES_A_PART ? send_lines(lines, NULL) : 0;

	if (ret)
		return ret;
	i = lines->count++;
	memcpy(lines->key[i], key, lines->key_bytes);
	weir__wire__line__init(&lines->line[i]);
	weir_convert_totals_put(&lines->low[i], &totals);
	lines->line[i].key.data = lines->key[i];
	lines->line[i].key.len = lines->key_bytes;
	lines->line[i].low = &lines->low[i];
	lines->pointer[i] = &lines->line[i];
	return 0;
}

static struct weir_measure sum_of(const char *word)
{
	return (struct weir_measure){.kind = WEIR_MEASURE_SUM,
				     .quantity = weir_quantity_find(word, strlen(word))};
}

static void answer_top(struct weir_job *job, const Weir__Wire__Ask *ask, struct weir_node *node)
{
	struct weir_query_spec spec = {.measures = 3,
				       .order = (int)ask->order,
				       .limit = ask->partial ? 0 : ask->limit};
	struct weir_query_result figures = {0};
	struct weir_query_rest rest;
	struct weir_filter *filter;
	struct weir_query query;
	struct lines *lines;
	const char *word = "";
	int result = -ENOMEM;

	if (weir_fields_parse(ask->fields, &spec.fields, &word) < 0) {
		weir_job_fail(job, -EINVAL, 0, "\"%s\" is not a field; %s", word,
			      weir_fields_words());
		return;
	}
	if (!prepare(job, ask, &query, &filter))
		return;
	spec.measure[WEIR_BY_BYTES] = sum_of("bytes");
	spec.measure[WEIR_BY_PACKETS] = sum_of("packets");
	spec.measure[WEIR_BY_FLOWS] = sum_of("flows");
	lines = calloc(1, sizeof(*lines));
	if (lines) {
		lines->job = job;
		lines->key_bytes = spec.fields.key_bytes;
		lines->exact = true;
		result = weir_query_groups(node->store, &query, &spec, add_line, lines, &rest,
					   &figures);
	}
	if (!result) {
		lines->exact = !figures.blocks_damaged;
		result = send_lines(lines, &rest);
	}
	finish(job, ask, result, &figures);
	free(lines);
	weir_filter_free(filter);
}

static void describe_masters(struct weir_node *node, const struct weir_store_summed *summed,
			     Weir__Wire__Node *message, char *state, size_t state_bytes)
{
	int error = atomic_load(&node->store_error);
	size_t used = 0;

	state[0] = '\0';
	if (error)
		used += (size_t)snprintf(state, state_bytes, "%s%s, records wait in the kernel; ",
					 error == -ENOSPC ? "" : "cannot store: ",
					 error == -ENOSPC ? "the disk is full" : strerror(-error));
	if (!atomic_load(&node->attached) && used < state_bytes)
		used += (size_t)snprintf(state + used, state_bytes - used,
					 "not attached to the kernel; ");
	for (unsigned i = 0; i < node->config.masters && used < state_bytes; i++) {
		struct weir_replicate_state master;
		uint64_t behind;

		weir_replicate_get_state(i, &master);
		behind = summed->seq > master.acked_seq ? summed->seq - master.acked_seq : 0;
		if (behind > message->lag_segments)
			message->lag_segments = behind;
		message->connected = message->connected || master.connected;
		if (master.error[0])
			used += (size_t)snprintf(state + used, state_bytes - used,
						 "master %s: %s; ", node->config.master[i].name,
						 master.error);
	}
	used = strlen(state);
	if (used > 2 && state[used - 2] == ';')
		state[used - 2] = '\0';
	message->state = state;
}

static void answer_nodes(struct weir_job *job, struct weir_node *node)
{
	const struct weir_store_identity *identity = weir_store_identity(node->store);
	Weir__Wire__Part part = WEIR__WIRE__PART__INIT;
	Weir__Wire__Node message = WEIR__WIRE__NODE__INIT, *pointer = &message;
	Weir__Wire__End end = WEIR__WIRE__END__INIT;
	struct weir_store_figures figures = {0};
	struct weir_store_summed summed = {0};
	struct weir_totals stored = {0};
	Weir__Wire__Totals totals;
	char state[1024];
	int result = weir_store_summed(node->store, &summed);

	if (!result)
		result = weir_store_stored(node->store, &stored);
	if (!result)
		result = weir_store_figures(node->store, &figures);
	if (result) {
		weir_job_fail(job, result, 0, "reading the store: %s", strerror(-result));
		return;
	}
	weir_convert_totals_put(&totals, &stored);
	message.name = node->config.name;
	message.node_id.data = (uint8_t *)identity->node_id;
	message.node_id.len = sizeof(identity->node_id);
	message.software = "weir-node " WEIR_VERSION;
	message.last_seq = summed.seq;
	message.last_end_ns = summed.end_ns;
	message.totals = &totals;
	message.epochs = 1;
	message.disk_bytes = figures.disk_bytes;
	message.free_bytes = figures.free_bytes;
	message.oldest_ns = figures.oldest_ns;
	message.storing = !atomic_load(&node->store_error);
	describe_masters(node, &summed, &message, state, sizeof(state));
	part.n_nodes = 1;
	part.nodes = &pointer;
	if (weir_job_part(job, &part) == 0)
		weir_job_end(job, &end);
}

void weir_answer_run(struct weir_job *job, const Weir__Wire__Ask *ask, void *arg)
{
	struct weir_node *node = arg;

	switch (ask->verb) {
	case WEIR__WIRE__VERB__VERB_FLOWS:
		answer_flows(job, ask, node);
		break;
	case WEIR__WIRE__VERB__VERB_TOP:
		answer_top(job, ask, node);
		break;
	case WEIR__WIRE__VERB__VERB_NODES:
		answer_nodes(job, node);
		break;
	case WEIR__WIRE__VERB__VERB_AUDIT:
		weir_audit_run(job, ask, node);
		break;
	default:
		weir_job_fail(job, -EOPNOTSUPP, 0, "this weir-node does not know verb %d",
			      (int)ask->verb);
	}
}
