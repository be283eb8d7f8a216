/* Local traces that are decided before their root ends: by age, for want of memory, or because the
 * root never ends. Nothing is lost that is worth keeping, memory is bounded, and every limit is
 * counted. */
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "base/clock.h"
#include "base/str.h"
#include "local_trace_fixture.h"

/* The same where the time that has passed does not decide. */
static djp__recorder_options
patient_of(double ratio)
{
    djp__recorder_options options = options_of(ratio);
    options.slow_threshold_ns = 12 * 3600 * S;
    return options;
}

static void
a_root_that_lives_for_hours_is_not_waited_for(void **state)
{
    (void)state;
    use(patient_of(1e-12));
    djp_span *root = start(NULL);
    finish_in(start(root), 59, 0);
    assert_true(counters().decision_buffer_bytes > 0);
    assert_int_equal(counters().decided_on_timeout, 0);
    finish_in(start(root), 61, 0);
    assert_int_equal(counters().decision_buffer_bytes, 0);
    assert_int_equal(counters().decided_on_timeout, 1);
    for (uint64_t hour = 1; hour <= 24; hour++) {
        finish_in(start(root), hour * 3600, 0);
        assert_int_equal(counters().decision_buffer_bytes, 0);
    }
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 26);
    assert_int_equal(counters().decided_on_timeout, 1); /* once for a local trace */
    finish_in(root, 24 * 3600, 0);
    /* The root is slow by any measure and is kept, alone. */
    djp__span_record *record = span_reader_take(recorder);
    assert_int_equal(record->reason, DJP_REASON_SLOW);
    assert_true(record->threshold == 0);
    free(record);
    assert_null(span_reader_take(recorder));
    assert_int_equal(counters().late_sampled, 1);
}

static void
what_is_known_by_then_decides(void **state)
{
    (void)state;
    use(options_of(1e-12));
    djp_span *root = start(NULL);
    finish_in(start(root), 0, 1);
    assert_int_equal(span_reader_drain(recorder), 0);
    finish_in(start(root), 61, 0);
    assert_int_equal(span_reader_drain(recorder), 2); /* handed on at once */
    finish_in(start(root), 62, 0);
    finish_in(root, 63, 0);
    assert_int_equal(span_reader_drain(recorder), 2);
    assert_int_equal(counters().by_reason[DJP_REASON_ERROR], 4);
    assert_int_equal(counters().late_sampled, 0);
}

static void
the_head_decides_where_nothing_is_known(void **state)
{
    (void)state;
    djp__recorder_options options = options_of(0.5);
    options.slow_threshold_ns = 0;
    use(options);
    unsigned handed_on = 0;
    for (int i = 0; i < 100; i++) {
        djp_span *root = start(NULL);
        djp_span_context context;
        djp_span_get_context(&context, root);
        finish_in(start(root), 1, 0);
        finish_in(start(root), 61, 0);
        unsigned kept = span_reader_drain(recorder);
        assert_int_equal(kept, (context.flags & DJP_FLAG_SAMPLED) ? 2 : 0);
        handed_on += kept;
        finish_in(root, 62, 0);
        assert_int_equal(span_reader_drain(recorder), kept / 2);
    }
    assert_true(handed_on > 0 && handed_on < 200);
    assert_int_equal(counters().decided_on_timeout, 100);
}

/* An error that comes after an early refusal is kept, and so is what ends after it; what was
 * dropped is gone. */
