/* Drains records into the encoder, builds batches, counts losses and tracks progress. Does not send
 * or wait. */
#include "pipeline/pipeline.h"

#include <string.h>

#include "base/clock.h"

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

static uint64_t
pipeline_encoded(const djp__pipeline *pipeline)
{
    return pipeline->encoder ? pipeline->signal->encode->items(pipeline->encoder) : 0;
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
    if (djp__load_relaxed(&pipeline->queue.count) == 0 && pipeline_encoded(pipeline) == 0) {
        djp__pipeline_complete(pipeline, pipeline_consumed(pipeline));
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

static void
pipeline_lose_oldest(void *user, const djp__request *request)
{
    djp__pipeline_lose(user, DJP__LOSS_QUEUE_FULL, request->items, request->end);
}

/* During an outage newer items replace those that are older than the export timeout. */
static int
pipeline_make_room(djp__pipeline *pipeline, uint64_t bytes, uint64_t now)
{
    uint64_t timeout = pipeline->options.export_timeout_ns;
    int is_outage = djp__load_relaxed(&pipeline->stats.consecutive_failures) > 0;
    if (timeout == 0 || timeout > now || !is_outage) {
        return djp__queue_has_room(&pipeline->queue, bytes);
    }
    return djp__queue_make_room(&pipeline->queue, bytes, now - timeout, pipeline_lose_oldest,
                                pipeline);
}

/* Makes a request of the current batch; 0 if the queue has no room. is_full: closed because of its
 * size. */
static int
pipeline_close(djp__pipeline *pipeline, uint64_t now, int is_full)
{
    const djp__encode *encode = pipeline->signal->encode;
    uint64_t items = pipeline_encoded(pipeline);
    if (items == 0) {
        return 1;
    }
    uint64_t bytes = encode->bytes(pipeline->encoder);
    if (!pipeline_make_room(pipeline, bytes, now)) {
        return 0;
    }
    djp__request *request = djp__queue_take(&pipeline->queue);
    if (request == NULL) {
        return 0;
    }
    int failed = encode->finish(pipeline->encoder, &request->body) != 0 || request->body.failed;
    uint64_t left = pipeline_encoded(pipeline);
    request->items = items - left;
    request->end = pipeline_consumed(pipeline);
    request->born = now;
    request->is_full = is_full || left > 0;
    if (failed || request->body.size > pipeline->options.max_request_bytes) {
        djp__pipeline_lose(pipeline, failed ? DJP__LOSS_ENCODE_NO_MEMORY : DJP__LOSS_TOO_LARGE,
                           request->items, request->end);
        djp__queue_give(&pipeline->queue, request);
        return left == 0;
    }
    djp__queue_push(&pipeline->queue, request);
    return 1;
}

/* 1: the record needs a new batch. */
static int
pipeline_is_full(const djp__pipeline *pipeline, size_t size)
{
    uint64_t items = pipeline_encoded(pipeline);
    return items > 0 && (items >= pipeline->options.batch_items ||
                         pipeline->signal->encode->bytes(pipeline->encoder) + size >
                             pipeline->options.batch_bytes);
}

static void
pipeline_take(djp__pipeline *pipeline, const void *record, size_t size)
{
    int code = pipeline->signal->encode->add(pipeline->encoder, record, size);
    uint64_t items = pipeline_consume(pipeline);
    if (code != 0) {
        djp__loss reason = code == DJP_ENOMEM ? DJP__LOSS_ENCODE_NO_MEMORY : DJP__LOSS_DAMAGED;
        djp__pipeline_lose(pipeline, reason, items, pipeline_consumed(pipeline));
    }
}

static void
pipeline_count_encoded(djp__pipeline *pipeline)
{
    djp__store_relaxed(&pipeline->stats.in_encoder, pipeline_encoded(pipeline));
}

/* Source -> encoder -> queue; `work` is held. Returns the number of records taken. */
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
        if (pipeline_is_full(pipeline, size) && !pipeline_close(pipeline, now, 1)) {
            pipeline->queue_blocked = 1;
            break;
        }
        pipeline_take(pipeline, record, size);
        taken++;
    }
    if (pipeline_encoded(pipeline) >= pipeline->options.batch_items) {
        pipeline_close(pipeline, now, 1);
    }
    pipeline_count_encoded(pipeline);
    return taken;
}

/* ---- discarded items ---- */

/* Discards the content of the encoder. Returns its number of items. */
static uint64_t
pipeline_empty_encoder(djp__pipeline *pipeline)
{
    uint64_t items = pipeline_encoded(pipeline), left = items;
    djp__buf body;
    djp__buf_init(&body, 0);
    while (left > 0 && pipeline->signal->encode->finish(pipeline->encoder, &body) == 0 &&
           pipeline_encoded(pipeline) < left) {
        left = pipeline_encoded(pipeline);
        djp__buf_clear(&body);
    }
    djp__buf_fini(&body);
    return items - left;
}

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

