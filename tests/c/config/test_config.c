/* Configuration by the shared vectors, and what they cannot say: each variable of the specification
 * is known, and hostile input is survived. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/config.h"
#include "djp/config.h"
#include "djp/error.h"
#include "json.h"

enum { WARNINGS_MAX = 32, OVERRIDES_MAX = 16, VARIABLES_MAX = 64 };

typedef struct warnings {
    char *texts[WARNINGS_MAX];
    size_t count;
} warnings;

static void
collect(void *user, const char *message)
{
    warnings *list = user;
    assert_true(list->count < WARNINGS_MAX);
    list->texts[list->count] = strdup(message);
    assert_non_null(list->texts[list->count]);
    list->count++;
}

static void
warnings_clear(warnings *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->texts[i]);
    }
    list->count = 0;
}

/* Gives a copy that the next call frees, so that a reader who keeps the pointer too long is caught
 * by the sanitizer. */
static const char *
look_up(void *user, const char *name)
{
    static char *last;
    free(last);
    last = NULL;
    const json *value = json_get(user, name);
    if (value != NULL) {
        last = strdup(json_string(value, ""));
    }
    return last;
}

typedef struct resolved {
    djp_options options;
    json *report;
    warnings warnings;
} resolved;

static void
resolve_case(resolved *out, const json *item)
{
    djp_config_override overrides[OVERRIDES_MAX];
    const json *given = json_get(item, "options");
    size_t count = json_count(given);
    assert_true(count <= OVERRIDES_MAX);
    for (size_t i = 0; i < count; i++) {
        overrides[i] = (djp_config_override){given->keys[i], json_string(&given->items[i], NULL)};
    }
    memset(out, 0, sizeof *out);
    const json *env = json_get(item, "env");
    const char *variables[VARIABLES_MAX];
    assert_true(json_count(env) <= VARIABLES_MAX);
    for (size_t i = 0; i < json_count(env); i++) {
        variables[i] = env->keys[i];
    }
    int camel = strcmp(json_string(json_get(item, "spelling"), "snake"), "camel") == 0;
    djp_config_request request = {.lookup = look_up,
                                  .lookup_user = (void *)(size_t)env,
                                  .variables = variables,
                                  .variable_count = json_count(env),
                                  .overrides = overrides,
                                  .override_count = count,
                                  .default_service_name =
                                      json_string(json_get(item, "default_service_name"), NULL),
                                  .spelling = camel ? DJP_CAMEL_CASE : DJP_SNAKE_CASE,
                                  .warn = collect,
                                  .warn_user = &out->warnings};
    assert_int_equal(djp_config_resolve_request(&out->options, &request), DJP_OK);
    out->report = json_parse(out->options.report_json, strlen(out->options.report_json));
    assert_non_null(out->report);
}

static void
resolved_clear(resolved *out)
{
    djp_options_fini(&out->options);
    json_free(out->report);
    warnings_clear(&out->warnings);
}

static int
same_value(const json *have, const json *want)
{
    if (have == NULL || have->kind != want->kind) {
        return 0;
    }
    switch (want->kind) {
    case JSON_NULL:
        return 1;
    case JSON_BOOL:
        return have->boolean == want->boolean;
    case JSON_NUMBER:
        return have->number == want->number;
    case JSON_STRING:
        return strcmp(have->text, want->text) == 0;
    default:
        return 0;
    }
}

static void
check_settings(const char *name, const json *report, const json *expected, const char *part)
{
    for (size_t i = 0; i < json_count(expected); i++) {
        const json *entry = json_get(report, expected->keys[i]);
        const json *have = json_get(entry, part);
        if (!same_value(have, &expected->items[i])) {
            fail_msg("%s: %s of %s is %s, not %s", name, part, expected->keys[i],
                     have == NULL         ? "absent"
                     : have->text != NULL ? have->text
                     : have->boolean      ? "true"
                                          : "false or null",
                     expected->items[i].text != NULL ? expected->items[i].text
                                                     : "another bool or null");
        }
    }
}

