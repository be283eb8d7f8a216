/* Declarations of the Span object: span.c (entering and leaving), record.c (recording), tracer.c
 * and use.c (callers). */
#ifndef DJP_PY_SPAN_H
#define DJP_PY_SPAN_H

#include "binding.h"

#include <structmember.h>

/* Enters and leaves without a call from Python. enter returns a new reference to the span;
 * exception may be NULL. */
PyObject *djp_py_span_enter(PyObject *span);
void djp_py_span_leave(PyObject *span, PyObject *exception);
/* Leaves the span without ending it. */
void djp_py_span_go(PyObject *span);
/* The exception among the three arguments of __exit__, borrowed, or NULL. */
PyObject *djp_py_exit_exception(PyObject *const *args, Py_ssize_t nargs);
/* An awaitable that is already done with a result, which is taken (NULL passes the exception on).
 * use.c */
PyObject *djp_py_immediate(djp_py_state *state, PyObject *result);

/* record.c */
PyObject *djp_py_span_set_attribute(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                    PyObject *kwnames);
PyObject *djp_py_span_set_attributes(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                     PyObject *kwnames);
PyObject *
djp_py_span_add_event(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *
djp_py_span_add_link(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_record_exception(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                                       PyObject *kwnames);
PyObject *
djp_py_span_set_status(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *
djp_py_span_update_name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *
djp_py_span_end_method(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_recording(PyObject *self, PyObject *ignored);
/* Adds one link: a (context, attributes) pair, an object with both, or a context alone. */
void djp_py_add_link(djp_py_state *state, djp_span *span, PyObject *link, PyObject *attributes);

#define DJP_PY_FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS
/* clang-format off */
#define DJP_PY_SPAN_RECORDING_METHODS \
    {"set_attribute", DJP_PY_FAST(djp_py_span_set_attribute), DJP_PY_DOC_SPAN_SET_ATTRIBUTE}, \
    {"set_attributes", DJP_PY_FAST(djp_py_span_set_attributes), DJP_PY_DOC_SPAN_SET_ATTRIBUTES}, \
    {"add_event", DJP_PY_FAST(djp_py_span_add_event), DJP_PY_DOC_SPAN_ADD_EVENT}, \
    {"add_link", DJP_PY_FAST(djp_py_span_add_link), DJP_PY_DOC_SPAN_ADD_LINK}, \
    {"record_exception", DJP_PY_FAST(djp_py_span_record_exception), \
     DJP_PY_DOC_SPAN_RECORD_EXCEPTION}, \
    {"set_status", DJP_PY_FAST(djp_py_span_set_status), DJP_PY_DOC_SPAN_SET_STATUS}, \
    {"update_name", DJP_PY_FAST(djp_py_span_update_name), DJP_PY_DOC_SPAN_UPDATE_NAME}, \
    {"end", DJP_PY_FAST(djp_py_span_end_method), DJP_PY_DOC_SPAN_END}, \
    {"is_recording", djp_py_span_recording, METH_NOARGS, DJP_PY_DOC_SPAN_IS_RECORDING}
/* clang-format on */

#endif
