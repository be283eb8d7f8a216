/* The clock on a counter and a kernel of the test: when the counter is trusted, how its rate is
 * measured and corrected, and when it is given up. The source is compiled in with hooks. */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static unsigned long long hooked_tsc(void);
static int hooked_gettime(clockid_t id, struct timespec *out);
static int hooked_cpuid(unsigned leaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d);
static int hooked_open(const char *path, int flags);
#define __rdtsc hooked_tsc
#define clock_gettime hooked_gettime
#define __get_cpuid hooked_cpuid
#define open hooked_open
#include "base/clock.c"
#undef open

#define MS 1000000ull
#define SECOND 1000000000ull
#define TICKS_A_NS 3ull

static uint64_t counter, kernel, wall; /* what is read next */
static uint64_t reading_ticks; /* that a reading of the counter takes */
static uint64_t wall_ns; /* that a reading of the wall clock takes */
static void (*in_reading)(void); /* called once, at the next reading of the counter */
static unsigned reads; /* of the kernel's clock */

static unsigned long long
hooked_tsc(void)
{
    uint64_t now = counter;
    void (*run)(void) = in_reading;
    in_reading = NULL;
    counter += reading_ticks;
    if (run != NULL) {
        run();
    }
    return now;
}

static int
hooked_gettime(clockid_t id, struct timespec *out)
{
    uint64_t now = id == CLOCK_REALTIME ? wall : kernel;
    reads += id == CLOCK_MONOTONIC;
    kernel += id == CLOCK_REALTIME ? wall_ns : 0;
    *out = (struct timespec){(time_t)(now / SECOND), (long)(now % SECOND)};
    return 0;
}

static int has_leaf, is_invariant;
static const char *source; /* of the kernel's clock; NULL: not known */

static int
hooked_cpuid(unsigned leaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d)
{
    assert_int_equal(leaf, 0x80000007u);
    *a = *b = *c = ~0u;
    *d = is_invariant ? 1u << 8 : ~(1u << 8);
    return has_leaf;
}

static int
hooked_open(const char *path, int flags)
{
    int ends[2];
    assert_non_null(strstr(path, "/current_clocksource"));
    assert_true(flags & O_CLOEXEC);
    if (source == NULL || pipe(ends) != 0) {
        return -1;
    }
    assert_true(write(ends[1], source, strlen(source)) >= 0);
    close(ends[1]);
    return ends[0];
}

#if CLOCK__HAS_TSC

/* Both clocks go on. */
static void
pass(uint64_t ns)
{
    counter += ns * TICKS_A_NS;
    kernel += ns;
    wall += ns;
}

static int
begin(void **state)
{
    (void)state;
    counter = 50000;
    kernel = 100 * SECOND;
    wall = 1700000000 * SECOND;
    reading_ticks = wall_ns = 0;
    in_reading = NULL;
    has_leaf = is_invariant = 1;
    source = "tsc\n";
    memset(&clock__notes, 0, sizeof clock__notes);
    djp__store_relaxed(&clock__sequence, 0u);
    djp__store_relaxed(&clock__calibrate_at, UINT64_MAX);
    djp__store_relaxed(&clock__anchor, (int64_t)0);
    return 0;
}

static uint32_t
sequence(void)
{
    return djp__load_relaxed(&clock__sequence);
}

static const clock__set *
set(void)
{
    return &clock__sets[sequence() & 1u];
}

static uint64_t
rate(void)
{
    return djp__load_relaxed(&set()->rate);
}

/* Calibrated a moment ago, without an error. */
static void
calibrate(void)
{
    clock_tsc_refresh();
    pass(200 * MS);
    clock_tsc_refresh();
    assert_int_equal(clock__notes.state, CLOCK__RUNNING);
    assert_int_equal(djp__clock_monotonic(), kernel + 1);
}

#define RATE ((uint64_t)(((unsigned __int128)1 << 32) / TICKS_A_NS))

/* ---- calibration ---- */

