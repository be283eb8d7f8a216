/* The sampler tree of a recorder while threads decide by it: which tree decides, when an old one is
 * freed, and how many may wait for that. The source is compiled in with a hook in front of the
 * scheduler. */
#include <sched.h>

static int hooked_yield(void);
#define sched_yield hooked_yield
#include "trace/tree_slot.c"
#undef sched_yield

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "djp/error.h"
#include "djp/sampler.h"
#include "heap.h"
#include "span_reader.h"
#include "lock_guard.h"
#include "trace/recorder_state.h"

enum { RETIRED_MAX = 4, YIELDS = 1000 };

static djp_recorder *recorder;

static void
use(double ratio)
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(ratio);
    recorder = span_reader_recorder(&options);
}

static int
tear_down(void **state)
{
    (void)state;
    djp__recorder_free(recorder);
    recorder = NULL;
    return 0;
}

static djp_sampler *
tree(const char *text)
{
    djp_sampler *out = NULL;
    assert_int_equal(djp_sampler_parse(&out, djp_text_of(text), NULL), 0);
    return out;
}

static int
replace(const char *text)
{
    return djp__recorder_set_sampler(recorder, text != NULL ? tree(text) : NULL);
}

/* Each has another text. */
static int
replace_numbered(int number)
{
    char text[64];
    snprintf(text, sizeof text, "rate_limited(%d)", number);
    return replace(text);
}

static djp__head
decide(const djp_span_context *parent)
{
    static const uint8_t id[16] = {[9] = 0x80};
    djp__head head;
    djp__sampler_input input = {.trace_id = id, .parent = parent, .kind = 1};
    memset(&head, 0xff, sizeof head);
    djp__policy_decide_by_tree(&head, recorder, &input);
    assert_int_equal(djp__load_relaxed(&recorder->slot.readers), 0);
    return head;
}

static djp__tree_slot *
slot(void)
{
    return &recorder->slot;
}

/* ---- decisions ---- */

static void
the_tree_decides(void **state)
{
    (void)state;
    use(0);
    assert_int_equal(replace("always_on"), 0);
    djp__head head = decide(NULL);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_SAMPLE);
    assert_int_equal(head.decision.reason, DJP_REASON_ALWAYS);
    djp_tracestate_unref(head.state);
    assert_int_equal(replace("drop"), 0);
    head = decide(NULL);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_DROP);
    assert_null(head.state);
}

/* The attributes that a tree adds are given back by each span, recorded or not. */
static void
notes_are_given_back(void **state)
{
    static const char *const texts[] = {"drop", "always_off", "always_on", "probability(0.5)"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (int tail = 0; tail < 2; tail++) {
            char text[64];
            use(1);
            recorder->tail_rules = tail;
            snprintf(text, sizeof text, "annotating({\"o\"=1}, %s)", texts[i]);
            assert_int_equal(replace(text), 0);
            djp__sampler_notes *notes = slot()->tree->notes;
            djp__add_relaxed(&notes->refs, 1u); /* of the test */
            for (int turn = 0; turn < 20; turn++) {
                djp_span *span = djp_span_start(recorder, DJP_TEXT("s"), NULL);
                djp_span_end(span, 0);
                djp_span_release(span);
                assert_int_equal(djp__load_relaxed(&notes->refs), 2);
            }
            span_reader_drain(recorder);
            djp__sampler_notes_unref(notes);
            tear_down(state);
        }
    }
}

/* The share of traces that is recorded bounds the tree, too. */
static void
the_canary_bounds_the_tree(void **state)
{
    (void)state;
    use(1);
    assert_int_equal(replace("always_on"), 0);
    djp__recorder_set_canary(recorder, 0.25);
    djp__head head = decide(NULL);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_DROP);
    assert_int_equal(head.decision.recorded, djp__threshold_of(0.25));
    djp_tracestate_unref(head.state);
}

/* A thread may find the policy of the tree and then no tree: the options decide. */
static void
without_a_tree_the_options_decide(void **state)
{
    (void)state;
    use(0.5);
    djp__head head = decide(NULL);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_SAMPLE);
    assert_int_equal(head.decision.reason, DJP_REASON_RATIO);
    assert_int_equal(head.decision.threshold, 1ull << 55);
    assert_ptr_equal(head.state, recorder->first.root_state);
    assert_null(head.notes);
    djp_span_context parent = {.trace_id = {1}, .span_id = {2}, .is_remote = 1};
    head = decide(&parent);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_RECORD_ONLY);
    assert_int_equal(head.decision.threshold, DJP__THRESHOLD_NONE);
    assert_null(head.notes);
    parent.flags = DJP_FLAG_SAMPLED;
    head = decide(&parent);
    assert_int_equal(head.decision.reason, DJP_REASON_PARENT);
    recorder->options.parent_based = 0;
    head = decide(&parent);
    assert_int_equal(head.decision.reason, DJP_REASON_RATIO);
}

