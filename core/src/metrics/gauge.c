/* Gauges: recording, one or two atomic operations without a lock, and reading by the mode of the
 * family. Any value is valid, also NaN. */
#include "metrics/gauge.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

typedef enum gauge_function {
    GAUGE_APART,
    GAUGE_MIN,
    GAUGE_MAX,
    GAUGE_SUM,
    GAUGE_AVERAGE,
    GAUGE_RECENT
} gauge_function;

static const struct {
    const char *name; /* of prometheus_client; NULL: none */
    gauge_function function;
    int live_only;
} gauge_modes[] = {
    [DJP_GAUGE_ALL] = {"all", GAUGE_APART, 0},
    [DJP_GAUGE_LIVEALL] = {"liveall", GAUGE_APART, 1},
    [DJP_GAUGE_MIN] = {"min", GAUGE_MIN, 0},
    [DJP_GAUGE_LIVEMIN] = {"livemin", GAUGE_MIN, 1},
    [DJP_GAUGE_MAX] = {"max", GAUGE_MAX, 0},
    [DJP_GAUGE_LIVEMAX] = {"livemax", GAUGE_MAX, 1},
    [DJP_GAUGE_SUM] = {"sum", GAUGE_SUM, 0},
    [DJP_GAUGE_LIVESUM] = {"livesum", GAUGE_SUM, 1},
    [DJP_GAUGE_MOSTRECENT] = {"mostrecent", GAUGE_RECENT, 0},
    [DJP_GAUGE_LIVEMOSTRECENT] = {"livemostrecent", GAUGE_RECENT, 1},
    [DJP_GAUGE_LIVEAVERAGE] = {NULL, GAUGE_AVERAGE, 1},
    [DJP_GAUGE_OMIT] = {NULL, GAUGE_APART, 1},
};

/* prom-client aggregates the workers that run. */
static const struct {
    const char *name;
    djp_gauge_mode mode;
} gauge_aggregators[] = {
    {"sum", DJP_GAUGE_LIVESUM}, {"first", DJP_GAUGE_LIVEMOSTRECENT}, {"min", DJP_GAUGE_LIVEMIN},
    {"max", DJP_GAUGE_LIVEMAX}, {"average", DJP_GAUGE_LIVEAVERAGE},  {"omit", DJP_GAUGE_OMIT},
};

int
djp_gauge_mode_parse(djp_gauge_mode *out, djp_text name)
{
    for (size_t i = 0; i < sizeof gauge_modes / sizeof gauge_modes[0]; i++) {
        if (gauge_modes[i].name != NULL && djp__text_equal(name, gauge_modes[i].name)) {
            *out = (djp_gauge_mode)i;
            return 0;
        }
    }
    return DJP_EINVAL;
}

int
djp_gauge_aggregator_parse(djp_gauge_mode *out, djp_text name)
{
    for (size_t i = 0; i < sizeof gauge_aggregators / sizeof gauge_aggregators[0]; i++) {
        if (djp__text_equal(name, gauge_aggregators[i].name)) {
            *out = gauge_aggregators[i].mode;
            return 0;
        }
    }
    return DJP_EINVAL;
}

/* ---- recording ---- */

static inline int
gauge_is_usable(djp_series *series)
{
    if (series->type != DJP_GAUGE || !djp__series_is_live(series)) {
        djp__series_drop(series);
        return 0;
    }
    return 1;
}

/* Apart from the usual path, which then needs no frame. */
static __attribute__((noinline)) void
gauge_stamp_time(djp_series *series)
{
    djp__store_relaxed(&series->values[DJP__GAUGE_TIME], djp__clock_monotonic());
}

/* Only the modes that compare times read the clock. */
static void
gauge_stamp(djp_series *series)
{
    if (series->is_special) {
        gauge_stamp_time(series);
    } else {
        djp__store_relaxed(&series->values[DJP__GAUGE_TIME], 1);
    }
}

void
djp_gauge_set(djp_series *series, double value)
{
    if (series != NULL && gauge_is_usable(series)) {
        djp__store_relaxed(&series->values[DJP__GAUGE_VALUE], djp__double_to_bits(value));
        gauge_stamp(series);
    }
}

void
djp_gauge_add(djp_series *series, double amount)
{
    if (series != NULL && gauge_is_usable(series)) {
        djp__value_add_double(&series->values[DJP__GAUGE_VALUE], amount);
        gauge_stamp(series);
    }
}

