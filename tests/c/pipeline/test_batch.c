/* Batches of a signal with several destinations: who encodes, who gets a request, and what one
 * without room loses. The test is the worker. */
#include "pipeline/by_hand.h"

#include "pipeline/batch.h"

typedef struct further {
    djp__pipeline pipeline;
    djp__transport transport;
    unsigned freed;
} further;

static unsigned further_freed;

static void
further_free(djp__transport *transport)
{
    (void)transport;
    further_freed++;
}

static const djp__transport_ops further_ops = {
    .name = "further", .send = hand_send, .free = further_free};

static void
join(hand *hand, further *it, int form)
{
    djp__pipeline_options options = hand->pipeline.options;
    options.form = form;
    options.target = "elsewhere";
    options.on_sent = NULL;
    it->transport.ops = &further_ops;
    djp__pipeline_init(&it->pipeline, &events_signal, &hand->events, &it->transport, &hand->worker,
                       &hand->diag, &options);
    djp__pipeline_join(&hand->pipeline, &it->pipeline);
    it->pipeline.batch_task.enter(&it->pipeline);
}

static void
leave(hand *hand, further *it)
{
    further_freed = 0;
    djp__pipeline_fini(&it->pipeline);
    assert_int_equal(further_freed, 1);
    if (hand != NULL) {
        hand_end(hand);
    }
}

static uint64_t
queued(const further *it)
{
    return djp__load_relaxed(&it->pipeline.queue.count);
}

static uint64_t
lost(const further *it, djp__loss reason)
{
    return djp__load_relaxed(&it->pipeline.stats.lost[reason]);
}

static void
equal_forms_are_encoded_once(void **state)
{
    (void)state;
    hand hand;
    further same, other, third;
    hand_init(&hand);
    join(&hand, &same, 0);
    join(&hand, &other, 1);
    join(&hand, &third, 1);
    assert_ptr_equal(same.pipeline.encodes, &hand.pipeline);
    assert_ptr_equal(other.pipeline.encodes, &other.pipeline);
    assert_ptr_equal(third.pipeline.encodes, &other.pipeline);
    hand_add(&hand, "event", 10);
    hand_batch(&hand, 1);
    assert_null(same.pipeline.encoder);
    assert_non_null(other.pipeline.encoder);
    assert_null(third.pipeline.encoder);
    const djp__request *first = hand.pipeline.queue.head;
    further *const all[] = {&same, &other, &third};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(queued(all[i]), 1);
        const djp__request *request = all[i]->pipeline.queue.head;
        assert_int_equal(request->items, 10);
        assert_int_equal(request->end, first->end);
        assert_int_equal(request->born, first->born);
        assert_int_equal(request->is_full, 1);
        assert_int_equal(request->body.size, first->body.size);
        assert_memory_equal(request->body.data, first->body.data, first->body.size);
        assert_ptr_not_equal(request->body.data, first->body.data);
    }
    assert_int_equal(first->items, 10);
    leave(NULL, &same);
    leave(NULL, &other);
    leave(&hand, &third);
}

static void
each_destination_shows_what_is_encoded(void **state)
{
    (void)state;
    hand hand;
    further same, other;
    hand_init(&hand);
    join(&hand, &same, 0);
    join(&hand, &other, 1);
    hand_add(&hand, "event", 3);
    hand_batch(&hand, 1);
    assert_int_equal(hand.pipeline.stats.in_encoder, 3);
    assert_int_equal(same.pipeline.stats.in_encoder, 3);
    assert_int_equal(other.pipeline.stats.in_encoder, 3);
    assert_int_equal(same.pipeline.delivery.completed, 0);
    hand_batch(&hand, 2 + SECOND);
    assert_int_equal(same.pipeline.stats.in_encoder, 0);
    assert_int_equal(other.pipeline.stats.in_encoder, 0);
    assert_int_equal(queued(&same), 1);
    leave(NULL, &same);
    leave(&hand, &other);
}

/* A flush that waits for any of them closes the batch. */
static void
a_flush_of_one_closes_the_batch_of_all(void **state)
{
    (void)state;
    hand hand;
    further it;
    hand_init(&hand);
    join(&hand, &it, 0);
    hand_add(&hand, "event", 3);
    djp__store_release(&it.pipeline.flush_target, djp__ring_written(hand.events.ring));
    hand_batch(&hand, 1);
    assert_int_equal(hand_queued(&hand), 1);
    assert_int_equal(queued(&it), 1);
    leave(&hand, &it);
}

