/* Spans that end after the root of their local trace: an error there is sampled with its sub-tree,
 * and nothing counts twice. */
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/str.h"
#include "local_trace_fixture.h"
#include "trace/span_seed.h"

#define S 1000000000ull

static void
end_failed(djp_span *span)
{
    djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    finish(span);
}

static int
is_marked_late(const djp__span_record *record)
{
    djp_key late = djp_key_intern(DJP_TEXT("sampling.late"));
    for (const djp__item *item = djp__record_first(record); item < djp__record_end(record);
         item = djp__item_next(item)) {
        if (item->key == late && djp__item_type(item) == DJP_BOOL) {
            return 1;
        }
    }
    return 0;
}

/* Takes one record: a late part begins with it when `first`. */
static void
take_late(int first)
{
    djp__span_record *record = span_reader_take(recorder);
    assert_non_null(record);
    assert_true(record->threshold == 0);
    assert_int_equal(record->local_root == DJP_ROOT_LATE, first);
    assert_int_equal(is_marked_late(record), first);
    assert_int_equal(record->reason, first ? DJP_REASON_ERROR : DJP_REASON_NONE);
    free(record);
}

static void
an_error_after_the_end_is_kept_with_what_is_below(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span_end(root, 0);
    djp_span *task = start(root), *quiet = start(root);
    finish(start(task));
    djp_span *deep = start(task);
    finish(start(deep));
    finish(deep);
    finish(quiet);
    assert_int_equal(span_reader_drain(recorder), 0);
    end_failed(task);
    for (int i = 0; i < 3; i++) {
        take_late(0);
    }
    take_late(1);
    assert_null(span_reader_take(recorder));
    djp_span_release(root);
    assert_int_equal(counters().late_sampled_parts, 1);
    assert_int_equal(counters().by_reason[DJP_REASON_ERROR], 4);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 2);
}

/* A failing span below a good one keeps the good one, too: the late part is decided when its first
 * span ends. */
static void
an_error_deep_below_keeps_the_whole_part(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span_end(root, 0);
    djp_span *task = start(root);
    end_failed(start(task));
    assert_int_equal(span_reader_drain(recorder), 0);
    finish(task);
    take_late(0);
    take_late(1);
    djp_span_release(root);
}

/* A span that was open when its root ended leads what begins below it from then on. What ended
 * before the root is gone with it. */
static void
a_span_that_outlives_its_root_leads_its_part(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL), *task = start(root), *other = start(root);
    finish(start(task));
    finish(root);
    finish(start(task));
    djp_span *below = start(task);
    finish(start(below));
    finish(below);
    finish(other);
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 3);
    end_failed(task);
    for (int i = 0; i < 3; i++) {
        take_late(0);
    }
    take_late(1);
    assert_int_equal(counters().late_sampled_parts, 1);
}

