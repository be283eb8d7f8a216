/* The switch, the backend, the exporter, the time-out and metrics: settings whose value depends on
 * others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "djp/error.h"
#include "settings_fixture.h"

#define KILLER "OTEL_SDK_DISABLED"
#define OWN "DJP_TELEMETRY_ENABLED"

typedef struct switch_case {
    const char *variables[9];
    const char *option; /* NULL: not given */
    int enabled;
    const char *source;
    const char *warning; /* the only one; NULL: none */
} switch_case;

static void
the_switch_is_the_first_source_unless_disabled(void **state)
{
    static const switch_case cases[] = {
        {{NULL}, NULL, 0, "default", NULL},
        {{NULL}, "1", 1, "option enabled", NULL},
        {{NULL},
         "maybe",
         0,
         "option enabled",
         "option enabled is \"maybe\", which is not true or "
         "false. It counts as false"},
        {{"TELEMETRY_ENABLED", "1", "ENABLE_OBSERVABILITY", "false"},
         NULL,
         1,
         "TELEMETRY_ENABLED",
         NULL},
        {{"TELEMETRY_ENABLED", "0", "ENABLE_OBSERVABILITY", "true"},
         NULL,
         0,
         "TELEMETRY_ENABLED",
         NULL},
        {{"TELEMETRY_ENABLED", "1", "ENABLE_OBSERVABILITY", "perhaps"},
         NULL,
         1,
         "TELEMETRY_ENABLED",
         NULL},
        {{OWN, "0", "TELEMETRY_ENABLED", "1"}, NULL, 0, OWN, NULL},
        {{OWN, "0", "TELEMETRY_ENABLED", "1"}, "1", 1, "option enabled", NULL},
        {{OWN, "x"}, "1", 1, "option enabled", OWN " is \"x\""},
        {{KILLER, "true"}, NULL, 0, KILLER, NULL},
        {{KILLER, "true"}, "0", 0, KILLER, NULL},
        {{KILLER, "true"}, "1", 0, KILLER, "although option enabled is on"},
        {{KILLER, "true", "TELEMETRY_ENABLED", "1"},
         NULL,
         0,
         KILLER,
         KILLER " is true, so telemetry stays off, although TELEMETRY_ENABLED is on"},
        {{KILLER, "false", "TELEMETRY_ENABLED", "1"}, NULL, 1, "TELEMETRY_ENABLED", NULL},
        {{KILLER, "yes", "TELEMETRY_ENABLED", "1"},
         NULL,
         1,
         "TELEMETRY_ENABLED",
         KILLER " is \"yes\""},
        {{KILLER, "true", OWN, "true"}, NULL, 1, OWN, NULL},
        {{KILLER, "true", OWN, "true"}, "0", 0, "option enabled", NULL},
        {{KILLER, "true", OWN, "false", "TELEMETRY_ENABLED", "1"}, NULL, 0, KILLER, NULL},
        {{KILLER, "true", OWN, "off"}, "1", 0, KILLER, "although option enabled is on"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        const char *options[] = {"backend", "otel", "enabled", cases[i].option, NULL};
        options[2] = cases[i].option != NULL ? "enabled" : NULL;
        settings_resolve(&got, cases[i].variables, options);
        assert_int_equal(got.options.enabled, cases[i].enabled);
        assert_string_equal(settings_source(&got, "enabled"), cases[i].source);
        assert_string_equal(got.options.enabled_source, cases[i].source);
        settings_assert_warnings(&got, cases[i].warning != NULL);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
}

static void
the_switch_shows_60_bytes_of_a_wrong_text(void **state)
{
    char text[80], shown[80];
    (void)state;
    for (size_t size = 58; size <= 60; size++) {
        settings got;
        memset(text, 'x', size);
        strcpy(text + size, "\xc3\xa4y");
        snprintf(shown, sizeof shown, "\"%.*s\",", size == 58 ? 60 : (int)size, text);
        settings_resolve(&got, PAIRS(OWN, text, "TELEMETRY_BACKEND", "otel"), ONLY_ON);
        settings_assert_warnings(&got, 1);
        assert_true(settings_warned(&got, shown));
        settings_fini(&got);
    }
}

static void
the_backend_depends_on_the_switch(void **state)
{
    static const struct {
        const char *variables[5];
        djp_backend backend;
        const char *source, *warning;
    } cases[] = {
        {{"TELEMETRY_ENABLED", "1"},
         DJP_BACKEND_NOOP,
         "default",
         "TELEMETRY_ENABLED is on but TELEMETRY_BACKEND is not set, so nothing is recorded"},
        {{NULL}, DJP_BACKEND_NOOP, "default", NULL},
        {{OWN, "0"}, DJP_BACKEND_NOOP, "default", NULL},
        {{"ENABLE_OBSERVABILITY", "true"}, DJP_BACKEND_HYBRID, "default", NULL},
        {{OWN, "1"}, DJP_BACKEND_HYBRID, "default", NULL},
        {{"TELEMETRY_ENABLED", "0"}, DJP_BACKEND_NOOP, "default", NULL},
        {{"TELEMETRY_ENABLED", "1", "TELEMETRY_BACKEND", "prometheus"},
         DJP_BACKEND_PROM,
         "TELEMETRY_BACKEND",
         NULL},
        {{OWN, "1", "TELEMETRY_BACKEND", "x"},
         DJP_BACKEND_NOOP,
         "default",
         "TELEMETRY_BACKEND is \"x\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, cases[i].variables, NO_PAIRS);
        assert_int_equal(got.options.backend, cases[i].backend);
        assert_string_equal(settings_source(&got, "backend"), cases[i].source);
        settings_assert_warnings(&got, cases[i].warning != NULL);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
}

static void
an_invalid_option_gives_no_backend(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, NO_PAIRS, ON("backend", "x"));
    assert_int_equal(got.options.backend, DJP_BACKEND_NOOP);
    settings_assert_warnings(&got, 1);
    settings_fini(&got);
}

static void
names_of_exporters_may_contain_a_protocol(void **state)
{
    (void)state;
    assert_int_equal(djp__config_otlp_protocol((djp_text){"otlp_proto_grpc", 15}),
                     DJP_PROTOCOL_GRPC);
    assert_int_equal(djp__config_otlp_protocol((djp_text){"OTLP_proto_HTTP", 15}),
                     DJP_PROTOCOL_HTTP_PROTOBUF);
    assert_int_equal(djp__config_otlp_protocol((djp_text){"otlp", 4}), -1);
    assert_int_equal(djp__config_otlp_protocol((djp_text){NULL, 0}), -1);
}

typedef struct exporter_case {
    const char *variables[7];
    djp_exporter exporter;
    const char *source, *warning;
} exporter_case;

static void
the_first_known_exporter_applies(void **state)
{
#define TRACES "OTEL_TRACES_EXPORTER"
#define ENDPOINT "OTEL_ENDPOINT", "http://h:4317"
    static const exporter_case cases[] = {
        {{NULL}, DJP_EXPORTER_CONSOLE, "default", NULL},
        {{ENDPOINT}, DJP_EXPORTER_OTLP, "OTEL_ENDPOINT", NULL},
        {{TRACES, "none"}, DJP_EXPORTER_NONE, TRACES, NULL},
        {{TRACES, "Memory"}, DJP_EXPORTER_MEMORY, TRACES, NULL},
        {{TRACES, "otlp"}, DJP_EXPORTER_OTLP, TRACES, NULL},
        {{TRACES, "otlp_proto_http"}, DJP_EXPORTER_OTLP, TRACES, NULL},
        {{TRACES, "otlp_proto_grpc"}, DJP_EXPORTER_OTLP, TRACES, NULL},
        {{TRACES, "console", ENDPOINT}, DJP_EXPORTER_CONSOLE, TRACES, NULL},
        {{TRACES, "zipkin, console "},
         DJP_EXPORTER_CONSOLE,
         TRACES,
         TRACES
         " is \"zipkin, console\", of which only otlp, console, none, file, memory are known"},
        {{TRACES, ",console,"}, DJP_EXPORTER_CONSOLE, TRACES, NULL},
        {{TRACES, "zipkin"},
         DJP_EXPORTER_CONSOLE,
         "default",
         TRACES " is \"zipkin\", which is not one of otlp, console, none, file, memory"},
        {{TRACES, "zipkin", "OTEL_EXPORTER", "none"},
         DJP_EXPORTER_NONE,
         "OTEL_EXPORTER",
         TRACES " is \"zipkin\""},
        {{TRACES, ",", "OTEL_EXPORTER", "none"},
         DJP_EXPORTER_NONE,
         "OTEL_EXPORTER",
         TRACES " is \",\""},
        {{"OTEL_EXPORTER", "otlp"},
         DJP_EXPORTER_CONSOLE,
         "OTEL_EXPORTER",
         "OTEL_EXPORTER is otlp but no endpoint is set, so spans go to the console"},
        {{"OTEL_EXPORTER", "otlp", ENDPOINT}, DJP_EXPORTER_OTLP, "OTEL_EXPORTER", NULL},
        {{"OTEL_EXPORTER", "none"}, DJP_EXPORTER_NONE, "OTEL_EXPORTER", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, cases[i].variables, ONLY_ON);
        assert_int_equal(got.options.exporter, cases[i].exporter);
        assert_string_equal(settings_source(&got, "exporter"), cases[i].source);
        settings_assert_warnings(&got, cases[i].warning != NULL);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
}

/* OTLP comes first, otherwise the one that is named first; names that mean the same count once, and
 * none excludes the others. */
static void
several_exporters_apply_together(void **state)
{
    enum { CONSOLE = 1u << DJP_EXPORTER_CONSOLE, FILES = 1u << DJP_EXPORTER_FILE };
    static const struct {
        const char *variables[7];
        djp_exporter first;
        unsigned further;
        const char *report, *warning;
    } cases[] = {
        {{TRACES, "otlp,console"}, DJP_EXPORTER_OTLP, CONSOLE, "otlp,console", NULL},
        {{TRACES, " console , OTLP "}, DJP_EXPORTER_OTLP, CONSOLE, "otlp,console", NULL},
        {{TRACES, "file,console"}, DJP_EXPORTER_FILE, CONSOLE, "file,console", NULL},
        {{TRACES, "memory,file,console"},
         DJP_EXPORTER_MEMORY,
         CONSOLE | FILES,
         "memory,console,file",
         NULL},
        {{TRACES, "console,console"}, DJP_EXPORTER_CONSOLE, 0, "console", NULL},
        {{TRACES, "otlp,otlp_proto_http"}, DJP_EXPORTER_OTLP, 0, "otlp", NULL},
        {{TRACES, "console,zipkin,otlp"},
         DJP_EXPORTER_OTLP,
         CONSOLE,
         "otlp,console",
         "The other names are left out"},
        {{TRACES, "otlp,none"}, DJP_EXPORTER_NONE, 0, "none", "so nothing is exported"},
        {{TRACES, "none,none"}, DJP_EXPORTER_NONE, 0, "none", NULL},
        {{"OTEL_EXPORTER", "otlp,console"},
         DJP_EXPORTER_CONSOLE,
         0,
         "console",
         "no endpoint is set"},
        {{"OTEL_EXPORTER", "otlp,file"},
         DJP_EXPORTER_CONSOLE,
         FILES,
         "console,file",
         "no endpoint is set"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, cases[i].variables, ONLY_ON);
        assert_int_equal(got.options.exporter, cases[i].first);
        assert_int_equal(got.options.further_exporters, cases[i].further);
        char expected[64];
        snprintf(expected, sizeof expected, "\"exporter\":{\"value\":\"%s\"", cases[i].report);
        assert_non_null(strstr(got.options.report_json, expected));
        settings_assert_warnings(&got, cases[i].warning != NULL);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
}

static void
the_summary_names_each_exporter(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS(TRACES, "console,otlp,file", ENDPOINT),
                     ON("file_path", "/x/spans"));
    assert_non_null(strstr(got.options.summary,
                           "spans to http://h:4317 by grpc (OTEL_ENDPOINT) "
                           "and to the console (" TRACES ") and to /x/spans (" TRACES ")"));
    settings_fini(&got);
}

static void
standard_output_is_a_file(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS(TRACES, "OTLP/stdout"), ON("file_path", "/x"));
    assert_int_equal(got.options.exporter, DJP_EXPORTER_FILE);
    assert_string_equal(got.options.file_path, "-");
    assert_string_equal(settings_source(&got, "file_path"), TRACES);
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
}

/* Outside of dev a console that no one chose deserves a remark. */
static void
an_unchosen_console_is_marked(void **state)
{
    static const struct {
        const char *environment, *exporter, *endpoint;
        int marked;
    } cases[] = {
        {"", "", "", 0},
        {"prod", "", "", 1},
        {"staging", "", "", 1},
        {"dev", "", "", 0},
        {"local", "", "", 0},
        {"prod", "console", "", 0},
        {"prod", "", "http://h:1", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got,
                         PAIRS("ENV", cases[i].environment, TRACES, cases[i].exporter,
                               "OTEL_ENDPOINT", cases[i].endpoint),
                         ONLY_ON);
        assert_int_equal(got.options.console_unasked, cases[i].marked);
        settings_fini(&got);
    }
}

static void
time_outs_in_the_wrong_unit_are_noticed(void **state)
{
#define TIMEOUT "OTEL_EXPORTER_OTLP_TIMEOUT"
    static const struct {
        const char *variable, *option;
        const char *warning;
    } cases[] = {
        {"0", "", NULL},
        {"0.001", "", TIMEOUT " is 0.001, which is read as milliseconds"},
        {"30", "", "Write 30000 for seconds."},
        {"199.9", "", TIMEOUT " is 199.9, which is read as milliseconds"},
        {"200", "", NULL},
        {"100000000", "", NULL},
        {"", "0.1", NULL}, /* in seconds */
        {"", "999.9", NULL},
        {"", "1000", "option export_timeout is 1000, which is read as seconds"},
        {"30", "5", NULL}, /* the option applies */
        {"30", "x", TIMEOUT " is 30, which is read as milliseconds"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, PAIRS(TIMEOUT, cases[i].variable),
                         ON("export_timeout", cases[i].option));
        int is_option_bad = strcmp(cases[i].option, "x") == 0;
        settings_assert_warnings(&got, (size_t)(cases[i].warning != NULL) + (size_t)is_option_bad);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
}

/* Of several sources that one is looked at whose value applies. */
static void
the_time_out_in_use_is_looked_at(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got,
                     PAIRS("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "30", TIMEOUT, "5000",
                           "OTEL_BSP_EXPORT_TIMEOUT", "20"),
                     ONLY_ON);
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is 30"));
    settings_fini(&got);
}

static void
metrics_need_their_backend(void **state)
{
#define METRICS "OTEL_METRICS_EXPORTER"
    static const struct {
        const char *enabled, *backend, *variable, *option;
        int on;
        const char *source, *warning;
    } cases[] = {
        {"1", "hybrid", "", "", 1, "default", NULL},
        {"1", "prom", "", "", 1, "default", NULL},
        {"1", "otel", "", "", 0, "option backend", NULL},
        {"1", "noop", "", "", 0, "option backend", NULL},
        {"0", "prom", "", "", 0, "option enabled", NULL},
        {"1", "prom", "NONE", "", 0, METRICS, NULL},
        {"1", "prom", "Prometheus", "", 1, METRICS, NULL},
        {"1", "prom", "otlp", "", 1, METRICS, NULL},
        {"1", "prom", "statsd", "", 1, "default",
         METRICS " is \"statsd\", which is not one of "
                 "otlp, console, file, prometheus, none"},
        {"1", "prom", "none", "true", 1, "option metrics_enabled", NULL},
        {"1", "prom", "prometheus", "false", 0, "option metrics_enabled", NULL},
        {"1", "prom", "none", "x", 0, METRICS, "option metrics_enabled is \"x\""},
        {"1", "otel", "prometheus", "true", 0, "option backend", NULL},
    };
    settings got;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings_resolve(&got, PAIRS(METRICS, cases[i].variable),
                         PAIRS("enabled", cases[i].enabled, "backend", cases[i].backend,
                               "metrics_enabled", cases[i].option));
        assert_int_equal(got.options.metrics_enabled, cases[i].on);
        assert_string_equal(settings_source(&got, "metrics_enabled"), cases[i].source);
        settings_assert_warnings(&got, cases[i].warning != NULL);
        assert_true(cases[i].warning == NULL || settings_warned(&got, cases[i].warning));
        settings_fini(&got);
    }
    settings_resolve(&got, PAIRS("DJP_TELEMETRY_METRICS_ENABLED", "no", METRICS, "prometheus"),
                     ONLY_ON);
    assert_int_equal(got.options.metrics_enabled, 0);
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(PAIRS(TRACES, "otlp/stdout", KILLER, "x", TIMEOUT, "30"), ONLY_ON);
    settings_without_memory(PAIRS("ENV", "prod", METRICS, "x"), ONLY_ON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_switch_is_the_first_source_unless_disabled),
        cmocka_unit_test(the_switch_shows_60_bytes_of_a_wrong_text),
        cmocka_unit_test(the_backend_depends_on_the_switch),
        cmocka_unit_test(an_invalid_option_gives_no_backend),
        cmocka_unit_test(names_of_exporters_may_contain_a_protocol),
        cmocka_unit_test(the_first_known_exporter_applies),
        cmocka_unit_test(several_exporters_apply_together),
        cmocka_unit_test(the_summary_names_each_exporter),
        cmocka_unit_test(standard_output_is_a_file),
        cmocka_unit_test(an_unchosen_console_is_marked),
        cmocka_unit_test(time_outs_in_the_wrong_unit_are_noticed),
        cmocka_unit_test(the_time_out_in_use_is_looked_at),
        cmocka_unit_test(metrics_need_their_backend),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
