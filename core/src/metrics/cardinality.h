/* The families with the most series. */
#ifndef DJP_METRICS_CARDINALITY_H
#define DJP_METRICS_CARDINALITY_H

#include "metrics/registry.h"

#define DJP__CARDINALITY_MAX 10u

typedef struct djp__cardinality {
    size_t count;
    struct {
        const djp__family_entry *family; /* in the segment */
        uint32_t series; /* live ones, the overflow series included */
    } largest[DJP__CARDINALITY_MAX]; /* in descending order */
} djp__cardinality;

/* Leaves out families with a single series. Any thread. */
void djp__cardinality_read(djp__cardinality *out, const djp_registry *registry);
/* The name without a counter's "_total", valid as long as the registry. */
djp_text djp__cardinality_name(const djp__cardinality *cardinality, size_t index,
                               const djp_registry *registry);

#endif
