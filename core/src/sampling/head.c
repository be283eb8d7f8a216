/* The head decision and the "ot" member of tracestate that carries it. Works on numbers and short stack buffers; allocates only
 * to change a tracestate, and goes on with the old one when that fails. */
#include "sampling/head.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "model/record.h"
#include "sampling/tree.h"
#include "trace/span_seed.h"

#define SAMPLER__DIGITS 14 /* hex digits of 56 bits */
#define SAMPLER__PRECISION 4 /* digits kept behind leading f digits */
#define SAMPLER__OT_MAX 256u /* longest value of the ot member */

uint64_t
djp__sampler_threshold(double ratio)
{
    if (!(ratio > 0)) {
        return DJP_THRESHOLD_NEVER;
    }
    if (ratio >= 1) {
        return 0;
    }
    int exponent = 0;
    (void)frexp(ratio, &exponent);
    int digits = SAMPLER__PRECISION + -exponent / 4;
    digits = digits > SAMPLER__DIGITS ? SAMPLER__DIGITS : digits;
    uint64_t threshold = DJP_THRESHOLD_NEVER - (uint64_t)llround(ldexp(ratio, 56));
    int shift = 4 * (SAMPLER__DIGITS - digits);
    if (shift > 0) {
        threshold = ((threshold + (1ull << (shift - 1))) >> shift) << shift;
    }
    return threshold;
}

size_t
djp__threshold_hex(char out[15], uint64_t threshold)
{
    static const char digits[] = "0123456789abcdef";
    size_t size = 0;
    if (threshold < DJP_THRESHOLD_NEVER) {
        do {
            out[size++] = digits[(threshold >> 52) & 15];
            threshold = (threshold << 4) & (DJP_THRESHOLD_NEVER - 1);
        } while (threshold != 0);
    }
    out[size] = '\0';
    return size;
}

/* Lower-case hex, most significant first, filled up with zeros on the right. */
int
djp__threshold_parse(uint64_t *out, djp_text text)
{
    uint64_t value = 0;
    if (text.size == 0 || text.size > SAMPLER__DIGITS) {
        return 0;
    }
    for (size_t i = 0; i < SAMPLER__DIGITS; i++) {
        char c = i < text.size ? text.data[i] : '0';
        unsigned digit;
        if (c >= '0' && c <= '9') {
            digit = (unsigned)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (unsigned)(c - 'a') + 10;
        } else {
            return 0;
        }
        value = value << 4 | digit;
    }
    *out = value;
    return 1;
}

static int
sampler__is_key(djp_text part, const char *key, size_t key_size)
{
    return part.size > key_size && memcmp(part.data, key, key_size) == 0 && part.data[key_size] == ':';
}

djp_text
djp__ot_get(djp_text member, const char *key)
{
    size_t key_size = strlen(key);
    djp_text part, none = {NULL, 0};
    while (djp__text_split(&part, &member, ';')) {
        if (sampler__is_key(part, key, key_size)) {
            return (djp_text){part.data + key_size + 1, part.size - key_size - 1};
        }
    }
    return none;
}

/* The tracestate with th replaced (or removed for DJP_THRESHOLD_NONE), other sub-keys kept. NULL in *out is the empty list.
 * Returns 0 when it could not be made. */
static int
sampler__with_threshold(djp_tracestate **out, djp_tracestate *state, uint64_t threshold)
{
    char value[SAMPLER__OT_MAX + 32];
    size_t size = 0;
    char hex[15];
    size_t hex_size = threshold == DJP_THRESHOLD_NONE ? 0 : djp__threshold_hex(hex, threshold);
    if (hex_size > 0) {
        memcpy(value, "th:", 3);
        memcpy(value + 3, hex, hex_size);
        size = 3 + hex_size;
    }
    djp_text rest = djp_tracestate_get(state, "ot", 2), part;
    while (djp__text_split(&part, &rest, ';')) {
        if (part.size == 0 || sampler__is_key(part, "th", 2) || size + 1 + part.size > SAMPLER__OT_MAX) {
            continue;
        }
        if (size > 0) {
            value[size++] = ';';
        }
        memcpy(value + size, part.data, part.size);
        size += part.size;
    }
    *out = djp_tracestate_set(state, "ot", 2, value, size);
    return *out != NULL || size == 0;
}

