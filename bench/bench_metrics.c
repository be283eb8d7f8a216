/* What recording and exposing metrics costs, in nanoseconds on the calling thread: the minimum over
 * many short chunks, so that neighbours on the machine do not count. Build: make bench-metrics, or
 * cc -O2 with the core archive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "djp/djp.h"
#include "export/otlp_metrics.h"
#include "metrics/reader.h"

#define CHUNKS 400
#define CHUNK 2000

static double
now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

#define MEASURE(name, statement)                       \
    do {                                               \
        double best = 1e18;                            \
        for (int c = 0; c < CHUNKS; c++) {             \
            double start = now_ns();                   \
            for (int i = 0; i < CHUNK; i++) {          \
                statement;                             \
            }                                          \
            double spent = (now_ns() - start) / CHUNK; \
            best = spent < best ? spent : best;        \
        }                                              \
        printf("%-44s %10.1f ns\n", name, best);       \
    } while (0)

static djp_family *
family(djp_registry *registry, djp_metric_type type, const char *name, size_t label_count,
       const double *buckets, size_t count)
{
    static const char *const labels[] = {"method", "endpoint", "status_code"};
    djp_family_options options = {
        .type = type, .name = name, .help = "x", .labels = labels, .label_count = label_count};
    options.buckets = buckets;
    options.bucket_count = count;
    djp_family *result = NULL;
    if (djp_family_new(&result, registry, &options) < 0) {
        abort();
    }
    return result;
}

static void
measure_recording(djp_registry *registry)
{
    static const double fifteen[] = {.005, .01, .025, .05, .075, .1, .25, .3,
                                     .5,   .75, 1,    2,   2.5,  5,  10};
    static double values[1024];
    for (int i = 0; i < 1024; i++) {
        values[i] = (double)(rand() % 10000) / 1000 * (rand() % 3 ? .1 : 1);
    }
    djp_series *counter = djp_family_series(family(registry, DJP_COUNTER, "c", 0, NULL, 0), NULL);
    djp_series *gauge = djp_family_series(family(registry, DJP_GAUGE, "g", 0, NULL, 0), NULL);
    djp_series *histogram =
        djp_family_series(family(registry, DJP_HISTOGRAM, "h", 0, fifteen, 15), NULL);
    djp_family *labelled = family(registry, DJP_COUNTER, "l", 3, NULL, 0);
    djp_text labels[3] = {{"GET", 3}, {"/api/workflows/{id}", 19}, {"200", 3}};
    djp_span_context context = {{1}, {1}, DJP_FLAG_SAMPLED, 0, NULL};
    djp_builtin *standard;
    djp_builtin_new(&standard, registry, NULL);
    MEASURE("counter add 1", djp_counter_add(counter, 1));
    MEASURE("counter add 0.5", djp_counter_add(counter, 0.5));
    MEASURE("gauge set", djp_gauge_set(gauge, 0.5));
    MEASURE("histogram observe, 15 buckets", djp_histogram_observe(histogram, values[i & 1023]));
    MEASURE("  the same with an exemplar",
            djp_histogram_observe_with_context(histogram, values[i & 1023], &context));
    MEASURE("look-up of 3 labels + add", djp_counter_add(djp_family_series(labelled, labels), 1));
    MEASURE("http request (cached labels)",
            djp_builtin_http_request(standard, labels[0], labels[1], 200,
                                     1000000u + (unsigned)i * 1000u, -1, NULL));
    MEASURE("  the same with body size and exemplar",
            djp_builtin_http_request(standard, labels[0], labels[1], 200,
                                     1000000u + (unsigned)i * 1000u, 500, &context));
    djp_builtin_free(standard);
}

/* A registry with that many series of one family. */
static djp_registry *
fill(djp_metric_type type, int count, double whole)
{
    djp_registry *registry;
    djp_registry_options options = {.cardinality_limit = 100000, .reserve_bytes = 256u << 20};
    if (djp_registry_new(&registry, &options) < 0) {
        abort();
    }
    djp_family *labelled = family(registry, type, "http_requests", 3, NULL, 0);
    for (int i = 0; i < count; i++) {
        char endpoint[32];
        djp_text labels[3] = {{"GET", 3}, {endpoint, 0}, {"200", 3}};
        labels[1].size = (size_t)snprintf(endpoint, sizeof endpoint, "/api/resource/%d", i);
        djp_series *series = djp_family_series(labelled, labels);
        if (type == DJP_COUNTER) {
            djp_counter_add(series, whole * i);
        } else {
            djp_histogram_observe(series, (double)i / 1234.5);
        }
    }
    return registry;
}

static void
measure_scrape(djp_metric_type type, int count, const char *name, double whole)
{
    djp_registry *registry = fill(type, count, whole);
    double best = 1e18;
    size_t size = 0;
    for (int c = 0; c < 60; c++) {
        char *text;
        double start = now_ns();
        djp_registry_expose(&text, &size, registry, c & 1 ? DJP_OPENMETRICS_1_0_0 : DJP_TEXT_0_0_4);
        double spent = now_ns() - start;
        djp_free(text);
        best = spent < best ? spent : best;
    }
    printf("%-44s %10.3f ms (%zu bytes)\n", name, best / 1e6, size);
    djp_registry_free(registry);
}

static void
push_record(void *encoder, djp__metric_record *record)
{
    if (djp__encoder_add(encoder, record) != 0) {
        abort();
    }
    djp__free(record);
}

/* Collection and encoding as an OTLP request in protobuf. */
static void
measure_push(djp_metric_type type, int count, const char *name)
{
    djp_registry *registry = fill(type, count, 1);
    djp__metric_reader reader;
    djp__encoder *encoder = NULL;
    djp__buf body;
    double best = 1e18;
    size_t size = 0;
    djp__metric_reader_init(&reader, registry, DJP__PREFER_CUMULATIVE);
    if (djp__encoder_new(&encoder, &djp__otlp_metrics, DJP__ENCODE_PROTOBUF, NULL, 0) != 0) {
        abort();
    }
    for (int c = 0; c < 60; c++) {
        djp__buf_init(&body, 0);
        double start = now_ns();
        djp__metric_reader_collect(&reader, push_record, encoder);
        djp__encoder_finish(encoder, &body);
        double spent = now_ns() - start;
        best = spent < best ? spent : best;
        size = body.size;
        djp__buf_fini(&body);
    }
    printf("%-44s %10.3f ms (%zu bytes)\n", name, best / 1e6, size);
    djp__encoder_free(encoder);
    djp__metric_reader_fini(&reader);
    djp_registry_free(registry);
}

int
main(void)
{
    djp_registry *registry;
    if (djp_registry_new(&registry, NULL) < 0) {
        return 1;
    }
    measure_recording(registry);
    djp_registry_free(registry);
    measure_scrape(DJP_COUNTER, 10000, "scrape of 10,000 counters, whole values", 1);
    measure_scrape(DJP_COUNTER, 10000, "scrape of 10,000 counters, fractions", 1.0 / 7);
    measure_scrape(DJP_HISTOGRAM, 10000, "scrape of 10,000 histograms (190,000 samples)", 1);
    measure_push(DJP_COUNTER, 10000, "push of 10,000 counters");
    measure_push(DJP_HISTOGRAM, 10000, "push of 10,000 histograms");
    return 0;
}
