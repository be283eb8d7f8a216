/* Shards of single writers: assigns places, folds recordings into the registry, and detects removed
 * series. The fold does not write a word that its writer may be adding to. */
#include "djp/shard.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "metrics/registry.h"

enum { SHARD_FREE = 0, SHARD_BOUND = 1, SHARD_DEAD = 2, SHARD_BLOCK = 128 };
#define SHARD_WIDTH_MAX (DJP_BUCKETS_MAX + 3u)

/* One place. Written by the writer while it is free, by the fold afterwards. */
typedef struct shard_entry {
    /* Writer: FREE to BOUND, release. Fold: BOUND to DEAD, release. Writer with the lock: DEAD to
     * FREE. */
    DJP__ATOMIC(uint32_t) state;
    uint32_t chunk, index;
    uint32_t width;
    struct shard_entry *next_free;
    /* a copy: the original may be reused long after this one was removed */
    djp_series series;
} shard_entry;

typedef struct shard_block {
    DJP__ATOMIC(struct shard_block *) next; /* writer, release */
    DJP__ATOMIC(uint32_t) used; /* writer, release; only grows */
    shard_entry entries[SHARD_BLOCK];
} shard_block;

/* A chunk, followed by the part of it already folded. */
typedef struct shard_chunk {
    DJP__ATOMIC(uint64_t) doubles[DJP_SHARD_CHUNK_DOUBLES]; /* writer, plain stores */
    double folded[DJP_SHARD_CHUNK_DOUBLES];
} shard_chunk;

struct djp_shard {
    DJP__ATOMIC(uint32_t) references;
    int exemplars;
    /* written under its collect_mutex, release; NULL once ended */
    DJP__ATOMIC(djp_registry *) registry;
    djp_shard *previous, *next; /* list of the registry, under its collect_mutex */
    /* Writer only, except the pointers that the fold follows. */
    shard_chunk *chunks[DJP_SHARD_CHUNKS_MAX]; /* set before an entry names them is published */
    uint32_t chunk_count, chunk_used;
    shard_block *first, *last; /* first never changes */
    shard_entry *free_places[SHARD_WIDTH_MAX + 1]; /* by width */
    shard_entry **known; /* by index of the series in the segment */
    uint32_t known_capacity;
};

/* ---- folding (collect_mutex held) ---- */

static double
shard_read(const shard_chunk *chunk, uint32_t index)
{
    return djp__bits_to_double(djp__load_relaxed(&chunk->doubles[index]));
}

static void
shard_write(shard_chunk *chunk, uint32_t index, double value)
{
    djp__store_relaxed(&chunk->doubles[index], djp__double_to_bits(value));
}

/* One of the two 32-bit words of a place's first element. */
static DJP__ATOMIC(uint32_t) * shard_word(shard_chunk *chunk, uint32_t index, uint32_t word)
{
    return (DJP__ATOMIC(uint32_t) *)(void *)&chunk->doubles[index] + word;
}

/* The increase of an element since the last fold. */
static double
shard_take(shard_chunk *chunk, uint32_t index)
{
    double now = shard_read(chunk, index), added = now - chunk->folded[index];
    if (!(added > 0)) {
        return 0;
    }
    chunk->folded[index] = now;
    return added;
}

static void
shard_fold_counter(shard_entry *entry, shard_chunk *chunk)
{
    uint32_t ones = djp__load_relaxed(shard_word(chunk, entry->index, 0)),
             before = (uint32_t)chunk->folded[entry->index];
    double added = shard_take(chunk, entry->index + 1);
    if (ones != before) {
        chunk->folded[entry->index] = ones;
        djp_counter_add(&entry->series, (double)(uint32_t)(ones - before));
    }
    if (added > 0) {
        djp_counter_add(&entry->series, added);
    }
}

