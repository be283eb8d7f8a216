/* What sampling decides, in words that all layers share: what becomes of a local trace, for which
 * reason, and with which threshold its spans are exported. The reasons are the rows of
 * sampling/reasons.def. */
#ifndef DJP_SAMPLING_DECISION_H
#define DJP_SAMPLING_DECISION_H

#include <stdint.h>

#include "djp/context.h"
#include "model/record.h"

/* What was to become of a span when it began. */
enum {
    DJP__OUTCOME_DROP, /* ids and context only: nothing is recorded */
    DJP__OUTCOME_RECORD_ONLY, /* recorded; dropped at the end unless a tail rule samples it */
    DJP__OUTCOME_SAMPLE,
    DJP__OUTCOMES
};

typedef struct djp__decision {
    uint8_t outcome; /* DJP__OUTCOME_* */
    /* 1: the W3C flag says sampled. A parent's is passed on although the outcome here is DROP */
    uint8_t flag;
    uint8_t reason; /* DJP_REASON_PARENT, _RATIO or _ALWAYS with SAMPLE, else _NONE */
    uint64_t threshold; /* that sampled spans export, or DJP_THRESHOLD_NONE */
    /* threshold of the share of local traces that are recorded; 0: all are. Exported with adjusted
     * count 1 */
    uint64_t recorded;
} djp__decision;

enum {
    DJP_EXTRA_STATE = 1, /* the tracestate is a counted reference; else it is lent */
    DJP_EXTRA_NOTES = 2 /* attributes are to be added to the root that is being started */
};

struct djp__sampler_notes;

/* The decision about a local root that begins, and what goes with it. */
typedef struct djp__head {
    djp__decision decision;
    int extras; /* DJP_EXTRA_* */
    /* to propagate: a counted reference owned by the caller with DJP_EXTRA_STATE, else borrowed */
    djp_tracestate *state;
    /* attributes to add: a reference owned by the caller, or NULL. Only of trees */
    struct djp__sampler_notes *notes;
} djp__head;

/* ---- the decision at the end ---- */

/* A reason, above its 8 bits the label of the rule with a name, and above these the upper 32 bits
 * of the threshold, where a limit has raised it; 0 there: the one that goes with the reason. */
typedef uint64_t djp__verdict;
#define djp__verdict_of(reason, label) ((uint32_t)(reason) | (uint32_t)(label) << 8)
#define djp__verdict_raise(verdict, threshold) ((verdict) | (djp__verdict)((threshold) >> 24) << 16)
#define djp__verdict_threshold(verdict) ((verdict) >> 16 << 24)
#define djp__verdict_reason(verdict) ((uint8_t)(verdict))
#define djp__verdict_label(verdict) ((uint8_t)((verdict) >> 8))
/* Local traces that are kept for what they are: all of their kind are kept, so each stands for
 * itself. */
#define djp__verdict_counts_once(verdict)               \
    (djp__verdict_reason(verdict) != DJP_REASON_NONE && \
     djp__verdict_reason(verdict) <= DJP_REASON_RARE)

/* RATE_LIMITED and RATE_BURST: dropped by the span rate limit, although a reason spoke for it.
 * Their label is 1 when that was one of count 1. */
#define djp__verdict_drops(verdict)                     \
    (djp__verdict_reason(verdict) == DJP_REASON_NONE || \
     djp__verdict_reason(verdict) > DJP_REASON_ALWAYS)
/* Nothing that may still come changes it: it stands for itself, or was refused although it did. */
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
