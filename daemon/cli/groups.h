/* SPDX-License-Identifier: GPL-2.0 */
/*
 * groups.h - figures by fields, for weir top and weir series.
 *
 * groups.c makes the question out of the options and takes in the answer; rows.c writes it.
 * Where no order of lines is lost by it, rows are written as they come and not kept.
 */
#ifndef WEIR_CLI_GROUPS_H
#define WEIR_CLI_GROUPS_H

#include "daemon/cli/client.h"
#include "daemon/query/measure.h"

struct weir_cli_groups {
	const struct weir_cli_options *options;
	char *by; /* the fields as text */
	struct weir_fields fields;
	struct weir_measure measure[WEIR_QUERY_MEASURES_MAX];
	char text[WEIR_QUERY_MEASURES_MAX][256]; /* of the question: "sum bytes" */
	char name[WEIR_QUERY_MEASURES_MAX][WEIR_MEASURE_NAME];
	unsigned measures;
	unsigned order;	      /* the measure */
	bool usual;	      /* bytes, packets, flows, by one of them: VERB_TOP can do it */
	uint64_t series_ns;   /* not 0: a series; the first field is the time */
	bool hold;	      /* write nothing before all is here */
	/* Of a series: only rows whose fields behind the time are a key of this. NULL: all. */
	const struct weir_cli_groups *only;
	/* The answer: rows that are kept, and all there is to say about it. */
	uint8_t *keys;
	uint64_t *low, *high; /* the true value is between */
	size_t count, room;
	uint64_t rest_groups, rest[WEIR_QUERY_MEASURES_MAX];
	bool rest_groups_exact, exact, lower_bounds_only;
	struct weir_totals matched;
	bool heads_written, failed;
};

/* @by: fields. 0, or -EINVAL after a sentence. */
int weir_cli_groups_new(struct weir_cli_groups *g, const struct weir_cli_options *o,
			const char *by);
void weir_cli_groups_free(struct weir_cli_groups *g);
/* Ask and take the answer in, and write what can be written at once. An exit status; the
 * answer is to be freed in any case. */
int weir_cli_groups_ask(struct weir_cli_groups *g, uint64_t limit, struct weir_cli_answer *answer);
/* Put the keys in order; their figures stay where they are, and mean nothing any more. */
void weir_cli_groups_sort(struct weir_cli_groups *g);
/* One more row; @high NULL: exact. -ENOMEM. */
int weir_cli_groups_add(struct weir_cli_groups *g, const uint8_t *key, const uint64_t *low,
			const uint64_t *high);
/* Whether @field is a time; then when the span of row @key began. */
bool weir_cli_groups_time(const struct weir_cli_groups *g, unsigned field, const uint8_t *key,
			  uint64_t *ns);

/* rows_table.c. 0 or -ENOMEM. */
int weir_cli_rows_table(const struct weir_cli_groups *g);
/* rows.c. Whether rows are written as they come. */
bool weir_cli_rows_stream(const struct weir_cli_groups *g);
/* Write the rows that are kept and forget them. */
void weir_cli_rows_write(struct weir_cli_groups *g);
/* Write all that is left. 0 or -ENOMEM. */
int weir_cli_rows_end(struct weir_cli_groups *g, const struct weir_cli_answer *answer);

#endif
