/* Moves the values of ended processes into the base of a shared segment, so that no value is lost
 * and their stripes are free again. The segment's lock is held. */
#ifndef DJP_METRICS_FOLD_H
#define DJP_METRICS_FOLD_H

#include "metrics/registry.h"

/* Folds the stripe of one process. Nothing records there any more. */
void djp__fold_stripe(djp_registry *registry, uint32_t stripe);
/* Folds the stripes of all processes that have ended, and frees their slots. */
void djp__fold_dead(djp_registry *registry);
/* Completes what a process that died during a fold had begun. */
void djp__fold_complete(djp_registry *registry);

#endif
