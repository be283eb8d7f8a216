/* Whether a recorder records: off, muted and closed, each for itself and together, and when starts
 * and commits wake the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/thread.h"
#include "sampling/head.h"
#include "span_reader.h"
#include "trace/recorder_state.h"

static djp_recorder *recorder;
static unsigned woken;

static void
wake(void *user)
{
    assert_ptr_equal(user, &woken);
    woken++;
}

static djp__recorder_options
waking_options(void)
{
    djp__recorder_options options = span_reader_options();
    options.wake = wake;
    options.wake_user = &woken;
    return options;
}

static void
use(djp__recorder_options options)
{
    recorder = span_reader_recorder(&options);
    woken = 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__recorder_free(recorder);
    recorder = NULL;
    return 0;
}

static djp__recorder_totals
counters(void)
{
    djp__recorder_totals out;
    djp__recorder_counters(&out, recorder);
    return out;
}

static djp_span *
start(djp_span *parent)
{
    djp_span_options options = {.parent = parent};
    return djp_span_start(recorder, DJP_TEXT("span"), &options);
}

static void
finish(djp_span *span)
{
    djp_span_end(span, 0);
    djp_span_release(span);
}

static void
set_off(int off)
{
    djp__recorder_set_off(recorder, off);
}

static uint64_t
level(void)
{
    return djp__load_relaxed(&recorder->wake_level);
}

/* ---- off, muted, closed ---- */

static void
off_and_on_are_bits_beside_the_others(void **state)
{
    (void)state;
    use(waking_options());
    assert_int_equal(djp__load_relaxed(&recorder->state), 0);
    assert_int_equal(djp__recorder_is_muted(recorder), 0);
    set_off(1);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_OFF | DJP__RECORDER_MUTED);
    assert_int_equal(djp__recorder_is_muted(recorder), 1);
    set_off(0);
    assert_int_equal(djp__load_relaxed(&recorder->state), 0);
    djp__or_seq_cst(&recorder->state, DJP__RECORDER_FIRST);
    set_off(1);
    set_off(0);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_FIRST);
    djp__recorder_close(recorder);
    set_off(1);
    assert_int_equal(djp__load_relaxed(&recorder->state),
                     DJP__RECORDER_FIRST | DJP__RECORDER_CLOSED | DJP__RECORDER_OFF |
                         DJP__RECORDER_MUTED);
    set_off(0);
    assert_int_equal(djp__load_relaxed(&recorder->state),
                     DJP__RECORDER_FIRST | DJP__RECORDER_CLOSED);
}

/* A ratio of 0 mutes without turning recording off; off and on again leave it muted. */
static void
a_policy_that_drops_all_mutes(void **state)
{
    (void)state;
    use(waking_options());
    assert_int_equal(djp__recorder_set_ratio(recorder, 0), 0);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_MUTED);
    assert_int_equal(djp__recorder_is_muted(recorder), 1);
    set_off(1);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_OFF | DJP__RECORDER_MUTED);
    set_off(0);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_MUTED);
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_int_equal(djp__load_relaxed(&recorder->state), 0);
    set_off(1);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0), 0);
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_int_equal(djp__load_relaxed(&recorder->state), /* the ratio does not turn it on */
                     DJP__RECORDER_OFF | DJP__RECORDER_MUTED);
}

/* While it is off nothing starts, and what was open is counted. */
static void
off_loses_open_spans(void **state)
{
    (void)state;
    use(waking_options());
    djp_span *open = start(NULL);
    set_off(1);
    assert_null(start(NULL));
    assert_null(start(open));
    finish(open);
    assert_int_equal(counters().dropped[DJP__DROP_SWITCHED_OFF], 1);
    assert_int_equal(counters().started, 1);
    assert_int_equal(span_reader_drain(recorder), 0);
    set_off(0);
    finish(start(NULL));
    assert_int_equal(span_reader_drain(recorder), 1);
}

static void
closing_counts_what_comes_later(void **state)
{
    (void)state;
    djp__recorder_options options = waking_options();
    options.always_on = 0;
    options.threshold = DJP__THRESHOLD_NEVER;
    use(options);
    djp_span *root = start(NULL);
    finish(start(root));
    djp_span *open = start(root);
    djp__recorder_close(recorder);
    assert_null(start(NULL));
    assert_null(start(root));
    djp_span_set_int(open, djp_key_intern(DJP_TEXT("a")), 1);
    finish(open);
    finish(root);
    assert_int_equal(counters().dropped[DJP__DROP_AFTER_SHUTDOWN], 3);
    assert_int_equal(counters().live, 0);
    assert_int_equal(span_reader_drain(recorder), 0);
}

/* ---- the reader ---- */

static void
the_reader_is_woken_once_per_arming(void **state)
{
    (void)state;
    use(waking_options());
    finish(start(NULL));
    assert_int_equal(woken, 0);
    djp__recorder_set_wake_level(recorder, 0);
    finish(start(NULL));
    finish(start(NULL));
    assert_int_equal(woken, 1);
    djp__recorder_set_wake_level(recorder, 2000);
    while (djp__ring_used(djp__recorder_ring(recorder)) < 1800) {
        finish(start(NULL));
    }
    assert_int_equal(woken, 1);
    finish(start(NULL));
    finish(start(NULL));
    finish(start(NULL));
    assert_int_equal(woken, 2);
    djp__recorder_set_wake_level(recorder, UINT64_MAX);
    finish(start(NULL));
    assert_int_equal(woken, 2);
}

