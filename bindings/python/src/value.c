/* Python objects as attribute values. Reading an object runs no user code, except the items() of a
 * mapping that is not a dict, and nothing raises. Values without an OTLP type go through
 * djp_telemetry._values, which converts dates, sets and others; unsupported values are counted on
 * the span. */
#include "binding.h"

#include <stdlib.h>
#include <string.h>

/* Limit of the values in one attribute, so that a list that contains itself ten times ends soon. */
#define VALUE_NODES_MAX 20000u

enum { VALUE_OK, VALUE_NONE, VALUE_UNSUPPORTED };

djp_key
djp_py_key(djp_py_state *state, PyObject *name)
{
    uintptr_t address = (uintptr_t)name;
    djp_py_key_slot *slot = &state->keys[(address >> 4 ^ address >> 14) & (DJP_PY_KEY_SLOTS - 1)];
    if (slot->text == name) {
        return slot->key;
    }
    djp_py_text text;
    if (!PyUnicode_Check(name) || !djp_py_text_get(&text, name)) {
        return 0;
    }
    djp_key key = djp_key_intern(text.text);
    djp_py_text_release(&text);
    if (key != 0 && PyUnicode_CheckExact(name) &&
        PyUnicode_GET_LENGTH(name) <= DJP_PY_KEY_CACHED_MAX) {
        Py_INCREF(name);
        slot->key = key;
        Py_XSETREF(slot->text, name);
    }
    return key;
}

typedef struct value_chunk {
    struct value_chunk *next;
} value_chunk;

static void *
value_alloc(djp_py_attributes *memory, size_t count, size_t size)
{
    if (count > VALUE_NODES_MAX || memory->nodes + count > VALUE_NODES_MAX) {
        return NULL;
    }
    memory->nodes += count;
    value_chunk *chunk = PyMem_Malloc(sizeof *chunk + sizeof(void *) + (count + 1) * size);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->next = memory->memory;
    memory->memory = chunk;
    return (char *)chunk + 2 * sizeof(void *);
}

static int
value_own(djp_py_attributes *memory, PyObject *owner)
{
    if (owner == NULL) {
        return 1;
    }
    if (memory->owners == NULL) {
        memory->owners = PyList_New(0);
    }
    int failed = memory->owners == NULL || PyList_Append(memory->owners, owner) < 0;
    Py_DECREF(owner);
    if (failed) {
        PyErr_Clear();
    }
    return !failed;
}

static int
value_text(djp_py_attributes *memory, djp_text *out, PyObject *object)
{
    djp_py_text text;
    if (!djp_py_text_get(&text, object)) {
        return 0;
    }
    *out = text.text;
    return value_own(memory, text.owner);
}

/* Integers beyond 64 bits become decimal text, because OTLP has no wider integer; beyond the range
 * of a double they are refused. */
static int
value_wide_int(djp_py_attributes *memory, djp_value *out, PyObject *object)
{
    PyObject *text = NULL;
    if (PyLong_AsDouble(object) != -1.0 || !PyErr_Occurred()) {
        text = PyLong_Type.tp_repr(object);
    }
    PyErr_Clear();
    if (text == NULL) {
        return VALUE_UNSUPPORTED;
    }
    out->type = DJP_STRING;
    return value_text(memory, &out->as.text, text) && value_own(memory, text) ? VALUE_OK
                                                                              : VALUE_UNSUPPORTED;
}

static int
value_int(djp_py_attributes *memory, djp_value *out, PyObject *object)
{
    int overflow = 0;
    out->type = DJP_INT;
    out->as.integer = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0 ? VALUE_OK : value_wide_int(memory, out, object);
}

/* Numbers of extension modules (numpy's scalars): only types written in C, so that no Python code
 * runs. */
