/* Applies the span rate limit to a local trace that would be sampled: finds its route, its class
 * and its randomness; rate_limit.c has the limit. Not used without a limit. */
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "sampling/rate_limit.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

/* Spans of an operation log are reported some time after their end; older ends count as this
 * old. */
#define LOCAL_LIMIT__LAG_NS 60000000000ull

/* The attribute http.route, else the name; never DJP__RATE_ROUTE_UNKNOWN. */
static uint64_t
local_limit_route(const djp__span_record *record, djp_key key)
{
    djp_text route = {(const char *)record + record->name_at,
                      record->name_at ? record->name_size : 0};
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        if (item->key == key && djp__item_kind(item) == DJP_ITEM_ATTRIBUTE &&
            djp__item_type(item) == DJP_STRING) {
            route = (djp_text){djp__item_payload(item), djp__item_size(item)};
        }
    }
    return djp__hash(route.data, route.size) | 1u;
}

static uint64_t
local_limit_now(const djp__local_trace *local, uint64_t end_unix_ns)
{
    uint64_t now = djp__clock_monotonic(), end = end_unix_ns - (uint64_t)local->anchor;
    uint64_t oldest = now > LOCAL_LIMIT__LAG_NS ? now - LOCAL_LIMIT__LAG_NS : 0;
    end = end_unix_ns == 0 || end > now ? now : end;
    return end < oldest ? oldest : end;
}

djp__verdict
djp__local_limit_ask(const djp__local_trace *local, djp__verdict verdict,
                     const djp__limit_question *question)
{
    djp_recorder *recorder = local->root->recorder;
    const djp__span_record *identity = djp__span_identity(local->root);
    int self = djp__verdict_counts_once(verdict);
    int unknown = !self && local->threshold == DJP__THRESHOLD_NONE;
    int unweighted = unknown && local->head_reason != DJP_REASON_ALWAYS;
    djp__rate_look look = {
        .route = question->root_ended ? local_limit_route(local->root->record, recorder->route_key)
                                      : DJP__RATE_ROUTE_UNKNOWN,
        .group = self ? DJP_RATE_SELF : DJP_RATE_HEAD,
        .spans = question->spans,
        .own = self      ? local->recorded
               : unknown ? 0
                         : local->threshold,
        .now_ns = local_limit_now(local, question->end_unix_ns),
    };
    /* If the parent's sampling probability is unknown, the randomness of the id is used up; another
     * random number serves, with an unknown adjusted count. */
    look.random = unweighted ? djp__hash(identity->trace_id, sizeof identity->trace_id) &
                                   (DJP__THRESHOLD_NEVER - 1)
                             : djp__randomness_of(identity->trace_id, local->state);
    uint64_t threshold = 0;
    switch (djp__rate_limit_look(recorder->limit, &look, &threshold)) {
    case DJP_RATE_LIMITED:
        return djp__verdict_of(DJP_REASON_RATE_LIMITED, (uint8_t)self);
    case DJP_RATE_BURST:
        return djp__verdict_of(DJP_REASON_RATE_BURST, (uint8_t)self);
    case DJP_RATE_KEPT:
        break;
    }
    return unweighted || threshold == look.own ? verdict : djp__verdict_raise(verdict, threshold);
}

djp__verdict
djp__local_limit_follow(djp_recorder *recorder, djp__verdict verdict, uint64_t spans)
{
    if (djp__verdict_drops(verdict) || djp__rate_limit_take(recorder->limit, spans)) {
        return verdict;
    }
    return djp__verdict_of(DJP_REASON_RATE_BURST, 1);
}
