// SPDX-License-Identifier: GPL-2.0
/* hash.c - the hash that chains segments. */
#include <errno.h>
#include <openssl/evp.h>

#include "daemon/wire/hash.h"

int weir_hash_segment(const void *body, size_t body_bytes, uint8_t hash[WEIR_HASH_BYTES])
{
	return EVP_Digest(body, body_bytes, hash, NULL, EVP_sha256(), NULL) == 1 ? 0 : -ENOMEM;
}
