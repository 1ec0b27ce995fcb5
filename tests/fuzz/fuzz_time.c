// SPDX-License-Identifier: GPL-2.0
/* Any bytes as a point in time; the first byte chooses the zone. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const zones[] = {"UTC", "CET-1CEST,M3.5.0,M10.5.0/3", "<+14>-14",
					    "EST5EDT,M3.2.0,M11.1.0"};
	const uint64_t now_ns = 1795446245678000000;
	char written[40], *text;
	uint64_t ns, again;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	setenv("TZ", zones[data[0] % 4], 1);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	/* Text is in whole milliseconds, and of years that time can be read of. */
	if (weir_clock_parse_time(text, now_ns, &ns) == 0 &&
	    ns < 16000000000ULL * WEIR_NS_PER_SECOND) {
		weir_clock_text(ns, written, sizeof(written));
		if (weir_clock_parse_time(written, now_ns, &again) || again != ns - ns % 1000000)
			abort();
	}
	free(text);
	return 0;
}

#include "tests/fuzz/replay.h"
