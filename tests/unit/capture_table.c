// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

enum {
	COLUMNS = 16, /* up to bad */
	PROTO = 0,
	SRC,
	DST,
	SPORT,
	DPORT,
	PACKETS,
	BYTES,
	TCP_FLAGS,
	FIRST,
	LAST,
	FRAGS = 14,
	BAD,
};

static const char header[] = "proto,src,dst,sport,dport,packets,bytes,tcp_flags,first_ns,last_ns,"
			     "nf_packets,nf_bytes,nfv_packets,nfv_bytes,frags,bad,";

static bool parse_address(const char *text, uint8_t *to)
{
	memset(to, 0, 10);
	memset(to + 10, 0xff, 2);
	return inet_pton(AF_INET, text, to + 12) == 1 || inet_pton(AF_INET6, text, to) == 1;
}

static capture_ns parse_time(const char *text)
{
	capture_ns value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (capture_ns)(*text - '0');
	return value;
}

static bool parse(char *line, struct capture_flow *f)
{
	char *column[COLUMNS];

	for (int i = 0; i < COLUMNS; i++) {
		column[i] = strsep(&line, ",");
		if (!line)
			return false;
	}
	f->protocol = (uint8_t)atoi(column[PROTO]);
	f->src_port = (uint16_t)atoi(column[SPORT]);
	f->dst_port = (uint16_t)atoi(column[DPORT]);
	f->packets = strtoull(column[PACKETS], NULL, 10);
	f->bytes = strtoull(column[BYTES], NULL, 10);
	f->tcp_flags = (uint8_t)strtoul(column[TCP_FLAGS], NULL, 16);
	f->first = parse_time(column[FIRST]);
	f->last = parse_time(column[LAST]);
	f->fragments = (uint32_t)atoi(column[FRAGS]);
	f->bad = (uint32_t)atoi(column[BAD]);
	return parse_address(column[SRC], f->src) && parse_address(column[DST], f->dst);
}

static bool add(struct capture_table *t, const struct capture_flow *f)
{
	void *bigger = realloc(t->flows, (t->n + 1) * sizeof(*t->flows));

	if (!bigger)
		return false;
	t->flows = bigger;
	t->flows[t->n++] = *f;
	return true;
}

static bool is_same(const struct capture_flow *a, const struct capture_flow *b)
{
	return !memcmp(a->src, b->src, 16) && !memcmp(a->dst, b->dst, 16) &&
	       a->src_port == b->src_port && a->dst_port == b->dst_port &&
	       a->protocol == b->protocol;
}

static bool put(struct capture_table *t, const struct capture_flow *f)
{
	for (size_t i = 0; i < t->n; i++)
		if (is_same(&t->flows[i], f)) {
			t->flows[i] = *f;
			return true;
		}
	return add(t, f);
}

static bool read_rows(FILE *file, struct capture_table *t)
{
	struct capture_flow f;
	char line[4096];

	if (!fgets(line, sizeof(line), file) || strncmp(line, header, sizeof(header) - 1))
		return false;
	while (fgets(line, sizeof(line), file))
		if (!parse(line, &f) || !add(t, &f))
			return false;
	return true;
}

bool capture_table_read(const char *folder, const char *name, struct capture_table *t)
{
	char path[4096];
	FILE *file;
	bool done;

	memset(t, 0, sizeof(*t));
	snprintf(path, sizeof(path), "%s/flows/%s.csv", folder, name);
	file = fopen(path, "r");
	if (!file)
		return false;
	done = read_rows(file, t);
	fclose(file);
	if (!done)
		capture_table_free(t);
	return done;
}

bool capture_table_correct(const char *path, const char *name, struct capture_table *t)
{
	const size_t length = strlen(name);
	FILE *file = fopen(path, "r");
	struct capture_flow f;
	char line[4096];
	bool done = file;

	while (done && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, length) && line[length] == ',')
			done = parse(line + length + 1, &f) && put(t, &f);
	if (file)
		fclose(file);
	return done;
}

void capture_table_free(struct capture_table *t)
{
	free(t->flows);
	memset(t, 0, sizeof(*t));
}
