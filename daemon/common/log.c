// SPDX-License-Identifier: GPL-2.0
/* log.c - one line a message, written with one call so that threads do not mix theirs. */
#include "daemon/common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "daemon/common/clock.h"

enum {
	LINE_BYTES = 2048,
};

/* Written once by weir_log_init(), before threads exist. */
static const char *program_name = "weir";
static bool show_debug;
static bool under_systemd;

void weir_log_init(const char *program, bool verbose)
{
	program_name = program;
	show_debug = verbose;
	under_systemd = getenv("JOURNAL_STREAM") != NULL;
}

static size_t put_head(char *line, size_t bytes, int priority, const char *level)
{
	char when[40];
	int n;

	if (under_systemd)
		n = snprintf(line, bytes, "<%d>", priority);
	else
		n = snprintf(line, bytes, "%s %s: %s: ",
			     weir_clock_text(weir_clock_now_ns(), when, sizeof(when)), program_name,
			     level);
	return n < 0 ? 0 : (size_t)n;
}

static void put_line(int priority, const char *level, const char *format, va_list args)
{
	char line[LINE_BYTES];
	int saved = errno;
	size_t used = put_head(line, sizeof(line), priority, level);
	int n = vsnprintf(line + used, sizeof(line) - used, format, args);

	if (n > 0)
		used += (size_t)n;
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	/* Text from the network or a file may hold line ends: a message stays one line. */
	for (size_t i = 0; i < used; i++) {
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	}
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0) {
		/* nowhere left to say it */
	}
	errno = saved;
}

void weir_log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(LOG_ERR, "error", format, args);
	va_end(args);
}

void weir_log_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(LOG_WARNING, "warning", format, args);
	va_end(args);
}

void weir_log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line(LOG_INFO, "info", format, args);
	va_end(args);
}

void weir_log_debug(const char *format, ...)
{
	va_list args;

	if (!show_debug)
		return;
	va_start(args, format);
	put_line(LOG_DEBUG, "debug", format, args);
	va_end(args);
}
