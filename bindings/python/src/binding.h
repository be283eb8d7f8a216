/* Shared declarations of the Python extension: the module's state, the span object, and the
 * conversions of Python values to values of the core. This folder contains no telemetry logic. No
 * function leaves a Python exception set unless its comment states it. */
#ifndef DJP_PY_BINDING_H
#define DJP_PY_BINDING_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "docs.h"
#include "djp/djp.h"

/* Keeps a rare path out of its caller. The interpreter's own macro is newer than the oldest
 * supported version. */
#define DJP_PY_COLD __attribute__((noinline))

#if PY_VERSION_HEX < 0x030a0000
#define Py_NewRef(object) (Py_INCREF(object), (PyObject *)(object))
#define Py_XNewRef(object) (Py_XINCREF(object), (PyObject *)(object))
static inline int
PyModule_AddObjectRef(PyObject *module, const char *name, PyObject *value)
{
    Py_XINCREF(value);
    int failed = value == NULL ? -1 : PyModule_AddObject(module, name, value);
    if (failed) {
        Py_XDECREF(value);
    }
    return failed;
}
#endif

/* clang-format off */
/* Interned str objects in the state: keyword names of functions and names of attributes. */
#define DJP_PY_WORDS(X) \
    X(name) X(attributes) X(parent) X(kind) X(links) X(start_time) X(end_time) X(context) \
    X(record_exception) X(set_status_on_exception) X(end_on_exit) X(key) X(value) X(timestamp) \
    X(exception) X(escaped) X(status) X(description) X(carrier) X(setter) X(getter) X(version) \
    X(schema_url) X(timeout) X(get_span_context) X(trace_id) X(span_id) X(trace_flags) \
    X(trace_state) X(is_remote) X(status_code) X(to_header) X(span) X(get) X(set) X(items) \
    X(append) X(options) X(environ) X(service_name) X(warn) X(code) X(properties) X(keys) \
    X(exceptions) X(format_exception) X(__qualname__) X(__module__) X(old_value) X(MISSING) \
    X(_inc_rare) X(_dec_rare) X(_set_rare) X(_observe_rare) X(_labels_rare)
/* clang-format on */
enum {
#define DJP_PY_WORD_INDEX(word) DJP_PY_WORD_##word,
    DJP_PY_WORDS(DJP_PY_WORD_INDEX)
#undef DJP_PY_WORD_INDEX
};

typedef struct djp_py_words {
#define DJP_PY_WORD_FIELD(word) PyObject *word;
    DJP_PY_WORDS(DJP_PY_WORD_FIELD)
#undef DJP_PY_WORD_FIELD
} djp_py_words;

/* The native SDK as an object: a reference keeps it alive during a flush without the interpreter
 * lock or in a metric family. `sdk` is set once. Freed with the last reference. */
typedef struct djp_py_sdk {
    PyObject ob_base;
    djp_sdk *sdk;
} djp_py_sdk;

/* The state that entering stores for leaving. A context variable holds the entered objects
 * themselves. Each has an entry, so that an object below others can be removed from the chain. */
typedef struct djp_py_entry {
    PyObject *token; /* of the context variable; NULL while the object is not entered */
    /* With a token: the object to restore instead of the token's old value, if that was left
     * before. Without a token: the object to restore in the context that entered the object, which
     * was left in another context. Otherwise NULL */
    PyObject *below;
} djp_py_entry;

/* A span. `span` is an owned handle of the core; NULL if nothing is recorded (telemetry off, remote
 * parent). */
typedef struct djp_py_span {
    PyObject ob_base;
    struct djp_py_state *state; /* borrowed: the type keeps the module alive */
    djp_span *span;
    djp_py_entry entry;
    PyObject *context; /* SpanContext, made on first use; never NULL when span is NULL */
    PyObject *weakrefs;
    uint32_t generation; /* of the SDK that span belongs to: another SDK uses only its context */
    uint32_t flags; /* DJP_PY_SPAN_* */
} djp_py_span;
enum {
    DJP_PY_SPAN_NO_RECORD = 1,
    DJP_PY_SPAN_NO_STATUS = 2,
    DJP_PY_SPAN_KEEP_OPEN = 4,
    DJP_PY_SPAN_ENDED = 8
};

/* One slot of the attribute key cache. str objects are compared by address, so the slot holds a
 * reference. */
typedef struct djp_py_key_slot {
    PyObject *text;
    djp_key key;
} djp_py_key_slot;
#define DJP_PY_KEY_SLOTS 1024u
/* characters: limits the memory that the cache holds, with the number of slots */
#define DJP_PY_KEY_CACHED_MAX 256
#define DJP_PY_SPAN_POOL 64