static void
check_fields(const char *name, const djp_options *options, const json *fields)
{
    const char *texts[][2] = {{"headers", options->headers},
                              {"http_proxy", options->http_proxy},
                              {"https_proxy", options->https_proxy},
                              {"endpoint", options->endpoint},
                              {"summary", options->summary},
                              {"endpoint_source", options->endpoint_source},
                              {"environment_short", options->environment_short}};
    for (size_t i = 0; i < json_count(fields); i++) {
        const char *key = fields->keys[i];
        const json *want = &fields->items[i];
        const char *have = NULL;
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            have = strcmp(key, texts[t][0]) == 0 ? texts[t][1] : have;
        }
        if (strcmp(key, "sample_ratio_explicit") == 0) {
            assert_int_equal(options->sample_ratio_explicit, (int)json_number(want, -1));
        } else if (have == NULL || strcmp(have, json_string(want, "?")) != 0) {
            fail_msg("%s: field %s is \"%s\"", name, key, have == NULL ? "unknown" : have);
        }
    }
}

static int
warned_of(const warnings *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strstr(list->texts[i], text) != NULL) {
            return 1;
        }
    }
    return 0;
}

static void
check_warnings(const char *name, const resolved *have, const json *item)
{
    const json *names = json_get(item, "warning_names");
    const json *hidden = json_get(item, "hidden");
    size_t wanted = (size_t)json_number(json_get(item, "warnings"), 0);
    if (have->warnings.count != wanted) {
        fail_msg("%s: %zu warnings, not %zu; the first is: %s", name, have->warnings.count, wanted,
                 have->warnings.count == 0 ? "none" : have->warnings.texts[0]);
    }
    for (size_t i = 0; i < have->warnings.count; i++) {
        const char *text = have->warnings.texts[i];
        assert_true(strlen(text) > 20 && text[strlen(text) - 1] == '.');
    }
    for (size_t i = 0; i < json_count(names); i++) {
        if (!warned_of(&have->warnings, json_at(names, i)->text)) {
            fail_msg("%s: no warning names %s", name, json_at(names, i)->text);
        }
    }
    for (size_t i = 0; i < json_count(hidden); i++) {
        const char *secret = json_at(hidden, i)->text;
        if (warned_of(&have->warnings, secret) ||
            strstr(have->options.report_json, secret) != NULL ||
            strstr(have->options.summary, secret) != NULL) {
            fail_msg("%s: \"%s\" is shown", name, secret);
        }
    }
}

static void
test_vectors(void **unused)
{
    (void)unused;
    json *vectors = json_load("config.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) >= 250);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *item = json_at(cases, i);
        const char *name = json_string(json_get(item, "case"), "?");
        resolved have;
        resolve_case(&have, item);
        assert_int_equal(json_count(have.report), DJP_SETTINGS);
        check_settings(name, have.report, json_get(item, "expect"), "value");
        check_settings(name, have.report, json_get(item, "sources"), "source");
        check_fields(name, &have.options, json_get(item, "fields"));
        check_warnings(name, &have, item);
        resolved_clear(&have);
    }
    json_free(vectors);
}

/* A wrong word for every variable: one warning each, none for texts, and the defaults stay. */
static const char *
always_wrong(void *user, const char *name)
{
    const char *const *one = user;
    return strcmp(name, *one) == 0                     ? "\x01?;=%zz"
           : strcmp(name, "ENABLE_OBSERVABILITY") == 0 ? "true"
                                                       : NULL;
}

/* Whether the variable takes any text, so that no text of it is wrong; own: it is the variable of
 * our own name. */
