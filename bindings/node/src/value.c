/* Conversion between JavaScript and core values. Strings are copied, because V8 moves them; an
 * exception during a conversion is cleared and the value counts as not given. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"

int
djp_node_failed(napi_env env)
{
    bool pending = false;
    napi_value exception;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
        (void)napi_get_and_clear_last_exception(env, &exception);
    }
    return 0;
}

/* ---- text ---- */

static int
value_text_long(djp_node_text *out, napi_env env, napi_value value)
{
    size_t size = 0;
    if (!djp_node_ok(env, napi_get_value_string_utf8(env, value, NULL, 0, &size))) {
        return 0;
    }
    out->owned = malloc(size + 1);
    if (out->owned == NULL ||
        !djp_node_ok(env, napi_get_value_string_utf8(env, value, out->owned, size + 1, &size))) {
        djp_node_text_release(out);
        return 0;
    }
    out->text = (djp_text){out->owned, size};
    return 1;
}

int
djp_node_text_get(djp_node_text *out, napi_env env, napi_value value)
{
    size_t size = 0;
    out->owned = NULL;
    out->small[0] = '\0';
    out->text = (djp_text){out->small, 0};
    if (value == NULL ||
        napi_get_value_string_utf8(env, value, out->small, sizeof out->small, &size) != napi_ok) {
        return djp_node_failed(env);
    }
    /* A character that does not fit is left out whole, so a nearly full buffer may be cut. */
    if (size + 4 < sizeof out->small) {
        out->text.size = size;
        return 1;
    }
    return value_text_long(out, env, value);
}

void
djp_node_text_release(djp_node_text *text)
{
    free(text->owned);
    text->owned = NULL;
    text->text = (djp_text){"", 0};
}

static int
value_texts_room(djp_node_texts *out, size_t count)
{
    out->items = calloc(count + 1, sizeof *out->items);
    out->texts = calloc(count + 1, sizeof *out->texts);
    return out->items != NULL && out->texts != NULL;
}

static void
value_texts_add(djp_node_texts *out, napi_env env, napi_value value, int keep_places)
{
    if (djp_node_text_get(&out->items[out->count], env, value) || keep_places) {
        out->texts[out->count] = out->items[out->count].text;
        out->count++;
    }
}

int
djp_node_texts_get(djp_node_texts *out, napi_env env, napi_value value, size_t limit,
                   int keep_places)
{
    bool is_array = false;
    uint32_t count = 0;
    *out = (djp_node_texts){NULL, NULL, 0};
    if (djp_node_type(env, value) == napi_string) {
        if (value_texts_room(out, 1)) {
            value_texts_add(out, env, value, keep_places);
        }
        return out->count == 1;
    }
    if (!djp_node_ok(env, napi_is_array(env, value, &is_array)) || !is_array ||
        !djp_node_ok(env, napi_get_array_length(env, value, &count))) {
        return 0;
    }
    size_t wanted = count < limit ? count : limit;
    if (!value_texts_room(out, wanted)) {
        return 0;
    }
    for (uint32_t i = 0; i < wanted; i++) {
        napi_value item = NULL;
        if (!djp_node_ok(env, napi_get_element(env, value, i, &item))) {
            item = NULL;
        }
        value_texts_add(out, env, item, keep_places);
    }
    return 1;
}

void
djp_node_texts_release(djp_node_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        djp_node_text_release(&texts->items[i]);
    }
    free(texts->items);
    free(texts->texts);
    *texts = (djp_node_texts){NULL, NULL, 0};
}

/* ---- arguments ---- */

int
djp_node_arguments(napi_env env, napi_callback_info info, napi_value *out, size_t count)
{
    size_t given = count;
    return djp_node_ok(env, napi_get_cb_info(env, info, &given, out, NULL, NULL));
}

