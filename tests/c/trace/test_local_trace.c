/* Which spans are sampled and with what adjusted count: head decisions by ratio and by parent, the
 * tail decision of a local trace, late spans, overflow, and the published thresholds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "base/str.h"
#include "local_trace_fixture.h"

/* A remote parent whose randomness is r and whose tracestate is state (or NULL). */
static djp_span_context
remote(uint64_t r, unsigned flags, const char *state)
{
    djp_span_context context;
    memset(&context, 0, sizeof context);
    memset(context.trace_id, 0xab, 9);
    for (int i = 15; i >= 9; i--, r >>= 8) {
        context.trace_id[i] = (uint8_t)r;
    }
    context.span_id[7] = 1;
    context.flags = (uint8_t)flags;
    context.is_remote = 1;
    djp_header field = djp__text(state);
    djp_tracestate_parse(&context.state, &field, state != NULL);
    return context;
}

static djp_span *
start_under(const djp_span_context *context)
{
    djp_span_options options = {.remote = context};
    return djp_span_start(recorder, DJP_TEXT("span"), &options);
}

static void
the_ratio_is_kept_without_bias(void **state)
{
    (void)state;
    use(ratio_options(0.1));
    unsigned kept = 0;
    for (int i = 0; i < 20000; i++) {
        djp_span *span = start(NULL);
        djp_span_context context;
        djp_span_get_context(&context, span);
        uint64_t r = djp__randomness(context.trace_id);
        int sampled = (context.flags & DJP_FLAG_SAMPLED) != 0;
        assert_int_equal(sampled, r >= 0xe6660000000000ull);
        assert_true(djp_span_is_recording(span));
        if (sampled) {
            assert_true(djp__text_equal(djp_tracestate_text(context.state), "ot=th:e666"));
        } else {
            assert_null(context.state);
        }
        finish(span);
        djp__span_record *record = span_reader_take(recorder);
        assert_int_equal(record != NULL, sampled);
        if (record != NULL) {
            assert_int_equal(record->reason, DJP_REASON_RATIO);
            assert_true(record->threshold == 0xe6660000000000ull);
            assert_int_equal(record->state_size, 0);
            kept++;
        }
        free(record);
    }
    assert_true(kept > 1800 && kept < 2200);
    assert_int_equal(counters().by_reason[DJP_REASON_RATIO], kept);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 20000 - kept);
    assert_int_equal(counters().ended, 20000);
}

static void
errors_that_the_ratio_keeps_weigh_one(void **state)
{
    (void)state;
    use(ratio_options(0.5));
    djp_span_context context = remote(0xf0000000000000ull, 0, NULL);
    djp__recorder_options options = ratio_options(0.5);
    options.parent_based = 0;
    use(options);
    djp_span *root = start_under(&context);
    end_in_error(start(root));
    finish(root);
    for (int i = 0; i < 2; i++) {
        djp__span_record *record = span_reader_take(recorder);
        assert_true(record->threshold == 0);
        assert_int_equal(record->trace_flags, DJP_FLAG_SAMPLED);
        free(record);
    }
    finish(start_under(&context));
    djp__span_record *record = span_reader_take(recorder);
    assert_true(record->threshold == 0x80000000000000ull);
    assert_int_equal(record->reason, DJP_REASON_RATIO);
    free(record);
}

static void
late_spans_follow_a_refusal(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span *late = start(root);
    finish(start(root));
    finish(root);
    finish(late);
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 3);
}

static void
always_on_streams_without_waiting(void **state)
{
    (void)state;
    use(span_reader_options());
    djp_span *root = start(NULL);
    end_in_error(start(root));
    djp__span_record *record = span_reader_take(recorder);
    assert_non_null(record);
    assert_true(record->threshold == DJP__THRESHOLD_NONE);
    free(record);
    finish(root);
    record = span_reader_take(recorder);
    assert_int_equal(record->reason, DJP_REASON_ALWAYS);
    free(record);
    assert_int_equal(counters().by_reason[DJP_REASON_ALWAYS], 2);
}

