/* Sends requests and judges how each went: sent, to be repeated later, or lost for a named reason. Failures are the receiver's, not one
 * request's: after one everything waits, and one request at a time finds out whether it is back. Nothing is given up while there is room
 * to keep it, but what the receiver refuses, or fails again and again while it takes others. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "pipeline/pipeline.h"

enum {
    SENDER__PASSED_OVER_MAX = 10, /* failures of a request while others arrived */
    SENDER__TIMEOUTS_MAX = 5, /* the receiver may have taken it each time */
    SENDER__SINGLE_S = 60, /* one request at a time after one without an answer */
    SENDER__SILENCE_NS = 250000000 /* an answer that takes longer is told by the status */
};

/* While a thread is forking no send may begin, or the child would inherit a transport in the middle of something. */
static void
sender_begin(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->state);
    while (sdk->forks > 0) {
        djp__cond_wait(&sdk->changed, &sdk->state, UINT64_MAX);
    }
    djp_store_release(&sdk->sending, 1);
    djp__mutex_unlock(&sdk->state);
}

static void
sender_end(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->state);
    djp_store_release(&sdk->sending, 0);
    djp__cond_broadcast(&sdk->changed);
    djp__mutex_unlock(&sdk->state);
}

/* The request is dealt with; publishes how far everything is. */
static void
sender_done(djp_sdk *sdk, djp_request *request)
{
    djp__mutex_lock(&sdk->work);
    djp__queue_finish(&sdk->queue, request);
    uint64_t end = djp__queue_reap(&sdk->queue);
    djp__mutex_unlock(&sdk->work);
    djp__settle(sdk, end);
    djp__settle_if_empty(sdk);
}

static void
sender_warn(djp_sdk *sdk, djp_loss reason, uint64_t spans, const djp__send_result *result)
{
    if (!djp__every_minute(&sdk->loss_warned)) {
        return;
    }
    djp__diag(&sdk->diag, DJP_LOG_WARN,
              "%llu spans were not delivered to %s (%s): %s. They are lost and counted; newer spans are still sent. "
              "Check that "
              "the receiver runs and accepts them.",
              (unsigned long long)spans, djp__sdk_target(sdk), djp__loss_name(reason),
              result->message[0] ? result->message : "no further information");
}

static void
sender_lose(djp_sdk *sdk, djp_request *request, djp_loss reason, const djp__send_result *result)
{
    uint64_t spans = request->spans;
    djp_add_relaxed(&sdk->stats.requests_failed, 1);
    djp__loss(sdk, reason, spans, request->end);
    djp__sdk_metrics_otel_sent(sdk, request, djp__loss_name(reason));
    sender_done(sdk, request);
    sender_warn(sdk, reason, spans, result);
}

/* The receiver answers: nothing has to wait any longer. What was on its way already when another request failed does not say so. */
static void
sender_is_back(djp_sdk *sdk, const djp_request *request)
{
    if (sdk->failing_since != 0 && request->sent_at <= sdk->failed_at) {
        return;
    }
    sdk->failing_since = 0;
    sdk->hold_until = 0;
    djp__retry_init(&sdk->backoff, 0, 0);
}

static void
sender_accept(djp_sdk *sdk, djp_request *request, const djp__send_result *result, uint64_t latency)
{
    uint64_t rejected = result->rejected < request->spans ? result->rejected : request->spans;
    sender_is_back(sdk, request);
    sdk->accepted++;
    djp_store_relaxed(&sdk->stats.consecutive_failures, (uint64_t)0);
    djp_store_relaxed(&sdk->stats.last_latency_ns, latency);
    djp_store_relaxed(&sdk->stats.last_success_unix_ns, djp__clock_realtime());
    djp_add_relaxed(&sdk->stats.requests_ok, 1);
    djp_add_relaxed(&sdk->stats.spans_exported, request->spans - rejected);
    djp__loss(sdk, DJP_LOSS_REJECTED, rejected, request->end);
    djp__sdk_metrics_otel_sent(sdk, request, "");
    sender_done(sdk, request);
    if (rejected > 0) {
        sender_warn(sdk, DJP_LOSS_REJECTED, rejected, result);
    }
}

/* An outage that lasts is said, because no loss speaks for it as long as there is room. */
static void
sender_tell_outage(djp_sdk *sdk, uint64_t now, const djp__send_result *result)
{
    uint64_t timeout = sdk->options.export_timeout_ns;
    if (now - sdk->failing_since < timeout || !djp__every_minute(&sdk->outage_warned)) {
        return;
    }
    djp__diag(&sdk->diag, DJP_LOG_WARN,
              "Nothing could be delivered to %s for %llu s: %s. %llu spans wait in memory and are sent when it is "
              "back; the oldest give way "
              "to new ones when %llu bytes wait. Check that the receiver runs.",
              djp__sdk_target(sdk), (unsigned long long)((now - sdk->failing_since) / 1000000000u),
              result->message[0] ? result->message : "no further information",
              (unsigned long long)djp_load_relaxed(&sdk->queue.spans), (unsigned long long)sdk->queue.limit);
}

