// SPDX-License-Identifier: GPL-2.0
/* complain.c - the sentence for a field or quantity that is not known or not written rightly. */
#include <stdio.h>
#include <string.h>

#include "daemon/common/text.h"
#include "daemon/query/fields.h"
#include "daemon/query/quantity.h"

enum {
	WORD_BYTES = 48,
	MISTAKES = 2, /* in a word, for "did you mean" */
};

/* @word up to @length, cut if it is absurd. */
static void copy_word(char copy[WORD_BYTES], const char *word, size_t length)
{
	snprintf(copy, WORD_BYTES, "%.*s", length < WORD_BYTES ? (int)length : WORD_BYTES - 1,
		 word);
}

/* Keep @known if it is nearer to @word than what was best. */
static void consider(const char *word, const char *known, const char **best, unsigned *least)
{
	unsigned distance = weir_text_distance(word, known, MISTAKES);

	if (distance < *least && distance < strlen(known)) {
		*least = distance;
		*best = known;
	}
}

static const struct weir_field *find_field(const char *word)
{
	const struct weir_field *field;

	for (unsigned i = 0; (field = weir_fields_at(i)); i++) {
		if (weir_quantity_same_word(word, strlen(word), field->word))
			return field;
	}
	return NULL;
}

static void complain_unknown(const char *word, char *error, size_t error_bytes)
{
	const struct weir_field *field;
	unsigned least = MISTAKES + 1;
	const char *best = NULL;

	for (unsigned i = 0; (field = weir_fields_at(i)); i++)
		consider(word, field->word, &best, &least);
	if (best)
		snprintf(error, error_bytes, "\"%s\" is not a field; did you mean \"%s\"?", word,
			 best);
	else
		snprintf(error, error_bytes, "\"%s\" is not a field; there are %s", word,
			 weir_fields_words());
}

/* How many fields there are in @text before @word. */
static unsigned fields_before(const char *text, const char *word)
{
	unsigned count = 0;

	while (text < word) {
		text += strspn(text, ", ");
		count += text < word;
		text += strcspn(text, ", ");
	}
	return count;
}

const char *weir_fields_complain(const char *text, const char *word, char *error,
				 size_t error_bytes)
{
	size_t length = strcspn(word, ", "), name_length = strcspn(word, "/, ");
	char whole[WORD_BYTES], name[WORD_BYTES];
	const struct weir_field *field;
	struct weir_fields alone;

	copy_word(whole, word, length);
	copy_word(name, word, name_length);
	field = find_field(name);
	if (!length)
		snprintf(error, error_bytes, "a field is missing; there are %s",
			 weir_fields_words());
	else if (!field)
		complain_unknown(name, error, error_bytes);
	else if (weir_fields_parse(whole, &alone, NULL) == 0 &&
		 fields_before(text, word) == WEIR_FIELDS_MAX)
		snprintf(error, error_bytes, "\"%s\" is one field too many; there may be %d", whole,
			 WEIR_FIELDS_MAX);
	else if (weir_fields_parse(whole, &alone, NULL) == 0)
		snprintf(error, error_bytes, "\"%s\" is there twice", whole);
	else if (!strcmp(field->word, "time"))
		snprintf(error, error_bytes,
			 "\"%s\" needs a span of time behind it, such as time/5m", whole);
	else if (field->form == WEIR_FIELD_ADDRESS || field->form == WEIR_FIELD_HOST)
		snprintf(error, error_bytes,
			 "\"%s\": a network is %s/24 (IPv4, 0 to 32) or %s/24/64 (and IPv6, 0 to "
			 "128)",
			 whole, field->word, field->word);
	else
		snprintf(error, error_bytes, "\"%s\" takes nothing behind it", name);
	return error;
}

const char *weir_quantity_complain(const char *word, size_t length, bool summable, char *error,
				   size_t error_bytes)
{
	const struct weir_quantity *quantity = weir_quantity_find(word, length), *one;
	unsigned least = MISTAKES + 1;
	const char *best = NULL;
	char copy[WORD_BYTES];

	copy_word(copy, word, length);
	for (unsigned i = 0; (one = weir_quantity_at(i)); i++) {
		if (summable ? one->summable : one->listed)
			consider(copy, one->word, &best, &least);
	}
	if (quantity && quantity->listed)
		snprintf(error, error_bytes, "a sum of \"%s\" means nothing; there are %s", copy,
			 weir_quantity_words(summable));
	else if (best)
		snprintf(error, error_bytes, "\"%s\" is not a quantity; did you mean \"%s\"?", copy,
			 best);
	else
		snprintf(error, error_bytes, "\"%s\" is not a quantity; there are %s", copy,
			 weir_quantity_words(summable));
	return error;
}
