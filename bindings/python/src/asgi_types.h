/* Declarations of the ASGI middleware. A request consists of an exchange (its record, callable as
 * the application's `send`), an awaitable that drives the application's coroutine, and a `receive`.
 * The application can reference the exchange but never the awaitable, so a request that is dropped
 * while it runs is closed at once, as without the middleware. */
#ifndef DJP_PY_ASGI_TYPES_H
#define DJP_PY_ASGI_TYPES_H

#include "binding.h"

#include <string.h>

#if PY_VERSION_HEX < 0x030a0000
typedef enum { PYGEN_RETURN = 0, PYGEN_ERROR = -1, PYGEN_NEXT = 1 } PySendResult;
#endif

#define DJP_PY_ASGI_WORDS(X)                      \
    X(type, "type")                               \
    X(http, "http")                               \
    X(websocket, "websocket")                     \
    X(lifespan, "lifespan")                       \
    X(path, "path")                               \
    X(root_path, "root_path")                     \
    X(headers, "headers")                         \
    X(method, "method")                           \
    X(scheme, "scheme")                           \
    X(http_version, "http_version")               \
    X(route, "route")                             \
    X(path_format, "path_format")                 \
    X(path_template, "path_template")             \
    X(fastapi, "fastapi")                         \
    X(effective_route, "effective_route_context") \
    X(starlette_route, "starlette_route")         \
    X(status, "status")                           \
    X(more_body, "more_body")                     \
    X(body, "body")                               \
    X(send, "send")                               \
    X(scope, "scope")                             \
    X(receive, "receive")                         \
    X(scope_span, "djp_telemetry.span")           \
    X(scope_route, "djp_telemetry.route")         \
    X(scope_exception, "djp_telemetry.exception") \
    X(asgi, "asgi")                               \
    X(spec_version, "spec_version")               \
    X(code, "code")                               \
    X(get, "GET")

/* The core's request handling for one SDK; counted, because requests may outlive their SDK. */
typedef struct djp_py_http {
    Py_ssize_t references; /* under the interpreter lock */
    djp_http_server *server;
    djp_py_sdk *sdk; /* owned */
    int context; /* 1: traceparent and tracestate are read */
    int baggage; /* 1: baggage is read */
    int excludes; /* 1: some paths are not recorded */
    int transport; /* 1: scheme and version are recorded */
} djp_py_http;

/* Memory of the objects of each request, untracked while it waits here. */
enum { DJP_PY_POOL_SIZE = 32 };
typedef struct djp_py_pool {
    PyObject *items[DJP_PY_POOL_SIZE];
    int count;
} djp_py_pool;

typedef struct djp_py_asgi_state {
    PyTypeObject *app_type, *exchange_type, *call_type, *receive_type, *message_type;
    djp_py_pool exchanges, calls, receives, messages;
    uint64_t generation; /* of http */
    djp_py_http *http; /* counted; NULL: telemetry is off */
    PyObject *spec_version; /* owned; the newest one that a server declared */
    int spec_raises; /* 1: its send() raises OSError after the client disconnected */
    struct {
#define DJP_PY_ASGI_WORD(noun, text) PyObject *noun;
        DJP_PY_ASGI_WORDS(DJP_PY_ASGI_WORD)
#undef DJP_PY_ASGI_WORD
    } words;
} djp_py_asgi_state;

/* The middleware. All but vectorcall and state is owned; Python sets the options. */
typedef struct djp_py_asgi_app {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    djp_py_state *state; /* borrowed: the type keeps the module alive */
    PyObject *app;
    PyObject *lifespan; /* (app, scope, receive, send) -> awaitable */
    PyObject *metrics_path; /* str or None */
    PyObject *metrics_app; /* ASGI application or None */
    PyObject *excluded; /* tuple of str */
    PyObject *route; /* user's function(scope) -> template, or None */
    /* function(scope, root_path, path) -> template: for the cases that asgi_route.c cannot
     * resolve */
    PyObject *resolve;
    /* function(exception) -> whether it only means that the client disconnected, or None */
    PyObject *client_left;
    /* 1: another instance around the framework's outermost layer records; this one serves the
     * metrics */
    int inner;
    PyObject *weakrefs;
} djp_py_asgi_app;

