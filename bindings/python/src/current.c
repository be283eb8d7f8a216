/* The current span: one context variable, so that tasks, threads and generators have the contexts
 * of asyncio and contextvars. */
#include "binding.h"

#include <string.h>

/* A garbage collection during a change of the context may run a finalizer that also changes it, and
 * frees the map that the interpreter is copying. */
static PyObject *
current_set(PyObject *variable, PyObject *value)
{
    int collects = djp_py_collection_pause();
    PyObject *token = PyContextVar_Set(variable, value);
    djp_py_collection_resume(collects);
    if (token == NULL) {
        PyErr_Clear();
    }
    return token;
}

PyObject *
djp_py_current_set(djp_py_state *state, PyObject *span)
{
    PyObject *token = current_set(state->current_var, span);
    state->newest = span;
    return token;
}

static void
current_reset(PyObject *variable, PyObject *token)
{
    if (token == NULL) {
        return;
    }
    /* Fails in another context than that of the set (a generator closed elsewhere): there is
     * nothing to restore. */
    int collects = djp_py_collection_pause();
    int failed = PyContextVar_Reset(variable, token) < 0;
    djp_py_collection_resume(collects);
    if (failed) {
        PyErr_Clear();
    }
    Py_DECREF(token);
}

void
djp_py_current_reset(djp_py_state *state, PyObject *token)
{
    current_reset(state->current_var, token);
    state->newest = NULL;
}

PyObject *
djp_py_baggage_set(djp_py_state *state, PyObject *baggage)
{
    return current_set(state->baggage_var, baggage);
}

void
djp_py_baggage_reset(djp_py_state *state, PyObject *token)
{
    current_reset(state->baggage_var, token);
}

static PyObject *
current_value(PyObject *variable)
{
    PyObject *value = NULL;
    if (variable == NULL || PyContextVar_Get(variable, NULL, &value) < 0) {
        PyErr_Clear();
    }
    return value;
}

static PyObject *
current_get(PyObject *variable, PyTypeObject *type)
{
    PyObject *value = current_value(variable);
    if (value != NULL && Py_TYPE(value) != type) {
        Py_CLEAR(value);
    }
    return value;
}

/* 1 for an object entered in one context and left in another (a generator closed by other code).
 * The first context still holds it and goes to the object below at its next look-up. */
static int
current_left_elsewhere(const djp_py_entry *entry)
{
    return entry->token == NULL && entry->below != NULL;
}

/* The entry of a variable's value; NULL when the value was set without one, or was left by its
 * token. */
static djp_py_entry *
current_entry(djp_py_state *state, PyObject *object, int baggage)
{
    djp_py_entry *entry = NULL;
    if (object != NULL && Py_TYPE(object) == state->use_type) {
        entry = djp_py_use_entry(object, baggage);
    } else if (object != NULL && !baggage && Py_TYPE(object) == state->span_type) {
        entry = &((djp_py_span *)object)->entry;
    }
    return entry != NULL && (entry->token != NULL || entry->below != NULL) ? entry : NULL;
}

/* The object below an entry, a new reference; NULL for none. */
static PyObject *
current_below(const djp_py_state *state, const djp_py_entry *entry)
{
    if (entry->below != NULL) {
        return Py_NewRef(entry->below);
    }
    PyObject *old = PyObject_GetAttr(entry->token, state->words.old_value);
    PyObject *missing = old == NULL ? NULL : PyObject_GetAttr(entry->token, state->words.MISSING);
    if (old == missing) {
        Py_CLEAR(old);
    }
    Py_XDECREF(missing);
    PyErr_Clear();
    return old;
}

static void
current_put(PyObject *variable, PyObject *value)
{
    PyObject *token = current_set(variable, value == NULL ? Py_None : value);
    Py_XDECREF(token);
}

static int
current_ended(djp_py_state *state, PyObject *object)
{
    PyObject *span = Py_TYPE(object) == state->use_type ? djp_py_use_target(object, 0) : object;
    return span != NULL && Py_TYPE(span) == state->span_type &&
           (((djp_py_span *)span)->flags & DJP_PY_SPAN_ENDED) != 0;
}

