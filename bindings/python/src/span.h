/* Shared by the files of the Span object: span.c (its life), record.c (what it records), tracer.c and use.c (who enters it). */
#ifndef DJP_PY_SPAN_H
#define DJP_PY_SPAN_H

#include "binding.h"

#include <structmember.h>

/* Enter and leave without a call from Python. enter returns a new reference to the span; exception may be NULL. */
PyObject *djp_py_span_enter(PyObject *span);
void djp_py_span_leave(PyObject *span, PyObject *exception);
/* Leaves the span without ending it. */
void djp_py_span_go(PyObject *span);
/* The exception among the three arguments of __exit__, borrowed, or NULL. */
PyObject *djp_py_exit_exception(PyObject *const *args, Py_ssize_t nargs);
/* An awaitable that is done at once with a result, which is taken (NULL passes the exception on). use.c */
PyObject *djp_py_immediate(djp_py_state *state, PyObject *result);

/* record.c */
PyObject *djp_py_span_set_attribute(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_set_attributes(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_add_event(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_add_link(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_record_exception(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_set_status(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_update_name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_end_method(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *djp_py_span_recording(PyObject *self, PyObject *ignored);
/* Adds one link: a (context, attributes) pair, an object with both, or a context alone. */
void djp_py_add_link(djp_py_state *state, djp_span *span, PyObject *link, PyObject *attributes);

#define DJP_PY_FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS
/* clang-format off */
#define DJP_PY_SPAN_RECORDING_METHODS                                                                                \
    {"set_attribute", DJP_PY_FAST(djp_py_span_set_attribute),                                                        \
     "set_attribute($self, key, value)\n--\n\nSets one attribute: str, bool, int, float, bytes, None, or a list "    \
     "or mapping of these. The last value of a key wins; what cannot be kept is dropped and counted."},              \
    {"set_attributes", DJP_PY_FAST(djp_py_span_set_attributes),                                                      \
     "set_attributes($self, attributes)\n--\n\nSets every item of a mapping."},                                      \
    {"add_event", DJP_PY_FAST(djp_py_span_add_event),                                                                \
     "add_event($self, name, attributes=None, timestamp=None)\n--\n\nAdds an event; timestamp as in "                \
     "start_span(), now by default."},                                                                               \
    {"add_link", DJP_PY_FAST(djp_py_span_add_link),                                                                  \
     "add_link($self, context, attributes=None)\n--\n\nLinks a span, a SpanContext or a Context."},                  \
    {"record_exception", DJP_PY_FAST(djp_py_span_record_exception),                                                  \
     "record_exception($self, exception, attributes=None, timestamp=None, escaped=False)\n--\n\n"                    \
     "Adds an event with type, message and traceback (at most 32,768 characters); the status stays."},               \
    {"set_status", DJP_PY_FAST(djp_py_span_set_status),                                                              \
     "set_status($self, status, description=None)\n--\n\nSets \"unset\", \"ok\" or \"error\", a StatusCode or a "    \
     "Status. OK is final; a description counts with an error only."},                                               \
    {"update_name", DJP_PY_FAST(djp_py_span_update_name), "update_name($self, name)\n--\n\nRenames the span."},      \
    {"end", DJP_PY_FAST(djp_py_span_end_method), "end($self, end_time=None)\n--\n\nEnds the span, now or at "        \
     "end_time (as start_time of start_span()). Every later call on it does nothing."},                              \
    {"is_recording", djp_py_span_recording, METH_NOARGS,                                                             \
     "is_recording($self, /)\n--\n\nTrue while the span keeps what it is told."}
/* clang-format on */

#endif
