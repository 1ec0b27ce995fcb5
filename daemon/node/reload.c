// SPDX-License-Identifier: GPL-2.0
/* reload.c - SIGHUP: what is kept can change while the node runs; the rest says that it cannot. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/node/node.h"

static struct {
	struct weir_node *node;
	const char *path;
	struct event *event;
} reload;

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a, b);
}

static bool same_masters(const struct weir_node_config *a, const struct weir_node_config *b)
{
	if (a->masters != b->masters)
		return false;
	for (unsigned i = 0; i < a->masters; i++)
		if (!same_text(a->master[i].name, b->master[i].name) ||
		    !same_text(a->master[i].address, b->master[i].address))
			return false;
	return true;
}

static bool same_settings(const struct weir_node_config *a, const struct weir_node_config *b)
{
	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++) {
		if (!same_text(a->setting[i], b->setting[i]))
			return false;
	}
	return true;
}

/* All but what is kept. */
static bool same_rest(const struct weir_node_config *a, const struct weir_node_config *b)
{
	return same_text(a->name, b->name) && same_text(a->state, b->state) &&
	       same_text(a->socket, b->socket) && same_text(a->when_full, b->when_full) &&
	       same_text(a->site, b->site) && same_text(a->query_spill_folder, b->query_spill_folder) &&
	       a->query_threads == b->query_threads &&
	       a->query_memory_bytes == b->query_memory_bytes &&
	       a->query_memory_total_bytes == b->query_memory_total_bytes &&
	       a->query_spill_bytes == b->query_spill_bytes &&
	       a->query_timeout_ns == b->query_timeout_ns &&
	       a->interval_ns == b->interval_ns && a->commit_ns == b->commit_ns &&
	       a->min_free_bytes == b->min_free_bytes && a->summary_top == b->summary_top &&
	       a->rollup_top == b->rollup_top && a->configure_kernel == b->configure_kernel &&
	       a->active_timeout_ns == b->active_timeout_ns &&
	       a->idle_timeout_ns == b->idle_timeout_ns &&
	       a->fin_timeout_ns == b->fin_timeout_ns && a->table_flows == b->table_flows &&
	       a->log_batches == b->log_batches && same_settings(a, b) && same_masters(a, b);
}

static void on_hangup(evutil_socket_t number, short what, void *arg)
{
	struct weir_node_config config;

	if (weir_config_read(reload.path, &config)) {
		weir_log_error("the configuration is as it was");
		return;
	}
	weir_keeper_set(&config.keep);
	weir_log_info("read the configuration again: what is kept is in force%s",
		      same_rest(&config, &reload.node->config) ?
			      "" : "; other changes take effect at the next start");
	weir_config_free(&config);
}

int weir_reload_start(struct weir_node *node, struct event_base *base, const char *path)
{
	reload.node = node;
	reload.path = path;
	reload.event = evsignal_new(base, SIGHUP, on_hangup, NULL);
	return reload.event && !event_add(reload.event, NULL) ? 0 : -ENOMEM;
}

void weir_reload_stop(void)
{
	if (reload.event)
		event_free(reload.event);
	reload.event = NULL;
}