/* Fills the queue of one destination, which sends nothing; the other one empties its own. */
static void
fill(hand *hand, djp__pipeline *kept_empty, uint64_t from, uint64_t batches)
{
    char text[901];
    memset(text, 'x', 900);
    text[900] = '\0';
    for (uint64_t i = from; i < from + batches; i++) {
        hand_add(hand, text, 2);
        hand_batch(hand, 1 + (i + 1) * 10 * SECOND);
        while (kept_empty->queue.head != NULL) {
            djp__queue_finish(&kept_empty->queue, kept_empty->queue.head);
            djp__queue_reap(&kept_empty->queue);
        }
    }
}

static void
a_full_destination_loses_its_oldest_and_delays_no_other(void **state)
{
    (void)state;
    for (int first_is_full = 0; first_is_full < 2; first_is_full++) {
        hand hand;
        further it;
        hand_init(&hand);
        join(&hand, &it, 0);
        djp__pipeline *full = first_is_full ? &hand.pipeline : &it.pipeline,
                      *empty = first_is_full ? &it.pipeline : &hand.pipeline;
        fill(&hand, empty, 0, 10);
        assert_int_equal(hand.pipeline.queue_blocked, 0);
        assert_int_equal(djp__ring_used(hand.events.ring), 0);
        uint64_t kept = djp__load_relaxed(&full->queue.items);
        assert_int_equal(kept, 4);
        assert_int_equal(full->stats.lost[DJP__LOSS_QUEUE_FULL], 20 - kept);
        assert_int_equal(full->delivery.lost, 20 - kept);
        assert_int_equal(empty->stats.lost[DJP__LOSS_QUEUE_FULL], 0);
        assert_int_equal(full->queue.tail->end, djp__ring_consumed(hand.events.ring));
        leave(&hand, &it);
    }
}

/* Requests in transit cannot give way: then the destination loses its part of the new batch. */
static void
what_is_in_transit_is_kept(void **state)
{
    (void)state;
    hand hand;
    further it, other;
    hand_init(&hand);
    join(&hand, &it, 0);
    join(&hand, &other, 1);
    fill(&hand, &hand.pipeline, 0, 2);
    for (djp__request *one = it.pipeline.queue.head; one != NULL; one = one->next) {
        djp__queue_begin(&it.pipeline.queue, one);
    }
    for (djp__request *one = other.pipeline.queue.head; one != NULL; one = one->next) {
        djp__queue_begin(&other.pipeline.queue, one);
    }
    fill(&hand, &hand.pipeline, 2, 1);
    assert_int_equal(queued(&it), 2);
    assert_int_equal(lost(&it, DJP__LOSS_QUEUE_FULL), 2);
    /* No destination takes the second form: its encoder is emptied all the same. */
    assert_int_equal(lost(&other, DJP__LOSS_QUEUE_FULL), 2);
    assert_int_equal(djp__batch_encoded(&other.pipeline), 0);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_QUEUE_FULL), 0);
    leave(NULL, &it);
    leave(&hand, &other);
}

/* As with one destination, records then stay in the source. */
static void
nothing_is_drained_while_all_are_full(void **state)
{
    (void)state;
    hand hand;
    further it;
    char text[901];
    memset(text, 'x', 900);
    text[900] = '\0';
    hand_init(&hand);
    join(&hand, &it, 0);
    hand_add(&hand, text, 20);
    hand_batch(&hand, 1);
    assert_int_equal(hand.pipeline.queue_blocked, 1);
    assert_int_equal(hand.pipeline.queue.items, it.pipeline.queue.items);
    assert_true(djp__ring_used(hand.events.ring) > 0);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_QUEUE_FULL) + lost(&it, DJP__LOSS_QUEUE_FULL), 0);
    /* Room at one of them is enough. */
    uint64_t before = djp__ring_used(hand.events.ring);
    djp__queue_finish(&it.pipeline.queue, it.pipeline.queue.head);
    djp__queue_reap(&it.pipeline.queue);
    hand_batch(&hand, 2);
    assert_true(djp__ring_used(hand.events.ring) < before);
    assert_int_equal(lost(&it, DJP__LOSS_QUEUE_FULL), 0);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_QUEUE_FULL), 2);
    leave(&hand, &it);
}

