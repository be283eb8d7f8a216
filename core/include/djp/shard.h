/* Cells: counters and histograms of one writer (a thread of a language in which a call
 * into C costs more than the recording) in memory that the core owns. The writer adds
 * with plain 8-byte stores; the core folds what was added since its last look into the
 * registry, before every exposition and at the end. The writer never waits and never
 * calls the core to record.
 *
 * Cells are 8 bytes wide. The first one of a place is two 32-bit words. The second
 * word is the core's: not 0 once the series was removed or the registry is gone, and
 * what is recorded here is dropped. The first word of a counter counts additions of
 * 1, modulo 2^32, and the second cell is the sum of all other amounts, a double. The
 * first word of a histogram is not 0 when an exemplar is welcome; the writer sets it
 * back to 0. Behind it lie the sum and a count for each bucket and one for +Inf, all
 * doubles. Stores must be single and aligned, in any order. A counter must be folded
 * before its first word has counted 2^32. */
#ifndef DJP_SHARD_H
#define DJP_SHARD_H

#include "djp/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_shard djp_shard;

#define DJP_SHARD_CHUNK_DOUBLES 8192u /* 64 KiB */
#define DJP_SHARD_CHUNKS_MAX 1024u

/* Attaches a new, empty set of cells to the registry. exemplars 1: histograms ask
 * for exemplars. The caller holds one reference. Ends by djp_shard_end or with the
 * registry, but not by both at once. 0, DJP_EINVAL or DJP_ENOMEM. Any thread. */
int djp_shard_new(djp_shard **out, djp_registry *registry, int exemplars);
djp_shard *djp_shard_ref(djp_shard *cells);
/* The memory goes with the last reference, which ends the cells first. Accepts NULL. */
void djp_shard_unref(djp_shard *cells);

/* The place of a counter's or histogram's cells: the same one for the same series
 * until it is removed. Borrows the series for the call. 0, DJP_EINVAL (a gauge,
 * NULL) or DJP_ENOMEM. Writer only. */
int djp_shard_bind(size_t *chunk, size_t *index, djp_shard *cells,
                   const djp_series *series);
/* The memory of a chunk that bind named, DJP_SHARD_CHUNK_DOUBLES long, or NULL.
 * Valid as long as a reference is held. */
double *djp_shard_chunk(djp_shard *cells, size_t chunk);
/* Takes back the cells of removed series, at most `capacity` of them: the writer
 * must never store to these places again, until bind gives them out anew. A place is
 * chunk * DJP_SHARD_CHUNK_DOUBLES + index. Returns how many. Writer only. */
size_t djp_shard_sweep(uint32_t *places, size_t capacity, djp_shard *cells);

/* Brings the registry up to date with all cells that are attached to it. Any thread. */
void djp_registry_fold(djp_registry *registry);
/* Folds for the last time and lets go of the registry; the writer may go on storing,
 * unheard. Any thread. */
void djp_shard_end(djp_shard *cells);

#ifdef __cplusplus
}
#endif
#endif
