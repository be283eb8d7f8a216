/* The settings of the sampler jaeger_remote: members of the standard argument, the settings that
 * have priority over them, and warnings of what has no effect. */
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

#define SAMPLER "OTEL_TRACES_SAMPLER", "jaeger_remote", "OTEL_TRACES_SAMPLER_ARG"
#define UNKNOWN "OTEL_TRACES_SAMPLER_ARG has a member that is none of"

typedef struct argument_case {
    const char *argument;
    const char *url;
    uint64_t interval_ms;
    double ratio;
    int is_ratio_given;
    const char *warning;
} argument_case;

static void
assert_argument(const argument_case *wanted)
{
    settings got;
    settings_resolve(&got, PAIRS(SAMPLER, wanted->argument), ONLY_ON);
    assert_string_equal(got.options.sampling_endpoint, wanted->url);
    assert_int_equal(got.options.sampling_interval_ns, wanted->interval_ms * 1000000);
    assert_true(got.options.sample_ratio == wanted->ratio);
    assert_int_equal(got.options.sample_ratio_explicit, wanted->is_ratio_given);
    settings_assert_warnings(&got, wanted->warning != NULL);
    assert_true(wanted->warning == NULL || settings_warned(&got, wanted->warning));
    settings_fini(&got);
}

#define LOCAL "http://localhost:5778/sampling"

static void
members_of_the_argument_are_read(void **state)
{
    static const argument_case cases[] = {
        {"endpoint=http://s:1,pollingIntervalMs=5000,initialSamplingRate=0.25",
         "http://s:1/sampling", 5000, 0.25, 1, NULL},
        {" InitialSamplingRate = 1 , ENDPOINT = http://s/x , pollingintervalms = 100 ",
         "http://s/x", 100, 1, 1, NULL},
        {"endpoint=http://a/x,endpoint=http://b/x", "http://a/x", 60000, 0.02, 0, NULL},
        {",,endpoint=http://a/x,", "http://a/x", 60000, 0.02, 0, NULL},
        {"endpoint=http://a/x?b=c", "http://a/x?b=c", 60000, 0.02, 0, NULL},
        {"initialSamplingRate=0", LOCAL, 60000, 0, 1, NULL},
        {"pollingIntervalMs=86400000", LOCAL, 86400000, 0.02, 0, NULL},
        {"pollingIntervalMs=99", LOCAL, 60000, 0.02, 0, "a number of milliseconds from 100 to"},
        {"initialSamplingRate=2", LOCAL, 60000, 0.02, 0, "not a number from 0 to 1"},
        {"endpoint=ftp://x", LOCAL, 60000, 0.02, 0, "begins with http:// or https://"},
        {"endpoint=", LOCAL, 60000, 0.02, 0, UNKNOWN},
        {"endpoint", LOCAL, 60000, 0.02, 0, UNKNOWN},
        {"endpoints=x", LOCAL, 60000, 0.02, 0, UNKNOWN},
        {"x", LOCAL, 60000, 0.02, 0, UNKNOWN},
        {"0.5,other=1", LOCAL, 60000, 0.02, 0, UNKNOWN},
        {"other=1,initialSamplingRate=0.5", LOCAL, 60000, 0.5, 1, UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_argument(&cases[i]);
    }
}

static void
other_sources_fill_or_precede(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got,
                     PAIRS(SAMPLER, "endpoint=http://s/x,pollingIntervalMs=5000",
                           "DJP_TELEMETRY_REMOTE_SAMPLING_ENDPOINT", "http://own/x",
                           "OTEL_TRACE_SAMPLE", "0.125"),
                     ON("remote_sampling_interval", "7"));
    assert_string_equal(got.options.sampling_endpoint, "http://own/x");
    assert_string_equal(settings_source(&got, "remote_sampling_endpoint"),
                        "DJP_TELEMETRY_REMOTE_SAMPLING_ENDPOINT");
    assert_true(got.options.sampling_interval_ns == 7000000000u);
    assert_string_equal(settings_source(&got, "remote_sampling_interval"),
                        "option remote_sampling_interval");
    assert_true(got.options.sample_ratio == 0.125); /* the argument has none */
    assert_string_equal(settings_source(&got, "sample_ratio"), "OTEL_TRACE_SAMPLE");
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
    /* An invalid source is skipped. */
    settings_resolve(&got,
                     PAIRS(SAMPLER, "endpoint=http://s/x,pollingIntervalMs=5000",
                           "DJP_TELEMETRY_REMOTE_SAMPLING_ENDPOINT", "ftp://own"),
                     ON("remote_sampling_interval", "0"));
    assert_string_equal(got.options.sampling_endpoint, "http://s/x");
    assert_true(got.options.sampling_interval_ns == 5000000000u);
    assert_string_equal(settings_source(&got, "remote_sampling_interval"),
                        "OTEL_TRACES_SAMPLER_ARG");
    settings_assert_warnings(&got, 2);
    settings_fini(&got);
}

/* An unknown member is reported although another source gives the endpoint. */
static void
unknown_members_are_reported_in_any_case(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS(SAMPLER, "x=1"), ON("remote_sampling_endpoint", "http://s"));
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, UNKNOWN));
    settings_fini(&got);
}

/* Without a ratio the environment decides, as for other samplers. */
static void
the_environment_gives_the_ratio(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS(SAMPLER, "endpoint=http://s", "ENVIRONMENT", "staging"), ONLY_ON);
    assert_true(got.options.sample_ratio == 1);
    assert_int_equal(got.options.sample_ratio_explicit, 0);
    assert_int_equal(got.options.sampler, DJP_SAMPLER_JAEGER_REMOTE);
    settings_fini(&got);
}

static void
without_that_sampler_the_settings_have_no_effect(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS("DJP_TELEMETRY_REMOTE_SAMPLING_INTERVAL", "5"),
                     ON("remote_sampling_endpoint", "http://s"));
    settings_assert_warnings(&got, 2);
    assert_true(settings_warned(
        &got, "option remote_sampling_endpoint has no effect without the sampler jaeger_remote"));
    assert_true(settings_warned(&got, "DJP_TELEMETRY_REMOTE_SAMPLING_INTERVAL has no effect"));
    assert_string_equal(got.options.sampling_endpoint, LOCAL);
    settings_fini(&got);
    /* The argument of another sampler is not meant for this one. */
    settings_resolve(&got,
                     PAIRS("OTEL_TRACES_SAMPLER", "traceidratio", "OTEL_TRACES_SAMPLER_ARG", "0.5"),
                     ONLY_ON);
    settings_assert_warnings(&got, 0);
    settings_fini(&got);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(
        PAIRS(SAMPLER, "endpoint=http://s,x,pollingIntervalMs=5000,initialSamplingRate=0.25"),
        ONLY_ON);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_of_the_argument_are_read),
        cmocka_unit_test(other_sources_fill_or_precede),
        cmocka_unit_test(unknown_members_are_reported_in_any_case),
        cmocka_unit_test(the_environment_gives_the_ratio),
        cmocka_unit_test(without_that_sampler_the_settings_have_no_effect),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