typedef struct djp_py_exchange {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    djp_py_state *state; /* borrowed */
    djp_py_http *http; /* counted */
    /* owned, as all objects below; all but send are dropped when the exchange is recorded */
    djp_py_asgi_app *app;
    PyObject *scope;
    PyObject *send; /* the server's */
    /* message that began the response, or NULL: used only for a response in parts */
    PyObject *start;
    /* as the server set it, before any router changed the scope; may be NULL */
    PyObject *root_path;
    PyObject *path; /* as root_path */
    /* Span, not NULL until the exchange is recorded; carries the caller's context if nothing is
     * recorded */
    PyObject *span;
    PyTypeObject *error; /* class of the exception that ended it, or NULL */
    PyObject *handled; /* exception that the response is about, held as send_error is; or NULL */
    /* OSError that the server's send raised, held so that no later object takes its address; or
     * NULL */
    PyObject *send_error;
    uint64_t start_ns, end_ns;
    int64_t request_bytes; /* -1: unknown */
    int64_t received_bytes;
    int status;
    uint32_t active; /* mark of a request that is counted as active; 0: it is not */
    uint8_t type; /* djp_http_type */
    uint8_t streams; /* the response has several parts */
    uint8_t complete; /* the last body byte was passed to the server */
    uint8_t recorded;
    uint8_t left; /* the server reported the end of the connection */
    uint8_t disconnected; /* it ended before the response was complete */
    uint8_t reading; /* the body is not complete yet */
    uint8_t cut; /* the client disconnected within the body */
    uint8_t unseen; /* the response began after the client disconnected */
    uint8_t send_raises; /* the server's send raises OSError after the client disconnected */
    uint8_t failed;
    uint8_t broken; /* the service closed the websocket because of an internal error */
    uint8_t incomplete; /* the application returned within its response */
    uint8_t stepping; /* the application's coroutine is running below this frame */
} djp_py_exchange;

/* The core's handle or NULL; borrowed. Code that runs while a request is recorded may close its
 * awaitable, which releases the span. */
static inline djp_span *
djp_py_exchange_handle(const djp_py_exchange *exchange)
{
    return exchange->span != NULL ? djp_py_span_handle(exchange->span) : NULL;
}

#ifndef Py_TPFLAGS_HAVE_VECTORCALL
#define Py_TPFLAGS_HAVE_VECTORCALL _Py_TPFLAGS_HAVE_VECTORCALL
#endif
/* PyObject_Vectorcall without reading the thread state, which the called function reads itself. */
static inline PyObject *
djp_py_vectorcall(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    PyTypeObject *type = Py_TYPE(callable);
    vectorcallfunc function = NULL;
    if (type->tp_flags & Py_TPFLAGS_HAVE_VECTORCALL) {
        memcpy(&function, (char *)callable + type->tp_vectorcall_offset, sizeof function);
    }
    return function != NULL ? function(callable, args, nargsf, kwnames)
                            : PyObject_Vectorcall(callable, args, nargsf, kwnames);
}

/* An object with fields not set yet; NULL with MemoryError. */
static inline void *
djp_py_pool_take(djp_py_pool *pool, PyTypeObject *type)
{
    if (pool->count > 0) {
        return PyObject_Init(pool->items[--pool->count], type);
    }
    return PyObject_GC_New(PyObject, type);
}

/* Frees an untracked object after its fields are released; pool is NULL once the module was
 * cleared. */
static inline void
djp_py_pool_give(djp_py_pool *pool, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    if (pool != NULL && pool->count < DJP_PY_POOL_SIZE) {
        pool->items[pool->count++] = object;
    } else {
        PyObject_GC_Del(object);
    }
    Py_DECREF(type);
}

/* ---- asgi_app.c ---- */
djp_py_http *djp_py_http_ref(djp_py_http *http);
void djp_py_http_unref(djp_py_http *http);

/* ---- asgi_scope.c ---- */
/* The values of the header fields: the caller's context (owned tracestate), its baggage (owned or
 * NULL), the body size (-1: unknown). */
typedef struct djp_py_asgi_headers {
    djp_span_context remote;
    int has_remote;
    PyObject *baggage;
    int64_t content_length;
} djp_py_asgi_headers;
/* The parts of an incoming request; all borrowed. */
typedef struct djp_py_asgi_request {
    PyObject *scope, *receive, *send;
    PyObject *path; /* NULL: the scope has none */
    const djp_py_asgi_headers *headers;
} djp_py_asgi_request;
/* http NULL: telemetry is off, and the known settings apply. */
void djp_py_asgi_headers_get(djp_py_asgi_headers *out, djp_py_state *state, const djp_py_http *http,
                             PyObject *headers);
