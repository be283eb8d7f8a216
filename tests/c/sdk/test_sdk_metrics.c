/* The SDK's own counters as series of the scrape. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
test_own_series(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.metrics_enabled = 1;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "seen", 25);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    if (!strstr(text, "\ndjp_telemetry_spans_total{outcome=\"exported\"} 25\n") ||
        !strstr(text, "\ndjp_telemetry_spans_total{outcome=\"ring_full\"} 0\n") ||
        !strstr(text, "\ndjp_telemetry_export_requests_total{signal=\"traces\",outcome=\"ok\"} ") ||
        !strstr(text, "\ndjp_telemetry_waiting_bytes{signal=\"traces\"} 0\n") ||
        !strstr(text, "\nprocess_cpu_seconds_total ")) {
        fail_msg("%s", text);
    }
    djp_free(text);
    djp_sdk_free(sdk);
    script_fini(transport);
}

/* Without traces, too: what metrics did not keep is in the report and in the scrape. */
static void
test_recordings_not_kept(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.metrics_enabled = 1;
    options.backend = DJP_BACKEND_PROM;
    options.cardinality_limit = 50;
    djp_sdk *sdk = NULL;
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    const char *labels[1] = {"kind"};
    djp_family_options family_options = {
        .type = DJP_COUNTER, .name = "made", .labels = labels, .label_count = 1};
    djp_family *family = NULL;
    assert_int_equal(djp_family_new(&family, djp_sdk_registry(sdk), &family_options), 0);
    djp_counter_add(djp_family_series(family, &(djp_text){"a", 1}), 1.0);
    djp_counter_add(djp_family_series(family, &(djp_text){"a", 1}), -1.0);
    for (char kind[3] = "00"; kind[0] <= '9';
         kind[1] == '9' ? (kind[0]++, kind[1] = '0') : kind[1]++) {
        djp_counter_add(djp_family_series(family, &(djp_text){kind, 2}), 1.0);
    }
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "registry", "dropped") == 1);
    assert_true(helper_number(status, "registry", "overflowed") == 51);
    assert_true(helper_number(status, "registry", "refused") == 0);
    assert_true(helper_number(status, "registry", "families") >= 1);
    assert_true(helper_number(status, "registry", "series") >= 50);
    json_free(status);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    if (!strstr(text, "\ndjp_telemetry_metric_recordings_total{outcome=\"dropped\"} 1\n") ||
        !strstr(text, "\ndjp_telemetry_metric_recordings_total{outcome=\"refused\"} 0\n")) {
        fail_msg("%s", text);
    }
    djp_free(text);
    djp_sdk_free(sdk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_series),
        cmocka_unit_test(test_recordings_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