typedef struct djp_py_state {
    /* Types of this module. */
    PyTypeObject *sdk_type, *span_type, *span_context_type, *trace_flags_type, *trace_state_type,
        *context_type;
    PyTypeObject *baggage_type, *tracer_type, *starter_type, *use_type, *immediate_type,
        *http_call_type;
    djp_py_words words;
    /* The active SDK. Changed only by sdk.c, under the interpreter lock. */
    djp_py_sdk *sdk; /* owned; NULL while telemetry is off */
    djp_recorder *recorder; /* of sdk; NULL when spans are off: the only test on the hot path */
    uint32_t generation; /* incremented each time that sdk changes: caches compare it */
    /* The current span and baggage. */
    PyObject *current_var; /* ContextVar; value is a Span, a SpanUse or None */
    PyObject *baggage_var; /* ContextVar; value is a Baggage, a SpanUse or None */
    /* the last object entered; NULL after any other change; only its address is used */
    const void *newest;
    /* ContextVar; value is the Span of the request that ended last in this context, or None */
    PyObject *ended_var;
    int has_ended; /* 1 once one was set */
    PyObject *noop_span; /* the only span without ids */
    djp_py_key_slot *keys; /* DJP_PY_KEY_SLOTS of them */
    djp_py_span *pool[DJP_PY_SPAN_POOL];
    int pool_count;
    int closed; /* the module was cleared: the pool takes no more objects */
    /* Owned by the files of the same name, which define the structures, free them in their _clear
     * hook and visit them. */
    struct djp_py_metrics_state *metrics;
    struct djp_py_asgi_state *asgi;
} djp_py_state;

/* One part of the module: one or more files. init may raise (-1); clear also runs after a failed
 * init and may run twice. */
typedef struct djp_py_part {
    int (*init)(PyObject *module, djp_py_state *state);
    int (*traverse)(djp_py_state *state, visitproc visit, void *arg);
    void (*clear)(djp_py_state *state);
} djp_py_part;
extern const djp_py_part djp_py_sdk_part, djp_py_value_part, djp_py_context_part,
    djp_py_baggage_part, djp_py_current_part;
extern const djp_py_part djp_py_span_part, djp_py_tracer_part, djp_py_propagate_part,
    djp_py_parent_part, djp_py_use_part, djp_py_http_call_part, djp_py_operation_part,
    djp_py_metrics_part, djp_py_asgi_part, djp_py_runtime_metrics_part;
/* Makes a heap type of this module; with name != NULL it also becomes an attribute of the module.
 * NULL with an exception set. */
PyTypeObject *djp_py_type(PyObject *module, PyType_Spec *spec, PyObject *base, const char *name);
#define djp_py_state_of(module) ((djp_py_state *)PyModule_GetState(module))

/* __copy__ and __deepcopy__ of immutable objects: the object itself. */
PyObject *djp_py_copy(PyObject *self, PyObject *ignored);
#define DJP_PY_COPY_METHODS                                                  \
    {"__copy__", djp_py_copy, METH_NOARGS, DJP_PY_DOC_CONTEXT___COPY__},     \
    {                                                                        \
        "__deepcopy__", djp_py_copy, METH_O, DJP_PY_DOC_CONTEXT___DEEPCOPY__ \
    }

/* ---- arguments (args.c) ---- */
/* The signature of a METH_FASTCALL | METH_KEYWORDS function. Positions count from 0; out[] holds
 * borrowed references or NULL. */
typedef struct djp_py_signature {
    const char *function;
    uint8_t positional; /* number of positional arguments */
    uint8_t required; /* number of required arguments */
    uint8_t count;
    uint8_t names[10]; /* DJP_PY_WORD_* */
} djp_py_signature;
/* Returns 0, or -1 with TypeError for a call that does not match the signature, as any Python
 * function does. */
