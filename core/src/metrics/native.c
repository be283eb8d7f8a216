/* Records in and reads the exponential buckets of a stripe. The lock of a series is one bit; it is
 * held for some nanoseconds, or for the rewriting of 160 counts. */
#include "metrics/native.h"

#include <math.h>
#include <sched.h>
#include <string.h>

enum { NATIVE_STATE = 0, NATIVE_ZEROS = 1, NATIVE_FIRST = 2 };
enum { NATIVE_SHAPE = 0, NATIVE_OFFSETS = 1, NATIVE_COUNTS = 2 };
enum { NATIVE_LOCKED = 1, NATIVE_OTHER = 2, NATIVE_VERSION = 4 }; /* parts of the state */
enum { NATIVE_SPINS = 200, NATIVE_YIELDS = 2000, NATIVE_READS = 64 };

/* Where a half holds which index. Its counts begin with the positive side, which ends at split. */
typedef struct native_shape {
    int is_used;
    int32_t scale;
    uint32_t split;
    int32_t positive, negative; /* index of the first count of each side */
} native_shape;

static DJP__ATOMIC(uint64_t) * native_at(DJP__ATOMIC(uint64_t) * words, uint64_t state)
{
    return &words[NATIVE_FIRST + (state & NATIVE_OTHER ? DJP__NATIVE_SIZE : 0)];
}

static void
native_unpack(native_shape *out, uint64_t shape, uint64_t offsets)
{
    out->is_used = (shape & 1) != 0;
    out->scale = (int32_t)(shape >> 8 & 0xff) - 128;
    out->split = (uint32_t)(shape >> 16 & 0xffff);
    if (out->split > DJP__EXPONENTIAL_BUCKETS || out->scale < DJP__EXPONENTIAL_SCALE_MIN ||
        out->scale > DJP__EXPONENTIAL_SCALE_MAX) {
        out->is_used = 0; /* damaged memory */
    }
    out->positive = (int32_t)(uint32_t)offsets;
    out->negative = (int32_t)(uint32_t)(offsets >> 32);
}

static void
native_shape_of(native_shape *out, DJP__ATOMIC(uint64_t) * half)
{
    native_unpack(out, djp__load_acquire(&half[NATIVE_SHAPE]),
                  djp__load_acquire(&half[NATIVE_OFFSETS]));
}

/* Splits what is free: a side that is in use may grow at both ends. */
static void
native_plan(native_shape *out, const djp__exponential *histogram)
{
    const djp__exponential_side *positive = &histogram->positive, *negative = &histogram->negative;
    uint32_t spare = DJP__EXPONENTIAL_BUCKETS - positive->size - negative->size;
    uint32_t mine = negative->size == 0 ? spare : positive->size == 0 ? 0 : spare / 2;
    out->is_used = 1;
    out->scale = histogram->scale;
    out->split = positive->size + mine;
    out->positive = positive->offset - (int32_t)(mine / 2);
    out->negative = negative->offset - (int32_t)((spare - mine) / 2);
}

void
djp__native_write(uint64_t words[DJP__NATIVE_WORDS], const djp__exponential *histogram)
{
    native_shape shape;
    uint64_t *half = &words[NATIVE_FIRST];
    memset(words, 0, DJP__NATIVE_WORDS * sizeof words[0]);
    words[NATIVE_ZEROS] = histogram->zero_count;
    words[NATIVE_STATE] = NATIVE_VERSION; /* not that of unused memory */
    if (histogram->positive.size + histogram->negative.size == 0) {
        return;
    }
    native_plan(&shape, histogram);
    half[NATIVE_SHAPE] =
        1u | (uint64_t)(uint32_t)(shape.scale + 128) << 8 | (uint64_t)shape.split << 16;
    half[NATIVE_OFFSETS] = (uint32_t)shape.positive | (uint64_t)(uint32_t)shape.negative << 32;
    uint64_t *counts = &half[NATIVE_COUNTS];
    memcpy(&counts[histogram->positive.offset - shape.positive], histogram->positive.counts,
           histogram->positive.size * sizeof counts[0]);
    memcpy(&counts[shape.split + (uint32_t)(histogram->negative.offset - shape.negative)],
           histogram->negative.counts, histogram->negative.size * sizeof counts[0]);
}

/* Counts [from, to) of a half as a side, without the empty ones at both ends. */
static void
native_load_side(djp__exponential_side *out, DJP__ATOMIC(uint64_t) * counts, uint32_t from,
                 uint32_t to, int32_t offset)
{
    out->size = 0;
    for (uint32_t i = from; i < to; i++) {
        uint64_t count = djp__load_acquire(&counts[i]);
        if (out->size == 0) {
            out->offset = offset + (int32_t)(i - from);
        }
        if (count != 0 || out->size > 0) {
            out->counts[out->size++] = count;
        }
    }
    while (out->size > 0 && out->counts[out->size - 1] == 0) {
        out->size--;
    }
}

