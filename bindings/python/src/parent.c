/* Context, the result of extract(), and the conversion of all objects that a caller may give as a
 * parent: our own objects without running Python code, those of other libraries by OpenTelemetry's
 * methods. */
#include "binding.h"

#include <string.h>

typedef struct parent_object {
    PyObject ob_base;
    PyObject *span; /* Span, never NULL */
    PyObject *baggage; /* Baggage or NULL */
} parent_object;

PyObject *
djp_py_context_new(djp_py_state *state, PyObject *span, PyObject *baggage)
{
    parent_object *self = PyObject_New(parent_object, state->context_type);
    if (self != NULL) {
        self->span = Py_NewRef(span);
        self->baggage = Py_XNewRef(baggage);
    }
    return (PyObject *)self;
}

int
djp_py_context_parts(djp_py_state *state, PyObject *object, PyObject **span, PyObject **baggage)
{
    if (object == NULL || Py_TYPE(object) != state->context_type) {
        return 0;
    }
    *span = ((parent_object *)object)->span;
    *baggage = ((parent_object *)object)->baggage;
    return 1;
}

static void
parent_from_span(djp_py_parent *out, djp_py_state *state, PyObject *object)
{
    djp_py_span *span = (djp_py_span *)object;
    if (span->span != NULL && span->generation == state->generation) {
        out->span = span->span;
        out->owner = Py_NewRef(object);
        return;
    }
    djp_span_context borrowed;
    djp_py_span_get_context(object, &borrowed);
    out->has_remote = djp_span_context_is_valid(&borrowed);
    if (out->has_remote) {
        djp_span_context_copy(&out->remote, &borrowed);
    }
}

static int
parent_from_own(djp_py_parent *out, djp_py_state *state, PyObject *object)
{
    if (djp_py_span_check(state, object)) {
        parent_from_span(out, state, object);
        return 1;
    }
    if (Py_TYPE(object) == state->context_type) {
        parent_from_span(out, state, ((parent_object *)object)->span);
        return 1;
    }
    const djp_span_context *context = djp_py_span_context_of(state, object);
    if (context != NULL) {
        out->has_remote = djp_span_context_is_valid(context);
        if (out->has_remote) {
            djp_span_context_copy(&out->remote, context);
        }
    }
    return context != NULL;
}

/* An object with get_span_context(), or with trace_id and span_id. */
static void
parent_from_foreign(djp_py_parent *out, djp_py_state *state, PyObject *object)
{
    PyObject *context = PyObject_CallMethodNoArgs(object, state->words.get_span_context);
    PyErr_Clear();
    PyObject *source = context == NULL ? object : context;
    if (!parent_from_own(out, state, source)) {
        out->has_remote = djp_py_span_context_foreign(&out->remote, state, source);
    }
    Py_XDECREF(context);
}

/* OpenTelemetry's Context is a mapping with the span among its values. */
static void
parent_from_mapping(djp_py_parent *out, djp_py_state *state, PyObject *object)
{
    PyObject *key, *value, *copy = PyDict_Copy(object);
    Py_ssize_t at = 0;
    while (copy != NULL && out->span == NULL && !out->has_remote &&
           PyDict_Next(copy, &at, &key, &value)) {
        if (!parent_from_own(out, state, value) &&
            PyObject_HasAttr(value, state->words.get_span_context)) {
            parent_from_foreign(out, state, value);
        }
    }
    Py_XDECREF(copy);
    PyErr_Clear();
}

void
djp_py_parent_get(djp_py_parent *out, djp_py_state *state, PyObject *object)
{
    memset(out, 0, sizeof *out);
    if (object == NULL || object == Py_None || parent_from_own(out, state, object)) {
        return;
    }
    if (PyDict_Check(object)) {
        parent_from_mapping(out, state, object);
    } else {
        parent_from_foreign(out, state, object);
    }
}

void
djp_py_parent_release(djp_py_parent *parent)
{
    djp_span_context_clear(&parent->remote);
    Py_CLEAR(parent->owner);
}

