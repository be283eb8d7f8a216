/* Counter, Gauge and Histogram: the objects, their recording methods and their reading. A recording
 * converts one number and calls the core. It never raises, and takes one compare while telemetry is
 * off. */
#include "metrics_types.h"

#include <math.h>
#include <string.h>

#if defined(__GNUC__)
#define METRIC_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define METRIC_LIKELY(condition) (condition)
#endif

double
djp_py_metric_number(PyObject *object)
{
    if (METRIC_LIKELY(PyFloat_CheckExact(object))) {
        return PyFloat_AS_DOUBLE(object);
    }
    if (PyUnicode_Check(object) || PyBytes_Check(object)) {
        return Py_NAN;
    }
    double number = PyFloat_AsDouble(object);
    if (number == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return Py_NAN;
    }
    return number;
}

static djp_py_metric *
metric_alloc(PyTypeObject *type, djp_py_state *state)
{
    djp_py_metric *metric = (djp_py_metric *)type->tp_alloc(type, 0);
    if (metric != NULL) {
        metric->state = state;
        metric->generation = UINT64_MAX;
    }
    return metric;
}

PyObject *
djp_py_metric_child(djp_py_metric *parent, PyObject *values)
{
    djp_py_metric *child = metric_alloc(Py_TYPE(parent), parent->state);
    if (child == NULL) {
        return NULL;
    }
    child->definition = djp_py_definition_ref(parent->definition);
    child->values = values != NULL ? Py_NewRef(values) : PyTuple_New(0);
    if (child->values == NULL) {
        Py_CLEAR(child);
    }
    return (PyObject *)child;
}

static PyObject *
metric_new(PyTypeObject *type, djp_metric_type kind, PyObject *args, PyObject *kwargs)
{
    djp_py_state *state = PyType_GetModuleState(type);
    if (state == NULL) {
        return NULL;
    }
    djp_py_definition *definition = djp_py_definition_new(state, kind, args, kwargs);
    djp_py_metric *metric = definition != NULL ? metric_alloc(type, state) : NULL;
    if (metric == NULL) {
        djp_py_definition_unref(definition);
        return NULL;
    }
    metric->definition = definition;
    definition->declared = metric;
    if (definition->label_count == 0) {
        djp_py_metric_bind(metric); /* so that it is shown at zero from the start */
    } else {
        djp_py_definition_bind(definition);
    }
    return (PyObject *)metric;
}

static void
metric_dealloc(PyObject *self)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (metric->definition != NULL && metric->definition->declared == metric) {
        metric->definition->declared = NULL;
    }
    djp_py_label_cache_free(metric->cache);
    Py_XDECREF(metric->values);
    djp_py_definition_unref(metric->definition);
    type->tp_free(self);
    Py_DECREF(type);
}

/* One optional argument, by position or name, borrowed; NULL when it is not given. */
static PyObject *
metric_argument(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, const char *name,
                PyObject **exemplar)
{
    PyObject *value = nargs > 0 ? args[0] : NULL;
    *exemplar = nargs > 1 ? args[1] : NULL;
    Py_ssize_t named = kwnames != NULL ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < named; i++) {
        PyObject *word = PyTuple_GET_ITEM(kwnames, i);
        if (PyUnicode_CompareWithASCIIString(word, name) == 0) {
            value = args[nargs + i];
        } else if (PyUnicode_CompareWithASCIIString(word, "exemplar") == 0) {
            *exemplar = args[nargs + i];
        }
    }
    return value;
}

/* That argument as a number; a value that is not a number becomes NaN, a counted drop. */
static double
metric_amount(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, double fallback,
              PyObject **exemplar)
{
    PyObject *value = metric_argument(args, nargs, kwnames, "amount", exemplar);
    return value != NULL ? djp_py_metric_number(value) : fallback;
}

static int
metric_hex(uint8_t *out, size_t size, PyObject *mapping, const char *key)
{
    PyObject *value = PyDict_GetItemString(mapping, key);
    Py_ssize_t length = 0;
    const char *text =
        value != NULL && PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &length) : NULL;
    if (text == NULL || length != (Py_ssize_t)(2 * size)) {
        PyErr_Clear();
        return 0;
    }
    for (size_t i = 0; i < 2 * size; i++) {
        char c = text[i];
        int nibble = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (nibble < 0) {
            return 0;
        }
        out[i / 2] = (uint8_t)(i % 2 == 0 ? nibble << 4 : out[i / 2] | nibble);
    }
    return 1;
}

