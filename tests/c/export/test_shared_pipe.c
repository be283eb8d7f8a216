/* Whole lines on a shared pipe: pieces end with lines, and a pipe that is not empty is waited
 * for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "export/shared_pipe.h"

enum { PIPE_SIZE = 4096, PIPE_MOST = PIPE_SIZE - PIPE_SIZE / 4 };

static int pipe_ends[2];

static int
pipe_open(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    return fcntl(pipe_ends[1], F_SETPIPE_SZ, PIPE_SIZE) == PIPE_SIZE ? 0 : -1;
}

static int
pipe_close(void **state)
{
    (void)state;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

static int
pipe_wait(const djp__send_control *control)
{
    djp__pipe_writers writers = {0};
    return djp__shared_pipe_wait(pipe_ends[1], &writers, control, 0);
}

static void
pieces_end_with_lines(void **state)
{
    static char data[3 * PIPE_SIZE];
    (void)state;
    memset(data, 'a', sizeof data);
    for (size_t i = 99; i < sizeof data; i += 100) {
        data[i] = '\n';
    }
    assert_int_equal(djp__shared_pipe_piece(pipe_ends[1], data, PIPE_MOST), PIPE_MOST);
    assert_int_equal(djp__shared_pipe_piece(pipe_ends[1], data, 50), 50);
    assert_int_equal(djp__shared_pipe_piece(pipe_ends[1], data, sizeof data),
                     PIPE_MOST / 100 * 100);
}

static void
a_long_line_is_one_piece_and_makes_room(void **state)
{
    static char data[3 * PIPE_SIZE];
    (void)state;
    memset(data, 'a', sizeof data);
    data[2 * PIPE_SIZE - 1] = '\n';
    assert_int_equal(djp__shared_pipe_piece(pipe_ends[1], data, sizeof data), 2 * PIPE_SIZE);
    assert_true(fcntl(pipe_ends[1], F_GETPIPE_SZ) >= 2 * PIPE_SIZE);
    memset(data, 'a', sizeof data); /* no line end at all */
    assert_int_equal(djp__shared_pipe_piece(pipe_ends[1], data, sizeof data), sizeof data);
}

static int
pipe_give_up(void *user)
{
    return ++*(int *)user > 3;
}

static void
an_empty_pipe_is_ready_and_a_full_one_is_waited_for(void **state)
{
    int polls = 0;
    djp__send_control control = {djp__clock_monotonic() + UINT64_C(5000000000), NULL, NULL};
    (void)state;
    assert_int_equal(pipe_wait(&control), 0);
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    control.deadline = djp__clock_monotonic();
    assert_int_equal(pipe_wait(&control), -1);
    assert_int_equal(errno, ETIMEDOUT);
    control = (djp__send_control){UINT64_MAX, pipe_give_up, &polls};
    assert_int_equal(pipe_wait(&control), -1);
    assert_int_equal(errno, ECANCELED);
    assert_int_equal(polls, 4);
}

static void
a_pipe_without_a_reader_is_not_waited_for(void **state)
{
    djp__send_control control = {UINT64_MAX, NULL, NULL};
    (void)state;
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
    close(pipe_ends[0]);
    pipe_ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pipe_wait(&control), 0);
}

static DJP__ATOMIC(int) waited;

/* Returns the error of the wait, or 0. */
static void *
wait_beside_main(void *argument)
{
    int polls = 0;
    djp__send_control control = {UINT64_MAX, pipe_give_up, &polls};
    (void)argument;
    int error = pipe_wait(&control) == 0 ? 0 : errno;
    djp__store_release(&waited, 1);
    return (void *)(uintptr_t)error;
}

/* Standard output does not block, so that an event loop that runs may hold the rest of a line. */
static void
an_empty_pipe_is_waited_for_while_a_thread_may_be_inside_a_line(void **state)
{
    pthread_t thread;
    void *error;
    int before = fcntl(STDOUT_FILENO, F_GETFL);
    (void)state;
    assert_true(before >= 0);
    djp__store_release(&waited, 0);
    assert_int_equal(fcntl(STDOUT_FILENO, F_SETFL, before | O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_beside_main, NULL), 0);
    while (!djp__load_acquire(&waited)) {
    }
    assert_int_equal(fcntl(STDOUT_FILENO, F_SETFL, before), 0);
    assert_int_equal(pthread_join(thread, &error), 0);
    assert_int_equal((uintptr_t)error, ECANCELED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces_end_with_lines, pipe_open, pipe_close),
        cmocka_unit_test_setup_teardown(a_long_line_is_one_piece_and_makes_room, pipe_open,
                                        pipe_close),
        cmocka_unit_test_setup_teardown(an_empty_pipe_is_ready_and_a_full_one_is_waited_for,
                                        pipe_open, pipe_close),
        cmocka_unit_test_setup_teardown(
            an_empty_pipe_is_waited_for_while_a_thread_may_be_inside_a_line, pipe_open, pipe_close),
        cmocka_unit_test_setup_teardown(a_pipe_without_a_reader_is_not_waited_for, pipe_open,
                                        pipe_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
