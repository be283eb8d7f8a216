/* The SDK's metrics by the OpenTelemetry conventions (otel.sdk.*), as Prometheus shows them:
 * opt-in, because the conventions have the status Development. All are computed when read, except
 * the end of an export, which the worker records. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "metrics/registry.h"
#include "sdk/sdk.h"

/* Bytes per waiting item where the capacity is given in items, as in OTEL_BSP_MAX_QUEUE_SIZE. */
enum { SDK_METRICS_OTEL__ITEM_BYTES = 1024 };

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

/* Items by error.type; "" is success. */
typedef struct sdk_metrics_otel_count {
    const char *error;
    uint64_t items;
} sdk_metrics_otel_count;

enum { SDK_METRICS_OTEL__ERRORS = 24, SDK_METRICS_OTEL__EXPORT_ERRORS = 4 };

typedef struct sdk_metrics_otel_numbers {
    uint64_t inflight, queue_size, queue_capacity;
    sdk_metrics_otel_count processed[SDK_METRICS_OTEL__ERRORS];
    size_t processed_count;
    sdk_metrics_otel_count exported[SDK_METRICS_OTEL__EXPORT_ERRORS];
} sdk_metrics_otel_numbers;

/* Returns the error.type of a processor for a loss; NULL: the item never came to it. An item whose
 * export failed was processed. */
static const char *
sdk_metrics_otel_error(const char *reason)
{
    static const char *const names[][2] = {
        {"rejected", ""},
        {"timeout", ""},
        {"export_failed", ""},
        {"ring_full", "queue_full"},
        {"after_shutdown", "already_shutdown"},
        {"rate_limited_burst", "rate_limited"},
        {"oplog_full", NULL},
        {"span_no_memory", NULL},
        {"forked", NULL},
        {"never_ended", NULL},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(reason, names[i][0]) == 0) {
            return names[i][1];
        }
    }
    return reason;
}

static void
sdk_metrics_otel_add_loss(void *user, const char *reason, uint64_t items)
{
    sdk_metrics_otel_numbers *numbers = user;
    const char *error = sdk_metrics_otel_error(reason);
    size_t i = 0;
    if (error == NULL) {
        return;
    }
    while (i < numbers->processed_count && strcmp(numbers->processed[i].error, error) != 0) {
        i++;
    }
    if (i < SDK_METRICS_OTEL__ERRORS) {
        numbers->processed[i].error = error;
        numbers->processed[i].items += items;
        numbers->processed_count += i == numbers->processed_count;
    }
}

