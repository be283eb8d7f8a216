/* Spans that began elsewhere in this process, such as in an operation log: their ids and times are
 * given. */
#ifndef DJP_TRACE_SPAN_SEED_H
#define DJP_TRACE_SPAN_SEED_H

#include "djp/span.h"
#include "sampling/decision.h"

typedef struct djp__span_seed {
    uint8_t trace_id[16]; /* for a root without a parent */
    uint8_t span_id[8];
    /* for a child: its parent, which belongs to the local trace of options->parent */
    uint8_t parent_id[8];
    uint64_t start_monotonic;
    int decided; /* 1: a local root with the given decision */
    djp__decision decision;
} djp__span_seed;

/* As djp_span_start; borrows seed. */
djp_span *djp__span_start_as(djp_recorder *recorder, const char *name, size_t name_size,
                             const djp_span_options *options, const djp__span_seed *seed);
/* As djp_span_end with 0, at a time of the monotonic clock. */
uint64_t djp__span_end_at(djp_span *span, uint64_t end_monotonic);
/* 1: the span's local trace is decided and sampled. */
int djp__span_is_sampled(const djp_span *span);
/* Converts a time of the monotonic clock to the span's wall time. 0 for NULL. */
uint64_t djp__span_unix_time(const djp_span *span, uint64_t monotonic);

typedef struct djp__exception {
    djp_text type, message, stacktrace;
    int escaped;
} djp__exception;
/* As djp_span_record_exception; time_unix_ns 0 means now. */
void djp__span_record_exception_at(djp_span *span, uint64_t time_unix_ns,
                                   const djp__exception *exception, const djp_attribute *attributes,
                                   size_t count);

#endif
