/* The SDK's metrics by the OpenTelemetry conventions (otel.sdk.*), as Prometheus shows them:
 * opt-in, because the conventions have the status Development. All are computed when read, except
 * the end of an export, which the worker records. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "metrics/registry.h"
#include "sdk/sdk.h"

/* Bytes per waiting span where the capacity is given in spans, as in OTEL_BSP_MAX_QUEUE_SIZE. */
enum { SDK_METRICS_OTEL__SPAN_BYTES = 1024 };

/* A process has each component once, so the number in its name is always 0. */
static const char *const sdk_metrics_otel__processor[2] = {"batching_span_processor/0",
                                                           "batching_span_processor"};
static const char *const sdk_metrics_otel__reader[2] = {"prometheus_http_text_metric_exporter/0",
                                                        "prometheus_http_text_metric_exporter"};
static const char *const sdk_metrics_otel__results[DJP__OUTCOMES] = {"DROP", "RECORD_ONLY",
                                                                     "RECORD_AND_SAMPLE"};
static const char *const sdk_metrics_otel__origins[DJP_ORIGINS] = {"none", "local", "remote"};

/* The conventions define no bounds. An export takes a millisecond (local Collector) up to its
 * timeout, an exposition less. */
static const double sdk_metrics_otel__export_bounds[] = {.001, .0025, .005, .01, .025, .05, .1,
                                                         .25,  .5,    1,    2.5, 5,    10,  30};
static const double sdk_metrics_otel__collect_bounds[] = {.0001, .00025, .0005, .001, .0025, .005,
                                                          .01,   .025,   .05,   .1,   .25,   1};

static const char *const *
sdk_metrics_otel_exporter(const djp_options *options)
{
    static const char *const grpc[2] = {"otlp_grpc_span_exporter/0", "otlp_grpc_span_exporter"};
    static const char *const http[2] = {"otlp_http_span_exporter/0", "otlp_http_span_exporter"};
    static const char *const http_json[2] = {"otlp_http_json_span_exporter/0",
                                             "otlp_http_json_span_exporter"};
    static const char *const console[2] = {"console_span_exporter/0", "console_span_exporter"};
    static const char *const file[2] = {"file_span_exporter/0", "file_span_exporter"};
    static const char *const memory[2] = {"memory_span_exporter/0", "memory_span_exporter"};
    switch (options->exporter) {
    case DJP_EXPORTER_CONSOLE:
        return console;
    case DJP_EXPORTER_FILE:
        return file;
    case DJP_EXPORTER_MEMORY:
        return memory;
    case DJP_EXPORTER_OTLP:
    case DJP_EXPORTER_NONE:
        break;
    }
    return options->protocol == DJP_PROTOCOL_GRPC        ? grpc
           : options->protocol == DJP_PROTOCOL_HTTP_JSON ? http_json
                                                         : http;
}

typedef struct sdk_metrics_otel_numbers {
    uint64_t inflight, queue_size, queue_capacity;
    /* Results of spans to export; "" is success. */
    struct {
        const char *error;
        uint64_t spans;
    } processed[9], exported[4];
} sdk_metrics_otel_numbers;

static uint64_t
sdk_metrics_otel_lost(const djp_sdk *sdk, djp__loss reason)
{
    return djp__load_relaxed(&sdk->traces.stats.lost[reason]);
}

