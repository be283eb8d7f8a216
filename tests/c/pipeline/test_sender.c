/* The sender with the clock, chance and the receiver in the test's hand: who leaves when, what each
 * outcome means for a request and for those behind it, and what is counted and said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/rand.h"

static uint64_t mono_ns, unix_ns;
#define djp__clock_monotonic() mono_ns
#define djp__clock_realtime() unix_ns
#define djp__rand64() UINT64_MAX /* the whole back-off */
#include "pipeline/sender.c"
#undef djp__clock_monotonic
#undef djp__clock_realtime
#undef djp__rand64

#define SECOND 1000000000ull
#define MS 1000000ull

/* ---- a signal and a receiver of the test ---- */

static uint64_t written, consumed, refused;
static int muted;

static uint64_t
fake_written(const void *source)
{
    (void)source;
    return written;
}

static uint64_t
fake_consumed(const void *source)
{
    (void)source;
    return consumed;
}

static uint64_t
fake_capacity(const void *source)
{
    (void)source;
    return 1 << 20;
}

static const void *
fake_peek(const void *source, size_t *size)
{
    (void)source;
    *size = 0;
    return NULL;
}

static uint64_t
fake_refused(const void *source)
{
    (void)source;
    return refused;
}

static int
fake_is_muted(const void *source)
{
    (void)source;
    return muted;
}

static const djp__drain fake_drain = {.written = fake_written,
                                      .consumed = fake_consumed,
                                      .capacity = fake_capacity,
                                      .peek = fake_peek,
                                      .refused = fake_refused,
                                      .is_muted = fake_is_muted};

static uint64_t
fake_items(const void *encoder)
{
    (void)encoder;
    return 0;
}

static void
fake_free(void *encoder)
{
    (void)encoder;
}

static const djp__encode fake_encode = {
    .items = fake_items, .bytes = fake_items, .free = fake_free};
static const djp__signal signal_row = {
    .name = "things", .item_name = "things", .drain = &fake_drain, .encode = &fake_encode};

static djp__send_result answer;
static uint64_t takes_ns, deadline_given;
static unsigned sends;

static void
fake_send(djp__transport *transport, const void *body, size_t size,
          const djp__send_control *control, djp__send_result *result)
{
    (void)transport;
    (void)body;
    (void)size;
    sends++;
    deadline_given = control->deadline;
    mono_ns += takes_ns;
    *result = answer;
}

static void
fake_transport_free(djp__transport *transport)
{
    (void)transport;
}

static djp__transport_ops operations = {
    .name = "fake", .send = fake_send, .free = fake_transport_free};
static djp__transport transport = {&operations};

static djp__worker worker;
static djp__pipeline pipeline;
static djp__diagnostics diag;
static char last[1024], outcome[64];
static int warnings, reports;

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
note_sent(void *user, const djp__request *request, const char *error)
{
    (void)user;
    (void)request;
    reports++;
    snprintf(outcome, sizeof outcome, "%s", error);
}

static int
set_up(void **state)
{
    (void)state;
    mono_ns = 1000 * SECOND;
    unix_ns = 5000 * SECOND;
    written = consumed = refused = 0;
    muted = warnings = reports = 0;
    sends = 0;
    takes_ns = MS;
    memset(&answer, 0, sizeof answer);
    operations.is_patient = 0;
    djp__worker_init(&worker);
    djp__store_release(&worker.state, DJP__WORKER_WORKING);
    if (djp__diag_init(&diag, DJP_LOG_DEBUG, note, NULL) != 0) {
        return 1;
    }
    djp__pipeline_options options = {.queue_bytes = 1 << 20,
                                     .batch_bytes = 1 << 16,
                                     .batch_items = 100,
                                     .max_request_bytes = 1 << 20,
                                     .flush_interval_ns = SECOND,
                                     .export_timeout_ns = 10 * SECOND,
                                     .target = "http://receiver/",
                                     .on_sent = note_sent};
    djp__pipeline_init(&pipeline, &signal_row, &pipeline, &transport, &worker, &diag, &options);
    djp__queue_init(&pipeline.queue, 1 << 20);
    pipeline.is_adopted = 1;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__pipeline_fini(&pipeline);
    djp__worker_fini(&worker);
    djp__diag_fini(&diag);
    return 0;
}