/* Limits the search. Longer than the chain of any real program; a chain may be cyclic if spans are
 * entered again. */
#define CURRENT_DEPTH_MAX 10000

/* Goes down from value, which is taken. Skips objects left in another context and, with ended,
 * ended spans that were not left. *moved counts the steps. */
static PyObject *
current_descend(djp_py_state *state, PyObject *value, int baggage, int ended, int *moved)
{
    djp_py_entry *entry;
    while (*moved < CURRENT_DEPTH_MAX && (entry = current_entry(state, value, baggage)) != NULL &&
           (current_left_elsewhere(entry) || (ended && current_ended(state, value)))) {
        Py_SETREF(value, current_below(state, entry));
        ++*moved;
    }
    return value;
}

static void
current_drop_ended(djp_py_state *state)
{
    int moved = 0;
    PyObject *value = current_descend(state, current_value(state->current_var), 0, 1, &moved);
    if (moved > 0) {
        current_put(state->current_var, value);
    }
    Py_XDECREF(value);
}

/* The value of a variable, without objects left in another context; a new reference or NULL. */
static PyObject *
current_live(djp_py_state *state, int baggage)
{
    PyObject *variable = baggage ? state->baggage_var : state->current_var;
    int moved = 0;
    PyObject *value = current_descend(state, current_value(variable), baggage, 0, &moved);
    if (moved > 0) {
        current_put(variable, value);
    }
    return value;
}

/* object is left while value is current: the entry directly above object now restores the object
 * below. Takes value. */
static void
current_take_out(djp_py_state *state, PyObject *object, PyObject *below, PyObject *value,
                 int baggage)
{
    djp_py_entry *entry;
    int found = 0;
    for (int i = 0;
         !found && i < CURRENT_DEPTH_MAX && (entry = current_entry(state, value, baggage)) != NULL;
         i++) {
        PyObject *next = current_below(state, entry);
        found = next == object;
        if (found) {
            Py_XSETREF(entry->below, Py_NewRef(below == NULL || below == value ? Py_None : below));
        }
        Py_XDECREF(next);
        Py_SETREF(value, next == NULL ? NULL : Py_NewRef(next));
    }
    Py_XDECREF(value);
    if (found && !baggage) {
        current_drop_ended(state);
    }
}

static int
current_try_reset(PyObject *variable, PyObject *token)
{
    int collects = djp_py_collection_pause();
    int failed = PyContextVar_Reset(variable, token) < 0;
    djp_py_collection_resume(collects);
    if (failed) { /* a copy of the context in which it was entered */
        PyErr_Clear();
    }
    return !failed;
}

/* Leaves an object if its token alone is not enough. A token is valid only in the context in which
 * the object was entered; from another context, the entry stores the object to restore there. */
static void
current_leave_out_of_order(djp_py_state *state, PyObject *object, djp_py_entry *entry,
                           PyObject *token, int baggage)
{
    PyObject *variable = baggage ? state->baggage_var : state->current_var;
    djp_py_entry left = {token, entry->below};
    entry->below = NULL;
    int moved = 0;
    PyObject *below = current_descend(state, current_below(state, &left), baggage, 0, &moved);
    PyObject *value = current_value(variable);
    int here = current_try_reset(variable, token);
    if (value == object) {
        if (!here || left.below != NULL || moved > 0) {
            current_put(variable, below);
        }
        Py_XDECREF(value);
    } else {
        if (here) {
            current_put(variable, value);
        }
        current_take_out(state, object, below, value, baggage);
    }
    if (!here && entry->token == NULL) {
        Py_XSETREF(entry->below, Py_NewRef(below == NULL || below == object ? Py_None : below));
    }
    Py_XDECREF(below);
    Py_XDECREF(left.below);
}

/* The object entered last, in any context, has none above it: its token is enough. */
void
djp_py_current_leave(djp_py_state *state, PyObject *object, djp_py_entry *entry, int baggage)
{
    PyObject *token = entry->token, *newest = state->newest;
    entry->token = NULL;
    state->newest = NULL;
    if (newest != object || baggage || entry->below != NULL ||
        !current_try_reset(state->current_var, token)) {
        current_leave_out_of_order(state, object, entry, token, baggage);
    }
    Py_DECREF(token);
}

