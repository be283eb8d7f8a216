/* The middleware: an ASGI application around another one. For each connection it records, passes
 * through, or serves the metrics. It raises only exceptions of the application. */
#include "asgi_types.h"

#include <stddef.h>
#include <string.h>

#if PY_VERSION_HEX >= 0x030c0000
#define APP_READONLY Py_READONLY
#define APP_PYSSIZET Py_T_PYSSIZET
#define APP_OBJECT Py_T_OBJECT_EX
#else
#include <structmember.h>
#define APP_READONLY READONLY
#define APP_PYSSIZET T_PYSSIZET
#define APP_OBJECT T_OBJECT_EX
#endif

/* ---- the view of the active SDK ---- */
djp_py_http *
djp_py_http_ref(djp_py_http *http)
{
    http->references++;
    return http;
}

void
djp_py_http_unref(djp_py_http *http)
{
    if (http == NULL || --http->references > 0) {
        return;
    }
    djp_http_server_free(http->server);
    Py_XDECREF(http->sdk);
    PyMem_Free(http);
}

static djp_py_http *
app_http_new(djp_py_sdk *sdk)
{
    const djp_options *options = djp_sdk_options(sdk->sdk);
    djp_py_http *http = PyMem_Calloc(1, sizeof *http);
    if (http == NULL || djp_http_server_new(&http->server, sdk->sdk) != 0) {
        PyMem_Free(http);
        return NULL;
    }
    http->references = 1;
    http->sdk = (djp_py_sdk *)Py_NewRef((PyObject *)sdk);
    http->context = strstr(options->propagators, "tracecontext") != NULL;
    http->baggage = strstr(options->propagators, "baggage") != NULL;
    http->excludes = options->excluded_paths[0] != '\0';
    http->transport = options->semconv != DJP_SEMCONV_OLD;
    return http;
}

/* Called when the SDK changed since the last request. */
static djp_py_http *
app_http_refresh(djp_py_state *state)
{
    djp_py_asgi_state *asgi = state->asgi;
    djp_py_http *old = asgi->http;
    djp_py_sdk *sdk = state->sdk;
    asgi->generation = state->generation;
    asgi->http = NULL;
    if (sdk != NULL && (djp_sdk_recorder(sdk->sdk) != NULL || djp_sdk_builtin(sdk->sdk) != NULL)) {
        asgi->http = app_http_new(sdk);
    }
    djp_py_http_unref(old);
    return asgi->http;
}

static inline djp_py_http *
app_http(djp_py_state *state)
{
    return state->asgi->generation == state->generation ? state->asgi->http
                                                        : app_http_refresh(state);
}

/* ---- one call ---- */
static PyObject *
app_pass(djp_py_asgi_app *app, PyObject *const *args)
{
    return PyObject_Vectorcall(app->app, args, 3, NULL);
}

/* The path below the deployment prefix. Some servers include that prefix in the path; without it, a
 * proxy removed it. */
static djp_text
app_below(djp_text path, djp_text root)
{
    while (root.size > 0 && root.data[root.size - 1] == '/') {
        root.size--;
    }
    if (root.size == 0 || path.size <= root.size || path.data[root.size] != '/' ||
        memcmp(path.data, root.data, root.size) != 0) {
        return path;
    }
    return (djp_text){path.data + root.size, path.size - root.size};
}

static int
app_excludes_text(djp_py_asgi_app *app, djp_py_http *http, djp_text path)
{
    int excluded = djp_http_server_excludes(http->server, path);
    for (Py_ssize_t i = 0; !excluded && i < PyTuple_GET_SIZE(app->excluded); i++) {
        djp_py_text entry;
        djp_py_text_get(&entry, PyTuple_GET_ITEM(app->excluded, i));
        int prefix = entry.text.size > 0 && entry.text.data[entry.text.size - 1] == '*';
        size_t size = entry.text.size - (size_t)prefix;
        excluded = entry.text.size > 0 && (prefix ? path.size >= size : path.size == size) &&
                   memcmp(path.data, entry.text.data, size) == 0;
        djp_py_text_release(&entry);
    }
    return excluded;
}

