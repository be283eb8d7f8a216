/* Drains records into batches, counts losses and tracks progress. Does not send or wait. */
#include "pipeline/pipeline.h"

#include <string.h>

#include "base/clock.h"
#include "pipeline/batch.h"

enum { PIPELINE__PAUSE_NS = 1000000000, PIPELINE__UNCOMMITTED_NS = 1000000 };

const char *
djp__loss_name(djp__loss reason)
{
    static const char *const names[] = {
#define PIPELINE_LOSS_NAME(name, text) text,
        DJP__LOSS_MAP(PIPELINE_LOSS_NAME)
#undef PIPELINE_LOSS_NAME
    };
    return reason < DJP__LOSS_COUNT ? names[reason] : "unknown";
}

/* ---- signal ---- */

static uint64_t
pipeline_written(const djp__pipeline *pipeline)
{
    return pipeline->signal->drain->written(pipeline->source);
}

static uint64_t
pipeline_consumed(const djp__pipeline *pipeline)
{
    return pipeline->signal->drain->consumed(pipeline->source);
}

static const void *
pipeline_peek(const djp__pipeline *pipeline, size_t *size)
{
    return pipeline->signal->drain->peek(pipeline->source, size);
}

static uint64_t
pipeline_consume(djp__pipeline *pipeline)
{
    return pipeline->signal->drain->consume(pipeline->source);
}

/* ---- accounting ---- */

void
djp__pipeline_lose(djp__pipeline *pipeline, djp__loss reason, uint64_t items, uint64_t end)
{
    if (items == 0) {
        return;
    }
    djp__add_relaxed(&pipeline->stats.lost[reason], items);
    djp__mutex_lock(&pipeline->worker->mutex);
    if (end > pipeline->delivery.reported) {
        pipeline->delivery.lost += items;
        pipeline->delivery.rejected += reason == DJP__LOSS_REJECTED ? items : 0;
    }
    djp__mutex_unlock(&pipeline->worker->mutex);
}

void
djp__pipeline_complete(djp__pipeline *pipeline, uint64_t position)
{
    djp__mutex_lock(&pipeline->worker->mutex);
    if (position > pipeline->delivery.completed) {
        pipeline->delivery.completed = position;
        djp__cond_broadcast(&pipeline->worker->changed);
    }
    djp__mutex_unlock(&pipeline->worker->mutex);
}

void
djp__pipeline_complete_if_empty(djp__pipeline *pipeline)
{
    if (djp__load_relaxed(&pipeline->queue.count) == 0 && djp__batch_encoded(pipeline) == 0) {
        djp__pipeline_complete(pipeline, pipeline_consumed(pipeline));
    }
}

/* All destinations of a signal. */
static void
pipeline_complete_all(djp__pipeline *first)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        djp__pipeline_complete_if_empty(one);
    }
}

int
djp__pipeline_is_flushing(djp__pipeline *pipeline)
{
    uint64_t target = djp__load_acquire(&pipeline->flush_target);
    if (target == 0) {
        return 0;
    }
    djp__mutex_lock(&pipeline->worker->mutex);
    int flushing = target > pipeline->delivery.completed;
    djp__mutex_unlock(&pipeline->worker->mutex);
    return flushing;
}

/* The process ends and no status is read after it, so a message reports the losses. */
void
djp__pipeline_report_lost(djp__pipeline *pipeline)
{
    uint64_t lost = djp__load_relaxed(&pipeline->stats.lost[DJP__LOSS_SHUTDOWN]);
    char error[sizeof pipeline->delivery.error];
    uint64_t error_time;
    if (lost == 0) {
        return;
    }
    djp__sender_error(pipeline, error, &error_time);
    djp__diag(pipeline->diag, DJP_LOG_WARN,
              "%llu %s were still waiting for %s at the end of the process and are lost%s%s. Check "
              "that the receiver "
              "runs, or give the end more time (shutdown_timeout).",
              (unsigned long long)lost, pipeline->signal->item_name, pipeline->options.target,
              error[0] ? ": " : "", error);
}

/* ---- batches ---- */