napi_valuetype
djp_node_type(napi_env env, napi_value value)
{
    napi_valuetype type = napi_undefined;
    return value != NULL && djp_node_ok(env, napi_typeof(env, value, &type)) ? type
                                                                             : napi_undefined;
}

double
djp_node_number(napi_env env, napi_value value, double otherwise)
{
    double number;
    if (djp_node_type(env, value) != napi_number ||
        !djp_node_ok(env, napi_get_value_double(env, value, &number))) {
        return otherwise;
    }
    return number;
}

int
djp_node_int(napi_env env, napi_value value, int otherwise)
{
    double number = djp_node_number(env, value, (double)otherwise);
    return number > -2147483648.0 && number < 2147483648.0 ? (int)number : otherwise;
}

uint64_t
djp_node_timeout(napi_env env, napi_value value)
{
    napi_valuetype type = djp_node_type(env, value);
    if (type == napi_undefined || type == napi_null) {
        return UINT64_MAX;
    }
    double milliseconds = djp_node_number(env, value, 0);
    if (!(milliseconds > 0)) {
        return 0;
    }
    return milliseconds >= 1.8e13 ? UINT64_MAX : (uint64_t)(milliseconds * 1e6);
}

/* The bytes of a typed array of that type. */
static void *
value_array(napi_env env, napi_value value, napi_typedarray_type wanted, size_t *length)
{
    bool is_typed = false;
    napi_typedarray_type type;
    void *data = NULL;
    if (value == NULL || !djp_node_ok(env, napi_is_typedarray(env, value, &is_typed)) ||
        !is_typed ||
        !djp_node_ok(env, napi_get_typedarray_info(env, value, &type, length, &data, NULL, NULL)) ||
        type != wanted) {
        return NULL;
    }
    return data;
}

int
djp_node_bytes(napi_env env, napi_value value, uint8_t **data, size_t *size)
{
    *size = 0;
    *data = value_array(env, value, napi_uint8_array, size);
    return *data != NULL;
}

int32_t *
djp_node_words(napi_env env, napi_value value, size_t least)
{
    size_t length = 0;
    int32_t *words = value_array(env, value, napi_int32_array, &length);
    return length >= least ? words : NULL;
}

/* ---- new values ---- */

napi_value
djp_node_string(napi_env env, djp_text text)
{
    napi_value value = NULL;
    const char *data = text.data == NULL ? "" : text.data;
    return djp_node_ok(env, napi_create_string_utf8(env, data, text.size, &value)) ? value : NULL;
}

napi_value
djp_node_string_or_null(napi_env env, const char *text)
{
    return text == NULL ? djp_node_null(env) : djp_node_string(env, (djp_text){text, strlen(text)});
}

napi_value
djp_node_boolean(napi_env env, int value)
{
    napi_value object = NULL;
    return djp_node_ok(env, napi_get_boolean(env, value != 0, &object)) ? object : NULL;
}

napi_value
djp_node_double(napi_env env, double value)
{
    napi_value object = NULL;
    return djp_node_ok(env, napi_create_double(env, value, &object)) ? object : NULL;
}

napi_value
djp_node_null(napi_env env)
{
    napi_value object = NULL;
    return djp_node_ok(env, napi_get_null(env, &object)) ? object : NULL;
}

napi_value
djp_node_object(napi_env env)
{
    napi_value object = NULL;
    return djp_node_ok(env, napi_create_object(env, &object)) ? object : NULL;
}

void
djp_node_put(napi_env env, napi_value object, const char *name, napi_value value)
{
    if (object != NULL && value != NULL) {
        (void)djp_node_ok(env, napi_set_named_property(env, object, name, value));
    }
}

void
djp_node_put_text(napi_env env, napi_value object, const char *name, const char *text)
{
    djp_node_put(env, object, name,
                 djp_node_string(env, (djp_text){text, text == NULL ? 0 : strlen(text)}));
}

void
djp_node_throw(napi_env env, const char *format, ...)
{
    char message[640];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)napi_throw_error(env, NULL, message);
}
