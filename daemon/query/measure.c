// SPDX-License-Identifier: GPL-2.0
/* measure.c - the figures of a group in words. */
#include "daemon/query/measure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	enum weir_measure_kind kind;
} kinds[] = {
	{"sum", WEIR_MEASURE_SUM},
	{"min", WEIR_MEASURE_MIN},
	{"max", WEIR_MEASURE_MAX},
	{"distinct", WEIR_MEASURE_DISTINCT},
};

enum {
	KINDS = sizeof(kinds) / sizeof(kinds[0]),
};

static int parse_distinct(const char *text, struct weir_measure *measure, char *error, size_t bytes)
{
	const char *word = text;
	char sentence[512];

	if (weir_fields_parse(text, &measure->distinct, &word) == 0)
		return 0;
	snprintf(error, bytes, "distinct: %s",
		 weir_fields_complain(text, word, sentence, sizeof(sentence)));
	return -EINVAL;
}

static int parse_quantity(const char *kind, const char *text, struct weir_measure *measure,
			  char *error, size_t bytes)
{
	bool sum = measure->kind == WEIR_MEASURE_SUM;
	char sentence[256];

	measure->quantity = weir_quantity_find(text, strlen(text));
	if (!measure->quantity || !measure->quantity->listed) {
		snprintf(error, bytes, "%s: %s", kind,
			 weir_quantity_complain(text, strlen(text), sum, sentence,
						sizeof(sentence)));
		return -EINVAL;
	}
	if (sum && !measure->quantity->summable) {
		snprintf(error, bytes,
			 "sum: a sum of %s means nothing; ask for its min or max, or sum one of %s",
			 measure->quantity->word, weir_quantity_words(true));
		return -EINVAL;
	}
	return 0;
}

int weir_measure_parse(const char *text, struct weir_measure *measure, char *error,
		       size_t error_bytes)
{
	size_t length = strcspn(text, " ");

	memset(measure, 0, sizeof(*measure));
	for (unsigned i = 0; i < KINDS; i++) {
		if (strlen(kinds[i].word) != length || strncmp(text, kinds[i].word, length))
			continue;
		measure->kind = kinds[i].kind;
		text += length;
		text += strspn(text, " ");
		if (measure->kind == WEIR_MEASURE_DISTINCT)
			return parse_distinct(text, measure, error, error_bytes);
		return parse_quantity(kinds[i].word, text, measure, error, error_bytes);
	}
	snprintf(error, error_bytes, "\"%.*s\" is none of sum, min, max and distinct", (int)length,
		 text);
	return -EINVAL;
}

static const char *unit_of(const struct weir_quantity *quantity)
{
	return quantity->unit == WEIR_UNIT_NS ? "_ns" : "";
}

static const char *distinct_name(const struct weir_fields *fields, char *text, size_t bytes)
{
	size_t used = (size_t)snprintf(text, bytes, "distinct");
	char name[WEIR_FIELDS_TEXT_MAX];

	for (unsigned i = 0; i < fields->count && used < bytes; i++)
		used += (size_t)snprintf(text + used, bytes - used, "_%s",
					 weir_fields_name(fields, i, name, sizeof(name)));
	return text;
}

const char *weir_measure_name(const struct weir_measure *measure, char *text, size_t text_bytes)
{
	static const char *const prefixes[] = {
		[WEIR_MEASURE_SUM] = "",
		[WEIR_MEASURE_MIN] = "min_",
		[WEIR_MEASURE_MAX] = "max_",
	};

	if (measure->kind == WEIR_MEASURE_DISTINCT)
		return distinct_name(&measure->distinct, text, text_bytes);
	snprintf(text, text_bytes, "%s%s%s", prefixes[measure->kind], measure->quantity->word,
		 unit_of(measure->quantity));
	return text;
}

uint64_t weir_measure_merge(const struct weir_measure *measure, uint64_t a, uint64_t b)
{
	uint64_t sum;

	switch (measure->kind) {
	case WEIR_MEASURE_MIN:
		return a < b ? a : b;
	case WEIR_MEASURE_MAX:
		return a > b ? a : b;
	default:
		return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
	}
}
