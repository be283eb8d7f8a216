/* Exemplar slots in the segment, one cache line each. The version is odd during a write; words are
 * stored with release and read with acquire, so a reader of a partly written exemplar sees a
 * changed version. */
#include "metrics/exemplar.h"

#include <string.h>

#include "base/clock.h"

#define EXEMPLAR_REFUSED 1u /* no room for the slots of this series */
#define EXEMPLAR_WORDS 5u
#define EXEMPLAR_FRESH_NS 1000000000ull

typedef struct exemplar_slot {
    DJP__ATOMIC(uint64_t) version;
    DJP__ATOMIC(uint64_t) words[EXEMPLAR_WORDS]; /* trace id, span id, value, time (0: empty) */
    uint64_t unused[2];
} exemplar_slot;

static uint32_t
exemplar_count(const djp__family_entry *family)
{
    return family->type == DJP_HISTOGRAM ? family->bucket_count + 1u
           : family->type == DJP_COUNTER ? 1
                                         : 0;
}

uint32_t
djp__exemplar_size(const djp__family_entry *family)
{
    return exemplar_count(family) * (uint32_t)sizeof(exemplar_slot);
}

static exemplar_slot *
exemplar_slots(const djp_registry *registry, const djp__series_entry *entry)
{
    uint32_t at = djp__load_acquire(&entry->exemplars);
    return at > EXEMPLAR_REFUSED ? djp__segment_at(&registry->segment, at) : NULL;
}

static void
exemplar_write(exemplar_slot *slot, const uint64_t words[EXEMPLAR_WORDS])
{
    uint64_t version = djp__load_relaxed(&slot->version);
    if ((version & 1) || !djp__cas_strong_acq_rel(&slot->version, &version, version + 1)) {
        return;
    }
    for (uint32_t i = 0; i < EXEMPLAR_WORDS; i++) {
        djp__store_release(&slot->words[i], words[i]);
    }
    djp__store_release(&slot->version, version + 2);
}

static exemplar_slot *
exemplar_make(djp_series *series)
{
    djp_registry *registry = series->family->registry;
    djp__series_entry *entry = series->entry;
    if (djp__load_relaxed(&entry->exemplars) == EXEMPLAR_REFUSED ||
        !djp__segment_trylock(&registry->segment)) {
        return NULL;
    }
    if (djp__load_relaxed(&entry->exemplars) == 0) {
        size_t size = djp__exemplar_size(series->family->entry);
        uint32_t at = djp__segment_alloc(&registry->segment, size);
        djp__store_release(&entry->exemplars, at ? at : EXEMPLAR_REFUSED);
    }
    djp__segment_unlock(&registry->segment);
    return exemplar_slots(registry, entry);
}

void
djp__exemplar_store(djp_series *series, uint32_t slot, double value,
                    const djp_span_context *context, uint64_t unix_ns)
{
    if (context == NULL || !djp__exemplar_passes(series, context)) {
        return;
    }
    uint64_t words[EXEMPLAR_WORDS];
    memcpy(&words[0], context->trace_id, 16);
    memcpy(&words[2], context->span_id, 8);
    if ((words[0] | words[1]) == 0 || words[2] == 0) {
        return;
    }
    words[3] = djp__double_to_bits(value);
    words[4] = unix_ns ? unix_ns : djp__clock_monotonic() + (uint64_t)djp__clock_anchor();
    exemplar_slot *slots = exemplar_slots(series->family->registry, series->entry);
    if (slots == NULL) {
        slots = exemplar_make(series);
    }
    if (slots != NULL) {
        exemplar_write(&slots[slot], words);
    }
}

int
djp__exemplar_is_fresh(const djp_series *series, uint32_t slot, uint64_t unix_ns)
{
    const exemplar_slot *slots = exemplar_slots(series->family->registry, series->entry);
    return slots &&
           unix_ns - djp__load_acquire(&slots[slot].words[EXEMPLAR_WORDS - 1]) < EXEMPLAR_FRESH_NS;
}

int
djp__exemplar_load(djp__exemplar *out, const djp_registry *registry, const djp__series_entry *entry,
                   uint32_t slot)
{
    const exemplar_slot *slots = exemplar_slots(registry, entry);
    if (slots == NULL) {
        return 0;
    }
    for (int tries = 0; tries < 4; tries++) {
        uint64_t version = djp__load_acquire(&slots[slot].version), words[EXEMPLAR_WORDS];
        for (uint32_t i = 0; i < EXEMPLAR_WORDS; i++) {
            words[i] = djp__load_acquire(&slots[slot].words[i]);
        }
        if ((version & 1) || djp__load_relaxed(&slots[slot].version) != version) {
            continue;
        }
        memcpy(out->trace_id, &words[0], 16);
        memcpy(out->span_id, &words[2], 8);
        out->value = djp__bits_to_double(words[3]);
        out->unix_ns = words[4];
        return words[4] != 0;
    }
    return 0;
}

void
djp__exemplar_clear(djp_registry *registry, const djp__family_entry *family,
                    djp__series_entry *entry)
{
    static const uint64_t nothing[EXEMPLAR_WORDS];
    exemplar_slot *slots = exemplar_slots(registry, entry);
    for (uint32_t i = 0; slots && i < exemplar_count(family); i++) {
        exemplar_write(&slots[i], nothing);
    }
}

void
djp_series_add_exemplar(djp_series *series, double value, const djp_span_context *context)
{
    if (series != NULL && series->type == DJP_COUNTER && djp__series_is_live(series)) {
        djp__exemplar_store(series, 0, value, context, 0);
    } else {
        djp__histogram_exemplar(series, value, context);
    }
}
