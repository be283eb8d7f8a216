/* The application's `receive`: passes the server's messages on and stores body sizes and the
 * client's disconnect. Its awaitable drives the server's coroutine step by step and changes
 * nothing. */
#include "asgi_types.h"

#include <stddef.h>

#if PY_VERSION_HEX >= 0x030c0000
#define RECEIVE_OFFSET_FLAGS Py_READONLY
#define RECEIVE_OFFSET_TYPE Py_T_PYSSIZET
#else
#include <structmember.h>
#define RECEIVE_OFFSET_FLAGS READONLY
#define RECEIVE_OFFSET_TYPE T_PYSSIZET
#endif

typedef struct djp_py_receive {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    djp_py_exchange *exchange; /* owned */
    PyObject *receive; /* the server's; owned */
} djp_py_receive;

/* One message in transit. */
typedef struct djp_py_message {
    PyObject_HEAD
    djp_py_exchange *exchange; /* owned */
    PyObject *iterator; /* owned */
    djp_py_direction direction;
} djp_py_message;

static PyObject *
receive_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    djp_py_receive *receive = (djp_py_receive *)self;
    if (receive->exchange == NULL || receive->receive == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the request is over");
        return NULL;
    }
    PyObject *awaitable = djp_py_vectorcall(receive->receive, args, nargsf, kwnames);
    if (awaitable == NULL || receive->exchange->recorded ||
        receive->exchange->state->asgi == NULL) {
        return awaitable;
    }
    return djp_py_message_new(receive->exchange, awaitable, DJP_PY_RECEIVES);
}

PyObject *
djp_py_message_new(djp_py_exchange *exchange, PyObject *awaitable, djp_py_direction direction)
{
    PyObject *iterator = djp_py_drive_iterator(awaitable);
    Py_DECREF(awaitable);
    if (iterator == NULL) {
        return NULL;
    }
    djp_py_asgi_state *asgi = exchange->state->asgi;
    djp_py_message *message = djp_py_pool_take(&asgi->messages, asgi->message_type);
    if (message == NULL) {
        Py_DECREF(iterator);
        return NULL;
    }
    message->exchange = (djp_py_exchange *)Py_NewRef((PyObject *)exchange);
    message->iterator = iterator;
    message->direction = direction;
    PyObject_GC_Track(message);
    return (PyObject *)message;
}

PyObject *
djp_py_receive_new(djp_py_exchange *exchange, PyObject *inner)
{
    djp_py_receive *receive =
        djp_py_pool_take(&exchange->state->asgi->receives, exchange->state->asgi->receive_type);
    if (receive == NULL) {
        return NULL;
    }
    receive->vectorcall = receive_call;
    receive->exchange = (djp_py_exchange *)Py_NewRef((PyObject *)exchange);
    receive->receive = Py_NewRef(inner);
    PyObject_GC_Track(receive);
    return (PyObject *)receive;
}

static int
receive_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((djp_py_receive *)self)->exchange);
    Py_VISIT(((djp_py_receive *)self)->receive);
    return 0;
}

static int
receive_clear(PyObject *self)
{
    Py_CLEAR(((djp_py_receive *)self)->exchange);
    Py_CLEAR(((djp_py_receive *)self)->receive);
    return 0;
}

static void
receive_dealloc(PyObject *self)
{
    djp_py_exchange *exchange = ((djp_py_receive *)self)->exchange;
    djp_py_state *state = exchange != NULL ? exchange->state : NULL;
    PyObject_GC_UnTrack(self);
    receive_clear(self);
    djp_py_pool_give(state != NULL && state->asgi != NULL ? &state->asgi->receives : NULL, self);
}

static int
message_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((djp_py_message *)self)->exchange);
    Py_VISIT(((djp_py_message *)self)->iterator);
    return 0;
}

static int
message_clear(PyObject *self)
{
    Py_CLEAR(((djp_py_message *)self)->exchange);
    Py_CLEAR(((djp_py_message *)self)->iterator);
    return 0;
}

