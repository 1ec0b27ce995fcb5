/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kshim - as much of the kernel as kmod/cache.c, log.c, ledger.c and dissect.c name, so
 * that unit tests build them as they are. Single-threaded: locks and work are empty.
 * The other headers here only include this one.
 */
#ifndef _KSHIM_TYPES_H
#define _KSHIM_TYPES_H

#include_next <linux/types.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#undef __packed
#define __packed __attribute__((packed))
#undef __aligned
#define __aligned(n) __attribute__((aligned(n)))
#define ____cacheline_aligned_in_smp __aligned(64)
#define likely(x) (x)
#define unlikely(x) (x)
#define READ_ONCE(x) (x)
#define BUILD_BUG_ON(x) _Static_assert(!(x), #x)
#define max_t(type, a, b) ((type)(a) > (type)(b) ? (type)(a) : (type)(b))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define max(a, b) ((a) > (b) ? (a) : (b))

/* Memory */
#define array_size(n, bytes) ((size_t)(n) * (bytes))

static inline void *vzalloc_node(size_t bytes, int node)
{
	void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);

	return p ? memset(p, 0, bytes) : NULL;
}

static inline void vfree(void *p)
{
	free(p);
}

/* Time: the test's, not the machine's. */
static inline s64 ktime_mono_to_real(s64 ns)
{
	return ns + 1000000000000000000;
}

static inline s64 ktime_to_ns(s64 ns)
{
	return ns;
}

/* The test defines it, and so decides which flows share a set or a tag. */
typedef struct {
	u64 key[2];
} hsiphash_key_t;
u32 hsiphash(const void *data, size_t bytes, const hsiphash_key_t *key);

/* What meter.h embeds and these files never use. */
struct kshim_unused {
	char none;
};
typedef struct kshim_unused spinlock_t;
typedef struct kshim_unused refcount_t;
struct list_head { struct kshim_unused unused; };
struct mutex { struct kshim_unused unused; };
struct completion { struct kshim_unused unused; };
struct work_struct { struct kshim_unused unused; };
struct delayed_work { struct kshim_unused unused; };
struct nf_hook_ops { struct kshim_unused unused; };

#endif
