/* What a tree of samplers intends for one root: the rules that hold, the leaves, rates by a clock
 * of the test, and the nodes above a leaf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "djp/span.h"
#include "sampling/head.h"
#include "sampling/tree.h"

#define S 1000000000ull
#define HALF (1ull << 55)

static djp_sampler *tree;

static int
tear_down(void **state)
{
    (void)state;
    djp_sampler_free(tree);
    tree = NULL;
    return 0;
}

static void
use(const char *text)
{
    djp_sampler_free(tree);
    djp_sampler_error error = {0, ""};
    if (djp_sampler_parse(&tree, djp_text_of(text), &error) != 0) {
        fail_msg("%s: at %zu %s", text, error.at, error.expected);
    }
}

static djp__sampler_input
input_of(const char *name)
{
    static const uint8_t id[16] = {1};
    return (djp__sampler_input){
        .trace_id = id, .name = djp_text_of(name), .kind = DJP_KIND_INTERNAL, .now_ns = 5 * S};
}

static djp__sampler_intent
intend(const djp__sampler_input *input)
{
    djp__sampler_intent out;
    memset(&out, 0xee, sizeof out);
    djp__sampler_intend(&out, tree, input);
    return out;
}

static int
samples(const djp__sampler_input *input)
{
    return intend(input).sampled;
}

static int
samples_name(const char *name)
{
    djp__sampler_input input = input_of(name);
    return samples(&input);
}

/* ---- leaves ---- */

static void
leaves_say_what_they_do(void **state)
{
    (void)state;
    djp__sampler_input input = input_of("a");
    input.randomness = HALF;
    use("always_on");
    djp__sampler_intent intent = intend(&input);
    assert_true(intent.sampled && intent.reliable && !intent.drop && !intent.followed);
    assert_int_equal(intent.reason, DJP_REASON_ALWAYS);
    assert_int_equal(intent.threshold, 0);
    assert_non_null(intent.state);
    use("always_off");
    intent = intend(&input);
    assert_true(!intent.sampled && intent.reliable && !intent.drop);
    assert_int_equal(intent.threshold, DJP__THRESHOLD_NEVER);
    assert_null(intent.state);
    assert_null(intent.notes);
    use("drop");
    intent = intend(&input);
    assert_true(!intent.sampled && intent.drop);
    use("probability(0.5)");
    intent = intend(&input);
    assert_true(intent.sampled && intent.reliable);
    assert_int_equal(intent.reason, DJP_REASON_RATIO);
    assert_int_equal(intent.threshold, HALF);
    assert_ptr_equal(intent.state, tree->state);
    input.randomness = HALF - 1;
    intent = intend(&input);
    assert_false(intent.sampled);
    assert_int_equal(intent.threshold, DJP__THRESHOLD_NEVER);
    use("rate_limited(1)");
    intent = intend(&input);
    assert_true(intent.sampled && !intent.reliable);
    assert_int_equal(intent.reason, DJP_REASON_RATIO);
    assert_int_equal(intent.threshold, 0);
    assert_null(intent.state);
    assert_false(samples(&input));
    use("rule_based()");
    assert_false(samples(&input));
}

/* ---- rates ---- */

static int
samples_at(uint64_t now)
{
    djp__sampler_input input = input_of("a");
    input.now_ns = now;
    return samples(&input);
}

/* One trace each period, and after a quiet time so many as a second has. */
static void
a_rate_is_kept_by_its_schedule(void **state)
{
    (void)state;
    use("rate_limited(4)");
    for (int round = 0; round < 2; round++) {
        uint64_t now = (uint64_t)(10 + 100 * round) * S;
        for (int i = 0; i < 4; i++) {
            assert_true(samples_at(now));
        }
        assert_false(samples_at(now));
        assert_false(samples_at(now + S / 4 - 1));
        assert_true(samples_at(now + S / 4));
        assert_false(samples_at(now + S / 4));
        assert_true(samples_at(now + S / 2 + 5));
        assert_false(samples_at(now + S / 2 + 5));
    }
    /* A clock that goes back gives nothing for free. */
    assert_false(samples_at(S));
    use("rate_limited(0.5)");
    assert_true(samples_at(10 * S));
    assert_false(samples_at(12 * S - 1));
    assert_true(samples_at(12 * S));
    use("rate_limited(1)");
    assert_true(samples_at(10 * S));
    assert_false(samples_at(11 * S - 1));
    assert_true(samples_at(11 * S));
    use("rate_limited(0)");
    for (uint64_t now = S; now < 100 * S; now += S) {
        assert_false(samples_at(now));
    }
}