static int
value_number(djp_py_attributes *memory, djp_value *out, PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyNumberMethods *number = type->tp_as_number;
    if (number == NULL || (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 ||
        PyWeakref_CheckProxy(object)) {
        return VALUE_UNSUPPORTED;
    }
    int result = VALUE_UNSUPPORTED;
    if (strcmp(type->tp_name, "decimal.Decimal") == 0) {
        return VALUE_UNSUPPORTED; /* a double would lose digits */
    }
    if (strcmp(type->tp_name, "numpy.bool_") == 0 || strcmp(type->tp_name, "numpy.bool") == 0) {
        out->type = DJP_BOOL;
        out->as.boolean = PyObject_IsTrue(object) == 1;
        result = VALUE_OK;
    } else if (number->nb_index != NULL) {
        PyObject *integer = PyNumber_Index(object);
        result = integer == NULL ? VALUE_UNSUPPORTED : value_int(memory, out, integer);
        Py_XDECREF(integer);
    } else if (number->nb_float != NULL) {
        out->type = DJP_DOUBLE;
        out->as.real = PyFloat_AsDouble(object);
        result = out->as.real == -1.0 && PyErr_Occurred() ? VALUE_UNSUPPORTED : VALUE_OK;
    }
    PyErr_Clear();
    return result;
}

static int value_convert(djp_py_attributes *memory, djp_value *out, PyObject *object, int depth);

static int
value_sequence(djp_py_attributes *memory, djp_value *out, PyObject *object, int depth)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
    djp_value *items = value_alloc(memory, (size_t)count, sizeof *items);
    if (items == NULL) {
        return VALUE_UNSUPPORTED;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        items[i].type = DJP_EMPTY;
        if (value_convert(memory, &items[i], PySequence_Fast_GET_ITEM(object, i), depth + 1) ==
            VALUE_UNSUPPORTED) {
            return VALUE_UNSUPPORTED;
        }
    }
    out->type = DJP_ARRAY;
    out->as.array.items = items;
    out->as.array.count = (size_t)count;
    return VALUE_OK;
}

static int
value_map(djp_py_attributes *memory, djp_value *out, PyObject *object, int depth)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    size_t used = 0, count = (size_t)PyDict_GET_SIZE(object);
    djp_attribute *items = value_alloc(memory, count, sizeof *items);
    if (items == NULL) {
        return VALUE_UNSUPPORTED;
    }
    while (used < count && PyDict_Next(object, &at, &key, &value)) {
        items[used].value.type = DJP_EMPTY;
        if (!PyUnicode_Check(key) || !value_text(memory, &items[used].key, key) ||
            value_convert(memory, &items[used].value, value, depth + 1) == VALUE_UNSUPPORTED) {
            return VALUE_UNSUPPORTED;
        }
        used++;
    }
    out->type = DJP_MAP;
    out->as.map.items = items;
    out->as.map.count = used;
    return VALUE_OK;
}

static int
value_scalar(djp_py_attributes *memory, djp_value *out, PyObject *object)
{
    if (PyUnicode_Check(object)) {
        out->type = DJP_STRING;
        return value_text(memory, &out->as.text, object) ? VALUE_OK : VALUE_UNSUPPORTED;
    }
    if (PyBool_Check(object)) {
        out->type = DJP_BOOL;
        out->as.boolean = object == Py_True;
        return VALUE_OK;
    }
    if (PyLong_Check(object)) {
        return value_int(memory, out, object);
    }
    if (PyFloat_Check(object)) {
        out->type = DJP_DOUBLE;
        out->as.real = PyFloat_AS_DOUBLE(object);
        return VALUE_OK;
    }
    if (PyBytes_Check(object) || PyByteArray_Check(object)) {
        out->type = DJP_BYTES;
        out->as.text =
            PyBytes_Check(object)
                ? (djp_text){PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object)}
                : (djp_text){PyByteArray_AS_STRING(object), (size_t)PyByteArray_GET_SIZE(object)};
        return VALUE_OK;
    }
    return value_number(memory, out, object);
}

/* The text of out borrows from object or from memory->owners. None gives an empty value. */
static int
value_convert(djp_py_attributes *memory, djp_value *out, PyObject *object, int depth)
{
    out->type = DJP_EMPTY;
    if (object == Py_None) {
        return VALUE_NONE;
    }
    if (PyList_Check(object) || PyTuple_Check(object)) {
        return depth >= DJP_VALUE_DEPTH_MAX ? VALUE_NONE
                                            : value_sequence(memory, out, object, depth);
    }
    if (PyDict_Check(object)) {
        return depth >= DJP_VALUE_DEPTH_MAX ? VALUE_NONE : value_map(memory, out, object, depth);
    }
    return value_scalar(memory, out, object);
}

