/* Threads that may be inside a line: one that a full pipe blocked and that waits for a processor,
 * and the main thread of an event loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "export/pipe_writers.h"

#define DEADLINE_NS UINT64_C(60000000000)

enum { PIPE_SIZE = 4096, LINE = 3 * PIPE_SIZE, LINES = 5 };

static DJP__ATOMIC(int) over;
static int ends[2];

static void
nap(void)
{
    assert_int_equal(usleep(1000), 0);
}

static void *
spin(void *argument)
{
    while (!djp__load_acquire(&over)) {
    }
    return argument;
}

static void *
write_line(void *argument)
{
    static char line[LINE];
    struct sched_param none = {0};
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
    assert_int_equal(write(ends[1], line, sizeof line), sizeof line);
    return argument;
}

/* Starts a thread that has one processor with the others that start the same way. */
static pthread_t
start(void *(*run)(void *))
{
    cpu_set_t allowed, first;
    pthread_attr_t attributes;
    pthread_t thread;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    CPU_ZERO(&first);
    for (int i = 0; CPU_COUNT(&first) == 0; i++) {
        if (CPU_ISSET(i, &allowed)) {
            CPU_SET(i, &first);
        }
    }
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setaffinity_np(&attributes, sizeof first, &first), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run, NULL), 0);
    pthread_attr_destroy(&attributes);
    return thread;
}

static int
waiting(void)
{
    int size = 0;
    assert_int_equal(ioctl(ends[0], FIONREAD, &size), 0);
    return size;
}

static size_t
drain(void)
{
    static char bytes[PIPE_SIZE];
    ssize_t got = read(ends[0], bytes, sizeof bytes);
    assert_true(got > 0);
    return (size_t)got;
}

/* Looks until no thread is inside a line. Returns how many looks found one that may be. */
static int
look_until_between(void)
{
    djp__pipe_writers writers = {0};
    int inside = 0;
    for (uint64_t until = djp__clock_monotonic() + DEADLINE_NS;; nap()) {
        djp__pipe_writers_state state = djp__pipe_writers_look(&writers);
        assert_int_not_equal(state, DJP__PIPE_WRITERS_UNKNOWN);
        if (state == DJP__PIPE_WRITERS_BETWEEN) {
            return inside;
        }
        inside++;
        assert_true(djp__clock_monotonic() < until);
    }
}

/* The writer gets the processor seldom: another thread spins on it. */
static int
one_line(void)
{
    pthread_t writer = start(write_line);
    int inside = 0;
    for (size_t got = 0; got < LINE;) {
        while (waiting() < PIPE_SIZE) {
            nap(); /* until the writer is blocked, or has written the rest */
        }
        got += drain();
        inside += look_until_between();
        assert_true(got == LINE || waiting() > 0);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    return inside;
}

static void
a_writer_that_waits_for_a_processor_is_inside(void **state)
{
    int inside = 0;
    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE), PIPE_SIZE);
    djp__store_release(&over, 0);
    pthread_t spinner = start(spin);
    for (int i = 0; i < LINES; i++) {
        inside += one_line();
    }
    djp__store_release(&over, 1);
    assert_int_equal(pthread_join(spinner, NULL), 0);
    assert_true(inside > 0);
    close(ends[0]);
    close(ends[1]);
}

static void
a_thread_that_never_sleeps_is_between_when_it_has_run(void **state)
{
    (void)state;
    djp__store_release(&over, 0);
    pthread_t spinner = start(spin);
    (void)look_until_between();
    djp__store_release(&over, 1);
    assert_int_equal(pthread_join(spinner, NULL), 0);
}

static void *
sleep_until_over(void *argument)
{
    assert_int_equal(pthread_mutex_lock(argument), 0);
    assert_int_equal(pthread_mutex_unlock(argument), 0);
    return NULL;
}

static void
a_process_with_too_many_threads_is_unknown(void **state)
{
    static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[DJP__PIPE_WRITERS_THREADS];
    djp__pipe_writers writers = {0};
    (void)state;
    assert_int_equal(pthread_mutex_lock(&held), 0);
    for (size_t i = 0; i < DJP__PIPE_WRITERS_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_until_over, &held), 0);
    }
    assert_int_equal(djp__pipe_writers_look(&writers), DJP__PIPE_WRITERS_UNKNOWN);
    assert_int_equal(pthread_mutex_unlock(&held), 0);
    for (size_t i = 0; i < DJP__PIPE_WRITERS_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* The calling thread is not the main one. Looks until that is between lines, or until the deadline,
 * and then ends the loop of the main thread. Returns what it found last. */
static void *
look_at_main(void *deadline)
{
    djp__pipe_writers writers = {0};
    uint64_t until = djp__clock_monotonic() + *(uint64_t *)deadline;
    djp__pipe_writers_state state = DJP__PIPE_WRITERS_INSIDE;
    while (state == DJP__PIPE_WRITERS_INSIDE && djp__clock_monotonic() < until) {
        state = djp__pipe_writers_look(&writers);
        nap();
    }
    djp__store_release(&over, 1);
    return (void *)(uintptr_t)state;
}

static void
do_nothing(void)
{
}

static void
keep_busy(void)
{
    (void)spin(NULL);
}

static void
nap_often(void)
{
    while (!djp__load_acquire(&over)) {
        assert_int_equal(usleep(10000), 0);
    }
}

static void
wait_for_events(void)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);
    assert_true(loop >= 0);
    while (!djp__load_acquire(&over)) {
        struct epoll_event event;
        assert_int_equal(epoll_wait(loop, &event, 1, 1), 0);
    }
    close(loop);
}

/* What another thread sees of the main thread, which does that and then waits for the other. */
static djp__pipe_writers_state
look_while(void (*main_does)(void), uint64_t deadline_ns)
{
    pthread_t thread;
    void *state;
    djp__store_release(&over, 0);
    assert_int_equal(pthread_create(&thread, NULL, look_at_main, &deadline_ns), 0);
    main_does();
    assert_int_equal(pthread_join(thread, &state), 0);
    return (djp__pipe_writers_state)(uintptr_t)state;
}

static void
an_event_loop_is_between_while_it_waits_for_events(void **state)
{
    int before = fcntl(STDOUT_FILENO, F_GETFL);
    (void)state;
    assert_true(before >= 0);
    assert_int_equal(look_while(keep_busy, DEADLINE_NS), DJP__PIPE_WRITERS_BETWEEN);
    assert_int_equal(fcntl(STDOUT_FILENO, F_SETFL, before | O_NONBLOCK), 0);
    djp__pipe_writers_state busy = look_while(keep_busy, DEADLINE_NS / 100),
                            naps = look_while(nap_often, DEADLINE_NS / 100),
                            elsewhere = look_while(do_nothing, DEADLINE_NS),
                            events = look_while(wait_for_events, DEADLINE_NS);
    assert_int_equal(fcntl(STDOUT_FILENO, F_SETFL, before), 0);
    assert_int_equal(busy, DJP__PIPE_WRITERS_INSIDE);
    assert_int_equal(naps, DJP__PIPE_WRITERS_INSIDE);
    assert_int_equal(elsewhere, DJP__PIPE_WRITERS_BETWEEN);
    assert_int_equal(events, DJP__PIPE_WRITERS_BETWEEN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_writer_that_waits_for_a_processor_is_inside),
        cmocka_unit_test(a_thread_that_never_sleeps_is_between_when_it_has_run),
        cmocka_unit_test(a_process_with_too_many_threads_is_unknown),
        cmocka_unit_test(an_event_loop_is_between_while_it_waits_for_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
