/* Starting spans: the module's start_span(), tracers, and the object that start_as_current_span()
 * returns, which is a context manager and a decorator. While telemetry is off a start takes one
 * test. */
#include "span.h"

#include <string.h>

typedef struct tracer_request {
    /* borrowed; NULL or None: not given */
    PyObject *name, *attributes, *parent, *kind, *links, *start_time;
    djp_scope scope;
    uint32_t flags; /* DJP_PY_SPAN_* */
} tracer_request;

static uint8_t
tracer_kind_word(PyObject *word)
{
    static const char *const words[] = {"internal", "server", "client", "producer", "consumer"};
    djp_py_text text;
    uint8_t kind = 0;
    (void)djp_py_text_get(&text, word);
    for (uint8_t i = 0; i < 5; i++) {
        if (text.text.size == strlen(words[i]) &&
            strncasecmp(text.text.data, words[i], text.text.size) == 0) {
            kind = (uint8_t)(i + 1);
        }
    }
    djp_py_text_release(&text);
    return kind;
}

uint8_t
djp_py_kind(djp_py_state *state, PyObject *kind)
{
    if (kind == NULL || kind == Py_None) {
        return 0;
    }
    if (PyLong_Check(kind)) {
        int overflow;
        long number = PyLong_AsLongAndOverflow(kind, &overflow);
        return number >= 1 && number <= 5 ? (uint8_t)number : 0;
    }
    if (PyUnicode_Check(kind)) {
        return tracer_kind_word(kind);
    }
    PyObject *name = PyObject_GetAttr(kind, state->words.name);
    uint8_t found = tracer_kind_word(name);
    Py_XDECREF(name);
    PyErr_Clear();
    return found;
}

/* A start that records nothing: the given parent is still propagated from this span. */
static PyObject *
tracer_start_off(djp_py_state *state, PyObject *named)
{
    if (named == NULL || named == Py_None) {
        return Py_NewRef(state->noop_span);
    }
    djp_py_parent parent;
    djp_py_parent_get(&parent, state, named);
    PyObject *span =
        parent.has_remote ? djp_py_span_remote(state, &parent.remote) : Py_NewRef(state->noop_span);
    djp_py_parent_release(&parent);
    return span;
}

static void
tracer_fill(djp_py_state *state, djp_span *span, const tracer_request *request)
{
    djp_py_set_attributes(state, span, request->attributes);
    if (request->links == NULL || request->links == Py_None) {
        return;
    }
    PyObject *links = djp_py_items(request->links, DJP_PY_ITEMS_MAX);
    for (Py_ssize_t i = 0; links != NULL && i < PySequence_Fast_GET_SIZE(links); i++) {
        PyObject *link = Py_NewRef(PySequence_Fast_GET_ITEM(links, i));
        djp_py_add_link(state, span, link, NULL);
        Py_DECREF(link);
    }
    if (links == NULL) {
        djp_span_drop_attribute(span);
    }
    PyErr_Clear();
    Py_XDECREF(links);
}

/* Called if the sampler reads attributes: they are converted before the start and recorded from the
 * converted form, because reading them may run the program's code. */
static DJP_PY_COLD djp_span *
tracer_start_shown(djp_py_state *state, tracer_request *request, djp_text name,
                   djp_span_options *options)
{
    djp_py_attributes attributes;
    djp_py_attributes_get(&attributes, state, request->attributes);
    options->sampling_attributes = attributes.items;
    options->sampling_attribute_count = attributes.count;
    djp_span *span = djp_span_start(state->recorder, name, options);
    for (size_t i = 0; span != NULL && i < attributes.count; i++) {
        const djp_attribute *item = &attributes.items[i];
        djp_span_set_value(span, djp_key_intern(item->key), &item->value);
    }
    for (size_t i = 0; span != NULL && i < attributes.dropped; i++) {
        djp_span_drop_attribute(span);
    }
    djp_py_attributes_release(&attributes);
    request->attributes = NULL;
    return span;
}