static djp__request *
push(uint64_t items, uint64_t end)
{
    djp__request *request = djp__queue_take(&pipeline.queue);
    assert_non_null(request);
    djp__buf_text(&request->body, "body");
    request->items = items;
    request->end = end;
    written = consumed = end;
    djp__queue_push(&pipeline.queue, request);
    return request;
}

static void
run(djp__outcome how)
{
    answer.outcome = how;
    djp__sender_run(&pipeline, mono_ns);
}

static uint64_t
lost(djp__loss reason)
{
    return djp__load_relaxed(&pipeline.stats.lost[reason]);
}

/* ---- success ---- */

static void
what_arrives_is_counted(void **state)
{
    (void)state;
    push(5, 100);
    assert_true(djp__sender_next_due(&pipeline, mono_ns) <= mono_ns);
    takes_ns = 70 * MS;
    answer.wire_bytes = 33;
    run(DJP__SENT);
    assert_int_equal(sends, 1);
    assert_true(deadline_given == 1010 * SECOND);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.items_exported), 5);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.requests_ok), 1);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.attempts), 1);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.retries), 0);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.wire_bytes), 33);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.last_latency_ns), 70 * MS);
    assert_true(djp__load_relaxed(&pipeline.stats.last_success_unix_ns) == unix_ns);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.attempt_begun), 0);
    assert_int_equal(pipeline.delivery.completed, 100);
    assert_int_equal(reports, 1);
    assert_string_equal(outcome, "");
    assert_true(djp__sender_next_due(&pipeline, mono_ns) == UINT64_MAX);
    run(DJP__SENT); /* nothing waits */
    assert_int_equal(sends, 1);
}

static void
what_the_receiver_turned_down_is_lost(void **state)
{
    (void)state;
    push(5, 100);
    answer.rejected = 2;
    strcpy(answer.message, "two are bad");
    run(DJP__SENT);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.items_exported), 3);
    assert_int_equal(lost(DJP__LOSS_REJECTED), 2);
    assert_int_equal(warnings, 1);
    assert_non_null(
        strstr(last, "2 things were not delivered to http://receiver/ (rejected): two are bad."));
    push(5, 200);
    answer.rejected = 9; /* more than there were */
    run(DJP__SENT);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.items_exported), 3);
    assert_int_equal(lost(DJP__LOSS_REJECTED), 7);
    assert_int_equal(warnings, 1); /* one a minute */
    mono_ns += 60 * SECOND;
    push(5, 300);
    run(DJP__SEND_REJECTED);
    assert_int_equal(lost(DJP__LOSS_REJECTED), 12);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.requests_failed), 1);
    assert_int_equal(pipeline.delivery.completed, 300);
    assert_string_equal(outcome, "rejected");
}

/* ---- failure ---- */

/* 1, 2, 4 ... 30 seconds, in which nothing leaves; a success is the end of it. */
static void
failures_back_off(void **state)
{
    static const uint64_t pauses[] = {1, 2, 4, 8, 16, 30, 30};
    (void)state;
    push(1, 100);
    takes_ns = 0;
    for (size_t i = 0; i < 7; i++) {
        run(DJP__SEND_RETRY);
        assert_int_equal(sends, i + 1);
        uint64_t until = pipeline.sender.wait_until;
        assert_true(until > mono_ns + pauses[i] * SECOND - 10000 &&
                    until <= mono_ns + pauses[i] * SECOND);
        assert_true(djp__sender_next_due(&pipeline, mono_ns) == until);
        mono_ns = until - 1;
        run(DJP__SEND_RETRY);
        assert_int_equal(sends, i + 1);
        mono_ns = until;
        assert_true(djp__sender_next_due(&pipeline, mono_ns) <= mono_ns);
    }
    assert_int_equal(djp__load_relaxed(&pipeline.stats.consecutive_failures), 7);
    run(DJP__SENT);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.retries), 7);
    assert_int_equal(djp__load_relaxed(&pipeline.stats.consecutive_failures), 0);
    assert_true(pipeline.sender.wait_until == 0 && pipeline.sender.failing_since == 0);
    push(1, 200);
    run(DJP__SEND_RETRY); /* from the beginning again */
    assert_true(pipeline.sender.wait_until <= mono_ns + SECOND);
}

