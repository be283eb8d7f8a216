/* Starts, flushes and ends the native SDK. These calls may block, so they release the interpreter
 * lock, and work without the lock holds a reference to the SDK object. An invalid setting never
 * raises: the core warns and continues. */
#include "binding.h"

#include <string.h>

#define SDK_OPTIONS_MAX 128
#define SDK_VARIABLES_MAX 256

static void
sdk_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    djp_sdk *sdk = ((djp_py_sdk *)self)->sdk;
    Py_BEGIN_ALLOW_THREADS
    djp_sdk_free(sdk);
    Py_END_ALLOW_THREADS
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot sdk_slots[] = {{Py_tp_dealloc, (void *)sdk_dealloc}, {0, NULL}};
static PyType_Spec sdk_spec = {"djp_telemetry._native._Sdk", sizeof(djp_py_sdk), 0,
                               Py_TPFLAGS_DEFAULT, sdk_slots};

/* Python's part in the resolution of the settings. */
typedef struct sdk_settings {
    PyObject *environ, *warn;
    PyObject *value; /* bytes of the last look-up, owned */
    PyObject *owners; /* list of bytes objects that the overrides borrow from */
    djp_config_override overrides[SDK_OPTIONS_MAX];
    size_t count;
    /* names of the environment that may be misspelt names of settings */
    const char *variables[SDK_VARIABLES_MAX];
    size_t variable_count;
} sdk_settings;

static PyObject *
sdk_bytes(PyObject *text)
{
    PyObject *bytes =
        PyUnicode_Check(text) ? PyUnicode_AsEncodedString(text, "utf-8", "surrogateescape") : NULL;
    if (bytes == NULL && PyUnicode_Check(text)) {
        PyErr_Clear();
        bytes = PyUnicode_AsEncodedString(text, "utf-8", "replace");
    }
    PyErr_Clear();
    return bytes;
}

static const char *
sdk_lookup(void *user, const char *name)
{
    sdk_settings *settings = user;
    PyObject *text = PyMapping_GetItemString(settings->environ, name);
    PyErr_Clear();
    Py_XSETREF(settings->value, text == NULL ? NULL : sdk_bytes(text));
    Py_XDECREF(text);
    return settings->value == NULL ? NULL : PyBytes_AS_STRING(settings->value);
}

static void
sdk_warn(void *user, const char *message)
{
    PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    PyObject *result =
        text == NULL ? NULL : PyObject_CallOneArg(((sdk_settings *)user)->warn, text);
    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(result);
}

static int
sdk_read_options(sdk_settings *settings, PyObject *options)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    settings->owners = PyList_New(0);
    while (settings->owners != NULL && settings->count < SDK_OPTIONS_MAX &&
           PyDict_Next(options, &at, &key, &value)) {
        PyObject *keyword = sdk_bytes(key), *text = sdk_bytes(value);
        if (keyword != NULL && text != NULL && PyList_Append(settings->owners, keyword) == 0 &&
            PyList_Append(settings->owners, text) == 0) {
            settings->overrides[settings->count++] =
                (djp_config_override){PyBytes_AS_STRING(keyword), PyBytes_AS_STRING(text)};
        }
        Py_XDECREF(keyword);
        Py_XDECREF(text);
    }
    return settings->owners == NULL ? -1 : 0;
}

/* Collects the names with our prefixes or those of the standard; unreadable ones are skipped. */
static void
sdk_read_variables(sdk_settings *settings)
{
    static const char *const prefixes[] = {"DJP_TELEMETRY_", "OTEL_", "TELEMETRY_"};
    PyObject *names = PyMapping_Keys(settings->environ);
    Py_ssize_t count = names == NULL ? 0 : PyList_GET_SIZE(names);
    for (Py_ssize_t i = 0; i < count && settings->variable_count < SDK_VARIABLES_MAX; i++) {
        PyObject *name = sdk_bytes(PyList_GET_ITEM(names, i));
        const char *text = name == NULL ? "" : PyBytes_AS_STRING(name);
        int ours = 0;
        for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
            ours |= strncmp(text, prefixes[p], strlen(prefixes[p])) == 0;
        }
        if (ours && PyList_Append(settings->owners, name) == 0) {
            settings->variables[settings->variable_count++] = text;
        }
        Py_XDECREF(name);
    }
    PyErr_Clear();
    Py_XDECREF(names);
}

