/* Exemplars: the latest recording in a sampled span, per histogram bucket and counter. One thread
 * at a time writes a slot, others skip it; readers see a whole slot or none. */
#ifndef DJP_METRICS_EXEMPLAR_H
#define DJP_METRICS_EXEMPLAR_H

#include "metrics/registry.h"

typedef struct djp__exemplar {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    double value;
    uint64_t unix_ns; /* never 0 */
} djp__exemplar;

/* 1: the filter lets a recording in that context be an exemplar. */
static inline int
djp__exemplar_passes(const djp_series *series, const djp_span_context *context)
{
    djp_exemplar_filter filter = series->family->registry->exemplar_filter;
    return filter == DJP_EXEMPLARS_TRACE_BASED ? (context->flags & DJP_FLAG_SAMPLED) != 0
                                               : filter == DJP_EXEMPLARS_ALWAYS_ON;
}
/* Stores an exemplar if the context is valid and passes the filter. Lock-free except for the first
 * one of a series, which is skipped while the lock is taken. unix_ns 0: now. */
void djp__exemplar_store(djp_series *series, uint32_t slot, double value,
                         const djp_span_context *context, uint64_t unix_ns);
/* Observes, and stores an exemplar of that time (0: now). context may be NULL. histogram.c */
void djp__histogram_observe_at(djp_series *series, double value, const djp_span_context *context,
                               uint64_t unix_ns);
/* The same for a counter; with a time, at most one exemplar a second. counter.c */
void djp__counter_add_at(djp_series *series, double amount, const djp_span_context *context,
                         uint64_t unix_ns);
/* 1: the slot has an exemplar no older than a second at unix_ns. */
int djp__exemplar_is_fresh(const djp_series *series, uint32_t slot, uint64_t unix_ns);
/* Returns 1 and the slot's exemplar, or 0. */
int djp__exemplar_load(djp__exemplar *out, const djp_registry *registry,
                       const djp__series_entry *entry, uint32_t slot);
/* Clears those of a series. Lock held. */
void djp__exemplar_clear(djp_registry *registry, const djp__family_entry *family,
                         djp__series_entry *entry);

/* Bytes of the slots of one series. */
uint32_t djp__exemplar_size(const djp__family_entry *family);

#endif