PyObject *
djp_py_current_find(djp_py_state *state)
{
    PyObject *value = current_value(state->current_var);
    if (value == NULL ||
        (Py_TYPE(value) == state->span_type && ((djp_py_span *)value)->entry.below == NULL)) {
        return value;
    }
    Py_DECREF(value);
    value = current_live(state, 0);
    if (value == NULL || Py_TYPE(value) == state->span_type) {
        return value;
    }
    PyObject *span =
        Py_TYPE(value) == state->use_type ? Py_XNewRef(djp_py_use_target(value, 0)) : NULL;
    Py_DECREF(value);
    return span;
}

PyObject *
djp_py_current_span(djp_py_state *state)
{
    PyObject *span = djp_py_current_find(state);
    return span != NULL ? span : Py_NewRef(state->noop_span);
}

PyObject *
djp_py_current_baggage(djp_py_state *state)
{
    PyObject *value = current_live(state, 1);
    if (value == NULL || Py_TYPE(value) == state->baggage_type) {
        return value;
    }
    PyObject *baggage =
        Py_TYPE(value) == state->use_type ? Py_XNewRef(djp_py_use_target(value, 1)) : NULL;
    Py_DECREF(value);
    return baggage;
}

void
djp_py_current_context(djp_py_state *state, djp_span_context *out)
{
    PyObject *span = djp_py_current_find(state);
    memset(out, 0, sizeof *out);
    if (span != NULL) {
        djp_py_span_get_context(span, out);
    }
    Py_XDECREF(span);
}

void
djp_py_ended_set(djp_py_state *state, PyObject *span)
{
    djp_span_context context;
    PyObject *current = djp_py_current_find(state);
    djp_py_span_get_context(span, &context);
    if (current == NULL && djp_span_context_is_valid(&context)) {
        state->has_ended = 1;
        Py_XDECREF(current_set(state->ended_var, span));
    }
    Py_XDECREF(current);
}

void
djp_py_ended_discard(djp_py_state *state)
{
    PyObject *span = state->has_ended ? current_get(state->ended_var, state->span_type) : NULL;
    if (span != NULL) {
        Py_XDECREF(current_set(state->ended_var, Py_None));
    }
    Py_XDECREF(span);
}

/* The span of log records: the current span or, without one, a request that has just ended in this
 * context. */
static void
current_log_context(djp_py_state *state, djp_span_context *out)
{
    djp_py_current_context(state, out);
    if (djp_span_context_is_valid(out) || !state->has_ended) {
        return;
    }
    PyObject *span = current_get(state->ended_var, state->span_type);
    if (span != NULL) {
        djp_py_span_get_context(span, out);
    }
    Py_XDECREF(span);
}

static PyObject *
current_get_span(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_state *state = djp_py_state_of(module);
    PyObject *span, *baggage;
    if (nargs > 1) {
        PyErr_SetString(PyExc_TypeError, "get_current_span() takes at most one argument");
        return NULL;
    }
    if (nargs == 1 && djp_py_context_parts(state, args[0], &span, &baggage)) {
        return Py_NewRef(span);
    }
    return djp_py_current_span(state);
}

static PyObject *
current_get_context(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_py_state *state = djp_py_state_of(module);
    PyObject *span = djp_py_current_span(state), *baggage = djp_py_current_baggage(state);
    PyObject *context = djp_py_context_new(state, span, baggage);
    Py_DECREF(span);
    Py_XDECREF(baggage);
    return context;
}

static PyObject *
current_trace_id(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_span_context context;
    djp_py_current_context(djp_py_state_of(module), &context);
    return djp_span_context_is_valid(&context) ? djp_py_hex(context.trace_id, 16)
                                               : PyUnicode_New(0, 0);
}

static PyObject *
current_span_id(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_span_context context;
    djp_py_current_context(djp_py_state_of(module), &context);
    return djp_span_context_is_valid(&context) ? djp_py_hex(context.span_id, 8)
                                               : PyUnicode_New(0, 0);
}

/* Puts trace_id and span_id into a dict that lacks them; log correlation calls it for each
 * record. */