static void
shard_fold_histogram(shard_entry *entry, shard_chunk *chunk)
{
    uint32_t at = entry->index, buckets = entry->series.bucket_count + 1u;
    double sum = shard_read(chunk, at + 1), added = sum - chunk->folded[at + 1];
    chunk->folded[at + 1] = sum;
    for (uint32_t i = 0; i < buckets; i++) {
        double count = shard_take(chunk, at + 2 + i);
        if (count > 0) {
            djp__histogram_merge(&entry->series, i, (uint64_t)count, 0);
        }
    }
    if (added != 0 && !isnan(added)) {
        djp__histogram_merge(&entry->series, 0, 0, added);
    }
}

/* Recordings before the removal are removed with the series, not lost. */
static void
shard_retire(shard_entry *entry, shard_chunk *chunk)
{
    chunk->folded[entry->index] = djp__load_relaxed(shard_word(chunk, entry->index, 0));
    for (uint32_t i = 1; i < entry->width; i++) {
        chunk->folded[entry->index + i] = shard_read(chunk, entry->index + i);
    }
    djp__store_release(shard_word(chunk, entry->index, 1), 1);
    djp__store_release(&entry->state, SHARD_DEAD);
}

static void
shard_fold_entry(djp_shard *shard, shard_entry *entry)
{
    uint32_t state = djp__load_acquire(&entry->state);
    if (state == SHARD_FREE) {
        return;
    }
    shard_chunk *chunk = shard->chunks[entry->chunk];
    if (state == SHARD_BOUND && !djp__series_is_live(&entry->series)) {
        shard_retire(entry, chunk);
    } else if (entry->series.type == DJP_COUNTER) {
        shard_fold_counter(entry, chunk);
    } else {
        shard_fold_histogram(entry, chunk);
        if (shard->exemplars && djp__load_relaxed(shard_word(chunk, entry->index, 0)) == 0) {
            djp__store_relaxed(shard_word(chunk, entry->index, 0), 1);
        }
    }
}

static void
shard_fold(djp_shard *shard)
{
    for (shard_block *block = shard->first; block; block = djp__load_acquire(&block->next)) {
        uint32_t used = djp__load_acquire(&block->used);
        for (uint32_t i = 0; i < used; i++) {
            shard_fold_entry(shard, &block->entries[i]);
        }
    }
}

void
djp__shards_fold_all(djp_registry *registry)
{
    for (djp_shard *shard = registry->shards; shard; shard = shard->next) {
        shard_fold(shard);
    }
}

void
djp_registry_fold(djp_registry *registry)
{
    if (registry != NULL) {
        djp__mutex_lock(&registry->collect_mutex);
        djp__shards_fold_all(registry);
        djp__mutex_unlock(&registry->collect_mutex);
    }
}

/* ---- places (writer) ---- */

static shard_entry *
shard_entry_new(djp_shard *shard)
{
    shard_block *block = shard->last;
    uint32_t used = djp__load_relaxed(&block->used);
    if (used == SHARD_BLOCK) {
        block = djp__calloc(1, sizeof *block);
        if (block == NULL) {
            return NULL;
        }
        djp__store_release(&shard->last->next, block);
        shard->last = block;
        used = 0;
    }
    djp__store_release(&block->used, used + 1); /* still free: the fold skips it */
    return &block->entries[used];
}

/* A new place at the end of the memory in use. */
static shard_entry *
shard_grow(djp_shard *shard, uint32_t width)
{
    if (shard->chunk_count == 0 || shard->chunk_used + width > DJP_SHARD_CHUNK_DOUBLES) {
        shard_chunk *chunk =
            shard->chunk_count < DJP_SHARD_CHUNKS_MAX ? djp__calloc(1, sizeof(shard_chunk)) : NULL;
        if (chunk == NULL) {
            return NULL;
        }
        shard->chunks[shard->chunk_count++] = chunk;
        shard->chunk_used = 0;
    }
    shard_entry *entry = shard_entry_new(shard);
    if (entry != NULL) {
        entry->chunk = shard->chunk_count - 1;
        entry->index = shard->chunk_used;
        entry->width = width;
        shard->chunk_used += width;
    }
    return entry;
}

