/* The policy for roots: which ratio, canary and plan give which one, that each is made once, and
 * what holds when there are too many or no memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "djp/error.h"
#include "djp/sampler.h"
#include "heap.h"
#include "sampling/head.h"
#include "span_reader.h"
#include "lock_guard.h"
#include "trace/recorder_state.h"

#define HALF (1ull << 55)
#define QUARTER (1ull << 54)

static djp_recorder *recorder;

static djp__recorder_options
ratio_options(double ratio, double canary)
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(ratio);
    options.canary = djp__threshold_of(canary);
    return options;
}

static void
use(djp__recorder_options options)
{
    djp__recorder_free(recorder);
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

static const djp__policy *
active(void)
{
    return djp__recorder_policy(recorder);
}

static const djp__policy *
with_ratio(double ratio)
{
    assert_int_equal(djp__recorder_set_ratio(recorder, ratio), 0);
    return active();
}

static const djp__policy *
configured(void)
{
    assert_int_equal(djp__recorder_reset_ratio(recorder), 0);
    return active();
}

/* "threshold recorded always_on drop_all text of the tracestate" */
static void
assert_policy(const djp__policy *policy, uint64_t threshold, uint64_t recorded, int always_on,
              int drop_all, const char *root_state)
{
    assert_int_equal(policy->threshold, threshold);
    assert_int_equal(policy->recorded, recorded);
    assert_int_equal(policy->always_on, always_on);
    assert_int_equal(policy->drop_all, drop_all);
    assert_int_equal(policy->tree, 0);
    assert_int_equal(policy->root_state == NULL, root_state == NULL);
    if (root_state != NULL) {
        assert_true(djp__text_equal(djp_tracestate_text(policy->root_state), root_state));
    }
}

static djp_sampler *
tree(const char *text)
{
    djp_sampler *out = NULL;
    assert_int_equal(djp_sampler_parse(&out, djp_text_of(text), NULL), 0);
    return out;
}

/* ---- what the options say ---- */

static void
the_first_policy_is_that_of_the_options(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    assert_policy(active(), HALF, 0, 0, 0, "ot=th:8");
    djp__recorder_options options = ratio_options(0, 1);
    use(options); /* a threshold that none reaches cannot be written */
    assert_policy(active(), DJP__THRESHOLD_NEVER, 0, 0, 0, NULL);
    options = ratio_options(0.5, 1);
    options.drop_all = 2;
    use(options);
    assert_policy(active(), HALF, 0, 0, 1, NULL);
    assert_true(djp__recorder_is_muted(recorder));
    options = ratio_options(0.5, 1);
    options.always_on = 2;
    use(options);
    assert_policy(active(), 0, 0, 1, 0, NULL);
}

/* A root is never sampled outside the recorded share, and "always on" is then a ratio. */
static void
a_canary_raises_the_threshold(void **state)
{
    (void)state;
    use(ratio_options(1, 0.75));
    assert_policy(active(), QUARTER, QUARTER, 0, 0, "ot=th:4");
    use(ratio_options(0.5, 0.75));
    assert_policy(active(), HALF, QUARTER, 0, 0, "ot=th:8");
    assert_policy(with_ratio(0.25), 3 * QUARTER, QUARTER, 0, 0, "ot=th:c");
    djp__recorder_options options = ratio_options(0.5, 0.75);
    options.always_on = 1;
    use(options);
    assert_policy(active(), QUARTER, QUARTER, 0, 0, "ot=th:4");
}

/* ---- ratios ---- */

static void
a_policy_is_made_once(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    const djp__policy *first = active(), *quarter = with_ratio(0.25), *none = with_ratio(0);
    assert_policy(quarter, 3 * QUARTER, 0, 0, 0, "ot=th:c");
    assert_policy(none, DJP__THRESHOLD_NEVER, 0, 0, 1, NULL);
    assert_int_equal(recorder->policy_count, 3);
    assert_ptr_equal(with_ratio(0.25), quarter);
    assert_ptr_equal(with_ratio(0), none);
    assert_ptr_equal(with_ratio(-1), none);
    assert_ptr_equal(with_ratio(0.5), first);
    assert_policy(with_ratio(1), 0, 0, 0, 0, "ot=th:0");
    assert_int_equal(recorder->policy_count, 4);
    /* The same ratio inside another share is another policy; nothing is nothing in each. */
    djp__recorder_set_canary(recorder, 0.75);
    assert_ptr_not_equal(with_ratio(0.25), quarter);
    assert_policy(active(), 3 * QUARTER, QUARTER, 0, 0, "ot=th:c");
    assert_ptr_equal(with_ratio(0), none);
    assert_int_equal(recorder->policy_count, 5);
}

