/* The head decision by itself: thresholds and their texts at the edges, and what becomes of the
 * tracestate that came with a parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "heap.h"
#include "sampling/head.h"
#include "sampling/tree.h"

#define HALF (1ull << 55)

static const uint8_t low[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0, 0, 0, 0, 0, 1};
static const uint8_t high[16] = {1, 2,    3,    4,    5,    6,    7,    8,
                                 9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static djp_tracestate *
state_of(const char *text)
{
    djp_tracestate *state = NULL;
    djp_header field = {text, strlen(text)};
    assert_int_equal(djp_tracestate_parse(&state, &field, 1), 1);
    return state;
}

/* A root below a parent with that tracestate, by a ratio of a half. What it propagates goes to
 * out. */
static djp__head
decide(char *out, size_t room, const char *tracestate, const uint8_t id[16], int parent_based,
       uint8_t flags)
{
    djp__policy policy = {.threshold = HALF};
    djp_span_context parent = {.flags = flags, .state = state_of(tracestate)};
    memcpy(parent.trace_id, id, 16);
    djp__head head;
    djp__head_decide(&head, &policy, parent_based, id, &parent);
    djp_text text = djp_tracestate_text(head.state);
    assert_true(text.size < room);
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    if (head.extras & DJP_EXTRA_STATE) {
        djp_tracestate_unref(head.state);
    }
    djp_tracestate_unref(parent.state);
    return head;
}

static void
thresholds_of_ratios(void **state)
{
    (void)state;
    assert_int_equal(djp__threshold_of(1), 0);
    assert_int_equal(djp__threshold_of(2), 0);
    assert_int_equal(djp__threshold_of(0.5), HALF);
    assert_int_equal(djp__threshold_of(0), DJP__THRESHOLD_NEVER);
    assert_int_equal(djp__threshold_of(-1), DJP__THRESHOLD_NEVER);
    assert_int_equal(djp__threshold_of(0.0 / 0.0), DJP__THRESHOLD_NEVER);
    assert_true(djp__threshold_of(1e-9) < DJP__THRESHOLD_NEVER);
}

