// SPDX-License-Identifier: GPL-2.0
/* store_backup.c - weir store backup, verify, restore, unmount. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cli/json.h"
#include "daemon/cli/store.h"
#include "daemon/common/clock.h"
#include "daemon/store/backup.h"
#include "daemon/store/mount.h"

struct copier {
	const char *what; /* for the progress */
};

static void take_sentence(void *arg, const char *part, const char *sentence)
{
	weir_cli_store_progress_end();
	weir_cli_say("%s%s%s", part, *part ? ": " : "", sentence);
}

static void take_progress(void *arg, uint64_t done, uint64_t total)
{
	const struct copier *copier = arg;

	weir_cli_store_progress(copier->what, done, total);
}

static struct weir_backup_options options_of(struct copier *copier)
{
	return (struct weir_backup_options){.say = take_sentence,
					    .progress = take_progress,
					    .arg = copier,
					    .cancel = &weir_cli_store_cancelled};
}

static int write_json(const struct weir_backup_result *result)
{
	json_t *object = json_object();

	json_object_set_new(object, "parts", json_integer(result->parts));
	json_object_set_new(object, "copied", json_integer(result->copied));
	json_object_set_new(object, "removed", json_integer(result->removed));
	json_object_set_new(object, "damaged", json_integer(result->damaged));
	json_object_set_new(object, "bytes", json_integer((json_int_t)result->bytes));
	json_object_set_new(object, "copied_bytes", json_integer((json_int_t)result->copied_bytes));
	json_object_set_new(object, "records", json_integer((json_int_t)result->records));
	json_object_set_new(object, "oldest", weir_cli_json_time(result->oldest_ns));
	json_object_set_new(object, "newest", weir_cli_json_time(result->newest_ns));
	return weir_cli_json_print(object, false);
}

static int finish(const struct weir_cli_store *s, const struct weir_backup_result *result,
		  const char *sentence)
{
	char records[32], bytes[32];

	if (s->options->json) {
		if (write_json(result))
			return WEIR_EXIT_FAILED;
	} else {
		printf("%s: %s, %s records, %s\n", s->word, sentence,
		       weir_cli_show_number(result->records, s->options->exact, records,
					    sizeof(records)),
		       weir_cli_show_bytes(result->bytes, s->options->exact, bytes, sizeof(bytes)));
	}
	return result->damaged ? WEIR_EXIT_DAMAGED : WEIR_EXIT_OK;
}

int weir_cli_store_backup(const struct weir_cli_store *s)
{
	struct copier copier = {"copied"};
	struct weir_backup_options options = options_of(&copier);
	struct weir_backup_result result, verified;
	char sentence[160], bytes[32];
	int ret = weir_backup_make(s->dir, s->word, &options, &result);

	weir_cli_store_progress_end();
	if (ret)
		return WEIR_EXIT_FAILED;
	if (s->options->verify) {
		copier.what = "verified";
		ret = weir_backup_verify(s->word, &options, &verified);
		weir_cli_store_progress_end();
		if (ret)
			return WEIR_EXIT_FAILED;
		result.damaged += verified.damaged;
	}
	snprintf(sentence, sizeof(sentence), "%u parts, %u of them copied now (%s)%s", result.parts,
		 result.copied,
		 weir_cli_show_bytes(result.copied_bytes, s->options->exact, bytes, sizeof(bytes)),
		 s->options->verify && !result.damaged ? ", all verified" : "");
	return finish(s, &result, sentence);
}

int weir_cli_store_verify(const struct weir_cli_store *s)
{
	struct copier copier = {"verified"};
	struct weir_backup_options options = options_of(&copier);
	struct weir_backup_result result;
	char sentence[100];
	int ret = weir_backup_verify(s->word, &options, &result);

	weir_cli_store_progress_end();
	if (ret)
		return WEIR_EXIT_FAILED;
	if (result.damaged)
		snprintf(sentence, sizeof(sentence), "DAMAGED: %u of %u parts", result.damaged,
			 result.parts);
	else
		snprintf(sentence, sizeof(sentence), "sound: %u parts", result.parts);
	return finish(s, &result, sentence);
}

int weir_cli_store_restore(const struct weir_cli_store *s)
{
	struct copier copier = {"restored"};
	struct weir_backup_options options = options_of(&copier);
	const char *new_dir = s->options->new_dir, *mount = s->options->mount;
	struct weir_backup_result result;
	char sentence[300];
	int ret;

	if (!new_dir == !mount) {
		weir_cli_say("store restore: say --new DIR for a store of its own, or --mount NAME "
			     "to show it beside what the node has");
		return WEIR_EXIT_USAGE;
	}
	if (new_dir)
		ret = weir_restore_new(s->word, new_dir, &options, &result);
	else
		ret = weir_restore_mount(s->dir, s->word, mount, &options, &result);
	weir_cli_store_progress_end();
	if (ret)
		return WEIR_EXIT_FAILED;
	snprintf(sentence, sizeof(sentence), "%s %.200s: %u parts", new_dir ? "restored as" : "mounted as",
		 new_dir ? new_dir : mount, result.parts);
	return finish(s, &result, sentence);
}

int weir_cli_store_unmount(const struct weir_cli_store *s)
{
	return weir_restore_unmount(s->dir, s->word) ? WEIR_EXIT_FAILED : WEIR_EXIT_OK;
}

static void add_mount(const char *path, const char *name, struct weir_cli_mounts *mounts)
{
	struct weir_backup_manifest manifest;
	struct weir_cli_mount *mount = &mounts->at[mounts->count];

	if (mounts->count == WEIR_CLI_MOUNTS_MAX || weir_backup_read(path, &manifest))
		return;
	mounts->count++;
	snprintf(mount->name, sizeof(mount->name), "%.47s", name);
	for (unsigned i = 0; i < manifest.count; i++) {
		const struct weir_backup_part *part = &manifest.parts[i];

		mount->partitions++;
		mount->records += part->records;
		if (!mount->oldest_ns || part->min_ns < mount->oldest_ns)
			mount->oldest_ns = part->min_ns;
		if (part->max_ns > mount->newest_ns)
			mount->newest_ns = part->max_ns;
	}
	weir_backup_free(&manifest);
}

void weir_cli_store_mounts(const char *restored, struct weir_cli_mounts *mounts)
{
	DIR *folder = opendir(restored);
	struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		char *path;

		if (!weir_mount_is_name(entry->d_name))
			continue;
		path = weir_folder_path(restored, entry->d_name);
		if (path)
			add_mount(path, entry->d_name, mounts);
		free(path);
	}
	if (folder)
		closedir(folder);
}
