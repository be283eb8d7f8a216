/* Head sampling by consistent probability: a 56-bit threshold is compared with the randomness of
 * the trace id, so that all services and languages decide alike for one trace. */
#ifndef DJP_SAMPLING_HEAD_H
#define DJP_SAMPLING_HEAD_H

#include "sampling/decision.h"
#include "sampling/threshold.h"

/* The policy for roots. Constant once a recorder uses it, because local traces borrow its
 * tracestate: a change creates another policy (trace/root_policy.c). */
typedef struct djp__policy {
    uint64_t threshold; /* 56 bits, as djp__recorder_options; never below recorded */
    uint64_t recorded; /* the same: a local trace below it is not recorded; 0: all are */
    /* "ot=th:..." of sampled roots, lent to local traces; may be NULL */
    djp_tracestate *root_state;
    uint8_t always_on;
    uint8_t drop_all;
    uint8_t tree; /* 1: the recorder's sampler tree decides, see trace/tree_slot.c */
} djp__policy;

struct djp_sampler;
struct djp__sampler_input;

/* Decides for a root without a parent. Borrows all. */
static inline void
djp__head_decide_root(djp__head *out, const djp__policy *policy, const uint8_t trace_id[16])
{
    int by_ratio = !policy->always_on;
    int sampled =
        !policy->drop_all && (!by_ratio || djp__randomness(trace_id) >= policy->threshold);
    int drop = policy->drop_all;
    if (__builtin_expect(policy->recorded != 0, 0)) {
        drop |= djp__randomness(trace_id) < policy->recorded;
    }
    out->decision.flag = (uint8_t)sampled;
    out->decision.reason = !sampled   ? DJP_REASON_NONE
                           : by_ratio ? DJP_REASON_RATIO
                                      : DJP_REASON_ALWAYS;
    out->decision.threshold = sampled && by_ratio ? policy->threshold : DJP__THRESHOLD_NONE;
    out->decision.recorded = policy->recorded;
    out->decision.outcome = drop      ? DJP__OUTCOME_DROP
                            : sampled ? DJP__OUTCOME_SAMPLE
                                      : DJP__OUTCOME_RECORD_ONLY;
    out->state = sampled && by_ratio ? policy->root_state : NULL;
    out->extras = 0;
}

/* Decides for a local root with a valid parent. Borrows everything; out borrows the policy's
 * root_state for sampled roots without a tracestate. Allocates only to change a tracestate. */
void djp__head_decide(djp__head *out, const djp__policy *policy, int parent_based,
                      const uint8_t trace_id[16], const djp_span_context *parent);
/* Decides for a local root by a sampler tree. Borrows everything; sets the randomness of input.
 * recorded: as in a policy. */
void djp__head_decide_by_tree(djp__head *out, struct djp_sampler *tree,
                              struct djp__sampler_input *input, uint64_t recorded);
/* The head of a local root below parent (NULL: none) that a writer has decided. Invalid input can
 * at worst yield a wrong adjusted count. Borrows. */
static inline void
djp__head_adopt(djp__head *out, const djp__decision *decision, const djp_span_context *parent)
{
    int sampled = decision->outcome == DJP__OUTCOME_SAMPLE &&
                  decision->reason >= DJP_REASON_PARENT && decision->reason <= DJP_REASON_ALWAYS;
    out->decision = *decision;
    if (!sampled) {
        out->decision.reason = DJP_REASON_NONE;
        out->decision.threshold = DJP__THRESHOLD_NONE;
        out->decision.outcome = decision->outcome == DJP__OUTCOME_DROP
                                    ? (uint8_t)DJP__OUTCOME_DROP
                                    : (uint8_t)DJP__OUTCOME_RECORD_ONLY;
    } else if (decision->threshold >= DJP__THRESHOLD_NEVER) {
        out->decision.threshold = DJP__THRESHOLD_NONE;
    }
    if (__builtin_expect(decision->recorded >= DJP__THRESHOLD_NEVER, 0)) {
        out->decision.recorded = 0;
    }
    out->state = NULL;
    out->extras = 0;
    if (parent != NULL && parent->state) {
        out->state = djp_tracestate_ref(parent->state);
        out->extras = DJP_EXTRA_STATE;
    }
}

#endif