static void
a_damaged_record_is_lost_everywhere(void **state)
{
    (void)state;
    hand hand;
    further same, other;
    hand_init(&hand);
    join(&hand, &same, 0);
    join(&hand, &other, 1);
    event_record *record = djp__ring_reserve(hand.events.ring, sizeof *record);
    record->size = EVENT_TEXT_MAX + 1;
    djp__ring_commit(hand.events.ring, record);
    hand_add(&hand, "good", 1);
    hand_batch(&hand, 1);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_DAMAGED), 1);
    assert_int_equal(lost(&same, DJP__LOSS_DAMAGED), 1);
    assert_int_equal(lost(&other, DJP__LOSS_DAMAGED), 1);
    assert_int_equal(same.pipeline.stats.in_encoder, 1);
    leave(NULL, &same);
    leave(&hand, &other);
}

/* Each destination has a limit of a request. */
static void
a_request_too_large_for_one_is_sent_to_the_other(void **state)
{
    (void)state;
    for (int first_is_small = 0; first_is_small < 2; first_is_small++) {
        hand hand;
        further it;
        hand_init(&hand);
        join(&hand, &it, 0);
        (first_is_small ? &hand.pipeline : &it.pipeline)->options.max_request_bytes = 20;
        hand_add(&hand, "an event that is longer than that", 10);
        hand_batch(&hand, 1);
        assert_int_equal(hand_lost(&hand, DJP__LOSS_TOO_LARGE), first_is_small ? 10 : 0);
        assert_int_equal(lost(&it, DJP__LOSS_TOO_LARGE), first_is_small ? 0 : 10);
        assert_int_equal(hand_queued(&hand), !first_is_small);
        assert_int_equal(queued(&it), first_is_small);
        leave(&hand, &it);
    }
}

/* Muted exports drop the items of all; requests in transit are waited for first. */
static void
muted_exports_drop_for_all(void **state)
{
    (void)state;
    hand hand;
    further same, other;
    hand_init(&hand);
    join(&hand, &same, 0);
    join(&hand, &other, 1);
    hand_add(&hand, "event", 13);
    hand_batch(&hand, 1);
    hand_add(&hand, "event", 4);
    djp__store_release(&hand.events.is_muted, 1);
    djp__queue_begin(&other.pipeline.queue, other.pipeline.queue.head);
    hand_batch(&hand, 2);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_SWITCHED_OFF), 0);
    djp__queue_again(&other.pipeline.queue, other.pipeline.queue.head);
    hand_batch(&hand, 3);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_SWITCHED_OFF), 17);
    assert_int_equal(lost(&same, DJP__LOSS_SWITCHED_OFF), 17);
    assert_int_equal(lost(&other, DJP__LOSS_SWITCHED_OFF), 17);
    assert_int_equal(queued(&same) + queued(&other) + hand_queued(&hand), 0);
    assert_int_equal(other.pipeline.delivery.completed, djp__ring_written(hand.events.ring));
    leave(NULL, &same);
    leave(&hand, &other);
}

static void
the_end_counts_for_each(void **state)
{
    (void)state;
    for (int discards = 0; discards < 2; discards++) {
        hand hand;
        further same, other;
        hand_init(&hand);
        join(&hand, &same, 0);
        join(&hand, &other, 1);
        hand_add(&hand, "event", 13); /* one request and three in the encoder */
        hand_batch(&hand, 1);
        hand_add(&hand, "event", 2);
        djp__pipeline *const all[] = {&hand.pipeline, &same.pipeline, &other.pipeline};
        for (int i = 0; i < 3; i++) { /* as the loops over an instance do */
            if (discards) {
                djp__pipeline_discard(all[i], DJP__LOSS_SHUTDOWN);
            } else {
                djp__pipeline_count_waiting(all[i], DJP__LOSS_SHUTDOWN);
            }
        }
        for (int i = 0; i < 3; i++) {
            assert_int_equal(all[i]->stats.lost[DJP__LOSS_SHUTDOWN], 15);
            assert_int_equal(djp__load_relaxed(&all[i]->queue.count), discards ? 0 : 1);
            assert_true(!discards || all[i]->encoder == NULL);
        }
        leave(NULL, &same);
        leave(&hand, &other);
    }
}

