/* Baggage as an immutable object around the core's list. Each change makes a new object; an invalid
 * key or value changes nothing. */
#include "binding.h"

typedef struct baggage_object {
    PyObject ob_base;
    djp_baggage *list; /* owned; NULL is the empty one */
} baggage_object;

/* Takes list in any case. */
static PyObject *
baggage_wrap(djp_py_state *state, djp_baggage *list)
{
    baggage_object *self = PyObject_New(baggage_object, state->baggage_type);
    if (self == NULL) {
        djp_baggage_free(list);
    } else {
        self->list = list;
    }
    return (PyObject *)self;
}

PyObject *
djp_py_baggage_parse(djp_py_state *state, const djp_header *fields, size_t count)
{
    djp_baggage *list = djp_baggage_parse(fields, count);
    PyObject *self = list == NULL ? NULL : baggage_wrap(state, list);
    PyErr_Clear();
    return self;
}

const djp_baggage *
djp_py_baggage_of(djp_py_state *state, PyObject *object)
{
    return object != NULL && Py_TYPE(object) == state->baggage_type
               ? ((baggage_object *)object)->list
               : NULL;
}

static void
baggage_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    djp_baggage_free(((baggage_object *)self)->list);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *
baggage_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"header", NULL};
    PyObject *header = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Baggage", names, &header)) {
        return NULL;
    }
    djp_py_text text;
    djp_baggage *list = djp_py_text_get(&text, header) ? djp_baggage_parse(&text.text, 1) : NULL;
    djp_py_text_release(&text);
    return baggage_wrap(PyType_GetModuleState(type), list);
}

static PyObject *
baggage_get(PyObject *self, PyObject *key)
{
    const djp_baggage *list = ((baggage_object *)self)->list;
    djp_baggage_entry entry;
    djp_py_text text;
    PyObject *found = NULL;
    if (!djp_py_text_get(&text, key)) {
        Py_RETURN_NONE;
    }
    for (size_t i = 0; found == NULL && djp_baggage_entry_at(&entry, list, i); i++) {
        if (entry.key.size == text.text.size &&
            memcmp(entry.key.data, text.text.data, text.text.size) == 0) {
            found = djp_py_text_object(entry.value);
        }
    }
    djp_py_text_release(&text);
    PyErr_Clear();
    return found != NULL ? found : Py_NewRef(Py_None);
}

static PyObject *
baggage_items(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *dict = PyDict_New();
    djp_baggage_entry entry;
    for (size_t i = 0;
         dict != NULL && djp_baggage_entry_at(&entry, ((baggage_object *)self)->list, i); i++) {
        PyObject *key = djp_py_text_object(entry.key), *value = djp_py_text_object(entry.value);
        if (key == NULL || value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

static PyObject *
baggage_set(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "set", 3, 2, 3, {DJP_PY_WORD_key, DJP_PY_WORD_value, DJP_PY_WORD_properties}};
    djp_py_state *state = PyType_GetModuleState(Py_TYPE(self));
    PyObject *given[3];
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    djp_py_text key, value, properties;
    int good = djp_py_text_get(&key, given[0]) & djp_py_text_get(&value, given[1]);
    (void)djp_py_text_get(&properties, given[2]);
    djp_baggage_entry entry = {key.text, value.text, properties.text};
    djp_baggage *list = good ? djp_baggage_set(((baggage_object *)self)->list, &entry) : NULL;
    djp_py_text_release(&key);
    djp_py_text_release(&value);
    djp_py_text_release(&properties);
    return list != NULL ? baggage_wrap(state, list) : Py_NewRef(self);
}

static PyObject *
baggage_remove(PyObject *self, PyObject *key)
{
    djp_py_text text;
    if (!djp_py_text_get(&text, key)) {
        return Py_NewRef(self);
    }
    djp_baggage *list = djp_baggage_remove(((baggage_object *)self)->list, text.text);
    djp_py_text_release(&text);
    return baggage_wrap(PyType_GetModuleState(Py_TYPE(self)), list);
}

static PyObject *
baggage_to_header(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    return djp_py_text_object(djp_baggage_text(((baggage_object *)self)->list));
}

static Py_ssize_t
baggage_length(PyObject *self)
{
    return (Py_ssize_t)djp_baggage_count(((baggage_object *)self)->list);
}

static PyObject *
baggage_repr(PyObject *self)
{
    PyObject *items = baggage_items(self, NULL);
    PyObject *text = items == NULL ? NULL : PyUnicode_FromFormat("<Baggage %R>", items);
    Py_XDECREF(items);
    return text;
}

static PyObject *
baggage_reduce(PyObject *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *header = baggage_to_header(self, NULL);
    return header == NULL ? NULL : Py_BuildValue("(O(N))", Py_TYPE(self), header);
}

static PyObject *
baggage_compare(PyObject *left, PyObject *right, int operation)
{
    if ((operation != Py_EQ && operation != Py_NE) || Py_TYPE(left) != Py_TYPE(right)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    djp_text a = djp_baggage_text(((baggage_object *)left)->list),
             b = djp_baggage_text(((baggage_object *)right)->list);
    int same = a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
    return PyBool_FromLong(same == (operation == Py_EQ));
}

static Py_hash_t
baggage_hash(PyObject *self)
{
    PyObject *header = baggage_to_header(self, NULL);
    Py_hash_t hash = header == NULL ? -1 : PyObject_Hash(header);
    Py_XDECREF(header);
    return hash;
}

static PyMethodDef baggage_methods[] = {
    {"__reduce__", baggage_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\nFor pickle."},
    DJP_PY_COPY_METHODS,
    {"get", baggage_get, METH_O, DJP_PY_DOC_BAGGAGE_GET},
    {"items", baggage_items, METH_NOARGS, DJP_PY_DOC_BAGGAGE_ITEMS},
    {"set", (PyCFunction)(void (*)(void))baggage_set, METH_FASTCALL | METH_KEYWORDS,
     DJP_PY_DOC_BAGGAGE_SET},
    {"remove", baggage_remove, METH_O, DJP_PY_DOC_BAGGAGE_REMOVE},
    {"to_header", baggage_to_header, METH_NOARGS, DJP_PY_DOC_BAGGAGE_TO_HEADER},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot baggage_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_BAGGAGE},
    {Py_tp_richcompare, (void *)baggage_compare},
    {Py_tp_hash, (void *)baggage_hash},
    {Py_tp_new, (void *)baggage_new},
    {Py_tp_dealloc, (void *)baggage_dealloc},
    {Py_tp_repr, (void *)baggage_repr},
    {Py_tp_methods, baggage_methods},
    {Py_sq_length, (void *)baggage_length},
    {0, NULL},
};
static PyType_Spec baggage_spec = {"djp_telemetry.Baggage", sizeof(baggage_object), 0,
                                   Py_TPFLAGS_DEFAULT, baggage_slots};

static int
baggage_part_init(PyObject *module, djp_py_state *state)
{
    state->baggage_type = djp_py_type(module, &baggage_spec, NULL, "Baggage");
    return state->baggage_type == NULL ? -1 : 0;
}

static int
baggage_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->baggage_type);
    return 0;
}

static void
baggage_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->baggage_type);
}

const djp_py_part djp_py_baggage_part = {baggage_part_init, baggage_part_traverse,
                                         baggage_part_clear};
