/* The canary: which traces are recorded at all, what is sent downstream for the others, and that
 * weights know of it. */
#include <stdlib.h>

#include "djp/context.h"
#include "local_trace_fixture.h"
#include "trace/recorder_state.h"
#include "trace/span_seed.h"

#define QUARTER (1ull << 54)

static djp__recorder_options
canary_options(double ratio, double canary)
{
    djp__recorder_options options = ratio_options(ratio);
    options.canary = djp__threshold_of(canary);
    options.parent_based = 1;
    options.sample_errors = 1;
    options.slow_threshold_ns = 0;
    return options;
}

static void
ids_of(uint8_t trace_id[16], uint64_t random)
{
    memset(trace_id, 0x11, 16);
    for (int i = 0; i < 7; i++) {
        trace_id[15 - i] = (uint8_t)(random >> (8 * i));
    }
}

/* A root of that randomness, below a remote parent where one is given. */
static djp_span *
root_of(uint64_t random, const djp_span_context *parent)
{
    djp__span_seed seed = {.start_monotonic = 1};
    djp_span_options options = {.remote = parent};
    ids_of(seed.trace_id, random);
    memset(seed.span_id, 7, sizeof seed.span_id);
    return djp__span_start_as(recorder, "root", 4, &options, &seed);
}

static unsigned
flags_of(const djp_span *span)
{
    djp_span_context context;
    djp_span_get_context(&context, span);
    return context.flags & DJP_FLAG_SAMPLED;
}

/* Ends a local trace of two spans, failing or not; the threshold that its root exports, or
 * `dropped`. */
static const uint64_t dropped = 77;
static uint64_t
outcome(djp_span *root, int fails)
{
    djp_span *child = start(root);
    assert_int_equal(djp_span_is_recording(child), djp_span_is_recording(root));
    if (fails) {
        djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    }
    finish(child);
    finish(root);
    djp__span_record *record;
    uint64_t threshold = dropped;
    while ((record = span_reader_take(recorder)) != NULL) {
        assert_true(threshold == dropped || threshold == record->threshold);
        threshold = record->threshold;
        free(record);
    }
    return threshold;
}

static void
roots_outside_are_not_recorded(void **state)
{
    (void)state;
    use(canary_options(0.25, 0.75));
    assert_true(outcome(root_of(QUARTER - 1, NULL), 0) == dropped);
    assert_true(outcome(root_of(QUARTER - 1, NULL), 1) == dropped); /* errors neither */
    assert_int_equal(flags_of(NULL), 0);
    assert_true(outcome(root_of(QUARTER, NULL), 0) == dropped);
    /* the error stands for those outside, too */
    assert_true(outcome(root_of(QUARTER, NULL), 1) == QUARTER);
    assert_true(outcome(root_of(3 * QUARTER, NULL), 0) == 3 * QUARTER);
    assert_true(outcome(root_of(3 * QUARTER, NULL), 1) == QUARTER);
    djp_span *outside = root_of(QUARTER - 1, NULL), *inside = root_of(3 * QUARTER, NULL);
    assert_true(!djp_span_is_recording(outside) && djp_span_is_recording(inside));
    assert_true(flags_of(outside) == 0 && flags_of(inside) != 0);
    finish(outside);
    finish(inside);
    assert_int_equal(counters().started_by[DJP_ORIGIN_NONE][DJP__OUTCOME_DROP], 3);
}

static void
a_ratio_above_the_canary_keeps_what_is_inside(void **state)
{
    (void)state;
    use(canary_options(1, 0.75));
    assert_true(outcome(root_of(QUARTER - 1, NULL), 0) == dropped);
    assert_true(outcome(root_of(QUARTER, NULL), 0) == QUARTER);
    djp__recorder_options always = canary_options(1, 0.75);
    always.always_on = 1;
    always.threshold = DJP__THRESHOLD_NEVER; /* means nothing with always_on */
    use(always);
    assert_true(outcome(root_of(QUARTER - 1, NULL), 0) == dropped);
    assert_true(outcome(root_of(QUARTER, NULL), 0) == QUARTER);
    assert_true(outcome(root_of(QUARTER, NULL), 1) == QUARTER);
    use(canary_options(1, 0));
    assert_true(outcome(root_of((1ull << 56) - 1, NULL), 1) == dropped);
}

static djp_span_context
parent_of(uint64_t random, unsigned flags, const char *tracestate)
{
    djp_span_context parent = {.flags = (uint8_t)flags, .is_remote = 1};
    djp_header field = {tracestate, strlen(tracestate)};
    ids_of(parent.trace_id, random);
    memset(parent.span_id, 5, sizeof parent.span_id);
    djp_tracestate_parse(&parent.state, &field, field.size > 0);
    return parent;
}

