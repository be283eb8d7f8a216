/* Records into counters: one or two atomic operations, no lock, no system call. Invalid values are
 * counted and change nothing. */
#include "metrics/exemplar.h"
#include "metrics/gauge.h"
#include "metrics/stripe.h"

/* Whole amounts up to this are counted as integers: exact, with one atomic addition. */
#define COUNTER_WHOLE_MAX 9007199254740992.0

static int
counter_add(djp_series *series, double amount)
{
    if (series->type != DJP_COUNTER || !(amount >= 0) || amount > 1.7976931348623157e308 ||
        !djp__series_is_live(series)) {
        djp__series_drop(series);
        return 0;
    }
    if (amount < COUNTER_WHOLE_MAX) {
        uint64_t whole = (uint64_t)(int64_t)amount;
        if ((double)(int64_t)whole == amount) {
            djp__add_relaxed(&series->values[0], whole);
            return 1;
        }
    }
    djp__value_add_double(&series->values[1], amount);
    return 1;
}

void
djp_counter_add(djp_series *series, double amount)
{
    if (series != NULL) {
        counter_add(series, amount);
    }
}

void
djp__counter_add_at(djp_series *series, double amount, const djp_span_context *context,
                    uint64_t unix_ns)
{
    if (series != NULL && counter_add(series, amount) && context != NULL &&
        djp__exemplar_passes(series, context) &&
        (unix_ns == 0 || !djp__exemplar_is_fresh(series, 0, unix_ns))) {
        djp__exemplar_store(series, 0, amount, context, unix_ns);
    }
}

void
djp_counter_add_with_context(djp_series *series, double amount, const djp_span_context *context)
{
    djp__counter_add_at(series, amount, context, 0);
}

void
djp__counter_set(djp_series *series, double value)
{
    if (series != NULL && series->type == DJP_COUNTER && value >= 0) {
        djp__store_relaxed(&series->values[1], djp__double_to_bits(value));
    }
}

double
djp_series_value(const djp_series *series)
{
    if (series == NULL || !djp__series_is_live(series)) {
        return 0;
    }
    const djp_registry *registry = series->family->registry;
    if (series->type == DJP_GAUGE) {
        double value;
        djp__gauge_read(&value, registry, series->family->entry, series->entry);
        return value;
    }
    uint64_t words[DJP__SEGMENT_FOLD_MAX];
    djp__stripe_sum(words, registry, series->family->entry, series->entry);
    return series->type == DJP_COUNTER ? (double)words[0] + djp__bits_to_double(words[1])
                                       : djp__bits_to_double(words[0]);
}

size_t
djp_series_counts(double *sum, uint64_t *out, size_t capacity, const djp_series *series)
{
    if (series == NULL || series->type != DJP_HISTOGRAM || !djp__series_is_live(series)) {
        return 0;
    }
    uint64_t words[DJP__SEGMENT_FOLD_MAX];
    size_t count = series->bucket_count + (size_t)1;
    djp__stripe_sum(words, series->family->registry, series->family->entry, series->entry);
    *sum = djp__bits_to_double(words[0]);
    for (size_t i = 0; i < count && i < capacity; i++) {
        out[i] = words[1 + i];
    }
    return count;
}

uint64_t
djp_series_count(const djp_series *series)
{
    uint64_t count = 0, words[DJP__SEGMENT_FOLD_MAX];
    if (series != NULL && series->type == DJP_HISTOGRAM && djp__series_is_live(series)) {
        djp__stripe_sum(words, series->family->registry, series->family->entry, series->entry);
        for (uint32_t i = 0; i <= series->bucket_count; i++) {
            count += words[1 + i];
        }
    }
    return count;
}
