/* Waits for the pipelines of one instance, for a flush and at the end of the process. A flush
 * reports the losses since the previous one, so each loss is reported once. No wait outlasts its
 * deadline. */
#ifndef DJP_PIPELINE_FLUSH_H
#define DJP_PIPELINE_FLUSH_H

#include "pipeline/pipeline.h"

enum { DJP__PIPELINES_MAX = 8 }; /* of one instance */

/* Waits until everything recorded so far was sent or lost, in the list that starts with `first`
 * (NULL: empty). The worker's `mutex` is held. Returns 0, or the first that applies of DJP_ETHREAD,
 * DJP_ETIMEOUT, DJP_EREJECTED (receivers rejected all lost items), DJP_EIO. */
int djp__flush_locked(djp__worker *worker, djp__pipeline *first, uint64_t deadline);

/* The process ends: everything recorded so far is sent before the deadline. Worker only. */
void djp__flush_begin_end(djp__worker *worker, djp__pipeline *first, uint64_t deadline);
/* 1: all of it was sent or lost, or the deadline has passed. Worker only. */
int djp__flush_end_is_over(djp__worker *worker, djp__pipeline *first, uint64_t now);

#endif