/* The status while telemetry is off. */
static PyObject *
sdk_off_status(const djp_options *options)
{
    char *text = NULL;
    size_t size = 0;
    if (djp_status_off_json(&text, &size, options) != 0) {
        return PyUnicode_FromString("");
    }
    PyObject *object = djp_py_text_object((djp_text){text, size});
    djp_free(text);
    return object;
}

/* Whether one of these exporters writes to standard output. */
static int
sdk_is_on_stdout(djp_exporter first, unsigned further, const char *path)
{
    unsigned exporters = further | 1u << first;
    int is_stdout = path == NULL || path[0] == '\0' || strcmp(path, "-") == 0;
    return (exporters & 1u << DJP_EXPORTER_CONSOLE) != 0 ||
           ((exporters & 1u << DJP_EXPORTER_FILE) != 0 && is_stdout);
}

static PyObject *
sdk_describe(const djp_options *options, int with_status)
{
    static const char *const backends[] = {"noop", "prom", "otel", "hybrid"};
    static const char *const semconvs[] = {"old", "stable", "both"};
    djp_text report = {options->report_json,
                       options->report_json == NULL ? 0 : strlen(options->report_json)};
    djp_text summary = {options->summary, options->summary == NULL ? 0 : strlen(options->summary)};
    int on_stdout =
        sdk_is_on_stdout(options->exporter, options->further_exporters, options->file_path) ||
        sdk_is_on_stdout(options->metrics_exporter, options->metrics_further_exporters,
                         options->metrics_file_path);
    return Py_BuildValue(
        "{s:O,s:O,s:s,s:s,s:s,s:O,s:O,s:d,s:i,s:i,s:N,s:N,s:N}", "on_stdout",
        on_stdout ? Py_True : Py_False, "enabled", options->enabled ? Py_True : Py_False, "backend",
        backends[options->backend], "semconv", semconvs[options->semconv], "service_name",
        options->service_name, "log_correlation", options->log_correlation ? Py_True : Py_False,
        "runtime_metrics", options->runtime_metrics ? Py_True : Py_False, "shutdown_timeout",
        (double)options->shutdown_timeout_ns / 1e9, "prometheus_port", options->prometheus_port,
        "log_level", options->log_level, "report", djp_py_text_object(report), "summary",
        djp_py_text_object(summary), "status",
        with_status ? sdk_off_status(options) : PyUnicode_FromString(""));
}

static void
sdk_language_version(char *out, size_t size)
{
    (void)PyOS_snprintf(out, size, "%d.%d.%d", PY_MAJOR_VERSION, PY_MINOR_VERSION,
                        PY_MICRO_VERSION);
}

/* Called by a start of a span, with the interpreter lock. */
static void
sdk_visit_baggage(void *user, djp_baggage_use use, void *argument)
{
    djp_py_state *state = user;
    PyObject *current = djp_py_current_baggage(state);
    const djp_baggage *baggage = djp_py_baggage_of(state, current);
    if (baggage != NULL) {
        use(argument, baggage);
    }
    Py_XDECREF(current);
}