/* Calls djp_telemetry._values.<name>; NULL without an exception when that is not possible. */
static PyObject *
value_helped(const char *name, PyObject *first, PyObject *second)
{
    PyObject *helper = PyImport_ImportModule("djp_telemetry._values");
    PyObject *function = helper == NULL ? NULL : djp_py_get_attribute(helper, name);
    PyObject *result =
        function == NULL ? NULL : PyObject_CallFunctionObjArgs(function, first, second, NULL);
    PyErr_Clear();
    Py_XDECREF(helper);
    Py_XDECREF(function);
    return result;
}

static int
value_set_once(djp_span *span, djp_key key, PyObject *object)
{
    djp_py_attributes memory = {0};
    djp_value value;
    int collecting = djp_py_collection_pause();
    int result = value_convert(&memory, &value, object, 0);
    if (result == VALUE_OK) {
        djp_span_set_value(span, key, &value);
    }
    djp_py_collection_resume(collecting);
    djp_py_attributes_release(&memory);
    return result;
}

static DJP_PY_COLD void
value_set_slow(djp_span *span, djp_key key, PyObject *object)
{
    if (value_set_once(span, key, object) != VALUE_UNSUPPORTED) {
        return;
    }
    Py_INCREF(object); /* from here on any code may run, also code that removes it from its dict */
    PyObject *name = key == 0 ? NULL : djp_py_text_object(djp_key_text(key));
    PyObject *plain = name == NULL ? NULL : value_helped("plain", name, object);
    if (plain == NULL || plain == Py_None ||
        value_set_once(span, key, plain) == VALUE_UNSUPPORTED) {
        djp_span_drop_attribute(span);
    }
    PyErr_Clear();
    Py_XDECREF(name);
    Py_XDECREF(plain);
    Py_DECREF(object);
}

void
djp_py_set_attribute(djp_py_state *state, djp_span *span, djp_key key, PyObject *value)
{
    (void)state;
    if (PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
        djp_span_set_string(span, key,
                            (djp_text){(const char *)PyUnicode_1BYTE_DATA(value),
                                       (size_t)PyUnicode_GET_LENGTH(value)});
    } else if (PyLong_CheckExact(value)) {
        int overflow = 0;
        long long integer = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow == 0) {
            djp_span_set_int(span, key, integer);
        } else {
            value_set_slow(span, key, value);
        }
    } else if (PyBool_Check(value)) {
        djp_span_set_bool(span, key, value == Py_True);
    } else if (PyFloat_CheckExact(value)) {
        djp_span_set_double(span, key, PyFloat_AS_DOUBLE(value));
    } else {
        value_set_slow(span, key, value);
    }
}

/* The items of a mapping that is not a dict as a dict; NULL without an exception when it has
 * none. */
static PyObject *
value_as_dict(const djp_py_state *state, PyObject *attributes)
{
    if (attributes == NULL || !PyMapping_Check(attributes)) {
        return NULL;
    }
    /* a sequence has none */
    PyObject *names = PyObject_CallMethodNoArgs(attributes, state->words.keys);
    PyObject *keys = names == NULL ? NULL : djp_py_items(names, DJP_PY_ITEMS_MAX), *dict = NULL;
    if (keys != NULL) {
        dict = PyDict_New();
    }
    for (Py_ssize_t i = 0; dict != NULL && i < PySequence_Fast_GET_SIZE(keys); i++) {
        PyObject *key = Py_NewRef(PySequence_Fast_GET_ITEM(keys, i)),
                 *value = PyObject_GetItem(attributes, key);
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_DECREF(key);
        Py_XDECREF(value);
    }
    PyErr_Clear();
    Py_XDECREF(names);
    Py_XDECREF(keys);
    return dict;
}

static void
value_set_dict(djp_py_state *state, djp_span *span, PyObject *dict)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    /* At most the initial number of items: reading a value may run code that adds to the dict each
     * time. */
    for (Py_ssize_t left = PyDict_GET_SIZE(dict); left > 0 && PyDict_Next(dict, &at, &key, &value);
         left--) {
        djp_py_set_attribute(state, span, djp_py_key(state, key), value);
    }
}

