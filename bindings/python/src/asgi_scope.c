/* Reads an ASGI scope without trusting it: a value of another type than in the specification counts
 * as absent. Header values are read only for trace context, baggage and length, and never
 * stored. */
#include "asgi_types.h"

#include <string.h>

enum {
    SCOPE_TRACEPARENTS = 4,
    SCOPE_TRACESTATES = 32,
    SCOPE_BAGGAGES = 32,
    SCOPE_LENGTH_DIGITS = 18
};

typedef struct scope_fields {
    djp_header traceparent[SCOPE_TRACEPARENTS];
    djp_header tracestate[SCOPE_TRACESTATES];
    djp_header baggage[SCOPE_BAGGAGES];
    size_t traceparent_count, tracestate_count, baggage_count;
    djp_text length;
} scope_fields;

static inline char
scope_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline int
scope_name_is(const char *name, const char *wanted, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (scope_lower(name[i]) != wanted[i]) {
            return 0;
        }
    }
    return 1;
}

static inline void
scope_field_add(djp_header *list, size_t *count, size_t limit, PyObject *value)
{
    if (*count < limit) {
        list[(*count)++] = (djp_header){PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)};
    }
}

/* The lengths of the four names differ, so most fields take one comparison of numbers. */
static inline void
scope_field(scope_fields *fields, PyObject *name, PyObject *value)
{
    if (!PyBytes_CheckExact(name) || !PyBytes_CheckExact(value)) {
        return;
    }
    const char *text = PyBytes_AS_STRING(name);
    switch (PyBytes_GET_SIZE(name)) {
    case 7:
        if (scope_name_is(text, "baggage", 7)) {
            scope_field_add(fields->baggage, &fields->baggage_count, SCOPE_BAGGAGES, value);
        }
        break;
    case 10:
        if (scope_name_is(text, "tracestate", 10)) {
            scope_field_add(fields->tracestate, &fields->tracestate_count, SCOPE_TRACESTATES,
                            value);
        }
        break;
    case 11:
        if (scope_name_is(text, "traceparent", 11)) {
            scope_field_add(fields->traceparent, &fields->traceparent_count, SCOPE_TRACEPARENTS,
                            value);
        }
        break;
    case 14:
        if (scope_name_is(text, "content-length", 14)) {
            fields->length = (djp_text){PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)};
        }
        break;
    default:
        break;
    }
}

static inline void
scope_pair(scope_fields *fields, PyObject *pair)
{
    if (PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2) {
        scope_field(fields, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    } else if (PyList_CheckExact(pair) && PyList_GET_SIZE(pair) == 2) {
        scope_field(fields, PyList_GET_ITEM(pair, 0), PyList_GET_ITEM(pair, 1));
    }
}

static int64_t
scope_length(djp_text text)
{
    int64_t length = 0;
    if (text.size == 0 || text.size > SCOPE_LENGTH_DIGITS) {
        return -1;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return -1;
        }
        length = length * 10 + (text.data[i] - '0');
    }
    return length;
}

static int
scope_propagates(const djp_py_state *state, const char *propagator)
{
    const djp_options *options = state->sdk != NULL ? djp_sdk_options(state->sdk->sdk) : NULL;
    return options == NULL || strstr(options->propagators, propagator) != NULL;
}

void
djp_py_asgi_headers_get(djp_py_asgi_headers *out, djp_py_state *state, const djp_py_http *http,
                        PyObject *headers)
{
    scope_fields fields;
    fields.traceparent_count = fields.tracestate_count = fields.baggage_count = 0;
    fields.length = (djp_text){NULL, 0};
    out->has_remote = 0;
    out->baggage = NULL;
    if (headers != NULL && PyList_CheckExact(headers)) {
        for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
            scope_pair(&fields, PyList_GET_ITEM(headers, i));
        }
    } else if (headers != NULL && PyTuple_CheckExact(headers)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(headers); i++) {
            scope_pair(&fields, PyTuple_GET_ITEM(headers, i));
        }
    }
    out->content_length = scope_length(fields.length);
    if (fields.traceparent_count > 0 &&
        (http != NULL ? http->context : scope_propagates(state, "tracecontext"))) {
        out->has_remote =
            djp_context_extract(&out->remote, fields.traceparent, fields.traceparent_count,
                                fields.tracestate, fields.tracestate_count);
    }
    if (fields.baggage_count > 0 &&
        (http != NULL ? http->baggage : scope_propagates(state, "baggage"))) {
        out->baggage = djp_py_baggage_parse(state, fields.baggage, fields.baggage_count);
    }
}
