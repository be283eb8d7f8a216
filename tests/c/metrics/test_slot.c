/* Slots: which process owns a stripe, for how long, and who notices its end. */
#include "metrics_fixture.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics/slot.h"

static djp__segment
segment_with(uint32_t slots)
{
    djp__segment segment;
    assert_int_equal(djp__segment_new_shared(&segment, 0, slots, 0), 0);
    return segment;
}

static void
the_lowest_free_slot_is_taken(void **state)
{
    (void)state;
    djp__segment first = segment_with(3);
    assert_int_equal(djp__slot_claim(&first), 0);
    assert_int_equal(first.own, 1);
    assert_int_equal(first.header->slots[0].pid, getpid());
    djp__segment second = first; /* as another process has it */
    second.own = 0;
    assert_int_equal(djp__slot_claim(&second), 0);
    assert_int_equal(second.own, 2);
    assert_int_equal(djp__segment_stripes_in_use(&first), 3);
    djp__slot_leave(&second);
    assert_int_equal(djp__slot_state_of(&first, 2), DJP__SLOT_FREE);
    assert_int_equal(djp__slot_claim(&second), 0);
    assert_int_equal(second.own, 2);
    djp__slot_leave(&second);
    djp__slot_leave(&first);
    djp__slot_leave(&first); /* without a slot: nothing */
    assert_false(djp__slot_anyone(&first));
    djp__segment_fini(&first);
}

static void
a_full_segment_refuses(void **state)
{
    (void)state;
    djp__segment all[3] = {segment_with(2)};
    all[1] = all[2] = all[0];
    assert_int_equal(djp__slot_claim(&all[0]), 0);
    assert_int_equal(djp__slot_claim(&all[1]), 0);
    assert_int_equal(djp__slot_claim(&all[2]), DJP_EFULL);
    assert_int_equal(all[2].own, 0);
    djp__slot_leave(&all[0]);
    assert_int_equal(djp__slot_claim(&all[2]), 0);
    djp__slot_leave(&all[1]);
    djp__slot_leave(&all[2]);
    djp__segment_fini(&all[0]);
}

static void
an_ended_process_is_noticed_and_a_running_one_is_not(void **state)
{
    (void)state;
    djp__segment segment = segment_with(4);
    int ready[2], go[2];
    char byte = 0;
    assert_int_equal(pipe(ready) + pipe(go), 0);
    assert_int_equal(djp__slot_claim(&segment), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        djp__slot_discard(&segment);
        _exit(djp__slot_claim(&segment) != 0 || segment.own != 2 ||
              write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_false(djp__slot_is_dead(&segment, 1)); /* this process */
    assert_false(djp__slot_is_dead(&segment, 2)); /* it runs */
    assert_false(djp__slot_is_dead(&segment, 3)); /* free */
    assert_true(djp__slot_anyone(&segment));
    assert_int_equal(write(go[1], &byte, 1), 1);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(djp__slot_is_dead(&segment, 2));
    assert_true(djp__slot_is_dead(&segment, 2)); /* until it is freed */
    djp__slot_free(&segment, 2);
    assert_false(djp__slot_is_dead(&segment, 2));
    djp__slot_leave(&segment);
    assert_false(djp__slot_anyone(&segment));
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(go[i]);
    }
    djp__segment_fini(&segment);
}

static void *
claim(void *segment)
{
    return djp__slot_claim(segment) == 0 ? segment : NULL;
}

static void *
leave(void *segment)
{
    djp__slot_leave(segment);
    return segment;
}

static void
in_a_thread(void *(*run)(void *), djp__segment *segment)
{
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, run, segment), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, segment);
}

/* The thread that claimed a slot may end long before the process. */
static void
a_slot_outlives_the_thread_that_claimed_it(void **state)
{
    (void)state;
    djp__segment segment = segment_with(2);
    in_a_thread(claim, &segment);
    djp__segment other = segment;
    other.own = 0;
    assert_false(djp__slot_is_dead(&other, segment.own));
    djp__slot_leave(&segment);
    assert_int_equal(djp__slot_state_of(&segment, 1), DJP__SLOT_FREE);
    djp__segment_fini(&segment);
}

/* The mutex can only be unlocked by the main thread, which holds it; the process takes the slot
 * again, and no other process does. */
static void
a_slot_left_by_another_thread_stays_with_the_process(void **state)
{
    (void)state;
    djp__segment segment = segment_with(2);
    assert_int_equal(djp__slot_claim(&segment), 0);
    in_a_thread(leave, &segment);
    assert_int_equal(segment.own, 0);
    assert_int_equal(djp__slot_state_of(&segment, 1), DJP__SLOT_LEFT);
    assert_false(djp__slot_is_dead(&segment, 1));
    pid_t child = fork();
    if (child == 0) {
        djp__slot_discard(&segment);
        _exit(djp__slot_claim(&segment) != 0 || segment.own != 2);
    }
    int status = 1;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(djp__slot_claim(&segment), 0);
    assert_int_equal(segment.own, 1);
    djp__slot_leave(&segment);
    assert_true(segment.header_is_held);
    djp__segment_fini(&segment);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lowest_free_slot_is_taken),
        cmocka_unit_test(a_full_segment_refuses),
        cmocka_unit_test(an_ended_process_is_noticed_and_a_running_one_is_not),
        cmocka_unit_test(a_slot_outlives_the_thread_that_claimed_it),
        cmocka_unit_test(a_slot_left_by_another_thread_stays_with_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
