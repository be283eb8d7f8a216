/* SpanContext and its value types. Numbers and text are made from the raw ids only on request. */
#include "binding.h"

#include <string.h>

typedef struct context_object {
    PyObject ob_base;
    djp_span_context context; /* owns its tracestate */
} context_object;

PyObject *
djp_py_span_context_new(djp_py_state *state, const djp_span_context *context)
{
    context_object *self = PyObject_New(context_object, state->span_context_type);
    if (self != NULL) {
        djp_span_context_copy(&self->context, context);
    }
    return (PyObject *)self;
}

const djp_span_context *
djp_py_span_context_of(djp_py_state *state, PyObject *object)
{
    return object != NULL && Py_TYPE(object) == state->span_context_type
               ? &((context_object *)object)->context
               : NULL;
}

static void
context_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    djp_span_context_clear(&((context_object *)self)->context);
    PyObject_Free(self);
    Py_DECREF(type);
}

static void
context_hex(char *out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

PyObject *
djp_py_hex(const uint8_t *bytes, size_t size)
{
    PyObject *text = PyUnicode_New((Py_ssize_t)(2 * size), 127);
    if (text != NULL) {
        context_hex((char *)PyUnicode_1BYTE_DATA(text), bytes, size);
    }
    return text;
}

static PyObject *
context_number(const uint8_t *bytes, size_t size)
{
    char text[33];
    context_hex(text, bytes, size);
    return PyLong_FromString(text, NULL, 16);
}

/* Reads an unsigned integer of at most `size` bytes, big-endian. Returns 1, or 0 for anything
 * else. */
static int
context_number_parse(uint8_t *out, size_t size, PyObject *object)
{
    memset(out, 0, size);
    PyObject *text = object != NULL && PyLong_Check(object) ? PyNumber_ToBase(object, 16) : NULL;
    djp_py_text hex;
    int good = djp_py_text_get(&hex, text) && hex.text.size > 2 && hex.text.data[0] == '0' &&
               hex.text.size - 2 <= 2 * size;
    for (size_t i = 0; good && i < hex.text.size - 2; i++) {
        char c = hex.text.data[hex.text.size - 1 - i];
        unsigned nibble = c >= 'a' ? (unsigned)(c - 'a') + 10u : (unsigned)(c - '0');
        out[size - 1 - i / 2] |= (uint8_t)(nibble << (i % 2 * 4));
    }
    djp_py_text_release(&hex);
    Py_XDECREF(text);
    PyErr_Clear();
    return good;
}

static PyObject *
context_get_trace_id(PyObject *self, void *Py_UNUSED(closure))
{
    return context_number(((context_object *)self)->context.trace_id, 16);
}

static PyObject *
context_get_span_id(PyObject *self, void *Py_UNUSED(closure))
{
    return context_number(((context_object *)self)->context.span_id, 8);
}

static PyObject *
context_get_trace_flags(PyObject *self, void *Py_UNUSED(closure))
{
    djp_py_state *state = PyType_GetModuleState(Py_TYPE(self));
    return PyObject_CallFunction((PyObject *)state->trace_flags_type, "i",
                                 ((context_object *)self)->context.flags);
}

static PyObject *
context_get_is_remote(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(((context_object *)self)->context.is_remote);
}

static PyObject *
context_get_is_valid(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(djp_span_context_is_valid(&((context_object *)self)->context));
}

/* A copy of the list as a dict in its order; changes do not affect the list. */
static PyObject *
context_get_trace_state(PyObject *self, void *Py_UNUSED(closure))
{
    djp_py_state *state = PyType_GetModuleState(Py_TYPE(self));
    djp_text text = djp_tracestate_text(((context_object *)self)->context.state);
    PyObject *result = PyObject_CallNoArgs((PyObject *)state->trace_state_type);
    while (result != NULL && text.size > 0) {
        const char *comma = memchr(text.data, ',', text.size);
        size_t size = comma == NULL ? text.size : (size_t)(comma - text.data);
        const char *equal = memchr(text.data, '=', size);
        size_t key_size = equal == NULL ? size : (size_t)(equal - text.data);
        PyObject *key = djp_py_text_object((djp_text){text.data, key_size});
        PyObject *value =
            equal == NULL ? NULL : djp_py_text_object((djp_text){equal + 1, size - key_size - 1});
        if (equal != NULL &&
            (key == NULL || value == NULL || PyDict_SetItem(result, key, value) < 0)) {
            Py_CLEAR(result);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
        text.data += size + (comma != NULL);
        text.size -= size + (comma != NULL);
    }
    return result;
}

static int
context_state_parse(djp_tracestate **out, djp_py_state *state, PyObject *object)
{
    *out = NULL;
    if (object == NULL || object == Py_None) {
        return 1;
    }
    PyObject *header = PyUnicode_Check(object)
                           ? Py_NewRef(object)
                           : PyObject_CallMethodNoArgs(object, state->words.to_header);
    djp_py_text text;
    if (djp_py_text_get(&text, header) && text.text.size > 0) {
        (void)djp_tracestate_parse(out, &text.text, 1);
    }
    djp_py_text_release(&text);
    Py_XDECREF(header);
    PyErr_Clear();
    return *out != NULL;
}

static const djp_py_signature context_signature = {"SpanContext",
                                                   5,
                                                   2,
                                                   5,
                                                   {DJP_PY_WORD_trace_id, DJP_PY_WORD_span_id,
                                                    DJP_PY_WORD_is_remote, DJP_PY_WORD_trace_flags,
                                                    DJP_PY_WORD_trace_state}};

static PyObject *
context_vectorcall(PyObject *type, PyObject *const *args, size_t nargsf, PyObject *kwnames)
{
    djp_py_state *state = PyType_GetModuleState((PyTypeObject *)type);
    PyObject *given[5];
    if (djp_py_arguments(given, state, &context_signature, args, PyVectorcall_NARGS(nargsf),
                         kwnames) < 0) {
        return NULL;
    }
    djp_span_context context = {0};
    int good = context_number_parse(context.trace_id, 16, given[0]) &
               context_number_parse(context.span_id, 8, given[1]);
    if (!good) {
        memset(context.trace_id, 0, 16);
        memset(context.span_id, 0, 8);
    }
    context.is_remote = given[2] != NULL && PyObject_IsTrue(given[2]) == 1;
    context.flags = given[3] != NULL && PyLong_Check(given[3])
                        ? (uint8_t)(PyLong_AsUnsignedLongMask(given[3]) & 0xffu)
                        : 0;
    (void)context_state_parse(&context.state, state, given[4]);
    PyErr_Clear();
    PyObject *self = djp_py_span_context_new(state, &context);
    djp_span_context_clear(&context);
    return self;
}

static PyObject *
context_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type;
    PyObject *given[5] = {NULL};
    static char *names[] = {"trace_id", "span_id", "is_remote", "trace_flags", "trace_state", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|OOO:SpanContext", names, &given[0],
                                     &given[1], &given[2], &given[3], &given[4])) {
        return NULL;
    }
    size_t count = 5;
    for (size_t i = 2; i < 5; i++) {
        given[i] = given[i] == NULL ? Py_None : given[i];
    }
    return context_vectorcall((PyObject *)type, given, count, NULL);
}

