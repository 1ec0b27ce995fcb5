/* SPDX-License-Identifier: GPL-2.0 */
/*
 * conf.h - configuration files (the only place that speaks inih).
 *
 * A program describes its keys in a table; a file that names another key, gives
 * one twice, or gives a value out of range is refused whole, with file, line
 * and word in the sentence:
 *   /etc/weir/node.conf:12: [kernel] active_timeout: "6x" is not a duration (such as 500ms, 60s, 5m)
 */
#ifndef WEIR_COMMON_CONF_H
#define WEIR_COMMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weir_conf_kind {
	WEIR_CONF_STRING,   /* char *, malloc'ed; the old value is freed */
	WEIR_CONF_BOOL,     /* bool; yes/no, on/off, true/false, 1/0 */
	WEIR_CONF_COUNT,    /* uint64_t, min..max */
	WEIR_CONF_DURATION, /* uint64_t, nanoseconds, min..max */
	WEIR_CONF_BYTES,    /* uint64_t, min..max */
	WEIR_CONF_NAME,     /* as STRING; what a master takes for a node's name */
	WEIR_CONF_ADDRESS,  /* as STRING; host:port. A section [master NAME] must have it */
	WEIR_CONF_LISTEN,   /* as STRING; a numeric address and a port of this machine */
	WEIR_CONF_LIMIT,    /* uint64_t, 0 (the default of somebody else) or min..max */
};

enum {
	WEIR_CONF_NAME_BYTES = 63,
};

struct weir_conf_key {
	const char *section; /* "node"; "master *" is every section [master NAME] */
	const char *name;
	enum weir_conf_kind kind;
	size_t offset; /* of the value in the struct */
	uint64_t min, max; /* of numbers; both 0: any */
	const char *help; /* one line, for --help and the man page */
};

/* Called when [master NAME] opens: returns the struct its keys go to, or NULL and a sentence in @error. */
typedef void *weir_conf_open(void *into, const char *section, const char *name, char *error,
			     size_t error_bytes);

/**
 * weir_conf_read - read @path into @into by @keys (ends with a key without section).
 * -ENOENT: no such file. -EINVAL: @error says what and where. @into may be partly
 * filled then. @open may be NULL when no section is repeated.
 */
int weir_conf_read(const char *path, const struct weir_conf_key *keys, weir_conf_open *open,
		   void *into, char *error, size_t error_bytes);
/* Print the keys with defaults taken from @defaults, as a commented example file. */
void weir_conf_print(const struct weir_conf_key *keys, const void *defaults);

#endif
