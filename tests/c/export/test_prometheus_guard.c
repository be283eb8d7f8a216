/* Who may stay connected to the Prometheus endpoint, with the clock in the test's hand: deadlines,
 * places, and which connection gives way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include "base/clock.h"

static uint64_t mono_ns;
static int ended[256], ends;

static int
note_end(int fd, int how)
{
    assert_int_equal(how, SHUT_RDWR);
    ended[ends++ % 256] = fd;
    return 0;
}

#define djp__clock_monotonic() mono_ns
#define shutdown(fd, how) note_end(fd, how)
#include "export/prometheus_guard.c"
#undef djp__clock_monotonic
#undef shutdown

#define SECOND 1000000000ull

static djp__prometheus_guard guard;

static int
set_up(void **state)
{
    (void)state;
    djp__prometheus_guard_init(&guard);
    mono_ns = 1000 * SECOND;
    ends = 0;
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    djp__mutex_fini(&guard.mutex);
    return 0;
}

static void
deadlines_of_requests_and_responses(void **state)
{
    (void)state;
    assert_true(djp__prometheus_guard_sweep(&guard) == UINT64_MAX);
    djp__prometheus_client *client = djp__prometheus_guard_enter(&guard, 7);
    assert_non_null(client);
    assert_true(djp__prometheus_guard_sweep(&guard) == mono_ns + 10 * SECOND);
    mono_ns += 10 * SECOND - 1;
    djp__prometheus_guard_sweep(&guard);
    assert_int_equal(ends, 0);
    djp__prometheus_guard_set_busy(&guard, client, 1);
    assert_true(djp__prometheus_guard_sweep(&guard) == mono_ns + 60 * SECOND);
    mono_ns += 60 * SECOND - 1;
    djp__prometheus_guard_sweep(&guard);
    assert_int_equal(ends, 0);
    /* the answer is out: ten seconds for the next request */
    djp__prometheus_guard_set_busy(&guard, client, 0);
    assert_true(djp__prometheus_guard_sweep(&guard) == mono_ns + 10 * SECOND);
    mono_ns += 10 * SECOND;
    assert_true(djp__prometheus_guard_sweep(&guard) == UINT64_MAX);
    assert_int_equal(ends, 1);
    assert_int_equal(ended[0], 7);
    mono_ns += 100 * SECOND;
    djp__prometheus_guard_sweep(&guard);
    djp__prometheus_guard_set_busy(&guard, client, 1); /* ended once, it stays so */
    assert_true(djp__prometheus_guard_sweep(&guard) == UINT64_MAX);
    assert_int_equal(ends, 1);
    djp__prometheus_guard_leave(&guard, client);
    djp__prometheus_guard_leave(&guard, NULL);
    djp__prometheus_guard_set_busy(&guard, NULL, 1);
    assert_true(djp__prometheus_guard_sweep(&guard) == UINT64_MAX);
}

static void
the_nearest_deadline_counts(void **state)
{
    (void)state;
    djp__prometheus_client *first = djp__prometheus_guard_enter(&guard, 1);
    mono_ns += SECOND;
    djp__prometheus_client *second = djp__prometheus_guard_enter(&guard, 2);
    assert_true(djp__prometheus_guard_sweep(&guard) == first->deadline);
    djp__prometheus_guard_set_busy(&guard, first, 1);
    assert_true(djp__prometheus_guard_sweep(&guard) == second->deadline);
    djp__prometheus_guard_leave(&guard, second);
    assert_true(djp__prometheus_guard_sweep(&guard) == first->deadline);
}

/* From the 65th on, each newcomer ends the one that waited the longest without a request. */
static void
the_oldest_gives_way(void **state)
{
    (void)state;
    djp__prometheus_client *clients[DJP__PROMETHEUS_CLIENTS];
    for (int i = 0; i < DJP__PROMETHEUS_CLIENTS; i++) {
        mono_ns += 1000;
        clients[i] = djp__prometheus_guard_enter(&guard, 100 + i);
        assert_non_null(clients[i]);
        assert_int_equal(ends, 0);
    }
    djp__prometheus_guard_set_busy(&guard, clients[0], 1); /* is being answered: stays */
    mono_ns += 1000;
    djp__prometheus_guard_set_busy(&guard, clients[1], 1);
    djp__prometheus_guard_set_busy(&guard, clients[1], 0); /* was answered: is young again */
    assert_non_null(djp__prometheus_guard_enter(&guard, 500));
    assert_int_equal(ends, 1);
    assert_int_equal(ended[0], 102);
    assert_non_null(djp__prometheus_guard_enter(&guard, 501));
    assert_int_equal(ends, 2);
    assert_int_equal(ended[1], 103);
    djp__prometheus_guard_leave(&guard, clients[2]);
    djp__prometheus_guard_leave(&guard, clients[10]); /* one that stayed: now there is room */
    assert_non_null(djp__prometheus_guard_enter(&guard, 502));
    assert_int_equal(ends, 2);
    assert_non_null(djp__prometheus_guard_enter(&guard, 503));
    assert_int_equal(ends, 3);
}

static void
places_run_out(void **state)
{
    (void)state;
    for (int i = 0; i < DJP__PROMETHEUS_CLIENTS; i++) {
        djp__prometheus_guard_set_busy(&guard, djp__prometheus_guard_enter(&guard, i), 1);
    }
    for (int i = 0; i < DJP__PROMETHEUS_SPARE; i++) { /* none of the others may be ended */
        djp__prometheus_client *client = djp__prometheus_guard_enter(&guard, 100 + i);
        assert_non_null(client);
        djp__prometheus_guard_set_busy(&guard, client, 1);
        assert_int_equal(ends, 0);
    }
    assert_null(djp__prometheus_guard_enter(&guard, 999));
    assert_int_equal(ends, 0);
    djp__prometheus_guard_leave(&guard, &guard.places[50]);
    djp__prometheus_client *client = djp__prometheus_guard_enter(&guard, 999);
    assert_ptr_equal(client, &guard.places[50]);
    assert_true(client->fd == 999 && client->since == mono_ns && !client->busy);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(deadlines_of_requests_and_responses),
        ONE(the_nearest_deadline_counts),
        ONE(the_oldest_gives_way),
        ONE(places_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
