/* Memory of the handles: blocks freed with the registry, and a queue of dead handles, reused oldest
 * first after a long rest, so that an old handle does not record into another series. */
#include "metrics/handle.h"

#include <string.h>

#include "base/mem.h"
#include "metrics/gauge.h"

#define HANDLE_BLOCK 64u

struct djp__series_block {
    djp__series_block *next;
    uint32_t used;
    djp_series items[HANDLE_BLOCK];
};

static djp_series *
handle_fresh(djp_registry *registry)
{
    djp__series_block *block = registry->blocks;
    if (block == NULL || block->used == HANDLE_BLOCK) {
        block = djp__calloc(1, sizeof *block);
        if (block == NULL) {
            return NULL;
        }
        block->next = registry->blocks;
        registry->blocks = block;
    }
    return &block->items[block->used++];
}

static djp_series *
handle_take(djp_registry *registry)
{
    if (registry->dead_count < DJP__HANDLES_RESTING) {
        return handle_fresh(registry);
    }
    djp_series *series = registry->dead_first;
    registry->dead_first = series->next_dead;
    registry->dead_count--;
    return series;
}

static void
handle_retire(djp_registry *registry, djp_series *series)
{
    series->next_dead = NULL;
    if (registry->dead_count > 0) {
        registry->dead_last->next_dead = series;
    } else {
        registry->dead_first = series;
    }
    registry->dead_last = series;
    registry->dead_count++;
}

djp_series *
djp__handle_make(djp_family *family, djp__series_entry *entry)
{
    djp_registry *registry = family->registry;
    uint32_t generation = djp__load_relaxed(&entry->generation);
    djp_series *series = djp__handle_get(registry, entry, generation);
    if (series != NULL) {
        return series;
    }
    series = handle_take(registry);
    if (series == NULL) {
        return NULL;
    }
    djp_series *old = djp__load_relaxed(&registry->handles[entry->index]);
    if (old != NULL) {
        handle_retire(registry, old);
    }
    series->entry = entry;
    series->values =
        djp__segment_values(&registry->segment, registry->segment.own, entry->values_at);
    series->bounds = family->bounds;
    series->family = family;
    series->bucket_count = family->entry->bucket_count;
    series->type = family->entry->type;
    series->is_special = series->type == DJP_GAUGE
                             ? djp__gauge_is_timed((djp_gauge_mode)family->entry->mode) != 0
                             : family->entry->is_exponential;
    djp__store_relaxed(&series->generation, generation);
    djp__store_release(&registry->handles[entry->index], series);
    return series;
}

void
djp__handle_rebind_all(djp_registry *registry)
{
    const djp__segment *segment = &registry->segment;
    for (djp__series_block *block = registry->blocks; block != NULL; block = block->next) {
        for (uint32_t i = 0; i < block->used; i++) {
            djp_series *series = &block->items[i];
            if (series->entry != NULL) {
                series->values =
                    djp__segment_values(segment, segment->own, series->entry->values_at);
            }
        }
    }
}

void
djp__handle_free_all(djp_registry *registry)
{
    while (registry->blocks != NULL) {
        djp__series_block *next = registry->blocks->next;
        djp__free(registry->blocks);
        registry->blocks = next;
    }
}

int
djp_series_is_live(const djp_series *series)
{
    return series != NULL && djp__series_is_live(series);
}

int
djp_series_is_overflow(const djp_series *series)
{
    return series != NULL && series->entry->is_overflow && series->family->entry->label_count > 0;
}

size_t
djp_series_bounds(const double **out, const djp_series *series)
{
    size_t count = series != NULL && series->type == DJP_HISTOGRAM ? series->bucket_count : 0;
    *out = count != 0 ? series->bounds : NULL;
    return count;
}