/* The context of an exemplar: the ids in a given dict, else the current span's. Borrows. */
static void
metric_exemplar(djp_span_context *out, djp_py_metric *metric, PyObject *exemplar)
{
    memset(out, 0, sizeof *out);
    if (exemplar == NULL || !PyDict_Check(exemplar)) {
        djp_py_current_context(metric->state, out);
        return;
    }
    if (metric_hex(out->trace_id, 16, exemplar, "trace_id") &&
        metric_hex(out->span_id, 8, exemplar, "span_id")) {
        out->flags = DJP_FLAG_SAMPLED;
    } else {
        memset(out, 0, sizeof *out);
    }
}

/* ---- Counter ---- */
/* With the current span as the exemplar, if there is one. */
static void
counter_add(djp_py_metric *metric, double amount)
{
    djp_span_context context;
    if (metric->state->recorder == NULL) {
        djp_counter_add(djp_py_metric_target(metric), amount);
    } else {
        djp_py_current_context(metric->state, &context);
        djp_counter_add_with_context(djp_py_metric_target(metric), amount, &context);
    }
}

static PyObject *
counter_inc(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    if (METRIC_LIKELY(nargs == 0 && kwnames == NULL)) {
        counter_add(metric, 1.0);
        Py_RETURN_NONE;
    }
    /* Reading the arguments may run code that replaces the SDK: the series is looked up
     * afterwards. */
    PyObject *exemplar;
    double amount = metric_amount(args, nargs, kwnames, 1.0, &exemplar);
    if (METRIC_LIKELY(exemplar == NULL)) {
        counter_add(metric, amount);
    } else {
        djp_span_context context;
        metric_exemplar(&context, metric, exemplar);
        djp_counter_add_with_context(djp_py_metric_target(metric), amount, &context);
    }
    Py_RETURN_NONE;
}

static PyObject *
metric_count_exceptions(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *exceptions = nargs > 0                                          ? args[0]
                           : kwnames != NULL && PyTuple_GET_SIZE(kwnames) > 0 ? args[0]
                                                                              : NULL;
    return djp_py_guard_new((djp_py_metric *)self, DJP_PY_GUARD_EXCEPTIONS,
                            exceptions == NULL ? NULL : djp_py_given(exceptions));
}

/* ---- Gauge ---- */
/* Counts a dropped recording by adding NaN to a counter, which never accepts it; a gauge would. */
static void
metric_drop(djp_series *series)
{
    djp_counter_add(series, Py_NAN);
}

static PyObject *
gauge_add(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, double sign)
{
    PyObject *exemplar;
    double amount = metric_amount(args, nargs, kwnames, 1.0, &exemplar);
    djp_series *series = djp_py_metric_target((djp_py_metric *)self);
    if (isnan(amount)) { /* would make every later value NaN */
        metric_drop(series);
    } else {
        djp_gauge_add(series, sign * amount);
    }
    Py_RETURN_NONE;
}

static PyObject *
gauge_inc(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return gauge_add(self, args, nargs, kwnames, 1.0);
}

static PyObject *
gauge_dec(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    return gauge_add(self, args, nargs, kwnames, -1.0);
}

static PyObject *
gauge_set(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *exemplar;
    PyObject *given = metric_argument(args, nargs, kwnames, "value", &exemplar);
    double value = given != NULL ? djp_py_metric_number(given) : Py_NAN;
    djp_series *series = djp_py_metric_target((djp_py_metric *)self);
    /* NaN is a value of a gauge, a wrong type is not */
    if (!isnan(value) || (given != NULL && PyFloat_Check(given))) {
        djp_gauge_set(series, value);
    } else {
        metric_drop(series);
    }
    Py_RETURN_NONE;
}

static PyObject *
gauge_set_to_current_time(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    djp_gauge_set_to_now(djp_py_metric_target((djp_py_metric *)self));
    Py_RETURN_NONE;
}

static PyObject *
gauge_track_inprogress(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    return djp_py_guard_new((djp_py_metric *)self, DJP_PY_GUARD_IN_PROGRESS, NULL);
}