static int
takes_any_text(djp__setting setting, const char *name, int own)
{
    const djp__config_row *row = &djp__config_table[setting];
    if (setting == DJP_SETTING_SEMCONV && !own) {
        return 1;
    }
    if (own &&
        (setting == DJP_SETTING_SERVICE_NAMESPACE || setting == DJP_SETTING_SERVICE_VERSION)) {
        return 1;
    }
    if (row->form != DJP_FORM_TEXT || strcmp(name, "OTEL_RESOURCE_ATTRIBUTES") == 0) {
        return 0;
    }
    return !row->ruled || setting == DJP_SETTING_SERVICE_NAME ||
           setting == DJP_SETTING_ENVIRONMENT || setting == DJP_SETTING_METRICS_CERTIFICATE ||
           setting == DJP_SETTING_METRICS_CLIENT_KEY ||
           setting == DJP_SETTING_METRICS_CLIENT_CERTIFICATE;
}

static void
test_every_variable_survives_nonsense(void **unused)
{
    (void)unused;
    for (int s = 0; s < DJP_SETTINGS; s++) {
        const djp__config_row *row = &djp__config_table[s];
        char own[DJP_CONFIG_NAME_MAX];
        djp__config_own_name(own, (djp__setting)s);
        for (size_t i = 0; i <= DJP_CONFIG_SOURCES_MAX; i++) {
            warnings list = {.count = 0};
            djp_options options;
            const char *name = i == 0 ? own : row->sources[i - 1].variable;
            if (name == NULL) {
                break;
            }
            assert_int_equal(
                djp_config_resolve(&options, always_wrong, &name, NULL, 0, NULL, collect, &list),
                DJP_OK);
            int is_text = takes_any_text((djp__setting)s, name, i == 0);
            assert_int_equal(list.count, is_text ? 0 : 1);
            assert_int_equal(is_text || warned_of(&list, name), 1);
            warnings_clear(&list);
            djp_options_fini(&options);
        }
    }
}

/* Every variable of the specification is either a source of a setting or named as one that does
 * nothing here. */
static void
assert_variable_is_known(const char *name)
{
    warnings list = {.count = 0};
    djp_options options;
    djp_config_request request = {.lookup = always_wrong,
                                  .lookup_user = &name,
                                  .variables = &name,
                                  .variable_count = 1,
                                  .warn = collect};
    request.warn_user = &list;
    assert_int_equal(djp_config_resolve_request(&options, &request), DJP_OK);
    int is_source = 0;
    for (int s = 0; s < DJP_SETTINGS; s++) {
        const djp__config_source *sources = djp__config_table[s].sources;
        for (size_t i = 0; i < DJP_CONFIG_SOURCES_MAX && sources[i].variable != NULL; i++) {
            is_source |= strcmp(sources[i].variable, name) == 0;
        }
    }
    if (!is_source &&
        !(list.count == 1 && warned_of(&list, name) && warned_of(&list, "does not support"))) {
        fail_msg("%s is not known", name);
    }
    assert_false(warned_of(&list, "There is no variable"));
    warnings_clear(&list);
    djp_options_fini(&options);
}

