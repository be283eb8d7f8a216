/* What tail-sampling rules remember, by itself: how long a route usually takes, which kinds were
 * there lately, at every edge, and who finds the table busy. Compiled in, so that the table can be
 * found busy at will. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sampling/tail_history.c"

#define MS 1000000ull
#define SECOND 1000000000ull

static djp_tail_history *
table_of(double slowest, uint64_t rare_ns)
{
    djp_tail_history *table = NULL;
    assert_int_equal(djp__tail_history_new(&table, slowest, rare_ns), 0);
    return table;
}

static int
slow_look(djp_tail_history *table, uint64_t route, uint64_t duration_ns)
{
    djp__tail_look look = {.route = route, .duration_ns = duration_ns};
    return djp__tail_history_look(table, &look).slowest;
}

static int
rare_look(djp_tail_history *table, uint64_t kind, uint64_t now_ns, int kept)
{
    djp__tail_look look = {.kind = kind, .now_ns = now_ns, .kept = kept};
    return djp__tail_history_look(table, &look).rare;
}

static djp__tail_history_totals
counted(const djp_tail_history *table)
{
    djp__tail_history_totals counters;
    djp__tail_history_counters(&counters, table);
    return counters;
}

/* ---- durations ---- */

/* A quiet time saves up eight, not more. */
static void
a_burst_after_a_quiet_time_is_bounded(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0.01, 0);
    for (int i = 0; i < 1000; i++) {
        assert_false(slow_look(table, 2, MS));
    }
    int found = 0;
    for (int i = 0; i < 12; i++) {
        found += slow_look(table, 2, SECOND);
    }
    assert_int_equal(found, 8);
    /* A quarter more than the wanted part comes back: after 80 looks one may be found again, and
     * one only. */
    for (int i = 0; i < 85; i++) {
        slow_look(table, 2, MS);
    }
    found = 0;
    for (int i = 0; i < 5; i++) {
        found += slow_look(table, 2, 1000 * SECOND);
    }
    assert_int_equal(found, 1);
    djp__tail_history_free(table);
}

static void
a_route_has_no_limit_before_it_is_known(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0.25, 0);
    for (int i = 0; i < 64; i++) {
        assert_false(slow_look(table, 2, i % 2 ? MS : SECOND));
    }
    assert_true(slow_look(table, 2, 1000 * SECOND)); /* 64 are enough */
    assert_false(slow_look(table, 4000, 1000 * SECOND)); /* another route is not */
    djp__tail_history_free(table);
}

/* Where two in all are wanted of what was seen, but not before. */
static void
a_part_of_less_than_two_has_no_limit(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(1.0 / 64, 0);
    int found = 0;
    for (int i = 0; i < 127; i++) {
        found += slow_look(table, 2, i % 16 == 15 ? SECOND : MS);
    }
    assert_int_equal(found, 0); /* at 112 it is one and three quarters */
    slow_look(table, 2, MS);
    assert_true(slow_look(table, 2, 10 * SECOND)); /* at 128 it is two */
    djp__tail_history_free(table);
}

/* The part that is found is the wanted one, wherever in the buckets the durations lie. */
static void
the_wanted_part_is_found(void **state)
{
    (void)state;
    for (unsigned edge = 40; edge < 60; edge++) {
        djp_tail_history *table = table_of(0.1, 0);
        double end = (double)tail_history_edge(edge), shortest = end;
        int found = 0;
        for (unsigned i = 0; i < 8000; i++) {
            /* evenly up to the edge of a bucket */
            uint64_t duration = (uint64_t)(end * (i * 7919u % 1000) / 1000);
            if (slow_look(table, 2, duration) && i >= 4000) {
                found++;
                shortest = (double)duration < shortest ? (double)duration : shortest;
            }
        }
        assert_in_range(found, 380, 420);
        assert_true(shortest > 0.89 * end && shortest < 0.91 * end);
        djp__tail_history_free(table);
    }
}

static void
buckets_and_their_edges_agree(void **state)
{
    (void)state;
    assert_int_equal(tail_history_bucket(0), 0);
    assert_int_equal(tail_history_bucket(1023), 0);
    for (unsigned i = 1; i < KEEP_TABLE__BUCKETS; i++) {
        assert_true(tail_history_edge(i) > tail_history_edge(i - 1));
        assert_int_equal(tail_history_bucket(tail_history_edge(i)), i);
        assert_int_equal(tail_history_bucket(tail_history_edge(i) - 1), i - 1);
    }
    assert_int_equal(tail_history_bucket(UINT64_MAX), KEEP_TABLE__BUCKETS - 1);
}