static void
an_error_after_the_decision_is_not_lost(void **state)
{
    (void)state;
    for (int by_memory = 0; by_memory < 2; by_memory++) {
        djp__recorder_options options = patient_of(1e-12);
        options.decision_buffer_bytes = by_memory ? 0 : options.decision_buffer_bytes;
        use(options);
        djp_span *root = start(NULL);
        finish_in(start(root), by_memory ? 0 : 61, 0);
        finish_in(start(root), 62, 0);
        assert_int_equal(span_reader_drain(recorder), 0);
        finish_in(start(root), 63, 1);
        djp__span_record *record = span_reader_take(recorder);
        assert_int_equal(record->status, DJP_STATUS_ERROR);
        assert_true(record->threshold == 0);
        free(record);
        finish_in(start(root), 64, 0);
        assert_int_equal(span_reader_drain(recorder), 1);
        djp_span *late = start(root);
        finish_in(root, 65, 0);
        record = span_reader_take(recorder);
        assert_true(record->local_root && record->reason == DJP_REASON_ERROR);
        free(record);
        finish_in(late, 66, 0);
        assert_int_equal(span_reader_drain(recorder), 1);
        assert_int_equal(counters().late_sampled, 1);
        assert_int_equal(counters().by_reason[DJP_REASON_ERROR], 4);
        assert_int_equal(counters().by_reason[DJP_REASON_NONE], 2);
        assert_int_equal(counters().decided_on_buffer_full, by_memory);
        assert_int_equal(counters().decided_on_timeout, !by_memory);
        assert_int_equal(tear_down(NULL), 0);
    }
    use(options_of(1));
}

static void
the_roots_own_error_after_the_decision_is_not_lost(void **state)
{
    (void)state;
    djp__recorder_options options = options_of(1e-12);
    options.slow_threshold_ns = 0;
    use(options);
    djp_span *root = start(NULL);
    finish_in(start(root), 61, 0);
    finish_in(root, 62, 1);
    djp__span_record *record = span_reader_take(recorder);
    assert_true(record && record->reason == DJP_REASON_ERROR && record->threshold == 0);
    free(record);
}

/* A trace that the head samples has the adjusted count of the head until an error comes: from then
 * on it is 1. */
static void
adjusted_counts_change_with_the_reason(void **state)
{
    (void)state;
    use(patient_of(0.9999));
    uint64_t threshold = djp__threshold_of(0.9999);
    djp_span *root = start(NULL);
    finish_in(start(root), 61, 0);
    djp__span_record *record = span_reader_take(recorder);
    if (record != NULL) { /* all but never absent */
        assert_true(record->threshold == threshold);
        free(record);
    }
    finish_in(start(root), 62, 1);
    record = span_reader_take(recorder);
    assert_true(record->threshold == 0);
    free(record);
    finish_in(root, 63, 0);
    record = span_reader_take(recorder);
    assert_true(record->threshold == 0 && record->reason == DJP_REASON_ERROR);
    free(record);
}

static void
a_rule_after_the_decision_keeps(void **state)
{
    (void)state;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = options_of(1e-12);
    options.slow_threshold_ns = 0;
    options.tail_sampling_rules = rules;
    options.tail_sampling_rule_count =
        djp_tail_rules_parse(rules, djp__text("vip: attribute tier=gold"), NULL, NULL);
    use(options);
    djp_span *root = start(NULL);
    finish_in(start(root), 61, 0);
    djp_span *gold = start(root);
    djp_span_set_string(gold, djp_key_intern(DJP_TEXT("tier")), DJP_TEXT("gold"));
    finish_in(gold, 62, 0);
    finish_in(root, 63, 0);
    assert_int_equal(counters().by_reason[DJP_REASON_RULE], 2);
    assert_int_equal(span_reader_drain(recorder), 2);
}

static void
no_age_waits_for_ever(void **state)
{
    (void)state;
    djp__recorder_options options = options_of(1e-12);
    options.decision_wait_ns = 0;
    use(options);
    djp_span *root = start(NULL);
    finish_in(start(root), 1000 * 3600, 0);
    assert_true(counters().decision_buffer_bytes > 0);
    finish_in(root, 1001 * 3600, 0);
    assert_int_equal(counters().decided_on_timeout, 0);
    assert_int_equal(span_reader_drain(recorder), 2);
}

/* Times of another day, given by the caller, are no age. */
static void
given_times_of_the_past_are_no_age(void **state)
{
    (void)state;
    use(options_of(1e-12));
    djp_span_options options = {.start_unix_ns = 1000};
    djp_span *root = djp_span_start(recorder, DJP_TEXT("root"), &options);
    options.parent = root;
    djp_span *child = djp_span_start(recorder, DJP_TEXT("child"), &options);
    djp_span_end(child, 1000 + 3600 * S);
    djp_span_release(child);
    assert_int_equal(counters().decided_on_timeout, 0);
    djp_span_end(root, 1000 + 1);
    djp_span_release(root);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 2);
}

