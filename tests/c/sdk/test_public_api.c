/* The public headers as a program of C uses them: djp.h alone, option structs from their INIT
 * macros, texts from literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/djp.h"

static const char *
no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
memory_sdk(void)
{
    static const djp_config_override overrides[] = {
        {"enabled", "true"}, {"exporter", "memory"}, {"sample_ratio", "1"}};
    static const djp_sdk_language language = {"c", "none", "0", 0};
    djp_config_request request = DJP_CONFIG_REQUEST_INIT;
    djp_options options;
    djp_sdk *sdk;
    request.lookup = no_variables;
    request.overrides = overrides;
    request.override_count = 3;
    assert_int_equal(djp_config_resolve_request(&options, &request), 0);
    assert_int_equal(djp_sdk_new(&sdk, &options, &language, NULL, NULL), 0);
    djp_options_fini(&options);
    return sdk;
}

static void
texts_come_from_literals_and_strings(void **state)
{
    djp_text literal = DJP_TEXT("a\0b"), of_string = djp_text_of("abc"), none = djp_text_of(NULL);
    (void)state;
    assert_int_equal(literal.size, 3);
    assert_int_equal(of_string.size, 3);
    assert_memory_equal(of_string.data, "abc", 3);
    assert_null(none.data);
    assert_int_equal(none.size, 0);
}

static void
a_span_of_initial_options_is_an_internal_root(void **state)
{
    djp_sdk *sdk = memory_sdk();
    djp_span_options options = DJP_SPAN_OPTIONS_INIT;
    djp_span_context context, of_child;
    (void)state;
    djp_span *root = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("root"), &options);
    assert_non_null(root);
    options.parent = root;
    djp_span *child = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("child"), &options);
    djp_span_set_string(child, djp_key_intern(DJP_TEXT("api.test")), DJP_TEXT("value"));
    djp_span_get_context(&context, root);
    djp_span_get_context(&of_child, child);
    assert_memory_equal(context.trace_id, of_child.trace_id, sizeof context.trace_id);
    djp_span_end(child, 0);
    djp_span_release(child);
    djp_span_end(root, 0);
    djp_span_release(root);
    assert_int_equal(djp_sdk_flush(sdk, UINT64_C(10000000000)), 0);
    char *requests = NULL;
    size_t size = 0;
    assert_int_equal(djp_sdk_take_exported(&requests, &size, sdk), 0);
    assert_non_null(memmem(requests, size, "api.test", 8));
    djp_free(requests);
    djp_sdk_free(sdk);
}

static void
metrics_of_initial_options_are_counters_that_say_what_they_are(void **state)
{
    static const char *const labels[] = {"kind"};
    static const double bounds[] = {1, 2};
    djp_registry_options options = DJP_REGISTRY_OPTIONS_INIT;
    djp_family_options definition = DJP_FAMILY_OPTIONS_INIT;
    djp_registry *registry;
    djp_family *family, *histograms;
    const double *found = NULL;
    (void)state;
    options.cardinality_limit = 1;
    assert_int_equal(djp_registry_new(&registry, &options), 0);
    definition.name = "api_calls";
    definition.labels = labels;
    definition.label_count = 1;
    assert_int_equal(djp_family_new(&family, registry, &definition), 0);
    assert_int_equal(djp_family_label_count(family), 1);
    assert_int_equal(djp_family_label_count(NULL), 0);
    djp_text values[] = {DJP_TEXT("a"), DJP_TEXT("b")};
    djp_series *series = djp_family_series(family, &values[0]),
               *shared = djp_family_series(family, &values[1]);
    djp_counter_add(series, 2);
    assert_true(djp_series_value(series) == 2);
    assert_int_equal(djp_series_is_overflow(series), 0);
    assert_int_equal(djp_series_is_overflow(shared), 1);
    assert_int_equal(djp_series_is_live(series), 1);
    assert_int_equal(djp_series_bounds(&found, series), 0);
    assert_null(found);
    assert_int_equal(djp_family_remove(family, &values[0]), 1);
    assert_int_equal(djp_series_is_live(series), 0);
    assert_int_equal(djp_series_is_live(NULL), 0);

    definition = (djp_family_options)DJP_FAMILY_OPTIONS_INIT;
    definition.type = DJP_HISTOGRAM;
    definition.name = "api_sizes";
    definition.buckets = bounds;
    definition.bucket_count = 2;
    assert_int_equal(djp_family_new(&histograms, registry, &definition), 0);
    assert_int_equal(djp_series_bounds(&found, djp_family_series(histograms, NULL)), 2);
    assert_true(found[1] == 2);
    djp_registry_free(registry);
}

static void
an_exemplar_may_come_without_a_recording(void **state)
{
    djp_registry *registry;
    djp_family *family;
    djp_family_options definition = DJP_FAMILY_OPTIONS_INIT;
    djp_span_context context;
    char *text = NULL;
    size_t size = 0;
    (void)state;
    assert_int_equal(
        djp_traceparent_parse(&context,
                              DJP_TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
        1);
    assert_int_equal(djp_registry_new(&registry, NULL), 0);
    definition.name = "api_calls";
    assert_int_equal(djp_family_new(&family, registry, &definition), 0);
    djp_series_add_exemplar(djp_family_series(family, NULL), 3, &context);
    djp_registry_add_dropped(registry, 2);
    djp_registry_add_dropped(NULL, 2);
    assert_int_equal(djp_registry_expose(&text, &size, registry, DJP_OPENMETRICS_1_0_0), 0);
    assert_non_null(strstr(text, "api_calls_total 0"));
    assert_non_null(strstr(text, "trace_id=\"0af7651916cd43dd8448eb211c80319c\""));
    djp_free(text);
    djp_registry_free(registry);
}

static void
a_request_of_an_initial_result_has_no_response(void **state)
{
    djp_sdk *sdk = memory_sdk();
    djp_http_server *server;
    djp_http_result result = DJP_HTTP_RESULT_INIT;
    djp_http_request request = DJP_HTTP_REQUEST_INIT;
    (void)state;
    assert_int_equal(djp_http_server_new(&server, sdk), 0);
    request.method = DJP_TEXT("GET");
    assert_int_equal(result.request_bytes, -1);
    djp_span *span =
        djp_http_server_start_request(&result.start_ns, server, DJP_HTTP_REQUEST, NULL, &request);
    result.method = request.method;
    result.disconnected = 1;
    assert_true(result.start_ns != 0);
    assert_int_equal(djp_http_server_end(server, span, &result), DJP_HTTP_CLIENT_CLOSED);
    djp_span_release(span);
    djp_http_server_free(server);
    djp_sdk_free(sdk);
}

static void
roots_are_sampled_as_the_ratio_says(void **state)
{
    djp_sdk *sdk = memory_sdk();
    uint8_t low[16] = {0}, high[16];
    (void)state;
    memset(high, 0xff, sizeof high);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.5), 0);
    assert_int_equal(djp_recorder_would_sample(djp_sdk_recorder(sdk), low), 0);
    assert_int_equal(djp_recorder_would_sample(djp_sdk_recorder(sdk), high), 1);
    assert_int_equal(djp_recorder_would_sample(NULL, high), 0);
    djp_sdk_free(sdk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_come_from_literals_and_strings),
        cmocka_unit_test(a_span_of_initial_options_is_an_internal_root),
        cmocka_unit_test(metrics_of_initial_options_are_counters_that_say_what_they_are),
        cmocka_unit_test(an_exemplar_may_come_without_a_recording),
        cmocka_unit_test(a_request_of_an_initial_result_has_no_response),
        cmocka_unit_test(roots_are_sampled_as_the_ratio_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
