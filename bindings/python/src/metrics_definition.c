/* A metric as the user declared it, and its binding to the registry of the active SDK. A metric may
 * be declared long before telemetry starts, and outlives any number of SDKs; a refused declaration
 * warns once and records nothing. */
#include "metrics_types.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DEFINITION_CHILDREN = 2000 };

void
djp_py_metrics_warn(djp_py_state *state, const char *format, ...)
{
    if (state->metrics == NULL || state->metrics->warn == NULL) {
        return;
    }
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    {
        PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
        PyObject *result =
            text == NULL ? NULL : PyObject_CallFunctionObjArgs(state->metrics->warn, text, NULL);
        Py_XDECREF(text);
        Py_XDECREF(result);
    }
    PyErr_Restore(type, value, traceback);
}

static char *
definition_copy(PyObject *object, const char *fallback)
{
    djp_py_text text = {{NULL, 0}, NULL};
    if (object != NULL && object != Py_None) {
        djp_py_text_get(&text, object);
    }
    const char *data = text.text.data != NULL ? text.text.data : fallback;
    size_t size = text.text.data != NULL ? text.text.size : strlen(fallback);
    char *copy = PyMem_Malloc(size + 1);
    if (copy != NULL) {
        memcpy(copy, data, size);
        copy[size] = '\0';
    }
    djp_py_text_release(&text);
    return copy;
}

/* "namespace_subsystem_name", as prometheus_client builds it; the core adds the unit. */
static char *
definition_full_name(PyObject *const *parts)
{
    char *texts[3] = {NULL, NULL, NULL};
    size_t size = 1;
    char *name = NULL;
    int failed = 0;
    for (int i = 0; i < 3; i++) {
        texts[i] = definition_copy(parts[i], "");
        failed |= texts[i] == NULL;
        size += texts[i] == NULL ? 0 : strlen(texts[i]) + 1;
    }
    if (!failed && (name = PyMem_Malloc(size)) != NULL) {
        name[0] = '\0';
        for (int i = 0; i < 3; i++) {
            size_t have = strlen(name);
            if (texts[i][0] != '\0') {
                snprintf(name + have, size - have, "%s%s", have > 0 ? "_" : "", texts[i]);
            }
        }
    }
    for (int i = 0; i < 3; i++) {
        PyMem_Free(texts[i]);
    }
    return name;
}

static PyObject *
definition_label_tuple(PyObject *names)
{
    PyObject *items = djp_py_items(names, DJP_LABELS_MAX + 1);
    PyObject *tuple = items == NULL ? NULL : PySequence_Tuple(items);
    Py_XDECREF(items);
    return tuple;
}

/* Returns 0, or -1 without memory. A value that is not a sequence of text makes the definition
 * unusable. */
static int
definition_set_labels(djp_py_definition *definition, PyObject *names)
{
    PyObject *tuple = NULL;
    if (names == NULL || names == Py_None) {
        tuple = PyTuple_New(0);
    } else if (PyUnicode_Check(names)) {
        tuple = PyTuple_Pack(1, names); /* a bare string is a common mistake for one label */
    } else {
        tuple = definition_label_tuple(names);
    }
    if (tuple == NULL) {
        definition->usable = 0;
        PyErr_Clear();
        tuple = PyTuple_New(0);
    }
    if (tuple == NULL) {
        return -1;
    }
    definition->label_names = tuple;
    size_t count = (size_t)PyTuple_GET_SIZE(tuple);
    definition->labels = PyMem_Calloc(count + 1, sizeof(char *));
    if (definition->labels == NULL) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *name = PyTuple_GET_ITEM(tuple, (Py_ssize_t)i);
        if (!PyUnicode_CheckExact(name)) {
            definition->usable = 0;
        }
        if ((definition->labels[i] = definition_copy(name, "")) == NULL) {
            return -1;
        }
        definition->label_count = i + 1;
    }
    if (count > DJP_LABELS_MAX) {
        definition->usable = 0;
    }
    return 0;
}

