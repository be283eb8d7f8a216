/* libcurl's process-wide state at its bad moments: an exit or a fork while a thread is inside the
 * library, threads that leave it, and versions with faults. The source is part of this program, for
 * its counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "net/curl_global.c"

#define MS 1000000ull

static int pipe_ends[2];
static _Atomic int stage; /* how far a thread of a child is */

static void
wait_ms(long ms)
{
    poll(NULL, 0, (int)ms);
}

static void
wait_for_stage(int wanted)
{
    while (stage < wanted) {
        wait_ms(1);
    }
}

static void
tell(char letter)
{
    ssize_t written = write(pipe_ends[1], &letter, 1);
    (void)written;
}

static void
tell_the_end(void)
{
    tell('e');
}

/* Runs body in a child process. Returns the letters that it told, in their order; the child ends by
 * exit(3) or the body. */
static const char *
told_by_child(void (*body)(void))
{
    static char letters[64];
    size_t size = 0;
    int status = -1;
    assert_int_equal(pipe(pipe_ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(pipe_ends[0]);
        alarm(60);
        atexit(tell_the_end); /* runs after the handler of the library, which comes later */
        body();
        _exit(9);
    }
    close(pipe_ends[1]);
    ssize_t got;
    while ((got = read(pipe_ends[0], letters + size, sizeof letters - 1 - size)) > 0) {
        size += (size_t)got;
    }
    letters[size] = '\0';
    close(pipe_ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return letters;
}

static void
start_thread(void *(*run)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) != 0) {
        _exit(8);
    }
    pthread_detach(thread);
}

/* ---- exit ---- */

static void *
stay_inside(void *unused)
{
    (void)unused;
    djp__curl_lock();
    stage = 1;
    wait_ms(100);
    tell('u');
    djp__curl_unlock();
    while (!djp__curl_is_over()) {
        wait_ms(1);
    }
    djp__curl_lock(); /* never again: the process is in exit */
    tell('!');
    return NULL;
}

static void
use_in_exit(void)
{
    tell(djp__curl_is_over() ? 'o' : '?');
    djp__curl_lock(); /* the exiting thread may */
    tell('l');
    djp__curl_unlock();
    wait_ms(50); /* the other thread would come now */
    djp__curl_lock(); /* it holds no lock while it waits for the end */
    tell('m');
    djp__curl_unlock();
}

static void
exit_while_a_thread_is_inside(void)
{
    atexit(use_in_exit);
    djp__curl_start();
    tell(djp__curl_is_over() ? '!' : 'n');
    start_thread(stay_inside);
    wait_for_stage(1);
    exit(0);
}

static void
exit_waits_for_the_call_and_admits_no_other(void **state)
{
    (void)state;
    assert_string_equal(told_by_child(exit_while_a_thread_is_inside), "nuolme");
}

/* ---- threads that end ---- */

static pthread_key_t slow_key; /* made before that of the library: its destructor runs earlier */
static long slow_ms;

static void
end_slowly(void *value)
{
    (void)value;
    stage = 1;
    wait_ms(slow_ms);
    tell('d');
}

static void *
leave(void *unused)
{
    (void)unused;
    pthread_setspecific(slow_key, &slow_key);
    djp__curl_leave_thread();
    djp__curl_leave_thread(); /* counts once */
    return NULL;
}

static void
exit_while_a_thread_ends(void)
{
    pthread_key_create(&slow_key, end_slowly);
    djp__curl_start();
    start_thread(leave);
    wait_for_stage(1);
    exit(0);
}

static void
exit_waits_for_threads_that_end_but_not_forever(void **state)
{
    (void)state;
    slow_ms = 60;
    assert_string_equal(told_by_child(exit_while_a_thread_ends), "de");
    slow_ms = 20000;
    assert_string_equal(told_by_child(exit_while_a_thread_ends), "e");
}

static void *
leave_and_count(void *result)
{
    djp__curl_leave_thread();
    int first = djp__load_acquire(&curl_global_leaving);
    djp__curl_leave_thread();
    *(int *)result = 10 * first + djp__load_acquire(&curl_global_leaving);
    return NULL;
}

static void
a_thread_that_leaves_is_counted_until_it_has_ended(void **state)
{
    pthread_t thread;
    int seen = -1;
    (void)state;
    assert_int_equal(djp__curl_start(), 0);
    assert_int_equal(djp__load_acquire(&curl_global_leaving), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&thread, NULL, leave_and_count, &seen), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(seen, 11);
        assert_int_equal(djp__load_acquire(&curl_global_leaving), 0);
    }
}