/* The flag that goes downstream is the parent's, and what is exported below it. */
static void
expect_below(uint64_t random, unsigned flags, const char *tracestate, int fails, int records,
             uint64_t threshold)
{
    djp_span_context parent = parent_of(random, flags, tracestate);
    djp_span *root = root_of(random, &parent);
    djp_span_context downstream;
    djp_span_get_context(&downstream, root);
    assert_int_equal(downstream.flags & DJP_FLAG_SAMPLED, flags);
    djp_text sent = djp_tracestate_text(downstream.state);
    assert_int_equal(sent.size, strlen(tracestate));
    assert_memory_equal(sent.data, tracestate, sent.size);
    assert_int_equal(djp_span_is_recording(root), records);
    uint64_t got = outcome(root, fails);
    if (got != threshold) {
        fail_msg("%s: threshold %llx, not %llx", tracestate, (unsigned long long)got,
                 (unsigned long long)threshold);
    }
    djp_span_context_clear(&parent);
}

static void
below_a_parent_its_flag_goes_on(void **state)
{
    (void)state;
    use(canary_options(0.25, 0.75));
    expect_below(QUARTER - 1, 1, "ot=th:0", 1, 0, dropped);
    expect_below(QUARTER - 1, 0, "", 1, 0, dropped);
    /* the parent's weight, and ours on top of it */
    expect_below(QUARTER, 1, "ot=th:0", 0, 1, QUARTER);
    expect_below(3 * QUARTER, 1, "ot=th:8", 0, 1, 2 * QUARTER);
    expect_below(3 * QUARTER, 1, "ot=th:8", 1, 1, QUARTER);
    expect_below(QUARTER, 1, "", 0, 1, DJP__THRESHOLD_NONE); /* unknown stays unknown */
    expect_below(QUARTER, 0, "", 0, 1, dropped);
    expect_below(QUARTER, 0, "", 1, 1, QUARTER);
    /* The randomness of the tracestate counts where it is given. */
    expect_below(QUARTER, 1, "ot=th:0;rv:3fffffffffffff", 0, 0, dropped);
    expect_below(0, 1, "ot=th:0;rv:40000000000000", 0, 1, QUARTER);
}

static void
another_canary_holds_from_then_on(void **state)
{
    (void)state;
    use(canary_options(1, 1));
    const djp__policy *first = djp__recorder_policy(recorder);
    djp_span *before = root_of(1, NULL);
    djp__recorder_set_canary(recorder, 0.5);
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_true(outcome(before, 1) == 0);
    assert_true(outcome(root_of(1, NULL), 1) == dropped);
    assert_true(outcome(root_of(2 * QUARTER, NULL), 0) == 2 * QUARTER);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0.25), 0);
    assert_true(outcome(root_of(2 * QUARTER, NULL), 0) == dropped);
    assert_true(outcome(root_of(2 * QUARTER, NULL), 1) == 2 * QUARTER);
    djp__recorder_set_canary(recorder, -1);
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_ptr_equal(djp__recorder_policy(recorder), first);
    for (int i = 0; i < 3 * (int)DJP__POLICIES_MAX; i++) { /* any number of them fits */
        djp__recorder_set_canary(recorder, (i + 1) / 7000.0);
        assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    }
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TRACES = 50000 };
#define BOUND 0.05
#else
enum { TRACES = 500000 };
#define BOUND 0.015
#endif

static uint64_t
noise(uint64_t *random_state)
{
    uint64_t z = *random_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Counting by weights gives the truth: of all, and of the failed ones. */
static void
weights_know_of_the_canary(void **state)
{
    (void)state;
    use(canary_options(0.1, 0.3));
    uint64_t source = 5;
    double truth[2] = {0}, counted[2] = {0};
    for (int i = 0; i < TRACES; i++) {
        djp_span *root = root_of(noise(&source) >> 8, NULL);
        int fails = noise(&source) % 4 == 0;
        truth[fails]++;
        if (fails) {
            djp_span_set_status(root, DJP_STATUS_ERROR, (djp_text){NULL, 0});
        }
        finish(root);
        djp__span_record *record = span_reader_take(recorder);
        if (record != NULL) {
            counted[fails] += 0x1p56 / (0x1p56 - (double)record->threshold);
            free(record);
        }
    }
    for (int fails = 0; fails < 2; fails++) {
        double error = counted[fails] / truth[fails] - 1;
        if (error > BOUND || error < -BOUND) {
            fail_msg("failed %d: %.0f counted, %.0f there", fails, counted[fails], truth[fails]);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(roots_outside_are_not_recorded, tear_down),
        cmocka_unit_test_teardown(a_ratio_above_the_canary_keeps_what_is_inside, tear_down),
        cmocka_unit_test_teardown(below_a_parent_its_flag_goes_on, tear_down),
        cmocka_unit_test_teardown(another_canary_holds_from_then_on, tear_down),
        cmocka_unit_test_teardown(weights_know_of_the_canary, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
