/* Start and status of the SDK. No setting is an error: the core warns and continues, and an option
 * whose reading throws counts as not given. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

enum { SDK_OPTIONS_MAX = 128, SDK_VARIABLES_MAX = 256 };

/* Input of the resolution of settings, from JavaScript. */
typedef struct sdk_settings {
    napi_env env;
    napi_value environ, warn;
    djp_node_text value; /* of the last look-up, owned */
    djp_node_text texts[SDK_OPTIONS_MAX * 2]; /* borrowed by the overrides */
    size_t text_count;
    djp_config_override overrides[SDK_OPTIONS_MAX];
    size_t count;
    djp_node_text names[SDK_VARIABLES_MAX]; /* environment variables to check for misspellings */
    const char *variables[SDK_VARIABLES_MAX];
    size_t variable_count;
} sdk_settings;

static const char *
sdk_lookup(void *user, const char *name)
{
    sdk_settings *settings = user;
    napi_handle_scope scope;
    napi_value value;
    int found = 0;
    djp_node_text_release(&settings->value);
    if (!djp_node_ok(settings->env, napi_open_handle_scope(settings->env, &scope))) {
        return NULL;
    }
    if (djp_node_ok(settings->env,
                    napi_get_named_property(settings->env, settings->environ, name, &value)) &&
        djp_node_type(settings->env, value) == napi_string) {
        found = djp_node_text_get(&settings->value, settings->env, value);
    }
    (void)djp_node_ok(settings->env, napi_close_handle_scope(settings->env, scope));
    return found ? settings->value.text.data : NULL;
}

static void
sdk_warn(void *user, const char *message)
{
    sdk_settings *settings = user;
    napi_value text = djp_node_string(settings->env, (djp_text){message, strlen(message)}),
               receiver, result;
    if (text != NULL && djp_node_type(settings->env, settings->warn) == napi_function &&
        djp_node_ok(settings->env, napi_get_undefined(settings->env, &receiver))) {
        (void)djp_node_ok(settings->env, napi_call_function(settings->env, receiver, settings->warn,
                                                            1, &text, &result));
    }
}

static void
sdk_read_option(sdk_settings *settings, napi_value options, napi_value key)
{
    napi_env env = settings->env;
    napi_value value;
    djp_node_text *keyword = &settings->texts[settings->text_count], *text = keyword + 1;
    if (!djp_node_text_get(keyword, env, key)) {
        return;
    }
    settings->text_count++;
    if (!djp_node_ok(env, napi_get_property(env, options, key, &value)) ||
        !djp_node_text_get(text, env, value)) {
        return;
    }
    settings->text_count++;
    settings->overrides[settings->count++] =
        (djp_config_override){keyword->text.data, text->text.data};
}

static void
sdk_read_options(sdk_settings *settings, napi_value options)
{
    napi_env env = settings->env;
    napi_value names, key;
    uint32_t count = 0;
    if (djp_node_type(env, options) != napi_object ||
        !djp_node_ok(env, napi_get_property_names(env, options, &names)) ||
        !djp_node_ok(env, napi_get_array_length(env, names, &count))) {
        return;
    }
    for (uint32_t i = 0; i < count && settings->count < SDK_OPTIONS_MAX &&
                         settings->text_count + 2 <= SDK_OPTIONS_MAX * 2;
         i++) {
        if (djp_node_ok(env, napi_get_element(env, names, i, &key))) {
            sdk_read_option(settings, options, key);
        }
    }
}

