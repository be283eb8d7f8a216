/* The worker: batches, waiting, outages, and that nothing is lost without being counted. */
#include "pipeline/helper.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static void
finish(djp_sdk *sdk, script_transport *transport)
{
    djp_sdk_free(sdk);
    assert_int_equal(transport->overlaps, 0);
    script_fini(transport); /* waits for a worker that could not end within the time of its end */
}

static void
test_batches_are_cut_by_spans(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.max_batch_spans = 100;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "cut", 1050);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    size_t requests = 0;
    for (size_t at = 0; at < transport->stored_size; requests++) {
        uint32_t size;
        memcpy(&size, transport->stored + at, 4);
        assert_true(helper_count(transport->stored + at, size + 4, NULL) <= 100);
        at += 4 + size;
    }
    assert_true(requests >= 11);
    assert_int_equal(script_spans(transport, NULL), 1050);
    finish(sdk, transport);
}

static void
test_batches_are_cut_by_bytes(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.ring_bytes = 256 << 10;
    options.max_batch_spans = 1 << 20;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    char name[1001];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    helper_spans(sdk, name, 180);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    for (size_t at = 0; at < transport->stored_size;) {
        uint32_t size;
        memcpy(&size, transport->stored + at, 4);
        assert_true(size <= (64 << 10) + 4096);
        at += 4 + size;
    }
    assert_int_equal(script_spans(transport, NULL), 180);
    finish(sdk, transport);
}

static unsigned
held_first(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_HELD : SCRIPT_ACCEPT;
}

/* Until less than half of the ring is in use. */
static void
wait_for_room(djp_sdk *sdk)
{
    djp_ring *ring = djp__recorder_ring(djp_sdk_recorder(sdk));
    for (uint64_t end = djp__clock_monotonic() + PATIENCE; djp__ring_used(ring) > 32 << 10;
         helper_sleep(MS)) {
        assert_true(djp__clock_monotonic() < end);
    }
}

static void
test_recording_does_not_stall_behind_a_send(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.ring_bytes = 64 << 10;
    options.max_batch_spans = 64;
    options.export_timeout_ns = 600 * SECOND;
    script_transport *transport = script_new(held_first, NULL);
    transport->held = 1;
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "first");
    while (transport->attempts == 0) {
        helper_sleep(MS);
    }
    /* Half again as much as the ring holds, in steps that the poll callback can follow. */
    for (int i = 0; i < 12; i++) {
        helper_spans(sdk, "more", 32);
        wait_for_room(sdk);
    }
    assert_int_equal(transport->attempts, 1);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "dropped", "ring_full") == 0);
    assert_true(helper_number(status, "queue", "spans") > 100);
    json_free(status);
    transport->held = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 1 + 12 * 32);
    finish(sdk, transport);
}

static unsigned
always_retry(void *user, unsigned attempt)
{
    (void)attempt;
    return *(_Atomic int *)user ? SCRIPT_RETRY : SCRIPT_ACCEPT;
}

static void
test_outage_is_bounded_and_ends(void **state)
{
    (void)state;
    _Atomic int out = 1;
    djp_options options = helper_options();
    options.ring_bytes = 64 << 10;
    options.max_batch_spans = 50;
    options.export_timeout_ns = 200 * MS;
    script_transport *transport = script_new(always_retry, (void *)&out);
    transport->retry_after_ns = 5 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    json *status = NULL;
    uint64_t end = djp__clock_monotonic() + PATIENCE;
    for (int i = 0; i < 80 || (helper_number(status, "dropped", "queue_full") == 0 &&
                               djp__clock_monotonic() < end);
         i++) {
        json_free(status);
        helper_spans(sdk, "old", 60);
        helper_sleep(10 * MS);
        status = helper_status(sdk);
        assert_true(helper_number(status, "queue", "bytes") <= (64 << 10));
    }
    assert_true(helper_number(status, "dropped", "export_failed") == 0);
    assert_true(helper_number(status, "dropped", "queue_full") > 0);
    assert_true(helper_number(status, "export", "consecutive_failures") > 0);
    assert_string_equal(json_string(json_get(json_get(status, "export"), "last_error"), ""),
                        "as the script says");
    json_free(status);
    out = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO);
    helper_spans(sdk, "new", 20);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "new"), 20);
    /* The newest of the outage were kept in place of the oldest. */
    assert_true(script_spans(transport, "old") > 100);
    status = helper_status(sdk);
    assert_true(helper_unaccounted(status) == 0);
    assert_true(helper_number(status, "export", "consecutive_failures") == 0);
    json_free(status);
    finish(sdk, transport);
}

/* Until that many spans are in requests. */
static void
wait_for_queue(djp_sdk *sdk, double least)
{
    double spans = 0;
    for (uint64_t end = djp__clock_monotonic() + PATIENCE; spans < least; helper_sleep(MS)) {
        assert_true(djp__clock_monotonic() < end);
        json *status = helper_status(sdk);
        spans = helper_number(status, "queue", "spans");
        json_free(status);
    }
}