static int
app_is_scrape_text(djp_py_asgi_app *app, djp_text path)
{
    djp_py_text wanted;
    int same = djp_py_text_get(&wanted, app->metrics_path) && wanted.text.size == path.size &&
               memcmp(wanted.text.data, path.data, path.size) == 0;
    djp_py_text_release(&wanted);
    return same;
}

/* How the middleware handles a request. */
enum { APP_REQUEST = 0, APP_EXCLUDED = 1, APP_SCRAPE = 2 };

static int
app_wants(djp_py_asgi_app *app, djp_py_http *http, djp_http_type type, PyObject *scope,
          PyObject *path)
{
    int excludes = http != NULL && (http->excludes || PyTuple_GET_SIZE(app->excluded) > 0);
    int scrapes = type == DJP_HTTP_REQUEST && app->metrics_path != Py_None;
    if ((!excludes && !scrapes) || path == NULL || !PyUnicode_Check(path)) {
        return APP_REQUEST;
    }
    PyObject *root_path = djp_py_asgi_get(scope, app->state->asgi->words.root_path);
    djp_py_text text, root;
    djp_py_text_get(&text, path);
    (void)djp_py_text_get(&root, root_path);
    djp_text below = app_below(text.text, root.text);
    int wants = APP_REQUEST;
    if (scrapes && (app_is_scrape_text(app, text.text) || app_is_scrape_text(app, below))) {
        wants = APP_SCRAPE;
    } else if (excludes &&
               (app_excludes_text(app, http, text.text) ||
                (below.data != text.text.data && app_excludes_text(app, http, below)))) {
        wants = APP_EXCLUDED;
    }
    djp_py_text_release(&root);
    djp_py_text_release(&text);
    return wants;
}

/* 1 when the context of a new request holds objects of an earlier request. */
static int
app_has_leftover(djp_py_state *state)
{
    PyObject *span = djp_py_current_find(state), *baggage = djp_py_current_baggage(state);
    int found = span != NULL || baggage != NULL;
    Py_XDECREF(span);
    Py_XDECREF(baggage);
    return found;
}

/* A request that is not recorded: propagates its context and no other. */
static PyObject *
app_carry(djp_py_asgi_app *app, djp_py_http *http, PyObject *const *args)
{
    djp_py_state *state = app->state;
    djp_py_asgi_headers headers;
    djp_py_asgi_headers_get(&headers, state, http,
                            djp_py_asgi_get(args[0], state->asgi->words.headers));
    if (!headers.has_remote && headers.baggage == NULL && !app_has_leftover(state)) {
        djp_py_ended_discard(state);
        return app_pass(app, args);
    }
    djp_py_asgi_request request = {args[0], args[1], args[2], NULL, &headers};
    djp_py_exchange *exchange = djp_py_exchange_carry(app, &request);
    if (headers.has_remote) {
        djp_span_context_clear(&headers.remote);
    }
    PyObject *call = NULL;
    if (exchange != NULL) {
        call = djp_py_call_new(exchange, args[1], headers.baggage);
    } else {
        Py_XDECREF(headers.baggage);
    }
    Py_XDECREF((PyObject *)exchange);
    if (call != NULL) {
        return call;
    }
    PyErr_Clear();
    return app_pass(app, args);
}

