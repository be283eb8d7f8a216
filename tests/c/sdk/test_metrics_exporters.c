/* The exporters of metrics: which pipelines there are for a setting, and what remains when one
 * cannot be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/helper.h"

static char said[512];

static void
hear(void *user, int level, const char *message)
{
    (void)user;
    if (level == DJP_LOG_WARN) {
        snprintf(said, sizeof said, "%s", message);
    }
}

static djp_options
options_of(djp_exporter first, unsigned further)
{
    djp_options options = helper_options();
    options.log_level = DJP_LOG_WARN;
    options.backend = DJP_BACKEND_PROM;
    options.metrics_enabled = 1;
    options.metrics_exporter = first;
    options.metrics_further_exporters = further;
    options.metrics_interval_ns = 3600 * SECOND;
    options.metrics_endpoint = "http://127.0.0.1:1/v1/metrics";
    options.metrics_protocol = DJP_PROTOCOL_HTTP_JSON;
    options.metrics_file_path = "/nowhere/metrics";
    return options;
}

static int
begin(djp_sdk **out, const djp_options *options)
{
    said[0] = '\0';
    return djp_sdk_new(out, options, NULL, hear, NULL);
}

static void
each_exporter_has_a_pipeline(void **state)
{
    enum { CONSOLE = 1u << DJP_EXPORTER_CONSOLE, FILES = 1u << DJP_EXPORTER_FILE };
    static const struct {
        djp_exporter first;
        unsigned further;
        const char *names;
    } cases[] = {
        {DJP_EXPORTER_PROMETHEUS, 0, ""},
        {DJP_EXPORTER_NONE, 0, ""},
        {DJP_EXPORTER_OTLP, 1u << DJP_EXPORTER_PROMETHEUS, "otlp_http,"},
        {DJP_EXPORTER_OTLP, CONSOLE | FILES, "otlp_http,console,file,"},
        {DJP_EXPORTER_FILE, 0, "file,"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char names[128] = "";
        djp_sdk *sdk = NULL;
        djp_options options = options_of(cases[i].first, cases[i].further);
        assert_int_equal(begin(&sdk, &options), 0);
        for (djp__pipeline *one = sdk->pipelines; one != NULL; one = one->next) {
            strcat(strcat(names, one->transport->ops->name), ",");
            assert_ptr_equal(one->first, sdk->metric_export.pipeline);
            assert_ptr_equal(one->signal, &djp__metrics_signal);
        }
        assert_string_equal(names, cases[i].names);
        assert_int_equal(djp__worker_is_running(&sdk->worker), names[0] != '\0');
        assert_null(sdk->traces.signal);
        djp_sdk_free(sdk);
    }
}

static void
limits_and_names_are_those_of_metrics(void **state)
{
    (void)state;
    djp_sdk *sdk = NULL;
    djp_options options = options_of(DJP_EXPORTER_OTLP, 1u << DJP_EXPORTER_FILE);
    options.metrics_endpoint = "http://user:secret@127.0.0.1:1/v1/metrics?key=secret";
    options.metrics_timeout_ns = 7 * SECOND;
    options.export_timeout_ns = 9 * SECOND;
    assert_int_equal(begin(&sdk, &options), 0);
    const djp__pipeline *first = sdk->metric_export.pipeline;
    assert_int_equal(first->options.export_timeout_ns, 7 * SECOND);
    assert_string_equal(first->options.target, "http://127.0.0.1:1/v1/metrics");
    assert_string_equal(first->options.exporter, "otlp_http_json");
    assert_string_equal(first->next->options.target, "file");
    assert_ptr_equal(first->next->encodes, first); /* JSON, too */
    djp_sdk_free(sdk);
}

static void
traces_and_metrics_have_their_pipelines(void **state)
{
    (void)state;
    djp_sdk *sdk = NULL;
    djp_options options = options_of(DJP_EXPORTER_FILE, 0);
    options.backend = DJP_BACKEND_HYBRID;
    options.exporter = DJP_EXPORTER_MEMORY;
    assert_int_equal(begin(&sdk, &options), 0);
    assert_ptr_equal(sdk->pipelines, &sdk->traces);
    assert_ptr_equal(sdk->pipelines->next, sdk->metric_export.pipeline);
    assert_null(sdk->pipelines->next->next);
    djp_sdk_free(sdk);
}

static void
an_address_that_cannot_be_used_is_reported(void **state)
{
    (void)state;
    djp_sdk *sdk = NULL;
    djp_options options = options_of(DJP_EXPORTER_OTLP, 0);
    options.metrics_endpoint = "nonsense://";
    assert_int_equal(begin(&sdk, &options), 0);
    assert_non_null(strstr(said, "No metric is sent by OTLP"));
    assert_null(sdk->pipelines);
    assert_non_null(djp_sdk_registry(sdk));
    djp_sdk_free(sdk);
}

static void
without_memory_there_is_no_instance(void **state)
{
    (void)state;
    djp_options options = options_of(DJP_EXPORTER_FILE, 1u << DJP_EXPORTER_CONSOLE);
    options.metrics_file_path = "/dev/null";
    int result = DJP_ENOMEM;
    for (long n = 1; result != 0; n++) {
        djp_sdk *sdk = NULL;
        djp__alloc_fail_after(n);
        result = begin(&sdk, &options);
        djp__alloc_fail_after(0);
        assert_true(result == 0 || (result == DJP_ENOMEM && sdk == NULL));
        djp_sdk_free(sdk);
        assert_true(n < 2000);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_exporter_has_a_pipeline),
        cmocka_unit_test(limits_and_names_are_those_of_metrics),
        cmocka_unit_test(traces_and_metrics_have_their_pipelines),
        cmocka_unit_test(an_address_that_cannot_be_used_is_reported),
        cmocka_unit_test(without_memory_there_is_no_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
