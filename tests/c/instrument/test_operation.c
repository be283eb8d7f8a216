/* Operations that have ended: requests by the shared cases, and what all kinds have in common:
 * times, parents, samplers, exemplars, and no memory. */
#include "fixture.h"

#include "instrument/operation.h"

static void
record_request(djp_operations *operations, const json *call, const json *named)
{
    (void)named;
    djp_ended_request request = {.method = text_of(json_at(call, 1)),
                                 .route = text_of(json_at(call, 2)),
                                 .status = (int)json_number(json_at(call, 3), 0),
                                 .seconds = number_of(json_at(call, 4))};
    djp_ended_request_record(operations, &request, NULL, NULL);
}

static void
test_requests_by_the_vectors(void **state)
{
    (void)state;
    check_recorder("record_http_span", 3, record_request);
}

static void
record_job(djp_sdk *sdk, double seconds, int failed, djp_span *parent)
{
    djp_job job = {TEXT("q"), TEXT("j"), seconds, failed, TEXT("Boom")};
    djp_job_record(djp_sdk_operations(sdk), &job, parent, NULL);
}

/* The nanoseconds of the first span. */
static uint64_t
duration_in(const char *line)
{
    const char *end = strstr(line, ";|1||");
    assert_non_null(end);
    return strtoull(end + 5, NULL, 10);
}

static void
test_the_span_has_the_duration_and_ends_now(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        uint64_t duration;
    } cases[] = {{0, 0},
                 {0.25, SECOND / 4},
                 {86400, 86400 * SECOND},
                 {999999999, 999999999 * SECOND},
                 {1e9, 0},
                 {1e300, 0},
                 {-1, 0},
                 {NAN, 0},
                 {INFINITY, 0},
                 {-INFINITY, 0}};
    djp_sdk *sdk = sdk_of("old", "otel");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        record_job(sdk, cases[i].seconds, 0, NULL);
        const char *line = exported(sdk);
        assert_int_equal(duration_in(line), cases[i].duration);
        assert_int_equal(strstr(line, "job.duration_seconds=") != NULL,
                         isfinite(cases[i].seconds) && cases[i].seconds >= 0);
    }
    sdk_free(sdk);
}

/* The line of the span has this parent. */
static void
assert_parent(const char *line, const uint8_t id[8])
{
    char end[20] = "|";
    for (size_t i = 0; i < 8; i++) {
        snprintf(end + 1 + 2 * i, 3, "%02x", id[i]);
    }
    strcat(end, "\n");
    assert_non_null(strstr(line, end));
}

static void
test_the_span_is_below_its_parent(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "otel");
    djp_span_context context;
    djp_span *parent = djp_span_start(djp_sdk_recorder(sdk), TEXT("parent"), NULL);
    djp_span_get_context(&context, parent);
    record_job(sdk, 1, 0, parent);
    assert_parent(exported(sdk), context.span_id);
    djp_span_end(parent, 0);
    djp_span_release(parent);
    exported(sdk);
    const djp_span_context remote = {.trace_id = {1}, .span_id = {7}, .flags = 1, .is_remote = 1};
    djp_job job = {TEXT("q"), TEXT("j"), 1, 0, TEXT("")};
    djp_job_record(djp_sdk_operations(sdk), &job, NULL, &remote);
    assert_parent(exported(sdk), remote.span_id);
    sdk_free(sdk);
}

static void
test_metrics_without_traces_and_the_reverse(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "prom");
    record_job(sdk, 2, 1, NULL);
    assert_true(shows(sdk, "queue_job_latency_seconds_sum{job_type=\"j\"} 2\n"));
    assert_true(shows(sdk, "queue_job_failures_total{error_type=\"Boom\"} 1\n"));
    sdk_free(sdk);
    sdk = sdk_of("old", "otel");
    record_job(sdk, 2, 1, NULL);
    assert_non_null(strstr(exported(sdk), "job.run|2;"));
    sdk_free(sdk);
    assert_null(djp_sdk_operations(NULL));
}

/* The type of an error belongs to a failure. */
static void
test_an_error_type_of_a_success_is_left_out(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "hybrid");
    record_job(sdk, 2, 0, NULL);
    assert_null(strstr(exported(sdk), "Boom"));
    assert_false(shows(sdk, "Boom"));
    sdk_free(sdk);
}

