/* Backoff: its bounds, its growth, the receiver's wish, and that no attempt starts after the
 * deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/retry.h"

#define SECOND UINT64_C(1000000000)

static void
the_bound_doubles_up_to_thirty_seconds(void **state)
{
    static const uint64_t bounds[] = {1, 2, 4, 8, 16, 30, 30, 30};
    djp__retry retry;
    (void)state;
    djp__retry_init(&retry, 5 * SECOND, 0);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        assert_int_equal(retry.next_ns, bounds[i] * SECOND);
        uint64_t delay = djp__retry_delay(&retry, 5 * SECOND, 0, UINT64_MAX);
        assert_in_range(delay, bounds[i] * SECOND - 1000, bounds[i] * SECOND);
    }
    assert_int_equal(retry.attempts, sizeof bounds / sizeof bounds[0]);
}

static void
the_jitter_covers_the_whole_range(void **state)
{
    (void)state;
    for (uint64_t quarter = 0; quarter < 4; quarter++) {
        djp__retry retry;
        djp__retry_init(&retry, 0, 0);
        uint64_t delay = djp__retry_delay(&retry, 0, 0, quarter << 62);
        assert_in_range(delay, quarter * SECOND / 4, quarter * SECOND / 4 + 1);
    }
}

static void
the_receivers_wish_wins_and_growth_continues_from_it(void **state)
{
    djp__retry retry;
    (void)state;
    djp__retry_init(&retry, 0, 0);
    assert_int_equal(djp__retry_delay(&retry, 0, 5 * SECOND, 0), 5 * SECOND);
    assert_in_range(djp__retry_delay(&retry, 0, 5 * SECOND, UINT64_MAX), 5 * SECOND,
                    5 * SECOND + SECOND / 2);
    assert_int_equal(retry.next_ns, 10 * SECOND);
    djp__retry_delay(&retry, 0, 0, 0);
    assert_int_equal(retry.next_ns, 20 * SECOND);
    /* Shorter than the own backoff had become: it still counts. */
    assert_int_equal(djp__retry_delay(&retry, 0, SECOND / 10, 0), SECOND / 10);
    assert_int_equal(retry.next_ns, SECOND / 5);
    /* Half of the cap still doubles, a little more ends at the cap. */
    djp__retry_delay(&retry, 0, 12 * SECOND, 0);
    assert_int_equal(retry.next_ns, 24 * SECOND);
    djp__retry_delay(&retry, 0, 15 * SECOND, 0);
    assert_int_equal(retry.next_ns, 30 * SECOND);
    djp__retry_delay(&retry, 0, 16 * SECOND, 0);
    assert_int_equal(retry.next_ns, 30 * SECOND);
    /* Longer than the cap: kept as the bound. */
    assert_int_equal(djp__retry_delay(&retry, 0, 90 * SECOND, 0), 90 * SECOND);
    assert_int_equal(retry.next_ns, 90 * SECOND);
    djp__retry_delay(&retry, 0, 0, 0);
    assert_int_equal(retry.next_ns, 90 * SECOND);
}

static void
no_attempt_starts_after_the_deadline(void **state)
{
    djp__retry retry;
    (void)state;
    djp__retry_init(&retry, 100 * SECOND, 10 * SECOND);
    assert_int_equal(retry.deadline, 110 * SECOND);
    assert_int_equal(djp__retry_delay(&retry, 100 * SECOND, 9 * SECOND, 0), 9 * SECOND);
    assert_int_equal(djp__retry_delay(&retry, 100 * SECOND, 10 * SECOND, 0), UINT64_MAX);
    assert_int_equal(djp__retry_delay(&retry, 100 * SECOND, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    assert_int_equal(djp__retry_delay(&retry, 110 * SECOND, 0, 0), UINT64_MAX);
    assert_int_equal(djp__retry_delay(&retry, UINT64_MAX, 0, 0), UINT64_MAX);
    djp__retry_init(&retry, UINT64_MAX - 5, 10 * SECOND);
    assert_int_equal(retry.deadline, UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bound_doubles_up_to_thirty_seconds),
        cmocka_unit_test(the_jitter_covers_the_whole_range),
        cmocka_unit_test(the_receivers_wish_wins_and_growth_continues_from_it),
        cmocka_unit_test(no_attempt_starts_after_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
