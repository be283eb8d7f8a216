/* labels(): from label values to the child that holds their series. Repeated objects take a few
 * pointer compares, equal texts in other objects one dictionary look-up; neither formats or copies
 * text. The caches are limited: a label with ever new values ends in the overflow series of the
 * core and in short-lived children, not in growing memory. */
#include "metrics_types.h"

#include <string.h>

typedef struct djp_py_label_cache {
    PyObject *children; /* dict: the str, or the tuple of str, -> child */
    djp_py_label_slot slots[DJP_PY_LABEL_SLOTS];
} djp_py_label_cache;

static void
label_slot_clear(djp_py_label_slot *slot)
{
    djp_py_label_slot old = *slot;
    memset(slot, 0, sizeof *slot);
    for (int i = 0; i < DJP_PY_LABEL_FAST_MAX; i++) {
        Py_XDECREF(old.values[i]);
    }
    Py_XDECREF(old.child);
}

void
djp_py_label_slots_clear(djp_py_label_slot *slots)
{
    for (int i = 0; i < DJP_PY_LABEL_SLOTS; i++) {
        label_slot_clear(&slots[i]);
    }
}

void
djp_py_label_cache_free(djp_py_label_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    djp_py_label_slots_clear(cache->slots);
    Py_XDECREF(cache->children);
    PyMem_Free(cache);
}

static djp_py_label_cache *
label_cache_of(djp_py_metric *metric)
{
    if (metric->cache == NULL) {
        djp_py_label_cache *cache = PyMem_Calloc(1, sizeof *cache);
        if (cache == NULL || (cache->children = PyDict_New()) == NULL) {
            PyMem_Free(cache);
            PyErr_Clear();
            return NULL;
        }
        metric->cache = cache;
    }
    return metric->cache;
}

/* 1 for values with a constant text; only these are compared by address. */
static int
label_is_constant(PyObject *value)
{
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyBool_Check(value) ||
           value == Py_None || PyFloat_CheckExact(value);
}

void
djp_py_label_slot_store(djp_py_label_slot *slots, size_t index, PyObject *const *values,
                        size_t count, PyObject *child)
{
    for (size_t i = 0; i < count; i++) {
        if (!label_is_constant(values[i])) {
            return;
        }
    }
    djp_py_label_slot *slot = &slots[index];
    /* the newer one stays first, the older one moves to the second way */
    if (slot->child != NULL) {
        label_slot_clear(&slots[index + 1]);
        slots[index + 1] = *slot;
        memset(slot, 0, sizeof *slot);
    }
    for (size_t i = 0; i < count; i++) {
        slot->values[i] = Py_NewRef(values[i]);
    }
    slot->child = Py_NewRef(child);
}

/* The text of a value, always a plain str: its hash and comparison run no user code. */
static PyObject *
label_text(PyObject *value)
{
    if (PyUnicode_CheckExact(value)) {
        return Py_NewRef(value);
    }
    PyObject *text = PyObject_Str(value);
    if (text != NULL && !PyUnicode_CheckExact(text)) {
        Py_SETREF(text, PyUnicode_FromObject(text));
    }
    return text;
}

/* A tuple of the texts, or NULL with an exception. Making them may run any code. */
static PyObject *
label_texts(PyObject *const *values, size_t count)
{
    PyObject *texts = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; texts != NULL && i < count; i++) {
        PyObject *text = label_text(values[i]);
        if (text == NULL) {
            Py_CLEAR(texts);
            break;
        }
        PyTuple_SET_ITEM(texts, (Py_ssize_t)i, text);
    }
    return texts;
}

/* The child of texts (a new reference), from the dictionary or made now. NULL with an exception. */
static PyObject *
label_child(djp_py_metric *metric, PyObject *children, PyObject *texts, int *kept)
{
    PyObject *child = PyDict_GetItemWithError(children, texts);
    *kept = 1;
    if (child != NULL) {
        return Py_NewRef(child);
    }
    if (PyErr_Occurred() || (child = djp_py_metric_child(metric, texts)) == NULL) {
        return NULL;
    }
    /* so that it is shown at zero before its first recording */
    djp_py_metric_bind((djp_py_metric *)child);
    if ((size_t)PyDict_GET_SIZE(children) >= metric->definition->children_limit) {
        *kept = 0;
    } else if (PyDict_SetItem(children, texts, child) < 0) {
        Py_CLEAR(child);
    }
    return child;
}

/* A child that records nothing, for calls without a valid series. Fails only without memory. */
static PyObject *
label_nowhere(djp_py_metric *metric, const char *why)
{
    PyErr_Clear();
    djp_py_metrics_warn(metric->state,
                        "labels() of the metric '%.100s' %s. The recording is dropped. Give one "
                        "value for each of its "
                        "label names.",
                        metric->definition->name, why);
    return djp_py_metric_child(metric, NULL);
}

static PyObject *
label_find(djp_py_metric *metric, PyObject *const *values, size_t count)
{
    djp_py_label_cache *cache = label_cache_of(metric);
    if (cache == NULL) {
        return djp_py_metric_child(metric, NULL);
    }
    size_t index = djp_py_label_slot_index(values, count);
    int fast = count <= DJP_PY_LABEL_FAST_MAX, kept = 0;
    PyObject *child = fast ? djp_py_label_slot_find(cache->slots, index, values, count) : NULL;
    if (child != NULL) {
        return Py_NewRef(child);
    }
    /* the cache may be gone once the texts are made */
    PyObject *children = Py_NewRef(cache->children);
    PyObject *texts = label_texts(values, count);
    child = texts != NULL ? label_child(metric, children, texts, &kept) : NULL;
    Py_XDECREF(texts);
    if (fast && kept && child != NULL && metric->cache != NULL &&
        metric->cache->children == children) {
        djp_py_label_slot_store(metric->cache->slots, index, values, count, child);
    }
    Py_DECREF(children);
    return child != NULL ? child : label_nowhere(metric, "got a value without a text form");
}