/* Everything waits as long as the receiver asks, or a back-off that grows. Attempts that were on their way together failed together:
 * they are one failure. */
static void
sender_hold(djp_sdk *sdk, const djp_request *request, const djp__send_result *result)
{
    uint64_t now = djp__clock_monotonic();
    int together = sdk->failing_since != 0 && request->sent_at <= sdk->failed_at;
    if (sdk->failing_since == 0) {
        sdk->failing_since = request->sent_at;
        djp__retry_init(&sdk->backoff, now, 0);
    }
    sdk->failed_at = now;
    if (together && result->retry_after_ns == 0) {
        return;
    }
    uint64_t delay = djp__retry_delay(&sdk->backoff, now, result->retry_after_ns, djp__rand64());
    uint64_t until = djp__saturate(now, delay);
    sdk->hold_is_wish = result->retry_after_ns != 0 || (together && sdk->hold_is_wish);
    sdk->hold_until = until > sdk->hold_until ? until : sdk->hold_until;
    djp__diag(&sdk->diag, DJP_LOG_DEBUG, "An export of %llu spans failed (%s); next attempt in %llu ms.",
              (unsigned long long)request->spans, result->message, (unsigned long long)(delay / 1000000u));
    sender_tell_outage(sdk, now, result);
}

static void
sender_retry(djp_sdk *sdk, djp_request *request, const djp__send_result *result)
{
    request->passed_over += request->attempts > 1 && sdk->accepted != request->accepted_before;
    request->accepted_before = sdk->accepted;
    if (request->passed_over >= SENDER__PASSED_OVER_MAX) {
        sender_lose(sdk, request, DJP_LOSS_EXPORT_FAILED, result);
        return;
    }
    djp__queue_again(&sdk->queue, request);
    sender_hold(sdk, request, result);
}

/* Kept for the status report, whether the request is tried again or not. */
static void
sender_note_failure(djp_sdk *sdk, const djp__send_result *result)
{
    djp_add_relaxed(&sdk->stats.consecutive_failures, 1);
    djp__mutex_lock(&sdk->state);
    memcpy(sdk->export_error, result->message, sizeof sdk->export_error);
    sdk->export_error[sizeof sdk->export_error - 1] = '\0';
    if (!sdk->export_error[0]) {
        strcpy(sdk->export_error,
               result->outcome == DJP__SEND_ABORTED ? "no answer in time" : "no further information");
    }
    sdk->export_error_unix_ns = djp__clock_realtime();
    djp__mutex_unlock(&sdk->state);
}

/* Given up on the way: for the sake of the end or of a switch, or because the receiver did not answer in time. It may have more than it
 * can do, or serve one connection at a time: for a while it gets no others. */
static void
sender_aborted(djp_sdk *sdk, djp_request *request, const djp__send_result *result)
{
    uint64_t timeout = sdk->transport->ops->is_patient ? 0 : sdk->options.export_timeout_ns;
    int late = timeout != 0 && djp__clock_monotonic() - request->sent_at >= timeout;
    if (djp__recorder_is_muted(sdk->recorder)) {
        sender_lose(sdk, request, DJP_LOSS_SWITCHED_OFF, result);
        return;
    }
    if (!late) {
        djp__queue_again(&sdk->queue, request); /* still waiting, until the end */
        return;
    }
    sdk->single_until = djp__clock_monotonic() + SENDER__SINGLE_S * UINT64_C(1000000000);
    if (++request->timeouts >= SENDER__TIMEOUTS_MAX) {
        sender_lose(sdk, request, DJP_LOSS_TIMEOUT, result);
    } else {
        sender_retry(sdk, request, result);
    }
}

static void
sender_judge(djp_sdk *sdk, djp_request *request, const djp__send_result *result)
{
    djp_add_relaxed(&sdk->stats.wire_bytes, result->wire_bytes);
    if (result->outcome == DJP__SENT) {
        sender_accept(sdk, request, result, djp__clock_monotonic() - request->sent_at);
        return;
    }
    sender_note_failure(sdk, result);
    if (result->outcome == DJP__SEND_RETRY) {
        sender_retry(sdk, request, result);
    } else if (result->outcome == DJP__SEND_REJECTED) {
        sender_is_back(sdk, request);
        sender_lose(sdk, request, DJP_LOSS_REJECTED, result);
    } else {
        sender_aborted(sdk, request, result);
    }
}

/* The end of one attempt, while others may be on their way. */
static void
sender_done_with(void *user, void *tag, const djp__send_result *result)
{
    djp_sdk *sdk = user;
    sender_judge(sdk, tag, result);
    djp_store_relaxed(&sdk->stats.attempt_begun, djp__queue_sent_since(&sdk->queue, 0));
}

/* 1 when no further request should leave: the process is ending, or spans were switched off. */
static int
sender_must_stop(djp_sdk *sdk)
{
    if (djp_load_acquire(&sdk->stop) || djp__recorder_is_muted(sdk->recorder)) {
        return 1;
    }
    if (sdk->terminate_deadline == 0) {
        return 0;
    }
    djp__mutex_lock(&sdk->state);
    int done = sdk->settled >= sdk->terminate_target;
    djp__mutex_unlock(&sdk->state);
    return done;
}

