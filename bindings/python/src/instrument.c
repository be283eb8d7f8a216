/* The native part of the metrics of djp_telemetry.prometheus: an instrument. It records in the
 * series of a declared metric once telemetry has one, and in its own memory until then; what that
 * memory holds moves to the series. Recordings with plain numbers end here; whatever needs an
 * error, an exemplar or a conversion continues in the Python method of the same name with `_rare`.
 */
#include "instrument.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(__GNUC__)
#define INSTRUMENT_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define INSTRUMENT_LIKELY(condition) (condition)
#endif

typedef djp_py_instrument instrument;

static const double *
instrument_bounds(const instrument *self)
{
    return (const double *)(const void *)PyBytes_AS_STRING(self->bounds);
}

/* ---- recording ---- */
static inline int
instrument_number(double *out, PyObject *object)
{
    if (INSTRUMENT_LIKELY(PyFloat_CheckExact(object))) {
        *out = PyFloat_AS_DOUBLE(object);
        return 1;
    }
    if (!PyLong_CheckExact(object)) {
        return 0;
    }
    *out = PyLong_AsDouble(object);
    if (*out == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return 1;
}

static DJP_PY_COLD PyObject *
instrument_rare(instrument *self, PyObject *name, PyObject *const *args, Py_ssize_t nargs,
                PyObject *kwnames)
{
    PyObject *method = PyObject_GetAttr((PyObject *)self, name);
    PyObject *result =
        method != NULL ? PyObject_Vectorcall(method, args, (size_t)nargs, kwnames) : NULL;
    Py_XDECREF(method);
    return result;
}

static inline void
instrument_count(instrument *self, double amount)
{
    djp_series *series = djp_py_instrument_series(self);
    if (series == NULL) {
        self->value += amount;
        self->is_held = 1;
    } else if (self->state->recorder == NULL) {
        djp_counter_add(series, amount);
    } else {
        djp_span_context context;
        djp_py_current_context(self->state, &context);
        djp_counter_add_with_context(series, amount, &context);
    }
}

static PyObject *
instrument_counter_inc(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    instrument *self = (instrument *)object;
    double amount = 1.0;
    if (INSTRUMENT_LIKELY(self->kind == DJP_COUNTER && kwnames == NULL &&
                          (nargs == 0 || (nargs == 1 && instrument_number(&amount, args[0]) &&
                                          amount >= 0 && amount <= DBL_MAX)))) {
        instrument_count(self, amount);
        Py_RETURN_NONE;
    }
    return instrument_rare(self, self->state->words._inc_rare, args, nargs, kwnames);
}

static inline void
instrument_gauge_add(instrument *self, double amount)
{
    djp_series *series = djp_py_instrument_series(self);
    if (series != NULL) {
        djp_gauge_add(series, amount);
    } else {
        self->value += amount;
        self->is_held = 1;
    }
}

static inline int
instrument_is_step(instrument *self, double *amount, PyObject *const *args, Py_ssize_t nargs,
                   PyObject *kwnames)
{
    return self->kind == DJP_GAUGE && kwnames == NULL &&
           (nargs == 0 || (nargs == 1 && instrument_number(amount, args[0]) && !isnan(*amount)));
}

static PyObject *
instrument_gauge_inc(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    instrument *self = (instrument *)object;
    double amount = 1.0;
    if (INSTRUMENT_LIKELY(instrument_is_step(self, &amount, args, nargs, kwnames))) {
        instrument_gauge_add(self, amount);
        Py_RETURN_NONE;
    }
    return instrument_rare(self, self->state->words._inc_rare, args, nargs, kwnames);
}

static PyObject *
instrument_gauge_dec(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    instrument *self = (instrument *)object;
    double amount = 1.0;
    if (INSTRUMENT_LIKELY(instrument_is_step(self, &amount, args, nargs, kwnames))) {
        instrument_gauge_add(self, -amount);
        Py_RETURN_NONE;
    }
    return instrument_rare(self, self->state->words._dec_rare, args, nargs, kwnames);
}

static PyObject *
instrument_gauge_set(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    instrument *self = (instrument *)object;
    double value;
    if (INSTRUMENT_LIKELY(self->kind == DJP_GAUGE && kwnames == NULL && nargs == 1 &&
                          instrument_number(&value, args[0]))) {
        djp_series *series = djp_py_instrument_series(self);
        if (series != NULL) {
            djp_gauge_set(series, value);
        } else {
            self->value = value;
            self->is_held = 1;
        }
        Py_RETURN_NONE;
    }
    return instrument_rare(self, self->state->words._set_rare, args, nargs, kwnames);
}

static void
instrument_hold(instrument *self, double value)
{
    const double *bounds = instrument_bounds(self);
    size_t first = 0, end = self->bound_count;
    while (first < end) {
        size_t middle = (first + end) / 2;
        if (bounds[middle] < value) {
            first = middle + 1;
        } else {
            end = middle;
        }
    }
    self->counts[first]++;
    self->value += isinf(value) ? 0 : value;
    self->is_held = 1;
}

static PyObject *
instrument_observe(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    instrument *self = (instrument *)object;
    double value;
    if (!INSTRUMENT_LIKELY(self->kind == DJP_HISTOGRAM && kwnames == NULL && nargs == 1 &&
                           instrument_number(&value, args[0]) && !isnan(value))) {
        return instrument_rare(self, self->state->words._observe_rare, args, nargs, kwnames);
    }
    djp_series *series = djp_py_instrument_series(self);
    if (series == NULL) {
        instrument_hold(self, value);
    } else if (self->state->recorder == NULL) {
        djp_histogram_observe(series, value);
    } else {
        djp_span_context context;
        djp_py_current_context(self->state, &context);
        djp_histogram_observe_with_context(series, value, &context);
    }
    Py_RETURN_NONE;
}

/* ---- labels ---- */
/* Orders keyword values by the label names. Returns 0 if they do not match. */
static int
instrument_order(PyObject **out, instrument *self, PyObject *const *args, PyObject *kwnames)
{
    Py_ssize_t count = PyTuple_GET_SIZE(self->label_names);
    if (PyTuple_GET_SIZE(kwnames) != count || count > DJP_PY_LABEL_FAST_MAX) {
        return 0;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(self->label_names, i);
        Py_ssize_t j = 0;
        while (j < count && PyTuple_GET_ITEM(kwnames, j) != name) {
            j++;
        }
        if (j == count) {
            return 0; /* missing, or another object of the same text: the rare path compares */
        }
        out[i] = args[j];
    }
    return 1;
}

/* A new reference or NULL without an exception. */
static PyObject *
instrument_child(instrument *self, PyObject *const *values, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!PyUnicode_CheckExact(values[i])) {
            return NULL;
        }
    }
    PyObject *key = PyTuple_New(count);
    for (Py_ssize_t i = 0; key != NULL && i < count; i++) {
        PyTuple_SET_ITEM(key, i, Py_NewRef(values[i]));
    }
    PyObject *child = key != NULL ? PyDict_GetItemWithError(self->children, key) : NULL;
    Py_XINCREF(child);
    Py_XDECREF(key);
    PyErr_Clear();
    return child;
}