void
djp_py_set_attributes(djp_py_state *state, djp_span *span, PyObject *attributes)
{
    if (attributes == NULL || attributes == Py_None) {
        return;
    }
    if (PyDict_Check(attributes)) {
        value_set_dict(state, span, attributes);
        return;
    }
    PyObject *dict = value_as_dict(state, attributes);
    if (dict != NULL) {
        value_set_dict(state, span, dict);
    } else {
        djp_span_drop_attribute(span);
    }
    Py_XDECREF(dict);
}

static void
value_collect(djp_py_attributes *out, PyObject *dict)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    size_t count = (size_t)PyDict_GET_SIZE(dict);
    out->items = value_alloc(out, count, sizeof *out->items);
    while (PyDict_Next(dict, &at, &key, &value)) {
        djp_attribute *item =
            out->items == NULL || out->count >= count ? NULL : &out->items[out->count];
        int result = item == NULL || !PyUnicode_Check(key) || !value_text(out, &item->key, key)
                         ? VALUE_UNSUPPORTED
                         : value_convert(out, &item->value, value, 0);
        out->count += result == VALUE_OK;
        out->dropped += result == VALUE_UNSUPPORTED;
    }
}

/* A second pass that converts the values without an OTLP type. */
static DJP_PY_COLD void
value_collect_helped(djp_py_attributes *out, PyObject *dict)
{
    PyObject *converted = value_helped("plain_items", dict, NULL);
    if (converted != NULL && PyTuple_Check(converted) && PyTuple_GET_SIZE(converted) == 2 &&
        PyDict_Check(PyTuple_GET_ITEM(converted, 0))) {
        djp_py_attributes_release(out);
        int collecting = djp_py_collection_pause();
        value_collect(out, PyTuple_GET_ITEM(converted, 0));
        (void)value_own(out, Py_NewRef(converted));
        djp_py_collection_resume(collecting);
        out->dropped += PyLong_AsSize_t(PyTuple_GET_ITEM(converted, 1));
    }
    Py_XDECREF(converted);
}

void
djp_py_attributes_get(djp_py_attributes *out, djp_py_state *state, PyObject *attributes)
{
    memset(out, 0, sizeof *out);
    if (attributes == NULL || attributes == Py_None) {
        return;
    }
    PyObject *dict =
        PyDict_Check(attributes) ? Py_NewRef(attributes) : value_as_dict(state, attributes);
    if (dict == NULL) {
        out->dropped = 1;
        return;
    }
    int collecting = djp_py_collection_pause();
    value_collect(out, dict);
    if (dict != attributes) {
        (void)value_own(out, Py_NewRef(dict));
    }
    djp_py_collection_resume(collecting);
    if (out->dropped > 0) {
        value_collect_helped(out, dict);
    }
    Py_DECREF(dict);
}

void
djp_py_attributes_release(djp_py_attributes *out)
{
    value_chunk *chunk = out->memory;
    while (chunk != NULL) {
        value_chunk *next = chunk->next;
        PyMem_Free(chunk);
        chunk = next;
    }
    Py_XDECREF(out->owners);
    memset(out, 0, sizeof *out);
}

uint64_t
djp_py_time(PyObject *value)
{
    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (PyFloat_Check(value)) {
        double seconds = PyFloat_AS_DOUBLE(value);
        return seconds > 0 && seconds < 1.8e10 ? (uint64_t)(seconds * 1e9) : 0;
    }
    int overflow = 0;
    long long nanoseconds =
        PyLong_Check(value) ? PyLong_AsLongLongAndOverflow(value, &overflow) : 0;
    return overflow == 0 && nanoseconds > 0 ? (uint64_t)nanoseconds : 0;
}

static int
value_part_init(PyObject *module, djp_py_state *state)
{
    (void)module;
    state->keys = PyMem_Calloc(DJP_PY_KEY_SLOTS, sizeof *state->keys);
    if (state->keys == NULL) {
        PyErr_NoMemory();
    }
    return state->keys == NULL ? -1 : 0;
}

static void
value_part_clear(djp_py_state *state)
{
    for (size_t i = 0; state->keys != NULL && i < DJP_PY_KEY_SLOTS; i++) {
        Py_CLEAR(state->keys[i].text);
    }
}

const djp_py_part djp_py_value_part = {value_part_init, NULL, value_part_clear};
