/* The parts of the rate limit one by one: the sliding second, the division, places of routes,
 * thresholds, and what a busy one does. Compiled in, so that its windows can be looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampling/rate_limit.c"

#define SECOND 1000000000ull
#define ALL (1ull << 56)

static djp__rate_limit *limit;
static uint64_t now;

static int
set_up(void **state)
{
    (void)state;
    now = 1000 * SECOND;
    return djp__rate_limit_new(&limit, 100);
}

static int
tear_down(void **state)
{
    (void)state;
    djp__rate_limit_free(limit);
    return 0;
}

static djp__rate_found
look(uint64_t route, int group, uint64_t spans)
{
    djp__rate_look asked = {
        .route = route, .group = group, .spans = spans, .random = ALL - 1, .now_ns = now};
    uint64_t threshold;
    return djp__rate_limit_look(limit, &asked, &threshold);
}

static djp__rate_counters
counted(void)
{
    djp__rate_counters counters;
    djp__rate_limit_counters(&counters, limit);
    return counters;
}

/* In any second no more than the limit, and all of it again a second later. */
static void
a_second_takes_the_limit_and_no_more(void **state)
{
    (void)state;
    now += 1000000; /* not the edge of a slot */
    limit->share[DJP_RATE_SELF] = 1000;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(look(2, DJP_RATE_SELF, 9), DJP_RATE_KEPT);
        now += SECOND / 32;
    }
    assert_int_equal(limit->used, 90);
    assert_int_equal(look(2, DJP_RATE_SELF, 11), DJP_RATE_BURST);
    assert_int_equal(look(2, DJP_RATE_SELF, 10), DJP_RATE_KEPT);
    assert_int_equal(look(2, DJP_RATE_SELF, 1), DJP_RATE_BURST);
    assert_int_equal(limit->used, 100);
    assert_false(djp__rate_limit_take(limit, 1));
    now += SECOND / 32 * 22; /* the last moment in which the first nine count */
    look(2, DJP_RATE_SELF, 1000);
    assert_int_equal(limit->used, 100);
    now += SECOND / 32;
    look(2, DJP_RATE_SELF, 1000);
    assert_int_equal(limit->used, 91);
    assert_true(djp__rate_limit_take(limit, 9));
    assert_false(djp__rate_limit_take(limit, 1));
    now += 10 * SECOND;
    look(2, DJP_RATE_SELF, 1000);
    assert_int_equal(limit->used, 0);
    assert_true(djp__rate_limit_take(limit, 100));
}

static void
a_clock_that_goes_back_stands_still(void **state)
{
    (void)state;
    assert_int_equal(look(2, DJP_RATE_SELF, 40), DJP_RATE_KEPT);
    uint64_t slot = limit->slot;
    now -= 500 * SECOND;
    assert_int_equal(look(2, DJP_RATE_SELF, 5), DJP_RATE_KEPT);
    assert_int_equal(limit->slot, slot);
    assert_int_equal(limit->used, 45);
}

/* A window is a second; what was asked for is learned at its end, at once in the first one, by
 * halves later. */
static void
windows_learn_what_is_asked_for(void **state)
{
    (void)state;
    look(2, DJP_RATE_SELF, 10);
    rate_limit__route *others = &limit->table[RATE_LIMIT__OTHERS];
    assert_int_equal(others->now[DJP_RATE_SELF], 10); /* a guest in its first window */
    assert_int_equal(counted().shared, 1);
    uint64_t window = limit->window;
    now += SECOND / 32 * 31;
    look(2, DJP_RATE_SELF, 10);
    assert_int_equal(limit->window, window);
    now += SECOND / 32;
    look(2, DJP_RATE_SELF, 6);
    assert_int_equal(limit->window, window + 1);
    rate_limit__route *route = rate_limit_find(limit, 2);
    assert_int_equal(route->now[DJP_RATE_SELF], 6); /* its own place now */
    assert_int_equal(counted().shared, 2);
    assert_true(others->demand[DJP_RATE_SELF] == 20); /* in the first window at once */
    now += SECOND;
    look(2, DJP_RATE_SELF, 2);
    assert_true(route->demand[DJP_RATE_SELF] == 6); /* at once */
    assert_true(others->demand[DJP_RATE_SELF] == 0); /* guests that have left */
    assert_int_equal(counted().routes, 1);
    now += SECOND;
    look(2, DJP_RATE_SELF, 0);
    assert_true(route->demand[DJP_RATE_SELF] == 4);
    now += 2 * SECOND; /* two seconds of nothing: three quarters are forgotten */
    look(2, DJP_RATE_SELF, 0);
    assert_true(route->demand[DJP_RATE_SELF] == 1);
}

/* A place is free again after sixty windows, and that of a guest that did not come back after
 * one. */
