/* Sends the requests of one pipeline and records the result of each: sent, to retry, or lost with a
 * reason. A failure is attributed to the receiver: after it all requests wait, and one at a time
 * tests whether the receiver responds. While there is room, a request is lost only if the receiver
 * rejects it, or if it fails repeatedly while others succeed. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "pipeline/pipeline.h"

enum {
    SENDER__PASSED_OVER_MAX = 10, /* failures of a request while others succeed */
    SENDER__TIMEOUTS_MAX = 5, /* the receiver may have accepted it each time */
    SENDER__SINGLE_S = 60, /* one request at a time after one without a response */
    SENDER__SILENCE_NS = 250000000 /* a longer wait for a response appears in the status */
};

/* Finishes the request and publishes the progress. */
static void
sender_finish(djp__pipeline *pipeline, djp__request *request)
{
    djp__mutex_lock(&pipeline->work);
    djp__queue_finish(&pipeline->queue, request);
    uint64_t end = djp__queue_reap(&pipeline->queue);
    djp__mutex_unlock(&pipeline->work);
    djp__pipeline_complete(pipeline, end);
    djp__pipeline_complete_if_empty(pipeline);
}

static const char *
sender_message(const djp__send_result *result)
{
    return result->message[0] ? result->message : "no further information";
}

static void
sender_report(djp__pipeline *pipeline, const djp__request *request, const char *error)
{
    if (pipeline->options.on_sent) {
        pipeline->options.on_sent(pipeline->options.user, request, error);
    }
}

static void
sender_warn(djp__pipeline *pipeline, djp__loss reason, uint64_t items,
            const djp__send_result *result)
{
    if (!djp__every_minute(&pipeline->loss_warned)) {
        return;
    }
    djp__diag(pipeline->diag, DJP_LOG_WARN,
              "%llu %s were not delivered to %s (%s): %s. They are lost and counted; newer %s are "
              "still sent. "
              "Check that the receiver runs and accepts them.",
              (unsigned long long)items, pipeline->signal->item_name, pipeline->options.target,
              djp__loss_name(reason), sender_message(result), pipeline->signal->item_name);
}

static void
sender_lose(djp__pipeline *pipeline, djp__request *request, djp__loss reason,
            const djp__send_result *result)
{
    uint64_t items = request->items;
    djp__add_relaxed(&pipeline->stats.requests_failed, 1);
    djp__pipeline_lose(pipeline, reason, items, request->end);
    sender_report(pipeline, request, djp__loss_name(reason));
    sender_finish(pipeline, request);
    sender_warn(pipeline, reason, items, result);
}

/* The receiver responds: ends the wait. A success of a request that was in transit when another one
 * failed does not prove that. */
static void
sender_is_back(djp__pipeline *pipeline, const djp__request *request)
{
    djp__sender *sender = &pipeline->sender;
    if (sender->failing_since != 0 && request->sent_at <= sender->failed_at) {
        return;
    }
    sender->failing_since = 0;
    sender->wait_until = 0;
    djp__retry_init(&sender->backoff, 0, 0);
}

static void
sender_accept(djp__pipeline *pipeline, djp__request *request, const djp__send_result *result,
              uint64_t latency)
{
    uint64_t rejected = result->rejected < request->items ? result->rejected : request->items;
    sender_is_back(pipeline, request);
    pipeline->sender.accepted++;
    djp__store_relaxed(&pipeline->stats.consecutive_failures, (uint64_t)0);
    djp__store_relaxed(&pipeline->stats.last_latency_ns, latency);
    djp__store_relaxed(&pipeline->stats.last_success_unix_ns, djp__clock_realtime());
    djp__add_relaxed(&pipeline->stats.requests_ok, 1);
    djp__add_relaxed(&pipeline->stats.items_exported, request->items - rejected);
    djp__pipeline_lose(pipeline, DJP__LOSS_REJECTED, rejected, request->end);
    sender_report(pipeline, request, "");
    sender_finish(pipeline, request);
    if (rejected > 0) {
        sender_warn(pipeline, DJP__LOSS_REJECTED, rejected, result);
    }
}

