/* Flush tells the truth: 0 only for what was accepted, a loss is reported once, and a deadline is
 * kept. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static unsigned
scripted(void *user, unsigned attempt)
{
    const unsigned *actions = user;
    for (unsigned i = 0; i < attempt; i++) {
        if (actions[i] == SCRIPT_ACCEPT) {
            return SCRIPT_ACCEPT;
        }
    }
    return actions[attempt];
}

static void
finish(djp_sdk *sdk, script_transport *transport)
{
    djp_sdk_free(sdk);
    assert_int_equal(transport->overlaps, 0);
    script_fini(transport);
}

static void
check_verdict(const unsigned *actions, int verdict, const char *reason, double lost)
{
    djp_options options = helper_options();
    options.flush_interval_ns = 600 * SECOND; /* one batch, however slow this thread is */
    options.export_timeout_ns = 100 * MS;
    script_transport *transport = script_new(scripted, (void *)actions);
    transport->retry_after_ns = 10 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "judged", 10);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), verdict);
    if (reason != NULL) {
        json *status = helper_status(sdk);
        assert_true(helper_number(status, "dropped", reason) == lost);
        assert_true(helper_unaccounted(status) == 0);
        json_free(status);
    }
    /* It was reported; the next flush reports what comes next. */
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    finish(sdk, transport);
}

static void
test_verdicts(void **state)
{
    (void)state;
    static const unsigned accept[] = {SCRIPT_ACCEPT};
    static const unsigned once[] = {SCRIPT_RETRY, SCRIPT_RETRY, SCRIPT_ACCEPT};
    static const unsigned reject[] = {SCRIPT_REJECT, SCRIPT_ACCEPT};
    static const unsigned partial[] = {SCRIPT_PARTIAL, SCRIPT_ACCEPT};
    static const unsigned hang[] = {SCRIPT_HANG, SCRIPT_ACCEPT};
    check_verdict(accept, 0, NULL, 0);
    check_verdict(once, 0, NULL, 0);
    check_verdict(reject, DJP_EREJECTED, "rejected", 10);
    check_verdict(partial, DJP_EREJECTED, "rejected", 1);
    check_verdict(hang, 0, "timeout", 0);
}

static unsigned
always_held(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_HELD;
}

static void
test_deadline_is_kept_and_late_delivery_is_no_loss(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.export_timeout_ns = 600 * SECOND;
    script_transport *transport = script_new(always_held, NULL);
    transport->held = 1;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "late", 5);
    uint64_t start = djp__clock_monotonic();
    assert_int_equal(djp_sdk_flush(sdk, 100 * MS), DJP_ETIMEOUT);
    assert_true(djp__clock_monotonic() - start < PATIENCE);
    assert_int_equal(djp_sdk_flush(sdk, 0), DJP_ETIMEOUT);
    transport->held = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "late"), 5);
    finish(sdk, transport);
}

static unsigned
first_is_refused_late(void *user, unsigned attempt)
{
    while (*(_Atomic int *)user) {
        helper_sleep(MS);
    }
    return attempt == 0 ? SCRIPT_REJECT : SCRIPT_ACCEPT;
}

static void
wait_for_drops(djp_sdk *sdk, const char *reason, double least)
{
    double count = 0;
    for (uint64_t end = djp__clock_monotonic() + PATIENCE; count < least; helper_sleep(MS)) {
        assert_true(djp__clock_monotonic() < end);
        json *status = helper_status(sdk);
        count = helper_number(status, "dropped", reason);
        json_free(status);
    }
}

/* What a flush gave up on is not news to the next one. */
static void
test_loss_after_a_timeout_is_reported_once(void **state)
{
    (void)state;
    _Atomic int waits = 1;
    djp_options options = helper_options();
    options.flush_interval_ns = 600 * SECOND;
    script_transport *transport = script_new(first_is_refused_late, (void *)&waits);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "lost", 5);
    assert_int_equal(djp_sdk_flush(sdk, 50 * MS), DJP_ETIMEOUT);
    waits = 0;
    wait_for_drops(sdk, "rejected", 5);
    helper_spans(sdk, "good", 5);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 5);
    finish(sdk, transport);
}

static void
test_background_loss_is_reported_by_the_next_flush(void **state)
{
    (void)state;
    static const unsigned actions[] = {SCRIPT_REJECT, SCRIPT_ACCEPT};
    djp_options options = helper_options();
    script_transport *transport = script_new(scripted, (void *)actions);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "lost", 5);
    wait_for_drops(sdk, "rejected", 1);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EREJECTED);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    finish(sdk, transport);
}

static void
test_a_full_ring_is_a_loss(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.ring_bytes = 64 << 10;
    options.export_timeout_ns = 600 * SECOND;
    script_transport *transport = script_new(always_held, NULL);
    transport->held = 1;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "flood", 20000);
    json *status = helper_status(sdk);
    double full = helper_number(status, "dropped", "ring_full");
    json_free(status);
    assert_true(full > 0);
    transport->held = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO);
    assert_true((double)script_spans(transport, NULL) == 20000 - full);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    finish(sdk, transport);
}

enum { REFUSALS = 20 };

static unsigned
refuse_many(void *user, unsigned attempt)
{
    (void)user;
    return attempt < REFUSALS ? SCRIPT_RETRY : SCRIPT_ACCEPT;
}

/* Left to itself the back-off would last for four minutes or so. */
static void
test_flush_cuts_a_back_off_short(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(refuse_many, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "waits");
    uint64_t start = djp__clock_monotonic();
    while (transport->attempts < REFUSALS && djp__clock_monotonic() - start < PATIENCE) {
        djp_sdk_flush(sdk, 50 * MS);
    }
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 1);
    assert_true(djp__clock_monotonic() - start < 2 * PATIENCE);
    finish(sdk, transport);
}

struct flusher {
    djp_sdk *sdk;
    int failures;
};

static void *
record_and_flush(void *argument)
{
    struct flusher *flusher = argument;
    for (int i = 0; i < 40; i++) {
        helper_spans(flusher->sdk, "many", 25);
        flusher->failures += djp_sdk_flush(flusher->sdk, PATIENCE) != 0;
    }
    return NULL;
}

static void
test_many_flushers(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    pthread_t threads[4];
    struct flusher flushers[4];
    for (int i = 0; i < 4; i++) {
        flushers[i] = (struct flusher){sdk, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, record_and_flush, &flushers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(flushers[i].failures, 0);
    }
    assert_int_equal(script_spans(transport, NULL), 4 * 40 * 25);
    finish(sdk, transport);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_deadline_is_kept_and_late_delivery_is_no_loss),
        cmocka_unit_test(test_loss_after_a_timeout_is_reported_once),
        cmocka_unit_test(test_background_loss_is_reported_by_the_next_flush),
        cmocka_unit_test(test_a_full_ring_is_a_loss),
        cmocka_unit_test(test_flush_cuts_a_back_off_short),
        cmocka_unit_test(test_many_flushers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
