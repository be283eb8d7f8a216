/* Names of Prometheus as those of the OpenTelemetry conventions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "metrics/convention.h"

static void
families_of_conventions_have_their_names(void **state)
{
    (void)state;
    djp__convention found =
        djp__convention_of(djp__text("http_client_request_duration_seconds"), djp__text("seconds"));
    assert_true(djp__text_equal(found.name, "http.client.request.duration"));
    assert_true(djp__text_equal(found.unit, "s"));
    assert_true(found.has_labels);
    found = djp__convention_of(djp__text("otel_sdk_span_live"), djp__text(""));
    assert_true(djp__text_equal(found.name, "otel.sdk.span.live"));
    assert_true(djp__text_equal(found.unit, "{span}"));
    found = djp__convention_of(djp__text("nodejs_eventloop_utilization_ratio"), djp__text("ratio"));
    assert_true(djp__text_equal(found.name, "nodejs.eventloop.utilization"));
    assert_true(djp__text_equal(found.unit, "1"));
    assert_true(found.has_labels);
    found = djp__convention_of(djp__text("python_gc_collections"), djp__text(""));
    assert_true(djp__text_equal(found.name, "cpython.gc.collections"));
}

static void
other_families_keep_their_names(void **state)
{
    (void)state;
    djp__convention found = djp__convention_of(djp__text("took_seconds"), djp__text("seconds"));
    assert_true(djp__text_equal(found.name, "took_seconds"));
    assert_true(djp__text_equal(found.unit, "s"));
    assert_false(found.has_labels);
    found = djp__convention_of(djp__text("apples"), djp__text("apples"));
    assert_true(djp__text_equal(found.unit, "apples"));
    found = djp__convention_of(djp__text("plain"), (djp_text){NULL, 0});
    assert_int_equal(found.unit.size, 0);
}

static void
labels_of_conventions_have_their_keys(void **state)
{
    int is_integer = -1;
    (void)state;
    djp_text key = djp__convention_label(djp__text("http_response_status_code"), &is_integer);
    assert_true(djp__text_equal(key, "http.response.status_code"));
    assert_true(is_integer);
    key = djp__convention_label(djp__text("otel_span_sampling_result"), &is_integer);
    assert_true(djp__text_equal(key, "otel.span.sampling_result"));
    assert_false(is_integer);
    key = djp__convention_label(djp__text("tenant"), &is_integer);
    assert_true(djp__text_equal(key, "tenant"));
    assert_false(is_integer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_of_conventions_have_their_names),
        cmocka_unit_test(other_families_keep_their_names),
        cmocka_unit_test(labels_of_conventions_have_their_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
