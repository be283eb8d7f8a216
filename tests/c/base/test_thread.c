/* Wake-ups and conditions by their effect: a sleeper without a deadline is woken, and a thread has
 * the name and the mask that it should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <time.h>
#include <unistd.h>

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

static void *
notify(void *wake)
{
    usleep(20000);
    djp__wake_notify(wake);
    djp__wake_notify(wake);
    return NULL;
}

static void
wakes_coalesce_and_time_out(void **state)
{
    (void)state;
    djp__wake wake;
    pthread_t thread;
    djp__wake_init(&wake);
    uint64_t start = djp__clock_monotonic();
    assert_int_equal(djp__wake_wait(&wake, start + 30000000), 0);
    assert_true(djp__clock_monotonic() - start >= 29000000);
    assert_int_equal(djp__thread_start(&thread, notify, &wake, "notify"), 0);
    assert_int_equal(djp__wake_wait(&wake, start + 60000000000ull), 1);
    pthread_join(thread, NULL);
    djp__wake_wait(&wake, 0);
    assert_int_equal(djp__wake_wait(&wake, 0), 0);
    errno = 77;
    djp__wake_notify(&wake);
    assert_int_equal(errno, 77);
    assert_int_equal(djp__wake_wait(&wake, 0), 1);
}

static void
conditions_time_out(void **state)
{
    (void)state;
    djp_mutex mutex;
    djp__cond cond;
    assert_int_equal(djp__mutex_init(&mutex), 0);
    assert_int_equal(djp__cond_init(&cond), 0);
    djp__mutex_lock(&mutex);
    uint64_t start = djp__clock_monotonic();
    int code = 0;
    while (code == 0) {
        code = djp__cond_wait(&cond, &mutex, start + 20000000);
    }
    assert_int_equal(code, DJP_ETIMEOUT);
    assert_true(djp__clock_monotonic() - start >= 19000000);
    djp__mutex_unlock(&mutex);
    djp__cond_broadcast(&cond);
    djp__cond_fini(&cond);
    djp__mutex_fini(&mutex);
}

static void *
try_to_lock(void *mutex)
{
    return djp__mutex_trylock(mutex) ? mutex : NULL;
}

static void
a_lock_is_tried_without_a_wait(void **state)
{
    (void)state;
    djp_mutex mutex;
    pthread_t thread;
    void *taken = &mutex;
    assert_int_equal(djp__mutex_init(&mutex), 0);
    assert_int_equal(djp__mutex_trylock(&mutex), 1);
    assert_int_equal(pthread_create(&thread, NULL, try_to_lock, &mutex), 0);
    pthread_join(thread, &taken);
    assert_null(taken);
    djp__mutex_unlock(&mutex);
    assert_int_equal(djp__mutex_trylock(&mutex), 1);
    djp__mutex_unlock(&mutex);
    djp__mutex_fini(&mutex);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeper_is_woken),
        cmocka_unit_test(a_notification_waits_for_its_sleeper),
        cmocka_unit_test(threads_have_a_name_and_no_signals),
        cmocka_unit_test(wakes_coalesce_and_time_out),
        cmocka_unit_test(conditions_time_out),
        cmocka_unit_test(a_lock_is_tried_without_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
