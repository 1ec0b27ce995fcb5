/* SPDX-License-Identifier: GPL-2.0 */
/* field.h - what fields.c and the table in field.c share. */
#ifndef WEIR_QUERY_FIELD_H
#define WEIR_QUERY_FIELD_H

#include "daemon/query/fields.h"

/* The number in @bytes of @key. */
uint64_t weir_field_get(const uint8_t *key, unsigned bytes);
/* Whether its text is the number and nothing else. */
bool weir_field_is_number(const struct weir_field *field);

#endif
