/* The tail decision: what samples a local trace, from its ended spans, its root and the rules. */
#ifndef DJP_TRACE_TAIL_DECISION_H
#define DJP_TRACE_TAIL_DECISION_H

#include "sampling/tail_rules.h"
#include "trace/recorder_state.h"
#include "trace/span_block.h"

/* The verdict that nothing samples. */
static const djp__verdict djp__tail_none = {DJP_REASON_NONE};

/* Applies the span rate limit to a verdict. */
djp__verdict djp__tail_ask_limit(const djp__local_trace *local, djp__verdict tail, int early,
                                 uint64_t end_unix_ns);
/* A root open longer than its slow threshold is slow. */
djp__verdict djp__tail_slow_by_now(const djp_span *span);
/* Notes the first rule that a span of the local trace matched. */
void djp__tail_match_rules(djp_span *span, djp__local_trace *local);

/* The reason to sample the local trace so far. own is the root's verdict. */
static inline djp__verdict
djp__tail_reason(const djp__local_trace *local, djp__verdict own)
{
    uint32_t noted = djp__load_relaxed(&local->flags);
    if (noted & DJP__TRACE_FLAG_ERROR) {
        return djp__verdict_of(DJP_REASON_ERROR, 0);
    }
    if (__builtin_expect(djp__trace_flags_rule(noted) != 0, 0) &&
        djp__verdict_reason(own) != DJP_REASON_SLOW) {
        return djp__tail_rules_verdict(local->root->recorder->rules, djp__trace_flags_rule(noted));
    }
    return djp__verdict_reason(own) != DJP_REASON_NONE ? own
                                                       : djp__verdict_of(local->head_reason, 0);
}

/* Applies the span rate limit, if there is one; called once per tail. */
static inline djp__verdict
djp__tail_limit(const djp__local_trace *local, djp__verdict tail, int early, uint64_t end_unix_ns)
{
    if (__builtin_expect(local->root->recorder->limit == NULL, 1)) {
        return tail;
    }
    return djp__tail_ask_limit(local, tail, early, end_unix_ns);
}

/* How long the root had been open at the end of span; negative for inconsistent times. */
static inline int64_t
djp__tail_age(const djp_span *span)
{
    const djp__local_trace *local = span->local;
    return (int64_t)(span->record->end_unix_ns - (uint64_t)local->anchor -
                     local->root->start_monotonic);
}

/* Whether rules apply: not if everything or nothing is sampled. */
static inline int
djp__tail_is_ruled(const djp__local_trace *local)
{
    return !djp__local_is_silent(local) && local->head_reason != DJP_REASON_ALWAYS;
}

/* Notes the reasons of an ended span to sample its local trace. */
static inline void
djp__tail_note(djp_span *span, djp__local_trace *local)
{
    if (span->record->status == DJP_STATUS_ERROR && span->recorder->options.sample_errors) {
        djp__or_acq_rel(&local->flags, DJP__TRACE_FLAG_ERROR);
    }
    if (__builtin_expect(span->recorder->rules != NULL, 0)) {
        djp__tail_match_rules(span, local);
    }
}

/* The root's verdict. */
static inline djp__verdict
djp__tail_root(const djp_span *root, uint64_t duration_ns)
{
    const djp__local_trace *local = root->local;
    djp_recorder *recorder = root->recorder;
    uint64_t slow_ns = recorder->options.slow_threshold_ns;
    if (__builtin_expect(recorder->rules != NULL, 0) && djp__tail_is_ruled(local)) {
        uint32_t noted = djp__load_relaxed(&local->flags);
        unsigned flags = (djp__trace_flags_reason(noted) ? DJP_TAIL_IS_SAMPLED : 0u) |
                         (noted & DJP__TRACE_FLAG_LONG ? DJP_TAIL_IS_LONG : 0u);
        return djp__tail_rules_root(recorder->rules, root->record, slow_ns, flags);
    }
    int slow = slow_ns > 0 && duration_ns > slow_ns &&
               !(djp__load_relaxed(&local->flags) & DJP__TRACE_FLAG_LONG);
    return djp__verdict_of(slow ? DJP_REASON_SLOW : DJP_REASON_NONE, 0);
}

#endif
