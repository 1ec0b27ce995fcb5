// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a figure of a group: refused with a sentence, or named, and its name is one word. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/measure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[128] = "", name[WEIR_MEASURE_NAME] = "", *text = malloc(size + 1);
	struct weir_measure measure;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (weir_measure_parse(text, &measure, error, sizeof(error))) {
		if (!error[0])
			abort();
	} else {
		weir_measure_name(&measure, name, sizeof(name));
		if (!name[0] || name[strcspn(name, " ,\"\n")])
			abort();
		if (measure.kind == WEIR_MEASURE_SUM && !measure.quantity->summable)
			abort();
	}
	free(text);
	return 0;
}

#include "tests/fuzz/replay.h"
