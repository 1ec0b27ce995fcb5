// SPDX-License-Identifier: GPL-2.0
/* progress.c - on a terminal, what takes more than a second says how far it is, on one line. */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/cli/client.h"
#include "daemon/common/clock.h"
#include "daemon/common/text.h"

static void write_line(const Weir__Wire__Progress *state, uint64_t took_ns)
{
	uint64_t total = state->blocks_total ? state->blocks_total : 1;
	uint64_t done = state->blocks < total ? state->blocks : total;
	unsigned __int128 rate = (unsigned __int128)state->records * WEIR_NS_PER_SECOND / took_ns;
	char records[32], a_second[32];

	weir_text_quantity(state->records, records, sizeof(records));
	if (state->blocks >= total) {
		fprintf(stderr, "\r\033[K100 %%  %s records read, putting the answer together "
			"(%" PRIu64 " s)", records, took_ns / (uint64_t)WEIR_NS_PER_SECOND);
		return;
	}
	fprintf(stderr, "\r\033[K%3" PRIu64 " %%  %" PRIu64 " of %" PRIu64
		" blocks, %s records, %s a second", done * 100 / total, state->blocks,
		state->blocks_total, records,
		weir_text_quantity((uint64_t)rate, a_second, sizeof(a_second)));
}

void weir_cli_progress_show(struct weir_cli_progress *p, const Weir__Wire__Part *part)
{
	uint64_t took_ns = weir_clock_monotonic_ns() - p->started_ns;

	if (!part->state) {
		weir_cli_progress_clear(p);
		return;
	}
	if (took_ns < WEIR_NS_PER_SECOND || !isatty(STDERR_FILENO))
		return;
	write_line(part->state, took_ns);
	p->shown = true;
}

void weir_cli_progress_clear(struct weir_cli_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
