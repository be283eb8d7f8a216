/* The forms of an exposition, each in a file. All read the same snapshot. */
#ifndef DJP_METRICS_EXPOSITION_H
#define DJP_METRICS_EXPOSITION_H

#include "metrics/snapshot.h"

typedef struct djp__exposition_form {
    /* Writes the current family with all its series. */
    void (*family)(djp__buf *out, djp__snapshot *snapshot, djp_exposition format);
    /* Writes target_info; labels are escaped, without braces. */
    void (*target)(djp__buf *out, djp_text labels);
    const char *end;
} djp__exposition_form;

extern const djp__exposition_form djp__exposition_protobuf; /* metric_family.c */
extern const djp__exposition_form djp__exposition_openmetrics2; /* openmetrics2.c */

/* The native histogram of a point in a schema of Prometheus; scales above the highest schema are
 * lowered. Returns 0 if there is none, or if its scale is below the lowest schema. *count is then
 * that of the observations, else that of the native buckets: a reader refuses another one. */
int
djp__exposition_native(djp__exponential *out, uint64_t *count, const djp__snapshot_point *point);

#endif