/* Orders keyword values by the label names. Returns 0 when a name is missing. */
static int
label_order(PyObject **out, djp_py_definition *definition, PyObject *const *args, PyObject *kwnames)
{
    size_t given = (size_t)PyTuple_GET_SIZE(kwnames);
    for (size_t i = 0; i < definition->label_count; i++) {
        PyObject *name = PyTuple_GET_ITEM(definition->label_names, (Py_ssize_t)i);
        size_t j = i < given && PyTuple_GET_ITEM(kwnames, (Py_ssize_t)i) == name ? i : 0;
        while (j < given && PyTuple_GET_ITEM(kwnames, (Py_ssize_t)j) != name &&
               PyUnicode_Compare(PyTuple_GET_ITEM(kwnames, (Py_ssize_t)j), name) != 0) {
            j++;
        }
        if (j == given) {
            return 0;
        }
        out[i] = args[j];
    }
    return 1;
}

PyObject *
djp_py_metric_labels(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    djp_py_definition *definition = metric->definition;
    size_t count = definition->label_count;
    size_t named = kwnames != NULL ? (size_t)PyTuple_GET_SIZE(kwnames) : 0;
    if (!definition->usable) {
        return djp_py_metric_child(metric, NULL);
    }
    if (metric->values != NULL || count == 0) {
        return label_nowhere(metric, count == 0 ? "was called, but it has no labels"
                                                : "was called on a child");
    }
    if (named == 0 && (size_t)nargs == count) {
        return label_find(metric, args, count);
    }
    PyObject *ordered[DJP_LABELS_MAX];
    if (nargs == 0 && named == count && label_order(ordered, definition, args, kwnames)) {
        return label_find(metric, ordered, count);
    }
    return label_nowhere(metric, "got other labels than it was declared with");
}

djp_series *
djp_py_metric_bind(djp_py_metric *metric)
{
    djp_py_definition *definition = metric->definition;
    djp_family *family = djp_py_definition_bind(definition);
    metric->generation = metric->state->generation;
    metric->series = NULL;
    if (family == NULL) {
        return NULL;
    }
    if (definition->label_count == 0 && metric->values == NULL) {
        return metric->series = djp_family_series(family, NULL);
    }
    if (metric->values == NULL) {
        djp_py_metrics_warn(metric->state,
                            "The metric '%.100s' has labels and was used without them. Its "
                            "recordings are dropped until "
                            "labels() gives one value for each of its label names.",
                            definition->name);
    }
    size_t given = metric->values != NULL ? (size_t)PyTuple_GET_SIZE(metric->values) : 0;
    if (given == 0 || given != definition->label_count) {
        return NULL; /* recorded without label values: there is no series */
    }
    djp_py_text owners[DJP_LABELS_MAX];
    djp_text texts[DJP_LABELS_MAX];
    size_t count = djp_py_texts_get(owners, texts, metric->values);
    metric->series = djp_family_series(family, texts);
    djp_py_texts_release(owners, count);
    return metric->series;
}

void
djp_py_metric_drop(djp_py_metric *metric)
{
    djp_registry_add_dropped(djp_sdk_registry(metric->definition->sdk->sdk), 1);
}

void
djp_py_metric_bind_children(djp_py_metric *metric)
{
    PyObject *texts, *child;
    Py_ssize_t at = 0;
    /* No Python code runs here: the values are exact texts, and the definition is already bound. */
    while (metric->cache != NULL && PyDict_Next(metric->cache->children, &at, &texts, &child)) {
        (void)djp_py_metric_bind((djp_py_metric *)child);
    }
}

/* Empties the caches, so that the next labels() looks up the registry again. */
static void
label_cache_drop(djp_py_metric *metric)
{
    djp_py_label_cache *cache = metric->cache;
    metric->cache = NULL;
    djp_py_label_cache_free(cache);
}

PyObject *
djp_py_metric_remove(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_metric *metric = (djp_py_metric *)self;
    if (metric->values != NULL || (size_t)nargs != metric->definition->label_count ||
        nargs > (Py_ssize_t)DJP_LABELS_MAX) {
        Py_RETURN_NONE;
    }
    PyObject *values = label_texts(args, (size_t)nargs);
    if (values == NULL) {
        PyErr_Clear();
        Py_RETURN_NONE;
    }
    djp_py_text owners[DJP_LABELS_MAX];
    djp_text texts[DJP_LABELS_MAX];
    size_t count = djp_py_texts_get(owners, texts, values);
    /* after the texts, which any code may have made */
    djp_family *family = djp_py_definition_bind(metric->definition);
    if (family != NULL) {
        djp_family_remove(family, texts);
    }
    djp_py_texts_release(owners, count);
    Py_DECREF(values);
    label_cache_drop(metric);
    Py_RETURN_NONE;
}

PyObject *
djp_py_metric_clear(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    djp_py_metric *metric = (djp_py_metric *)self;
    djp_family *family = djp_py_definition_bind(metric->definition);
    if (metric->values == NULL && family != NULL) {
        djp_family_clear(family);
    }
    if (metric->values == NULL) {
        label_cache_drop(metric);
    }
    Py_RETURN_NONE;
}