static void
parent_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((parent_object *)self)->span);
    Py_XDECREF(((parent_object *)self)->baggage);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *
parent_get_span(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((parent_object *)self)->span);
}

static PyObject *
parent_get_span_context(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyObject_CallMethodNoArgs(
        ((parent_object *)self)->span,
        ((djp_py_state *)PyType_GetModuleState(Py_TYPE(self)))->words.get_span_context);
}

static PyObject *
parent_get_baggage(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *baggage = ((parent_object *)self)->baggage;
    if (baggage != NULL) {
        return Py_NewRef(baggage);
    }
    djp_py_state *state = PyType_GetModuleState(Py_TYPE(self));
    return PyObject_CallNoArgs((PyObject *)state->baggage_type);
}

/* Context(span=None, baggage=None) */
static PyObject *
parent_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    djp_py_state *state = PyType_GetModuleState(type);
    static char *names[] = {"span", "baggage", NULL};
    PyObject *span = NULL, *baggage = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:Context", names, &span, &baggage)) {
        return NULL;
    }
    djp_py_parent parent;
    if (span != NULL && Py_TYPE(span) == state->context_type) {
        span = ((parent_object *)span)->span;
    }
    djp_py_parent_get(&parent, state, span);
    PyObject *owned = span != NULL && djp_py_span_check(state, span) ? Py_NewRef(span)
                      : parent.owner != NULL                         ? Py_NewRef(parent.owner)
                      : parent.has_remote ? djp_py_span_remote(state, &parent.remote)
                                          : Py_NewRef(state->noop_span);
    djp_py_parent_release(&parent);
    PyObject *self = djp_py_context_new(state, owned,
                                        djp_py_baggage_of(state, baggage) == NULL ? NULL : baggage);
    Py_DECREF(owned);
    return self;
}

static PyObject *
parent_repr(PyObject *self)
{
    PyObject *baggage = ((parent_object *)self)->baggage;
    return PyUnicode_FromFormat("Context(span=%R, baggage=%R)", ((parent_object *)self)->span,
                                baggage == NULL ? Py_None : baggage);
}

/* For pickle: in another process only the context of the span is left. */
static PyObject *
parent_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *context = parent_get_span_context(self, NULL),
             *baggage = ((parent_object *)self)->baggage;
    return context == NULL ? NULL
                           : Py_BuildValue("(O(NO))", Py_TYPE(self), context,
                                           baggage == NULL ? Py_None : baggage);
}

static PyMethodDef parent_methods[] = {
    {"__reduce__", parent_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nFor pickle."},
    DJP_PY_COPY_METHODS,
    {"get_span_context", parent_get_span_context, METH_NOARGS, DJP_PY_DOC_CONTEXT_GET_SPAN_CONTEXT},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef parent_getset[] = {
    {"span", parent_get_span, NULL, DJP_PY_DOC_CONTEXT_SPAN, NULL},
    {"baggage", parent_get_baggage, NULL, DJP_PY_DOC_CONTEXT_BAGGAGE, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot parent_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_CONTEXT},
    {Py_tp_new, (void *)parent_new},
    {Py_tp_dealloc, (void *)parent_dealloc},
    {Py_tp_repr, (void *)parent_repr},
    {Py_tp_methods, parent_methods},
    {Py_tp_getset, parent_getset},
    {0, NULL},
};
static PyType_Spec parent_spec = {"djp_telemetry.Context", sizeof(parent_object), 0,
                                  Py_TPFLAGS_DEFAULT, parent_slots};

static int
parent_part_init(PyObject *module, djp_py_state *state)
{
    state->context_type = djp_py_type(module, &parent_spec, NULL, "Context");
    return state->context_type == NULL ? -1 : 0;
}

static int
parent_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->context_type);
    return 0;
}

static void
parent_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->context_type);
}

const djp_py_part djp_py_parent_part = {parent_part_init, parent_part_traverse, parent_part_clear};
