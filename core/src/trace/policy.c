/* How a recorder decides about roots, changed while it records. A policy that was in force once stays, because local traces borrow its
 * tracestate and starts in an operation log name it; their number is bounded. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "djp/error.h"
#include "trace/recorder_state.h"
#include "trace/tables.h"

/* Ratios per halving on the scale, and the halvings below which it ends. */
enum { POLICY__STEPS = 16, POLICY__HALVINGS = 56 };

static void
policy__fill(djp_policy *policy, uint64_t threshold, int always_on, int drop_all, uint32_t number)
{
    policy->threshold = threshold;
    policy->always_on = (uint8_t)(always_on != 0);
    policy->drop_all = (uint8_t)(drop_all != 0);
    policy->number = (uint16_t)number;
    if (!always_on && !drop_all) {
        policy->root_state = djp__sampler_root_state(threshold);
    }
}

void
djp__policies_init(djp_recorder *recorder)
{
    const djp_recorder_options *options = &recorder->options;
    policy__fill(&recorder->first, options->threshold, options->always_on, options->drop_all, 1);
    djp_store_relaxed(&recorder->policies[1], &recorder->first);
    recorder->policy_count = 1;
    recorder->slot.policy.composed = 1;
    recorder->configured = &recorder->first;
    djp_store_release(&recorder->policy, &recorder->first);
}

void
djp__policies_free(djp_recorder *recorder)
{
    djp__tree_slot_fini(&recorder->slot);
    djp_tracestate_unref(recorder->first.root_state);
    for (uint32_t i = 2; i <= recorder->policy_count; i++) {
        djp_policy *policy = djp_load_relaxed(&recorder->policies[i]);
        djp_tracestate_unref(policy->root_state);
        djp__free(policy);
    }
}

/* One that decides by that threshold, or keeps nothing; NULL when there is none. Under the tables lock. */
static djp_policy *
policy__find(djp_recorder *recorder, uint64_t threshold, int drop_all)
{
    for (uint32_t i = 1; i <= recorder->policy_count; i++) {
        djp_policy *policy = djp_load_relaxed(&recorder->policies[i]);
        if (policy->drop_all == drop_all && (drop_all || (policy->threshold == threshold && !policy->always_on))) {
            return policy;
        }
    }
    return NULL;
}

/* Under the tables lock. */
static djp_policy *
policy__add(djp_recorder *recorder, uint64_t threshold, int drop_all)
{
    uint32_t number = recorder->policy_count + 1;
    djp_policy *policy = number < DJP_POLICIES_MAX ? djp__calloc(1, sizeof *policy) : NULL;
    if (policy) {
        policy__fill(policy, threshold, 0, drop_all, number);
        djp_store_release(&recorder->policies[number], policy);
        recorder->policy_count = number;
    }
    return policy;
}

/* The next ratio of the scale. */
static double
policy__round(double ratio)
{
    double steps = round(-log2(ratio) * POLICY__STEPS);
    double last = (double)POLICY__STEPS * POLICY__HALVINGS;
    return exp2(-(steps < last ? steps : last) / POLICY__STEPS);
}

int
djp__recorder_set_ratio(djp_recorder *recorder, double ratio)
{
    uint64_t threshold = djp__sampler_threshold(ratio);
    int drop_all = threshold == DJP_THRESHOLD_NEVER;
    djp__tables_lock();
    djp_policy *policy = policy__find(recorder, threshold, drop_all);
    if (!policy && !drop_all && recorder->policy_count >= DJP_POLICIES_MAX / 2) {
        threshold = djp__sampler_threshold(policy__round(ratio));
        policy = policy__find(recorder, threshold, 0);
    }
    policy = policy ? policy : policy__add(recorder, threshold, drop_all);
    if (policy) {
        djp__policy_put(recorder, policy);
    }
    djp__tables_unlock();
    return policy ? 0 : DJP_ENOMEM;
}

void
djp__recorder_reset_ratio(djp_recorder *recorder)
{
    djp__tables_lock();
    djp__policy_put(recorder, recorder->configured);
    djp__tables_unlock();
}

void
djp__recorder_switch(djp_recorder *recorder, int off, int mute)
{
    int bits = (off ? DJP_GATE_OFF : 0) | (off || mute ? DJP_GATE_MUTE : 0);
    if ((djp_load_relaxed(&recorder->gate) & ~DJP_GATE_CLOSED) == bits) {
        return;
    }
    djp_or_seq_cst(&recorder->gate, bits);
    djp_and_seq_cst(&recorder->gate, bits | DJP_GATE_CLOSED);
    if (bits == 0) {
        djp__recorder_arm(recorder, 0); /* whoever looked away while nothing came is told of the next span */
    }
}

void
djp__recorder_poke(djp_recorder *recorder)
{
    uint64_t level = 0;
    if (recorder && djp_load_relaxed(&recorder->wake_level) == 0 && recorder->options.wake &&
        djp_cas_strong_acq_rel(&recorder->wake_level, &level, DJP_WAKE_NEVER)) {
        djp__recorder_wake(recorder);
    }
}
