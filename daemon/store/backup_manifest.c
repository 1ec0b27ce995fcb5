// SPDX-License-Identifier: GPL-2.0
/*
 * backup_manifest.c - the list of what belongs to a backup. Lines of words, for people and
 * scripts as well; the last one is the SHA-256 of those before it. A reader passes over lines it does
 * not know, and takes of a line the words it knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/common/clock.h"
#include "daemon/common/log.h"
#include "daemon/common/text.h"
#include "daemon/store/backup.h"

enum {
	MANIFEST_MAX = 16 << 20,
	CHUNK = 1 << 20,
	HEX = 2 * WEIR_BACKUP_SHA256 + 1,
};

static const char head[] = "weir-backup 1\n";

int weir_backup_digest(const char *path, uint8_t sha256[WEIR_BACKUP_SHA256], uint64_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *chunk = malloc(CHUNK);
	ssize_t got = 0;

	*bytes = 0;
	if (fd < 0)
		ret = -errno;
	else if (!chunk || !context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
		ret = -ENOMEM;
	while (!ret && (got = read(fd, chunk, CHUNK)) > 0) {
		*bytes += (uint64_t)got;
		if (!EVP_DigestUpdate(context, chunk, (size_t)got))
			ret = -EIO;
	}
	if (!ret && got < 0)
		ret = -errno;
	if (!ret && !EVP_DigestFinal_ex(context, sha256, NULL))
		ret = -EIO;
	EVP_MD_CTX_free(context);
	free(chunk);
	if (fd >= 0)
		close(fd);
	return ret;
}

static void digest_text(const char *text, size_t bytes, char hex[HEX])
{
	uint8_t sum[WEIR_BACKUP_SHA256] = {0};

	EVP_Digest(text, bytes, sum, NULL, EVP_sha256(), NULL);
	weir_text_hex(sum, sizeof(sum), hex, HEX);
}

static bool parse_hex(const char *text, uint8_t *to, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		to[i] = (uint8_t)value;
	}
	return true;
}

static const char *const kinds[] = {"state", "partition", "rollups"};

static void print_part(FILE *out, const struct weir_backup_part *part)
{
	char hex[HEX];

	fprintf(out, "part %s %s %s %" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
		" %" PRIu64 " %" PRIu64 "\n", kinds[part->kind], part->name, part->folder,
		part->bytes, weir_text_hex(part->sha256, sizeof(part->sha256), hex, sizeof(hex)),
		part->blocks, part->records, part->first_block, part->last_block, part->min_ns,
		part->max_ns);
}

static char *print(const struct weir_backup_manifest *manifest, size_t *bytes)
{
	char hex[HEX], when[40], *text = NULL;
	FILE *out = open_memstream(&text, bytes);

	if (!out)
		return NULL;
	fputs(head, out);
	fprintf(out, "node %s\n", weir_text_hex(manifest->identity.node_id, WEIR_STORE_ID_BYTES,
						hex, sizeof(hex)));
	fprintf(out, "epoch %s\n", weir_text_hex(manifest->identity.epoch, WEIR_STORE_ID_BYTES,
						 hex, sizeof(hex)));
	fprintf(out, "taken %" PRIu64 " %s\n", manifest->taken_ns,
		weir_clock_text(manifest->taken_ns, when, sizeof(when)));
	fprintf(out, "state %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
		manifest->state.last_block, manifest->state.summed.seq,
		(uint64_t)manifest->state.stored.flows, (uint64_t)manifest->state.stored.packets,
		(uint64_t)manifest->state.stored.bytes);
	for (unsigned i = 0; i < manifest->count; i++)
		print_part(out, &manifest->parts[i]);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static int write_file(const char *path, const char *text, size_t bytes, const char *seal)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), ret = 0;
	char last[HEX + 8];
	int length = snprintf(last, sizeof(last), "end %s\n", seal);

	if (fd < 0)
		return -errno;
	if (write(fd, text, bytes) != (ssize_t)bytes || write(fd, last, (size_t)length) != length)
		ret = errno ? -errno : -EIO;
	if (!ret && fsync(fd))
		ret = -errno;
	close(fd);
	return ret;
}

int weir_backup_write(const char *backup, const struct weir_backup_manifest *manifest)
{
	char *path = weir_folder_path(backup, "manifest");
	char *new = weir_folder_path(backup, "manifest.new");
	char seal[HEX];
	size_t bytes;
	char *text = print(manifest, &bytes);
	int ret = -ENOMEM;

	if (text && path && new) {
		digest_text(text, bytes, seal);
		ret = write_file(new, text, bytes, seal);
		if (!ret && rename(new, path))
			ret = -errno;
		if (!ret)
			ret = weir_folder_sync(backup);
	}
	free(text);
	free(new);
	free(path);
	return ret;
}

static bool is_plain(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

static int parse_part(struct weir_backup_manifest *manifest, const char *line)
{
	struct weir_backup_part part = {0}, *grown;
	char kind[16], hex[HEX];
	int got = sscanf(line, "part %15s %31s %51s %" SCNu64 " %64s %" SCNu64 " %" SCNu64
			       " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
			 kind, part.name, part.folder, &part.bytes, hex, &part.blocks,
			 &part.records, &part.first_block, &part.last_block, &part.min_ns,
			 &part.max_ns);

	if (got < 11 || strlen(hex) != HEX - 1 || !parse_hex(hex, part.sha256, sizeof(part.sha256)))
		return -EBADMSG;
	/* Names become paths. */
	if (!is_plain(part.name) || !is_plain(part.folder))
		return -EBADMSG;
	for (unsigned i = 0;; i++) {
		if (i == 3)
			return 0; /* of a later weir */
		if (!strcmp(kind, kinds[i])) {
			part.kind = (enum weir_survey_kind)i;
			break;
		}
	}
	grown = reallocarray(manifest->parts, manifest->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	manifest->parts = grown;
	manifest->parts[manifest->count++] = part;
	return 0;
}