/* Source -> encoders -> queues; `work` is held. Returns the number of records taken. */
static uint64_t
pipeline_drain(djp__pipeline *pipeline, uint64_t now)
{
    /* Records written from now on belong to the next round, so that a fast writer cannot keep the
     * worker from sending. */
    uint64_t until = pipeline_written(pipeline), taken = 0;
    size_t size = 0;
    pipeline->queue_blocked = 0;
    while (pipeline_consumed(pipeline) < until) {
        const void *record = pipeline_peek(pipeline, &size);
        if (record == NULL) {
            break;
        }
        if (djp__batch_is_full(pipeline, size) && !djp__batch_close(pipeline, now, 1)) {
            pipeline->queue_blocked = 1;
            break;
        }
        djp__batch_take(pipeline, record, size);
        taken++;
    }
    if (djp__batch_items(pipeline) >= pipeline->options.batch_items) {
        djp__batch_close(pipeline, now, 1);
    }
    djp__batch_count(pipeline);
    return taken;
}

/* ---- discarded items ---- */

static uint64_t
pipeline_empty_source(djp__pipeline *pipeline)
{
    uint64_t items = 0;
    size_t size = 0;
    while (pipeline_peek(pipeline, &size)) {
        items += pipeline_consume(pipeline);
    }
    return items;
}

/* One destination. In a child of a fork, what it has belongs to the parent until it is adopted. */
static void
pipeline_discard_one(djp__pipeline *pipeline, djp__loss reason, uint64_t source_items)
{
    uint64_t encoded = djp__batch_encoded(pipeline);
    uint64_t lost = djp__load_relaxed(&pipeline->queue.items) + source_items;
    lost += pipeline->is_adopted ? encoded : 0;
    djp__queue_fini(&pipeline->queue);
    djp__store_relaxed(&pipeline->stats.in_encoder, (uint64_t)0);
    djp__pipeline_lose(pipeline, reason, lost, pipeline_consumed(pipeline));
    djp__pipeline_complete(pipeline, pipeline_consumed(pipeline));
}

/* Takes or releases `work` of all destinations, in their order. */
static void
pipeline_lock_all(djp__pipeline *first)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        djp__mutex_lock(&one->work);
    }
}

static void
pipeline_unlock_all(djp__pipeline *first)
{
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        djp__mutex_unlock(&one->work);
    }
}

void
djp__pipeline_discard(djp__pipeline *pipeline, djp__loss reason)
{
    if (pipeline->first != pipeline) {
        return; /* together with the first */
    }
    pipeline_lock_all(pipeline);
    uint64_t source_items = pipeline_empty_source(pipeline);
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        pipeline_discard_one(one, reason, source_items);
    }
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        one->signal->encode->free(one->encoder);
        one->encoder = NULL;
    }
    pipeline_unlock_all(pipeline);
}

void
djp__pipeline_count_waiting(djp__pipeline *pipeline, djp__loss reason)
{
    if (pipeline->first != pipeline) {
        return;
    }
    pipeline_lock_all(pipeline);
    uint64_t source_items = pipeline_empty_source(pipeline);
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        uint64_t waiting = djp__load_relaxed(&one->queue.items) + djp__batch_encoded(one);
        djp__pipeline_lose(one, reason, waiting + source_items, pipeline_consumed(one));
    }
    pipeline_unlock_all(pipeline);
}

/* ---- worker ---- */

/* An interval of zero would loop forever. */
static uint64_t
pipeline_interval(const djp__pipeline *pipeline)
{
    uint64_t interval = pipeline->options.flush_interval_ns;
    return interval > PIPELINE__UNCOMMITTED_NS ? interval : PIPELINE__UNCOMMITTED_NS;
}

static uint64_t
pipeline_quarter(const djp__pipeline *pipeline)
{
    return pipeline->signal->drain->capacity(pipeline->source) / 4;
}

void
djp__pipeline_note_activity(djp__pipeline *pipeline, uint64_t now)
{
    djp__batch_timer *timer = &pipeline->timer;
    timer->is_active = 1;
    timer->idle_rounds = 0;
    if (timer->due == 0) {
        timer->due = now + pipeline_interval(pipeline);
    }
}

int
djp__pipeline_is_idle(const djp__pipeline *pipeline)
{
    return !pipeline->queue_blocked && pipeline->timer.due == 0;
}

/* Without memory, tries again later. */
static int
pipeline_adopt(djp__pipeline *pipeline, uint64_t now)
{
    if (djp__batch_is_adopted(pipeline)) {
        return 1;
    }
    if (now < pipeline->timer.retry_at) {
        return 0;
    }
    int adopted = djp__batch_adopt(pipeline);
    pipeline->timer.retry_at = adopted ? pipeline->timer.retry_at : now + PIPELINE__PAUSE_NS;
    return adopted;
}