static PyObject *
context_compare(PyObject *left, PyObject *right, int operation)
{
    if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(left) != Py_TYPE(right)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    const djp_span_context *a = &((context_object *)left)->context,
                           *b = &((context_object *)right)->context;
    djp_text s = djp_tracestate_text(a->state), t = djp_tracestate_text(b->state);
    int same = memcmp(a->trace_id, b->trace_id, 16) == 0 &&
               memcmp(a->span_id, b->span_id, 8) == 0 && a->flags == b->flags &&
               a->is_remote == b->is_remote && s.size == t.size &&
               (s.size == 0 || memcmp(s.data, t.data, s.size) == 0);
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static Py_hash_t
context_hash(PyObject *self)
{
    Py_hash_t hash;
    memcpy(&hash, ((context_object *)self)->context.span_id, sizeof hash);
    return hash == -1 ? -2 : hash;
}

static PyObject *
context_repr(PyObject *self)
{
    const djp_span_context *context = &((context_object *)self)->context;
    char trace_id[33], span_id[17];
    context_hex(trace_id, context->trace_id, 16);
    context_hex(span_id, context->span_id, 8);
    return PyUnicode_FromFormat(
        "SpanContext(trace_id=0x%s, span_id=0x%s, trace_flags=%d, is_remote=%s)", trace_id, span_id,
        (int)context->flags, context->is_remote ? "True" : "False");
}

PyObject *
djp_py_copy(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return Py_NewRef(self);
}

/* For pickle: numbers and text from which a process with or without the core makes a
 * SpanContext. */
static PyObject *
context_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    const djp_span_context *context = &((context_object *)self)->context;
    PyObject *trace_id = context_get_trace_id(self, NULL),
             *span_id = context_get_span_id(self, NULL);
    PyObject *header = djp_py_text_object(djp_tracestate_text(context->state)), *result = NULL;
    if (trace_id != NULL && span_id != NULL && header != NULL) {
        result = Py_BuildValue("(O(OOOiO))", Py_TYPE(self), trace_id, span_id,
                               context->is_remote ? Py_True : Py_False, (int)context->flags,
                               PyUnicode_GET_LENGTH(header) == 0 ? Py_None : header);
    }
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    Py_XDECREF(header);
    return result;
}