static int
sdk_activate(djp_py_state *state, const djp_options *options)
{
    char version[32];
    sdk_language_version(version, sizeof version);
    djp_sdk_language language = {"python", "cpython", version, 0};
    djp_py_sdk *self = PyObject_New(djp_py_sdk, state->sdk_type);
    if (self == NULL) {
        return -1;
    }
    self->sdk = NULL;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = djp_sdk_new(&self->sdk, options, &language, NULL, NULL);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        Py_DECREF(self);
        PyErr_Format(PyExc_RuntimeError, "%s", djp_error_text(error));
        return -1;
    }
    Py_XDECREF(state->sdk);
    djp_sdk_set_baggage_source(self->sdk, sdk_visit_baggage, state);
    state->sdk = self;
    state->recorder = djp_sdk_recorder(self->sdk);
    state->generation++;
    djp_py_metrics_rebind(state);
    return 0;
}

static int
sdk_resolve_settings(djp_options *out, sdk_settings *settings, PyObject *options,
                     const char *service_name, int camel)
{
    if (sdk_read_options(settings, options) < 0) {
        return DJP_ENOMEM;
    }
    sdk_read_variables(settings);
    djp_config_request request = {.lookup = sdk_lookup,
                                  .lookup_user = settings,
                                  .variables = settings->variables,
                                  .variable_count = settings->variable_count,
                                  .overrides = settings->overrides,
                                  .override_count = settings->count,
                                  .default_service_name = service_name,
                                  .spelling = camel ? DJP_CAMEL_CASE : DJP_SNAKE_CASE,
                                  .warn = sdk_warn,
                                  .warn_user = settings};
    return djp_config_resolve_request(out, &request);
}

static PyObject *
sdk_with_settings(PyObject *module, PyObject *args, int starts)
{
    djp_py_state *state = djp_py_state_of(module);
    sdk_settings settings = {0};
    PyObject *options, *result = NULL;
    const char *service_name;
    int camel = 0;
    if (!PyArg_ParseTuple(args, "O!OzO|p", &PyDict_Type, &options, &settings.environ, &service_name,
                          &settings.warn, &camel)) {
        return NULL;
    }
    djp_options resolved;
    int error = sdk_resolve_settings(&resolved, &settings, options, service_name, camel);
    if (error == 0) {
        int wanted = starts && resolved.enabled && resolved.backend != DJP_BACKEND_NOOP &&
                     state->sdk == NULL;
        if (!wanted || sdk_activate(state, &resolved) == 0) {
            result = sdk_describe(&resolved, !starts);
        }
        djp_options_fini(&resolved);
    } else {
        PyErr_Clear();
        PyErr_Format(PyExc_RuntimeError, "%s", djp_error_text(error));
    }
    Py_XDECREF(settings.value);
    Py_XDECREF(settings.owners);
    return result;
}

/* sdk_start(options, environ, service_name, warn): a dict that describes the settings. Raises only
 * without memory or threads. */
static PyObject *
sdk_start(PyObject *module, PyObject *args)
{
    return sdk_with_settings(module, args, 1);
}

/* sdk_resolve(options, environ, service_name, warn, camel_case=False): the same without starting
 * anything. */
static PyObject *
sdk_resolve(PyObject *module, PyObject *args)
{
    return sdk_with_settings(module, args, 0);
}

/* Seconds as nanoseconds: negative values and NaN are 0, None and infinity wait for ever. */
static uint64_t
sdk_timeout(PyObject *seconds)
{
    if (seconds == NULL || seconds == Py_None) {
        return UINT64_MAX;
    }
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
    }
    if (!(value > 0)) {
        return 0;
    }
    return value >= 1.8e10 ? UINT64_MAX : (uint64_t)(value * 1e9);
}

/* In a forked child. */
static PyObject *
sdk_start_metrics(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_py_state *state = djp_py_state_of(module);
    if (state->sdk != NULL) {
        djp_sdk_start_metrics(state->sdk->sdk);
    }
    Py_RETURN_NONE;
}

static PyObject *
sdk_flush(PyObject *module, PyObject *timeout)
{
    djp_py_state *state = djp_py_state_of(module);
    djp_py_sdk *self = state->sdk;
    if (self == NULL) {
        Py_RETURN_TRUE;
    }
    uint64_t limit = sdk_timeout(timeout);
    int error;
    Py_INCREF(self);
    Py_BEGIN_ALLOW_THREADS
    error = djp_sdk_flush(self->sdk, limit);
    Py_END_ALLOW_THREADS
    Py_DECREF(self);
    return PyBool_FromLong(error == 0);
}