/* Value of a scope's key, borrowed, or NULL; never leaves an exception. */
static inline PyObject *
djp_py_asgi_get(PyObject *scope, PyObject *key)
{
    PyObject *value = PyDict_GetItemWithError(scope, key);
    if (value == NULL) {
        PyErr_Clear();
    }
    return value;
}
/* 1 when a str equals an ASCII text. Inline, because the size is a constant: no call is left. */
static inline int
djp_py_asgi_is(PyObject *text, const char *ascii, Py_ssize_t size)
{
    return PyUnicode_CheckExact(text) && PyUnicode_IS_COMPACT_ASCII(text) &&
           PyUnicode_GET_LENGTH(text) == size &&
           memcmp(PyUnicode_1BYTE_DATA(text), ascii, (size_t)size) == 0;
}

/* ---- asgi_route.c ---- */
/* The template that the request matched, a new reference, or NULL. Never raises. */
PyObject *djp_py_asgi_route(djp_py_exchange *exchange);

/* ---- asgi_exchange.c ---- */
int djp_py_asgi_add_exchange(PyObject *module, djp_py_state *state);
/* Starts the span. Returns a new exchange; NULL with an exception only without memory. */
djp_py_exchange *djp_py_exchange_new(djp_py_asgi_app *app, djp_py_http *http, djp_http_type type,
                                     const djp_py_asgi_request *request);
/* An exchange that records nothing and only carries the caller's context; the application gets the
 * server's send and receive. */
djp_py_exchange *djp_py_exchange_carry(djp_py_asgi_app *app, const djp_py_asgi_request *request);
/* Records span and metrics, once. No exception may be set. */
void djp_py_exchange_finish(djp_py_exchange *exchange);
/* A message that the application received. */
void djp_py_exchange_received(djp_py_exchange *exchange, PyObject *message);
/* 1 when the response is complete and later events cannot change its record. A 5xx may be followed
 * by the exception that caused it. */
static inline int
djp_py_exchange_is_over(const djp_py_exchange *exchange)
{
    return exchange->complete && exchange->status < 500;
}

/* ---- asgi_failure.c ---- */
/* Records the exception that is set, then completes. The exception stays set, the same object. */
void djp_py_exchange_fail(djp_py_exchange *exchange);
/* Stores the exception that the framework handled with this status, if the scope holds one. No
 * exception may be set. */
void djp_py_exchange_handled(djp_py_exchange *exchange);
/* The server's send raised the exception that is set, which stays set. first: for the message that
 * begins the response. */
void djp_py_exchange_send_failed(djp_py_exchange *exchange, int first);

/* ---- asgi_receive.c ---- */
int djp_py_asgi_add_receive(PyObject *module, djp_py_state *state);
PyObject *djp_py_receive_new(djp_py_exchange *exchange, PyObject *receive);
/* The awaitable of one message between application and server. Takes awaitable. */
typedef enum djp_py_direction {
    DJP_PY_RECEIVES,
    DJP_PY_SENDS,
    DJP_PY_SENDS_FIRST
} djp_py_direction;
PyObject *
djp_py_message_new(djp_py_exchange *exchange, PyObject *awaitable, djp_py_direction direction);

/* ---- asgi_call.c ---- */
int djp_py_asgi_add_call(PyObject *module, djp_py_state *state);
/* The awaitable of one request. Takes baggage (may be NULL). */
PyObject *djp_py_call_new(djp_py_exchange *exchange, PyObject *receive, PyObject *baggage);

/* ---- asgi_drive.c: the coroutine protocol over any awaitable ---- */
/* The iterator of `await object`; NULL with TypeError. */
PyObject *djp_py_drive_iterator(PyObject *object);
PySendResult
djp_py_drive_send(djp_py_state *state, PyObject *iterator, PyObject *value, PyObject **result);
/* throw(type, value, traceback) in either form; NULL with the exception, StopIteration when the
 * coroutine returned. */
PyObject *djp_py_drive_throw(PyObject *iterator, PyObject *const *args, Py_ssize_t nargs);
int djp_py_drive_close(PyObject *iterator);
/* Turns a result of send into a result of send() and throw(). Takes value. */
PyObject *djp_py_drive_result(PySendResult status, PyObject *value);
/* The same for __next__(): the interpreter itself makes the StopIteration of a coroutine that
 * returns None. */
PyObject *djp_py_drive_next(PySendResult status, PyObject *value);

#endif
