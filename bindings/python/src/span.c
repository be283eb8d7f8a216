/* The Span object: its pool, entering and leaving, and its reading methods. A span that records
 * nothing behaves the same; nothing here raises, and leaving never replaces the exception of the
 * body. */
#include "span.h"

#include <string.h>

static djp_py_span *
span_alloc(djp_py_state *state)
{
    djp_py_span *self;
    if (state->pool_count > 0) {
        self = (djp_py_span *)PyObject_Init((PyObject *)state->pool[--state->pool_count],
                                            state->span_type);
    } else if ((self = PyObject_GC_New(djp_py_span, state->span_type)) == NULL) {
        return NULL;
    }
    self->state = state;
    self->span = NULL;
    self->entry = (djp_py_entry){NULL, NULL};
    self->context = NULL;
    self->weakrefs = NULL;
    self->generation = state->generation;
    self->flags = 0;
    return self;
}

PyObject *
djp_py_span_new(djp_py_state *state, djp_span *taken)
{
    djp_py_span *self = taken == NULL ? NULL : span_alloc(state);
    if (self == NULL) {
        djp_span_release(taken);
        PyErr_Clear();
        return Py_NewRef(state->noop_span);
    }
    self->span = taken;
    return (PyObject *)self;
}

PyObject *
djp_py_span_remote(djp_py_state *state, const djp_span_context *context)
{
    djp_py_span *self = span_alloc(state);
    PyObject *object = self == NULL ? NULL : djp_py_span_context_new(state, context);
    if (object == NULL) {
        PyErr_Clear();
        Py_XDECREF(self);
        return Py_NewRef(state->noop_span);
    }
    self->context = object;
    return (PyObject *)self;
}

void
djp_py_span_get_context(PyObject *object, djp_span_context *out)
{
    djp_py_span *self = (djp_py_span *)object;
    const djp_span_context *known =
        self->span == NULL ? djp_py_span_context_of(self->state, self->context) : NULL;
    if (known != NULL) {
        *out = *known;
    } else {
        djp_span_get_context(out, self->span);
    }
}

static void
span_dealloc(PyObject *object)
{
    djp_py_span *self = (djp_py_span *)object;
    PyTypeObject *type = Py_TYPE(object);
    djp_py_state *state = self->state;
    PyObject_GC_UnTrack(object);
    if (self->weakrefs != NULL) {
        PyObject_ClearWeakRefs(object);
    }
    Py_CLEAR(self->entry.token);
    Py_CLEAR(self->entry.below);
    Py_CLEAR(self->context);
    djp_span_release(self->span);
    self->span = NULL;
    if (state->pool_count < DJP_PY_SPAN_POOL && !state->closed) {
        state->pool[state->pool_count++] = self;
    } else {
        PyObject_GC_Del(self);
    }
    Py_DECREF(type);
}

static int
span_traverse(PyObject *object, visitproc visit, void *arg)
{
    djp_py_span *self = (djp_py_span *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->entry.token);
    Py_VISIT(self->entry.below);
    if (self->context != NULL) {
        Py_VISIT(self->context);
        if (Py_REFCNT(self->context) == 1) { /* the collector does not see it, only its type */
            Py_VISIT(Py_TYPE(self->context));
        }
    }
    return 0;
}

static int
span_clear(PyObject *object)
{
    Py_CLEAR(((djp_py_span *)object)->entry.token);
    Py_CLEAR(((djp_py_span *)object)->entry.below);
    return 0;
}

/* Discards the object to restore in an earlier context, which entered the span and did not leave
 * it. */
static void
span_enter_again(djp_py_span *self)
{
    if (self->entry.below != NULL) {
        PyObject_GC_UnTrack(self);
        Py_CLEAR(self->entry.below);
    }
}

/* Makes the span current. The collector tracks it only from here on: without a token it cannot be
 * in a cycle. The shared span without ids never becomes current, so that a remote context below it
 * stays visible. */
PyObject *
djp_py_span_enter(PyObject *object)
{
    djp_py_span *self = (djp_py_span *)object;
    if (self->entry.token == NULL && object != self->state->noop_span) {
        PyObject *token = djp_py_current_set(self->state, object);
        if (token != NULL && self->entry.token == NULL) {
            span_enter_again(self);
            self->entry.token = token;
            PyObject_GC_Track(object);
        } else { /* entered by a finalizer that ran meanwhile */
            djp_py_current_reset(self->state, token);
        }
    }
    return Py_NewRef(object);
}

void
djp_py_span_leave(PyObject *object, PyObject *exception)
{
    djp_py_span *self = (djp_py_span *)object;
    if (exception != NULL) {
        djp_py_span_fail(self->state, self->span, exception, self->flags);
    }
    if ((self->flags & DJP_PY_SPAN_KEEP_OPEN) == 0) {
        (void)djp_span_end(self->span, 0);
        self->flags |= DJP_PY_SPAN_ENDED;
    }
    /* only now: the exception's text may be code that also leaves the span */
    djp_py_span_go(object);
}

