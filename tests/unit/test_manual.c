// SPDX-License-Identifier: GPL-2.0
/*
 * The manual of the filter language is true: every example in weir-filter(7) is taken, the mistake
 * it shows is made and reported as shown, and no word of the language is missing in it.
 *
 * In a block between lines of ``` each line is a filter; one that begins with "$ weir" a
 * command; a block that begins with "weir: " a complaint, the filter and its caret.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/query/filter.h"
#include "daemon/query/names.h"
#include "daemon/query/words.h"

#define NOW (1795446245ULL * WEIR_NS_PER_SECOND)

static char manual[65536];

static void read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t bytes;

	ck_assert_msg(file != NULL, "run from the top of the tree");
	bytes = fread(manual, 1, sizeof(manual) - 1, file);
	ck_assert_uint_gt(bytes, 1000);
	ck_assert_uint_lt(bytes, sizeof(manual) - 1);
	manual[bytes] = '\0';
	fclose(file);
}

static void read_manual(void)
{
	read_file("docs/weir-filter.7.scd");
}

static void take_filter(const char *text)
{
	struct weir_filter *filter;
	char error[256];
	size_t at = 0;

	ck_assert_msg(weir_filter_parse(text, &filter, error, sizeof(error), &at) == 0,
		      "%s: %s at %zu", text, error, at);
	weir_filter_free(filter);
}

/* The next word of a command as a shell reads it, with '' as the only quotes. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " "), *end;

	if (!*word)
		return NULL;
	if (*word == '\'') {
		end = strchr(++word, '\'');
		ck_assert_msg(end != NULL, "%s", word);
	} else {
		end = word + strcspn(word, " ");
	}
	*line = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static void take_option(const char *option, const char *value)
{
	struct weir_fields fields;
	uint64_t ns;

	ck_assert_msg(value != NULL, "%s", option);
	if (!strcmp(option, "--by") || !strcmp(option, "--distinct"))
		ck_assert_msg(weir_fields_parse(value, &fields, NULL) == 0, "%s", value);
	else if (!strcmp(option, "--from") || !strcmp(option, "--to"))
		ck_assert_msg(weir_clock_parse_time(value, NOW, &ns) == 0, "%s", value);
	else
		ck_abort_msg("an option this test does not know: %s", option);
}

static void take_command(char *line)
{
	char filter[512] = "", *word;

	while ((word = next_word(&line))) {
		if (!strncmp(word, "--", 2)) {
			take_option(word, next_word(&line));
		} else {
			strcat(filter, *filter ? " " : "");
			strcat(filter, word);
		}
	}
	take_filter(filter);
}

static void make_mistake(const char *complaint, const char *text, const char *caret)
{
	struct weir_filter *filter;
	char error[256];
	size_t at = 0;

	ck_assert_int_eq(weir_filter_parse(text + 2, &filter, error, sizeof(error), &at), -EINVAL);
	ck_assert_str_eq(error, complaint + strlen("weir: "));
	ck_assert_uint_eq(strspn(caret, " "), at + 2);
	ck_assert_str_eq(caret + at + 2, "^");
}

START_TEST(examples)
{
	char *rest = manual, *line, *lines[3];
	unsigned filters = 0, commands = 0, mistakes = 0;
	bool inside = false;

	read_manual();
	while ((line = strsep(&rest, "\n"))) {
		if (!strcmp(line, "```")) {
			inside = !inside;
			if (inside && !strncmp(rest, "filter    =", 11)) /* the grammar */
				rest = strstr(rest, "\n```") + 1;
		} else if (inside && !strncmp(line, "weir: ", 6)) {
			lines[1] = strsep(&rest, "\n");
			lines[2] = strsep(&rest, "\n");
			make_mistake(line, lines[1], lines[2]);
			mistakes++;
		} else if (inside && !strncmp(line, "$ weir ", 7)) {
			line += 7;
			next_word(&line); /* the verb */
			take_command(line);
			commands++;
		} else if (inside) {
			take_filter(line);
			filters++;
		}
	}
	ck_assert(!inside);
	ck_assert_uint_ge(filters, 30);
	ck_assert_uint_ge(commands, 5);
	ck_assert_uint_ge(mistakes, 1);
}
END_TEST