static void
parents_decide_by_their_flag(void **state)
{
    (void)state;
    static const struct {
        unsigned flags;
        const char *state;
        uint64_t threshold; /* of the sampled span; 1: not sampled */
        const char *sent; /* tracestate that goes on */
    } cases[] = {
        {1, NULL, DJP__THRESHOLD_NONE, ""},
        {3, "vendor=1", DJP__THRESHOLD_NONE, "vendor=1"},
        {1, "ot=th:8", 0x80000000000000ull, "ot=th:8"},
        {3, "a=b,ot=x:y;th:c", 0xc0000000000000ull, "a=b,ot=x:y;th:c"},
        {1, "ot=th:f", DJP__THRESHOLD_NONE, ""}, /* R is below: inconsistent */
        {1, "ot=th:f;k:v,a=b", DJP__THRESHOLD_NONE, "ot=k:v,a=b"},
        {1, "ot=th:f;rv:ffffffffffffff", 0xf0000000000000ull, "ot=th:f;rv:ffffffffffffff"},
        {1, "ot=th:zz", DJP__THRESHOLD_NONE, ""},
        {0, NULL, 1, ""},
        {2, "ot=th:f", 1, "ot=th:f"}, /* consistent: not sampled, R below */
        {0, "ot=th:8,a=b", 1, "a=b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use(ratio_options(0.5));
        djp_span_context parent = remote(0xe0000000000000ull, cases[i].flags, cases[i].state), own;
        djp_span *root = start_under(&parent);
        djp_span_get_context(&own, root);
        assert_memory_equal(own.trace_id, parent.trace_id, 16);
        assert_int_equal(own.flags, cases[i].flags);
        assert_true(djp__text_equal(djp_tracestate_text(own.state), cases[i].sent));
        finish(root);
        djp__span_record *record = span_reader_take(recorder);
        assert_int_equal(record == NULL, cases[i].threshold == 1);
        if (record != NULL) {
            assert_true(record->threshold == cases[i].threshold);
            assert_int_equal(record->reason, DJP_REASON_PARENT);
            assert_int_equal(record->parent_remote, 1);
            assert_memory_equal(record->parent_id, parent.span_id, 8);
            assert_true(djp__text_equal(span_reader_state(record), cases[i].sent));
        }
        free(record);
        /* An error is kept whatever the parent said, and weighs one unless the parent's weight is
         * unknown. */
        djp_span *failing = start_under(&parent);
        end_in_error(failing);
        record = span_reader_take(recorder);
        assert_int_equal(record->reason, DJP_REASON_ERROR);
        int unknown = cases[i].threshold == DJP__THRESHOLD_NONE;
        assert_true(record->threshold == (unknown ? DJP__THRESHOLD_NONE : 0));
        free(record);
        djp_span_context_clear(&parent);
        assert_int_equal(tear_down(NULL), 0);
    }
    use(span_reader_options());
}

static void
a_ratio_without_parents_rewrites_the_threshold(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(0.25);
    options.parent_based = 0;
    use(options);
    static const struct {
        uint64_t r;
        const char *state, *sent;
    } cases[] = {
        {0xd0000000000000ull, "a=b,ot=th:8;k:v", "ot=th:c;k:v,a=b"},
        {0xd0000000000000ull, "a=b", "ot=th:c,a=b"},
        {0x10000000000000ull, "a=b,ot=th:8;k:v", "ot=k:v,a=b"},
        {0x10000000000000ull, "ot=th:8", ""},
        {0x10000000000000ull, "a=b", "a=b"},
        {0x10000000000000ull, "ot=rv:d0000000000000", "ot=th:c;rv:d0000000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_span_context parent = remote(cases[i].r, 0, cases[i].state), own;
        djp_span *root = start_under(&parent);
        djp_span_get_context(&own, root);
        assert_true(djp__text_equal(djp_tracestate_text(own.state), cases[i].sent));
        finish(root);
        djp_span_context_clear(&parent);
    }
    assert_int_equal(span_reader_drain(recorder), 3);
}

static void
without_tail_rules_nothing_waits(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(1e-9);
    options.sample_errors = 0;
    options.slow_threshold_ns = 0;
    use(options);
    djp_span *root = start(NULL);
    assert_false(djp_span_is_recording(root));
    djp_span_set_int(root, 1, 1);
    end_in_error(start(root));
    assert_int_equal(counters().decision_buffer_bytes, 0);
    assert_true(djp_span_end(root, 0) > 0);
    djp_span_release(root);
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 2);
}

static void
drop_all_gives_ids_and_keeps_nothing(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.drop_all = 1;
    use(options);
    djp_span_context parent = remote(5, 3, "a=b"), own;
    djp_span *root = start_under(&parent);
    assert_false(djp_span_is_recording(root));
    djp_span_get_context(&own, root);
    assert_memory_equal(own.trace_id, parent.trace_id, 16);
    assert_memory_not_equal(own.span_id, parent.span_id, 8);
    assert_int_equal(own.flags, DJP_FLAG_RANDOM);
    assert_true(djp__text_equal(djp_tracestate_text(own.state), "a=b"));
    djp_span *child = start(root);
    end_in_error(child);
    finish(root);
    finish(start(NULL));
    assert_int_equal(span_reader_drain(recorder), 0);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 3);
    djp_span_context_clear(&parent);
}

