/* Wake-ups and conditions by their effect: a sleeper without a deadline is woken, and a thread has
 * the name and the mask that it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "djp/error.h"

static djp__wake wake;
static DJP__ATOMIC(int) woken;

static void *
sleep_without_deadline(void *argument)
{
    (void)argument;
    int got = djp__wake_wait(&wake, UINT64_MAX);
    djp__store_release(&woken, got ? 1 : -1);
    return NULL;
}

static void
pause_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void
a_sleeper_is_woken(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        pthread_t thread;
        djp__wake_init(&wake);
        djp__store_relaxed(&woken, 0);
        assert_int_equal(djp__thread_start(&thread, sleep_without_deadline, NULL, "sleeper"), 0);
        while (djp__load_acquire(&wake.state) == 0) { /* until it sleeps */
            pause_ms(1);
        }
        pause_ms(2);
        assert_int_equal(djp__load_acquire(&woken), 0);
        djp__wake_notify(&wake);
        for (int i = 0; i < 60000 && djp__load_acquire(&woken) == 0; i++) {
            pause_ms(1);
        }
        assert_int_equal(djp__load_acquire(&woken), 1);
        pthread_join(thread, NULL);
    }
}

static void
a_notification_waits_for_its_sleeper(void **state)
{
    (void)state;
    djp__wake_init(&wake);
    djp__wake_notify(&wake);
    djp__wake_notify(&wake);
    assert_true(djp__wake_wait(&wake, UINT64_MAX));
    assert_false(djp__wake_wait(&wake, djp__clock_monotonic())); /* the two were one */
}

static sigset_t seen_mask;
static char seen_name[32];

static void *
look_at_itself(void *argument)
{
    pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
    while (!djp__load_acquire((DJP__ATOMIC(int) *)argument)) { /* the name is given from outside */
        pause_ms(1);
    }
    pthread_getname_np(pthread_self(), seen_name, sizeof seen_name);
    return argument;
}

static void
threads_have_a_name_and_no_signals(void **state)
{
    static const char *const names[][2] = {{"short", "short"},
                                           {"fifteen letters", "fifteen letters"},
                                           {"sixteen letters!", "sixteen letters"}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        DJP__ATOMIC(int) go = 0;
        pthread_t thread;
        sigset_t before, after;
        pthread_sigmask(SIG_SETMASK, NULL, &before);
        assert_int_equal(djp__thread_start(&thread, look_at_itself, &go, names[i][0]), 0);
        pthread_sigmask(SIG_SETMASK, NULL, &after);
        djp__store_release(&go, 1);
        void *result = NULL;
        pthread_join(thread, &result);
        assert_ptr_equal(result, &go);
        assert_string_equal(seen_name, names[i][1]);
        assert_true(sigismember(&seen_mask, SIGTERM) && sigismember(&seen_mask, SIGURG));
        assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeper_is_woken),
        cmocka_unit_test(a_notification_waits_for_its_sleeper),
        cmocka_unit_test(threads_have_a_name_and_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
