/* The families of the language runtimes: event loop, heap and garbage collection. A binding records
 * in them by name; each is created at its first recording. */
#include "metrics/runtime.h"

#include "base/mem.h"
#include "base/str.h"

#define RUNTIME_LABELS_MAX 5u

typedef struct runtime_row {
    const char *name;
    djp_metric_type type;
    djp_gauge_mode mode;
    const char *unit;
    const char *help;
    const char *labels[RUNTIME_LABELS_MAX];
} runtime_row;

/* Each process has an event loop, and a mean over them would hide the one that is busy. What adds
 * up to the use of the whole service is a sum over the processes that run. */
#define RUNTIME_APART DJP_GAUGE, DJP_GAUGE_LIVEALL
#define RUNTIME_SUM DJP_GAUGE, DJP_GAUGE_LIVESUM
#define RUNTIME_INFO DJP_GAUGE, DJP_GAUGE_LIVEMAX
#define RUNTIME_COUNT DJP_COUNTER, DJP_GAUGE_ALL

static const runtime_row runtime_table[] = {
    {"nodejs_eventloop_lag_seconds",
     RUNTIME_APART,
     "seconds",
     "Delay of the event loop when it was read last, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_min_seconds",
     RUNTIME_APART,
     "seconds",
     "Least delay of the event loop since the scrape before, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_max_seconds",
     RUNTIME_APART,
     "seconds",
     "Greatest delay of the event loop since the scrape before, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_mean_seconds",
     RUNTIME_APART,
     "seconds",
     "Mean delay of the event loop since the scrape before, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_stddev_seconds",
     RUNTIME_APART,
     "seconds",
     "Standard deviation of the delay of the event loop, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_p50_seconds",
     RUNTIME_APART,
     "seconds",
     "Median of the delay of the event loop, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_p90_seconds",
     RUNTIME_APART,
     "seconds",
     "90th percentile of the delay of the event loop, in seconds.",
     {NULL}},
    {"nodejs_eventloop_lag_p99_seconds",
     RUNTIME_APART,
     "seconds",
     "99th percentile of the delay of the event loop, in seconds.",
     {NULL}},
    {"nodejs_eventloop_utilization_ratio",
     RUNTIME_APART,
     "ratio",
     "Share of the time since the scrape before in which the event loop was busy.",
     {NULL}},
    {"nodejs_active_handles", RUNTIME_SUM, "", "Open handles of libuv by type.", {"type"}},
    {"nodejs_active_handles_total", RUNTIME_SUM, "", "Open handles of libuv.", {NULL}},
    {"nodejs_active_requests_total", RUNTIME_SUM, "", "Open requests of libuv.", {NULL}},
    {"nodejs_active_resources",
     RUNTIME_SUM,
     "",
     "Resources that keep the event loop alive.",
     {"type"}},
    {"nodejs_active_resources_total",
     RUNTIME_SUM,
     "",
     "Resources that keep the event loop alive.",
     {NULL}},
    {"nodejs_heap_size_total_bytes",
     RUNTIME_SUM,
     "bytes",
     "Size of the heap of V8, in bytes.",
     {NULL}},
    {"nodejs_heap_size_used_bytes",
     RUNTIME_SUM,
     "bytes",
     "Memory in use in the heap of V8, in bytes.",
     {NULL}},
    {"nodejs_external_memory_bytes",
     RUNTIME_SUM,
     "bytes",
     "Memory outside of the heap that objects of V8 hold, in bytes.",
     {NULL}},
    {"nodejs_heap_space_size_total_bytes",
     RUNTIME_SUM,
     "bytes",
     "Size of a space of the heap of V8, in bytes.",
     {"space"}},
    {"nodejs_heap_space_size_used_bytes",
     RUNTIME_SUM,
     "bytes",
     "Memory in use in a space of the heap of V8, in bytes.",
     {"space"}},
    {"nodejs_heap_space_size_available_bytes",
     RUNTIME_SUM,
     "bytes",
     "Free memory in a space of the heap of V8, in bytes.",
     {"space"}},
    {"nodejs_gc_duration_seconds",
     DJP_HISTOGRAM,
     DJP_GAUGE_ALL,
     "seconds",
     "Duration of garbage collections by kind, in seconds.",
     {"kind"}},
    {"nodejs_version_info",
     RUNTIME_INFO,
     "",
     "Version of Node.",
     {"version", "major", "minor", "patch"}},
    {"python_gc_objects_collected",
     RUNTIME_COUNT,
     "",
     "Objects that the collector released.",
     {"generation"}},
    {"python_gc_objects_uncollectable",
     RUNTIME_COUNT,
     "",
     "Objects that the collector found and could not release.",
     {"generation"}},
    {"python_gc_collections", RUNTIME_COUNT, "", "Runs of the collector.", {"generation"}},
    {"python_info",
     RUNTIME_INFO,
     "",
     "Version of Python.",
     {"version", "implementation", "major", "minor", "patchlevel"}},
};