static djp_span *
tracer_start_in(djp_py_state *state, tracer_request *request, djp_span_options *options)
{
    djp_py_text name;
    if (!djp_py_text_get(&name, request->name) || name.text.size == 0) {
        name.text = (djp_text){"unnamed", 7};
    }
    if (request->attributes != NULL && request->attributes != Py_None && options->parent == NULL &&
        (djp_recorder_needs(state->recorder) & DJP_NEEDS_ATTRIBUTES) != 0) {
        djp_span *shown = tracer_start_shown(state, request, name.text, options);
        djp_py_text_release(&name);
        return shown;
    }
    djp_span *span = djp_span_start(state->recorder, name.text, options);
    djp_py_text_release(&name);
    return span;
}

static djp_span *
tracer_start_named(djp_py_state *state, tracer_request *request, djp_span_options *options)
{
    djp_py_parent parent;
    PyObject *span_part, *baggage;
    djp_py_parent_get(&parent, state, request->parent);
    if (djp_py_context_parts(state, request->parent, &span_part, &baggage)) {
        options->baggage = djp_py_baggage_of(state, baggage);
    }
    options->parent = parent.span;
    options->remote = parent.has_remote ? &parent.remote : NULL;
    options->force_root = parent.span == NULL && !parent.has_remote;
    djp_span *span = state->recorder == NULL ? NULL : tracer_start_in(state, request, options);
    djp_py_parent_release(&parent);
    return span;
}

static djp_span *
tracer_start_current(djp_py_state *state, tracer_request *request, djp_span_options *options)
{
    djp_span_context remote;
    PyObject *current = djp_py_current_find(state);
    djp_py_span *above = (djp_py_span *)current;
    if (above != NULL && above->span != NULL && above->generation == state->generation) {
        options->parent = above->span;
    } else if (above != NULL) {
        djp_py_span_get_context(current, &remote);
        options->remote = &remote;
    }
    djp_span *span = tracer_start_in(state, request, options);
    Py_XDECREF(current);
    return span;
}

static PyObject *
tracer_start(djp_py_state *state, tracer_request *request)
{
    if (state->recorder == NULL) {
        return tracer_start_off(state, request->parent);
    }
    djp_span_options options = {.scope = request->scope};
    if (request->kind != NULL) {
        options.kind = djp_py_kind(state, request->kind);
    }
    if (request->start_time != NULL) {
        options.start_unix_ns = djp_py_time(request->start_time);
    }
    djp_span *span = request->parent == NULL || request->parent == Py_None
                         ? tracer_start_current(state, request, &options)
                         : tracer_start_named(state, request, &options);
    if (span == NULL) { /* switched off */
        return tracer_start_off(state, request->parent);
    }
    if (request->attributes != NULL || request->links != NULL) {
        tracer_fill(state, span, request);
    }
    PyObject *self = djp_py_span_new(state, span);
    if (request->flags != 0 && self != state->noop_span) {
        ((djp_py_span *)self)->flags = request->flags;
    }
    return self;
}

/* start_span(name, attributes=None, *, parent=None, kind=None, links=None, start_time=None) */
static PyObject *
tracer_module_start_span(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                         PyObject *kwnames)
{
    static const djp_py_signature signature = {"start_span",
                                               2,
                                               1,
                                               6,
                                               {DJP_PY_WORD_name, DJP_PY_WORD_attributes,
                                                DJP_PY_WORD_parent, DJP_PY_WORD_kind,
                                                DJP_PY_WORD_links, DJP_PY_WORD_start_time}};
    djp_py_state *state = djp_py_state_of(module);
    PyObject *given[6];
    if (nargs == 1 && kwnames == NULL) { /* only a name, the usual call */
        tracer_request named = {.name = args[0]};
        return tracer_start(state, &named);
    }
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    tracer_request request = {given[0], given[1], given[2], given[3], given[4], given[5], 0, 0};
    return tracer_start(state, &request);
}

/* ---- the object that start_as_current_span() returns ---- */

typedef struct starter_object {
    PyObject ob_base;
    djp_py_state *state;
    PyObject *name, *attributes, *parent, *kind, *links, *start_time; /* owned or NULL */
    PyObject *span; /* while it is entered */
    djp_scope scope;
    uint32_t flags;
} starter_object;

