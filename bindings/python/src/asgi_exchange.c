/* The record of one request or websocket connection, callable as the application's `send`. It
 * stores the status and the time of the last body byte, passes every message on unchanged, and
 * records span and metrics once when the response is complete. */
#include "asgi_types.h"

#include <stddef.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x030c0000
#define EXCHANGE_OFFSET_FLAGS Py_READONLY
#define EXCHANGE_OFFSET_TYPE Py_T_PYSSIZET
#else
#include <structmember.h>
#define EXCHANGE_OFFSET_FLAGS READONLY
#define EXCHANGE_OFFSET_TYPE T_PYSSIZET
#endif

/* Close codes of a websocket: without a close frame, and internal error. */
enum {
    EXCHANGE_CLOSED_ABNORMALLY = 1006,
    EXCHANGE_CLOSED_BY_FAILURE = 1011,
    EXCHANGE_HEADERS_MAX = 256
};

static PyObject *
exchange_send(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames);

/* Called if the sampler reads request attributes, or a setting the baggage. */
static DJP_PY_COLD djp_span *
exchange_start_shown(djp_py_exchange *exchange, const djp_py_asgi_request *request,
                     djp_http_type type)
{
    djp_py_asgi_state *asgi = exchange->state->asgi;
    const djp_py_asgi_headers *headers = request->headers;
    PyObject *given[3] = {djp_py_asgi_get(request->scope, asgi->words.method), request->path,
                          djp_py_asgi_get(request->scope, asgi->words.scheme)};
    djp_py_text texts[3];
    for (int i = 0; i < 3; i++) {
        (void)djp_py_text_get(&texts[i],
                              given[i] != NULL && PyUnicode_Check(given[i]) ? given[i] : NULL);
    }
    djp_http_request known = {.method = texts[0].text,
                              .path = texts[1].text,
                              .scheme = texts[2].text,
                              .baggage = djp_py_baggage_of(exchange->state, headers->baggage)};
    djp_span *span =
        djp_http_server_start_request(&exchange->start_ns, exchange->http->server, type,
                                      headers->has_remote ? &headers->remote : NULL, &known);
    for (int i = 0; i < 3; i++) {
        djp_py_text_release(&texts[i]);
    }
    return span;
}

/* The fields that depend only on the request; untracked yet. */
static djp_py_exchange *
exchange_take(djp_py_asgi_app *app, const djp_py_asgi_request *request)
{
    djp_py_state *state = app->state;
    djp_py_exchange *exchange =
        djp_py_pool_take(&state->asgi->exchanges, state->asgi->exchange_type);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->vectorcall = exchange_send;
    exchange->state = state;
    exchange->http = NULL;
    exchange->app = (djp_py_asgi_app *)Py_NewRef((PyObject *)app);
    exchange->scope = Py_NewRef(request->scope);
    exchange->send = Py_NewRef(request->send);
    exchange->start = exchange->root_path = exchange->path = exchange->span = NULL;
    exchange->error = NULL;
    exchange->send_error = exchange->handled = NULL;
    exchange->start_ns = exchange->end_ns = 0;
    exchange->request_bytes = request->headers->content_length;
    exchange->received_bytes = 0;
    exchange->status = 0;
    exchange->active = 0;
    exchange->type = DJP_HTTP_REQUEST;
    exchange->complete = exchange->recorded = exchange->disconnected = exchange->failed =
        exchange->stepping = 0;
    exchange->reading = 1;
    exchange->cut = exchange->streams = exchange->left = exchange->unseen = exchange->send_raises =
        0;
    exchange->broken = exchange->incomplete = 0;
    return exchange;
}

/* The object in place of a span that is not recorded: carries the caller's context, if there is
 * one. */
static PyObject *
exchange_carrier(djp_py_state *state, const djp_py_asgi_headers *headers)
{
    return headers->has_remote ? djp_py_span_remote(state, &headers->remote)
                               : Py_NewRef(state->noop_span);
}

djp_py_exchange *
djp_py_exchange_carry(djp_py_asgi_app *app, const djp_py_asgi_request *request)
{
    djp_py_exchange *exchange = exchange_take(app, request);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->recorded = 1;
    exchange->span = exchange_carrier(app->state, request->headers);
    PyObject_GC_Track(exchange);
    return exchange;
}

/* The text is held: the next key look-up compares it with the keys of the scope, which may be any
 * objects. */