static void
only_an_invariant_counter_of_the_kernel_is_used(void **state)
{
    static const struct {
        int has_leaf, is_invariant;
        const char *source;
        int is_fit;
    } cases[] = {{1, 1, "tsc\n", 1},       {1, 1, "tsc", 1},        {0, 1, "tsc\n", 0},
                 {1, 0, "tsc\n", 0},       {1, 1, NULL, 0},         {1, 1, "", 0},
                 {1, 1, "ts", 0},          {1, 1, "hpet\n", 0},     {1, 1, "tsc2\n", 0},
                 {1, 1, "tsc-early\n", 0}, {1, 1, "kvm-clock\n", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin(state);
        has_leaf = cases[i].has_leaf;
        is_invariant = cases[i].is_invariant;
        source = cases[i].source;
        clock_tsc_refresh();
        assert_int_equal(clock__notes.state, cases[i].is_fit ? CLOCK__FIRST : CLOCK__UNFIT);
        pass(SECOND);
        clock_tsc_refresh();
        assert_int_equal(sequence() != 0, cases[i].is_fit);
    }
}

static void
a_rate_needs_its_time(void **state)
{
    (void)state;
    reading_ticks = 10;
    clock_tsc_refresh();
    assert_int_equal(clock__notes.ticks, 50005); /* the middle of the first of equal pairs */
    assert_int_equal(clock__notes.ns, 100 * SECOND);
    reading_ticks = 0;
    counter = 50005;
    pass(200 * MS - 1);
    clock_tsc_refresh();
    assert_int_equal(sequence(), 0);
    pass(1);
    reading_ticks = 6;
    counter -= 3;
    clock_tsc_refresh();
    assert_int_equal(clock__notes.state, CLOCK__RUNNING);
    assert_int_equal(rate(), RATE);
    assert_int_equal(clock__notes.ticks, djp__load_relaxed(&set()->ticks));
    assert_int_equal(clock__notes.ns, kernel);
    /* Ahead by the distance of the readings: 6 ticks are 1.99 ns. */
    assert_int_equal(djp__load_relaxed(&set()->ns), kernel + 2);
}

static void
the_closest_pair_counts(void **state)
{
    uint64_t ticks, ns, width;
    (void)state;
    reading_ticks = 500;
    clock_pair(&ticks, &ns, &width);
    assert_int_equal(width, 500);
    assert_int_equal(ticks, 50250);
    assert_int_equal(counter, 50000 + 6 * 500);
}

static void
interrupted_readings_give_no_rate(void **state)
{
    (void)state;
    calibrate();
    uint32_t before = sequence();
    pass(SECOND);
    reading_ticks = 20001;
    clock_tsc_refresh();
    assert_int_equal(sequence(), before);
    reading_ticks = 20000;
    clock_tsc_refresh();
    assert_int_equal(sequence(), before + 1);
}

/* Without a worker the readers calibrate, a few times a second. */
static void
readers_calibrate(void **state)
{
    (void)state;
    djp__store_relaxed(&clock__calibrate_at, (uint64_t)0);
    assert_int_equal(djp__clock_monotonic(), kernel);
    assert_int_equal(clock__notes.state, CLOCK__FIRST);
    pass(225 * MS - 1);
    assert_int_equal(djp__clock_monotonic(), kernel);
    assert_int_equal(sequence(), 0);
    pass(1);
    assert_int_equal(djp__clock_monotonic(), kernel);
    assert_int_not_equal(sequence(), 0);
    reads = 0;
    assert_int_equal(djp__clock_monotonic(), kernel + 1);
    assert_int_equal(reads, 0);
}

/* ---- readings ---- */

static void
a_reading_follows_the_counter(void **state)
{
    (void)state;
    calibrate();
    pass(SECOND);
    assert_in_range(djp__clock_monotonic(), kernel - 1, kernel + 1);
    counter = djp__load_relaxed(&set()->ticks) - 5; /* another core */
    assert_int_equal(djp__clock_monotonic(), djp__load_relaxed(&set()->ns));
}

static void
a_stale_reading_refreshes(void **state)
{
    (void)state;
    calibrate();
    uint64_t stale = djp__load_relaxed(&set()->stale_ticks), begun = counter;
    assert_in_range(stale, 2 * SECOND * TICKS_A_NS, 2 * SECOND * TICKS_A_NS + 10);
    pass(2 * SECOND);
    for (uint64_t more = 0; more < 2; more++) {
        uint32_t before = sequence();
        counter = begun + stale + more;
        djp__clock_monotonic();
        assert_int_equal(sequence(), before + more);
    }
}

/* A core that is a little behind does not refresh; a counter that was set back is given up. */
static void
a_counter_that_was_set_back_is_given_up(void **state)
{
    for (int more = 0; more < 2; more++) {
        begin(state);
        calibrate();
        pass(100 * MS);
        clock_tsc_refresh();
        counter = djp__load_relaxed(&set()->ticks) - 20000 - (uint64_t)more;
        uint64_t now = djp__clock_monotonic();
        assert_int_equal(sequence() == 0, more);
        assert_int_equal(clock__notes.state, more ? CLOCK__UNFIT : CLOCK__RUNNING);
        assert_in_range(now, kernel, kernel + 2);
        clock_tsc_refresh();
        assert_int_equal(clock__notes.state, more ? CLOCK__UNFIT : CLOCK__RUNNING);
    }
    for (int more = 0; more < 2; more++) { /* before there is a rate */
        begin(state);
        clock_tsc_refresh();
        counter += (uint64_t)more;
        kernel += SECOND;
        clock_tsc_refresh();
        assert_int_equal(clock__notes.state, more ? CLOCK__RUNNING : CLOCK__UNFIT);
    }
}

static void
publish_meanwhile(void)
{
    clock_publish(counter, 5000 * SECOND, RATE);
}

static void
parameters_that_change_are_read_again(void **state)
{
    (void)state;
    calibrate();
    in_reading = publish_meanwhile;
    assert_int_equal(djp__clock_monotonic(), 5000 * SECOND);
    in_reading = clock_give_up;
    assert_int_equal(djp__clock_monotonic(), kernel);
    djp__store_relaxed(&clock__sequence, UINT32_MAX); /* 0 says that there is no rate */
    clock_publish(counter, SECOND, RATE);
    assert_int_equal(sequence(), 2);
    clock_publish(counter, SECOND, RATE);
    assert_int_equal(sequence(), 3);
}

/* ---- corrections ---- */

/* A clock that is behind steps forward; one that is ahead runs slower until it is right. */
static void
an_error_is_corrected(void **state)
{
    static const int64_t errors[] = {1, 500, 10000, -1, -500, -10000};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        begin(state);
        calibrate();
        pass(100 * MS); /* too short for a new rate */
        uint64_t before = djp__clock_monotonic();
        kernel += (uint64_t)errors[i];
        int64_t error = (int64_t)(kernel - before);
        clock_tsc_refresh();
        assert_int_equal(clock__notes.state, CLOCK__RUNNING);
        assert_int_equal(clock__notes.ns, 100 * SECOND + 200 * MS);
        if (error > 0) {
            assert_int_equal(djp__clock_monotonic(), kernel);
            assert_int_equal(rate(), RATE);
            continue;
        }
        assert_int_equal(djp__clock_monotonic(), before + 1);
        assert_int_equal(rate(), RATE - RATE * (uint64_t)-error / SECOND);
        pass(SECOND);
        assert_in_range(djp__clock_monotonic(), kernel, kernel + 3);
    }
}