/* Switched off: all waiting items are lost. `work` is held; nothing is being sent. */
static void
pipeline_drop(djp__pipeline *pipeline)
{
    uint64_t lost = djp__load_relaxed(&pipeline->queue.items) + pipeline_empty_encoder(pipeline);
    lost += pipeline_empty_source(pipeline);
    if (pipeline->queue.head) {
        djp__queue_fini(&pipeline->queue);
    }
    pipeline->queue_blocked = 0;
    pipeline_count_encoded(pipeline);
    djp__pipeline_lose(pipeline, DJP__LOSS_SWITCHED_OFF, lost, pipeline_consumed(pipeline));
}

void
djp__pipeline_discard(djp__pipeline *pipeline, djp__loss reason)
{
    djp__mutex_lock(&pipeline->work);
    uint64_t lost = djp__load_relaxed(&pipeline->queue.items) + pipeline_empty_source(pipeline);
    if (pipeline->encoder) {
        /* if not, they belong to the parent */
        lost += pipeline->is_adopted ? pipeline_encoded(pipeline) : 0;
        pipeline->signal->encode->free(pipeline->encoder);
        pipeline->encoder = NULL;
    }
    djp__queue_fini(&pipeline->queue);
    djp__store_relaxed(&pipeline->stats.in_encoder, (uint64_t)0);
    djp__pipeline_lose(pipeline, reason, lost, pipeline_consumed(pipeline));
    djp__pipeline_complete(pipeline, pipeline_consumed(pipeline));
    djp__mutex_unlock(&pipeline->work);
}

void
djp__pipeline_count_waiting(djp__pipeline *pipeline, djp__loss reason)
{
    djp__mutex_lock(&pipeline->work);
    uint64_t lost = djp__load_relaxed(&pipeline->queue.items) + pipeline_encoded(pipeline);
    lost += pipeline_empty_source(pipeline);
    djp__mutex_unlock(&pipeline->work);
    djp__pipeline_lose(pipeline, reason, lost, pipeline_consumed(pipeline));
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

/* Creates encoder and queue in this process. In a forked child the inherited ones belong to the
 * parent and are only freed. 0 without memory. */
static int
pipeline_adopt(djp__pipeline *pipeline, uint64_t now)
{
    void *encoder = NULL;
    if (pipeline->is_adopted && pipeline->encoder) {
        return 1;
    }
    if (now < pipeline->timer.retry_at ||
        pipeline->signal->encode->create(&encoder, pipeline->source) != 0) {
        pipeline->timer.retry_at =
            now < pipeline->timer.retry_at ? pipeline->timer.retry_at : now + PIPELINE__PAUSE_NS;
        return 0;
    }
    djp__mutex_lock(&pipeline->work);
    if (!pipeline->is_adopted) {
        pipeline->signal->encode->free(pipeline->encoder);
        djp__queue_fini(&pipeline->queue);
        pipeline->is_adopted = 1;
    }
    pipeline->encoder = encoder;
    djp__mutex_unlock(&pipeline->work);
    return 1;
}

/* Muted: drops all waiting items, after cancelling requests that are being sent. */
static void
pipeline_run_muted(djp__pipeline *pipeline, uint64_t now)
{
    djp__batch_timer *timer = &pipeline->timer;
    if (pipeline->queue.sending > 0) {
        return;
    }
    djp__mutex_lock(&pipeline->work);
    pipeline_drop(pipeline);
    djp__mutex_unlock(&pipeline->work);
    djp__pipeline_complete_if_empty(pipeline);
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
    int closed = pipeline_close(pipeline, now, 0);
    pipeline_count_encoded(pipeline);
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
    int is_flushing = djp__pipeline_is_flushing(pipeline);
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
    djp__pipeline_complete_if_empty(pipeline);
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
    if (!pipeline->is_adopted || !pipeline->encoder) {
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
    djp__sender_give_up(pipeline);
    djp__pipeline_discard(pipeline, DJP__LOSS_SHUTDOWN);
    if (pipeline->transport->ops->leave) {
        pipeline->transport->ops->leave(pipeline->transport);
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
    djp__mutex_init(&pipeline->work);
    djp__queue_init(&pipeline->queue, options->queue_bytes);
    pipeline->batch_task =
        (djp__task){"batch",        DJP__TASK_ALWAYS, djp__pipeline_run, pipeline_next_due,
                    pipeline_enter, pipeline_leave,   pipeline,          NULL};
    pipeline->send_task = (djp__task){"send", DJP__TASK_SEND, djp__sender_run, djp__sender_next_due,
                                      NULL,   NULL,           pipeline,        NULL};
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
    if (pipeline->signal->drain->fork_child) {
        pipeline->signal->drain->fork_child(pipeline->source);
    }
}
