/* Cells of single writers: giving out places, folding what their writers added into the registry, and noticing series that were
 * removed. The fold never writes a word that its writer may be adding to. */
#include "djp/cells.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "metrics/registry.h"

enum { CELLS_FREE = 0, CELLS_BOUND = 1, CELLS_DEAD = 2, CELLS_BLOCK = 128 };
#define CELLS_WIDTH_MAX (DJP_BUCKETS_MAX + 3u)

/* One place. Written by the writer while it is free, by the fold afterwards. */
typedef struct cells_entry {
    /* Writer: FREE to BOUND, release. Fold: BOUND to DEAD, release. Writer with the lock: DEAD to FREE. */
    DJP_ATOMIC(uint32_t) state;
    uint32_t chunk, index;
    uint32_t width;
    struct cells_entry *next_free;
    djp_series series; /* a copy: the original may be given to another series long after this one was removed */
} cells_entry;

typedef struct cells_block {
    DJP_ATOMIC(struct cells_block *) next; /* writer, release */
    DJP_ATOMIC(uint32_t) used; /* writer, release; only grows */
    cells_entry entries[CELLS_BLOCK];
} cells_block;

/* A chunk and, behind what the writer sees, what of it has been folded. */
typedef struct cells_chunk {
    DJP_ATOMIC(uint64_t) cells[DJP_CELLS_CHUNK_DOUBLES]; /* doubles; writer, plain stores */
    double folded[DJP_CELLS_CHUNK_DOUBLES];
} cells_chunk;

struct djp_cells {
    DJP_ATOMIC(uint32_t) references;
    int exemplars;
    DJP_ATOMIC(djp_registry *) registry; /* written under its collect_mutex, release; NULL once ended */
    djp_cells *previous, *next; /* list of the registry, under its collect_mutex */
    /* Writer only, but for the pointers that the fold follows. */
    cells_chunk *chunks[DJP_CELLS_CHUNKS_MAX]; /* set before an entry names them is published */
    uint32_t chunk_count, chunk_used;
    cells_block *first, *last; /* first never changes */
    cells_entry *free_places[CELLS_WIDTH_MAX + 1]; /* by width */
    cells_entry **known; /* by index of the series in the segment */
    uint32_t known_capacity;
};

/* ---- folding: with the registry's collect_mutex ---- */

static double
cells_read(const cells_chunk *chunk, uint32_t index)
{
    return djp__bits_to_double(djp_load_relaxed(&chunk->cells[index]));
}

static void
cells_write(cells_chunk *chunk, uint32_t index, double value)
{
    djp_store_relaxed(&chunk->cells[index], djp__double_to_bits(value));
}

/* One of the two words of a place's first cell. */
static DJP_ATOMIC(uint32_t) * cells_word(cells_chunk *chunk, uint32_t index, uint32_t word)
{
    return (DJP_ATOMIC(uint32_t) *)(void *)&chunk->cells[index] + word;
}

/* What was added to a cell that only grows since the last look, which this is now. */
static double
cells_take(cells_chunk *chunk, uint32_t index)
{
    double now = cells_read(chunk, index), added = now - chunk->folded[index];
    if (!(added > 0)) {
        return 0;
    }
    chunk->folded[index] = now;
    return added;
}

static void
cells_fold_counter(cells_entry *entry, cells_chunk *chunk)
{
    uint32_t ones = djp_load_relaxed(cells_word(chunk, entry->index, 0)),
             before = (uint32_t)chunk->folded[entry->index];
    double added = cells_take(chunk, entry->index + 1);
    if (ones != before) {
        chunk->folded[entry->index] = ones;
        djp_counter_add(&entry->series, (double)(uint32_t)(ones - before));
    }
    if (added > 0) {
        djp_counter_add(&entry->series, added);
    }
}

static void
cells_fold_histogram(cells_entry *entry, cells_chunk *chunk)
{
    uint32_t at = entry->index, buckets = entry->series.bucket_count + 1u;
    double sum = cells_read(chunk, at + 1), added = sum - chunk->folded[at + 1];
    chunk->folded[at + 1] = sum;
    for (uint32_t i = 0; i < buckets; i++) {
        double count = cells_take(chunk, at + 2 + i);
        if (count > 0) {
            djp__histogram_merge(&entry->series, i, (uint64_t)count, 0);
        }
    }
    if (added != 0 && !isnan(added)) {
        djp__histogram_merge(&entry->series, 0, 0, added);
    }
}

/* What was added before the removal went with the series: no loss to count. */
static void
cells_bury(cells_entry *entry, cells_chunk *chunk)
{
    chunk->folded[entry->index] = djp_load_relaxed(cells_word(chunk, entry->index, 0));
    for (uint32_t i = 1; i < entry->width; i++) {
        chunk->folded[entry->index + i] = cells_read(chunk, entry->index + i);
    }
    djp_store_release(cells_word(chunk, entry->index, 1), 1);
    djp_store_release(&entry->state, CELLS_DEAD);
}

