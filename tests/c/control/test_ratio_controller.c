/* The controller of the head ratio against simulated loads: it comes to its target within a few
 * steps and stays there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/ratio_controller.h"

#define SECOND 1000000000ull

typedef struct world {
    djp__ratio_controller it;
    djp__ratio_load load;
    uint64_t now, noise;
    double kept; /* in the last second */
} world;

static void
begin(world *w, double spans, double bytes, double ratio)
{
    memset(w, 0, sizeof *w);
    djp__ratio_controller_init(&w->it, spans, bytes, ratio);
    w->now = SECOND;
    w->noise = 88172645463325252ull;
    djp__ratio_controller_step(&w->it, w->now, w->it.ratio, &w->load);
}

/* Within +- 1 of evenly spread noise, the same in every run. */
static double
noise(world *w)
{
    w->noise ^= w->noise << 13;
    w->noise ^= w->noise >> 7;
    w->noise ^= w->noise << 17;
    return (double)(w->noise >> 11) / 0x1p52 - 1;
}

/* A second: so many spans end, of which so many fail; the head keeps its part of the others, give
 * or take chance. */
static void
second(world *w, double spans, double failing)
{
    double expected = (spans - failing) * w->it.ratio;
    double head = fmax(0, round(expected + noise(w) * sqrt(expected)));
    w->load.ended += (uint64_t)spans;
    w->load.head += (uint64_t)head;
    w->load.other += (uint64_t)failing;
    w->load.failed += (uint64_t)failing;
    w->kept = head + failing;
    w->now += SECOND;
    djp__ratio_controller_step(&w->it, w->now, w->it.ratio, &w->load);
}

static void
test_converges(void **state)
{
    (void)state;
    static const double loads[] = {200, 1000, 10000, 100000};
    for (size_t i = 0; i < 4; i++) {
        world w;
        begin(&w, 100, 0, 1);
        double most = 0, sum = 0;
        for (int k = 0; k < 8; k++) {
            second(&w, loads[i], 0);
        }
        double low = w.it.ratio, high = w.it.ratio;
        for (int k = 0; k < 200; k++) {
            second(&w, loads[i], 0);
            most = fmax(most, w.kept);
            sum += w.kept;
            low = fmin(low, w.it.ratio);
            high = fmax(high, w.it.ratio);
        }
        assert_true(sum / 200 > 85 && sum / 200 < 115);
        assert_true(most < 150);
        assert_true(high / low < 1.4);
    }
}

static void
test_load_rises_and_falls(void **state)
{
    (void)state;
    world w;
    begin(&w, 100, 0, 1);
    for (int k = 0; k < 10; k++) {
        second(&w, 50, 0);
    }
    assert_true(w.it.ratio == 1); /* never above 1, and all of what the target allows */
    for (int k = 0; k < 8; k++) {
        second(&w, 50000, 0);
    }
    assert_true(w.kept > 60 && w.kept < 150);
    for (int k = 0; k < 30; k++) {
        second(&w, 50, 0);
    }
    assert_true(w.it.ratio == 1);
    for (int k = 0; k < 10; k++) {
        second(&w, 0, 0);
    }
    assert_true(w.it.ratio == 1);
    for (int k = 0; k < 20; k++) {
        second(&w, 1e9, 0);
    }
    assert_true(w.it.ratio == DJP__RATIO_FLOOR);
}

/* What must be kept anyway takes its part of the target, but never all: the rest stays
 * measurable. */
static void
test_others_count(void **state)
{
    (void)state;
    world w;
    begin(&w, 100, 0, 1);
    for (int k = 0; k < 200; k++) {
        second(&w, 10000, 60);
    }
    assert_true(w.it.ratio * 9940 > 25 && w.it.ratio * 9940 < 55);
    for (int k = 0; k < 1000; k++) {
        second(&w, 10000, 500);
    }
    assert_true(w.it.ratio * 9500 > 7 && w.it.ratio * 9500 < 13);
}

/* While more fails than usual the target is doubled; what lasts becomes usual. */
static void
test_failures_raise(void **state)
{
    (void)state;
    world w;
    begin(&w, 1000, 0, 1);
    for (int k = 0; k < 100; k++) {
        second(&w, 100000, 10);
    }
    double calm = w.it.ratio;
    assert_false(w.it.raised);
    for (int k = 0; k < 10; k++) {
        second(&w, 100000, 200);
    }
    assert_true(w.it.raised);
    assert_true(w.it.ratio > 1.5 * calm && w.it.ratio < 2.2 * calm);
    for (int k = 0; k < 200; k++) {
        second(&w, 100000, 200);
    }
    assert_false(w.it.raised);
    assert_true(w.it.ratio < calm);
}