static PyObject *
sdk_status_text(djp_py_sdk *self)
{
    char *text = NULL;
    size_t size = 0;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = djp_sdk_status_json(&text, &size, self->sdk);
    Py_END_ALLOW_THREADS
    if (error != 0) {
        Py_RETURN_NONE;
    }
    PyObject *object = djp_py_text_object((djp_text){text, size});
    djp_free(text);
    return object;
}

/* Ends the active SDK: (everything delivered, the last status as JSON text), or None when none is
 * active. */
static PyObject *
sdk_stop(PyObject *module, PyObject *timeout)
{
    djp_py_state *state = djp_py_state_of(module);
    djp_py_sdk *self = state->sdk;
    if (self == NULL) {
        Py_RETURN_NONE;
    }
    state->sdk = NULL;
    state->recorder = NULL;
    state->generation++;
    uint64_t limit = sdk_timeout(timeout);
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = djp_sdk_shutdown(self->sdk, limit);
    Py_END_ALLOW_THREADS
    PyObject *result =
        Py_BuildValue("(ON)", error == 0 ? Py_True : Py_False, sdk_status_text(self));
    Py_DECREF(self);
    return result;
}

static PyObject *
sdk_status(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_py_sdk *self = djp_py_state_of(module)->sdk;
    if (self == NULL) {
        Py_RETURN_NONE;
    }
    Py_INCREF(self);
    PyObject *text = sdk_status_text(self);
    Py_DECREF(self);
    return text;
}

