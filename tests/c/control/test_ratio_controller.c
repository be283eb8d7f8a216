/* The controller of the head ratio against simulated loads: it comes to its target within a few steps and stays there. */
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
    djp_adaptive it;
    djp_adaptive_load load;
    uint64_t now, noise;
    double kept; /* in the last second */
} world;

static void
begin(world *w, double spans, double bytes, double ratio)
{
    memset(w, 0, sizeof *w);
    djp__adaptive_init(&w->it, spans, bytes, ratio);
    w->now = SECOND;
    w->noise = 88172645463325252ull;
    djp__adaptive_step(&w->it, w->now, w->it.ratio, &w->load);
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

/* A second: so many spans end, of which so many fail; the head keeps its part of the others, give or take chance. */
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
    djp__adaptive_step(&w->it, w->now, w->it.ratio, &w->load);
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
    assert_true(w.it.ratio == DJP_ADAPTIVE_FLOOR);
}

/* What must be kept anyway takes its part of the target, but never all: the rest stays measurable. */
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

/* A forked child that ended as much as the parent had, and kept less of it, is not taken for one that kept 2^64 spans. */
static void
test_a_child_begins_anew(void **state)
{
    (void)state;
    static const djp_adaptive_load parents[] = {
        {.head = 3, .ended = 3}, {.other = 3, .ended = 3}, {.other = 3, .failed = 3, .ended = 3}};
    for (size_t i = 0; i < 3; i++) {
        world w;
        begin(&w, 100, 0, 0.5);
        w.load = parents[i];
        w.now += SECOND;
        djp__adaptive_step(&w.it, w.now, w.it.ratio, &w.load);
        double before = w.it.ratio;
        w.load = (djp_adaptive_load){.ended = 4};
        w.now += SECOND;
        djp__adaptive_step(&w.it, w.now, w.it.ratio, &w.load);
        assert_true(w.it.ratio >= before);
        for (int k = 0; k < 3; k++) {
            second(&w, 10, 0);
        }
        assert_true(w.it.ratio == 1); /* 10 spans a second are far below 100 */
    }
}

/* Counters that begin again, as in a forked child, a clock that stands still: nothing is concluded. */
static void
test_odd_times(void **state)
{
    (void)state;
    world w;
    begin(&w, 100, 0, 1);
    second(&w, 10000, 0);
    double ratio = w.it.ratio;
    memset(&w.load, 0, sizeof w.load);
    assert_true(djp__adaptive_step(&w.it, w.now + SECOND, ratio, &w.load) == ratio);
    assert_true(djp__adaptive_step(&w.it, w.now, ratio, &w.load) == ratio);
    assert_true(djp__adaptive_step(&w.it, w.now, ratio, &w.load) == ratio);
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
        cmocka_unit_test(test_odd_times),
        cmocka_unit_test(test_a_child_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