static void
a_new_rate_follows_the_kernel(void **state)
{
    for (int more = 0; more < 2; more++) {
        begin(state);
        calibrate();
        uint64_t base = clock__notes.ticks;
        kernel += 200 * MS - 1 + (uint64_t)more;
        counter += 200 * MS * TICKS_A_NS - 300; /* it is slower than before by half a ppm */
        uint64_t wanted = (uint64_t)(((unsigned __int128)(200 * MS) << 32) / (counter - base));
        clock_tsc_refresh();
        assert_int_equal(rate(), more ? wanted : RATE);
        assert_int_equal(clock__notes.ticks, more ? counter : base);
        assert_int_equal(clock__notes.ns, more ? kernel : kernel - 200 * MS + 1);
    }
}

static void
a_counter_that_strays_is_given_up(void **state)
{
    /* 1000 ppm of the time since the last rate, and 10 us: 110 us of 100 ms. */
    static const int64_t most = 100 * 1000 + 10000;
    for (int64_t more = 0; more < 2; more++) {
        for (int sign = -1; sign < 2; sign += 2) {
            begin(state);
            calibrate();
            counter += 100 * MS * TICKS_A_NS;
            /* the limit follows the kernel's time, in whole milliseconds */
            uint64_t reading = djp__clock_monotonic();
            kernel = reading + (uint64_t)(sign * (most + more));
            int64_t elapsed = (int64_t)(kernel - clock__notes.ns) / 1000000;
            kernel += (uint64_t)(sign * (elapsed - 100) * 1000);
            clock_tsc_refresh();
            assert_int_equal(clock__notes.state, more ? CLOCK__UNFIT : CLOCK__RUNNING);
            assert_int_equal(sequence() == 0, more);
        }
    }
}