static PyObject *
app_record(djp_py_asgi_app *app, djp_py_http *http, djp_http_type type, PyObject *const *args,
           PyObject *path)
{
    djp_py_state *state = app->state;
    djp_py_asgi_headers headers;
    djp_py_asgi_headers_get(&headers, state, http,
                            djp_py_asgi_get(args[0], state->asgi->words.headers));
    djp_py_asgi_request request = {args[0], args[1], args[2], path, &headers};
    djp_py_exchange *exchange = djp_py_exchange_new(app, http, type, &request);
    if (headers.has_remote) {
        djp_span_context_clear(&headers.remote);
    }
    PyObject *receive = exchange != NULL ? djp_py_receive_new(exchange, args[1]) : NULL;
    PyObject *call = NULL;
    if (receive != NULL) {
        call = djp_py_call_new(exchange, receive, headers.baggage);
    } else {
        Py_XDECREF(headers.baggage);
    }
    Py_XDECREF(receive);
    Py_XDECREF((PyObject *)exchange);
    if (call == NULL) { /* no memory for telemetry: the request is served all the same */
        PyErr_Clear();
        return app_pass(app, args);
    }
    return call;
}

/* The kind of connection to record, or -1 to pass through. */
static int
app_type(djp_py_asgi_state *asgi, PyObject *type)
{
    if (type == asgi->words.http || (type != NULL && djp_py_asgi_is(type, "http", 4))) {
        return DJP_HTTP_REQUEST;
    }
    if (type != NULL && djp_py_asgi_is(type, "websocket", 9)) {
        return DJP_HTTP_WEBSOCKET;
    }
    return -1;
}

static PyObject *
app_dispatch(djp_py_asgi_app *app, djp_py_http *http, PyObject *const *args)
{
    djp_py_asgi_state *asgi = app->state->asgi;
    PyObject *type = djp_py_asgi_get(args[0], asgi->words.type);
    int kind = app_type(asgi, type);
    if (kind < 0 && type != NULL && djp_py_asgi_is(type, "lifespan", 8) &&
        app->lifespan != Py_None) {
        PyObject *with_app[4] = {app->app, args[0], args[1], args[2]};
        return PyObject_Vectorcall(app->lifespan, with_app, 4, NULL);
    }
    if (kind < 0) {
        return app_pass(app, args);
    }
    PyObject *path = Py_XNewRef(djp_py_asgi_get(
        args[0], asgi->words.path)); /* a strange key in the scope may run code at each look-up */
    int wants = app_wants(app, http, (djp_http_type)kind, args[0], path);
    PyObject *result;
    if (wants == APP_SCRAPE && app->metrics_app != Py_None) {
        result = PyObject_Vectorcall(app->metrics_app, args, 3, NULL);
    } else if (app->inner || djp_py_asgi_get(args[0], asgi->words.scope_span) !=
                                 NULL) { /* another instance records */
        result = app_pass(app, args);
    } else if (http == NULL || wants != APP_REQUEST) {
        result = app_carry(app, http, args);
    } else {
        result = app_record(app, http, (djp_http_type)kind, args, path);
    }
    Py_XDECREF(path);
    return result;
}

/* Orders scope, receive and send given by name. Returns 0 for other names. */
static int
app_arguments(PyObject **out, djp_py_state *state, PyObject *const *args, Py_ssize_t nargs,
              PyObject *kwnames)
{
    PyObject *const names[3] = {state->asgi->words.scope, state->asgi->words.receive,
                                state->asgi->words.send};
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    if (nargs + named != 3) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < 3; i++) {
        out[i] = i < nargs ? args[i] : NULL;
        for (Py_ssize_t j = 0; j < named && i >= nargs; j++) {
            if (PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, j), names[i]) == 0) {
                out[i] = args[nargs + j];
            }
        }
        if (out[i] == NULL) {
            return 0;
        }
    }
    return 1;
}

static PyObject *
app_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    djp_py_asgi_app *app = (djp_py_asgi_app *)self;
    Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
    PyObject *ordered[3];
    if (app->app == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "TelemetryMiddleware has no application");
        return NULL;
    }
    if (nargs != 3 || kwnames != NULL) {
        if (!app_arguments(ordered, app->state, args, nargs, kwnames)) {
            return PyObject_Vectorcall(app->app, args, (size_t)nargs, kwnames);
        }
        args = ordered;
    }
    if (app->state->asgi == NULL || !PyDict_Check(args[0])) {
        return app_pass(app, args);
    }
    return app_dispatch(app, app_http(app->state), args);
}

