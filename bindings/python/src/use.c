/* Makes a span or context current for a while: use_span(), attach() and detach(), and the awaitable
 * that is already done, for `async with`. */
#include "span.h"

typedef struct use_object {
    PyObject ob_base;
    djp_py_state *state;
    PyObject *span; /* Span, never NULL */
    PyObject *baggage; /* Baggage to make current too, or NULL */
    djp_py_entry entry, baggage_entry;
    int whole; /* a Context: its baggage, even none, replaces the current one */
    uint32_t flags;
} use_object;

static PyObject *
use_new(djp_py_state *state, PyObject *target, uint32_t flags)
{
    use_object *self = PyObject_GC_New(use_object, state->use_type);
    if (self == NULL) {
        return NULL;
    }
    PyObject *span = NULL, *baggage = NULL;
    int whole = djp_py_context_parts(state, target, &span, &baggage);
    *self = (use_object){self->ob_base, state,        NULL,  Py_XNewRef(baggage),
                         {NULL, NULL},  {NULL, NULL}, whole, flags};
    if (span == NULL && djp_py_span_check(state, target)) {
        span = target;
    }
    if (span != NULL) {
        self->span = Py_NewRef(span);
    } else {
        djp_py_parent parent;
        djp_py_parent_get(&parent, state, target);
        self->span = parent.has_remote ? djp_py_span_remote(state, &parent.remote)
                                       : Py_NewRef(state->noop_span);
        djp_py_parent_release(&parent);
    }
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

PyObject *
djp_py_use_target(PyObject *use, int baggage)
{
    return baggage ? ((use_object *)use)->baggage : ((use_object *)use)->span;
}

djp_py_entry *
djp_py_use_entry(PyObject *use, int baggage)
{
    return baggage ? &((use_object *)use)->baggage_entry : &((use_object *)use)->entry;
}

/* A finalizer may begin the same use meanwhile; its tokens are not overwritten. */
static void
use_begin(use_object *self)
{
    if (self->entry.token == NULL) {
        PyObject *token = djp_py_current_set(self->state, (PyObject *)self);
        if (self->entry.token == NULL) {
            Py_CLEAR(self->entry.below);
            self->entry.token = token;
        } else {
            djp_py_current_reset(self->state, token);
        }
    }
    if (self->whole && self->baggage_entry.token == NULL) {
        PyObject *token = djp_py_baggage_set(self->state, (PyObject *)self);
        if (self->baggage_entry.token == NULL) {
            Py_CLEAR(self->baggage_entry.below);
            self->baggage_entry.token = token;
        } else {
            djp_py_baggage_reset(self->state, token);
        }
    }
}

static void
use_finish(use_object *self)
{
    if (self->baggage_entry.token != NULL) {
        djp_py_current_leave(self->state, (PyObject *)self, &self->baggage_entry, 1);
    }
    if (self->entry.token != NULL) {
        djp_py_current_leave(self->state, (PyObject *)self, &self->entry, 0);
    }
}

static int
use_clear(PyObject *object)
{
    use_object *self = (use_object *)object;
    Py_CLEAR(self->span);
    Py_CLEAR(self->baggage);
    Py_CLEAR(self->entry.token);
    Py_CLEAR(self->entry.below);
    Py_CLEAR(self->baggage_entry.token);
    Py_CLEAR(self->baggage_entry.below);
    return 0;
}

static int
use_traverse(PyObject *object, visitproc visit, void *arg)
{
    use_object *self = (use_object *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->span);
    Py_VISIT(self->baggage);
    Py_VISIT(self->entry.token);
    Py_VISIT(self->entry.below);
    Py_VISIT(self->baggage_entry.token);
    Py_VISIT(self->baggage_entry.below);
    return 0;
}

static void
use_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    (void)use_clear(object);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyObject *
use_enter(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    use_begin((use_object *)object);
    return Py_NewRef(((use_object *)object)->span);
}

static PyObject *
use_exit(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    use_object *self = (use_object *)object;
    PyObject *exception = djp_py_exit_exception(args, nargs);
    djp_span *span = self->span == NULL ? NULL : djp_py_span_handle(self->span);
    if (exception != NULL) {
        djp_py_span_fail(self->state, span, exception, self->flags);
    }
    if ((self->flags & DJP_PY_SPAN_KEEP_OPEN) == 0 && span != NULL) {
        (void)djp_span_end(span, 0);
        ((djp_py_span *)self->span)->flags |= DJP_PY_SPAN_ENDED;
    }
    use_finish(self);
    Py_RETURN_NONE;
}

static PyMethodDef use_methods[] = {
    {"__enter__", use_enter, METH_NOARGS, DJP_PY_DOC_SPANUSE___ENTER__},
    {"__exit__", (PyCFunction)(void (*)(void))use_exit, METH_FASTCALL, DJP_PY_DOC_SPANUSE___EXIT__},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot use_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_SPANUSE},        {Py_tp_dealloc, (void *)use_dealloc},
    {Py_tp_traverse, (void *)use_traverse}, {Py_tp_clear, (void *)use_clear},
    {Py_tp_methods, use_methods},           {0, NULL},
};
static PyType_Spec use_spec = {"djp_telemetry._native.SpanUse", sizeof(use_object), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, use_slots};

