/* The worker at its worst moments: what is recorded between its last look at the ring and its
 * request for a wake-up, and threads that cannot be started. Compiled in, so that the order and the
 * clock are the test's. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "djp/error.h"

static _Atomic(void (*)(uint64_t bytes)) before_arm; /* called by the worker, each time */
static _Atomic uint64_t skew; /* of the worker's clock */
static _Atomic int starts_fail, start_attempts;

static void
arm_late(djp_recorder *recorder, uint64_t bytes)
{
    void (*act)(uint64_t) = before_arm;
    if (act) {
        act(bytes);
    }
    djp__recorder_set_wake_level(recorder, bytes);
}

static int
start_maybe(pthread_t *out, void *(*run)(void *), void *argument, const char *name)
{
    start_attempts++;
    return starts_fail ? DJP_ETHREAD : djp__thread_start(out, run, argument, name);
}

#define djp__recorder_set_wake_level(recorder, bytes) arm_late(recorder, bytes)
#define djp__clock_monotonic() (djp__clock_monotonic() + skew)
#define djp__thread_start(out, run, argument, name) start_maybe(out, run, argument, name)
#include "pipeline/worker.c"
#include "sdk/traces.c"
#undef djp__recorder_set_wake_level
#undef djp__clock_monotonic
#undef djp__thread_start

static djp_sdk *sdk;

/* 1 when everything that was recorded has left the ring. */
static int
is_drained(void)
{
    uint64_t end = djp__clock_monotonic() + PATIENCE;
    while (djp__ring_used(djp__recorder_ring(sdk->recorder)) > 0 && djp__clock_monotonic() < end) {
        helper_sleep(MS);
    }
    return djp__ring_used(djp__recorder_ring(sdk->recorder)) == 0;
}

static _Atomic int acted;

static void
wait_until_acted(void)
{
    uint64_t end = djp__clock_monotonic() + PATIENCE;
    while (!acted && djp__clock_monotonic() < end) {
        helper_sleep(MS);
    }
    assert_true(acted);
}

static void
record_one(uint64_t bytes)
{
    if (bytes == 0 && !acted) {
        helper_span(sdk, "late");
        acted = 1;
    }
}

/* Fills the ring when the worker is about to ask for a wake-up at a quarter of it: no record that
 * is refused wakes anybody. */
static void
fill_ring(uint64_t bytes)
{
    if (bytes > 0 && !acted) {
        djp__recorder_totals counters;
        do {
            helper_span(sdk, "filling");
            djp__recorder_counters(&counters, sdk->recorder);
        } while (counters.dropped[DJP__DROP_RING_FULL] == 0);
        acted = 1;
    }
}

static djp_options
options_of_an_hour(void)
{
    djp_options options = helper_options();
    options.ring_bytes = 64 << 10;
    options.flush_interval_ns = 3600 * SECOND;
    return options;
}

static void
finish(script_transport *transport)
{
    before_arm = NULL;
    djp_sdk_free(sdk);
    script_fini(transport);
    acted = 0;
    skew = 0;
}

/* Without the worker's second look this span would stay in the ring for an hour. */
static void
a_span_between_look_and_sleep_is_found(void **state)
{
    (void)state;
    djp_options options = options_of_an_hour();
    script_transport *transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    before_arm = record_one;
    djp__sdk_wake(sdk); /* a first round that finds nothing */
    wait_until_acted();
    before_arm = NULL;
    assert_true(is_drained());
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 1);
    finish(transport);
}

static void
a_ring_that_fills_between_look_and_sleep_is_drained(void **state)
{
    (void)state;
    djp_options options = options_of_an_hour();
    options.max_batch_spans = 1 << 20;
    script_transport *transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    before_arm = fill_ring;
    helper_span(sdk, "first"); /* from now on something is due, in an hour */
    wait_until_acted();
    before_arm = NULL;
    assert_true(is_drained());
    finish(transport);
}

static void
full_of_records(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        djp__sdk_wake(sdk);
    }
}

/* One try a second, however often a recorder asks; a thread that started is the end of it. */
static void
a_thread_that_cannot_start_is_tried_once_a_second(void **state)
{
    (void)state;
    djp_options options = options_of_an_hour();
    script_transport *transport = script_new(NULL, NULL);
    sdk = helper_sdk(&options, transport);
    starts_fail = 1;
    start_attempts = 0;
    for (int second = 1; second <= 3; second++) {
        full_of_records(50);
        assert_int_equal(start_attempts, second);
        /* the rest is that of the test's own time, and far from a second */
        skew += SECOND - 500 * MS;
        full_of_records(50);
        assert_int_equal(start_attempts, second);
        skew += 500 * MS;
    }
    json *status = helper_status(sdk);
    assert_int_equal(sdk->worker.start_failures, 3);
    assert_int_equal(sdk->worker.starts, 0);
    json_free(status);
    starts_fail = 0;
    helper_span(sdk, "at last");
    full_of_records(2);
    assert_int_equal(start_attempts, 4);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 1);
    assert_int_equal(sdk->worker.starts, 1);
    finish(transport);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span_between_look_and_sleep_is_found),
        cmocka_unit_test(a_ring_that_fills_between_look_and_sleep_is_drained),
        cmocka_unit_test(a_thread_that_cannot_start_is_tried_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
