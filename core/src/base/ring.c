/* The ring: a head page and a power of two of data bytes in one mapping, offsets only, so that it
 * may lie in a file. Writers advance `head` by compare-and-swap, the reader advances `tail`. A
 * writer does not wait: a full ring refuses. A record is an 8-byte head {size, state} and its
 * payload. Free bytes are always zero (the reader clears consumed ones), so an uncommitted head has
 * the state 0. A record that would cross the end is placed at the start, after a committed padding
 * record. */
#include "base/ring.h"

#include <string.h>
#include <sys/mman.h>

#include "base/atomic.h"
#include "djp/error.h"

#define RING__MAGIC 0x31676e69722d706aull /* "jp-ring1" */
#define RING__HEAD_BYTES 4096u
#define RING__LINE 64

enum { RING__WRITING = 0, RING__RECORD = 1, RING__PADDING = 2 };

typedef struct ring__record {
    uint32_t size; /* of the payload; written by the reserving thread before it commits */
    /* RING__*: stored with release by the committing thread, cleared by the reader */
    DJP__ATOMIC(uint32_t) state;
} ring__record;

struct djp_ring {
    uint64_t magic;
    uint64_t capacity;
    /* Bytes ever reserved. Writers, compare-and-swap. */
    _Alignas(RING__LINE) DJP__ATOMIC(uint64_t) head;
    /* Bytes ever consumed. The reader, release: the bytes before it are zero again. */
    _Alignas(RING__LINE) DJP__ATOMIC(uint64_t) tail;
};

static char *
ring_data(const djp_ring *ring)
{
    return (char *)(uintptr_t)ring + RING__HEAD_BYTES;
}

static ring__record *
ring_at(const djp_ring *ring, uint64_t position)
{
    return (ring__record *)(void *)(ring_data(ring) + (position & (ring->capacity - 1)));
}

int
djp__ring_new(djp_ring **out, uint64_t bytes)
{
    *out = NULL;
    if (bytes < 4096 || (bytes & (bytes - 1)) != 0 || bytes > (1ull << 40)) {
        return DJP_EINVAL;
    }
    void *memory = mmap(NULL, RING__HEAD_BYTES + (size_t)bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return DJP_ENOMEM;
    }
    djp_ring *ring = memory;
    ring->magic = RING__MAGIC;
    ring->capacity = bytes;
    *out = ring;
    return 0;
}

void
djp__ring_free(djp_ring *ring)
{
    if (ring != NULL) {
        munmap(ring, RING__HEAD_BYTES + (size_t)ring->capacity);
    }
}

void *
djp__ring_reserve(djp_ring *ring, size_t size)
{
    uint64_t capacity = ring->capacity;
    if (size == 0 || size > capacity / 4) {
        return NULL;
    }
    uint64_t need = sizeof(ring__record) + (((uint64_t)size + 7u) & ~(uint64_t)7u);
    uint64_t head = djp__load_relaxed(&ring->head);
    uint64_t padding;
    for (;;) {
        uint64_t to_end = capacity - (head & (capacity - 1));
        padding = need > to_end ? to_end : 0;
        /* Acquire: the reader clears the bytes before this thread writes them. */
        uint64_t tail = djp__load_acquire(&ring->tail);
        if (head + padding + need - tail > capacity) {
            /* Full, unless other writers moved the head meanwhile: the reader may have passed the
             * known one. */
            uint64_t newest = djp__load_relaxed(&ring->head);
            if (newest == head) {
                return NULL;
            }
            head = newest;
            continue;
        }
        /* Sequentially consistent against djp__ring_written: either a reader that announces its
         * sleep and then reads the head sees this reservation, or the writer sees the
         * announcement. */
        if (djp__cas_weak_seq_cst(&ring->head, &head, head + padding + need)) {
            break;
        }
    }
    if (padding) {
        ring__record *filler = ring_at(ring, head);
        filler->size = (uint32_t)(padding - sizeof(ring__record));
        djp__store_release(&filler->state, RING__PADDING);
    }
    ring__record *record = ring_at(ring, head + padding);
    record->size = (uint32_t)size;
    return record + 1;
}

void
djp__ring_commit(djp_ring *ring, void *payload)
{
    (void)ring;
    ring__record *record = (ring__record *)payload - 1;
    djp__store_release(&record->state, RING__RECORD);
}

/* Clears the record at tail and frees its bytes. */
static void
ring_drop(djp_ring *ring, ring__record *record)
{
    uint64_t bytes = sizeof(ring__record) + (((uint64_t)record->size + 7u) & ~(uint64_t)7u);
    uint64_t tail = djp__load_relaxed(&ring->tail);
    djp__store_relaxed(&record->state, RING__WRITING);
    record->size = 0;
    memset(record + 1, 0, (size_t)bytes - sizeof(ring__record));
    djp__store_release(&ring->tail, tail + bytes);
}

void *
djp__ring_peek(djp_ring *ring, size_t *size)
{
    for (;;) {
        uint64_t tail = djp__load_relaxed(&ring->tail);
        if (djp__load_relaxed(&ring->head) == tail) {
            return NULL;
        }
        ring__record *record = ring_at(ring, tail);
        uint32_t state = djp__load_acquire(&record->state);
        if (state == RING__RECORD) {
            *size = record->size;
            return record + 1;
        }
        if (state != RING__PADDING) {
            return NULL;
        }
        ring_drop(ring, record);
    }
}

void
djp__ring_consume(djp_ring *ring)
{
    ring__record *record = ring_at(ring, djp__load_relaxed(&ring->tail));
    if (djp__load_relaxed(&record->state) == RING__RECORD) {
        ring_drop(ring, record);
    }
}

uint64_t
djp__ring_used(const djp_ring *ring)
{
    /* Tail first: it only grows, so the difference is never negative. */
    uint64_t tail = djp__load_acquire(&ring->tail);
    uint64_t used = djp__load_seq_cst(&ring->head) - tail;
    return used > ring->capacity ? ring->capacity : used;
}

uint64_t
djp__ring_capacity(const djp_ring *ring)
{
    return ring->capacity;
}

uint64_t
djp__ring_written(const djp_ring *ring)
{
    return djp__load_seq_cst(&ring->head);
}

uint64_t
djp__ring_consumed(const djp_ring *ring)
{
    return djp__load_acquire(&ring->tail);
}

void
djp__ring_reset(djp_ring *ring)
{
    /* Released private pages read as zero; if the kernel refuses, they are cleared. */
    if (madvise(ring_data(ring), (size_t)ring->capacity, MADV_DONTNEED) != 0) {
        memset(ring_data(ring), 0, (size_t)ring->capacity);
    }
    djp__store_relaxed(&ring->head, 0);
    djp__store_release(&ring->tail, 0);
}
