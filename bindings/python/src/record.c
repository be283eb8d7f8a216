/* The recording methods of Span: each reads its arguments and passes them to the core. None raises
 * for a value; an invalid one is counted on the span. */
#include "span.h"

#include <string.h>

#define record_self(object) ((djp_py_span *)(object))

PyObject *
djp_py_span_set_attribute(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "set_attribute", 2, 2, 2, {DJP_PY_WORD_key, DJP_PY_WORD_value}};
    djp_py_state *state = record_self(self)->state;
    PyObject *given[2];
    if (kwnames != NULL || nargs != 2) {
        if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
            return NULL;
        }
        args = given;
    }
    djp_span *span = record_self(self)->span;
    if (span != NULL && args[1] != Py_None) {
        djp_py_set_attribute(state, span, djp_py_key(state, args[0]), args[1]);
    }
    Py_RETURN_NONE;
}

PyObject *
djp_py_span_set_attributes(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    static const djp_py_signature signature = {"set_attributes", 1, 1, 1, {DJP_PY_WORD_attributes}};
    PyObject *given[1];
    if (djp_py_arguments(given, record_self(self)->state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (record_self(self)->span != NULL) {
        djp_py_set_attributes(record_self(self)->state, record_self(self)->span, given[0]);
    }
    Py_RETURN_NONE;
}

static void
record_dropped(djp_span *span, const djp_py_attributes *attributes)
{
    for (size_t i = 0; i < attributes->dropped; i++) {
        djp_span_drop_attribute(span);
    }
}

PyObject *
djp_py_span_add_event(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "add_event", 3, 1, 3, {DJP_PY_WORD_name, DJP_PY_WORD_attributes, DJP_PY_WORD_timestamp}};
    djp_py_state *state = record_self(self)->state;
    djp_span *span = record_self(self)->span;
    PyObject *given[3];
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (span == NULL) {
        Py_RETURN_NONE;
    }
    djp_py_text name;
    djp_py_attributes attributes;
    if (!djp_py_text_get(&name, given[0])) {
        djp_span_drop_attribute(span);
    }
    djp_py_attributes_get(&attributes, state, given[1]);
    djp_span_add_event(span, name.text, djp_py_time(given[2]), attributes.items, attributes.count);
    record_dropped(span, &attributes);
    djp_py_attributes_release(&attributes);
    djp_py_text_release(&name);
    Py_RETURN_NONE;
}

/* The context and the attributes of OpenTelemetry's Link, or of a pair; both become owned. */
static void
record_split_link(djp_py_state *state, PyObject *link, PyObject **context, PyObject **attributes)
{
    if (PyTuple_Check(link) && PyTuple_GET_SIZE(link) == 2) {
        *context = Py_NewRef(PyTuple_GET_ITEM(link, 0));
        *attributes = Py_NewRef(PyTuple_GET_ITEM(link, 1));
        return;
    }
    int own = djp_py_span_check(state, link) || djp_py_span_context_of(state, link) != NULL;
    *context = own ? NULL : PyObject_GetAttr(link, state->words.context);
    *attributes = *context == NULL ? NULL : PyObject_GetAttr(link, state->words.attributes);
    PyErr_Clear();
    if (*context == NULL) {
        *context = Py_NewRef(link);
    }
}

void
djp_py_add_link(djp_py_state *state, djp_span *span, PyObject *link, PyObject *attributes)
{
    PyObject *target = NULL, *own = NULL;
    if (attributes == NULL) {
        record_split_link(state, link, &target, &own);
    }
    djp_py_parent parent;
    djp_span_context context;
    djp_py_parent_get(&parent, state, target == NULL ? link : target);
    const djp_span_context *empty = djp_py_span_context_of(state, target == NULL ? link : target);
    if (parent.span != NULL) {
        djp_span_get_context(&context, parent.span);
    } else {
        context = parent.has_remote || empty == NULL ? parent.remote : *empty;
    }
    if (parent.span != NULL || parent.has_remote || empty != NULL) {
        djp_py_attributes converted;
        djp_py_attributes_get(&converted, state, attributes == NULL ? own : attributes);
        djp_span_add_link(span, &context, converted.items, converted.count);
        record_dropped(span, &converted);
        djp_py_attributes_release(&converted);
    } else {
        djp_span_add_link(span, NULL, NULL, 0);
    }
    djp_py_parent_release(&parent);
    Py_XDECREF(target);
    Py_XDECREF(own);
}

PyObject *
djp_py_span_add_link(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "add_link", 2, 1, 2, {DJP_PY_WORD_context, DJP_PY_WORD_attributes}};
    PyObject *given[2];
    if (djp_py_arguments(given, record_self(self)->state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (record_self(self)->span != NULL) {
        djp_py_add_link(record_self(self)->state, record_self(self)->span, given[0],
                        djp_py_given(given[1]));
    }
    Py_RETURN_NONE;
}

PyObject *
djp_py_span_record_exception(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                             PyObject *kwnames)
{
    static const djp_py_signature signature = {"record_exception",
                                               4,
                                               1,
                                               4,
                                               {DJP_PY_WORD_exception, DJP_PY_WORD_attributes,
                                                DJP_PY_WORD_timestamp, DJP_PY_WORD_escaped}};
    djp_py_state *state = record_self(self)->state;
    djp_span *span = record_self(self)->span;
    PyObject *given[4];
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (span == NULL || !djp_span_is_recording(span)) {
        Py_RETURN_NONE;
    }
    if (!PyExceptionInstance_Check(given[0])) {
        djp_span_drop_attribute(span);
        Py_RETURN_NONE;
    }
    int escaped = given[3] == NULL ? 0 : PyObject_IsTrue(given[3]) == 1;
    PyErr_Clear();
    djp_py_record_exception(state, span, given[0], given[1], djp_py_time(given[2]), escaped);
    Py_RETURN_NONE;
}

static int
record_status_word(PyObject *word)
{
    djp_py_text text;
    int status = -1;
    if (djp_py_text_get(&text, word)) {
        if (text.text.size == 5 && strncasecmp(text.text.data, "error", 5) == 0) {
            status = DJP_STATUS_ERROR;
        } else if (text.text.size == 2 && strncasecmp(text.text.data, "ok", 2) == 0) {
            status = DJP_STATUS_OK;
        } else if (text.text.size == 5 && strncasecmp(text.text.data, "unset", 5) == 0) {
            status = DJP_STATUS_UNSET;
        }
    }
    djp_py_text_release(&text);
    return status;
}

/* A number, a word, or an enum whose name is such a word; -1 for anything else. */
static int
record_status_code(djp_py_state *state, PyObject *object)
{
    if (PyLong_Check(object)) {
        int overflow;
        long code = PyLong_AsLongAndOverflow(object, &overflow);
        return code >= 0 && code <= 2 ? (int)code : -1;
    }
    if (PyUnicode_Check(object)) {
        return record_status_word(object);
    }
    PyObject *name = PyObject_GetAttr(object, state->words.name);
    int code = name == NULL ? -1 : record_status_word(name);
    Py_XDECREF(name);
    PyErr_Clear();
    return code;
}

PyObject *
djp_py_span_set_status(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "set_status", 2, 1, 2, {DJP_PY_WORD_status, DJP_PY_WORD_description}};
    djp_py_state *state = record_self(self)->state;
    djp_span *span = record_self(self)->span;
    PyObject *given[2], *own_description = NULL;
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (span == NULL) {
        Py_RETURN_NONE;
    }
    int code = record_status_code(state, given[0]);
    if (code < 0) {
        PyObject *inner = PyObject_GetAttr(given[0], state->words.status_code);
        code = inner == NULL ? -1 : record_status_code(state, inner);
        Py_XDECREF(inner);
        own_description = PyObject_GetAttr(given[0], state->words.description);
        PyErr_Clear();
    }
    djp_py_text description;
    (void)djp_py_text_get(&description,
                          given[1] == NULL || given[1] == Py_None ? own_description : given[1]);
    if (code >= 0) {
        djp_span_set_status(span, (djp_status_code)code, description.text);
    } else {
        djp_span_drop_attribute(span);
    }
    djp_py_text_release(&description);
    Py_XDECREF(own_description);
    Py_RETURN_NONE;
}

PyObject *
djp_py_span_update_name(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {"update_name", 1, 1, 1, {DJP_PY_WORD_name}};
    PyObject *given[1];
    djp_py_text name;
    if (djp_py_arguments(given, record_self(self)->state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (djp_py_text_get(&name, given[0])) {
        djp_span_update_name(record_self(self)->span, name.text);
    }
    djp_py_text_release(&name);
    Py_RETURN_NONE;
}

PyObject *
djp_py_span_end_method(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {"end", 1, 0, 1, {DJP_PY_WORD_end_time}};
    PyObject *given[1];
    if (djp_py_arguments(given, record_self(self)->state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    (void)djp_span_end(record_self(self)->span, djp_py_time(given[0]));
    record_self(self)->flags |= DJP_PY_SPAN_ENDED;
    Py_RETURN_NONE;
}

PyObject *
djp_py_span_recording(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(djp_span_is_recording(record_self(self)->span));
}
