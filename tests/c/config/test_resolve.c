/* The order of sources, the form of values and of warnings, and the result as a whole. */
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

#define OWN "DJP_TELEMETRY_SERVICE_VERSION"

static void
sources_precede_each_other(void **state)
{
    /* All sources of one setting, the first has priority. */
    static const char *const variables[] = {OWN,
                                            "own",
                                            "DJP_TELEMETRY_RESOURCE_ATTRIBUTES",
                                            "service.version=own-attribute",
                                            "OTEL_RESOURCE_ATTRIBUTES",
                                            "service.version=standard",
                                            NULL};
    static const char *const values[] = {"option",        "option-attribute", "own",
                                         "own-attribute", "standard",         ""};
    static const char *const sources[] = {"option service_version",
                                          "option resource_attributes",
                                          OWN,
                                          "DJP_TELEMETRY_RESOURCE_ATTRIBUTES",
                                          "OTEL_RESOURCE_ATTRIBUTES",
                                          "default"};
    (void)state;
    for (size_t first = 0; first < 6; first++) {
        settings got;
        const char *options[] = {"enabled",
                                 "true",
                                 "resource_attributes",
                                 first <= 1 ? "service.version=option-attribute" : "",
                                 "service_version",
                                 first == 0 ? "option" : "",
                                 NULL};
        const char *given[7];
        memcpy(given, variables, sizeof given);
        for (size_t i = 0; i < 3; i++) {
            given[2 * i + 1] = first <= i + 2 ? given[2 * i + 1] : "";
        }
        settings_resolve(&got, given, options);
        assert_string_equal(got.options.service_version, values[first]);
        assert_string_equal(settings_source(&got, "service_version"), sources[first]);
        settings_assert_warnings(&got, 0);
        settings_fini(&got);
    }
}

static void
the_first_of_several_variables_applies(void **state)
{
    static const char *const names[] = {"OTEL_BSP_EXPORT_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT",
                                        "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
                                        "DJP_TELEMETRY_EXPORT_TIMEOUT"};
    static const char *const values[] = {"1000", "2000", "3000", "4"};
    const char *pairs[9] = {NULL};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        settings got;
        pairs[2 * i] = names[i];
        pairs[2 * i + 1] = values[i];
        settings_resolve(&got, pairs, ONLY_ON);
        assert_true(got.options.export_timeout_ns == (i + 1) * UINT64_C(1000000000));
        assert_string_equal(settings_source(&got, "export_timeout"), names[i]);
        settings_fini(&got);
    }
    settings got;
    pairs[7] = "never"; /* an invalid value counts as not set */
    settings_resolve(&got, pairs, ONLY_ON);
    assert_true(got.options.export_timeout_ns == UINT64_C(3000000000));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "DJP_TELEMETRY_EXPORT_TIMEOUT is \"never\", which is not a "
                                      "number of seconds from 0 to 31536000. It is ignored"));
    settings_fini(&got);
}

static void
the_last_of_equal_options_applies(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, NO_PAIRS, ON("service_name", "first", "service_name", "second"));
    assert_string_equal(got.options.service_name, "second");
    settings_fini(&got);
}

static void
values_are_trimmed(void **state)
{
    static const char *const cases[][2] = {{" a ", "a"},
                                           {"\t\n\v\f\ra\r\f\v\n\t", "a"},
                                           {"a b", "a b"},
                                           {" \n ", "unknown_service"},
                                           {"\x08"
                                            "a\x0e",
                                            "\x08"
                                            "a\x0e"},
                                           {"", "unknown_service"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, PAIRS("OTEL_SERVICE_NAME", cases[i][0]), ONLY_ON);
        assert_string_equal(got.options.service_name, cases[i][1]);
        settings_fini(&got);
    }
}

static void
a_value_may_be_as_long_as_the_limit(void **state)
{
    (void)state;
    for (size_t size = DJP_CONFIG_VALUE_MAX; size <= DJP_CONFIG_VALUE_MAX + 1; size++) {
        settings got;
        char *text = malloc(size + 3);
        memset(text, 'x', size + 2);
        text[0] = text[size + 1] = ' '; /* blanks do not count */
        text[size + 2] = '\0';
        settings_resolve(&got, PAIRS("OTEL_SERVICE_NAME", text, "SERVICE_NAME", "next"), ONLY_ON);
        if (size == DJP_CONFIG_VALUE_MAX) {
            assert_int_equal(strlen(got.options.service_name), size);
            settings_assert_warnings(&got, 0);
        } else {
            assert_string_equal(got.options.service_name, "next");
            settings_assert_warnings(&got, 1);
            assert_true(settings_warned(&got, "OTEL_SERVICE_NAME is longer than 32768 bytes."));
        }
        settings_fini(&got);
        free(text);
    }
}

