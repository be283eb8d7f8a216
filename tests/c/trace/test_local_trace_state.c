/* Every state of a local trace meets every event that can come to it, and ends in the state that
 * the table says. */
#include <stdlib.h>

#include "local_trace_fixture.h"
#include "trace/local_trace_state.h"
#include "trace/span_block.h"

enum { CHILDREN = 4 };

/* A root whose block a child keeps, with spans that are still to end. */
typedef struct trace {
    djp_span *root, *child[CHILDREN];
    djp__local_trace *local;
    int root_is_open, ended;
} trace;

static int
state_of(const trace *it)
{
    return djp__trace_state(djp__load_acquire(&it->local->state_word));
}

static void
end_root(trace *it)
{
    finish(it->root);
    it->root_is_open = 0;
}

static void
end_child(trace *it, int fails)
{
    djp_span *child = it->child[it->ended++];
    if (fails) {
        djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){"", 0});
    }
    djp_span_end(child, 0);
}

/* A child ends an hour after the root has begun. */
static void
end_child_too_late(trace *it)
{
    djp_span *child = it->child[it->ended++];
    djp_span_end(child, child->record->start_unix_ns + UINT64_C(3600000000000));
}

static void
enter(trace *it, int state)
{
    djp__recorder_options options = ratio_options(state == DJP__TRACE_FIXED ? 1 : 0.5);
    options.always_on = state == DJP__TRACE_FIXED;
    options.sample_errors = state != DJP__TRACE_FIXED;
    options.decision_wait_ns = UINT64_C(60000000000);
    use(options);
    memset(it, 0, sizeof *it);
    it->root = start(NULL);
    it->local = &it->root->own;
    it->root_is_open = 1;
    for (int i = 0; i < CHILDREN; i++) {
        it->child[i] = start(it->root);
    }
    if (state == DJP__TRACE_EARLY || state == DJP__TRACE_EARLY_OVER) {
        end_child_too_late(it);
    }
    if (state == DJP__TRACE_EARLY_OVER || state == DJP__TRACE_OVER) {
        end_root(it);
    }
    assert_int_equal(state_of(it), state);
}

static void
leave(trace *it)
{
    for (int i = 0; i < CHILDREN; i++) {
        djp_span_release(it->child[i]);
    }
    if (it->root_is_open) {
        djp_span_release(it->root);
    }
    djp__span_record *record;
    while ((record = span_reader_take(recorder)) != NULL) {
        free(record);
    }
}

/* 0: the event cannot come in this state. */
static int
happen(trace *it, int event)
{
    uint32_t generation = it->local->generation;
    switch (event) {
    case DJP__TRACE_SPAN_ENDS:
    case DJP__TRACE_REASON_COMES:
        end_child(it, event == DJP__TRACE_REASON_COMES);
        return 1;
    case DJP__TRACE_IMPATIENCE:
        end_child_too_late(it);
        return 1;
    case DJP__TRACE_ROOT_ENDS:
        if (it->root_is_open) {
            end_root(it);
            return 1;
        }
        return 0;
    default:
        if (!it->root_is_open) {
            return 0;
        }
        it->local->generation = generation + 1; /* of another process */
        djp_span_end(it->root, 0);
        it->local->generation = generation;
        return 1;
    }
}

static void
test_every_state_and_event(void **state)
{
    (void)state;
    int met = 0;
    for (int from = 0; from < DJP__TRACE_STATES; from++) {
        for (int event = 0; event < DJP__TRACE_EVENTS; event++) {
            trace it;
            enter(&it, from);
            if (happen(&it, event)) {
                int next = djp__trace_next[from][event];
                if (state_of(&it) != next) {
                    fail_msg("state %d, event %d: %d, and the table says %d", from, event,
                             state_of(&it), next);
                }
                met++;
            }
            leave(&it);
        }
    }
    assert_int_equal(met, 5 * 5 - 2 * 2); /* the root ends once */
}

/* A root whose handle is given back without an end is impatience, too. */
static void
test_abandoned_root(void **state)
{
    (void)state;
    trace it;
    enter(&it, DJP__TRACE_WAITING);
    djp_span_release(it.root);
    it.root_is_open = 0;
    assert_int_equal(state_of(&it), djp__trace_next[DJP__TRACE_WAITING][DJP__TRACE_IMPATIENCE]);
    leave(&it);
}

/* The word of each decided state holds its verdict and is taken for no other state. */
static void
test_words(void **state)
{
    (void)state;
    djp__verdict verdict =
        djp__verdict_raise(djp__verdict_of(DJP_REASON_RULE, 200), 0xabcdef01ull << 24);
    for (int one = 0; one < DJP__TRACE_STATES; one++) {
        uintptr_t word = one == DJP__TRACE_WAITING ? 0 : djp__trace_word(one, verdict);
        assert_int_equal(djp__trace_state(word), one);
        assert_int_equal(djp__trace_is_decided(word), one != DJP__TRACE_WAITING);
        assert_int_equal(djp__trace_is_early(word),
                         one == DJP__TRACE_EARLY || one == DJP__TRACE_EARLY_OVER);
        assert_int_equal(djp__trace_is_over(word),
                         one == DJP__TRACE_OVER || one == DJP__TRACE_EARLY_OVER);
        assert_true(one == DJP__TRACE_WAITING || djp__trace_verdict(word).word == verdict.word);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_state_and_event, tear_down),
        cmocka_unit_test_teardown(test_abandoned_root, tear_down),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