/* A ratio of 1 is no "always on": its spans carry a threshold. */
static void
always_on_is_no_ratio(void **state)
{
    (void)state;
    use(span_reader_options());
    const djp__policy *always = active();
    assert_ptr_not_equal(with_ratio(1), always);
    assert_policy(active(), 0, 0, 0, 0, "ot=th:0");
    assert_ptr_equal(configured(), always);
}

static void
what_was_configured_holds_again(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    const djp__policy *first = active();
    with_ratio(0.25);
    assert_int_equal(recorder->by_ratio, 1);
    assert_ptr_equal(configured(), first);
    assert_int_equal(recorder->by_ratio, 0);
    assert_int_equal(djp__recorder_has_tree(recorder), 0);
    assert_int_equal(djp__recorder_set_sampler(recorder, tree("always_off")), 0);
    assert_int_equal(djp__recorder_has_tree(recorder), 1);
    assert_int_equal(with_ratio(0.25)->tree, 0);
    assert_int_equal(configured()->tree, 1);
    djp__recorder_set_canary(recorder, 0.75); /* of the tree's own reading */
    assert_int_equal(configured()->tree, 1);
}

static void
another_canary_makes_another_policy(void **state)
{
    (void)state;
    use(ratio_options(0.5, 0.75));
    const djp__policy *first = active();
    djp__recorder_set_canary(recorder, 0.25);
    assert_ptr_equal(active(), first); /* not yet */
    const djp__policy *second = configured();
    assert_policy(second, 3 * QUARTER, 3 * QUARTER, 0, 0, "ot=th:c");
    assert_ptr_equal(configured(), second);
    assert_int_equal(recorder->policy_count, 2);
    djp__recorder_set_canary(recorder, 0.75);
    assert_ptr_equal(configured(), first);
    djp__recorder_set_canary(recorder, 1);
    assert_policy(configured(), HALF, 0, 0, 0, "ot=th:8");
    djp__recorder_set_canary(recorder, -1); /* as configured */
    assert_ptr_equal(configured(), first);
    djp__recorder_set_canary(recorder, 0);
    assert_policy(configured(), DJP__THRESHOLD_NEVER, DJP__THRESHOLD_NEVER, 0, 0, NULL);
    djp__recorder_options options = ratio_options(0, 1);
    options.drop_all = 1;
    use(options);
    first = active();
    djp__recorder_set_canary(recorder, 0.5);
    assert_ptr_equal(configured(), first); /* nothing stays nothing */
    assert_int_equal(recorder->policy_count, 1);
}