static void
exit_at_once(void)
{
    djp__curl_start();
    uint64_t start = djp__clock_monotonic();
    curl_global_at_exit();
    tell(djp__clock_monotonic() - start < CURL_GLOBAL_LEAVE_MS * MS / 2 ? 'f' : 's');
    djp__store_release(&curl_global_over, 0);
    exit(0);
}

/* Without threads that leave, exit does not wait. */
static void
exit_without_threads_is_fast(void **state)
{
    (void)state;
    int is_fast = 0;
    for (int i = 0; i < 20 && !is_fast; i++) { /* a busy machine may take longer sometimes */
        is_fast = strcmp(told_by_child(exit_at_once), "fe") == 0;
    }
    assert_true(is_fast);
}

static void *
leave_in_exit(void *unused)
{
    (void)unused;
    wait_for_stage(1);
    djp__curl_leave_thread(); /* does not return in exit */
    tell('!');
    return NULL;
}

static void
let_it_leave(void)
{
    stage = 1;
    wait_ms(100);
}

static void
exit_before_a_thread_leaves(void)
{
    atexit(let_it_leave);
    djp__curl_start();
    start_thread(leave_in_exit);
    exit(0);
}

static void
no_thread_leaves_in_exit(void **state)
{
    (void)state;
    assert_string_equal(told_by_child(exit_before_a_thread_leaves), "e");
}

/* ---- fork ---- */

static void *
stay_inside_for_a_fork(void *unused)
{
    (void)unused;
    djp__curl_lock();
    stage = 1;
    wait_ms(100);
    stage = 2;
    djp__curl_unlock();
    return NULL;
}

static void
fork_while_a_thread_is_inside(void)
{
    int status = -1;
    djp__curl_start();
    djp__store_relaxed(&curl_global_leaving, 3);
    start_thread(stay_inside_for_a_fork);
    wait_for_stage(1);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        tell(stage == 2 ? 'w' : '!'); /* the fork has waited */
        djp__curl_lock(); /* and left no lock behind */
        djp__curl_unlock();
        tell(djp__load_relaxed(&curl_global_leaving) == 0 ? '0' : '!');
        _exit(0);
    }
    waitpid(pid, &status, 0);
    djp__curl_lock();
    djp__curl_unlock();
    tell(djp__load_relaxed(&curl_global_leaving) == 3 ? 'p' : '!');
    _exit(status);
}

static void
a_fork_waits_for_the_call(void **state)
{
    (void)state;
    assert_string_equal(told_by_child(fork_while_a_thread_is_inside), "w0p");
}

/* ---- start and versions ---- */

static void
a_second_start_changes_nothing(void **state)
{
    unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    (void)state;
    assert_int_equal(djp__curl_start(), 0);
    assert_int_equal(djp__curl_loses_trailers(), version < 0x080100);
    curl_global_code = DJP_EIO;
    assert_int_equal(djp__curl_start(), DJP_EIO); /* the result of the first one */
    curl_global_code = 0;
    assert_int_equal(djp__curl_start(), 0);
}

static void
faults_of_versions_are_known(void **state)
{
    static const struct {
        unsigned version;
        int breaks_reuse, loses_trailers;
    } cases[] = {{0x074d00, 0, 1}, {0x0757ff, 0, 1}, {0x075800, 1, 1},
                 {0x075801, 1, 1}, {0x07ffff, 1, 1}, {0x080000, 0, 1},
                 {0x0800ff, 0, 1}, {0x080100, 0, 0}, {0x080c00, 0, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        curl_global_note_version(cases[i].version);
        assert_int_equal(djp__curl_breaks_reuse(), cases[i].breaks_reuse);
        assert_int_equal(djp__curl_loses_trailers(), cases[i].loses_trailers);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        /* The first ones start the library in children alone. */
        cmocka_unit_test(exit_waits_for_the_call_and_admits_no_other),
        cmocka_unit_test(exit_waits_for_threads_that_end_but_not_forever),
        cmocka_unit_test(exit_without_threads_is_fast),
        cmocka_unit_test(no_thread_leaves_in_exit),
        cmocka_unit_test(a_fork_waits_for_the_call),
        cmocka_unit_test(a_thread_that_leaves_is_counted_until_it_has_ended),
        cmocka_unit_test(a_second_start_changes_nothing),
        cmocka_unit_test(faults_of_versions_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
