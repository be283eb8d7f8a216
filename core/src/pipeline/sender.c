/* Sends the oldest request, one attempt a step, and judges the outcome: sent, to be repeated later, or lost for a named reason. A
 * request has export_timeout from its first attempt, so one that fails cannot hold up newer ones for ever. */
#include <string.h>

#include "base/clock.h"
#include "base/rand.h"
#include "pipeline/pipeline.h"

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

/* Removes the oldest request and publishes that it is dealt with. */
static void
sender_done(djp_sdk *sdk, const djp_request *request)
{
    uint64_t end = request->end;
    djp_store_relaxed(&sdk->stats.inflight, (uint64_t)0);
    djp__mutex_lock(&sdk->work);
    djp__queue_pop(&sdk->queue);
    djp__mutex_unlock(&sdk->work);
    djp__settle(sdk, end);
    djp__settle_if_empty(sdk);
}

static void
sender_warn(djp_sdk *sdk, djp_loss reason, uint64_t spans, const djp_send_result *result)
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
sender_lose(djp_sdk *sdk, const djp_request *request, djp_loss reason, const djp_send_result *result)
{
    uint64_t spans = request->spans;
    djp_add_relaxed(&sdk->stats.requests_failed, 1);
    djp__loss(sdk, reason, spans, request->end);
    djp__self_otel_sent(sdk, request, djp__loss_name(reason));
    sender_done(sdk, request);
    sender_warn(sdk, reason, spans, result);
}

static void
sender_accept(djp_sdk *sdk, const djp_request *request, const djp_send_result *result, uint64_t latency)
{
    uint64_t rejected = result->rejected < request->spans ? result->rejected : request->spans;
    djp_store_relaxed(&sdk->stats.consecutive_failures, (uint64_t)0);
    djp_store_relaxed(&sdk->stats.last_latency_ns, latency);
    djp_store_relaxed(&sdk->stats.last_success_unix_ns, djp__clock_realtime());
    djp_add_relaxed(&sdk->stats.requests_ok, 1);
    djp_add_relaxed(&sdk->stats.spans_exported, request->spans - rejected);
    djp__loss(sdk, DJP_LOSS_REJECTED, rejected, request->end);
    djp__self_otel_sent(sdk, request, "");
    sender_done(sdk, request);
    if (rejected > 0) {
        sender_warn(sdk, DJP_LOSS_REJECTED, rejected, result);
    }
}

static void
sender_retry(djp_sdk *sdk, djp_request *request, const djp_send_result *result)
{
    uint64_t now = djp__clock_monotonic();
    uint64_t delay = djp__retry_delay(&request->retry, now, result->retry_after_ns, djp__rand64());
    if (delay == UINT64_MAX) {
        sender_lose(sdk, request, DJP_LOSS_EXPORT_FAILED, result);
        return;
    }
    request->next_attempt = djp__saturate(now, delay);
    djp__diag(&sdk->diag, DJP_LOG_DEBUG, "An export of %llu spans failed (%s); next attempt in %llu ms.",
              (unsigned long long)request->spans, result->message, (unsigned long long)(delay / 1000000u));
}

/* Kept for the status report, whether the request is tried again or not. */
static void
sender_note_failure(djp_sdk *sdk, const djp_send_result *result)
{
    djp_add_relaxed(&sdk->stats.consecutive_failures, 1);
    djp__mutex_lock(&sdk->state);
    memcpy(sdk->export_error, result->message, sizeof sdk->export_error);
    sdk->export_error[sizeof sdk->export_error - 1] = '\0';
    if (!sdk->export_error[0]) {
        strcpy(sdk->export_error, result->outcome == DJP_SEND_ABORTED ? "no answer in time" : "no further information");
    }
    sdk->export_error_unix_ns = djp__clock_realtime();
    djp__mutex_unlock(&sdk->state);
}

static void
sender_judge(djp_sdk *sdk, djp_request *request, const djp_send_result *result, uint64_t latency)
{
    djp_add_relaxed(&sdk->stats.wire_bytes, result->wire_bytes);
    if (result->outcome == DJP_SENT) {
        sender_accept(sdk, request, result, latency);
        return;
    }
    sender_note_failure(sdk, result);
    if (result->outcome == DJP_SEND_RETRY) {
        sender_retry(sdk, request, result);
    } else if (result->outcome == DJP_SEND_REJECTED) {
        sender_lose(sdk, request, DJP_LOSS_REJECTED, result);
    } else if (djp_load_acquire(&sdk->toggle.mute)) {
        sender_lose(sdk, request, DJP_LOSS_SWITCHED_OFF, result);
    } else if ((!djp_load_acquire(&sdk->stop) && !djp_load_acquire(&sdk->terminating)) ||
               djp__clock_monotonic() >= request->retry.deadline) {
        /* Aborted for the sake of the end, it is still waiting and has until then; out of time, it only keeps others from it. */
        sender_lose(sdk, request, DJP_LOSS_TIMEOUT, result);
    }
}

uint64_t
djp__sender_step(djp_sdk *sdk, uint64_t now, int (*poll)(void *user))
{
    djp_request *request = sdk->queue.head;
    if (!request) {
        return UINT64_MAX;
    }
    uint32_t hurry = djp_load_acquire(&sdk->hurry);
    if (hurry != sdk->hurry_seen) {
        sdk->hurry_seen = hurry;
        request->next_attempt = 0;
    }
    if (request->next_attempt > now) {
        return request->next_attempt;
    }
    if (request->attempted) {
        djp_add_relaxed(&sdk->stats.retries, 1);
    } else {
        request->attempted = 1;
        request->begun = now;
        djp_store_relaxed(&sdk->stats.inflight, request->spans);
        djp__retry_init(&request->retry, now, sdk->options.export_timeout_ns);
    }
    djp_add_relaxed(&sdk->stats.attempts, 1);
    djp_send_control control = {request->retry.deadline, poll, sdk};
    djp_send_result result;
    memset(&result, 0, sizeof result);
    sender_begin(sdk);
    djp_store_relaxed(&sdk->stats.attempt_begun, now | 1);
    sdk->transport->ops->send(sdk->transport, request->body.data, request->body.size, &control, &result);
    djp_store_relaxed(&sdk->stats.attempt_begun, (uint64_t)0);
    sender_end(sdk);
    sender_judge(sdk, request, &result, djp__clock_monotonic() - now);
    return 0;
}