static int
sender_is_ending(djp_sdk *sdk)
{
    djp__mutex_lock(&sdk->state);
    int ending = sdk->phase != DJP_PHASE_OPEN || sdk->terminate_deadline != 0;
    djp__mutex_unlock(&sdk->state);
    return ending;
}

/* A flush cuts a back-off short, and the end of the process what the receiver asked for, too: for one request. */
static void
sender_hear_hurry(djp_sdk *sdk)
{
    uint32_t hurry = djp_load_acquire(&sdk->hurry);
    if (hurry != sdk->hurry_seen) {
        sdk->hurry_seen = hurry;
        sdk->wants_one = !sdk->hold_is_wish || sender_is_ending(sdk);
    }
}

/* While others are on their way a further connection is worth it for a full batch, for a flush, or when batches pile up. */
static int
sender_is_worth_a_lane(djp_sdk *sdk, const djp_request *request, uint64_t now)
{
    uint64_t sending = sdk->queue.sending;
    if (sending == 0 || now < sdk->single_until) {
        return sending == 0;
    }
    return request->is_full || djp_load_relaxed(&sdk->queue.count) > sending + 1 || djp__worker_is_flushing(sdk);
}

/* The request that leaves now, or NULL. After a failure one at a time finds out whether the receiver is back; those that were on their
 * way before do not count. */
static djp_request *
sender_next(djp_sdk *sdk)
{
    uint64_t now = djp__clock_monotonic();
    sender_hear_hurry(sdk);
    if (sender_must_stop(sdk) || (now < sdk->hold_until && !sdk->wants_one) ||
        (sdk->failing_since != 0 && djp__queue_sent_since(&sdk->queue, sdk->failed_at) != 0)) {
        return NULL;
    }
    djp_request *request = djp__queue_next(&sdk->queue);
    if (!request || !sender_is_worth_a_lane(sdk, request, now)) {
        return NULL;
    }
    sdk->wants_one = 0;
    if (request->attempts > 0) {
        djp_add_relaxed(&sdk->stats.retries, 1);
    } else {
        request->begun = now;
    }
    djp_add_relaxed(&sdk->stats.attempts, 1);
    request->sent_at = now;
    djp__queue_begin(&sdk->queue, request);
    if (djp_load_relaxed(&sdk->stats.attempt_begun) == 0) {
        djp_store_relaxed(&sdk->stats.attempt_begun, now);
    }
    return request;
}

static uint64_t
sender_deadline(const djp_sdk *sdk, const djp_request *request)
{
    uint64_t timeout = sdk->transport->ops->is_patient ? 0 : sdk->options.export_timeout_ns;
    return timeout ? djp__saturate(request->sent_at, timeout) : UINT64_MAX;
}

static int
sender_feed(void *user, djp__send_job *job)
{
    djp_sdk *sdk = user;
    djp_request *request = sender_next(sdk);
    if (!request) {
        return 0;
    }
    *job = (djp__send_job){request->body.data, request->body.size, sender_deadline(sdk, request), request};
    return 1;
}

/* For transports that send one request at a time. */
static void
sender_send_one(djp_sdk *sdk, int (*poll)(void *user))
{
    djp_request *request = sender_next(sdk);
    djp__send_result result;
    if (!request) {
        return;
    }
    djp__send_control control = {sender_deadline(sdk, request), poll, sdk};
    memset(&result, 0, sizeof result);
    sdk->transport->ops->send(sdk->transport, request->body.data, request->body.size, &control, &result);
    sender_done_with(sdk, request, &result);
}

uint64_t
djp__sender_step(djp_sdk *sdk, uint64_t now, int (*poll)(void *user))
{
    sender_hear_hurry(sdk);
    if (!djp__queue_next(&sdk->queue)) {
        sdk->wants_one = 0;
        return UINT64_MAX;
    }
    if (now < sdk->hold_until && !sdk->wants_one) {
        return sdk->hold_until;
    }
    sender_begin(sdk);
    if (sdk->transport->ops->run) {
        const djp__send_feed feed = {poll, sender_feed, sender_done_with, sdk};
        sdk->transport->ops->run(sdk->transport, &feed);
    } else {
        sender_send_one(sdk, poll);
    }
    djp_store_relaxed(&sdk->stats.attempt_begun, (uint64_t)0);
    sender_end(sdk);
    return 0;
}

void
djp__sender_error(djp_sdk *sdk, char out[256], uint64_t *unix_ns)
{
    uint64_t since = djp_load_relaxed(&sdk->stats.attempt_begun), now = djp__clock_monotonic();
    *unix_ns = 0;
    if (since != 0 && now > since && now - since >= SENDER__SILENCE_NS) {
        snprintf(out, 256, "%.160s: no answer for %llu ms", djp__sdk_target(sdk),
                 (unsigned long long)((now - since) / 1000000u));
        return;
    }
    djp__mutex_lock(&sdk->state);
    memcpy(out, sdk->export_error, sizeof sdk->export_error);
    *unix_ns = sdk->export_error_unix_ns;
    djp__mutex_unlock(&sdk->state);
}