/* Logs a long outage: as long as there is room, no loss reports it. */
static void
sender_report_outage(djp__pipeline *pipeline, uint64_t now, const djp__send_result *result)
{
    uint64_t timeout = pipeline->options.export_timeout_ns;
    if (now - pipeline->sender.failing_since < timeout ||
        !djp__every_minute(&pipeline->outage_warned)) {
        return;
    }
    djp__diag(
        pipeline->diag, DJP_LOG_WARN,
        "Nothing could be delivered to %s for %llu s: %s. %llu %s wait in memory and are sent when "
        "it is "
        "back; the oldest give way to new ones when %llu bytes wait. Check that the receiver runs.",
        pipeline->options.target,
        (unsigned long long)((now - pipeline->sender.failing_since) / 1000000000u),
        sender_message(result), (unsigned long long)djp__load_relaxed(&pipeline->queue.items),
        pipeline->signal->item_name, (unsigned long long)pipeline->queue.limit);
}

/* All requests wait for the time that the receiver requests, or for a growing back-off. Concurrent
 * attempts that fail count as one failure. */
static void
sender_back_off(djp__pipeline *pipeline, const djp__request *request,
                const djp__send_result *result)
{
    djp__sender *sender = &pipeline->sender;
    uint64_t now = djp__clock_monotonic();
    int together = sender->failing_since != 0 && request->sent_at <= sender->failed_at;
    if (sender->failing_since == 0) {
        sender->failing_since = request->sent_at;
        djp__retry_init(&sender->backoff, now, 0);
    }
    sender->failed_at = now;
    if (together && result->retry_after_ns == 0) {
        return;
    }
    uint64_t delay = djp__retry_delay(&sender->backoff, now, result->retry_after_ns, djp__rand64());
    uint64_t until = djp__saturate(now, delay);
    sender->is_requested = result->retry_after_ns != 0 || (together && sender->is_requested);
    sender->wait_until = until > sender->wait_until ? until : sender->wait_until;
    djp__diag(pipeline->diag, DJP_LOG_DEBUG,
              "An export of %llu %s failed (%s); next attempt in %llu ms.",
              (unsigned long long)request->items, pipeline->signal->item_name, result->message,
              (unsigned long long)(delay / 1000000u));
    sender_report_outage(pipeline, now, result);
}

static void
sender_retry(djp__pipeline *pipeline, djp__request *request, const djp__send_result *result)
{
    djp__sender *sender = &pipeline->sender;
    request->passed_over += request->attempts > 1 && sender->accepted != request->accepted_before;
    request->accepted_before = sender->accepted;
    if (request->passed_over >= SENDER__PASSED_OVER_MAX) {
        sender_lose(pipeline, request, DJP__LOSS_EXPORT_FAILED, result);
        return;
    }
    djp__queue_again(&pipeline->queue, request);
    sender_back_off(pipeline, request, result);
}

/* For the status report, whether or not the request is retried. */
static void
sender_note_failure(djp__pipeline *pipeline, const djp__send_result *result)
{
    djp__add_relaxed(&pipeline->stats.consecutive_failures, 1);
    djp__mutex_lock(&pipeline->worker->mutex);
    memcpy(pipeline->delivery.error, result->message, sizeof pipeline->delivery.error);
    pipeline->delivery.error[sizeof pipeline->delivery.error - 1] = '\0';
    if (!pipeline->delivery.error[0]) {
        strcpy(pipeline->delivery.error, result->outcome == DJP__SEND_ABORTED
                                             ? "no response in time"
                                             : "no further information");
    }
    pipeline->delivery.error_unix_ns = djp__clock_realtime();
    djp__mutex_unlock(&pipeline->worker->mutex);
}

/* Aborted, for the end of the process, for an override, or without a response in time. The receiver
 * may be overloaded or serve one connection at a time, so for a while it gets one request at a
 * time. */
static void
sender_aborted(djp__pipeline *pipeline, djp__request *request, const djp__send_result *result)
{
    djp__sender *sender = &pipeline->sender;
    uint64_t timeout =
        pipeline->transport->ops->is_patient ? 0 : pipeline->options.export_timeout_ns;
    int late = timeout != 0 && djp__clock_monotonic() - request->sent_at >= timeout;
    if (djp__pipeline_is_muted(pipeline)) {
        sender_lose(pipeline, request, DJP__LOSS_SWITCHED_OFF, result);
        return;
    }
    if (!late) {
        djp__queue_again(&pipeline->queue, request); /* waits until the end */
        return;
    }
    sender->single_until = djp__clock_monotonic() + SENDER__SINGLE_S * UINT64_C(1000000000);
    if (++request->timeouts >= SENDER__TIMEOUTS_MAX) {
        sender_lose(pipeline, request, DJP__LOSS_TIMEOUT, result);
    } else {
        sender_retry(pipeline, request, result);
    }
}

