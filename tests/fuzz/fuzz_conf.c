// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a configuration file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/common/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct config {
	char *name;
	bool on;
	uint64_t count, timeout, size;
	char *address;
};

static const struct weir_conf_key keys[] = {
	{"node", "name", WEIR_CONF_STRING, offsetof(struct config, name), 0, 0, ""},
	{"node", "size", WEIR_CONF_BYTES, offsetof(struct config, size), 0, 0, ""},
	{"kernel", "on", WEIR_CONF_BOOL, offsetof(struct config, on), 0, 0, ""},
	{"kernel", "count", WEIR_CONF_COUNT, offsetof(struct config, count), 1, 10, ""},
	{"kernel", "timeout", WEIR_CONF_DURATION, offsetof(struct config, timeout), 1, 9, ""},
	{"master *", "address", WEIR_CONF_STRING, offsetof(struct config, address), 0, 0, ""},
	{0},
};

static void *open_master(void *into, const char *section, const char *name, char *error,
			 size_t error_bytes)
{
	return into;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config = {0};
	char error[96] = "", path[32];
	int fd = memfd_create("conf", 0);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (weir_conf_read(path, keys, open_master, &config, error, sizeof(error)) && !error[0])
		abort();
	if (config.count > 10)
		abort();
	free(config.name);
	free(config.address);
	close(fd);
	return 0;
}

#include "tests/fuzz/replay.h"
