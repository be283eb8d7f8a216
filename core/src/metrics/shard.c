/* Shards of single writers: a stripe of the segment for each, and the marks of its series. */
#include "djp/shard.h"

#include "base/mem.h"
#include "metrics/fold.h"
#include "metrics/registry.h"
#include "metrics/slot.h"
#include "metrics/stripe.h"

struct djp_shard {
    DJP__ATOMIC(uint32_t) references;
    /* written under its collect_mutex, release; NULL once ended */
    DJP__ATOMIC(djp_registry *) registry;
    djp_shard *previous, *next; /* list of the registry, under its collect_mutex */
    djp__segment segment; /* a copy, for its sizes */
    djp__segment_mapping *mapping; /* a reference */
    uint32_t stripe;
    int exemplars;
};

static DJP__ATOMIC(uint64_t) * shard_values(const djp_shard *shard, const djp__series_entry *entry)
{
    return djp__segment_values(&shard->segment, shard->stripe, entry->values_at);
}

/* ---- places (writer) ---- */

/* The lock is held, and the writer does not store. Returns 1 for values of a removed series. */
static int
shard_take(const djp_shard *shard, const djp_series *series)
{
    const djp__family_entry *family = series->family->entry;
    DJP__ATOMIC(uint64_t) *values = shard_values(shard, series->entry);
    uint32_t mark = djp__stripe_mark_at(family->type);
    uint64_t now = djp__load_relaxed(&values[mark]);
    int was_removed = (now & DJP_SHARD_REMOVED) != 0;
    for (uint32_t i = 0; was_removed && i < family->value_count; i++) {
        if (i != mark) {
            djp__store_relaxed(&values[i], 0);
        }
    }
    uint64_t count = was_removed ? 0 : now & DJP_SHARD_COUNT;
    uint64_t request = shard->exemplars && family->type == DJP_HISTOGRAM ? DJP_SHARD_REQUEST : 0;
    djp__store_release(&values[mark], count | DJP_SHARD_BOUND | request);
    return was_removed;
}

int
djp_shard_bind(size_t *place, djp_shard *shard, const djp_series *series)
{
    djp_registry *registry = shard != NULL ? djp__load_acquire(&shard->registry) : NULL;
    int result = DJP_EINVAL;
    if (place == NULL || registry == NULL || series == NULL || series->type == DJP_GAUGE ||
        series->is_special) {
        return DJP_EINVAL;
    }
    if (!djp__registry_lock(registry)) {
        return DJP_ETIMEOUT;
    }
    if (djp__series_is_live(series)) {
        result = shard_take(shard, series);
        uint32_t at = series->entry->values_at;
        *place = (size_t)(at / 8);
    }
    djp__registry_unlock(registry);
    return result;
}

static DJP__ATOMIC(uint64_t) * shard_word(const djp_shard *shard, size_t place)
{
    return djp__segment_values(&shard->segment, shard->stripe, (uint32_t)place * 8);
}

double *
djp_shard_row(djp_shard *shard, size_t row)
{
    if (shard == NULL || row >= shard->segment.stripe_size / DJP__SEGMENT_ROW) {
        return NULL;
    }
    return (double *)(void *)shard_word(shard, row * DJP_SHARD_ROW_WORDS);
}

void
djp_shard_carry(djp_shard *shard, size_t place)
{
    if (shard != NULL && place < shard->segment.stripe_size / 8) {
        djp__add_relaxed(shard_word(shard, place), 1);
    }
}

void
djp_shard_decline(djp_shard *shard, const djp_series *series)
{
    if (shard != NULL && series != NULL && series->type == DJP_HISTOGRAM) {
        djp__and_acq_rel(&shard_values(shard, series->entry)[1], ~DJP_SHARD_REQUEST);
    }
}

/* ---- start and end ---- */

static int
shard_claim(djp_shard *shard, djp_registry *registry)
{
    djp__segment *segment = &registry->segment;
    if (!segment->is_striped) {
        return DJP_EFULL;
    }
    if (djp__segment_is_shared(segment)) {
        djp__fold_dead(registry);
    }
    shard->stripe = djp__slot_claim_writer(segment, shard->exemplars);
    if (shard->stripe == 0) {
        return DJP_EFULL;
    }
    shard->mapping = djp__segment_hold(segment);
    if (shard->mapping == NULL) {
        djp__slot_free(segment, shard->stripe);
        return DJP_ENOMEM;
    }
    shard->segment = *segment;
    return 0;
}

static void
shard_link(djp_shard *shard, djp_registry *registry)
{
    djp__mutex_lock(&registry->collect_mutex);
    shard->next = registry->shards;
    if (shard->next) {
        shard->next->previous = shard;
    }
    registry->shards = shard;
    djp__mutex_unlock(&registry->collect_mutex);
}

int
djp_shard_new(djp_shard **out, djp_registry *registry, int exemplars)
{
    if (out == NULL || registry == NULL) {
        return DJP_EINVAL;
    }
    *out = NULL;
    djp_shard *shard = djp__calloc(1, sizeof *shard);
    if (shard == NULL) {
        return DJP_ENOMEM;
    }
    shard->exemplars = exemplars;
    djp__store_relaxed(&shard->references, 1);
    djp__store_relaxed(&shard->registry, registry);
    int result = DJP_ETIMEOUT;
    if (djp__registry_lock(registry)) {
        result = shard_claim(shard, registry);
        djp__registry_unlock(registry);
    }
    if (result < 0) {
        djp__free(shard);
        return result;
    }
    shard_link(shard, registry);
    *out = shard;
    return 0;
}

/* The collect_mutex is held. */
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
    djp__store_release(&shard->registry, NULL);
}

/* The segment's lock is held. The writer binds again before its next recording. */
static void
shard_stop(djp_shard *shard, djp_registry *registry)
{
    djp__segment *segment = &registry->segment;
    uint32_t at = djp__load_acquire(&segment->header->family_first);
    while (at != 0) {
        const djp__family_entry *family = djp__segment_at(segment, at);
        uint32_t mark = djp__stripe_mark_at(family->type);
        for (uint32_t next = family->type == DJP_GAUGE ? 0 : family->first; next != 0;) {
            const djp__series_entry *entry = djp__segment_at(segment, next);
            if (djp__load_relaxed(&shard_values(shard, entry)[mark]) & DJP_SHARD_BOUND) {
                djp__or_acq_rel(&shard_values(shard, entry)[mark], DJP_SHARD_ENDED);
            }
            next = entry->next;
        }
        at = djp__load_acquire(&family->next);
    }
}

/* is_over 1: the writer has stopped for good. */
static void
shard_end(djp_shard *shard, int is_over)
{
    djp_registry *registry = shard != NULL ? djp__load_acquire(&shard->registry) : NULL;
    if (registry == NULL) {
        return;
    }
    int is_held = djp__registry_lock(registry);
    if (!is_over) {
        shard_stop(shard, registry);
    }
    djp__slot_leave_writer(&registry->segment, shard->stripe, is_over);
    if (is_held) {
        djp__registry_unlock(registry);
    }
    djp__mutex_lock(&registry->collect_mutex);
    shard_unlink(shard, registry);
    djp__mutex_unlock(&registry->collect_mutex);
}

void
djp_shard_end(djp_shard *shard)
{
    shard_end(shard, 0);
}

void
djp_shard_finish(djp_shard *shard)
{
    shard_end(shard, 1);
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
    djp__segment_release(shard->mapping);
    djp__free(shard);
}
