// SPDX-License-Identifier: GPL-2.0
/*
 * query.c - ask a store as a node does, for bench-query and for tests beside other tools.
 *
 *	query [-r] [-t THREADS] [-m MEGABYTES] [-n LIMIT] [-o bytes|packets|flows|distinct] [-d FIELDS]
 *		FOLDER FIELDS [FILTER]
 *
 * FIELDS as weir top --by has them; "-": one sum over all. A line a group: its fields, flows, packets, bytes,
 * separated by tabs, and how many different values of -d there are; the largest first.
 * -r: values as numbers: protocols, TOS, milliseconds since 1970, addresses without prefix length. On stderr, what weir top --explain would say, as NAME<TAB>VALUE.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/log.h"
#include "daemon/query/names.h"
#include "daemon/query/query.h"

enum { SUMS = 3, DISTINCT = SUMS };

static const char *const orders[] = {"flows", "packets", "bytes", "distinct"};

static bool raw;

struct question {
	struct weir_query query;
	struct weir_query_spec spec;
	struct weir_filter *filter;
	struct weir_names *names;
};

static uint64_t number(const uint8_t *bytes, unsigned count)
{
	uint64_t value = 0;

	while (count--)
		value = value << 8 | *bytes++;
	return value;
}

static void print_raw(const struct weir_fields *fields, unsigned i, const uint8_t *key)
{
	const uint8_t *value = key + fields->use[i].offset;
	const struct weir_field *field = fields->use[i].field;
	char text[WEIR_FIELDS_TEXT_MAX];

	if (field->form == WEIR_FIELD_ADDRESS || field->form == WEIR_FIELD_HOST)
		printf("%s", *value == 4 ? inet_ntop(AF_INET, value + 13, text, sizeof(text))
					 : inet_ntop(AF_INET6, value + 1, text, sizeof(text)));
	else if (!strcmp(field->word, "service"))
		printf("%u/%u", value[0], value[1] << 8 | value[2]);
	else if (!strcmp(field->word, "time"))
		printf("%" PRIu64, number(value, 8) / 1000000);
	else if (field->bytes == 6)
		printf("%s", weir_fields_text(fields, i, key, text, sizeof(text)));
	else
		printf("%" PRIu64, number(value, field->bytes));
	putchar('\t');
}

static int emit_group(void *arg, const uint8_t *key, const uint64_t *value)
{
	const struct weir_query_spec *spec = arg;
	const struct weir_fields *fields = &spec->fields;
	char text[WEIR_FIELDS_TEXT_MAX];

	for (unsigned i = 0; raw && i < fields->count; i++)
		print_raw(fields, i, key);
	for (unsigned i = 0; !raw && i < fields->count; i++)
		printf("%s\t", weir_fields_text(fields, i, key, text, sizeof(text)));
	for (unsigned i = 0; i < spec->measures; i++)
		printf("%" PRIu64 "%c", value[i], i + 1 < spec->measures ? '\t' : '\n');
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: query [-r] [-t THREADS] [-m MEGABYTES] [-n LIMIT] [-o bytes|packets|flows|distinct] "
			"[-d FIELDS] FOLDER FIELDS [FILTER]\n");
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
	for (unsigned i = 0; i < SUMS; i++)
		q->spec.measure[i] = (struct weir_measure){.kind = WEIR_MEASURE_SUM,
							   .quantity = weir_quantity_find(orders[i], strlen(orders[i]))};
	q->spec.measures = q->spec.measure[DISTINCT].distinct.count ? DISTINCT + 1 : SUMS;
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
		ret = weir_query_groups(store, &q->query, &q->spec, emit_group, &q->spec, NULL, &result);
		say(&result);
		weir_store_close(store);
	}
	if (!ret && result.blocks_damaged)
		ret = -EBADMSG;
	if (ret)
		fprintf(stderr, "query: %s: %s\n", folder, strerror(-ret));
	return ret ? 1 : 0;
}

static bool take_option(struct question *q, int option)
{
	struct weir_measure *distinct = &q->spec.measure[DISTINCT];

	switch (option) {
	case 'r':
		raw = true;
		return true;
	case 't':
		q->query.threads = (unsigned)atoi(optarg);
		return true;
	case 'm':
		q->query.memory_bytes = strtoull(optarg, NULL, 10) << 20;
		return true;
	case 'n':
		q->spec.limit = strtoull(optarg, NULL, 10);
		return true;
	case 'd':
		distinct->kind = WEIR_MEASURE_DISTINCT;
		return weir_fields_parse(optarg, &distinct->distinct, NULL) == 0;
	case 'o':
		for (q->spec.order = 0; q->spec.order <= DISTINCT; q->spec.order++)
			if (!strcmp(optarg, orders[q->spec.order]))
				return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct question q = {.spec.order = 2, .query.spill_dir = "/tmp"};
	int option, status;

	weir_log_init("query", false);
	while ((option = getopt(argc, argv, "rt:m:n:o:d:")) != -1)
		if (!take_option(&q, option))
			return usage();
	if (argc - optind < 2 || argc - optind > 3)
		return usage();
	status = prepare(&q, argv[optind + 1], argc - optind == 3 ? argv[optind + 2] : "");
	if (!status)
		status = ask(&q, argv[optind]);
	weir_filter_free(q.filter);
	weir_names_free(q.names);
	return status;
}
