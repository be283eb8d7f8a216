/* Converts a strategy to a sampler tree. */
#ifndef DJP_CONTROL_REMOTE_TREE_H
#define DJP_CONTROL_REMOTE_TREE_H

#include "djp/sampler.h"
#include "control/remote_strategy.h"

/* 1: the strategy samples nothing. */
int djp__strategy_is_off(const djp__strategy *strategy);
/* Returns the tree, which the caller owns; NULL without memory. parent_based: the parent's decision
 * has priority. */
djp_sampler *djp__strategy_tree(const djp__strategy *strategy, int parent_based);

#endif
