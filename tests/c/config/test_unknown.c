/* Names without effect: which misspelled name is near which good one, which names belong to others,
 * and what is reported while telemetry is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"
#include "djp/error.h"
#include "settings_fixture.h"

static void
assert_option(const char *name, const char *nearest)
{
    settings got;
    char suggestion[128];
    snprintf(suggestion, sizeof suggestion, "(did you mean %s?)", nearest != NULL ? nearest : "");
    settings_resolve(&got, NO_PAIRS, PAIRS(name, "1"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "There is no option \""));
    if (!settings_warned(&got, nearest != NULL ? suggestion : "docs/configuration.md")) {
        fail_msg("%s: %s", name, got.warnings[0]);
    }
    settings_fini(&got);
}

/* Up to a third of the letters and one more may be wrong. */
static void
the_nearest_option_is_suggested(void **state)
{
    static const char *const cases[][2] = {
        {"sample_ratoi", "sample_ratio"},
        {"bakend", "backend"},
        {"NoProxy", "no_proxy"}, /* case and separators do not count */
        {"HTTP-PROXY", "http_proxy"},
        {"ringsizez", "ring_bytes"}, /* 4 of 9 letters */
        {"ringsizea", "ring_bytes"},
        {"RINGSIZEZ", "ring_bytes"},
        {"RINGSIZEA", "ring_bytes"},
        {"ringsize0", "ring_bytes"},
        {"ringsize9", "ring_bytes"},
        {"ringsize/", NULL}, /* 4 of 8 */
        {"ringsize:", NULL},
        {"ringsize@", NULL},
        {"ringsize[", NULL},
        {"ringsize`", NULL},
        {"ringsize{", NULL},
        {"ring_size", NULL},
        {"rnigbyxxx", "ring_bytes"}, /* letters exchanged count as one wrong letter */
        {"irngbyxxx", "ring_bytes"},
        {"rnigxxxxs", NULL}, /* an exchange and four more */
        {"rbgebyste", NULL},
        {"ginzbyerts", NULL},
        {"gtngbyqtq", NULL},
        {"otlp_endpoint", "endpoint"},
        {"metheus_po", "prometheus_port"}, /* inside the other name: half of the rest counts */
        {"endpointzzzzzzzzzzzzzz", "endpoint"},
        {"endpointzzzzzzzzzzzzzzz", NULL},
        {"event_attribute_count_limi", "event_attribute_count_limit"},
        {"pro", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_option(cases[i][0], cases[i][1]);
    }
}

static void
long_names_are_cut(void **state)
{
    char name[300];
    (void)state;
    memset(name, 'q', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    settings got;
    settings_resolve(&got, NO_PAIRS, PAIRS(name, "1"));
    settings_assert_warnings(&got, 1);
    name[60] = '"';
    name[61] = '\0';
    assert_true(settings_warned(&got, name));
    settings_fini(&got);
    /* Only the first 64 letters are compared. */
    memset(name, 'q', sizeof name - 1);
    memcpy(name, "DJP_TELEMETRY_", 14);
    settings_resolve(&got, PAIRS(name, "1"), ONLY_ON);
    settings_assert_warnings(&got, 1);
    name[80] = '\0';
    assert_true(settings_warned(&got, name));
    assert_false(settings_warned(
        &got, "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"));
    settings_fini(&got);
}

static void
options_are_spelled_as_the_caller_does(void **state)
{
    static const char *const cases[][2] = {{"sampleRate", "sampleRatio"},
                                           {"max_batch_span", "maxBatchSpans"},
                                           {"sampelr", "sampler"},
                                           {"eventattributecountlimi", "eventAttributeCountLimit"},
                                           {"pricePerGB1", "pricePerGb"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        char suggestion[128];
        snprintf(suggestion, sizeof suggestion, "(did you mean %s?)", cases[i][1]);
        settings_request(&got, NO_PAIRS, PAIRS(cases[i][0], "1"),
                         (djp_config_request){.spelling = DJP_CAMEL_CASE});
        assert_true(settings_warned(&got, suggestion));
        settings_fini(&got);
    }
}

static void
assert_variable(const char *name, const char *warning)
{
    settings got;
    settings_resolve(&got, PAIRS(name, "x"), ONLY_ON);
    settings_assert_warnings(&got, warning != NULL);
    if (warning != NULL && !settings_warned(&got, warning)) {
        fail_msg("%s: %s", name, got.warnings[0]);
    }
    settings_fini(&got);
}

/* A variable that others read too is a slip of this SDK's only with one or two wrong letters. */
static void
a_shared_variable_is_a_slip_or_somebody_elses(void **state)
{
    (void)state;
    assert_variable("OTEL_SERVICE_NAEM", "There is no variable OTEL_SERVICE_NAEM (did you mean "
                                         "OTEL_SERVICE_NAME?), so it is ignored.");
    assert_variable("OTEL_SERVICE_NXXE", "(did you mean OTEL_SERVICE_NAME?)");
    assert_variable("OTEL_SERVICE_XXXE", NULL);
    assert_variable("OTEL_service_NAME", NULL); /* seven letters: the case of variables counts */
    assert_variable("OTEL_SERVICE_NAME_", "(did you mean OTEL_SERVICE_NAME?)");
    assert_variable("TELEMETRY_BACKENDS", "(did you mean TELEMETRY_BACKEND?)");
    assert_variable("OTELX_SERVICE_NAME", NULL); /* no prefix of ours */
    assert_variable("XOTEL_SERVICE_NAME", NULL);
    assert_variable("SERVICE_NAMEX", NULL);
    assert_variable("OTEL_SERVICE_NAME", NULL);
    assert_variable("DJP_TELEMETRY_NATIVE", NULL);
    assert_variable("DJP_TELEMETRY_CFLAGS", NULL);
    assert_variable("DJP_TELEMETRY_LDFLAGS", NULL);
    assert_variable("DJP_TELEMETRY_SERVICE_NAME", NULL);
    assert_variable("DJP_TELEMETRY_SERVICE_NAEM", "(did you mean DJP_TELEMETRY_SERVICE_NAME?)");
    assert_variable("DJP_TELEMETRY_service_name", "(did you mean DJP_TELEMETRY_SERVICE_NAME?)");
    assert_variable("DJP_TELEMETRY_RINGSIZEZ", "(did you mean DJP_TELEMETRY_RING_BYTES?)");
    assert_variable("OTEL_BLRP_SCHEDULE_DELAY", "does not support"); /* near a supported one */
    assert_variable("DJP_TELEMETRY_", "docs/configuration.md");
    assert_variable("DJP_TELEMETRY_QQQ", "docs/configuration.md");
}

/* The last letter of a name is compared like the first. */
static void
slips_are_found_at_every_place(void **state)
{
    static const char good[] = "OTEL_TRACE_SAMPLE";
    char name[sizeof good];
    (void)state;
    for (size_t i = strlen("OTEL_"); i + 1 < sizeof good; i++) {
        memcpy(name, good, sizeof good);
        name[i] = '9';
        assert_variable(name, "(did you mean OTEL_TRACE_SAMPLE?)");
    }
}

static void
only_the_switch_is_reported_while_off(void **state)
{
    static const struct {
        const char *name;
        size_t warnings;
    } cases[] = {
        {"TELEMETRY_ENABLE", 1},   {"OTEL_SDK_DISABLE", 1},  {"DJP_TELEMETRY_ENABLE", 1},
        {"TELEMETRY_BACKENDS", 0}, {"OTEL_SERVICE_NAEM", 0}, {"DJP_TELEMETRY_SAMPLERS", 0},
        {"DJP_TELEMETRY_QQQ", 0},  {"OTEL_CONFIG_FILE", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, PAIRS(cases[i].name, "x"), NO_PAIRS);
        settings_assert_warnings(&got, cases[i].warnings);
        settings_fini(&got);
    }
}

static void
unsupported_variables_are_listed_once(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got,
                     PAIRS("OTEL_ENTITIES", "x", "OTEL_LOGS_EXPORTER", " none ",
                           "OTEL_PYTHON_EXCLUDED_URLS", "\t", "OTEL_BLRP_SCHEDULE_DELAY", "x"),
                     ONLY_ON);
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "here: OTEL_ENTITIES, OTEL_BLRP_SCHEDULE_DELAY. What"));
    settings_fini(&got);
    settings_resolve(&got, PAIRS("OTEL_LOGS_EXPORTER", "NONE"), ONLY_ON);
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
    settings_resolve(&got,
                     PAIRS("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
                           "Explicit_Bucket_Histogram"),
                     ONLY_ON);
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
    settings_resolve(&got, PAIRS("OTEL_ENTITIES", "none"), ONLY_ON);
    assert_true(settings_warned(&got, "here: OTEL_ENTITIES. What"));
    settings_fini(&got);
    settings_resolve(&got, PAIRS("OTEL_LOGS_EXPORTER", "otlp", "OTEL_CONFIG_FILE", "x"), ONLY_ON);
    assert_true(settings_warned(&got, "here: OTEL_CONFIG_FILE, OTEL_LOGS_EXPORTER. What"));
    settings_fini(&got);
}

