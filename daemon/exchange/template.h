/* SPDX-License-Identifier: GPL-2.0 */
/* template.h - the templates a reader has learnt, by observation domain; see ipfix.h. */
#ifndef WEIR_EXCHANGE_TEMPLATE_H
#define WEIR_EXCHANGE_TEMPLATE_H

#include "daemon/exchange/element.h"
#include "daemon/exchange/ipfix.h"

enum {
	WEIR_IPFIX_VARIABLE = 65535, /* a field that says its length itself */
	WEIR_IPFIX_REVERSE = 29305,  /* enterprise of RFC 5103: the element of the other direction */
};

struct weir_ipfix_field {
	const struct weir_ipfix_element *element; /* NULL: passed over */
	uint16_t bytes;
	bool reverse;
};

struct weir_ipfix_template {
	uint64_t key; /* domain << 16 | id */
	uint64_t generation; /* of the domain, when it was learnt */
	uint32_t least_bytes; /* of a record; never 0 */
	uint16_t scopes; /* not 0: for options */
	uint16_t count;
	struct weir_ipfix_field field[];
};

struct weir_ipfix_domain {
	uint32_t id;
	uint32_t expected; /* sequence number of the next message */
	bool expecting;
	uint64_t generation; /* templates of earlier ones are withdrawn */
	uint64_t boot_ms; /* systemInitTimeMilliseconds, 0: not known */
};

struct weir_ipfix_templates;

struct weir_ipfix_templates *weir_ipfix_templates_new(void);
void weir_ipfix_templates_free(struct weir_ipfix_templates *templates);
/* Made if it is new. NULL: no memory, or too many (see weir_ipfix_templates_full()). */
struct weir_ipfix_domain *weir_ipfix_templates_domain(struct weir_ipfix_templates *templates, uint32_t id);
/* The one in force, or NULL. */
const struct weir_ipfix_template *weir_ipfix_templates_find(const struct weir_ipfix_templates *templates,
							    const struct weir_ipfix_domain *domain,
							    uint16_t id);

enum weir_ipfix_learnt {
	WEIR_IPFIX_LEARNT,
	WEIR_IPFIX_LEARNT_CUT,	 /* the definition goes on behind the end of the set */
	WEIR_IPFIX_LEARNT_EMPTY, /* records of no length, or fields without length in a row */
	WEIR_IPFIX_LEARNT_SCOPE, /* scope of nothing, or of more fields than there are */
	WEIR_IPFIX_LEARNT_FULL,	 /* more than any honest file has, or no memory */
};
/**
 * weir_ipfix_templates_learn - read one definition at @data, of @bytes at most; *@used is what it took, all
 * of it if it is cut.
 */
enum weir_ipfix_learnt weir_ipfix_templates_learn(struct weir_ipfix_templates *templates,
						  struct weir_ipfix_domain *domain, bool options,
						  const uint8_t *data, size_t bytes, size_t *used);

#endif
