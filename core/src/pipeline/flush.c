/* Flush and shutdown: waits with deadlines and truthful verdicts. A flush answers for everything since the one before it, so a
 * loss is reported once, by the first flush that can know of it. Neither may hang, whatever the receiver does. */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fork.h"
#include "oplog/oplog.h"
#include "pipeline/pipeline.h"
#include "sdk/status.h"

enum { FLUSH__MARGIN_NS = 50000000 }; /* kept of a shutdown's time for aborting a send and joining the thread */

/* Spans lost so far that a flush has to answer for. `state` is held. */
static uint64_t
flush_losses(const djp_sdk *sdk)
{
    djp_recorder_counters counters;
    djp__recorder_counters(&counters, sdk->recorder);
    return sdk->lost_untold + counters.dropped_ring_full + counters.dropped_memory + counters.dropped_oplog_full;
}

static int
flush_verdict(djp_sdk *sdk, uint64_t target)
{
    uint64_t losses = flush_losses(sdk);
    uint64_t lost = losses - sdk->lost_reported;
    uint64_t rejected = sdk->rejected_untold - sdk->rejected_reported;
    sdk->lost_reported = losses;
    sdk->rejected_reported = sdk->rejected_untold;
    if (target > sdk->told) {
        sdk->told = target;
    }
    if (sdk->settled < target) {
        return DJP_ETIMEOUT;
    }
    if (lost > 0) {
        return lost == rejected ? DJP_EREJECTED : DJP_EIO;
    }
    return 0;
}

