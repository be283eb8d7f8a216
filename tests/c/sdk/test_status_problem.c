/* The first reason why nothing arrives, as one sentence: each cause, their order, and that it goes
 * when the cause goes. */
#include "pipeline/pair.h"

#include <stdlib.h>

#include "sdk/status.h"

static void
assert_problem(djp_sdk *sdk, const char *part)
{
    json *status = helper_status(sdk);
    const char *problem = json_string(json_get(status, "problem"), "");
    if (strstr(problem, part) == NULL || (*part == '\0' && *problem != '\0')) {
        fail_msg("the problem is \"%s\", not \"%s\"", problem, part);
    }
    json_free(status);
}

/* The problem as it is written for these options. */
static void
assert_problem_of(djp_sdk *sdk, const djp_options *options, const char *expected)
{
    djp__recorder_totals counters;
    djp__buf out;
    memset(&counters, 0, sizeof counters);
    djp__buf_init(&out, 0);
    djp__status_problem(&out, sdk, options, &counters);
    djp__buf_char(&out, '\0');
    assert_false(out.failed);
    assert_string_equal(out.data, expected);
    djp__buf_fini(&out);
}

static void
test_off(void **state)
{
    (void)state;
    djp_options options = helper_options();
    djp_sdk *sdk = NULL;
    options.enabled = 0;
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    assert_problem_of(sdk, &options, "Telemetry is off (default).");
    options.enabled_source = "DJP_TELEMETRY_ENABLED";
    assert_problem_of(sdk, &options, "Telemetry is off (DJP_TELEMETRY_ENABLED).");
    options.enabled = 1;
    assert_problem_of(sdk, &options, "Telemetry was not started: its init has not been called.");
    options.backend = DJP_BACKEND_NOOP;
    assert_problem_of(
        sdk, &options,
        "Telemetry is on (DJP_TELEMETRY_ENABLED), but its backend is noop, which records nothing.");
    djp_sdk_free(sdk);
}

static void
test_no_exporter(void **state)
{
    (void)state;
    djp_options options = helper_options();
    djp_sdk *sdk = NULL;
    options.exporter = DJP_EXPORTER_NONE;
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    assert_problem_of(sdk, &options, "Spans go nowhere: the exporter is none.");
    options.backend = DJP_BACKEND_PROM; /* which has no spans */
    assert_problem_of(sdk, &options, "");
    assert_int_equal(djp_sdk_shutdown(sdk, 0), 0);
    assert_problem_of(sdk, &options, "Telemetry was shut down.");
    options.exporter = DJP_EXPORTER_NONE;
    options.backend = DJP_BACKEND_OTEL;
    assert_problem_of(sdk, &options, "Telemetry was shut down.");
    djp_sdk_free(sdk);
}

static unsigned
fail_then_accept(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_REJECT : SCRIPT_ACCEPT;
}

