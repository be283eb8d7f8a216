/* The arithmetic of base-2 exponential histograms: indexes, growth and change of scale. Holds no
 * shared memory and no locks. */
#include "metrics/exponential.h"

#include <math.h>
#include <string.h>

void
djp__exponential_init(djp__exponential *out)
{
    out->scale = DJP__EXPONENTIAL_SCALE_MAX;
    out->zero_count = 0;
    out->positive.size = out->negative.size = 0;
    out->positive.offset = out->negative.offset = 0;
}

int32_t
djp__exponential_index(double value, int32_t scale)
{
    int exponent;
    double fraction = frexp(value, &exponent);
    /* value is 2 * fraction * 2^(exponent - 1); a power of two is an upper bound. */
    int is_power = fraction == 0.5;
    exponent--;
    if (scale <= 0) {
        return (exponent - is_power) >> -scale;
    }
    int32_t first = exponent * (1 << scale);
    if (is_power) {
        return first - 1;
    }
    double parts = (double)(1 << scale);
    int32_t part = (int32_t)ceil(log2(2 * fraction) * parts) - 1;
    part = part < 0 ? 0 : part >= (1 << scale) ? (1 << scale) - 1 : part;
    return first + part;
}

/* Moves each count to the bucket of the lower scale, which lies at or below its place. */
static void
exponential_shift(djp__exponential_side *side, uint32_t by)
{
    if (side->size == 0) {
        return;
    }
    int32_t first = side->offset >> by;
    int32_t last = (side->offset + (int32_t)side->size - 1) >> by;
    for (uint32_t i = 0; i < side->size; i++) {
        uint32_t to = (uint32_t)(((side->offset + (int32_t)i) >> by) - first);
        if (to != i) {
            uint64_t count = side->counts[i];
            side->counts[i] = 0;
            side->counts[to] += count;
        }
    }
    side->offset = first;
    side->size = (uint32_t)(last - first) + 1;
}

void
djp__exponential_downscale(djp__exponential *histogram, uint32_t by)
{
    if (by > 0) {
        exponential_shift(&histogram->positive, by);
        exponential_shift(&histogram->negative, by);
        histogram->scale -= (int32_t)by;
    }
}

static uint32_t
exponential_width(int64_t first, int64_t last, uint32_t by)
{
    return (uint32_t)((last >> by) - (first >> by)) + 1;
}

/* By how much the scale falls until both sides fit, with index as a part of one. */
static uint32_t
exponential_excess(const djp__exponential_side *side, const djp__exponential_side *other,
                   int32_t index)
{
    int64_t first = index, last = index, end = (int64_t)side->offset + side->size - 1;
    uint32_t by = 0;
    if (side->size > 0) {
        first = side->offset < first ? side->offset : first;
        last = end > last ? end : last;
    }
    for (;; by++) {
        uint32_t more =
            other->size == 0
                ? 0
                : exponential_width(other->offset, (int64_t)other->offset + other->size - 1, by);
        if (exponential_width(first, last, by) + more <= DJP__EXPONENTIAL_BUCKETS || by == 31) {
            return by;
        }
    }
}

/* The count of a bucket that fits; buckets between it and those in use begin at zero. */
static uint64_t *
exponential_place(djp__exponential_side *side, int32_t index)
{
    if (side->size == 0) {
        side->offset = index;
        side->size = 1;
        side->counts[0] = 0;
    } else if (index < side->offset) {
        uint32_t more = (uint32_t)(side->offset - index);
        memmove(&side->counts[more], side->counts, side->size * sizeof side->counts[0]);
        memset(side->counts, 0, more * sizeof side->counts[0]);
        side->offset = index;
        side->size += more;
    } else {
        uint32_t size = (uint32_t)(index - side->offset) + 1;
        for (; side->size < size; side->size++) {
            side->counts[side->size] = 0;
        }
    }
    return &side->counts[index - side->offset];
}

void
djp__exponential_add(djp__exponential *histogram, int is_negative, int32_t scale, int32_t index,
                     uint64_t count)
{
    djp__exponential_side *side = is_negative ? &histogram->negative : &histogram->positive;
    djp__exponential_side *other = is_negative ? &histogram->positive : &histogram->negative;
    if (scale > histogram->scale) {
        index >>= scale - histogram->scale;
    } else {
        djp__exponential_downscale(histogram, (uint32_t)(histogram->scale - scale));
    }
    uint32_t by = exponential_excess(side, other, index);
    djp__exponential_downscale(histogram, by);
    *exponential_place(side, index >> by) += count;
}

static void
exponential_merge_side(djp__exponential *out, int is_negative, const djp__exponential *other,
                       const djp__exponential_side *side)
{
    for (uint32_t i = 0; i < side->size; i++) {
        if (side->counts[i] > 0) {
            djp__exponential_add(out, is_negative, other->scale, side->offset + (int32_t)i,
                                 side->counts[i]);
        }
    }
}

void
djp__exponential_merge(djp__exponential *out, const djp__exponential *other)
{
    out->zero_count += other->zero_count;
    exponential_merge_side(out, 0, other, &other->positive);
    exponential_merge_side(out, 1, other, &other->negative);
}

uint64_t
djp__exponential_count(const djp__exponential *histogram)
{
    uint64_t count = histogram->zero_count;
    for (uint32_t i = 0; i < histogram->positive.size; i++) {
        count += histogram->positive.counts[i];
    }
    for (uint32_t i = 0; i < histogram->negative.size; i++) {
        count += histogram->negative.counts[i];
    }
    return count;
}
