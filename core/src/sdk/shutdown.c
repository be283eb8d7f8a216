/* Flush and shutdown of an instance: operation logs, pipelines, thread, within one deadline. */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fork.h"
#include "oplog/oplog.h"
#include "sdk/sdk.h"
#include "sdk/status.h"

enum { SHUTDOWN__MARGIN_NS = 50000000 }; /* reserved to abort a send and join the thread */

int
djp_sdk_flush(djp_sdk *sdk, uint64_t timeout_ns)
{
    if (sdk == NULL) {
        return DJP_EINVAL;
    }
    uint64_t deadline = djp__saturate(djp__clock_monotonic(), timeout_ns);
    int late = djp__sdk_replay(sdk, deadline);
    djp__sdk_collect_metrics(sdk);
    djp__mutex_lock(&sdk->worker.mutex);
    int result = DJP_ESHUTDOWN;
    if (sdk->worker.phase == DJP__PHASE_OPEN) {
        result =
            sdk->pipelines != NULL ? djp__flush_locked(&sdk->worker, sdk->pipelines, deadline) : 0;
    }
    djp__mutex_unlock(&sdk->worker.mutex);
    return result == 0 && late ? DJP_ETIMEOUT : result;
}

static uint64_t
shutdown_margin(uint64_t timeout_ns)
{
    uint64_t margin = timeout_ns / 10;
    return margin < SHUTDOWN__MARGIN_NS ? margin : SHUTDOWN__MARGIN_NS;
}

/* Explains why a short run exported no spans. A forked child logs nothing: there may be
 * thousands. */
static void
shutdown_report_none(djp_sdk *sdk)
{
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, sdk->recorder);
    djp__overrides_view holds;
    djp__overrides_read(&holds, &sdk->control.overrides);
    djp__buf text;
    djp__buf_init(&text, 0);
    djp__status_none_sampled(&text, holds.enabled ? holds.ratio : -1, holds.ratio_by, &counters);
    if (text.size > 0) {
        int level = djp__fork_generation() == 1 ? DJP_LOG_WARN : DJP_LOG_DEBUG;
        djp__diag(&sdk->diag, level, "%.*s", (int)text.size, text.data);
    }
    djp__buf_fini(&text);
}

/* The worker is inside an export that cannot be interrupted. It counts what it does not deliver
 * when it ends, which may be after the process. */
static void
shutdown_report_busy(djp_sdk *sdk)
{
    for (const djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
        djp__books books;
        djp__books_read(&books, pipeline->signal, pipeline->source, &pipeline->stats);
        if (books.waiting > 0) {
            djp__diag(&sdk->diag, DJP_LOG_WARN,
                      "%llu %s are not delivered to %s yet, and the time for shutdown is over. The "
                      "export thread is still busy, and loses what it cannot deliver. Check that "
                      "the receiver responds, or give shutdown more time (shutdown_timeout).",
                      (unsigned long long)books.waiting, pipeline->signal->item_name,
                      pipeline->options.target);
        }
    }
}

static int
shutdown_pipelines(djp_sdk *sdk, uint64_t start, uint64_t timeout_ns)
{
    uint64_t least = timeout_ns > SHUTDOWN__MARGIN_NS ? timeout_ns : SHUTDOWN__MARGIN_NS;
    uint64_t deadline = djp__saturate(start, timeout_ns - shutdown_margin(timeout_ns));
    djp__mutex_lock(&sdk->worker.mutex);
    int result = djp__flush_locked(&sdk->worker, sdk->pipelines, deadline);
    int ended = djp__worker_stop_locked(&sdk->worker, djp__saturate(start, least));
    djp__mutex_unlock(&sdk->worker.mutex);
    if (!ended) {
        shutdown_report_busy(sdk);
    }
    for (djp__pipeline *pipeline = sdk->pipelines; pipeline && ended; pipeline = pipeline->next) {
        /* Without a worker, counts late items here. */
        djp__pipeline_discard(pipeline, DJP__LOSS_SHUTDOWN);
        djp__pipeline_report_lost(pipeline);
    }
    return result;
}

int
djp_sdk_shutdown(djp_sdk *sdk, uint64_t timeout_ns)
{
    if (sdk == NULL) {
        return DJP_EINVAL;
    }
    djp__worker *worker = &sdk->worker;
    uint64_t start = djp__clock_monotonic();
    djp__sdk_replay(sdk, djp__saturate(start, timeout_ns - shutdown_margin(timeout_ns)));
    djp__mutex_lock(&worker->mutex);
    int already = worker->phase != DJP__PHASE_OPEN;
    if (!already) {
        worker->phase = DJP__PHASE_CLOSING;
    }
    djp__mutex_unlock(&worker->mutex);
    if (already) {
        return DJP_ESHUTDOWN;
    }
    djp__oplogs_detach(&sdk->oplogs);
    djp__sdk_report_scopes(sdk);
    if (sdk->recorder) {
        djp__recorder_close(sdk->recorder);
    }
    for (djp__pipeline *pipeline = sdk->pipelines; pipeline; pipeline = pipeline->next) {
        if (pipeline->signal->drain->close) {
            pipeline->signal->drain->close(pipeline->source);
        }
    }
    int result = sdk->pipelines != NULL ? shutdown_pipelines(sdk, start, timeout_ns) : 0;
    if (sdk->traces.signal != NULL) {
        shutdown_report_none(sdk);
    }
    djp__sigterm_remove(sdk);
    djp__prometheus_http_stop(sdk->listener);
    sdk->listener = NULL;
    djp__mutex_lock(&worker->mutex);
    worker->phase = DJP__PHASE_CLOSED;
    djp__cond_broadcast(&worker->changed);
    djp__mutex_unlock(&worker->mutex);
    return result;
}