/* ---- the type ---- */
static PyObject *
app_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    PyTypeObject *base = type;
    while (base != NULL && !((base->tp_flags & Py_TPFLAGS_HEAPTYPE) &&
                             ((PyHeapTypeObject *)base)->ht_module != NULL)) {
        base = base->tp_base; /* a Python subclass does not belong to our module */
    }
    djp_py_state *state = base != NULL ? PyType_GetModuleState(base) : NULL;
    djp_py_asgi_app *app = state != NULL ? (djp_py_asgi_app *)type->tp_alloc(type, 0) : NULL;
    if (app == NULL) {
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    app->vectorcall = app_vectorcall;
    app->state = state;
    app->lifespan = Py_NewRef(Py_None);
    app->metrics_path = Py_NewRef(Py_None);
    app->metrics_app = Py_NewRef(Py_None);
    app->route = Py_NewRef(Py_None);
    app->resolve = Py_NewRef(Py_None);
    app->client_left = Py_NewRef(Py_None);
    app->excluded = PyTuple_New(0);
    if (app->excluded == NULL) {
        Py_CLEAR(app);
    }
    return (PyObject *)app;
}

/* Python 3.11 and older call instances of a Python subclass through a tuple, even if it does not
 * override __call__. */
static void
app_call_directly(PyTypeObject *type)
{
#if PY_VERSION_HEX < 0x030c0000
    if (type->tp_call == PyVectorcall_Call &&
        type->tp_vectorcall_offset == offsetof(djp_py_asgi_app, vectorcall)) {
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    }
#else
    (void)type;
#endif
}

/* _setup(app, lifespan, metrics_path, metrics_app, excluded, route, resolve, client_left): called
 * once by TelemetryMiddleware. */
static PyObject *
app_setup(PyObject *self, PyObject *args)
{
    djp_py_asgi_app *app = (djp_py_asgi_app *)self;
    PyObject *given[8];
    if (!PyArg_ParseTuple(args, "OOOOO!OOO", &given[0], &given[1], &given[2], &given[3],
                          &PyTuple_Type, &given[4], &given[5], &given[6], &given[7])) {
        return NULL;
    }
    PyObject **fields[8] = {&app->app,      &app->lifespan, &app->metrics_path, &app->metrics_app,
                            &app->excluded, &app->route,    &app->resolve,      &app->client_left};
    for (int i = 0; i < 8; i++) {
        PyObject *old = *fields[i];
        *fields[i] = Py_NewRef(given[i]);
        Py_XDECREF(old);
    }
    app_call_directly(Py_TYPE(self));
    Py_RETURN_NONE;
}

/* _leave_recording(): from now on an outer instance records. */
static PyObject *
app_leave_recording(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    ((djp_py_asgi_app *)self)->inner = 1;
    Py_RETURN_NONE;
}

