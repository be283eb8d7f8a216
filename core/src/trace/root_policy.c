/* The policy of a recorder for roots, which may change while it records. A policy that was active
 * is not freed, because local traces borrow its tracestate; their number is limited. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "djp/error.h"
#include "trace/recorder_state.h"
#include "model/tables.h"

enum { ROOT_POLICY__STEPS = 16 /* ratios per halving on the scale */ };

/* With a canary, "always on" is a ratio: that of the canary. */
static void
root_policy_fill(djp__policy *policy, uint64_t threshold, int always_on, int drop_all,
                 uint64_t recorded)
{
    memset(policy, 0, sizeof *policy);
    policy->threshold = threshold > recorded ? threshold : recorded;
    policy->recorded = recorded;
    policy->always_on = (uint8_t)(always_on && recorded == 0);
    policy->drop_all = (uint8_t)(drop_all != 0);
}

/* Adds the tracestate of roots to a complete policy. */
static void
root_policy_complete(djp__policy *policy)
{
    if (!policy->always_on && !policy->drop_all) {
        policy->root_state = djp__ot_root_state(policy->threshold);
    }
}

/* The policy of the options with that canary. */
static void
root_policy_fill_first(djp__policy *policy, const djp_recorder *recorder, uint64_t canary)
{
    const djp__recorder_options *options = &recorder->options;
    root_policy_fill(policy, options->always_on ? 0 : options->threshold, options->always_on,
                     options->drop_all, canary);
}

void
djp__policies_init(djp_recorder *recorder)
{
    djp__store_relaxed(&recorder->canary, recorder->options.canary);
    root_policy_fill_first(&recorder->first, recorder, recorder->options.canary);
    root_policy_complete(&recorder->first);
    recorder->policy_count = 1;
    recorder->slot.policy.tree = 1;
    recorder->configured = &recorder->first;
    djp__store_release(&recorder->policy, &recorder->first);
    djp__recorder_set_off(recorder, 0);
}

void
djp__policies_free(djp_recorder *recorder)
{
    djp__tree_slot_fini(&recorder->slot);
    djp_tracestate_unref(recorder->first.root_state);
    for (uint32_t i = 1; i < recorder->policy_count; i++) {
        djp__policy *policy = recorder->policies[i];
        djp_tracestate_unref(policy->root_state);
        djp__free(policy);
    }
}

/* An existing policy that decides the same way; NULL if there is none. Under the tables lock. */
static const djp__policy *
root_policy_find(djp_recorder *recorder, const djp__policy *like)
{
    for (uint32_t i = 0; i < recorder->policy_count; i++) {
        const djp__policy *policy = i == 0 ? &recorder->first : recorder->policies[i];
        int same = policy->threshold == like->threshold && policy->recorded == like->recorded;
        if (policy->drop_all == like->drop_all &&
            (like->drop_all || (same && policy->always_on == like->always_on))) {
            return policy;
        }
    }
    return NULL;
}

/* The last place is reserved for the policy that drops all. Under the tables lock. */
static const djp__policy *
root_policy_add(djp_recorder *recorder, const djp__policy *like)
{
    uint32_t place = recorder->policy_count, end = DJP__POLICIES_MAX - (like->drop_all ? 0u : 1u);
    djp__policy *policy = place < end ? djp__calloc(1, sizeof *policy) : NULL;
    if (policy != NULL) {
        *policy = *like;
        root_policy_complete(policy);
        recorder->policies[place] = policy;
        recorder->policy_count = place + 1;
    }
    return policy;
}

/* The next ratio of the scale. */
static double
root_policy_round(double ratio)
{
    return exp2(-round(-log2(ratio) * ROOT_POLICY__STEPS) / ROOT_POLICY__STEPS);
}

/* Activates a policy; NULL: without memory, nothing changes. Under the tables lock. */
static int
root_policy_put(djp_recorder *recorder, const djp__policy *policy, int by_ratio)
{
    if (policy != NULL) {
        recorder->by_ratio = by_ratio;
        djp__policy_put(recorder, policy);
    }
    djp__tables_unlock();
    return policy != NULL ? 0 : DJP_ENOMEM;
}

int
djp__recorder_set_ratio(djp_recorder *recorder, double ratio)
{
    djp__policy like;
    uint64_t threshold = djp__threshold_of(ratio);
    int drop_all = threshold == DJP__THRESHOLD_NEVER;
    djp__tables_lock();
    root_policy_fill(&like, threshold, 0, drop_all, djp__load_relaxed(&recorder->canary));
    const djp__policy *policy = root_policy_find(recorder, &like);
    if (policy == NULL && !drop_all && recorder->policy_count >= DJP__POLICIES_MAX / 2) {
        root_policy_fill(&like, djp__threshold_of(root_policy_round(ratio)), 0, 0, like.recorded);
        policy = root_policy_find(recorder, &like);
    }
    return root_policy_put(recorder, policy != NULL ? policy : root_policy_add(recorder, &like), 1);
}

const djp__policy *
djp__policy_configured(djp_recorder *recorder)
{
    djp__policy like;
    uint64_t canary = djp__load_relaxed(&recorder->canary);
    if (recorder->configured == &recorder->first) {
        root_policy_fill_first(&like, recorder, canary);
        const djp__policy *policy = root_policy_find(recorder, &like);
        return policy != NULL ? policy : root_policy_add(recorder, &like);
    }
    return recorder->configured;
}

int
djp__recorder_reset_ratio(djp_recorder *recorder)
{
    djp__tables_lock();
    return root_policy_put(recorder, djp__policy_configured(recorder), 0);
}

void
djp__recorder_set_canary(djp_recorder *recorder, double canary)
{
    djp__tables_lock();
    double share =
        recorder->policy_count >= DJP__POLICIES_MAX / 2 ? root_policy_round(canary) : canary;
    djp__store_relaxed(&recorder->canary,
                       canary < 0 ? recorder->options.canary : djp__threshold_of(share));
    djp__tables_unlock();
}

int
djp__recorder_apply(djp_recorder *recorder, const djp__recorder_plan *plan)
{
    if (plan->sampler && djp__recorder_set_sampler(recorder, plan->sampler) != 0) {
        return DJP_ERETRY;
    }
    djp__recorder_set_canary(recorder, plan->canary);
    int result = plan->ratio < 0 ? djp__recorder_reset_ratio(recorder)
                                 : djp__recorder_set_ratio(recorder, plan->ratio);
    if (plan->drops_sampler) {
        djp__recorder_set_sampler(recorder, NULL);
    }
    djp__tables_lock();
    djp__recorder_set_off(recorder, !plan->enabled);
    djp__tables_unlock();
    return result;
}

int
djp__recorder_has_tree(const djp_recorder *recorder)
{
    return djp__load_acquire(&recorder->policy)->tree;
}