djp_tracestate *
djp__sampler_root_state(uint64_t threshold)
{
    djp_tracestate *state = NULL;
    if (threshold >= DJP_THRESHOLD_NEVER || !sampler__with_threshold(&state, NULL, threshold)) {
        return NULL;
    }
    return state;
}

/* What tracestate says, else the end of the trace id. */
static uint64_t
sampler__randomness(const uint8_t trace_id[16], djp_text ot)
{
    djp_text rv = djp__ot_get(ot, "rv");
    uint64_t value;
    if (rv.size == SAMPLER__DIGITS && djp__threshold_parse(&value, rv)) {
        return value;
    }
    return djp__sampler_randomness(trace_id);
}

uint64_t
djp__sampler_random(const uint8_t trace_id[16], djp_tracestate *state)
{
    djp_text none = {NULL, 0};
    return sampler__randomness(trace_id, state ? djp_tracestate_get(state, "ot", 2) : none);
}

/* The parent's flag decides. Its threshold is passed on only when it agrees with that flag, else erased. */
static void
sampler__follow_parent(djp_head *out, const djp_span_context *parent, djp_text ot)
{
    out->sampled = (parent->flags & DJP_FLAG_SAMPLED) != 0;
    out->reason = out->sampled ? DJP_REASON_PARENT : DJP_REASON_NONE;
    djp_text th = djp__ot_get(ot, "th");
    if (!th.data) {
        return;
    }
    uint64_t threshold;
    if (djp__threshold_parse(&threshold, th) &&
        (sampler__randomness(parent->trace_id, ot) >= threshold) == out->sampled) {
        out->threshold = out->sampled ? threshold : DJP_THRESHOLD_NONE;
        return;
    }
    out->extras = sampler__with_threshold(&out->state, parent->state, DJP_THRESHOLD_NONE);
    if (!out->extras) {
        out->state = parent->state;
    }
}

/* The decided threshold goes into the tracestate to propagate; root_state is that of sampled roots without one. */
static void
sampler__put_threshold(djp_head *out, djp_tracestate *root_state, djp_text ot)
{
    if (!out->state) {
        out->state = out->sampled ? root_state : NULL;
    } else if (out->threshold != DJP_THRESHOLD_NONE || djp__ot_get(ot, "th").data) {
        djp_tracestate *changed = NULL;
        out->extras = sampler__with_threshold(&changed, out->state, out->threshold);
        out->state = out->extras ? changed : out->state;
    }
}

static void
sampler__by_ratio(djp_head *out, const djp_policy *policy, const uint8_t trace_id[16], djp_text ot)
{
    out->sampled = sampler__randomness(trace_id, ot) >= policy->threshold;
    out->reason = out->sampled ? DJP_REASON_RATIO : DJP_REASON_NONE;
    out->threshold = out->sampled ? policy->threshold : DJP_THRESHOLD_NONE;
    sampler__put_threshold(out, policy->root_state, ot);
}

/* What is still borrowed becomes a reference of the head. */
static void
sampler__own_state(djp_head *out)
{
    if (out->state && !out->extras) {
        out->state = djp_tracestate_ref(out->state);
        out->extras = 1;
    }
}

/* Outside of the canary nothing is recorded, whatever the parent says; its flag and its threshold are passed on as they came, because
 * what others record is not ours to decide. Inside, our spans stand for those outside, too. */
static void
sampler__apply_canary(djp_head *out, uint64_t canary, uint64_t random)
{
    out->canary = canary;
    if (random < canary) {
        out->drop_all = 1;
        out->reason = DJP_REASON_NONE;
        out->threshold = DJP_THRESHOLD_NONE;
    } else if (out->threshold < canary) {
        out->threshold = canary;
    }
}