static int
app_traverse(PyObject *self, visitproc visit, void *arg)
{
    djp_py_asgi_app *app = (djp_py_asgi_app *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(app->app);
    Py_VISIT(app->lifespan);
    Py_VISIT(app->metrics_app);
    Py_VISIT(app->route);
    Py_VISIT(app->resolve);
    Py_VISIT(app->client_left);
    return 0;
}

static int
app_clear(PyObject *self)
{
    djp_py_asgi_app *app = (djp_py_asgi_app *)self;
    Py_CLEAR(app->app);
    Py_CLEAR(app->lifespan);
    Py_CLEAR(app->metrics_path);
    Py_CLEAR(app->metrics_app);
    Py_CLEAR(app->route);
    Py_CLEAR(app->resolve);
    Py_CLEAR(app->client_left);
    return 0;
}

static void
app_dealloc(PyObject *self)
{
    djp_py_asgi_app *app = (djp_py_asgi_app *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (app->weakrefs != NULL) {
        PyObject_ClearWeakRefs(self);
    }
    app_clear(self);
    Py_CLEAR(app->excluded);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef app_methods[] = {
    {"_setup", app_setup, METH_VARARGS, NULL},
    {"_leave_recording", app_leave_recording, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef app_members[] = {
    {"app", APP_OBJECT, offsetof(djp_py_asgi_app, app), APP_READONLY,
     "the application around which this stands"},
    {"__vectorcalloffset__", APP_PYSSIZET, offsetof(djp_py_asgi_app, vectorcall), APP_READONLY,
     NULL},
    {"__weaklistoffset__", APP_PYSSIZET, offsetof(djp_py_asgi_app, weakrefs), APP_READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot app_slots[] = {
    {Py_tp_new, (void *)app_new},
    {Py_tp_dealloc, (void *)app_dealloc},
    {Py_tp_traverse, (void *)app_traverse},
    {Py_tp_clear, (void *)app_clear},
    {Py_tp_call, (void *)PyVectorcall_Call},
    {Py_tp_methods, (void *)app_methods},
    {Py_tp_members, (void *)app_members},
    {Py_tp_doc, (void *)"An ASGI application that records the requests of another one."},
    {0, NULL},
};
static PyType_Spec app_spec = {"djp_telemetry._native.AsgiApp", sizeof(djp_py_asgi_app), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                                   Py_TPFLAGS_HAVE_VECTORCALL,
                               app_slots};

/* ---- the part ---- */
static int
asgi_init(PyObject *module, djp_py_state *state)
{
    djp_py_asgi_state *asgi = state->asgi = PyMem_Calloc(1, sizeof *state->asgi);
    if (asgi == NULL) {
        return -1;
    }
    asgi->generation = UINT64_MAX;
#define ASGI_WORD_INIT(noun, text)                                     \
    if ((asgi->words.noun = PyUnicode_InternFromString(text)) == NULL) \
        return -1;
    DJP_PY_ASGI_WORDS(ASGI_WORD_INIT)
#undef ASGI_WORD_INIT
    asgi->app_type = djp_py_type(module, &app_spec, NULL, "AsgiApp");
    if (asgi->app_type == NULL || djp_py_asgi_add_exchange(module, state) < 0 ||
        djp_py_asgi_add_receive(module, state) < 0) {
        return -1;
    }
    return djp_py_asgi_add_call(module, state);
}

static int
asgi_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    djp_py_asgi_state *asgi = state->asgi;
    if (asgi == NULL) {
        return 0;
    }
    Py_VISIT(asgi->app_type);
    Py_VISIT(asgi->exchange_type);
    Py_VISIT(asgi->call_type);
    Py_VISIT(asgi->receive_type);
    Py_VISIT(asgi->message_type);
    return 0;
}

static void
asgi_pool_free(djp_py_pool *pool)
{
    while (pool->count > 0) {
        PyObject_GC_Del(pool->items[--pool->count]);
    }
}

static void
asgi_clear(djp_py_state *state)
{
    djp_py_asgi_state *asgi = state->asgi;
    if (asgi == NULL) {
        return;
    }
    state->asgi = NULL;
    djp_py_http_unref(asgi->http);
    Py_CLEAR(asgi->spec_version);
    asgi_pool_free(&asgi->exchanges);
    asgi_pool_free(&asgi->calls);
    asgi_pool_free(&asgi->receives);
    asgi_pool_free(&asgi->messages);
    Py_CLEAR(asgi->app_type);
    Py_CLEAR(asgi->exchange_type);
    Py_CLEAR(asgi->call_type);
    Py_CLEAR(asgi->receive_type);
    Py_CLEAR(asgi->message_type);
#define ASGI_WORD_CLEAR(noun, text) Py_CLEAR(asgi->words.noun);
    DJP_PY_ASGI_WORDS(ASGI_WORD_CLEAR)
#undef ASGI_WORD_CLEAR
    PyMem_Free(asgi);
}

const djp_py_part djp_py_asgi_part = {asgi_init, asgi_traverse, asgi_clear};
