/* Shards: counters and histograms of one writer in a stripe of the registry's memory,
 * for language runtimes in which a call into C costs more than the recording. The
 * writer stores there without calls into the core and without waiting. In a shared
 * registry other processes read the same words, so a writer that is killed loses
 * nothing.
 *
 * A series consists of 8-byte words. Counter: a 64-bit count of additions of 1, then a
 * double, the sum of all other amounts. Histogram: the sum, a double, then a 64-bit
 * count per bucket and one for +Inf. The mark of a series is its first count: the four
 * highest bits of that word are the DJP_SHARD_* below. The writer adds to the low 32
 * bits of a count with one aligned store; when the lowest 30 bits of the new value are
 * all zero, it calls djp_shard_carry instead. While the mark has a bit of
 * DJP_SHARD_STOP, it does not store, unless the bit is DJP_SHARD_REQUEST. A histogram
 * stores the count before the sum. */
#ifndef DJP_SHARD_H
#define DJP_SHARD_H

#include "djp/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_shard djp_shard;

/* The series was removed: the writer binds another one; readers skip the values. */
#define DJP_SHARD_REMOVED (UINT64_C(1) << 63)
/* The shard has ended: the writer binds to the next one; the values count. */
#define DJP_SHARD_ENDED (UINT64_C(1) << 62)
/* A histogram requests an exemplar. */
#define DJP_SHARD_REQUEST (UINT64_C(1) << 61)
#define DJP_SHARD_BOUND (UINT64_C(1) << 60)
#define DJP_SHARD_STOP (DJP_SHARD_REMOVED | DJP_SHARD_ENDED | DJP_SHARD_REQUEST)
#define DJP_SHARD_COUNT (DJP_SHARD_BOUND - 1)
#define DJP_SHARD_ROW_WORDS 2048u /* 16 KiB; no series crosses two rows */

/* Creates an empty shard for the calling thread and attaches it to the registry.
 * exemplars 1: its histograms request exemplars. The caller holds one reference. The
 * shard ends with djp_shard_end, djp_shard_finish or the registry; do not run two of
 * these at once. Returns 0, DJP_EINVAL, DJP_ENOMEM, DJP_ETIMEOUT or DJP_EFULL (no
 * stripe is free): record through the series then. */
int djp_shard_new(djp_shard **out, djp_registry *registry, int exemplars);
/* Takes another reference and returns shard. Accepts NULL. */
djp_shard *djp_shard_ref(djp_shard *shard);
/* The last release ends the shard and unmaps its memory. Accepts NULL. */
void djp_shard_unref(djp_shard *shard);

/* Sets place to the index of the first word of a counter or histogram; it is the same
 * until the series is removed. Returns 0, 1 (the place belonged to a removed series:
 * its metrics must not store there again), DJP_EINVAL (another type, a histogram with
 * exponential buckets, NULL, a removed series), DJP_ETIMEOUT or DJP_ENOMEM. Borrows
 * series. Writer only. */
int djp_shard_bind(size_t *place, djp_shard *shard, const djp_series *series);
/* Returns DJP_SHARD_ROW_WORDS words, row being place / DJP_SHARD_ROW_WORDS, or NULL.
 * Valid while the caller holds a reference. */
double *djp_shard_row(djp_shard *shard, size_t row);
/* Adds 1 to the count at a place that bind returned, plus its offset in the series.
 * Writer only. */
void djp_shard_carry(djp_shard *shard, size_t place);
/* Withdraws the request for an exemplar. Writer only. */
void djp_shard_decline(djp_shard *shard, const djp_series *series);

/* Detaches from the registry; the writer may go on to store. Any thread. */
void djp_shard_end(djp_shard *shard);
/* The same for a writer that has stopped for good: another one of this process may take
 * up its stripe. */
void djp_shard_finish(djp_shard *shard);

#ifdef __cplusplus
}
#endif
#endif