/* "*word*", "*word " or "*word/" somewhere; scdoc wants "\_" for "_". */
static void expect_word(const char *word)
{
	char bold[80];

	snprintf(bold, sizeof(bold), "*%s", word);
	for (const char *at = strstr(manual, bold); at; at = strstr(at + 1, bold)) {
		if (strchr("*/ ", at[strlen(bold)]))
			return;
	}
	ck_abort_msg("not in the manual: %s", word);
}

static void expect_words(const struct weir_words *words)
{
	for (; words->word; words++) {
		/* "cs1 to cs7", "af11 to af43", "tcp-syn and so on" */
		if ((!strncmp(words->word, "cs", 2) && words->number && words->number < 56) ||
		    (!strncmp(words->word, "af", 2) && words->number > 10 && words->number < 38) ||
		    !strncmp(words->word, "tcp-", 4))
			continue;
		expect_word(words->word);
	}
}

START_TEST(nothing_is_missing)
{
	const struct weir_number_word *number;
	const struct weir_quantity *quantity;
	const struct weir_field *field;

	read_manual();
	for (unsigned i = 0; (number = weir_number_word_at(i)); i++) {
		if (strcmp(weir_number_word_text(number), "protocol")) /* as good as "proto" */
			expect_word(weir_number_word_text(number));
	}
	for (unsigned i = 0; (quantity = weir_quantity_at(i)); i++) {
		if (quantity->listed)
			expect_word(quantity->word);
	}
	for (unsigned i = 0; (field = weir_fields_at(i)); i++)
		expect_word(field->word);
	expect_words(weir_words_port);
	expect_words(weir_words_dscp);
	expect_words(weir_words_end_reason);
	expect_words(weir_words_observed);
	expect_words(weir_words_tcp_flags);
	expect_words(weir_words_flow_flags);
}
END_TEST

/* The value of a variable of the completion script. */
static char *completion_list(const char *name)
{
	char start[64], *at, *copy;

	snprintf(start, sizeof(start), "local %s=\"", name);
	at = strstr(manual, start);
	ck_assert_msg(at != NULL, "%s", name);
	at += strlen(start);
	copy = strndup(at, strcspn(at, "\""));
	return copy;
}

/* Taken, or refused because something has to follow: a word of the language, then. */
static void expect_known(const char *word)
{
	struct weir_filter *filter = NULL;
	char error[256];
	size_t at = 0;

	if (!strcmp(word, "and") || !strcmp(word, "or"))
		return;
	if (weir_filter_parse(word, &filter, error, sizeof(error), &at))
		ck_assert_msg(!strncmp(error, "the filter ends where", 21), "%s: %s", word, error);
	weir_filter_free(filter);
}

/* What the shell completes is known, and all fields and quantities are completed. */
START_TEST(completion)
{
	char *words, *rest, *word, *all;
	struct weir_fields fields;
	const struct weir_field *field;
	const struct weir_quantity *quantity;

	read_file("daemon/cli/weir.bash-completion");
	rest = words = completion_list("words");
	while ((word = strsep(&rest, " \t\n"))) {
		if (*word)
			expect_known(word);
	}
	free(words);
	rest = words = completion_list("fields");
	all = strdup(words);
	while ((word = strsep(&rest, " \t\n")))
		ck_assert_msg(!*word || !weir_fields_parse(word, &fields, NULL), "%s", word);
	for (unsigned i = 0; (field = weir_fields_at(i)); i++)
		ck_assert_msg(strstr(all, field->word) != NULL, "%s", field->word);
	free(words);
	free(all);
	words = completion_list("quantities"); /* of --sum */
	for (unsigned i = 0; (quantity = weir_quantity_at(i)); i++) {
		ck_assert_msg(!strstr(words, quantity->word) == !quantity->summable, "%s",
			      quantity->word);
		ck_assert_msg(!quantity->listed || strstr(manual, quantity->word), "%s",
			      quantity->word);
	}
	free(words);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manual");
	TCase *tcase = tcase_create("manual");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, examples);
	tcase_add_test(tcase, nothing_is_missing);
	tcase_add_test(tcase, completion);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
