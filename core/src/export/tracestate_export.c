/* The tracestate of an exported span: the sampling threshold of this stage in the "ot" member, the
 * rest as received. Does not change the propagated tracestate. */
#include "export/encoder.h"

#include <string.h>

#include "base/str.h"
#include "djp/context.h"

enum { TRACESTATE_VALUE_MAX = 256, TRACESTATE_TH_MAX = 14 };
#define TRACESTATE_THRESHOLD_LIMIT (UINT64_C(1) << 56)

/* Removes "th:" from a sub-key; 0 for another one. */
static int
tracestate_is_th(djp_text sub, djp_text *value)
{
    if (sub.size < 3 || memcmp(sub.data, "th:", 3) != 0) {
        return 0;
    }
    value->data = sub.data + 3;
    value->size = sub.size - 3;
    return 1;
}

/* 14 hex digits without trailing zeros, "0" for zero. Returns the size. */
static size_t
tracestate_write_th(char out[TRACESTATE_TH_MAX], uint64_t threshold)
{
    for (int i = 0; i < TRACESTATE_TH_MAX; i++) {
        out[i] = "0123456789abcdef"[(threshold >> (52 - 4 * i)) & 15];
    }
    size_t size = TRACESTATE_TH_MAX;
    while (size > 1 && out[size - 1] == '0') {
        size--;
    }
    return size;
}

static int
tracestate_is_ot(djp_text member)
{
    return member.size >= 3 && memcmp(member.data, "ot=", 3) == 0;
}

/* Value of the ot member, {NULL, 0} when there is none. */
static djp_text
tracestate_find_ot(djp_text state)
{
    djp_text rest = state, part, none = {NULL, 0};
    while (djp__text_split(&part, &rest, ',')) {
        part = djp__text_trim(part);
        if (tracestate_is_ot(part)) {
            djp_text value = {part.data + 3, part.size - 3};
            return value;
        }
    }
    return none;
}

/* The new value of ot: th in front, then the other sub-keys that fit. */
static size_t
tracestate_write_ot(char out[TRACESTATE_VALUE_MAX], djp_text old, djp_text th)
{
    size_t size = 0;
    if (th.size != 0) {
        memcpy(out, "th:", 3);
        memcpy(out + 3, th.data, th.size);
        size = 3 + th.size;
    }
    djp_text rest = old, sub, value;
    while (djp__text_split(&sub, &rest, ';')) {
        size_t separator = size != 0;
        if (sub.size == 0 || tracestate_is_th(sub, &value) ||
            size + separator + sub.size > TRACESTATE_VALUE_MAX) {
            continue;
        }
        if (separator != 0) {
            out[size++] = ';';
        }
        memcpy(out + size, sub.data, sub.size);
        size += sub.size;
    }
    return size;
}

/* 1: the value has exactly this th, or none if none is wanted. */
static int
tracestate_has_th(djp_text ot, djp_text th)
{
    djp_text rest = ot, sub, value;
    int found = 0, equal = 0;
    while (djp__text_split(&sub, &rest, ';')) {
        if (tracestate_is_th(sub, &value)) {
            found++;
            equal = value.size == th.size && memcmp(value.data, th.data, th.size) == 0;
        }
    }
    return th.size == 0 ? found == 0 : found == 1 && equal;
}

static void
tracestate_append_others(djp__buf *out, djp_text state, unsigned members, size_t from)
{
    djp_text rest = state, part;
    while (members < DJP_TRACESTATE_MEMBERS_MAX && djp__text_split(&part, &rest, ',')) {
        part = djp__text_trim(part);
        if (part.size == 0 || tracestate_is_ot(part)) {
            continue;
        }
        if (out->size != from) {
            djp__buf_char(out, ',');
        }
        djp__buf_append(out, part.data, part.size);
        members++;
    }
}

void
djp__export_tracestate(djp__buf *out, djp_text state, uint64_t threshold)
{
    char digits[TRACESTATE_TH_MAX], value[TRACESTATE_VALUE_MAX];
    djp_text th = {digits, threshold < TRACESTATE_THRESHOLD_LIMIT
                               ? tracestate_write_th(digits, threshold)
                               : 0};
    djp_text ot = tracestate_find_ot(state);
    if (ot.data != NULL ? tracestate_has_th(ot, th) : th.size == 0) {
        djp__buf_append(out, state.data, state.size);
        return;
    }
    size_t from = out->size, size = tracestate_write_ot(value, ot, th);
    if (size != 0) {
        djp__buf_append(out, "ot=", 3);
        djp__buf_append(out, value, size);
    }
    tracestate_append_others(out, state, size != 0, from);
}