static void
overflow_decides_by_the_head(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(1e-9);
    options.decision_buffer_bytes = 10000;
    use(options);
    djp_span *root = start(NULL);
    for (int i = 0; i < 100; i++) {
        finish(start(root));
        assert_true(counters().decision_buffer_bytes <= 10000);
    }
    finish(root);
    assert_int_equal(counters().decided_on_buffer_full, 1);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 101);
    assert_int_equal(span_reader_drain(recorder), 0);
    /* An error that was seen before is still reason enough. */
    root = start(NULL);
    end_in_error(start(root));
    for (int i = 0; i < 100; i++) {
        finish(start(root));
    }
    finish(root);
    assert_int_equal(span_reader_drain(recorder), 102);
    assert_int_equal(counters().decided_on_buffer_full, 2);
    assert_int_equal(counters().by_reason[DJP_REASON_ERROR], 102);
}

static void
spans_of_one_local_trace_are_bounded_in_number(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(1e-9);
    options.decision_buffer_bytes = UINT64_MAX / 2;
    options.slow_threshold_ns = 0; /* of a loaded machine */
    use(options);
    djp_span *root = start(NULL);
    for (int i = 0; i < 100010; i++) {
        finish(start(root));
    }
    assert_int_equal(counters().decided_on_buffer_full, 1);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 100010);
    finish(root);
}

static void
a_root_that_never_ends_leaves_its_children(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    for (int failing = 0; failing < 2; failing++) {
        djp_span *root = start(NULL);
        djp_span *child = start(root);
        if (failing) {
            end_in_error(child);
        } else {
            finish(child);
        }
        djp_span *open = start(root);
        djp_span_release(root);
        finish(open);
        assert_int_equal(span_reader_drain(recorder), failing ? 2 : 0);
    }
    assert_int_equal(counters().dropped[DJP__DROP_NEVER_ENDED], 2);
    djp_span *root = start(NULL);
    djp_span_release(start(root));
    finish(root);
    assert_int_equal(counters().dropped[DJP__DROP_NEVER_ENDED], 3);
    assert_int_equal(counters().started, counters().ended + 3);
}

static void
a_full_ring_is_counted(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.ring_bytes = 4096;
    use(options);
    for (int i = 0; i < 100; i++) {
        finish(start(NULL));
    }
    unsigned kept = span_reader_drain(recorder);
    assert_true(kept > 10);
    assert_int_equal(counters().by_reason[DJP_REASON_ALWAYS], kept);
    assert_int_equal(counters().dropped[DJP__DROP_RING_FULL], 100 - kept);
    assert_int_equal(counters().ended, 100);
}

static void
reversed_release_order_is_fine(void **state)
{
    (void)state;
    use(ratio_options(1e-9));
    djp_span *root = start(NULL);
    djp_span *child = start(root);
    djp_span *grandchild = start(child);
    djp_span_end(grandchild, 0);
    djp_span_set_status(child, DJP_STATUS_ERROR, DJP_TEXT("x"));
    djp_span_end(child, 0);
    djp_span_end(root, 0);
    djp_span_release(root);
    djp_span_context context;
    djp_span_get_context(&context, child);
    assert_true(djp_span_context_is_valid(&context));
    djp_span *late = start(grandchild);
    djp_span_release(child);
    djp_span_release(grandchild);
    finish(late);
    assert_int_equal(span_reader_drain(recorder), 4);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_ratio_is_kept_without_bias),
        CASE(errors_that_the_ratio_keeps_weigh_one),
        CASE(late_spans_follow_a_refusal),
        CASE(always_on_streams_without_waiting),
        CASE(parents_decide_by_their_flag),
        CASE(a_ratio_without_parents_rewrites_the_threshold),
        CASE(without_tail_rules_nothing_waits),
        CASE(drop_all_gives_ids_and_keeps_nothing),
        CASE(overflow_decides_by_the_head),
        CASE(spans_of_one_local_trace_are_bounded_in_number),
        CASE(a_root_that_never_ends_leaves_its_children),
        CASE(a_full_ring_is_counted),
        CASE(reversed_release_order_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
