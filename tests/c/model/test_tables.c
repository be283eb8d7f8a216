/* The lock of the process-wide tables, and what a fork makes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/atomic.h"
#include "lock_guard.h"
#include "model/tables.h"

static void
take_and_give(void)
{
    djp__tables_lock();
    djp__tables_unlock();
}

static void
one_thread_at_a_time(void **state)
{
    (void)state;
    assert_true(waits_for(NULL, take_and_give));
    take_and_give();
}

#if !defined(__SANITIZE_THREAD__)

static DJP__ATOMIC(int) holds, stop;

/* Holds the lock most of the time. */
static void *
hold(void *unused)
{
    while (!djp__load_acquire(&stop)) {
        djp__tables_lock();
        djp__store_release(&holds, 1);
        usleep(1000);
        djp__tables_unlock();
    }
    return unused;
}

/* A child process has one thread: a lock that another one held over the fork would be held for
 * ever. */
static void
a_forked_child_finds_it_free(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, hold, NULL), 0);
    for (int round = 0; round < 20; round++) {
        djp__store_release(&holds, 0);
        while (!djp__load_acquire(&holds)) {
            usleep(50);
        }
        pid_t child = fork();
        if (child == 0) {
            alarm(10);
            take_and_give();
            _exit(0);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        take_and_give(); /* and so does the parent */
    }
    djp__store_release(&stop, 1);
    pthread_join(thread, NULL);
}

#endif

#if !defined(__SANITIZE_THREAD__)

static void
fork_once(void)
{
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* The tables are not copied while a thread changes them. */
static void
a_fork_waits_for_it(void **state)
{
    (void)state;
    take_and_give();
    assert_true(waits_for(NULL, fork_once));
}

#endif

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_at_a_time),
#if !defined(__SANITIZE_THREAD__)
        cmocka_unit_test(a_forked_child_finds_it_free),
        cmocka_unit_test(a_fork_waits_for_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