static void
a_failing_span_survives_a_root_that_never_ends(void **state)
{
    (void)state;
    use(options_of(1e-12));
    djp_span *root = start(NULL);
    djp_span *open = start(root), *failing = start(root), *after = start(root);
    finish(start(root));
    djp_span_release(root);
    finish(open);
    assert_int_equal(span_reader_drain(recorder), 0);
    finish_in(failing, 0, 1);
    finish(after);
    assert_int_equal(span_reader_drain(recorder), 2);
    assert_int_equal(counters().dropped[DJP__DROP_NEVER_ENDED], 1);
    assert_int_equal(counters().late_sampled, 1);
}

/* 100,000 spans wait, one more does not, and an error among the last is still kept. */
static void
a_hundred_thousand_spans_and_an_error(void **state)
{
    (void)state;
    djp__recorder_options options = patient_of(1e-12);
    options.decision_wait_ns = 3600 * S;
    options.decision_buffer_bytes = UINT64_MAX / 2;
    options.ring_bytes = 64u << 20;
    use(options);
    djp_span *root = start(NULL);
    for (int i = 0; i < 100000; i++) {
        finish(start(root));
    }
    assert_int_equal(counters().decided_on_buffer_full, 0);
    finish(start(root));
    assert_int_equal(counters().decided_on_buffer_full, 1);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 100001);
    finish_in(start(root), 0, 1);
    finish(root);
    assert_int_equal(span_reader_drain(recorder), 2);
    /* Whole, when the error comes before the bound. */
    root = start(NULL);
    for (int i = 0; i < 99999; i++) {
        finish(start(root));
    }
    finish_in(start(root), 0, 1);
    finish(root);
    assert_int_equal(span_reader_drain(recorder), 100001);
    assert_int_equal(counters().dropped[DJP__DROP_RING_FULL], 0);
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 300, CHILDREN = 8 };

static djp_span *shared_root;
static pthread_barrier_t barrier;

/* Every thread ends spans under the same root, which grows old meanwhile; the last span of each
 * fails. */
static void *
end_under_the_root(void *user)
{
    uint64_t self = (uint64_t)(uintptr_t)user;
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_barrier_wait(&barrier);
        djp_span *spans[CHILDREN];
        for (int i = 0; i < CHILDREN; i++) {
            spans[i] = start(shared_root);
        }
        for (uint64_t i = 0; i < CHILDREN; i++) {
            finish_in(spans[i], i * 20 + self, i == CHILDREN - 1);
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void
threads_lose_no_error(void **state)
{
    (void)state;
    djp__recorder_options options = options_of(1e-12);
    options.ring_bytes = 16u << 20;
    use(options);
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, end_under_the_root, (void *)i), 0);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        shared_root = start(NULL);
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        finish_in(shared_root, 200, 0);
        unsigned errors = 0, roots = 0;
        djp__span_record *record;
        while ((record = span_reader_take(recorder)) != NULL) {
            errors += record->status == DJP_STATUS_ERROR;
            roots += record->local_root;
            free(record);
        }
        assert_int_equal(errors, THREADS);
        assert_int_equal(roots, 1);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    assert_int_equal(counters().ended, counters().started);
    assert_int_equal(counters().started, TURNS * (THREADS * CHILDREN + 1));
    assert_true(counters().decided_on_timeout >= TURNS);
    assert_int_equal(counters().dropped[DJP__DROP_RING_FULL], 0);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_root_that_lives_for_hours_is_not_waited_for),
        CASE(what_is_known_by_then_decides),
        CASE(the_head_decides_where_nothing_is_known),
        CASE(an_error_after_the_decision_is_not_lost),
        CASE(the_roots_own_error_after_the_decision_is_not_lost),
        CASE(adjusted_counts_change_with_the_reason),
        CASE(a_rule_after_the_decision_keeps),
        CASE(no_age_waits_for_ever),
        CASE(given_times_of_the_past_are_no_age),
        CASE(a_failing_span_survives_a_root_that_never_ends),
        CASE(a_hundred_thousand_spans_and_an_error),
        CASE(threads_lose_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