static int
definition_set_buckets(djp_py_definition *definition, PyObject *buckets)
{
    if (definition->type != DJP_HISTOGRAM || buckets == NULL || buckets == Py_None) {
        return 0;
    }
    PyObject *items = djp_py_items(buckets, DJP_PY_ITEMS_MAX),
             *list = items == NULL ? NULL : PySequence_List(items);
    Py_XDECREF(items);
    if (list == NULL) {
        PyErr_Clear();
        definition->usable = 0;
        return 0;
    }
    size_t count = (size_t)PyList_GET_SIZE(list);
    definition->buckets = PyMem_Calloc(count + 1, sizeof(double));
    for (size_t i = 0; definition->buckets != NULL && i < count; i++) {
        double bound = djp_py_metric_number(PyList_GET_ITEM(list, (Py_ssize_t)i));
        if (bound != bound) {
            definition->usable = 0;
        }
        if (bound != Py_HUGE_VAL) { /* +Inf is implied */
            definition->buckets[definition->bucket_count++] = bound;
        }
    }
    Py_DECREF(list);
    return definition->buckets == NULL ? -1 : 0;
}

/* An unknown mode makes the definition unusable. Returns 0, or -1 without memory. */
static int
definition_set_mode(djp_py_definition *definition, PyObject *mode)
{
    if (mode == NULL || mode == Py_None) {
        return 0;
    }
    char *name = definition_copy(mode, "");
    if (name == NULL) {
        return -1;
    }
    if (djp_gauge_mode_parse(&definition->mode, (djp_text){name, strlen(name)}) < 0) {
        definition->usable = 0;
        djp_py_metrics_warn(definition->state,
                            "The gauge '%.100s' was declared with the unknown multiprocess_mode "
                            "'%.50s'. It records nothing. Give one of all, liveall, min, livemin, "
                            "max, livemax, sum, livesum, mostrecent and livemostrecent.",
                            definition->name, name);
    }
    PyMem_Free(name);
    return 0;
}

static void
definition_link(djp_py_definition *definition)
{
    djp_py_metrics_state *metrics = definition->state->metrics;
    definition->next = metrics->definitions;
    if (definition->next != NULL) {
        definition->next->previous = definition;
    }
    metrics->definitions = definition;
}

djp_py_definition *
djp_py_definition_new(djp_py_state *state, djp_metric_type type, PyObject *args, PyObject *kwargs)
{
    /* the last ones are that of a gauge, or those of a histogram */
    char *keywords[] = {"name", "documentation", "labelnames", "namespace",   "subsystem",
                        "unit", "registry",      "buckets",    "exponential", NULL};
    PyObject *name = NULL, *help = NULL, *labels = NULL, *namespace = NULL, *subsystem = NULL,
             *unit = NULL;
    PyObject *registry = NULL, *last = NULL, *exponential = NULL;
    const char *format = type == DJP_HISTOGRAM ? "O|OOOOOOOO" : "O|OOOOOOO";
    keywords[7] = type == DJP_GAUGE ? "multiprocess_mode" : "buckets";
    keywords[8] = type == DJP_HISTOGRAM ? keywords[8] : NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, keywords, &name, &help, &labels,
                                     &namespace, &subsystem, &unit, &registry, &last,
                                     &exponential)) {
        return NULL;
    }
    djp_py_definition *definition = PyMem_Calloc(1, sizeof *definition);
    if (definition == NULL) {
        return (djp_py_definition *)PyErr_NoMemory();
    }
    definition->references = 1;
    definition->state = state;
    definition->type = type;
    definition->usable = PyUnicode_Check(name);
    definition->generation = UINT64_MAX;
    definition->children_limit = DEFINITION_CHILDREN;
    definition->exponential = exponential == Py_True    ? DJP_EXPONENTIAL_ON
                              : exponential == Py_False ? DJP_EXPONENTIAL_OFF
                                                        : DJP_EXPONENTIAL_DEFAULT;
    definition_link(definition);
    definition->name = definition_full_name((PyObject *const[]){namespace, subsystem, name});
    definition->help = definition_copy(help, "");
    definition->unit = definition_copy(unit, "");
    if (definition->name == NULL || definition->help == NULL || definition->unit == NULL ||
        definition_set_labels(definition, labels) < 0 ||
        definition_set_buckets(definition, last) < 0) {
        djp_py_definition_unref(definition);
        return (djp_py_definition *)PyErr_NoMemory();
    }
    if (!definition->usable) {
        djp_py_metrics_warn(state,
                            "The metric '%.100s' was declared with a wrong type of name, label "
                            "names or buckets. It "
                            "records nothing. Give a str name, a sequence of str label names and "
                            "numbers as buckets.",
                            definition->name);
    }
    if (type == DJP_GAUGE && definition_set_mode(definition, last) < 0) {
        djp_py_definition_unref(definition);
        return (djp_py_definition *)PyErr_NoMemory();
    }
    return definition;
}

