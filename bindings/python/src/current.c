/* The current span: one context variable, so that tasks, threads and generators see what asyncio and contextvars give them. */
#include "binding.h"

#include <string.h>

/* A collection in the midst of a change of the context may run a finalizer that changes it, too, and so frees the map that the
 * interpreter is copying. */
static PyObject *
current_set(PyObject *variable, PyObject *value)
{
    int collects = djp_py_collection_pause();
    PyObject *token = PyContextVar_Set(variable, value);
    djp_py_collection_resume(collects);
    if (token == NULL)
        PyErr_Clear();
    return token;
}

PyObject *
djp_py_current_set(djp_py_state *state, PyObject *span)
{
    return current_set(state->current_var, span);
}

static void
current_reset(PyObject *variable, PyObject *token)
{
    if (token == NULL)
        return;
    /* Fails in another context than the one of the set (a generator closed elsewhere): there is nothing to restore then. */
    int collects = djp_py_collection_pause();
    int failed = PyContextVar_Reset(variable, token) < 0;
    djp_py_collection_resume(collects);
    if (failed)
        PyErr_Clear();
    Py_DECREF(token);
}

void
djp_py_current_reset(djp_py_state *state, PyObject *token)
{
    current_reset(state->current_var, token);
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
current_get(djp_py_state *state, PyObject *variable, PyTypeObject *type)
{
    PyObject *value = NULL;
    if (variable == NULL || PyContextVar_Get(variable, NULL, &value) < 0) {
        PyErr_Clear();
        return NULL;
    }
    if (value != NULL && Py_TYPE(value) != type)
        Py_CLEAR(value);
    (void)state;
    return value;
}

PyObject *
djp_py_current_find(djp_py_state *state)
{
    return current_get(state, state->current_var, state->span_type);
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
    return current_get(state, state->baggage_var, state->baggage_type);
}

void
djp_py_current_context(djp_py_state *state, djp_span_context *out)
{
    PyObject *span = djp_py_current_find(state);
    memset(out, 0, sizeof(*out));
    if (span != NULL)
        djp_py_span_get_context(span, out);
    Py_XDECREF(span);
}

void
djp_py_failed_set(djp_py_state *state, PyObject *span)
{
    djp_span_context context;
    PyObject *current = djp_py_current_find(state);
    djp_py_span_get_context(span, &context);
    if (current == NULL && djp_span_context_is_valid(&context)) {
        state->has_failed = 1;
        Py_XDECREF(current_set(state->failed_var, span));
    }
    Py_XDECREF(current);
}

void
djp_py_failed_forget(djp_py_state *state)
{
    PyObject *span = state->has_failed ? current_get(state, state->failed_var, state->span_type) : NULL;
    if (span != NULL)
        Py_XDECREF(current_set(state->failed_var, Py_None));
    Py_XDECREF(span);
}

/* What log records are told: the current span, or where there is none a request that has just failed in this context. */
static void
current_log_context(djp_py_state *state, djp_span_context *out)
{
    djp_py_current_context(state, out);
    if (djp_span_context_is_valid(out) || !state->has_failed)
        return;
    PyObject *span = current_get(state, state->failed_var, state->span_type);
    if (span != NULL)
        djp_py_span_get_context(span, out);
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
    if (nargs == 1 && djp_py_context_parts(state, args[0], &span, &baggage))
        return Py_NewRef(span);
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
    return djp_span_context_is_valid(&context) ? djp_py_hex(context.trace_id, 16) : PyUnicode_New(0, 0);
}

static PyObject *
current_span_id(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_span_context context;
    djp_py_current_context(djp_py_state_of(module), &context);
    return djp_span_context_is_valid(&context) ? djp_py_hex(context.span_id, 8) : PyUnicode_New(0, 0);
}

/* Puts trace_id and span_id into a dict that lacks them: what log correlation does for each record. */
static PyObject *
current_stamp(PyObject *module, PyObject *dict)
{
    djp_py_state *state = djp_py_state_of(module);
    if (!PyDict_Check(dict))
        Py_RETURN_NONE;
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

static PyMethodDef current_functions[] = {
    {"get_current_span", (PyCFunction)(void (*)(void))current_get_span, METH_FASTCALL,
     "get_current_span($module, context=None, /)\n--\n\nThe current span; one that records nothing when there is "
     "none."},
    {"get_current_context", current_get_context, METH_NOARGS,
     "get_current_context($module, /)\n--\n\nThe current span and baggage as one Context."},
    {"get_current_trace_id", current_trace_id, METH_NOARGS,
     "get_current_trace_id($module, /)\n--\n\n32 lower-case hexadecimal digits, or \"\" without a span."},
    {"get_current_span_id", current_span_id, METH_NOARGS,
     "get_current_span_id($module, /)\n--\n\n16 lower-case hexadecimal digits, or \"\" without a span."},
    {"stamp", current_stamp, METH_O,
     "stamp($module, fields, /)\n--\n\nPuts trace_id and span_id into the dict unless they are there."},
    {NULL, NULL, 0, NULL},
};

static int
current_part_init(PyObject *module, djp_py_state *state)
{
    state->current_var = PyContextVar_New("djp_telemetry.current_span", NULL);
    state->baggage_var = PyContextVar_New("djp_telemetry.baggage", NULL);
    state->failed_var = PyContextVar_New("djp_telemetry.failed_request", NULL);
    if (state->current_var == NULL || state->baggage_var == NULL || state->failed_var == NULL)
        return -1;
    return PyModule_AddFunctions(module, current_functions);
}

static int
current_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->current_var);
    Py_VISIT(state->baggage_var);
    Py_VISIT(state->failed_var);
    return 0;
}

static void
current_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->current_var);
    Py_CLEAR(state->baggage_var);
    Py_CLEAR(state->failed_var);
}

const djp_py_part djp_py_current_part = {current_part_init, current_part_traverse, current_part_clear};