static void
would_sample_follows_the_active_policy(void **state)
{
    (void)state;
    uint8_t edge[16] = {[9] = 0x80}, below[16] = {[9] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    use(ratio_options(0.5, 1));
    assert_int_equal(djp_recorder_would_sample(recorder, edge), 1);
    assert_int_equal(djp_recorder_would_sample(recorder, below), 0);
    with_ratio(1);
    assert_int_equal(djp_recorder_would_sample(recorder, below), 1);
    with_ratio(0);
    assert_int_equal(djp_recorder_would_sample(recorder, edge), 0);
    assert_int_equal(djp_recorder_would_sample(NULL, edge), 0);
}

/* ---- too many ---- */

/* Distinct ratios, none of the scale, until that many policies exist. */
static void
fill_up_to(uint32_t count)
{
    for (uint32_t i = 0; recorder->policy_count < count; i++) {
        uint32_t before = recorder->policy_count;
        with_ratio(0.9 - i * 1e-4);
        assert_in_range(recorder->policy_count, before, before + 1);
        assert_true(i < 8000);
    }
}

/* The lower half has every ratio as it is, the upper half those of a scale of 16 to a halving. */
static void
in_the_upper_half_ratios_are_rounded(void **state)
{
    (void)state;
    static const struct {
        double ratio;
        int steps;
    } cases[] = {{0.3, 28},    {0.9999, 0},    {0.26, 31},     {0.2509, 32},
                 {0.011, 104}, {0x1p-20, 320}, {0x1p-56, 896}, {0x1p-57, 912}};
    use(ratio_options(0.5, 1));
    fill_up_to(DJP__POLICIES_MAX / 2 - 1);
    uint64_t exact = djp__threshold_of(0.301);
    assert_int_equal(with_ratio(0.301)->threshold, exact);
    assert_int_equal(recorder->policy_count, DJP__POLICIES_MAX / 2);
    djp__recorder_set_canary(recorder, 0.301);
    assert_int_equal(djp__load_relaxed(&recorder->canary), djp__threshold_of(exp2(-28 / 16.0)));
    djp__recorder_set_canary(recorder, -1);
    assert_int_equal(djp__load_relaxed(&recorder->canary), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(with_ratio(cases[i].ratio)->threshold,
                         djp__threshold_of(exp2(-cases[i].steps / 16.0)));
        assert_int_equal(active()->drop_all + active()->always_on, 0);
        assert_non_null(active()->root_state);
    }
    assert_int_equal(with_ratio(1e-300)->drop_all, 1); /* no trace id is as rare */
    /* Those that exist hold as they are. */
    assert_int_equal(with_ratio(0.301)->threshold, exact);
    uint32_t count = recorder->policy_count;
    with_ratio(0.302);
    with_ratio(0.303);
    assert_int_equal(recorder->policy_count, count);
    /* and so do shares */
    djp__recorder_set_canary(recorder, 0.301);
    assert_int_equal(djp__load_relaxed(&recorder->canary), djp__threshold_of(exp2(-28 / 16.0)));
    djp__recorder_set_canary(recorder, 1);
    assert_int_equal(djp__load_relaxed(&recorder->canary), 0);
    djp__recorder_set_canary(recorder, 0);
    assert_int_equal(djp__load_relaxed(&recorder->canary), DJP__THRESHOLD_NEVER);
}

static void
below_the_upper_half_canaries_are_exact(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    djp__recorder_set_canary(recorder, 0.301);
    assert_int_equal(djp__load_relaxed(&recorder->canary), djp__threshold_of(0.301));
    fill_up_to(DJP__POLICIES_MAX / 2 - 1);
    djp__recorder_set_canary(recorder, 0.302);
    assert_int_equal(djp__load_relaxed(&recorder->canary), djp__threshold_of(0.302));
}

static void
ratios_stay_near_for_ever(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    for (unsigned i = 1; i <= 20000; i++) {
        double ratio = pow(0.5, (double)(i % 1000) / 60.0) * (1 - i * 1e-6);
        double holds = 1 - (double)with_ratio(ratio)->threshold / 0x1p56;
        assert_true(holds > ratio * 0.97 && holds < ratio * 1.03);
    }
    assert_in_range(recorder->policy_count, DJP__POLICIES_MAX / 2, DJP__POLICIES_MAX - 1);
}

/* The last place is that of the policy that drops all: what stops everything always works. */
static void
the_last_place_is_reserved(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    for (unsigned canary = 1; canary <= 200; canary++) {
        djp__recorder_set_canary(recorder, canary / 200.0);
        for (unsigned i = 1; i <= 60; i++) {
            djp__recorder_set_ratio(recorder, canary / 200.0 / (i + 1));
        }
    }
    assert_int_equal(recorder->policy_count, DJP__POLICIES_MAX - 1);
    const djp__policy *before = active();
    djp__recorder_set_canary(recorder, 0x1p-30);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0x1p-31), DJP_ENOMEM);
    assert_int_equal(djp__recorder_reset_ratio(recorder), DJP_ENOMEM);
    assert_ptr_equal(active(), before);
    assert_int_equal(with_ratio(0)->drop_all, 1);
    assert_int_equal(recorder->policy_count, DJP__POLICIES_MAX);
    djp__recorder_set_canary(recorder, 1);
    assert_int_equal(with_ratio(0.5)->drop_all, 0); /* the first of all */
    assert_int_equal(with_ratio(0)->drop_all, 1);
}

static void
without_memory_nothing_changes(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    const djp__policy *first = active();
    djp__alloc_fail_after(1);
    assert_int_equal(djp__recorder_set_ratio(recorder, 0.25), DJP_ENOMEM);
    djp__alloc_fail_after(0);
    assert_ptr_equal(active(), first);
    assert_int_equal(recorder->by_ratio, 0);
    assert_int_equal(recorder->policy_count, 1);
    djp__alloc_fail_after(2); /* the policy, and then its tracestate */
    assert_int_equal(djp__recorder_set_ratio(recorder, 0.25), 0);
    djp__alloc_fail_after(0);
    assert_policy(active(), 3 * QUARTER, 0, 0, 0, NULL);
}

