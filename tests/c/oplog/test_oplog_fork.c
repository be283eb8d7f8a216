/* An operation log over fork(2) and at SIGTERM: a child hears nothing of its parent's, and what was
 * published leaves before the end. */
#include "oplog_reader.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer's allocator takes no care of fork. */
#if defined(__SANITIZE_THREAD__)
#define FORKS_TESTED 0
#else
#define FORKS_TESTED 1
#endif

static int
wait_child(pid_t pid)
{
    for (uint64_t deadline = djp__clock_monotonic() + 3 * PATIENCE;
         djp__clock_monotonic() < deadline; helper_sleep(MS)) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return 2000;
}

/* In the child: the parent's log has no reader, but may be attached anew, and nothing of the
 * parent's counts. */
static int
child_of_fork(void)
{
    alarm(200);
    if (djp__load_relaxed(&log_.control[DJP_OPLOG_ACTIVE]) != 0) {
        return 1;
    }
    writer_end(&log_, 0, 0);
    writer_publish(&log_);
    djp_oplog_wake(log_.log);
    djp_oplog_drain(log_.log, 0);
    djp_oplog_detach(log_.log);
    if (djp_sdk_flush(sdk, PATIENCE) != 0 || djp_oplog_attach(log_.log, sdk) != 0) {
        return 2;
    }
    begin(0, 1, 0, "of the child");
    begin(1, 77, 5, "below nobody");
    writer_end(&log_, 0, 0);
    writer_end(&log_, 1, 0);
    writer_publish(&log_);
    if (djp_sdk_flush(sdk, PATIENCE) != 0 || script_spans(transport, NULL) != 2 ||
        !reader_line(transport, "of the child")) {
        return 3;
    }
    djp_sdk_free(sdk);
    djp_oplog_drain(log_.log, 0);
    return 0;
}

static void
test_fork(void **state)
{
    (void)state;
    open_with(&options, 1024);
    begin(0, 1, 0, "of the parent");
    writer_publish(&log_);
    helper_sleep(50 * MS);
    fflush(NULL);
    pid_t pid = FORKS_TESTED ? fork() : -1;
    if (pid == 0) {
        _exit(child_of_fork());
    }
    if (pid > 0) {
        assert_int_equal(wait_child(pid), 0);
    }
    writer_end(&log_, 0, 0);
    flush();
    assert_int_equal(script_spans(transport, NULL), 1);
}

struct shared {
    _Atomic unsigned accepted, ready;
};
static struct shared *shared;

static void
counting_send(djp__transport *base, const void *body, size_t size, const djp__send_control *control,
              djp__send_result *result)
{
    (void)control;
    memset(result, 0, sizeof *result);
    script_store((script_transport *)base, body, size);
    shared->accepted = (unsigned)script_spans((script_transport *)base, NULL);
}

static const djp__transport_ops counting_ops = {
    "script", counting_send, NULL, script_abandon, script_free, NULL, 0, 0, NULL};

static void
child_of_sigterm(void)
{
    alarm(200);
    options.handle_sigterm = 1;
    options.shutdown_timeout_ns = PATIENCE;
    options.flush_interval_ns = 100 * SECOND;
    transport = script_new(NULL, NULL);
    transport->base.ops = &counting_ops;
    djp__sdk_new_with_transport(&sdk, &options, NULL, NULL, NULL, &transport->base);
    writer_open(&log_, 1 << 14);
    djp_oplog_attach(log_.log, sdk);
    for (uint32_t i = 1; i <= 100; i++) {
        begin(0, i, 0, "root");
        writer_end(&log_, 0, 0);
        writer_publish(&log_);
    }
    shared->ready = 1;
    for (;;) {
        pause();
    }
}

static void
test_sigterm(void **state)
{
    (void)state;
    if (!FORKS_TESTED) {
        return;
    }
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        child_of_sigterm();
    }
    for (uint64_t deadline = djp__clock_monotonic() + PATIENCE;
         !shared->ready && djp__clock_monotonic() < deadline;) {
        helper_sleep(MS);
    }
    helper_sleep(20 * MS);
    kill(pid, SIGTERM);
    assert_int_equal(wait_child(pid), 1000 + SIGTERM);
    assert_int_equal(shared->accepted, 100);
    munmap(shared, sizeof *shared);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fork, set_up, tear_down),
        cmocka_unit_test_setup(test_sigterm, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