/* Old durations lose weight: a route that became slow is normal after a while, and no count
 * wraps. */
static void
the_past_fades(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0.1, 0);
    for (int i = 0; i < KEEP_TABLE__AGE - 1; i++) {
        slow_look(table, 2, MS);
    }
    tail_history__route *route = tail_history_find_route(table, 2 | 1u);
    assert_int_equal(route->total, KEEP_TABLE__AGE - 1);
    slow_look(table, 2, MS);
    assert_int_equal(route->total, KEEP_TABLE__AGE / 2);
    assert_int_equal(route->bucket[tail_history_bucket(MS)], KEEP_TABLE__AGE / 2);
    for (int i = 0; i < 4 * KEEP_TABLE__AGE; i++) {
        slow_look(table, 2, SECOND);
    }
    assert_in_range(route->total, KEEP_TABLE__AGE / 2, KEEP_TABLE__AGE);
    assert_false(slow_look(table, 2, 900 * MS)); /* the same bucket, below its limit */
    djp__tail_history_free(table);
}

/* A set holds four routes; the one that was used the longest ago gives way. */
static void
the_oldest_route_of_a_set_gives_way(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0.25, 0);
    uint64_t route[5];
    for (uint64_t i = 0; i < 5; i++) {
        route[i] = (i + 1) << 32 | 1; /* one set */
    }
    for (int i = 0; i < 64; i++) {
        for (int r = 0; r < 4; r++) {
            slow_look(table, route[r], i % 2 ? MS : SECOND);
        }
    }
    assert_int_equal(counted(table).routes_evicted, 0);
    slow_look(table, route[0], MS); /* now the second is the oldest */
    slow_look(table, route[4], MS);
    assert_int_equal(counted(table).routes_evicted, 1);
    assert_true(slow_look(table, route[0], 1000 * SECOND));
    assert_true(slow_look(table, route[2], 1000 * SECOND));
    assert_true(slow_look(table, route[3], 1000 * SECOND));
    /* forgotten, and begins anew in place of the fifth */
    assert_false(slow_look(table, route[1], 1000 * SECOND));
    assert_int_equal(counted(table).routes_evicted, 2);
    slow_look(table, route[1], MS); /* has its place */
    assert_int_equal(counted(table).routes_evicted, 2);
    /* The set beside it is another one. */
    slow_look(table, 1ull << 8 | 1, MS);
    assert_int_equal(counted(table).routes_evicted, 2);
    djp__tail_history_free(table);
}

/* ---- kinds ---- */

static void
a_kind_is_rare_after_its_time_and_not_before(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0, SECOND);
    assert_true(rare_look(table, 2, 10 * SECOND, 0));
    assert_false(rare_look(table, 2, 10 * SECOND, 0));
    assert_false(rare_look(table, 2, 11 * SECOND - 1, 0)); /* says nothing new: the time goes on */
    assert_true(rare_look(table, 2, 11 * SECOND, 0));
    assert_false(rare_look(table, 2, 12 * SECOND - 1, 1)); /* kept anyway: the time begins anew */
    assert_false(rare_look(table, 2, 13 * SECOND - 2, 0));
    assert_true(rare_look(table, 2, 13 * SECOND - 1, 0));
    /* Another kind has its own time; one that is kept anyway is not rare. */
    assert_false(rare_look(table, 2 + (1 << 20), 13 * SECOND, 1));
    assert_false(rare_look(table, 2 + (1 << 20), 13 * SECOND + 1, 0));
    djp__tail_history_free(table);
}

/* Ends that come out of order, or a clock that goes back. */
static void
times_may_go_back(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0, SECOND);
    assert_true(rare_look(table, 2, 100 * SECOND, 0));
    assert_false(rare_look(table, 2, 99 * SECOND + 1, 0));
    assert_true(rare_look(table, 2, 99 * SECOND, 0));
    assert_false(rare_look(table, 2, 99 * SECOND + 1, 0));
    djp__tail_history_free(table);
}

