/* Explains in one sentence why nothing is exported: the first cause between the setting and the
 * receiver. It names settings a reader can change, and no credentials. */
#include <string.h>

#include "base/clock.h"
#include "sdk/sdk.h"
#include "sdk/status.h"

enum { PROBLEM_PATIENCE_S = 2 }; /* a slower response is reported */

static void
problem_switch(djp__buf *out, const djp_options *options)
{
    const char *source = options->enabled_source != NULL ? options->enabled_source : "default";
    if (!options->enabled) {
        djp__buf_printf(out, "Telemetry is off (%s).", source);
    } else if (options->backend == DJP_BACKEND_NOOP) {
        djp__buf_printf(
            out, "Telemetry is on (%s), but its backend is noop, which records nothing.", source);
    }
}

void
djp__status_none_sampled(djp__buf *out, double ratio, const char *ratio_by,
                         const djp__recorder_totals *counters)
{
    if (counters->sampled == 0 && counters->by_reason[DJP_REASON_NONE] > 0 && ratio >= 0) {
        djp__buf_printf(out,
                        "None of %llu ended spans was sampled: the ratio is %.6g (%s). "
                        "sample_ratio 1 samples all.",
                        (unsigned long long)counters->by_reason[DJP_REASON_NONE], ratio, ratio_by);
    }
}

static void
problem_sampling(djp__buf *out, djp_sdk *sdk, const djp__recorder_totals *counters)
{
    djp__overrides_view holds;
    djp__overrides_read(&holds, &sdk->control.overrides);
    if (!holds.enabled) {
        djp__buf_printf(out, "Recording is off (%s).", holds.enabled_by);
    } else if (djp__recorder_is_muted(sdk->recorder) || sdk->traces.signal == NULL) {
        djp__buf_printf(out, "Nothing may leave: the ratio is 0 (%s).", holds.ratio_by);
    } else {
        djp__status_none_sampled(out, holds.ratio, holds.ratio_by, counters);
    }
}

static void
problem_receiver(djp__buf *out, djp__pipeline *pipeline)
{
    const djp__export_stats *stats = &pipeline->stats;
    const char *receiver = pipeline->options.target;
    char error[sizeof pipeline->delivery.error];
    djp__mutex_lock(&pipeline->worker->mutex);
    memcpy(error, pipeline->delivery.error, sizeof error);
    djp__mutex_unlock(&pipeline->worker->mutex);
    uint64_t failures = djp__load_relaxed(&stats->consecutive_failures);
    uint64_t refused = djp__load_relaxed(&stats->lost[DJP__LOSS_REJECTED]);
    double waited = djp__status_attempt_seconds(pipeline);
    if (waited >= PROBLEM_PATIENCE_S) {
        djp__buf_printf(out, "%s has not responded for %.0f s.", receiver, waited);
    } else if (failures > 0) {
        djp__buf_printf(out, "%llu attempts to reach %s have failed in a row: %s.",
                        (unsigned long long)failures, receiver, error);
    } else if (refused > 0 && djp__load_relaxed(&stats->items_exported) == 0) {
        djp__buf_printf(out, "%s has refused all of %llu %s.", receiver,
                        (unsigned long long)refused, pipeline->signal->item_name);
    }
}

static void
problem_worker(djp__buf *out, djp_sdk *sdk)
{
    uint64_t failures = djp__load_relaxed(&sdk->worker.start_failures);
    if (failures > 0 && !djp__worker_is_running(&sdk->worker)) {
        djp__buf_printf(out, "The export thread could not be started (%llu times).",
                        (unsigned long long)failures);
    }
}

double
djp__status_attempt_seconds(const djp__pipeline *pipeline)
{
    uint64_t begun = djp__load_relaxed(&pipeline->stats.attempt_begun),
             now = djp__clock_monotonic();
    return begun == 0 || now < begun ? 0 : (double)(now - begun) / 1e9;
}

void
djp__status_problem(djp__buf *out, djp_sdk *sdk, const djp_options *options,
                    const djp__recorder_totals *counters)
{
    djp__mutex_lock(&sdk->worker.mutex);
    int closed = sdk->worker.phase != DJP__PHASE_OPEN;
    djp__mutex_unlock(&sdk->worker.mutex);
    problem_switch(out, options);
    if (out->size == 0 && !sdk->options.enabled) {
        djp__buf_text(out, "Telemetry was not started: its init has not been called.");
    }
    if (out->size == 0 && closed) {
        djp__buf_text(out, "Telemetry was shut down.");
    }
    if (out->size == 0 && options->backend != DJP_BACKEND_PROM &&
        options->exporter == DJP_EXPORTER_NONE) {
        djp__buf_text(out, "Spans go nowhere: the exporter is none.");
    }
    if (out->size == 0) {
        problem_worker(out, sdk);
    }
    for (djp__pipeline *pipeline = sdk->pipelines; out->size == 0 && pipeline != NULL;
         pipeline = pipeline->next) {
        problem_receiver(out, pipeline);
    }
    if (out->size == 0 && sdk->recorder) {
        problem_sampling(out, sdk, counters);
    }
}
