// SPDX-License-Identifier: GPL-2.0
/* table.c - aligned columns of text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/cli/cli.h"

enum {
	COLUMNS_MAX = 32,
	ROWS_HELD = 1000, /* widths found on these hold for the rows after; wider ones stick out */
	GAP = 2,
};

struct weir_cli_table {
	FILE *out;
	char *heads; /* cut at the '|' */
	const char *head[COLUMNS_MAX];
	bool right[COLUMNS_MAX];
	size_t width[COLUMNS_MAX];
	unsigned columns;
	char **cells;
	size_t cell_count;
	bool head_done, out_of_memory;
};

struct weir_cli_table *weir_cli_table_new(FILE *out, const char *columns)
{
	struct weir_cli_table *t = calloc(1, sizeof(*t));
	char *rest;

	if (!t)
		return NULL;
	t->out = out;
	t->heads = strdup(columns);
	if (!t->heads) {
		free(t);
		return NULL;
	}
	rest = t->heads;
	while (t->columns < COLUMNS_MAX) {
		char *head = strsep(&rest, "|");

		if (!head)
			break;
		t->right[t->columns] = *head == '>';
		t->head[t->columns] = head + (*head == '>');
		t->width[t->columns] = strlen(t->head[t->columns]);
		t->columns++;
	}
	t->cells = calloc((size_t)ROWS_HELD * t->columns, sizeof(*t->cells));
	if (!t->cells) {
		free(t->heads);
		free(t);
		return NULL;
	}
	return t;
}

/* Blanks are owed until something stands behind them, so no line ends in blanks. */
static void write_cell(const struct weir_cli_table *t, unsigned column, const char *text, int *owed)
{
	size_t length = strlen(text);
	int pad = length < t->width[column] ? (int)(t->width[column] - length) : 0;

	if (t->right[column])
		*owed += pad;
	if (length) {
		fprintf(t->out, "%*s%s", *owed, "", text);
		*owed = 0;
	}
	*owed += GAP + (t->right[column] ? 0 : pad);
	if (column + 1 == t->columns) {
		fputc('\n', t->out);
		*owed = 0;
	}
}

static void write_head(struct weir_cli_table *t)
{
	int owed = 0;
	bool bold = isatty(fileno(t->out)) && !getenv("NO_COLOR");

	if (bold)
		fputs("\033[1m", t->out);
	for (unsigned i = 0; i < t->columns; i++)
		write_cell(t, i, t->head[i], &owed);
	if (bold)
		fputs("\033[0m", t->out);
	t->head_done = true;
}

static void write_rows(struct weir_cli_table *t)
{
	int owed = 0;

	for (size_t i = 0; i < t->cell_count; i++) {
		size_t length = strlen(t->cells[i]);

		if (length > t->width[i % t->columns])
			t->width[i % t->columns] = length;
	}
	if (!t->head_done)
		write_head(t);
	for (size_t i = 0; i < t->cell_count; i++) {
		write_cell(t, (unsigned)(i % t->columns), t->cells[i], &owed);
		free(t->cells[i]);
	}
	t->cell_count = 0;
}

void weir_cli_table_cell(struct weir_cli_table *table, const char *text)
{
	char *copy = table->out_of_memory ? NULL : strdup(text);

	if (!copy) {
		table->out_of_memory = true;
		return;
	}
	/* Names come from other machines: nothing of theirs may steer the terminal. */
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	}
	table->cells[table->cell_count++] = copy;
	if (table->cell_count == (size_t)ROWS_HELD * table->columns)
		write_rows(table);
}

void weir_cli_table_number(struct weir_cli_table *table, uint64_t value, bool exact)
{
	char text[32];

	weir_cli_table_cell(table, weir_cli_show_number(value, exact, text, sizeof(text)));
}

int weir_cli_table_end(struct weir_cli_table *table)
{
	int ret = table->out_of_memory ? -ENOMEM : 0;

	write_rows(table);
	weir_cli_table_drop(table);
	return ret;
}

void weir_cli_table_drop(struct weir_cli_table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table->heads);
	free(table);
}
