/* Shards: counters and histograms of one writer in memory that the core owns, for
 * language runtimes in which a call into C costs more than the recording. The writer
 * stores to its shard without calls into the core and without waiting. The core folds
 * the changes into the registry before each exposition and when the shard ends.
 *
 * A shard consists of 8-byte elements; the first element of a series is two 32-bit
 * words. The core sets the second word to a value other than 0 when the series is
 * removed or the registry is freed; recordings here are then dropped. Counter: the
 * first word counts additions of 1, modulo 2^32; the second element is the sum of all
 * other amounts, a double. Histogram: a first word other than 0 requests an exemplar,
 * and the writer sets it to 0; then follow the sum, a count per bucket, and one for
 * +Inf, all doubles. Each store must be one aligned store; their order is free. Fold a
 * counter before its first word has counted 2^32. */
#ifndef DJP_SHARD_H
#define DJP_SHARD_H

#include "djp/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_shard djp_shard;

#define DJP_SHARD_CHUNK_DOUBLES 8192u /* 64 KiB */
#define DJP_SHARD_CHUNKS_MAX 1024u

/* Creates an empty shard and attaches it to the registry. exemplars 1: its histograms
 * request exemplars. The caller holds one reference. The shard ends with djp_shard_end
 * or with the registry; do not run both at once. Returns 0, DJP_EINVAL or DJP_ENOMEM.
 * Any thread. */
int djp_shard_new(djp_shard **out, djp_registry *registry, int exemplars);
/* Takes another reference and returns shard. Accepts NULL. */
djp_shard *djp_shard_ref(djp_shard *shard);
/* The last release ends the shard and frees its memory. Accepts NULL. */
void djp_shard_unref(djp_shard *shard);

/* Sets chunk and index to the place of a counter or histogram; it is the same until the
 * series is removed. Borrows series for the call. Returns 0, DJP_EINVAL (a gauge, NULL)
 * or DJP_ENOMEM. Writer only. */
int djp_shard_bind(size_t *chunk, size_t *index, djp_shard *shard,
                   const djp_series *series);
/* Returns a chunk that bind named, DJP_SHARD_CHUNK_DOUBLES long, or NULL. Valid while
 * the caller holds a reference. */
double *djp_shard_chunk(djp_shard *shard, size_t chunk);
/* Frees the places of removed series, at most `capacity`, and writes them to places,
 * each as chunk * DJP_SHARD_CHUNK_DOUBLES + index. The writer must not store there
 * again until bind returns the place. Returns their number. Writer only. */
size_t djp_shard_sweep(uint32_t *places, size_t capacity, djp_shard *shard);

/* Folds all attached shards into the registry. Any thread. */
void djp_registry_fold(djp_registry *registry);
/* Folds once more and detaches from the registry; later stores have no effect. Any
 * thread. */
void djp_shard_end(djp_shard *shard);

#ifdef __cplusplus
}
#endif
#endif