static void
later_than_late_goes_on(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span_end(root, 0);
    djp_span *good = start(root), *bad = start(root);
    djp_span_end(good, 0);
    djp_span_set_status(bad, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    djp_span_end(bad, 0);
    take_late(1);
    finish(start(bad)); /* below what was kept: follows */
    take_late(0);
    finish(start(good));
    assert_null(span_reader_take(recorder));
    end_failed(start(good));
    take_late(1);
    djp_span_release(bad);
    djp_span_release(good);
    djp_span_release(root);
}

/* Of n traces of which each has a late error, the ratio samples some as a whole: there, too,
 * the error has the adjusted count 1. */
static void
adjusted_counts_of_late_errors_are_true(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(0.25);
    options.ring_bytes = 16u << 20;
    use(options);
    uint64_t head = djp__threshold_of(0.25);
    double errors = 0, roots = 0, good = 0;
    for (int i = 0; i < 4000; i++) {
        djp_span *root = start(NULL), *open = start(root);
        djp_span_end(root, 0);
        end_failed(start(root));
        finish(start(root));
        end_failed(open);
        djp_span_release(root);
        djp__span_record *record;
        while ((record = span_reader_take(recorder)) != NULL) {
            double weight = 1 / (1 - (double)record->threshold / (double)(1ull << 56));
            assert_true(record->threshold == 0 || record->threshold == head);
            errors += record->status == DJP_STATUS_ERROR ? weight : 0;
            roots += record->local_root == DJP_ROOT_OF_TRACE ? weight : 0;
            good += record->status != DJP_STATUS_ERROR && !record->local_root ? weight : 0;
            free(record);
        }
    }
    assert_true(errors > 7999.9 && errors < 8000.1);
    assert_true(roots > 3500 && roots < 4500);
    assert_true(good > 3500 && good < 4500);
}

static void
late_spans_are_not_slow(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span_end(root, 0);
    djp_span *task = start(root);
    djp__span_end_at(task, djp__clock_monotonic() + 3600 * S);
    djp_span_release(task);
    djp_span_release(root);
    assert_int_equal(counters().by_reason[DJP_REASON_SLOW], 0);
    assert_int_equal(span_reader_drain(recorder), 0);
}

static void
rules_keep_late_spans(void **state)
{
    (void)state;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options = ratio_options(1e-9);
    options.sample_errors = 0;
    options.slow_threshold_ns = 0;
    options.tail_sampling_rules = rules;
    options.tail_sampling_rule_count =
        djp_tail_rules_parse(rules, djp__text("attribute tier=gold"), NULL, NULL);
    use(options);
    djp_span *root = start(NULL), *open = start(root);
    djp_span_end(root, 0);
    djp_span *task = start(root), *below = start(task);
    djp_span_set_string(below, djp_key_intern(DJP_TEXT("tier")), DJP_TEXT("gold"));
    finish(below);
    finish(task);
    assert_int_equal(span_reader_drain(recorder), 2);
    djp_span_set_string(open, djp_key_intern(DJP_TEXT("tier")), DJP_TEXT("gold"));
    finish(open);
    assert_int_equal(span_reader_drain(recorder), 1);
    end_failed(start(root));
    assert_int_equal(span_reader_drain(recorder), 0); /* errors are not kept here */
    djp_span_release(root);
    assert_int_equal(counters().by_reason[DJP_REASON_RULE], 3);
}

static void
nothing_is_late_sampled_where_nothing_may_leave(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(0);
    options.drop_all = 1;
    use(options);
    djp_span *root = start(NULL);
    djp_span_end(root, 0);
    end_failed(start(root));
    djp_span_release(root);
    assert_int_equal(span_reader_drain(recorder), 0);
}

static void
memory_of_late_spans_is_bounded(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(1e-9);
    options.decision_buffer_bytes = 64 * 1024;
    use(options);
    djp_span *root = start(NULL);
    djp_span_end(root, 0);
    djp_span *task = start(root);
    for (int i = 0; i < 10000; i++) {
        finish(start(task));
        assert_true(counters().decision_buffer_bytes <= 64 * 1024);
    }
    end_failed(task);
    djp_span_release(root);
    assert_int_equal(counters().decided_on_buffer_full, 1);
    take_late(1);
}

/* Spans that are given up without an end, in every order. */
static void
late_spans_that_never_end_leave_nothing_behind(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    for (int failing = 0; failing < 2; failing++) {
        djp_span *root = start(NULL), *task = start(root), *early = start(task);
        djp_span_end(root, 0);
        djp_span *below = start(task), *late = start(root), *under = start(late);
        if (failing) {
            end_failed(below);
        } else {
            finish(below);
        }
        djp_span_release(task);
        djp_span_release(root);
        djp_span_release(late);
        finish(under);
        finish(early);
        assert_int_equal(span_reader_drain(recorder), (unsigned)failing);
    }
    assert_int_equal(counters().dropped[DJP__DROP_NEVER_ENDED], 4);
    assert_int_equal(counters().started, counters().ended + 4);
}

/* ---- spans that are found by their context ---- */

static djp_span *
start_by_context(const djp_span_context *context)
{
    djp_span_options options = {.remote = context};
    return djp_span_start(recorder, DJP_TEXT("span"), &options);
}

static void
a_context_of_an_ended_root_begins_a_late_part(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span_context context;
    djp_span_get_context(&context, root);
    djp_span_share(root);
    djp_span_end(root, 0);
    end_failed(start_by_context(&context));
    take_late(1);
    djp_span_release(root);
}

/* ---- threads ---- */

typedef struct thread_work {
    djp_span *root, *task;
    DJP__ATOMIC(int) * go;
} thread_work;

static void *
work_below(void *argument)
{
    thread_work *work = argument;
    djp_span_context context;
    djp_span_get_context(&context, work->root);
    while (!djp__load_acquire(work->go)) {
    }
    for (int i = 0; i < 200; i++) {
        djp_span *span = start(i % 2 ? work->task : work->root);
        finish(start(span));
        djp_span_share(span);
        finish(start_by_context(&context));
        if (i % 10 == 0) {
            djp_span_set_status(span, DJP_STATUS_ERROR, (djp_text){NULL, 0});
        }
        finish(span);
    }
    return NULL;
}

/* Children of a root and of a task begin in several threads while both end: every span has one
 * fate. */
static void
ends_and_starts_may_race(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(1e-9);
    options.ring_bytes = 16u << 20;
    use(options);
    for (int round = 0; round < 20; round++) {
        DJP__ATOMIC(int) go = 0;
        djp_span *root = start(NULL);
        thread_work work = {root, start(root), &go};
        djp_span_share(root);
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, work_below, &work), 0);
        }
        djp__store_release(&go, 1);
        djp_span_end(root, 0);
        djp_span_end(work.task, 0);
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
        }
        djp_span_release(work.task);
        djp_span_release(root);
    }
    span_reader_drain(recorder);
    djp__recorder_totals got = counters();
    assert_int_equal(got.started, 20 * (3 * 600 + 2));
    assert_int_equal(got.ended, got.started);
    assert_true(got.by_reason[DJP_REASON_ERROR] >= 20 * 3 * 20);
    assert_int_equal(got.by_reason[DJP_REASON_ERROR] + got.by_reason[DJP_REASON_NONE], got.started);
}

