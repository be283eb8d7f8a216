/* The awaitable that the middleware returns for a request. Its first step calls the application in
 * the context in which it is awaited. It passes every step, value, exception, cancellation and
 * close to the application's coroutine. */
#include "asgi_types.h"

#include <stddef.h>

typedef struct djp_py_call {
    PyObject_HEAD
    djp_py_exchange *exchange; /* owned, as all objects here */
    PyObject *receive; /* NULL once the application was called */
    PyObject *baggage; /* NULL once the application was called */
    PyObject *iterator; /* the application's coroutine while it runs */
    PyObject *token; /* of the current span */
    PyObject *baggage_token;
    int done;
} djp_py_call;

PyObject *
djp_py_call_new(djp_py_exchange *exchange, PyObject *receive, PyObject *baggage)
{
    djp_py_call *call =
        djp_py_pool_take(&exchange->state->asgi->calls, exchange->state->asgi->call_type);
    if (call == NULL) {
        Py_XDECREF(baggage);
        return NULL;
    }
    Py_INCREF(exchange);
    call->exchange = exchange;
    call->receive = Py_NewRef(receive);
    call->baggage = baggage;
    call->iterator = call->token = call->baggage_token = NULL;
    call->done = 0;
    PyObject_GC_Track(call);
    return (PyObject *)call;
}

static int
call_traverse(PyObject *self, visitproc visit, void *arg)
{
    djp_py_call *call = (djp_py_call *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(call->exchange);
    Py_VISIT(call->receive);
    Py_VISIT(call->baggage);
    Py_VISIT(call->iterator);
    return 0;
}

/* Leaves the contexts that the first step entered. A no-op in another execution context. */
static void
call_leave(djp_py_call *call)
{
    djp_py_state *state = call->exchange->state;
    PyObject *token = call->token, *baggage_token = call->baggage_token;
    call->done = 1;
    call->token = call->baggage_token = NULL;
    djp_py_current_reset(state, token);
    djp_py_baggage_reset(state, baggage_token);
    if (call->exchange->recorded) {
        Py_CLEAR(call->exchange->span);
    }
    Py_CLEAR(call->iterator);
    Py_CLEAR(call->receive);
    Py_CLEAR(call->baggage);
    Py_CLEAR(call->exchange->send_error); /* their tracebacks reference the request */
    Py_CLEAR(call->exchange->handled);
}

static int
call_clear(PyObject *self)
{
    djp_py_call *call = (djp_py_call *)self;
    if (!call->done) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        Py_CLEAR(call->iterator); /* closes a coroutine that is dropped while it runs */
        if (call->exchange != NULL) {
            call_leave(call);
            djp_py_exchange_finish(call->exchange);
            Py_CLEAR(call->exchange->handled);
        }
        PyErr_Restore(type, value, traceback);
    }
    Py_CLEAR(call->exchange);
    return 0;
}

static void
call_dealloc(PyObject *self)
{
    djp_py_exchange *exchange = ((djp_py_call *)self)->exchange;
    djp_py_state *state = exchange != NULL ? exchange->state : NULL;
    PyObject_GC_UnTrack(self);
    call_clear(self);
    djp_py_pool_give(state != NULL && state->asgi != NULL ? &state->asgi->calls : NULL, self);
}

static void
call_complete(djp_py_call *call)
{
    djp_py_exchange_finish(call->exchange);
    call_leave(call);
}

/* 1 for servers that write their access line after the application returned: granian, whose send is
 * a native method, and gunicorn, whose send is a Python function of gunicorn. */
static int
call_is_logged_late(const djp_py_exchange *exchange)
{
    PyObject *send = exchange->send;
    if (PyCFunction_Check(send)) {
        const char *type =
            PyCFunction_GET_SELF(send) != NULL ? Py_TYPE(PyCFunction_GET_SELF(send))->tp_name : "";
        return strstr(type, "ASGI") != NULL;
    }
    PyObject *module = PyFunction_Check(send) ? PyFunction_GET_MODULE(send) : NULL;
    return module != NULL && PyUnicode_Check(module) && PyUnicode_IS_COMPACT_ASCII(module) &&
           strncmp((const char *)PyUnicode_1BYTE_DATA(module), "gunicorn.", 9) == 0;
}

/* The end of the application. Keeps a set exception set. */
static void
call_finish(djp_py_call *call, int failed)
{
    djp_py_exchange *exchange = call->exchange;
    djp_py_state *state = exchange->state;
    PyObject *type, *value, *traceback;
    int present = !failed && !exchange->disconnected;
    int no_response = present && exchange->status == 0; /* the server sends its own 500 */
    if (failed) {
        djp_py_exchange_fail(exchange);
    } else if (no_response) {
        exchange->failed = 1;
    } else if (present && exchange->type == DJP_HTTP_REQUEST && !exchange->complete &&
               !exchange->recorded) { /* the server cuts the connection */
        exchange->failed = exchange->incomplete = 1;
    }
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *span =
        failed || no_response || call_is_logged_late(exchange) ? Py_XNewRef(exchange->span) : NULL;
    call_complete(call);
    if (span != NULL && state->asgi != NULL) {
        djp_py_ended_set(state, span); /* the server's lines about it carry the ids */
    }
    Py_XDECREF(span);
    PyErr_Restore(type, value, traceback);
}

