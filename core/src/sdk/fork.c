/* What fork(2) does to a pipeline. The forking thread waits, for a bounded time, until the worker is between two steps, so that the
 * child inherits whole structures; the child only forgets: thread, connection and waiting spans are the parent's. */
#include "base/clock.h"
#include "oplog/oplog.h"
#include "pipeline/pipeline.h"

enum { SDK_FORK__PARK_NS = 50000000, SDK_FORK__STAY_NS = 1000000000 };

/* A worker inside the transport is asked to come out into its poll callback, where no library call is in progress. One that does
 * not come in time (a name look-up that takes long) is forked over: the child never uses that transport's state again. */
static void
sdk_fork_prepare(void *user)
{
    djp_sdk *sdk = user;
    djp__mutex_lock(&sdk->state);
    sdk->forks++;
    djp_store_release(&sdk->fork_wanted, 1);
    uint64_t deadline = djp__clock_monotonic() + SDK_FORK__PARK_NS;
    while (djp_load_relaxed(&sdk->sending) && !sdk->parked) {
        if (sdk->transport->ops->wake) {
            sdk->transport->ops->wake(sdk->transport);
        }
        if (djp__cond_wait(&sdk->changed, &sdk->state, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    djp__mutex_unlock(&sdk->state);
    djp__oplogs_fork_prepare(sdk);
    djp__mutex_lock(&sdk->work);
    djp__mutex_lock(&sdk->state);
    djp__control_fork_prepare(&sdk->control);
    djp__mutex_lock(&sdk->diag.mutex);
}

static void
sdk_fork_parent(void *user)
{
    djp_sdk *sdk = user;
    djp__mutex_unlock(&sdk->diag.mutex);
    djp__control_fork_parent(&sdk->control);
    sdk->forks--;
    if (sdk->forks == 0) {
        djp_store_release(&sdk->fork_wanted, 0);
    }
    djp__cond_broadcast(&sdk->changed);
    djp__mutex_unlock(&sdk->state);
    djp__mutex_unlock(&sdk->work);
    djp__oplogs_fork_parent(sdk);
}

static void
sdk_fork_reset_stats(djp_export_stats *stats)
{
    DJP_ATOMIC(uint64_t) *const counters[] = {
        &stats->attempts,       &stats->retries,    &stats->requests_ok,          &stats->requests_failed,
        &stats->spans_exported, &stats->wire_bytes, &stats->consecutive_failures, &stats->last_latency_ns,
        &stats->worker_starts,  &stats->in_encoder, &stats->last_success_unix_ns, &stats->worker_start_failures,
        &stats->attempt_begun,
    };
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        djp_store_relaxed(counters[i], (uint64_t)0);
    }
    for (int i = 0; i < DJP_LOSS_COUNT; i++) {
        djp_store_relaxed(&stats->lost[i], (uint64_t)0);
    }
}

/* No allocation, no system call but the ring's: a child that ends or execs at once pays next to nothing. Encoder, queue and wake-up
 * are replaced when the child's own worker starts. */
static void
sdk_fork_child(void *user)
{
    djp_sdk *sdk = user;
    if (sdk->transport && sdk->transport->ops->abandon) {
        sdk->transport->ops->abandon(sdk->transport);
    }
    sdk_fork_reset_stats(&sdk->stats);
    sdk->adopted = 0;
    /* The requests themselves are freed when they are replaced; they count in the parent. */
    djp_store_relaxed(&sdk->queue.bytes, (uint64_t)0);
    djp_store_relaxed(&sdk->queue.spans, (uint64_t)0);
    djp_store_relaxed(&sdk->queue.count, (uint64_t)0);
    djp_store_relaxed(&sdk->queue.attempted_spans, (uint64_t)0);
    sdk->queue_blocked = 0;
    sdk->thread_joinable = 0;
    sdk->start_not_before = 0;
    sdk->settled = 0;
    sdk->told = 0;
    sdk->lost_untold = 0;
    sdk->lost_reported = 0;
    sdk->rejected_untold = 0;
    sdk->rejected_reported = 0;
    sdk->export_error[0] = '\0';
    sdk->parked = 0;
    sdk->forks = 0;
    djp_store_relaxed(&sdk->references, 1);
    djp_store_relaxed(&sdk->running, 0);
    djp_store_relaxed(&sdk->sending, 0);
    djp__wake_init(&sdk->wake);
    djp_store_relaxed(&sdk->fork_wanted, 0);
    djp_store_relaxed(&sdk->flush_target, (uint64_t)0);
    djp_store_relaxed(&sdk->terminating, 0);
    djp_store_relaxed(&sdk->signal_timer_ready, 0);
    if (sdk->phase == DJP_PHASE_CLOSING) {
        sdk->phase = DJP_PHASE_CLOSED; /* the thread that was closing is not here */
        djp__signals_forget(sdk);
    }
    if (sdk->recorder) {
        djp__recorder_fork_child(sdk->recorder);
    }
    /* Threads of the parent may have waited on it; its old state means nothing here. */
    djp__cond_init(&sdk->changed);
    djp__mutex_unlock(&sdk->diag.mutex);
    djp__control_fork_child(&sdk->control);
    djp__mutex_unlock(&sdk->state);
    djp__mutex_unlock(&sdk->work);
    djp__oplogs_fork_child(sdk);
}

void
djp__sdk_fork_init(djp_sdk *sdk)
{
    sdk->fork_hook = (djp_fork_hook){sdk_fork_prepare, sdk_fork_parent, sdk_fork_child, sdk, NULL};
    djp__fork_register(&sdk->fork_hook);
}

void
djp__sdk_fork_park(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->state);
    uint64_t deadline = djp__clock_monotonic() + SDK_FORK__STAY_NS;
    sdk->parked = 1;
    djp__cond_broadcast(&sdk->changed);
    while (sdk->forks > 0) {
        if (djp__cond_wait(&sdk->changed, &sdk->state, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    sdk->parked = 0;
    djp__mutex_unlock(&sdk->state);
}
