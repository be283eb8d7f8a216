/* Messages of results: their length, their characters; and SIGPIPE, which a write of ours must not
 * leave behind and one of the program's must not lose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "net/outcome.h"

static void
messages_fit(void **state)
{
    (void)state;
    for (size_t size = 250; size <= 600; size++) {
        char text[700];
        djp__send_result result;
        memset(&result, 0x55, sizeof result);
        memset(text, 'm', sizeof text);
        text[size] = '\0';
        djp__send_result_set(&result, DJP__SEND_RETRY, "%s", text);
        assert_int_equal(result.outcome, DJP__SEND_RETRY);
        assert_int_equal(strlen(result.message), size < 255 ? size : 255);
        /* what lies behind is not touched */
        assert_true(result.wire_bytes == 0x5555555555555555ull);
        text[size] = 'm';
        memcpy(text + 253, "\xe2\x82\xac", 3); /* a character over the end is left out */
        text[size > 256 ? size : 256] = '\0';
        djp__send_result_set(&result, DJP__SENT, "%s", text);
        assert_int_equal(strlen(result.message), 253);
    }
}

static void
characters_are_safe(void **state)
{
    (void)state;
    for (int c = 1; c < 128; c++) {
        djp__send_result result = {0};
        djp__send_result_set(&result, DJP__SEND_REJECTED, "a%cb", c);
        assert_int_equal(result.message[1], c < 0x20 || c == 0x7f ? ' ' : c);
        assert_int_equal(strlen(result.message), 3);
    }
    djp__send_result result = {0};
    djp__send_result_set(&result, DJP__SEND_REJECTED, "%s", "\xc3\xa9\xff");
    assert_string_equal(result.message, "\xc3\xa9\xef\xbf\xbd");
}

static int
pending(void)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, SIGPIPE);
}

static int
blocked(void)
{
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    return sigismember(&set, SIGPIPE);
}

/* A write to a pipe that no one reads. */
static void
break_pipe(void)
{
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    close(pipes[0]);
    assert_int_equal(write(pipes[1], "x", 1), -1);
    close(pipes[1]);
}

static volatile sig_atomic_t caught;

static void
catch_it(int number)
{
    (void)number;
    caught++;
}

static void
the_signal_of_our_write_is_taken(void **state)
{
    (void)state;
    djp__sigpipe guard;
    signal(SIGPIPE, catch_it);
    djp__sigpipe_block(&guard);
    assert_true(blocked());
    break_pipe();
    assert_true(pending());
    djp__sigpipe_restore(&guard);
    assert_false(blocked() || pending());
    assert_int_equal(caught, 0);
    djp__sigpipe_block(&guard); /* without a write nothing is waited for */
    djp__sigpipe_restore(&guard);
    assert_false(blocked());
    signal(SIGPIPE, SIG_DFL);
}

static void
the_signal_of_the_program_is_left(void **state)
{
    (void)state;
    djp__sigpipe guard;
    sigset_t pipe_only;
    signal(SIGPIPE, catch_it);
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, NULL);
    break_pipe(); /* the program's own */
    djp__sigpipe_block(&guard);
    break_pipe();
    djp__sigpipe_restore(&guard);
    assert_true(blocked() && pending());
    assert_int_equal(caught, 0);
    pthread_sigmask(SIG_UNBLOCK, &pipe_only, NULL);
    assert_int_equal(caught, 1);
    assert_false(pending());
    signal(SIGPIPE, SIG_DFL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_fit),
        cmocka_unit_test(characters_are_safe),
        cmocka_unit_test(the_signal_of_our_write_is_taken),
        cmocka_unit_test(the_signal_of_the_program_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
