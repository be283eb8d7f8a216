/* The SDK's own series of each signal: the rows of the signals name them. */
#include "pipeline/pair.h"

#include <stdlib.h>

static char *
scrape(djp_sdk *sdk)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_registry_expose(&text, &size, djp_sdk_registry(sdk), DJP_TEXT_0_0_4), 0);
    return text;
}

/* The value of a sample; -1 if it is not shown. */
static double
sample(const char *text, const char *name)
{
    char line[512];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    return at != NULL ? strtod(at + strlen(line), NULL) : -1;
}

#define LOGS                                             \
    "{otel_component_name=\"batching_log_processor/0\"," \
    "otel_component_type=\"batching_log_processor\""
#define LOG_EXPORTER                                   \
    "{otel_component_name=\"console_log_exporter/0\"," \
    "otel_component_type=\"console_log_exporter\""
#define LOGS_WAITING "djp_telemetry_waiting_bytes{signal=\"logs\"}"

static unsigned
reject_second(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 1 ? SCRIPT_REJECT : SCRIPT_ACCEPT;
}

static unsigned
reject_second_hold_third(void *user, unsigned attempt)
{
    return attempt < 2 ? reject_second(user, attempt) : SCRIPT_HELD;
}

static djp_options
metrics_options(void)
{
    djp_options options = helper_options();
    options.metrics_enabled = 1;
    options.flush_interval_ns = 100 * SECOND;
    options.exporter = DJP_EXPORTER_CONSOLE;
    return options;
}

static void
record(pair *pair)
{
    for (int i = 0; i < 6; i++) {
        event_add(&pair->events, "good");
    }
    helper_spans(pair->sdk, "span", 2);
    assert_int_equal(djp_sdk_flush(pair->sdk, PATIENCE), 0);
    for (int i = 0; i < 4; i++) {
        event_add(&pair->events, "bad");
    }
    assert_int_equal(djp_sdk_flush(pair->sdk, PATIENCE), DJP_EREJECTED);
    djp__add_relaxed(&pair->events.refused, 3u);
    event_add(&pair->events, "waiting");
}

static void
test_each_signal_has_series(void **state)
{
    (void)state;
    pair pair;
    djp_options options = metrics_options();
    options.export_timeout_ns = 600 * SECOND;
    pair_start(&pair, &options, reject_second_hold_third, NULL);
    pair.logs->held = 1;
    record(&pair);
    assert_int_equal(djp_sdk_flush(pair.sdk, 0), DJP_ETIMEOUT);
    char *text = scrape(pair.sdk);
    /* Between the ring and its request an event is in the encoder, whose bytes do not count. */
    for (int i = 0; i < 60000 && sample(text, LOGS_WAITING) < 7; i++) {
        djp_free(text);
        helper_sleep(MS);
        text = scrape(pair.sdk);
    }
    assert_non_null(strstr(text, "# HELP djp_telemetry_events_total Events by outcome\n"));
    assert_true(sample(text, "djp_telemetry_events_total{outcome=\"exported\"}") == 6);
    assert_true(sample(text, "djp_telemetry_events_total{outcome=\"rejected\"}") == 4);
    assert_true(sample(text, "djp_telemetry_events_total{outcome=\"refused\"}") == 3);
    assert_true(sample(text, "djp_telemetry_events_total{outcome=\"not_sampled\"}") == 0);
    assert_true(sample(text, "djp_telemetry_spans_total{outcome=\"exported\"}") == 2);
    assert_true(sample(text, "djp_telemetry_spans_total{outcome=\"rejected\"}") == 0);
    assert_true(sample(text, "djp_telemetry_export_requests_total{signal=\"logs\","
                             "outcome=\"failed\"}") == 1);
    assert_true(sample(text, "djp_telemetry_export_requests_total{signal=\"logs\","
                             "outcome=\"ok\"}") == 1);
    assert_true(sample(text, "djp_telemetry_export_requests_total{signal=\"traces\","
                             "outcome=\"failed\"}") == 0);
    assert_true(sample(text, LOGS_WAITING) >= 7);
    assert_true(sample(text, "djp_telemetry_waiting_bytes{signal=\"traces\"}") == 0);
    assert_null(strstr(text, "otel_sdk"));
    djp_free(text);
    pair_end(&pair);
}

