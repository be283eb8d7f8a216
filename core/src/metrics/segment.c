/* The mapping of all series, its lock and its two bump allocators. It does not know its content,
 * and releases memory only at the end: the registry reuses memory. */
#include "metrics/segment.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/rand.h"
#include "djp/error.h"

#define SEGMENT_MAGIC 0x31676573706a6400u
#define SEGMENT_PAGE 4096u

/* Heap blocks start on a cache line, so that no field used in a recording crosses two. */
#define SEGMENT_HEAP_ALIGN 64u

static int
segment_init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) {
        return DJP_ENOMEM;
    }
    int failed = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) != 0 ||
                 pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) != 0 ||
                 pthread_mutex_init(mutex, &attributes) != 0;
    pthread_mutexattr_destroy(&attributes);
    return failed ? DJP_ENOMEM : 0;
}

int
djp__segment_new(djp__segment *out, uint64_t bytes, uint32_t stripes)
{
    memset(out, 0, sizeof *out);
    if (bytes < DJP__SEGMENT_SIZE_MIN) {
        bytes = DJP__SEGMENT_SIZE_MIN;
    }
    if (bytes > DJP__SEGMENT_SIZE_MAX) {
        bytes = DJP__SEGMENT_SIZE_MAX;
    }
    uint32_t half = (uint32_t)(bytes / 2) & ~(SEGMENT_PAGE - 1);
    size_t size = (size_t)half + (size_t)half * stripes;
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return DJP_ENOMEM;
    }
    djp__segment_header *header = base;
    if (segment_init_mutex(&header->mutex) != 0) {
        munmap(base, size);
        return DJP_ENOMEM;
    }
    header->magic = SEGMENT_MAGIC;
    header->version = 1;
    header->stripes = stripes;
    header->heap_size = half;
    header->stripe_size = half;
    header->seed = djp__rand64();
    header->heap_top = (uint32_t)sizeof *header;
    out->base = base;
    out->size = size;
    out->header = header;
    out->values = out->base + half;
    return 0;
}

void
djp__segment_fini(djp__segment *segment)
{
    if (segment->base) {
        pthread_mutex_destroy(&segment->header->mutex);
        munmap(segment->base, segment->size);
    }
    memset(segment, 0, sizeof *segment);
}

int
djp__segment_lock(djp__segment *segment)
{
    djp__segment_header *header = segment->header;
    if (pthread_mutex_lock(&header->mutex) == EOWNERDEAD) {
        pthread_mutex_consistent(&header->mutex);
        header->damaged = 1;
    }
    int damaged = header->damaged != 0;
    header->damaged = 0;
    return damaged;
}

int
djp__segment_trylock(djp__segment *segment)
{
    djp__segment_header *header = segment->header;
    int error = pthread_mutex_trylock(&header->mutex);
    if (error == EOWNERDEAD) {
        pthread_mutex_consistent(&header->mutex);
        header->damaged = 1;
        error = 0;
    }
    if (error == 0 && header->damaged) {
        pthread_mutex_unlock(&header->mutex);
        return 0;
    }
    return error == 0;
}

void
djp__segment_unlock(djp__segment *segment)
{
    pthread_mutex_unlock(&segment->header->mutex);
}

void
djp__segment_relock_child(djp__segment *segment)
{
    /* The owner was a thread of the parent, so this one may not unlock it; tools that track locks
     * expect the attempt. */
    pthread_mutex_unlock(&segment->header->mutex);
    memset(&segment->header->mutex, 0, sizeof segment->header->mutex);
    segment_init_mutex(&segment->header->mutex);
}

uint32_t
djp__segment_alloc(djp__segment *segment, size_t size)
{
    djp__segment_header *header = segment->header;
    uint32_t at = (header->heap_top + SEGMENT_HEAP_ALIGN - 1) & ~(SEGMENT_HEAP_ALIGN - 1);
    if (at > header->heap_size || size > header->heap_size - at) {
        return 0;
    }
    header->heap_top = at + (uint32_t)size;
    return at;
}

uint32_t
djp__segment_alloc_values(djp__segment *segment, size_t count)
{
    djp__segment_header *header = segment->header;
    /* Offset 0 means "none", so the first place is on the second line. */
    uint32_t at = header->value_top ? header->value_top : 64;
    /* A value within one cache line costs the traffic of one line. */
    if (count <= 8 && at / 64 != (at + count * 8 - 1) / 64) {
        at = (at + 63) & ~63u;
    }
    if (at > header->stripe_size || count * 8 > header->stripe_size - at) {
        return 0;
    }
    header->value_top = at + (uint32_t)(count * 8);
    return at;
}