void
djp_gauge_set_to_now(djp_series *series)
{
    djp_gauge_set(series, (double)djp__clock_realtime() / 1e9);
}

/* ---- reading ---- */

int
djp__gauge_is_timed(djp_gauge_mode mode)
{
    return gauge_modes[mode].function == GAUGE_RECENT;
}

void
djp__gauge_fold_add(djp__gauge_fold *fold, const djp__gauge_sample *sample)
{
    double value = sample->value;
    int replaces = fold->count == 0;
    if (sample->time_ns == 0 || (gauge_modes[fold->mode].live_only && !sample->is_live)) {
        return;
    }
    switch (gauge_modes[fold->mode].function) {
    case GAUGE_APART:
        break;
    case GAUGE_MIN: /* NaN is the result only if there is no number */
        replaces |= isnan(fold->value) || value < fold->value;
        break;
    case GAUGE_MAX:
        replaces |= isnan(fold->value) || value > fold->value;
        break;
    case GAUGE_SUM:
    case GAUGE_AVERAGE:
        value += fold->value; /* 0 before the first */
        replaces = 1;
        break;
    case GAUGE_RECENT: /* of equal times the first */
        replaces |= sample->time_ns > fold->time_ns;
        break;
    }
    if (replaces) {
        fold->value = value;
        fold->time_ns = sample->time_ns;
    }
    fold->count++;
}

int
djp__gauge_fold_result(double *out, const djp__gauge_fold *fold)
{
    gauge_function function = gauge_modes[fold->mode].function;
    if (fold->count == 0 || (fold->count > 1 && function == GAUGE_APART)) {
        return 0;
    }
    *out = function == GAUGE_AVERAGE ? fold->value / (double)fold->count : fold->value;
    return 1;
}

int
djp__gauge_is_apart(djp_gauge_mode mode)
{
    return mode == DJP_GAUGE_ALL || mode == DJP_GAUGE_LIVEALL;
}

/* The base holds the values of ended processes; a stripe in use is that of one that runs. */
void
djp__gauge_sample_of(djp__gauge_sample *out, const djp_registry *registry,
                     const djp__series_entry *entry, uint32_t stripe)
{
    const djp__segment *segment = &registry->segment;
    DJP__ATOMIC(uint64_t) *words = djp__segment_values(segment, stripe, entry->values_at);
    out->value = djp__bits_to_double(djp__load_relaxed(&words[DJP__GAUGE_VALUE]));
    out->time_ns = djp__load_relaxed(&words[DJP__GAUGE_TIME]);
    out->is_live = stripe > 0 || !djp__segment_is_shared(segment);
}

int
djp__gauge_read(double *out, const djp_registry *registry, const djp__family_entry *family,
                const djp__series_entry *entry)
{
    djp__gauge_fold fold = {.mode = (djp_gauge_mode)family->mode};
    djp__gauge_sample sample;
    uint32_t stripe, end = djp__family_stripes(&stripe, registry, family);
    for (; stripe < end; stripe++) {
        djp__gauge_sample_of(&sample, registry, entry, stripe);
        djp__gauge_fold_add(&fold, &sample);
    }
    if (djp__gauge_fold_result(out, &fold)) {
        return 1;
    }
    djp__gauge_sample_of(&sample, registry, entry, registry->segment.own);
    *out = sample.value;
    return fold.count == 0;
}

void
djp__gauge_fold_stripe(uint64_t *out, const djp_registry *registry, const djp__family_entry *family,
                       const djp__series_entry *entry, uint32_t stripe)
{
    djp_gauge_mode mode = (djp_gauge_mode)family->mode;
    djp__gauge_fold fold = {.mode = mode};
    djp__gauge_sample sample;
    out[DJP__GAUGE_VALUE] = out[DJP__GAUGE_TIME] = 0;
    if (gauge_modes[mode].live_only || gauge_modes[mode].function == GAUGE_APART) {
        return; /* what an ended process had set is not shown */
    }
    djp__gauge_sample_of(&sample, registry, entry, 0);
    djp__gauge_fold_add(&fold, &sample);
    djp__gauge_sample_of(&sample, registry, entry, stripe);
    djp__gauge_fold_add(&fold, &sample);
    out[DJP__GAUGE_VALUE] = djp__double_to_bits(fold.value);
    out[DJP__GAUGE_TIME] = fold.time_ns;
}