static void
every_name_is_looked_at(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got,
                     PAIRS("OTEL_SERVICE_NAME", "s", "OTEL_SERVICE_NAEM", "x", "SHELL", "x",
                           "DJP_TELEMETRY_SAMPLERS", "x"),
                     ON("service_name", "s", "bakend", "1", "exporter", "none", "sampelr", "1"));
    settings_assert_warnings(&got, 4);
    assert_true(settings_warned(&got, "OTEL_SERVICE_NAEM"));
    assert_true(settings_warned(&got, "DJP_TELEMETRY_SAMPLERS"));
    assert_true(settings_warned(&got, "\"bakend\""));
    assert_true(settings_warned(&got, "\"sampelr\""));
    settings_fini(&got);
}

static void
no_names_are_no_warning(void **state)
{
    static const char *const variables[] = {NULL, "OTEL_SERVICE_NAEM", NULL};
    static const djp_config_override overrides[] = {{NULL, "1"}};
    djp_options options;
    djp_config_request request = {
        .variables = variables, .variable_count = 3, .overrides = overrides, .override_count = 1};
    (void)state;
    assert_int_equal(djp_config_resolve_request(&options, &request), DJP_OK);
    djp_options_fini(&options);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(
        PAIRS("OTEL_ENTITIES", "x", "OTEL_SERVICE_NAEM", "x", "DJP_TELEMETRY_SAMPLERS", "x"),
        ON("bakend", "1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_option_is_suggested),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(options_are_spelled_as_the_caller_does),
        cmocka_unit_test(a_shared_variable_is_a_slip_or_somebody_elses),
        cmocka_unit_test(slips_are_found_at_every_place),
        cmocka_unit_test(only_the_switch_is_reported_while_off),
        cmocka_unit_test(unsupported_variables_are_listed_once),
        cmocka_unit_test(every_name_is_looked_at),
        cmocka_unit_test(no_names_are_no_warning),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
