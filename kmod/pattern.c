// SPDX-License-Identifier: GPL-2.0
/* pattern - which interfaces a list of shell patterns means */

#include "pattern.h"

/* One pattern, up to @end. */
struct pattern {
	const char *at;
	const char *end;
};

/*
 * Is @c in the set that begins after the bracket at @p->at? Steps behind the set. A bracket
 * that is not closed stands for itself.
 */
static bool match_set(struct pattern *p, char c)
{
	const char *set = p->at + 1;
	bool negated = false, found = false;
	const char *close, *at;

	if (set < p->end && *set == '!') {
		negated = true;
		set++;
	}
	close = set + 1;	/* a bracket in the first place is a member */
	while (close < p->end && *close != ']')
		close++;
	if (close >= p->end) {
		p->at++;
		return c == '[';
	}
	for (at = set; at < close; at++) {
		if (at + 2 < close && at[1] == '-') {
			found |= at[0] <= c && c <= at[2];
			at += 2;
		} else {
			found |= *at == c;
		}
	}
	p->at = close + 1;
	return found != negated;
}

static bool match_one(struct pattern *p, char c)
{
	if (*p->at == '[')
		return match_set(p, c);
	return *p->at++ == c || p->at[-1] == '?';
}

/* Only the last star needs to be gone back to, so the work is bounded. */
static bool match(struct pattern p, const char *name)
{
	const char *star = NULL, *from = NULL;

	for (;;) {
		if (p.at < p.end && *p.at == '*') {
			star = ++p.at;
			from = name;
			continue;
		}
		if (!*name && p.at == p.end)
			return true;
		if (*name && p.at < p.end && match_one(&p, *name)) {
			name++;
			continue;
		}
		if (!star || !*from)
			return false;
		p.at = star;
		name = ++from;
	}
}

bool weir_pattern_match(const char *patterns, const char *name)
{
	bool matched = false;
	struct pattern p;

	for (p.at = patterns; *p.at; p.at = p.end) {
		while (*p.at == ' ')
			p.at++;
		for (p.end = p.at; *p.end && *p.end != ' '; p.end++)
			;
		if (p.at == p.end)
			break;
		if (*p.at == '!') {
			p.at++;
			if (match(p, name))
				return false;
		} else if (!matched) {
			matched = match(p, name);
		}
	}
	return matched;
}
