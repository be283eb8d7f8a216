/* The report: each setting with its value and source, in JSON types of its form, and without
 * secrets. */
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

static void
assert_shown(const char *endpoint, const char *wanted)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__config_show_endpoint(&out, endpoint);
    djp__buf_char(&out, '\0');
    assert_string_equal(out.data, wanted);
    djp__buf_fini(&out);
}

static void
endpoints_are_shown_without_user_and_query(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"host", ""},
        {"://", "://"},
        {"http://h", "http://h"},
        {"http://h:1/a/b", "http://h:1/a/b"},
        {"http://u@h", "http://[set]@h"},
        {"http://@h", "http://[set]@h"},
        {"http://u:p@q@h:1/a", "http://[set]@h:1/a"},
        {"http://h/a?b=c", "http://h/a?[set]"},
        {"http://h?", "http://h?[set]"},
        {"http://h?b@c", "http://h?[set]"},
        {"http://h/u@x", "http://h/u@x"},
        {"http://h#u@x", "http://h#u@x"},
        {"http://u@h/x@y?z@w", "http://[set]@h/x@y?[set]"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_shown(cases[i][0], cases[i][1]);
    }
    assert_shown(NULL, "");
}

static void
every_setting_is_there_once(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, NO_PAIRS, NO_PAIRS);
    assert_int_equal(got.report->count, DJP_SETTINGS);
    for (int i = 0; i < DJP_SETTINGS; i++) {
        const json *entry = json_get(got.report, djp__config_name((djp__setting)i));
        assert_int_equal(json_count(entry), 2);
        assert_non_null(json_get(entry, "value"));
        assert_string_equal(json_string(json_get(entry, "source"), ""), "default");
    }
    settings_fini(&got);
}

static const json *
value_of(const settings *got, const char *name)
{
    return json_get(json_get(got->report, name), "value");
}

static void
values_have_the_type_of_their_form(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS("OTEL_EXPORTER_OTLP_INSECURE", "true"),
                     ON("compression", "gzip", "prometheus_port", "9464", "slow_threshold", "1.5",
                        "ring_bytes", "65537", "cardinality_limit", "7", "canary_ratio", "0.25",
                        "service_name", "a\"b", "attribute_count_limit", "4294967294",
                        "span_rate_limit", "1000000000"));
    assert_int_equal(value_of(&got, "enabled")->kind, JSON_BOOL);
    assert_int_equal(value_of(&got, "enabled")->boolean, 1);
    assert_int_equal(value_of(&got, "insecure")->boolean, 1);
    assert_string_equal(settings_value(&got, "compression"), "gzip");
    assert_string_equal(settings_value(&got, "prometheus_port"), "9464");
    assert_string_equal(settings_value(&got, "slow_threshold"), "1.5");
    assert_string_equal(settings_value(&got, "ring_bytes"), "131072");
    assert_string_equal(settings_value(&got, "cardinality_limit"), "7");
    assert_string_equal(settings_value(&got, "canary_ratio"), "0.25");
    assert_string_equal(settings_value(&got, "service_name"), "a\"b");
    assert_string_equal(settings_value(&got, "attribute_count_limit"), "4294967294");
    assert_string_equal(settings_value(&got, "span_rate_limit"), "1000000000");
    assert_int_equal(value_of(&got, "attribute_value_length_limit")->kind, JSON_NULL);
    settings_fini(&got);
    settings_resolve(&got, NO_PAIRS, NO_PAIRS);
    assert_int_equal(value_of(&got, "enabled")->boolean, 0);
    assert_int_equal(value_of(&got, "insecure")->boolean, 0);
    settings_fini(&got);
}

static void
secrets_are_only_reported_as_set(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS("http_proxy", "http://u:s3cret@p", "https_proxy", "s3cret"),
                     ON("headers", "k=s3cret", "endpoint", "http://u:s3cret@h:1/x?s3cret",
                        "sampler", "jaeger_remote", "remote_sampling_endpoint",
                        "http://s3cret@s?s3cret"));
    assert_string_equal(settings_value(&got, "http_proxy"), "[set]");
    assert_string_equal(settings_value(&got, "https_proxy"), "[set]");
    assert_string_equal(settings_value(&got, "headers"), "[set]");
    assert_string_equal(settings_value(&got, "endpoint"), "http://[set]@h:1/x/v1/traces?[set]");
    assert_string_equal(settings_value(&got, "remote_sampling_endpoint"),
                        "http://[set]@s/sampling?[set]");
    assert_null(strstr(got.options.report_json, "s3cret"));
    settings_fini(&got);
    settings_resolve(&got, NO_PAIRS, ONLY_ON);
    assert_string_equal(settings_value(&got, "http_proxy"), "");
    settings_fini(&got);
}

static void
samplers_are_shown_as_they_apply(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, NO_PAIRS, ON("sampler", " rule_based( root => always_on ) "));
    assert_string_equal(settings_value(&got, "sampler"), got.options.sampler_text);
    assert_non_null(strstr(got.options.sampler_text, "rule_based("));
    settings_fini(&got);
    settings_resolve(&got, NO_PAIRS, ON("sampler", "parentbased_always_off"));
    assert_string_equal(settings_value(&got, "sampler"), "always_off");
    settings_fini(&got);
}

/* An option has its name in the SDK's spelling, however the caller spells it. */
static void
sources_are_named_in_one_spelling(void **state)
{
    settings got;
    (void)state;
    settings_request(&got, PAIRS("OTEL_SERVICE_NAME", "s"),
                     ON("max_batch_spans", "5", "http_proxy", "p", "price_per_gb", "1"),
                     (djp_config_request){.spelling = DJP_CAMEL_CASE});
    assert_string_equal(settings_source(&got, "max_batch_spans"), "option max_batch_spans");
    assert_string_equal(settings_source(&got, "http_proxy"), "option http_proxy");
    assert_string_equal(settings_source(&got, "price_per_gb"), "option price_per_gb");
    assert_string_equal(settings_source(&got, "service_name"), "OTEL_SERVICE_NAME");
    assert_string_equal(settings_source(&got, "enabled"), "option enabled");
    settings_fini(&got);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(NO_PAIRS, ON("endpoint", "http://u@h?q"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_shown_without_user_and_query),
        cmocka_unit_test(every_setting_is_there_once),
        cmocka_unit_test(values_have_the_type_of_their_form),
        cmocka_unit_test(secrets_are_only_reported_as_set),
        cmocka_unit_test(samplers_are_shown_as_they_apply),
        cmocka_unit_test(sources_are_named_in_one_spelling),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
