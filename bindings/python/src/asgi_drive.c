/* The coroutine protocol in C: the iterator of an `await`, send, throw and close. Values and
 * exceptions pass unchanged, as the same objects. */
#include "asgi_types.h"

PyObject *
djp_py_drive_iterator(PyObject *object)
{
    if (PyCoro_CheckExact(object) || PyGen_CheckExact(object)) {
        return Py_NewRef(object);
    }
    PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
    if (methods != NULL && methods->am_await != NULL) {
        return methods->am_await(object);
    }
    PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression",
                 Py_TYPE(object)->tp_name);
    return NULL;
}

#if PY_VERSION_HEX < 0x030a0000
/* The value of the StopIteration that is set, or an error status with the exception unchanged. */
static PySendResult
drive_stopped(PyObject **result)
{
    PyObject *type, *value, *traceback;
    if (!PyErr_Occurred()) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) {
        return PYGEN_ERROR;
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    *result = djp_py_get_attribute(value, "value");
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
}

PySendResult
djp_py_drive_send(djp_py_state *state, PyObject *iterator, PyObject *value, PyObject **result)
{
    if (value == Py_None && Py_TYPE(iterator)->tp_iternext != NULL) {
        *result = Py_TYPE(iterator)->tp_iternext(iterator);
    } else {
        *result = PyObject_CallMethodObjArgs(iterator, state->asgi->words.send, value, NULL);
    }
    return *result != NULL ? PYGEN_NEXT : drive_stopped(result);
}
#else
PySendResult
djp_py_drive_send(djp_py_state *state, PyObject *iterator, PyObject *value, PyObject **result)
{
    (void)state;
    return PyIter_Send(iterator, value, result);
}
#endif

/* Raises the arguments of throw(): an instance, or a class with an optional value and traceback. */
static void
drive_raise(PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *type = nargs > 0 ? args[0] : PyExc_RuntimeError;
    PyObject *value = nargs > 1 && args[1] != Py_None ? args[1] : NULL;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject((PyObject *)Py_TYPE(type), type);
    } else if (PyExceptionClass_Check(type)) {
        PyErr_SetObject(type, value);
    } else {
        PyErr_SetString(PyExc_TypeError,
                        "exceptions must be classes or instances deriving from BaseException");
    }
}

PyObject *
djp_py_drive_throw(PyObject *iterator, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *method = iterator != NULL ? djp_py_get_attribute(iterator, "throw") : NULL;
    /* not started yet, or a plain iterator: raises the exception here */
    if (method == NULL) {
        PyErr_Clear();
        drive_raise(args, nargs);
        return NULL;
    }
    PyObject *result = PyObject_Vectorcall(method, args, (size_t)nargs, NULL);
    Py_DECREF(method);
    return result;
}

int
djp_py_drive_close(PyObject *iterator)
{
    PyObject *method = djp_py_get_attribute(iterator, "close");
    if (method == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyObject *result = PyObject_CallNoArgs(method);
    Py_DECREF(method);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

PyObject *
djp_py_drive_result(PySendResult status, PyObject *value)
{
    if (status != PYGEN_RETURN) {
        return value;
    }
    PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, value, NULL);
    Py_DECREF(value);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
    }
    Py_XDECREF(stop);
    return NULL;
}

PyObject *
djp_py_drive_next(PySendResult status, PyObject *value)
{
    if (status == PYGEN_RETURN && value == Py_None) {
        Py_DECREF(value);
        return NULL;
    }
    return djp_py_drive_result(status, value);
}