static PyObject *
current_stamp(PyObject *module, PyObject *dict)
{
    djp_py_state *state = djp_py_state_of(module);
    if (!PyDict_Check(dict)) {
        Py_RETURN_NONE;
    }
    djp_span_context context;
    current_log_context(state, &context);
    int valid = djp_span_context_is_valid(&context);
    PyObject *trace_id = valid ? djp_py_hex(context.trace_id, 16) : PyUnicode_New(0, 0);
    PyObject *span_id = valid ? djp_py_hex(context.span_id, 8) : PyUnicode_New(0, 0);
    if (trace_id != NULL && span_id != NULL) {
        (void)PyDict_SetDefault(dict, state->words.trace_id, trace_id);
        (void)PyDict_SetDefault(dict, state->words.span_id, span_id);
    }
    PyErr_Clear();
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    Py_RETURN_NONE;
}

/* Sets a variable to value, unless it has that value. Returns the previous value: a new reference,
 * None for none. */
static PyObject *
current_exchange(PyObject *variable, PyObject *value)
{
    PyObject *before = current_value(variable);
    if (before == NULL) {
        before = Py_NewRef(Py_None);
    }
    if (before != value) {
        current_put(variable, value);
    }
    return before;
}

/* Exchanges the current objects at each step of a generator, so that only the generator's own code
 * sees the objects that it entered. */
static PyObject *
current_switch(PyObject *module, PyObject *frame)
{
    djp_py_state *state = djp_py_state_of(module);
    PyObject *span = frame, *baggage = NULL;
    if (PyTuple_Check(frame) && PyTuple_GET_SIZE(frame) == 2) {
        span = PyTuple_GET_ITEM(frame, 0);
        baggage = PyTuple_GET_ITEM(frame, 1);
    }
    state->newest = NULL;
    /* the generator entered nothing */
    PyObject *before = span == state->noop_span ? current_value(state->current_var)
                                                : current_exchange(state->current_var, span);
    if (before == NULL) {
        before = Py_NewRef(Py_None);
    }
    PyObject *other = current_value(state->baggage_var);
    if (other == NULL) {
        other = Py_NewRef(Py_None);
    }
    if (baggage != NULL && baggage != other) {
        current_put(state->baggage_var, baggage);
    }
    return Py_BuildValue("(NN)", before, other);
}

static PyMethodDef current_functions[] = {
    {"switch", current_switch, METH_O,
     "switch($module, frame, /)\n--\n\nMakes a span, or what an earlier call returned, current and "
     "returns what was."},
    {"get_current_span", (PyCFunction)(void (*)(void))current_get_span, METH_FASTCALL,
     DJP_PY_DOC_GET_CURRENT_SPAN},
    {"get_current_context", current_get_context, METH_NOARGS, DJP_PY_DOC_GET_CURRENT_CONTEXT},
    {"get_current_trace_id", current_trace_id, METH_NOARGS, DJP_PY_DOC_GET_CURRENT_TRACE_ID},
    {"get_current_span_id", current_span_id, METH_NOARGS, DJP_PY_DOC_GET_CURRENT_SPAN_ID},
    {"stamp", current_stamp, METH_O, DJP_PY_DOC_STAMP},
    {NULL, NULL, 0, NULL},
};

static int
current_part_init(PyObject *module, djp_py_state *state)
{
    state->current_var = PyContextVar_New("djp_telemetry.current_span", NULL);
    state->baggage_var = PyContextVar_New("djp_telemetry.baggage", NULL);
    state->ended_var = PyContextVar_New("djp_telemetry.ended_request", NULL);
    if (state->current_var == NULL || state->baggage_var == NULL || state->ended_var == NULL) {
        return -1;
    }
    return PyModule_AddFunctions(module, current_functions);
}

static int
current_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->current_var);
    Py_VISIT(state->baggage_var);
    Py_VISIT(state->ended_var);
    return 0;
}

static void
current_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->current_var);
    Py_CLEAR(state->baggage_var);
    Py_CLEAR(state->ended_var);
}

const djp_py_part djp_py_current_part = {current_part_init, current_part_traverse,
                                         current_part_clear};
