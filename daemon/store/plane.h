/* SPDX-License-Identifier: GPL-2.0 */
/* plane.h - what pack.c and unpack.c share: how one plane is described on disk. */
#ifndef WEIR_STORE_PLANE_H
#define WEIR_STORE_PLANE_H

/* A descriptor is a u32: bits 0-3 bits of a field, 4-7 method, 8-31 bytes stored. */
enum plane_method {
	PLANE_RAW = 0,
	PLANE_ZSTD = 1,
};

enum {
	PLANE_COMPRESS_MIN = 64, /* bytes below which a frame's own bytes eat what it saves */
};

#endif
