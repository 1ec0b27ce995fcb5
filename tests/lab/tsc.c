// SPDX-License-Identifier: GPL-2.0
/*
 * Print the frequency of this machine's time stamp counter in kHz.
 *
 * The guest's counter is this one, but a guest that finds out its frequency
 * by itself, while it is held up every other moment, can be wrong by a factor of
 * six, and then so are all of its clocks and timeouts.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

struct reading {
	uint64_t ticks;
	uint64_t ns;
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* Both at one moment: the tightest of many tries, so no interruption is in between. */
static struct reading read_both(void)
{
	struct reading best = {0};
	uint64_t tightest = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = __rdtsc(), ns = clock_ns(), after = __rdtsc();

		if (after - before < tightest) {
			tightest = after - before;
			best = (struct reading){before + (after - before) / 2, ns};
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = {.tv_nsec = 100000000};
	struct reading start = read_both(), end;

	nanosleep(&pause, NULL);
	end = read_both();
	printf("%.0f\n", (end.ticks - start.ticks) * 1e6 / (end.ns - start.ns));
	return 0;
}