static shard_entry *
shard_place(djp_shard *shard, uint32_t width)
{
    shard_entry *entry = shard->free_places[width];
    if (entry == NULL) {
        return shard_grow(shard, width);
    }
    shard->free_places[width] = entry->next_free;
    shard_chunk *chunk = shard->chunks[entry->chunk];
    for (uint32_t i = 0; i < width; i++) {
        shard_write(chunk, entry->index + i, 0);
        chunk->folded[entry->index + i] = 0;
    }
    return entry;
}

/* The pointer to the entry of a series of the segment, or NULL without memory. */
static shard_entry **
shard_known(djp_shard *shard, uint32_t index)
{
    if (index >= shard->known_capacity) {
        uint32_t capacity = shard->known_capacity ? shard->known_capacity : 64;
        while (capacity <= index) {
            capacity *= 2;
        }
        shard_entry **known = djp__realloc(shard->known, capacity * sizeof *known);
        if (known == NULL) {
            return NULL;
        }
        memset(&known[shard->known_capacity], 0,
               (capacity - shard->known_capacity) * sizeof *known);
        shard->known = known;
        shard->known_capacity = capacity;
    }
    return &shard->known[index];
}

static void
shard_copy_series(djp_series *out, const djp_series *series)
{
    out->entry = series->entry;
    out->values = series->values;
    out->bounds = series->bounds;
    out->family = series->family;
    out->bucket_count = series->bucket_count;
    out->type = series->type;
    djp__store_relaxed(&out->generation, djp__load_relaxed(&series->generation));
}

static int
shard_is_of(const shard_entry *entry, const djp_series *series)
{
    return entry && djp__load_relaxed(&entry->state) == SHARD_BOUND &&
           entry->series.entry == series->entry &&
           djp__load_relaxed(&entry->series.generation) == djp__load_relaxed(&series->generation);
}

int
djp_shard_bind(size_t *chunk, size_t *index, djp_shard *shard, const djp_series *series)
{
    if (chunk == NULL || index == NULL || shard == NULL || series == NULL ||
        series->type == DJP_GAUGE) {
        return DJP_EINVAL;
    }
    shard_entry **known = shard_known(shard, series->entry->index);
    if (known == NULL) {
        return DJP_ENOMEM;
    }
    shard_entry *entry = *known;
    if (!shard_is_of(entry, series)) {
        entry = shard_place(shard, series->type == DJP_HISTOGRAM ? series->bucket_count + 3u : 2u);
        if (entry == NULL) {
            return DJP_ENOMEM;
        }
        shard_copy_series(&entry->series, series);
        if (shard->exemplars && entry->series.type == DJP_HISTOGRAM) {
            djp__store_relaxed(shard_word(shard->chunks[entry->chunk], entry->index, 0), 1);
        }
        djp__store_release(&entry->state, SHARD_BOUND);
        *known = entry;
    }
    *chunk = entry->chunk;
    *index = entry->index;
    return 0;
}

double *
djp_shard_chunk(djp_shard *shard, size_t chunk)
{
    return shard && chunk < shard->chunk_count ? (double *)(void *)shard->chunks[chunk]->doubles
                                               : NULL;
}

/* Lock held. */
static size_t
shard_take_dead(uint32_t *places, size_t capacity, djp_shard *shard)
{
    size_t count = 0;
    for (shard_block *block = shard->first; block; block = djp__load_relaxed(&block->next)) {
        uint32_t used = djp__load_relaxed(&block->used);
        for (uint32_t i = 0; i < used && count < capacity; i++) {
            shard_entry *entry = &block->entries[i];
            if (djp__load_relaxed(&entry->state) != SHARD_DEAD) {
                continue;
            }
            shard_entry **known = &shard->known[entry->series.entry->index];
            if (*known == entry) {
                *known = NULL;
            }
            entry->next_free = shard->free_places[entry->width];
            shard->free_places[entry->width] = entry;
            djp__store_relaxed(&entry->state, SHARD_FREE);
            places[count++] = entry->chunk * DJP_SHARD_CHUNK_DOUBLES + entry->index;
        }
    }
    return count;
}

