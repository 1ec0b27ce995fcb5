// SPDX-License-Identifier: GPL-2.0
/*
 * services.c - names of ports out of /etc/services. Read here and not with
 * getservbyport(3), which may ask the network, for hundreds of lines of output.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/cli.h"
#include "daemon/common/text.h"

struct service {
	uint8_t protocol;
	uint16_t port;
	char name[24];
};

static struct service *services;
static size_t service_count;
static bool loaded;

/* "https  443/tcp  # comment" */
static bool parse_line(char *line, struct service *service)
{
	char *rest = NULL, *name, *port, *protocol;
	unsigned long number;

	line[strcspn(line, "#\n")] = '\0';
	name = strtok_r(line, " \t", &rest);
	port = name ? strtok_r(NULL, " \t", &rest) : NULL;
	protocol = port ? strchr(port, '/') : NULL;
	if (!protocol)
		return false;
	*protocol++ = '\0';
	number = strtoul(port, NULL, 10);
	if (number == 0 || number > 65535 || weir_text_parse_protocol(protocol, &service->protocol))
		return false;
	service->port = (uint16_t)number;
	snprintf(service->name, sizeof(service->name), "%s", name);
	return true;
}

static int compare(const void *x, const void *y)
{
	const struct service *a = x, *b = y;

	if (a->protocol != b->protocol)
		return a->protocol < b->protocol ? -1 : 1;
	return a->port < b->port ? -1 : a->port > b->port;
}

static void load(void)
{
	FILE *file = fopen("/etc/services", "re");
	size_t room = 0;
	char line[512];

	loaded = true;
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		struct service one;

		if (!parse_line(line, &one))
			continue;
		if (service_count == room) {
			struct service *more =
				realloc(services, (room ? 2 * room : 512) * sizeof(*services));

			if (!more)
				break;
			services = more;
			room = room ? 2 * room : 512;
		}
		services[service_count++] = one;
	}
	fclose(file);
	if (service_count)
		qsort(services, service_count, sizeof(*services), compare);
}

const char *weir_cli_service_name(uint8_t protocol, uint16_t port)
{
	const struct service key = {.protocol = protocol, .port = port};
	const struct service *found;

	if (!loaded)
		load();
	if (!service_count)
		return NULL;
	found = bsearch(&key, services, service_count, sizeof(*services), compare);
	return found ? found->name : NULL;
}