/* A tree of samplers sees the attributes of an operation that begins a trace. */
static void
test_samplers_see_the_operation(void **state)
{
    (void)state;
    const djp_config_override more[] = {{"backend", "otel"},
                                        {"sampler",
                                         "rule_based(kind(client) & name(\"external.api.call\") & "
                                         "attribute(\"external.service\"=\"kept\") & "
                                         "attribute(\"external.success\"=\"true\") => always_on)"},
                                        {"sample_errors", "false"}};
    djp_sdk *sdk = sdk_with(more, 3);
    assert_int_not_equal(djp_recorder_needs(djp_sdk_recorder(sdk)) & DJP_NEEDS_ATTRIBUTES, 0);
    static const char *const services[] = {"kept", "other", "kept"};
    for (int i = 0; i < 3; i++) {
        djp_external_call call = {djp_text_of(services[i]), TEXT("get"), 1, i == 2, 0};
        djp_external_call_record(djp_sdk_operations(sdk), &call, NULL, NULL);
    }
    const char *text = exported(sdk);
    assert_non_null(strstr(text, "external.service=kept;"));
    assert_null(strstr(text, "external.service=other;"));
    assert_ptr_equal(strchr(text, '\n'), strrchr(text, '\n')); /* one span */
    assert_non_null(strstr(text, "external.success=true;"));
    sdk_free(sdk);
}

/* An exemplar leads to the span of the operation, if that is exported. */
static void
test_exemplars(void **state)
{
    (void)state;
    const djp_config_override more[] = {{"backend", "hybrid"}, {"sample_ratio", "1e-12"}};
    for (int failed = 0; failed < 2; failed++) {
        djp_sdk *sdk = sdk_with(more, 2);
        record_job(sdk, 2, failed, NULL);
        assert_int_equal(exemplar_of(sdk, "queue_job_latency_seconds_bucket") != NULL, failed);
        sdk_free(sdk);
    }
    djp_sdk *sdk = sdk_of("old", "hybrid");
    djp_span *parent = djp_span_start(djp_sdk_recorder(sdk), TEXT("parent"), NULL);
    record_job(sdk, 2, 0, parent); /* sampled, although the trace has not ended */
    assert_non_null(exemplar_of(sdk, "queue_job_latency_seconds_bucket"));
    djp_span_end(parent, 0);
    djp_span_release(parent);
    sdk_free(sdk);
}

/* Every row of a table has a key, and every family is one of the built-in table. */
static void
test_the_tables(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("old", "prom");
    for (int type = 0; type < DJP__OPERATIONS; type++) {
        const djp__operation *operation = djp__operation_at((djp__operation_type)type);
        assert_non_null(operation->name);
        for (size_t i = 0; i < DJP__OPERATION_ATTRIBUTES; i++) {
            assert_int_equal(operation->attributes[i].key != NULL,
                             operation->attributes[i].fact != DJP__FACT_NONE);
        }
        for (size_t i = 0; i < DJP__OPERATION_METRICS && operation->metrics[i].family; i++) {
            djp_family *family =
                djp_builtin_family(djp_sdk_builtin(sdk), operation->metrics[i].family);
            assert_non_null(family);
            size_t labels = 0;
            while (labels < DJP__OPERATION_LABELS && operation->metrics[i].labels[labels]) {
                labels++;
            }
            assert_int_equal(djp_family_label_count(family), labels);
        }
    }
    sdk_free(sdk);
}

static void
test_every_failing_allocation(void **state)
{
    (void)state;
    djp_sdk *sdk = sdk_of("both", "hybrid");
    for (long n = 1; n < 40; n++) {
        djp__alloc_fail_after(n);
        record_job(sdk, 1, 1, NULL);
        djp__alloc_fail_after(0);
    }
    sdk_free(sdk);
    djp_options options;
    djp_operations *operations;
    memset(&options, 0, sizeof options);
    for (long n = 1; n < 3; n++) {
        djp__alloc_fail_after(n);
        int error = djp__operations_new(&operations, &options, NULL, NULL);
        djp__alloc_fail_after(0);
        assert_int_equal(error, DJP_ENOMEM);
        assert_null(operations);
    }
    djp__operations_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_by_the_vectors),
        cmocka_unit_test(test_the_span_has_the_duration_and_ends_now),
        cmocka_unit_test(test_the_span_is_below_its_parent),
        cmocka_unit_test(test_metrics_without_traces_and_the_reverse),
        cmocka_unit_test(test_an_error_type_of_a_success_is_left_out),
        cmocka_unit_test(test_samplers_see_the_operation),
        cmocka_unit_test(test_exemplars),
        cmocka_unit_test(test_the_tables),
        cmocka_unit_test(test_every_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