/* The conventions have one set of names for each signal. */
static void
test_conventions(void **state)
{
    (void)state;
    pair pair;
    djp_options options = metrics_options();
    options.sdk_metrics = 1;
    pair_start(&pair, &options, reject_second, NULL);
    record(&pair);
    char *text = scrape(pair.sdk);
    assert_non_null(strstr(text, "# HELP otel_sdk_processor_log_queue_size Events that wait"));
    assert_true(sample(text, "otel_sdk_processor_log_queue_size" LOGS "}") == 1);
    assert_true(sample(text, "otel_sdk_processor_log_queue_capacity" LOGS "}") == 64);
    assert_true(sample(text, "otel_sdk_processor_log_processed_total" LOGS ",error_type=\"\"}") ==
                10);
    assert_true(sample(text, "otel_sdk_processor_log_processed_total" LOGS
                             ",error_type=\"refused\"}") == 3);
    assert_true(sample(text, "otel_sdk_exporter_log_inflight" LOG_EXPORTER "}") == 0);
    assert_true(
        sample(text, "otel_sdk_exporter_log_exported_total" LOG_EXPORTER ",error_type=\"\"}") == 6);
    assert_true(sample(text, "otel_sdk_exporter_log_exported_total" LOG_EXPORTER
                             ",error_type=\"rejected\"}") == 4);
    assert_true(sample(text, "otel_sdk_exporter_operation_duration_seconds_count" LOG_EXPORTER
                             ",error_type=\"\"}") == 1);
    assert_true(sample(text, "otel_sdk_exporter_operation_duration_seconds_count" LOG_EXPORTER
                             ",error_type=\"rejected\"}") == 1);
    assert_true(sample(text,
                       "otel_sdk_exporter_operation_duration_seconds_count"
                       "{otel_component_name=\"console_span_exporter/0\","
                       "otel_component_type=\"console_span_exporter\",error_type=\"\"}") == 1);
    djp_free(text);
    pair_end(&pair);
}

/* What would not fit into the tables of an instance is refused, and stays the caller's. */
static void
test_too_many_signals(void **state)
{
    (void)state;
    for (int metrics = 0; metrics < 2; metrics++) {
        pair pair;
        djp_options options = metrics_options();
        options.metrics_enabled = metrics;
        pair_start(&pair, &options, NULL, NULL);
        script_transport *transports[DJP__PIPELINES_MAX];
        events more[DJP__PIPELINES_MAX];
        for (int i = 0; i < DJP__PIPELINES_MAX - 2; i++) {
            transports[i] = script_new(NULL, NULL);
            assert_int_equal(events_start(&more[i], pair.sdk, &transports[i]->base, 1 << 16), 0);
        }
        djp__pipeline one_more;
        djp__pipeline_options limits = pair.sdk->traces.options;
        script_transport *unused = script_new(NULL, NULL);
        djp__pipeline_init(&one_more, &events_signal, &more[0], &unused->base, &pair.sdk->worker,
                           &pair.sdk->diag, &limits);
        assert_int_equal(djp__sdk_add_pipeline(pair.sdk, &one_more), DJP_EFULL);
        djp__pipeline_fini(&one_more);
        script_fini(unused);
        event_add(&more[0], "one");
        assert_int_equal(djp_sdk_flush(pair.sdk, PATIENCE), 0);
        pair_end(&pair);
        for (int i = 0; i < DJP__PIPELINES_MAX - 2; i++) {
            script_fini(transports[i]);
            djp__ring_free(more[i].ring);
        }
    }
}

/* Without memory for its families a signal is refused; with enough it works. */
static void
test_without_memory(void **state)
{
    (void)state;
    djp_options options = metrics_options();
    options.sdk_metrics = 1;
    int result = DJP_ENOMEM;
    for (long n = 1; result != 0; n++) {
        script_transport *spans = script_new(NULL, NULL), *logs = script_new(NULL, NULL);
        djp_sdk *sdk = helper_sdk(&options, spans);
        events events;
        memset(&events, 0, sizeof events);
        events.pipeline = djp__calloc(1, sizeof *events.pipeline);
        assert_int_equal(djp__ring_new(&events.ring, 1 << 16), 0);
        djp__pipeline_options limits = sdk->traces.options;
        djp__pipeline_init(events.pipeline, &events_signal, &events, &logs->base, &sdk->worker,
                           &sdk->diag, &limits);
        djp__alloc_fail_after(n);
        result = djp__sdk_add_pipeline(sdk, events.pipeline);
        djp__alloc_fail_after(0);
        assert_true(result == 0 || result == DJP_ENOMEM);
        if (result != 0) {
            djp__pipeline_fini(events.pipeline);
            djp__free(events.pipeline);
        }
        djp_sdk_free(sdk);
        script_fini(spans);
        script_fini(logs);
        djp__ring_free(events.ring);
        assert_true(n < 200);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_signal_has_series),
        cmocka_unit_test(test_conventions),
        cmocka_unit_test(test_too_many_signals),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