static void
without_a_time_the_clock_is_read(void **state)
{
    (void)state;
    use("rate_limited(1)");
    assert_true(samples_at(0));
    uint64_t due = djp__load_relaxed(&tree->due_ns), now = djp__clock_monotonic();
    assert_true(due > now - 60 * S && due <= now + S);
}

enum { THREADS = 4, TURNS = 2000 };
static DJP__ATOMIC(int) taken;

static void *
take_many(void *unused)
{
    for (int i = 0; i < TURNS; i++) {
        if (samples_at(10 * S)) {
            djp__add_relaxed(&taken, 1);
        }
    }
    return unused;
}

static void
threads_share_one_rate(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    use("rate_limited(100)");
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(djp__load_relaxed(&taken), 100);
}

/* ---- conditions ---- */

/* 1: the one rule of the tree holds. */
static int
holds(const char *condition, const djp__sampler_input *input)
{
    char text[256];
    snprintf(text, sizeof text, "rule_based(%s => always_on)", condition);
    use(text);
    int result = samples(input);
    snprintf(text, sizeof text, "rule_based(!%s => always_on)", condition);
    use(text);
    assert_int_equal(samples(input), !result);
    return result;
}

static void
conditions_see_the_parent(void **state)
{
    (void)state;
    djp_span_context local = {.trace_id = {1}, .span_id = {1}}, remote = local, sampled = local;
    remote.is_remote = 1;
    sampled.flags = DJP_FLAG_SAMPLED | DJP_FLAG_RANDOM;
    local.flags = DJP_FLAG_RANDOM;
    const djp_span_context *parents[] = {NULL, &local, &remote, &sampled};
    static const int root[] = {1, 0, 0, 0}, far[] = {0, 0, 1, 0}, flag[] = {0, 0, 0, 1};
    for (int i = 0; i < 4; i++) {
        djp__sampler_input input = input_of("a");
        input.parent = parents[i];
        assert_true(holds("any", &input));
        assert_int_equal(holds("root", &input), root[i]);
        assert_int_equal(holds("remote_parent", &input), far[i]);
        assert_int_equal(holds("parent_sampled", &input), flag[i]);
    }
}

static void
conditions_see_kind_and_name(void **state)
{
    (void)state;
    static const char *const kinds[] = {"internal", "server", "client", "producer", "consumer"};
    for (unsigned kind = DJP_KIND_INTERNAL; kind <= DJP_KIND_CONSUMER; kind++) {
        for (unsigned asked = 0; asked < 5; asked++) {
            char condition[32];
            djp__sampler_input input = input_of("a");
            input.kind = kind;
            snprintf(condition, sizeof condition, "kind(%s)", kinds[asked]);
            assert_int_equal(holds(condition, &input), asked + 1 == kind);
        }
    }
    static const struct {
        const char *condition, *name;
        int holds;
    } cases[] = {
        {"name(\"ab\")", "ab", 1},   {"name(\"ab\")", "abc", 0},  {"name(\"ab\")", "a", 0},
        {"name(\"ab*\")", "abc", 1}, {"name(\"ab*\")", "ab", 1},  {"name(\"ab*\")", "a", 0},
        {"name(\"*\")", "", 1},      {"name(\"\")", "", 1},       {"name(\"\")", "a", 0},
        {"name(\"a\\*\")", "a*", 1}, {"name(\"a\\*\")", "ab", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__sampler_input input = input_of(cases[i].name);
        assert_int_equal(holds(cases[i].condition, &input), cases[i].holds);
    }
    djp__sampler_input unnamed = input_of("");
    unnamed.name = (djp_text){NULL, 0};
    use("rule_based(name(\"\") => always_on)");
    assert_true(samples(&unnamed));
}

static void
conditions_see_attributes(void **state)
{
    (void)state;
    djp_attribute given[] = {
        {{"k", 1}, {.type = DJP_STRING, .as.text = {"old", 3}}},
        {{"k", 1}, {.type = DJP_STRING, .as.text = {"text", 4}}},
        {{"i", 1}, {.type = DJP_INT, .as.integer = -15}},
        {{"t", 1}, {.type = DJP_BOOL, .as.boolean = 5}},
        {{"f", 1}, {.type = DJP_BOOL, .as.boolean = 0}},
        {{"d", 1}, {.type = DJP_DOUBLE, .as.real = 1}},
        {{"kk", 2}, {.type = DJP_STRING, .as.text = {"", 0}}},
    };
    static const struct {
        const char *condition;
        int holds;
    } cases[] = {
        {"attribute(\"k\"=\"text\")", 1},  {"attribute(\"k\"=\"te*\")", 1},
        {"attribute(\"k\"=\"old\")", 0}, /* the last value applies */
        {"attribute(\"k\"=*)", 1},         {"attribute(\"x\"=*)", 0},
        {"attribute(\"i\"=\"-15\")", 1},   {"attribute(\"i\"=\"15\")", 0},
        {"attribute(\"i\"=\"-1*\")", 1},   {"attribute(\"t\"=\"true\")", 1},
        {"attribute(\"t\"=\"false\")", 0}, {"attribute(\"f\"=\"false\")", 1},
        {"attribute(\"f\"=\"fal*\")", 1},  {"attribute(\"f\"=\"true\")", 0},
        {"attribute(\"d\"=\"1\")", 0},     {"attribute(\"d\"=\"1*\")", 0},
        {"attribute(\"d\"=*)", 1},         {"attribute(\"kk\"=\"\")", 1},
        {"attribute(\"kk\"=\"text\")", 0}, {"attribute(\"d\"=\"\")", 0},
    };
    djp__sampler_input input = input_of("a");
    input.attributes = given;
    input.attribute_count = sizeof given / sizeof given[0];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (holds(cases[i].condition, &input) != cases[i].holds) {
            fail_msg("%s", cases[i].condition);
        }
    }
    input.attribute_count = 1;
    assert_true(holds("attribute(\"k\"=\"old\")", &input));
    input.attribute_count = 0;
    assert_false(holds("attribute(\"k\"=*)", &input));
}