static void
needs_are_those_of_the_active_policy(void **state)
{
    (void)state;
    use(1);
    assert_int_equal(djp_recorder_needs(recorder), 0);
    assert_int_equal(djp_recorder_needs(NULL), 0);
    assert_int_equal(replace("rule_based(name(\"a\") => always_on)"), 0);
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_NAME);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0.5), 0);
    assert_int_equal(djp_recorder_needs(recorder), 0);
    assert_int_equal(replace("rule_based(attribute(\"a\"=*) => always_on)"), 0);
    assert_int_equal(djp_recorder_needs(recorder), 0); /* the ratio holds */
    assert_int_equal(djp__recorder_has_tree(recorder), 0);
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_int_equal(djp_recorder_needs(recorder), DJP_NEEDS_ATTRIBUTES);
    assert_int_equal(djp__recorder_has_tree(recorder), 1);
    assert_int_equal(replace(NULL), 0);
    assert_int_equal(djp_recorder_needs(recorder), 0);
    assert_ptr_equal(djp__recorder_policy(recorder), &recorder->first);
}

/* Another tree does not turn recording on. */
static void
off_stays_off(void **state)
{
    (void)state;
    use(1);
    djp__recorder_set_off(recorder, 1);
    assert_int_equal(replace("always_on"), 0);
    assert_true(djp__recorder_is_muted(recorder));
    djp__recorder_set_off(recorder, 0);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0), 0);
    assert_int_equal(replace("always_off"), 0);
    assert_true(djp__recorder_is_muted(recorder));
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    assert_false(djp__recorder_is_muted(recorder));
}

static void
the_text_is_that_of_the_tree(void **state)
{
    (void)state;
    char *text;
    use(1);
    assert_int_equal(djp__recorder_sampler_text(&text, recorder), 0);
    assert_null(text);
    assert_int_equal(replace("rule_based( any=>drop )"), 0);
    assert_int_equal(djp__recorder_sampler_text(&text, recorder), 0);
    assert_string_equal(text, "rule_based(any => drop)");
    djp__free(text);
    djp__alloc_fail_after(1);
    int result = djp__recorder_sampler_text(&text, recorder);
    djp__alloc_fail_after(0);
    assert_int_equal(result, DJP_ENOMEM);
    assert_null(text);
}

/* ---- replacement ---- */

/* A tree of equal text changes nothing, so that its rate limits go on. */
static void
an_equal_tree_changes_nothing(void **state)
{
    (void)state;
    use(1);
    assert_int_equal(replace("rate_limited(1)"), 0);
    const djp_sampler *first = djp__load_relaxed(&slot()->tree);
    djp__recorder_set_ratio(recorder, 0.5);
    assert_int_equal(replace("rate_limited( 1.0 )"), 0);
    assert_ptr_equal(djp__load_relaxed(&slot()->tree), first);
    assert_int_equal(slot()->retired_count, 0);
    assert_int_equal(replace("rate_limited(2)"), 0); /* of the same length */
    assert_ptr_not_equal(djp__load_relaxed(&slot()->tree), first);
    assert_int_equal(replace("rate_limited(2.5)"), 0); /* begins alike */
    char *text;
    assert_int_equal(djp__recorder_sampler_text(&text, recorder), 0);
    assert_string_equal(text, "rate_limited(2.5)");
    djp__free(text);
}

/* Without a reader an old tree is freed at once. */
static void
an_idle_tree_is_freed_at_once(void **state)
{
    (void)state;
    use(1);
    for (int i = 1; i < 10; i++) {
        assert_int_equal(replace_numbered(i), 0);
        assert_null(slot()->retired);
        assert_int_equal(slot()->retired_count, 0);
    }
}