static void
the_wish_of_the_receiver_is_kept(void **state)
{
    (void)state;
    push(1, 100);
    takes_ns = 0;
    answer.retry_after_ns = 50 * SECOND;
    run(DJP__SEND_RETRY);
    uint64_t until = pipeline.sender.wait_until;
    assert_true(until >= mono_ns + 50 * SECOND && until <= mono_ns + 55 * SECOND);
    djp__add_acq_rel(&pipeline.flush_requests, 1u); /* a flush does not shorten it ... */
    run(DJP__SENT);
    assert_int_equal(sends, 1);
    worker.end_deadline = mono_ns + SECOND; /* ... the end of the process does, once */
    pipeline.last = 100;
    djp__add_acq_rel(&pipeline.flush_requests, 1u);
    run(DJP__SEND_RETRY);
    assert_int_equal(sends, 2);
    run(DJP__SEND_RETRY);
    assert_int_equal(sends, 2);
}

static void
a_flush_cuts_one_back_off_short(void **state)
{
    (void)state;
    push(1, 100);
    takes_ns = 0;
    run(DJP__SEND_RETRY);
    assert_int_equal(sends, 1);
    djp__add_acq_rel(&pipeline.flush_requests, 1u);
    assert_true(djp__sender_next_due(&pipeline, mono_ns) <= mono_ns);
    run(DJP__SEND_RETRY);
    assert_int_equal(sends, 2);
    run(DJP__SEND_RETRY);
    assert_int_equal(sends, 2); /* each flush one */
    assert_true(djp__sender_next_due(&pipeline, mono_ns) > mono_ns);
}

/* A request that fails while others arrive is given up at its tenth such failure. */
static void
a_request_that_is_passed_over_is_given_up(void **state)
{
    (void)state;
    djp__request *bad = push(7, 100);
    takes_ns = 0;
    run(DJP__SEND_RETRY);
    for (int i = 1; i <= 10; i++) {
        assert_int_equal(bad->passed_over, i - 1);
        assert_int_equal(lost(DJP__LOSS_EXPORT_FAILED), 0);
        mono_ns += 40 * SECOND;
        push(1, 100 + (uint64_t)i);
        run(DJP__SENT); /* the new one has fewer attempts */
        mono_ns += SECOND;
        run(DJP__SEND_RETRY);
    }
    assert_int_equal(lost(DJP__LOSS_EXPORT_FAILED), 7);
    assert_string_equal(outcome, "export_failed");
    assert_int_equal(djp__load_relaxed(&pipeline.stats.items_exported), 10);
    assert_int_equal(djp__load_relaxed(&pipeline.queue.count), 0);
    assert_int_equal(pipeline.delivery.completed, 110);
    /* Failures without a success between them give nothing up. */
    bad = push(7, 200);
    for (int i = 0; i < 30; i++) {
        mono_ns += 40 * SECOND;
        run(DJP__SEND_RETRY);
    }
    assert_int_equal(bad->passed_over, 0);
    assert_int_equal(bad->attempts, 30);
    assert_int_equal(lost(DJP__LOSS_EXPORT_FAILED), 7);
}

