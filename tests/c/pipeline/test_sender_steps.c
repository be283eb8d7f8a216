/* The sender, step by step: which request leaves when, and what each end of an attempt means. */
#include "pipeline/by_hand.h"

static void
hand_step(hand *self)
{
    self->pipeline.send_task.run(&self->pipeline, djp__clock_monotonic());
}

static uint64_t
hand_send_due(hand *self, uint64_t now)
{
    return self->pipeline.send_task.next_due(&self->pipeline, now);
}

/* Requests of one event each. */
static void
hand_fill(hand *self, unsigned requests)
{
    for (unsigned i = 0; i < requests; i++) {
        hand_add(self, "event", 1);
        djp__store_release(&self->pipeline.flush_target, djp__ring_written(self->events.ring));
        hand_batch(self, 1);
    }
    djp__store_release(&self->pipeline.flush_target, (uint64_t)0);
    assert_int_equal(hand_queued(self), requests);
}

static void
what_is_accepted_is_exported(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    assert_int_equal(hand_send_due(&hand, 1), UINT64_MAX);
    hand_fill(&hand, 2);
    hand.results[0].wire_bytes = 77;
    assert_int_equal(hand_send_due(&hand, 1), 1);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 1);
    assert_true(hand.pipeline.delivery.completed < djp__ring_written(hand.events.ring));
    hand_step(&hand);
    assert_int_equal(hand.pipeline.stats.items_exported, 2);
    assert_int_equal(hand.pipeline.stats.wire_bytes, 2 * 77);
    assert_int_equal(hand.pipeline.stats.requests_ok, 2);
    assert_int_equal(hand.pipeline.delivery.completed, djp__ring_written(hand.events.ring));
    assert_int_equal(hand.sent_calls, 2);
    assert_string_equal(hand.sent_error, "");
    assert_int_equal(hand.worker.state, DJP__WORKER_WORKING);
    hand_end(&hand);
}

static void
a_partial_success_counts_both(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_add(&hand, "event", 10);
    hand_batch(&hand, 1);
    hand.results[0].rejected = 4;
    hand_step(&hand);
    assert_int_equal(hand.pipeline.stats.items_exported, 6);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_REJECTED), 4);
    hand_add(&hand, "event", 10);
    hand_batch(&hand, 1);
    hand.results[0].rejected = 4000; /* a receiver that cannot count */
    hand_step(&hand);
    assert_int_equal(hand.pipeline.stats.items_exported, 6);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_REJECTED), 14);
    hand_end(&hand);
}

static void
what_is_refused_is_lost(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_fill(&hand, 1);
    hand.results[0].outcome = DJP__SEND_REJECTED;
    hand_step(&hand);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_REJECTED), 1);
    assert_int_equal(hand.pipeline.delivery.rejected, 1);
    assert_string_equal(hand.sent_error, "rejected");
    assert_int_equal(hand_queued(&hand), 0);
    hand_end(&hand);
}

/* One receiver, one back-off: after a failure everything waits, and a flush cuts it short for one
 * try. */
static void
after_a_failure_everything_waits(void **state)
{
    (void)state;
    hand hand;
    char error[256];
    uint64_t when;
    hand_init(&hand);
    hand_fill(&hand, 3);
    hand.results[0].outcome = DJP__SEND_RETRY;
    strcpy(hand.results[0].message, "busy");
    hand_step(&hand);
    uint64_t now = djp__clock_monotonic();
    hand.pipeline.sender.wait_until = now + 3600 * SECOND;
    assert_int_equal(hand_send_due(&hand, now), now + 3600 * SECOND);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 1);
    djp__sender_error(&hand.pipeline, error, &when);
    assert_string_equal(error, "busy");
    assert_true(when > 0);
    djp__add_acq_rel(&hand.pipeline.flush_requests, 1u);
    assert_int_equal(hand_send_due(&hand, now), now);
    hand_step(&hand);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 2);
    assert_int_equal(hand.pipeline.stats.retries, 0); /* another request than the first */
    /* It is back: nothing waits any longer. */
    hand.results[0].outcome = DJP__SENT;
    djp__add_acq_rel(&hand.pipeline.flush_requests, 1u);
    hand_step(&hand);
    assert_int_equal(hand.pipeline.sender.wait_until, 0);
    assert_int_equal(hand.pipeline.stats.consecutive_failures, 0);
    hand_step(&hand);
    hand_step(&hand);
    assert_int_equal(hand.pipeline.stats.items_exported, 3);
    assert_int_equal(hand.pipeline.stats.retries, 2);
    hand_end(&hand);
}