#define RUNTIME_FAMILIES (sizeof runtime_table / sizeof runtime_table[0])

static const double runtime_gc_buckets[] = {0.001, 0.01, 0.1, 1, 2, 5};

struct djp__runtime {
    djp_registry *registry; /* borrowed */
    /* release; made at the first recording. A name that is taken is tried again */
    DJP__ATOMIC(djp_family *) families[RUNTIME_FAMILIES];
    DJP__ATOMIC(uint32_t) was_read; /* relaxed */
};

static void
runtime_collect(void *user)
{
    djp__runtime *runtime = user;
    djp__store_relaxed(&runtime->was_read, 1u);
}

int
djp__runtime_add(djp_registry *registry)
{
    if (registry->runtime != NULL) {
        return 0;
    }
    djp__runtime *runtime = djp__calloc(1, sizeof *runtime);
    if (runtime == NULL) {
        return DJP_ENOMEM;
    }
    runtime->registry = registry;
    int result = djp__registry_on_collect(registry, runtime_collect, runtime);
    if (result < 0) {
        djp__free(runtime);
        return result;
    }
    registry->runtime = runtime;
    return 0;
}

void
djp__runtime_free(djp__runtime *runtime)
{
    djp__free(runtime);
}

static djp_family *
runtime_family(djp__runtime *runtime, size_t index)
{
    djp_family *family = djp__load_acquire(&runtime->families[index]);
    if (family != NULL) {
        return family;
    }
    const runtime_row *row = &runtime_table[index];
    djp_family_options options = {
        .type = row->type,
        .name = row->name,
        .help = row->help,
        .unit = row->unit,
        .labels = row->labels,
        .mode = row->mode,
    };
    if (row->type == DJP_HISTOGRAM) {
        options.buckets = runtime_gc_buckets;
        options.bucket_count = sizeof runtime_gc_buckets / sizeof runtime_gc_buckets[0];
    }
    while (options.label_count < RUNTIME_LABELS_MAX && row->labels[options.label_count] != NULL) {
        options.label_count++;
    }
    if (djp_family_new(&family, runtime->registry, &options) < 0) {
        return NULL;
    }
    djp__store_release(&runtime->families[index], family);
    return family;
}

static size_t
runtime_find(const char *name)
{
    size_t i = 0;
    while (i < RUNTIME_FAMILIES && strcmp(runtime_table[i].name, name) != 0) {
        i++;
    }
    return i;
}

int
djp_runtime_record(djp_registry *registry, const char *name, const djp_text *labels,
                   size_t label_count, double value)
{
    if (registry == NULL || registry->runtime == NULL) {
        return 0;
    }
    size_t index = name != NULL ? runtime_find(name) : RUNTIME_FAMILIES;
    djp_family *family = index < RUNTIME_FAMILIES ? runtime_family(registry->runtime, index) : NULL;
    if (family == NULL || label_count != djp_family_label_count(family)) {
        djp_registry_add_dropped(registry, 1);
        return DJP_EINVAL;
    }
    djp_series *series = djp_family_series(family, labels);
    switch (runtime_table[index].type) {
    case DJP_COUNTER:
        djp_counter_add(series, value);
        break;
    case DJP_GAUGE:
        djp_gauge_set(series, value);
        break;
    case DJP_HISTOGRAM:
        djp_histogram_observe(series, value);
        break;
    }
    return 0;
}

int
djp_runtime_was_read(djp_registry *registry)
{
    return registry != NULL && registry->runtime != NULL &&
           djp__swap_acq_rel(&registry->runtime->was_read, 0u) != 0;
}
