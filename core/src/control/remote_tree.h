/* A strategy as a tree of samplers. */
#ifndef DJP_CONTROL_REMOTE_TREE_H
#define DJP_CONTROL_REMOTE_TREE_H

#include "djp/sampler.h"
#include "control/remote_strategy.h"

/* 1 when the strategy samples nothing, whatever comes. */
int djp__strategy_is_off(const djp__strategy *strategy);
/* The tree, which the caller owns; NULL when memory is short. parent_based: a caller's decision
 * comes first. */
djp_sampler *djp__strategy_tree(const djp__strategy *strategy, int parent_based);

#endif