enum { CROWD_THREADS = 3, CROWD_ROUNDS = 3000, CROWD_OPEN = 1000 };

/* Holds more shared roots open than the table has room for, so that each new one takes the entry of
 * another thread's. */
static void *
work_in_a_crowd(void *unused)
{
    djp_span **open = calloc(CROWD_OPEN, sizeof *open);
    for (int i = 0; open && i < CROWD_ROUNDS; i++) {
        djp_span_context context;
        djp_span *root = start(NULL);
        djp_span_share(root);
        djp_span_get_context(&context, root);
        finish(start_by_context(&context));
        if (open[i % CROWD_OPEN]) {
            finish(open[i % CROWD_OPEN]);
        }
        open[i % CROWD_OPEN] = root;
    }
    for (int i = 0; open && i < CROWD_OPEN; i++) {
        finish(open[i]);
    }
    free(open);
    return unused;
}

/* A trace whose entries give way to others' while it ends. */
static void
entries_may_go_while_their_trace_ends(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    pthread_t threads[CROWD_THREADS];
    for (int i = 0; i < CROWD_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work_in_a_crowd, NULL), 0);
    }
    for (int i = 0; i < CROWD_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    djp__recorder_totals got = counters();
    assert_int_equal(got.started, CROWD_THREADS * CROWD_ROUNDS * 2);
    assert_int_equal(got.ended, got.started);
    assert_int_equal(got.live, 0);
}

#define CASE(name) cmocka_unit_test_teardown(name, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_error_after_the_end_is_kept_with_what_is_below),
        CASE(an_error_deep_below_keeps_the_whole_part),
        CASE(a_span_that_outlives_its_root_leads_its_part),
        CASE(later_than_late_goes_on),
        CASE(adjusted_counts_of_late_errors_are_true),
        CASE(late_spans_are_not_slow),
        CASE(rules_keep_late_spans),
        CASE(nothing_is_late_sampled_where_nothing_may_leave),
        CASE(memory_of_late_spans_is_bounded),
        CASE(late_spans_that_never_end_leave_nothing_behind),
        CASE(a_context_of_an_ended_root_begins_a_late_part),
        CASE(ends_and_starts_may_race),
        CASE(entries_may_go_while_their_trace_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
