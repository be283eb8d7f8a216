/* Cells: counters and histograms of one writer (a thread of a language in which a call into C costs more than the recording) in
 * memory that the core owns. The writer adds with plain 8-byte stores; the core folds what was added since its last look into the
 * registry, before every exposition and at the end. The writer never waits and never calls the core to record.
 *
 * A counter is one double, its sum so far. A histogram is a flag, a sum, and a count for each bucket and one for +Inf, all
 * doubles. The writer alone writes them, but for the flag (the core sets it, the writer may set it to 0) and for a counter whose
 * series was removed: the core writes NaN there. Stores must be single aligned 8-byte stores, in any order. */
#ifndef DJP_CELLS_H
#define DJP_CELLS_H

#include "djp/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct djp_cells djp_cells;

#define DJP_CELLS_CHUNK_DOUBLES 8192u /* 64 KiB */
#define DJP_CELLS_CHUNKS_MAX 1024u

/* Values of a histogram's flag. */
enum {
    DJP_CELLS_PLAIN = 0,
    DJP_CELLS_EXEMPLAR = 1, /* an exemplar of the next recording inside a sampled span is welcome */
    DJP_CELLS_REMOVED = 2 /* the series is gone: what is recorded here is dropped */
};

/* Attaches a new, empty set of cells to the registry. exemplars 1: flags ask for exemplars. The caller holds one reference. Ends by
 * djp_cells_end or with the registry, but not by both at once. 0, DJP_EINVAL or DJP_ENOMEM. Any thread. */
int djp_cells_new(djp_cells **out, djp_registry *registry, int exemplars);
djp_cells *djp_cells_ref(djp_cells *cells);
/* The memory goes with the last reference, which ends the cells first. Accepts NULL. */
void djp_cells_unref(djp_cells *cells);

/* The place of a counter's or histogram's cells: the same one for the same series until it is removed. Borrows the series for the
 * call. 0, DJP_EINVAL (a gauge, NULL) or DJP_ENOMEM. Writer only. */
int djp_cells_bind(size_t *chunk, size_t *index, djp_cells *cells, const djp_series *series);
/* The memory of a chunk that bind named, DJP_CELLS_CHUNK_DOUBLES long, or NULL. Valid as long as a reference is held. */
double *djp_cells_chunk(djp_cells *cells, size_t chunk);
/* Takes back the cells of removed series, at most `capacity` of them: the writer must never store to these places again, until bind
 * gives them out anew. A place is chunk * DJP_CELLS_CHUNK_DOUBLES + index. Returns how many. Writer only. */
size_t djp_cells_sweep(uint32_t *places, size_t capacity, djp_cells *cells);

/* Brings the registry up to date with all cells that are attached to it. Any thread. */
void djp_registry_fold(djp_registry *registry);
/* Folds for the last time and lets go of the registry; the writer may go on storing, unheard. Any thread. */
void djp_cells_end(djp_cells *cells);

#ifdef __cplusplus
}
#endif
#endif
