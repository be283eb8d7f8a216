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

/* One word, because it lies in an atomic (trace/local_trace_state.h): the reason in 8 bits, above
 * it the label, above that the upper 32 bits of the threshold if a limit raised it, else 0. A type
 * that is no number, so that neither a reason nor a threshold is taken for one. */
typedef struct djp__verdict {
    uint64_t word;
} djp__verdict;

/* label: of a named rule; with RATE_LIMITED and RATE_BURST 1 if the reason that the limit overruled
 * has the adjusted count 1; else 0. */
static inline djp__verdict
djp__verdict_of(uint8_t reason, uint8_t label)
{
    return (djp__verdict){reason | (uint64_t)label << 8};
}

static inline uint8_t
djp__verdict_reason(djp__verdict verdict)
{
    return (uint8_t)verdict.word;
}

static inline uint8_t
djp__verdict_label(djp__verdict verdict)
{
    return (uint8_t)(verdict.word >> 8);
}

/* 0: the threshold of the reason. */
static inline uint64_t
djp__verdict_threshold(djp__verdict verdict)
{
    return verdict.word >> 16 << 24;
}

/* Of a verdict whose threshold was not raised. */
static inline djp__verdict
djp__verdict_raise(djp__verdict verdict, uint64_t threshold)
{
    return (djp__verdict){verdict.word | threshold >> 24 << 16};
}

static inline int
djp__verdict_is(djp__verdict verdict, djp__verdict other)
{
    return verdict.word == other.word;
}

/* Reasons that sample all local traces of their kind, with the adjusted count 1. */
#define djp__reason_counts_once(reason) ((reason) != DJP_REASON_NONE && (reason) <= DJP_REASON_RARE)
/* NONE, and RATE_LIMITED and RATE_BURST: dropped by the span rate limit although another reason
 * sampled it. */
#define djp__reason_drops(reason) ((reason) == DJP_REASON_NONE || (reason) > DJP_REASON_ALWAYS)

static inline int
djp__verdict_counts_once(djp__verdict verdict)
{
    return djp__reason_counts_once(djp__verdict_reason(verdict));
}

static inline int
djp__verdict_drops(djp__verdict verdict)
{
    return djp__reason_drops(djp__verdict_reason(verdict));
}

/* 1: it has the adjusted count 1, or a limit dropped it although it had. */
static inline int
djp__verdict_is_final(djp__verdict verdict)
{
    return djp__verdict_counts_once(verdict) ||
           (djp__verdict_reason(verdict) > DJP_REASON_ALWAYS && djp__verdict_label(verdict) != 0);
}

#define DJP__REASON(name, word, stratum, key, label)                   \
    _Static_assert((DJP__STRATUM_##stratum == DJP__STRATUM_ONE) ==     \
                       djp__reason_counts_once(DJP_REASON_##name),     \
                   "the reasons of count 1 come first");               \
    _Static_assert((DJP__STRATUM_##stratum == DJP__STRATUM_DROPPED) == \
                       djp__reason_drops(DJP_REASON_##name),           \
                   "those that drop are the first and the last");
#define DJP__DROP(name, key, when)
#include "model/reasons.def"

#endif