/* Muted: drops all waiting items, after cancelling requests that are being sent. */
static void
pipeline_run_muted(djp__pipeline *pipeline, uint64_t now)
{
    djp__batch_timer *timer = &pipeline->timer;
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        if (one->queue.sending > 0) {
            return;
        }
    }
    djp__mutex_lock(&pipeline->work);
    djp__batch_drop(pipeline, DJP__LOSS_SWITCHED_OFF, pipeline_empty_source(pipeline));
    pipeline->queue_blocked = 0;
    djp__mutex_unlock(&pipeline->work);
    pipeline_complete_all(pipeline);
    if (timer->due <= now) {
        timer->due = timer->is_active ? now + pipeline_interval(pipeline) : 0;
        timer->is_active = 0;
    }
}

static void
pipeline_close_due(djp__pipeline *pipeline, uint64_t now, int is_flushing)
{
    djp__batch_timer *timer = &pipeline->timer;
    int is_due = timer->due != 0 && now >= timer->due;
    if (!is_flushing && !is_due) {
        return;
    }
    int closed = djp__batch_close(pipeline, now, 0);
    djp__batch_count(pipeline);
    if (is_due) {
        timer->due = timer->is_active ? now + pipeline_interval(pipeline) : 0;
        timer->is_active = !closed;
    }
}

void
djp__pipeline_run(void *user, uint64_t now)
{
    djp__pipeline *pipeline = user;
    if (!pipeline_adopt(pipeline, now)) {
        return;
    }
    int is_flushing = 0;
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        is_flushing |= djp__pipeline_is_flushing(one);
    }
    if (djp__pipeline_is_muted(pipeline)) {
        pipeline_run_muted(pipeline, now);
        return;
    }
    djp__mutex_lock(&pipeline->work);
    if (pipeline_drain(pipeline, now) > 0) {
        djp__pipeline_note_activity(pipeline, now);
    }
    pipeline_close_due(pipeline, now, is_flushing);
    djp__mutex_unlock(&pipeline->work);
    pipeline_complete_all(pipeline);
    if (djp__load_relaxed(&pipeline->worker->state) == DJP__WORKER_SENDING &&
        !pipeline->queue_blocked) {
        /* While a transport waits, a slow receiver must not stall recording. */
        pipeline->signal->drain->set_wake_level(pipeline->source, pipeline_quarter(pipeline));
    }
}

static uint64_t
pipeline_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Sets the wake level of the source, then checks again: records written before the request wake no
 * thread, and a full source accepts none that could. Returns the latest time for the next check. */
static uint64_t
pipeline_set_wake_level(djp__pipeline *pipeline, uint64_t bytes, uint64_t now)
{
    size_t size = 0;
    if (djp__pipeline_is_muted(pipeline)) {
        return UINT64_MAX; /* no items until the override ends, which notifies the worker */
    }
    pipeline->signal->drain->set_wake_level(pipeline->source, bytes);
    if (pipeline_written(pipeline) - pipeline_consumed(pipeline) < (bytes > 0 ? bytes : 1)) {
        return UINT64_MAX;
    }
    /* Wait briefly for a record that is reserved and not yet committed. */
    return pipeline_peek(pipeline, &size) ? now : now + PIPELINE__UNCOMMITTED_NS;
}

/* The worker sleeps until a batch is due, a quarter of the source is in use, or, with nothing
 * waiting, the next record arrives. One extra check after an interval finds a record committed
 * during the request for a wake-up. */
static uint64_t
pipeline_next_due(void *user, uint64_t now)
{
    djp__pipeline *pipeline = user;
    uint64_t interval = pipeline_interval(pipeline), due = UINT64_MAX;
    if (!djp__batch_is_adopted(pipeline)) {
        return pipeline->timer.retry_at;
    }
    if (pipeline->queue_blocked) {
        due = now + interval;
    } else if (pipeline->timer.due != 0) {
        due = pipeline_set_wake_level(pipeline, pipeline_quarter(pipeline), now);
        due = pipeline_earlier(due, pipeline->timer.due);
    } else {
        due = pipeline_set_wake_level(pipeline, 0, now);
        if (pipeline->timer.idle_rounds++ == 0) {
            due = pipeline_earlier(due, now + interval);
        }
    }
    if (djp__load_acquire(&pipeline->flush_target) > pipeline_consumed(pipeline) &&
        !pipeline->queue_blocked) {
        /* A flush waits for a record that another thread has reserved and not yet committed. */
        due = pipeline_earlier(due, now + PIPELINE__UNCOMMITTED_NS);
    }
    return due;
}

