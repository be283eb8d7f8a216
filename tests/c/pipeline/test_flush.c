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
    options.flush_interval_ns = 10 * SECOND;
    options.export_timeout_ns = 100 * MS;
    script_transport *transport = script_new(scripted, (void *)actions);
    transport->retry_after_ns = 10 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "judged", 10);
    assert_int_equal(djp_sdk_flush(sdk, 5 * SECOND), verdict);
    if (reason != NULL) {
        json *status = helper_status(sdk);
        assert_true(helper_number(status, "dropped", reason) == lost);
        assert_true(helper_unaccounted(status) == 0);
        json_free(status);
    }
    /* It was told; the next answer is about what comes next. */
    assert_int_equal(djp_sdk_flush(sdk, SECOND), 0);
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
hang_while(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic int *)user ? SCRIPT_SLOW : SCRIPT_ACCEPT;
}

static void
test_deadline_is_kept_and_late_delivery_is_no_loss(void **state)
{
    (void)state;
    _Atomic int slow = 1;
    djp_options options = helper_options();
    script_transport *transport = script_new(hang_while, (void *)&slow);
    transport->slow_ns = 600 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "late", 5);
    uint64_t start = djp__clock_monotonic();
    assert_int_equal(djp_sdk_flush(sdk, 100 * MS), DJP_ETIMEOUT);
    assert_true(djp__clock_monotonic() - start < 300 * MS);
    assert_int_equal(djp_sdk_flush(sdk, 0), DJP_ETIMEOUT);
    slow = 0;
    assert_int_equal(djp_sdk_flush(sdk, 5 * SECOND), 0);
    assert_int_equal(script_spans(transport, "late"), 5);
    finish(sdk, transport);
}

static unsigned
slow_refusal(void *user, unsigned attempt)
{
    (void)attempt;
    if (*(_Atomic int *)user) {
        helper_sleep(300 * MS);
        return SCRIPT_REJECT;
    }
    return SCRIPT_ACCEPT;
}

/* What a flush gave up on is not news to the next one. */
static void
test_loss_after_a_timeout_is_reported_once(void **state)
{
    (void)state;
    _Atomic int slow = 1;
    djp_options options = helper_options();
    script_transport *transport = script_new(slow_refusal, (void *)&slow);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "lost", 5);
    assert_int_equal(djp_sdk_flush(sdk, 50 * MS), DJP_ETIMEOUT);
    slow = 0;
    helper_sleep(500 * MS);
    helper_spans(sdk, "good", 5);
    assert_int_equal(djp_sdk_flush(sdk, 5 * SECOND), 0);
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
    while (transport->attempts == 0) {
        helper_sleep(MS);
    }
    helper_sleep(20 * MS);
    assert_int_equal(djp_sdk_flush(sdk, SECOND), DJP_EREJECTED);
    assert_int_equal(djp_sdk_flush(sdk, SECOND), 0);
    finish(sdk, transport);
}

static void
test_a_full_ring_is_a_loss(void **state)
{
    (void)state;
    static const unsigned actions[] = {SCRIPT_SLOW, SCRIPT_ACCEPT};
    djp_options options = helper_options();
    options.ring_bytes = 64 << 10;
    script_transport *transport = script_new(scripted, (void *)actions);
    transport->slow_ns = 200 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "flood", 20000);
    json *status = helper_status(sdk);
    double full = helper_number(status, "dropped", "ring_full");
    json_free(status);
    assert_true(full > 0);
    assert_int_equal(djp_sdk_flush(sdk, 5 * SECOND), DJP_EIO);
    assert_true((double)script_spans(transport, NULL) == 20000 - full);
    assert_int_equal(djp_sdk_flush(sdk, 5 * SECOND), 0);
    finish(sdk, transport);
}

static unsigned
refuse_eight(void *user, unsigned attempt)
{
    (void)user;
    return attempt < 8 ? SCRIPT_RETRY : SCRIPT_ACCEPT;
}

/* Left to itself the back-off would reach half a minute. */
static void
test_flush_cuts_a_back_off_short(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(refuse_eight, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "waits");
    uint64_t start = djp__clock_monotonic();
    for (int i = 0; i < 100 && transport->attempts < 8; i++) {
        djp_sdk_flush(sdk, 50 * MS);
    }
    assert_int_equal(djp_sdk_flush(sdk, 20 * SECOND), 0);
    assert_int_equal(script_spans(transport, NULL), 1);
    assert_true(djp__clock_monotonic() - start < 20 * SECOND);
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
        flusher->failures += djp_sdk_flush(flusher->sdk, 10 * SECOND) != 0;
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
