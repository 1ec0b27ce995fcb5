// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/conf.h"
#include "daemon/common/log.h"
#include "daemon/common/setting.h"
#include "daemon/node/node.h"

#define SECOND WEIR_NS_PER_SECOND
#define DAY    (86400 * SECOND)
#define AT(member) offsetof(struct weir_node_config, member)

#define KEEP(what, level) AT(keep.rollup_##what[WEIR_ROLLUP_##level])

static const char path_default[] = "/etc/weir/node.conf";

/* As weir set calls them; in the file "-" is "_". */
const char *const weir_node_settings[WEIR_NODE_SETTINGS] = {
	"modes", "interfaces", "look-inside", "sampling", "sampling-method", "cover",
};

static const struct weir_conf_key keys[] = {
	{"node", "name", WEIR_CONF_NAME, AT(name), 0, 0, "of this node; default: the host name"},
	{"node", "site", WEIR_CONF_STRING, AT(site), 0, 0, "where it stands, for filters and groups"},
	{"node", "state", WEIR_CONF_STRING, AT(state), 0, 0, "folder of the store"},
	{"node", "socket", WEIR_CONF_STRING, AT(socket), 0, 0, "where weir finds this node"},
	{"node", "interval", WEIR_CONF_DURATION, AT(interval_ns), SECOND, 3600 * SECOND,
	 "what one summary covers; the same on all nodes"},
	{"node", "commit", WEIR_CONF_DURATION, AT(commit_ns), SECOND / 100, 60 * SECOND,
	 "records are on disk at most this long after the kernel sent them"},
	{"node", "min_free", WEIR_CONF_BYTES, AT(min_free_bytes), 0, 0,
	 "do not store records while the file system has less room than this"},
	{"node", "summary_top", WEIR_CONF_COUNT, AT(summary_top), 1, 20000,
	 "exact keys per dimension that masters get"},
	{"node", "spool_segments", WEIR_CONF_COUNT, AT(keep.spool_segments), 0, 0,
	 "summaries kept for masters, the oldest go first; 0: all"},
	{"node", "when_full", WEIR_CONF_STRING, AT(when_full), 0, 0,
	 "below min_free: \"summaries\" goes on without raw records, \"wait\" stops"},
	{"node", "keep", WEIR_CONF_DURATION, AT(keep.raw_ns), 0, 0,
	 "records older than this are removed; 0: none are"},
	{"node", "keep_bytes", WEIR_CONF_BYTES, AT(keep.raw_bytes), 0, 0,
	 "records and segments take no more than this, the oldest go first; 0: any"},
	{"node", "rollup_top", WEIR_CONF_COUNT, AT(rollup_top), 1, 20000,
	 "keys per dimension of a roll-up"},
	{"node", "keep_minutes", WEIR_CONF_DURATION, KEEP(ns, MINUTE), 0, 0,
	 "roll-ups of minutes older than this are removed; 0: none are"},
	{"node", "keep_minutes_bytes", WEIR_CONF_BYTES, KEEP(bytes, MINUTE), 0, 0,
	 "and they take no more than this; 0: any"},
	{"node", "keep_hours", WEIR_CONF_DURATION, KEEP(ns, HOUR), 0, 0,
	 "the same of hours"},
	{"node", "keep_hours_bytes", WEIR_CONF_BYTES, KEEP(bytes, HOUR), 0, 0,
	 "and what they take"},
	{"node", "keep_days", WEIR_CONF_DURATION, KEEP(ns, DAY), 0, 0,
	 "the same of days"},
	{"node", "keep_days_bytes", WEIR_CONF_BYTES, KEEP(bytes, DAY), 0, 0,
	 "and what they take"},
	{"node", "query_threads", WEIR_CONF_COUNT, AT(query_threads), 0, 64,
	 "of all queries together; 0: as many as there are cores"},
	{"node", "query_memory", WEIR_CONF_BYTES, AT(query_memory_bytes), 1 << 20, 1ULL << 40,
	 "what one query may hold in memory"},
	{"node", "query_memory_total", WEIR_CONF_BYTES, AT(query_memory_total_bytes), 1 << 20,
	 1ULL << 40, "what all of them may hold; who finds none left waits"},
	{"node", "query_spill", WEIR_CONF_BYTES, AT(query_spill_bytes), 0, 0,
	 "disk a query may use for what does not fit into its memory; 0: none"},
	{"node", "query_spill_folder", WEIR_CONF_STRING, AT(query_spill_folder), 0, 0,
	 "where; empty: folder spill in state"},
	{"node", "query_timeout", WEIR_CONF_DURATION, AT(query_timeout_ns), 0, 0,
	 "a query that takes longer is stopped; 0: none is"},
	{"kernel", "configure", WEIR_CONF_BOOL, AT(configure_kernel), 0, 0,
	 "set what follows, and switch metering on"},
	{"kernel", "active_timeout", WEIR_CONF_DURATION, AT(active_timeout_ns), SECOND / 10,
	 86400 * SECOND, "a flow that goes on is reported this often"},
	{"kernel", "idle_timeout", WEIR_CONF_DURATION, AT(idle_timeout_ns), SECOND / 10,
	 3600 * SECOND, "a flow without packets ends after this"},
	{"kernel", "fin_timeout", WEIR_CONF_DURATION, AT(fin_timeout_ns), SECOND / 10, 600 * SECOND,
	 "a TCP connection that was closed ends after this"},
	{"kernel", "table_flows", WEIR_CONF_LIMIT, AT(table_flows), 64, 1 << 24,
	 "flows per CPU, 64 to 2^24; 0: the module's default"},
	{"kernel", "log_batches", WEIR_CONF_LIMIT, AT(log_batches), 2, 1 << 16,
	 "batches per CPU the kernel keeps for us, 2 to 65536; 0: the module's default"},
	{"kernel", "modes", WEIR_CONF_STRING, AT(setting[0]), 0, 0,
	 "where packets are seen: routed or ingress, bridge, netdev; not given: as it is"},
	{"kernel", "interfaces", WEIR_CONF_STRING, AT(setting[1]), 0, 0,
	 "patterns of names for mode netdev (eth* !eth3), none; not given: as it is"},
	{"kernel", "look_inside", WEIR_CONF_STRING, AT(setting[2]), 0, 0,
	 "ipip, gre, vxlan, geneve, gtpu, all, none; not given: as it is"},
	{"kernel", "sampling", WEIR_CONF_STRING, AT(setting[3]), 0, 0,
	 "one packet of so many, 1: all; not given: as it is"},
	{"kernel", "sampling_method", WEIR_CONF_STRING, AT(setting[4]), 0, 0,
	 "packets or flows; not given: as it is"},
	{"kernel", "cover", WEIR_CONF_STRING, AT(setting[5]), 0, 0,
	 "on: all network namespaces, off; not given: as it is"},
	{"master *", "address", WEIR_CONF_ADDRESS, offsetof(struct weir_node_master, address), 0, 0,
	 "host:port to replicate to"},
	{NULL, NULL, 0, 0, 0, 0, NULL},
};

