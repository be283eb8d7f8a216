/* A snapshot: the current values of a registry's families and series, one after the other. Every
 * form of exposition reads it instead of the segment. Label values exist escaped, for text
 * expositions, and plain. */
#ifndef DJP_METRICS_SNAPSHOT_H
#define DJP_METRICS_SNAPSHOT_H

#include "metrics/exemplar.h"
#include "metrics/exponential.h"
#include "metrics/registry.h"

/* A family. All texts lie in the segment permanently. */
typedef struct djp__snapshot_family {
    const djp__family_entry *entry; /* for the heads rendered at its creation */
    djp_metric_type type;
    djp_gauge_mode mode; /* gauges */
    djp_text name; /* without "_total" */
    djp_text help, unit; /* plain */
    djp_text alias; /* a second name of a gauge, for text 0.0.4 only; empty: none */
    size_t label_count;
    const djp__segment_text *suffixes; /* histograms: `le="..."} ` for each bucket */
    const double *bounds; /* histograms: upper bounds without +Inf */
    size_t bucket_count;
} djp__snapshot_family;

/* A series. Valid during the call of visit. */
typedef struct djp__snapshot_point {
    const djp__series_entry *entry;
    /* counters and gauges: `name{labels} `, ready for a sample; histograms: the labels */
    djp_text rendered;
    uint64_t created_unix_ns;
    uint64_t whole; /* counters: whole + number; histograms: observations */
    uint32_t pid; /* gauges with a point for each process: of that process; otherwise 0 */
    double number; /* gauges: the value; histograms: the sum */
    const uint64_t *buckets; /* histograms: bucket_count + 1 counts, not cumulative */
    /* histograms that keep base-2 exponential buckets, too; NULL: others. Its count may be below
     * `whole` by observations of infinity and those in progress */
    const djp__exponential *exponential;
} djp__snapshot_point;

typedef struct djp__snapshot {
    djp_registry *registry;
    djp__snapshot_family family; /* the current one */
    uint32_t next; /* offset of the family after it; 0: none */
    int is_own; /* only the values of this process */
    uint64_t words[DJP__SEGMENT_FOLD_MAX]; /* the values of the current series */
    djp__exponential exponential;
} djp__snapshot;

/* Runs the collectors and starts before the first family. Borrows the registry; needs no
 * release. */
void djp__snapshot_begin(djp__snapshot *snapshot, djp_registry *registry);
/* The same with the values that this process has recorded, without those of other processes that
 * share the registry: its counters and histograms that are not zero or that it has handles of, and
 * its gauges that it has set. */
void djp__snapshot_begin_own(djp__snapshot *snapshot, djp_registry *registry);
/* Goes to the next family; 0 after the last. */
int djp__snapshot_next(djp__snapshot *snapshot);
/* Calls visit for every live series of the family in order of creation, with the segment locked for
 * a few dozen at a time. visit must not call the registry. May be called more than once. */
typedef void (*djp__snapshot_visit)(void *user, const djp__snapshot *snapshot,
                                    const djp__snapshot_point *point);
void djp__snapshot_points(djp__snapshot *snapshot, djp__snapshot_visit visit, void *user);
/* Inside visit: the escaped labels without braces, `a="x",b="y"`; empty without labels. */
djp_text
djp__snapshot_escaped(const djp__snapshot_family *family, const djp__snapshot_point *point);
/* Inside visit: names of the family's labels and the plain values of the series, label_count of
 * each. */
void djp__snapshot_labels(djp_text *names, const djp__snapshot *snapshot);
void djp__snapshot_values(djp_text *values, const djp__snapshot *snapshot,
                          const djp__snapshot_point *point);

/* A text of the segment. */
static inline djp_text
djp__snapshot_text(const djp__snapshot *snapshot, djp__segment_text text)
{
    return (djp_text){djp__segment_at(&snapshot->registry->segment, text.at), text.size};
}

#endif
