/* SPDX-License-Identifier: GPL-2.0 */
/* words.h - numbers that have names: DSCP, end reasons, hooks, TCP flags, flags of a record. */
#ifndef WEIR_QUERY_WORDS_H
#define WEIR_QUERY_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ends with a row without word. The first word of a number is the one that is written. */
struct weir_words {
	const char *word;
	uint16_t number;
};

extern const struct weir_words weir_words_dscp[];
extern const struct weir_words weir_words_end_reason[];
extern const struct weir_words weir_words_observed[];
extern const struct weir_words weir_words_tunnel[];
extern const struct weir_words weir_words_sampling_method[];
extern const struct weir_words weir_words_tcp_flags[];	/* one bit each */
extern const struct weir_words weir_words_flow_flags[]; /* one bit each */
extern const struct weir_words weir_words_port[];

/* In any case, "-" as good as "_". */
bool weir_words_find(const struct weir_words *words, const char *word, uint64_t *number);
/* The word, or the number as digits. Returns @text. */
const char *weir_words_text(const struct weir_words *words, uint64_t number, char *text,
			    size_t text_bytes);

#endif