static void
test_bytes(void **state)
{
    (void)state;
    world w;
    begin(&w, 0, 50000, 1);
    w.load.span_bytes = 500;
    for (int k = 0; k < 20; k++) {
        second(&w, 10000, 0);
    }
    assert_true(w.kept > 60 && w.kept < 150);
    begin(&w, 10, 50000, 1); /* the smaller one counts */
    w.load.span_bytes = 500;
    for (int k = 0; k < 20; k++) {
        second(&w, 10000, 0);
    }
    assert_true(w.it.ratio * 10000 > 6 && w.it.ratio * 10000 < 15);
}

/* A forked child that ended as much as the parent had, and kept less of it, is not taken for one
 * that kept 2^64 spans. */
static void
test_a_child_begins_anew(void **state)
{
    (void)state;
    static const djp__ratio_load parents[] = {
        {.head = 3, .ended = 3}, {.other = 3, .ended = 3}, {.other = 3, .failed = 3, .ended = 3}};
    for (size_t i = 0; i < 3; i++) {
        world w;
        begin(&w, 100, 0, 0.5);
        w.load = parents[i];
        w.now += SECOND;
        djp__ratio_controller_step(&w.it, w.now, w.it.ratio, &w.load);
        double before = w.it.ratio;
        w.load = (djp__ratio_load){.ended = 4};
        w.now += SECOND;
        djp__ratio_controller_step(&w.it, w.now, w.it.ratio, &w.load);
        assert_true(w.it.ratio >= before);
        for (int k = 0; k < 3; k++) {
            second(&w, 10, 0);
        }
        assert_true(w.it.ratio == 1); /* 10 spans a second are far below 100 */
    }
}

/* Counters that begin again, as in a forked child, a clock that stands still: nothing is
 * concluded. */
static void
test_odd_times(void **state)
{
    (void)state;
    world w;
    begin(&w, 100, 0, 1);
    second(&w, 10000, 0);
    double ratio = w.it.ratio;
    memset(&w.load, 0, sizeof w.load);
    assert_true(djp__ratio_controller_step(&w.it, w.now + SECOND, ratio, &w.load) == ratio);
    assert_true(djp__ratio_controller_step(&w.it, w.now, ratio, &w.load) == ratio);
    assert_true(djp__ratio_controller_step(&w.it, w.now, ratio, &w.load) == ratio);
}

/* One step after a first look, by hand: so many ended, of which the head kept so many by the ratio
 * used. */
static double
one_step(djp__ratio_controller *it, double used, uint64_t head, uint64_t other, uint64_t failed,
         uint64_t ended, double span_bytes)
{
    djp__ratio_load none = {.span_bytes = span_bytes},
                    load = {head, other, failed, ended, span_bytes};
    djp__ratio_controller_step(it, SECOND, used, &none);
    return djp__ratio_controller_step(it, 2 * SECOND, used, &load);
}

static void
test_init_and_aim(void **state)
{
    (void)state;
    djp__ratio_controller it;
    djp__ratio_controller_init(&it, 10, 20, 0.3);
    assert_true(it.target_spans == 10 && it.target_bytes == 20 && it.ratio == 0.3 &&
                it.ceiling == 1);
    assert_true(it.potential == -1 && it.normal == -1 && it.other == 0 && !it.raised &&
                it.last_ns == 0);
    assert_true(djp__ratio_controller_expect(&it, 0.5) == -1);
    djp__ratio_controller_init(&it, 1, 0, DJP__RATIO_FLOOR);
    assert_true(it.ratio == DJP__RATIO_FLOOR);
    djp__ratio_controller_init(&it, 1, 0, DJP__RATIO_FLOOR / 2);
    assert_true(it.ratio == DJP__RATIO_FLOOR);
    djp__ratio_controller_set_target(&it, 5, 0.5);
    assert_true(it.target_spans == 5 && it.ceiling == 0.5 && it.ratio == DJP__RATIO_FLOOR);
    it.ratio = 0.75;
    djp__ratio_controller_set_target(&it, 5, 0.5);
    assert_true(it.ratio == 0.5);
    it.potential = 100;
    it.other = 7;
    assert_true(djp__ratio_controller_expect(&it, 0.5) == 57);
    it.potential = 0;
    assert_true(djp__ratio_controller_expect(&it, 0.5) == 7);
}