/* ---- rules ---- */

static void
all_conditions_of_a_rule_must_hold(void **state)
{
    (void)state;
    use("rule_based(root & kind(internal) & name(\"a*\") => always_on)");
    assert_true(samples_name("ab"));
    assert_false(samples_name("b"));
    djp__sampler_input input = input_of("a");
    input.kind = DJP_KIND_SERVER;
    assert_false(samples(&input));
    use("rule_based(name(\"a*\") & !name(\"ab*\") => always_on)");
    assert_true(samples_name("a"));
    assert_false(samples_name("abc"));
    djp_sampler_free(tree);
    tree = djp_sampler_rule_based();
    assert_int_equal(djp_sampler_add_rule(tree, NULL, 0, djp_sampler_always_on()), 0);
    assert_true(samples_name("a")); /* without a condition it holds */
}

/* Exact names are looked up, all other rules are tried in their order: the first that holds decides
 * in both cases. */
static void
the_first_rule_that_holds_decides(void **state)
{
    (void)state;
    use("rule_based(name(\"n*\") => always_on, name(\"no\") => always_off)");
    assert_true(samples_name("no"));
    use("rule_based(name(\"no\") => always_off, name(\"n*\") => always_on)");
    assert_false(samples_name("no"));
    assert_true(samples_name("n"));
    use("rule_based(name(\"x*\") => always_on, name(\"no\") => always_off, name(\"n*\") => "
        "always_on, name(\"no\") => always_on, name(\"last\") => always_on)");
    assert_false(samples_name("no"));
    assert_true(samples_name("not"));
    assert_true(samples_name("xx"));
    assert_true(samples_name("last"));
    assert_false(samples_name("other"));
    use("rule_based(kind(server) => drop, name(\"a\") => always_on, any => always_off)");
    assert_true(samples_name("a"));
    assert_false(samples_name("b"));
    assert_false(intend(&(djp__sampler_input){.kind = 1, .name = {"b", 1}}).drop);
}

static void
rules_nest(void **state)
{
    (void)state;
    use("rule_based(name(\"a*\") => rule_based(name(\"ab\") => always_on), any => drop)");
    assert_true(samples_name("ab"));
    djp__sampler_input input = input_of("ac");
    djp__sampler_intent intent = intend(&input); /* no inner rule: it is not sampled */
    assert_true(!intent.sampled && !intent.drop);
    input = input_of("b");
    assert_true(intend(&input).drop);
}

/* ---- nodes above a leaf ---- */