static void
sdk_metrics_otel_read(sdk_metrics_otel_numbers *out, const djp_sdk *sdk,
                      const djp_recorder_counters *counters)
{
    uint64_t exported = djp__load_relaxed(&sdk->traces.stats.items_exported);
    uint64_t rejected = sdk_metrics_otel_lost(sdk, DJP__LOSS_REJECTED),
             late = sdk_metrics_otel_lost(sdk, DJP__LOSS_TIMEOUT);
    uint64_t failed = sdk_metrics_otel_lost(sdk, DJP__LOSS_EXPORT_FAILED);
    uint64_t full = sdk_metrics_otel_lost(sdk, DJP__LOSS_QUEUE_FULL),
             off = sdk_metrics_otel_lost(sdk, DJP__LOSS_SWITCHED_OFF);
    uint64_t gone = exported;
    for (int i = 0; i < DJP__LOSS_COUNT; i++) {
        gone += sdk_metrics_otel_lost(sdk, (djp__loss)i);
    }
    uint64_t inflight = djp__load_relaxed(&sdk->traces.queue.attempted_items);
    gone += inflight;
    sdk_metrics_otel_numbers numbers = {
        .inflight = inflight,
        .queue_size = counters->sampled > gone ? counters->sampled - gone : 0,
        .queue_capacity = sdk->pipelines ? djp__ring_capacity(djp__recorder_ring(sdk->recorder)) /
                                               SDK_METRICS_OTEL__SPAN_BYTES
                                         : 0,
        .processed = {{"", exported + rejected + late + failed},
                      {"queue_full", counters->dropped[DJP__DROP_RING_FULL] + full},
                      {"already_shutdown", counters->dropped[DJP__DROP_AFTER_SHUTDOWN]},
                      {"shutdown", sdk_metrics_otel_lost(sdk, DJP__LOSS_SHUTDOWN)},
                      {"switched_off", counters->dropped[DJP__DROP_SWITCHED_OFF] + off},
                      {"rate_limited", counters->by_reason[DJP_REASON_RATE_LIMITED] +
                                           counters->by_reason[DJP_REASON_RATE_BURST]},
                      {"too_large", sdk_metrics_otel_lost(sdk, DJP__LOSS_TOO_LARGE)},
                      {"damaged", sdk_metrics_otel_lost(sdk, DJP__LOSS_DAMAGED)},
                      {"memory", sdk_metrics_otel_lost(sdk, DJP__LOSS_ENCODE_NO_MEMORY)}},
        .exported = {{"", exported},
                     {"rejected", rejected},
                     {"timeout", late},
                     {"export_failed", failed}},
    };
    *out = numbers;
}

/* Creates a family with the labels of its component, if it has one, and up to two more. */
static djp_family *
sdk_metrics_otel_family(djp_sdk *sdk, djp_metric_type type, const char *name, const char *help,
                        int component, const char *const *own)
{
    const char *labels[4] = {"otel_component_name", "otel_component_type", NULL, NULL};
    djp_family_options options;
    djp_family *family = NULL;
    memset(&options, 0, sizeof options);
    options.type = type;
    options.name = name;
    options.help = help;
    options.unit = type == DJP_HISTOGRAM ? "seconds" : "";
    options.label_count = component ? 2 : 0;
    for (int i = 0; i < 2 && own != NULL && own[i]; i++) {
        labels[options.label_count++] = own[i];
    }
    options.labels = labels;
    if (type == DJP_HISTOGRAM) {
        int exports = own != NULL;
        options.buckets =
            exports ? sdk_metrics_otel__export_bounds : sdk_metrics_otel__collect_bounds;
        options.bucket_count = exports ? sizeof sdk_metrics_otel__export_bounds / sizeof(double)
                                       : sizeof sdk_metrics_otel__collect_bounds / sizeof(double);
    }
    return djp_family_new(&family, sdk->registry, &options) == 0 ? family : NULL;
}

/* component (two texts) and own (up to two) may be NULL. */
static djp_series *
sdk_metrics_otel_series(djp_family *family, const char *const *component, const char *first,
                        const char *second)
{
    djp_text values[4];
    size_t count = 0;
    for (int i = 0; component && i < 2; i++) {
        values[count++] = djp__text(component[i]);
    }
    values[count++] = djp__text(first != NULL ? first : "");
    values[count++] = djp__text(second != NULL ? second : "");
    return family != NULL ? djp_family_series(family, values) : NULL;
}

static void
sdk_metrics_otel_show_spans(const djp_sdk *sdk, const djp_recorder_counters *counters)
{
    for (int result = 0; result < DJP__OUTCOMES; result++) {
        for (int origin = 0; origin < DJP_ORIGINS; origin++) {
            djp_series *series = sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_STARTED], NULL,
                                                         sdk_metrics_otel__origins[origin],
                                                         sdk_metrics_otel__results[result]);
            djp__counter_set(series, (double)counters->started_by[origin][result]);
        }
        /* By the conventions, a span that is not recorded is not live. */
        if (result != DJP__OUTCOME_DROP) {
            djp_gauge_set(sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_LIVE], NULL,
                                                  sdk_metrics_otel__results[result], NULL),
                          (double)counters->open[result]);
        }
    }
}