djp_py_definition *
djp_py_definition_ref(djp_py_definition *definition)
{
    definition->references++;
    return definition;
}

void
djp_py_definition_unref(djp_py_definition *definition)
{
    if (definition == NULL || --definition->references > 0) {
        return;
    }
    if (definition->previous != NULL) {
        definition->previous->next = definition->next;
    } else if (definition->state->metrics != NULL) {
        definition->state->metrics->definitions = definition->next;
    }
    if (definition->next != NULL) {
        definition->next->previous = definition->previous;
    }
    for (size_t i = 0; i < definition->label_count; i++) {
        PyMem_Free(definition->labels[i]);
    }
    PyMem_Free(definition->labels);
    PyMem_Free(definition->buckets);
    PyMem_Free(definition->name);
    PyMem_Free(definition->help);
    PyMem_Free(definition->unit);
    Py_XDECREF(definition->label_names);
    Py_XDECREF(definition->sdk);
    PyMem_Free(definition);
}

static void
definition_refused(djp_py_definition *definition, int error)
{
    const char *advice =
        error == DJP_EEXIST ? "Give it another name, or the same type, labels, buckets and mode."
        : error == DJP_EFULL
            ? "Declare fewer metrics."
            : "Give it a name of letters, digits and underscores, ascending buckets, "
              "labels of different names, and none "
              "named le or beginning with two underscores.";
    definition->usable = 0;
    djp_py_metrics_warn(definition->state,
                        "The metric '%.100s' was refused (%s). It records nothing. %s",
                        definition->name, djp_error_text(error), advice);
}

static void
definition_declare(djp_py_definition *definition, djp_sdk *sdk)
{
    djp_registry *registry = djp_sdk_registry(sdk);
    if (registry == NULL) {
        return;
    }
    djp_family_options options = {
        .type = definition->type,
        .name = definition->name,
        .help = definition->help,
        .unit = definition->unit,
        .labels = (const char *const *)definition->labels,
        .label_count = definition->label_count,
        .buckets = definition->buckets,
        .bucket_count = definition->bucket_count,
        .mode = definition->mode,
        .exponential = definition->exponential,
    };
    int error = djp_family_new(&definition->family, registry, &options);
    if (error < 0) {
        definition->family = NULL;
        definition_refused(definition, error);
    } else if (error > 0) {
        djp_py_metrics_warn(
            definition->state,
            "The metric '%.100s' is a documented one that was declared before with other buckets. "
            "Those "
            "are used. Declare it before the first request, or give the same buckets.",
            definition->name);
    }
    uint32_t limit = djp_sdk_options(sdk)->cardinality_limit;
    definition->children_limit = limit > 0 ? limit : DEFINITION_CHILDREN;
}

djp_family *
djp_py_definition_bind(djp_py_definition *definition)
{
    djp_py_state *state = definition->state;
    if (definition->generation == state->generation) {
        return definition->family;
    }
    djp_py_sdk *old = definition->sdk;
    definition->generation = state->generation;
    definition->family = NULL;
    definition->sdk = state->sdk;
    Py_XINCREF(definition->sdk);
    if (state->sdk != NULL && definition->usable) {
        definition_declare(definition, state->sdk->sdk);
    }
    Py_XDECREF(old); /* last: this may let other threads run */
    return definition->family;
}
