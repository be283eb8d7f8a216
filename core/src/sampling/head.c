/* The head decision: by ratio, by the parent's flag, or by a sampler tree. Allocates only to change
 * a tracestate; if that fails, the old one remains. */
#include "sampling/head.h"

#include "sampling/tree.h"

static void
head_set_sampled(djp__decision *out, int sampled, uint8_t reason)
{
    out->flag = sampled != 0;
    out->outcome = sampled ? DJP__OUTCOME_SAMPLE : DJP__OUTCOME_RECORD_ONLY;
    out->reason = sampled ? reason : DJP_REASON_NONE;
}

/* The local trace is not recorded; the flag is unchanged. */
static void
head_drop(djp__decision *out)
{
    out->outcome = DJP__OUTCOME_DROP;
    out->reason = DJP_REASON_NONE;
    out->threshold = DJP__THRESHOLD_NONE;
}

/* The parent's flag decides. Its threshold is propagated only if it agrees with that flag, else
 * removed. */
static void
head_follow_parent(djp__head *out, const djp_span_context *parent, djp_text ot)
{
    int sampled = (parent->flags & DJP_FLAG_SAMPLED) != 0;
    head_set_sampled(&out->decision, sampled, DJP_REASON_PARENT);
    djp_text th = djp__ot_get(ot, "th");
    if (!th.data) {
        return;
    }
    uint64_t threshold;
    if (djp__threshold_parse(&threshold, th) &&
        (djp__randomness_in(parent->trace_id, ot) >= threshold) == sampled) {
        out->decision.threshold = sampled ? threshold : DJP__THRESHOLD_NONE;
        return;
    }
    out->extras = djp__ot_set_threshold(&out->state, parent->state, DJP__THRESHOLD_NONE);
    if (!out->extras) {
        out->state = parent->state;
    }
}

/* Writes the threshold into the tracestate to propagate; root_state is for sampled roots without
 * one. */
static void
head_put_threshold(djp__head *out, djp_tracestate *root_state, djp_text ot)
{
    if (!out->state) {
        out->state = out->decision.flag ? root_state : NULL;
    } else if (out->decision.threshold != DJP__THRESHOLD_NONE || djp__ot_get(ot, "th").data) {
        djp_tracestate *changed = NULL;
        out->extras = djp__ot_set_threshold(&changed, out->state, out->decision.threshold);
        out->state = out->extras ? changed : out->state;
    }
}

static void
head_by_ratio(djp__head *out, const djp__policy *policy, const uint8_t trace_id[16], djp_text ot)
{
    int sampled = djp__randomness_in(trace_id, ot) >= policy->threshold;
    head_set_sampled(&out->decision, sampled, DJP_REASON_RATIO);
    out->decision.threshold = sampled ? policy->threshold : DJP__THRESHOLD_NONE;
    head_put_threshold(out, policy->root_state, ot);
}

/* Replaces a borrowed tracestate by a reference of the head. */
static void
head_own_state(djp__head *out)
{
    if (out->state && !out->extras) {
        out->state = djp_tracestate_ref(out->state);
        out->extras = DJP_EXTRA_STATE;
    }
}

/* Outside the recorded share nothing is recorded; the parent's flag and threshold are propagated
 * unchanged, because other services decide for themselves. Inside, the spans also represent those
 * outside. */
static void
head_apply_share(djp__decision *out, uint64_t recorded, uint64_t random)
{
    out->recorded = recorded;
    if (random < recorded) {
        head_drop(out);
    } else if (out->threshold < recorded) {
        out->threshold = recorded;
    }
}

void
djp__head_decide(djp__head *out, const djp__policy *policy, int parent_based,
                 const uint8_t trace_id[16], const djp_span_context *parent)
{
    memset(out, 0, sizeof *out);
    out->decision.threshold = DJP__THRESHOLD_NONE;
    out->state = parent->state;
    djp_text ot = {NULL, 0};
    if (out->state) {
        ot = djp_tracestate_get(out->state, DJP_TEXT("ot"));
    }
    if (parent_based) {
        head_follow_parent(out, parent, ot);
    } else if (policy->always_on) {
        head_set_sampled(&out->decision, 1, DJP_REASON_ALWAYS);
    } else {
        head_by_ratio(out, policy, trace_id, ot);
    }
    if (policy->drop_all) {
        head_drop(&out->decision);
        out->decision.flag = 0;
    } else if (policy->recorded > 0) {
        head_apply_share(&out->decision, policy->recorded, djp__randomness_in(trace_id, ot));
    }
    if (out->state != policy->root_state) {
        head_own_state(out);
    }
}

void
djp__head_decide_by_tree(djp__head *out, djp_sampler *tree, djp__sampler_input *input,
                         uint64_t recorded)
{
    const djp_span_context *parent = input->parent;
    djp__decision *decision = &out->decision;
    djp_text ot = {NULL, 0};
    memset(out, 0, sizeof *out);
    decision->threshold = DJP__THRESHOLD_NONE;
    if (parent != NULL && parent->state) {
        out->state = parent->state;
        ot = djp_tracestate_get(out->state, DJP_TEXT("ot"));
    }
    input->randomness = djp__randomness_in(input->trace_id, ot);
    djp__sampler_intent intent;
    djp__sampler_intend(&intent, tree, input);
    if (intent.followed) {
        head_follow_parent(out, parent, ot);
    } else {
        head_set_sampled(decision, intent.sampled && input->randomness >= recorded, intent.reason);
        decision->threshold =
            decision->flag && intent.reliable ? intent.threshold : DJP__THRESHOLD_NONE;
        if (decision->threshold < recorded) {
            djp_tracestate *raised = djp__ot_root_state(recorded);
            decision->threshold = recorded;
            head_put_threshold(out, raised, ot);
            head_own_state(out);
            djp_tracestate_unref(raised);
        } else {
            head_put_threshold(out, intent.state, ot);
        }
    }
    if (recorded > 0) {
        head_apply_share(decision, recorded, input->randomness);
    }
    decision->outcome = intent.drop ? (uint8_t)DJP__OUTCOME_DROP : decision->outcome;
    if (intent.notes != NULL) {
        djp__add_relaxed(&intent.notes->refs, 1u);
        out->notes = intent.notes;
    }
    head_own_state(out);
}