void
djp__sdk_otel_collect(djp_sdk *sdk, const djp_recorder_counters *counters)
{
    if (!sdk->metrics.otel[DJP__OTEL_STARTED]) {
        return;
    }
    sdk_metrics_otel_show_spans(sdk, counters);
    if (sdk->pipelines == NULL) {
        return;
    }
    const char *const *exporter = sdk_metrics_otel_exporter(&sdk->options);
    sdk_metrics_otel_numbers numbers;
    sdk_metrics_otel_read(&numbers, sdk, counters);
    djp_gauge_set(sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_QUEUE_SIZE],
                                          sdk_metrics_otel__processor, NULL, NULL),
                  (double)numbers.queue_size);
    djp_gauge_set(sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_QUEUE_CAPACITY],
                                          sdk_metrics_otel__processor, NULL, NULL),
                  (double)numbers.queue_capacity);
    djp_gauge_set(
        sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_INFLIGHT], exporter, NULL, NULL),
        (double)numbers.inflight);
    for (size_t i = 0; i < sizeof numbers.processed / sizeof numbers.processed[0]; i++) {
        djp__counter_set(sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_PROCESSED],
                                                 sdk_metrics_otel__processor,
                                                 numbers.processed[i].error, NULL),
                         (double)numbers.processed[i].spans);
    }
    for (size_t i = 0; i < sizeof numbers.exported / sizeof numbers.exported[0]; i++) {
        djp__counter_set(sdk_metrics_otel_series(sdk->metrics.otel[DJP__OTEL_EXPORTED], exporter,
                                                 numbers.exported[i].error, NULL),
                         (double)numbers.exported[i].spans);
    }
}

void
djp__sdk_otel_sent(void *user, const djp__request *request, const char *error)
{
    djp_sdk *sdk = user;
    djp_family *family = sdk->metrics.otel[DJP__OTEL_DURATION];
    if (family != NULL) {
        uint64_t now = djp__clock_monotonic();
        djp_series *series =
            sdk_metrics_otel_series(family, sdk_metrics_otel_exporter(&sdk->options), error, NULL);
        djp_histogram_observe(series, (double)(now - request->begun) / 1e9);
    }
}

/* The families of the export pipeline. */
static void
sdk_metrics_otel_add_pipeline(djp_sdk *sdk)
{
    static const char *const error[2] = {"error_type", NULL};
    djp_family **families = sdk->metrics.otel;
    families[DJP__OTEL_QUEUE_SIZE] =
        sdk_metrics_otel_family(sdk, DJP_GAUGE, "otel_sdk_processor_span_queue_size",
                                "Spans that wait to be exported.", 1, NULL);
    families[DJP__OTEL_QUEUE_CAPACITY] = sdk_metrics_otel_family(
        sdk, DJP_GAUGE, "otel_sdk_processor_span_queue_capacity",
        "Spans of 1 KiB for which there is memory while they wait.", 1, NULL);
    families[DJP__OTEL_PROCESSED] = sdk_metrics_otel_family(
        sdk, DJP_COUNTER, "otel_sdk_processor_span_processed",
        "Spans with which the processor is done, by the error that ended it.", 1, error);
    families[DJP__OTEL_INFLIGHT] =
        sdk_metrics_otel_family(sdk, DJP_GAUGE, "otel_sdk_exporter_span_inflight",
                                "Spans in the export that is under way.", 1, NULL);
    families[DJP__OTEL_EXPORTED] =
        sdk_metrics_otel_family(sdk, DJP_COUNTER, "otel_sdk_exporter_span_exported",
                                "Spans whose export has ended, by its error.", 1, error);
    families[DJP__OTEL_DURATION] = sdk_metrics_otel_family(
        sdk, DJP_HISTOGRAM, "otel_sdk_exporter_operation_duration_seconds",
        "Exports of one batch, retries included, by their error.", 1, error);
}

