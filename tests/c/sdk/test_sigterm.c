/* SIGTERM in child processes: what had ended is delivered, the exit status stays "killed by
 * SIGTERM", other handlers are left alone. */
#include "pipeline/killed.h"

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
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), 2 * PATIENCE);
    helper_spans(sdk, "waiting", 500);
}

static void
test_spans_are_delivered(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_with_spans, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_int_equal(killed_shared->accepted, 500);
    assert_true(outcome.took < PATIENCE);
}

static char budget_path[64];

static void
child_that_spends(void)
{
    djp_options options = helper_options();
    options.handle_sigterm = 1;
    options.flush_interval_ns = 600 * SECOND;
    options.shutdown_timeout_ns = PATIENCE;
    options.price_per_million_spans = 1e6;
    options.budget_file = budget_path;
    djp_sdk *sdk = helper_sdk(&options, script_new(NULL, NULL));
    helper_spans(sdk, "costs", 20);
}

static void
test_what_was_spent_is_written(void **state)
{
    (void)state;
    char folder[] = "/tmp/djp-budget-XXXXXX", lock[80];
    assert_non_null(mkdtemp(folder));
    snprintf(budget_path, sizeof budget_path, "%s/file", folder);
    snprintf(lock, sizeof lock, "%s.lock", budget_path);
    struct killed_outcome outcome = killed_child(child_that_spends, 1);
    double spent = helper_budget_spent(budget_path);
    unlink(budget_path);
    unlink(lock);
    rmdir(folder);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_true(spent > 19.9 && spent < 20.1);
}

static void
child_that_is_stuck(void)
{
    child_with_spans();
    killed_shared->ready = 1;
    for (volatile unsigned long i = 0;; i++) {
    }
}

/* The host's thread never comes to a point where a language could run its own handler. */
static void
test_a_busy_main_thread(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_that_is_stuck, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_int_equal(killed_shared->accepted, 500);
}

static void
child_without_spans(void)
{
    killed_sdk(script_new(NULL, NULL), 2 * PATIENCE);
}

static void
test_without_spans_it_ends_at_once(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_without_spans, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_true(outcome.took < PATIENCE);
}

static unsigned
always_hang(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_HANG;
}

static void
child_with_dead_receiver(void)
{
    djp_sdk *sdk = killed_sdk(script_new(always_hang, NULL), 300 * MS);
    helper_spans(sdk, "waiting", 5);
}

static void
child_in_a_hanging_send(void)
{
    djp_sdk *sdk = killed_sdk(script_new(always_hang, NULL), 300 * MS);
    helper_spans(sdk, "waiting", 5);
    djp_sdk_flush(sdk, 20 * MS);
}

static void
test_the_deadline_holds(void **state)
{
    (void)state;
    void (*const children[])(void) = {child_with_dead_receiver, child_in_a_hanging_send};
    for (int i = 0; i < 2; i++) {
        killed_export_timeout_ns = 600 * SECOND;
        struct killed_outcome outcome = killed_child(children[i], 1);
        killed_export_timeout_ns = 0;
        assert_int_equal(outcome.killed_by, SIGTERM);
        assert_true(outcome.took > 250 * MS);
        assert_true(outcome.took < PATIENCE);
        assert_int_equal(killed_shared->accepted, 0);
    }
}

static void
child_with_patience(void)
{
    killed_export_timeout_ns = 600 * SECOND;
    djp_sdk *sdk = killed_sdk(script_new(always_hang, NULL), 2 * PATIENCE);
    helper_spans(sdk, "waiting", 5);
}

static void
test_the_second_signal_ends_at_once(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_with_patience, 2);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_true(outcome.took < PATIENCE);
}

static unsigned
hang_at_first(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 0 ? SCRIPT_HANG : SCRIPT_ACCEPT;
}

static void
child_with_a_hopeless_request(void)
{
    killed_export_timeout_ns = 300 * MS;
    djp_sdk *sdk = killed_sdk(script_new(hang_at_first, NULL), 2 * PATIENCE);
    helper_spans(sdk, "waiting", 512 + 88);
}

/* A request whose own time is up lets those behind it go first, and has another try as long as
 * there is time. */
static void
test_a_hopeless_request_holds_up_nothing(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_with_a_hopeless_request, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_int_equal(killed_shared->accepted, 600);
    assert_true(outcome.took < PATIENCE);
}

static unsigned
always_stuck(void *user, unsigned attempt)
{
    (void)user;
    (void)attempt;
    return SCRIPT_STUCK;
}

static void
child_with_stuck_worker(void)
{
    script_transport *transport = script_new(always_stuck, NULL);
    transport->slow_ns = 600 * SECOND;
    djp_sdk *sdk = killed_sdk(transport, 200 * MS);
    helper_spans(sdk, "waiting", 5);
    djp_sdk_flush(sdk, 10 * MS);
}

/* A worker that cannot look is not waited for. */
static void
test_a_stuck_worker_does_not_keep_the_process(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_with_stuck_worker, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_true(outcome.took < PATIENCE);
}

static void
own_handler(int signal_number)
{
    (void)signal_number;
    killed_shared->handled++;
    _exit(42);
}

static void
child_with_own_handler(void)
{
    signal(SIGTERM, own_handler);
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), SECOND);
    helper_spans(sdk, "waiting", 5);
}

