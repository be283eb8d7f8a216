/* The module-level functions of metrics: exposition, binding of all declared metrics, and the
 * documented families by name. An exposition is made without the interpreter lock; nothing here
 * blocks or raises for a value of the wrong type. */
#include "metrics_types.h"

#include <string.h>

/* Runs the functions of gauges with set_function(); after an error the old value stays. */
static void
metrics_run_callbacks(djp_py_state *state)
{
    if (PyDict_GET_SIZE(state->metrics->callbacks) == 0) {
        return;
    }
    PyObject *copy = PyDict_Copy(state->metrics->callbacks);
    PyObject *gauge, *function;
    Py_ssize_t at = 0;
    while (copy != NULL && PyDict_Next(copy, &at, &gauge, &function)) {
        PyObject *value = PyObject_CallNoArgs(function);
        double number = value != NULL ? djp_py_metric_number(value) : Py_NAN;
        if (number == number) {
            djp_gauge_set(djp_py_metric_series((djp_py_metric *)gauge), number);
        }
        Py_XDECREF(value);
        PyErr_Clear();
    }
    Py_XDECREF(copy);
    PyErr_Clear();
}

void
djp_py_metrics_rebind(djp_py_state *state)
{
    if (state->metrics == NULL) {
        return;
    }
    /* Binding may run other code, which may drop metrics: this one and the next one are held. */
    djp_py_definition *item = state->metrics->definitions, *next;
    for (item = item != NULL ? djp_py_definition_ref(item) : NULL; item != NULL; item = next) {
        int fresh = item->generation != state->generation;
        djp_family *family = djp_py_definition_bind(item);
        if (family != NULL && item->label_count == 0) {
            djp_family_series(family, NULL);
        } else if (family != NULL && fresh && item->declared != NULL) {
            djp_py_metric_bind_children(item->declared);
        }
        next = item->next != NULL ? djp_py_definition_ref(item->next) : NULL;
        djp_py_definition_unref(item);
    }
    djp_py_metrics_bind_instruments(state);
}

/* _metrics_expose(accept, accept_encoding) -> (bytes, content type, whether they are gzip); the
 * bytes are None while metrics are off. */
static PyObject *
metrics_expose(PyObject *module, PyObject *args)
{
    djp_py_state *state = djp_py_state_of(module);
    djp_py_text header = {{NULL, 0}, NULL}, encoding = {{NULL, 0}, NULL};
    PyObject *accept, *accept_encoding;
    int packed = 0;
    if (!PyArg_ParseTuple(args, "OO", &accept, &accept_encoding)) {
        return NULL;
    }
    if (accept != Py_None) {
        djp_py_text_get(&header, accept);
    }
    djp_exposition format = djp_exposition_negotiate(header.text);
    djp_py_text_release(&header);
    djp_py_metrics_rebind(state);
    metrics_run_callbacks(state);
    djp_py_sdk *sdk = state->sdk;
    djp_registry *registry = sdk != NULL ? djp_sdk_registry(sdk->sdk) : NULL;
    PyObject *body = Py_None;
    Py_INCREF(Py_None);
    if (registry != NULL) {
        char *text = NULL;
        size_t size = 0;
        int error;
        Py_INCREF(sdk);
        if (accept_encoding != Py_None) {
            djp_py_text_get(&encoding, accept_encoding);
        }
        Py_BEGIN_ALLOW_THREADS
        error = djp_registry_expose(&text, &size, registry, format);
        packed = error == 0 && djp_exposition_pack(&text, &size, encoding.text);
        Py_END_ALLOW_THREADS
        Py_DECREF(sdk);
        djp_py_text_release(&encoding);
        if (error == 0) {
            Py_SETREF(body, PyBytes_FromStringAndSize(text, (Py_ssize_t)size));
        }
        djp_free(text);
    }
    return Py_BuildValue("NsO", body, djp_exposition_content_type(format),
                         packed ? Py_True : Py_False);
}

/* _metrics_listen(host, port): whether the separate Prometheus endpoint listens now. */
static PyObject *
metrics_listen(PyObject *module, PyObject *args)
{
    djp_py_sdk *sdk = djp_py_state_of(module)->sdk;
    const char *host;
    int port, error;
    if (!PyArg_ParseTuple(args, "si", &host, &port)) {
        return NULL;
    }
    if (sdk == NULL) {
        Py_RETURN_FALSE;
    }
    Py_INCREF(sdk);
    Py_BEGIN_ALLOW_THREADS
    error = djp_sdk_listen(sdk->sdk, host, port);
    Py_END_ALLOW_THREADS
    Py_DECREF(sdk);
    return PyBool_FromLong(error == 0);
}

/* _metrics_standard(name, labels, value): records in a documented family; whether it was
 * recorded. */
