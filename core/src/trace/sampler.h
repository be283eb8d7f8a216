/* Head sampling by consistent probability: one 56-bit threshold against the randomness of the trace id, so that every service and
 * language decides alike for the same trace. */
#ifndef DJP_TRACE_SAMPLER_H
#define DJP_TRACE_SAMPLER_H

#include <string.h>

#include "djp/context.h"
#include "trace/record.h"
#include "trace/recorder.h"

/* A threshold that no trace id reaches. */
#define DJP_THRESHOLD_NEVER (1ull << 56)

/* The threshold for a ratio, rounded to four significant hex digits. 1 and more give 0; 0, less and NaN DJP_THRESHOLD_NEVER. */
uint64_t djp__sampler_threshold(double ratio);
/* Writes the value of "th:" (1-14 lower-case digits, no trailing zeros, "0" for 0) and a NUL; returns its length. Thresholds of
 * 2^56 and above cannot be written and give an empty text. */
size_t djp__threshold_hex(char out[15], uint64_t threshold);
/* Reads such a value; returns 1 when valid. Borrows. */
int djp__threshold_parse(uint64_t *out, djp_text text);
/* Finds a sub-key of the "ot" member's value ("th:c;rv:..."); {NULL, 0} when absent. Borrows from member. */
djp_text djp__ot_get(djp_text member, const char *key);

/* What the head says about a local trace. */
typedef struct djp_head {
    int sampled;
    uint8_t reason; /* DJP_REASON_PARENT, _RATIO or _ALWAYS; _NONE when not sampled */
    uint64_t threshold; /* what a kept span exports, or DJP_THRESHOLD_NONE */
    djp_tracestate *state; /* to propagate: a counted reference owned by the caller when state_owned, else borrowed */
    int state_owned;
} djp_head;

/* 56 random bits: the end of the trace id. */
static inline uint64_t
djp__sampler_randomness(const uint8_t trace_id[16])
{
    uint64_t word;
    memcpy(&word, trace_id + 8, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word & (DJP_THRESHOLD_NEVER - 1);
}

/* Decides for a root without any parent. root_state as below. */
static inline void
djp__sampler_decide_root(djp_head *out, const djp_recorder_options *options, const uint8_t trace_id[16],
                         djp_tracestate *root_state)
{
    int by_ratio = !options->always_on;
    int sampled = !options->drop_all && (!by_ratio || djp__sampler_randomness(trace_id) >= options->threshold);
    out->sampled = sampled;
    out->reason = !sampled ? DJP_REASON_NONE : by_ratio ? DJP_REASON_RATIO : DJP_REASON_ALWAYS;
    out->threshold = sampled && by_ratio ? options->threshold : DJP_THRESHOLD_NONE;
    out->state = sampled && by_ratio ? root_state : NULL;
    out->state_owned = 0;
}

/* Decides for a local root. parent is valid; borrows everything. root_state is the tracestate of sampled roots without
 * one of their own ("ot=th:..."), or NULL; it is lent to out. Allocates only when a tracestate must change. */
void djp__sampler_decide(djp_head *out, const djp_recorder_options *options, const uint8_t trace_id[16],
                         const djp_span_context *parent, djp_tracestate *root_state);
/* The tracestate for sampled roots at this threshold; NULL when it cannot be written or memory is short. The caller owns it. */
djp_tracestate *djp__sampler_root_state(uint64_t threshold);

#endif
