/* Records into histograms: finds the bucket without a branch on the value, increments it, adds to
 * the sum. The number of observations is derived from the buckets, so that a snapshot is
 * consistent. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "metrics/native.h"
#include "metrics/exemplar.h"

/* Index of the first bound that is >= value: the bucket whose upper bound includes it. */
static uint32_t
histogram_bucket(const double *bounds, uint32_t count, double value)
{
    uint32_t first = 0;
    if (count == 0) {
        return 0;
    }
    while (count > 1) {
        uint32_t half = count / 2;
        first += bounds[first + half - 1] < value ? half : 0;
        count -= half;
    }
    return first + (bounds[first] < value);
}

/* 1: a histogram with explicit buckets only. Its two bytes are compared at once. */
static inline int
histogram_is_plain(const djp_series *series)
{
    uint16_t both;
    _Static_assert(offsetof(djp_series, is_special) == offsetof(djp_series, type) + 1, "");
    memcpy(&both, &series->type, sizeof both);
    return both == DJP_HISTOGRAM;
}

static inline int32_t
histogram_add(djp_series *series, double value)
{
    uint32_t bucket = histogram_bucket(series->bounds, series->bucket_count, value);
    djp__add_relaxed(&series->values[1 + bucket], 1);
    /* An infinite value counts in its bucket, but is not added to the sum. */
    if (!isinf(value)) {
        djp__value_add_double(&series->values[0], value);
    }
    return (int32_t)bucket;
}

/* Apart from the usual path: exponential buckets, and what is dropped. */
static __attribute__((noinline)) int32_t
histogram_record_special(djp_series *series, double value)
{
    if (series->type != DJP_HISTOGRAM || isnan(value) || !djp__series_is_live(series)) {
        djp__series_drop(series);
        return -1;
    }
    int32_t bucket = histogram_add(series, value);
    if (!isinf(value) && !djp__native_record(&series->values[series->bucket_count + 2u], value)) {
        djp__series_drop(series);
    }
    return bucket;
}

/* The bucket of the value, or -1 if it was dropped. */
static inline int32_t
histogram_record(djp_series *series, double value)
{
    if (!histogram_is_plain(series) || isnan(value) || !djp__series_is_live(series)) {
        return histogram_record_special(series, value);
    }
    return histogram_add(series, value);
}

DJP__ATOMIC(uint64_t) * djp__histogram_native(const djp_registry *registry,
                                              const djp__family_entry *family,
                                              const djp__series_entry *entry, uint32_t stripe)
{
    return &djp__segment_values(&registry->segment, stripe,
                                entry->values_at)[family->bucket_count + 2u];
}

void
djp__histogram_unlock_all(djp_registry *registry)
{
    const djp__segment *segment = &registry->segment;
    uint32_t at = djp__load_acquire(&segment->header->family_first);
    while (at != 0) {
        const djp__family_entry *family = djp__segment_at(segment, at);
        for (uint32_t next = family->is_exponential ? family->first : 0; next != 0;) {
            const djp__series_entry *entry = djp__segment_at(segment, next);
            djp__native_unlock(djp__histogram_native(registry, family, entry, segment->own));
            next = entry->next;
        }
        at = djp__load_acquire(&family->next);
    }
}

void
djp_histogram_observe(djp_series *series, double value)
{
    if (series != NULL) {
        histogram_record(series, value);
    }
}

void
djp__histogram_observe_at(djp_series *series, double value, const djp_span_context *context,
                          uint64_t unix_ns)
{
    int32_t bucket = series != NULL ? histogram_record(series, value) : -1;
    if (bucket >= 0) {
        djp__exemplar_store(series, (uint32_t)bucket, value, context, unix_ns);
    }
}

void
djp_histogram_observe_with_context(djp_series *series, double value,
                                   const djp_span_context *context)
{
    djp__histogram_observe_at(series, value, context, 0);
}

void
djp_histogram_add(djp_series *series, const uint64_t *counts, size_t count, double sum)
{
    if (series == NULL) {
        return;
    }
    if (series->type != DJP_HISTOGRAM || count != series->bucket_count + (size_t)1 || isnan(sum) ||
        !djp__series_is_live(series)) {
        djp__series_drop(series);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (counts[i] > 0) {
            djp__add_relaxed(&series->values[1 + i], counts[i]);
        }
    }
    djp__value_add_double(&series->values[0], sum);
}

void
djp__histogram_exemplar(djp_series *series, double value, const djp_span_context *context)
{
    if (series != NULL && series->type == DJP_HISTOGRAM && !isnan(value) &&
        djp__series_is_live(series)) {
        uint32_t bucket = histogram_bucket(series->bounds, series->bucket_count, value);
        djp__exemplar_store(series, bucket, value, context, 0);
    }
}