/* ---- plans ---- */

static djp__recorder_plan
plan(int enabled, double ratio, double canary)
{
    return (djp__recorder_plan){.enabled = enabled, .ratio = ratio, .canary = canary};
}

static int
apply(djp__recorder_plan wanted)
{
    return djp__recorder_apply(recorder, &wanted);
}

static void
a_plan_sets_all_of_it(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    const djp__policy *first = active();
    assert_int_equal(apply(plan(1, 0.25, 0.75)), 0);
    assert_policy(active(), 3 * QUARTER, QUARTER, 0, 0, "ot=th:c");
    assert_int_equal(apply(plan(0, -1, -1)), 0);
    assert_ptr_equal(active(), first);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_OFF | DJP__RECORDER_MUTED);
    assert_int_equal(apply(plan(1, 0, -1)), 0);
    assert_int_equal(djp__load_relaxed(&recorder->state), DJP__RECORDER_MUTED);
    djp__recorder_plan with_tree = plan(1, -1, -1);
    with_tree.sampler = tree("always_off");
    assert_int_equal(apply(with_tree), 0);
    assert_int_equal(djp__recorder_has_tree(recorder), 1);
    assert_int_equal(apply(plan(1, -1, -1)), 0);
    assert_int_equal(djp__recorder_has_tree(recorder), 1);
    djp__recorder_plan without = plan(1, -1, -1);
    without.drops_sampler = 1;
    assert_int_equal(apply(without), 0);
    assert_ptr_equal(active(), first);
}

/* Without memory for its policy, a plan still turns recording off. */
static void
off_needs_no_memory(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    const djp__policy *first = active();
    djp__alloc_fail_after(1);
    int result = apply(plan(0, 0.25, -1));
    djp__alloc_fail_after(0);
    assert_int_equal(result, DJP_ENOMEM);
    assert_ptr_equal(active(), first);
    assert_true(djp__recorder_is_muted(recorder));
}

/* A sampler that cannot be replaced now leaves the whole plan for later. */
static void
a_plan_waits_for_its_sampler(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    const djp__policy *first = active();
    recorder->slot.retired_count = 100; /* as if so many old trees were in use */
    djp__recorder_plan with_tree = plan(0, 0.25, 0.5);
    with_tree.sampler = tree("always_off");
    assert_int_equal(apply(with_tree), DJP_ERETRY);
    assert_ptr_equal(active(), first);
    assert_int_equal(djp__load_relaxed(&recorder->canary), 0);
    assert_int_equal(djp__load_relaxed(&recorder->state), 0);
    recorder->slot.retired_count = 0;
}

static void
make_and_free(void)
{
    djp__recorder_options options = ratio_options(0.5, 1);
    djp_recorder *one = span_reader_recorder(&options);
    for (int i = 1; i < 20; i++) {
        djp__recorder_set_ratio(one, i / 20.0);
    }
    djp__recorder_free(one);
}

static void
policies_go_with_their_recorder(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(make_and_free, 20), 0);
}

static void
set_any_ratio(void)
{
    djp__recorder_set_ratio(recorder, 0.3);
}

static void
reset_any_ratio(void)
{
    djp__recorder_reset_ratio(recorder);
}

static void
set_any_canary(void)
{
    djp__recorder_set_canary(recorder, 0.3);
}

/* Programs, files and servers may set them at once. */
static void
changes_come_one_after_the_other(void **state)
{
    (void)state;
    use(ratio_options(0.5, 1));
    assert_true(waits_for(NULL, set_any_ratio));
    assert_true(waits_for(NULL, reset_any_ratio));
    assert_true(waits_for(NULL, set_any_canary));
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(the_first_policy_is_that_of_the_options),
        CASE(a_canary_raises_the_threshold),
        CASE(a_policy_is_made_once),
        CASE(always_on_is_no_ratio),
        CASE(what_was_configured_holds_again),
        CASE(another_canary_makes_another_policy),
        CASE(would_sample_follows_the_active_policy),
        CASE(in_the_upper_half_ratios_are_rounded),
        CASE(below_the_upper_half_canaries_are_exact),
        CASE(ratios_stay_near_for_ever),
        CASE(the_last_place_is_reserved),
        CASE(without_memory_nothing_changes),
        CASE(a_plan_sets_all_of_it),
        CASE(off_needs_no_memory),
        CASE(a_plan_waits_for_its_sampler),
        CASE(policies_go_with_their_recorder),
        CASE(changes_come_one_after_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
