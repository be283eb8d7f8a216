/* Shutdown and free end in time whatever the receiver does, count what they leave behind, and leave
 * no thread behind. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned
always(void *user, unsigned attempt)
{
    (void)attempt;
    return *(unsigned *)user;
}

static void
test_everything_is_sent(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.flush_interval_ns = 100 * SECOND;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "last", 1000);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 1000);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), DJP_ESHUTDOWN);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_ESHUTDOWN);
    helper_spans(sdk, "after", 10);
    json *status = helper_status(sdk);
    assert_true(helper_unaccounted(status) == 0);
    assert_int_equal(json_get(status, "shut_down")->boolean, 1);
    assert_int_equal(json_get(json_get(status, "worker"), "running")->boolean, 0);
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
check_ends_in_time(unsigned action, uint64_t timeout)
{
    djp_options options = helper_options();
    options.max_batch_spans = 100;
    options.export_timeout_ns = 600 * SECOND;
    script_transport *transport = script_new(always, &action);
    transport->held = 1;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "stays", 450);
    while (transport->attempts == 0) {
        helper_sleep(MS);
    }
    uint64_t start = djp__clock_monotonic();
    assert_int_equal(djp_sdk_shutdown(sdk, timeout), DJP_ETIMEOUT);
    assert_true(djp__clock_monotonic() - start < timeout + PATIENCE);
    json *status = helper_status(sdk);
    int is_left_behind = json_get(json_get(status, "worker"), "running")->boolean;
    json_free(status);
    transport->held = 0;
    status = helper_status_at_rest(sdk);
    assert_true(helper_unaccounted(status) == 0);
    assert_true(helper_number(status, "dropped", "shutdown") >= 350);
    const char *said = json_string(json_get(status, "last_error"), "");
    if (!is_left_behind && !strstr(said, "still waiting for script at the end")) {
        fail_msg("said: %s", said);
    }
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
test_hanging_receiver(void **state)
{
    (void)state;
    check_ends_in_time(SCRIPT_HANG, SECOND);
    check_ends_in_time(SCRIPT_HANG, 100 * MS);
    check_ends_in_time(SCRIPT_HANG, 0);
    check_ends_in_time(SCRIPT_RETRY, 200 * MS);
}

/* Not even the callback is asked: the thread is left behind and ends by itself, with all it needs
 * still there. */
static void
test_receiver_that_does_not_listen(void **state)
{
    (void)state;
    check_ends_in_time(SCRIPT_STUCK, 100 * MS);
}

typedef struct heard {
    _Atomic int busy; /* warnings of a thread that was left behind */
    char message[512];
} heard;

static void
hear(void *user, int level, const char *message)
{
    heard *it = user;
    if (level == DJP_LOG_WARN && strstr(message, "still busy") != NULL && it->busy++ == 0) {
        snprintf(it->message, sizeof it->message, "%s", message);
    }
}

/* At that moment nothing is counted as lost yet, so a warning has the number; an export that was
 * cancelled in time needs none. */
static void
test_a_busy_worker_is_reported(void **state)
{
    (void)state;
    for (int is_stuck = 0; is_stuck < 2; is_stuck++) {
        unsigned action = is_stuck ? SCRIPT_STUCK : SCRIPT_HANG;
        heard heard = {0};
        djp_options options = helper_options();
        options.log_level = DJP_LOG_WARN;
        options.export_timeout_ns = 600 * SECOND;
        script_transport *transport = script_new(always, &action);
        transport->held = 1;
        djp_sdk *sdk = NULL;
        assert_int_equal(
            djp__sdk_new_with_transport(&sdk, &options, NULL, hear, &heard, &transport->base), 0);
        helper_spans(sdk, "stays", 450);
        while (transport->attempts == 0) {
            helper_sleep(MS);
        }
        assert_int_equal(djp_sdk_shutdown(sdk, is_stuck ? 100 * MS : PATIENCE / 50), DJP_ETIMEOUT);
        assert_int_equal(heard.busy, is_stuck);
        const char *said = "450 spans are not delivered to script yet";
        assert_true(!is_stuck || strncmp(heard.message, said, strlen(said)) == 0);
        transport->held = 0;
        json *status = helper_status_at_rest(sdk);
        assert_true(helper_unaccounted(status) == 0);
        json_free(status);
        assert_int_equal(heard.busy, is_stuck);
        djp_sdk_free(sdk);
        script_fini(transport);
    }
}

