/* What happens to a local trace while its root decides, and to its root while a child is put on the
 * list: the exchange is compiled in with a hook in front of it. And what a forked child does with
 * spans that wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"

static void (*interrupt)(void);

/* Runs the hook once, before the exchange. */
static void
interrupted(void)
{
    void (*run)(void) = interrupt;
    interrupt = NULL;
    if (run) {
        run();
    }
}

#undef djp__cas_weak_acq_rel
#define djp__cas_weak_acq_rel(p, expected, v)              \
    (interrupted(), atomic_compare_exchange_weak_explicit( \
                        (p), (expected), (v), memory_order_acq_rel, memory_order_acquire))
#include "trace/local_trace.c"

#include "span_reader.h"

static djp_recorder *recorder;
static djp_span *child;

static void
child_fails_meanwhile(void)
{
    djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    djp_span_end(child, 0);
}

/* An error that was filed before the decision took effect keeps the trace. */
static void
an_error_during_the_decision_is_kept(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = DJP__THRESHOLD_NEVER;
    options.sample_errors = 1;
    recorder = span_reader_recorder(&options);
    djp_span *root = djp_span_start(recorder, DJP_TEXT("root"), NULL);
    djp_span_options below = {.parent = root};
    child = djp_span_start(recorder, DJP_TEXT("child"), &below);
    interrupt = child_fails_meanwhile;
    djp_span_end(root, 0);
    assert_null(interrupt);
    djp_span_release(root);
    djp_span_release(child);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.by_reason[DJP_REASON_ERROR], 2);
    assert_int_equal(counters.by_reason[DJP_REASON_NONE], 0);
    assert_int_equal(counters.live, 0);
    assert_int_equal(counters.decision_buffer_bytes, 0);
    assert_int_equal(span_reader_drain(recorder), 2);
    djp__recorder_free(recorder);
}

static djp_span *decided_root;
static int root_fails;

static void
root_ends_meanwhile(void)
{
    if (root_fails) {
        djp_span_set_status(decided_root, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    }
    djp_span_end(decided_root, 0);
}

/* A child is about to be put on the list when the root decides: it follows the decision, and what
 * it would have held back is given back. */
static void
a_child_that_ends_during_the_decision_follows_it(void **state)
{
    (void)state;
    for (root_fails = 0; root_fails < 2; root_fails++) {
        djp__recorder_options options = span_reader_options();
        options.always_on = 0;
        options.threshold = DJP__THRESHOLD_NEVER;
        options.sample_errors = 1;
        recorder = span_reader_recorder(&options);
        djp__recorder_totals counters;
        for (unsigned turn = 1; turn <= 3; turn++) {
            decided_root = djp_span_start(recorder, DJP_TEXT("root"), NULL);
            djp_span_options below = {.parent = decided_root};
            djp_span *first = djp_span_start(recorder, DJP_TEXT("first"), &below);
            child = djp_span_start(recorder, DJP_TEXT("child"), &below);
            djp_span_end(first, 0); /* waits */
            djp_span_release(first);
            interrupt = root_ends_meanwhile;
            djp_span_end(child, 0);
            assert_null(interrupt);
            djp_span_release(decided_root);
            djp_span_release(child);
            djp__recorder_counters(&counters, recorder);
            assert_int_equal(counters.decision_buffer_bytes, 0);
            assert_int_equal(counters.live, 0);
            assert_int_equal(root_fails ? counters.by_reason[DJP_REASON_ERROR]
                                        : counters.by_reason[DJP_REASON_NONE],
                             3 * turn);
        }
        assert_int_equal(span_reader_drain(recorder), root_fails ? 9 : 0);
        djp__recorder_free(recorder);
    }
}

/* A trace that was given up early, while its ratio sampled it, and then fails: nothing of it was
 * ever lost, so nothing came late. */
static void
a_trace_that_was_sampled_early_is_not_late(void **state)
{
    (void)state;
    for (int sampled = 0; sampled < 2; sampled++) {
        djp__recorder_options options = span_reader_options();
        options.always_on = 0;
        /* of 2^56: nearly all, or nearly none */
        options.threshold = sampled ? 1 : DJP__THRESHOLD_NEVER - 1;
        options.sample_errors = 1;
        options.decision_buffer_bytes = 1; /* no child waits */
        recorder = span_reader_recorder(&options);
        djp_span *root = djp_span_start(recorder, DJP_TEXT("root"), NULL);
        djp_span_options below = {.parent = root};
        for (int i = 0; i < 3; i++) {
            child = djp_span_start(recorder, DJP_TEXT("child"), &below);
            if (i == 2) {
                djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
            }
            djp_span_end(child, 0);
            djp_span_release(child);
        }
        djp_span_end(root, 0);
        djp_span_release(root);
        djp__recorder_totals counters;
        djp__recorder_counters(&counters, recorder);
        assert_int_equal(counters.decided_on_buffer_full, 1);
        assert_int_equal(span_reader_drain(recorder), sampled ? 4 : 2);
        assert_int_equal(counters.late_sampled, sampled ? 0 : 1);
        djp__recorder_free(recorder);
    }
}

/* Spans that wait belong to the parent: the child of a fork gives their memory back with their
 * root, and sends none of them. */
static void
in_forked_child(djp_span *root)
{
    unsigned before = djp__thread.block_count;
    djp__recorder_totals counters;
    alarm(120);
    djp_span_end(root, 0);
    djp_span_release(root);
    djp__recorder_counters(&counters, recorder);
    int bad = span_reader_drain(recorder) != 0 || counters.decision_buffer_bytes != 0;
#if !defined(__SANITIZE_ADDRESS__)
    bad |= djp__thread.block_count != before + 6;
#else
    (void)before; /* there no block is kept for another use */
#endif
    _exit(bad);
}

static void
a_forked_child_forgets_spans_that_wait(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = DJP__THRESHOLD_NEVER;
    options.sample_errors = 1;
    recorder = span_reader_recorder(&options);
    djp_span *root = djp_span_start(recorder, DJP_TEXT("root"), NULL);
    djp_span_options below = {.parent = root};
    for (int i = 0; i < 5; i++) {
        child = djp_span_start(recorder, DJP_TEXT("child"), &below);
        djp_span_set_status(child, i ? DJP_STATUS_UNSET : DJP_STATUS_ERROR, (djp_text){NULL, 0});
        djp_span_end(child, 0);
        djp_span_release(child);
    }
    pid_t pid = fork();
    if (pid == 0) {
        djp__recorder_fork_child(recorder);
        in_forked_child(root);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    djp_span_end(root, 0);
    djp_span_release(root);
    assert_int_equal(span_reader_drain(recorder), 6);
    djp__recorder_free(recorder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_during_the_decision_is_kept),
        cmocka_unit_test(a_child_that_ends_during_the_decision_follows_it),
        cmocka_unit_test(a_trace_that_was_sampled_early_is_not_late),
        cmocka_unit_test(a_forked_child_forgets_spans_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
