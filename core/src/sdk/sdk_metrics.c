/* The SDK's counters as series of its registry, updated before each exposition. Few families with
 * fixed label values, to limit their cost. */
#include <string.h>
#include <unistd.h>

#include "metrics/registry.h"
#include "oplog/oplog.h"
#include "sdk/sdk.h"

djp_family *
djp__sdk_metrics_family(djp_sdk *sdk, djp_metric_type type, const char *name, const char *help,
                        const char *first, const char *second)
{
    const char *labels[2] = {first, second};
    djp_family_options options;
    memset(&options, 0, sizeof options);
    options.type = type;
    options.name = name;
    options.help = help;
    options.unit = "";
    options.mode = DJP_GAUGE_LIVESUM;
    options.labels = labels;
    options.label_count = second != NULL ? 2 : first != NULL ? 1 : 0;
    djp_family *family = NULL;
    return djp_family_new(&family, sdk->registry, &options) == 0 ? family : NULL;
}

/* The account of a budget may be shared, so processes have no parts of it to add. */
static djp_family *
sdk_metrics_ratio(djp_sdk *sdk, const char *name, const char *help)
{
    const djp_family_options options = {
        .type = DJP_GAUGE, .name = name, .help = help, .mode = DJP_GAUGE_LIVEMAX};
    djp_family *family = NULL;
    return djp_family_new(&family, sdk->registry, &options) == 0 ? family : NULL;
}

static void
sdk_metrics_count(void *family, const char *label, uint64_t value)
{
    djp_text text = {label, strlen(label)};
    djp_series *series = djp_family_series(family, &text);
    if (series != NULL) {
        djp__counter_set(series, (double)value);
    }
}

static void
sdk_metrics_count_sampled(djp_sdk *sdk, const djp__recorder_totals *counters)
{
    djp_family *sampled = sdk->metrics.families[DJP__SDK_SAMPLED];
    for (int i = 0; i < DJP__REASONS; i++) {
        if (djp__reasons[i].stratum != DJP__STRATUM_DROPPED) {
            sdk_metrics_count(sampled, djp__reasons[i].label, counters->by_reason[i]);
        }
    }
    djp_family *traces = sdk->metrics.families[DJP__SDK_TRACES];
    sdk_metrics_count(traces, "decided_on_buffer_full", counters->decided_on_buffer_full);
    sdk_metrics_count(traces, "decided_on_timeout", counters->decided_on_timeout);
    sdk_metrics_count(traces, "late_sampled", counters->late_sampled);
    sdk_metrics_count(traces, "late_sampled_parts", counters->late_sampled_parts);
}

static void
sdk_metrics_cost(djp_sdk *sdk)
{
    djp__budget_view view;
    double total[3];
    static const char *const sources[3] = {"bytes", "spans", "series"};
    if (!sdk->metrics.families[DJP__SDK_COST]) {
        return;
    }
    djp__account_feed(&sdk->control.account);
    djp__account_read(&sdk->control.account, &view, total);
    for (int i = 0; i < 3; i++) {
        djp_text text = {sources[i], strlen(sources[i])};
        djp__counter_set(djp_family_series(sdk->metrics.families[DJP__SDK_COST], &text), total[i]);
    }
    djp_gauge_set(djp_family_series(sdk->metrics.families[DJP__SDK_USED], NULL), view.used_ratio);
    djp_gauge_set(djp_family_series(sdk->metrics.families[DJP__SDK_FORECAST], NULL),
                  view.forecast_ratio);
}

/* A forked child is a separate process with a separate instance id. */
static void
sdk_metrics_target(djp_sdk *sdk)
{
    djp__buf labels;
    if (sdk->metrics.target_pid == getpid()) {
        return;
    }
    djp__buf_init(&labels, 0);
    djp__resource_labels(&labels, sdk);
    if (labels.size > 0 && !labels.failed) {
        djp__registry_set_target(sdk->registry, &labels);
        sdk->metrics.target_pid = getpid();
    }
    djp__buf_fini(&labels);
}

static void
sdk_metrics_collect(void *user)
{
    djp_sdk *sdk = user;
    sdk_metrics_target(sdk);
    djp__sdk_catch_up(sdk);
    djp__registry_totals recordings;
    djp__registry_counters(&recordings, sdk->registry);
    djp_family *lost = sdk->metrics.families[DJP__SDK_RECORDINGS];
    sdk_metrics_count(lost, "dropped", recordings.dropped);
    sdk_metrics_count(lost, "overflowed", recordings.overflowed);
    sdk_metrics_count(lost, "refused", recordings.refused);
    sdk_metrics_cost(sdk);
    djp__sdk_metrics_collect_signals(sdk);
    if (!sdk->recorder) {
        return;
    }
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, sdk->recorder);
    sdk_metrics_count_sampled(sdk, &counters);
    djp__sdk_otel_collect(sdk, &counters);
}

static int
sdk_metrics_add_cost(djp_sdk *sdk)
{
    const djp_options *options = &sdk->options;
    djp_family **families = sdk->metrics.families;
    if (!(options->price_per_gb > 0 || options->price_per_million_spans > 0 ||
          options->price_per_thousand_series > 0)) {
        return 1;
    }
    families[DJP__SDK_COST] = djp__sdk_metrics_family(
        sdk, DJP_COUNTER, "djp_telemetry_cost",
        "What telemetry cost since the start, by the prices set", "source", NULL);
    families[DJP__SDK_USED] =
        sdk_metrics_ratio(sdk, "djp_telemetry_budget_used_ratio",
                          "Part of the month's telemetry budget that is spent");
    families[DJP__SDK_FORECAST] =
        sdk_metrics_ratio(sdk, "djp_telemetry_budget_forecast_ratio",
                          "The same at the end of the month, by the present rate");
    return families[DJP__SDK_COST] && families[DJP__SDK_USED] && families[DJP__SDK_FORECAST];
}

/* The families of spans, beyond those of each signal. */
static int
sdk_metrics_add_traces(djp_sdk *sdk)
{
    djp_family **families = sdk->metrics.families;
    families[DJP__SDK_SAMPLED] = djp__sdk_metrics_family(
        sdk, DJP_COUNTER, "djp_telemetry_sampled_spans", "Sampled spans by reason", "reason", NULL);
    families[DJP__SDK_TRACES] =
        djp__sdk_metrics_family(sdk, DJP_COUNTER, "djp_telemetry_local_traces",
                                "Local traces that were not decided as usual", "outcome", NULL);
    return families[DJP__SDK_SAMPLED] != NULL && families[DJP__SDK_TRACES] != NULL
               ? djp__sdk_metrics_add_signal(sdk, &djp__signal_traces, sdk, &sdk->traces)
               : DJP_ENOMEM;
}

int
djp__sdk_metrics_add(djp_sdk *sdk)
{
    djp_family **families = sdk->metrics.families;
    if (djp__sdk_otel_add(sdk) != 0 || !sdk_metrics_add_cost(sdk)) {
        return DJP_ENOMEM;
    }
    families[DJP__SDK_RECORDINGS] = djp__sdk_metrics_family(
        sdk, DJP_COUNTER, "djp_telemetry_metric_recordings",
        "Metric recordings dropped or redirected, by outcome", "outcome", NULL);
    if (families[DJP__SDK_RECORDINGS] == NULL ||
        (sdk->recorder != NULL && sdk_metrics_add_traces(sdk) != 0)) {
        return DJP_ENOMEM;
    }
    return djp__registry_on_collect(sdk->registry, sdk_metrics_collect, sdk);
}