static void
child_with_late_handler(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), SECOND);
    helper_spans(sdk, "waiting", 5);
    signal(SIGTERM, own_handler);
    djp_sdk_shutdown(sdk, PATIENCE);
}

static void
test_other_handlers_are_left_alone(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_with_own_handler, 1);
    assert_int_equal(outcome.exit_code, 42);
    assert_int_equal(killed_shared->handled, 1);
    outcome = killed_child(child_with_late_handler, 1);
    assert_int_equal(outcome.exit_code, 42);
    assert_int_equal(killed_shared->handled, 1);
}

static void
child_after_shutdown(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    struct sigaction action;
    helper_spans(sdk, "waiting", 5);
    sigaction(SIGTERM, NULL, &action);
    if (action.sa_handler == SIG_DFL) {
        _exit(1);
    }
    djp_sdk_shutdown(sdk, PATIENCE);
    sigaction(SIGTERM, NULL, &action);
    if (action.sa_handler != SIG_DFL) {
        _exit(2);
    }
    djp_sdk_free(sdk);
    /* A second instance finds the default again. */
    sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "waiting", 7);
}

static void
test_restored_at_shutdown(void **state)
{
    (void)state;
    struct killed_outcome outcome = killed_child(child_after_shutdown, 1);
    assert_int_equal(outcome.killed_by, SIGTERM);
    assert_int_equal(killed_shared->accepted, 12);
}

/* A binding may notice that a signal came back while another thread ends the SDK. */
static void
test_not_taken_after_shutdown(void **state)
{
    (void)state;
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = killed_sdk(transport, SECOND);
    struct sigaction now;
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    djp_sdk_take_signals(sdk);
    djp_sdk_free(sdk);
    script_fini(transport);
    assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
}

static void
forked_child_without_spans(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "parent's", 5);
    pid_t pid = fork();
    if (pid != 0) {
        int status;
        waitpid(pid, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && killed_shared->accepted == 0
                  ? 7
                  : 8);
    }
    kill(getpid(), SIGTERM);
    _exit(9);
}

static void
forked_child_with_spans(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "parent's", 5);
    pid_t pid = fork();
    if (pid != 0) {
        int status;
        waitpid(pid, &status, 0);
        _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && killed_shared->accepted == 3
                  ? 7
                  : 8);
    }
    helper_spans(sdk, "child's", 3);
    kill(getpid(), SIGTERM);
    for (;;) {
        pause();
    }
}

static int
run_child(void (*body)(void))
{
    memset(killed_shared, 0, sizeof *killed_shared);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(4 * (PATIENCE / SECOND));
        body();
        _exit(90);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void
test_in_forked_children(void **state)
{
    (void)state;
    assert_int_equal(run_child(forked_child_without_spans), 7);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Not with the sanitizers' own allocator: a lock of it that the parent's worker holds stays
     * held in the child. */
    assert_int_equal(run_child(forked_child_with_spans), 7);
#else
    (void)forked_child_with_spans;
#endif
}

static int signal_in_child;

/* Runs in a forked child before the hooks of the SDK, because main registers it first. */
static void
signal_myself(void)
{
    if (signal_in_child) {
        raise(SIGTERM);
    }
}

static void
forked_child_is_signalled_at_once(void)
{
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), PATIENCE);
    helper_spans(sdk, "parent's", 5);
    signal_in_child = 1;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(9); /* the signal was swallowed */
    }
    int status;
    waitpid(pid, &status, 0);
    _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM ? 7 : 8);
}

/* A group that gets the signal while it forks: the new child must not take its parent's worker for
 * its own. */
static void
test_between_fork_and_its_hooks(void **state)
{
    (void)state;
    assert_int_equal(run_child(forked_child_is_signalled_at_once), 7);
}

static void
child_that_ignores(void)
{
    signal(SIGTERM, SIG_IGN);
    djp_sdk *sdk = killed_sdk(script_new(NULL, NULL), SECOND);
    helper_spans(sdk, "waiting", 5);
    kill(getpid(), SIGTERM);
    helper_sleep(50 * MS);
    _exit(5);
}

static void
test_ignored_stays_ignored(void **state)
{
    (void)state;
    assert_int_equal(run_child(child_that_ignores), 5);
}

int
main(void)
{
#if defined(__SANITIZE_THREAD__)
    printf("left out: ThreadSanitizer delivers signals late\n");
    return 0;
#endif
    pthread_atfork(NULL, NULL, signal_myself);
    killed_shared = mmap(NULL, sizeof *killed_shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (killed_shared == MAP_FAILED) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_are_delivered),
        cmocka_unit_test(test_what_was_spent_is_written),
        cmocka_unit_test(test_a_busy_main_thread),
        cmocka_unit_test(test_without_spans_it_ends_at_once),
        cmocka_unit_test(test_the_deadline_holds),
        cmocka_unit_test(test_the_second_signal_ends_at_once),
        cmocka_unit_test(test_a_hopeless_request_holds_up_nothing),
        cmocka_unit_test(test_a_stuck_worker_does_not_keep_the_process),
        cmocka_unit_test(test_other_handlers_are_left_alone),
        cmocka_unit_test(test_restored_at_shutdown),
        cmocka_unit_test(test_not_taken_after_shutdown),
        cmocka_unit_test(test_in_forked_children),
        cmocka_unit_test(test_between_fork_and_its_hooks),
        cmocka_unit_test(test_ignored_stays_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
