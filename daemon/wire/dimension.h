/* SPDX-License-Identifier: GPL-2.0 */
/* dimension.h - the lists of segments and roll-ups, into bounds. */
#ifndef WEIR_WIRE_DIMENSION_H
#define WEIR_WIRE_DIMENSION_H

#include "daemon/query/bounds.h"
#include "weir.pb-c.h"

/* The list of @fields among @dimensions, or NULL when there is none whose keys all have @key_bytes. */
const Weir__Wire__Dimension *weir_dimension_find(Weir__Wire__Dimension *const *dimensions,
						 size_t count, const char *fields,
						 unsigned key_bytes);
/* -ENOMEM, -E2BIG. */
int weir_dimension_add(struct weir_bounds *bounds, const Weir__Wire__Dimension *dimension);
/* Add dimension @fields of @segment, with keys of @key_bytes as @bounds has. A segment without it, or
 * with one that cannot be read, is a list that names nothing and leaves out everything: then
 * 1. -ENOMEM, -E2BIG. */
int weir_dimension_add_segment(struct weir_bounds *bounds, const char *fields, unsigned key_bytes,
			       const Weir__Wire__Segment *segment);

#endif
