/* inject() and extract(): trace context and baggage between Python carriers and the core's parsers.
 * Carriers are dicts, lists of pairs (also ASGI's raw bytes), mappings, or objects with a setter or
 * getter; a carrier that fails is left as it is. */
#include "binding.h"

#include <string.h>
#include <strings.h>

enum { PROPAGATE_PARENT, PROPAGATE_STATE, PROPAGATE_BAGGAGE, PROPAGATE_FIELDS };
static const char *const propagate_names[PROPAGATE_FIELDS] = {"traceparent", "tracestate",
                                                              "baggage"};
#define PROPAGATE_VALUES_MAX 32

static int
propagate_wants(const djp_py_state *state, const char *propagator)
{
    const djp_options *options = state->sdk == NULL ? NULL : djp_sdk_options(state->sdk->sdk);
    return options == NULL || strstr(options->propagators, propagator) != NULL;
}

/* ---- inject ---- */

static int
propagate_append(PyObject *list, const char *name, djp_text value)
{
    PyObject *first = PyList_GET_SIZE(list) > 0 ? PyList_GET_ITEM(list, 0) : NULL;
    if (first != NULL && PyTuple_Check(first) && PyTuple_GET_SIZE(first) > 0) {
        first = PyTuple_GET_ITEM(first, 0);
    } else if (first != NULL && PyList_Check(first) && PyList_GET_SIZE(first) > 0) {
        first = PyList_GET_ITEM(first, 0);
    }
    const char *format = first != NULL && PyBytes_Check(first) ? "(yy#)" : "(ss#)";
    PyObject *pair = Py_BuildValue(format, name, value.data, (Py_ssize_t)value.size);
    int failed = pair == NULL || PyList_Append(list, pair) < 0;
    Py_XDECREF(pair);
    return failed ? -1 : 0;
}

static int
propagate_put(djp_py_state *state, PyObject *carrier, PyObject *put, const char *name,
              djp_text value)
{
    if (value.size == 0) {
        return 0;
    }
    if (put == NULL && PyList_Check(carrier)) {
        return propagate_append(carrier, name, value);
    }
    PyObject *key = PyUnicode_InternFromString(name), *text = djp_py_text_object(value),
             *done = NULL;
    int result = -1;
    if (key == NULL || text == NULL) {
        goto done;
    }
    if (put != NULL && PyCallable_Check(put)) {
        result =
            (done = PyObject_CallFunctionObjArgs(put, carrier, key, text, NULL)) == NULL ? -1 : 0;
    } else if (put != NULL) {
        result = (done = PyObject_CallMethodObjArgs(put, state->words.set, carrier, key, text,
                                                    NULL)) == NULL
                     ? -1
                     : 0;
    } else {
        result = PyObject_SetItem(carrier, key, text);
    }
done:
    Py_XDECREF(key);
    Py_XDECREF(text);
    Py_XDECREF(done);
    return result;
}

static void
propagate_inject(djp_py_state *state, PyObject *carrier, PyObject *put,
                 const djp_span_context *context, const djp_baggage *baggage)
{
    char traceparent[DJP_TRACEPARENT_SIZE + 1];
    int result = 0;
    if (djp_span_context_is_valid(context) && propagate_wants(state, "tracecontext")) {
        djp_traceparent_write(traceparent, context);
        result = propagate_put(state, carrier, put, propagate_names[PROPAGATE_PARENT],
                               (djp_text){traceparent, DJP_TRACEPARENT_SIZE});
        if (result == 0) {
            result = propagate_put(state, carrier, put, propagate_names[PROPAGATE_STATE],
                                   djp_tracestate_text(context->state));
        }
    }
    if (result == 0 && baggage != NULL && propagate_wants(state, "baggage")) {
        result = propagate_put(state, carrier, put, propagate_names[PROPAGATE_BAGGAGE],
                               djp_baggage_text(baggage));
    }
    if (result < 0) {
        PyErr_Clear();
    }
}