/* It never runs slower than by 500 ppm. */
static void
a_large_error_is_corrected_slowly(void **state)
{
    (void)state;
    calibrate();
    uint64_t base = clock__notes.ticks, since = clock__notes.ns;
    pass(10000 * SECOND);
    kernel -= SECOND;
    clock_tsc_refresh();
    assert_int_equal(clock__notes.state, CLOCK__RUNNING);
    uint64_t measured = (uint64_t)(((unsigned __int128)(kernel - since) << 32) / (counter - base));
    assert_int_equal(rate(), measured - measured / 2000);
}

static void
a_deadline_that_came_too_early_is_looked_at(void **state)
{
    (void)state;
    calibrate();
    pass(MS);
    uint32_t before = sequence();
    djp__clock_reached(djp__clock_monotonic() + MS);
    assert_int_equal(sequence(), before);
    djp__clock_reached(djp__clock_monotonic() + MS + 1);
    assert_int_equal(sequence(), before + 1);
}

#endif

/* ---- the wall clock, and who refreshes ---- */

static void
the_anchor_is_the_middle(void **state)
{
    (void)state;
    kernel = 100 * SECOND;
    wall = 1700000000 * SECOND;
    wall_ns = 10;
    int64_t wanted = (int64_t)(wall - kernel - 5);
    assert_int_equal(clock_measure_anchor(), wanted);
    wall_ns = 0;
    kernel = wall;
    assert_int_equal(clock_measure_anchor(), 1); /* 0 says that there is none */
    djp__store_relaxed(&clock__anchor, (int64_t)0);
    assert_int_equal(djp__clock_anchor(), 1);
    wall += SECOND;
    assert_int_equal(djp__clock_anchor(), 1);
    djp__clock_anchor_refresh();
    assert_int_equal(djp__clock_anchor(), SECOND);
    assert_int_equal(djp__clock_realtime(), wall);
}

#if CLOCK__HAS_TSC
/* One thread refreshes; a lock that a fork left behind counts as free. */
static void
one_thread_refreshes(void **state)
{
    uint32_t generation = djp__fork_generation();
    for (int inherited = 0; inherited < 2; inherited++) {
        begin(state);
        djp__store_relaxed(&clock__owner, inherited ? generation + 1 : generation);
        djp__clock_anchor_refresh();
        assert_int_equal(clock__notes.state, inherited ? CLOCK__FIRST : CLOCK__UNKNOWN);
        assert_int_equal(djp__load_relaxed(&clock__owner), inherited ? 0 : generation);
        assert_int_not_equal(djp__load_relaxed(&clock__anchor), 0);
        djp__store_relaxed(&clock__owner, 0u);
    }
}
#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_anchor_is_the_middle),
#if CLOCK__HAS_TSC
        cmocka_unit_test_setup(only_an_invariant_counter_of_the_kernel_is_used, begin),
        cmocka_unit_test_setup(a_rate_needs_its_time, begin),
        cmocka_unit_test_setup(the_closest_pair_counts, begin),
        cmocka_unit_test_setup(interrupted_readings_give_no_rate, begin),
        cmocka_unit_test_setup(readers_calibrate, begin),
        cmocka_unit_test_setup(a_reading_follows_the_counter, begin),
        cmocka_unit_test_setup(a_stale_reading_refreshes, begin),
        cmocka_unit_test_setup(a_counter_that_was_set_back_is_given_up, begin),
        cmocka_unit_test_setup(parameters_that_change_are_read_again, begin),
        cmocka_unit_test_setup(an_error_is_corrected, begin),
        cmocka_unit_test_setup(a_new_rate_follows_the_kernel, begin),
        cmocka_unit_test_setup(a_counter_that_strays_is_given_up, begin),
        cmocka_unit_test_setup(a_large_error_is_corrected_slowly, begin),
        cmocka_unit_test_setup(a_deadline_that_came_too_early_is_looked_at, begin),
        cmocka_unit_test_setup(one_thread_refreshes, begin),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
