/* SPDX-License-Identifier: GPL-2.0 */
/* hash.h - the hash that chains segments: SHA-256 of a segment as it was encoded. */
#ifndef WEIR_WIRE_HASH_H
#define WEIR_WIRE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum {
	WEIR_HASH_BYTES = 32,
};

/* -ENOMEM. */
int weir_hash_segment(const void *body, size_t body_bytes, uint8_t hash[WEIR_HASH_BYTES]);

#endif
