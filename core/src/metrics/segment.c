/* The mapping of all series, its lock and its two bump allocators. It does not know its content,
 * and releases memory only at the end: the registry reuses memory. */
#include "metrics/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"
#include "djp/error.h"
#include "metrics/segment_file.h"

#define SEGMENT_MAGIC 0x31676573706a6400u
#define SEGMENT_VERSION 3u
#define SEGMENT_PAGE 4096u

/* Heap blocks start on a cache line, so that no field used in a recording crosses two. */
#define SEGMENT_HEAP_ALIGN 64u

int
djp__segment_init_mutex(pthread_mutex_t *mutex)
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

/* Over the constant part of the header, and over what the layout depends on. */
static uint64_t
segment_checksum(const djp__segment_header *header)
{
    const uint32_t layout[] = {sizeof(djp__segment_header), sizeof(djp__segment_slot),
                               sizeof(pthread_mutex_t), DJP__SEGMENT_ROW};
    uint64_t hash =
        djp__hash_fixed(DJP__HASH_FIXED, header, offsetof(djp__segment_header, checksum));
    return djp__hash_fixed(hash, layout, sizeof layout);
}

int
djp__segment_header_is_good(const djp__segment_header *header)
{
    return header->magic == SEGMENT_MAGIC && header->version == SEGMENT_VERSION &&
           header->checksum == segment_checksum(header);
}

size_t
djp__segment_plan(djp__segment *out, djp__segment_kind kind, uint64_t bytes, uint32_t slots)
{
    memset(out, 0, sizeof *out);
    if (bytes < DJP__SEGMENT_SIZE_MIN) {
        bytes = DJP__SEGMENT_SIZE_MIN;
    }
    if (bytes > DJP__SEGMENT_SIZE_MAX) {
        bytes = DJP__SEGMENT_SIZE_MAX;
    }
    uint32_t half = (uint32_t)(bytes / 2) & ~(SEGMENT_PAGE - 1);
    out->kind = kind;
    out->heap_size = half;
    out->stripe_size = half;
    out->stripes = slots;
    out->is_striped = kind != DJP__SEGMENT_PRIVATE;
    if (out->is_striped) {
        /* An entry of the heap is more than four times as large as its values. */
        uint32_t rows = half / 4 / DJP__SEGMENT_ROW;
        out->stripes = 1 + (slots < DJP__SEGMENT_SLOTS_MAX ? slots : DJP__SEGMENT_SLOTS_MAX);
        out->stripe_size = (rows > 0 ? rows : 1) * DJP__SEGMENT_ROW;
        size_t least = sizeof(djp__segment_header) + out->stripes * sizeof(djp__segment_slot);
        least = (least + DJP__SEGMENT_SIZE_MIN + SEGMENT_PAGE - 1) & ~(size_t)(SEGMENT_PAGE - 1);
        out->heap_size = half > least ? half : (uint32_t)least;
    }
    return out->heap_size + (size_t)out->stripe_size * out->stripes;
}

int
djp__segment_format(djp__segment *segment)
{
    djp__segment_header *header = segment->header;
    uint32_t slots = segment->is_striped ? segment->stripes - 1 : 0;
    if (djp__segment_init_mutex(&header->mutex) != 0) {
        return DJP_ENOMEM;
    }
    for (uint32_t i = 0; i < slots; i++) {
        if (djp__segment_init_mutex(&header->slots[i].owner) != 0) {
            return DJP_ENOMEM;
        }
    }
    header->stripes = segment->stripes;
    header->heap_size = segment->heap_size;
    header->stripe_size = segment->stripe_size;
    header->seed = djp__rand64();
    header->heap_top = djp__segment_heap_start(segment);
    header->heap_committed = header->heap_top;
    djp__store_relaxed(&header->stripes_top, 1);
    header->version = SEGMENT_VERSION;
    header->magic = SEGMENT_MAGIC;
    header->checksum = segment_checksum(header);
    return 0;
}