static void
test_every_variable_of_the_specification_is_known(void **unused)
{
    (void)unused;
    static const char *const names[] = {"OTEL_SDK_DISABLED",
                                        "OTEL_SERVICE_NAME",
                                        "OTEL_RESOURCE_ATTRIBUTES",
                                        "OTEL_ENTITIES",
                                        "OTEL_LOG_LEVEL",
                                        "OTEL_PROPAGATORS",
                                        "OTEL_TRACES_SAMPLER",
                                        "OTEL_TRACES_SAMPLER_ARG",
                                        "OTEL_BSP_SCHEDULE_DELAY",
                                        "OTEL_BSP_EXPORT_TIMEOUT",
                                        "OTEL_BSP_MAX_QUEUE_SIZE",
                                        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
                                        "OTEL_BLRP_SCHEDULE_DELAY",
                                        "OTEL_BLRP_EXPORT_TIMEOUT",
                                        "OTEL_BLRP_MAX_QUEUE_SIZE",
                                        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
                                        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                                        "OTEL_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                                        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT",
                                        "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_SPAN_EVENT_COUNT_LIMIT",
                                        "OTEL_SPAN_LINK_COUNT_LIMIT",
                                        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
                                        "OTEL_TRACES_EXPORTER",
                                        "OTEL_METRICS_EXPORTER",
                                        "OTEL_LOGS_EXPORTER",
                                        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                                        "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                                        "OTEL_METRIC_EXPORT_INTERVAL",
                                        "OTEL_METRIC_EXPORT_TIMEOUT",
                                        "OTEL_METRICS_EXEMPLAR_FILTER",
                                        "OTEL_EXPORTER_PROMETHEUS_HOST",
                                        "OTEL_EXPORTER_PROMETHEUS_PORT",
                                        "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
                                        "OTEL_EXPORTER_ZIPKIN_TIMEOUT",
                                        "OTEL_CONFIG_FILE"};
    static const char *const signals[] = {"", "TRACES_", "METRICS_", "LOGS_"};
    static const char *const parts[] = {"ENDPOINT",    "PROTOCOL",    "HEADERS",
                                        "TIMEOUT",     "COMPRESSION", "INSECURE",
                                        "CERTIFICATE", "CLIENT_KEY",  "CLIENT_CERTIFICATE"};
    char name[96];
    for (size_t i = 0; i < sizeof(names) / sizeof names[0]; i++) {
        assert_variable_is_known(names[i]);
    }
    for (size_t s = 0; s < 4; s++) {
        for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
            snprintf(name, sizeof name, "OTEL_EXPORTER_OTLP_%s%s", signals[s], parts[p]);
            assert_variable_is_known(name);
        }
    }
}

static const char *
huge(void *user, const char *name)
{
    return strcmp(name, "ENABLE_OBSERVABILITY") == 0 ? "true" : user;
}

static void
test_huge_values(void **unused)
{
    (void)unused;
    static const char fillers[] = "a,=%;\xff";
    size_t sizes[] = {10u << 20, DJP_CONFIG_VALUE_MAX};
    for (size_t k = 0; k < 2; k++) {
        char *text = calloc(1, sizes[k] + 1);
        assert_non_null(text);
        for (const char *filler = fillers; *filler != '\0'; filler++) {
            memset(text, *filler, sizes[k]);
            djp_options options;
            assert_int_equal(djp_config_resolve(&options, huge, text, NULL, 0, text, NULL, NULL),
                             DJP_OK);
            assert_int_equal(options.sample_ratio_explicit, 0);
            djp_options_fini(&options);
        }
        free(text);
    }
}

static void
test_null_arguments(void **unused)
{
    (void)unused;
    djp_options options;
    djp_config_override overrides[] = {{NULL, "1"}, {"enabled", NULL}, {"nothing", "1"}};
    assert_int_equal(djp_config_resolve(&options, NULL, NULL, NULL, 3, NULL, NULL, NULL), DJP_OK);
    djp_options_fini(&options);
    assert_int_equal(djp_config_resolve(&options, NULL, NULL, overrides, 3, NULL, NULL, NULL),
                     DJP_OK);
    assert_int_equal(options.enabled, 0);
    djp_options_fini(&options);
    djp_options_fini(&options);
    djp_options_fini(NULL);
}

static void
test_keywords(void **unused)
{
    (void)unused;
    static const char *const promised[] = {
        "enabled",      "backend",        "exporter",     "endpoint",       "protocol",
        "headers",      "file_path",      "service_name", "environment",    "resource_attributes",
        "sample_ratio", "slow_threshold", "ring_bytes",   "flush_interval", "prometheus_port"};
    const char *const *keywords = djp_config_keywords();
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        const char *const *found = keywords;
        while (*found != NULL && strcmp(*found, promised[i]) != 0) {
            found++;
        }
        assert_non_null(*found);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_variable_survives_nonsense),
        cmocka_unit_test(test_every_variable_of_the_specification_is_known),
        cmocka_unit_test(test_huge_values),
        cmocka_unit_test(test_null_arguments),
        cmocka_unit_test(test_keywords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
