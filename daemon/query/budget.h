/* SPDX-License-Identifier: GPL-2.0 */
/* budget.h - the memory one thread of a query may take for what grows with the data. */
#ifndef WEIR_QUERY_BUDGET_H
#define WEIR_QUERY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_budget {
	uint64_t bound_bytes, used_bytes;
};

/* Whether @bytes more are within the bound; counted if so. */
static inline bool weir_budget_take(struct weir_budget *budget, uint64_t bytes)
{
	if (bytes > budget->bound_bytes || budget->used_bytes > budget->bound_bytes - bytes)
		return false;
	budget->used_bytes += bytes;
	return true;
}

/* What is needed to make any progress is taken in any case. */
static inline void weir_budget_insist(struct weir_budget *budget, uint64_t bytes)
{
	budget->used_bytes += bytes;
}

static inline void weir_budget_give(struct weir_budget *budget, uint64_t bytes)
{
	budget->used_bytes -= bytes;
}

#endif
