/* The memory of all series: one mapping, addressed by 32-bit offsets, so that it is valid at any
 * address and in any process. A heap that only grows holds families, series and texts; the stripes
 * hold the values.
 *
 *   [header | heap ............ | stripe 0 values ... | stripe 1 values ... ]
 *
 * A value has the same offset in every stripe, and is the sum over the stripes. Private memory has
 * one stripe. */
#ifndef DJP_METRICS_SEGMENT_H
#define DJP_METRICS_SEGMENT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

#define DJP__SEGMENT_SIZE_MIN (64u * 1024u)
#define DJP__SEGMENT_SIZE_MAX (2u * 1024u * 1024u * 1024u)

/* All fields but the mutex are written under it; those read without it are atomic. */
typedef struct djp__segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t stripes;
    uint32_t heap_size; /* header included */
    uint32_t stripe_size;
    uint64_t seed; /* of the label hash, the same for all processes */
    /* process-shared and robust: the next owner detects one that died */
    pthread_mutex_t mutex;
    uint32_t damaged; /* 1: an owner died and the repair is pending */
    uint32_t heap_top;
    uint32_t value_top;
    DJP__ATOMIC(uint32_t) family_first; /* offset of the first family; published with release */
    uint32_t family_last;
    uint32_t family_count;
    uint32_t series_count; /* series entries ever created; also the next index */
} djp__segment_header;

typedef struct djp__segment {
    char *base; /* owned mapping; NULL when not open */
    size_t size;
    djp__segment_header *header; /* == base */
    char *values; /* this process's stripe */
} djp__segment;

/* Maps private memory; pages are used when touched. bytes is for one stripe, clamped to the limits
 * above. 0 or DJP_ENOMEM. */
int djp__segment_new(djp__segment *out, uint64_t bytes, uint32_t stripes);
void djp__segment_fini(djp__segment *segment);

/* Returns 1 if the last owner died with the lock: the caller repairs first. */
int djp__segment_lock(djp__segment *segment);
void djp__segment_unlock(djp__segment *segment);
/* Returns 1 if the lock was free and the contents are consistent. */
int djp__segment_trylock(djp__segment *segment);
/* In a forked child of private memory, where the parent's thread held the lock. */
void djp__segment_relock_child(djp__segment *segment);

/* Zeroed memory on a 64-byte (heap) or 8-byte (values) boundary, or 0 when full. Lock held. */
uint32_t djp__segment_alloc(djp__segment *segment, size_t size);
uint32_t djp__segment_alloc_values(djp__segment *segment, size_t count);

static inline void *
djp__segment_at(const djp__segment *segment, uint32_t offset)
{
    return segment->base + offset;
}

/* Values in one stripe. */
static inline DJP__ATOMIC(uint64_t) *
    djp__segment_values(const djp__segment *segment, uint32_t stripe, uint32_t at)
{
    const djp__segment_header *header = segment->header;
    return (DJP__ATOMIC(uint64_t) *)(void *)(segment->base + header->heap_size +
                                             (size_t)stripe * header->stripe_size + at);
}

#endif
