/* Batches: when they are closed, what waits, what is lost and how far everything is. */
#include "pipeline/by_hand.h"

static void
a_batch_is_closed_when_it_is_due(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_add(&hand, "event", 3);
    hand_batch(&hand, 1);
    assert_int_equal(hand_queued(&hand), 0);
    assert_int_equal(hand.pipeline.stats.in_encoder, 3);
    assert_int_equal(hand.pipeline.delivery.completed, 0);
    assert_int_equal(hand_batch_due(&hand, 1), 1 + SECOND);
    hand_batch(&hand, SECOND);
    assert_int_equal(hand_queued(&hand), 0);
    hand_batch(&hand, 1 + SECOND);
    assert_int_equal(hand_queued(&hand), 1);
    assert_int_equal(hand.pipeline.queue.items, 3);
    assert_int_equal(hand.pipeline.stats.in_encoder, 0);
    assert_int_equal(hand.pipeline.queue.head->is_full, 0);
    hand_end(&hand);
}

static void
a_batch_is_closed_by_its_items(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_add(&hand, "event", 25);
    hand_batch(&hand, 1);
    assert_int_equal(hand_queued(&hand), 2);
    assert_int_equal(hand.pipeline.queue.head->items, 10);
    assert_int_equal(hand.pipeline.queue.head->is_full, 1);
    assert_int_equal(hand.pipeline.stats.in_encoder, 5);
    hand_end(&hand);
}

static void
a_batch_is_closed_by_its_bytes(void **state)
{
    (void)state;
    hand hand;
    char text[901];
    memset(text, 'x', 900);
    text[900] = '\0';
    hand_init(&hand);
    hand_add(&hand, text, 3);
    hand_batch(&hand, 1);
    assert_int_equal(hand_queued(&hand), 1);
    assert_int_equal(hand.pipeline.queue.head->items, 2);
    assert_true(hand.pipeline.queue.head->body.size <= 2048);
    hand_end(&hand);
}

static void
a_batch_may_be_as_large_as_the_limit(void **state)
{
    (void)state;
    hand hand;
    char text[2000];
    for (unsigned more = 0; more < 2; more++) {
        hand_init(&hand);
        memset(text, 'x', sizeof text);
        text[1000] = '\0';
        hand_add(&hand, text, 1);
        hand_batch(&hand, 1);
        text[1000] = 'x';
        size_t left = 2048 - events_bytes(hand.pipeline.encoder) - sizeof(event_record);
        text[left + more] = '\0';
        hand_add(&hand, text, 1);
        hand_batch(&hand, 2);
        assert_int_equal(hand_queued(&hand), more);
        assert_int_equal(hand.pipeline.stats.in_encoder, 2 - more);
        hand_end(&hand);
    }
}

static void
a_flush_closes_it_at_once(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_add(&hand, "event", 1);
    djp__store_release(&hand.pipeline.flush_target, djp__ring_written(hand.events.ring));
    assert_int_equal(djp__pipeline_is_flushing(&hand.pipeline), 1);
    hand_batch(&hand, 1);
    assert_int_equal(hand_queued(&hand), 1);
    djp__pipeline_complete(&hand.pipeline, djp__ring_written(hand.events.ring));
    assert_int_equal(djp__pipeline_is_flushing(&hand.pipeline), 0);
    hand_end(&hand);
}

static void
a_full_queue_leaves_records_in_the_source(void **state)
{
    (void)state;
    hand hand;
    char text[901];
    memset(text, 'x', 900);
    text[900] = '\0';
    hand_init(&hand);
    hand_add(&hand, text, 20);
    hand_batch(&hand, 1);
    assert_int_equal(hand.pipeline.queue_blocked, 1);
    assert_int_equal(djp__pipeline_is_idle(&hand.pipeline), 0);
    assert_true(hand.pipeline.queue.bytes <= 4096);
    assert_true(djp__ring_used(hand.events.ring) > 0);
    assert_int_equal(hand_batch_due(&hand, 5), 5 + SECOND);
    /* In an outage the oldest request gives way, once it is older than the timeout. */
    hand.pipeline.stats.consecutive_failures = 1;
    hand_batch(&hand, 10 * SECOND);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_QUEUE_FULL), 0);
    hand_batch(&hand, 10 * SECOND + 1);
    assert_true(hand_lost(&hand, DJP__LOSS_QUEUE_FULL) >= 2);
    assert_int_equal(hand.pipeline.delivery.lost, hand_lost(&hand, DJP__LOSS_QUEUE_FULL));
    hand_end(&hand);
}