static PyObject *
use_span(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {"use_span",
                                               4,
                                               1,
                                               4,
                                               {DJP_PY_WORD_span, DJP_PY_WORD_end_on_exit,
                                                DJP_PY_WORD_record_exception,
                                                DJP_PY_WORD_set_status_on_exception}};
    PyObject *given[4];
    if (djp_py_arguments(given, djp_py_state_of(module), &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    uint32_t flags = (given[1] == Py_True ? 0u : DJP_PY_SPAN_KEEP_OPEN) |
                     (given[2] == Py_False ? DJP_PY_SPAN_NO_RECORD : 0u) |
                     (given[3] == Py_False ? DJP_PY_SPAN_NO_STATUS : 0u);
    return use_new(djp_py_state_of(module), given[0], flags);
}

static PyObject *
use_attach(PyObject *module, PyObject *context)
{
    PyObject *self = use_new(djp_py_state_of(module), context, DJP_PY_SPAN_KEEP_OPEN);
    if (self != NULL) {
        use_begin((use_object *)self);
    }
    return self;
}

static PyObject *
use_detach(PyObject *module, PyObject *token)
{
    djp_py_state *state = djp_py_state_of(module);
    if (Py_TYPE(token) == state->use_type) {
        use_finish((use_object *)token);
    } else if (djp_py_span_check(state, token)) {
        djp_py_span_go(token);
    }
    Py_RETURN_NONE;
}

static PyMethodDef use_functions[] = {
    {"use_span", DJP_PY_FAST(use_span), DJP_PY_DOC_USE_SPAN},
    {"attach", use_attach, METH_O, DJP_PY_DOC_ATTACH},
    {"detach", use_detach, METH_O, DJP_PY_DOC_DETACH},
    {NULL, NULL, 0, NULL},
};

/* ---- an awaitable that is done ---- */

typedef struct immediate_object {
    PyObject ob_base;
    PyObject *result; /* owned */
} immediate_object;

PyObject *
djp_py_immediate(djp_py_state *state, PyObject *result)
{
    immediate_object *self =
        result == NULL ? NULL : PyObject_New(immediate_object, state->immediate_type);
    if (self == NULL) {
        Py_XDECREF(result);
        return NULL;
    }
    self->result = result;
    return (PyObject *)self;
}

static void
immediate_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(((immediate_object *)object)->result);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *
immediate_self(PyObject *object)
{
    return Py_NewRef(object);
}

static PyObject *
immediate_next(PyObject *object)
{
    PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration,
                                                  ((immediate_object *)object)->result, NULL);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
    }
    Py_XDECREF(stop);
    return NULL;
}

static PyType_Slot immediate_slots[] = {
    {Py_tp_dealloc, (void *)immediate_dealloc},
    {Py_tp_iter, (void *)immediate_self},
    {Py_tp_iternext, (void *)immediate_next},
    {Py_am_await, (void *)immediate_self},
    {0, NULL},
};
static PyType_Spec immediate_spec = {"djp_telemetry._native._Immediate", sizeof(immediate_object),
                                     0, Py_TPFLAGS_DEFAULT, immediate_slots};

static int
use_part_init(PyObject *module, djp_py_state *state)
{
    state->use_type = djp_py_type(module, &use_spec, NULL, "SpanUse");
    state->immediate_type = djp_py_type(module, &immediate_spec, NULL, NULL);
    if (state->use_type == NULL || state->immediate_type == NULL) {
        return -1;
    }
    state->use_type->tp_new = NULL;
    state->immediate_type->tp_new = NULL;
    return PyModule_AddFunctions(module, use_functions);
}

static int
use_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->use_type);
    Py_VISIT(state->immediate_type);
    return 0;
}

static void
use_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->use_type);
    Py_CLEAR(state->immediate_type);
}

const djp_py_part djp_py_use_part = {use_part_init, use_part_traverse, use_part_clear};
