// SPDX-License-Identifier: GPL-2.0
/* pack.c - writing packed numbers; unpack.c reads them. */
#include <endian.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "daemon/store/clones.h"
#include "daemon/store/pack.h"
#include "daemon/store/plane.h"

enum {
	/* There is little that repeats in a plane: what zstd is good for here is entropy coding,
	 * and the higher levels that look for repetitions harder (2 to 12) make planes larger. 17
	 * gains 2 % and takes twenty times as long. */
	LEVEL = 1,
	/* Short matches cost more than they save, and take the longest to find. Runs and what was seen
	 * a moment ago do count: a table that stays in the first-level cache finds these. */
	MATCH_BYTES_MIN = 7,
	HASH_LOG2 = 8,
};

struct weir_packer {
	unsigned parts; /* one of these is to be saved */
	ZSTD_CCtx *zstd;
	uint8_t plane[WEIR_PACK_COUNT_MAX + 8];
	uint8_t small[WEIR_PACK_COUNT_MAX + 1024]; /* compressed */
};

void weir_bytes_reset(struct weir_bytes *bytes)
{
	bytes->count = 0;
	bytes->error = 0;
}

void weir_bytes_free(struct weir_bytes *bytes)
{
	free(bytes->data);
	memset(bytes, 0, sizeof(*bytes));
}

uint8_t *weir_bytes_add(struct weir_bytes *bytes, size_t count)
{
	uint8_t *to;

	if (bytes->error)
		return NULL;
	if (count > bytes->room - bytes->count) {
		size_t room = 2 * bytes->room + count + 4096;
		uint8_t *grown = realloc(bytes->data, room);

		if (!grown) {
			bytes->error = -ENOMEM;
			return NULL;
		}
		bytes->data = grown;
		bytes->room = room;
	}
	to = bytes->data + bytes->count;
	bytes->count += count;
	return to;
}

void weir_bytes_put(struct weir_bytes *bytes, const void *data, size_t count)
{
	uint8_t *to = weir_bytes_add(bytes, count);

	if (to && count)
		memcpy(to, data, count);
}

void weir_bytes_put_number(struct weir_bytes *bytes, uint64_t value, unsigned width)
{
	uint64_t little = htole64(value);

	weir_bytes_put(bytes, &little, width);
}

int weir_packer_new(struct weir_packer **packer)
{
	struct weir_packer *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->zstd = ZSTD_createCCtx();
	/* We know both sizes and have checksums of our own. */
	if (!new->zstd ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(new->zstd, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(new->zstd, ZSTD_c_minMatch, MATCH_BYTES_MIN)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(new->zstd, ZSTD_c_hashLog, HASH_LOG2)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(new->zstd, ZSTD_c_contentSizeFlag, 0))) {
		weir_packer_free(new);
		return -ENOMEM;
	}
	*packer = new;
	return 0;
}

void weir_packer_expect(struct weir_packer *packer, unsigned parts)
{
	packer->parts = parts;
}

void weir_packer_free(struct weir_packer *packer)
{
	if (!packer)
		return;
	ZSTD_freeCCtx(packer->zstd);
	free(packer);
}

static unsigned field_bits(uint64_t max)
{
	return max < 2 ? 1 : max < 4 ? 2 : max < 16 ? 4 : 8;
}

/* What is packed, in one of three widths. */
struct numbers {
	const void *data;
	size_t count;
	unsigned width; /* 1, 2, 8 */
};

WEIR_CLONES
static uint64_t or_all(struct numbers n)
{
	uint8_t any8 = 0;
	uint16_t any16 = 0;
	uint64_t any64 = 0;

	if (n.width == 1)
		for (size_t i = 0; i < n.count; i++)
			any8 |= ((const uint8_t *)n.data)[i];
	else if (n.width == 2)
		for (size_t i = 0; i < n.count; i++)
			any16 |= ((const uint16_t *)n.data)[i];
	else
		for (size_t i = 0; i < n.count; i++)
			any64 |= ((const uint64_t *)n.data)[i];
	return any8 | any16 | any64;
}

WEIR_CLONES
static void cut_plane(struct numbers n, unsigned shift, uint8_t *plane)
{
	if (n.width == 1)
		memcpy(plane, n.data, n.count);
	else if (n.width == 2)
		for (size_t i = 0; i < n.count; i++)
			plane[i] = (uint8_t)(((const uint16_t *)n.data)[i] >> shift);
	else
		for (size_t i = 0; i < n.count; i++)
			plane[i] = (uint8_t)(((const uint64_t *)n.data)[i] >> shift);
}

