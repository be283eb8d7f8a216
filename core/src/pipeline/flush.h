/* Waits for the pipelines of one instance: flush, and the end of a process. A flush answers for
 * everything since the one before it, so a loss is reported once, by the first flush that can know
 * of it. No wait outlasts its deadline, whatever the receivers do. */
#ifndef DJP_PIPELINE_FLUSH_H
#define DJP_PIPELINE_FLUSH_H

#include "pipeline/pipeline.h"

enum { DJP__PIPELINES_MAX = 8 }; /* of one instance */

/* Waits until everything recorded so far was sent or lost, in the list that begins with `first`
 * (NULL: there is none). The worker's `mutex` is held. Returns 0, or in this order DJP_ETHREAD,
 * DJP_ETIMEOUT, DJP_EREJECTED when receivers refused all that was lost, DJP_EIO. */
int djp__flush_locked(djp__worker *worker, djp__pipeline *first, uint64_t deadline);

/* The process ends: what was recorded so far is sent before the deadline. By the worker. */
void djp__flush_begin_end(djp__worker *worker, djp__pipeline *first, uint64_t deadline);
/* 1 when all of it was sent or lost, or the deadline has passed. By the worker. */
int djp__flush_end_is_over(djp__worker *worker, djp__pipeline *first, uint64_t now);

#endif