/* No response in time: tried again, and lost at the fifth time. */
static void
a_request_that_is_never_answered_is_given_up(void **state)
{
    (void)state;
    push(3, 100);
    takes_ns = 10 * SECOND;
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(lost(DJP__LOSS_TIMEOUT), 0);
        run(DJP__SEND_ABORTED);
        assert_int_equal(sends, i);
        assert_true(pipeline.sender.single_until == mono_ns + 60 * SECOND);
        mono_ns += 40 * SECOND;
    }
    assert_int_equal(lost(DJP__LOSS_TIMEOUT), 3);
    assert_string_equal(pipeline.delivery.error, "no response in time");
    assert_true(pipeline.delivery.error_unix_ns == unix_ns);
    /* Given up a moment before the time: it waits until the end, and nothing is learned. */
    push(3, 200);
    takes_ns = 10 * SECOND - 1;
    pipeline.sender.single_until = 0;
    run(DJP__SEND_ABORTED);
    assert_int_equal(djp__load_relaxed(&pipeline.queue.count), 1);
    assert_true(pipeline.sender.single_until == 0);
    assert_int_equal(pipeline.queue.head->timeouts, 0);
    /* A transport that waits for slow readers has no time limit. */
    operations.is_patient = 1;
    takes_ns = 1000 * SECOND;
    mono_ns += 100 * SECOND;
    run(DJP__SEND_ABORTED);
    assert_true(deadline_given == UINT64_MAX);
    assert_int_equal(pipeline.queue.head->timeouts, 0);
}

static void
switched_off_means_lost(void **state)
{
    (void)state;
    djp__request *request = push(4, 100);
    request->sent_at = mono_ns;
    djp__queue_begin(&pipeline.queue, request);
    muted = 1;
    answer.outcome = DJP__SEND_ABORTED;
    sender_judge(&pipeline, request, &answer);
    assert_int_equal(lost(DJP__LOSS_SWITCHED_OFF), 4);
    push(4, 200);
    run(DJP__SENT);
    assert_int_equal(sends, 0); /* nothing leaves any more */
}

static void
an_outage_is_said_once_it_lasts(void **state)
{
    (void)state;
    push(6, 100);
    takes_ns = 0;
    strcpy(answer.message, "down");
    run(DJP__SEND_RETRY);
    mono_ns += 10 * SECOND - 1;
    pipeline.sender.wait_until = 0;
    run(DJP__SEND_RETRY);
    assert_int_equal(warnings, 0);
    mono_ns += 1;
    pipeline.sender.wait_until = 0;
    run(DJP__SEND_RETRY);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(
        last, "Nothing could be delivered to http://receiver/ for 10 s: down. 6 things wait"));
    mono_ns += 40 * SECOND;
    run(DJP__SEND_RETRY);
    assert_int_equal(warnings, 1);
    /* a minute later, by the clock of messages */
    djp__store_relaxed(&pipeline.outage_warned, (uint64_t)0);
    mono_ns += 40 * SECOND;
    run(DJP__SEND_RETRY);
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(last, "for 90 s: down."));
}

/* ---- the end ---- */

static void
the_end_sends_what_was_there_and_no_more(void **state)
{
    (void)state;
    push(1, 100);
    push(1, 200);
    worker.end_deadline = mono_ns + SECOND;
    pipeline.last = 100;
    takes_ns = 0;
    run(DJP__SENT);
    assert_int_equal(sends, 1);
    assert_int_equal(pipeline.delivery.completed, 100);
    run(DJP__SENT);
    assert_int_equal(sends, 1); /* what came later stays */
    worker.end_deadline = 0;
    djp__store_release(&worker.stop, 1);
    run(DJP__SENT);
    assert_int_equal(sends, 1);
    djp__store_release(&worker.stop, 0);
    pipeline.is_adopted = 0; /* the parent's queue */
    run(DJP__SENT);
    assert_int_equal(sends, 1);
    assert_true(djp__sender_next_due(&pipeline, mono_ns) == UINT64_MAX);
}

/* ---- several on their way ---- */