size_t
djp_shard_sweep(uint32_t *places, size_t capacity, djp_shard *shard)
{
    djp_registry *registry = shard != NULL ? djp__load_acquire(&shard->registry) : NULL;
    if (registry == NULL || places == NULL) {
        return 0;
    }
    djp__mutex_lock(&registry->collect_mutex);
    size_t count = shard_take_dead(places, capacity, shard);
    djp__mutex_unlock(&registry->collect_mutex);
    return count;
}

/* ---- start and end ---- */

int
djp_shard_new(djp_shard **out, djp_registry *registry, int exemplars)
{
    if (out == NULL || registry == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp_shard *shard = djp__calloc(1, sizeof *shard);
    shard_block *block = djp__calloc(1, sizeof *block);
    if (shard == NULL || block == NULL) {
        djp__free(shard);
        djp__free(block);
        return DJP_ENOMEM;
    }
    djp__store_relaxed(&shard->references, 1);
    shard->exemplars = exemplars;
    shard->first = shard->last = block;
    djp__store_relaxed(&shard->registry, registry);
    djp__mutex_lock(&registry->collect_mutex);
    shard->next = registry->shards;
    if (shard->next) {
        shard->next->previous = shard;
    }
    registry->shards = shard;
    djp__mutex_unlock(&registry->collect_mutex);
    *out = shard;
    return 0;
}

/* The writer must bind another place. */
static void
shard_close(djp_shard *shard)
{
    for (shard_block *block = shard->first; block; block = djp__load_acquire(&block->next)) {
        uint32_t used = djp__load_acquire(&block->used);
        for (uint32_t i = 0; i < used; i++) {
            shard_entry *entry = &block->entries[i];
            if (djp__load_acquire(&entry->state) != SHARD_FREE) {
                djp__store_release(shard_word(shard->chunks[entry->chunk], entry->index, 1), 1);
            }
        }
    }
}

/* Lock held. */
static void
shard_unlink(djp_shard *shard, djp_registry *registry)
{
    if (shard->previous != NULL) {
        shard->previous->next = shard->next;
    } else {
        registry->shards = shard->next;
    }
    if (shard->next) {
        shard->next->previous = shard->previous;
    }
    shard->previous = shard->next = NULL;
    shard_close(shard);
    djp__store_release(&shard->registry, NULL);
}

void
djp_shard_end(djp_shard *shard)
{
    djp_registry *registry = shard != NULL ? djp__load_acquire(&shard->registry) : NULL;
    if (registry == NULL) {
        return;
    }
    djp__mutex_lock(&registry->collect_mutex);
    shard_fold(shard);
    shard_unlink(shard, registry);
    djp__mutex_unlock(&registry->collect_mutex);
}

void
djp__shards_detach_all(djp_registry *registry)
{
    while (registry->shards != NULL) {
        shard_unlink(registry->shards, registry);
    }
}

djp_shard *
djp_shard_ref(djp_shard *shard)
{
    if (shard != NULL) {
        djp__add_relaxed(&shard->references, 1);
    }
    return shard;
}

void
djp_shard_unref(djp_shard *shard)
{
    if (shard == NULL || djp__sub_acq_rel(&shard->references, 1) != 1) {
        return;
    }
    djp_shard_end(shard);
    for (shard_block *block = shard->first, *next; block; block = next) {
        next = djp__load_relaxed(&block->next);
        djp__free(block);
    }
    for (uint32_t i = 0; i < shard->chunk_count; i++) {
        djp__free(shard->chunks[i]);
    }
    djp__free(shard->known);
    djp__free(shard);
}