/* The numbers that a step calculates. */
static void
test_one_step(void **state)
{
    (void)state;
    djp__ratio_controller it;
    /* 500 kept by a half: a ratio of 1 would keep 1,000; a target of 250 wants a quarter, which is
     * two steps of halving: at once. */
    djp__ratio_controller_init(&it, 250, 0, 0.5);
    assert_true(one_step(&it, 0.5, 500, 0, 0, 1000, 0) == 0.25);
    assert_true(it.potential == 1000 && it.other == 0);
    /* The smoothed half of the newest second. */
    djp__ratio_load load = {500 + 125, 40, 0, 2000, 0};
    djp__ratio_controller_step(&it, 3 * SECOND, 0.25, &load);
    assert_true(it.potential == 750 && it.other == 20);
    /* Half a second counts double. */
    load.head += 250;
    djp__ratio_controller_step(&it, 3 * SECOND + SECOND / 2, 0.5, &load);
    assert_true(it.potential == (750 + 1000) / 2);
    /* Others fill the target but for a tenth. */
    djp__ratio_controller_init(&it, 100, 0, 1);
    one_step(&it, 1, 1000, 200, 0, 1100, 0); /* half of it, as smoothed */
    assert_true(it.ratio == exp2(round(log2(0.01) * 16) / 16));
    djp__ratio_controller_init(&it, 100, 0, 1);
    one_step(&it, 1, 1000, 100, 0, 1100, 0);
    assert_true(it.ratio == exp2(round(log2(0.05) * 16) / 16));
    /* A rise at most doubles, and ends at the ceiling. */
    djp__ratio_controller_init(&it, 1000, 0, 0.1);
    assert_true(one_step(&it, 0.1, 10, 0, 0, 100, 0) == exp2(round(log2(0.2) * 16) / 16));
    djp__ratio_controller_init(&it, 1000, 0, 0.5);
    assert_true(one_step(&it, 0.5, 10, 0, 0, 100, 0) == 1);
    djp__ratio_controller_init(&it, 1000, 0, 0.45);
    assert_true(one_step(&it, 0.45, 10, 0, 0, 100, 0) < 1);
    djp__ratio_controller_init(&it, 1000, 0, 0.3);
    djp__ratio_controller_set_target(&it, 1000, 0.333);
    assert_true(one_step(&it, 0.3, 10, 0, 0, 100, 0) == 0.333);
    /* Below a sixteenth of a halving nothing moves, above it does. */
    djp__ratio_controller_init(&it, 250, 0, 0.25);
    assert_true(one_step(&it, 0.25, 258, 0, 0, 1000, 0) == 0.25);
    djp__ratio_controller_init(&it, 250, 0, 0.25);
    assert_true(one_step(&it, 0.25, 242, 0, 0, 1000, 0) == 0.25);
    djp__ratio_controller_init(&it, 250, 0, 0.25);
    assert_true(one_step(&it, 0.25, 262, 0, 0, 1000, 0) < 0.25);
    djp__ratio_controller_init(&it, 250, 0, 0.25);
    assert_true(one_step(&it, 0.25, 238, 0, 0, 1000, 0) > 0.25);
    /* A ratio that was not used says nothing. */
    djp__ratio_controller_init(&it, 250, 0, 0.5);
    assert_true(one_step(&it, 0, 500, 0, 0, 1000, 0) == 0.5 && it.potential == -1);
    djp__ratio_controller_init(&it, 250, 0, 0.5);
    assert_true(one_step(&it, -1, 500, 0, 0, 1000, 0) == 0.5 && it.potential == -1);
}

static void
test_targets_of_both_kinds(void **state)
{
    static const struct {
        double spans, bytes, span_bytes, ratio;
    } cases[] = {{250, 0, 100, 0.25},     {0, 25000, 100, 0.25}, {250, 100000, 100, 0.25},
                 {500, 25000, 100, 0.25}, {0, 25000, 0, 1},      {250, 25000, 0, 0.25},
                 {0, 0, 100, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__ratio_controller it;
        djp__ratio_controller_init(&it, cases[i].spans, cases[i].bytes, 1);
        assert_true(one_step(&it, 1, 1000, 0, 0, 1000, cases[i].span_bytes) == cases[i].ratio);
    }
}

/* Failures raise the target from five on, where they are more than twice what is usual. */
static void
test_what_is_an_incident(void **state)
{
    static const struct {
        uint64_t failed;
        double normal;
        int raised;
    } cases[] = {{4, 0.001, 0}, {5, 0.001, 1}, {20, 0.01, 0},
                 {21, 0.01, 1}, {1000, -1, 0}, {0, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__ratio_controller it;
        djp__ratio_controller_init(&it, 100, 0, 1);
        it.normal = cases[i].normal;
        one_step(&it, 1, 1000 - cases[i].failed, cases[i].failed, cases[i].failed, 1000, 0);
        assert_int_equal(it.raised, cases[i].raised);
        double before = cases[i].normal < 0 ? (double)cases[i].failed / 1000 : cases[i].normal;
        assert_true(fabs(it.normal - (before + ((double)cases[i].failed / 1000 - before) / 64)) <
                    1e-12);
    }
    djp__ratio_controller it;
    djp__ratio_controller_init(&it, 100, 0, 1);
    it.normal = 0.25;
    it.raised = 1;
    one_step(&it, 1, 0, 0, 0, 0, 0); /* nothing ended: nothing is known */
    assert_true(it.normal == 0.25 && it.raised);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_converges),
        cmocka_unit_test(test_load_rises_and_falls),
        cmocka_unit_test(test_others_count),
        cmocka_unit_test(test_failures_raise),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_init_and_aim),
        cmocka_unit_test(test_one_step),
        cmocka_unit_test(test_targets_of_both_kinds),
        cmocka_unit_test(test_what_is_an_incident),
        cmocka_unit_test(test_odd_times),
        cmocka_unit_test(test_a_child_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