static void
sdk_metrics_otel_read(sdk_metrics_otel_numbers *out, const djp__signal *signal, const void *source,
                      const djp__pipeline *pipeline)
{
    static const djp__loss losses[SDK_METRICS_OTEL__EXPORT_ERRORS - 1] = {
        DJP__LOSS_REJECTED, DJP__LOSS_TIMEOUT, DJP__LOSS_EXPORT_FAILED};
    const djp__export_stats *stats = &pipeline->stats;
    djp__books books;
    memset(out, 0, sizeof *out);
    djp__books_read(&books, signal, source, stats);
    out->inflight = djp__load_relaxed(&pipeline->queue.attempted_items);
    out->queue_size = books.waiting > out->inflight ? books.waiting - out->inflight : 0;
    if (pipeline->signal != NULL) {
        out->queue_capacity = signal->drain->capacity(source) / SDK_METRICS_OTEL__ITEM_BYTES;
    }
    sdk_metrics_otel_add_loss(out, "", books.exported);
    djp__books_losses(signal, source, stats, sdk_metrics_otel_add_loss, out);
    out->exported[0] = (sdk_metrics_otel_count){"", books.exported};
    for (int i = 0; i < SDK_METRICS_OTEL__EXPORT_ERRORS - 1; i++) {
        out->exported[i + 1] = (sdk_metrics_otel_count){djp__loss_name(losses[i]),
                                                        djp__load_relaxed(&stats->lost[losses[i]])};
    }
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
    options.mode = DJP_GAUGE_LIVESUM;
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
sdk_metrics_otel_show_spans(const djp_sdk *sdk, const djp__recorder_totals *counters)
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
djp__sdk_otel_collect(djp_sdk *sdk, const djp__recorder_totals *counters)
{
    if (!sdk->metrics.otel[DJP__OTEL_STARTED]) {
        return;
    }
    sdk_metrics_otel_show_spans(sdk, counters);
}

void
djp__sdk_otel_collect_signal(const djp__signal_metrics *metrics)
{
    const char *const processor[2] = {metrics->processor[0], metrics->processor[1]};
    const char *const exporter[2] = {metrics->exporter[0], metrics->exporter[1]};
    djp_family *const *families = metrics->otel;
    if (families[DJP__OTEL_EXPORTED] == NULL) {
        return;
    }
    sdk_metrics_otel_numbers numbers;
    sdk_metrics_otel_read(&numbers, metrics->signal, metrics->source, metrics->pipeline);
    djp_gauge_set(sdk_metrics_otel_series(families[DJP__OTEL_QUEUE_SIZE], processor, NULL, NULL),
                  (double)numbers.queue_size);
    djp_gauge_set(
        sdk_metrics_otel_series(families[DJP__OTEL_QUEUE_CAPACITY], processor, NULL, NULL),
        (double)numbers.queue_capacity);
    djp_gauge_set(sdk_metrics_otel_series(families[DJP__OTEL_INFLIGHT], exporter, NULL, NULL),
                  (double)numbers.inflight);
    for (size_t i = 0; i < numbers.processed_count; i++) {
        djp__counter_set(sdk_metrics_otel_series(families[DJP__OTEL_PROCESSED], processor,
                                                 numbers.processed[i].error, NULL),
                         (double)numbers.processed[i].items);
    }
    for (size_t i = 0; i < SDK_METRICS_OTEL__EXPORT_ERRORS; i++) {
        djp__counter_set(sdk_metrics_otel_series(families[DJP__OTEL_EXPORTED], exporter,
                                                 numbers.exported[i].error, NULL),
                         (double)numbers.exported[i].items);
    }
}

void
djp__sdk_otel_collected(djp_sdk *sdk, double seconds)
{
    static const char *const reader[2] = {"periodic_metric_reader/0", "periodic_metric_reader"};
    djp_family *family = sdk->metrics.otel[DJP__OTEL_COLLECTION];
    if (family != NULL) {
        djp_histogram_observe(sdk_metrics_otel_series(family, reader, NULL, NULL), seconds);
    }
}

void
djp__sdk_otel_sent(void *user, const djp__request *request, const char *error)
{
    const djp__signal_metrics *metrics = user;
    const char *const exporter[2] = {metrics->exporter[0], metrics->exporter[1]};
    djp_family *family = metrics->sdk->metrics.otel[DJP__OTEL_DURATION];
    if (family != NULL) {
        uint64_t now = djp__clock_monotonic();
        djp_histogram_observe(sdk_metrics_otel_series(family, exporter, error, NULL),
                              (double)(now - request->begun) / 1e9);
    }
}

/* The families of each signal: otel_sdk_<part>_<item>_<name>, with the items first in the help. */
static const struct {
    djp_metric_type type;
    const char *part, *name, *help;
    int has_error;
} sdk_metrics_otel__rows[DJP__OTEL_SIGNAL_COUNT] = {
    [DJP__OTEL_QUEUE_SIZE] = {DJP_GAUGE, "processor", "queue_size", "that wait to be exported.", 0},
    [DJP__OTEL_QUEUE_CAPACITY] = {DJP_GAUGE, "processor", "queue_capacity",
                                  "of 1 KiB for which there is memory while they wait.", 0},
    [DJP__OTEL_PROCESSED] = {DJP_COUNTER, "processor", "processed",
                             "with which the processor is done, by the error that ended it.", 1},
    [DJP__OTEL_INFLIGHT] = {DJP_GAUGE, "exporter", "inflight", "in the export that is under way.",
                            0},
    [DJP__OTEL_EXPORTED] = {DJP_COUNTER, "exporter", "exported",
                            "whose export has ended, by its error.", 1},
};

static const char *const sdk_metrics_otel__error[2] = {"error_type", NULL};

/* A process has each component once, so the number in its name is always 0. */
static void
sdk_metrics_otel_component(char out[2][64], const char *kind, const char *item, const char *what)
{
    snprintf(out[1], sizeof out[1], "%.16s_%.20s_%s", kind, item, what);
    snprintf(out[0], sizeof out[0], "%.60s/0", out[1]);
}

int
djp__sdk_otel_add_signal(djp__signal_metrics *metrics)
{
    const djp__pipeline *pipeline = metrics->pipeline;
    djp_sdk *sdk = metrics->sdk;
    djp_family **duration = &sdk->metrics.otel[DJP__OTEL_DURATION];
    if (!sdk->options.sdk_metrics || pipeline->signal == NULL) {
        return 0;
    }
    const char *exporter = pipeline->options.exporter != NULL ? pipeline->options.exporter
                                                              : pipeline->transport->ops->name;
    const char *processor = metrics->signal->processor;
    if (processor != NULL) {
        sdk_metrics_otel_component(metrics->processor, processor, metrics->signal->item,
                                   "processor");
    }
    sdk_metrics_otel_component(metrics->exporter, exporter, metrics->signal->item, "exporter");
    for (int i = 0; i < DJP__OTEL_SIGNAL_COUNT; i++) {
        char name[96], help[128];
        if (processor == NULL && strcmp(sdk_metrics_otel__rows[i].part, "processor") == 0) {
            continue;
        }
        snprintf(name, sizeof name, "otel_sdk_%s_%.20s_%s", sdk_metrics_otel__rows[i].part,
                 metrics->signal->item, sdk_metrics_otel__rows[i].name);
        djp__signal_title(help, sizeof help, metrics->signal, sdk_metrics_otel__rows[i].help);
        metrics->otel[i] = sdk_metrics_otel_family(
            sdk, sdk_metrics_otel__rows[i].type, name, help, 1,
            sdk_metrics_otel__rows[i].has_error ? sdk_metrics_otel__error : NULL);
        if (metrics->otel[i] == NULL) {
            return DJP_ENOMEM;
        }
    }
    if (*duration == NULL) {
        *duration = sdk_metrics_otel_family(
            sdk, DJP_HISTOGRAM, "otel_sdk_exporter_operation_duration_seconds",
            "Exports of one batch, retries included, by their error.", 1, sdk_metrics_otel__error);
    }
    return *duration != NULL ? 0 : DJP_ENOMEM;
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
    int last = DJP__OTEL_COLLECTION;
    if (sdk->recorder) {
        families[DJP__OTEL_STARTED] = sdk_metrics_otel_family(
            sdk, DJP_COUNTER, "otel_sdk_span_started", "Spans begun.", 0, started);
        families[DJP__OTEL_LIVE] =
            sdk_metrics_otel_family(sdk, DJP_GAUGE, "otel_sdk_span_live",
                                    "Recording spans that have begun and not ended.", 0, live);
        last = DJP__OTEL_LIVE;
    }
    for (int i = DJP__OTEL_COLLECTION; i <= last; i++) {
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
djp__sdk_otel_status(djp__buf *out, const djp_sdk *sdk, const djp__recorder_totals *counters)
{
    sdk_metrics_otel_numbers numbers;
    sdk_metrics_otel_read(&numbers, &djp__signal_traces, sdk, &sdk->traces);
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
    for (size_t i = 0; i < numbers.processed_count; i++) {
        sdk_metrics_otel_key(out, i ? numbers.processed[i].error : "success", i ? "," : "{");
        djp__buf_u64(out, numbers.processed[i].items);
    }
    sdk_metrics_otel_key(out, "exported", "},");
    for (size_t i = 0; i < SDK_METRICS_OTEL__EXPORT_ERRORS; i++) {
        sdk_metrics_otel_key(out, i ? numbers.exported[i].error : "success", i ? "," : "{");
        djp__buf_u64(out, numbers.exported[i].items);
    }
    djp__buf_text(out, "}}");
}