static void
native_load(djp__exponential *out, DJP__ATOMIC(uint64_t) * half)
{
    native_shape shape;
    native_shape_of(&shape, half);
    djp__exponential_init(out);
    if (shape.is_used) {
        out->scale = shape.scale;
        native_load_side(&out->positive, &half[NATIVE_COUNTS], 0, shape.split, shape.positive);
        native_load_side(&out->negative, &half[NATIVE_COUNTS], shape.split,
                         DJP__EXPONENTIAL_BUCKETS, shape.negative);
    }
}

void
djp__native_read(djp__exponential *out, DJP__ATOMIC(uint64_t) * words)
{
    djp__exponential part;
    for (int tries = 0;; tries++) {
        uint64_t state = djp__load_acquire(&words[NATIVE_STATE]);
        if (state == 0 && djp__load_relaxed(&words[NATIVE_ZEROS]) == 0) {
            return; /* unused */
        }
        native_load(&part, native_at(words, state));
        if ((djp__load_acquire(&words[NATIVE_STATE]) | NATIVE_LOCKED) == (state | NATIVE_LOCKED) ||
            tries == NATIVE_READS) {
            break;
        }
    }
    part.zero_count = djp__load_relaxed(&words[NATIVE_ZEROS]);
    djp__exponential_merge(out, &part);
}

/* Returns 0 if the bit is not free in time. */
static int
native_lock(uint64_t *state, DJP__ATOMIC(uint64_t) * words)
{
    for (int tries = 0; tries < NATIVE_SPINS + NATIVE_YIELDS; tries++) {
        uint64_t now = djp__load_relaxed(&words[NATIVE_STATE]) & ~(uint64_t)NATIVE_LOCKED;
        if (djp__cas_weak_acq_rel(&words[NATIVE_STATE], &now, now | NATIVE_LOCKED)) {
            *state = now;
            return 1;
        }
        if (tries >= NATIVE_SPINS) {
            sched_yield();
        }
    }
    return 0;
}

static void
native_increment(DJP__ATOMIC(uint64_t) * word)
{
    djp__store_release(word, djp__load_relaxed(word) + 1);
}

/* The count of an index, or NULL outside of what the half holds. */
static DJP__ATOMIC(uint64_t) * native_count(DJP__ATOMIC(uint64_t) * half, const native_shape *shape,
                                            int is_negative, int32_t index)
{
    int64_t at = is_negative ? (int64_t)index - shape->negative + shape->split
                             : (int64_t)index - shape->positive;
    int64_t first = is_negative ? shape->split : 0;
    int64_t end = is_negative ? (int64_t)DJP__EXPONENTIAL_BUCKETS : shape->split;
    return at >= first && at < end ? &half[NATIVE_COUNTS + at] : NULL;
}

/* Writes the observations of one half and a further one into the other half. Returns the state that
 * names it. */
static uint64_t
native_switch(DJP__ATOMIC(uint64_t) * words, uint64_t state, int is_negative, int32_t scale,
              int32_t index)
{
    djp__exponential histogram;
    uint64_t plain[DJP__NATIVE_WORDS];
    native_load(&histogram, native_at(words, state));
    histogram.zero_count = 0;
    djp__exponential_add(&histogram, is_negative, scale, index, 1);
    djp__native_write(plain, &histogram);
    uint64_t next = (state + NATIVE_VERSION) ^ NATIVE_OTHER;
    DJP__ATOMIC(uint64_t) *half = native_at(words, next);
    for (uint32_t i = 0; i < DJP__NATIVE_SIZE; i++) {
        djp__store_release(&half[i], plain[NATIVE_FIRST + i]);
    }
    return next;
}

int
djp__native_record(DJP__ATOMIC(uint64_t) * words, double value)
{
    uint64_t state;
    double size = fabs(value);
    if (!native_lock(&state, words)) {
        return 0;
    }
    if (size <= DJP__EXPONENTIAL_ZERO_THRESHOLD) {
        native_increment(&words[NATIVE_ZEROS]);
    } else {
        DJP__ATOMIC(uint64_t) *half = native_at(words, state);
        native_shape shape;
        native_shape_of(&shape, half);
        int32_t scale = shape.is_used ? shape.scale : DJP__EXPONENTIAL_SCALE_MAX;
        int32_t index = djp__exponential_index(size, scale);
        DJP__ATOMIC(uint64_t) *count =
            shape.is_used ? native_count(half, &shape, value < 0, index) : NULL;
        if (count != NULL) {
            native_increment(count);
        } else {
            state = native_switch(words, state, value < 0, scale, index);
        }
    }
    djp__store_release(&words[NATIVE_STATE], state);
    return 1;
}

void
djp__native_unlock(DJP__ATOMIC(uint64_t) * words)
{
    djp__store_relaxed(&words[NATIVE_STATE],
                       djp__load_relaxed(&words[NATIVE_STATE]) & ~(uint64_t)NATIVE_LOCKED);
}