static void
texts_become_valid_utf8(void **state)
{
    enum { LONG = 20000 };
    settings got;
    char text[LONG + 1] = "\xff\xff\xff\xff";
    (void)state;
    settings_resolve(&got, PAIRS("OTEL_SERVICE_NAME", text), ONLY_ON);
    assert_string_equal(got.options.service_name,
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    settings_fini(&got);
    memset(text, 0xff, LONG); /* each byte becomes three */
    settings_resolve(&got, PAIRS("OTEL_SERVICE_NAME", text), ONLY_ON);
    assert_int_equal(strlen(got.options.service_name), 3 * LONG);
    settings_fini(&got);
}

static void
an_absent_option_hides_no_given_one(void **state)
{
    static const djp_config_override overrides[] = {
        {"service_name", "given"}, {"service_name", NULL}, {NULL, "x"}};
    djp_config_request request = {.overrides = overrides, .override_count = 3};
    djp_options options;
    (void)state;
    assert_int_equal(djp_config_resolve_request(&options, &request), DJP_OK);
    assert_string_equal(options.service_name, "given");
    djp_options_fini(&options);
}

/* A request may lack each of its members. */
static void
nothing_given_is_no_error(void **state)
{
    static const djp_config_override bad[] = {{"log_level", "x"}, {"log_levle", "x"}};
    djp_config_request request = {.overrides = bad, .override_count = 2};
    djp_config_request counts_alone = {.override_count = 3, .variable_count = 3};
    djp_options options;
    (void)state;
    assert_int_equal(djp_config_resolve_request(&options, &request), DJP_OK);
    djp_options_fini(&options);
    assert_int_equal(djp_config_resolve_request(&options, &counts_alone), DJP_OK);
    djp_options_fini(&options);
}

static void
the_ring_is_a_power_of_two(void **state)
{
    static const struct {
        const char *given;
        uint64_t bytes;
    } cases[] = {{"65536", 65536},   {"65537", 131072},       {"131072", 131072},
                 {"131073", 262144}, {"1073741824", 1 << 30}, {"1073741823", 1 << 30}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings got;
        settings_resolve(&got, NO_PAIRS, ON("ring_bytes", cases[i].given));
        assert_true(got.options.ring_bytes == cases[i].bytes);
        settings_fini(&got);
    }
}

/* Each kind of invalid value has a sentence that says what happens. */
static void
warnings_say_what_happens(void **state)
{
    static const char *const cases[][3] = {
        {"TELEMETRY_BACKEND", "x",
         "TELEMETRY_BACKEND is \"x\", which is not one of noop, prom, otel, hybrid. Nothing is "
         "recorded: correct it."},
        {"OTEL_BSP_MAX_QUEUE_SIZE", "99999999",
         "OTEL_BSP_MAX_QUEUE_SIZE is 99999999, which is more than there can be: the most that "
         "works is used."},
        {"OTEL_EXPORTER_OTLP_INSECURE", "1",
         "OTEL_EXPORTER_OTLP_INSECURE is \"1\", which is not true or false. It counts as false: "
         "write true or false."},
        {"DJP_TELEMETRY_SAMPLE_ERRORS", "x",
         "DJP_TELEMETRY_SAMPLE_ERRORS is \"x\", which is not true or false. It is ignored, as if "
         "it were not set: correct or remove it."},
    };
    settings got;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        settings_resolve(&got, PAIRS(cases[i][0], cases[i][1]), ONLY_ON);
        settings_assert_warnings(&got, 1);
        assert_string_equal(got.warnings[0], cases[i][2]);
        settings_fini(&got);
    }
    settings_resolve(&got, PAIRS("OTEL_BSP_MAX_QUEUE_SIZE", "99999999"), ONLY_ON);
    assert_true(got.options.ring_bytes == 1 << 30);
    assert_string_equal(settings_source(&got, "ring_bytes"), "OTEL_BSP_MAX_QUEUE_SIZE");
    settings_fini(&got);
}

