/* The clock: it tracks the kernel's to a microsecond, never goes back while it is refreshed under readers, and its anchor gives
 * wall time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/thread.h"

static uint64_t
kernel(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
nap(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* How far the reading lies outside the kernel's readings around it; the best of some tries, so that a preemption between the
 * readings does not count. */
static uint64_t
distance(void)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t before = kernel(CLOCK_MONOTONIC);
        uint64_t ours = djp__clock_monotonic();
        uint64_t after = kernel(CLOCK_MONOTONIC);
        uint64_t off = ours < before ? before - ours : ours > after ? ours - after : 0;
        best = off < best ? off : best;
    }
    return best;
}

static void
tracks_the_kernel(void **state)
{
    (void)state;
    djp__clock_anchor_refresh();
    assert_true(distance() <= 1000);
    for (int i = 0; i < 8; i++) {
        nap(i < 4 ? 120 : 300);
        assert_true(distance() <= 1000);
        djp__clock_anchor_refresh();
        assert_true(distance() <= 1000);
    }
}

static DJP_ATOMIC(int) stop;

static void *
read_until_stopped(void *backward)
{
    uint64_t last = 0;
    while (!djp_load_relaxed(&stop)) {
        uint64_t now = djp__clock_monotonic();
        if (now < last) {
            ++*(int *)backward;
        }
        last = now;
    }
    return NULL;
}

static void
never_goes_back_under_refresh(void **state)
{
    (void)state;
    pthread_t threads[2];
    int backward[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_stopped, &backward[i]), 0);
    }
    for (int i = 0; i < 3000; i++) {
        djp__clock_anchor_refresh();
        if (i % 100 == 0) {
            nap(15);
        }
    }
    djp_store_relaxed(&stop, 1);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(backward[i], 0);
    }
    assert_true(distance() <= 1500);
}

static void
anchor_gives_wall_time(void **state)
{
    (void)state;
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        uint64_t ours = djp__clock_monotonic() + (uint64_t)djp__clock_anchor();
        uint64_t wall = djp__clock_realtime();
        uint64_t off = wall > ours ? wall - ours : ours - wall;
        best = off < best ? off : best;
    }
    assert_true(best < 200000);
    assert_true(djp__clock_realtime() > 1600000000ull * 1000000000ull);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tracks_the_kernel),
        cmocka_unit_test(never_goes_back_under_refresh),
        cmocka_unit_test(anchor_gives_wall_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