static PyObject *
gauge_set_function(PyObject *self, PyObject *function)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    PyObject *callbacks = metric->state->metrics != NULL ? metric->state->metrics->callbacks : NULL;
    if (callbacks == NULL) {
        Py_RETURN_NONE;
    }
    if (!PyCallable_Check(function)) {
        djp_py_metrics_warn(
            metric->state,
            "set_function() of the gauge '%.100s' was given something that cannot be "
            "called. The gauge keeps its value. Give a function that returns a number.",
            metric->definition->name);
    } else if (PyDict_SetItem(callbacks, self, function) < 0) {
        PyErr_Clear();
    }
    Py_RETURN_NONE;
}

/* ---- Histogram ---- */
static PyObject *
histogram_observe(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    PyObject *exemplar = NULL;
    double amount = METRIC_LIKELY(nargs == 1 && kwnames == NULL)
                        ? djp_py_metric_number(args[0])
                        : metric_amount(args, nargs, kwnames, Py_NAN, &exemplar);
    if (djp_py_metric_target(metric) == NULL) {
        Py_RETURN_NONE;
    }
    if (metric->state->recorder == NULL && exemplar == NULL) {
        djp_histogram_observe(djp_py_metric_series(metric), amount);
        Py_RETURN_NONE;
    }
    djp_span_context context;
    metric_exemplar(&context, metric, exemplar);
    djp_histogram_observe_with_context(djp_py_metric_series(metric), amount, &context);
    Py_RETURN_NONE;
}

static PyObject *
metric_time(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    return djp_py_guard_new((djp_py_metric *)self, DJP_PY_GUARD_TIME, NULL);
}

/* ---- reading ---- */
static PyObject *
metric_get_value(PyObject *self, void *unused)
{
    (void)unused;
    djp_series *series = djp_py_metric_series((djp_py_metric *)self);
    return PyFloat_FromDouble(series != NULL ? djp_series_value(series) : 0.0);
}

static PyObject *
metric_get_count(PyObject *self, void *unused)
{
    (void)unused;
    djp_series *series = djp_py_metric_series((djp_py_metric *)self);
    return PyLong_FromUnsignedLongLong(series != NULL ? djp_series_count(series) : 0);
}

static PyObject *
metric_get_name(PyObject *self, void *unused)
{
    (void)unused;
    const char *name = ((djp_py_metric *)self)->definition->name;
    return PyUnicode_DecodeUTF8(name, (Py_ssize_t)strlen(name), "replace");
}

static PyObject *
metric_get_labelnames(PyObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(((djp_py_metric *)self)->definition->label_names);
}

static PyObject *
metric_repr(PyObject *self)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    const char *type = strrchr(Py_TYPE(self)->tp_name, '.');
    if (metric->values == NULL) {
        return PyUnicode_FromFormat("<%s %s>", type != NULL ? type + 1 : "metric",
                                    metric->definition->name);
    }
    return PyUnicode_FromFormat("<%s %s%R>", type != NULL ? type + 1 : "metric",
                                metric->definition->name, metric->values);
}

#define METRIC_FAST METH_FASTCALL | METH_KEYWORDS
#define METRIC_COMMON_METHODS                                                        \
    {"labels", (PyCFunction)(void (*)(void))djp_py_metric_labels, METRIC_FAST,       \
     DJP_PY_DOC_METRIC_LABELS},                                                      \
        {"remove", (PyCFunction)(void (*)(void))djp_py_metric_remove, METH_FASTCALL, \
         DJP_PY_DOC_METRIC_REMOVE},                                                  \
    {                                                                                \
        "clear", djp_py_metric_clear, METH_NOARGS, DJP_PY_DOC_METRIC_CLEAR           \
    }