static int
segment_map_fd(djp__segment *out, size_t size, int flags, int fd)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_NORESERVE | flags, fd, 0);
    if (base == MAP_FAILED) {
        return DJP_ENOMEM;
    }
    out->base = base;
    out->size = size;
    out->header = base;
    return 0;
}

static int
segment_map(djp__segment *out, size_t size, int flags)
{
    if (segment_map_fd(out, size, MAP_ANONYMOUS | flags, -1) < 0) {
        return DJP_ENOMEM;
    }
    if (djp__segment_format(out) != 0) {
        munmap(out->base, size);
        memset(out, 0, sizeof *out);
        return DJP_ENOMEM;
    }
    return 0;
}

/* The same in a file that exists in memory only. */
static int
segment_map_open(djp__segment *out, size_t size)
{
    int made = memfd_create("djp-metrics", MFD_CLOEXEC);
    int fd = made >= 0 ? fcntl(made, F_DUPFD_CLOEXEC, 3) : -1;
    int result = DJP_EIO;
    if (made >= 0) {
        close(made);
    }
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 && djp__file_id_get(&out->fd_id, fd) &&
        segment_map_fd(out, size, MAP_SHARED, fd) == 0) {
        result = djp__segment_format(out);
        if (result < 0) {
            munmap(out->base, size);
        }
    }
    if (result == 0) {
        out->fd = fd;
    } else if (fd >= 0) {
        close(fd);
    }
    return result;
}

int
djp__segment_new(djp__segment *out, uint64_t bytes, uint32_t stripes)
{
    size_t size = djp__segment_plan(out, DJP__SEGMENT_PRIVATE, bytes, stripes);
    return segment_map(out, size, MAP_PRIVATE);
}

int
djp__segment_new_striped(djp__segment *out, uint64_t bytes, uint32_t slots)
{
    size_t size = djp__segment_plan(out, DJP__SEGMENT_INHERITED, bytes, slots);
    out->kind = DJP__SEGMENT_PRIVATE;
    return segment_map(out, size, MAP_PRIVATE);
}

int
djp__segment_new_shared(djp__segment *out, uint64_t bytes, uint32_t slots, int is_open)
{
    size_t size = djp__segment_plan(out, DJP__SEGMENT_INHERITED, bytes, slots);
    if (is_open && segment_map_open(out, size) == 0) {
        return 0;
    }
    return segment_map(out, size, MAP_SHARED);
}

void
djp__segment_name(char out[DJP__SEGMENT_NAME_SIZE], const djp__segment *segment)
{
    out[0] = '\0';
    if (segment->fd > 0 && djp__file_is(&segment->fd_id, segment->fd)) {
        snprintf(out, DJP__SEGMENT_NAME_SIZE, "/proc/%d/fd/%d", (int)getpid(), segment->fd);
    }
}

void
djp__segment_close(djp__segment *segment)
{
    if (segment->fd > 0 && djp__file_is(&segment->fd_id, segment->fd)) {
        close(segment->fd);
    }
    segment->fd = 0;
}

int
djp__segment_is_name(const char *text)
{
    int pid = 0, fd = 0, end = 0;
    return sscanf(text, "/proc/%d/fd/%d%n", &pid, &fd, &end) == 2 && text[end] == '\0';
}

/* Copies the sizes of a header that is good, and maps the memory. */
static int
segment_adopt(djp__segment *out, int fd, uint64_t size)
{
    djp__segment_header header;
    if (pread(fd, &header, sizeof header, 0) != (ssize_t)sizeof header ||
        !djp__segment_header_is_good(&header)) {
        errno = EINVAL;
        return DJP_EIO;
    }
    out->kind = DJP__SEGMENT_INHERITED;
    out->is_striped = 1;
    out->stripes = header.stripes;
    out->heap_size = header.heap_size;
    out->stripe_size = header.stripe_size;
    if (out->heap_size + (uint64_t)out->stripe_size * out->stripes != size) {
        errno = EINVAL;
        return DJP_EIO;
    }
    return segment_map_fd(out, size, MAP_SHARED, fd);
}

