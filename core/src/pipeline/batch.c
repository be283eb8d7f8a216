/* From the ring to finished requests: drains records into the encoder, cuts batches, and keeps the books of what was lost and how
 * far everything has been dealt with. Nothing here waits, sends or logs; the caller holds `work`. */
#include "base/clock.h"
#include "pipeline/pipeline.h"

const char *
djp__loss_name(djp_loss reason)
{
    static const char *const names[] = {
#define COLLECT_LOSS_NAME(name, text) text,
        DJP_LOSS_MAP(COLLECT_LOSS_NAME)
#undef COLLECT_LOSS_NAME
    };
    return reason < DJP_LOSS_COUNT ? names[reason] : "unknown";
}

void
djp__loss(djp_sdk *sdk, djp_loss reason, uint64_t spans, uint64_t end)
{
    if (spans == 0) {
        return;
    }
    djp_add_relaxed(&sdk->stats.lost[reason], spans);
    djp__mutex_lock(&sdk->state);
    if (end > sdk->told) {
        sdk->lost_untold += spans;
        sdk->rejected_untold += reason == DJP_LOSS_REJECTED ? spans : 0;
    }
    djp__mutex_unlock(&sdk->state);
}

void
djp__settle(djp_sdk *sdk, uint64_t position)
{
    djp__mutex_lock(&sdk->state);
    if (position > sdk->settled) {
        sdk->settled = position;
        djp__cond_broadcast(&sdk->changed);
    }
    djp__mutex_unlock(&sdk->state);
}

void
djp__settle_if_empty(djp_sdk *sdk)
{
    if (djp_load_relaxed(&sdk->queue.count) == 0 && (!sdk->encoder || djp__encoder_items(sdk->encoder) == 0)) {
        djp__settle(sdk, djp__ring_consumed(sdk->ring));
    }
}

/* During an outage everything is kept that fits; then the newest spans are worth more than those that had their time: gives up the
 * oldest requests that wait, once they are older than the export timeout, never one that is being sent. */
static int
collect_make_room(djp_sdk *sdk, uint64_t bytes, uint64_t now)
{
    uint64_t timeout = sdk->options.export_timeout_ns;
    if (timeout == 0 || djp_load_relaxed(&sdk->stats.consecutive_failures) == 0) {
        return 0;
    }
    while (!djp__queue_has_room(&sdk->queue, bytes)) {
        djp_request *oldest = djp__queue_oldest_waiting(&sdk->queue);
        if (!oldest || now < djp__saturate(oldest->born, timeout)) {
            return 0;
        }
        djp__loss(sdk, DJP_LOSS_QUEUE_FULL, oldest->spans, oldest->end);
        djp__queue_finish(&sdk->queue, oldest);
    }
    return 1;
}

int
djp__collect_close(djp_sdk *sdk, uint64_t now, int is_full)
{
    uint64_t spans = djp__encoder_items(sdk->encoder);
    if (spans == 0) {
        return 1;
    }
    uint64_t bytes = djp__encoder_bytes(sdk->encoder);
    if (!djp__queue_has_room(&sdk->queue, bytes) && !collect_make_room(sdk, bytes, now)) {
        return 0;
    }
    djp_request *request = djp__queue_take(&sdk->queue);
    if (!request) {
        return 0;
    }
    int failed = djp__encoder_finish(sdk->encoder, &request->body) != 0 || request->body.failed;
    uint64_t left = djp__encoder_items(sdk->encoder);
    request->spans = spans - left;
    request->end = djp__ring_consumed(sdk->ring);
    request->born = now;
    request->is_full = is_full || left > 0;
    if (failed || request->body.size > sdk->options.max_request_bytes) {
        djp__loss(sdk, failed ? DJP_LOSS_ENCODE_NO_MEMORY : DJP_LOSS_TOO_LARGE, request->spans, request->end);
        djp__queue_give(&sdk->queue, request);
        return left == 0;
    }
    djp__queue_push(&sdk->queue, request);
    return 1;
}

