// SPDX-License-Identifier: GPL-2.0
/* lexer.c - a filter expression as words and signs. */
#include <string.h>

#include "daemon/query/filter.h"

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("._:/-%*?", c));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* "a b": a word with whatever is in it, never one of the language. Without its end: BAD. */
static void take_quoted(const char *text, struct weir_token *token)
{
	const char *end = strchr(text + 1, '"');

	token->kind = WEIR_TOKEN_BAD;
	token->length = 1;
	if (!end)
		return;
	token->kind = WEIR_TOKEN_WORD;
	token->quoted = true;
	token->length = (size_t)(end - text) + 1;
	if (token->length - 2 <= WEIR_FILTER_WORD_MAX)
		memcpy(token->word, text + 1, token->length - 2);
	else
		token->cut = true;
}

/* Longer signs before those they begin with. */
static const struct {
	const char *sign;
	enum weir_token_kind kind;
} signs[] = {
	{"&&", WEIR_TOKEN_AND},	       {"||", WEIR_TOKEN_OR},	    {"<=", WEIR_TOKEN_LESS_EQUAL},
	{">=", WEIR_TOKEN_MORE_EQUAL}, {"==", WEIR_TOKEN_EQUAL},    {"!=", WEIR_TOKEN_UNEQUAL},
	{"<", WEIR_TOKEN_LESS},	       {">", WEIR_TOKEN_MORE},	    {"=", WEIR_TOKEN_EQUAL},
	{"!", WEIR_TOKEN_NOT},	       {"(", WEIR_TOKEN_OPEN},	    {")", WEIR_TOKEN_CLOSE},
	{"{", WEIR_TOKEN_SET_OPEN},    {"}", WEIR_TOKEN_SET_CLOSE}, {"[", WEIR_TOKEN_SET_OPEN},
	{"]", WEIR_TOKEN_SET_CLOSE},   {",", WEIR_TOKEN_COMMA},
};

void weir_lexer_next(const char *text, size_t *at, struct weir_token *token)
{
	size_t i = *at;

	memset(token, 0, sizeof(*token));
	while (is_blank(text[i]))
		i++;
	token->at = i;
	if (!text[i]) {
		token->kind = WEIR_TOKEN_END;
	} else if (is_word(text[i])) {
		size_t length = 0;

		for (; is_word(text[i + length]); length++) {
			if (length < WEIR_FILTER_WORD_MAX)
				token->word[length] = text[i + length];
		}
		token->kind = WEIR_TOKEN_WORD;
		token->length = length;
		token->cut = length > WEIR_FILTER_WORD_MAX;
	} else if (text[i] == '"') {
		take_quoted(text + i, token);
	} else {
		token->kind = WEIR_TOKEN_BAD;
		token->length = 1;
		for (size_t k = 0; k < sizeof(signs) / sizeof(signs[0]); k++) {
			size_t length = strlen(signs[k].sign);

			if (!strncmp(text + i, signs[k].sign, length)) {
				token->kind = signs[k].kind;
				token->length = length;
				break;
			}
		}
	}
	*at = i + token->length;
}