static PyObject *
metrics_standard(PyObject *module, PyObject *args)
{
    djp_py_state *state = djp_py_state_of(module);
    const char *name;
    PyObject *labels, *value;
    if (!PyArg_ParseTuple(args, "sO!O", &name, &PyTuple_Type, &labels, &value)) {
        return NULL;
    }
    double number = djp_py_metric_number(value); /* may run code that ends the SDK */
    djp_builtin *standard = state->sdk != NULL ? djp_sdk_builtin(state->sdk->sdk) : NULL;
    if (standard == NULL || PyTuple_GET_SIZE(labels) > (Py_ssize_t)DJP_LABELS_MAX) {
        Py_RETURN_FALSE;
    }
    djp_py_text owners[DJP_LABELS_MAX];
    djp_text texts[DJP_LABELS_MAX];
    size_t count = djp_py_texts_get(owners, texts, labels);
    djp_span_context context;
    djp_py_current_context(state, &context);
    int error = djp_builtin_record(standard, name, texts, count, number, &context);
    djp_py_texts_release(owners, count);
    return PyBool_FromLong(error == 0);
}

/* _metrics_http(method, endpoint, status, seconds, bytes): one HTTP request in the built-in
 * families. An invalid duration is counted as dropped, and the request is still counted; bytes
 * below 0: unknown. */
static PyObject *
metrics_http(PyObject *module, PyObject *args)
{
    djp_py_state *state = djp_py_state_of(module);
    PyObject *method, *endpoint, *seconds, *bytes;
    int status;
    if (!PyArg_ParseTuple(args, "OOiOO", &method, &endpoint, &status, &seconds, &bytes)) {
        return NULL;
    }
    double number = djp_py_metric_number(seconds),
           size = djp_py_metric_number(bytes); /* may run code that ends the SDK */
    djp_builtin *standard = state->sdk != NULL ? djp_sdk_builtin(state->sdk->sdk) : NULL;
    if (standard == NULL) {
        Py_RETURN_FALSE;
    }
    djp_py_text method_text, endpoint_text;
    djp_span_context context;
    djp_py_text_get(&method_text, method);
    djp_py_text_get(&endpoint_text, endpoint);
    djp_py_current_context(state, &context);
    djp_builtin_http_request(standard, method_text.text, endpoint_text.text, status,
                             number >= 0.0 && number < 1e9 ? (uint64_t)(number * 1e9)
                                                           : DJP_DURATION_UNKNOWN,
                             size >= 0.0 && size < 9e18 ? (int64_t)size : -1, &context);
    djp_py_text_release(&method_text);
    djp_py_text_release(&endpoint_text);
    Py_RETURN_TRUE;
}

/* _path_normalise(path): see djp_path_normalise. */
static PyObject *
metrics_path_normalise(PyObject *module, PyObject *path)
{
    (void)module;
    char out[2048];
    djp_py_text text;
    djp_py_text_get(&text, path);
    size_t size = djp_path_normalise(out, sizeof out, text.text);
    djp_py_text_release(&text);
    return PyUnicode_DecodeUTF8(out, (Py_ssize_t)size, "replace");
}

/* _metrics_on_warning(function): receives the messages about refused declarations. */
static PyObject *
metrics_on_warning(PyObject *module, PyObject *function)
{
    djp_py_state *state = djp_py_state_of(module);
    Py_XSETREF(state->metrics->warn, Py_NewRef(function));
    Py_RETURN_NONE;
}

static PyMethodDef metrics_functions[] = {
    {"_metrics_expose", metrics_expose, METH_VARARGS, NULL},
    {"_metrics_listen", metrics_listen, METH_VARARGS, NULL},
    {"_metrics_standard", metrics_standard, METH_VARARGS, NULL},
    {"_metrics_http", metrics_http, METH_VARARGS, NULL},
    {"_path_normalise", metrics_path_normalise, METH_O, NULL},
    {"_metrics_on_warning", metrics_on_warning, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static int
metrics_init(PyObject *module, djp_py_state *state)
{
    state->metrics = PyMem_Calloc(1, sizeof *state->metrics);
    if (state->metrics == NULL || (state->metrics->callbacks = PyDict_New()) == NULL) {
        return -1;
    }
    if (djp_py_metrics_add_types(module, state) < 0 ||
        djp_py_metrics_add_guard(module, state) < 0 || djp_py_metrics_add_instrument(module) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, metrics_functions);
}

static int
metrics_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    djp_py_metrics_state *metrics = state->metrics;
    if (metrics == NULL) {
        return 0;
    }
    Py_VISIT(metrics->counter_type);
    Py_VISIT(metrics->gauge_type);
    Py_VISIT(metrics->histogram_type);
    Py_VISIT(metrics->guard_type);
    Py_VISIT(metrics->callbacks);
    Py_VISIT(metrics->warn);
    return 0;
}

static void
metrics_clear(djp_py_state *state)
{
    djp_py_metrics_state *metrics = state->metrics;
    if (metrics == NULL) {
        return;
    }
    Py_CLEAR(metrics->callbacks);
    Py_CLEAR(metrics->warn);
    Py_CLEAR(metrics->counter_type);
    Py_CLEAR(metrics->gauge_type);
    Py_CLEAR(metrics->histogram_type);
    Py_CLEAR(metrics->guard_type);
    for (djp_py_definition *item = metrics->definitions, *next; item != NULL; item = next) {
        next = item->next; /* the definitions that still live are in no list now */
        item->previous = item->next = NULL;
    }
    djp_py_metrics_discard_instruments(metrics);
    PyMem_Free(metrics);
    state->metrics = NULL;
}

const djp_py_part djp_py_metrics_part = {metrics_init, metrics_traverse, metrics_clear};
