/* The memory of all series: one mapping, addressed by 32-bit offsets, so that it is valid at any
 * address and in any process. A heap that only grows holds families, series and texts; the stripes
 * hold the values.
 *
 *   private   [header | heap ... | values of the one stripe ... ]
 *   shared    [header, slots | heap ... | row 0: stripe 0, stripe 1, ... | row 1: stripe 0, ... ]
 *
 * A value has the same offset in every stripe. In a shared segment stripe 0 is the base, which
 * holds the values of ended processes; stripe 1 + s belongs to the holder of slot s: a process, or
 * a writer of one (djp/shard.h). Stripes are cut into rows, so that a file grows with the values in
 * use. Private memory with room for writers has the layout of shared memory. */
#ifndef DJP_METRICS_SEGMENT_H
#define DJP_METRICS_SEGMENT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/files.h"

#define DJP__SEGMENT_SIZE_MIN (64u * 1024u)
#define DJP__SEGMENT_SIZE_MAX (2u * 1024u * 1024u * 1024u)
#define DJP__SEGMENT_ROW (16u * 1024u) /* bytes of one stripe in a row of a shared segment */
#define DJP__SEGMENT_SLOTS_MAX 256u
#define DJP__SEGMENT_FOLD_MAX 496u /* words of one series */

/* The place of a process or a writer (metrics/slot.h). */
typedef struct djp__segment_slot {
    pthread_mutex_t owner; /* robust; held by a thread of the process until its end */
    DJP__ATOMIC(uint32_t) state; /* djp__slot_state; written under the lock */
    uint32_t pid; /* of the owner, for readers of the file */
    uint32_t port; /* processes: of the Prometheus endpoint that they have or wait for; or 0 */
    uint64_t process; /* random number of the owner */
    uint32_t committed; /* bytes of the stripe that have memory */
    uint32_t process_stripe; /* writers: of their process */
    uint32_t thread; /* writers: the number of their thread */
    uint32_t exemplars; /* writers: 1 if their histograms request exemplars */
} djp__segment_slot;

/* The fold of one series of an ended process into the base, which the next owner of the lock
 * completes if this one dies in it. */
typedef struct djp__segment_fold {
    DJP__ATOMIC(uint32_t) count; /* words; 0: no fold is under way. Release */
    uint32_t stripe, values_at;
    uint64_t words[DJP__SEGMENT_FOLD_MAX]; /* of the base, after the fold */
} djp__segment_fold;

/* All fields but the mutexes are written under the lock; those read without it are atomic. */
typedef struct djp__segment_header {
    uint64_t magic;
    uint32_t version;
    uint32_t stripes;
    uint32_t heap_size; /* header included */
    uint32_t stripe_size;
    uint64_t seed; /* of the label hash, the same for all processes */
    uint64_t checksum; /* of the fields above, which never change */
    /* process-shared and robust: the next owner detects one that died */
    pthread_mutex_t mutex;
    uint32_t damaged; /* 1: an owner died and the repair is pending */
    uint32_t heap_top;
    uint32_t heap_committed; /* bytes of the heap that have memory */
    uint32_t value_top;
    uint32_t base_committed; /* bytes of the base that have memory */
    DJP__ATOMIC(uint32_t) family_first; /* offset of the first family; published with release */
    uint32_t family_last;
    uint32_t family_count;
    uint32_t series_count; /* series entries ever created; also the next index */
    DJP__ATOMIC(uint32_t) stripes_top; /* stripes ever in use; relaxed */
    uint32_t joined; /* processes that ever took a slot */
    uint32_t folded; /* of those, added to the base after their end */
    uint64_t used_unix_ns; /* when a process last took or left a slot */
    uint64_t boot; /* named: hash of the boot id; the mutexes of another boot mean nothing */
    djp__segment_fold fold;
    djp__segment_slot slots[]; /* stripes - 1 of them in a shared segment */
} djp__segment_header;

typedef enum djp__segment_kind {
    DJP__SEGMENT_PRIVATE = 0,
    DJP__SEGMENT_INHERITED = 1, /* shared with forked children */
    DJP__SEGMENT_NAMED = 2 /* shared by all processes that name the same directory */
} djp__segment_kind;

/* A mapping that writers still see after its segment was closed. */
typedef struct djp__segment_mapping {
    DJP__ATOMIC(uint32_t) references;
    char *base; /* owned; NULL while the segment is open */
    size_t size;
} djp__segment_mapping;

typedef struct djp__segment {
    char *base; /* owned mapping; NULL when not open */
    size_t size;
    djp__segment_header *header; /* == base */
    djp__segment_kind kind;
    int is_striped; /* has slots, and its stripes are cut into rows */
    djp__segment_mapping *mapping; /* a reference, or NULL without writers */
    /* copies of the header's, which other processes may damage */
    uint32_t stripes, heap_size, stripe_size;
    uint32_t own; /* this process's stripe; 0 in a striped segment: none */
    int header_is_held; /* a thread that goes on holds a mutex of the header */
    struct djp__slot_keeper *keeper; /* owned by metrics/slot.c, or NULL */
    struct djp__segment_file *file; /* named: owned; otherwise NULL */
    int fd; /* memory that other processes can open: owned; otherwise 0 */
    djp__file_id fd_id; /* its identity: a program may close all descriptors */
} djp__segment;

