/* The books of a signal: where each of its items is, and how many were lost for which reason. */
#ifndef DJP_PIPELINE_BOOKS_H
#define DJP_PIPELINE_BOOKS_H

#include "pipeline/pipeline.h"

/* started = live + not_sampled + exported + dropped + waiting */
typedef struct djp__books {
    uint64_t started;
    uint64_t live; /* not finished, or not decided */
    uint64_t not_sampled;
    uint64_t exported;
    uint64_t dropped; /* lost in the source or in the pipeline */
    uint64_t waiting; /* between source and receiver */
} djp__books;

/* stats: those of the signal's pipeline, zeros without one. Any thread. */
void djp__books_read(djp__books *out, const djp__signal *signal, const void *source,
                     const djp__export_stats *stats);
/* Calls visit for each reason, also for those without a loss. The reasons include losses of items
 * that were never started. */
void djp__books_losses(const djp__signal *signal, const void *source,
                       const djp__export_stats *stats, djp__visit_loss visit, void *user);
/* Returns the bytes of records that wait in the source; 0 for zeroed storage. Any thread. */
uint64_t djp__books_source_bytes(const djp__pipeline *pipeline);

#endif
