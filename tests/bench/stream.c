// SPDX-License-Identifier: GPL-2.0
#include "tests/bench/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/flowgen.h"

enum { MESSAGE_BYTES = 64 << 10 };

struct maker {
	struct weir_flowgen *gen;
	FILE *file;
	uint64_t seq;
	struct weir_totals numbered;
	struct weir_flow flows[WEIR_STREAM_BATCH_RECORDS];
	uint8_t records[WEIR_STREAM_BATCH_RECORDS][WEIR_RECORD_CORE];
	uint8_t buffer[MESSAGE_BYTES] __attribute__((aligned(8)));
};

static const int64_t clock_offset_ns = 1767000000LL * 1000000000;

static struct nlmsghdr *begin(struct maker *maker, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(maker->buffer);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = WEIR_STREAM_FAMILY;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = WEIR_GENL_VERSION;
	mnl_attr_put_u64(nlh, WEIR_A_INSTANCE, WEIR_STREAM_INSTANCE);
	mnl_attr_put_u64(nlh, WEIR_A_SEQ, maker->seq);
	mnl_attr_put(nlh, WEIR_A_NUMBERED, sizeof(maker->numbered), &maker->numbered);
	return nlh;
}

static int put(struct maker *maker, const struct nlmsghdr *nlh)
{
	size_t bytes = NLMSG_ALIGN(nlh->nlmsg_len);

	return fwrite(nlh, 1, bytes, maker->file) == bytes ? 0 : -EIO;
}

static int put_batch(struct maker *maker, size_t count)
{
	struct nlmsghdr *nlh;

	weir_flowgen_fill(maker->gen, maker->flows, count);
	for (size_t i = 0; i < count; i++) {
		struct weir_record record;

		weir_flowgen_record(&maker->flows[i], clock_offset_ns, &record);
		memcpy(maker->records[i], &record, WEIR_RECORD_CORE);
		weir_flow_count(&maker->numbered, &maker->flows[i]);
	}
	maker->seq++;
	nlh = begin(maker, WEIR_CMD_BATCH);
	mnl_attr_put_u32(nlh, WEIR_A_CPU, 0);
	mnl_attr_put_u64(nlh, WEIR_A_CLOCK_OFFSET_NS, (uint64_t)clock_offset_ns);
	mnl_attr_put_u32(nlh, WEIR_A_RECORD_SIZE, sizeof(maker->records[0]));
	mnl_attr_put(nlh, WEIR_A_RECORDS, count * sizeof(maker->records[0]), maker->records);
	return put(maker, nlh);
}

int weir_stream_make(const char *path, uint64_t records, bool milliseconds)
{
	struct weir_flowgen_options options = {.milliseconds = milliseconds};
	struct maker *maker = calloc(1, sizeof(*maker));
	int ret = maker ? 0 : -ENOMEM;

	if (ret)
		return ret;
	maker->gen = weir_flowgen_new(&options);
	maker->file = fopen(path, "we");
	if (!maker->gen || !maker->file)
		ret = -ENOMEM;
	for (uint64_t left = records; left && !ret;) {
		size_t count = left < WEIR_STREAM_BATCH_RECORDS ? left : WEIR_STREAM_BATCH_RECORDS;

		ret = put_batch(maker, count);
		left -= count;
	}
	if (!ret)
		ret = put(maker, begin(maker, WEIR_CMD_END));
	if (maker->file && fclose(maker->file))
		ret = -EIO;
	weir_flowgen_free(maker->gen);
	free(maker);
	return ret;
}

int weir_stream_open(const char *path, struct weir_stream *stream)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *data;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status)) {
		close(fd);
		return -EIO;
	}
	data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED)
		return -errno;
	*stream = (struct weir_stream){data, (size_t)status.st_size};
	return 0;
}

void weir_stream_close(struct weir_stream *stream)
{
	munmap((void *)stream->data, stream->bytes);
}

const struct nlmsghdr *weir_stream_next(const struct weir_stream *stream, size_t *offset)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)(stream->data + *offset);

	if (*offset + sizeof(*nlh) > stream->bytes)
		return NULL;
	*offset += NLMSG_ALIGN(nlh->nlmsg_len);
	return *offset > stream->bytes ? NULL : nlh;
}