void
djp__pipeline_wake(djp__pipeline *pipeline)
{
    if (djp__worker_ensure(pipeline->worker) == 0) {
        return;
    }
    /* Retry when another eighth of the source is in use, at most once a second. */
    uint64_t capacity = pipeline->signal->drain->capacity(pipeline->source);
    uint64_t used = pipeline_written(pipeline) - pipeline_consumed(pipeline);
    pipeline->signal->drain->set_wake_level(pipeline->source,
                                            pipeline_earlier(used + capacity / 8, capacity / 2));
    if (djp__every_minute(&pipeline->start_warned)) {
        djp__diag(pipeline->diag, DJP_LOG_ERROR,
                  "The export thread could not be started, so %s wait in memory and are lost when "
                  "it is full. Raise "
                  "the process's limit of threads.",
                  pipeline->signal->item_name);
    }
}

/* ---- start and end ---- */

/* A new thread discards the state of the previous one, which may be the parent's. */
static void
pipeline_enter(void *user)
{
    djp__pipeline *pipeline = user;
    djp__sender fresh = {.accepted = pipeline->sender.accepted,
                         .requests_seen = pipeline->sender.requests_seen};
    pipeline->sender = fresh;
    memset(&pipeline->timer, 0, sizeof pipeline->timer);
    pipeline->last = 0;
    djp__retry_init(&pipeline->sender.backoff, 0, 0);
}

static void
pipeline_leave(void *user)
{
    djp__pipeline *pipeline = user;
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        djp__sender_give_up(one);
    }
    djp__pipeline_discard(pipeline, DJP__LOSS_SHUTDOWN);
    for (djp__pipeline *one = pipeline; one != NULL; one = one->further) {
        if (one->transport->ops->leave) {
            one->transport->ops->leave(one->transport);
        }
    }
}

void
djp__pipeline_init(djp__pipeline *pipeline, const djp__signal *signal, void *source,
                   djp__transport *transport, djp__worker *worker, djp__diagnostics *diag,
                   const djp__pipeline_options *options)
{
    memset(pipeline, 0, sizeof *pipeline);
    pipeline->signal = signal;
    pipeline->source = source;
    pipeline->transport = transport;
    pipeline->worker = worker;
    pipeline->diag = diag;
    pipeline->options = *options;
    pipeline->first = pipeline->encodes = pipeline;
    djp__mutex_init(&pipeline->work);
    djp__queue_init(&pipeline->queue, options->queue_bytes);
    pipeline->batch_task =
        (djp__task){"batch",        DJP__TASK_ALWAYS, djp__pipeline_run, pipeline_next_due,
                    pipeline_enter, pipeline_leave,   pipeline,          NULL};
    pipeline->send_task = (djp__task){"send", DJP__TASK_SEND, djp__sender_run, djp__sender_next_due,
                                      NULL,   NULL,           pipeline,        NULL};
}

void
djp__pipeline_join(djp__pipeline *first, djp__pipeline *further)
{
    djp__pipeline **link = &first->further;
    further->first = first;
    for (djp__pipeline *one = first; one != NULL; one = one->further) {
        if (further->encodes == further && one->options.form == further->options.form) {
            further->encodes = one->encodes;
        }
        link = &one->further;
    }
    *link = further;
    /* The first one drains and ends for all. */
    further->batch_task.run = NULL;
    further->batch_task.next_due = NULL;
    further->batch_task.leave = NULL;
}

void
djp__pipeline_fini(djp__pipeline *pipeline)
{
    if (pipeline->signal == NULL) {
        return;
    }
    pipeline->signal->encode->free(pipeline->encoder);
    djp__queue_fini(&pipeline->queue);
    pipeline->transport->ops->free(pipeline->transport);
    djp__mutex_fini(&pipeline->work);
}

void
djp__pipeline_fork_child(djp__pipeline *pipeline)
{
    if (pipeline->transport->ops->abandon) {
        pipeline->transport->ops->abandon(pipeline->transport);
    }
    memset(&pipeline->stats, 0, sizeof pipeline->stats);
    pipeline->is_adopted = 0;
    pipeline->queue_blocked = 0;
    djp__queue_fork_child(&pipeline->queue);
    memset(&pipeline->delivery, 0, sizeof pipeline->delivery);
    djp__store_relaxed(&pipeline->flush_target, (uint64_t)0);
    if (pipeline->first == pipeline && pipeline->signal->drain->fork_child) {
        pipeline->signal->drain->fork_child(pipeline->source);
    }
}
