/* Trace context between JavaScript and the parsers of the core: header values in, words or
 * hexadecimal text out. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

enum { CONTEXT_FIELDS_MAX = 32 };

static uint32_t
context_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void
context_bytes(uint8_t *out, int32_t word)
{
    uint32_t value = (uint32_t)word;
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

int
djp_node_context_from_words(djp_span_context *out, const int32_t *words)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < 4; i++) {
        context_bytes(out->trace_id + i * 4, words[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        context_bytes(out->span_id + i * 4, words[4 + i]);
    }
    out->flags = (uint8_t)words[6];
    return djp_span_context_is_valid(out);
}

void
djp_node_context_to_words(int32_t *words, const djp_span_context *context)
{
    for (size_t i = 0; i < 4; i++) {
        words[i] = (int32_t)context_word(context->trace_id + i * 4);
    }
    for (size_t i = 0; i < 2; i++) {
        words[4 + i] = (int32_t)context_word(context->span_id + i * 4);
    }
    words[6] = context->flags;
}

static void
context_hex(char *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[i * 2] = digits[bytes[i] >> 4];
        out[i * 2 + 1] = digits[bytes[i] & 15];
    }
}

static int
context_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Returns 1 if the text is exactly that many bytes in hexadecimal. */
static int
context_unhex(uint8_t *out, size_t size, djp_text text)
{
    if (text.size != size * 2) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        int high = context_digit(text.data[i * 2]), low = context_digit(text.data[i * 2 + 1]);
        if (high < 0 || low < 0) {
            return 0;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return 1;
}

int
djp_node_context_read(djp_span_context *out, napi_env env, napi_value parent, napi_value state)
{
    djp_node_text single;
    djp_node_texts parents = {NULL, NULL, 0}, states = {NULL, NULL, 0};
    const djp_header *fields = &single.text;
    size_t count = (size_t)djp_node_text_get(&single, env, parent);
    if (count == 0) {
        (void)djp_node_texts_get(&parents, env, parent, CONTEXT_FIELDS_MAX, 0);
        fields = parents.texts;
        count = parents.count;
    }
    if (count > 0) {
        (void)djp_node_texts_get(&states, env, state, CONTEXT_FIELDS_MAX, 0);
    }
    int found = djp_context_extract(out, fields, count, states.texts, states.count);
    djp_node_text_release(&single);
    djp_node_texts_release(&parents);
    djp_node_texts_release(&states);
    return found;
}

/* extract(traceparent, tracestate): {traceId, spanId, flags, state} or null. */
static napi_value
context_extract(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_span_context context;
    char hex[48];
    if (!djp_node_arguments(env, info, given, 2) ||
        !djp_node_context_read(&context, env, given[0], given[1])) {
        return djp_node_null(env);
    }
    napi_value result = djp_node_object(env);
    context_hex(hex, context.trace_id, 16);
    context_hex(hex + 32, context.span_id, 8);
    djp_node_put(env, result, "traceId", djp_node_string(env, (djp_text){hex, 32}));
    djp_node_put(env, result, "spanId", djp_node_string(env, (djp_text){hex + 32, 16}));
    djp_node_put(env, result, "flags", djp_node_double(env, context.flags));
    djp_node_put(env, result, "state", djp_node_string(env, djp_tracestate_text(context.state)));
    djp_span_context_clear(&context);
    return result;
}

/* extractInto(words, traceparent, tracestate): the tracestate ('' for none), or null without a
 * context; the words are then unchanged. */
static napi_value
context_extract_into(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    djp_span_context context;
    if (!djp_node_arguments(env, info, given, 3) ||
        !djp_node_context_read(&context, env, given[1], given[2])) {
        return djp_node_null(env);
    }
    napi_value result = djp_node_string(env, djp_tracestate_text(context.state));
    int32_t *words = djp_node_words(env, given[0], 7);
    if (words != NULL) {
        djp_node_context_to_words(words, &context);
    }
    djp_span_context_clear(&context);
    return words != NULL ? result : djp_node_null(env);
}

/* traceparentWrite(traceId, spanId, flags): the header value, or '' for invalid ids. */
static napi_value
context_traceparent_write(napi_env env, napi_callback_info info)
{
    napi_value given[3];
    djp_node_text trace, span;
    djp_span_context context = {0};
    char out[DJP_TRACEPARENT_SIZE + 1] = "";
    if (!djp_node_arguments(env, info, given, 3)) {
        return NULL;
    }
    (void)djp_node_text_get(&trace, env, given[0]);
    (void)djp_node_text_get(&span, env, given[1]);
    context.flags = (uint8_t)djp_node_int(env, given[2], 0);
    if (context_unhex(context.trace_id, 16, trace.text) &&
        context_unhex(context.span_id, 8, span.text)) {
        djp_traceparent_write(out, &context);
    }
    djp_node_text_release(&trace);
    djp_node_text_release(&span);
    return djp_node_string(env, (djp_text){out, strlen(out)});
}

/* tracestateParse(header | header[]): the normalised list, or null if it is empty or invalid. */
static napi_value
context_state_parse(napi_env env, napi_callback_info info)
{
    napi_value given[1], result;
    djp_node_texts fields;
    djp_tracestate *state = NULL;
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    (void)djp_node_texts_get(&fields, env, given[0], CONTEXT_FIELDS_MAX, 0);
    (void)djp_tracestate_parse(&state, fields.texts, fields.count);
    result = state == NULL ? djp_node_null(env) : djp_node_string(env, djp_tracestate_text(state));
    djp_tracestate_unref(state);
    djp_node_texts_release(&fields);
    return result;
}

static djp_tracestate *
context_state_of(napi_env env, napi_value value)
{
    djp_node_text text;
    djp_tracestate *state = NULL;
    (void)djp_node_text_get(&text, env, value);
    djp_header field = text.text;
    (void)djp_tracestate_parse(&state, &field, 1);
    djp_node_text_release(&text);
    return state;
}

/* tracestateSet(state, key, value): the new list, or null if it is invalid or empty. An empty value
 * removes the member. */
static napi_value
context_state_set(napi_env env, napi_callback_info info)
{
    napi_value given[3], result;
    djp_node_text key, value;
    if (!djp_node_arguments(env, info, given, 3)) {
        return NULL;
    }
    djp_tracestate *state = context_state_of(env, given[0]);
    (void)djp_node_text_get(&key, env, given[1]);
    (void)djp_node_text_get(&value, env, given[2]);
    djp_tracestate *changed = djp_tracestate_set(state, key.text, value.text);
    result =
        changed == NULL ? djp_node_null(env) : djp_node_string(env, djp_tracestate_text(changed));
    djp_tracestate_unref(changed);
    djp_tracestate_unref(state);
    djp_node_text_release(&key);
    djp_node_text_release(&value);
    return result;
}

/* tracestateGet(state, key): the member's value or null. */
static napi_value
context_state_get(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_node_text key;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_tracestate *state = context_state_of(env, given[0]);
    (void)djp_node_text_get(&key, env, given[1]);
    djp_text value = djp_tracestate_get(state, key.text);
    napi_value result = value.data == NULL ? djp_node_null(env) : djp_node_string(env, value);
    djp_tracestate_unref(state);
    djp_node_text_release(&key);
    return result;
}

void
djp_node_context_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"extract", context_extract},
        {"extractInto", context_extract_into},
        {"traceparentWrite", context_traceparent_write},
        {"tracestateParse", context_state_parse},
        {"tracestateSet", context_state_set},
        {"tracestateGet", context_state_get},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