void
djp__sampler_decide(djp_head *out, const djp_policy *policy, int parent_based, const uint8_t trace_id[16],
                    const djp_span_context *parent)
{
    memset(out, 0, sizeof *out);
    out->threshold = DJP_THRESHOLD_NONE;
    out->state = parent->state;
    djp_text ot = {NULL, 0};
    if (out->state) {
        ot = djp_tracestate_get(out->state, "ot", 2);
    }
    if (parent_based) {
        sampler__follow_parent(out, parent, ot);
    } else if (policy->always_on) {
        out->sampled = 1;
        out->reason = DJP_REASON_ALWAYS;
    } else {
        sampler__by_ratio(out, policy, trace_id, ot);
    }
    out->drop_all = policy->drop_all;
    if (policy->drop_all) {
        out->sampled = 0;
        out->reason = DJP_REASON_NONE;
        out->threshold = DJP_THRESHOLD_NONE;
    } else if (policy->canary > 0) {
        sampler__apply_canary(out, policy->canary, sampler__randomness(trace_id, ot));
    }
    if (out->state != policy->root_state) {
        sampler__own_state(out);
    }
}

void
djp__sampler_compose(djp_head *out, djp_sampler *tree, djp_sampler_input *input, uint64_t canary)
{
    const djp_span_context *parent = input->parent;
    djp_text ot = {NULL, 0};
    memset(out, 0, sizeof *out);
    out->threshold = DJP_THRESHOLD_NONE;
    if (parent && parent->state) {
        out->state = parent->state;
        ot = djp_tracestate_get(out->state, "ot", 2);
    }
    input->randomness = sampler__randomness(input->trace_id, ot);
    djp_sampler_intent intent;
    djp__sampler_intend(&intent, tree, input);
    if (intent.followed) {
        sampler__follow_parent(out, parent, ot);
    } else {
        out->sampled = intent.sampled && input->randomness >= canary;
        out->reason = out->sampled ? intent.reason : DJP_REASON_NONE;
        out->threshold = out->sampled && intent.reliable ? intent.threshold : DJP_THRESHOLD_NONE;
        if (out->threshold < canary) {
            djp_tracestate *raised = djp__sampler_root_state(canary);
            out->threshold = canary;
            sampler__put_threshold(out, raised, ot);
            sampler__own_state(out);
            djp_tracestate_unref(raised);
        } else {
            sampler__put_threshold(out, intent.state, ot);
        }
    }
    out->drop_all = (uint8_t)intent.drop;
    if (canary > 0) {
        sampler__apply_canary(out, canary, input->randomness);
    }
    if (intent.notes) {
        djp_add_relaxed(&intent.notes->refs, 1u);
        out->notes = intent.notes;
    }
    sampler__own_state(out);
}

/* The threshold in the low 57 bits (2^56: none is exported), the reason above it. */
enum { SAMPLER__REASON_SHIFT = 57, SAMPLER__REASON_BITS = 15 };
#define SAMPLER__GIVEN (1ull << 63)
#define SAMPLER__DROP (1ull << 62)

uint64_t
djp__decision_pack(const djp_head *head)
{
    uint64_t threshold = head->threshold < DJP_THRESHOLD_NEVER ? head->threshold : DJP_THRESHOLD_NEVER;
    uint64_t reason = head->sampled ? head->reason : DJP_REASON_NONE;
    return SAMPLER__GIVEN | (head->drop_all ? SAMPLER__DROP : 0) | reason << SAMPLER__REASON_SHIFT | threshold;
}

void
djp__decision_unpack(djp_head *out, uint64_t decision, const djp_span_context *parent)
{
    uint64_t threshold = decision & ((1ull << SAMPLER__REASON_SHIFT) - 1);
    uint8_t reason = (uint8_t)(decision >> SAMPLER__REASON_SHIFT & SAMPLER__REASON_BITS);
    memset(out, 0, sizeof *out);
    out->drop_all = (decision & SAMPLER__DROP) != 0;
    out->sampled = !out->drop_all && reason >= DJP_REASON_PARENT && reason <= DJP_REASON_ALWAYS;
    out->reason = out->sampled ? reason : DJP_REASON_NONE;
    out->threshold = out->sampled && threshold < DJP_THRESHOLD_NEVER ? threshold : DJP_THRESHOLD_NONE;
    out->state = parent ? parent->state : NULL;
    sampler__own_state(out);
}