/* In a child of a fork, encoders and queues are the parent's until all of them are made anew. */
static void
a_child_begins_anew_for_each(void **state)
{
    (void)state;
    hand hand;
    further same, other;
    hand_init(&hand);
    join(&hand, &same, 0);
    join(&hand, &other, 1);
    hand_add(&hand, "of the parent", 13);
    hand_batch(&hand, 1);
    djp__pipeline *const all[] = {&hand.pipeline, &same.pipeline, &other.pipeline};
    for (int i = 0; i < 3; i++) {
        djp__pipeline_fork_child(all[i]);
    }
    assert_false(djp__batch_is_adopted(&hand.pipeline));
    djp__pipeline_discard(&hand.pipeline, DJP__LOSS_SHUTDOWN); /* a child that ends at once */
    assert_int_equal(other.pipeline.stats.lost[DJP__LOSS_SHUTDOWN], 0);
    hand_add(&hand, "event", 10);
    hand_batch(&hand, 2);
    assert_true(djp__batch_is_adopted(&hand.pipeline));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(djp__load_relaxed(&all[i]->queue.items), 10);
    }
    leave(NULL, &same);
    leave(&hand, &other);
}

/* ---- without memory ---- */

static int creations, creations_that_fail;

static int
failing_create(void **out, void *source, int form)
{
    *out = NULL;
    return creations++ < creations_that_fail ? DJP_ENOMEM : events_encoder_new(out, source, form);
}

static void
no_encoder_is_tried_again_later(void **state)
{
    (void)state;
    static djp__encode encode;
    static djp__signal signal;
    hand hand;
    further it;
    encode = events_encoding;
    encode.create = failing_create;
    signal = events_signal;
    signal.encode = &encode;
    hand_init(&hand);
    join(&hand, &it, 1);
    hand.pipeline.signal = &signal; /* the first one's encoder fails twice */
    creations = 0;
    creations_that_fail = 2;
    hand_add(&hand, "event", 10);
    hand_batch(&hand, 5);
    assert_int_equal(creations, 1);
    assert_int_equal(hand_batch_due(&hand, 5), 5 + SECOND);
    hand_batch(&hand, 6); /* not before that */
    assert_int_equal(creations, 1);
    hand_batch(&hand, 5 + SECOND);
    assert_int_equal(creations, 2);
    assert_true(djp__ring_used(hand.events.ring) > 0);
    hand_batch(&hand, 5 + 2 * SECOND);
    assert_int_equal(hand_queued(&hand), 1);
    assert_int_equal(queued(&it), 1);
    assert_int_equal(lost(&it, DJP__LOSS_ENCODE_NO_MEMORY), 0);
    leave(&hand, &it);
}

static int
failing_add(void *encoder, const void *record, size_t size)
{
    (void)encoder;
    (void)record;
    (void)size;
    return DJP_ENOMEM;
}

/* One form cannot be encoded: the other one is sent. */
static void
one_encoder_may_fail_alone(void **state)
{
    (void)state;
    static djp__encode encode;
    static djp__signal signal;
    hand hand;
    further it, sharer;
    encode = events_encoding;
    encode.add = failing_add;
    signal = events_signal;
    signal.encode = &encode;
    hand_init(&hand);
    join(&hand, &it, 1);
    join(&hand, &sharer, 1);
    it.pipeline.signal = &signal;
    hand_add(&hand, "event", 10);
    hand_batch(&hand, 1);
    assert_int_equal(hand_queued(&hand), 1);
    assert_int_equal(queued(&it) + queued(&sharer), 0);
    assert_int_equal(lost(&it, DJP__LOSS_ENCODE_NO_MEMORY), 10);
    assert_int_equal(lost(&sharer, DJP__LOSS_ENCODE_NO_MEMORY), 10);
    assert_int_equal(hand_lost(&hand, DJP__LOSS_ENCODE_NO_MEMORY), 0);
    it.pipeline.signal = &events_signal;
    leave(NULL, &sharer);
    leave(&hand, &it);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_forms_are_encoded_once),
        cmocka_unit_test(each_destination_shows_what_is_encoded),
        cmocka_unit_test(a_flush_of_one_closes_the_batch_of_all),
        cmocka_unit_test(a_full_destination_loses_its_oldest_and_delays_no_other),
        cmocka_unit_test(what_is_in_transit_is_kept),
        cmocka_unit_test(nothing_is_drained_while_all_are_full),
        cmocka_unit_test(a_damaged_record_is_lost_everywhere),
        cmocka_unit_test(a_request_too_large_for_one_is_sent_to_the_other),
        cmocka_unit_test(muted_exports_drop_for_all),
        cmocka_unit_test(the_end_counts_for_each),
        cmocka_unit_test(a_child_begins_anew_for_each),
        cmocka_unit_test(no_encoder_is_tried_again_later),
        cmocka_unit_test(one_encoder_may_fail_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
