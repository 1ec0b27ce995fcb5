// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a list of fields, and what was taken written, read again and used for a key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/fields.h"
#include "daemon/store/column.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct weir_fields *fields)
{
	struct weir_flow flow = {.ip_version = 4, .protocol = 6, .end_ns = UINT64_MAX};
	uint8_t keys[2][WEIR_FIELDS_KEY_MAX];
	char titles[WEIR_FIELDS_MAX * (WEIR_FIELDS_TEXT_MAX + 1)] = "", text[WEIR_FIELDS_TEXT_MAX];
	struct weir_fields again;

	if (fields->key_bytes > WEIR_FIELDS_KEY_MAX ||
	    weir_fields_columns(fields) & ~WEIR_COLUMN_ALL)
		abort();
	memset(flow.src_addr, 0xff, sizeof(flow.src_addr));
	weir_fields_keys(fields, &flow, keys);
	for (unsigned i = 0; i < fields->count; i++) {
		weir_fields_text(fields, i, keys[0], text, sizeof(text));
		strcat(titles, i ? "," : "");
		strcat(titles, weir_fields_title(fields, i, text, sizeof(text)));
	}
	if (weir_fields_parse(titles, &again, NULL) || memcmp(&again, fields, sizeof(again)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_fields fields;
	char *text = malloc(size + 1);
	const char *word = NULL;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (weir_fields_parse(text, &fields, &word) == 0)
		use(&fields);
	else if (word < text || word > text + strlen(text))
		abort();
	free(text);
	return 0;
}

#include "tests/fuzz/replay.h"
