/* The state of an instance as JSON: settings, sampling, spans by outcome, the latest result of the
 * exporter. Contains no credentials: endpoints are stripped, and the configuration masks secret
 * settings. */
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "djp/version.h"
#include "metrics/cardinality.h"
#include "metrics/registry.h"
#include "oplog/oplog.h"
#include "sdk/sdk.h"
#include "sdk/status.h"

enum { STATUS__SAMPLER_MAX = 8192 }; /* limit of its text in bytes */

void
djp__status_key(djp__buf *out, const char *key)
{
    if (out->size > 0 && out->data[out->size - 1] != '{') {
        djp__buf_char(out, ',');
    }
    djp__buf_json(out, key, strlen(key));
    djp__buf_char(out, ':');
}

void
djp__status_text(djp__buf *out, const char *key, const char *value)
{
    djp__status_key(out, key);
    djp__buf_json(out, value != NULL ? value : "", value != NULL ? strlen(value) : 0);
}

void
djp__status_number(djp__buf *out, const char *key, uint64_t value)
{
    djp__status_key(out, key);
    djp__buf_u64(out, value);
}

void
djp__status_bool(djp__buf *out, const char *key, int value)
{
    djp__status_key(out, key);
    djp__buf_text(out, value ? "true" : "false");
}

void
djp__status_time(djp__buf *out, const char *key, uint64_t unix_ns)
{
    djp__status_key(out, key);
    if (unix_ns == 0) {
        djp__buf_text(out, "null");
    } else {
        djp__buf_printf(out, "%llu.%03llu", (unsigned long long)(unix_ns / 1000000000u),
                        (unsigned long long)(unix_ns / 1000000u % 1000u));
    }
}

void
djp__status_open(djp__buf *out, const char *key)
{
    djp__status_key(out, key);
    djp__buf_char(out, '{');
}

static void
status_spans(djp__buf *out, const djp_sdk *sdk, const djp__recorder_totals *counters)
{
    djp__status_key(out, "books");
    djp__status_books(out, &djp__signal_traces, sdk, &sdk->traces.stats);
    djp__status_open(out, "spans");
    djp__status_number(out, "started", counters->started);
    djp__status_number(out, "ended", counters->ended);
    djp__status_number(out, "live", counters->live);
    djp__status_number(out, "not_sampled", counters->by_reason[DJP_REASON_NONE]);
    for (int i = 0; i < DJP__REASONS; i++) {
        if (djp__reasons[i].stratum != DJP__STRATUM_DROPPED) {
            djp__status_number(out, djp__reasons[i].key, counters->by_reason[i]);
        }
    }
    djp__status_number(out, "exported", djp__load_relaxed(&sdk->traces.stats.items_exported));
    djp__status_number(out, "decided_on_buffer_full", counters->decided_on_buffer_full);
    djp__status_number(out, "decided_on_timeout", counters->decided_on_timeout);
    djp__status_number(out, "late_sampled", counters->late_sampled);
    djp__status_number(out, "late_sampled_parts", counters->late_sampled_parts);
    djp__status_number(out, "rule_routes_evicted", counters->rule_routes_evicted);
    djp__status_number(out, "rule_table_full", counters->rule_table_full);
    djp__status_number(out, "rule_checks_skipped", counters->rule_checks_skipped);
    djp__status_number(out, "dropped_attributes", counters->dropped_attributes);
    djp__status_number(out, "scopes_refused", djp__scopes_refused());
    djp__status_number(out, "decision_buffer_bytes", counters->decision_buffer_bytes);
    djp__buf_char(out, '}');
    djp__status_key(out, "dropped");
    djp__status_losses(out, &djp__signal_traces, sdk, &sdk->traces.stats);
    djp__status_key(out, "otel_sdk");
    djp__sdk_otel_status(out, sdk, counters);
}

/* The sampler tree in use; null if a ratio decides. */
static void
status_sampler(djp__buf *out, djp_sdk *sdk, double ratio)
{
    char *text = NULL;
    if (ratio < 0 && sdk->recorder) {
        djp__recorder_sampler_text(&text, sdk->recorder);
    }
    djp__status_key(out, "sampler");
    if (text != NULL) {
        djp__buf_json(out, text, djp__utf8_cut(text, strlen(text), STATUS__SAMPLER_MAX));
    } else {
        djp__buf_text(out, "null");
    }
    djp__free(text);
}