static void
instrument_keep(instrument *self, size_t index, PyObject *const *values, size_t count,
                PyObject *child)
{
    if (self->slots == NULL) {
        self->slots = PyMem_Calloc(DJP_PY_LABEL_SLOTS, sizeof *self->slots);
    }
    if (self->slots != NULL) {
        djp_py_label_slot_store(self->slots, index, values, count, child);
    }
}

static PyObject *
instrument_labels(PyObject *object, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    instrument *self = (instrument *)object;
    PyObject *ordered[DJP_PY_LABEL_FAST_MAX], *const *values = args;
    Py_ssize_t count = self->label_names != NULL ? PyTuple_GET_SIZE(self->label_names) : 0;
    int plain = count > 0 && count <= DJP_PY_LABEL_FAST_MAX && kwnames == NULL && nargs == count;
    if (!INSTRUMENT_LIKELY(plain)) {
        if (count == 0 || kwnames == NULL || nargs > 0 ||
            !instrument_order(ordered, self, args, kwnames)) {
            return instrument_rare(self, self->state->words._labels_rare, args, nargs, kwnames);
        }
        values = ordered;
    }
    size_t index = djp_py_label_slot_index(values, (size_t)count);
    PyObject *child = self->slots != NULL
                          ? djp_py_label_slot_find(self->slots, index, values, (size_t)count)
                          : NULL;
    if (INSTRUMENT_LIKELY(child != NULL)) {
        return Py_NewRef(child);
    }
    child = instrument_child(self, values, count);
    if (child == NULL) {
        child = instrument_rare(self, self->state->words._labels_rare, args, nargs, kwnames);
    }
    if (child != NULL && Py_TYPE(child) == Py_TYPE(object)) {
        instrument_keep(self, index, values, (size_t)count, child);
    }
    return child;
}