static PyObject *
starter_new(djp_py_state *state, const tracer_request *request)
{
    starter_object *self = PyObject_GC_New(starter_object, state->starter_type);
    if (self == NULL) {
        return NULL;
    }
    self->state = state;
    self->name = Py_XNewRef(request->name);
    self->attributes = Py_XNewRef(request->attributes);
    self->parent = Py_XNewRef(request->parent);
    self->kind = Py_XNewRef(request->kind);
    self->links = Py_XNewRef(request->links);
    self->start_time = Py_XNewRef(request->start_time);
    self->span = NULL;
    self->scope = request->scope;
    self->flags = request->flags;
    PyObject_GC_Track(self);
    return (PyObject *)self;
}

static int
starter_clear(PyObject *object)
{
    starter_object *self = (starter_object *)object;
    Py_CLEAR(self->name);
    Py_CLEAR(self->attributes);
    Py_CLEAR(self->parent);
    Py_CLEAR(self->kind);
    Py_CLEAR(self->links);
    Py_CLEAR(self->start_time);
    Py_CLEAR(self->span);
    return 0;
}

static int
starter_traverse(PyObject *object, visitproc visit, void *arg)
{
    starter_object *self = (starter_object *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->name);
    Py_VISIT(self->attributes);
    Py_VISIT(self->parent);
    Py_VISIT(self->kind);
    Py_VISIT(self->links);
    Py_VISIT(self->start_time);
    Py_VISIT(self->span);
    return 0;
}

static void
starter_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    (void)starter_clear(object);
    PyObject_GC_Del(object);
    Py_DECREF(type);
}

static PyObject *
starter_start(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    starter_object *self = (starter_object *)object;
    tracer_request request = {self->name,  self->attributes, self->parent, self->kind,
                              self->links, self->start_time, self->scope,  self->flags};
    return tracer_start(self->state, &request);
}

static PyObject *
starter_enter(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    PyObject *span = starter_start(object, NULL);
    Py_XSETREF(((starter_object *)object)->span, span);
    return djp_py_span_enter(span);
}

static void
starter_leave(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *span = ((starter_object *)object)->span;
    ((starter_object *)object)->span = NULL;
    if (span != NULL) {
        djp_py_span_leave(span, djp_py_exit_exception(args, nargs));
    }
    Py_XDECREF(span);
}

static PyObject *
starter_exit(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    starter_leave(object, args, nargs);
    Py_RETURN_NONE;
}

static PyObject *
starter_aenter(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    return djp_py_immediate(((starter_object *)object)->state, starter_enter(object, NULL));
}

static PyObject *
starter_aexit(PyObject *object, PyObject *const *args, Py_ssize_t nargs)
{
    starter_leave(object, args, nargs);
    return djp_py_immediate(((starter_object *)object)->state, Py_NewRef(Py_None));
}

static PyObject *
starter_call(PyObject *object, PyObject *args, PyObject *kwargs)
{
    PyObject *function = NULL;
    static char *names[] = {"function", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O", names, &function)) {
        return NULL;
    }
    PyObject *helper = PyImport_ImportModule("djp_telemetry._decorators");
    PyObject *start = helper == NULL ? NULL : PyObject_GetAttrString(object, "start");
    PyObject *result =
        start == NULL ? NULL : PyObject_CallMethod(helper, "decorate", "OO", function, start);
    Py_XDECREF(helper);
    Py_XDECREF(start);
    return result;
}

static PyMethodDef starter_methods[] = {
    {"__enter__", starter_enter, METH_NOARGS, DJP_PY_DOC_SPANSTARTER___ENTER__},
    {"__exit__", (PyCFunction)(void (*)(void))starter_exit, METH_FASTCALL,
     DJP_PY_DOC_SPANSTARTER___EXIT__},
    {"__aenter__", starter_aenter, METH_NOARGS, DJP_PY_DOC_SPANSTARTER___AENTER__},
    {"__aexit__", (PyCFunction)(void (*)(void))starter_aexit, METH_FASTCALL,
     DJP_PY_DOC_SPANSTARTER___AEXIT__},
    {"start", starter_start, METH_NOARGS, DJP_PY_DOC_SPANSTARTER_START},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot starter_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_SPANSTARTER},
    {Py_tp_dealloc, (void *)starter_dealloc},
    {Py_tp_traverse, (void *)starter_traverse},
    {Py_tp_clear, (void *)starter_clear},
    {Py_tp_call, (void *)starter_call},
    {Py_tp_methods, starter_methods},
    {0, NULL},
};
static PyType_Spec starter_spec = {"djp_telemetry._native.SpanStarter", sizeof(starter_object), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, starter_slots};

