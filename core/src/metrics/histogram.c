/* Records into histograms: finds the bucket without a branch on the value, increments it, adds to
 * the sum. The number of observations is derived from the buckets, so that a snapshot is
 * consistent. */
#include <math.h>

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

static int
histogram_record(djp_series *series, double value, uint32_t *bucket)
{
    if (series->type != DJP_HISTOGRAM || isnan(value) || !djp__series_is_live(series)) {
        djp__series_drop(series);
        return 0;
    }
    *bucket = histogram_bucket(series->bounds, series->bucket_count, value);
    djp__add_relaxed(&series->values[1 + *bucket], 1);
    /* An infinite value counts in its bucket, but is not added to the sum. */
    if (!isinf(value)) {
        djp__value_add_double(&series->values[0], value);
    }
    return 1;
}

void
djp_histogram_observe(djp_series *series, double value)
{
    uint32_t bucket;
    if (series != NULL) {
        histogram_record(series, value, &bucket);
    }
}

void
djp__histogram_observe_at(djp_series *series, double value, const djp_span_context *context,
                          uint64_t unix_ns)
{
    uint32_t bucket;
    if (series != NULL && histogram_record(series, value, &bucket)) {
        djp__exemplar_store(series, bucket, value, context, unix_ns);
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
