/* The queue of requests by itself: who is next, what counts when, which memory is kept, and that
 * positions leave in their order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/queue.h"

static djp__queue queue;

static int
set_up(void **state)
{
    (void)state;
    djp__queue_init(&queue, 100);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__queue_fini(&queue);
    return 0;
}

/* A request of so many bytes and items, which ends at that position. */
static djp__request *
push(size_t bytes, uint64_t items, uint64_t end)
{
    djp__request *request = djp__queue_take(&queue);
    assert_non_null(request);
    for (size_t i = 0; i < bytes; i++) {
        djp__buf_char(&request->body, 'b');
    }
    request->items = items;
    request->end = end;
    djp__queue_push(&queue, request);
    return request;
}

static void
counts(uint64_t count, uint64_t bytes, uint64_t items, uint64_t sending, uint64_t attempted)
{
    assert_int_equal(djp__load_relaxed(&queue.count), count);
    assert_int_equal(djp__load_relaxed(&queue.bytes), bytes);
    assert_int_equal(djp__load_relaxed(&queue.items), items);
    assert_int_equal(queue.sending, sending);
    assert_int_equal(djp__load_relaxed(&queue.attempted_items), attempted);
}

static void
room_ends_at_the_limit(void **state)
{
    (void)state;
    assert_true(djp__queue_has_room(&queue, 1000)); /* an empty one takes anything */
    push(60, 1, 1);
    assert_true(djp__queue_has_room(&queue, 39));
    assert_true(djp__queue_has_room(&queue, 40));
    assert_false(djp__queue_has_room(&queue, 41));
    djp__queue_finish(&queue, queue.head);
    assert_true(djp__queue_has_room(&queue, 1000)); /* what is done takes none */
}

static void
everything_is_counted_until_it_is_done(void **state)
{
    (void)state;
    djp__request *first = push(10, 3, 100), *second = push(20, 5, 200);
    counts(2, 30, 8, 0, 0);
    djp__queue_begin(&queue, first);
    counts(2, 30, 8, 1, 3);
    djp__queue_again(&queue, first);
    counts(2, 30, 8, 0, 3);
    djp__queue_begin(&queue, first);
    djp__queue_begin(&queue, second);
    counts(2, 30, 8, 2, 8);
    assert_int_equal(first->attempts, 2);
    djp__queue_finish(&queue, second);
    counts(1, 10, 3, 1, 3);
    assert_null(second->body.data); /* it stays for its position alone */
    djp__queue_finish(&queue, first);
    counts(0, 0, 0, 0, 0);
    djp__request *never = push(7, 2, 300);
    djp__queue_finish(&queue, never); /* given up before an attempt */
    counts(0, 0, 0, 0, 0);
}

typedef struct losses {
    uint64_t items, ends[8];
    int count;
} losses;

static void
note_loss(void *user, const djp__request *request)
{
    losses *noted = user;
    noted->ends[noted->count++] = request->end;
    noted->items += request->items;
}

/* The oldest go, one by one, until there is room. */
static void
a_full_queue_drops_its_oldest(void **state)
{
    (void)state;
    losses noted = {0};
    for (uint64_t i = 0; i < 4; i++) {
        push(25, i + 1, (i + 1) * 100)->born = 10 + i;
    }
    assert_int_equal(djp__queue_make_room(&queue, 0, 100, note_loss, &noted), 1);
    assert_int_equal(noted.count, 0); /* there was room */
    assert_int_equal(djp__queue_make_room(&queue, 1, 9, note_loss, &noted), 0);
    assert_int_equal(noted.count, 0); /* all are too new */
    assert_int_equal(djp__queue_make_room(&queue, 25, 10, note_loss, &noted), 1);
    assert_true(noted.count == 1 && noted.ends[0] == 100 && noted.items == 1);
    counts(3, 75, 9, 0, 0);
    assert_int_equal(djp__queue_make_room(&queue, 75, 11, note_loss, &noted), 0);
    assert_true(noted.count == 2 && noted.ends[1] == 200); /* one went, the next is too new */
    assert_int_equal(djp__queue_make_room(&queue, 100, 100, note_loss, &noted), 1);
    assert_true(noted.count == 4 && noted.ends[2] == 300 && noted.ends[3] == 400);
    counts(0, 0, 0, 0, 0);
    assert_int_equal(djp__queue_reap(&queue), 400);
}

static void
what_is_in_transit_is_not_dropped(void **state)
{
    (void)state;
    losses noted = {0};
    djp__request *first = push(50, 1, 100), *second = push(50, 2, 200);
    djp__queue_begin(&queue, first);
    assert_int_equal(djp__queue_make_room(&queue, 50, UINT64_MAX, note_loss, &noted), 1);
    assert_true(noted.count == 1 && noted.ends[0] == 200);
    assert_int_equal(first->state, DJP__REQUEST_SENDING);
    assert_int_equal(second->state, DJP__REQUEST_DONE);
    counts(1, 50, 1, 1, 1);
    assert_int_equal(djp__queue_make_room(&queue, 51, UINT64_MAX, note_loss, &noted), 0);
    assert_int_equal(noted.count, 1);
    djp__queue_finish(&queue, first);
    assert_int_equal(djp__queue_reap(&queue), 200);
}