/* The active values and their sources. */
static void
status_switch(djp__buf *out, djp_sdk *sdk)
{
    djp__overrides_view holds;
    djp__overrides_read(&holds, &sdk->control.overrides);
    djp__status_open(out, "sampling");
    djp__status_bool(out, "recording", sdk->recorder && holds.enabled);
    djp__status_text(out, "recording_set_by", holds.enabled_by);
    djp__status_key(out, "ratio");
    if (holds.ratio < 0) {
        djp__buf_text(out, "null");
    } else {
        djp__buf_double(out, holds.ratio);
    }
    djp__status_text(out, "ratio_set_by", holds.ratio_by);
    djp__status_key(out, "canary");
    djp__buf_double(out, holds.canary);
    djp__status_text(out, "canary_set_by", holds.canary_by);
    status_sampler(out, sdk, holds.ratio);
    djp__status_key(out, "remote");
    if (sdk->control.remote.client) {
        djp__remote_status(out, &sdk->control.remote);
    } else {
        djp__buf_text(out, "null");
    }
    djp__buf_char(out, '}');
}

/* level: span rate of a route before its share is reduced; null without a reduction. */
static void
status_rate_limit(djp__buf *out, const djp_sdk *sdk, const djp__recorder_totals *counters)
{
    int on = sdk->options.span_rate_limit > 0, cuts = on && counters->rate_level != UINT64_MAX;
    djp__status_open(out, "rate_limit");
    djp__status_number(out, "spans_per_second", sdk->options.span_rate_limit);
    djp__status_number(out, "routes", counters->rate_routes);
    djp__status_number(out, "routes_merged", counters->rate_shared);
    djp__status_key(out, "level");
    if (cuts && sdk->recorder) {
        djp__buf_u64(out, counters->rate_level);
    } else {
        djp__buf_text(out, "null");
    }
    djp__buf_char(out, '}');
}

static void
status_waiting(djp__buf *out, const djp_sdk *sdk)
{
    const djp_ring *ring = sdk->traces.signal != NULL ? djp__recorder_ring(sdk->recorder) : NULL;
    djp__status_open(out, "ring");
    djp__status_number(out, "used_bytes", ring != NULL ? djp__ring_used(ring) : 0);
    djp__status_number(out, "capacity_bytes", ring != NULL ? djp__ring_capacity(ring) : 0);
    djp__buf_char(out, '}');
    djp__status_open(out, "queue");
    djp__status_number(out, "requests", djp__load_relaxed(&sdk->traces.queue.count));
    djp__status_number(out, "spans", djp__load_relaxed(&sdk->traces.queue.items));
    djp__status_number(out, "bytes", djp__load_relaxed(&sdk->traces.queue.bytes));
    djp__status_number(out, "batch_spans", djp__load_relaxed(&sdk->traces.stats.in_encoder));
    djp__buf_char(out, '}');
}

/* How the metrics are shared; "none" also if that failed, with the reason. */
static void
status_sharing(djp__buf *out, const djp_sdk *sdk, const djp__registry_totals *totals)
{
    static const char *const modes[] = {"none", "fork", "directory"};
    const char *problem = NULL;
    int error = 0;
    djp_metrics_sharing mode = djp_registry_sharing(&problem, &error, sdk->registry);
    djp__status_open(out, "sharing");
    djp__status_text(out, "mode", modes[mode]);
    djp__status_text(out, "directory",
                     mode == DJP_SHARE_DIR ? djp_registry_directory(sdk->registry) : "");
    djp__status_text(out, "problem", problem != NULL ? problem : "");
    djp__status_number(out, "processes", totals->processes);
    djp__status_number(out, "writers", totals->writers);
    djp__status_number(out, "folded", totals->folded);
    djp__status_number(out, "damaged_slots", totals->damaged);
    djp__status_bool(out, "lock_stuck", totals->is_stuck);
    djp__buf_char(out, '}');
}