void
djp_py_span_go(PyObject *object)
{
    djp_py_span *self = (djp_py_span *)object;
    if (self->entry.token != NULL) {
        PyObject_GC_UnTrack(object);
        djp_py_current_leave(self->state, object, &self->entry, 0);
        if (self->entry.below != NULL && !PyObject_GC_IsTracked(object)) {
            PyObject_GC_Track(object);
        }
    }
}

static PyObject *
span_enter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return djp_py_span_enter(self);
}

PyObject *
djp_py_exit_exception(PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *exception = nargs >= 2 ? args[1] : NULL;
    return exception == Py_None ? NULL : exception;
}

static PyObject *
span_exit(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_span_leave(self, djp_py_exit_exception(args, nargs));
    Py_RETURN_NONE;
}

static PyObject *
span_aenter(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return djp_py_immediate(((djp_py_span *)self)->state, djp_py_span_enter(self));
}

static PyObject *
span_aexit(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_span_leave(self, djp_py_exit_exception(args, nargs));
    return djp_py_immediate(((djp_py_span *)self)->state, Py_NewRef(Py_None));
}

static PyObject *
span_get_context(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    djp_py_span *self = (djp_py_span *)object;
    if (self->context == NULL) {
        djp_span_context context;
        djp_span_get_context(&context, self->span);
        djp_span_share(self->span); /* the value may be used as a parent: this span */
        self->context = djp_py_span_context_new(self->state, &context);
    }
    return Py_XNewRef(self->context);
}

static PyObject *
span_context_property(PyObject *object, void *Py_UNUSED(closure))
{
    return span_get_context(object, NULL);
}

static PyObject *
span_repr(PyObject *object)
{
    djp_span_context context;
    djp_py_span_get_context(object, &context);
    PyObject *trace_id = djp_py_hex(context.trace_id, 16),
             *span_id = djp_py_hex(context.span_id, 8), *text = NULL;
    if (trace_id != NULL && span_id != NULL) {
        text = PyUnicode_FromFormat(
            "<Span trace_id=%U span_id=%U%s>", trace_id, span_id,
            djp_span_is_recording(((djp_py_span *)object)->span) ? " recording" : "");
    }
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    return text;
}

static PyMethodDef span_methods[] = {
    {"__enter__", span_enter, METH_NOARGS, DJP_PY_DOC_SPAN___ENTER__},
    {"__exit__", (PyCFunction)(void (*)(void))span_exit, METH_FASTCALL, DJP_PY_DOC_SPAN___EXIT__},
    {"__aenter__", span_aenter, METH_NOARGS, DJP_PY_DOC_SPAN___AENTER__},
    {"__aexit__", (PyCFunction)(void (*)(void))span_aexit, METH_FASTCALL,
     DJP_PY_DOC_SPAN___AEXIT__},
    {"get_span_context", span_get_context, METH_NOARGS, DJP_PY_DOC_SPAN_GET_SPAN_CONTEXT},
    DJP_PY_SPAN_RECORDING_METHODS,
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef span_getset[] = {
    {"context", span_context_property, NULL, DJP_PY_DOC_SPAN_CONTEXT, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyMemberDef span_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(djp_py_span, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot span_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_SPAN},
    {Py_tp_dealloc, (void *)span_dealloc},
    {Py_tp_traverse, (void *)span_traverse},
    {Py_tp_clear, (void *)span_clear},
    {Py_tp_repr, (void *)span_repr},
    {Py_tp_methods, span_methods},
    {Py_tp_getset, span_getset},
    {Py_tp_members, span_members},
    {0, NULL},
};
static PyType_Spec span_spec = {"djp_telemetry._native.Span", sizeof(djp_py_span), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, span_slots};

static int
span_part_init(PyObject *module, djp_py_state *state)
{
    state->span_type = djp_py_type(module, &span_spec, NULL, "Span");
    if (state->span_type == NULL) {
        return -1;
    }
    state->span_type->tp_new = NULL;
    djp_span_context none = {0};
    djp_py_span *noop = span_alloc(state);
    state->noop_span = (PyObject *)noop;
    if (noop == NULL || (noop->context = djp_py_span_context_new(state, &none)) == NULL) {
        return -1;
    }
    PyObject_GC_Track(noop); /* its type refers to the module, which refers to it */
    return PyModule_AddObjectRef(module, "INVALID_SPAN", state->noop_span);
}

static int
span_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->span_type);
    Py_VISIT(state->noop_span);
    return 0;
}

static void
span_part_clear(djp_py_state *state)
{
    state->closed = 1;
    while (state->pool_count > 0) {
        PyObject_GC_Del(state->pool[--state->pool_count]);
    }
    Py_CLEAR(state->noop_span);
    Py_CLEAR(state->span_type);
}

const djp_py_part djp_py_span_part = {span_part_init, span_part_traverse, span_part_clear};
