// SPDX-License-Identifier: GPL-2.0
/*
 * conf.c - configuration files.
 *
 * inih splits lines into section, name and value. It says too little about what
 * it refuses, so every line passes through feed_line() first, which counts it,
 * opens its section, and takes the leading blanks off: with them
 * inih would glue an indented key to the one before.
 */
#include "daemon/common/conf.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/common/clock.h"
#include "daemon/common/text.h"
#include "daemon/wire/address.h"

enum {
	KEYS_MAX = 128,
	NAME_BYTES = 48,    /* inih cuts section names at 50 */
	SECTIONS_MAX = 256, /* repeated ones in one file */
};

struct reading {
	const char *path;
	FILE *file;
	unsigned line;
	unsigned section_line;
	const struct weir_conf_key *keys;
	weir_conf_open *open;
	void *into;		       /* what plain sections fill */
	void *target;		       /* what the section being read fills */
	char section[NAME_BYTES + 16]; /* "kernel", "master a" */
	char pattern[NAME_BYTES + 16]; /* "kernel", "master *" */
	bool seen[KEYS_MAX];
	char *opened[SECTIONS_MAX];
	unsigned opened_count;
	char *error;
	size_t error_bytes;
	bool failed;
};

/* Only the first error is kept: what follows is often its consequence. Returns false, for tail
 * calls. */
__attribute__((format(printf, 2, 3))) static bool fail(struct reading *r, const char *format, ...)
{
	va_list args;
	int n;

	if (r->failed)
		return false;
	r->failed = true;
	n = snprintf(r->error, r->error_bytes, "%s:%u: ", r->path, r->line);
	if (n < 0 || (size_t)n >= r->error_bytes)
		return false;
	va_start(args, format);
	vsnprintf(r->error + n, r->error_bytes - (size_t)n, format, args);
	va_end(args);
	return false;
}

static bool same_section(const struct weir_conf_key *key, const char *pattern)
{
	return !strcmp(key->section, pattern);
}

static bool known_pattern(const struct reading *r, const char *pattern)
{
	for (const struct weir_conf_key *key = r->keys; key->section; key++) {
		if (same_section(key, pattern))
			return true;
	}
	return false;
}

static bool fail_section(struct reading *r, const char *section)
{
	const char *best = NULL;
	unsigned least = 3;

	for (const struct weir_conf_key *key = r->keys; key->section; key++) {
		unsigned distance = weir_text_distance(section, key->section, 2);

		if (distance < least) {
			least = distance;
			best = key->section;
		}
	}
	if (best)
		return fail(r, "there is no section [%s]; did you mean [%s]?", section, best);
	return fail(r, "there is no section [%s]", section);
}

static bool open_repeated(struct reading *r, char *kind, char *name)
{
	char why[160] = "it is refused";
	unsigned i = 0;

	for (unsigned k = 0; k < r->opened_count; k++) {
		if (!strcmp(r->opened[k], r->section))
			return fail(r, "section [%s] is given twice", r->section);
	}
	if (r->opened_count == SECTIONS_MAX)
		return fail(r, "more than %u sections [%s NAME]", (unsigned)SECTIONS_MAX, kind);
	r->opened[r->opened_count] = strdup(r->section);
	if (!r->opened[r->opened_count])
		return fail(r, "out of memory");
	r->opened_count++;
	for (const struct weir_conf_key *key = r->keys; key->section; key++, i++) {
		if (same_section(key, r->pattern))
			r->seen[i] = false;
	}
	r->target = r->open(r->into, kind, name, why, sizeof(why));
	if (!r->target)
		return fail(r, "section [%s]: %s", r->section, why);
	return true;
}

/* What a repeated section must have, when it ends. */
static bool check_complete(struct reading *r)
{
	size_t length = strlen(r->pattern);
	unsigned i = 0;

	if (!length || r->pattern[length - 1] != '*')
		return true;
	for (const struct weir_conf_key *key = r->keys; key->section; key++, i++) {
		if (!same_section(key, r->pattern) || key->kind != WEIR_CONF_ADDRESS || r->seen[i])
			continue;
		r->line = r->section_line;
		return fail(r, "[%s] has no %s (such as %s = 192.0.2.1:7410)", r->section,
			    key->name, key->name);
	}
	return true;
}