/* _discard(): the caches of labels(), after _metrics changed. */
static PyObject *
instrument_discard(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    instrument *self = (instrument *)object;
    djp_py_label_slot *slots = self->slots;
    self->slots = NULL;
    if (slots != NULL) {
        djp_py_label_slots_clear(slots);
        PyMem_Free(slots);
    }
    Py_RETURN_NONE;
}

/* ---- set-up and reading, for the Python classes ---- */
/* _divide(label names, children): a metric with labels. */
static PyObject *
instrument_divide(PyObject *object, PyObject *args)
{
    instrument *self = (instrument *)object;
    PyObject *names, *children;
    if (!PyArg_ParseTuple(args, "O!O!", &PyTuple_Type, &names, &PyDict_Type, &children)) {
        return NULL;
    }
    Py_XSETREF(self->label_names, Py_NewRef(names));
    Py_XSETREF(self->children, Py_NewRef(children));
    Py_RETURN_NONE;
}

/* Returns 0, or -1 with an exception. */
static int
instrument_open_histogram(instrument *self, PyObject *bounds)
{
    size_t count = (size_t)PyBytes_GET_SIZE(bounds) / sizeof(double);
    uint64_t *counts = PyMem_Calloc(count + 1, sizeof *counts);
    if (counts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    PyMem_Free(self->counts);
    self->counts = counts;
    self->bound_count = count;
    Py_XSETREF(self->bounds, Py_NewRef(bounds));
    return 0;
}

/* _open(kind, bounds, core): starts at zero. kind: counter 1, gauge 2, histogram 3; bounds: the
 * bytes of a histogram's upper bounds without +Inf; core: the series as a metric of this module,
 * or None. */
static PyObject *
instrument_open(PyObject *object, PyObject *args)
{
    instrument *self = (instrument *)object;
    djp_py_metrics_state *metrics = self->state->metrics;
    PyObject *bounds, *core;
    int kind;
    if (!PyArg_ParseTuple(args, "iSO", &kind, &bounds, &core) || metrics == NULL ||
        (kind == DJP_HISTOGRAM && instrument_open_histogram(self, bounds) < 0)) {
        return NULL;
    }
    PyTypeObject *type = kind == DJP_COUNTER ? metrics->counter_type
                         : kind == DJP_GAUGE ? metrics->gauge_type
                                             : metrics->histogram_type;
    djp_py_metric *given = Py_TYPE(core) == type ? (djp_py_metric *)core : NULL;
    Py_XINCREF(given);
    self->kind = kind;
    self->value = 0;
    self->is_held = 0;
    self->series = NULL;
    self->generation = self->state->generation - 1;
    Py_XSETREF(self->core, given);
    Py_CLEAR(self->sdk);
    if (given != NULL) {
        djp_py_instrument_list(self);
    }
    djp_py_instrument_bind(self);
    Py_RETURN_NONE;
}

/* (sum, counts of the buckets) of one moment. */
static PyObject *
instrument_read_histogram(instrument *self, djp_series *series)
{
    size_t count = self->bound_count + 1;
    double sum = self->value;
    uint64_t *counts = PyMem_Calloc(count, sizeof *counts);
    PyObject *tuple = counts != NULL ? PyTuple_New((Py_ssize_t)count) : NULL;
    if (tuple == NULL) {
        PyMem_Free(counts);
        return PyErr_NoMemory();
    }
    if (series == NULL) {
        memcpy(counts, self->counts, count * sizeof *counts);
    } else if (djp_series_counts(&sum, counts, count, series) == 0) {
        sum = 0; /* removed */
    }
    for (size_t i = 0; i < count && tuple != NULL; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(counts[i]);
        if (number == NULL) {
            Py_CLEAR(tuple);
        } else {
            PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, number);
        }
    }
    PyMem_Free(counts);
    return tuple != NULL ? Py_BuildValue("(dN)", sum, tuple) : NULL;
}

