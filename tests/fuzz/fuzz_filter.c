// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a filter expression, matched against a few flows. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t protocols[] = {1, 6, 17, 47, 58};
	struct weir_filter *filter;
	char *text = malloc(size + 1);
	char error[64];
	size_t at;
	int ret;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	ret = weir_filter_parse(text, &filter, error, sizeof(error), &at);
	if (ret) {
		/* A refusal has a sentence, and an offset inside the text. */
		if (!error[0] || at > strlen(text))
			abort();
	} else {
		for (size_t i = 0; i < sizeof(protocols); i++) {
			struct weir_flow flow = {.protocol = protocols[i],
						 .ip_version = i % 2 ? 4 : 6,
						 .src_port = 443,
						 .end_ns = i};

			weir_filter_match(filter, &flow);
		}
		weir_filter_free(filter);
	}
	free(text);
	return 0;
}

#include "tests/fuzz/replay.h"