static void
status_largest(djp__buf *out, const djp_sdk *sdk)
{
    djp__cardinality cardinality;
    djp__status_open(out, "largest");
    if (sdk->registry) {
        djp__cardinality_read(&cardinality, sdk->registry);
        for (size_t i = 0; i < cardinality.count; i++) {
            /* ends in NUL, as all names of families */
            djp__status_number(out, djp__cardinality_name(&cardinality, i, sdk->registry).data,
                               cardinality.largest[i].series);
        }
    }
    djp__buf_char(out, '}');
}

static void
status_registry(djp__buf *out, djp_sdk *sdk)
{
    djp__registry_totals counters;
    memset(&counters, 0, sizeof counters);
    if (sdk->registry) {
        djp__registry_counters(&counters, sdk->registry);
    }
    djp__status_open(out, "registry");
    djp__status_number(out, "families", counters.families);
    djp__status_number(out, "series", counters.series);
    djp__status_number(out, "used_bytes", counters.segment_bytes);
    djp__status_number(out, "dropped", counters.dropped);
    djp__status_number(out, "overflowed", counters.overflowed);
    djp__status_number(out, "refused", counters.refused);
    status_largest(out, sdk);
    status_sharing(out, sdk, &counters);
    djp__buf_char(out, '}');
}

static void
status_export(djp__buf *out, djp_sdk *sdk)
{
    const djp__export_stats *stats = &sdk->traces.stats;
    char error[sizeof sdk->traces.delivery.error];
    uint64_t error_time;
    djp__sender_error(&sdk->traces, error, &error_time);
    djp__status_open(out, "export");
    djp__status_text(out, "transport", sdk->transport_name);
    djp__status_text(out, "endpoint", sdk->endpoint);
    djp__status_number(out, "attempts", djp__load_relaxed(&stats->attempts));
    djp__status_number(out, "retries", djp__load_relaxed(&stats->retries));
    djp__status_number(out, "requests_ok", djp__load_relaxed(&stats->requests_ok));
    djp__status_number(out, "requests_failed", djp__load_relaxed(&stats->requests_failed));
    djp__status_key(out, "attempt_seconds");
    djp__buf_double(out, djp__status_attempt_seconds(&sdk->traces));
    djp__status_number(out, "consecutive_failures",
                       djp__load_relaxed(&stats->consecutive_failures));
    djp__status_number(out, "spans_exported", djp__load_relaxed(&stats->items_exported));
    djp__status_number(out, "spans_rejected", djp__load_relaxed(&stats->lost[DJP__LOSS_REJECTED]));
    djp__status_number(out, "wire_bytes", djp__load_relaxed(&stats->wire_bytes));
    djp__status_key(out, "last_latency_ms");
    djp__buf_double(out, (double)djp__load_relaxed(&stats->last_latency_ns) / 1e6);
    djp__status_time(out, "last_success", djp__load_relaxed(&stats->last_success_unix_ns));
    djp__status_text(out, "last_error", error);
    djp__status_time(out, "last_error_time", error[0] ? error_time : 0);
    djp__buf_char(out, '}');
}

static void
status_worker(djp__buf *out, djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->worker.mutex);
    int running = djp__worker_is_running(&sdk->worker);
    pid_t pid = running ? sdk->worker.pid : 0;
    djp__mutex_unlock(&sdk->worker.mutex);
    djp__status_open(out, "worker");
    djp__status_bool(out, "running", running);
    djp__status_number(out, "starts", djp__load_relaxed(&sdk->worker.starts));
    djp__status_number(out, "start_failures", djp__load_relaxed(&sdk->worker.start_failures));
    djp__status_number(out, "pid", (uint64_t)pid);
    djp__buf_char(out, '}');
}

