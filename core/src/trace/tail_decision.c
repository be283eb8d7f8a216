/* The parts of the tail decision beside the usual path: the rate limit, rules, and a root that is
 * slow before it ends. */
#include "trace/tail_decision.h"

__attribute__((noinline)) djp__verdict
djp__tail_ask_limit(const djp__local_trace *local, djp__verdict tail, int early,
                    uint64_t end_unix_ns)
{
    uint32_t waiting = djp__load_relaxed(&local->pending_spans);
    djp__limit_question question = {waiting + (early ? 0u : 1u), end_unix_ns, early == 0};
    if (djp__local_is_late(local) && !djp__verdict_counts_once(tail)) {
        return djp__local_limit_follow(local->root->recorder, tail, question.spans);
    }
    return djp__verdict_reason(tail) == DJP_REASON_NONE
               ? tail
               : djp__local_limit_ask(local, tail, &question);
}

__attribute__((noinline)) djp__verdict
djp__tail_slow_by_now(const djp_span *span)
{
    const djp__local_trace *local = span->local;
    uint64_t slow_ns = span->recorder->options.slow_threshold_ns;
    int unsure = djp__local_is_late(local) || (djp__load_relaxed(&local->flags) &
                                               (DJP__TRACE_FLAG_LONG | DJP__TRACE_FLAG_PATIENT));
    return djp__verdict_of(!unsure && slow_ns > 0 && djp__tail_age(span) > (int64_t)slow_ns
                               ? DJP_REASON_SLOW
                               : DJP_REASON_NONE,
                           0);
}

__attribute__((noinline)) void
djp__tail_match_rules(djp_span *span, djp__local_trace *local)
{
    uint32_t noted = djp__load_relaxed(&local->flags);
    if (djp__trace_flags_rule(noted) || !djp__tail_is_ruled(local)) {
        return;
    }
    uint32_t number = djp__tail_rules_match(span->recorder->rules, span->record)
                      << DJP__TRACE_FLAG_RULE_SHIFT;
    while (number != 0 && djp__trace_flags_rule(noted) == 0) {
        if (djp__cas_weak_relaxed(&local->flags, &noted, noted | number)) {
            return;
        }
    }
}
