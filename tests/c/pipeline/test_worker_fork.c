/* The worker around a fork: who waits for whom and how long, what two forking threads do, and what
 * a child finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "djp/error.h"
#include "pipeline/worker.h"

#define MS 1000000ull
#define SECOND 1000000000ull

typedef struct bench {
    djp__worker worker;
    djp__task park, sender;
    djp__transport transport;
    _Atomic int stays; /* 1: the sender stays inside its transport */
    _Atomic int parks; /* 1: its poll callback parks */
    _Atomic int wakes, sends, references;
} bench;

static bench self;

static void
wait_ms(uint64_t ms)
{
    struct timespec pause = {(time_t)(ms / 1000), (long)(ms % 1000 * MS)};
    nanosleep(&pause, NULL);
}

static int
state_of_worker(void)
{
    return djp__load_acquire(&self.worker.state);
}

static void
wait_for_state(int state)
{
    for (int i = 0; i < 60000 && state_of_worker() != state; i++) {
        wait_ms(1);
    }
    assert_int_equal(state_of_worker(), state);
}

static void
wait_for(const _Atomic int *value, int least)
{
    for (int i = 0; i < 60000 && *value < least; i++) {
        wait_ms(1);
    }
    assert_true(*value >= least);
}

static void
run_park(void *user, uint64_t now)
{
    (void)user;
    (void)now;
    if (self.parks) {
        djp__worker_park(&self.worker);
    }
}

static void
run_sender(void *user, uint64_t now)
{
    (void)user;
    (void)now;
    djp__worker_begin_send(&self.worker, &self.transport, &self.sender);
    self.sends++;
    do {
        djp__worker_poll(&self.worker);
        wait_ms(1);
    } while (self.stays);
    djp__worker_end_send(&self.worker);
}

static uint64_t
sender_is_due(void *user, uint64_t now)
{
    (void)user;
    return now;
}

static void
add_reference(void *user)
{
    (void)user;
    self.references++;
}

static void
drop_reference(void *user)
{
    (void)user;
    self.references--;
}

static void
note_wake(djp__transport *transport)
{
    (void)transport;
    self.wakes++;
}

static const djp__transport_ops bench_ops = {.name = "bench", .wake = note_wake};

static int
set_up(void **state)
{
    (void)state;
    memset(&self, 0, sizeof self);
    self.transport.ops = &bench_ops;
    djp__worker_init(&self.worker);
    self.worker.ref = add_reference;
    self.worker.unref = drop_reference;
    self.worker.shares_files = 1;
    self.stays = 1;
    self.park = (djp__task){"park", DJP__TASK_ALWAYS, run_park, NULL, NULL, NULL, NULL, NULL};
    self.sender =
        (djp__task){"send", DJP__TASK_SEND, run_sender, sender_is_due, NULL, NULL, NULL, NULL};
    djp__worker_add(&self.worker, &self.park);
    djp__worker_add(&self.worker, &self.sender);
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    self.stays = 0;
    djp__mutex_lock(&self.worker.mutex);
    int ended = djp__worker_stop_locked(&self.worker, djp__clock_monotonic() + 60 * SECOND);
    djp__mutex_unlock(&self.worker.mutex);
    assert_int_equal(ended, 1);
    assert_int_equal(self.references, 0);
    djp__worker_fini(&self.worker);
    return 0;
}

static void
end_fork_in_parent(void)
{
    djp__mutex_lock(&self.worker.mutex);
    djp__worker_fork_parent(&self.worker);
    djp__mutex_unlock(&self.worker.mutex);
}

static void
start_sending(int parks)
{
    self.parks = parks;
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for_state(DJP__WORKER_SENDING);
}

static void
a_worker_outside_a_transport_delays_no_fork(void **state)
{
    static const int states[] = {DJP__WORKER_ABSENT, DJP__WORKER_WORKING, DJP__WORKER_PARKED};
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        djp__store_relaxed(&self.worker.state, states[i]);
        djp__worker_fork_prepare(&self.worker);
        assert_int_equal(self.worker.forks, 1);
        assert_int_equal(djp__load_relaxed(&self.worker.fork_wanted), 1);
        assert_int_equal(state_of_worker(), states[i]);
        end_fork_in_parent();
        assert_int_equal(self.worker.forks, 0);
        assert_int_equal(djp__load_relaxed(&self.worker.fork_wanted), 0);
    }
    djp__store_relaxed(&self.worker.state, (int)DJP__WORKER_ABSENT);
}

static void
a_worker_inside_parks_until_the_fork_is_over(void **state)
{
    (void)state;
    start_sending(1);
    djp__worker_fork_prepare(&self.worker);
    wait_for_state(DJP__WORKER_PARKED); /* may come after the wait on a loaded machine */
    assert_true(self.wakes > 0); /* its wait was ended */
    self.stays = 0;
    wait_ms(20);
    assert_int_equal(state_of_worker(), DJP__WORKER_PARKED);
    self.stays = 1;
    end_fork_in_parent();
    wait_for_state(DJP__WORKER_SENDING);
}

/* Two threads fork: the worker stays parked for the longer one. */
static void
the_last_of_two_forks_releases_the_worker(void **state)
{
    (void)state;
    start_sending(1);
    djp__worker_fork_prepare(&self.worker);
    djp__worker_fork_prepare(&self.worker);
    wait_for_state(DJP__WORKER_PARKED);
    assert_int_equal(self.worker.forks, 2);
    end_fork_in_parent();
    wait_ms(20);
    assert_int_equal(state_of_worker(), DJP__WORKER_PARKED);
    assert_int_equal(djp__load_relaxed(&self.worker.fork_wanted), 1);
    end_fork_in_parent();
    wait_for_state(DJP__WORKER_SENDING);
}

