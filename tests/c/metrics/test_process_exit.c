/* Fork hooks and generation, random ids across fork and threads, wake-ups, conditions, messages and
 * error texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/fork.h"
#include "base/rand.h"
#include "base/thread.h"
#include "djp/error.h"

static char order[32];

static void
note(const char *what)
{
    strncat(order, what, sizeof order - strlen(order) - 1);
}

static void
prepare(void *user)
{
    note("p");
    note(user);
}

static void
parent(void *user)
{
    note("q");
    note(user);
}

static void
child(void *user)
{
    note("c");
    note(user);
}

static void
hooks_run_in_order_and_the_generation_changes(void **state)
{
    (void)state;
    djp__fork_hook first = {prepare, parent, child, "1", NULL};
    djp__fork_hook second = {prepare, parent, child, "2", NULL};
    djp__fork_hook third = {NULL, NULL, NULL, NULL, NULL};
    djp__fork_register(&first);
    djp__fork_register(&second);
    djp__fork_register(&third);
    uint32_t generation = djp__fork_generation();
    pid_t pid = fork();
    if (pid == 0) {
        djp__fork_unregister(&third); /* the list is free again in the child */
        _exit(strcmp(order, "p2p1c1c2") == 0 && djp__fork_generation() == generation + 1 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(order, "p2p1q1q2");
    assert_int_equal(djp__fork_generation(), generation);
    djp__fork_unregister(&first);
    djp__fork_unregister(&second);
    djp__fork_unregister(&third);
    djp__fork_unregister(&third);
}

static void
a_forked_child_draws_other_numbers(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    (void)djp__rand64();
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t drawn[4];
        for (int i = 0; i < 4; i++) {
            drawn[i] = djp__rand64();
        }
        _exit(write(pipes[1], drawn, sizeof drawn) == (ssize_t)sizeof drawn ? 0 : 1);
    }
    uint64_t theirs[4], ours[4];
    for (int i = 0; i < 4; i++) {
        ours[i] = djp__rand64();
    }
    assert_int_equal(read(pipes[0], theirs, sizeof theirs), sizeof theirs);
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 4; k++) {
            assert_true(ours[i] != theirs[k]);
        }
    }
    close(pipes[0]);
    close(pipes[1]);
}

enum { DRAWS = 20000 };

static void *
draw(void *out)
{
    uint64_t *numbers = out;
    for (int i = 0; i < DRAWS; i++) {
        djp__rand_span_id((uint8_t *)&numbers[i]);
    }
    return NULL;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void
threads_draw_different_ids(void **state)
{
    (void)state;
    static uint64_t numbers[3 * DRAWS];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            djp__thread_start(&threads[i], draw, numbers + i * DRAWS, "a-name-longer-than-fifteen"),
            0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    qsort(numbers, 3 * DRAWS, sizeof numbers[0], compare);
    uint64_t ones = 0;
    for (int i = 0; i < 3 * DRAWS; i++) {
        assert_true(numbers[i] != 0 && (i == 0 || numbers[i] != numbers[i - 1]));
        ones += (uint64_t)__builtin_popcountll(numbers[i]);
    }
    assert_true(ones > 3 * DRAWS * 31ull && ones < 3 * DRAWS * 33ull);
    uint8_t trace_id[16];
    djp__rand_trace_id(trace_id);
    assert_memory_not_equal(trace_id, "\0\0\0\0\0\0\0\0", 8);
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

static char logged[1200];
static int logged_level;

static void
keep(void *user, int level, const char *message)
{
    ++*(int *)user;
    logged_level = level;
    strncpy(logged, message, sizeof logged - 1);
}

static void
messages_are_filtered_and_remembered(void **state)
{
    (void)state;
    djp__diagnostics diag;
    int count = 0;
    assert_int_equal(djp__diag_init(&diag, DJP_LOG_WARN, keep, &count), 0);
    djp__diag(&diag, DJP_LOG_INFO, "no");
    assert_int_equal(count, 0);
    djp__diag(&diag, DJP_LOG_WARN, "lost %d", 3);
    assert_int_equal(count, 1);
    assert_int_equal(logged_level, DJP_LOG_WARN);
    assert_string_equal(logged, "lost 3");
    assert_string_equal(diag.last_error, "lost 3");
    assert_true(diag.last_error_unix_ns > 0);
    char wide[3000];
    memset(wide, 'w', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    djp__diag(&diag, DJP_LOG_ERROR, "%s", wide);
    assert_int_equal(strlen(diag.last_error), sizeof diag.last_error - 1);
    diag.level = DJP_LOG_NONE;
    djp__diag(&diag, DJP_LOG_ERROR, "silent but kept");
    assert_int_equal(count, 2);
    assert_string_equal(diag.last_error, "silent but kept");
    djp__diag_fini(&diag);
    DJP__ATOMIC(int) once = 0;
    DJP__ATOMIC(uint64_t) minute = 0;
    assert_true(djp__once(&once));
    assert_false(djp__once(&once));
    assert_true(djp__every_minute(&minute));
    assert_false(djp__every_minute(&minute));
}

static void
every_code_has_a_text(void **state)
{
    (void)state;
    for (int code = DJP_ERROR_LAST + 1; code <= 0; code++) {
        assert_string_not_equal(djp_error_text(code), "unknown error");
    }
    assert_string_equal(djp_error_text(DJP_ENOMEM), "out of memory");
    assert_string_equal(djp_error_text(12345), "unknown error");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hooks_run_in_order_and_the_generation_changes),
        cmocka_unit_test(a_forked_child_draws_other_numbers),
        cmocka_unit_test(threads_draw_different_ids),
        cmocka_unit_test(wakes_coalesce_and_time_out),
        cmocka_unit_test(conditions_time_out),
        cmocka_unit_test(messages_are_filtered_and_remembered),
        cmocka_unit_test(every_code_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
