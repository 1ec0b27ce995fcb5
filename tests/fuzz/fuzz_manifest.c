// SPDX-License-Identifier: GPL-2.0
/* The manifest of a backup: what is accepted is written and read again as the same, and names no path. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/text.h"
#include "daemon/store/backup.h"
#include "daemon/wire/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char place[64];

static void leave(void)
{
	rmdir(place);
}

static const char *folder(void)
{
	if (!*place) {
		snprintf(place, sizeof(place), "/dev/shm/weir-fuzz-manifest-XXXXXX");
		if (!mkdtemp(place))
			abort();
		atexit(leave);
	}
	return place;
}

/* With a seal that fits, or the fuzzer would only ever see the seal. */
static void put(const char *file, const uint8_t *data, size_t size)
{
	uint8_t hash[WEIR_HASH_BYTES];
	char hex[2 * WEIR_HASH_BYTES + 1];
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || weir_hash_segment(data, size, hash) || write(fd, data, size) != (ssize_t)size)
		abort();
	dprintf(fd, "end %s\n", weir_text_hex(hash, sizeof(hash), hex, sizeof(hex)));
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_backup_manifest manifest, again;
	char file[96];

	snprintf(file, sizeof(file), "%s/manifest", folder());
	put(file, data, size);
	if (!weir_backup_read(folder(), &manifest)) {
		for (unsigned i = 0; i < manifest.count; i++)
			if (strchr(manifest.parts[i].folder, '/') || *manifest.parts[i].name == '.')
				abort();
		if (weir_backup_write(folder(), &manifest) || weir_backup_read(folder(), &again) ||
		    again.count != manifest.count || again.taken_ns != manifest.taken_ns)
			abort();
		weir_backup_free(&again);
		weir_backup_free(&manifest);
	}
	unlink(file);
	return 0;
}

#include "tests/fuzz/replay.h"
