/* The traceparent field: "00-<32 hex>-<16 hex>-<2 hex>", read by the W3C rules for this and later
 * versions, written as version 00. It rejects upper-case hex, zero ids and version ff, and does not
 * read past the given size. */
#include "base/str.h"
#include "djp/context.h"

#include <string.h>

enum { TRACEPARENT_TRACE_AT = 3, TRACEPARENT_SPAN_AT = 36, TRACEPARENT_FLAGS_AT = 53 };

static int
traceparent_shape_is_valid(djp_text text)
{
    if (text.size < DJP_TRACEPARENT_SIZE) {
        return 0;
    }
    uint8_t version;
    if (!djp__hex_decode(&version, 1, text.data) || version == 0xff) {
        return 0;
    }
    if (text.size > DJP_TRACEPARENT_SIZE &&
        (version == 0 || text.data[DJP_TRACEPARENT_SIZE] != '-')) {
        return 0;
    }
    return text.data[TRACEPARENT_TRACE_AT - 1] == '-' &&
           text.data[TRACEPARENT_SPAN_AT - 1] == '-' && text.data[TRACEPARENT_FLAGS_AT - 1] == '-';
}

int
djp_traceparent_parse(djp_span_context *out, djp_text text)
{
    memset(out, 0, sizeof *out);
    if (text.data == NULL) {
        return 0;
    }
    djp_text value = djp__text_trim(text);
    if (!traceparent_shape_is_valid(value) ||
        !djp__hex_decode(out->trace_id, sizeof out->trace_id, value.data + TRACEPARENT_TRACE_AT) ||
        !djp__hex_decode(out->span_id, sizeof out->span_id, value.data + TRACEPARENT_SPAN_AT) ||
        !djp__hex_decode(&out->flags, 1, value.data + TRACEPARENT_FLAGS_AT) ||
        !djp_span_context_is_valid(out)) {
        memset(out, 0, sizeof *out);
        return 0;
    }
    out->flags &= DJP_FLAG_SAMPLED | DJP_FLAG_RANDOM;
    out->is_remote = 1;
    return 1;
}

static char *
traceparent_put_hex(char *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return out;
}

void
djp_traceparent_write(char *out, const djp_span_context *context)
{
    if (!djp_span_context_is_valid(context)) {
        memset(out, 0, DJP_TRACEPARENT_SIZE + 1);
        return;
    }
    uint8_t flags = context->flags & (DJP_FLAG_SAMPLED | DJP_FLAG_RANDOM);
    char *at = out;
    *at++ = '0';
    *at++ = '0';
    *at++ = '-';
    at = traceparent_put_hex(at, context->trace_id, sizeof context->trace_id);
    *at++ = '-';
    at = traceparent_put_hex(at, context->span_id, sizeof context->span_id);
    *at++ = '-';
    at = traceparent_put_hex(at, &flags, 1);
    *at = '\0';
}

int
djp_span_context_is_valid(const djp_span_context *context)
{
    uint64_t trace[2], span;
    if (context == NULL) {
        return 0;
    }
    memcpy(trace, context->trace_id, sizeof trace);
    memcpy(&span, context->span_id, sizeof span);
    return (trace[0] | trace[1]) != 0 && span != 0;
}