static int set_defaults(struct weir_node_config *config)
{
	char host[256];

	*config = (struct weir_node_config){
		.state = strdup("/var/lib/weir/node"),
		.socket = strdup("/run/weir/node.sock"),
		.interval_ns = 10 * SECOND,
		.commit_ns = SECOND,
		.site = strdup(""),
		.query_spill_folder = strdup(""),
		.query_memory_bytes = 512 << 20,
		.query_memory_total_bytes = 1 << 30,
		.query_spill_bytes = 16ULL << 30,
		.query_timeout_ns = 600 * SECOND,
		.min_free_bytes = 256 << 20,
		.summary_top = 1000,
		.when_full = strdup("summaries"),
		.rollup_top = 1000,
		.keep = {
			/* A week of intervals of 10 s. */
			.spool_segments = 7 * 8640,
			.rollup_ns = {7 * DAY, 92 * DAY, 3653 * DAY},
			.rollup_bytes = {4ULL << 30, 2ULL << 30, 2ULL << 30},
		},
		.configure_kernel = true,
		.active_timeout_ns = 60 * SECOND,
		.idle_timeout_ns = 15 * SECOND,
		.fin_timeout_ns = 2 * SECOND,
	};
	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++) {
		config->setting[i] = strdup("");
		if (!config->setting[i])
			return -ENOMEM;
	}
	if (gethostname(host, sizeof(host)))
		strcpy(host, "localhost");
	host[sizeof(host) - 1] = '\0';
	config->name = strdup(host);
	return config->name && config->state && config->socket && config->site &&
			       config->query_spill_folder && config->when_full ?
		       0 : -ENOMEM;
}