static void
places_become_free(void **state)
{
    (void)state;
    look(2, DJP_RATE_SELF, 1);
    now += SECOND;
    look(2, DJP_RATE_SELF, 1);
    look(1026, DJP_RATE_SELF, 1); /* another set */
    for (int i = 0; i < 60; i++) {
        now += SECOND;
        look(DJP__RATE_ROUTE_UNKNOWN, DJP_RATE_SELF, 1);
        assert_int_equal(counted().routes, 1);
    }
    now += SECOND;
    look(DJP__RATE_ROUTE_UNKNOWN, DJP_RATE_SELF, 1);
    assert_int_equal(counted().routes, 1);
    now += SECOND;
    look(DJP__RATE_ROUTE_UNKNOWN, DJP_RATE_SELF, 1);
    assert_int_equal(counted().routes, 0);
    for (int i = 0; i < RATE_LIMIT__PLACES; i++) {
        assert_true(limit->table[i].hash == 0);
        assert_true(limit->table[i].part[0] == 1 && limit->table[i].part[1] == 1);
    }
}

/* Four routes fit into a set; the fifth is one of the others. */
static void
a_full_set_has_guests(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 5; i++) {
        look(i << 32 | 1, DJP_RATE_SELF, 1);
    }
    now += SECOND;
    for (uint64_t i = 1; i <= 5; i++) {
        look(i << 32 | 1, DJP_RATE_SELF, 1);
    }
    assert_int_equal(counted().shared, 6);
    assert_int_equal(limit->table[RATE_LIMIT__OTHERS].now[DJP_RATE_SELF], 1);
    now += SECOND;
    look(DJP__RATE_ROUTE_UNKNOWN, DJP_RATE_SELF, 1);
    assert_int_equal(counted().routes, 4);
    assert_int_equal(counted().shared, 6);
    assert_int_equal(limit->table[RATE_LIMIT__UNKNOWN].now[DJP_RATE_SELF], 1);
}

/* Demands by hand: who asks for less than an equal share gets it, the rest is divided evenly. */
static void
the_division_is_fair(void **state)
{
    (void)state;
    limit->table[0].demand[DJP_RATE_SELF] = 10;
    limit->table[1].demand[DJP_RATE_SELF] = 60;
    limit->table[2].demand[DJP_RATE_SELF] = 200;
    rate_limit_divide(limit);
    /* 95 are divided: 10, and 42.5 for each of the others. */
    assert_true(limit->table[0].part[DJP_RATE_SELF] == 1);
    assert_true(fabs(limit->table[1].part[DJP_RATE_SELF] - 42.5 / 60) < 1e-9);
    assert_true(fabs(limit->table[2].part[DJP_RATE_SELF] - 42.5 / 200) < 1e-9);
    assert_true(fabs(limit->share[DJP_RATE_SELF] - 42.5) < 1e-9);
    assert_int_equal(counted().level, 42);
    /* The head keeps a tenth of it where it asks for that much. */
    limit->table[3].demand[DJP_RATE_HEAD] = 1000;
    rate_limit_divide(limit);
    assert_true(fabs(limit->share[DJP_RATE_SELF] - (95 - 9.5 - 10) / 2) < 1e-9);
    assert_true(fabs(limit->table[3].part[DJP_RATE_HEAD] - 9.5 / 1000) < 1e-9);
    limit->table[3].demand[DJP_RATE_HEAD] = 5; /* and no more than it asks for */
    rate_limit_divide(limit);
    assert_true(fabs(limit->share[DJP_RATE_SELF] - (95 - 5 - 10) / 2.0) < 1e-9);
    assert_true(limit->table[3].part[DJP_RATE_HEAD] == 1);
    /* What no route asks for may be grown into: the most, and a part of what is left. */
    limit->table[1].demand[DJP_RATE_SELF] = limit->table[2].demand[DJP_RATE_SELF] = 20;
    limit->table[3].demand[DJP_RATE_HEAD] = 0;
    rate_limit_divide(limit);
    assert_true(fabs(limit->share[DJP_RATE_SELF] - (20 + 45.0 / 4)) < 1e-9);
    assert_true(fabs(limit->share[DJP_RATE_HEAD] - 45) < 1e-9);
    assert_true(limit->table[2].part[DJP_RATE_SELF] == 1);
    assert_true(counted().level == UINT64_MAX);
    /* Exactly what there is satisfies all. */
    limit->table[0].demand[DJP_RATE_SELF] = 55;
    rate_limit_divide(limit);
    assert_true(limit->table[0].part[DJP_RATE_SELF] == 1 && counted().level == UINT64_MAX);
}

/* Beyond its share a route is slowed down from the last fifth of the limit on, and stopped in the
 * last twentieth. */
static void
the_brake_before_the_bound(void **state)
{
    static const struct {
        uint64_t used;
        double part;
    } cases[] = {{0, 1},         {80, 1}, {81, 14.0 / 15}, {90, 5.0 / 15},
                 {94, 1.0 / 15}, {95, 0}, {100, 0}};
    (void)state;
    rate_limit__route *route = &limit->table[0];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        limit->used = cases[i].used;
        limit->share[DJP_RATE_SELF] = 30;
        route->part[DJP_RATE_SELF] = 1;
        route->passed[DJP_RATE_SELF] = 29;
        assert_true(rate_limit_part(limit, route, DJP_RATE_SELF) == 1);
        route->passed[DJP_RATE_SELF] = 30;
        assert_true(fabs(rate_limit_part(limit, route, DJP_RATE_SELF) - cases[i].part) < 1e-9);
        route->passed[DJP_RATE_SELF] = 0;
        route->part[DJP_RATE_SELF] = 0.5;
        assert_true(fabs(rate_limit_part(limit, route, DJP_RATE_SELF) - cases[i].part / 2) < 1e-9);
    }
}

