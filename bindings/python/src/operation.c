/* Operations that have ended: jobs, calls of other services, requests. The package has converted
 * the arguments; the core makes span and metrics of them. Nothing here raises, except for arguments
 * that no caller of this package gives. */
#include "binding.h"

/* The recorders of the active SDK; NULL while telemetry is off. Borrowed. */
static djp_operations *
operation_recorders(djp_py_state *state)
{
    djp_py_sdk *sdk = state->sdk;
    if (sdk == NULL || (state->recorder == NULL && djp_sdk_builtin(sdk->sdk) == NULL)) {
        return NULL;
    }
    return djp_sdk_operations(sdk->sdk);
}

/* What every recording needs: the texts, and the current span as the parent. */
typedef struct operation_call {
    djp_py_text texts[3];
    djp_py_parent parent;
    const djp_span_context *remote; /* in parent, or NULL */
    PyObject *current;
} operation_call;

/* Returns the recorders, or NULL while telemetry is off: then `out` needs no end. */
static djp_operations *
operation_begin(operation_call *out, PyObject *module, PyObject *const *texts, int count)
{
    djp_py_state *state = djp_py_state_of(module);
    djp_operations *operations = operation_recorders(state);
    if (operations == NULL) {
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        (void)djp_py_text_get(&out->texts[i], i < count ? texts[i] : NULL);
    }
    out->current = djp_py_current_find(state);
    djp_py_parent_get(&out->parent, state, out->current);
    out->remote = out->parent.has_remote ? &out->parent.remote : NULL;
    return operations;
}

static PyObject *
operation_end(operation_call *call)
{
    djp_py_parent_release(&call->parent);
    Py_XDECREF(call->current);
    for (int i = 0; i < 3; i++) {
        djp_py_text_release(&call->texts[i]);
    }
    Py_RETURN_NONE;
}

/* _record_job(queue_name, job_type, seconds, success, error_type) */
static PyObject *
operation_job(PyObject *module, PyObject *args)
{
    PyObject *texts[3];
    djp_job job = {.seconds = 0};
    int success;
    if (!PyArg_ParseTuple(args, "OOdpO", &texts[0], &texts[1], &job.seconds, &success, &texts[2])) {
        return NULL;
    }
    operation_call call;
    djp_operations *operations = operation_begin(&call, module, texts, 3);
    if (operations == NULL) {
        Py_RETURN_NONE;
    }
    job.queue = call.texts[0].text;
    job.type = call.texts[1].text;
    job.failed = !success;
    job.error_type = call.texts[2].text;
    djp_job_record(operations, &job, call.parent.span, call.remote);
    return operation_end(&call);
}

/* _record_external_call(service, operation, seconds, success, status) */
static PyObject *
operation_external_call(PyObject *module, PyObject *args)
{
    PyObject *texts[2];
    djp_external_call ended = {.seconds = 0};
    int success;
    if (!PyArg_ParseTuple(args, "OOdpi", &texts[0], &texts[1], &ended.seconds, &success,
                          &ended.status)) {
        return NULL;
    }
    operation_call call;
    djp_operations *operations = operation_begin(&call, module, texts, 2);
    if (operations == NULL) {
        Py_RETURN_NONE;
    }
    ended.service = call.texts[0].text;
    ended.operation = call.texts[1].text;
    ended.failed = !success;
    djp_external_call_record(operations, &ended, call.parent.span, call.remote);
    return operation_end(&call);
}

/* _record_request(method, route, status, seconds) */
static PyObject *
operation_request(PyObject *module, PyObject *args)
{
    PyObject *texts[2];
    djp_ended_request ended = {.seconds = 0};
    if (!PyArg_ParseTuple(args, "OOid", &texts[0], &texts[1], &ended.status, &ended.seconds)) {
        return NULL;
    }
    operation_call call;
    djp_operations *operations = operation_begin(&call, module, texts, 2);
    if (operations == NULL) {
        Py_RETURN_NONE;
    }
    ended.method = call.texts[0].text;
    ended.route = call.texts[1].text;
    djp_ended_request_record(operations, &ended, call.parent.span, call.remote);
    return operation_end(&call);
}

static PyMethodDef operation_functions[] = {
    {"_record_job", operation_job, METH_VARARGS, NULL},
    {"_record_external_call", operation_external_call, METH_VARARGS, NULL},
    {"_record_request", operation_request, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static int
operation_part_init(PyObject *module, djp_py_state *state)
{
    (void)state;
    return PyModule_AddFunctions(module, operation_functions);
}

const djp_py_part djp_py_operation_part = {operation_part_init, NULL, NULL};