static void
message_dealloc(PyObject *self)
{
    djp_py_exchange *exchange = ((djp_py_message *)self)->exchange;
    djp_py_state *state = exchange != NULL ? exchange->state : NULL;
    PyObject_GC_UnTrack(self);
    message_clear(self);
    djp_py_pool_give(state != NULL && state->asgi != NULL ? &state->asgi->messages : NULL, self);
}

static PySendResult
message_am_send(PyObject *self, PyObject *value, PyObject **result)
{
    djp_py_message *message = (djp_py_message *)self;
    djp_py_exchange *exchange = message->exchange;
    *result = NULL;
    if (exchange == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return PYGEN_ERROR;
    }
    PySendResult status = djp_py_drive_send(exchange->state, message->iterator, value, result);
    if (status == PYGEN_RETURN && message->direction == DJP_PY_RECEIVES) {
        djp_py_exchange_received(exchange, *result);
    } else if (status == PYGEN_ERROR && message->direction != DJP_PY_RECEIVES) {
        djp_py_exchange_send_failed(exchange, message->direction == DJP_PY_SENDS_FIRST);
    }
    return status;
}

static PyObject *
message_send(PyObject *self, PyObject *value)
{
    PyObject *result = NULL;
    PySendResult status = message_am_send(self, value, &result);
    return djp_py_drive_result(status, result);
}

static PyObject *
message_next(PyObject *self)
{
    PyObject *result = NULL;
    PySendResult status = message_am_send(self, Py_None, &result);
    return djp_py_drive_next(status, result);
}

static PyObject *
message_throw(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    djp_py_message *message = (djp_py_message *)self;
    if (message->exchange == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return NULL;
    }
    PyObject *result = djp_py_drive_throw(message->iterator, args, nargs);
    if (result == NULL && message->direction != DJP_PY_RECEIVES) {
        djp_py_exchange_send_failed(message->exchange, message->direction == DJP_PY_SENDS_FIRST);
    }
    return result;
}

static PyObject *
message_close(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    djp_py_message *message = (djp_py_message *)self;
    if (message->exchange != NULL && djp_py_drive_close(message->iterator) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyMethodDef message_methods[] = {
    {"send", message_send, METH_O, NULL},
    {"throw", (PyCFunction)(void (*)(void))message_throw, METH_FASTCALL, NULL},
    {"close", message_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef receive_members[] = {
    {"__vectorcalloffset__", RECEIVE_OFFSET_TYPE, offsetof(djp_py_receive, vectorcall),
     RECEIVE_OFFSET_FLAGS, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot receive_slots[] = {
    {Py_tp_dealloc, (void *)receive_dealloc},
    {Py_tp_traverse, (void *)receive_traverse},
    {Py_tp_clear, (void *)receive_clear},
    {Py_tp_call, (void *)PyVectorcall_Call},
    {Py_tp_members, (void *)receive_members},
    {Py_tp_doc, (void *)"The receive of one request."},
    {0, NULL},
};
static PyType_Slot message_slots[] = {
    {Py_tp_dealloc, (void *)message_dealloc},
    {Py_tp_traverse, (void *)message_traverse},
    {Py_tp_clear, (void *)message_clear},
    {Py_tp_iter, (void *)PyObject_SelfIter},
    {Py_tp_iternext, (void *)message_next},
    {Py_am_await, (void *)PyObject_SelfIter},
#if PY_VERSION_HEX >= 0x030a0000
    {Py_am_send, (void *)message_am_send},
#endif
    {Py_tp_methods, (void *)message_methods},
    {Py_tp_doc, (void *)"One message on its way from the server."},
    {0, NULL},
};
static PyType_Spec receive_spec = {
    "djp_telemetry.asgi.Receive", sizeof(djp_py_receive), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, receive_slots};
static PyType_Spec message_spec = {"djp_telemetry.asgi.Message", sizeof(djp_py_message), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, message_slots};

int
djp_py_asgi_add_receive(PyObject *module, djp_py_state *state)
{
    state->asgi->receive_type = djp_py_type(module, &receive_spec, NULL, NULL);
    state->asgi->message_type = djp_py_type(module, &message_spec, NULL, NULL);
    return state->asgi->receive_type != NULL && state->asgi->message_type != NULL ? 0 : -1;
}
