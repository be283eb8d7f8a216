/* The helpers around a block of code: time(), track_inprogress() and count_exceptions(), as context
 * managers and as decorators of sync and async functions. An exception of the block is never
 * swallowed, changed or delayed. */
#include "metrics_types.h"

typedef struct djp_py_guard {
    PyObject_HEAD
    djp_py_metric *metric; /* owned */
    PyObject *exceptions; /* class or tuple of classes; owned, NULL: Exception */
    uint64_t start_ns;
    int kind;
} djp_py_guard;

PyObject *
djp_py_guard_new(djp_py_metric *metric, int kind, PyObject *exceptions)
{
    PyTypeObject *type = metric->state->metrics != NULL ? metric->state->metrics->guard_type : NULL;
    djp_py_guard *guard = type != NULL ? (djp_py_guard *)type->tp_alloc(type, 0) : NULL;
    if (guard == NULL) {
        return PyErr_NoMemory();
    }
    Py_INCREF(metric);
    guard->metric = metric;
    guard->kind = kind;
    guard->exceptions = Py_XNewRef(exceptions);
    return (PyObject *)guard;
}

static void
guard_dealloc(PyObject *self)
{
    djp_py_guard *guard = (djp_py_guard *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(guard->metric);
    Py_XDECREF(guard->exceptions);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *
guard_enter(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    djp_py_guard *guard = (djp_py_guard *)self;
    if (guard->kind == DJP_PY_GUARD_IN_PROGRESS) {
        djp_gauge_add(djp_py_metric_target(guard->metric), 1.0);
    }
    guard->start_ns = djp_http_now();
    return Py_NewRef(self);
}

static void
guard_record_time(djp_py_guard *guard)
{
    djp_py_metric *metric = guard->metric;
    double seconds = (double)(djp_http_now() - guard->start_ns) / 1e9;
    djp_series *series = djp_py_metric_target(metric);
    if (metric->definition->type == DJP_GAUGE) {
        djp_gauge_set(series, seconds);
        return;
    }
    djp_span_context context;
    djp_py_current_context(metric->state, &context);
    djp_histogram_observe_with_context(series, seconds, &context);
}

static void
guard_count(djp_py_guard *guard, PyObject *type)
{
    PyObject *wanted = guard->exceptions != NULL ? guard->exceptions : PyExc_Exception;
    if (type != Py_None && PyErr_GivenExceptionMatches(type, wanted)) {
        djp_counter_add(djp_py_metric_target(guard->metric), 1.0);
    }
}

static PyObject *
guard_exit(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_guard *guard = (djp_py_guard *)self;
    if (guard->kind == DJP_PY_GUARD_TIME) {
        guard_record_time(guard);
    } else if (guard->kind == DJP_PY_GUARD_IN_PROGRESS) {
        djp_gauge_add(djp_py_metric_target(guard->metric), -1.0);
    } else {
        guard_count(guard, nargs > 0 ? args[0] : Py_None);
    }
    Py_RETURN_FALSE;
}

/* A separate guard for one call of a decorated function; calls may overlap. */
static PyObject *
guard_fresh(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    djp_py_guard *guard = (djp_py_guard *)self;
    return djp_py_guard_new(guard->metric, guard->kind, guard->exceptions);
}

/* time().labels(...): the block may choose the child to record in. */
static PyObject *
guard_labels(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    djp_py_guard *guard = (djp_py_guard *)self;
    /* reading the labels may run code that calls this, too */
    PyObject *metric = Py_NewRef((PyObject *)guard->metric);
    PyObject *child = djp_py_metric_labels(metric, args, nargs, kwnames);
    Py_DECREF(metric);
    if (child == NULL) {
        return NULL;
    }
    PyObject *old = (PyObject *)guard->metric;
    guard->metric = (djp_py_metric *)child;
    Py_DECREF(old);
    Py_RETURN_NONE;
}

static PyObject *
guard_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    PyObject *function = NULL;
    if (!PyArg_UnpackTuple(args, "decorator", 1, 1, &function)) {
        return NULL;
    }
    PyObject *module = PyImport_ImportModule("djp_telemetry._guard");
    PyObject *wrapper =
        module != NULL ? PyObject_CallMethod(module, "decorate", "OO", self, function) : NULL;
    Py_XDECREF(module);
    return wrapper;
}

static PyMethodDef guard_methods[] = {
    {"__enter__", guard_enter, METH_NOARGS, DJP_PY_DOC__GUARD___ENTER__},
    {"__exit__", (PyCFunction)(void (*)(void))guard_exit, METH_FASTCALL,
     DJP_PY_DOC__GUARD___EXIT__},
    {"fresh", guard_fresh, METH_NOARGS, DJP_PY_DOC__GUARD_FRESH},
    {"labels", (PyCFunction)(void (*)(void))guard_labels, METH_FASTCALL | METH_KEYWORDS,
     DJP_PY_DOC__GUARD_LABELS},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot guard_slots[] = {
    {Py_tp_dealloc, (void *)guard_dealloc},
    {Py_tp_methods, (void *)guard_methods},
    {Py_tp_call, (void *)guard_call},
    {Py_tp_doc, (void *)DJP_PY_DOC__GUARD},
    {0, NULL},
};
static PyType_Spec guard_spec = {"djp_telemetry.metrics.Guard", sizeof(djp_py_guard), 0,
                                 Py_TPFLAGS_DEFAULT, guard_slots};

int
djp_py_metrics_add_guard(PyObject *module, djp_py_state *state)
{
    state->metrics->guard_type = djp_py_type(module, &guard_spec, NULL, "Guard");
    return state->metrics->guard_type == NULL ? -1 : 0;
}