static PyObject *
propagate_inject_method(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "inject", 3, 0, 3, {DJP_PY_WORD_carrier, DJP_PY_WORD_setter, DJP_PY_WORD_context}};
    djp_py_state *state = djp_py_state_of(module);
    PyObject *given[3], *span, *baggage = NULL;
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    PyObject *carrier =
        given[0] == NULL || given[0] == Py_None ? PyDict_New() : Py_NewRef(given[0]);
    if (carrier == NULL) {
        return NULL;
    }
    PyObject *owned = NULL, *owned_baggage = NULL;
    if (!djp_py_context_parts(state, given[2], &span, &baggage)) {
        span = owned = given[2] != NULL && djp_py_span_check(state, given[2])
                           ? Py_NewRef(given[2])
                           : djp_py_current_span(state);
        baggage = owned_baggage = djp_py_current_baggage(state);
    }
    djp_span_context borrowed, context;
    djp_py_span_get_context(span, &borrowed);
    djp_span_context_copy(&context, &borrowed);
    propagate_inject(state, carrier, djp_py_given(given[1]), &context,
                     djp_py_baggage_of(state, baggage));
    djp_span_context_clear(&context);
    Py_XDECREF(owned);
    Py_XDECREF(owned_baggage);
    return carrier;
}

/* ---- extract ---- */

typedef struct propagate_found {
    djp_header values[PROPAGATE_FIELDS][PROPAGATE_VALUES_MAX];
    size_t counts[PROPAGATE_FIELDS];
    PyObject *owners; /* list that keeps the owners of the values alive */
} propagate_found;

static void
propagate_keep(propagate_found *found, PyObject *owner)
{
    if (found->owners == NULL) {
        found->owners = PyList_New(0);
    }
    if (found->owners != NULL) {
        (void)PyList_Append(found->owners, owner);
    }
    PyErr_Clear();
}

/* Adds one value: text, bytes, or a list of those. */
static void
propagate_take(propagate_found *found, int field, PyObject *value)
{
    if (value == NULL || value == Py_None) {
        return;
    }
    if (PyList_Check(value) || PyTuple_Check(value)) {
        for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); i++) {
            PyObject *item = PySequence_Fast_GET_ITEM(value, i);
            if (PyUnicode_Check(item) || PyBytes_Check(item)) {
                propagate_take(found, field, item);
            }
        }
        return;
    }
    djp_py_text text;
    if (djp_py_text_get(&text, value) && found->counts[field] < PROPAGATE_VALUES_MAX) {
        propagate_keep(found, text.owner == NULL ? value : text.owner);
        if (found->owners != NULL) {
            found->values[field][found->counts[field]++] = text.text;
        }
    }
    djp_py_text_release(&text);
}

/* The field of a header name: in any case, as text or bytes, also in WSGI's form; -1 for all
 * others. */
static int
propagate_field(PyObject *name)
{
    djp_py_text text;
    int field = -1;
    if (!PyUnicode_Check(name) && !PyBytes_Check(name)) {
        return -1;
    }
    (void)djp_py_text_get(&text, name);
    if (text.text.size > 5 && memcmp(text.text.data, "HTTP_", 5) == 0) {
        text.text = (djp_text){text.text.data + 5, text.text.size - 5};
    }
    for (int i = 0; i < PROPAGATE_FIELDS; i++) {
        if (text.text.size == strlen(propagate_names[i]) &&
            strncasecmp(text.text.data, propagate_names[i], text.text.size) == 0) {
            field = i;
        }
    }
    djp_py_text_release(&text);
    return field;
}

static void
propagate_scan_pairs(propagate_found *found, PyObject *pairs)
{
    int collecting = djp_py_collection_pause();
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(pairs); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(pairs, i);
        if ((!PyTuple_Check(pair) && !PyList_Check(pair)) || PySequence_Fast_GET_SIZE(pair) != 2) {
            continue;
        }
        int field = propagate_field(PySequence_Fast_GET_ITEM(pair, 0));
        if (field >= 0) {
            propagate_take(found, field, PySequence_Fast_GET_ITEM(pair, 1));
        }
    }
    djp_py_collection_resume(collecting);
}

static void
propagate_scan_dict(propagate_found *found, PyObject *dict)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    int collecting = djp_py_collection_pause();
    while (PyDict_Next(dict, &at, &key, &value)) {
        int field = propagate_field(key);
        if (field >= 0) {
            propagate_take(found, field, value);
        }
    }
    djp_py_collection_resume(collecting);
}