int
djp__segment_open(djp__segment *out, const char **why, const char *name)
{
    struct stat found;
    memset(out, 0, sizeof *out);
    *why = "the memory of the process that named it cannot be opened";
    int fd = open(name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return DJP_EIO;
    }
    int result = DJP_EIO;
    if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == geteuid()) {
        result = segment_adopt(out, fd, (uint64_t)found.st_size);
    }
    int error = errno;
    close(fd);
    errno = error;
    return result;
}

void
djp__segment_fini(djp__segment *segment)
{
    if (segment->base) {
        if (!djp__segment_is_shared(segment) && segment->mapping == NULL) {
            pthread_mutex_destroy(&segment->header->mutex);
        }
        size_t kept = segment->header_is_held ? djp__segment_heap_start(segment) : 0;
        kept = (kept + SEGMENT_PAGE - 1) & ~(size_t)(SEGMENT_PAGE - 1);
        if (segment->mapping != NULL) {
            segment->mapping->base = segment->base + kept;
            segment->mapping->size = segment->size - kept;
            djp__segment_release(segment->mapping);
        } else {
            munmap(segment->base + kept, segment->size - kept);
        }
    }
    djp__segment_file_free(segment->file);
    djp__segment_close(segment);
    memset(segment, 0, sizeof *segment);
}

djp__segment_mapping *
djp__segment_hold(djp__segment *segment)
{
    if (segment->mapping == NULL) {
        segment->mapping = djp__calloc(1, sizeof *segment->mapping);
        if (segment->mapping == NULL) {
            return NULL;
        }
        djp__store_relaxed(&segment->mapping->references, 1);
    }
    djp__add_relaxed(&segment->mapping->references, 1);
    return segment->mapping;
}

void
djp__segment_release(djp__segment_mapping *mapping)
{
    if (mapping != NULL && djp__sub_acq_rel(&mapping->references, 1) == 1) {
        if (mapping->base != NULL) {
            munmap(mapping->base, mapping->size);
        }
        djp__free(mapping);
    }
}

int
djp__segment_detach(djp__segment *segment)
{
    char *copy = mmap(NULL, segment->size, PROT_READ | PROT_WRITE,
                      MAP_ANONYMOUS | MAP_NORESERVE | MAP_PRIVATE, -1, 0);
    if (copy == MAP_FAILED) {
        return DJP_ENOMEM;
    }
    memcpy(copy, segment->base, segment->header->heap_top);
    if (mremap(copy, segment->size, segment->size, MREMAP_MAYMOVE | MREMAP_FIXED, segment->base) ==
        MAP_FAILED) {
        munmap(copy, segment->size);
        return DJP_ENOMEM;
    }
    /* The layout of the stripes stays; this process uses the first one of a process. */
    segment->kind = DJP__SEGMENT_PRIVATE;
    segment->own = 1;
    segment->keeper = NULL;
    djp__store_relaxed(&segment->header->stripes_top, 2);
    for (uint32_t i = 0; i + 1 < segment->stripes; i++) {
        djp__segment_slot *slot = &segment->header->slots[i];
        memset(slot, 0, sizeof *slot);
        djp__segment_init_mutex(&slot->owner);
    }
    memset(&segment->header->mutex, 0, sizeof segment->header->mutex);
    return djp__segment_init_mutex(&segment->header->mutex);
}

/* The result of a lock that is held: 1 if the contents are to be repaired. */
static int
segment_locked(djp__segment_header *header, int error)
{
    if (error == EOWNERDEAD) {
        pthread_mutex_consistent(&header->mutex);
        header->damaged = 1;
    }
    int damaged = header->damaged != 0;
    header->damaged = 0;
    return damaged;
}

int
djp__segment_lock(djp__segment *segment)
{
    djp__segment_header *header = segment->header;
    return segment_locked(header, pthread_mutex_lock(&header->mutex));
}