static void *open_master(void *into, const char *section, const char *name, char *error,
			 size_t error_bytes)
{
	struct weir_node_config *config = into;
	struct weir_node_master *master;

	if (config->masters == WEIR_NODE_MASTERS_MAX) {
		snprintf(error, error_bytes, "[%s %s]: at most %d masters", section, name,
			 WEIR_NODE_MASTERS_MAX);
		return NULL;
	}
	master = &config->master[config->masters];
	master->name = strdup(name);
	if (!master->name) {
		snprintf(error, error_bytes, "no memory");
		return NULL;
	}
	config->masters++;
	return master;
}

static int check_settings(const char *path, const struct weir_node_config *config)
{
	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++) {
		const char *name = weir_node_settings[i], *nearest;
		const struct weir_setting_row *row = weir_setting_find(name, &nearest);
		struct weir_setting setting;
		char key[32];

		if (!*config->setting[i] ||
		    (row && !weir_setting_parse(row, config->setting[i], &setting)))
			continue;
		snprintf(key, sizeof(key), "%s", name);
		for (char *c = key; *c; c++)
			*c = *c == '-' ? '_' : *c;
		weir_log_error("%s: [kernel] %s: \"%s\" is not %s", path, key, config->setting[i],
			       row ? row->expected : "known");
		return -EINVAL;
	}
	return 0;
}

static int check(const char *path, const struct weir_node_config *config)
{
	if (check_settings(path, config))
		return -EINVAL;
	if (strcmp(config->when_full, "summaries") && strcmp(config->when_full, "wait")) {
		weir_log_error("%s: [node] when_full: \"%s\" is neither \"summaries\" nor \"wait\"",
			       path, config->when_full);
		return -EINVAL;
	}
	if (*config->name && strlen(config->name) <= WEIR_CONF_NAME_BYTES)
		return 0;
	weir_log_error("%s: the host name \"%s\" cannot be the node's name, which has 1 to %d "
		       "bytes: set [node] name", path, config->name, WEIR_CONF_NAME_BYTES);
	return -EINVAL;
}

int weir_config_read(const char *path, struct weir_node_config *config)
{
	char error[512] = "";
	int ret = set_defaults(config);

	if (ret) {
		weir_config_free(config);
		return ret;
	}
	if (path || !access(path_default, F_OK))
		ret = weir_conf_read(path ? path : path_default, keys, open_master, config, error,
				     sizeof(error));
	if (!path)
		path = path_default;
	if (ret)
		weir_log_error("%s%s%s", *error ? error : path, *error ? "" : ": ",
			       *error ? "" : strerror(-ret));
	else
		ret = check(path, config);
	if (ret)
		weir_config_free(config);
	return ret;
}

void weir_config_free(struct weir_node_config *config)
{
	free(config->name);
	free(config->state);
	free(config->socket);
	free(config->when_full);
	free(config->site);
	free(config->query_spill_folder);
	for (unsigned i = 0; i < WEIR_NODE_SETTINGS; i++)
		free(config->setting[i]);
	for (unsigned i = 0; i < config->masters; i++) {
		free(config->master[i].name);
		free(config->master[i].address);
	}
	memset(config, 0, sizeof(*config));
}

void weir_config_print(void)
{
	struct weir_node_config config;

	if (!set_defaults(&config))
		weir_conf_print(keys, &config);
	weir_config_free(&config);
}