/* The data of the memory exporter as bytes, or None with another exporter. */
static PyObject *
sdk_take_exported(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_py_sdk *self = djp_py_state_of(module)->sdk;
    char *data = NULL;
    size_t size = 0;
    if (self == NULL || djp_sdk_take_exported(&data, &size, self->sdk) != 0) {
        Py_RETURN_NONE;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
    djp_free(data);
    return bytes;
}

static PyObject *
sdk_keywords(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    PyObject *list = PyList_New(0);
    for (const char *const *keyword = djp_config_keywords(); list != NULL && *keyword != NULL;
         keyword++) {
        PyObject *text = PyUnicode_FromString(*keyword);
        if (text == NULL || PyList_Append(list, text) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(text);
    }
    return list;
}

/* Handles signals again whose default action was restored since the start. */
static PyObject *
sdk_take_signals(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    djp_py_sdk *self = djp_py_state_of(module)->sdk;
    if (self != NULL) {
        djp_sdk_take_signals(self->sdk);
    }
    Py_RETURN_NONE;
}

/* sdk_set_enabled(enabled): whether the core accepted it. */
static PyObject *
sdk_set_enabled(PyObject *module, PyObject *enabled)
{
    djp_py_sdk *self = djp_py_state_of(module)->sdk;
    int wanted = PyObject_IsTrue(enabled), error;
    if (wanted < 0) {
        return NULL;
    }
    if (self == NULL) {
        Py_RETURN_FALSE;
    }
    Py_INCREF(self);
    Py_BEGIN_ALLOW_THREADS
    error = djp_sdk_set_enabled(self->sdk, wanted);
    Py_END_ALLOW_THREADS
    Py_DECREF(self);
    return PyBool_FromLong(error == 0);
}

/* Passes a ratio, or None for the configured one, to a setter of the core; returns whether the core
 * accepted it. */
static PyObject *
sdk_set_ratio(PyObject *module, PyObject *ratio, int (*set)(djp_sdk *sdk, double ratio))
{
    djp_py_sdk *self = djp_py_state_of(module)->sdk;
    double wanted = ratio == Py_None ? -1.0 : PyFloat_AsDouble(ratio);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (ratio != Py_None && !(wanted >= 0 && wanted <= 1)) {
        PyErr_SetString(PyExc_ValueError, "the ratio must be from 0 to 1");
        return NULL;
    }
    if (self == NULL) {
        Py_RETURN_FALSE;
    }
    int error;
    Py_INCREF(self);
    Py_BEGIN_ALLOW_THREADS
    error = set(self->sdk, wanted);
    Py_END_ALLOW_THREADS
    Py_DECREF(self);
    return PyBool_FromLong(error == 0);
}

static PyObject *
sdk_set_sample_ratio(PyObject *module, PyObject *ratio)
{
    return sdk_set_ratio(module, ratio, djp_sdk_set_sample_ratio);
}

static PyObject *
sdk_set_canary_ratio(PyObject *module, PyObject *ratio)
{
    return sdk_set_ratio(module, ratio, djp_sdk_set_canary_ratio);
}

static PyMethodDef sdk_functions[] = {
    {"sdk_start", sdk_start, METH_VARARGS,
     "sdk_start($module, options, environ, service_name, warn, /)\n--\n\nResolves the settings and "
     "starts what they "
     "ask for."},
    {"sdk_resolve", sdk_resolve, METH_VARARGS,
     "sdk_resolve($module, options, environ, service_name, warn, camel_case=False, "
     "/)\n--\n\nResolves the settings "
     "and starts nothing."},
    {"sdk_stop", sdk_stop, METH_O, "sdk_stop($module, timeout, /)\n--\n\nEnds what is active."},
    {"sdk_start_metrics", sdk_start_metrics, METH_NOARGS,
     "sdk_start_metrics($module, /)\n--\n\nStarts the export of metrics in a forked child."},
    {"sdk_flush", sdk_flush, METH_O,
     "sdk_flush($module, timeout, /)\n--\n\nSends what has ended so far."},
    {"sdk_status", sdk_status, METH_NOARGS,
     "sdk_status($module, /)\n--\n\nThe state as JSON text."},
    {"sdk_set_enabled", sdk_set_enabled, METH_O,
     "sdk_set_enabled($module, enabled, /)\n--\n\nSwitches the recording of spans."},
    {"sdk_set_sample_ratio", sdk_set_sample_ratio, METH_O,
     "sdk_set_sample_ratio($module, ratio, /)\n--\n\nChanges the ratio; None: as configured."},
    {"sdk_set_canary_ratio", sdk_set_canary_ratio, METH_O,
     "sdk_set_canary_ratio($module, ratio, /)\n--\n\nChanges the canary ratio; None: as "
     "configured."},
    {"sdk_take_exported", sdk_take_exported, METH_NOARGS,
     "sdk_take_exported($module, /)\n--\n\nWhat the memory exporter holds."},
    {"sdk_take_signals", sdk_take_signals, METH_NOARGS,
     "sdk_take_signals($module, /)\n--\n\nTakes the ending signals that nobody handles."},
    {"sdk_keywords", sdk_keywords, METH_NOARGS,
     "sdk_keywords($module, /)\n--\n\nThe options that exist."},
    {NULL, NULL, 0, NULL},
};

static int
sdk_part_init(PyObject *module, djp_py_state *state)
{
    state->sdk_type = djp_py_type(module, &sdk_spec, NULL, NULL);
    if (state->sdk_type == NULL) {
        return -1;
    }
    state->sdk_type->tp_new = NULL;
    return PyModule_AddFunctions(module, sdk_functions);
}

static int
sdk_part_traverse(djp_py_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->sdk_type);
    Py_VISIT(state->sdk);
    return 0;
}

static void
sdk_part_clear(djp_py_state *state)
{
    state->recorder = NULL;
    Py_CLEAR(state->sdk);
    Py_CLEAR(state->sdk_type);
}

const djp_py_part djp_py_sdk_part = {sdk_part_init, sdk_part_traverse, sdk_part_clear};
