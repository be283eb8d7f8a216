/* SIGHUP and its like, signals that somebody gave back, what is said of a loss, and the first
 * process of a container. */
#include "pipeline/killed.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
child_with_spans(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "waiting", 500);
}

/* The other ways in which a process is asked to leave. */
static void
test_its_like_deliver_too(void **state)
{
    (void)state;
    const int numbers[] = {SIGINT, SIGHUP, SIGUSR2};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        killed_signal = numbers[i];
        struct killed_outcome outcome = killed_child(child_with_spans, 1);
        killed_signal = SIGTERM;
        assert_int_equal(outcome.killed_by, numbers[i]);
        assert_int_equal(killed_shared->accepted, 500);
    }
}

static void
note_words(void *user, int level, const char *message)
{
    (void)user;
    (void)level;
    killed_shared->handled += strstr(message, "25 spans were still waiting") != NULL;
}

static unsigned
never(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_HANG;
}

static void
child_whose_receiver_is_away(void)
{
    djp_options options = helper_options();
    options.handle_sigterm = 1;
    options.flush_interval_ns = 100 * SECOND;
    options.shutdown_timeout_ns = 200 * MS;
    options.log_level = DJP_LOG_WARN;
    script_transport *transport = script_new(never, NULL);
    transport->base.ops = &killed_transport_ops;
    djp_sdk *sdk = NULL;
    if (djp__sdk_new_with_transport(&sdk, &options, NULL, note_words, NULL, &transport->base) !=
        0) {
        _exit(99);
    }
    helper_spans(sdk, "waiting", 25);
}

static void
test_what_is_lost_is_said(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_whose_receiver_is_away, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_int_equal(killed_shared->handled, 1);
}

/* A handler came and went, and what took its place is the system's default. */
static void
child_that_gave_the_signal_back(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "waiting", 500);
    signal(SIGTERM, SIG_IGN);
    djp_sdk_take_signals(sdk);
    killed_shared->handled = signal(SIGTERM, SIG_DFL) == SIG_IGN; /* an ignored one stays so */
    djp_sdk_take_signals(sdk);
}

static void
test_a_signal_that_came_back_is_taken_again(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_that_gave_the_signal_back, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_int_equal(killed_shared->accepted, 500);
    assert_int_equal(killed_shared->handled, 1);
}

/* The first process of a container: the kernel ignores the default action there. */
static void
run_as_first_process(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "before", 100);
    for (int i = 0; i < 2; i++) {
        kill(getpid(), SIGTERM);
        for (int ms = 0; ms < 60000 && killed_shared->accepted < 100u * (unsigned)(i + 1); ms++) {
            helper_sleep(MS);
        }
        helper_spans(sdk, "after", 100);
    }
    _exit(djp_sdk_flush(sdk, PATIENCE) == 0 && killed_shared->accepted == 300 ? 0 : 1);
}

static void
test_the_first_process_goes_on(void **state)
{
    (void)state;
    memset(killed_shared, 0, sizeof *killed_shared);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(4 * (PATIENCE / SECOND));
        if (unshare(CLONE_NEWPID) != 0) {
            _exit(77);
        }
        pid_t first = fork();
        if (first == 0) {
            run_as_first_process();
        }
        int status = 0;
        waitpid(first, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip(); /* needs the right to make a container */
    }
    assert_int_equal(status, 0);
}

int
main(void)
{
#if defined(__SANITIZE_THREAD__)
    printf("left out: ThreadSanitizer delivers signals late\n");
    return 0;
#endif
    killed_shared = mmap(NULL, sizeof *killed_shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (killed_shared == MAP_FAILED) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_its_like_deliver_too),
        cmocka_unit_test(test_what_is_lost_is_said),
        cmocka_unit_test(test_a_signal_that_came_back_is_taken_again),
        cmocka_unit_test(test_the_first_process_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
