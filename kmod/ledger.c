// SPDX-License-Identifier: GPL-2.0
/* ledger - where every packet went */

#include "ledger.h"

void weir_ledger_add(struct weir_ledger *sum, const struct weir_ledger *what)
{
	unsigned int i;

	weir_totals_add(&sum->seen, &what->seen);
	weir_totals_add(&sum->table, &what->table);
	weir_totals_add(&sum->pending, &what->pending);
	weir_totals_add(&sum->acked, &what->acked);
	for (i = 0; i < __WEIR_LOST_COUNT; i++)
		weir_totals_add(&sum->lost[i], &what->lost[i]);
	for (i = 0; i < __WEIR_SKIP_COUNT; i++)
		weir_totals_add(&sum->skipped[i], &what->skipped[i]);
	for (i = 0; i < __WEIR_COUNTER_COUNT; i++)
		sum->counters[i] += what->counters[i];
}
