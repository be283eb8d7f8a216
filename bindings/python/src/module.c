/* The module: multi-phase initialisation, its parts, and the traversal of its state by the garbage
 * collector. Each part makes its own types and functions. Importing starts no thread and opens no
 * file or socket. */
#include "binding.h"

static const djp_py_part *const module_parts[] = {
    &djp_py_sdk_part,       &djp_py_value_part,     &djp_py_context_part,
    &djp_py_baggage_part,   &djp_py_parent_part,    &djp_py_current_part,
    &djp_py_span_part,      &djp_py_tracer_part,    &djp_py_use_part,
    &djp_py_propagate_part, &djp_py_http_call_part, &djp_py_operation_part,
    &djp_py_metrics_part,   &djp_py_asgi_part,      &djp_py_runtime_metrics_part,
};
#define MODULE_PARTS (sizeof module_parts / sizeof module_parts[0])

PyTypeObject *
djp_py_type(PyObject *module, PyType_Spec *spec, PyObject *base, const char *name)
{
    PyObject *tuple = base == NULL ? NULL : PyTuple_Pack(1, base);
    PyObject *type =
        base != NULL && tuple == NULL ? NULL : PyType_FromModuleAndSpec(module, spec, tuple);
    Py_XDECREF(tuple);
    if (type != NULL && name != NULL && PyModule_AddObjectRef(module, name, type) < 0) {
        Py_CLEAR(type);
    }
    return (PyTypeObject *)type;
}

static int
module_words_init(djp_py_words *words)
{
#define MODULE_WORD_INIT(word)                                     \
    if ((words->word = PyUnicode_InternFromString(#word)) == NULL) \
        return -1;
    DJP_PY_WORDS(MODULE_WORD_INIT)
#undef MODULE_WORD_INIT
    return 0;
}

static void
module_words_clear(djp_py_words *words)
{
#define MODULE_WORD_CLEAR(word) Py_CLEAR(words->word);
    DJP_PY_WORDS(MODULE_WORD_CLEAR)
#undef MODULE_WORD_CLEAR
}

static int
module_exec(PyObject *module)
{
    djp_py_state *state = djp_py_state_of(module);
    if (module_words_init(&state->words) < 0) {
        return -1;
    }
    for (size_t i = 0; i < MODULE_PARTS; i++) {
        if (module_parts[i]->init(module, state) < 0) {
            return -1;
        }
    }
    return PyModule_AddStringConstant(module, "__version__", DJP_VERSION);
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    djp_py_state *state = djp_py_state_of(module);
    for (size_t i = 0; state != NULL && i < MODULE_PARTS; i++) {
        int stop =
            module_parts[i]->traverse == NULL ? 0 : module_parts[i]->traverse(state, visit, arg);
        if (stop != 0) {
            return stop;
        }
    }
    return 0;
}

static int
module_clear(PyObject *module)
{
    djp_py_state *state = djp_py_state_of(module);
    for (size_t i = MODULE_PARTS; state != NULL && i > 0; i--) {
        if (module_parts[i - 1]->clear != NULL) {
            module_parts[i - 1]->clear(state);
        }
    }
    return 0;
}

static void
module_free(void *module)
{
    djp_py_state *state = djp_py_state_of((PyObject *)module);
    module_clear((PyObject *)module);
    if (state == NULL) {
        return;
    }
    module_words_clear(&state->words);
    PyMem_Free(state->keys);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "djp_telemetry._native",
    .m_doc = "The native core of djp_telemetry. Use the package djp_telemetry, not this module.",
    .m_size = sizeof(djp_py_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__native(void)
{
    return PyModuleDef_Init(&module_definition);
}