static void
test_free_while_the_worker_is_stuck(void **state)
{
    (void)state;
    unsigned action = SCRIPT_STUCK;
    djp_options options = helper_options();
    script_transport *transport = script_new(always, &action);
    transport->held = 1;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "stuck");
    while (transport->attempts == 0) {
        helper_sleep(MS);
    }
    djp_sdk_free(sdk); /* comes back, although nothing ends the send */
    assert_int_equal(transport->freed, 0);
    transport->held = 0;
    script_fini(transport);
}

static void
test_free_without_shutdown_or_spans(void **state)
{
    (void)state;
    djp_options options = helper_options();
    for (int i = 0; i < 100; i++) {
        djp_sdk *sdk = helper_sdk(&options, NULL);
        if (i % 2) {
            helper_spans(sdk, "x", 10);
        }
        djp_sdk_free(sdk);
    }
}

/* A handle outlives its SDK: nothing is touched that is gone. */
static void
test_span_outlives_the_sdk(void **state)
{
    (void)state;
    djp_options options = helper_options();
    djp_sdk *sdk = helper_sdk(&options, NULL);
    djp_span *span = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("open"), NULL);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    djp_sdk_free(sdk);
    djp_span_set_string(span, djp_key_intern(DJP_TEXT("k")), DJP_TEXT("v"));
    djp_span_end(span, 0);
    djp_span_release(span);
}

static _Atomic int recording_stops;

static void *
record_until_stopped(void *argument)
{
    while (!recording_stops) {
        helper_spans(argument, "running", 50);
    }
    return NULL;
}

/* Threads go on recording while the SDK is shut down. */
static void
test_shutdown_under_load(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        djp_options options = helper_options();
        script_transport *transport = script_new(NULL, NULL);
        djp_sdk *sdk = helper_sdk(&options, transport);
        pthread_t threads[3];
        recording_stops = 0;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, record_until_stopped, sdk), 0);
        }
        helper_sleep(30 * MS);
        uint64_t start = djp__clock_monotonic();
        djp_sdk_shutdown(sdk, SECOND);
        assert_true(djp__clock_monotonic() - start < PATIENCE);
        recording_stops = 1;
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        json *status = helper_status_at_rest(sdk);
        assert_true(helper_unaccounted(status) == 0);
        assert_true((double)script_spans(transport, NULL) ==
                    helper_number(status, "spans", "exported"));
        json_free(status);
        djp_sdk_free(sdk);
        script_fini(transport);
    }
}

/* While another process is at the budget file, spending waits; the end writes it. */
static void
test_what_was_spent_is_written_beside_others(void **state)
{
    (void)state;
    char folder[] = "/tmp/djp-budget-XXXXXX", path[64], lock[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(lock, sizeof lock, "%s.lock", path);
    djp_options options = helper_options();
    options.price_per_million_spans = 1e6;
    options.budget_file = path;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "costs", 20);
    FILE *holder = fopen(lock, "w");
    assert_int_equal(flock(fileno(holder), LOCK_EX), 0);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_true(helper_budget_spent(path) < 1);
    fclose(holder);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    double spent = helper_budget_spent(path);
    unlink(path);
    unlink(lock);
    rmdir(folder);
    djp_sdk_free(sdk);
    script_fini(transport);
    assert_true(spent > 19.9 && spent < 20.1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_sent),
        cmocka_unit_test(test_hanging_receiver),
        cmocka_unit_test(test_receiver_that_does_not_listen),
        cmocka_unit_test(test_a_busy_worker_is_reported),
        cmocka_unit_test(test_free_while_the_worker_is_stuck),
        cmocka_unit_test(test_free_without_shutdown_or_spans),
        cmocka_unit_test(test_span_outlives_the_sdk),
        cmocka_unit_test(test_shutdown_under_load),
        cmocka_unit_test(test_what_was_spent_is_written_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