/* _read() -> value, or (sum, counts of the buckets) of a histogram. */
static PyObject *
instrument_read(PyObject *object, PyObject *ignored)
{
    (void)ignored;
    instrument *self = (instrument *)object;
    djp_series *series = djp_py_instrument_series(self);
    if (self->kind == DJP_HISTOGRAM) {
        return instrument_read_histogram(self, series);
    }
    return PyFloat_FromDouble(series != NULL ? djp_series_value(series) : self->value);
}

/* _core: the metric that the instrument records in, or None while it holds its numbers itself. */
static PyObject *
instrument_get_core(PyObject *object, void *unused)
{
    (void)unused;
    instrument *self = (instrument *)object;
    return Py_NewRef(djp_py_instrument_series(self) != NULL ? (PyObject *)self->core : Py_None);
}

/* ---- the type ---- */
static PyObject *
instrument_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args;
    (void)kwargs;
    PyTypeObject *own = type; /* a subclass has no module */
    while (own->tp_base != NULL && own->tp_base != &PyBaseObject_Type) {
        own = own->tp_base;
    }
    djp_py_state *state = PyType_GetModuleState(own);
    instrument *self = state != NULL ? (instrument *)type->tp_alloc(type, 0) : NULL;
    if (self != NULL) {
        self->state = state;
        self->generation = state->generation;
    }
    return (PyObject *)self;
}

static int
instrument_traverse(PyObject *object, visitproc visit, void *arg)
{
    instrument *self = (instrument *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->children);
    for (int i = 0; self->slots != NULL && i < DJP_PY_LABEL_SLOTS; i++) {
        Py_VISIT(self->slots[i].child);
    }
    return 0;
}

static int
instrument_clear(PyObject *object)
{
    instrument *self = (instrument *)object;
    Py_CLEAR(self->children);
    Py_CLEAR(self->label_names);
    Py_XDECREF(instrument_discard(object, NULL));
    return 0;
}

static void
instrument_dealloc(PyObject *object)
{
    instrument *self = (instrument *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    djp_py_instrument_unlist(self);
    instrument_clear(object);
    Py_XDECREF(self->core);
    Py_XDECREF(self->bounds);
    Py_XDECREF(self->sdk);
    PyMem_Free(self->counts);
    type->tp_free(object);
    Py_DECREF(type);
}

#define INSTRUMENT_FAST(name, function)                                                     \
    {                                                                                       \
        name, (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS, NULL, \
    }
static PyMethodDef instrument_methods[] = {
    INSTRUMENT_FAST("_counter_inc", instrument_counter_inc),
    INSTRUMENT_FAST("_gauge_inc", instrument_gauge_inc),
    INSTRUMENT_FAST("_gauge_dec", instrument_gauge_dec),
    INSTRUMENT_FAST("_gauge_set", instrument_gauge_set),
    INSTRUMENT_FAST("_observe", instrument_observe),
    INSTRUMENT_FAST("_find", instrument_labels),
    {"_discard", instrument_discard, METH_NOARGS, NULL},
    {"_divide", instrument_divide, METH_VARARGS, NULL},
    {"_open", instrument_open, METH_VARARGS, NULL},
    {"_read", instrument_read, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef instrument_getset[] = {
    {"_core", instrument_get_core, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot instrument_slots[] = {
    {Py_tp_new, (void *)instrument_new},
    {Py_tp_dealloc, (void *)instrument_dealloc},
    {Py_tp_traverse, (void *)instrument_traverse},
    {Py_tp_clear, (void *)instrument_clear},
    {Py_tp_methods, (void *)instrument_methods},
    {Py_tp_getset, (void *)instrument_getset},
    {0, NULL},
};
static PyType_Spec instrument_spec = {"djp_telemetry._native.Instrument", sizeof(instrument), 0,
                                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                                      instrument_slots};

int
djp_py_metrics_add_instrument(PyObject *module)
{
    PyTypeObject *type = djp_py_type(module, &instrument_spec, NULL, "Instrument");
    int result = type != NULL ? 0 : -1;
    Py_XDECREF(type); /* the module holds it */
    return result;
}
