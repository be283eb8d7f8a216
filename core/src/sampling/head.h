/* Head sampling by consistent probability: one 56-bit threshold against the randomness of the trace id, so that every service and
 * language decides alike for the same trace. */
#ifndef DJP_SAMPLING_HEAD_H
#define DJP_SAMPLING_HEAD_H

#include <string.h>

#include "djp/context.h"
#include "model/record.h"
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

/* How roots are decided. Never changed once a recorder uses it: another decision is another policy (recorder_state.h). */
typedef struct djp_policy {
    uint64_t threshold; /* 56 bits, as djp_recorder_options; never below canary */
    uint64_t canary; /* the same: a local trace below it is not recorded at all; 0: all are */
    djp_tracestate
        *root_state; /* "ot=th:..." of sampled roots, owned by the recorder, lent to local traces; may be NULL */
    uint8_t always_on;
    uint8_t drop_all;
    uint8_t composed; /* 1: the recorder's tree of samplers decides, see policy_tree.c */
    uint16_t number; /* its name within the recorder, from 1 */
} djp_policy;

enum {
    DJP_EXTRA_STATE = 1, /* the tracestate is a counted reference; else it is lent */
    DJP_EXTRA_NOTES = 2 /* attributes are to be added to the root that is being started */
};

/* What the head says about a local trace. */
typedef struct djp_head {
    int sampled;
    uint8_t reason; /* DJP_REASON_PARENT, _RATIO or _ALWAYS; _NONE when not sampled */
    uint64_t threshold; /* what a kept span exports, or DJP_THRESHOLD_NONE */
    uint64_t canary; /* in force: what a span exports that stands for itself among those recorded */
    djp_tracestate
        *state; /* to propagate: a counted reference owned by the caller with DJP_EXTRA_STATE, else borrowed */
    int extras; /* DJP_EXTRA_* */
    uint8_t drop_all; /* nothing is recorded: by the policy, or because the trace is outside of the canary */
    struct djp_sampler_notes
        *notes; /* attributes to add: a reference owned by the caller, or NULL. Only of composed heads */
} djp_head;

struct djp_sampler;
struct djp_sampler_input;

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

/* The same, or what the tracestate says instead. Borrows; state may be NULL. */
uint64_t djp__sampler_random(const uint8_t trace_id[16], djp_tracestate *state);

/* Decides for a root without any parent. Borrows all. */
static inline void
djp__sampler_decide_root(djp_head *out, const djp_policy *policy, const uint8_t trace_id[16])
{
    int by_ratio = !policy->always_on;
    int sampled = !policy->drop_all && (!by_ratio || djp__sampler_randomness(trace_id) >= policy->threshold);
    out->sampled = sampled;
    out->reason = !sampled ? DJP_REASON_NONE : by_ratio ? DJP_REASON_RATIO : DJP_REASON_ALWAYS;
    out->threshold = sampled && by_ratio ? policy->threshold : DJP_THRESHOLD_NONE;
    out->state = sampled && by_ratio ? policy->root_state : NULL;
    out->extras = 0;
    out->canary = policy->canary;
    out->drop_all = policy->drop_all;
    if (__builtin_expect(policy->canary != 0, 0)) {
        out->drop_all |= djp__sampler_randomness(trace_id) < policy->canary;
    }
}

/* Decides for a local root. parent is valid; borrows everything. The policy's root_state, for sampled roots without a tracestate of
 * their own, is lent to out. Allocates only when a tracestate must change. */
void djp__sampler_decide(djp_head *out, const djp_policy *policy, int parent_based, const uint8_t trace_id[16],
                         const djp_span_context *parent);
/* Decides for a local root by a tree. Borrows everything; fills in the randomness of input. */
void djp__sampler_compose(djp_head *out, struct djp_sampler *tree, struct djp_sampler_input *input, uint64_t canary);
/* The tracestate for sampled roots at this threshold; NULL when it cannot be written or memory is short. The caller owns it. */
djp_tracestate *djp__sampler_root_state(uint64_t threshold);

#endif
