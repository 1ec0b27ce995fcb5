/* SPDX-License-Identifier: GPL-2.0 */
/*
 * replay.h - a main for fuzz targets built without libFuzzer: fuzz_NAME runs the files
 * and folders given, or tests/fuzz/corpus/NAME, and after each file a few
 * hundred mutations of it, the same in every run. With libFuzzer: -DWEIR_LIBFUZZER.
 */
#ifndef WEIR_FUZZ_REPLAY_H
#define WEIR_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#ifndef WEIR_LIBFUZZER
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLAY_MUTATIONS = 500 };

static unsigned replayed;

static void replay_bytes(const uint8_t *data, size_t bytes)
{
	/* A copy of exactly that size, so that ASan sees one byte too far. */
	uint8_t *copy = malloc(bytes ? bytes : 1);

	memcpy(copy, data, bytes);
	LLVMFuzzerTestOneInput(copy, bytes);
	for (unsigned i = 0; i < REPLAY_MUTATIONS && bytes; i++) {
		size_t at = (size_t)random() % bytes;

		memcpy(copy, data, bytes);
		switch (random() % 3) {
		case 0:
			copy[at] ^= 1 << random() % 8;
			break;
		case 1:
			copy[at] = random() % 2 ? 0xff : 0;
			break;
		default:
			free(copy);
			copy = malloc(at ? at : 1);
			memcpy(copy, data, at);
			LLVMFuzzerTestOneInput(copy, at);
			free(copy);
			copy = malloc(bytes);
			continue;
		}
		LLVMFuzzerTestOneInput(copy, bytes);
	}
	free(copy);
	replayed++;
}

static int replay_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t bytes;

	if (!file) {
		perror(path);
		return 1;
	}
	bytes = fread(data, 1, sizeof(data), file);
	fclose(file);
	replay_bytes(data, bytes);
	return 0;
}

static int replay_path(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int failed = 0;

	if (!dir)
		return replay_file(path);
	while ((entry = readdir(dir))) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		failed |= replay_file(name);
	}
	closedir(dir);
	return failed;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	char path[4096];
	int failed = 0;

	srandom(1);
	for (int i = 1; i < argc; i++)
		failed |= replay_path(argv[i]);
	if (argc == 1) {
		if (!strncmp(name, "fuzz_", 5))
			name += 5;
		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
		failed = replay_path(path);
	}
	if (!replayed) {
		fprintf(stderr, "%s: nothing to replay\n", argv[0]);
		return 1;
	}
	printf("%s: %u inputs, %u mutations of each\n", argv[0], replayed, REPLAY_MUTATIONS);
	return failed;
}
#endif

#endif