/* Maps private memory; pages are used when touched. bytes is for one stripe, clamped to the limits
 * above. 0 or DJP_ENOMEM. */
int djp__segment_new(djp__segment *out, uint64_t bytes, uint32_t stripes);
/* Maps private memory with the layout of shared memory. */
int djp__segment_new_striped(djp__segment *out, uint64_t bytes, uint32_t slots);
/* Maps memory that forked children share, with a slot for each of up to `slots` processes.
 * is_open 1: other processes can open it by its name, too. */
int djp__segment_new_shared(djp__segment *out, uint64_t bytes, uint32_t slots, int is_open);
#define DJP__SEGMENT_NAME_SIZE 48u
/* Writes the name for djp__segment_open, valid while this process lives; "" without one. */
void djp__segment_name(char out[DJP__SEGMENT_NAME_SIZE], const djp__segment *segment);
/* Ends the name; the memory stays. On a thread with the descriptors of the process: the last
 * reference may end on another one, which cannot close it. */
void djp__segment_close(djp__segment *segment);
/* 1 if the text has the form of such a name. */
int djp__segment_is_name(const char *text);
/* Maps the memory of another process of this user. Returns 0, DJP_EIO with errno, or DJP_ENOMEM;
 * why (static) says what failed. */
int djp__segment_open(djp__segment *out, const char **why, const char *name);
/* Sets kind and sizes, without a mapping; returns the bytes to map. */
size_t djp__segment_plan(djp__segment *out, djp__segment_kind kind, uint64_t bytes, uint32_t slots);
/* Writes the header of zeroed memory. 0 or DJP_ENOMEM. */
int djp__segment_format(djp__segment *segment);
/* 1 if the header is one that this build writes. */
int djp__segment_header_is_good(const djp__segment_header *header);
/* Header and slots stay mapped if header_is_held, and the rest until writers release it. */
void djp__segment_fini(djp__segment *segment);
/* Takes a reference to the mapping, or returns NULL without memory. The segment's lock is held. */
djp__segment_mapping *djp__segment_hold(djp__segment *segment);
void djp__segment_release(djp__segment_mapping *mapping); /* accepts NULL; any thread */
/* Replaces shared memory by a private copy of header and heap at the same address, with values
 * that are zero. In a forked child. Returns 0 or DJP_ENOMEM. */
int djp__segment_detach(djp__segment *segment);

int djp__segment_init_mutex(pthread_mutex_t *mutex);
/* Returns 1 if the last owner died with the lock: the caller repairs first. */
int djp__segment_lock(djp__segment *segment);
/* The same, but gives up at a time of djp__clock_monotonic, 0: at once: returns DJP_ETIMEOUT. */
int djp__segment_lock_until(djp__segment *segment, uint64_t deadline);
void djp__segment_unlock(djp__segment *segment);
/* Returns 1 if the lock was free and the contents are consistent. */
int djp__segment_trylock(djp__segment *segment);
/* In a forked child of private memory, where the parent's thread held the lock. */
void djp__segment_relock_child(djp__segment *segment);

/* Zeroed memory on a 64-byte (heap) or 8-byte (values) boundary, or 0 when full. Lock held. */
uint32_t djp__segment_alloc(djp__segment *segment, size_t size);
uint32_t djp__segment_alloc_values(djp__segment *segment, size_t count);
/* Makes sure that a stripe has memory up to value_top. Returns 0 or DJP_EFULL. Lock held. */
int djp__segment_commit_stripe(djp__segment *segment, uint32_t stripe);

static inline void *
djp__segment_at(const djp__segment *segment, uint32_t offset)
{
    return segment->base + offset;
}

/* Offset in the mapping of a value in one stripe. */
static inline size_t
djp__segment_value_offset(const djp__segment *segment, uint32_t stripe, uint32_t at)
{
    if (!segment->is_striped) {
        return segment->heap_size + (size_t)stripe * segment->stripe_size + at;
    }
    size_t row = at / DJP__SEGMENT_ROW;
    return segment->heap_size + (row * segment->stripes + stripe) * DJP__SEGMENT_ROW +
           at % DJP__SEGMENT_ROW;
}

/* Where the heap begins: after header and slots. */
static inline uint32_t
djp__segment_heap_start(const djp__segment *segment)
{
    size_t slots = segment->is_striped ? segment->stripes - 1 : 0;
    return (uint32_t)(sizeof(djp__segment_header) + slots * sizeof(djp__segment_slot));
}

/* 1: other processes may record into the segment. */
static inline int
djp__segment_is_shared(const djp__segment *segment)
{
    return segment->kind != DJP__SEGMENT_PRIVATE;
}

/* Stripes that may hold a value other than zero: all up to this one. */
static inline uint32_t
djp__segment_stripes_in_use(const djp__segment *segment)
{
    uint32_t top =
        segment->is_striped ? djp__load_relaxed(&segment->header->stripes_top) : segment->stripes;
    return top < segment->stripes ? top : segment->stripes;
}

/* Values in one stripe. */
static inline DJP__ATOMIC(uint64_t) *
    djp__segment_values(const djp__segment *segment, uint32_t stripe, uint32_t at)
{
    return (DJP__ATOMIC(uint64_t) *)(void *)(segment->base +
                                             djp__segment_value_offset(segment, stripe, at));
}

#endif
