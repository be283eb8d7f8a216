/* The SDK's own counters as series of its registry, brought up to date before every exposition. Few families, fixed label values:
 * watching the watcher must not cost more than what it watches. */
#include <string.h>
#include <unistd.h>

#include "metrics/registry.h"
#include "oplog/oplog.h"
#include "pipeline/pipeline.h"

static djp_family *
self_metrics_family(djp_registry *registry, djp_metric_type type, const char *name, const char *help, const char *label)
{
    const char *labels[1] = {label};
    djp_family_options options;
    memset(&options, 0, sizeof options);
    options.type = type;
    options.name = name;
    options.help = help;
    options.unit = "";
    options.labels = labels;
    options.label_count = label ? 1 : 0;
    djp_family *family = NULL;
    return djp_family_new(&family, registry, &options) == 0 ? family : NULL;
}

static void
self_metrics_count(void *family, const char *label, uint64_t value)
{
    djp_text text = {label, strlen(label)};
    djp_series *series = djp_family_series(family, &text);
    if (series) {
        djp__counter_set(series, (double)value);
    }
}

static void
self_metrics_count_kept(djp_sdk *sdk, const djp_recorder_counters *counters)
{
    djp_family *kept = sdk->self_metrics[DJP_SELF_KEPT];
    self_metrics_count(kept, "error", counters->kept_error);
    self_metrics_count(kept, "slow", counters->kept_slow);
    self_metrics_count(kept, "rule", counters->kept_rule);
    self_metrics_count(kept, "slowest", counters->kept_slowest);
    self_metrics_count(kept, "rare", counters->kept_rare);
    self_metrics_count(kept, "parent", counters->kept_parent);
    self_metrics_count(kept, "ratio", counters->kept_ratio);
    self_metrics_count(kept, "always", counters->kept_always);
    djp_family *traces = sdk->self_metrics[DJP_SELF_TRACES];
    self_metrics_count(traces, "decided_early", counters->pending_overflow);
    self_metrics_count(traces, "decided_by_age", counters->pending_aged);
    self_metrics_count(traces, "rescued", counters->rescued);
    self_metrics_count(traces, "rescued_late", counters->rescued_late);
}

static void
self_metrics_cost(djp_sdk *sdk)
{
    djp_budget_view view;
    double total[3];
    static const char *const sources[3] = {"bytes", "spans", "series"};
    if (!sdk->self_metrics[DJP_SELF_COST]) {
        return;
    }
    djp__account_feed(&sdk->control.account);
    djp__account_read(&sdk->control.account, &view, total);
    for (int i = 0; i < 3; i++) {
        djp_text text = {sources[i], strlen(sources[i])};
        djp__counter_set(djp_family_series(sdk->self_metrics[DJP_SELF_COST], &text), total[i]);
    }
    djp_gauge_set(djp_family_series(sdk->self_metrics[DJP_SELF_USED], NULL), view.used_ratio);
    djp_gauge_set(djp_family_series(sdk->self_metrics[DJP_SELF_FORECAST], NULL), view.forecast_ratio);
}

/* A forked child is another process, with an instance id of its own. */
static void
self_metrics_target(djp_sdk *sdk)
{
    djp_buf labels;
    if (sdk->target_pid == getpid()) {
        return;
    }
    djp__buf_init(&labels, 0);
    djp__resource_labels(&labels, sdk);
    if (labels.size > 0 && !labels.failed) {
        djp__registry_set_target(sdk->registry, &labels);
        sdk->target_pid = getpid();
    }
    djp__buf_fini(&labels);
}