static void
cells_fold_entry(djp_cells *cells, cells_entry *entry)
{
    uint32_t state = djp_load_acquire(&entry->state);
    if (state == CELLS_FREE) {
        return;
    }
    cells_chunk *chunk = cells->chunks[entry->chunk];
    if (state == CELLS_BOUND && !djp__series_is_live(&entry->series)) {
        cells_bury(entry, chunk);
    } else if (entry->series.type == DJP_COUNTER) {
        cells_fold_counter(entry, chunk);
    } else {
        cells_fold_histogram(entry, chunk);
        if (cells->exemplars && djp_load_relaxed(cells_word(chunk, entry->index, 0)) == 0) {
            djp_store_relaxed(cells_word(chunk, entry->index, 0), 1);
        }
    }
}

static void
cells_fold(djp_cells *cells)
{
    for (cells_block *block = cells->first; block; block = djp_load_acquire(&block->next)) {
        uint32_t used = djp_load_acquire(&block->used);
        for (uint32_t i = 0; i < used; i++) {
            cells_fold_entry(cells, &block->entries[i]);
        }
    }
}

void
djp__cells_fold_all(djp_registry *registry)
{
    for (djp_cells *cells = registry->cells; cells; cells = cells->next) {
        cells_fold(cells);
    }
}

void
djp_registry_fold(djp_registry *registry)
{
    if (registry) {
        djp__mutex_lock(&registry->collect_mutex);
        djp__cells_fold_all(registry);
        djp__mutex_unlock(&registry->collect_mutex);
    }
}

/* ---- places: the writer's side ---- */

static cells_entry *
cells_entry_new(djp_cells *cells)
{
    cells_block *block = cells->last;
    uint32_t used = djp_load_relaxed(&block->used);
    if (used == CELLS_BLOCK) {
        block = djp__calloc(1, sizeof *block);
        if (!block) {
            return NULL;
        }
        djp_store_release(&cells->last->next, block);
        cells->last = block;
        used = 0;
    }
    djp_store_release(&block->used, used + 1); /* still free: the fold passes it by */
    return &block->entries[used];
}

/* A new place at the end of the memory in use. */
static cells_entry *
cells_grow(djp_cells *cells, uint32_t width)
{
    if (cells->chunk_count == 0 || cells->chunk_used + width > DJP_CELLS_CHUNK_DOUBLES) {
        cells_chunk *chunk = cells->chunk_count < DJP_CELLS_CHUNKS_MAX ? djp__calloc(1, sizeof(cells_chunk)) : NULL;
        if (!chunk) {
            return NULL;
        }
        cells->chunks[cells->chunk_count++] = chunk;
        cells->chunk_used = 0;
    }
    cells_entry *entry = cells_entry_new(cells);
    if (entry) {
        entry->chunk = cells->chunk_count - 1;
        entry->index = cells->chunk_used;
        entry->width = width;
        cells->chunk_used += width;
    }
    return entry;
}

static cells_entry *
cells_place(djp_cells *cells, uint32_t width)
{
    cells_entry *entry = cells->free_places[width];
    if (!entry) {
        return cells_grow(cells, width);
    }
    cells->free_places[width] = entry->next_free;
    cells_chunk *chunk = cells->chunks[entry->chunk];
    for (uint32_t i = 0; i < width; i++) {
        cells_write(chunk, entry->index + i, 0);
        chunk->folded[entry->index + i] = 0;
    }
    return entry;
}

/* Where the entry of that series of the segment is kept, or NULL without memory. */
static cells_entry **
cells_known(djp_cells *cells, uint32_t index)
{
    if (index >= cells->known_capacity) {
        uint32_t capacity = cells->known_capacity ? cells->known_capacity : 64;
        while (capacity <= index) {
            capacity *= 2;
        }
        cells_entry **known = djp__realloc(cells->known, capacity * sizeof *known);
        if (!known) {
            return NULL;
        }
        memset(&known[cells->known_capacity], 0, (capacity - cells->known_capacity) * sizeof *known);
        cells->known = known;
        cells->known_capacity = capacity;
    }
    return &cells->known[index];
}

static void
cells_copy_series(djp_series *out, const djp_series *series)
{
    out->entry = series->entry;
    out->cells = series->cells;
    out->bounds = series->bounds;
    out->family = series->family;
    out->bucket_count = series->bucket_count;
    out->type = series->type;
    djp_store_relaxed(&out->generation, djp_load_relaxed(&series->generation));
}

static int
cells_is_of(const cells_entry *entry, const djp_series *series)
{
    return entry && djp_load_relaxed(&entry->state) == CELLS_BOUND && entry->series.entry == series->entry &&
           djp_load_relaxed(&entry->series.generation) == djp_load_relaxed(&series->generation);
}

int
djp_cells_bind(size_t *chunk, size_t *index, djp_cells *cells, const djp_series *series)
{
    if (!chunk || !index || !cells || !series || series->type == DJP_GAUGE) {
        return DJP_EINVAL;
    }
    cells_entry **known = cells_known(cells, series->entry->index);
    if (!known) {
        return DJP_ENOMEM;
    }
    cells_entry *entry = *known;
    if (!cells_is_of(entry, series)) {
        entry = cells_place(cells, series->type == DJP_HISTOGRAM ? series->bucket_count + 3u : 2u);
        if (!entry) {
            return DJP_ENOMEM;
        }
        cells_copy_series(&entry->series, series);
        if (cells->exemplars && entry->series.type == DJP_HISTOGRAM) {
            djp_store_relaxed(cells_word(cells->chunks[entry->chunk], entry->index, 0), 1);
        }
        djp_store_release(&entry->state, CELLS_BOUND);
        *known = entry;
    }
    *chunk = entry->chunk;
    *index = entry->index;
    return 0;
}