/* Mappings of frameworks: items() returns repeated headers. */
static void
propagate_scan_mapping(propagate_found *found, djp_py_state *state, PyObject *carrier)
{
    PyObject *items = PyObject_CallMethodNoArgs(carrier, state->words.items);
    PyObject *pairs = items == NULL ? NULL : djp_py_items(items, DJP_PY_ITEMS_MAX);
    if (pairs != NULL) {
        propagate_scan_pairs(found, pairs);
        propagate_keep(found, pairs);
    }
    Py_XDECREF(items);
    Py_XDECREF(pairs);
    PyErr_Clear();
}

static void
propagate_call_getter(propagate_found *found, djp_py_state *state, PyObject *carrier,
                      PyObject *read)
{
    for (int i = 0; i < PROPAGATE_FIELDS; i++) {
        PyObject *key = PyUnicode_InternFromString(propagate_names[i]), *value = NULL;
        if (key != NULL && PyCallable_Check(read)) {
            value = PyObject_CallFunctionObjArgs(read, carrier, key, NULL);
        } else if (key != NULL) {
            value = PyObject_CallMethodObjArgs(read, state->words.get, carrier, key, NULL);
        }
        PyErr_Clear();
        if (value != NULL) {
            propagate_take(found, i, value);
            propagate_keep(found, value);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
}

static PyObject *
propagate_context(djp_py_state *state, const propagate_found *found)
{
    djp_span_context remote = {0};
    PyObject *baggage = NULL;
    int valid = propagate_wants(state, "tracecontext") &&
                djp_context_extract(&remote, found->values[PROPAGATE_PARENT],
                                    found->counts[PROPAGATE_PARENT], found->values[PROPAGATE_STATE],
                                    found->counts[PROPAGATE_STATE]);
    if (found->counts[PROPAGATE_BAGGAGE] > 0 && propagate_wants(state, "baggage")) {
        baggage = djp_py_baggage_parse(state, found->values[PROPAGATE_BAGGAGE],
                                       found->counts[PROPAGATE_BAGGAGE]);
    }
    PyObject *span = valid ? djp_py_span_remote(state, &remote) : Py_NewRef(state->noop_span);
    PyObject *context = djp_py_context_new(state, span, baggage);
    djp_span_context_clear(&remote);
    Py_DECREF(span);
    Py_XDECREF(baggage);
    return context;
}

static PyObject *
propagate_extract_method(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "extract", 2, 1, 2, {DJP_PY_WORD_carrier, DJP_PY_WORD_getter}};
    djp_py_state *state = djp_py_state_of(module);
    PyObject *given[2];
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    propagate_found found;
    memset(found.counts, 0, sizeof found.counts);
    found.owners = NULL;
    PyObject *carrier = given[0], *read = djp_py_given(given[1]);
    if (read != NULL) {
        propagate_call_getter(&found, state, carrier, read);
    } else if (PyDict_Check(carrier)) {
        propagate_scan_dict(&found, carrier);
    } else if (PyList_Check(carrier) || PyTuple_Check(carrier)) {
        propagate_scan_pairs(&found, carrier);
    } else if (carrier != Py_None) {
        propagate_scan_mapping(&found, state, carrier);
    }
    PyObject *context = propagate_context(state, &found);
    Py_XDECREF(found.owners);
    return context;
}

static PyMethodDef propagate_functions[] = {
    {"inject", (PyCFunction)(void (*)(void))propagate_inject_method, METH_FASTCALL | METH_KEYWORDS,
     DJP_PY_DOC_INJECT},
    {"extract", (PyCFunction)(void (*)(void))propagate_extract_method,
     METH_FASTCALL | METH_KEYWORDS, DJP_PY_DOC_EXTRACT},
    {NULL, NULL, 0, NULL},
};

static int
propagate_part_init(PyObject *module, djp_py_state *state)
{
    (void)state;
    return PyModule_AddFunctions(module, propagate_functions);
}

const djp_py_part djp_py_propagate_part = {propagate_part_init, NULL, NULL};
