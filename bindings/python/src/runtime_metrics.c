/* Records in the families of the runtime. The garbage collector calls collected() after each run,
 * so that the counts are current whoever responds to a scrape. */
#include "binding.h"

static djp_registry *
runtime_metrics_registry(PyObject *module)
{
    const djp_py_sdk *sdk = djp_py_state_of(module)->sdk;
    return sdk != NULL ? djp_sdk_registry(sdk->sdk) : NULL;
}

/* _runtime_record(name, labels, value): whether it was accepted. */
static PyObject *
runtime_metrics_record(PyObject *module, PyObject *args)
{
    const char *name;
    PyObject *labels;
    double value;
    if (!PyArg_ParseTuple(args, "sO!d", &name, &PyTuple_Type, &labels, &value)) {
        return NULL;
    }
    djp_registry *registry = runtime_metrics_registry(module);
    if (registry == NULL || PyTuple_GET_SIZE(labels) > (Py_ssize_t)DJP_LABELS_MAX) {
        Py_RETURN_FALSE;
    }
    djp_py_text owners[DJP_LABELS_MAX];
    djp_text texts[DJP_LABELS_MAX];
    size_t count = djp_py_texts_get(owners, texts, labels);
    int error = djp_runtime_record(registry, name, texts, count, value);
    djp_py_texts_release(owners, count);
    return PyBool_FromLong(error == 0);
}

/* -1 for a member that is missing or no number. */
static long
runtime_metrics_member(PyObject *info, const char *name)
{
    PyObject *value = PyDict_GetItemString(info, name); /* borrowed */
    long number = value != NULL && PyLong_Check(value) ? PyLong_AsLong(value) : -1;
    PyErr_Clear();
    return number;
}

/* _runtime_collected(phase, info): an entry of gc.callbacks. */
static PyObject *
runtime_metrics_collected(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    djp_registry *registry = runtime_metrics_registry(module);
    if (registry == NULL || nargs < 2 || !PyUnicode_Check(args[0]) || !PyDict_Check(args[1]) ||
        PyUnicode_CompareWithASCIIString(args[0], "stop") != 0) {
        Py_RETURN_NONE;
    }
    long generation = runtime_metrics_member(args[1], "generation"),
         collected = runtime_metrics_member(args[1], "collected"),
         uncollectable = runtime_metrics_member(args[1], "uncollectable");
    if (generation >= 0 && generation <= 9) {
        char digit = (char)('0' + generation);
        djp_text label = {&digit, 1};
        djp_runtime_record(registry, "python_gc_collections", &label, 1, 1);
        djp_runtime_record(registry, "python_gc_objects_collected", &label, 1,
                           collected > 0 ? (double)collected : 0);
        djp_runtime_record(registry, "python_gc_objects_uncollectable", &label, 1,
                           uncollectable > 0 ? (double)uncollectable : 0);
    }
    Py_RETURN_NONE;
}

static PyMethodDef runtime_metrics_functions[] = {
    {"_runtime_record", runtime_metrics_record, METH_VARARGS, NULL},
    {"_runtime_collected", (PyCFunction)(void (*)(void))runtime_metrics_collected, METH_FASTCALL,
     NULL},
    {NULL, NULL, 0, NULL},
};

static int
runtime_metrics_init(PyObject *module, djp_py_state *state)
{
    (void)state;
    return PyModule_AddFunctions(module, runtime_metrics_functions);
}

const djp_py_part djp_py_runtime_metrics_part = {runtime_metrics_init, NULL, NULL};