static void
sender_judge(djp__pipeline *pipeline, djp__request *request, const djp__send_result *result)
{
    djp__add_relaxed(&pipeline->stats.wire_bytes, result->wire_bytes);
    if (result->outcome == DJP__SENT) {
        sender_accept(pipeline, request, result, djp__clock_monotonic() - request->sent_at);
        return;
    }
    sender_note_failure(pipeline, result);
    if (result->outcome == DJP__SEND_RETRY) {
        sender_retry(pipeline, request, result);
    } else if (result->outcome == DJP__SEND_REJECTED) {
        sender_is_back(pipeline, request);
        sender_lose(pipeline, request, DJP__LOSS_REJECTED, result);
    } else {
        sender_aborted(pipeline, request, result);
    }
}

/* The end of one attempt; others may be in transit. */
static void
sender_end_attempt(void *user, void *tag, const djp__send_result *result)
{
    djp__pipeline *pipeline = user;
    sender_judge(pipeline, tag, result);
    djp__store_relaxed(&pipeline->stats.attempt_begun, djp__queue_sent_since(&pipeline->queue, 0));
}

/* 1: send no more requests: the worker stops, exports are muted, or the process ends and all its
 * items were sent. */
static int
sender_must_stop(djp__pipeline *pipeline)
{
    djp__worker *worker = pipeline->worker;
    if (djp__load_acquire(&worker->stop) || djp__pipeline_is_muted(pipeline)) {
        return 1;
    }
    if (worker->end_deadline == 0) {
        return 0;
    }
    djp__mutex_lock(&worker->mutex);
    int done = pipeline->delivery.completed >= pipeline->last;
    djp__mutex_unlock(&worker->mutex);
    return done;
}

static int
sender_is_ending(djp__pipeline *pipeline)
{
    return pipeline->worker->end_deadline != 0 || !djp__worker_is_open(pipeline->worker);
}

/* A flush ends a back-off early, and the end of the process also a wait that the receiver
 * requested, for one request. */
static void
sender_note_flush(djp__pipeline *pipeline)
{
    djp__sender *sender = &pipeline->sender;
    uint32_t requests = djp__load_acquire(&pipeline->flush_requests);
    if (requests != sender->requests_seen) {
        sender->requests_seen = requests;
        sender->may_try = !sender->is_requested || sender_is_ending(pipeline);
    }
}

/* While requests are in transit, a further connection is used only for a full batch, for a flush,
 * or when batches accumulate. */
static int
sender_is_worth_a_lane(djp__pipeline *pipeline, const djp__request *request, uint64_t now)
{
    uint64_t sending = pipeline->queue.sending;
    if (sending == 0 || now < pipeline->sender.single_until) {
        return sending == 0;
    }
    return request->is_full || djp__load_relaxed(&pipeline->queue.count) > sending + 1 ||
           djp__pipeline_is_flushing(pipeline);
}

/* Returns the request to send now, or NULL. After a failure, one request at a time tests the
 * receiver; those in transit before do not count. */
static djp__request *
sender_next(djp__pipeline *pipeline)
{
    djp__sender *sender = &pipeline->sender;
    uint64_t now = djp__clock_monotonic();
    sender_note_flush(pipeline);
    if (sender_must_stop(pipeline) || (now < sender->wait_until && !sender->may_try) ||
        (sender->failing_since != 0 &&
         djp__queue_sent_since(&pipeline->queue, sender->failed_at) != 0)) {
        return NULL;
    }
    djp__request *request = djp__queue_next(&pipeline->queue);
    if (request == NULL || !sender_is_worth_a_lane(pipeline, request, now)) {
        return NULL;
    }
    sender->may_try = 0;
    if (request->attempts > 0) {
        djp__add_relaxed(&pipeline->stats.retries, 1);
    } else {
        request->begun = now;
    }
    djp__add_relaxed(&pipeline->stats.attempts, 1);
    request->sent_at = now;
    djp__queue_begin(&pipeline->queue, request);
    if (djp__load_relaxed(&pipeline->stats.attempt_begun) == 0) {
        djp__store_relaxed(&pipeline->stats.attempt_begun, now);
    }
    return request;
}

static uint64_t
sender_deadline(const djp__pipeline *pipeline, const djp__request *request)
{
    uint64_t timeout =
        pipeline->transport->ops->is_patient ? 0 : pipeline->options.export_timeout_ns;
    return timeout ? djp__saturate(request->sent_at, timeout) : UINT64_MAX;
}

