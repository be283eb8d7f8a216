/* A reader sees the words of a writer while that one stores. It reads the sum of a histogram before
 * and after the counts, so that no observation is in one of them and complete in the other. */
#include "metrics/stripe.h"

#include "metrics/slot.h"

enum { STRIPE_TRIES = 4, STRIPE_LINE_WORDS = 8 };

static uint64_t
stripe_add_double(uint64_t a, uint64_t b)
{
    return b == 0 ? a : djp__double_to_bits(djp__bits_to_double(a) + djp__bits_to_double(b));
}

/* Copies the words of one moment, or after some tries those of several. */
static void
stripe_copy(uint64_t *out, DJP__ATOMIC(uint64_t) * values, uint32_t count)
{
    for (int i = 0; i < STRIPE_TRIES; i++) {
        out[0] = djp__load_acquire(&values[0]);
        for (uint32_t k = 1; k < count; k++) {
            out[k] = djp__load_acquire(&values[k]);
        }
        if (djp__load_relaxed(&values[0]) == out[0]) {
            return;
        }
    }
}

static inline void
stripe_add_counter(uint64_t *words, DJP__ATOMIC(uint64_t) * values)
{
    uint64_t whole = djp__load_relaxed(&values[0]);
    if (!(whole & DJP_SHARD_REMOVED)) {
        words[0] += whole & DJP_SHARD_COUNT;
        words[1] = stripe_add_double(words[1], djp__load_relaxed(&values[1]));
    }
}

static void
stripe_add_histogram(uint64_t *words, const djp__family_entry *family,
                     DJP__ATOMIC(uint64_t) * values)
{
    uint64_t copy[DJP__SEGMENT_FOLD_MAX];
    uint32_t count = djp__family_explicit_words(family);
    if (count > DJP__SEGMENT_FOLD_MAX) {
        return; /* damaged memory */
    }
    stripe_copy(copy, values, count);
    if (copy[1] & DJP_SHARD_REMOVED) {
        return;
    }
    copy[1] &= DJP_SHARD_COUNT;
    words[0] = stripe_add_double(words[0], copy[0]);
    for (uint32_t i = 1; i < count; i++) {
        words[i] += copy[i];
    }
}

void
djp__stripe_add(uint64_t *words, const djp__family_entry *family, DJP__ATOMIC(uint64_t) * values)
{
    if (family->type == DJP_COUNTER) {
        stripe_add_counter(words, values);
    } else {
        stripe_add_histogram(words, family, values);
    }
}

void
djp__stripe_sum(uint64_t *words, const djp_registry *registry, const djp__family_entry *family,
                const djp__series_entry *entry)
{
    const djp__segment *segment = &registry->segment;
    uint32_t stripe, end = djp__family_stripes(&stripe, registry, family);
    DJP__ATOMIC(uint64_t) *values = djp__segment_values(segment, stripe, entry->values_at);
    size_t step = (segment->is_striped ? DJP__SEGMENT_ROW : segment->stripe_size) / 8;
    for (uint32_t i = 0; i < family->value_count; i++) {
        words[i] = 0;
    }
    if (family->type == DJP_COUNTER) {
        for (; stripe < end; stripe++, values += step) {
            __builtin_prefetch(values + STRIPE_LINE_WORDS); /* an exposition reads it next */
            stripe_add_counter(words, values);
        }
        return;
    }
    for (; stripe < end; stripe++, values += step) {
        stripe_add_histogram(words, family, values);
    }
}

void
djp__stripe_sum_own(uint64_t *words, const djp_registry *registry, const djp__family_entry *family,
                    const djp__series_entry *entry)
{
    const djp__segment *segment = &registry->segment;
    uint32_t end = djp__segment_stripes_in_use(segment);
    for (uint32_t i = 0; i < family->value_count; i++) {
        words[i] = 0;
    }
    for (uint32_t stripe = 0; stripe < end; stripe++) {
        if (stripe == segment->own || djp__slot_is_own_writer(segment, stripe)) {
            djp__stripe_add(words, family, djp__segment_values(segment, stripe, entry->values_at));
        }
    }
}

void
djp__stripe_reset(const djp__segment *segment, const djp__family_entry *family,
                  const djp__series_entry *entry)
{
    uint32_t mark = djp__stripe_mark_at(family->type);
    for (uint32_t stripe = 0; stripe < djp__segment_stripes_in_use(segment); stripe++) {
        DJP__ATOMIC(uint64_t) *values = djp__segment_values(segment, stripe, entry->values_at);
        if (family->type != DJP_GAUGE && djp__load_relaxed(&values[mark]) & DJP_SHARD_BOUND) {
            djp__or_acq_rel(&values[mark], DJP_SHARD_REMOVED);
            continue;
        }
        for (uint32_t i = 0; i < family->value_count; i++) {
            djp__store_relaxed(&values[i], 0);
        }
    }
}

/* Sets bits of the mark in the stripes of writers that have bound the series. */
static void
stripe_mark(const djp__segment *segment, const djp__family_entry *family,
            const djp__series_entry *entry, uint64_t bits)
{
    uint32_t mark = djp__stripe_mark_at(family->type);
    for (uint32_t stripe = 1; stripe < djp__segment_stripes_in_use(segment); stripe++) {
        DJP__ATOMIC(uint64_t) *word = &djp__segment_values(segment, stripe, entry->values_at)[mark];
        uint64_t now = djp__load_relaxed(word);
        if ((now & DJP_SHARD_BOUND) && (now & bits) == 0 &&
            (bits != DJP_SHARD_REQUEST || segment->header->slots[stripe - 1].exemplars)) {
            djp__or_acq_rel(word, bits);
        }
    }
}

void
djp__stripe_remove(const djp__segment *segment, const djp__family_entry *family,
                   const djp__series_entry *entry)
{
    if (segment->is_striped && family->type != DJP_GAUGE) {
        stripe_mark(segment, family, entry, DJP_SHARD_REMOVED);
    }
}

void
djp__stripe_request(const djp__segment *segment, const djp__family_entry *family,
                    const djp__series_entry *entry)
{
    if (segment->is_striped && family->type == DJP_HISTOGRAM) {
        stripe_mark(segment, family, entry, DJP_SHARD_REQUEST);
    }
}