int
djp__sdk_otel_add(djp_sdk *sdk)
{
    static const char *const started[2] = {"otel_span_parent_origin", "otel_span_sampling_result"};
    static const char *const live[2] = {"otel_span_sampling_result", NULL};
    if (!sdk->options.sdk_metrics) {
        return 0;
    }
    djp_family **families = sdk->metrics.otel;
    families[DJP__OTEL_COLLECTION] = sdk_metrics_otel_family(
        sdk, DJP_HISTOGRAM, "otel_sdk_metric_reader_collection_duration_seconds",
        "Scrapes before this one, from the first number read to the last line written.", 1, NULL);
    int first = DJP__OTEL_COLLECTION, last = DJP__OTEL_COLLECTION;
    if (sdk->recorder) {
        families[DJP__OTEL_STARTED] = sdk_metrics_otel_family(
            sdk, DJP_COUNTER, "otel_sdk_span_started", "Spans begun.", 0, started);
        families[DJP__OTEL_LIVE] =
            sdk_metrics_otel_family(sdk, DJP_GAUGE, "otel_sdk_span_live",
                                    "Recording spans that have begun and not ended.", 0, live);
        last = DJP__OTEL_LIVE;
    }
    if (sdk->pipelines != NULL) {
        sdk_metrics_otel_add_pipeline(sdk);
        last = DJP__OTEL_COUNT - 1;
    }
    for (int i = first; i <= last; i++) {
        if (!families[i]) {
            return DJP_ENOMEM;
        }
    }
    sdk->registry->expositions = sdk_metrics_otel_series(families[DJP__OTEL_COLLECTION],
                                                         sdk_metrics_otel__reader, NULL, NULL);
    return 0;
}

static void
sdk_metrics_otel_key(djp__buf *out, const char *key, const char *before)
{
    djp__buf_printf(out, "%s\"%s\":", before, key);
}

void
djp__sdk_otel_status(djp__buf *out, const djp_sdk *sdk, const djp_recorder_counters *counters)
{
    sdk_metrics_otel_numbers numbers;
    sdk_metrics_otel_read(&numbers, sdk, counters);
    sdk_metrics_otel_key(out, "span_started", "{");
    for (int origin = 0; origin < DJP_ORIGINS; origin++) {
        sdk_metrics_otel_key(out, sdk_metrics_otel__origins[origin], origin ? "," : "{");
        for (int result = 0; result < DJP__OUTCOMES; result++) {
            sdk_metrics_otel_key(out, sdk_metrics_otel__results[result], result ? "," : "{");
            djp__buf_u64(out, counters->started_by[origin][result]);
        }
        djp__buf_char(out, '}');
    }
    sdk_metrics_otel_key(out, "span_live", "},");
    for (int result = DJP__OUTCOME_RECORD_ONLY; result < DJP__OUTCOMES; result++) {
        sdk_metrics_otel_key(out, sdk_metrics_otel__results[result],
                             result > DJP__OUTCOME_RECORD_ONLY ? "," : "{");
        djp__buf_u64(out, counters->open[result]);
    }
    sdk_metrics_otel_key(out, "queue_size", "},");
    djp__buf_u64(out, numbers.queue_size);
    sdk_metrics_otel_key(out, "queue_capacity", ",");
    djp__buf_u64(out, numbers.queue_capacity);
    sdk_metrics_otel_key(out, "inflight", ",");
    djp__buf_u64(out, numbers.inflight);
    sdk_metrics_otel_key(out, "processed", ",");
    for (size_t i = 0; i < sizeof numbers.processed / sizeof numbers.processed[0]; i++) {
        sdk_metrics_otel_key(out, i ? numbers.processed[i].error : "success", i ? "," : "{");
        djp__buf_u64(out, numbers.processed[i].spans);
    }
    sdk_metrics_otel_key(out, "exported", "},");
    for (size_t i = 0; i < sizeof numbers.exported / sizeof numbers.exported[0]; i++) {
        sdk_metrics_otel_key(out, i ? numbers.exported[i].error : "success", i ? "," : "{");
        djp__buf_u64(out, numbers.exported[i].spans);
    }
    djp__buf_text(out, "}}");
}