/* A wait that the receiver requested ends early for the end of the process alone. */
static void
a_requested_wait_is_kept(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_fill(&hand, 1);
    hand.results[0].outcome = DJP__SEND_RETRY;
    hand.results[0].retry_after_ns = 3600 * SECOND;
    hand_step(&hand);
    assert_int_equal(hand.pipeline.sender.is_requested, 1);
    assert_true(hand.pipeline.sender.wait_until > djp__clock_monotonic() + 3000 * SECOND);
    djp__add_acq_rel(&hand.pipeline.flush_requests, 1u);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 1);
    hand.worker.phase = DJP__PHASE_CLOSING;
    djp__add_acq_rel(&hand.pipeline.flush_requests, 1u);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 2);
    hand_end(&hand);
}

/* A request that fails again and again while others arrive is given up. */
static void
a_hopeless_request_is_given_up(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_fill(&hand, 1);
    for (unsigned i = 0; i < 11; i++) {
        assert_int_equal(hand_queued(&hand), 1);
        hand.results[0].outcome = DJP__SEND_RETRY;
        hand.pipeline.sender.wait_until = 0;
        hand_step(&hand);
        hand.pipeline.sender.accepted++;
    }
    assert_int_equal(hand_queued(&hand), 0);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_EXPORT_FAILED), 1);
    assert_string_equal(hand.sent_error, "export_failed");
    hand_end(&hand);
}

static void
nothing_leaves_when_it_must_stop(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_fill(&hand, 2);
    djp__store_release(&hand.worker.stop, 1);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 0);
    djp__store_release(&hand.worker.stop, 0);
    djp__store_release(&hand.events.is_muted, 1);
    hand_step(&hand);
    assert_int_equal(hand.attempts, 0);
    djp__store_release(&hand.events.is_muted, 0);
    /* The process ends, and what was recorded before the signal has been sent. */
    hand.worker.end_deadline = UINT64_MAX;
    hand.pipeline.last = 0;
    hand_step(&hand);
    assert_int_equal(hand.attempts, 0);
    hand.pipeline.last = 1;
    hand_step(&hand);
    assert_int_equal(hand.attempts, 1);
    hand_end(&hand);
}

/* Given up on the way before its time: it waits for another attempt. */
static void
an_aborted_request_waits(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_fill(&hand, 1);
    hand.results[0].outcome = DJP__SEND_ABORTED;
    hand_step(&hand);
    assert_int_equal(hand.polls, DJP__SEND_GO_ON);
    assert_int_equal(hand_queued(&hand), 1); /* aborted before its time: it waits for the end */
    assert_int_equal(hand.pipeline.queue.head->state, DJP__REQUEST_WAITING);
    hand_end(&hand);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted_is_exported),
        cmocka_unit_test(a_partial_success_counts_both),
        cmocka_unit_test(what_is_refused_is_lost),
        cmocka_unit_test(after_a_failure_everything_waits),
        cmocka_unit_test(a_requested_wait_is_kept),
        cmocka_unit_test(a_hopeless_request_is_given_up),
        cmocka_unit_test(nothing_leaves_when_it_must_stop),
        cmocka_unit_test(an_aborted_request_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