/* Makes the span current and replaces the baggage, even by none, because a server may run a request
 * in the context of an earlier one on the same connection. */
static void
call_enter(djp_py_call *call)
{
    djp_py_exchange *exchange = call->exchange;
    djp_py_state *state = exchange->state;
    call->token = djp_py_current_set(state, exchange->span);
    if (call->baggage != NULL) {
        call->baggage_token = djp_py_baggage_set(state, call->baggage);
    } else {
        PyObject *left = djp_py_current_baggage(state);
        if (left != NULL) {
            call->baggage_token = djp_py_baggage_set(state, Py_None);
        }
        Py_XDECREF(left);
    }
    djp_py_ended_discard(state);
}

/* Calls the application in its context. Returns 0, or -1 with its exception. */
static int
call_start(djp_py_call *call)
{
    djp_py_exchange *exchange = call->exchange;
    call_enter(call);
    PyObject *receive = call->receive;
    call->receive = NULL; /* first, so that no code below starts it again */
    PyObject *send = exchange->http != NULL ? (PyObject *)exchange : exchange->send;
    PyObject *args[4] = {NULL, exchange->scope, receive, send};
    PyObject *awaitable =
        djp_py_vectorcall(exchange->app->app, args + 1, 3 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    Py_DECREF(receive);
    if (awaitable == NULL) {
        return -1;
    }
    if (PyCoro_CheckExact(awaitable)) {
        call->iterator = awaitable;
        return 0;
    }
    call->iterator = djp_py_drive_iterator(awaitable);
    Py_DECREF(awaitable);
    return call->iterator != NULL ? 0 : -1;
}

static PySendResult
call_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    djp_py_call *call = (djp_py_call *)self;
    djp_py_exchange *exchange = call->exchange;
    *result = NULL;
    if (call->iterator == NULL) {
        if (exchange == NULL || call->receive == NULL) {
            PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
            return PYGEN_ERROR;
        }
        exchange->stepping = 1;
        int failed = call_start(call) < 0;
        exchange->stepping = 0;
        if (failed) {
            call_finish(call, 1);
            return PYGEN_ERROR;
        }
    }
    /* an application that closes its awaitable must not free it */
    PyObject *iterator = Py_NewRef(call->iterator);
    exchange->stepping = 1;
    PySendResult status = djp_py_drive_send(exchange->state, iterator, value, result);
    exchange->stepping = 0;
    Py_DECREF(iterator);
    if (status != PYGEN_NEXT) {
        call_finish(call, status == PYGEN_ERROR);
    } else if (djp_py_exchange_is_over(exchange)) { /* waits after the last byte: background work is
                                                       not part of the request */
        djp_py_exchange_finish(exchange);
    }
    return status;
}

static PyObject *
call_send(PyObject *self, PyObject *value)
{
    PyObject *result = NULL;
    PySendResult status = call_am_send(self, value, &result);
    return djp_py_drive_result(status, result);
}

static PyObject *
call_next(PyObject *self)
{
    PyObject *result = NULL;
    PySendResult status = call_am_send(self, Py_None, &result);
    return djp_py_drive_next(status, result);
}

static PyObject *
call_throw(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_call *call = (djp_py_call *)self;
    djp_py_exchange *exchange = call->exchange;
    if (exchange == NULL || call->done) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return NULL;
    }
    exchange->stepping = 1;
    PyObject *result = djp_py_drive_throw(call->iterator, args, nargs);
    exchange->stepping = 0;
    if (result == NULL && !call->done) {
        call_finish(call, !PyErr_ExceptionMatches(PyExc_StopIteration) || call->iterator == NULL);
    } else if (result != NULL && djp_py_exchange_is_over(exchange)) {
        djp_py_exchange_finish(exchange);
    }
    return result;
}

static PyObject *
call_close(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    djp_py_call *call = (djp_py_call *)self;
    int failed = call->iterator != NULL && djp_py_drive_close(call->iterator) < 0;
    if (failed) {
        if (!call->done) {
            call_finish(call, 1);
        }
        return NULL;
    }
    if (call->exchange != NULL) {
        djp_py_exchange_finish(call->exchange);
        call_leave(call);
    }
    Py_RETURN_NONE;
}

static PyMethodDef call_methods[] = {
    {"send", call_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))call_throw, METH_FASTCALL, NULL},
    {"close", call_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_tp_dealloc, (void *)call_dealloc},
    {Py_tp_traverse, (void *)call_traverse},
    {Py_tp_clear, (void *)call_clear},
    {Py_tp_iter, (void *)PyObject_SelfIter},
    {Py_tp_iternext, (void *)call_next},
    {Py_am_await, (void *)PyObject_SelfIter},
#if PY_VERSION_HEX >= 0x030a0000
    {Py_am_send, (void *)call_am_send},
#endif
    {Py_tp_methods, (void *)call_methods},
    {Py_tp_doc, (void *)"One request: awaits the application and records it."},
    {0, NULL},
};
static PyType_Spec call_spec = {"djp_telemetry.asgi.Call", sizeof(djp_py_call), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, call_slots};

int
djp_py_asgi_add_call(PyObject *module, djp_py_state *state)
{
    state->asgi->call_type = djp_py_type(module, &call_spec, NULL, NULL);
    return state->asgi->call_type != NULL ? 0 : -1;
}
