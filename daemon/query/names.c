// SPDX-License-Identifier: GPL-2.0
#include "daemon/query/names.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)WEIR_FIELDS_INTERFACE_BYTES == IF_NAMESIZE, "interface names fit");

int weir_names_new(const char *node, const char *site, struct weir_names **names)
{
	struct weir_names *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	snprintf(new->node, sizeof(new->node), "%s", node ? node : "");
	snprintf(new->site, sizeof(new->site), "%s", site ? site : "");
	*names = new;
	return 0;
}

void weir_names_free(struct weir_names *names)
{
	if (!names)
		return;
	free(names->interfaces);
	free(names);
}

int weir_names_add(struct weir_names *names, uint32_t index, const char *name)
{
	struct weir_names_interface *grown, *at;
	size_t i = names->count;

	grown = realloc(names->interfaces, (names->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	names->interfaces = grown;
	while (i > 0 && grown[i - 1].index > index)
		i--;
	at = &grown[i];
	memmove(at + 1, at, (names->count - i) * sizeof(*at));
	names->count++;
	memset(at, 0, sizeof(*at));
	at->index = index;
	snprintf(at->name, sizeof(at->name), "%s", name);
	return 0;
}

int weir_names_read(struct weir_names *names)
{
	struct if_nameindex *all = if_nameindex();
	int ret = 0;

	if (!all)
		return -errno;
	for (struct if_nameindex *one = all; one->if_index && !ret; one++)
		ret = weir_names_add(names, one->if_index, one->if_name);
	if_freenameindex(all);
	return ret;
}

static int compare_index(const void *key, const void *member)
{
	uint32_t index = *(const uint32_t *)key;
	const struct weir_names_interface *one = member;

	return index < one->index ? -1 : index > one->index;
}

const char *weir_names_interface(const struct weir_names *names, uint32_t index)
{
	const struct weir_names_interface *one;

	if (!names->count)
		return NULL;
	one = bsearch(&index, names->interfaces, names->count, sizeof(*one), compare_index);
	return one ? one->name : NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Where it fails behind a "*", try again with the "*" taking one character more. Only the
 * last "*" can matter, so this is never worse than both lengths multiplied. */
bool weir_names_match(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = text;
		} else if (*pattern && (*pattern == '?' || lower(*pattern) == lower(*text))) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}
