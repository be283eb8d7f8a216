/* Arguments: keywords without tuples or dictionaries, and iterables of any length. Names are
 * compared by address first, because the compiler interns the names in the caller's code. Raises
 * only for calls with an impossible signature. */
#include "binding.h"

#include <string.h>

static int
args_find(const djp_py_signature *signature, PyObject *const *words, PyObject *name)
{
    for (int i = 0; i < signature->count; i++) {
        if (words[signature->names[i]] == name) {
            return i;
        }
    }
    for (int i = 0; i < signature->count; i++) {
        if (PyUnicode_Compare(words[signature->names[i]], name) == 0) {
            return i;
        }
    }
    PyErr_Clear();
    return -1;
}

static int
args_fail(const djp_py_signature *signature, const char *problem, PyObject *name)
{
    if (name != NULL) {
        PyErr_Format(PyExc_TypeError, "%s() %s '%U'", signature->function, problem, name);
    } else {
        PyErr_Format(PyExc_TypeError, "%s() %s", signature->function, problem);
    }
    return -1;
}

int
djp_py_arguments(PyObject **out, const djp_py_state *state, const djp_py_signature *signature,
                 PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *const *words = (PyObject *const *)&state->words;
    Py_ssize_t keywords = kwnames == NULL ? 0 : PyTuple_GET_SIZE(kwnames);
    if (nargs > signature->positional) {
        return args_fail(signature, "takes fewer positional arguments", NULL);
    }
    for (int i = 0; i < signature->count; i++) {
        out[i] = i < nargs ? args[i] : NULL;
    }
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *name = PyTuple_GET_ITEM(kwnames, i);
        int at = args_find(signature, words, name);
        if (at < 0) {
            return args_fail(signature, "got an unexpected keyword argument", name);
        }
        if (out[at] != NULL) {
            return args_fail(signature, "got multiple values for argument", name);
        }
        out[at] = args[nargs + i];
    }
    for (int i = 0; i < signature->required; i++) {
        if (out[i] == NULL) {
            return args_fail(signature, "missing a required argument:", words[signature->names[i]]);
        }
    }
    return 0;
}

PyObject *
djp_py_items(PyObject *iterable, Py_ssize_t limit)
{
    if (PyList_CheckExact(iterable) || PyTuple_CheckExact(iterable)) {
        return Py_NewRef(iterable);
    }
    PyObject *iterator = PyObject_GetIter(iterable),
             *list = iterator == NULL ? NULL : PyList_New(0), *item;
    while (list != NULL && PyList_GET_SIZE(list) < limit &&
           (item = PyIter_Next(iterator)) != NULL) {
        if (PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_DECREF(item);
    }
    if (PyErr_Occurred()) {
        PyErr_Clear();
        Py_CLEAR(list);
    }
    Py_XDECREF(iterator);
    return list;
}