int djp_py_arguments(PyObject **out, const djp_py_state *state, const djp_py_signature *signature,
                     PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
/* NULL for an argument that is None. */
#define djp_py_given(argument) ((argument) == Py_None ? NULL : (argument))

/* The first `limit` items of an iterable, as a list or a tuple (a new reference); NULL without an
 * exception when it is not iterable. */
PyObject *djp_py_items(PyObject *iterable, Py_ssize_t limit);
#define DJP_PY_ITEMS_MAX 20000

/* Before Python 3.12 an allocation may collect garbage and run finalizers that change an object
 * while it is read. Collection is off between these two calls. Only our code may run between
 * them. */
static inline int
djp_py_collection_pause(void)
{
#if PY_VERSION_HEX >= 0x030a0000 && PY_VERSION_HEX < 0x030c0000
    return PyGC_Disable();
#else
    return 0;
#endif
}
static inline void
djp_py_collection_resume(int was)
{
#if PY_VERSION_HEX >= 0x030a0000 && PY_VERSION_HEX < 0x030c0000
    if (was) {
        PyGC_Enable();
    }
#else
    (void)was;
#endif
}

/* ---- text (text.c) ---- */
/* UTF-8 of a str (lone surrogates as U+FFFD) or the bytes of a bytes object. */
typedef struct djp_py_text {
    djp_text text;
    PyObject *owner; /* temporary bytes object or NULL */
} djp_py_text;
/* Returns 1, or 0 (and an empty text) for any other type or without memory. Borrows from object;
 * release afterwards. */
int djp_py_text_get(djp_py_text *out, PyObject *object);
#define djp_py_text_release(out) Py_XDECREF((out)->owner)
/* The same of a tuple's first DJP_LABELS_MAX items, also as texts. Returns how many to release. */
size_t djp_py_texts_get(djp_py_text *out, djp_text *texts, PyObject *tuple);
void djp_py_texts_release(djp_py_text *out, size_t count);
/* A str from bytes; invalid UTF-8 is replaced. NULL with an exception only without memory. */
PyObject *djp_py_text_object(djp_text text);
/* PyObject_GetAttrString with one object for each name: the interpreter's cache of attributes keeps
 * the names by address, and a new one at each call would replace those of the application. */
PyObject *djp_py_get_attribute(PyObject *object, const char *name);

/* ---- values (value.c) ---- */
/* Key of an attribute name; 0 when it is not a str or cannot be interned. A repeated str object
 * takes one compare. */
djp_key djp_py_key(djp_py_state *state, PyObject *name);
/* Sets one attribute from any Python object. None is skipped; an unsupported value is counted on
 * the span. */
void djp_py_set_attribute(djp_py_state *state, djp_span *span, djp_key key, PyObject *value);
/* Sets all items of a dict or of any object with items(); NULL and None are empty. */
void djp_py_set_attributes(djp_py_state *state, djp_span *span, PyObject *attributes);

/* Attributes converted for one call of the core (events, links, scopes). Texts borrow from the
 * Python objects. */
typedef struct djp_py_attributes {
    djp_attribute *items;
    size_t count;
    size_t dropped; /* unsupported values */
    void *memory; /* chunks, owned */
    PyObject *owners; /* list that keeps borrowed objects alive, or NULL */
    size_t nodes; /* number of values: limits the work on wide cyclic structures */
} djp_py_attributes;
void djp_py_attributes_get(djp_py_attributes *out, djp_py_state *state, PyObject *attributes);
void djp_py_attributes_release(djp_py_attributes *out);
/* Unix nanoseconds from an int (nanoseconds) or a float (seconds); 0 ("now") for anything else. */
uint64_t djp_py_time(PyObject *value);

/* ---- span contexts (context.c) ---- */
/* A SpanContext object; copies. NULL with an exception only without memory. */
PyObject *djp_py_span_context_new(djp_py_state *state, const djp_span_context *context);
/* The context inside a SpanContext object, borrowed; NULL for anything else. */
const djp_span_context *djp_py_span_context_of(djp_py_state *state, PyObject *object);
/* Reads a foreign span context (OpenTelemetry's) by its attributes. 1 when it is valid; the caller
 * clears out. */
int djp_py_span_context_foreign(djp_span_context *out, djp_py_state *state, PyObject *object);
/* Lower-case hexadecimal text; NULL with an exception only without memory. */
PyObject *djp_py_hex(const uint8_t *bytes, size_t size);

/* ---- parents (parent.c) ---- */
/* A Context around a Span and a Baggage (may be NULL). NULL with an exception only without
 * memory. */
PyObject *djp_py_context_new(djp_py_state *state, PyObject *span, PyObject *baggage);
/* Parts of a Context, borrowed; baggage may become NULL. 0 for any other object. */
int
djp_py_context_parts(djp_py_state *state, PyObject *object, PyObject **span, PyObject **baggage);
/* The parent of a new span. At most one of span and remote is set; neither means a new trace. */
typedef struct djp_py_parent {
    djp_span *span; /* borrowed from owner */
    djp_span_context remote; /* owned: clear afterwards */
    int has_remote;
    PyObject *owner; /* owned: keeps span alive; NULL without one */
} djp_py_parent;
/* Reads Span, SpanContext, Context, OpenTelemetry's objects, and mappings that hold one of them.
 * Always fills out. */
void djp_py_parent_get(djp_py_parent *out, djp_py_state *state, PyObject *object);
void djp_py_parent_release(djp_py_parent *parent);

/* ---- spans (span.c, exception.c) ---- */
/* A Span object around a handle, which is taken in any case. A NULL handle and a failure give the
 * no-op span. */
PyObject *djp_py_span_new(djp_py_state *state, djp_span *taken);
/* A Span that records nothing and carries a copy of a remote context. Never fails. */
PyObject *djp_py_span_remote(djp_py_state *state, const djp_span_context *context);
#define djp_py_span_check(state, object) (Py_TYPE(object) == (state)->span_type)
/* The core's handle or NULL; borrowed. object must be a Span. */
#define djp_py_span_handle(object) (((djp_py_span *)(object))->span)
/* Fills out, borrowing the tracestate from the span. object must be a Span. */
void djp_py_span_get_context(PyObject *object, djp_span_context *out);
/* Records the exception that left a span's body and sets the status to ERROR, but not for
 * cancellation, GeneratorExit and SystemExit(0). exception is an instance with its traceback, or
 * NULL; flags as in djp_py_span. Leaves the interpreter's error indicator unchanged. */
void djp_py_span_fail(djp_py_state *state, djp_span *span, PyObject *exception, unsigned flags);
void djp_py_record_exception(djp_py_state *state, djp_span *span, PyObject *exception,
                             PyObject *attributes, uint64_t time_unix_ns, int escaped);

/* ---- the current span (current.c) ---- */
/* The current Span, a new reference, never NULL: the no-op span when there is none. */
PyObject *djp_py_current_span(djp_py_state *state);
/* The current Span, or NULL when there is none. */
PyObject *djp_py_current_find(djp_py_state *state);
/* Makes span current and returns the token for djp_py_current_reset, or NULL (nothing changed, no
 * exception). */
PyObject *djp_py_current_set(djp_py_state *state, PyObject *span);
/* Takes the token (NULL allowed). Changes nothing in another execution context than that of the
 * set. No exception may be set. */
void djp_py_current_reset(djp_py_state *state, PyObject *token);
/* Leaves the object of entry by its token: restores the nearest object that is still entered in
 * this execution context. If another object is current, it stays current, and object is removed
 * below it. Empties entry, except for `below` of another context that entered it. baggage chooses
 * the variable. */
void djp_py_current_leave(djp_py_state *state, PyObject *object, djp_py_entry *entry, int baggage);
/* The target of a SpanUse, borrowed: its span, never NULL, or its baggage, NULL for none. */
PyObject *djp_py_use_target(PyObject *use, int baggage);
djp_py_entry *djp_py_use_entry(PyObject *use, int baggage);
/* The same pair for baggage. */
PyObject *djp_py_baggage_set(djp_py_state *state, PyObject *baggage);
void djp_py_baggage_reset(djp_py_state *state, PyObject *token);
/* A server logs a request after it left the request's context: a failed request, and with some
 * servers any request. Until the next request begins, log records without a current span carry the
 * ids of this one. Nothing else reads it. */
void djp_py_ended_set(djp_py_state *state, PyObject *span);
void djp_py_ended_discard(djp_py_state *state);
/* The current span's context with a borrowed tracestate; zeroes without one. For exemplars: valid
 * until the next Python call. */
void djp_py_current_context(djp_py_state *state, djp_span_context *out);

/* ---- starting (tracer.c) ---- */
/* A word, an int or an enum of a span kind; 0 when unknown. */
uint8_t djp_py_kind(djp_py_state *state, PyObject *kind);

/* ---- propagation (propagate.c, baggage.c) ---- */
/* A Baggage object from header fields; NULL without an exception when there is none. */
PyObject *djp_py_baggage_parse(djp_py_state *state, const djp_header *fields, size_t count);
/* The list inside a Baggage object; NULL for NULL, None and anything else. Borrowed. */
const djp_baggage *djp_py_baggage_of(djp_py_state *state, PyObject *object);
/* The current Baggage object, a new reference, or NULL. */
PyObject *djp_py_current_baggage(djp_py_state *state);

/* ---- metrics (metrics_module.c) ---- */
/* Declares all declared metrics in the registry of the active SDK. Call after sdk changed. */
void djp_py_metrics_rebind(djp_py_state *state);

#endif