/* Returns an error number. */
static int
segment_lock_by(pthread_mutex_t *mutex, uint64_t deadline)
{
#ifdef __SANITIZE_THREAD__ /* which takes pthread_mutex_clocklock for no lock */
    uint64_t now = djp__clock_monotonic();
    deadline = djp__clock_realtime() + (deadline > now ? deadline - now : 0);
    struct timespec end = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
    return pthread_mutex_timedlock(mutex, &end);
#else
    struct timespec end = {(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &end);
#endif
}

int
djp__segment_lock_until(djp__segment *segment, uint64_t deadline)
{
    djp__segment_header *header = segment->header;
    int error = deadline == 0 ? pthread_mutex_trylock(&header->mutex)
                              : segment_lock_by(&header->mutex, deadline);
    return error != 0 && error != EOWNERDEAD ? DJP_ETIMEOUT : segment_locked(header, error);
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
    djp__segment_init_mutex(&segment->header->mutex);
}

/* Gives the heap memory up to `end`. */
static int
segment_commit_heap(djp__segment *segment, uint32_t end)
{
    djp__segment_header *header = segment->header;
    if (end <= header->heap_committed || segment->file == NULL) {
        return 0;
    }
    uint32_t wanted = djp__segment_file_round(end);
    wanted = wanted < segment->heap_size ? wanted : segment->heap_size;
    if (djp__segment_file_commit(segment, 0, wanted) < 0) {
        return DJP_EFULL;
    }
    header->heap_committed = wanted;
    return 0;
}

uint32_t
djp__segment_alloc(djp__segment *segment, size_t size)
{
    djp__segment_header *header = segment->header;
    uint32_t at = (header->heap_top + SEGMENT_HEAP_ALIGN - 1) & ~(SEGMENT_HEAP_ALIGN - 1);
    if (at > segment->heap_size || size > segment->heap_size - at ||
        segment_commit_heap(segment, at + (uint32_t)size) < 0) {
        return 0;
    }
    header->heap_top = at + (uint32_t)size;
    return at;
}

/* A value within one cache line costs the traffic of one line; no value crosses a row. */
static uint32_t
segment_place(const djp__segment *segment, uint32_t at, size_t count)
{
    if (count <= 8 && at / 64 != (at + count * 8 - 1) / 64) {
        at = (at + 63) & ~63u;
    }
    if (segment->is_striped && at / DJP__SEGMENT_ROW != (at + count * 8 - 1) / DJP__SEGMENT_ROW) {
        at = (at + DJP__SEGMENT_ROW - 1) & ~(DJP__SEGMENT_ROW - 1);
    }
    return at;
}

/* Gives memory to the base and to every process's stripe up to value_top. */
static int
segment_commit_values(djp__segment *segment)
{
    int result = djp__segment_commit_stripe(segment, 0);
    for (uint32_t stripe = 1; stripe < segment->stripes && result == 0; stripe++) {
        if (djp__load_relaxed(&segment->header->slots[stripe - 1].state) != 0) {
            result = djp__segment_commit_stripe(segment, stripe);
        }
    }
    return result;
}

int
djp__segment_commit_stripe(djp__segment *segment, uint32_t stripe)
{
    djp__segment_header *header = segment->header;
    if (segment->file == NULL) {
        return 0;
    }
    uint32_t *committed =
        stripe == 0 ? &header->base_committed : &header->slots[stripe - 1].committed;
    while (*committed < header->value_top) {
        if (djp__segment_file_commit(segment,
                                     djp__segment_value_offset(segment, stripe, *committed),
                                     DJP__SEGMENT_ROW) < 0) {
            return DJP_EFULL;
        }
        *committed += DJP__SEGMENT_ROW;
    }
    return 0;
}

uint32_t
djp__segment_alloc_values(djp__segment *segment, size_t count)
{
    djp__segment_header *header = segment->header;
    /* Offset 0 means "none", so the first place is on the second line. */
    uint32_t before = header->value_top;
    uint32_t at = segment_place(segment, before ? before : 64, count);
    if (at > segment->stripe_size || count * 8 > segment->stripe_size - at) {
        return 0;
    }
    header->value_top = at + (uint32_t)(count * 8);
    if (segment->file != NULL && segment_commit_values(segment) < 0) {
        header->value_top = before;
        return 0;
    }
    return at;
}
