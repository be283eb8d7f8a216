/* What happens to a local trace while its root decides: the decision is compiled in with a hook between its look at the evidence and
 * its exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

#undef djp_cas_weak_acq_rel
#define djp_cas_weak_acq_rel(p, expected, v) \
    (interrupted(),                          \
     atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_acq_rel, memory_order_acquire))
#include "trace/local_trace.c"

#include "span_reader.h"

static djp_recorder *recorder;
static djp_span *child;

static void
child_fails_meanwhile(void)
{
    djp_span_set_status(child, DJP_STATUS_ERROR, NULL, 0);
    djp_span_end(child, 0);
}

/* An error that was filed before the decision took effect keeps the trace. */
static void
an_error_during_the_decision_is_kept(void **state)
{
    (void)state;
    djp_recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = DJP_THRESHOLD_NEVER;
    options.sample_errors = 1;
    recorder = span_reader_recorder(&options);
    djp_span *root = djp_span_start(recorder, "root", 4, NULL);
    djp_span_options below = {.parent = root};
    child = djp_span_start(recorder, "child", 5, &below);
    interrupt = child_fails_meanwhile;
    djp_span_end(root, 0);
    assert_null(interrupt);
    djp_span_release(root);
    djp_span_release(child);
    djp_recorder_counters counters;
    djp__recorder_counters(&counters, recorder);
    assert_int_equal(counters.sampled_error, 2);
    assert_int_equal(counters.dropped_unsampled, 0);
    assert_int_equal(counters.live, 0);
    assert_int_equal(counters.decision_buffer_bytes, 0);
    assert_int_equal(span_reader_drain(recorder), 2);
    djp__recorder_free(recorder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_during_the_decision_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