static void
positions_leave_in_their_order(void **state)
{
    (void)state;
    djp__request *requests[4];
    for (uint64_t i = 0; i < 4; i++) {
        requests[i] = push(1, 1, (i + 1) * 100);
    }
    assert_int_equal(djp__queue_reap(&queue), 0);
    djp__queue_finish(&queue, requests[1]);
    djp__queue_finish(&queue, requests[2]);
    assert_int_equal(djp__queue_reap(&queue), 0);
    djp__queue_finish(&queue, requests[0]);
    assert_int_equal(djp__queue_reap(&queue), 300);
    assert_ptr_equal(queue.head, requests[3]);
    djp__queue_finish(&queue, requests[3]);
    assert_int_equal(djp__queue_reap(&queue), 400);
    assert_true(queue.head == NULL && queue.tail == NULL);
    assert_int_equal(djp__queue_reap(&queue), 0);
    djp__request *again = push(1, 1, 500);
    assert_ptr_equal(queue.head, again);
    assert_ptr_equal(queue.tail, again);
}

static void
the_least_tried_is_next(void **state)
{
    (void)state;
    assert_null(djp__queue_next(&queue));
    assert_null(djp__queue_oldest_waiting(&queue));
    djp__request *a = push(1, 1, 1), *b = push(1, 1, 2), *c = push(1, 1, 3);
    a->attempts = 2;
    b->attempts = 1;
    c->attempts = 1;
    assert_ptr_equal(djp__queue_next(&queue), b); /* of equals the oldest */
    assert_ptr_equal(djp__queue_oldest_waiting(&queue), a);
    djp__queue_begin(&queue, b);
    assert_ptr_equal(djp__queue_next(&queue), c);
    djp__queue_begin(&queue, a);
    assert_ptr_equal(djp__queue_oldest_waiting(&queue), c);
    djp__queue_begin(&queue, c);
    assert_null(djp__queue_next(&queue));
    assert_null(djp__queue_oldest_waiting(&queue));
    djp__request *d = push(1, 1, 4);
    djp__queue_again(&queue, a);
    assert_ptr_equal(djp__queue_next(&queue), d);
    djp__queue_finish(&queue, d);
    assert_ptr_equal(djp__queue_next(&queue), a);
}

static void
the_oldest_attempt_on_its_way(void **state)
{
    (void)state;
    assert_int_equal(djp__queue_sent_since(&queue, 0), 0);
    djp__request *requests[3];
    static const uint64_t sent[] = {50, 30, 40};
    for (int i = 0; i < 3; i++) {
        requests[i] = push(1, 1, 1);
        requests[i]->sent_at = sent[i];
        djp__queue_begin(&queue, requests[i]);
    }
    assert_int_equal(djp__queue_sent_since(&queue, 0), 30);
    assert_int_equal(djp__queue_sent_since(&queue, 29), 30);
    assert_int_equal(djp__queue_sent_since(&queue, 30), 40);
    assert_int_equal(djp__queue_sent_since(&queue, 50), 0);
    djp__queue_again(&queue, requests[1]);
    assert_int_equal(djp__queue_sent_since(&queue, 0), 40);
}

/* Two requests with their memory are kept, but not very large ones; what is taken again is
 * empty. */
static void
memory_is_used_again(void **state)
{
    (void)state;
    djp__request *taken[4];
    for (int i = 0; i < 4; i++) {
        taken[i] = djp__queue_take(&queue);
        djp__buf_text(&taken[i]->body, "text");
        taken[i]->items = taken[i]->attempts = 7;
    }
    for (int i = 0; i < 4; i++) {
        djp__queue_give(&queue, taken[i]);
        assert_int_equal(queue.spares, i < 2 ? i + 1 : 2);
    }
    djp__request *again = djp__queue_take(&queue);
    assert_ptr_equal(again, taken[1]);
    assert_int_equal(queue.spares, 1);
    assert_true(again->body.size == 0 && again->body.capacity > 0);
    assert_true(again->items == 0 && again->attempts == 0);
    djp__buf_clear(&again->body);
    for (size_t more = 0; more < 2; more++) {
        assert_non_null(djp__buf_reserve(&again->body, ((size_t)2 << 20) + more));
        djp__queue_give(&queue, again);
        assert_int_equal(queue.spares, more == 0 ? 2 : 1); /* 2 MiB are kept, 4 are not */
        again = more == 0 ? djp__queue_take(&queue) : NULL;
    }
}

static void
without_memory_there_is_no_request(void **state)
{
    (void)state;
    djp__alloc_fail_after(1);
    djp__request *request = djp__queue_take(&queue);
    djp__alloc_fail_after(0);
    assert_null(request);
}

static void
a_forked_child_counts_nothing(void **state)
{
    (void)state;
    djp__queue_begin(&queue, push(10, 3, 100));
    djp__queue_fork_child(&queue);
    counts(0, 0, 0, 1, 0);
    djp__queue_fini(&queue);
    counts(0, 0, 0, 0, 0);
    assert_true(queue.head == NULL && queue.tail == NULL && queue.spare == NULL);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(a_full_queue_drops_its_oldest),  ONE(what_is_in_transit_is_not_dropped),
        ONE(room_ends_at_the_limit),         ONE(everything_is_counted_until_it_is_done),
        ONE(positions_leave_in_their_order), ONE(the_least_tried_is_next),
        ONE(the_oldest_attempt_on_its_way),  ONE(memory_is_used_again),
        ONE(a_forked_child_counts_nothing),  ONE(without_memory_there_is_no_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