/* @line is "[name]" or "[kind name]", without leading blanks. */
static bool open_section(struct reading *r, const char *line)
{
	const char *end = strchr(line, ']');
	char *space;
	size_t bytes;

	if (!check_complete(r))
		return false;
	r->section_line = r->line;
	if (!end)
		return fail(r, "\"[\" without \"]\"");
	bytes = (size_t)(end - line) - 1;
	if (bytes == 0 || bytes >= NAME_BYTES)
		return fail(r, "a section's name has 1 to %u characters", (unsigned)NAME_BYTES - 1);
	memcpy(r->section, line + 1, bytes);
	r->section[bytes] = '\0';
	r->target = r->into;
	snprintf(r->pattern, sizeof(r->pattern), "%s", r->section);
	if (known_pattern(r, r->pattern))
		return true;
	space = strchr(r->pattern, ' ');
	if (r->open && space && space[1]) {
		char kind[NAME_BYTES], name[NAME_BYTES];

		snprintf(kind, sizeof(kind), "%.*s", (int)(space - r->pattern), r->pattern);
		snprintf(name, sizeof(name), "%s", space + 1);
		snprintf(r->pattern, sizeof(r->pattern), "%s *", kind);
		if (known_pattern(r, r->pattern))
			return open_repeated(r, kind, name);
	}
	return fail_section(r, r->section);
}

static void check_line(struct reading *r, const char *line)
{
	size_t word = strcspn(line, " \t\r\n");

	if (*line == '[')
		open_section(r, line);
	else if (line[word] && !strpbrk(line, "=:"))
		fail(r, "\"%.*s\": a line is [section], name = value, or a # comment",
		     (int)(word < 64 ? word : 64), line);
	else if (!r->section[0])
		fail(r, "\"%.*s\" stands before the first [section]", (int)(word < 64 ? word : 64),
		     line);
}

/* inih's reader: one line into @text. After an error it sees the end of the file. */
static char *feed_line(char *text, int bytes, void *stream)
{
	struct reading *r = stream;
	char *start = text;

	if (r->failed || !fgets(text, bytes, r->file))
		return NULL;
	r->line++;
	if (!strchr(text, '\n') && !feof(r->file)) {
		fail(r, "the line is longer than %d characters, or not text", bytes - 2);
		return NULL;
	}
	if (r->line == 1 && !strncmp(text, "\xef\xbb\xbf", 3))
		start += 3;
	start += strspn(start, " \t\r\n\v\f");
	if (*start && *start != '#' && *start != ';')
		check_line(r, start);
	if (r->failed)
		return NULL;
	memmove(text, start, strlen(start) + 1);
	return text;
}

static const char *number_text(enum weir_conf_kind kind, uint64_t value, char *text, size_t bytes)
{
	static const char letters[] = "kMGT";
	unsigned i = 0;

	if (kind == WEIR_CONF_DURATION && value && value % (86400 * WEIR_NS_PER_SECOND) == 0) {
		snprintf(text, bytes, "%" PRIu64 "d",
			 (uint64_t)(value / (86400 * WEIR_NS_PER_SECOND)));
	} else if (kind == WEIR_CONF_DURATION && value % WEIR_NS_PER_SECOND == 0) {
		snprintf(text, bytes, "%" PRIu64 "s", (uint64_t)(value / WEIR_NS_PER_SECOND));
	} else if (kind == WEIR_CONF_DURATION && value % 1000000 == 0) {
		snprintf(text, bytes, "%" PRIu64 "ms", value / 1000000);
	} else if (kind == WEIR_CONF_DURATION) {
		snprintf(text, bytes, "%" PRIu64 "ns", value);
	} else if (kind == WEIR_CONF_BYTES && value && value % 1024 == 0) {
		for (value /= 1024; value % 1024 == 0 && i < 3; value /= 1024)
			i++;
		snprintf(text, bytes, "%" PRIu64 "%c", value, letters[i]);
	} else {
		snprintf(text, bytes, "%" PRIu64, value);
	}
	return text;
}

static int parse_count(const char *text, uint64_t *value)
{
	uint64_t v = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
			return -ERANGE;
	}
	*value = v;
	return 0;
}