/* A library call that takes long delays a fork by a bounded time. */
static void
a_fork_does_not_wait_forever(void **state)
{
    (void)state;
    start_sending(0);
    uint64_t start = djp__clock_monotonic();
    djp__worker_fork_prepare(&self.worker);
    assert_true(djp__clock_monotonic() - start >= 40 * MS);
    assert_int_equal(state_of_worker(), DJP__WORKER_SENDING);
    assert_int_equal(self.worker.forks, 1);
    end_fork_in_parent();
}

static void
a_transport_without_wake_is_waited_for(void **state)
{
    static const djp__transport_ops mute_ops = {.name = "mute"};
    (void)state;
    self.transport.ops = &mute_ops;
    start_sending(1);
    djp__worker_fork_prepare(&self.worker);
    wait_for_state(DJP__WORKER_PARKED);
    end_fork_in_parent();
    wait_for_state(DJP__WORKER_SENDING);
}

/* A forking thread that dies between its hooks must not hold the worker forever. */
static void
a_parked_worker_does_not_wait_forever(void **state)
{
    (void)state;
    djp__store_relaxed(&self.worker.state, (int)DJP__WORKER_SENDING);
    self.worker.forks = 1;
    djp__store_relaxed(&self.worker.fork_wanted, 1);
    uint64_t start = djp__clock_monotonic();
    djp__worker_park(&self.worker);
    assert_true(djp__clock_monotonic() - start >= 900 * MS);
    assert_int_equal(state_of_worker(), DJP__WORKER_SENDING);
    self.worker.forks = 0;
    djp__store_relaxed(&self.worker.state, (int)DJP__WORKER_ABSENT);
}

static void
only_a_sending_worker_parks_and_only_for_a_fork(void **state)
{
    (void)state;
    self.worker.forks = 1; /* it would wait */
    djp__store_relaxed(&self.worker.state, (int)DJP__WORKER_SENDING);
    djp__worker_park(&self.worker);
    djp__store_relaxed(&self.worker.fork_wanted, 1);
    djp__store_relaxed(&self.worker.state, (int)DJP__WORKER_WORKING);
    uint64_t start = djp__clock_monotonic();
    djp__worker_park(&self.worker);
    assert_true(djp__clock_monotonic() - start < 900 * MS);
    assert_int_equal(state_of_worker(), DJP__WORKER_WORKING);
    self.worker.forks = 0;
    djp__store_relaxed(&self.worker.state, (int)DJP__WORKER_ABSENT);
}

/* No call of a transport begins between prepare and parent. */
static void
no_send_begins_during_a_fork(void **state)
{
    (void)state;
    djp__worker_fork_prepare(&self.worker);
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_ms(30);
    assert_int_equal(self.sends, 0);
    assert_int_equal(state_of_worker(), DJP__WORKER_WORKING);
    end_fork_in_parent();
    wait_for(&self.sends, 1);
}

/* Whatever the worker of the parent was doing, the child has none, and can start one. */
static void
a_child_has_no_worker(void **state)
{
    static const int states[] = {DJP__WORKER_ABSENT, DJP__WORKER_WORKING, DJP__WORKER_SENDING,
                                 DJP__WORKER_PARKED};
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        djp__store_relaxed(&self.worker.state, states[i]);
        self.worker.forks = 2;
        self.worker.is_joinable = 1;
        self.worker.start_not_before = UINT64_MAX;
        self.worker.running = &self.sender;
        djp__store_relaxed(&self.worker.transport, &self.transport);
        djp__store_relaxed(&self.worker.fork_wanted, 1);
        djp__store_relaxed(&self.worker.starts, (uint64_t)7);
        djp__store_relaxed(&self.worker.start_failures, (uint64_t)7);
        djp__worker_fork_child(&self.worker);
        assert_int_equal(state_of_worker(), DJP__WORKER_ABSENT);
        assert_int_equal(self.worker.forks, 0);
        assert_int_equal(self.worker.is_joinable, 0);
        assert_null(self.worker.running);
        assert_null(djp__load_relaxed(&self.worker.transport));
        assert_int_equal(djp__load_relaxed(&self.worker.fork_wanted), 0);
        assert_int_equal(djp__load_relaxed(&self.worker.starts), 0);
        assert_int_equal(djp__load_relaxed(&self.worker.start_failures), 0);
    }
    assert_int_equal(djp__worker_ensure(&self.worker), 0);
    wait_for(&self.sends, 1);
    assert_int_equal(djp__load_relaxed(&self.worker.starts), 1);
}

int
main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ONE(a_worker_outside_a_transport_delays_no_fork),
        ONE(a_worker_inside_parks_until_the_fork_is_over),
        ONE(the_last_of_two_forks_releases_the_worker),
        ONE(a_fork_does_not_wait_forever),
        ONE(a_transport_without_wake_is_waited_for),
        ONE(a_parked_worker_does_not_wait_forever),
        ONE(only_a_sending_worker_parks_and_only_for_a_fork),
        ONE(no_send_begins_during_a_fork),
        ONE(a_child_has_no_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
