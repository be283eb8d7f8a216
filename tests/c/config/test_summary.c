/* The sentence of the start-up log: what it says for each exporter, sampler and endpoint, and that
 * it is one clean line without secrets. */
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

typedef struct summary_case {
    const char *options[15];
    const char *wanted;
} summary_case;

static void
assert_summaries(const summary_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        settings got;
        const char *options[20] = {"enabled", "true", "service_name", "s"};
        memcpy(options + 4, cases[i].options, sizeof cases[i].options);
        settings_resolve(&got, NO_PAIRS, options);
        assert_string_equal(got.options.summary, cases[i].wanted);
        settings_fini(&got);
    }
}

#define ON_FOR_S "Telemetry is on (option enabled) for s"
#define RATIO ", ratio 0.02 (default), besides errors and what takes more than 2 s"

static void
each_exporter_is_named(void **state)
{
    static const summary_case cases[] = {
        {{"backend", "otel"}, ON_FOR_S ": spans to the console (default)" RATIO "."},
        {{"backend", "otel", "exporter", "memory"},
         ON_FOR_S ": spans to memory (option exporter)" RATIO "."},
        {{"backend", "otel", "exporter", "none"}, ON_FOR_S ": spans nowhere (option exporter)."},
        {{"backend", "otel", "exporter", "file"},
         ON_FOR_S ": spans to standard output (option exporter)" RATIO "."},
        {{"backend", "otel", "exporter", "file", "file_path", "-"},
         ON_FOR_S ": spans to standard output (option exporter)" RATIO "."},
        {{"backend", "otel", "exporter", "file", "file_path", "/x/y"},
         ON_FOR_S ": spans to /x/y (option exporter)" RATIO "."},
        {{"backend", "otel", "endpoint", "http://u:p@h:4318?k"},
         ON_FOR_S ": spans to http://[set]@h:4318/v1/traces?[set] by http/protobuf (option "
                  "endpoint)" RATIO "."},
        {{"backend", "otel", "exporter", "otlp"},
         ON_FOR_S ": spans to http://localhost:4317 by grpc (default)" RATIO "."},
    };
    (void)state;
    assert_summaries(cases, sizeof cases / sizeof cases[0]);
}

#define SPANS ON_FOR_S ": spans to memory (option exporter)"

static void
each_sampler_is_named(void **state)
{
    static const summary_case cases[] = {
        {{"backend", "otel", "exporter", "memory", "sample_ratio", "0.25"},
         SPANS ", ratio 0.25 (option sample_ratio), besides errors and what takes more than 2 s."},
        {{"backend", "otel", "exporter", "memory", "sample_ratio", "1"},
         SPANS ", ratio 1 (option sample_ratio)."},
        {{"backend", "otel", "exporter", "memory", "sample_ratio", "0"},
         SPANS ", ratio 0 (option sample_ratio), so nothing is exported."},
        {{"backend", "otel", "exporter", "memory", "sampler", "parentbased_always_off"},
         SPANS ", ratio 0 (option sampler), besides errors and what takes more than 2 s."},
        {{"backend", "otel", "exporter", "memory", "sample_errors", "0"},
         SPANS ", ratio 0.02 (default), besides what takes more than 2 s."},
        {{"backend", "otel", "exporter", "memory", "slow_threshold", "0"},
         SPANS ", ratio 0.02 (default), besides errors."},
        {{"backend", "otel", "exporter", "memory", "slow_threshold", "0", "sample_errors", "0"},
         SPANS ", ratio 0.02 (default)."},
        {{"backend", "otel", "exporter", "memory", "slow_threshold", "0.0000015"},
         SPANS ", ratio 0.02 (default), besides errors and what takes more than 1.5e-06 s."},
        {{"backend", "otel", "exporter", "memory", "sampler", "rule_based(root=>always_on)"},
         SPANS ", by a tree of samplers (option sampler)."},
        {{"backend", "otel", "exporter", "memory", "sampler", "jaeger_remote"},
         SPANS ", by a sampling server, ratio 0.02 until it has responded (option sampler), "
               "besides errors and what takes more than 2 s."},
        {{"backend", "otel", "exporter", "memory", "canary_ratio", "0.5", "sample_ratio", "1"},
         SPANS ", ratio 1 (option sample_ratio) of a canary of 0.5 (option canary_ratio)."},
    };
    (void)state;
    assert_summaries(cases, sizeof cases / sizeof cases[0]);
}

static void
metrics_and_their_address_are_named(void **state)
{
    static const summary_case cases[] = {
        {{"backend", "prom"}, ON_FOR_S ": metrics for scraping."},
        {{"backend", "prom", "metrics_enabled", "0"}, ON_FOR_S ": nothing is recorded."},
        {{"backend", "prom", "prometheus_port", "9464"},
         ON_FOR_S ": metrics for scraping at http://127.0.0.1:9464/metrics (option "
                  "prometheus_port)."},
        {{"backend", "prom", "prometheus_port", "1", "prometheus_host", "::1"},
         ON_FOR_S ": metrics for scraping at http://[::1]:1/metrics (option prometheus_port)."},
        {{"backend", "prom", "prometheus_port", "1", "prometheus_host", "[::1]"},
         ON_FOR_S ": metrics for scraping at http://[::1]:1/metrics (option prometheus_port)."},
        {{"backend", "hybrid", "exporter", "none"},
         ON_FOR_S ": spans nowhere (option exporter); metrics for scraping."},
        {{"backend", "hybrid", "exporter", "none", "environment", "qa"},
         ON_FOR_S " in qa (option environment): spans nowhere (option exporter); metrics for "
                  "scraping."},
    };
    (void)state;
    assert_summaries(cases, sizeof cases / sizeof cases[0]);
}

static void
nothing_is_said_while_nothing_is_recorded(void **state)
{
    static const summary_case off[] = {{{"enabled", "false", "backend", "hybrid"}, ""},
                                       {{"backend", "noop"}, ""}};
    (void)state;
    assert_summaries(off, 2);
}

static void
long_names_are_cut_and_control_characters_replaced(void **state)
{
    char name[301], environment[201], wanted[400];
    settings got;
    (void)state;
    memset(name, 'n', sizeof name - 1);
    memset(environment, 'e', sizeof environment - 1);
    name[sizeof name - 1] = environment[sizeof environment - 1] = '\0';
    memcpy(name, "\x01\x1f \x7e\x7f", 5);
    settings_resolve(&got, NO_PAIRS,
                     ON("service_name", name, "environment", environment, "backend", "prom"));
    memcpy(name, "?? ~?", 5);
    snprintf(wanted, sizeof wanted,
             "Telemetry is on (option enabled) for %.200s in %.100s (option environment): metrics "
             "for scraping.",
             name, environment);
    assert_string_equal(got.options.summary, wanted);
    settings_fini(&got);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(
        NO_PAIRS, ON("endpoint", "http://u@h?q", "backend", "hybrid", "prometheus_port", "1"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_exporter_is_named),
        cmocka_unit_test(each_sampler_is_named),
        cmocka_unit_test(metrics_and_their_address_are_named),
        cmocka_unit_test(nothing_is_said_while_nothing_is_recorded),
        cmocka_unit_test(long_names_are_cut_and_control_characters_replaced),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
