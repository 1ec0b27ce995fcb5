// SPDX-License-Identifier: GPL-2.0
/* backup_verify.c - is a backup still what was copied? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/common/log.h"
#include "daemon/store/backup.h"

static int verify_part(const char *backup, const struct weir_backup_part *part,
		       const struct weir_backup_options *options, struct weir_backup_result *result)
{
	char *folder = weir_folder_path(backup, part->folder);
	char *file = folder ? weir_folder_path(folder, "data.mdb") : NULL;
	uint8_t sha256[WEIR_BACKUP_SHA256];
	const char *why = NULL;
	uint64_t bytes = 0;
	int ret = file ? weir_backup_digest(file, sha256, &bytes) : -ENOMEM;

	if (ret == -ENOENT)
		why = "it is not there";
	else if (ret && ret != -ENOMEM)
		why = strerror(-ret);
	else if (bytes != part->bytes)
		why = "it has another size";
	else if (memcmp(sha256, part->sha256, sizeof(sha256)))
		why = "it is damaged: its checksum is wrong";
	if (why) {
		options->say(options->arg, part->name, why);
		result->damaged++;
		ret = 0;
	}
	result->bytes += part->bytes;
	result->records += part->records;
	free(file);
	free(folder);
	return ret;
}

int weir_backup_verify(const char *backup, const struct weir_backup_options *options,
		       struct weir_backup_result *result)
{
	struct weir_backup_manifest manifest;
	uint64_t total = 0;
	int ret = weir_backup_read(backup, &manifest);

	memset(result, 0, sizeof(*result));
	if (ret == -ENOENT)
		weir_log_error("%s: there is no weir backup here", backup);
	if (ret)
		return ret;
	for (unsigned i = 0; i < manifest.count; i++)
		total += manifest.parts[i].bytes;
	for (unsigned i = 0; i < manifest.count && !ret; i++) {
		if (options->cancel && *options->cancel)
			ret = -ECANCELED;
		else
			ret = verify_part(backup, &manifest.parts[i], options, result);
		if (options->progress)
			options->progress(options->arg, result->bytes, total);
	}
	result->parts = manifest.count;
	weir_backup_free(&manifest);
	return ret;
}
