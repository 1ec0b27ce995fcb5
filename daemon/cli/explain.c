// SPDX-License-Identifier: GPL-2.0
/* explain.c - how an answer came about, for --explain. */
#include <inttypes.h>

#include "daemon/cli/client.h"
#include "daemon/common/text.h"

static const char *duration(uint64_t ns, char text[32])
{
	return weir_cli_show_duration(ns, false, text, 32);
}

/* Names and numbers stay in place: scripts may read them. */
static void explain_one(const Weir__Wire__Explain *e)
{
	char a[32], b[32], c[32], d[32], f[32];

	if (e->node[0])
		weir_cli_say("explain: node %s", e->node);
	weir_cli_say("explain: blocks: %" PRIu64 " planned, %" PRIu64 " read, %" PRIu64
		     " skipped by index, %" PRIu64 " damaged, %" PRIu64 " gone",
		     e->blocks_planned, e->blocks_read, e->blocks_skipped, e->blocks_damaged,
		     e->blocks_gone);
	weir_cli_say("explain: read: %" PRIu64 " records, %" PRIu64 " bytes of columns; spilled: %"
		     PRIu64 " bytes", e->records_read, e->bytes_read, e->spilled_bytes);
	weir_cli_say("explain: stages, all threads together: plan %s, read %s, filter %s, aggregate "
		     "%s, sort %s", duration(e->plan_ns, a), duration(e->read_ns, b),
		     duration(e->filter_ns, c), duration(e->aggregate_ns, d),
		     duration(e->sort_ns, f));
	weir_cli_say("explain: total: %s with %" PRIu32 " thread%s, %s of it waiting for its turn",
		     duration(e->total_ns, a), e->threads, e->threads == 1 ? "" : "s",
		     duration(e->wait_ns, b));
}

void weir_cli_explain(const Weir__Wire__End *end)
{
	for (size_t i = 0; i < end->n_explain; i++)
		explain_one(end->explain[i]);
	if (!end->n_explain)
		weir_cli_say("explain: %" PRIu64 " blocks read; who answered says no more",
			     end->blocks_read);
}