static PyMethodDef context_methods[] = {
    {"__reduce__", context_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nFor pickle."},
    DJP_PY_COPY_METHODS,
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef context_getset[] = {
    {"trace_id", context_get_trace_id, NULL, DJP_PY_DOC_SPANCONTEXT_TRACE_ID, NULL},
    {"span_id", context_get_span_id, NULL, DJP_PY_DOC_SPANCONTEXT_SPAN_ID, NULL},
    {"trace_flags", context_get_trace_flags, NULL, DJP_PY_DOC_SPANCONTEXT_TRACE_FLAGS, NULL},
    {"trace_state", context_get_trace_state, NULL, DJP_PY_DOC_SPANCONTEXT_TRACE_STATE, NULL},
    {"is_remote", context_get_is_remote, NULL, DJP_PY_DOC_SPANCONTEXT_IS_REMOTE, NULL},
    {"is_valid", context_get_is_valid, NULL, DJP_PY_DOC_SPANCONTEXT_IS_VALID, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot context_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_SPANCONTEXT},
    {Py_tp_new, (void *)context_new},
    {Py_tp_dealloc, (void *)context_dealloc},
    {Py_tp_richcompare, (void *)context_compare},
    {Py_tp_hash, (void *)context_hash},
    {Py_tp_repr, (void *)context_repr},
    {Py_tp_methods, context_methods},
    {Py_tp_getset, context_getset},
    {0, NULL},
};
static PyType_Spec context_spec = {"djp_telemetry.SpanContext", sizeof(context_object), 0,
                                   Py_TPFLAGS_DEFAULT, context_slots};

/* ---- TraceFlags: an int with names for its bits; TraceState: a dict that knows its header form
 * ---- */

static PyObject *
flags_get_sampled(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong((long)(PyLong_AsUnsignedLongMask(self) & DJP_FLAG_SAMPLED));
}

static PyGetSetDef flags_getset[] = {
    {"sampled", flags_get_sampled, NULL, DJP_PY_DOC_TRACEFLAGS_SAMPLED, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot flags_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_TRACEFLAGS}, {Py_tp_getset, flags_getset}, {0, NULL}};
static PyType_Spec flags_spec = {"djp_telemetry.TraceFlags", 0, 0, Py_TPFLAGS_DEFAULT, flags_slots};

static PyObject *
trace_state_to_header(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *key, *value, *members = PyList_New(0), *header = NULL;
    Py_ssize_t at = 0;
    while (members != NULL && PyDict_Next(self, &at, &key, &value)) {
        Py_INCREF(key); /* their texts may be code that empties the dict */
        Py_INCREF(value);
        PyObject *member = PyUnicode_FromFormat("%S=%S", key, value);
        Py_DECREF(key);
        Py_DECREF(value);
        if (member == NULL || PyList_Append(members, member) < 0) {
            Py_CLEAR(members);
        }
        Py_XDECREF(member);
    }
    PyObject *comma = PyUnicode_FromString(",");
    if (members != NULL && comma != NULL) {
        header = PyUnicode_Join(comma, members);
    }
    Py_XDECREF(comma);
    Py_XDECREF(members);
    return header;
}

static PyMethodDef trace_state_methods[] = {
    {"to_header", trace_state_to_header, METH_NOARGS, DJP_PY_DOC_TRACESTATE_TO_HEADER},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot trace_state_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_TRACESTATE}, {Py_tp_methods, trace_state_methods}, {0, NULL}};
static PyType_Spec trace_state_spec = {"djp_telemetry.TraceState", 0, 0, Py_TPFLAGS_DEFAULT,
                                       trace_state_slots};

static int
context_part_init(PyObject *module, djp_py_state *state)
{
    state->span_context_type = djp_py_type(module, &context_spec, NULL, "SpanContext");
    if (state->span_context_type == NULL) {
        return -1;
    }
    state->span_context_type->tp_vectorcall = context_vectorcall;
    state->trace_flags_type =
        djp_py_type(module, &flags_spec, (PyObject *)&PyLong_Type, "TraceFlags");
    state->trace_state_type =
        djp_py_type(module, &trace_state_spec, (PyObject *)&PyDict_Type, "TraceState");
    return state->trace_flags_type == NULL || state->trace_state_type == NULL ? -1 : 0;
}

static int
context_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->span_context_type);
    Py_VISIT(state->trace_flags_type);
    Py_VISIT(state->trace_state_type);
    return 0;
}