/* Bring bytes that are below 1 << @bits closer together, in place; the first field is
 * the lowest bits. There are some zero bytes behind the plane. */
WEIR_CLONES
static size_t narrow(uint8_t *plane, size_t count, unsigned bits)
{
	size_t bytes = (count * bits + 7) / 8;

	if (bits == 4) {
		for (size_t i = 0; i < bytes; i++)
			plane[i] = plane[2 * i] | plane[2 * i + 1] << 4;
	} else if (bits == 2) {
		for (size_t i = 0; i < bytes; i++)
			plane[i] = plane[4 * i] | plane[4 * i + 1] << 2 | plane[4 * i + 2] << 4 |
				   plane[4 * i + 3] << 6;
	} else if (bits == 1) {
		for (size_t i = 0; i < bytes; i++) {
			uint64_t eight;

			memcpy(&eight, plane + 8 * i, 8);
			/* Bit 0 of byte n goes to bit 56 + n. */
			plane[i] = (le64toh(eight) * 0x0102040810204080ULL) >> 56;
		}
	}
	return bytes;
}

/* Whether the bytes are so evenly spread that compressing would be lost time. A sample
 * tells; that repeats could help all the same is rare enough. */
static bool is_noise(const uint8_t *plane, size_t bytes)
{
	enum { SAMPLE = 4096 };
	size_t step = bytes / SAMPLE + 1, taken = 0;
	uint32_t counts[256] = {0};
	double bits = 0;

	if (bytes < SAMPLE)
		return false;
	for (size_t i = 0; i < bytes; i += step, taken++)
		counts[plane[i]]++;
	for (unsigned i = 0; i < 256; i++)
		if (counts[i])
			bits += counts[i] * log2((double)taken / counts[i]);
	/* Of 4096 bytes that are noise about 7.95 bits each are seen. */
	return bits / taken > 7.8;
}

/* Bytes in packer->small, 0: not worth it. */
static size_t compress(struct weir_packer *packer, size_t bytes)
{
	size_t small;

	if (!packer->parts || bytes < PLANE_COMPRESS_MIN || is_noise(packer->plane, bytes))
		return 0;
	small = ZSTD_compress2(packer->zstd, packer->small, sizeof(packer->small), packer->plane,
			       bytes);
	return ZSTD_isError(small) || small + bytes / packer->parts >= bytes ? 0 : small;
}

static void put_plane(struct weir_packer *packer, struct numbers n, unsigned shift, uint64_t max,
		      size_t descriptor, struct weir_bytes *to)
{
	unsigned bits = field_bits(max), method = PLANE_RAW;
	const uint8_t *data = packer->plane;
	size_t bytes, small;
	uint32_t word;

	cut_plane(n, shift, packer->plane);
	memset(packer->plane + n.count, 0, 8);
	bytes = narrow(packer->plane, n.count, bits);
	small = compress(packer, bytes);
	if (small) {
		method = PLANE_ZSTD;
		data = packer->small;
		bytes = small;
	}
	weir_bytes_put(to, data, bytes);
	if (to->error)
		return;
	word = htole32((uint32_t)(bytes << 8 | method << 4 | bits));
	memcpy(to->data + descriptor, &word, sizeof(word));
}

static void pack(struct weir_packer *packer, struct numbers n, struct weir_bytes *to)
{
	uint64_t any = or_all(n);
	unsigned planes = 0;
	size_t descriptors;

	while (planes < WEIR_PACK_PLANES_MAX && any >> (8 * planes))
		planes++;
	weir_bytes_put_number(to, planes, 1);
	descriptors = to->count;
	weir_bytes_add(to, planes * sizeof(uint32_t));
	for (unsigned i = 0; i < planes; i++) {
		/* All bits that occur are set in any; a plane below another takes all. */
		uint64_t max = i == planes - 1 ? any >> (8 * i) : (any >> (8 * i)) & 0xff;

		put_plane(packer, n, 8 * i, max, descriptors + i * 4, to);
	}
}

void weir_pack(struct weir_packer *packer, const uint64_t *numbers, size_t count,
	       struct weir_bytes *to)
{
	pack(packer, (struct numbers){numbers, count, 8}, to);
}

void weir_pack16(struct weir_packer *packer, const uint16_t *numbers, size_t count,
		 struct weir_bytes *to)
{
	pack(packer, (struct numbers){numbers, count, 2}, to);
}

void weir_pack8(struct weir_packer *packer, const uint8_t *numbers, size_t count,
		struct weir_bytes *to)
{
	pack(packer, (struct numbers){numbers, count, 1}, to);
}
