/* Declarations of the metric types: a definition (as the user declared it, bound to the registry of
 * the active SDK) and the metric object around it. Children reference the definition and never the
 * parent, so that no reference cycle exists. */
#ifndef DJP_PY_METRICS_TYPES_H
#define DJP_PY_METRICS_TYPES_H

#include "binding.h"

/* Declared once, shared by a metric and its children (counted references, under the interpreter
 * lock). */
typedef struct djp_py_definition {
    Py_ssize_t references;
    djp_py_state *state; /* borrowed: the types keep the module alive */
    struct djp_py_definition *previous, *next; /* in the list of all definitions of the module */
    djp_metric_type type;
    char *name; /* owned, as all text here */
    char *help;
    char *unit;
    char **labels;
    double *buckets; /* NULL: the core's default */
    size_t label_count;
    size_t bucket_count;
    djp_gauge_mode mode;
    djp_exponential exponential;
    PyObject *label_names; /* tuple of str */
    int usable; /* 0: the declaration was refused, all recording is a no-op */
    /* The binding, valid while generation equals the state's. */
    uint64_t generation;
    djp_py_sdk *sdk; /* owned: keeps family and every series alive */
    djp_family *family; /* NULL: telemetry is off or the registry refused it */
    size_t children_limit;
    struct djp_py_metric *declared; /* borrowed; NULL once that object is gone */
} djp_py_definition;

/* Children by the addresses of their label values: a table of two ways. A slot holds the value
 * objects, so that their addresses stay valid. */
enum { DJP_PY_LABEL_SLOTS = 256, DJP_PY_LABEL_WAYS = 2, DJP_PY_LABEL_FAST_MAX = 4 };
typedef struct djp_py_label_slot {
    PyObject *values[DJP_PY_LABEL_FAST_MAX];
    PyObject *child;
} djp_py_label_slot;

static inline size_t
djp_py_label_slot_index(PyObject *const *values, size_t count)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ ((uintptr_t)values[i] >> 4)) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return (size_t)(hash >> 40) & (DJP_PY_LABEL_SLOTS - DJP_PY_LABEL_WAYS);
}

/* Borrowed child or NULL. */
static inline PyObject *
djp_py_label_slot_find(const djp_py_label_slot *slots, size_t index, PyObject *const *values,
                       size_t count)
{
    for (size_t way = 0; way < DJP_PY_LABEL_WAYS; way++) {
        const djp_py_label_slot *slot = &slots[index + way];
        size_t same = 0;
        while (same < count && slot->values[same] == values[same]) {
            same++;
        }
        if (same == count) {
            return slot->child;
        }
    }
    return NULL;
}

struct djp_py_label_cache;

/* A Counter, Gauge or Histogram: the declared one (values NULL) or the child of one label set. */
typedef struct djp_py_metric {
    PyObject_HEAD
    djp_py_state *state; /* borrowed */
    uint64_t generation; /* of series */
    djp_series *series; /* borrowed from the registry; NULL: recordings go nowhere */
    djp_py_definition *definition; /* counted */
    PyObject *values; /* tuple of str for a child, NULL for the declared metric */
    struct djp_py_label_cache *cache; /* of the declared metric when it has labels */
} djp_py_metric;

typedef struct djp_py_metrics_state {
    PyTypeObject *counter_type, *gauge_type, *histogram_type, *guard_type;
    djp_py_definition *definitions; /* list of all that live */
    struct djp_py_instrument *instruments; /* list of those that may have a series */
    PyObject *callbacks; /* dict: gauge -> function, run before an exposition made from Python */
    PyObject *warn; /* function of one message, or NULL */
} djp_py_metrics_state;

/* ---- metrics_definition.c ---- */
/* Converts a declaration; NULL with an exception only without memory. An invalid declaration gives
 * an unusable definition and a warning. */
djp_py_definition *
djp_py_definition_new(djp_py_state *state, djp_metric_type type, PyObject *args, PyObject *kwargs);
djp_py_definition *djp_py_definition_ref(djp_py_definition *definition);
void djp_py_definition_unref(djp_py_definition *definition);
/* Binds to the active SDK if that changed. Returns the family or NULL. */
djp_family *djp_py_definition_bind(djp_py_definition *definition);
/* Passes one message to the warnings hook; swallows all errors. */
void djp_py_metrics_warn(djp_py_state *state, const char *format, ...);

/* ---- metrics_labels.c ---- */
PyObject *
djp_py_metric_labels(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_metric_remove(PyObject *self, PyObject *const *args, Py_ssize_t nargs);
PyObject *djp_py_metric_clear(PyObject *self, PyObject *ignored);
void djp_py_label_cache_free(struct djp_py_label_cache *cache); /* accepts NULL */
/* Keeps a child under the addresses of its values, if the text of each of them is constant. */
void djp_py_label_slot_store(djp_py_label_slot *slots, size_t index, PyObject *const *values,
                             size_t count, PyObject *child);
void djp_py_label_slots_clear(djp_py_label_slot *slots);
/* Finds the series of the current generation. */
djp_series *djp_py_metric_bind(djp_py_metric *metric);
/* Finds the series of all children that labels() has made, so that they are shown at zero. */
void djp_py_metric_bind_children(djp_py_metric *metric);

/* ---- metrics_metric.c ---- */
/* A child object. Takes no reference. NULL with an exception only without memory. */
PyObject *djp_py_metric_child(djp_py_metric *parent, PyObject *values);
int djp_py_metrics_add_types(PyObject *module, djp_py_state *state);
/* The number in object, NaN (which the core counts as a drop) when there is none. */
double djp_py_metric_number(PyObject *object);

static inline djp_series *
djp_py_metric_series(djp_py_metric *metric)
{
    return metric->generation == metric->state->generation ? metric->series
                                                           : djp_py_metric_bind(metric);
}

/* Counts a recording that names no series: the labels do not match the declaration. */
void djp_py_metric_drop(djp_py_metric *metric);
/* The series to record in. Without one the recording is counted as dropped, unless metrics are off
 * or the declaration was refused. */
static inline djp_series *
djp_py_metric_target(djp_py_metric *metric)
{
    djp_series *series = djp_py_metric_series(metric);
    if (series == NULL && metric->definition->family != NULL) {
        djp_py_metric_drop(metric);
    }
    return series;
}

/* ---- metrics_guard.c ---- */
enum { DJP_PY_GUARD_TIME = 1, DJP_PY_GUARD_IN_PROGRESS = 2, DJP_PY_GUARD_EXCEPTIONS = 3 };
/* A context manager and decorator over metric; exceptions is a class, a tuple of classes or
 * NULL. */
PyObject *djp_py_guard_new(djp_py_metric *metric, int kind, PyObject *exceptions);
int djp_py_metrics_add_guard(PyObject *module, djp_py_state *state);

/* ---- instrument.c ---- */
int djp_py_metrics_add_instrument(PyObject *module);
/* Binds all instruments to the active SDK: what they hold moves there. */
void djp_py_metrics_bind_instruments(djp_py_state *state);
/* At the end of the module: instruments that still live are in no list then. */
void djp_py_metrics_discard_instruments(djp_py_metrics_state *metrics);

#endif