static void
context_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->span_context_type);
    Py_CLEAR(state->trace_flags_type);
    Py_CLEAR(state->trace_state_type);
}

const djp_py_part djp_py_context_part = {context_part_init, context_part_traverse,
                                         context_part_clear};

/* Reads a foreign span context (OpenTelemetry's) by its attributes. Returns 1 when it is valid; the
 * caller clears out. */
int
djp_py_span_context_foreign(djp_span_context *out, djp_py_state *state, PyObject *object)
{
    PyObject *trace_id = PyObject_GetAttr(object, state->words.trace_id);
    PyObject *span_id = trace_id == NULL ? NULL : PyObject_GetAttr(object, state->words.span_id);
    PyObject *flags = span_id == NULL ? NULL : PyObject_GetAttr(object, state->words.trace_flags);
    PyObject *trace_state =
        flags == NULL ? NULL : PyObject_GetAttr(object, state->words.trace_state);
    PyObject *is_remote =
        trace_state == NULL ? NULL : PyObject_GetAttr(object, state->words.is_remote);
    PyErr_Clear();
    memset(out, 0, sizeof *out);
    int good = context_number_parse(out->trace_id, 16, trace_id) &&
               context_number_parse(out->span_id, 8, span_id);
    if (good) {
        out->flags = flags != NULL && PyLong_Check(flags)
                         ? (uint8_t)(PyLong_AsUnsignedLongMask(flags) & 0xffu)
                         : 0;
        out->is_remote = is_remote != NULL && PyObject_IsTrue(is_remote) == 1;
        (void)context_state_parse(&out->state, state, trace_state);
    }
    PyErr_Clear();
    Py_XDECREF(trace_id);
    Py_XDECREF(span_id);
    Py_XDECREF(flags);
    Py_XDECREF(trace_state);
    Py_XDECREF(is_remote);
    if (!good) {
        djp_span_context_clear(out);
    }
    return good && djp_span_context_is_valid(out);
}