static void
thresholds_are_raised_by_the_part(void **state)
{
    const uint64_t step = 1ull << 24;
    (void)state;
    assert_true(rate_limit_raise(0, 1) == 0);
    assert_true(rate_limit_raise(12345, 1) == 12345);
    assert_true(rate_limit_raise(0, 0.5) == ALL / 2);
    assert_true(rate_limit_raise(ALL / 2, 0.5) == ALL / 4 * 3);
    assert_true(rate_limit_raise(0, 0) == ALL - step);
    assert_true(rate_limit_raise(0, 1e-30) == ALL - step);
    assert_true(rate_limit_raise(ALL / 2 + 1, 0.999999999999) % step == 0);
    assert_true(rate_limit_raise(0, 0.999999) % step == 0);
    /* Rounded up: never more than the part. */
    for (double part = 0.001; part < 1; part += 0.0137) {
        uint64_t threshold = rate_limit_raise(0, part);
        assert_true((double)threshold >= (1 - part) * (double)ALL - 1);
        assert_true((double)threshold <= (1 - part) * (double)ALL + (double)step);
    }
}

/* The threshold decides before the bound does: what it turns away is stood for by what it keeps. */
static void
a_part_is_kept_by_the_random_bits(void **state)
{
    uint64_t threshold;
    (void)state;
    limit->table[RATE_LIMIT__UNKNOWN].part[DJP_RATE_HEAD] = 0.25;
    djp__rate_look asked = {
        .route = DJP__RATE_ROUTE_UNKNOWN, .group = DJP_RATE_HEAD, .spans = 1, .now_ns = now};
    asked.random = ALL / 4 * 3 - 1;
    assert_int_equal(djp__rate_limit_look(limit, &asked, &threshold), DJP_RATE_LIMITED);
    assert_int_equal(limit->used, 0);
    asked.random = ALL / 4 * 3;
    assert_int_equal(djp__rate_limit_look(limit, &asked, &threshold), DJP_RATE_KEPT);
    assert_true(threshold == ALL / 4 * 3);
    assert_int_equal(limit->used, 1);
    assert_int_equal(limit->table[RATE_LIMIT__UNKNOWN].now[DJP_RATE_HEAD], 2);
    assert_int_equal(limit->table[RATE_LIMIT__UNKNOWN].passed[DJP_RATE_HEAD], 1);
    /* nothing is kept: nothing stands for it */
    limit->table[RATE_LIMIT__UNKNOWN].part[DJP_RATE_HEAD] = 0;
    asked.random = 0;
    assert_int_equal(djp__rate_limit_look(limit, &asked, &threshold), DJP_RATE_BURST);
}

static void
a_busy_limit_keeps_nothing(void **state)
{
    uint32_t mine = djp__fork_generation() + 1;
    (void)state;
    assert_int_equal(look(2, DJP_RATE_SELF, 7), DJP_RATE_KEPT);
    djp__store_relaxed(&limit->owner, mine);
    assert_int_equal(look(2, DJP_RATE_SELF, 1), DJP_RATE_BURST);
    assert_false(djp__rate_limit_take(limit, 1));
    assert_int_equal(djp__load_relaxed(&limit->owner), mine);
    /* The parent's holder, met between two stores: what the sum says is counted again. */
    djp__store_relaxed(&limit->owner, mine + 7);
    limit->used = 5000;
    assert_int_equal(look(2, DJP_RATE_SELF, 1), DJP_RATE_KEPT);
    assert_int_equal(limit->used, 8);
    assert_int_equal(djp__load_relaxed(&limit->owner), 0);
}

static void
it_begins_with_shares_of_a_first_flood(void **state)
{
    (void)state;
    assert_true(limit->share[DJP_RATE_SELF] == 50 && limit->share[DJP_RATE_HEAD] == 25);
    assert_true(counted().level == UINT64_MAX);
    djp__rate_limit *none = (djp__rate_limit *)1;
    djp__alloc_fail_after(1);
    int result = djp__rate_limit_new(&none, 5);
    djp__alloc_fail_after(0);
    assert_int_equal(result, DJP_ENOMEM);
    assert_null(none);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(a_second_takes_the_limit_and_no_more),
        ONE(a_clock_that_goes_back_stands_still),
        ONE(windows_learn_what_is_asked_for),
        ONE(places_become_free),
        ONE(a_full_set_has_guests),
        ONE(the_division_is_fair),
        ONE(the_brake_before_the_bound),
        ONE(thresholds_are_raised_by_the_part),
        ONE(a_part_is_kept_by_the_random_bits),
        ONE(a_busy_limit_keeps_nothing),
        ONE(it_begins_with_shares_of_a_first_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