static void
kinds_without_a_place_share_one(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0, SECOND);
    for (uint64_t i = 1; i <= KEEP_TABLE__KIND_WAYS; i++) {
        assert_true(rare_look(table, i << 32, 10 * SECOND, 0));
    }
    assert_int_equal(counted(table).kinds_shared, 0);
    assert_true(rare_look(table, 100ull << 32, 10 * SECOND, 0)); /* the first of the others */
    assert_false(rare_look(table, 101ull << 32, 10 * SECOND, 0)); /* the second */
    assert_int_equal(counted(table).kinds_shared, 2);
    for (uint64_t i = 1; i <= KEEP_TABLE__KIND_WAYS; i++) {
        /* those in it keep their place */
        assert_false(rare_look(table, i << 32, 10 * SECOND + 1, 0));
    }
    /* When their time is over, a new kind takes one of their places. */
    assert_true(rare_look(table, 102ull << 32, 11 * SECOND, 0));
    assert_int_equal(counted(table).kinds_shared, 2);
    assert_false(rare_look(table, 102ull << 32, 11 * SECOND + 1, 0));
    djp__tail_history_free(table);
}

/* ---- who is inside ---- */

static void
a_busy_table_is_done_without(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0.25, SECOND);
    uint32_t mine = djp__fork_generation() + 1;
    for (int i = 0; i < 64; i++) {
        slow_look(table, 2, i % 2 ? MS : SECOND);
    }
    djp__tail_look look = {
        .route = 2, .kind = 2, .duration_ns = 1000 * SECOND, .now_ns = 10 * SECOND};
    djp__store_relaxed(&table->owner, mine); /* another thread that never leaves */
    djp__tail_found found = djp__tail_history_look(table, &look);
    assert_true(found.rare && !found.slowest); /* rather one too many */
    look.kept = 1;
    found = djp__tail_history_look(table, &look);
    assert_false(found.rare || found.slowest);
    assert_int_equal(counted(table).skipped, 2);
    assert_int_equal(djp__load_relaxed(&table->owner), mine);
    /* The parent's thread that was inside when this process was forked will never leave: its lock
     * is no lock. */
    djp__store_relaxed(&table->owner, mine + 1);
    look.kept = 0;
    found = djp__tail_history_look(table, &look);
    assert_true(found.slowest);
    assert_int_equal(counted(table).skipped, 2);
    assert_int_equal(djp__load_relaxed(&table->owner), 0);
    djp__tail_history_free(table);
    table = table_of(0.25, 0);
    djp__store_relaxed(&table->owner, mine);
    found = djp__tail_history_look(table, &look);
    assert_false(found.rare || found.slowest); /* rare ones were not asked for */
    djp__tail_history_free(table);
}

/* What is among the slowest is kept, so that its kind does not count as rare, too. */
static void
one_trace_is_found_once(void **state)
{
    (void)state;
    djp_tail_history *table = table_of(0.25, SECOND);
    for (int i = 0; i < 64; i++) {
        slow_look(table, 2, i % 2 ? MS : SECOND);
    }
    djp__tail_look look = {
        .route = 2, .kind = 2 << 9, .duration_ns = 1000 * SECOND, .now_ns = 10 * SECOND};
    djp__tail_found found = djp__tail_history_look(table, &look);
    assert_true(found.slowest && !found.rare);
    look =
        (djp__tail_look){.route = 2, .kind = 2 << 9, .duration_ns = 1, .now_ns = 10 * SECOND + 1};
    found = djp__tail_history_look(table, &look);
    assert_false(found.slowest || found.rare);
    djp__tail_history_free(table);
}

static void
failing_allocations_leave_nothing(void **state)
{
    (void)state;
    for (long n = 1; n <= 4; n++) {
        djp_tail_history *table = (djp_tail_history *)1;
        djp__alloc_fail_after(n);
        int result = djp__tail_history_new(&table, 0.5, SECOND);
        djp__alloc_fail_after(0);
        assert_int_equal(result, n <= 3 ? DJP_ENOMEM : 0);
        assert_true((table == NULL) == (n <= 3));
        djp__tail_history_free(table);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_after_a_quiet_time_is_bounded),
        cmocka_unit_test(a_route_has_no_limit_before_it_is_known),
        cmocka_unit_test(a_part_of_less_than_two_has_no_limit),
        cmocka_unit_test(the_wanted_part_is_found),
        cmocka_unit_test(buckets_and_their_edges_agree),
        cmocka_unit_test(the_past_fades),
        cmocka_unit_test(the_oldest_route_of_a_set_gives_way),
        cmocka_unit_test(a_kind_is_rare_after_its_time_and_not_before),
        cmocka_unit_test(times_may_go_back),
        cmocka_unit_test(kinds_without_a_place_share_one),
        cmocka_unit_test(a_busy_table_is_done_without),
        cmocka_unit_test(one_trace_is_found_once),
        cmocka_unit_test(failing_allocations_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
