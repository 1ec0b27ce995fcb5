// SPDX-License-Identifier: GPL-2.0
/* answer_flows.c - VERB_FLOWS and VERB_LIST: flow records, in an order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/node/answer.h"
#include "daemon/wire/convert.h"

enum {
	FLOWS_A_PART = 256,
};

struct list {
	struct weir_job *job;
	const struct weir_names *names;
	unsigned count;
	struct weir_flow flow[FLOWS_A_PART];
	Weir__Wire__Flow message[FLOWS_A_PART];
	Weir__Wire__Flow *pointer[FLOWS_A_PART];
};

/* As the interface is called now: it may have been renamed since the flow. "" if it is gone, or one of
 * another namespace, which has numbers of its own. */
static char *interface_name(const struct list *list, const struct weir_flow *flow, uint32_t index)
{
	const char *name = index && !flow->netns ? weir_names_interface(list->names, index) : NULL;

	return name ? (char *)name : "";
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
	list->message[i].in_name = interface_name(list, flow, flow->in_ifindex);
	list->message[i].out_name = interface_name(list, flow, flow->out_ifindex);
	list->pointer[i] = &list->message[i];
	return list->count == FLOWS_A_PART ? send_flows(list) : 0;
}

/* FLOWS without a limit streams: nothing of it is held back to be sorted. */
static bool choose(struct weir_answer *answer, struct weir_list *how)
{
	const Weir__Wire__Ask *ask = answer->ask;

	*how = (struct weir_list){.order = WEIR_LIST_BY_END, .limit = ask->limit};
	if (ask->verb == WEIR__WIRE__VERB__VERB_FLOWS) {
		if (!ask->limit)
			how->order = WEIR_LIST_AS_FOUND;
		return true;
	}
	how->ascending = ask->ascending;
	if (!*ask->order_by)
		return true;
	how->order = WEIR_LIST_BY_QUANTITY;
	how->quantity = weir_quantity_find(ask->order_by, strlen(ask->order_by));
	if (how->quantity)
		return true;
	weir_job_fail(answer->job, -EINVAL, 0, "flows cannot be ordered by \"%s\"; there are %s",
		      ask->order_by, weir_quantity_words(false));
	return false;
}

void weir_answer_flows(struct weir_answer *answer)
{
	struct list *list;
	struct weir_list how;
	int result = -ENOMEM;

	if (!choose(answer, &how))
		return;
	list = calloc(1, sizeof(*list));
	if (list) {
		list->job = answer->job;
		list->names = answer->names;
		result = weir_query_list(answer->node->store, &answer->query, &how, add_flow, list,
					 &answer->result);
		if (result == 0)
			result = send_flows(list);
	}
	weir_answer_end(answer, result);
	free(list);
}