static void
test_the_problem_comes_and_goes(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(fail_then_accept, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    assert_problem(sdk, "");
    helper_span(sdk, "refused");
    djp_sdk_flush(sdk, PATIENCE);
    assert_problem(sdk, "1 attempts to reach script have failed in a row: as the script says.");
    helper_span(sdk, "taken");
    djp_sdk_flush(sdk, PATIENCE);
    assert_problem(sdk, "");
    assert_int_equal(djp_sdk_set_enabled(sdk, 0), 0);
    assert_problem(sdk, "Recording is off (program)");
    djp_sdk_shutdown(sdk, PATIENCE);
    assert_problem(sdk, "shut down");
    djp_sdk_free(sdk);
    script_fini(transport);
}

/* A receiver that refuses every span, in responses that are otherwise good. */
static unsigned
partial(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_PARTIAL;
}

static void
test_all_refused(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(partial, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "turned down");
    djp_sdk_flush(sdk, PATIENCE);
    assert_problem(sdk, "script has refused all of 1 spans.");
    helper_spans(sdk, "one of these is taken", 2);
    djp_sdk_flush(sdk, PATIENCE);
    assert_problem(sdk, "");
    djp_sdk_free(sdk);
    script_fini(transport);
}

static unsigned
hang(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic int *)user ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

/* Silence is a problem after two seconds, of whichever signal. */
static void
test_a_silent_receiver(void **state)
{
    (void)state;
    pair pair;
    _Atomic int hangs = 1;
    djp_options options = helper_options();
    options.export_timeout_ns = 0;
    pair_start(&pair, &options, hang, (void *)&hangs);
    event_add(&pair.events, "held");
    for (int i = 0; i < 60000 && !pair.logs->inside; i++) {
        helper_sleep(MS);
    }
    djp__export_stats *stats = &pair.events.pipeline->stats;
    uint64_t begun = djp__load_relaxed(&stats->attempt_begun);
    assert_true(begun != 0);
    /* the attempt's age is what it would be later; nothing else reads the time of its start */
    djp__store_relaxed(&stats->attempt_begun, djp__clock_monotonic());
    assert_problem(pair.sdk, "");
    djp__store_relaxed(&stats->attempt_begun, djp__clock_monotonic() - 7 * SECOND);
    assert_problem(pair.sdk, "the receiver of events has not responded for 7 s.");
    assert_true(djp__status_attempt_seconds(pair.events.pipeline) >= 7);
    djp__store_relaxed(&stats->attempt_begun, djp__clock_monotonic() + 100 * SECOND);
    assert_true(djp__status_attempt_seconds(pair.events.pipeline) == 0); /* a clock of the future */
    djp__store_relaxed(&stats->attempt_begun, begun);
    hangs = 0;
    pair_end(&pair);
}

/* The receiver of the second signal is as much of a problem as that of the first. */
static unsigned
reject(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_REJECT;
}

static void
test_each_receiver(void **state)
{
    (void)state;
    pair pair;
    djp_options options = helper_options();
    pair_start(&pair, &options, reject, NULL);
    helper_span(pair.sdk, "taken");
    event_add(&pair.events, "refused");
    djp_sdk_flush(pair.sdk, PATIENCE);
    assert_problem(pair.sdk, "1 attempts to reach the receiver of events have failed in a row");
    pair_end(&pair);
}

static void
test_no_thread(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    djp__store_relaxed(&sdk->worker.start_failures, (uint64_t)3);
    assert_problem(sdk, "The export thread could not be started (3 times).");
    helper_span(sdk, "the thread runs now");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_problem(sdk, "");
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
test_sampling(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 1e-12;
    options.sample_errors = 0;
    options.slow_threshold_ns = 0;
    djp_sdk *sdk = helper_sdk(&options, transport);
    assert_problem(sdk, "");
    helper_spans(sdk, "left out", 3);
    assert_problem(sdk, "None of 3 ended spans was sampled: the ratio is 1e-12 (configuration). "
                        "sample_ratio 1 samples all.");
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0), 0);
    assert_problem(sdk, "Nothing may leave: the ratio is 0 (program).");
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 1), 0);
    helper_span(sdk, "sampled");
    assert_problem(sdk, "");
    djp_sdk_free(sdk);
    script_fini(transport);
    /* a configured 0 has no pipeline at all */
    options.sample_ratio = 0;
    options.sample_ratio_explicit = 1;
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    assert_problem(sdk, "Nothing may leave: the ratio is 0 (configuration).");
    djp_sdk_free(sdk);
}

/* A tree of samplers has no ratio that one could raise. */
static void
test_a_tree_is_no_ratio(void **state)
{
    (void)state;
    djp__recorder_totals counters;
    djp__buf out;
    memset(&counters, 0, sizeof counters);
    djp__buf_init(&out, 0);
    djp__status_none_sampled(&out, 0.5, "program", &counters); /* nothing has ended */
    counters.by_reason[DJP_REASON_NONE] = 1;
    djp__status_none_sampled(&out, -1, "configuration", &counters);
    counters.sampled = 1;
    djp__status_none_sampled(&out, 0.5, "program", &counters);
    assert_int_equal(out.size, 0);
    counters.sampled = 0;
    djp__status_none_sampled(&out, 0, "program", &counters);
    assert_true(out.size > 0);
    djp__buf_fini(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_no_exporter),
        cmocka_unit_test(test_the_problem_comes_and_goes),
        cmocka_unit_test(test_all_refused),
        cmocka_unit_test(test_a_silent_receiver),
        cmocka_unit_test(test_each_receiver),
        cmocka_unit_test(test_no_thread),
        cmocka_unit_test(test_sampling),
        cmocka_unit_test(test_a_tree_is_no_ratio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
