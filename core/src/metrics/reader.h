/* A metric reader: collects the values that this process has recorded as records, for an exporter
 * that pushes them. Values of other processes that share the registry are left to their readers. */
#ifndef DJP_METRICS_READER_H
#define DJP_METRICS_READER_H

#include "metrics/metric_record.h"
#include "metrics/snapshot.h"

/* What sums and histograms are since: the values of OpenTelemetry's temporality preference. */
typedef enum djp__temporality_preference {
    DJP__PREFER_CUMULATIVE, /* since the start of the series in this process */
    DJP__PREFER_DELTA, /* since the collection before; sums that may fall: since the start */
    DJP__PREFER_LOW_MEMORY /* as delta, but what others count is since the start */
} djp__temporality_preference;

typedef struct djp__reader_state djp__reader_state;

/* One thread at a time. */
typedef struct djp__metric_reader {
    djp_registry *registry; /* borrowed */
    djp__temporality_preference preference;
    uint64_t joined_unix_ns; /* before that, this process recorded nothing */
    uint64_t last_unix_ns; /* the collection before; 0: none */
    int is_forked; /* the states are those of the parent */
    djp__reader_state **states; /* for deltas, by series index; NULL before the first */
} djp__metric_reader;

/* Takes the record, which the callee frees with djp__free. */
typedef void (*djp__metric_give)(void *user, djp__metric_record *record);

void djp__metric_reader_init(djp__metric_reader *reader, djp_registry *registry,
                             djp__temporality_preference preference);
void djp__metric_reader_fini(djp__metric_reader *reader); /* accepts zeroed storage */
/* Runs the collectors and gives a record for each metric that has points; a metric of many series
 * has several. Returns the points that were lost for lack of memory. */
uint64_t djp__metric_reader_collect(djp__metric_reader *reader, djp__metric_give give, void *user);
/* In a forked child: its own values begin now. Allocates and frees nothing. */
void djp__metric_reader_fork_child(djp__metric_reader *reader);

#endif