static void
texts_of_thresholds(void **state)
{
    (void)state;
    char hex[15];
    uint64_t value = 7;
    assert_int_equal(djp__threshold_hex(hex, 0), 1);
    assert_string_equal(hex, "0");
    assert_int_equal(djp__threshold_hex(hex, HALF), 1);
    assert_string_equal(hex, "8");
    assert_int_equal(djp__threshold_hex(hex, 1), 14);
    assert_string_equal(hex, "00000000000001");
    assert_int_equal(djp__threshold_hex(hex, DJP__THRESHOLD_NEVER - 1), 14);
    assert_string_equal(hex, "ffffffffffffff");
    assert_int_equal(djp__threshold_hex(hex, DJP__THRESHOLD_NEVER), 0);
    assert_string_equal(hex, "");
    static const struct {
        const char *text;
        int good;
        uint64_t value;
    } cases[] = {{"0", 1, 0},
                 {"8", 1, HALF},
                 {"c", 1, HALF | HALF >> 1},
                 {"00000000000001", 1, 1},
                 {"9a", 1, 0x9aull << 48},
                 {"ffffffffffffff", 1, DJP__THRESHOLD_NEVER - 1},
                 {"", 0, 0},
                 {"000000000000001", 0, 0},
                 {"8A", 0, 0},
                 {"g", 0, 0},
                 {"/", 0, 0},
                 {":", 0, 0},
                 {"`", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_text text = {cases[i].text, strlen(cases[i].text)};
        if (djp__threshold_parse(&value, text) != cases[i].good ||
            (cases[i].good && value != cases[i].value)) {
            fail_msg("%s", cases[i].text);
        }
    }
}

/* At the threshold a trace is sampled, one below it is not. */
static void
the_edge_of_a_ratio(void **state)
{
    (void)state;
    char text[64];
    uint8_t id[16] = {[9] = 0x80};
    assert_true(decide(text, sizeof text, "a=b", id, 0, 0).decision.flag);
    assert_string_equal(text, "ot=th:8,a=b");
    uint8_t below[16] = {[9] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    assert_false(decide(text, sizeof text, "a=b", below, 0, 0).decision.flag);
    assert_string_equal(text, "a=b");
    /* What the tracestate says is random counts, not the id. */
    assert_true(decide(text, sizeof text, "ot=rv:80000000000000", below, 0, 0).decision.flag);
    assert_false(decide(text, sizeof text, "ot=rv:7fffffffffffff", id, 0, 0).decision.flag);
    /* too short to be one */
    assert_true(decide(text, sizeof text, "ot=rv:7ffffffffffff", id, 0, 0).decision.flag);
}

/* Other sub-keys stay as long as the member is one that others accept: 256 bytes and no more. */
static void
the_member_keeps_what_fits(void **state)
{
    (void)state;
    for (size_t size = 225; size <= 236; size++) {
        char tracestate[512] = "ot=rv:ffffffffffffff;x:", got[512], want[512];
        memset(tracestate + strlen(tracestate), 'a', size - 2);
        djp__head head = decide(got, sizeof got, tracestate, low, 0, 0);
        assert_true(head.decision.flag);
        /* "th:8;rv:ffffffffffffff" and ";" are 23 bytes. */
        snprintf(want, sizeof want, "ot=th:8;rv:ffffffffffffff%s%s", size <= 233 ? ";" : "",
                 size <= 233 ? strstr(tracestate, "x:") : "");
        assert_string_equal(got, want);
    }
    char got[512];
    decide(got, sizeof got, "ot=a:1;th:4;rv:ffffffffffffff;b:2", low, 0, 0);
    /* the old one goes, the order stays */
    assert_string_equal(got, "ot=th:8;a:1;rv:ffffffffffffff;b:2");
    decide(got, sizeof got, "ot=th:4;a:1", low, 0, 0);
    assert_string_equal(got, "ot=a:1"); /* not sampled: no threshold */
    decide(got, sizeof got, "ot=th:4", low, 0, 0);
    assert_string_equal(got, "");
}

/* A parent's threshold is believed where it agrees with the parent's flag, else taken away. */
static void
a_parent_s_threshold_must_agree(void **state)
{
    (void)state;
    char got[64];
    djp__head head = decide(got, sizeof got, "ot=th:8;x:1", high, 1, 1);
    assert_true(head.decision.flag && head.decision.threshold == HALF &&
                head.decision.reason == DJP_REASON_PARENT);
    assert_string_equal(got, "ot=th:8;x:1");
    head = decide(got, sizeof got, "ot=th:8;x:1", low, 1, 1); /* sampled, but below it */
    assert_true(head.decision.flag && head.decision.threshold == DJP__THRESHOLD_NONE);
    assert_string_equal(got, "ot=x:1");
    head = decide(got, sizeof got, "ot=th:8;x:1", high, 1, 0); /* not sampled, but above it */
    assert_true(!head.decision.flag && head.decision.reason == DJP_REASON_NONE);
    assert_string_equal(got, "ot=x:1");
    head = decide(got, sizeof got, "ot=th:8;x:1", low, 1, 0);
    assert_true(!head.decision.flag && head.decision.threshold == DJP__THRESHOLD_NONE);
    assert_string_equal(got, "ot=th:8;x:1");
    head = decide(got, sizeof got, "ot=th:xyz", high, 1, 1); /* no threshold at all */
    assert_true(head.decision.flag && head.decision.threshold == DJP__THRESHOLD_NONE);
    assert_string_equal(got, "");
    head = decide(got, sizeof got, "ot=x:1", high, 1, 1);
    assert_true(head.decision.flag && head.decision.threshold == DJP__THRESHOLD_NONE);
    assert_string_equal(got, "ot=x:1");
}

/* Without memory the decision is the same, and the tracestate goes on as it came. */
static void
no_memory_for_a_tracestate(void **state)
{
    (void)state;
    djp__policy policy = {.threshold = HALF};
    djp_span_context parent = {.flags = 1, .state = state_of("ot=th:4;x:1")};
    djp__head head;
    djp__alloc_fail_after(1);
    djp__head_decide(&head, &policy, 0, high, &parent);
    djp__alloc_fail_after(0);
    assert_true(head.decision.flag && head.decision.threshold == HALF);
    assert_ptr_equal(head.state, parent.state);
    djp_tracestate_unref(head.state);
    djp__alloc_fail_after(1);
    djp__head_decide(&head, &policy, 1, low, &parent);
    djp__alloc_fail_after(0);
    assert_true(head.decision.flag && head.decision.threshold == DJP__THRESHOLD_NONE);
    assert_ptr_equal(head.state, parent.state);
    djp_tracestate_unref(head.state);
    djp_tracestate_unref(parent.state);
}

/* The canary: outside of it nothing is recorded, at its edge and above everything is, and stands
 * for those outside. */
static void
the_edge_of_a_canary(void **state)
{
    (void)state;
    for (int parent_based = 0; parent_based < 2; parent_based++) {
        djp__policy policy = {.threshold = HALF, .recorded = HALF};
        djp_span_context parent = {.flags = 1};
        djp__head head;
        uint8_t id[16] = {[9] = 0x80};
        djp__head_decide(&head, &policy, parent_based, id, &parent);
        assert_true(head.decision.flag && head.decision.outcome != DJP__OUTCOME_DROP &&
                    head.decision.recorded == HALF);
        assert_int_equal(head.decision.threshold, parent_based ? DJP__THRESHOLD_NONE : HALF);
        uint8_t below[16] = {[9] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        djp__head_decide(&head, &policy, parent_based, below, &parent);
        assert_int_equal(head.decision.outcome, DJP__OUTCOME_DROP);
        assert_int_equal(head.decision.reason, DJP_REASON_NONE);
    }
}

/* ---- by a tree ---- */

/* A root below a parent with that tracestate (NULL: no parent), inside that share. What it
 * propagates goes to out. */
static djp__head
decide_by(char *out, size_t room, const char *text, const char *tracestate, const uint8_t id[16],
          uint64_t recorded)
{
    djp_sampler *tree = NULL;
    djp_span_context parent = {.flags = DJP_FLAG_SAMPLED};
    djp__sampler_input input = {.trace_id = id, .kind = 1, .now_ns = 1000000000};
    assert_int_equal(djp_sampler_parse(&tree, djp_text_of(text), NULL), 0);
    if (tracestate != NULL) {
        memcpy(parent.trace_id, id, 16);
        parent.state = state_of(tracestate);
        input.parent = &parent;
    }
    djp__head head;
    memset(&head, 0xee, sizeof head);
    djp__head_decide_by_tree(&head, tree, &input, recorded);
    djp_text given = djp_tracestate_text(head.state);
    assert_true(given.size < room);
    memcpy(out, given.data, given.size);
    out[given.size] = '\0';
    if (head.extras & DJP_EXTRA_STATE) {
        djp_tracestate_unref(head.state);
    }
    djp__sampler_notes_unref(head.notes);
    djp_tracestate_unref(parent.state);
    djp_sampler_free(tree);
    return head;
}

/* Inside a canary each sampled trace stands for those outside, by its threshold and by what goes
 * on. */
static void
a_canary_raises_the_threshold_of_a_tree(void **state)
{
    (void)state;
    static const struct {
        const char *tree, *tracestate;
        uint64_t recorded;
        int outcome;
        uint64_t threshold;
        const char *sent;
    } cases[] = {
        {"always_on", NULL, 0, DJP__OUTCOME_SAMPLE, 0, "ot=th:0"},
        {"always_on", NULL, HALF, DJP__OUTCOME_SAMPLE, HALF, "ot=th:8"},
        {"always_on", "a=b", HALF, DJP__OUTCOME_SAMPLE, HALF, "ot=th:8,a=b"},
        {"probability(0.25)", NULL, HALF, DJP__OUTCOME_SAMPLE, 3 * (HALF / 2), "ot=th:c"},
        {"probability(0.5)", NULL, HALF, DJP__OUTCOME_SAMPLE, HALF, "ot=th:8"},
        {"probability(0.75)", "ot=th:1;x:2", HALF, DJP__OUTCOME_SAMPLE, HALF, "ot=th:8;x:2"},
        {"rate_limited(5)", NULL, 0, DJP__OUTCOME_SAMPLE, DJP__THRESHOLD_NONE, ""},
        {"rate_limited(5)", "ot=th:8,a=b", 0, DJP__OUTCOME_SAMPLE, DJP__THRESHOLD_NONE, "a=b"},
        {"always_off", NULL, HALF, DJP__OUTCOME_RECORD_ONLY, DJP__THRESHOLD_NONE, ""},
        {"drop", NULL, 0, DJP__OUTCOME_DROP, DJP__THRESHOLD_NONE, ""},
        {"parent_threshold(drop)", "ot=th:4", 0, DJP__OUTCOME_SAMPLE, HALF / 2, "ot=th:4"},
        {"parent_threshold(drop)", "ot=th:4", HALF, DJP__OUTCOME_SAMPLE, HALF, "ot=th:4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sent[64];
        djp__head head = decide_by(sent, sizeof sent, cases[i].tree, cases[i].tracestate, high,
                                   cases[i].recorded);
        assert_int_equal(head.decision.outcome, cases[i].outcome);
        assert_int_equal(head.decision.recorded, cases[i].recorded);
        if (head.decision.threshold != cases[i].threshold || strcmp(sent, cases[i].sent) != 0) {
            fail_msg("%s: %llx, %s", cases[i].tree, (unsigned long long)head.decision.threshold,
                     sent);
        }
    }
}

/* Outside of it a tree samples nothing; at its edge a trace is inside. */
static void
outside_a_canary_a_tree_samples_nothing(void **state)
{
    (void)state;
    char sent[64];
    uint8_t edge[16] = {[9] = 0x80}, below[16] = {[9] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    djp__head head = decide_by(sent, sizeof sent, "always_on", NULL, edge, HALF);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_SAMPLE);
    assert_int_equal(head.decision.flag, 1);
    head = decide_by(sent, sizeof sent, "always_on", NULL, below, HALF);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_DROP);
    assert_int_equal(head.decision.flag, 0);
    assert_int_equal(head.decision.reason, DJP_REASON_NONE);
    assert_string_equal(sent, "");
    /* the randomness of the tracestate counts */
    head = decide_by(sent, sizeof sent, "always_on", "ot=rv:ffffffffffffff", below, HALF);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_SAMPLE);
    /* a parent's flag goes on */
    head = decide_by(sent, sizeof sent, "parent_threshold(drop)", "a=b", below, HALF);
    assert_int_equal(head.decision.outcome, DJP__OUTCOME_DROP);
    assert_int_equal(head.decision.flag, 1);
    assert_string_equal(sent, "a=b");
}

static void
decide_by_many(void)
{
    static const char *const trees[] = {"always_on", "probability(0.5)", "drop",
                                        "annotating({\"a\"=1}, always_on)",
                                        "parent_threshold(always_off)"};
    for (size_t i = 0; i < 5; i++) {
        char sent[64];
        for (int canary = 0; canary < 2; canary++) {
            decide_by(sent, sizeof sent, trees[i], NULL, high, canary ? HALF : 0);
            decide_by(sent, sizeof sent, trees[i], "ot=th:8,a=b", high, canary ? HALF : 0);
        }
    }
}

static void
a_tree_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(decide_by_many, 50), 0);
}