static void
exchange_scope_text(djp_py_text *out, djp_py_exchange *exchange, PyObject *key)
{
    PyObject *value = djp_py_asgi_get(exchange->scope, key);
    *out = (djp_py_text){{NULL, 0}, NULL};
    if (value != NULL && djp_py_text_get(out, value) && out->owner == NULL) {
        out->owner = Py_NewRef(value);
    }
}

/* Counts the request as active; only under the conventions. */
static DJP_PY_COLD void
exchange_enter(djp_py_exchange *exchange)
{
    djp_py_asgi_state *asgi = exchange->state->asgi;
    djp_py_text method, scheme;
    exchange_scope_text(&method, exchange, asgi->words.method);
    exchange_scope_text(&scheme, exchange, asgi->words.scheme);
    exchange->active =
        djp_builtin_http_enter(djp_sdk_builtin(exchange->http->sdk->sdk), method.text, scheme.text);
    djp_py_text_release(&method);
    djp_py_text_release(&scheme);
}

static DJP_PY_COLD void
exchange_leave(djp_py_exchange *exchange)
{
    djp_builtin_http_leave(djp_sdk_builtin(exchange->http->sdk->sdk), exchange->active);
    exchange->active = 0;
}

/* 1 when the scope declares that send() raises OSError after the client disconnected (version 2.4
 * of the specification). */
static int
exchange_send_raises(djp_py_asgi_state *asgi, PyObject *scope)
{
    PyObject *info = djp_py_asgi_get(scope, asgi->words.asgi);
    PyObject *version = info != NULL && PyDict_CheckExact(info)
                            ? djp_py_asgi_get(info, asgi->words.spec_version)
                            : NULL;
    if (version == NULL || !PyUnicode_CheckExact(version)) {
        return 0;
    }
    if (version != asgi->spec_version) { /* a constant of the server */
        djp_py_text text;
        (void)djp_py_text_get(&text, version);
        const char *data = text.text.data;
        asgi->spec_raises =
            text.text.size >= 3 && (data[0] > '2' || (data[0] == '2' && data[1] == '.' &&
                                                      (data[2] >= '4' || text.text.size > 3)));
        djp_py_text_release(&text);
        Py_XSETREF(asgi->spec_version, Py_NewRef(version));
    }
    return asgi->spec_raises;
}

djp_py_exchange *
djp_py_exchange_new(djp_py_asgi_app *app, djp_py_http *http, djp_http_type type,
                    const djp_py_asgi_request *request)
{
    const djp_py_asgi_headers *headers = request->headers;
    PyObject *scope = request->scope;
    djp_py_state *state = app->state;
    djp_py_asgi_state *asgi = state->asgi;
    djp_py_exchange *exchange = exchange_take(app, request);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->http = djp_py_http_ref(http);
    exchange->root_path = Py_XNewRef(djp_py_asgi_get(scope, asgi->words.root_path));
    exchange->path = Py_XNewRef(request->path);
    exchange->type = (uint8_t)type;
    exchange->send_raises = type == DJP_HTTP_WEBSOCKET || exchange_send_raises(asgi, scope);
    djp_span *span = djp_http_server_wants_request(http->server)
                         ? exchange_start_shown(exchange, request, type)
                         : djp_http_server_start(&exchange->start_ns, http->server, type,
                                                 headers->has_remote ? &headers->remote : NULL);
    exchange->span = span != NULL ? djp_py_span_new(state, span) : exchange_carrier(state, headers);
    if (http->transport && type == DJP_HTTP_REQUEST) {
        exchange_enter(exchange);
    }
    if (PyDict_SetItem(scope, asgi->words.scope_span, exchange->span) < 0) {
        PyErr_Clear();
    }
    PyObject_GC_Track(exchange);
    return exchange;
}