/* ---- Tracer ---- */

typedef struct tracer_object {
    PyObject ob_base;
    djp_py_state *state;
    PyObject *name, *version, *schema_url; /* str or NULL; until the scope is interned */
    /* 1: the scope is interned with the first span, so that unused tracers take no place in the
     * table */
    int waiting;
    djp_scope scope;
} tracer_object;

static const char *
tracer_c_text(PyObject *object)
{
    const char *text = object != NULL && PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : NULL;
    PyErr_Clear();
    return text;
}

/* Warns once that the table of scopes is full. */
static DJP_PY_COLD void
tracer_warn_full(PyObject *name)
{
    PyObject *runtime = PyImport_ImportModule("djp_telemetry._runtime");
    PyObject *result =
        runtime == NULL ? NULL : PyObject_CallMethod(runtime, "warn_scopes_full", "O", name);
    PyErr_Clear();
    Py_XDECREF(runtime);
    Py_XDECREF(result);
}

static DJP_PY_COLD void
tracer_intern(tracer_object *self)
{
    self->waiting = 0;
    const char *name = tracer_c_text(self->name);
    self->scope = djp_scope_intern(name, tracer_c_text(self->version),
                                   tracer_c_text(self->schema_url), NULL, 0);
    if (self->scope == 0 && name != NULL && *name != '\0') {
        tracer_warn_full(self->name);
    }
    Py_CLEAR(self->name);
    Py_CLEAR(self->version);
    Py_CLEAR(self->schema_url);
}

/* OpenTelemetry's order of arguments; parent is our name for context. */
static int
tracer_read(tracer_request *out, PyObject *object, const char *function, PyObject *const *args,
            Py_ssize_t nargs, PyObject *kwnames)
{
    djp_py_signature signature = {
        function,
        9,
        1,
        10,
        {DJP_PY_WORD_name, DJP_PY_WORD_context, DJP_PY_WORD_kind, DJP_PY_WORD_attributes,
         DJP_PY_WORD_links, DJP_PY_WORD_start_time, DJP_PY_WORD_record_exception,
         DJP_PY_WORD_set_status_on_exception, DJP_PY_WORD_end_on_exit, DJP_PY_WORD_parent}};
    tracer_object *self = (tracer_object *)object;
    PyObject *given[10];
    if (djp_py_arguments(given, self->state, &signature, args, nargs, kwnames) < 0) {
        return -1;
    }
    if (self->waiting && self->state->recorder != NULL) {
        tracer_intern(self);
    }
    PyObject *parent = given[9] == NULL || given[9] == Py_None ? given[1] : given[9];
    uint32_t flags = (given[6] == Py_False ? DJP_PY_SPAN_NO_RECORD : 0u) |
                     (given[7] == Py_False ? DJP_PY_SPAN_NO_STATUS : 0u) |
                     (given[8] == Py_False ? DJP_PY_SPAN_KEEP_OPEN : 0u);
    *out = (tracer_request){given[0], given[3], parent,      given[2],
                            given[4], given[5], self->scope, flags};
    return 0;
}

static PyObject *
tracer_start_span(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    tracer_request request;
    if (tracer_read(&request, self, "start_span", args, nargs, kwnames) < 0) {
        return NULL;
    }
    return tracer_start(((tracer_object *)self)->state, &request);
}

static PyObject *
tracer_start_as_current(PyObject *self, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    tracer_request request;
    if (((tracer_object *)self)->waiting) { /* a decorator may be older than telemetry */
        tracer_intern((tracer_object *)self);
    }
    if (tracer_read(&request, self, "start_as_current_span", args, nargs, kwnames) < 0) {
        return NULL;
    }
    return starter_new(((tracer_object *)self)->state, &request);
}