static void
what_is_too_large_is_lost(void **state)
{
    (void)state;
    hand hand;
    char text[3501];
    memset(text, 'x', 3500);
    text[3500] = '\0';
    hand_init(&hand);
    hand_add(&hand, text, 1);
    hand_batch(&hand, 1);
    hand_batch(&hand, 1 + SECOND);
    assert_int_equal(hand_queued(&hand), 0);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_TOO_LARGE), 1);
    assert_int_equal(hand.pipeline.delivery.completed, djp__ring_written(hand.events.ring));
    hand_end(&hand);
}

static void
a_muted_signal_drops_what_waits(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_add(&hand, "event", 13); /* one request and three in the encoder */
    hand_batch(&hand, 1);
    hand_add(&hand, "event", 2);
    djp__store_release(&hand.events.is_muted, 1);
    hand_batch(&hand, 2);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_SWITCHED_OFF), 15);
    assert_int_equal(hand_queued(&hand), 0);
    assert_int_equal(hand.pipeline.stats.in_encoder, 0);
    assert_int_equal(hand.pipeline.delivery.completed, djp__ring_written(hand.events.ring));
    hand_end(&hand);
}

static void
the_worker_sleeps_as_long_as_it_can(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    assert_true(hand_batch_due(&hand, 1) <= 1); /* no encoder yet: it has not run */
    hand_batch(&hand, 1);
    assert_int_equal(hand_batch_due(&hand, 1), 1 + SECOND); /* one more look ... */
    assert_int_equal(hand_batch_due(&hand, 2), UINT64_MAX); /* ... and none after it */
    assert_int_equal(hand.events.wake_level, 0);
    assert_int_equal(djp__pipeline_is_idle(&hand.pipeline), 1);
    djp__pipeline_note_activity(&hand.pipeline, 5);
    assert_int_equal(djp__pipeline_is_idle(&hand.pipeline), 0);
    assert_int_equal(hand_batch_due(&hand, 5), 5 + SECOND);
    assert_int_equal(hand.events.wake_level, (1 << 15) / 4);
    hand_end(&hand);
}

static void
a_child_begins_anew(void **state)
{
    (void)state;
    hand hand;
    hand_init(&hand);
    hand_add(&hand, "event", 13);
    hand_batch(&hand, 1);
    hand.pipeline.delivery.lost = 4;
    djp__pipeline_fork_child(&hand.pipeline);
    assert_int_equal(hand_queued(&hand), 0);
    assert_int_equal(hand.pipeline.stats.in_encoder, 0);
    assert_int_equal(hand.pipeline.delivery.lost, 0);
    /* the queue is the parent's */
    assert_int_equal(djp__sender_next_due(&hand.pipeline, 1), UINT64_MAX);
    hand_add(&hand, "own", 1);
    hand.pipeline.batch_task.enter(&hand.pipeline);
    hand_batch(&hand, 1);
    assert_int_equal(hand.pipeline.stats.in_encoder, 1);
    djp__pipeline_discard(&hand.pipeline, DJP__LOSS_SHUTDOWN);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_SHUTDOWN), 1);
    hand_end(&hand);
}

static void
losses_have_names(void **state)
{
    (void)state;
    assert_string_equal(djp__loss_name(DJP__LOSS_REJECTED), "rejected");
    assert_string_equal(djp__loss_name(DJP__LOSS_SHUTDOWN), "shutdown");
    assert_string_equal(djp__loss_name(DJP__LOSS_COUNT), "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_is_closed_when_it_is_due),
        cmocka_unit_test(a_batch_is_closed_by_its_items),
        cmocka_unit_test(a_batch_is_closed_by_its_bytes),
        cmocka_unit_test(a_batch_may_be_as_large_as_the_limit),
        cmocka_unit_test(a_flush_closes_it_at_once),
        cmocka_unit_test(a_full_queue_leaves_records_in_the_source),
        cmocka_unit_test(what_is_too_large_is_lost),
        cmocka_unit_test(a_muted_signal_drops_what_waits),
        cmocka_unit_test(the_worker_sleeps_as_long_as_it_can),
        cmocka_unit_test(a_child_begins_anew),
        cmocka_unit_test(losses_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