static void
a_parent_is_followed(void **state)
{
    (void)state;
    djp_span_context parent = {.trace_id = {1}, .span_id = {1}};
    djp__sampler_input input = input_of("a");
    use("parent_threshold(always_on)");
    djp__sampler_intent intent = intend(&input);
    assert_true(intent.sampled && !intent.followed);
    input.parent = &parent;
    intent = intend(&input);
    assert_true(!intent.sampled && intent.followed && !intent.drop);
    parent.flags = DJP_FLAG_SAMPLED;
    use("parent_threshold(drop)");
    intent = intend(&input);
    assert_true(intent.sampled && intent.followed && !intent.drop);
    input.parent = NULL;
    assert_true(intend(&input).drop);
}

/* A trace that the leaf samples uses the rate up; while there is some left, others are sampled. */
static void
at_least_fills_up(void **state)
{
    (void)state;
    use("at_least(2, always_off)");
    djp__sampler_input input = input_of("a");
    for (int i = 0; i < 2; i++) {
        djp__sampler_intent intent = intend(&input);
        assert_true(intent.sampled && !intent.reliable);
        assert_int_equal(intent.reason, DJP_REASON_RATIO);
        assert_int_equal(intent.threshold, 0);
        assert_null(intent.state);
    }
    assert_false(samples(&input));
    use("at_least(2, probability(0.5))");
    input.randomness = HALF;
    for (int i = 0; i < 3; i++) { /* it would have been sampled anyway: its own threshold */
        djp__sampler_intent intent = intend(&input);
        assert_true(intent.sampled && intent.reliable);
        assert_int_equal(intent.threshold, HALF);
    }
    input.randomness = 0;
    assert_false(samples(&input));
    use("at_least(1, at_least(1, always_off))");
    assert_true(samples(&input)); /* both rates at once */
    assert_false(samples(&input));
    use("at_least(1, drop)");
    for (int i = 0; i < 3; i++) {
        djp__sampler_intent intent = intend(&input);
        assert_true(intent.drop && !intent.sampled);
    }
    assert_int_equal(djp__load_relaxed(&tree->due_ns), 0); /* and nothing is used up */
    use("at_least(1, parent_threshold(always_off))");
    djp_span_context parent = {.trace_id = {1}, .span_id = {1}};
    input.parent = &parent;
    djp__sampler_intent intent = intend(&input);
    assert_true(intent.sampled && !intent.followed);
    intent = intend(&input);
    assert_true(!intent.sampled && intent.followed);
    parent.flags = DJP_FLAG_SAMPLED;
    input.now_ns += 10 * S;
    intent = intend(&input);
    assert_true(intent.sampled && intent.followed);
    parent.flags = 0;
    assert_false(samples(&input)); /* the followed one used it up */
}

/* As many levels as a tree may have. */
static void
a_deep_tree_is_walked_to_its_leaf(void **state)
{
    (void)state;
    char text[512] = "";
    for (unsigned i = 1; i < DJP_SAMPLER_DEPTH_MAX; i++) {
        strcat(text, "at_least(1,");
    }
    strcat(text, "always_off");
    for (unsigned i = 1; i < DJP_SAMPLER_DEPTH_MAX; i++) {
        strcat(text, ")");
    }
    use(text);
    djp__sampler_input input = input_of("a");
    assert_true(samples(&input));
    assert_false(samples(&input));
    for (djp_sampler *node = tree; node->child != NULL; node = node->child) {
        assert_int_not_equal(djp__load_relaxed(&node->due_ns), 0);
    }
}

static void
the_innermost_attributes_hold_all(void **state)
{
    (void)state;
    djp__sampler_input input = input_of("a");
    use("annotating({\"o\"=1}, rule_based(name(\"a\") => annotating({\"i\"=2}, always_on), any => "
        "always_on))");
    djp__sampler_intent intent = intend(&input);
    assert_int_equal(intent.notes->count, 2);
    input.name = DJP_TEXT("b");
    intent = intend(&input);
    assert_ptr_equal(intent.notes, tree->notes);
    assert_int_equal(intent.notes->count, 1);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(leaves_say_what_they_do),
        CASE(a_rate_is_kept_by_its_schedule),
        CASE(without_a_time_the_clock_is_read),
        CASE(threads_share_one_rate),
        CASE(conditions_see_the_parent),
        CASE(conditions_see_kind_and_name),
        CASE(conditions_see_attributes),
        CASE(all_conditions_of_a_rule_must_hold),
        CASE(the_first_rule_that_holds_decides),
        CASE(rules_nest),
        CASE(a_parent_is_followed),
        CASE(at_least_fills_up),
        CASE(a_deep_tree_is_walked_to_its_leaf),
        CASE(the_innermost_attributes_hold_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
