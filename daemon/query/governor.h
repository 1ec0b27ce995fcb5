/* SPDX-License-Identifier: GPL-2.0 */
/* governor.h - the engine's side of weir_governor_new(). */
#ifndef WEIR_QUERY_GOVERNOR_H
#define WEIR_QUERY_GOVERNOR_H

#include "daemon/query/query.h"

/* Threads that run at once here, at most WEIR_QUERY_THREADS_MAX. */
unsigned weir_governor_cores(void);
/* Wait for the memory. It and the threads may come out smaller than asked for; @spills: with less
 * memory the query would be slower, and no more than that. With @governor NULL, all is granted. -ECANCELED. */
int weir_governor_enter(struct weir_governor *governor, const atomic_bool *cancel, bool spills,
			unsigned *threads, uint64_t *memory_bytes);
/* Give the threads back early; weir_governor_leave() is then told of none. */
void weir_governor_rest(struct weir_governor *governor, unsigned threads);
/* Give back what weir_governor_enter() gave. */
void weir_governor_leave(struct weir_governor *governor, unsigned threads, uint64_t memory_bytes);

#endif