static int parse_line(struct weir_backup_manifest *manifest, const char *line)
{
	struct weir_store_state *state = &manifest->state;
	uint64_t flows, packets, bytes;

	if (!strncmp(line, "node ", 5))
		return strlen(line) == 37 && parse_hex(line + 5, manifest->identity.node_id, 16) ?
			       0 : -EBADMSG;
	if (!strncmp(line, "epoch ", 6))
		return strlen(line) == 38 && parse_hex(line + 6, manifest->identity.epoch, 16) ?
			       0 : -EBADMSG;
	if (!strncmp(line, "taken ", 6))
		return sscanf(line, "taken %" SCNu64, &manifest->taken_ns) == 1 ? 0 : -EBADMSG;
	if (!strncmp(line, "part ", 5))
		return parse_part(manifest, line);
	if (strncmp(line, "state ", 6))
		return 0;
	if (sscanf(line, "state %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &state->last_block, &state->summed.seq, &flows, &packets, &bytes) != 5)
		return -EBADMSG;
	state->stored = (struct weir_totals){flows, packets, bytes};
	return 0;
}

static int parse(struct weir_backup_manifest *manifest, char *text)
{
	char *end = strstr(text, "\nend "), seal[HEX], *rest, *line;
	int ret = 0;

	if (strncmp(text, head, sizeof(head) - 1) || !end || strlen(end) < 5 + HEX - 1)
		return -EBADMSG;
	digest_text(text, (size_t)(end + 1 - text), seal);
	if (strncmp(end + 5, seal, HEX - 1))
		return -EBADMSG;
	*end = '\0';
	rest = text;
	while (!ret && (line = strsep(&rest, "\n")))
		ret = parse_line(manifest, line);
	return ret;
}

static int read_text(const char *path, char **text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret = 0;
	struct stat status;
	ssize_t got = 0;

	*text = NULL;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		ret = -errno;
	else if (status.st_size > MANIFEST_MAX)
		ret = -EBADMSG;
	else
		*text = calloc(1, (size_t)status.st_size + 1);
	if (!ret && !*text)
		ret = -ENOMEM;
	if (!ret)
		got = read(fd, *text, (size_t)status.st_size);
	if (got < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int weir_backup_read(const char *backup, struct weir_backup_manifest *manifest)
{
	char *path = weir_folder_path(backup, "manifest"), *text = NULL;
	int ret = path ? read_text(path, &text) : -ENOMEM;

	memset(manifest, 0, sizeof(*manifest));
	if (!ret)
		ret = parse(manifest, text);
	if (ret == -EBADMSG)
		weir_log_error("%s: damaged, or not the manifest of a weir backup", path);
	if (ret)
		weir_backup_free(manifest);
	free(text);
	free(path);
	return ret;
}

void weir_backup_free(struct weir_backup_manifest *manifest)
{
	free(manifest->parts);
	memset(manifest, 0, sizeof(*manifest));
}