static PyMethodDef counter_methods[] = {
    METRIC_COMMON_METHODS,
    {"inc", (PyCFunction)(void (*)(void))counter_inc, METRIC_FAST, DJP_PY_DOC_COUNTER_INC},
    {"count_exceptions", (PyCFunction)(void (*)(void))metric_count_exceptions, METRIC_FAST,
     DJP_PY_DOC_COUNTER_COUNT_EXCEPTIONS},
    {NULL, NULL, 0, NULL},
};
static PyMethodDef gauge_methods[] = {
    METRIC_COMMON_METHODS,
    {"inc", (PyCFunction)(void (*)(void))gauge_inc, METRIC_FAST, DJP_PY_DOC_GAUGE_INC},
    {"dec", (PyCFunction)(void (*)(void))gauge_dec, METRIC_FAST, DJP_PY_DOC_GAUGE_DEC},
    {"set", (PyCFunction)(void (*)(void))gauge_set, METRIC_FAST, DJP_PY_DOC_GAUGE_SET},
    {"set_to_current_time", gauge_set_to_current_time, METH_NOARGS,
     DJP_PY_DOC_GAUGE_SET_TO_CURRENT_TIME},
    {"track_inprogress", gauge_track_inprogress, METH_NOARGS, DJP_PY_DOC_GAUGE_TRACK_INPROGRESS},
    {"time", metric_time, METH_NOARGS, DJP_PY_DOC_GAUGE_TIME},
    {"set_function", gauge_set_function, METH_O, DJP_PY_DOC_GAUGE_SET_FUNCTION},
    {NULL, NULL, 0, NULL},
};
static PyMethodDef histogram_methods[] = {
    METRIC_COMMON_METHODS,
    {"observe", (PyCFunction)(void (*)(void))histogram_observe, METRIC_FAST,
     DJP_PY_DOC_HISTOGRAM_OBSERVE},
    {"time", metric_time, METH_NOARGS, DJP_PY_DOC_HISTOGRAM_TIME},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef metric_getset[] = {
    {"name", metric_get_name, NULL, DJP_PY_DOC_METRIC_NAME, NULL},
    {"labelnames", metric_get_labelnames, NULL, DJP_PY_DOC_METRIC_LABELNAMES, NULL},
    {"value", metric_get_value, NULL, DJP_PY_DOC_METRIC_VALUE, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyGetSetDef histogram_getset[] = {
    {"name", metric_get_name, NULL, DJP_PY_DOC_METRIC_NAME, NULL},
    {"labelnames", metric_get_labelnames, NULL, DJP_PY_DOC_METRIC_LABELNAMES, NULL},
    {"value", metric_get_value, NULL, DJP_PY_DOC_METRIC_VALUE, NULL},
    {"count", metric_get_count, NULL, DJP_PY_DOC_HISTOGRAM_COUNT, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyObject *
counter_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return metric_new(type, DJP_COUNTER, args, kwargs);
}

static PyObject *
gauge_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return metric_new(type, DJP_GAUGE, args, kwargs);
}

static PyObject *
histogram_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    return metric_new(type, DJP_HISTOGRAM, args, kwargs);
}

#define METRIC_SLOTS(noun, getters, text)        \
    static PyType_Slot noun##_slots[] = {        \
        {Py_tp_new, (void *)noun##_new},         \
        {Py_tp_dealloc, (void *)metric_dealloc}, \
        {Py_tp_methods, (void *)noun##_methods}, \
        {Py_tp_getset, (void *)getters},         \
        {Py_tp_repr, (void *)metric_repr},       \
        {Py_tp_doc, (void *)text},               \
        {0, NULL},                               \
    }
METRIC_SLOTS(counter, metric_getset, DJP_PY_DOC_COUNTER);
METRIC_SLOTS(gauge, metric_getset, DJP_PY_DOC_GAUGE);
METRIC_SLOTS(histogram, histogram_getset, DJP_PY_DOC_HISTOGRAM);

static PyType_Spec metric_specs[] = {
    {"djp_telemetry.metrics.Counter", sizeof(djp_py_metric), 0, Py_TPFLAGS_DEFAULT, counter_slots},
    {"djp_telemetry.metrics.Gauge", sizeof(djp_py_metric), 0, Py_TPFLAGS_DEFAULT, gauge_slots},
    {"djp_telemetry.metrics.Histogram", sizeof(djp_py_metric), 0, Py_TPFLAGS_DEFAULT,
     histogram_slots},
};

int
djp_py_metrics_add_types(PyObject *module, djp_py_state *state)
{
    djp_py_metrics_state *metrics = state->metrics;
    metrics->counter_type = djp_py_type(module, &metric_specs[0], NULL, "Counter");
    metrics->gauge_type = djp_py_type(module, &metric_specs[1], NULL, "Gauge");
    metrics->histogram_type = djp_py_type(module, &metric_specs[2], NULL, "Histogram");
    return metrics->counter_type == NULL || metrics->gauge_type == NULL ||
                   metrics->histogram_type == NULL
               ? -1
               : 0;
}