/* As long as there is room nothing is given up, however long the receiver is silent. */
static void
test_an_outage_loses_nothing_while_there_is_room(void **state)
{
    (void)state;
    _Atomic int out = 1;
    djp_options options = helper_options();
    options.max_batch_spans = 10;
    options.export_timeout_ns = 50 * MS;
    script_transport *transport = script_new(always_retry, (void *)&out);
    transport->retry_after_ns = 20 * MS;
    djp_sdk *sdk = helper_sdk(&options, transport);
    for (int i = 0; i < 40; i++) {
        helper_spans(sdk, "kept", 10);
        helper_sleep(10 * MS);
    }
    wait_for_queue(sdk, 400);
    for (uint64_t end = djp__clock_monotonic() + PATIENCE; transport->attempts <= 3;
         helper_sleep(MS)) {
        assert_true(djp__clock_monotonic() < end);
    }
    json *status = NULL;
    out = 0;
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "kept"), 400);
    status = helper_status(sdk);
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
    finish(sdk, transport);
}

/* What the receiver asks for holds for everything that waits, also for longer than one export may
 * take. */
static void
test_the_receivers_pause_holds_every_batch(void **state)
{
    (void)state;
    _Atomic int out = 1;
    djp_options options = helper_options();
    options.max_batch_spans = 5;
    options.export_timeout_ns = 50 * MS;
    script_transport *transport = script_new(always_retry, (void *)&out);
    transport->retry_after_ns = 3600 * SECOND;
    djp_sdk *sdk = helper_sdk(&options, transport);
    for (int i = 0; i < 20; i++) {
        helper_spans(sdk, "held", 5);
        helper_sleep(20 * MS);
    }
    wait_for_queue(sdk, 100);
    for (uint64_t end = djp__clock_monotonic() + PATIENCE; transport->attempts == 0;
         helper_sleep(MS)) {
        assert_true(djp__clock_monotonic() < end);
    }
    assert_int_equal(transport->attempts, 1);
    assert_int_equal(djp_sdk_flush(sdk, 100 * MS), DJP_ETIMEOUT);
    assert_int_equal(transport->attempts, 1);
    out = 0;
    /* the end tries once more, come what may */
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, "held"), 100);
    finish(sdk, transport);
}

/* One request that always fails while others arrive is the request's own fault: it does not live
 * for ever. */
static void
test_a_request_that_fails_while_others_arrive_is_given_up(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    transport->refuses = "poison";
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "poison");
    djp_sdk_flush(sdk, 100 * MS);
    json *status = helper_status(sdk);
    for (uint64_t end = djp__clock_monotonic() + 2 * PATIENCE;
         helper_number(status, "dropped", "export_failed") == 0 && djp__clock_monotonic() < end;) {
        helper_span(sdk, "good");
        djp_sdk_flush(sdk, 200 * MS);
        json_free(status);
        status = helper_status(sdk);
    }
    assert_true(helper_number(status, "dropped", "export_failed") == 1);
    assert_true(helper_unaccounted(status) == 0);
    assert_int_equal(script_spans(transport, "poison"), 0);
    assert_true(script_spans(transport, "good") >= 9);
    json_free(status);
    finish(sdk, transport);
}

static unsigned
always_hang(void *user, unsigned attempt)
{
    return attempt < *(unsigned *)user ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

static void
test_a_receiver_that_hung_gets_the_request_again(void **state)
{
    (void)state;
    unsigned hangs = 2;
    djp_options options = helper_options();
    options.export_timeout_ns = 100 * MS;
    script_transport *transport = script_new(always_hang, &hangs);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "kept", 3);
    helper_sleep(60 * MS);
    helper_spans(sdk, "kept", 4);
    helper_sleep(60 * MS);
    helper_spans(sdk, "kept", 5);
    assert_int_equal(helper_wait_spans(transport, 12, PATIENCE), 12);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "dropped", "timeout") == 0);
    json_free(status);
    finish(sdk, transport);
}

/* ... but it may have taken the spans each time, so there is an end to it. */
static void
test_a_request_that_is_never_answered_is_given_up(void **state)
{
    (void)state;
    unsigned hangs = 5;
    djp_options options = helper_options();
    options.export_timeout_ns = 20 * MS;
    options.flush_interval_ns = 600 * SECOND; /* one request */
    script_transport *transport = script_new(always_hang, &hangs);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_spans(sdk, "lost", 3);
    json *status = helper_status(sdk);
    for (uint64_t end = djp__clock_monotonic() + 2 * PATIENCE;
         helper_number(status, "dropped", "timeout") == 0 && djp__clock_monotonic() < end;) {
        djp_sdk_flush(sdk, 100 * MS);
        json_free(status);
        status = helper_status(sdk);
    }
    assert_true(helper_number(status, "dropped", "timeout") == 3);
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
    helper_spans(sdk, "new", 4);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(script_spans(transport, NULL), 4);
    finish(sdk, transport);
}

