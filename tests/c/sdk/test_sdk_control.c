/* An instance as the host of its control: what the account reads, whom a change of the plan
 * notifies, and which overrides of the program are accepted. */
#include "oplog_reader.h"

#include <math.h>

static void
test_refusals(void **state)
{
    (void)state;
    open_with(&options, 1024);
    assert_int_equal(djp_sdk_set_enabled(NULL, 1), DJP_EINVAL);
    assert_int_equal(djp_sdk_set_sample_ratio(NULL, 0.5), DJP_EINVAL);
    assert_int_equal(djp_sdk_set_canary_ratio(NULL, 0.5), DJP_EINVAL);
    static const double wrong[] = {1.5, 1.0000001, INFINITY, NAN};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(djp_sdk_set_sample_ratio(sdk, wrong[i]), DJP_EINVAL);
        assert_int_equal(djp_sdk_set_canary_ratio(sdk, wrong[i]), DJP_EINVAL);
    }
    static const double good[] = {1, 0.5, 0, -1};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(djp_sdk_set_sample_ratio(sdk, good[i]), 0);
        assert_int_equal(djp_sdk_set_canary_ratio(sdk, good[i]), 0);
    }
}

/* An instance that was configured to export nothing cannot be made to. */
static void
test_an_instance_without_export(void **state)
{
    (void)state;
    open_with(&options, 1024);
    djp_options silence = options;
    silence.sampler = DJP_SAMPLER_RATIO;
    silence.sample_ratio = 0;
    silence.sample_ratio_explicit = 1;
    djp_sdk *silent = helper_sdk(&silence, NULL);
    assert_int_equal(djp_sdk_set_sample_ratio(silent, 0.5), DJP_EUNSUPPORTED);
    assert_int_equal(djp_sdk_set_sample_ratio(silent, 0), 0);
    assert_int_equal(djp_sdk_set_enabled(silent, 0), 0);
    assert_null(djp_span_start(djp_sdk_recorder(silent), DJP_TEXT("none"), NULL));
    assert_int_equal(djp_sdk_set_enabled(silent, 1), 0);
    helper_span(silent, "none");
    djp_sdk_free(silent);
}

/* The account is about what was exported: spans, and their bytes on the wire. */
static void
test_the_account_reads_exports(void **state)
{
    (void)state;
    djp_options priced = options;
    priced.price_per_million_spans = 1e6; /* 1 each */
    priced.price_per_gb = 1e9; /* 1 for a byte */
    open_with(&priced, 1024);
    helper_spans(sdk, "span", 7);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "budget", "cost_spans") == 0); /* they only wait */
    json_free(status);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    status = helper_status(sdk);
    assert_true(helper_number(status, "budget", "cost_spans") == 7);
    double bytes = helper_number(status, "export", "wire_bytes");
    assert_true(bytes > 0);
    assert_true(fabs(helper_number(status, "budget", "cost_bytes") - bytes) < 1e-6 * bytes);
    json_free(status);
}

/* A change reaches the writers of operation logs at once, and a sleeping worker. */
static void
test_a_change_notifies(void **state)
{
    (void)state;
    open_with(&options, 1024);
    uint32_t before = djp__load_acquire(&log_.control[DJP_OPLOG_HEAD]);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.5), 0);
    assert_true(djp__load_acquire(&log_.control[DJP_OPLOG_HEAD]) != before);
    assert_true(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]) & DJP_OPLOG_TRACES);
    assert_int_equal(djp_sdk_set_enabled(sdk, 0), 0);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_ACTIVE]) & DJP_OPLOG_TRACES, 0);
    assert_int_equal(djp_sdk_set_enabled(sdk, 1), 0);
    /* without a thread there is none to wake, and none is started */
    assert_false(djp__worker_is_running(&sdk->worker));
    djp__wake_wait(&sdk->worker.wake, 0);
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.25), 0);
    assert_int_equal(djp__wake_wait(&sdk->worker.wake, 0), 0);
    assert_false(djp__worker_is_running(&sdk->worker));
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING); /* the test is the thread */
    assert_int_equal(djp_sdk_set_sample_ratio(sdk, 0.125), 0);
    assert_int_equal(djp__wake_wait(&sdk->worker.wake, 0), 1);
    djp__store_release(&sdk->worker.state, DJP__WORKER_ABSENT);
}

/* A target can be met only by an instance that exports. */
static void
test_what_control_is_given(void **state)
{
    (void)state;
    djp_options aimed = options;
    aimed.metrics_enabled = 1;
    open_with(&aimed, 1024);
    assert_ptr_equal(sdk->control.host.options, &sdk->options);
    assert_ptr_equal(sdk->control.host.diag, &sdk->diag);
    assert_ptr_equal(sdk->control.host.recorder, sdk->recorder);
    assert_ptr_equal(sdk->control.host.registry, sdk->registry);
    assert_true(sdk->control.host.exports);
    djp_sdk *scraped = NULL;
    aimed.backend = DJP_BACKEND_PROM;
    assert_int_equal(djp_sdk_new(&scraped, &aimed, NULL, NULL, NULL), 0);
    assert_false(scraped->control.host.exports);
    assert_null(scraped->control.host.recorder);
    djp_sdk_free(scraped);
}

int
main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_refusals),
        CASE(test_an_instance_without_export),
        CASE(test_the_account_reads_exports),
        CASE(test_a_change_notifies),
        CASE(test_what_control_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
