/* The result of a sampling decision, shared by all layers: the outcome for a local trace, the
 * reason, and the threshold its spans export. sampling/reasons.def lists the reasons. */
#ifndef DJP_SAMPLING_DECISION_H
#define DJP_SAMPLING_DECISION_H

#include <stdint.h>

#include "djp/context.h"
#include "model/record.h"

/* The outcome at the start of a span. */
enum {
    DJP__OUTCOME_DROP, /* not recorded: ids and context only */
    DJP__OUTCOME_RECORD_ONLY, /* recorded; dropped at the end unless a tail rule samples it */
    DJP__OUTCOME_SAMPLE,
    DJP__OUTCOMES
};

typedef struct djp__decision {
    uint8_t outcome; /* DJP__OUTCOME_* */
    /* 1: the W3C sampled flag is set. A parent's flag is propagated even if the outcome here is
     * DROP */
    uint8_t flag;
    uint8_t reason; /* DJP_REASON_PARENT, _RATIO or _ALWAYS with SAMPLE, else _NONE */
    uint64_t threshold; /* exported by sampled spans, or DJP__THRESHOLD_NONE */
    /* threshold of the recorded share of local traces; 0: all. Exported with adjusted count 1 */
    uint64_t recorded;
} djp__decision;

enum {
    DJP_EXTRA_STATE = 1, /* the tracestate is a counted reference; else borrowed */
    DJP_EXTRA_NOTES = 2, /* attributes to add to the root being started */
    DJP__EXTRA_PROCESSED = 4 /* span processors run for its spans; of the recorder, no decision */
};

struct djp__sampler_notes;

/* The decision about a new local root, with its tracestate and attributes. */
typedef struct djp__head {
    djp__decision decision;
    int extras; /* DJP_EXTRA_* */
    /* to propagate: with DJP_EXTRA_STATE a counted reference owned by the caller, else borrowed */
    djp_tracestate *state;
    /* attributes to add: a reference owned by the caller, or NULL. Only from sampler trees */
    struct djp__sampler_notes *notes;
} djp__head;

/* ---- the decision at the end ---- */

/* A reason in 8 bits; above it the label of a named rule; above that the upper 32 bits of the
 * threshold if a limit raised it, else 0: the threshold of the reason. */
typedef uint64_t djp__verdict;
#define djp__verdict_of(reason, label) ((uint32_t)(reason) | (uint32_t)(label) << 8)
#define djp__verdict_raise(verdict, threshold) ((verdict) | (djp__verdict)((threshold) >> 24) << 16)
#define djp__verdict_threshold(verdict) ((verdict) >> 16 << 24)
#define djp__verdict_reason(verdict) ((uint8_t)(verdict))
#define djp__verdict_label(verdict) ((uint8_t)((verdict) >> 8))
/* Reasons that sample all local traces of their kind, with the adjusted count 1. */
#define djp__verdict_counts_once(verdict)               \
    (djp__verdict_reason(verdict) != DJP_REASON_NONE && \
     djp__verdict_reason(verdict) <= DJP_REASON_RARE)

/* RATE_LIMITED and RATE_BURST: dropped by the span rate limit although another reason sampled it.
 * The label is 1 if that reason has the adjusted count 1. */
#define djp__verdict_drops(verdict)                     \
    (djp__verdict_reason(verdict) == DJP_REASON_NONE || \
     djp__verdict_reason(verdict) > DJP_REASON_ALWAYS)
/* Final: it has the adjusted count 1, or a limit dropped it although it had. */
#define djp__verdict_is_final(verdict)    \
    (djp__verdict_counts_once(verdict) || \
     (djp__verdict_reason(verdict) > DJP_REASON_ALWAYS && djp__verdict_label(verdict) != 0))

#define DJP__REASON(name, word, stratum, key, label)                   \
    _Static_assert((DJP__STRATUM_##stratum == DJP__STRATUM_ONE) ==     \
                       djp__verdict_counts_once(DJP_REASON_##name),    \
                   "the reasons of count 1 come first");               \
    _Static_assert((DJP__STRATUM_##stratum == DJP__STRATUM_DROPPED) == \
                       djp__verdict_drops(DJP_REASON_##name),          \
                   "those that drop are the first and the last");
#define DJP__DROP(name, key, when)
#include "model/reasons.def"

#endif
