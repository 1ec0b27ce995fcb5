// SPDX-License-Identifier: GPL-2.0
/* reply_progress.c - how far the nodes are, added up. */
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/master/reply.h"

enum {
	EVERY_MS = 250,
};

static bool remember(struct weir_reply_progress *p, size_t leg, const Weir__Wire__Progress *state)
{
	if (leg >= p->legs) {
		Weir__Wire__Progress *grown = realloc(p->leg, (leg + 1) * sizeof(*grown));

		if (!grown)
			return false;
		p->leg = grown;
		while (p->legs <= leg)
			weir__wire__progress__init(&p->leg[p->legs++]);
	}
	p->leg[leg].blocks = state->blocks;
	p->leg[leg].blocks_total = state->blocks_total;
	p->leg[leg].records = state->records;
	return true;
}

bool weir_reply_progress_take(struct weir_reply_progress *p, size_t leg,
			      const Weir__Wire__Part *part)
{
	Weir__Wire__Progress sum = WEIR__WIRE__PROGRESS__INIT;
	Weir__Wire__Part out = WEIR__WIRE__PART__INIT;
	uint64_t now = weir_clock_monotonic_ns();

	if (!part->state)
		return false;
	if (!remember(p, leg, part->state) || now - p->sent_ns < EVERY_MS * 1000000ULL)
		return true;
	for (size_t i = 0; i < p->legs; i++) {
		sum.blocks += p->leg[i].blocks;
		sum.blocks_total += p->leg[i].blocks_total;
		sum.records += p->leg[i].records;
	}
	out.state = &sum;
	weir_job_offer(p->job, &out);
	p->sent_ns = now;
	return true;
}

void weir_reply_progress_free(struct weir_reply_progress *p)
{
	free(p->leg);
}