double *
djp_cells_chunk(djp_cells *cells, size_t chunk)
{
    return cells && chunk < cells->chunk_count ? (double *)(void *)cells->chunks[chunk]->cells : NULL;
}

/* Lock held. */
static size_t
cells_take_dead(uint32_t *places, size_t capacity, djp_cells *cells)
{
    size_t count = 0;
    for (cells_block *block = cells->first; block; block = djp_load_relaxed(&block->next)) {
        uint32_t used = djp_load_relaxed(&block->used);
        for (uint32_t i = 0; i < used && count < capacity; i++) {
            cells_entry *entry = &block->entries[i];
            if (djp_load_relaxed(&entry->state) != CELLS_DEAD) {
                continue;
            }
            cells_entry **known = &cells->known[entry->series.entry->index];
            if (*known == entry) {
                *known = NULL;
            }
            entry->next_free = cells->free_places[entry->width];
            cells->free_places[entry->width] = entry;
            djp_store_relaxed(&entry->state, CELLS_FREE);
            places[count++] = entry->chunk * DJP_CELLS_CHUNK_DOUBLES + entry->index;
        }
    }
    return count;
}

size_t
djp_cells_sweep(uint32_t *places, size_t capacity, djp_cells *cells)
{
    djp_registry *registry = cells ? djp_load_acquire(&cells->registry) : NULL;
    if (!registry || !places) {
        return 0;
    }
    djp__mutex_lock(&registry->collect_mutex);
    size_t count = cells_take_dead(places, capacity, cells);
    djp__mutex_unlock(&registry->collect_mutex);
    return count;
}

/* ---- life ---- */

int
djp_cells_new(djp_cells **out, djp_registry *registry, int exemplars)
{
    if (!out || !registry) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp_cells *cells = djp__calloc(1, sizeof *cells);
    cells_block *block = djp__calloc(1, sizeof *block);
    if (!cells || !block) {
        djp__free(cells);
        djp__free(block);
        return DJP_ENOMEM;
    }
    djp_store_relaxed(&cells->references, 1);
    cells->exemplars = exemplars;
    cells->first = cells->last = block;
    djp_store_relaxed(&cells->registry, registry);
    djp__mutex_lock(&registry->collect_mutex);
    cells->next = registry->cells;
    if (cells->next) {
        cells->next->previous = cells;
    }
    registry->cells = cells;
    djp__mutex_unlock(&registry->collect_mutex);
    *out = cells;
    return 0;
}

/* The writer shall look for another place. */
static void
cells_close(djp_cells *cells)
{
    for (cells_block *block = cells->first; block; block = djp_load_acquire(&block->next)) {
        uint32_t used = djp_load_acquire(&block->used);
        for (uint32_t i = 0; i < used; i++) {
            cells_entry *entry = &block->entries[i];
            if (djp_load_acquire(&entry->state) != CELLS_FREE) {
                djp_store_release(cells_word(cells->chunks[entry->chunk], entry->index, 1), 1);
            }
        }
    }
}

/* Lock held. */
static void
cells_unlink(djp_cells *cells, djp_registry *registry)
{
    if (cells->previous) {
        cells->previous->next = cells->next;
    } else {
        registry->cells = cells->next;
    }
    if (cells->next) {
        cells->next->previous = cells->previous;
    }
    cells->previous = cells->next = NULL;
    cells_close(cells);
    djp_store_release(&cells->registry, NULL);
}

void
djp_cells_end(djp_cells *cells)
{
    djp_registry *registry = cells ? djp_load_acquire(&cells->registry) : NULL;
    if (!registry) {
        return;
    }
    djp__mutex_lock(&registry->collect_mutex);
    cells_fold(cells);
    cells_unlink(cells, registry);
    djp__mutex_unlock(&registry->collect_mutex);
}

void
djp__cells_detach_all(djp_registry *registry)
{
    while (registry->cells) {
        cells_unlink(registry->cells, registry);
    }
}

djp_cells *
djp_cells_ref(djp_cells *cells)
{
    if (cells) {
        djp_add_relaxed(&cells->references, 1);
    }
    return cells;
}

void
djp_cells_unref(djp_cells *cells)
{
    if (!cells || djp_sub_acq_rel(&cells->references, 1) != 1) {
        return;
    }
    djp_cells_end(cells);
    for (cells_block *block = cells->first, *next; block; block = next) {
        next = djp_load_relaxed(&block->next);
        djp__free(block);
    }
    for (uint32_t i = 0; i < cells->chunk_count; i++) {
        djp__free(cells->chunks[i]);
    }
    djp__free(cells->known);
    djp__free(cells);
}
