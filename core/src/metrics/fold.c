/* One series at a time: the new values of the base are noted in the header first, then stored, then
 * the stripe is set to zero. A process that dies between two of these stores leaves a note that the
 * next owner of the lock carries out again, with the same result. */
#include "metrics/fold.h"

#include <string.h>

#include "metrics/native.h"
#include "metrics/gauge.h"
#include "metrics/slot.h"
#include "metrics/stripe.h"

static void
fold_native(uint64_t *out, DJP__ATOMIC(uint64_t) * base, DJP__ATOMIC(uint64_t) * values)
{
    djp__exponential sum;
    djp__exponential_init(&sum);
    djp__native_read(&sum, base);
    djp__native_read(&sum, values);
    djp__native_write(out, &sum);
}

/* Sums the words of a counter or histogram. The values of a per-process family end with it. */
static void
fold_words(uint64_t *out, const djp__family_entry *family, DJP__ATOMIC(uint64_t) * base,
           DJP__ATOMIC(uint64_t) * values)
{
    memset(out, 0, family->value_count * sizeof *out);
    if (!family->per_process) {
        djp__stripe_add(out, family, base);
        djp__stripe_add(out, family, values);
    }
    if (!family->per_process && family->is_exponential) {
        uint32_t at = djp__family_explicit_words(family);
        fold_native(&out[at], &base[at], &values[at]);
    }
}

static int
fold_is_zero(DJP__ATOMIC(uint64_t) * values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (djp__load_relaxed(&values[i]) != 0) {
            return 0;
        }
    }
    return 1;
}

/* Carries the note out. */
static void
fold_apply(djp__segment *segment)
{
    djp__segment_fold *fold = &segment->header->fold;
    uint32_t count = djp__load_acquire(&fold->count);
    DJP__ATOMIC(uint64_t) *base = djp__segment_values(segment, 0, fold->values_at);
    DJP__ATOMIC(uint64_t) *values = djp__segment_values(segment, fold->stripe, fold->values_at);
    for (uint32_t i = 0; i < count; i++) {
        djp__store_release(&base[i], fold->words[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        djp__store_release(&values[i], 0);
    }
    djp__store_release(&fold->count, 0);
}

void
djp__fold_complete(djp_registry *registry)
{
    djp__segment *segment = &registry->segment;
    const djp__segment_fold *fold = &segment->header->fold;
    uint32_t count = djp__load_acquire(&fold->count);
    if (count == 0) {
        return;
    }
    if (count > DJP__SEGMENT_FOLD_MAX || fold->stripe >= segment->stripes ||
        fold->values_at > segment->stripe_size - count * 8) {
        djp__store_release(&segment->header->fold.count, 0); /* damaged memory */
        return;
    }
    fold_apply(segment);
}

static void
fold_series(djp_registry *registry, const djp__family_entry *family, djp__series_entry *entry,
            uint32_t stripe)
{
    djp__segment *segment = &registry->segment;
    djp__segment_fold *fold = &segment->header->fold;
    DJP__ATOMIC(uint64_t) *values = djp__segment_values(segment, stripe, entry->values_at);
    if (fold_is_zero(values, family->value_count)) {
        return;
    }
    fold->stripe = stripe;
    fold->values_at = entry->values_at;
    if (family->type == DJP_GAUGE) {
        djp__gauge_fold_stripe(fold->words, registry, family, entry, stripe);
    } else {
        fold_words(fold->words, family, djp__segment_values(segment, 0, entry->values_at), values);
    }
    djp__store_release(&fold->count, family->value_count);
    fold_apply(segment);
}

void
djp__fold_stripe(djp_registry *registry, uint32_t stripe)
{
    djp__segment *segment = &registry->segment;
    uint32_t at = djp__load_acquire(&segment->header->family_first);
    while (at != 0) {
        djp__family_entry *family = djp__segment_at(segment, at);
        for (uint32_t next = family->first; next != 0;) {
            djp__series_entry *entry = djp__segment_at(segment, next);
            fold_series(registry, family, entry, stripe);
            next = entry->next;
        }
        at = djp__load_acquire(&family->next);
    }
}

void
djp__fold_dead(djp_registry *registry)
{
    djp__segment *segment = &registry->segment;
    uint32_t top = djp__load_relaxed(&segment->header->stripes_top);
    for (uint32_t stripe = 1; stripe < top && stripe < segment->stripes; stripe++) {
        if (djp__slot_is_dead(segment, stripe)) {
            segment->header->folded += (uint32_t)djp__slot_is_process(segment, stripe);
            djp__fold_stripe(registry, stripe);
            djp__slot_free(segment, stripe);
        }
    }
}
