/* Exceptions of a request: those that only mean that the client disconnected, which is no error of
 * the service; those that a framework handled; and those raised after the response was complete. */
#include "asgi_types.h"

/* 1 when the client has disconnected and the exception, an instance, means only that. Leaves no
 * exception set. */
static int
failure_is_the_clients(djp_py_exchange *exchange, PyObject *exception)
{
    int left = exchange->send_error != NULL && exchange->send_error == exception;
    if (left || !exchange->left || exchange->app == NULL || exchange->app->client_left == Py_None) {
        return left;
    }
    PyObject *result = PyObject_CallOneArg(exchange->app->client_left, exception);
    left = result != NULL && PyObject_IsTrue(result) == 1;
    Py_XDECREF(result);
    PyErr_Clear();
    return left;
}

static void
failure_note(djp_py_exchange *exchange, PyObject *exception, unsigned flags)
{
    exchange->failed = 1;
    Py_XSETREF(exchange->error, (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(exception)));
    PyObject *span = Py_XNewRef(exchange->span); /* the text of the exception may be code */
    djp_py_span_fail(exchange->state, djp_py_exchange_handle(exchange), exception, flags);
    Py_XDECREF(span);
}

/* The response is complete, so the request succeeded, but its background work failed. Records that
 * as a child span from the end of the response until now. */
static void
failure_after_response(djp_py_exchange *exchange, PyObject *exception)
{
    djp_span *late = djp_http_server_background(exchange->http->server,
                                                djp_py_exchange_handle(exchange), exchange->end_ns);
    if (late == NULL) {
        return;
    }
    djp_py_span_fail(exchange->state, late, exception, 0);
    (void)djp_span_end(late, 0);
    djp_span_release(late);
}

/* 1 when the framework stored in the scope that it handled this exception. */
static int
failure_was_noted(djp_py_exchange *exchange, PyObject *exception)
{
    return !exchange->recorded &&
           djp_py_asgi_get(exchange->scope, exchange->state->asgi->words.scope_exception) ==
               exception;
}

/* 1 when the response was not about this exception. */
static int
failure_is_after(djp_py_exchange *exchange, PyObject *exception)
{
    if (exchange->type != DJP_HTTP_REQUEST || exchange->handled == exception) {
        return 0;
    }
    return exchange->recorded ||
           (exchange->status < 500 && !failure_was_noted(exchange, exception));
}

static void
failure_take(djp_py_exchange *exchange, PyObject *exception)
{
    if (failure_is_the_clients(exchange, exception)) {
        exchange->disconnected |=
            exchange->type == DJP_HTTP_REQUEST || exchange->send_error != NULL;
        if (exchange->unseen) {
            exchange->status = 0;
        }
    } else if (exchange->complete && failure_is_after(exchange, exception)) {
        failure_after_response(exchange, exception);
    } else if (!exchange->recorded) {
        int has_event = exchange->status >= 500 && failure_was_noted(exchange, exception);
        failure_note(exchange, exception, has_event ? DJP_PY_SPAN_NO_RECORD : 0);
    }
}

void
djp_py_exchange_fail(djp_py_exchange *exchange)
{
    PyObject *type, *value, *traceback;
    if (exchange->http == NULL || exchange->span == NULL) {
        return; /* no span records it */
    }
    PyErr_Fetch(&type, &value, &traceback);
    if (type != NULL && PyErr_GivenExceptionMatches(type, PyExc_Exception)) {
        PyErr_NormalizeException(&type, &value, &traceback);
        if (traceback != NULL) {
            PyException_SetTraceback(value, traceback);
        }
        if (value != NULL && PyExceptionInstance_Check(value)) {
            failure_take(exchange, value);
        }
    }
    djp_py_exchange_finish(exchange);
    PyErr_Restore(type, value, traceback);
}

void
djp_py_exchange_handled(djp_py_exchange *exchange)
{
    PyObject *exception =
        djp_py_asgi_get(exchange->scope, exchange->state->asgi->words.scope_exception);
    if (exception == NULL || !PyExceptionInstance_Check(exception)) {
        return;
    }
    Py_INCREF(exception);
    Py_XSETREF(exchange->handled, Py_NewRef(exception));
    if (exchange->status >= 500 && exchange->unseen &&
        failure_is_the_clients(exchange, exception)) {
        exchange->status = 0;
    } else if (exchange->status >= 500 || exchange->broken) {
        failure_note(exchange, exception,
                     DJP_PY_SPAN_NO_RECORD); /* the event is already recorded */
    }
    Py_DECREF(exception);
}

void
djp_py_exchange_send_failed(djp_py_exchange *exchange, int first)
{
    PyObject *type, *value, *traceback;
    if (exchange->recorded || !PyErr_ExceptionMatches(PyExc_OSError)) {
        return;
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    exchange->left = exchange->disconnected = 1;
    exchange->unseen |= first != 0;
    Py_XSETREF(exchange->send_error, Py_XNewRef(value));
    PyErr_Restore(type, value, traceback);
}
