/* A bounded ring of variable-size records in plain memory: many writers, one reader, offsets only
 * (it may live in a file mapping), full = refuse. A record is written between reserve and commit;
 * the reader stops at the first uncommitted one. */
#ifndef DJP_BASE_RING_H
#define DJP_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

typedef struct djp_ring djp_ring;

/* bytes: a power of two >= 4096. Returns 0 or DJP_ENOMEM. Memory comes from mmap and is touched
 * only as used. */
int djp__ring_new(djp_ring **out, uint64_t bytes);
void djp__ring_free(djp_ring *ring);

/* Room for size bytes (8-byte aligned), or NULL when full or size > capacity / 4. Any thread,
 * lock-free. */
void *djp__ring_reserve(djp_ring *ring, size_t size);
/* Makes a reserved record visible. Every reservation must be committed. */
void djp__ring_commit(djp_ring *ring, void *record);

/* Reader: the oldest committed record and its size, or NULL. The memory stays valid until
 * djp__ring_consume. One thread. */
void *djp__ring_peek(djp_ring *ring, size_t *size);
/* Frees the record last peeked. */
void djp__ring_consume(djp_ring *ring);

uint64_t djp__ring_used(const djp_ring *ring); /* bytes, any thread, a moment's value */
uint64_t djp__ring_capacity(const djp_ring *ring);
/* Total bytes written and consumed: all records before a value of written have been consumed when
 * consumed() reaches it. */
uint64_t djp__ring_written(const djp_ring *ring);
uint64_t djp__ring_consumed(const djp_ring *ring);
/* Discards everything (in a forked child, which has one thread). */
void djp__ring_reset(djp_ring *ring);

#endif
