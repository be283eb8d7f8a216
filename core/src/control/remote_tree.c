/* Converts strategies to sampler trees. The parser limits the size of a strategy; each tree
 * replaces the previous one. */
#include "control/remote_tree.h"

_Static_assert(2 * (DJP_STRATEGY_OPERATIONS_MAX + 1) + 2 <= (int)DJP_SAMPLER_NODES_MAX,
               "every strategy fits a tree");
_Static_assert(DJP_STRATEGY_OPERATION_MAX <= (int)DJP_SAMPLER_TEXT_MAX,
               "no name of an operation is cut");

int
djp__strategy_is_off(const djp__strategy *strategy)
{
    if (strategy->kind == DJP_STRATEGY_RATE) {
        return strategy->rate <= 0;
    }
    int off = strategy->probability <= 0 && strategy->lower_bound <= 0;
    for (size_t i = 0; off && i < strategy->operation_count; i++) {
        off = strategy->operations[i].probability <= 0;
    }
    return off;
}

static djp_sampler *
remote_tree_leaf(const djp__strategy *strategy, double probability)
{
    djp_sampler *leaf = djp_sampler_probability(probability);
    return strategy->lower_bound > 0 ? djp_sampler_at_least(strategy->lower_bound, leaf) : leaf;
}

static djp_sampler *
remote_tree_operations(const djp__strategy *strategy)
{
    djp_sampler *rules = djp_sampler_rule_based();
    int result = rules != NULL ? 0 : -1;
    for (size_t i = 0; result == 0 && i < strategy->operation_count; i++) {
        const djp__strategy_operation *operation = &strategy->operations[i];
        djp_sampler_term term = {.test = DJP_SAMPLER_NAME, .pattern = operation->name};
        result = djp_sampler_add_rule(rules, &term, 1,
                                      remote_tree_leaf(strategy, operation->probability));
    }
    if (result == 0) {
        result =
            djp_sampler_add_rule(rules, NULL, 0, remote_tree_leaf(strategy, strategy->probability));
    }
    if (result != 0) {
        djp_sampler_free(rules);
        return NULL;
    }
    return rules;
}

djp_sampler *
djp__strategy_tree(const djp__strategy *strategy, int parent_based)
{
    djp_sampler *tree;
    if (djp__strategy_is_off(strategy)) {
        tree = djp_sampler_always_off();
    } else if (strategy->kind == DJP_STRATEGY_RATE) {
        tree = djp_sampler_rate_limited(strategy->rate);
    } else if (strategy->kind == DJP_STRATEGY_OPERATIONS) {
        tree = remote_tree_operations(strategy);
    } else {
        tree = remote_tree_leaf(strategy, strategy->probability);
    }
    return tree && parent_based ? djp_sampler_parent_threshold(tree) : tree;
}