static int
sender_feed(void *user, djp__send_job *job)
{
    djp__pipeline *pipeline = user;
    djp__request *request = sender_next(pipeline);
    if (request == NULL) {
        return 0;
    }
    *job = (djp__send_job){request->body.data, request->body.size,
                           sender_deadline(pipeline, request), request};
    return 1;
}

static int
sender_poll(void *user)
{
    djp__pipeline *pipeline = user;
    int wish = djp__worker_poll(pipeline->worker);
    return djp__pipeline_is_muted(pipeline) ? DJP__SEND_GIVE_UP : wish;
}

static int
sender_poll_one(void *user)
{
    int wish = sender_poll(user);
    return wish == DJP__SEND_PAUSE ? DJP__SEND_GO_ON : wish;
}

/* For transports that send one request at a time. */
static void
sender_send_one(djp__pipeline *pipeline)
{
    djp__request *request = sender_next(pipeline);
    djp__send_result result;
    if (request == NULL) {
        return;
    }
    djp__send_control control = {sender_deadline(pipeline, request), sender_poll_one, pipeline};
    memset(&result, 0, sizeof result);
    pipeline->transport->ops->send(pipeline->transport, request->body.data, request->body.size,
                                   &control, &result);
    sender_end_attempt(pipeline, request, &result);
}

uint64_t
djp__sender_next_due(void *user, uint64_t now)
{
    djp__pipeline *pipeline = user;
    const djp__sender *sender = &pipeline->sender;
    if (!pipeline->is_adopted) {
        return UINT64_MAX;
    }
    if (pipeline->queue.sending > 0) {
        return now;
    }
    if (!djp__queue_next(&pipeline->queue)) {
        return UINT64_MAX;
    }
    int is_flushed = djp__load_acquire(&pipeline->flush_requests) != sender->requests_seen;
    return sender->may_try || is_flushed || now >= sender->wait_until ? now : sender->wait_until;
}

void
djp__sender_run(void *user, uint64_t now)
{
    djp__pipeline *pipeline = user;
    if (!pipeline->is_adopted) {
        return;
    }
    sender_note_flush(pipeline);
    if (pipeline->queue.sending == 0) {
        int has_any = djp__queue_next(&pipeline->queue) != NULL;
        pipeline->sender.may_try = pipeline->sender.may_try && has_any;
        if (!has_any || (now < pipeline->sender.wait_until && !pipeline->sender.may_try)) {
            return;
        }
    }
    djp__worker_begin_send(pipeline->worker, pipeline->transport, &pipeline->send_task);
    if (pipeline->transport->ops->run) {
        const djp__send_feed feed = {sender_poll, sender_feed, sender_end_attempt, pipeline};
        pipeline->transport->ops->run(pipeline->transport, &feed);
    } else {
        sender_send_one(pipeline);
    }
    djp__store_relaxed(&pipeline->stats.attempt_begun, djp__queue_sent_since(&pipeline->queue, 0));
    djp__worker_end_send(pipeline->worker);
}

static int
sender_feed_nothing(void *user, djp__send_job *job)
{
    (void)user;
    (void)job;
    return 0;
}

static int
sender_poll_end(void *user)
{
    (void)user;
    return DJP__SEND_GIVE_UP;
}

void
djp__sender_give_up(djp__pipeline *pipeline)
{
    const djp__send_feed feed = {sender_poll_end, sender_feed_nothing, sender_end_attempt,
                                 pipeline};
    if (pipeline->is_adopted && pipeline->queue.sending > 0) {
        djp__worker_begin_send(pipeline->worker, pipeline->transport, &pipeline->send_task);
        pipeline->transport->ops->run(pipeline->transport, &feed);
        djp__worker_end_send(pipeline->worker);
    }
}

void
djp__sender_error(djp__pipeline *pipeline, char out[256], uint64_t *unix_ns)
{
    uint64_t since = djp__load_relaxed(&pipeline->stats.attempt_begun),
             now = djp__clock_monotonic();
    *unix_ns = 0;
    out[0] = '\0';
    if (pipeline->signal == NULL) {
        return;
    }
    if (since != 0 && now > since && now - since >= SENDER__SILENCE_NS) {
        snprintf(out, 256, "%.160s: no response for %llu ms", pipeline->options.target,
                 (unsigned long long)((now - since) / 1000000u));
        return;
    }
    djp__mutex_lock(&pipeline->worker->mutex);
    memcpy(out, pipeline->delivery.error, sizeof pipeline->delivery.error);
    *unix_ns = pipeline->delivery.error_unix_ns;
    djp__mutex_unlock(&pipeline->worker->mutex);
}