/* ---- decided elsewhere ---- */

/* What a writer decided is taken over where it can be right. */
static void
a_decision_is_adopted(void **state)
{
    (void)state;
    enum {
        DROP = DJP__OUTCOME_DROP,
        ONLY = DJP__OUTCOME_RECORD_ONLY,
        SAMPLE = DJP__OUTCOME_SAMPLE
    };
    static const uint64_t none = DJP__THRESHOLD_NONE, never = DJP__THRESHOLD_NEVER;
    static const struct {
        djp__decision given;
        uint8_t outcome, reason;
        uint64_t threshold, recorded;
    } cases[] = {
        {{SAMPLE, 1, DJP_REASON_RATIO, HALF, 5}, SAMPLE, DJP_REASON_RATIO, HALF, 5},
        {{SAMPLE, 0, DJP_REASON_PARENT, 0, 0}, SAMPLE, DJP_REASON_PARENT, 0, 0},
        {{SAMPLE, 1, DJP_REASON_ALWAYS, never, 0}, SAMPLE, DJP_REASON_ALWAYS, none, 0},
        {{SAMPLE, 1, DJP_REASON_RATIO, never - 1, never - 1},
         SAMPLE,
         DJP_REASON_RATIO,
         never - 1,
         never - 1},
        {{SAMPLE, 1, DJP_REASON_RATIO, UINT64_MAX, never}, SAMPLE, DJP_REASON_RATIO, none, 0},
        {{SAMPLE, 1, DJP_REASON_RARE, HALF, 0}, ONLY, DJP_REASON_NONE, none, 0},
        {{SAMPLE, 1, DJP_REASON_RATE_LIMITED, HALF, 0}, ONLY, DJP_REASON_NONE, none, 0},
        {{SAMPLE, 1, 200, HALF, 7}, ONLY, DJP_REASON_NONE, none, 7},
        {{ONLY, 1, DJP_REASON_RATIO, HALF, 3}, ONLY, DJP_REASON_NONE, none, 3},
        {{DROP, 1, DJP_REASON_RATIO, HALF, 3}, DROP, DJP_REASON_NONE, none, 3},
        {{3, 1, DJP_REASON_RATIO, HALF, UINT64_MAX}, ONLY, DJP_REASON_NONE, none, 0},
    };
    djp_span_context plain = {.flags = 1}, stated = {.flags = 1, .state = state_of("a=b")};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const djp_span_context *parents[] = {NULL, &plain, &stated};
        for (int k = 0; k < 3; k++) {
            djp__head head;
            memset(&head, 0xee, sizeof head);
            djp__head_adopt(&head, &cases[i].given, parents[k]);
            assert_int_equal(head.decision.flag, cases[i].given.flag);
            assert_int_equal(head.decision.outcome, cases[i].outcome);
            assert_int_equal(head.decision.reason, cases[i].reason);
            assert_int_equal(head.decision.threshold, cases[i].threshold);
            assert_int_equal(head.decision.recorded, cases[i].recorded);
            assert_int_equal(head.extras, k == 2 ? DJP_EXTRA_STATE : 0);
            assert_ptr_equal(head.state, k == 2 ? stated.state : NULL);
            djp_tracestate_unref(head.state);
        }
    }
    djp_tracestate_unref(stated.state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thresholds_of_ratios),
        cmocka_unit_test(texts_of_thresholds),
        cmocka_unit_test(the_edge_of_a_ratio),
        cmocka_unit_test(the_member_keeps_what_fits),
        cmocka_unit_test(a_parent_s_threshold_must_agree),
        cmocka_unit_test(no_memory_for_a_tracestate),
        cmocka_unit_test(the_edge_of_a_canary),
        cmocka_unit_test(a_canary_raises_the_threshold_of_a_tree),
        cmocka_unit_test(outside_a_canary_a_tree_samples_nothing),
        cmocka_unit_test(a_tree_leaves_nothing_behind),
        cmocka_unit_test(a_decision_is_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
