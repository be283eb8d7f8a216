/* The operation logs of an instance: attachment, replay by a caller that waits for room, and the
 * one report about scopes. */
#include "oplog_reader.h"

static char last[512];
static unsigned warnings;

static void
note(void *user, int level, const char *message)
{
    (void)user;
    if (level <= DJP_LOG_WARN) {
        warnings++;
        snprintf(last, sizeof last, "%s", message);
    }
}

static void
open_noted(const djp_options *with, size_t units)
{
    djp_sdk_language language = {"c", "test", "1", 0};
    warnings = 0;
    last[0] = '\0';
    transport = script_new(NULL, NULL);
    lent = 1;
    assert_int_equal(
        djp__sdk_new_with_transport(&sdk, with, &language, note, NULL, &transport->base), 0);
    assert_int_equal(writer_open(&log_, units), 0);
    assert_int_equal(djp_oplog_attach(log_.log, sdk), 0);
}

static void
test_attachment(void **state)
{
    (void)state;
    open_with(&options, 1024);
    assert_int_equal(djp_oplog_attach(NULL, sdk), DJP_EINVAL);
    assert_int_equal(djp_oplog_attach(log_.log, NULL), DJP_EINVAL);
    assert_int_not_equal(djp_oplog_attach(log_.log, sdk), 0); /* it is attached */
    djp_http_server *server = NULL;
    assert_int_equal(djp_http_server_new(&server, sdk), 0);
    assert_non_null(server);
    djp_http_server_free(server);
    /* an instance that has ended takes no more */
    djp_oplog *other = NULL;
    assert_int_equal(djp_oplog_new(&other, 1024), 0);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_not_equal(djp_oplog_attach(other, sdk), 0);
    djp_oplog_unref(other);
}

/* What the parts of the instance are is read by every replay. */
static void
test_the_host(void **state)
{
    (void)state;
    djp_options metered = options;
    metered.metrics_enabled = 1;
    open_with(&metered, 1024);
    const djp__oplog_host *instance = &sdk->oplogs.host;
    assert_ptr_equal(instance->options, &sdk->options);
    assert_ptr_equal(instance->recorder, sdk->recorder);
    assert_ptr_equal(instance->registry, sdk->registry);
    assert_ptr_equal(instance->standard, sdk->standard);
    assert_ptr_equal(instance->ring, djp__recorder_ring(sdk->recorder));
    assert_true(instance->is_open(sdk));
    djp_sdk *scraped = NULL;
    metered.backend = DJP_BACKEND_PROM;
    assert_int_equal(djp_sdk_new(&scraped, &metered, NULL, NULL, NULL), 0);
    assert_null(scraped->oplogs.host.ring);
    djp_sdk_shutdown(scraped, 0);
    assert_false(scraped->oplogs.host.is_open(scraped));
    djp_sdk_free(scraped);
}

/* A reader of the status sees what the writer has published, without a thread. */
static void
test_a_reader_catches_up(void **state)
{
    (void)state;
    djp_options patient = options;
    patient.flush_interval_ns = 1000 * SECOND;
    open_with(&patient, 1024);
    begin(0, 1, 0, "root");
    writer_end(&log_, 0, 0);
    djp__store_seq_cst(&log_.control[DJP_OPLOG_PUBLISHED], log_.at); /* and wakes no one */
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]), 0);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "spans", "ended") == 1);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]), log_.at);
    json_free(status);
    assert_int_equal(djp__sdk_replay(sdk, 0), 0); /* nothing is left */
}

/* More operations than the ring of spans has room for: a caller waits while the worker makes room,
 * and loses nothing. */
static void
test_a_caller_waits_for_room(void **state)
{
    (void)state;
    djp_options small = options;
    small.ring_bytes = 64 << 10;
    enum { SPANS = 3000 };
    open_with(&small, 1 << 16);
    for (uint32_t i = 0; i < SPANS; i++) {
        begin(0, i + 1, 0, "root");
        writer_end(&log_, 0, 0);
    }
    djp__store_seq_cst(&log_.control[DJP_OPLOG_PUBLISHED], log_.at);
    assert_int_equal(djp__sdk_replay(sdk, djp__clock_monotonic() + PATIENCE), 0);
    assert_int_equal(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]), log_.at);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "root"), SPANS);
    assert_true(dropped("ring_full") == 0);
}

/* While the worker makes no room, the caller leaves at its deadline, and a flush says that it was
 * late. */
static void
test_a_caller_gives_up(void **state)
{
    (void)state;
    djp_options small = options;
    small.ring_bytes = 64 << 10;
    enum { SPANS = 3000 };
    open_with(&small, 1 << 16);
    djp__store_release(&sdk->worker.state, DJP__WORKER_WORKING); /* a thread that does nothing */
    for (uint32_t i = 0; i < SPANS; i++) {
        begin(0, i + 1, 0, "root");
        writer_end(&log_, 0, 0);
    }
    djp__store_seq_cst(&log_.control[DJP_OPLOG_PUBLISHED], log_.at);
    uint64_t deadline = djp__clock_monotonic() + 50 * MS;
    assert_int_equal(djp__sdk_replay(sdk, deadline), 1);
    assert_true(djp__clock_monotonic() >= deadline);
    assert_true(djp__load_acquire(&log_.control[DJP_OPLOG_CONSUMED]) != log_.at);
    djp__store_release(&sdk->worker.state, DJP__WORKER_ABSENT);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "root"), SPANS);
}

/* Without an export there is no thread that could make room, and none is waited for. */
static void
test_without_an_export(void **state)
{
    (void)state;
    djp_options silent = options;
    silent.sampler = DJP_SAMPLER_RATIO;
    silent.sample_ratio = 0;
    silent.sample_ratio_explicit = 1;
    open_with(&silent, 1024);
    begin(0, 1, 0, "root");
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    assert_int_equal(djp__sdk_replay(sdk, UINT64_MAX), 0);
    assert_false(djp__worker_is_running(&sdk->worker));
}

static void
test_scopes_are_reported_once(void **state)
{
    (void)state;
    djp_options loud = options;
    loud.log_level = DJP_LOG_WARN;
    open_noted(&loud, 1024);
    djp__sdk_report_scopes(sdk);
    assert_int_equal(warnings, 0);
    djp__store_relaxed(&sdk->oplogs.scopes_full, 1);
    djp__sdk_report_scopes(sdk);
    djp__sdk_report_scopes(sdk);
    assert_int_equal(warnings, 1);
    char expected[64];
    snprintf(expected, sizeof expected, "The process has used %u different tracers",
             DJP_SCOPE_LIMIT - 1);
    assert_non_null(strstr(last, expected));
}

int
main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_attachment),
        CASE(test_the_host),
        CASE(test_a_reader_catches_up),
        CASE(test_a_caller_waits_for_room),
        CASE(test_a_caller_gives_up),
        CASE(test_without_an_export),
        CASE(test_scopes_are_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
