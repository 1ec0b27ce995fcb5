/* SPDX-License-Identifier: GPL-2.0 */
/* pattern - which interfaces a list of shell patterns means */
#ifndef _WEIR_PATTERN_H
#define _WEIR_PATTERN_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif

/**
 * weir_pattern_match - is @name meant?
 * @patterns: separated by spaces; * ? [a-z] [!a-z] are as in a shell, and a pattern that
 *	begins with ! takes out what it matches, wherever it stands
 * @name: of an interface
 */
bool weir_pattern_match(const char *patterns, const char *name);

#endif /* _WEIR_PATTERN_H */
