/* One outgoing HTTP request: what the integrations of client libraries know about it. The core
 * makes span and metric of it, at its end. Nothing here raises, except for arguments that no caller
 * of this package gives. */
#include "span.h"

#include <string.h>

typedef struct http_call_object {
    PyObject ob_base;
    djp_py_state *state;
    djp_py_sdk *sdk; /* owned; NULL once the request has ended */
    PyObject *method, *url, *version; /* str; version may be NULL */
    PyObject *span; /* a Span; NULL when traces are off */
    djp_http_call_result result; /* without texts */
} http_call_object;

/* Texts of the request, which borrow from the object. */
typedef struct http_call_texts {
    djp_py_text method, url;
    djp_http_call call;
} http_call_texts;

static void
http_call_read(http_call_texts *out, PyObject *method, PyObject *url)
{
    (void)djp_py_text_get(&out->method, method);
    (void)djp_py_text_get(&out->url, url);
    out->call = (djp_http_call){.method = out->method.text, .url = out->url.text};
}

static void
http_call_texts_release(http_call_texts *texts)
{
    djp_py_text_release(&texts->method);
    djp_py_text_release(&texts->url);
}

static void
http_call_start(http_call_object *self)
{
    djp_py_state *state = self->state;
    djp_py_parent parent;
    http_call_texts texts;
    PyObject *current = djp_py_current_find(state);
    djp_py_parent_get(&parent, state, current);
    http_call_read(&texts, self->method, self->url);
    djp_span *span =
        djp_http_client_start(&self->result.start_ns, djp_sdk_http_client(self->sdk->sdk),
                              &texts.call, parent.span, parent.has_remote ? &parent.remote : NULL);
    self->span = span != NULL ? djp_py_span_new(state, span) : NULL;
    http_call_texts_release(&texts);
    djp_py_parent_release(&parent);
    Py_XDECREF(current);
}

/* _http_call(method, url): starts a request below the current span; None while telemetry is off. */
static PyObject *
http_call_new(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_state *state = djp_py_state_of(module);
    djp_py_sdk *sdk = state->sdk;
    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "_http_call() takes a method and a URL");
        return NULL;
    }
    if (sdk == NULL || (state->recorder == NULL && djp_sdk_builtin(sdk->sdk) == NULL)) {
        Py_RETURN_NONE;
    }
    http_call_object *self = PyObject_New(http_call_object, state->http_call_type);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    self->sdk = (djp_py_sdk *)Py_NewRef((PyObject *)sdk);
    self->method = Py_NewRef(args[0]);
    self->url = Py_NewRef(args[1]);
    self->version = self->span = NULL;
    self->result = (djp_http_call_result)DJP_HTTP_CALL_RESULT_INIT;
    http_call_start(self);
    return (PyObject *)self;
}

/* A number above 0, else 0. */
static int
http_call_number(PyObject *object)
{
    int overflow = 0;
    long number = PyLong_Check(object) ? PyLong_AsLongAndOverflow(object, &overflow) : 0;
    return number > 0 && number <= INT_MAX && !overflow ? (int)number : 0;
}

/* respond(status, version=None, resend_count=0): the response has begun. */
static PyObject *
http_call_respond(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    http_call_object *self = (http_call_object *)object;
    self->result.status = nargs > 0 ? http_call_number(args[0]) : 0;
    Py_XSETREF(self->version, nargs > 1 ? Py_NewRef(args[1]) : NULL);
    self->result.resend_count = nargs > 2 ? (uint32_t)http_call_number(args[2]) : 0;
    Py_RETURN_NONE;
}

/* end(error_type=None, message=None, cancelled=False): the request has ended; later calls have no
 * effect. */
static PyObject *
http_call_end(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    http_call_object *self = (http_call_object *)object;
    djp_py_sdk *sdk = self->sdk;
    self->sdk = NULL;
    if (sdk == NULL) {
        Py_RETURN_NONE;
    }
    http_call_texts texts;
    djp_py_text version, type, message;
    http_call_read(&texts, self->method, self->url);
    (void)djp_py_text_get(&version, self->version);
    (void)djp_py_text_get(&type, nargs > 0 ? args[0] : NULL);
    (void)djp_py_text_get(&message, nargs > 1 ? args[1] : NULL);
    self->result.version = version.text;
    self->result.error_type = type.text;
    self->result.error_message = message.text;
    self->result.cancelled = nargs > 2 && args[2] == Py_True;
    djp_http_client_end(djp_sdk_http_client(sdk->sdk),
                        self->span != NULL ? djp_py_span_handle(self->span) : NULL, &texts.call,
                        &self->result);
    djp_py_text_release(&message);
    djp_py_text_release(&type);
    djp_py_text_release(&version);
    http_call_texts_release(&texts);
    Py_DECREF(sdk);
    Py_RETURN_NONE;
}

static PyObject *
http_call_span(PyObject *object, void *Py_UNUSED(closure))
{
    PyObject *span = ((http_call_object *)object)->span;
    return Py_NewRef(span != NULL ? span : Py_None);
}

static void
http_call_dealloc(PyObject *object)
{
    http_call_object *self = (http_call_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(self->span);
    Py_XDECREF(self->version);
    Py_XDECREF(self->url);
    Py_XDECREF(self->method);
    Py_XDECREF(self->sdk);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyMethodDef http_call_methods[] = {
    {"respond", (PyCFunction)(void (*)(void))http_call_respond, METH_FASTCALL, NULL},
    {"end", (PyCFunction)(void (*)(void))http_call_end, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef http_call_getset[] = {
    {"span", http_call_span, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot http_call_slots[] = {
    {Py_tp_dealloc, (void *)http_call_dealloc},
    {Py_tp_methods, http_call_methods},
    {Py_tp_getset, http_call_getset},
    {0, NULL},
};
static PyType_Spec http_call_spec = {"djp_telemetry._native._HttpCall", sizeof(http_call_object), 0,
                                     Py_TPFLAGS_DEFAULT, http_call_slots};

static PyMethodDef http_call_functions[] = {
    {"_http_call", (PyCFunction)(void (*)(void))http_call_new, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static int
http_call_part_init(PyObject *module, djp_py_state *state)
{
    state->http_call_type = djp_py_type(module, &http_call_spec, NULL, NULL);
    if (state->http_call_type == NULL) {
        return -1;
    }
    state->http_call_type->tp_new = NULL;
    return PyModule_AddFunctions(module, http_call_functions);
}

static int
http_call_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->http_call_type);
    return 0;
}

static void
http_call_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->http_call_type);
}

const djp_py_part djp_py_http_call_part = {http_call_part_init, http_call_part_traverse,
                                           http_call_part_clear};
