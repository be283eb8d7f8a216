/* Handles: the callers' references to series. They are per process, and remain safe to use after
 * their series was removed. */
#ifndef DJP_METRICS_HANDLE_H
#define DJP_METRICS_HANDLE_H

#include "metrics/registry.h"

/* A dead handle is reused after this many others died; until then a recording through it is
 * dropped. */
#define DJP__HANDLES_RESTING 65536u

/* The handle of a live entry at that generation, without a lock; NULL if there is none yet. */
static inline djp_series *
djp__handle_get(const djp_registry *registry, const djp__series_entry *entry, uint32_t generation)
{
    djp_series *series = djp__load_acquire(&registry->handles[entry->index]);
    return series && djp__load_relaxed(&series->generation) == generation ? series : NULL;
}

/* The same, created if missing. Lock held. NULL without memory. */
djp_series *djp__handle_make(djp_family *family, djp__series_entry *entry);
/* In a forked child: all handles record into the stripe that this process has now. */
void djp__handle_rebind_all(djp_registry *registry);
void djp__handle_free_all(djp_registry *registry);

#endif
