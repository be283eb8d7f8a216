/* The values of one series in all stripes: sums, resets, and the marks of writers (djp/shard.h). */
#ifndef DJP_METRICS_STRIPE_H
#define DJP_METRICS_STRIPE_H

#include "djp/shard.h"
#include "metrics/registry.h"

/* The word of a counter or histogram that has the mark. */
static inline uint32_t
djp__stripe_mark_at(unsigned type)
{
    return type == DJP_HISTOGRAM ? 1 : 0;
}

/* Adds the values of a counter or histogram in one stripe to words, value_count of them, as stored.
 * Exponential buckets are not added: the fold and the snapshot merge them (native.h).
 * A count and the sum beside it differ by at most the recordings that run at that moment. */
void
djp__stripe_add(uint64_t *words, const djp__family_entry *family, DJP__ATOMIC(uint64_t) * values);
/* Sets words to the sum over all stripes that count. */
void djp__stripe_sum(uint64_t *words, const djp_registry *registry, const djp__family_entry *family,
                     const djp__series_entry *entry);

/* The same over the stripes of this process and its writers, also of those that have stopped. */
void djp__stripe_sum_own(uint64_t *words, const djp_registry *registry,
                         const djp__family_entry *family, const djp__series_entry *entry);

/* The rest with the segment's lock held. Makes all values zero; those of a writer are void until it
 * binds the series. */
void djp__stripe_reset(const djp__segment *segment, const djp__family_entry *family,
                       const djp__series_entry *entry);
/* Marks a removed series for its writers. */
void djp__stripe_remove(const djp__segment *segment, const djp__family_entry *family,
                        const djp__series_entry *entry);
/* Requests exemplars of a histogram from the writers that want to give some. */
void djp__stripe_request(const djp__segment *segment, const djp__family_entry *family,
                         const djp__series_entry *entry);

#endif
