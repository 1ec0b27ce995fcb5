// SPDX-License-Identifier: GPL-2.0
/*
 * query.c - ask a store as a node does, for bench-query and for tests beside other tools.
 *
 *	query [-t THREADS] [-n LIMIT] [-o bytes|packets|flows] FOLDER FIELDS [FILTER]
 *
 * FIELDS as weir top --by has them; "-": one sum over all. A line a group: its fields, flows, packets, bytes,
 * separated by tabs; the largest first. On stderr, what weir top --explain would say, as NAME<TAB>VALUE.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/query/names.h"
#include "daemon/query/query.h"

static const char *const orders[] = {"flows", "packets", "bytes"};

struct question {
	struct weir_query query;
	struct weir_query_spec spec;
	struct weir_filter *filter;
	struct weir_names *names;
};

static int emit_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	const struct weir_fields *fields = arg;
	char text[WEIR_FIELDS_TEXT_MAX];

	for (unsigned i = 0; i < fields->count; i++)
		printf("%s\t", weir_fields_text(fields, i, key, text, sizeof(text)));
	printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", value[0], value[1], value[2]);
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: query [-t THREADS] [-n LIMIT] [-o bytes|packets|flows] FOLDER FIELDS [FILTER]\n");
	return 2;
}

static int prepare(struct question *q, const char *fields, const char *filter)
{
	char error[256] = "";
	const char *word = "";

	if (strcmp(fields, "-") && weir_fields_parse(fields, &q->spec.fields, &word)) {
		fprintf(stderr, "query: \"%s\" is not a field\n", word);
		return 2;
	}
	if (weir_filter_parse(filter, &q->filter, error, sizeof(error), NULL) ||
	    weir_names_new(NULL, NULL, &q->names) ||
	    weir_filter_bind(q->filter, q->names, error, sizeof(error), NULL)) {
		fprintf(stderr, "query: %s\n", error);
		return 2;
	}
	weir_fields_bind(&q->spec.fields, q->names);
	q->query.filter = q->filter;
	for (unsigned i = 0; i < 3; i++)
		q->spec.measure[i] = (struct weir_measure){.kind = WEIR_MEASURE_SUM,
							   .quantity = weir_quantity_find(orders[i], strlen(orders[i]))};
	q->spec.measures = 3;
	return 0;
}

static void say(const struct weir_query_result *r)
{
	fprintf(stderr, "flows\t%llu\n", (unsigned long long)r->matched.flows);
	fprintf(stderr, "blocks_read\t%" PRIu64 "\nblocks_skipped\t%" PRIu64 "\n", r->blocks_read,
		r->blocks_skipped);
	fprintf(stderr, "records_read\t%" PRIu64 "\nbytes_read\t%" PRIu64 "\n", r->records_read, r->bytes_read);
	fprintf(stderr, "spilled_bytes\t%" PRIu64 "\nthreads\t%u\n", r->spilled_bytes, r->threads);
	fprintf(stderr, "plan_ns\t%" PRIu64 "\nread_ns\t%" PRIu64 "\nfilter_ns\t%" PRIu64
			"\naggregate_ns\t%" PRIu64 "\nsort_ns\t%" PRIu64 "\ntotal_ns\t%" PRIu64 "\n",
		r->plan_ns, r->read_ns, r->filter_ns, r->aggregate_ns, r->sort_ns, r->total_ns);
}

static int ask(struct question *q, const char *folder)
{
	struct weir_store_options options = {.read_only = true};
	struct weir_query_result result = {0};
	struct weir_store *store;
	int ret = weir_store_open(folder, &options, &store);

	if (!ret) {
		ret = weir_query_groups(store, &q->query, &q->spec, emit_group, &q->spec.fields, NULL, &result);
		say(&result);
		weir_store_close(store);
	}
	if (!ret && result.blocks_damaged)
		ret = -EBADMSG;
	if (ret)
		fprintf(stderr, "query: %s: %s\n", folder, strerror(-ret));
	return ret ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct question q = {.spec.order = 2, .query.spill_dir = "/tmp"};
	int option, status;

	weir_log_init("query", false);
	while ((option = getopt(argc, argv, "t:n:o:")) != -1) {
		if (option == 't')
			q.query.threads = (unsigned)atoi(optarg);
		else if (option == 'n')
			q.spec.limit = strtoull(optarg, NULL, 10);
		else if (option != 'o')
			return usage();
		for (int i = 0; option == 'o' && i < 3; i++)
			if (!strcmp(optarg, orders[i]))
				q.spec.order = i;
	}
	if (argc - optind < 2 || argc - optind > 3)
		return usage();
	status = prepare(&q, argv[optind + 1], argc - optind == 3 ? argv[optind + 2] : "");
	if (!status)
		status = ask(&q, argv[optind]);
	weir_filter_free(q.filter);
	weir_names_free(q.names);
	return status;
}
