// SPDX-License-Identifier: GPL-2.0
/* answer_nodes.c - VERB_NODES: how this node stands. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/node/answer.h"
#include "daemon/wire/convert.h"

static void describe_masters(struct weir_node *node, const struct weir_store_summed *summed,
			     Weir__Wire__Node *message, char *state, size_t state_bytes)
{
	int error = atomic_load(&node->store_error);
	char kept[160], mounts[160];
	size_t used = 0;

	state[0] = '\0';
	if (error)
		used += (size_t)snprintf(state, state_bytes, "%s%s, records wait in the kernel; ",
					 error == -ENOSPC ? "" : "cannot store: ",
					 error == -ENOSPC ? "the disk is full" : strerror(-error));
	else if (atomic_load(&node->refusing))
		used += (size_t)snprintf(state, state_bytes, "the disk is full, records are refused "
					 "and only summed up; ");
	weir_keeper_describe(kept, sizeof(kept));
	if (*kept && used < state_bytes)
		used += (size_t)snprintf(state + used, state_bytes - used, "%s; ", kept);
	if (*weir_store_mounts(node->store, mounts, sizeof(mounts)) && used < state_bytes)
		used += (size_t)snprintf(state + used, state_bytes - used, "shows backups: %s; ",
					 mounts);
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

void weir_answer_nodes(struct weir_job *job, struct weir_node *node)
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
	message.disk_bytes = figures.disk_bytes + figures.rollup_bytes;
	message.free_bytes = figures.free_bytes;
	message.oldest_ns = figures.oldest_ns;
	message.storing = !atomic_load(&node->store_error) && !atomic_load(&node->refusing);
	describe_masters(node, &summed, &message, state, sizeof(state));
	part.n_nodes = 1;
	part.nodes = &pointer;
	if (weir_job_part(job, &part) == 0)
		weir_job_end(job, &end);
}