static void
tracer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((tracer_object *)self)->name);
    Py_XDECREF(((tracer_object *)self)->version);
    Py_XDECREF(((tracer_object *)self)->schema_url);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef tracer_methods[] = {
    {"start_span", DJP_PY_FAST(tracer_start_span), DJP_PY_DOC_TRACER_START_SPAN},
    {"start_as_current_span", DJP_PY_FAST(tracer_start_as_current),
     DJP_PY_DOC_TRACER_START_AS_CURRENT_SPAN},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot tracer_slots[] = {
    {Py_tp_doc, DJP_PY_DOC_TRACER},
    {Py_tp_dealloc, (void *)tracer_dealloc},
    {Py_tp_methods, tracer_methods},
    {0, NULL},
};
static PyType_Spec tracer_spec = {"djp_telemetry._native.Tracer", sizeof(tracer_object), 0,
                                  Py_TPFLAGS_DEFAULT, tracer_slots};

static PyObject *
tracer_ref(PyObject *text)
{
    return text != NULL && PyUnicode_CheckExact(text) ? Py_NewRef(text) : NULL;
}

/* get_tracer(name=None, version=None, schema_url=None, attributes=None) */
static PyObject *
tracer_get(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    static const djp_py_signature signature = {
        "get_tracer",
        4,
        0,
        4,
        {DJP_PY_WORD_name, DJP_PY_WORD_version, DJP_PY_WORD_schema_url, DJP_PY_WORD_attributes}};
    djp_py_state *state = djp_py_state_of(module);
    PyObject *given[4];
    if (djp_py_arguments(given, state, &signature, args, nargs, kwnames) < 0) {
        return NULL;
    }
    tracer_object *self = PyObject_New(tracer_object, state->tracer_type);
    if (self == NULL) {
        return NULL;
    }
    *self = (tracer_object){self->ob_base, state, NULL, NULL, NULL, 0, 0};
    if (given[3] == NULL || given[3] == Py_None) {
        self->name = tracer_ref(given[0]);
        self->version = tracer_ref(given[1]);
        self->schema_url = tracer_ref(given[2]);
        self->waiting = self->name != NULL || self->version != NULL || self->schema_url != NULL;
        return (PyObject *)self;
    }
    const char *name = tracer_c_text(given[0]), *version = tracer_c_text(given[1]),
               *schema = tracer_c_text(given[2]);
    djp_py_attributes attributes;
    djp_py_attributes_get(&attributes, state, given[3]);
    self->scope = djp_scope_intern(name, version, schema, attributes.items, attributes.count);
    djp_py_attributes_release(&attributes);
    if (self->scope == 0 && name != NULL && *name != '\0') {
        tracer_warn_full(given[0]);
    }
    return (PyObject *)self;
}

static PyMethodDef tracer_functions[] = {
    {"start_span", DJP_PY_FAST(tracer_module_start_span), DJP_PY_DOC_START_SPAN},
    {"get_tracer", DJP_PY_FAST(tracer_get), DJP_PY_DOC_GET_TRACER},
    {NULL, NULL, 0, NULL},
};

static int
tracer_part_init(PyObject *module, djp_py_state *state)
{
    state->starter_type = djp_py_type(module, &starter_spec, NULL, "SpanStarter");
    state->tracer_type = djp_py_type(module, &tracer_spec, NULL, "Tracer");
    if (state->starter_type == NULL || state->tracer_type == NULL) {
        return -1;
    }
    state->starter_type->tp_new = NULL;
    state->tracer_type->tp_new = NULL;
    return PyModule_AddFunctions(module, tracer_functions);
}

static int
tracer_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->starter_type);
    Py_VISIT(state->tracer_type);
    return 0;
}

static void
tracer_part_clear(djp_py_state *state)
{
    Py_CLEAR(state->starter_type);
    Py_CLEAR(state->tracer_type);
}

const djp_py_part djp_py_tracer_part = {tracer_part_init, tracer_part_traverse, tracer_part_clear};