/* 60 bytes of a value are shown, of whole characters, and no control character. */
static void
warnings_are_clean_and_short(void **state)
{
    static const char *const names[] = {"DJP_TELEMETRY_SAMPLE_ERRORS", "TELEMETRY_BACKEND",
                                        "OTEL_EXPORTER_OTLP_INSECURE"};
    char text[80], shown[80];
    settings got;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t size = 58; size <= 60; size++) {
            memset(text, 'x', size);
            strcpy(text + size, "\xc3\xa4y");
            snprintf(shown, sizeof shown, "\"%.*s\",", size == 58 ? 60 : (int)size, text);
            settings_resolve(&got, PAIRS(names[i], text), ONLY_ON);
            settings_assert_warnings(&got, 1);
            assert_true(settings_warned(&got, shown));
            settings_fini(&got);
        }
    }
    settings_resolve(&got, PAIRS(names[0], "a\x1f\x20\x7e\x7f\nb"), ONLY_ON);
    assert_true(settings_warned(&got, "\"a? ~??b\","));
    settings_fini(&got);
    settings_resolve(&got, PAIRS("OTEL_BSP_MAX_QUEUE_SIZE", "999999999999999999"), ONLY_ON);
    assert_true(settings_warned(&got, "is 999999999999999999, which"));
    settings_fini(&got);
}

static void
only_options_are_reported_while_off(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS("DJP_TELEMETRY_SAMPLE_ERRORS", "x"),
                     PAIRS("resource_attributes", "bad"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "option resource_attributes"));
    settings_fini(&got);
}

static void
own_variables_are_the_options_in_capitals(void **state)
{
    char own[DJP_CONFIG_NAME_MAX];
    (void)state;
    djp__config_own_name(own, DJP_SETTING_MAX_BATCH_SPANS);
    assert_string_equal(own, "DJP_TELEMETRY_MAX_BATCH_SPANS");
    djp__config_own_name(own, DJP_SETTING_FLUSH_INTERVAL);
    assert_string_equal(own, "DJP_TELEMETRY_FLUSH_INTERVAL");
    djp__config_own_name(own, DJP_SETTING_LINK_COUNT_LIMIT);
    assert_string_equal(own, "DJP_TELEMETRY_LINK_COUNT_LIMIT");
    djp__config_own_name(own, DJP_SETTING_BUDGET);
    assert_string_equal(own, "DJP_TELEMETRY_BUDGET_PER_MONTH");
    djp__config_own_name(own, DJP_SETTING_HTTPS_PROXY);
    assert_string_equal(own, "DJP_TELEMETRY_HTTPS_PROXY"); /* Y and Z are letters, too */
    djp__config_own_name(own, DJP_SETTING_CANARY_RATIO);
    assert_string_equal(own, "DJP_TELEMETRY_CANARY_RATIO");
    djp__config_own_name(own, DJP_SETTING_TARGET_BYTES);
    assert_string_equal(own, "DJP_TELEMETRY_TARGET_BYTES_PER_SECOND");
    djp__config_own_name(own, DJP_SETTING_PRICE_SERIES);
    assert_string_equal(own, "DJP_TELEMETRY_PRICE_PER_THOUSAND_SERIES");
}

static void
lack_of_memory_is_reported(void **state)
{
    char text[200];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    settings_without_memory(PAIRS(OWN, "own", "TELEMETRY_BACKEND", text),
                            ON("service_name", "s", "log_level", text));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_precede_each_other),
        cmocka_unit_test(the_first_of_several_variables_applies),
        cmocka_unit_test(the_last_of_equal_options_applies),
        cmocka_unit_test(values_are_trimmed),
        cmocka_unit_test(a_value_may_be_as_long_as_the_limit),
        cmocka_unit_test(texts_become_valid_utf8),
        cmocka_unit_test(an_absent_option_hides_no_given_one),
        cmocka_unit_test(nothing_given_is_no_error),
        cmocka_unit_test(the_ring_is_a_power_of_two),
        cmocka_unit_test(warnings_say_what_happens),
        cmocka_unit_test(warnings_are_clean_and_short),
        cmocka_unit_test(only_options_are_reported_while_off),
        cmocka_unit_test(own_variables_are_the_options_in_capitals),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