/* Waits until everything written so far has been dealt with. `state` is held. */
static int
flush_locked(djp_sdk *sdk, uint64_t deadline)
{
    uint64_t target = djp__ring_written(sdk->ring);
    if (sdk->settled < target) {
        sdk->start_not_before = 0;
        if (djp__worker_start_locked(sdk) != 0) {
            return DJP_ETHREAD;
        }
        if (target > djp_load_relaxed(&sdk->flush_target)) {
            djp_store_release(&sdk->flush_target, target);
        }
        djp_add_acq_rel(&sdk->hurry, 1u);
        djp__worker_notify(sdk);
    }
    while (sdk->settled < target && djp_load_relaxed(&sdk->running)) {
        if (djp__cond_wait(&sdk->changed, &sdk->state, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    return flush_verdict(sdk, target);
}

int
djp_sdk_flush(djp_sdk *sdk, uint64_t timeout_ns)
{
    if (!sdk) {
        return DJP_EINVAL;
    }
    uint64_t deadline = djp__saturate(djp__clock_monotonic(), timeout_ns);
    int late = djp__oplogs_settle(sdk, deadline);
    djp__mutex_lock(&sdk->state);
    int result = DJP_ESHUTDOWN;
    if (sdk->phase == DJP_PHASE_OPEN) {
        result = sdk->transport ? flush_locked(sdk, deadline) : 0;
    }
    djp__mutex_unlock(&sdk->state);
    return result == 0 && late ? DJP_ETIMEOUT : result;
}

/* Ends the thread: at once when it only sleeps or its transport listens, else at the deadline it is left to end by itself; it
 * holds a reference, so that what it uses stays. `state` is held. */
static void
shutdown_end_worker(djp_sdk *sdk, uint64_t deadline)
{
    djp_store_release(&sdk->stop, 1);
    if (djp_load_relaxed(&sdk->running)) {
        djp__worker_notify(sdk);
    }
    while (djp_load_relaxed(&sdk->running)) {
        if (djp__cond_wait(&sdk->changed, &sdk->state, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    if (!sdk->thread_joinable) {
        return;
    }
    sdk->thread_joinable = 0;
    if (djp_load_relaxed(&sdk->running)) {
        pthread_detach(sdk->thread);
    } else {
        pthread_join(sdk->thread, NULL);
    }
}

static uint64_t
shutdown_margin(uint64_t timeout_ns)
{
    uint64_t margin = timeout_ns / 10;
    return margin < FLUSH__MARGIN_NS ? margin : FLUSH__MARGIN_NS;
}

const char *
djp__sdk_target(const djp_sdk *sdk)
{
    return sdk->endpoint && sdk->endpoint[0] ? sdk->endpoint : sdk->transport_name;
}

/* What the end of the process lost is said, because nobody reads the status after it. */
void
djp__tell_lost(djp_sdk *sdk)
{
    uint64_t lost = djp_load_relaxed(&sdk->stats.lost[DJP_LOSS_SHUTDOWN]);
    char error[sizeof sdk->export_error];
    uint64_t error_time;
    if (lost == 0) {
        return;
    }
    djp__sender_error(sdk, error, &error_time);
    djp__diag(
        &sdk->diag, DJP_LOG_WARN,
        "%llu spans were still waiting for %s at the end of the process and are lost%s%s. Check that the receiver "
        "runs, or give the end more time (shutdown_timeout).",
        (unsigned long long)lost, djp__sdk_target(sdk), error[0] ? ": " : "", error);
}

/* Whoever looks for spans of a short run should not look for a fault. A forked child keeps quiet: there may be thousands of them. */
static void
shutdown_tell_none(djp_sdk *sdk)
{
    djp_recorder_counters counters;
    djp__recorder_counters(&counters, sdk->recorder);
    djp_overrides_view holds;
    djp__overrides_read(&holds, &sdk->control.overrides);
    djp_buf text;
    djp__buf_init(&text, 0);
    djp__status_none_kept(&text, holds.enabled ? holds.ratio : -1, holds.ratio_by, &counters);
    if (text.size > 0) {
        int level = djp__fork_generation() == 1 ? DJP_LOG_WARN : DJP_LOG_DEBUG;
        djp__diag(&sdk->diag, level, "%.*s", (int)text.size, text.data);
    }
    djp__buf_fini(&text);
}

static int
shutdown_pipeline(djp_sdk *sdk, uint64_t start, uint64_t timeout_ns)
{
    uint64_t least = timeout_ns > FLUSH__MARGIN_NS ? timeout_ns : FLUSH__MARGIN_NS;
    djp__mutex_lock(&sdk->state);
    int result = flush_locked(sdk, djp__saturate(start, timeout_ns - shutdown_margin(timeout_ns)));
    shutdown_end_worker(sdk, djp__saturate(start, least));
    int ended = !djp_load_relaxed(&sdk->running);
    djp__mutex_unlock(&sdk->state);
    if (ended) {
        /* No worker any more: what came late is counted here. */
        djp__mutex_lock(&sdk->work);
        djp__collect_discard(sdk, DJP_LOSS_SHUTDOWN);
        djp__mutex_unlock(&sdk->work);
        djp__tell_lost(sdk);
    }
    return result;
}

int
djp_sdk_shutdown(djp_sdk *sdk, uint64_t timeout_ns)
{
    if (!sdk) {
        return DJP_EINVAL;
    }
    uint64_t start = djp__clock_monotonic();
    djp__oplogs_settle(sdk, djp__saturate(start, timeout_ns - shutdown_margin(timeout_ns)));
    djp__mutex_lock(&sdk->state);
    int already = sdk->phase != DJP_PHASE_OPEN;
    if (!already) {
        sdk->phase = DJP_PHASE_CLOSING;
    }
    djp__mutex_unlock(&sdk->state);
    if (already) {
        return DJP_ESHUTDOWN;
    }
    djp__oplogs_detach(sdk);
    djp__oplog_tell_scopes(sdk);
    if (sdk->recorder) {
        djp__recorder_close(sdk->recorder);
    }
    int result = sdk->transport ? shutdown_pipeline(sdk, start, timeout_ns) : 0;
    if (sdk->transport && sdk->recorder) {
        shutdown_tell_none(sdk);
    }
    djp__signals_remove(sdk);
    djp__prometheus_http_stop(sdk->listener);
    sdk->listener = NULL;
    djp__mutex_lock(&sdk->state);
    sdk->phase = DJP_PHASE_CLOSED;
    djp__cond_broadcast(&sdk->changed);
    djp__mutex_unlock(&sdk->state);
    return result;
}
