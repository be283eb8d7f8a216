/* The 56-bit threshold that is compared with the randomness of a trace id, and its text in the "ot"
 * member of tracestate. */
#ifndef DJP_SAMPLING_THRESHOLD_H
#define DJP_SAMPLING_THRESHOLD_H

#include <stdint.h>
#include <string.h>

#include "djp/context.h"

/* A threshold that no trace id reaches. */
#define DJP__THRESHOLD_NEVER (1ull << 56)

/* The threshold for a ratio, rounded to four significant hex digits. 1 and more give 0; 0, less and
 * NaN DJP__THRESHOLD_NEVER. */
uint64_t djp__threshold_of(double ratio);
/* Writes the value of "th:" (1-14 lower-case digits, no trailing zeros, "0" for 0) and a NUL;
 * returns its length. Thresholds of 2^56 and above cannot be written and give an empty text. */
size_t djp__threshold_hex(char out[15], uint64_t threshold);
/* Reads such a value; returns 1 when valid. Borrows. */
int djp__threshold_parse(uint64_t *out, djp_text text);

/* Finds a sub-key of the "ot" member's value ("th:c;rv:..."); {NULL, 0} when absent. Borrows from
 * member. */
djp_text djp__ot_get(djp_text member, const char *key);
/* The tracestate with th replaced (removed for DJP__THRESHOLD_NONE) and other sub-keys unchanged.
 * NULL in *out is the empty list. Returns 0 on failure. Borrows state; the caller owns *out. */
int djp__ot_set_threshold(djp_tracestate **out, djp_tracestate *state, uint64_t threshold);
/* The tracestate for sampled roots at this threshold; NULL when it cannot be written or memory is
 * short. The caller owns it. */
djp_tracestate *djp__ot_root_state(uint64_t threshold);

/* 56 random bits: the end of the trace id. */
static inline uint64_t
djp__randomness(const uint8_t trace_id[16])
{
    uint64_t word;
    memcpy(&word, trace_id + 8, sizeof word);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word & (DJP__THRESHOLD_NEVER - 1);
}

/* The same, or the value in the "ot" member. Borrows. */
uint64_t djp__randomness_in(const uint8_t trace_id[16], djp_text ot);
/* The same for a tracestate, which may be NULL. */
uint64_t djp__randomness_of(const uint8_t trace_id[16], djp_tracestate *state);

#endif