/* 1 when the record must wait for a new batch. */
static int
collect_is_full(const djp_sdk *sdk, size_t size)
{
    size_t spans = djp__encoder_items(sdk->encoder);
    return spans > 0 &&
           (spans >= sdk->options.max_batch_spans || djp__encoder_bytes(sdk->encoder) + size > sdk->batch_bytes);
}

static void
collect_take(djp_sdk *sdk, const void *bytes, size_t size)
{
    const djp_span_record *record = bytes;
    int code = DJP_EPROTO;
    if (size >= sizeof *record && record->type == DJP_RECORD_SPAN && record->size <= size) {
        code = djp__encoder_add(sdk->encoder, record);
    }
    djp__ring_consume(sdk->ring);
    if (code != 0) {
        djp__loss(sdk, code == DJP_ENOMEM ? DJP_LOSS_ENCODE_NO_MEMORY : DJP_LOSS_DAMAGED, 1,
                  djp__ring_consumed(sdk->ring));
    }
}

uint64_t
djp__collect_drain(djp_sdk *sdk, uint64_t now)
{
    /* What is written meanwhile is for the next round: a fast writer must not keep the worker from sending. */
    uint64_t until = djp__ring_written(sdk->ring);
    uint64_t taken = 0;
    size_t size = 0;
    sdk->queue_blocked = 0;
    while (djp__ring_consumed(sdk->ring) < until) {
        const void *record = djp__ring_peek(sdk->ring, &size);
        if (!record) {
            break;
        }
        if (collect_is_full(sdk, size) && !djp__collect_close(sdk, now, 1)) {
            sdk->queue_blocked = 1;
            break;
        }
        collect_take(sdk, record, size);
        taken++;
    }
    if (djp__encoder_items(sdk->encoder) >= sdk->options.max_batch_spans) {
        djp__collect_close(sdk, now, 1);
    }
    djp_store_relaxed(&sdk->stats.in_encoder, (uint64_t)djp__encoder_items(sdk->encoder));
    return taken;
}

/* What the encoder holds is as good as gone. Returns its spans. */
static uint64_t
collect_empty_encoder(djp_sdk *sdk)
{
    uint64_t spans = sdk->encoder ? djp__encoder_items(sdk->encoder) : 0, left = spans;
    djp_buf body;
    djp__buf_init(&body, 0);
    while (left > 0 && djp__encoder_finish(sdk->encoder, &body) == 0 && djp__encoder_items(sdk->encoder) < left) {
        left = djp__encoder_items(sdk->encoder);
        djp__buf_clear(&body);
    }
    djp__buf_fini(&body);
    return spans - left;
}

void
djp__collect_drop(djp_sdk *sdk, djp_loss reason)
{
    size_t size = 0;
    uint64_t lost = djp_load_relaxed(&sdk->queue.spans) + collect_empty_encoder(sdk);
    while (djp__ring_peek(sdk->ring, &size)) {
        djp__ring_consume(sdk->ring);
        lost++;
    }
    if (sdk->queue.head) {
        djp__queue_fini(&sdk->queue);
    }
    sdk->queue_blocked = 0;
    djp_store_relaxed(&sdk->stats.in_encoder, (uint64_t)djp__encoder_items(sdk->encoder));
    djp__loss(sdk, reason, lost, djp__ring_consumed(sdk->ring));
}

void
djp__collect_discard(djp_sdk *sdk, djp_loss reason)
{
    uint64_t lost = djp_load_relaxed(&sdk->queue.spans);
    size_t size = 0;
    while (djp__ring_peek(sdk->ring, &size)) {
        djp__ring_consume(sdk->ring);
        lost++;
    }
    if (sdk->encoder) {
        lost += sdk->adopted ? djp__encoder_items(sdk->encoder) : 0; /* else they are the parent's */
        djp__encoder_free(sdk->encoder);
        sdk->encoder = NULL;
    }
    djp__queue_fini(&sdk->queue);
    djp_store_relaxed(&sdk->stats.in_encoder, (uint64_t)0);
    djp__loss(sdk, reason, lost, djp__ring_consumed(sdk->ring));
    djp__settle(sdk, djp__ring_consumed(sdk->ring));
}