/* The level counts as reached when the ring holds exactly so many bytes. */
static void
the_level_is_reached_at_its_edge(void **state)
{
    (void)state;
    use(waking_options());
    finish(start(NULL));
    uint64_t one = djp__ring_used(djp__recorder_ring(recorder));
    djp__recorder_set_wake_level(recorder, 2 * one + 1);
    finish(start(NULL));
    assert_int_equal(woken, 0);
    djp__recorder_set_wake_level(recorder, 3 * one);
    finish(start(NULL));
    assert_int_equal(woken, 1);
}

/* A reader that slept while recording was off is woken by the next span; one that is armed for a
 * level is left alone where nothing changes. */
static void
on_again_arms_the_reader(void **state)
{
    (void)state;
    use(waking_options());
    djp__recorder_set_wake_level(recorder, 5000);
    set_off(0);
    assert_int_equal(level(), 5000);
    set_off(1);
    assert_int_equal(level(), 5000);
    set_off(0);
    assert_int_equal(level(), 0);
    djp__recorder_set_wake_level(recorder, 5000);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0), 0);
    assert_int_equal(level(), 5000);
    set_off(1);
    set_off(0); /* still muted */
    assert_int_equal(level(), 5000);
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_int_equal(level(), 0);
}

/* A start that records nothing still wakes a reader that waits for the next span: it alone can turn
 * recording on again. */
static void
starts_that_record_nothing_wake_the_reader(void **state)
{
    (void)state;
    use(waking_options());
    set_off(1);
    djp__recorder_set_wake_level(recorder, 0);
    assert_null(start(NULL));
    assert_int_equal(woken, 1);
    assert_int_equal(level(), DJP__WAKE_NEVER);
    assert_null(start(NULL));
    assert_int_equal(woken, 1);
    djp__recorder_set_wake_level(recorder, 1); /* not for the next span */
    assert_null(start(NULL));
    assert_int_equal(woken, 1);
    set_off(0);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0), 0);
    djp__recorder_set_wake_level(recorder, 0);
    finish(start(NULL)); /* ids only */
    assert_int_equal(woken, 2);
    djp__recorder_notify(NULL);
    assert_int_equal(djp__recorder_try_start(NULL), 0);
}

static void
without_a_callback_nothing_is_called(void **state)
{
    (void)state;
    use(span_reader_options());
    set_off(1);
    djp__recorder_set_wake_level(recorder, 0);
    assert_null(start(NULL));
    assert_int_equal(level(), 0);
    set_off(0);
    finish(start(NULL));
    assert_int_equal(level(), DJP__WAKE_NEVER);
}

/* wake_first: the first start wakes, whatever becomes of its span, and no later one does. */
static void
the_first_start_wakes(void **state)
{
    (void)state;
    djp__recorder_options options = waking_options();
    options.wake_first = 1;
    for (int off = 0; off < 2; off++) {
        use(options);
        set_off(off);
        djp_span *span = start(NULL);
        assert_int_equal(span == NULL, off);
        assert_int_equal(woken, 1);
        djp_span_release(span);
        djp_span_release(start(NULL));
        assert_int_equal(woken, 1);
        djp__recorder_free(recorder);
    }
    use(options);
    djp__recorder_close(recorder);
    assert_null(start(NULL));
    assert_int_equal(woken, 0); /* what would be woken has ended */
}

typedef struct slow_wake {
    DJP__ATOMIC(int) entered;
    DJP__ATOMIC(int) go; /* the recorder is about to be freed */
    DJP__ATOMIC(int) left;
} slow_wake;

static void
wake_slowly(void *user)
{
    slow_wake *notes = user;
    djp__store_release(&notes->entered, 1);
    while (!djp__load_acquire(&notes->go)) {
        sched_yield();
    }
    usleep(50000);
    djp__store_release(&notes->left, 1);
}

static void *
end_in_thread(void *span)
{
    djp_span_end(span, 0);
    return NULL;
}

/* What the callback works on may be freed after the recorder, even while other threads end
 * spans. */
static void
freeing_waits_for_the_callback(void **state)
{
    (void)state;
    slow_wake notes = {0, 0, 0};
    pthread_t thread;
    djp__recorder_options options = span_reader_options();
    options.wake = wake_slowly;
    options.wake_user = &notes;
    use(options);
    djp_span *early = djp_span_start(recorder, DJP_TEXT("early"), NULL);
    djp_span *late = djp_span_start(recorder, DJP_TEXT("late"), NULL);
    djp__recorder_set_wake_level(recorder, 0);
    assert_int_equal(pthread_create(&thread, NULL, end_in_thread, early), 0);
    while (!djp__load_acquire(&notes.entered)) {
        sched_yield();
    }
    assert_int_equal(djp__load_relaxed(&recorder->waking), 1);
    djp__store_release(&notes.go, 1);
    djp__recorder_free(recorder);
    assert_int_equal(djp__load_acquire(&notes.left), 1);
    pthread_join(thread, NULL);
    assert_int_equal(djp__load_relaxed(&recorder->waking), 0);
    djp__store_release(&notes.entered, 0);
    djp__recorder_set_wake_level(recorder, 0);
    djp_span_end(late, 0);
    assert_int_equal(djp__load_acquire(&notes.entered), 0);
    djp_span_release(early);
    djp_span_release(late);
    recorder = NULL;
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(off_and_on_are_bits_beside_the_others),
        CASE(a_policy_that_drops_all_mutes),
        CASE(off_loses_open_spans),
        CASE(closing_counts_what_comes_later),
        CASE(the_reader_is_woken_once_per_arming),
        CASE(the_level_is_reached_at_its_edge),
        CASE(on_again_arms_the_reader),
        CASE(starts_that_record_nothing_wake_the_reader),
        CASE(without_a_callback_nothing_is_called),
        CASE(the_first_start_wakes),
        CASE(freeing_waits_for_the_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