static void
status_head(djp__buf *out, djp_sdk *sdk, const djp_options *options,
            const djp__recorder_totals *counters)
{
    static const char *const backends[] = {"noop", "prom", "otel", "hybrid"};
    unsigned backend = (unsigned)options->backend;
    djp__buf problem;
    djp__buf_init(&problem, 0);
    djp__mutex_lock(&sdk->worker.mutex);
    int closed = sdk->worker.phase != DJP__PHASE_OPEN;
    djp__mutex_unlock(&sdk->worker.mutex);
    djp__status_bool(out, "enabled", sdk->options.enabled && !closed);
    djp__status_text(out, "enabled_by", options->enabled_source);
    djp__status_bool(out, "shut_down", closed);
    djp__status_problem(&problem, sdk, options, counters);
    djp__status_key(out, "problem");
    djp__buf_json(out, problem.data ? problem.data : "", problem.size);
    djp__buf_fini(&problem);
    djp__status_text(out, "backend", backend < 4 ? backends[backend] : "unknown");
    djp__status_bool(out, "traces", sdk->recorder != NULL);
    djp__status_bool(out, "metrics", sdk->registry != NULL);
    djp__status_text(out, "version", DJP_VERSION);
    djp__status_text(out, "service_name", sdk->options.service_name);
    djp__status_number(out, "pid", (uint64_t)getpid());
}

static void
status_last_error(djp__buf *out, djp_sdk *sdk)
{
    char error[sizeof sdk->diag.last_error];
    djp__mutex_lock(&sdk->diag.mutex);
    memcpy(error, sdk->diag.last_error, sizeof error);
    uint64_t when = sdk->diag.last_error_unix_ns;
    djp__mutex_unlock(&sdk->diag.mutex);
    djp__status_text(out, "last_error", error);
    djp__status_time(out, "last_error_time", error[0] ? when : 0);
}

/* Counts spans that other threads committed during the worker's last round. */
static void
status_sweep(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->worker.mutex);
    int over = sdk->pipelines && sdk->worker.phase == DJP__PHASE_CLOSED &&
               !djp__worker_is_running(&sdk->worker);
    djp__mutex_unlock(&sdk->worker.mutex);
    if (over) {
        for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
            djp__pipeline_discard(pipeline, DJP__LOSS_SHUTDOWN);
        }
    }
}

/* options: the configured ones, which an instance that is off does not apply. */
static int
status_write(char **out, size_t *out_size, djp_sdk *sdk, const djp_options *options)
{
    djp__buf text;
    djp__recorder_totals counters;
    memset(&counters, 0, sizeof counters);
    djp__sdk_catch_up(sdk);
    status_sweep(sdk);
    if (sdk->recorder) {
        djp__recorder_counters(&counters, sdk->recorder);
    }
    djp__buf_init(&text, 0);
    djp__buf_char(&text, '{');
    status_head(&text, sdk, options, &counters);
    status_spans(&text, sdk, &counters);
    djp__status_signals(&text, sdk);
    status_switch(&text, sdk);
    status_rate_limit(&text, sdk, &counters);
    djp__status_key(&text, "budget");
    djp__account_status(&text, &sdk->control.account);
    status_waiting(&text, sdk);
    status_registry(&text, sdk);
    status_export(&text, sdk);
    status_worker(&text, sdk);
    status_last_error(&text, sdk);
    djp__status_key(&text, "settings");
    const char *report = options->report_json;
    djp__buf_text(&text, report && *report ? report : "{}");
    djp__buf_char(&text, '}');
    int failed = text.failed;
    *out = djp__buf_take(&text, out_size);
    djp__buf_fini(&text);
    return failed || !*out ? DJP_ENOMEM : 0;
}

int
djp_sdk_status_json(char **out, size_t *out_size, djp_sdk *sdk)
{
    return out && out_size != NULL && sdk != NULL ? status_write(out, out_size, sdk, &sdk->options)
                                                  : DJP_EINVAL;
}

/* An instance that is off has all parts of the report but no thread, file or signal handler. */
int
djp_status_off_json(char **out, size_t *out_size, const djp_options *options)
{
    djp_options off;
    djp_sdk *sdk = NULL;
    if (out == NULL || out_size == NULL || options == NULL) {
        return DJP_EINVAL;
    }
    int result = djp_options_copy(&off, options);
    if (result != 0) {
        return result;
    }
    off.enabled = 0;
    /* no adjustment and no warnings */
    off.target_spans_per_second = off.target_bytes_per_second = 0;
    result = djp_sdk_new(&sdk, &off, NULL, NULL, NULL);
    if (result == 0) {
        result = status_write(out, out_size, sdk, options);
    }
    djp_sdk_free(sdk);
    djp_options_fini(&off);
    return result;
}