static int
sdk_is_ours(const char *name)
{
    static const char *const prefixes[] = {"DJP_TELEMETRY_", "OTEL_", "TELEMETRY_"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Keeps the names with the prefix of this package or of OpenTelemetry; skips unreadable ones. */
static void
sdk_read_variables(sdk_settings *settings)
{
    napi_env env = settings->env;
    napi_value names, name;
    uint32_t count = 0;
    if (djp_node_type(env, settings->environ) != napi_object ||
        !djp_node_ok(env, napi_get_property_names(env, settings->environ, &names)) ||
        !djp_node_ok(env, napi_get_array_length(env, names, &count))) {
        return;
    }
    for (uint32_t i = 0; i < count && settings->variable_count < SDK_VARIABLES_MAX; i++) {
        djp_node_text *text = &settings->names[settings->variable_count];
        if (!djp_node_ok(env, napi_get_element(env, names, i, &name)) ||
            !djp_node_text_get(text, env, name)) {
            continue;
        }
        if (sdk_is_ours(text->text.data)) {
            settings->variables[settings->variable_count++] = text->text.data;
        } else {
            djp_node_text_release(text);
        }
    }
}

static void
sdk_settings_free(sdk_settings *settings)
{
    for (size_t i = 0; i < settings->variable_count; i++) {
        djp_node_text_release(&settings->names[i]);
    }
    for (size_t i = 0; i < settings->text_count; i++) {
        djp_node_text_release(&settings->texts[i]);
    }
    djp_node_text_release(&settings->value);
    free(settings);
}

/* The status without an active SDK. */
static void
sdk_put_status(napi_env env, napi_value result, const djp_options *options)
{
    char *text = NULL;
    size_t size = 0;
    if (djp_status_off_json(&text, &size, options) == 0) {
        djp_node_put(env, result, "status", djp_node_string(env, (djp_text){text, size}));
        djp_free(text);
    }
}

static napi_value
sdk_describe(napi_env env, const djp_options *options, const djp_node_sdk *active, int attached)
{
    static const char *const backends[] = {"noop", "prom", "otel", "hybrid"};
    static const char *const semconvs[] = {"old", "stable", "both"};
    napi_value result = djp_node_object(env);
    djp_node_put(env, result, "enabled", djp_node_boolean(env, options->enabled));
    djp_node_put_text(env, result, "backend", backends[options->backend]);
    djp_node_put_text(env, result, "semconv", semconvs[options->semconv]);
    djp_node_put_text(env, result, "service_name", options->service_name);
    djp_node_put_text(env, result, "service_version", options->service_version);
    djp_node_put_text(env, result, "environment", options->environment);
    djp_node_put(env, result, "log_correlation", djp_node_boolean(env, options->log_correlation));
    djp_node_put(env, result, "runtime_metrics", djp_node_boolean(env, options->runtime_metrics));
    djp_node_put(env, result, "shutdown_timeout",
                 djp_node_double(env, (double)options->shutdown_timeout_ns / 1e9));
    djp_node_put(env, result, "prometheus_port", djp_node_double(env, options->prometheus_port));
    djp_node_put(env, result, "log_level", djp_node_double(env, options->log_level));
    djp_node_put_text(env, result, "report", options->report_json);
    djp_node_put_text(env, result, "summary", options->summary == NULL ? "" : options->summary);
    djp_node_put_text(env, result, "propagators", options->propagators);
    djp_node_put_text(env, result, "excluded_paths", options->excluded_paths);
    djp_node_put_text(env, result, "known_methods", options->known_methods);
    djp_node_put(env, result, "status_class", djp_node_boolean(env, options->status_class));
    djp_node_put(env, result, "label_style_path", djp_node_boolean(env, options->label_style_path));
    djp_node_put(env, result, "cardinality_limit",
                 djp_node_double(env, options->cardinality_limit));
    djp_node_put(env, result, "traces",
                 djp_node_boolean(env, active != NULL && active->recorder != NULL));
    djp_node_put(env, result, "metrics",
                 djp_node_boolean(env, active != NULL && active->registry != NULL));
    djp_node_put(env, result, "epoch", djp_node_double(env, active == NULL ? 0 : active->epoch));
    djp_node_put(env, result, "attached", djp_node_boolean(env, attached));
    return result;
}

/* starts is 0 to resolve the settings only. */
static napi_value
sdk_resolve(sdk_settings *settings, napi_value name, djp_letter_case spelling, int starts)
{
    napi_env env = settings->env;
    djp_node_env *self = djp_node_env_of(env);
    djp_node_text service;
    djp_options resolved;
    napi_value result = NULL;
    djp_node_sdk *active = NULL;
    int named = djp_node_text_get(&service, env, name), attached = 0;
    djp_config_request request = {.lookup = sdk_lookup,
                                  .lookup_user = settings,
                                  .variables = settings->variables,
                                  .variable_count = settings->variable_count,
                                  .overrides = settings->overrides,
                                  .override_count = settings->count,
                                  .default_service_name = named ? service.text.data : NULL,
                                  .spelling = spelling,
                                  .warn = sdk_warn,
                                  .warn_user = settings};
    int error = djp_config_resolve_request(&resolved, &request);
    djp_node_text_release(&service);
    if (error != 0) {
        djp_node_throw(env, "%s", djp_error_text(error));
        return NULL;
    }
    if (starts && resolved.enabled && resolved.backend != DJP_BACKEND_NOOP) {
        int code = djp_node_sdk_activate(&active, &resolved, self == NULL ? "" : self->version);
        attached = code == 1;
        error = code < 0 ? code : 0;
    }
    if (error != 0) {
        djp_node_throw(env, "%s", djp_error_text(error));
    } else {
        result = sdk_describe(env, attached ? djp_sdk_options(active->sdk) : &resolved, active,
                              attached);
    }
    if (result != NULL && !starts) {
        sdk_put_status(env, result, &resolved);
    }
    djp_options_fini(&resolved);
    djp_node_sdk_release(active);
    return result;
}

static napi_value
sdk_with_settings(napi_env env, const napi_value *given, djp_letter_case spelling, int starts)
{
    sdk_settings *settings = calloc(1, sizeof *settings);
    if (settings == NULL) {
        djp_node_throw(env, "%s", djp_error_text(DJP_ENOMEM));
        return NULL;
    }
    settings->env = env;
    settings->environ = given[1];
    settings->warn = given[3];
    sdk_read_options(settings, given[0]);
    sdk_read_variables(settings);
    napi_value result = sdk_resolve(settings, given[2], spelling, starts);
    sdk_settings_free(settings);
    return result;
}

/* sdkStart(options, env, defaultServiceName, warn): an object that describes the settings. Throws
 * only without memory. */
static napi_value
sdk_start(napi_env env, napi_callback_info info)
{
    napi_value given[4];
    if (!djp_node_arguments(env, info, given, 4)) {
        return NULL;
    }
    djp_node_sdk *active = djp_node_sdk_acquire();
    if (active == NULL) {
        return sdk_with_settings(env, given, DJP_CAMEL_CASE, 1);
    }
    napi_value result = sdk_describe(env, djp_sdk_options(active->sdk), active, 1);
    djp_node_sdk_release(active);
    return result;
}

/* sdkResolve(options, env, defaultServiceName, warn, snakeCase): the same settings without a start.
 * Messages name options in camel case unless snakeCase is true. */
static napi_value
sdk_resolve_only(napi_env env, napi_callback_info info)
{
    napi_value given[5];
    if (!djp_node_arguments(env, info, given, 5)) {
        return NULL;
    }
    int snake = djp_node_int(env, given[4], 0);
    return sdk_with_settings(env, given, snake ? DJP_SNAKE_CASE : DJP_CAMEL_CASE, 0);
}

/* sdkKeywords(): all options. */
static napi_value
sdk_keywords(napi_env env, napi_callback_info info)
{
    (void)info;
    napi_value list = NULL;
    uint32_t count = 0;
    if (!djp_node_ok(env, napi_create_array(env, &list))) {
        return NULL;
    }
    for (const char *const *keyword = djp_config_keywords(); *keyword != NULL; keyword++) {
        napi_value text = djp_node_string(env, (djp_text){*keyword, strlen(*keyword)});
        if (text != NULL) {
            (void)djp_node_ok(env, napi_set_element(env, list, count++, text));
        }
    }
    return list;
}

/* sdkStatus(): the status as JSON text, or null if nothing is active. */
static napi_value
sdk_status(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_sdk *active = djp_node_sdk_acquire();
    char *text = NULL;
    size_t size = 0;
    if (active == NULL || djp_sdk_status_json(&text, &size, active->sdk) != 0) {
        djp_node_sdk_release(active);
        return djp_node_null(env);
    }
    napi_value result = djp_node_string(env, (djp_text){text, size});
    djp_free(text);
    djp_node_sdk_release(active);
    return result;
}

/* sdkEpoch(): a number that changes at each start; 0 if nothing is active. */
static napi_value
sdk_epoch(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_sdk *active = djp_node_sdk_acquire();
    uint32_t epoch = active == NULL ? 0 : active->epoch;
    djp_node_sdk_release(active);
    return djp_node_double(env, epoch);
}

static napi_value
sdk_bytes(napi_env env, const char *data, size_t size)
{
    napi_value buffer, array;
    void *room = NULL;
    if (!djp_node_ok(env, napi_create_arraybuffer(env, size, &room, &buffer))) {
        return NULL;
    }
    if (size > 0) {
        memcpy(room, data, size);
    }
    return djp_node_ok(env, napi_create_typedarray(env, napi_uint8_array, size, buffer, 0, &array))
               ? array
               : NULL;
}

/* sdkTakeExported(): an array with one Uint8Array per ExportTraceServiceRequest, or null with
 * another exporter. */
static napi_value
sdk_take_exported(napi_env env, napi_callback_info info)
{
    (void)info;
    djp_node_sdk *active = djp_node_sdk_acquire();
    char *data = NULL;
    size_t size = 0;
    napi_value list = NULL;
    int have = active != NULL && djp_sdk_take_exported(&data, &size, active->sdk) == 0;
    djp_node_sdk_release(active);
    if (!have || !djp_node_ok(env, napi_create_array(env, &list))) {
        djp_free(data);
        return djp_node_null(env);
    }
    uint32_t count = 0;
    for (size_t at = 0; at + 4 <= size;) {
        const uint8_t *head = (const uint8_t *)data + at;
        size_t length =
            (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        napi_value item = length <= size - at - 4 ? sdk_bytes(env, data + at + 4, length) : NULL;
        if (item != NULL) {
            (void)djp_node_ok(env, napi_set_element(env, list, count++, item));
        }
        at += 4 + length;
    }
    djp_free(data);
    return list;
}

/* sdkSetEnabled(1 or 0): whether it is now in effect. */
static napi_value
sdk_set_enabled(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    djp_node_sdk *active = djp_node_sdk_acquire();
    int holds =
        active != NULL && djp_sdk_set_enabled(active->sdk, djp_node_int(env, given[0], 0)) == 0;
    djp_node_sdk_release(active);
    return djp_node_boolean(env, holds);
}

/* sdkSetSampleRatio(ratio): below 0 restores the configured one; whether it is now in effect. */
static napi_value
sdk_set_sample_ratio(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    djp_node_sdk *active = djp_node_sdk_acquire();
    double ratio = djp_node_number(env, given[0], 2);
    int holds = active != NULL && djp_sdk_set_sample_ratio(active->sdk, ratio) == 0;
    djp_node_sdk_release(active);
    return djp_node_boolean(env, holds);
}

/* sdkSetCanaryRatio(ratio): the same for the canary ratio. */
static napi_value
sdk_set_canary_ratio(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    djp_node_sdk *active = djp_node_sdk_acquire();
    double ratio = djp_node_number(env, given[0], 2);
    int holds = active != NULL && djp_sdk_set_canary_ratio(active->sdk, ratio) == 0;
    djp_node_sdk_release(active);
    return djp_node_boolean(env, holds);
}

/* sdkListen(host, port): whether the Prometheus endpoint listens there now. */
static napi_value
sdk_listen(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_node_text host;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_node_sdk *active = djp_node_sdk_acquire();
    int port = djp_node_int(env, given[1], 0);
    int listens = djp_node_text_get(&host, env, given[0]) && active != NULL &&
                  djp_sdk_listen(active->sdk, host.text.data, port) == 0;
    djp_node_text_release(&host);
    djp_node_sdk_release(active);
    return djp_node_boolean(env, listens);
}

/* sdkSharedName(): what a worker of a cluster sets as shared_dir to share the metrics; "" if they
 * are not shared. */
static napi_value
sdk_shared_name(napi_env env, napi_callback_info info)
{
    char room[64] = "";
    napi_value result = NULL;
    (void)info;
    djp_node_sdk *active = djp_node_sdk_acquire();
    const char *name = active != NULL ? djp_registry_name(active->registry, room, sizeof room) : "";
    (void)djp_node_ok(env, napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &result));
    djp_node_sdk_release(active);
    return result;
}

void
djp_node_sdk_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"sdkKeywords", sdk_keywords},
        {"sdkStart", sdk_start},
        {"sdkResolve", sdk_resolve_only},
        {"sdkStatus", sdk_status},
        {"sdkEpoch", sdk_epoch},
        {"sdkTakeExported", sdk_take_exported},
        {"sdkSetEnabled", sdk_set_enabled},
        {"sdkSetSampleRatio", sdk_set_sample_ratio},
        {"sdkSetCanaryRatio", sdk_set_canary_ratio},
        {"sdkListen", sdk_listen},
        {"sdkSharedName", sdk_shared_name},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
