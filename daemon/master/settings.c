// SPDX-License-Identifier: GPL-2.0
/* settings.c - /etc/weir/master.conf. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/conf.h"
#include "daemon/common/log.h"
#include "daemon/master/master.h"

#define DEFAULT_PATH "/etc/weir/master.conf"

#define AT(member) offsetof(struct weir_master_settings, member)

static const struct weir_conf_key keys[] = {
	{"master", "name", WEIR_CONF_STRING, AT(name), 0, 0,
	 "what nodes and users call this master; the host name by default"},
	{"master", "state", WEIR_CONF_STRING, AT(state), 0, 0,
	 "folder of all segments; made if absent"},
	{"master", "socket", WEIR_CONF_STRING, AT(socket), 0, 0,
	 "where weir --master asks; for root and the daemon's own user"},
	{"master", "listen", WEIR_CONF_LISTEN, AT(listen), 0, 0,
	 "address:port for nodes; this version has no TLS: trusted networks only"},
	{"master", "query_timeout", WEIR_CONF_DURATION, AT(query_timeout_ns), WEIR_NS_PER_SECOND / 10,
	 3600 * WEIR_NS_PER_SECOND, "a node that has not answered by then is named as missing"},
	{"master", "min_free", WEIR_CONF_BYTES, AT(min_free_bytes), 0, 0,
	 "with less free space on the disk, segments are not taken; nodes keep them"},
	{"master", "max_nodes", WEIR_CONF_COUNT, AT(max_nodes), 1, 65536,
	 "nodes at a time; more are turned away"},
	{NULL, NULL, WEIR_CONF_STRING, 0, 0, 0, NULL},
};

static int set_defaults(struct weir_master_settings *settings)
{
	char host[HOST_NAME_MAX + 1] = "master";

	memset(settings, 0, sizeof(*settings));
	gethostname(host, sizeof(host) - 1);
	settings->name = strdup(host);
	settings->state = strdup("/var/lib/weir/master");
	settings->socket = strdup("/run/weir/master.sock");
	settings->listen = strdup("127.0.0.1:7410");
	settings->query_timeout_ns = 10 * WEIR_NS_PER_SECOND;
	settings->min_free_bytes = 64 << 20;
	settings->max_nodes = 1024;
	return settings->name && settings->state && settings->socket && settings->listen ? 0 :
											    -ENOMEM;
}

int weir_settings_read(const char *path, struct weir_master_settings *settings)
{
	char error[512];
	int result = set_defaults(settings);

	if (result)
		return result;
	result = weir_conf_read(path ? path : DEFAULT_PATH, keys, NULL, settings, error,
				sizeof(error));
	if (result == -ENOENT && !path)
		result = 0;
	else if (result == -ENOENT)
		weir_log_error("%s: no such file", path);
	else if (result)
		weir_log_error("%s", error);
	return result;
}

void weir_settings_free(struct weir_master_settings *settings)
{
	free(settings->name);
	free(settings->state);
	free(settings->socket);
	free(settings->listen);
}

void weir_settings_print(void)
{
	struct weir_master_settings settings;

	if (set_defaults(&settings) == 0)
		weir_conf_print(keys, &settings);
	weir_settings_free(&settings);
}