/* Silence is reported while it lasts, not only when the time of an attempt is over. */
static void
test_the_status_tells_of_a_silent_receiver(void **state)
{
    (void)state;
    unsigned hangs = 1000;
    djp_options options = helper_options();
    options.export_timeout_ns = 600 * SECOND;
    script_transport *transport = script_new(always_hang, &hangs);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "waiting");
    int is_told = 0;
    for (uint64_t end = djp__clock_monotonic() + PATIENCE; !is_told; helper_sleep(10 * MS)) {
        assert_true(djp__clock_monotonic() < end);
        assert_int_equal(djp_sdk_flush(sdk, 0), DJP_ETIMEOUT);
        json *status = helper_status(sdk);
        const char *error = json_string(json_get(json_get(status, "export"), "last_error"), "");
        is_told = strstr(error, "no response for") != NULL;
        json_free(status);
    }
    djp_sdk_shutdown(sdk, 100 * MS);
    finish(sdk, transport);
}

static void
test_refused_and_too_large(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.max_request_bytes = 2000;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    static char name[4001];
    memset(name, 'x', sizeof name - 1);
    helper_span(sdk, name);
    helper_span(sdk, "small");
    int code = djp_sdk_flush(sdk, PATIENCE);
    json *status = helper_status(sdk);
    assert_int_equal(code, DJP_EIO);
    assert_true(helper_number(status, "dropped", "too_large") == 1);
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
    assert_int_equal(script_spans(transport, "small"), 1);
    finish(sdk, transport);
}

static void
test_damaged_records_are_counted(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    djp_ring *ring = djp__recorder_ring(djp_sdk_recorder(sdk));
    for (int fill = 0; fill < 256; fill += 51) {
        void *bytes = djp__ring_reserve(ring, 400);
        assert_non_null(bytes);
        memset(bytes, fill, 400);
        djp__ring_commit(ring, bytes);
    }
    helper_span(sdk, "whole");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO);
    json *status = helper_status_unchecked(sdk);
    assert_true(helper_number(status, "dropped", "damaged") == 6);
    json_free(status);
    assert_int_equal(script_spans(transport, NULL), 1);
    finish(sdk, transport);
}

/* Voluntary context switches of the thread called "djp-telemetry". */
static long
worker_switches(void)
{
    DIR *tasks = opendir("/proc/self/task");
    long switches = -1;
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        char path[300], line[200];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "r");
        int ours = 0;
        while (file != NULL && fgets(line, sizeof line, file)) {
            ours = ours || strcmp(line, "Name:\tdjp-telemetry\n") == 0;
            long value;
            if (ours && sscanf(line, "voluntary_ctxt_switches: %ld", &value) == 1) {
                switches = value;
            }
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    closedir(tasks);
    return switches;
}

static void
test_an_idle_process_does_not_wake(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.flush_interval_ns = 10 * MS;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "first");
    assert_int_equal(helper_wait_spans(transport, 1, PATIENCE), 1);
    long before = -1, after = 0;
    for (int i = 0; i < 20 && before != after; i++) { /* it may not sleep yet */
        helper_sleep(100 * MS);
        before = worker_switches();
        assert_true(before > 0);
        helper_sleep(300 * MS);
        after = worker_switches();
    }
    assert_int_equal(after, before);
    /* ... and the next span wakes it again. */
    helper_span(sdk, "second");
    assert_int_equal(helper_wait_spans(transport, 2, PATIENCE), 2);
    finish(sdk, transport);
}

/* A span a millisecond, never more than one interval old when it is sent. */
static void
test_steady_trickle(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    uint64_t begun = djp__clock_monotonic();
    unsigned spans = 0;
    while (spans < 200 || (transport->attempts < 5 && spans < 20000)) {
        helper_span(sdk, "drop");
        helper_sleep(MS);
        spans++;
    }
    assert_int_equal(helper_wait_spans(transport, spans, PATIENCE), spans);
    /* 200 ms and more at one request each 20 ms: far fewer requests than spans. */
    assert_true(transport->attempts < 10 + (djp__clock_monotonic() - begun) / (20 * MS));
    assert_true(transport->attempts >= 5);
    finish(sdk, transport);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_are_cut_by_spans),
        cmocka_unit_test(test_batches_are_cut_by_bytes),
        cmocka_unit_test(test_recording_does_not_stall_behind_a_send),
        cmocka_unit_test(test_outage_is_bounded_and_ends),
        cmocka_unit_test(test_an_outage_loses_nothing_while_there_is_room),
        cmocka_unit_test(test_the_receivers_pause_holds_every_batch),
        cmocka_unit_test(test_a_request_that_fails_while_others_arrive_is_given_up),
        cmocka_unit_test(test_a_receiver_that_hung_gets_the_request_again),
        cmocka_unit_test(test_a_request_that_is_never_answered_is_given_up),
        cmocka_unit_test(test_the_status_tells_of_a_silent_receiver),
        cmocka_unit_test(test_refused_and_too_large),
        cmocka_unit_test(test_damaged_records_are_counted),
        cmocka_unit_test(test_an_idle_process_does_not_wake),
        cmocka_unit_test(test_steady_trickle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
