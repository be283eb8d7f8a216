/* The batch of a signal. Each record goes to one encoder for every form among the destinations of
 * the signal, and a closed batch becomes a request of each destination. `work` of the first
 * destination is held, except where noted. Worker only. */
#ifndef DJP_PIPELINE_BATCH_H
#define DJP_PIPELINE_BATCH_H

#include "pipeline/pipeline.h"

/* Items of the batch for that destination. */
uint64_t djp__batch_encoded(const djp__pipeline *destination);
/* The largest number of items for any destination. */
uint64_t djp__batch_items(djp__pipeline *first);
/* 1: a record of that size needs a new batch. */
int djp__batch_is_full(djp__pipeline *first, size_t size);
/* Encodes a record, consumes it, and counts it as lost where it could not be encoded. */
void djp__batch_take(djp__pipeline *first, const void *record, size_t size);
/* Makes requests of the batch. Returns 0 without a change if no destination has room for one.
 * Otherwise a destination without room loses its oldest requests, or its part of this batch, so
 * that it delays no other. is_full: closed because of its size. */
int djp__batch_close(djp__pipeline *first, uint64_t now, int is_full);
/* Publishes the counts of items in encoders. */
void djp__batch_count(djp__pipeline *first);
/* Creates encoders and queues in this process. In a forked child the inherited ones belong to the
 * parent and are only freed. Returns 0 without memory. `work` is not held. */
int djp__batch_adopt(djp__pipeline *first);
int djp__batch_is_adopted(djp__pipeline *first);
/* Empties encoder and queue of each destination, and counts their items and so many of the source
 * as lost. Nothing is in transit. */
void djp__batch_drop(djp__pipeline *first, djp__loss reason, uint64_t source_items);

#endif
