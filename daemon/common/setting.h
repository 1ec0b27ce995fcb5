/* SPDX-License-Identifier: GPL-2.0 */
/*
 * setting.h - the module's settings as people write them: weir set, weir get, node.conf(5).
 *
 * Whether a value makes sense is the kernel's to say; here words become the attributes of
 * SET_CONFIG (uapi/weir.h), and back.
 */
#ifndef WEIR_COMMON_SETTING_H
#define WEIR_COMMON_SETTING_H

#include <stddef.h>
#include <stdint.h>

enum {
	WEIR_SETTINGS_MAX = 16, /* there are fewer */
	WEIR_SETTING_TEXT = 1024, /* more than the kernel takes */
};

struct weir_setting {
	uint16_t attribute; /* WEIR_A_* */
	uint8_t bytes;	    /* 1 or 4: value; 0: text */
	uint32_t value;
	char text[WEIR_SETTING_TEXT];
};

enum weir_setting_kind {
	WEIR_SETTING_SWITCH,
	WEIR_SETTING_WORD,  /* one of some words */
	WEIR_SETTING_WORDS, /* some of them, as bits */
	WEIR_SETTING_TIMEOUT,
	WEIR_SETTING_COUNT,
	WEIR_SETTING_PATTERNS,
};

struct weir_setting_row {
	const char *name; /* "active-timeout" */
	uint16_t attribute;
	enum weir_setting_kind kind;
	const char *const *words; /* by number, ends with NULL; of WORDS the first may be NULL */
	const char *expected; /* "a duration (such as 500ms)" */
};

/* By index; NULL past the last. */
const struct weir_setting_row *weir_setting_at(unsigned index);
/* In any case. NULL: there is none; *@nearest is one that may be meant, or NULL. */
const struct weir_setting_row *weir_setting_find(const char *name, const char **nearest);
/* NULL: not known. */
const struct weir_setting_row *weir_setting_of(uint16_t attribute);
/* -EINVAL: it is not what ->expected says. */
int weir_setting_parse(const struct weir_setting_row *row, const char *text,
		       struct weir_setting *setting);
/* As weir_setting_parse() takes it; of WORDS without any "none". Returns @text. */
const char *weir_setting_text(const struct weir_setting_row *row,
			      const struct weir_setting *setting, char *text, size_t text_bytes);

#endif
