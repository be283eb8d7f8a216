/* Exceptions on spans: the type's qualified name, the message and the formatted traceback, all read
 * immediately and limited. The exception object is only read; the interpreter's error indicator
 * stays unchanged. */
#include "binding.h"

#include <string.h>

/* "module.Class", without the module for builtins; an owned str or NULL. */
static PyObject *
exception_type_name(const djp_py_state *state, PyTypeObject *type)
{
    PyObject *name = PyObject_GetAttr((PyObject *)type, state->words.__qualname__);
    PyObject *module = PyObject_GetAttr((PyObject *)type, state->words.__module__);
    PyErr_Clear();
    PyObject *full = name;
    if (name != NULL && module != NULL && PyUnicode_Check(module) &&
        PyUnicode_CompareWithASCIIString(module, "builtins") != 0) {
        full = PyUnicode_FromFormat("%U.%S", module, name);
        Py_DECREF(name);
    }
    Py_XDECREF(module);
    PyErr_Clear();
    return full;
}

static PyObject *
exception_stacktrace(const djp_py_state *state, PyObject *exception)
{
    PyObject *helper = PyImport_ImportModule("djp_telemetry._exceptions");
    PyObject *text =
        helper == NULL
            ? NULL
            : PyObject_CallMethodOneArg(helper, state->words.format_exception, exception);
    PyErr_Clear();
    Py_XDECREF(helper);
    return text;
}

static void
exception_record(djp_py_state *state, djp_span *span, PyObject *exception, PyObject *attributes,
                 uint64_t time_unix_ns, int escaped, PyObject *message)
{
    PyObject *type_name = exception_type_name(state, Py_TYPE(exception)),
             *stacktrace = exception_stacktrace(state, exception);
    djp_py_text type, text, stack;
    djp_py_attributes own;
    (void)djp_py_text_get(&type, type_name);
    (void)djp_py_text_get(&text, message);
    (void)djp_py_text_get(&stack, stacktrace);
    djp_py_attributes_get(&own, state, attributes);
    djp_span_record_exception_at(span, time_unix_ns, type.text, text.text, stack.text, escaped,
                                 own.items, own.count);
    for (size_t i = 0; i < own.dropped; i++) {
        djp_span_drop_attribute(span);
    }
    djp_py_attributes_release(&own);
    djp_py_text_release(&type);
    djp_py_text_release(&text);
    djp_py_text_release(&stack);
    Py_XDECREF(stacktrace);
    Py_XDECREF(type_name);
}

static PyObject *
exception_message(PyObject *exception)
{
    PyObject *message = PyObject_Str(exception);
    PyErr_Clear();
    return message;
}

void
djp_py_record_exception(djp_py_state *state, djp_span *span, PyObject *exception,
                        PyObject *attributes, uint64_t time_unix_ns, int escaped)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *message = exception_message(exception);
    exception_record(state, span, exception, attributes, time_unix_ns, escaped, message);
    Py_XDECREF(message);
    PyErr_Restore(type, value, traceback);
}

static const char *
exception_short_name(PyObject *exception)
{
    const char *dot = strrchr(Py_TYPE(exception)->tp_name, '.');
    return dot == NULL ? Py_TYPE(exception)->tp_name : dot + 1;
}

/* Limit of nested groups. */
enum { EXCEPTION_GROUP_DEPTH = 8 };

/* Cancellation is detected by name, so that asyncio, trio and greenlet need not be imported. */
static int
exception_is_cancellation(PyObject *exception)
{
    static const char *const names[] = {"CancelledError", "Cancelled", "GreenletExit"};
    for (PyTypeObject *type = Py_TYPE(exception); type != NULL; type = type->tp_base) {
        const char *dot = strrchr(type->tp_name, '.'),
                   *name = dot == NULL ? type->tp_name : dot + 1;
        for (size_t i = 0; i < sizeof(names) / sizeof names[0]; i++) {
            if (strcmp(name, names[i]) == 0) {
                return 1;
            }
        }
    }
    return 0;
}

static int exception_is_orderly(const djp_py_state *state, PyObject *exception, int depth);

/* 1 for a group, which several tasks raise together, with only cancellations in it. */
static int
exception_is_group_in_order(const djp_py_state *state, PyObject *exception, int depth)
{
    if (depth == 0 || strstr(Py_TYPE(exception)->tp_name, "ExceptionGroup") == NULL) {
        return 0;
    }
    PyObject *members = PyObject_GetAttr(exception, state->words.exceptions);
    Py_ssize_t count = members != NULL && PyTuple_Check(members) ? PyTuple_GET_SIZE(members) : 0;
    int orderly = count > 0;
    for (Py_ssize_t i = 0; orderly && i < count; i++) {
        orderly = exception_is_orderly(state, PyTuple_GET_ITEM(members, i), depth - 1);
    }
    Py_XDECREF(members);
    PyErr_Clear();
    return orderly;
}

/* 1 for exceptions by which the language, a task or a program ends normally. */
static int
exception_is_orderly(const djp_py_state *state, PyObject *exception, int depth)
{
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_Exception)) {
        return 0;
    }
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_GeneratorExit)) {
        return 1;
    }
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SystemExit)) {
        PyObject *code = PyObject_GetAttr(exception, state->words.code);
        int orderly =
            code == Py_None || (code != NULL && PyLong_Check(code) && PyObject_IsTrue(code) == 0);
        Py_XDECREF(code);
        PyErr_Clear();
        return orderly;
    }
    return exception_is_cancellation(exception) ||
           exception_is_group_in_order(state, exception, depth);
}

/* "ValueError: message", the form of OpenTelemetry. */
static void
exception_set_status(djp_span *span, PyObject *exception, PyObject *message)
{
    const char *name = exception_short_name(exception);
    int worded = message != NULL && PyUnicode_GetLength(message) > 0;
    PyObject *description =
        worded ? PyUnicode_FromFormat("%s: %U", name, message) : PyUnicode_FromString(name);
    PyErr_Clear();
    djp_py_text text;
    (void)djp_py_text_get(&text, description);
    djp_span_set_status(span, DJP_STATUS_ERROR, text.text);
    djp_py_text_release(&text);
    Py_XDECREF(description);
}

void
djp_py_span_fail(djp_py_state *state, djp_span *span, PyObject *exception, unsigned flags)
{
    PyObject *type, *value, *traceback;
    if (span == NULL || exception == NULL || !PyExceptionInstance_Check(exception) ||
        !djp_span_is_recording(span)) {
        return;
    }
    PyErr_Fetch(&type, &value, &traceback);
    if (!exception_is_orderly(state, exception, EXCEPTION_GROUP_DEPTH)) {
        PyObject *message = exception_message(exception);
        if ((flags & DJP_PY_SPAN_NO_RECORD) == 0) {
            exception_record(state, span, exception, NULL, 0, 1, message);
        }
        if ((flags & DJP_PY_SPAN_NO_STATUS) == 0) {
            exception_set_status(span, exception, message);
        }
        Py_XDECREF(message);
    }
    PyErr_Restore(type, value, traceback);
}