static int
exchange_traverse(PyObject *self, visitproc visit, void *arg)
{
    djp_py_exchange *exchange = (djp_py_exchange *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(exchange->app);
    Py_VISIT(exchange->scope);
    Py_VISIT(exchange->send);
    Py_VISIT(exchange->start);
    Py_VISIT(exchange->span);
    Py_VISIT(exchange->send_error);
    Py_VISIT(exchange->handled);
    return 0;
}

static int
exchange_clear(PyObject *self)
{
    djp_py_exchange *exchange = (djp_py_exchange *)self;
    djp_py_http *http = exchange->http;
    exchange->recorded = 1;
    if (exchange->active != 0) {
        exchange_leave(exchange);
    }
    exchange->http = NULL;
    Py_CLEAR(exchange->app);
    Py_CLEAR(exchange->scope);
    Py_CLEAR(exchange->send);
    Py_CLEAR(exchange->start);
    Py_CLEAR(exchange->root_path);
    Py_CLEAR(exchange->path);
    Py_CLEAR(exchange->span);
    Py_CLEAR(exchange->error);
    Py_CLEAR(exchange->send_error);
    Py_CLEAR(exchange->handled);
    djp_py_http_unref(http);
    return 0;
}

static void
exchange_dealloc(PyObject *self)
{
    djp_py_state *state = ((djp_py_exchange *)self)->state;
    PyObject_GC_UnTrack(self);
    exchange_clear(self);
    djp_py_pool_give(state->asgi != NULL ? &state->asgi->exchanges : NULL, self);
}

/* ---- recording ---- */
/* The status to record. A response that began after the client disconnected counts only if the
 * service failed. Without an exception, a 5xx about an incomplete request body does not count. */
static int
exchange_seen_status(djp_py_exchange *exchange)
{
    if ((exchange->status >= 400 || exchange->broken) && !exchange->failed) {
        djp_py_exchange_handled(exchange);
    }
    exchange->failed |= exchange->broken;
    return exchange->unseen && (exchange->status < 500 || exchange->cut) && !exchange->failed
               ? 0
               : exchange->status;
}

/* The error type without an exception. */
static const char *
exchange_error_code(const djp_py_exchange *exchange)
{
    return exchange->broken ? "1011" : exchange->incomplete ? "incomplete_response" : NULL;
}

/* Passes the complete record to the core. No exception may be set. */
static void
exchange_record(djp_py_exchange *exchange)
{
    djp_py_asgi_state *asgi = exchange->state->asgi;
    /* code that returns the route may close the request's awaitable */
    PyObject *span = Py_XNewRef(exchange->span);
    PyObject *route = djp_py_asgi_route(exchange);
    int status = exchange_seen_status(exchange);
    djp_py_text template = {{NULL, 0}, NULL}, method, scheme = {{NULL, 0}, NULL},
                version = {{NULL, 0}, NULL};
    if (route != NULL) {
        djp_py_text_get(&template, route);
    }
    exchange_scope_text(&method, exchange, asgi->words.method);
    if (method.text.size == 0 && exchange->type == DJP_HTTP_WEBSOCKET) {
        method.text = (djp_text){"GET", 3};
    }
    if (exchange->http->transport) {
        exchange_scope_text(&scheme, exchange, asgi->words.scheme);
        exchange_scope_text(&version, exchange, asgi->words.http_version);
    }
    const char *error = exchange->error != NULL ? strrchr(exchange->error->tp_name, '.') : NULL;
    error = error != NULL             ? error + 1
            : exchange->error != NULL ? exchange->error->tp_name
                                      : exchange_error_code(exchange);
    djp_http_result result = {
        .type = (djp_http_type)exchange->type,
        .method = method.text,
        .route = template.text,
        .scheme = scheme.text,
        .version = version.text,
        .error_type = {error, error != NULL ? strlen(error) : 0},
        .status = status,
        .failed = exchange->failed,
        .disconnected = exchange->disconnected,
        .request_bytes = exchange->request_bytes >= 0   ? exchange->request_bytes
                         : exchange->received_bytes > 0 ? exchange->received_bytes
                                                        : -1,
        .start_ns = exchange->start_ns,
        .end_ns = exchange->end_ns,
    };
    djp_http_server_end(exchange->http->server, span != NULL ? djp_py_span_handle(span) : NULL,
                        &result);
    djp_py_text_release(&template);
    djp_py_text_release(&method);
    djp_py_text_release(&scheme);
    djp_py_text_release(&version);
    Py_XDECREF(route);
    Py_XDECREF(span);
}

void
djp_py_exchange_finish(djp_py_exchange *exchange)
{
    if (exchange->recorded || exchange->state->asgi == NULL) {
        return;
    }
    exchange->recorded = 1;
    if (exchange->active != 0) {
        exchange_leave(exchange);
    }
    exchange_record(exchange);
    Py_CLEAR(exchange->scope);
    Py_CLEAR(exchange->root_path);
    Py_CLEAR(exchange->path);
    Py_CLEAR(exchange->start);
}

/* ---- messages ---- */
static void
exchange_complete(djp_py_exchange *exchange)
{
    if (!exchange->complete) {
        exchange->complete = 1;
        exchange->end_ns = djp_http_now();
    }
}

static void
exchange_status(djp_py_exchange *exchange, PyObject *message)
{
    PyObject *status = djp_py_asgi_get(message, exchange->state->asgi->words.status);
    /* http.HTTPStatus is an int */
    if (exchange->status != 0 || status == NULL || !PyLong_Check(status)) {
        return; /* servers refuse all messages after the first status */
    }
    int overflow = 0;
    long code = PyLong_AsLongAndOverflow(status, &overflow);
    exchange->status = code >= 100 && code <= 999 && !overflow ? (int)code : 500;
    exchange->unseen = exchange->disconnected;
}

static int
exchange_has_more(djp_py_exchange *exchange, PyObject *message)
{
    PyObject *more = djp_py_asgi_get(message, exchange->state->asgi->words.more_body);
    int truth = more != NULL && PyObject_IsTrue(more);
    PyErr_Clear();
    return truth;
}

/* 1 for content types that a server sends for as long as the client listens. */
static int
exchange_is_endless(djp_text type)
{
    static const char events[] = "text/event-stream", frames[] = "multipart/x-mixed-replace";
    return (type.size >= sizeof events - 1 &&
            PyOS_strnicmp(type.data, events, sizeof events - 1) == 0) ||
           (type.size >= sizeof frames - 1 &&
            PyOS_strnicmp(type.data, frames, sizeof frames - 1) == 0);
}

/* The first part of a response with several parts. */
static void
exchange_stream(djp_py_exchange *exchange)
{
    exchange->streams = 1;
    PyObject *headers = exchange->start != NULL
                            ? djp_py_asgi_get(exchange->start, exchange->state->asgi->words.headers)
                            : NULL;
    PyObject *pairs = headers != NULL ? djp_py_items(headers, EXCHANGE_HEADERS_MAX) : NULL;
    for (Py_ssize_t i = 0; pairs != NULL && i < PySequence_Fast_GET_SIZE(pairs); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(pairs, i);
        if ((!PyTuple_Check(pair) && !PyList_Check(pair)) || PySequence_Fast_GET_SIZE(pair) != 2) {
            continue;
        }
        djp_py_text name, value;
        (void)djp_py_text_get(&name, PySequence_Fast_GET_ITEM(pair, 0));
        (void)djp_py_text_get(&value, PySequence_Fast_GET_ITEM(pair, 1));
        if (name.text.size == 12 && PyOS_strnicmp(name.text.data, "content-type", 12) == 0 &&
            exchange_is_endless(value.text)) {
            djp_span_set_long_lived(djp_py_exchange_handle(exchange));
        }
        djp_py_text_release(&name);
        djp_py_text_release(&value);
    }
    Py_XDECREF(pairs);
}

static void
exchange_sent_http(djp_py_exchange *exchange, PyObject *message, PyObject *type)
{
    if (djp_py_asgi_is(type, "http.response.body", 18)) {
        if (!exchange_has_more(exchange, message)) {
            exchange_complete(exchange);
        } else if (!exchange->streams) {
            exchange_stream(exchange);
        }
    } else if (djp_py_asgi_is(type, "http.response.start", 19)) {
        exchange_status(exchange, message);
        Py_XSETREF(exchange->start, Py_NewRef(message));
    } else if (djp_py_asgi_is(type, "http.response.pathsend", 22)) {
        exchange_complete(exchange);
    } else if (djp_py_asgi_is(type, "http.response.zerocopysend", 26)) {
        if (!exchange_has_more(exchange, message)) {
            exchange_complete(exchange);
        }
    }
}

static int
exchange_close_code_is(djp_py_exchange *exchange, PyObject *message, long wanted)
{
    PyObject *code = djp_py_asgi_get(message, exchange->state->asgi->words.code);
    long given = code != NULL && PyLong_Check(code) ? PyLong_AsLong(code) : -1;
    PyErr_Clear();
    return given == wanted;
}

static void
exchange_sent_websocket(djp_py_exchange *exchange, PyObject *message, PyObject *type)
{
    if (djp_py_asgi_is(type, "websocket.accept", 16)) {
        exchange->status = 101;
    } else if (djp_py_asgi_is(type, "websocket.close", 15)) {
        if (exchange->status == 0) {
            exchange->status = 403; /* servers send this for a refused handshake */
        } else {
            exchange->broken |=
                !exchange->complete &&
                exchange_close_code_is(exchange, message, EXCHANGE_CLOSED_BY_FAILURE);
        }
        exchange_complete(exchange);
    } else if (djp_py_asgi_is(type, "websocket.http.response.start", 29)) {
        exchange_status(exchange, message);
    }
}

/* Stores the facts of a message. Returns 1 if it begins the response. */
static int
exchange_sends(djp_py_exchange *exchange, PyObject *message)
{
    if (exchange->recorded || exchange->state->asgi == NULL || message == NULL ||
        !PyDict_Check(message)) {
        return 0;
    }
    PyObject *type = djp_py_asgi_get(message, exchange->state->asgi->words.type);
    int begun = exchange->status != 0;
    if (type != NULL && exchange->type == DJP_HTTP_REQUEST) {
        exchange_sent_http(exchange, message, type);
    } else if (type != NULL) {
        exchange_sent_websocket(exchange, message, type);
    }
    return !begun && exchange->status != 0;
}

static PyObject *
exchange_send(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    djp_py_exchange *exchange = (djp_py_exchange *)self;
    PyObject *message = PyVectorcall_NARGS(nargsf) > 0 || kwnames != NULL ? args[0] : NULL;
    if (exchange->send == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the request is over");
        return NULL;
    }
    int first = exchange_sends(exchange, message);
    PyObject *awaitable = djp_py_vectorcall(exchange->send, args, nargsf, kwnames);
    if (awaitable == NULL) {
        djp_py_exchange_send_failed(exchange, first);
    } else if (exchange->send_raises && !exchange->recorded && exchange->state->asgi != NULL) {
        awaitable =
            djp_py_message_new(exchange, awaitable, first ? DJP_PY_SENDS_FIRST : DJP_PY_SENDS);
    }
    if (djp_py_exchange_is_over(exchange) &&
        !exchange->stepping) { /* sent by another task: the application may wait for long */
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        djp_py_exchange_finish(exchange);
        PyErr_Restore(type, value, traceback);
    }
    return awaitable;
}

static void
exchange_received_body(djp_py_exchange *exchange, PyObject *message)
{
    PyObject *body = djp_py_asgi_get(message, exchange->state->asgi->words.body);
    if (body != NULL && PyBytes_Check(body)) {
        exchange->received_bytes += PyBytes_GET_SIZE(body);
    }
    exchange->reading = exchange_has_more(exchange, message) != 0;
}

void
djp_py_exchange_received(djp_py_exchange *exchange, PyObject *message)
{
    if (exchange->recorded || exchange->state->asgi == NULL || !PyDict_Check(message)) {
        return;
    }
    PyObject *type = djp_py_asgi_get(message, exchange->state->asgi->words.type);
    if (type == NULL) {
        return;
    }
    if (djp_py_asgi_is(type, "http.request", 12)) {
        exchange_received_body(exchange, message);
    } else if (djp_py_asgi_is(type, "http.disconnect", 15)) {
        exchange->left = 1;
        exchange->disconnected |= !exchange->complete;
        exchange->cut =
            exchange->reading && (exchange->request_bytes > 0 || exchange->received_bytes > 0);
    } else if (djp_py_asgi_is(type, "websocket.disconnect", 20)) {
        exchange->left = 1;
        exchange->disconnected |=
            exchange->status == 0 ||
            exchange_close_code_is(exchange, message, EXCHANGE_CLOSED_ABNORMALLY);
        exchange_complete(exchange);
    }
}

static PyMemberDef exchange_members[] = {
    {"__vectorcalloffset__", EXCHANGE_OFFSET_TYPE, offsetof(djp_py_exchange, vectorcall),
     EXCHANGE_OFFSET_FLAGS, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot exchange_slots[] = {
    {Py_tp_dealloc, (void *)exchange_dealloc},
    {Py_tp_traverse, (void *)exchange_traverse},
    {Py_tp_clear, (void *)exchange_clear},
    {Py_tp_call, (void *)PyVectorcall_Call},
    {Py_tp_members, (void *)exchange_members},
    {Py_tp_doc, (void *)"The send of one request."},
    {0, NULL},
};
static PyType_Spec exchange_spec = {
    "djp_telemetry.asgi.Send", sizeof(djp_py_exchange), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, exchange_slots};

int
djp_py_asgi_add_exchange(PyObject *module, djp_py_state *state)
{
    state->asgi->exchange_type = djp_py_type(module, &exchange_spec, NULL, NULL);
    return state->asgi->exchange_type != NULL ? 0 : -1;
}