static int parse_bool(const char *text, bool *value)
{
	static const char *const yes[] = {"yes", "on", "true", "1"};
	static const char *const no[] = {"no", "off", "false", "0"};

	for (unsigned i = 0; i < 4; i++) {
		if (!strcasecmp(text, yes[i]) || !strcasecmp(text, no[i])) {
			*value = !strcasecmp(text, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const expected[] = {
	[WEIR_CONF_STRING] = "text",
	[WEIR_CONF_BOOL] = "yes or no",
	[WEIR_CONF_COUNT] = "a whole number",
	[WEIR_CONF_DURATION] = "a duration (such as 500ms, 60s, 5m)",
	[WEIR_CONF_BYTES] = "a size (such as 64k, 256M, 2G)",
	[WEIR_CONF_NAME] = "a name (1 to 63 bytes, no control characters)",
	[WEIR_CONF_ADDRESS] = "a host and a port (such as 192.0.2.1:7410 or [2001:db8::1]:7410)",
	[WEIR_CONF_LISTEN] = "an address and a port (such as 127.0.0.1:7410 or [::1]:7410)",
	[WEIR_CONF_LIMIT] = "a whole number",
};

_Static_assert(WEIR_CONF_NAME_BYTES == 63, "said above");

static bool fail_range(struct reading *r, const struct weir_conf_key *key, const char *value)
{
	char low[32], high[32];

	number_text(key->kind, key->min, low, sizeof(low));
	if (key->max == UINT64_MAX || (!key->min && !key->max))
		return fail(r, "[%s] %s: \"%s\" is out of range; the least is %s", r->section,
			    key->name, value, low);
	return fail(r, "[%s] %s: \"%s\" is out of range: %s%s to %s", r->section, key->name, value,
		    key->kind == WEIR_CONF_LIMIT ? "0, or " : "", low,
		    number_text(key->kind, key->max, high, sizeof(high)));
}

static bool store_number(struct reading *r, const struct weir_conf_key *key, const char *value,
			 void *to)
{
	uint64_t number = 0;
	bool bounded;
	int ret;

	if (key->kind == WEIR_CONF_DURATION)
		ret = weir_clock_parse_duration(value, &number);
	else if (key->kind == WEIR_CONF_BYTES)
		ret = weir_text_parse_bytes(value, &number);
	else
		ret = parse_count(value, &number);
	if (ret == -ERANGE)
		return fail_range(r, key, value);
	if (ret)
		return fail(r, "[%s] %s: \"%s\" is not %s", r->section, key->name, value,
			    expected[key->kind]);
	bounded = (key->min || key->max) && (key->kind != WEIR_CONF_LIMIT || number);
	if (bounded && (number < key->min || number > key->max))
		return fail_range(r, key, value);
	memcpy(to, &number, sizeof(number));
	return true;
}

static bool is_name(const char *value)
{
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return strlen(value) <= WEIR_CONF_NAME_BYTES;
}

static bool is_address(const char *value)
{
	uint16_t port;
	char *host;

	if (weir_address_parse(value, &host, &port))
		return false;
	free(host);
	return true;
}

static bool is_listen(const char *value)
{
	struct sockaddr_storage address;
	socklen_t bytes;

	return !weir_address_numeric(value, &address, &bytes);
}

static bool is_text(enum weir_conf_kind kind)
{
	return kind == WEIR_CONF_STRING || kind == WEIR_CONF_NAME || kind == WEIR_CONF_ADDRESS ||
	       kind == WEIR_CONF_LISTEN;
}

static bool store_value(struct reading *r, const struct weir_conf_key *key, const char *value)
{
	void *to = (char *)r->target + key->offset;

	if (!*value)
		return fail(r, "[%s] %s: a value is missing", r->section, key->name);
	if ((key->kind == WEIR_CONF_NAME && !is_name(value)) ||
	    (key->kind == WEIR_CONF_ADDRESS && !is_address(value)) ||
	    (key->kind == WEIR_CONF_LISTEN && !is_listen(value)))
		return fail(r, "[%s] %s: \"%s\" is not %s", r->section, key->name, value,
			    expected[key->kind]);
	if (is_text(key->kind)) {
		char *copy = strdup(value);

		if (!copy)
			return fail(r, "out of memory");
		free(*(char **)to);
		*(char **)to = copy;
		return true;
	}
	if (key->kind == WEIR_CONF_BOOL) {
		if (parse_bool(value, to))
			return fail(r, "[%s] %s: \"%s\" is not %s", r->section, key->name, value,
				    expected[key->kind]);
		return true;
	}
	return store_number(r, key, value, to);
}

static bool fail_key(struct reading *r, const char *name)
{
	const char *best = NULL;
	unsigned least = 4;

	for (const struct weir_conf_key *key = r->keys; key->section; key++) {
		unsigned distance = weir_text_distance(name, key->name, 3);

		if (same_section(key, r->pattern) && distance < least) {
			least = distance;
			best = key->name;
		}
	}
	/* A key of the right name in the wrong section is the other common slip. */
	for (const struct weir_conf_key *key = r->keys; key->section; key++) {
		if (!strcmp(key->name, name))
			return fail(r, "[%s] has no key \"%s\"; it belongs to [%s]", r->section,
				    name, key->section);
	}
	if (best)
		return fail(r, "[%s] has no key \"%s\"; did you mean \"%s\"?", r->section, name,
			    best);
	return fail(r, "[%s] has no key \"%s\"", r->section, name);
}

/* inih's handler; feed_line() has set section and target. */
static int take_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;
	unsigned i = 0;

	if (r->failed)
		return 0;
	for (const struct weir_conf_key *key = r->keys; key->section; key++, i++) {
		if (!same_section(key, r->pattern) || strcmp(key->name, name))
			continue;
		if (r->seen[i])
			return fail(r, "[%s] %s is given twice", r->section, name);
		r->seen[i] = true;
		return store_value(r, key, value ? value : "");
	}
	return fail_key(r, name);
}

int weir_conf_read(const char *path, const struct weir_conf_key *keys, weir_conf_open *open,
		   void *into, char *error, size_t error_bytes)
{
	struct reading r = {.path = path,
			    .keys = keys,
			    .open = open,
			    .into = into,
			    .target = into,
			    .error = error,
			    .error_bytes = error_bytes};
	unsigned count = 0;
	int bad, ret;

	while (keys[count].section)
		count++;
	if (count > KEYS_MAX)
		return -E2BIG;
	r.file = fopen(path, "re");
	if (!r.file) {
		ret = -errno;
		snprintf(error, error_bytes, "%s: %s", path, strerror(-ret));
		return ret;
	}
	bad = ini_parse_stream(feed_line, &r, take_pair, &r);
	if (ferror(r.file))
		fail(&r, "%s", strerror(errno));
	if (bad > 0 && !r.failed) {
		r.line = (unsigned)bad;
		fail(&r, "a line is [section], name = value, or a # comment");
	}
	check_complete(&r);
	fclose(r.file);
	for (unsigned i = 0; i < r.opened_count; i++)
		free(r.opened[i]);
	return r.failed ? -EINVAL : 0;
}

static void print_value(const struct weir_conf_key *key, const void *from)
{
	const char *string;
	uint64_t number;
	char text[32];

	switch (key->kind) {
	case WEIR_CONF_STRING:
	case WEIR_CONF_NAME:
	case WEIR_CONF_ADDRESS:
	case WEIR_CONF_LISTEN:
		memcpy(&string, from, sizeof(string));
		printf("#%s = %s\n", key->name, string ? string : "");
		break;
	case WEIR_CONF_BOOL:
		printf("#%s = %s\n", key->name, *(const bool *)from ? "yes" : "no");
		break;
	default:
		memcpy(&number, from, sizeof(number));
		printf("#%s = %s\n", key->name, number_text(key->kind, number, text, sizeof(text)));
	}
}

void weir_conf_print(const struct weir_conf_key *keys, const void *defaults)
{
	const char *section = "";

	for (const struct weir_conf_key *key = keys; key->section; key++) {
		size_t length = strlen(key->section);
		bool repeated = length && key->section[length - 1] == '*';

		if (strcmp(section, key->section)) {
			section = key->section;
			if (repeated)
				printf("\n#[%.*sNAME]\n", (int)length - 1, section);
			else
				printf("%s[%s]\n", key == keys ? "" : "\n", section);
		}
		printf("# %s\n", key->help);
		if (repeated)
			printf("#%s =\n", key->name);
		else
			print_value(key, (const char *)defaults + key->offset);
	}
}