/* A reader keeps them; beyond a few no further tree is accepted until it is gone. */
static void
trees_wait_for_readers(void **state)
{
    (void)state;
    use(1);
    assert_int_equal(replace_numbered(1), 0);
    djp__add_seq_cst(&slot()->readers, 1u);
    for (int i = 1; i <= RETIRED_MAX; i++) {
        assert_int_equal(replace_numbered(1 + i), 0);
        assert_int_equal(slot()->retired_count, i);
    }
    const djp_sampler *last = djp__load_relaxed(&slot()->tree);
    assert_int_equal(replace_numbered(99), DJP_ERETRY);
    assert_int_equal(replace(NULL), DJP_ERETRY);
    assert_ptr_equal(djp__load_relaxed(&slot()->tree), last);
    assert_int_equal(replace_numbered(1 + RETIRED_MAX), 0); /* is the active one */
    assert_int_equal(slot()->retired_count, RETIRED_MAX);
    djp__sub_acq_rel(&slot()->readers, 1u);
    assert_int_equal(replace_numbered(99), 0);
    assert_null(slot()->retired);
    assert_int_equal(slot()->retired_count, 0);
}

static int yields, leave_at;

static int
hooked_yield(void)
{
    if (++yields == leave_at) {
        djp__sub_acq_rel(&slot()->readers, 1u);
    }
    return 0;
}

/* With all places in use the writer yields to the reader for a while instead of refusing at once.
 */
static void
the_writer_yields_to_a_reader(void **state)
{
    (void)state;
    for (leave_at = 0; leave_at <= YIELDS; leave_at += YIELDS - 1) {
        use(1);
        djp__add_seq_cst(&slot()->readers, 1u);
        for (int i = 0; i <= RETIRED_MAX; i++) {
            assert_int_equal(replace_numbered(1 + i), 0);
        }
        yields = 0;
        assert_int_equal(replace_numbered(99), leave_at ? 0 : DJP_ERETRY);
        assert_int_equal(yields, leave_at ? leave_at : YIELDS);
        djp__store_relaxed(&slot()->readers, 0u);
        tear_down(NULL);
    }
    leave_at = 0;
}

/* ---- memory ---- */

static void
without_memory_the_old_tree_decides(void **state)
{
    (void)state;
    use(1);
    assert_int_equal(replace_numbered(1), 0);
    djp_sampler *other = tree("rate_limited(2)");
    djp__alloc_fail_after(1);
    int result = djp__recorder_set_sampler(recorder, other);
    djp__alloc_fail_after(0);
    assert_int_equal(result, DJP_ENOMEM);
    char *text;
    assert_int_equal(djp__recorder_sampler_text(&text, recorder), 0);
    assert_string_equal(text, "rate_limited(1)");
    djp__free(text);
}

static void
replace_in_every_way(void)
{
    use(1);
    char *text;
    replace_numbered(1);
    replace_numbered(1);
    replace_numbered(2);
    djp__recorder_sampler_text(&text, recorder);
    djp__free(text);
    djp_sampler *lost = tree("rate_limited(3)");
    djp__alloc_fail_after(1);
    djp__recorder_set_sampler(recorder, lost);
    djp__alloc_fail_after(0);
    djp__add_seq_cst(&slot()->readers, 1u);
    for (int i = 0; i < 6; i++) {
        replace_numbered(10 + i);
    }
    if (slot()->retired_count % 2 == 0) {
        djp__store_relaxed(&slot()->readers, 0u);
        replace_numbered(50);
        djp__add_seq_cst(&slot()->readers, 1u);
        replace_numbered(51);
    }
    tear_down(NULL); /* with trees that wait */
}

static void
no_tree_is_left_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(replace_in_every_way, 20), 0);
}

static void
replace_any(void)
{
    replace("always_off");
}

static void
read_the_text(void)
{
    char *text;
    djp__recorder_sampler_text(&text, recorder);
    djp__free(text);
}

static void
changes_come_one_after_the_other(void **state)
{
    (void)state;
    use(1);
    assert_true(waits_for(NULL, replace_any));
    assert_true(waits_for(NULL, read_the_text));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_tree_decides),
        CASE(notes_are_given_back),
        CASE(the_canary_bounds_the_tree),
        CASE(without_a_tree_the_options_decide),
        CASE(needs_are_those_of_the_active_policy),
        CASE(off_stays_off),
        CASE(the_text_is_that_of_the_tree),
        CASE(an_equal_tree_changes_nothing),
        CASE(an_idle_tree_is_freed_at_once),
        CASE(trees_wait_for_readers),
        CASE(the_writer_yields_to_a_reader),
        CASE(without_memory_the_old_tree_decides),
        CASE(no_tree_is_left_behind),
        CASE(changes_come_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