static void
a_further_lane_must_be_worth_it(void **state)
{
    (void)state;
    djp__request *first = push(1, 100), *second = push(1, 200);
    assert_ptr_equal(sender_next(&pipeline), first);
    assert_null(sender_next(&pipeline)); /* one waits, and is not full */
    second->is_full = 1;
    pipeline.sender.single_until = mono_ns + 1;
    assert_null(sender_next(&pipeline)); /* one at a time for a while */
    mono_ns++;
    assert_ptr_equal(sender_next(&pipeline), second);
    djp__request *third = push(1, 300);
    assert_null(sender_next(&pipeline));
    push(1, 400); /* they pile up */
    assert_ptr_equal(sender_next(&pipeline), third);
    djp__store_release(&pipeline.flush_target, (uint64_t)400); /* a flush waits */
    assert_non_null(sender_next(&pipeline));
    assert_int_equal(pipeline.queue.sending, 4);
    assert_true(djp__load_relaxed(&pipeline.stats.attempt_begun) == mono_ns - 1); /* the oldest */
    assert_true(djp__sender_next_due(&pipeline, mono_ns) <= mono_ns);
}

/* Attempts that were on their way together fail together: one failure. A success among them is no
 * sign of life, one that began later is. */
static void
failures_together_are_one(void **state)
{
    (void)state;
    djp__request *requests[3];
    for (int i = 0; i < 3; i++) {
        requests[i] = push(1, (uint64_t)(i + 1) * 100);
        requests[i]->is_full = 1;
    }
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(sender_next(&pipeline), requests[i]);
    }
    mono_ns += MS;
    answer.outcome = DJP__SEND_RETRY;
    sender_judge(&pipeline, requests[0], &answer);
    uint64_t until = pipeline.sender.wait_until;
    assert_true(until <= mono_ns + SECOND && until > mono_ns);
    assert_true(pipeline.sender.failing_since == mono_ns - MS);
    sender_judge(&pipeline, requests[1], &answer);
    assert_true(pipeline.sender.wait_until == until);
    answer.outcome = DJP__SENT;
    sender_judge(&pipeline, requests[2], &answer);
    assert_true(pipeline.sender.wait_until == until && pipeline.sender.failing_since != 0);
    /* One probe at a time, then all. */
    mono_ns = until;
    djp__request *probe = sender_next(&pipeline);
    assert_ptr_equal(probe, requests[0]);
    assert_null(sender_next(&pipeline));
    mono_ns += MS;
    sender_judge(&pipeline, probe, &answer);
    assert_true(pipeline.sender.failing_since == 0);
    assert_ptr_equal(sender_next(&pipeline), requests[1]);
}

static void
what_is_wrong_for_people(void **state)
{
    char error[256];
    uint64_t when;
    (void)state;
    djp__sender_error(&pipeline, error, &when);
    assert_string_equal(error, "");
    djp__store_relaxed(&pipeline.stats.attempt_begun, mono_ns);
    mono_ns += 250 * MS - 1;
    djp__sender_error(&pipeline, error, &when);
    assert_string_equal(error, "");
    mono_ns += 1;
    djp__sender_error(&pipeline, error, &when);
    assert_string_equal(error, "http://receiver/: no response for 250 ms");
    assert_true(when == 0);
    djp__store_relaxed(&pipeline.stats.attempt_begun, (uint64_t)0);
    push(1, 100);
    strcpy(answer.message, "refused");
    run(DJP__SEND_RETRY);
    djp__sender_error(&pipeline, error, &when);
    assert_string_equal(error, "refused");
    assert_true(when == unix_ns);
    answer.message[0] = '\0';
    mono_ns += 10 * SECOND;
    run(DJP__SEND_RETRY);
    djp__sender_error(&pipeline, error, &when);
    assert_string_equal(error, "no further information");
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(what_arrives_is_counted),
        ONE(what_the_receiver_turned_down_is_lost),
        ONE(failures_back_off),
        ONE(the_wish_of_the_receiver_is_kept),
        ONE(a_flush_cuts_one_back_off_short),
        ONE(a_request_that_is_passed_over_is_given_up),
        ONE(a_request_that_is_never_answered_is_given_up),
        ONE(switched_off_means_lost),
        ONE(an_outage_is_said_once_it_lasts),
        ONE(the_end_sends_what_was_there_and_no_more),
        ONE(a_further_lane_must_be_worth_it),
        ONE(failures_together_are_one),
        ONE(what_is_wrong_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