static void
self_metrics_collect(void *user)
{
    djp_sdk *sdk = user;
    self_metrics_target(sdk);
    djp__oplogs_catch_up(sdk);
    djp__registry_totals recordings;
    djp__registry_counters(&recordings, sdk->registry);
    djp_family *lost = sdk->self_metrics[DJP_SELF_RECORDINGS];
    self_metrics_count(lost, "dropped", recordings.dropped);
    self_metrics_count(lost, "overflowed", recordings.overflowed);
    self_metrics_count(lost, "refused", recordings.refused);
    self_metrics_cost(sdk);
    if (!sdk->recorder) {
        return;
    }
    djp_recorder_counters counters;
    djp__recorder_counters(&counters, sdk->recorder);
    djp_family *spans = sdk->self_metrics[DJP_SELF_SPANS];
    self_metrics_count(spans, "exported", djp_load_relaxed(&sdk->stats.spans_exported));
    self_metrics_count(spans, "not_sampled", counters.dropped_unsampled);
    djp__sdk_drops(sdk, &counters, self_metrics_count, spans);
    self_metrics_count_kept(sdk, &counters);
    djp_family *requests = sdk->self_metrics[DJP_SELF_REQUESTS];
    self_metrics_count(requests, "ok", djp_load_relaxed(&sdk->stats.requests_ok));
    self_metrics_count(requests, "failed", djp_load_relaxed(&sdk->stats.requests_failed));
    self_metrics_count(requests, "retried", djp_load_relaxed(&sdk->stats.retries));
    djp__self_otel_collect(sdk, &counters);
    uint64_t waiting = djp_load_relaxed(&sdk->queue.bytes) + (sdk->ring ? djp__ring_used(sdk->ring) : 0);
    djp_gauge_set(djp_family_series(sdk->self_metrics[DJP_SELF_WAITING], NULL), (double)waiting);
}

static int
self_metrics_add_cost(djp_sdk *sdk)
{
    const djp_options *options = &sdk->options;
    djp_family **families = sdk->self_metrics;
    if (!(options->price_per_gb > 0 || options->price_per_million_spans > 0 ||
          options->price_per_thousand_series > 0)) {
        return 1;
    }
    families[DJP_SELF_COST] = self_metrics_family(sdk->registry, DJP_COUNTER, "djp_telemetry_cost",
                                                  "What telemetry cost since the start, by the prices set", "source");
    families[DJP_SELF_USED] = self_metrics_family(sdk->registry, DJP_GAUGE, "djp_telemetry_budget_used_ratio",
                                                  "Part of the month's telemetry budget that is spent", NULL);
    families[DJP_SELF_FORECAST] = self_metrics_family(sdk->registry, DJP_GAUGE, "djp_telemetry_budget_forecast_ratio",
                                                      "The same at the end of the month, by the present rate", NULL);
    return families[DJP_SELF_COST] && families[DJP_SELF_USED] && families[DJP_SELF_FORECAST];
}

int
djp__self_metrics_add(djp_sdk *sdk)
{
    djp_registry *registry = sdk->registry;
    if (djp__self_otel_add(sdk) != 0 || !self_metrics_add_cost(sdk)) {
        return DJP_ENOMEM;
    }
    sdk->self_metrics[DJP_SELF_RECORDINGS] = self_metrics_family(
        registry, DJP_COUNTER, "djp_telemetry_metric_recordings", "Metric recordings not kept as given", "outcome");
    if (!sdk->self_metrics[DJP_SELF_RECORDINGS]) {
        return DJP_ENOMEM;
    }
    if (!sdk->recorder) {
        return djp__registry_on_collect(registry, self_metrics_collect, sdk);
    }
    sdk->self_metrics[DJP_SELF_SPANS] =
        self_metrics_family(registry, DJP_COUNTER, "djp_telemetry_spans", "Spans by what became of them", "outcome");
    sdk->self_metrics[DJP_SELF_KEPT] =
        self_metrics_family(registry, DJP_COUNTER, "djp_telemetry_kept_spans", "Spans kept, by reason", "reason");
    sdk->self_metrics[DJP_SELF_TRACES] = self_metrics_family(registry, DJP_COUNTER, "djp_telemetry_local_traces",
                                                             "Local traces that were not decided as usual", "outcome");
    sdk->self_metrics[DJP_SELF_REQUESTS] = self_metrics_family(registry, DJP_COUNTER, "djp_telemetry_export_requests",
                                                               "Export requests by outcome", "outcome");
    sdk->self_metrics[DJP_SELF_WAITING] =
        self_metrics_family(registry, DJP_GAUGE, "djp_telemetry_waiting_bytes", "Bytes that wait to be exported", NULL);
    for (int i = 0; i < DJP_SELF_COUNT; i++) {
        if (!sdk->self_metrics[i]) {
            return DJP_ENOMEM;
        }
    }
    return djp__registry_on_collect(registry, self_metrics_collect, sdk);
}
