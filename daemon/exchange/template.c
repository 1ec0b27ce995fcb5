// SPDX-License-Identifier: GPL-2.0
/*
 * template.c - templates and observation domains, in two search trees.
 *
 * A file of hostile content may define a template in ten bytes, so their number is bounded, and all of a
 * domain's are withdrawn by one number, not one by one.
 */
#include "daemon/exchange/template.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

enum {
	DOMAINS_MAX = 65536,
	FIELDS_MAX = 1 << 20, /* of all templates together: 16 MB */
	ENTERPRISE_BIT = 0x8000,
	LENGTHLESS_MAX = 16, /* fields without length; else a byte of data could take thousands of steps */
};

struct weir_ipfix_templates {
	void *domains, *templates;
	uint32_t domain_count, field_count;
};

static int compare_domains(const void *a, const void *b)
{
	uint32_t x = ((const struct weir_ipfix_domain *)a)->id, y = ((const struct weir_ipfix_domain *)b)->id;

	return x < y ? -1 : x > y;
}

static int compare_templates(const void *a, const void *b)
{
	uint64_t x = ((const struct weir_ipfix_template *)a)->key;
	uint64_t y = ((const struct weir_ipfix_template *)b)->key;

	return x < y ? -1 : x > y;
}

struct weir_ipfix_templates *weir_ipfix_templates_new(void)
{
	return calloc(1, sizeof(struct weir_ipfix_templates));
}

void weir_ipfix_templates_free(struct weir_ipfix_templates *t)
{
	if (!t)
		return;
	tdestroy(t->domains, free);
	tdestroy(t->templates, free);
	free(t);
}

struct weir_ipfix_domain *weir_ipfix_templates_domain(struct weir_ipfix_templates *t, uint32_t id)
{
	struct weir_ipfix_domain wanted = {.id = id}, *new;
	void **node = tfind(&wanted, &t->domains, compare_domains);

	if (node)
		return *node;
	if (t->domain_count >= DOMAINS_MAX)
		return NULL;
	new = calloc(1, sizeof(*new));
	if (!new)
		return NULL;
	new->id = id;
	if (!tsearch(new, &t->domains, compare_domains)) {
		free(new);
		return NULL;
	}
	t->domain_count++;
	return new;
}

static uint64_t key_of(const struct weir_ipfix_domain *domain, uint16_t id)
{
	return (uint64_t)domain->id << 16 | id;
}

const struct weir_ipfix_template *weir_ipfix_templates_find(const struct weir_ipfix_templates *t,
							    const struct weir_ipfix_domain *domain,
							    uint16_t id)
{
	struct weir_ipfix_template wanted = {.key = key_of(domain, id)};
	void **node = tfind(&wanted, &t->templates, compare_templates);
	const struct weir_ipfix_template *found = node ? *node : NULL;

	return found && found->generation == domain->generation ? found : NULL;
}

static void forget(struct weir_ipfix_templates *t, const struct weir_ipfix_domain *domain, uint16_t id)
{
	struct weir_ipfix_template wanted = {.key = key_of(domain, id)}, *old;
	void **node = tfind(&wanted, &t->templates, compare_templates);

	if (!node)
		return;
	old = *node;
	tdelete(old, &t->templates, compare_templates);
	t->field_count -= old->count;
	free(old);
}

static enum weir_ipfix_learnt remember(struct weir_ipfix_templates *t, struct weir_ipfix_domain *domain,
				       struct weir_ipfix_template *new)
{
	forget(t, domain, (uint16_t)new->key);
	if (t->field_count + new->count > FIELDS_MAX ||
	    !tsearch(new, &t->templates, compare_templates)) {
		free(new);
		return WEIR_IPFIX_LEARNT_FULL;
	}
	t->field_count += new->count;
	return WEIR_IPFIX_LEARNT;
}

/* One field of a definition; bytes it took, 0: it is cut. */
static size_t read_field(const uint8_t *data, size_t bytes, struct weir_ipfix_field *field)
{
	uint32_t enterprise = 0;
	uint16_t id;

	if (bytes < 4)
		return 0;
	id = (uint16_t)weir_ipfix_number(data, 2);
	field->bytes = (uint16_t)weir_ipfix_number(data + 2, 2);
	field->reverse = false;
	if (id & ENTERPRISE_BIT) {
		if (bytes < 8)
			return 0;
		enterprise = (uint32_t)weir_ipfix_number(data + 4, 4);
	}
	field->reverse = enterprise == WEIR_IPFIX_REVERSE;
	field->element = weir_ipfix_element_find(field->reverse ? 0 : enterprise, id & 0x7fff);
	return id & ENTERPRISE_BIT ? 8 : 4;
}

/* Fields into *@new; the bytes they take, 0: cut. */
static size_t read_fields(const uint8_t *data, size_t bytes, struct weir_ipfix_template *new)
{
	size_t at = 0;

	for (uint16_t i = 0; i < new->count; i++) {
		struct weir_ipfix_field *field = &new->field[i];
		size_t took = read_field(data + at, bytes - at, field);

		if (!took)
			return 0;
		at += took;
		new->least_bytes += field->bytes == WEIR_IPFIX_VARIABLE ? 1 : field->bytes;
	}
	return at;
}

/* Count 0: this template is withdrawn, or all of its kind. All of both kinds go then; an exporter that
 * means only one of them sends the others again, as it has to. */
static void withdraw(struct weir_ipfix_templates *t, struct weir_ipfix_domain *domain, uint16_t id)
{
	if (id < 256)
		domain->generation++;
	else
		forget(t, domain, id);
}

enum weir_ipfix_learnt weir_ipfix_templates_learn(struct weir_ipfix_templates *t,
						  struct weir_ipfix_domain *domain, bool options,
						  const uint8_t *data, size_t bytes, size_t *used)
{
	uint16_t id = (uint16_t)weir_ipfix_number(data, 2), count = (uint16_t)weir_ipfix_number(data + 2, 2);
	struct weir_ipfix_template *new;
	size_t at = options && count ? 6 : 4, took;

	*used = bytes;
	if (!count) {
		*used = 4;
		withdraw(t, domain, id);
		return WEIR_IPFIX_LEARNT;
	}
	if (at > bytes || count > (bytes - at) / 4)
		return WEIR_IPFIX_LEARNT_CUT;
	new = calloc(1, sizeof(*new) + count * sizeof(new->field[0]));
	if (!new)
		return WEIR_IPFIX_LEARNT_FULL;
	new->key = key_of(domain, id);
	new->generation = domain->generation;
	new->count = count;
	new->scopes = options ? (uint16_t)weir_ipfix_number(data + 4, 2) : 0;
	took = read_fields(data + at, bytes - at, new);
	if (took && (!options || (new->scopes && new->scopes <= count)) && new->least_bytes &&
	    count <= new->least_bytes + LENGTHLESS_MAX) {
		*used = at + took;
		return remember(t, domain, new);
	}
	forget(t, domain, id); /* what it was is no longer meant */
	if (took)
		*used = at + took;
	at = new->least_bytes && count <= new->least_bytes + LENGTHLESS_MAX;
	free(new);
	return !took ? WEIR_IPFIX_LEARNT_CUT : at ? WEIR_IPFIX_LEARNT_SCOPE : WEIR_IPFIX_LEARNT_EMPTY;
}
