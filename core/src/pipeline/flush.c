/* Flush: one deadline for all pipelines, the sum of their losses. */
#include "pipeline/flush.h"

/* All items lost so far. `mutex` is held. */
static uint64_t
flush_losses(const djp__pipeline *pipeline)
{
    return pipeline->delivery.lost + pipeline->signal->drain->refused(pipeline->source);
}

/* A thread waits for everything before `target`. `mutex` is held. */
static void
flush_request(djp__pipeline *pipeline, uint64_t target)
{
    if (target > djp__load_relaxed(&pipeline->flush_target)) {
        djp__store_release(&pipeline->flush_target, target);
    }
    djp__add_acq_rel(&pipeline->flush_requests, 1u);
}

typedef struct flush_verdict {
    uint64_t lost, rejected;
    int is_late;
} flush_verdict;

/* Adds the losses that this flush reports, and marks them as reported. `mutex` is held. */
static void
flush_report(flush_verdict *out, djp__pipeline *pipeline, uint64_t target)
{
    djp__delivery *delivery = &pipeline->delivery;
    uint64_t losses = flush_losses(pipeline);
    out->lost += losses - delivery->lost_reported;
    out->rejected += delivery->rejected - delivery->rejected_reported;
    out->is_late |= delivery->completed < target;
    delivery->lost_reported = losses;
    delivery->rejected_reported = delivery->rejected;
    if (target > delivery->reported) {
        delivery->reported = target;
    }
}

static int
flush_is_behind(const djp__pipeline *first, const uint64_t *targets)
{
    for (const djp__pipeline *pipeline = first; pipeline; pipeline = pipeline->next) {
        if (pipeline->delivery.completed < *targets++) {
            return 1;
        }
    }
    return 0;
}

int
djp__flush_locked(djp__worker *worker, djp__pipeline *first, uint64_t deadline)
{
    uint64_t targets[DJP__PIPELINES_MAX];
    flush_verdict verdict = {0, 0, 0};
    size_t count = 0;
    for (djp__pipeline *pipeline = first; pipeline; pipeline = pipeline->next) {
        targets[count++] = pipeline->signal->drain->written(pipeline->source);
    }
    if (flush_is_behind(first, targets)) {
        worker->start_not_before = 0;
        if (djp__worker_start_locked(worker) != 0) {
            return DJP_ETHREAD;
        }
        count = 0;
        for (djp__pipeline *pipeline = first; pipeline; pipeline = pipeline->next) {
            if (pipeline->delivery.completed < targets[count]) {
                flush_request(pipeline, targets[count]);
            }
            count++;
        }
        djp__worker_notify(worker);
    }
    while (flush_is_behind(first, targets) && djp__worker_is_running(worker)) {
        if (djp__cond_wait(&worker->changed, &worker->mutex, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    count = 0;
    for (djp__pipeline *pipeline = first; pipeline; pipeline = pipeline->next) {
        flush_report(&verdict, pipeline, targets[count++]);
    }
    if (verdict.is_late) {
        return DJP_ETIMEOUT;
    }
    return verdict.lost == 0 ? 0 : verdict.lost == verdict.rejected ? DJP_EREJECTED : DJP_EIO;
}

void
djp__flush_begin_end(djp__worker *worker, djp__pipeline *first, uint64_t deadline)
{
    worker->end_deadline = deadline;
    djp__mutex_lock(&worker->mutex);
    for (djp__pipeline *pipeline = first; pipeline; pipeline = pipeline->next) {
        pipeline->last = pipeline->signal->drain->written(pipeline->source);
        flush_request(pipeline, pipeline->last);
    }
    djp__mutex_unlock(&worker->mutex);
}

int
djp__flush_end_is_over(djp__worker *worker, djp__pipeline *first, uint64_t now)
{
    int over = 1;
    djp__mutex_lock(&worker->mutex);
    for (const djp__pipeline *pipeline = first; pipeline; pipeline = pipeline->next) {
        over = over && pipeline->delivery.completed >= pipeline->last;
    }
    djp__mutex_unlock(&worker->mutex);
    return over || now >= worker->end_deadline;
}
