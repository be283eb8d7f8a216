/* Thresholds: from a ratio, to and from hex digits, and in the "ot" member of tracestate. Works on
 * numbers and short stack buffers; allocates only to change a tracestate. */
#include "sampling/threshold.h"

#include <math.h>

#include "base/str.h"
#include "model/record.h"

#define THRESHOLD__DIGITS 14 /* hex digits of 56 bits */
#define THRESHOLD__PRECISION 4 /* significant digits after leading f digits */
#define THRESHOLD__OT_MAX 256u /* longest value of the ot member */

uint64_t
djp__threshold_of(double ratio)
{
    if (!(ratio > 0)) {
        return DJP__THRESHOLD_NEVER;
    }
    if (ratio >= 1) {
        return 0;
    }
    int exponent = 0;
    (void)frexp(ratio, &exponent);
    int digits = THRESHOLD__PRECISION + -exponent / 4;
    digits = digits > THRESHOLD__DIGITS ? THRESHOLD__DIGITS : digits;
    uint64_t threshold = DJP__THRESHOLD_NEVER - (uint64_t)llround(ldexp(ratio, 56));
    int shift = 4 * (THRESHOLD__DIGITS - digits);
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
    if (threshold < DJP__THRESHOLD_NEVER) {
        do {
            out[size++] = digits[(threshold >> 52) & 15];
            threshold = (threshold << 4) & (DJP__THRESHOLD_NEVER - 1);
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
    if (text.size == 0 || text.size > THRESHOLD__DIGITS) {
        return 0;
    }
    for (size_t i = 0; i < THRESHOLD__DIGITS; i++) {
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
threshold_is_key(djp_text part, const char *key, size_t key_size)
{
    return part.size > key_size && memcmp(part.data, key, key_size) == 0 &&
           part.data[key_size] == ':';
}

djp_text
djp__ot_get(djp_text member, const char *key)
{
    size_t key_size = strlen(key);
    djp_text part, none = {NULL, 0};
    while (djp__text_split(&part, &member, ';')) {
        if (threshold_is_key(part, key, key_size)) {
            return (djp_text){part.data + key_size + 1, part.size - key_size - 1};
        }
    }
    return none;
}

int
djp__ot_set_threshold(djp_tracestate **out, djp_tracestate *state, uint64_t threshold)
{
    char value[THRESHOLD__OT_MAX + 32];
    size_t size = 0;
    char hex[15];
    size_t hex_size = threshold == DJP__THRESHOLD_NONE ? 0 : djp__threshold_hex(hex, threshold);
    if (hex_size > 0) {
        memcpy(value, "th:", 3);
        memcpy(value + 3, hex, hex_size);
        size = 3 + hex_size;
    }
    djp_text rest = djp_tracestate_get(state, DJP_TEXT("ot")), part;
    while (djp__text_split(&part, &rest, ';')) {
        if (part.size == 0 || threshold_is_key(part, "th", 2) ||
            size + 1 + part.size > THRESHOLD__OT_MAX) {
            continue;
        }
        if (size > 0) {
            value[size++] = ';';
        }
        memcpy(value + size, part.data, part.size);
        size += part.size;
    }
    *out = djp_tracestate_set(state, DJP_TEXT("ot"), (djp_text){value, size});
    return *out != NULL || size == 0;
}

djp_tracestate *
djp__ot_root_state(uint64_t threshold)
{
    djp_tracestate *state = NULL;
    if (threshold >= DJP__THRESHOLD_NEVER || !djp__ot_set_threshold(&state, NULL, threshold)) {
        return NULL;
    }
    return state;
}

uint64_t
djp__randomness_in(const uint8_t trace_id[16], djp_text ot)
{
    djp_text rv = djp__ot_get(ot, "rv");
    uint64_t value;
    if (rv.size == THRESHOLD__DIGITS && djp__threshold_parse(&value, rv)) {
        return value;
    }
    return djp__randomness(trace_id);
}

uint64_t
djp__randomness_of(const uint8_t trace_id[16], djp_tracestate *state)
{
    djp_text none = {NULL, 0};
    return djp__randomness_in(trace_id,
                              state != NULL ? djp_tracestate_get(state, DJP_TEXT("ot")) : none);
}
