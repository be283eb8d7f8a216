/* The SDK's counters of each signal as families of the registry. The rows of the signals name them;
 * this file knows no signal. */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "metrics/registry.h"
#include "sdk/sdk.h"

void
djp__signal_title(char *out, size_t out_size, const djp__signal *signal, const char *rest)
{
    snprintf(out, out_size, "%.32s %s", signal->item_name, rest);
    if (out[0] >= 'a' && out[0] <= 'z') {
        out[0] = (char)(out[0] - 'a' + 'A');
    }
}

/* The families that all signals share. */
static int
sdk_metrics_signal_shared(djp_sdk *sdk)
{
    djp_family **families = sdk->metrics.families;
    if (families[DJP__SDK_REQUESTS] == NULL) {
        families[DJP__SDK_REQUESTS] =
            djp__sdk_metrics_family(sdk, DJP_COUNTER, "djp_telemetry_export_requests",
                                    "Export requests by signal and outcome", "signal", "outcome");
    }
    if (families[DJP__SDK_WAITING] == NULL) {
        families[DJP__SDK_WAITING] =
            djp__sdk_metrics_family(sdk, DJP_GAUGE, "djp_telemetry_waiting_bytes",
                                    "Bytes that wait to be exported, by signal", "signal", NULL);
    }
    return families[DJP__SDK_REQUESTS] != NULL && families[DJP__SDK_WAITING] != NULL;
}

int
djp__sdk_metrics_add_signal(djp_sdk *sdk, const djp__signal *signal, const void *source,
                            djp__pipeline *pipeline)
{
    char name[96], help[96];
    if (sdk->metrics.signal_count >= DJP__PIPELINES_MAX) {
        return DJP_EFULL;
    }
    djp__signal_metrics *metrics = &sdk->metrics.signals[sdk->metrics.signal_count];
    *metrics =
        (djp__signal_metrics){.signal = signal, .source = source, .pipeline = pipeline, .sdk = sdk};
    snprintf(name, sizeof name, "djp_telemetry_%.32s", signal->item_name);
    djp__signal_title(help, sizeof help, signal, "by outcome");
    metrics->items = djp__sdk_metrics_family(sdk, DJP_COUNTER, name, help, "outcome", NULL);
    if (metrics->items == NULL || !sdk_metrics_signal_shared(sdk) ||
        djp__sdk_otel_add_signal(metrics) != 0) {
        return DJP_ENOMEM;
    }
    if (pipeline->signal != NULL) {
        pipeline->options.on_sent = djp__sdk_otel_sent;
        pipeline->options.user = metrics;
    }
    sdk->metrics.signal_count++;
    return 0;
}

static void
sdk_metrics_signal_count(void *family, const char *outcome, uint64_t items)
{
    djp_text label = djp__text(outcome);
    djp__counter_set(djp_family_series(family, &label), (double)items);
}

static void
sdk_metrics_signal_requests(const djp__signal_metrics *metrics, const char *outcome,
                            const DJP__ATOMIC(uint64_t) * count)
{
    const djp_text labels[2] = {djp__text(metrics->signal->name), djp__text(outcome)};
    djp__counter_set(djp_family_series(metrics->sdk->metrics.families[DJP__SDK_REQUESTS], labels),
                     (double)djp__load_relaxed(count));
}

static void
sdk_metrics_signal_collect(const djp__signal_metrics *metrics)
{
    const djp__signal *signal = metrics->signal;
    const djp__pipeline *pipeline = metrics->pipeline;
    const djp__export_stats *stats = &pipeline->stats;
    djp__books books;
    djp__books_read(&books, signal, metrics->source, stats);
    sdk_metrics_signal_count(metrics->items, "exported", books.exported);
    sdk_metrics_signal_count(metrics->items, "not_sampled", books.not_sampled);
    djp__books_losses(signal, metrics->source, stats, sdk_metrics_signal_count, metrics->items);
    sdk_metrics_signal_requests(metrics, "ok", &stats->requests_ok);
    sdk_metrics_signal_requests(metrics, "failed", &stats->requests_failed);
    sdk_metrics_signal_requests(metrics, "retried", &stats->retries);
    djp__sdk_otel_collect_signal(metrics);
    djp_text label = djp__text(signal->name);
    djp_gauge_set(
        djp_family_series(metrics->sdk->metrics.families[DJP__SDK_WAITING], &label),
        (double)(djp__load_relaxed(&pipeline->queue.bytes) + djp__books_source_bytes(pipeline)));
}

void
djp__sdk_metrics_collect_signals(djp_sdk *sdk)
{
    for (size_t i = 0; i < sdk->metrics.signal_count; i++) {
        sdk_metrics_signal_collect(&sdk->metrics.signals[i]);
    }
}
