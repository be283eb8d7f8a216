/* What the tests of ending signals share: children that a signal ends, and a transport whose counts
 * outlive them. */
#include "pipeline/killed.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct killed_shared *killed_shared;
uint64_t killed_export_timeout_ns;
int killed_signal = SIGTERM;

static void
killed_send(djp__transport *base, const void *body, size_t size, const djp__send_control *control,
            djp__send_result *result)
{
    script_transport *script = (script_transport *)base;
    memset(result, 0, sizeof *result);
    killed_shared->sending++;
    if (djp__clock_monotonic() >= control->deadline) {
        result->outcome = DJP__SEND_ABORTED;
        return;
    }
    unsigned action = script->next ? script->next(script->user, script->attempts++) : SCRIPT_ACCEPT;
    if (action == SCRIPT_HANG && !script_wait(control, UINT64_MAX)) {
        result->outcome = DJP__SEND_ABORTED;
        return;
    }
    if (action == SCRIPT_STUCK) {
        helper_sleep(script->slow_ns);
    }
    char *stored = malloc(size + 4);
    uint32_t head = (uint32_t)size;
    memcpy(stored, &head, 4);
    memcpy(stored + 4, body, size);
    killed_shared->accepted += (unsigned)helper_count(stored, size + 4, NULL);
    free(stored);
}

const djp__transport_ops killed_transport_ops = {
    .name = "script", .send = killed_send, .abandon = script_abandon, .free = script_free};

djp_sdk *
killed_sdk(script_transport *transport, uint64_t shutdown_timeout_ns)
{
    djp_options options = helper_options();
    options.handle_sigterm = 1;
    options.flush_interval_ns = 100 * SECOND;
    options.shutdown_timeout_ns = shutdown_timeout_ns;
    options.export_timeout_ns =
        killed_export_timeout_ns ? killed_export_timeout_ns : options.export_timeout_ns;
    transport->base.ops = &killed_transport_ops;
    djp_sdk *sdk = NULL;
    if (djp__sdk_new_with_transport(&sdk, &options, NULL, NULL, NULL, &transport->base) != 0) {
        _exit(99);
    }
    return sdk;
}

struct killed_outcome
killed_child(void (*body)(void), int signals)
{
    memset(killed_shared, 0, sizeof *killed_shared);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(4 * (PATIENCE / SECOND));
        body();
        killed_shared->ready = 1;
        for (;;) {
            pause();
        }
    }
    struct killed_outcome outcome = {0, 0, 0};
    int status = 0;
    while (!killed_shared->ready && waitpid(pid, &status, WNOHANG) == 0) {
        helper_sleep(MS);
    }
    assert_int_equal(killed_shared->ready, 1);
    uint64_t start = 0;
    for (int i = 0; i < signals; i++) {
        while (i > 0 && killed_shared->sending == 0) {
            helper_sleep(MS);
        }
        start = djp__clock_monotonic();
        kill(pid, killed_signal);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    outcome.took = djp__clock_monotonic() - start;
    outcome.killed_by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return outcome;
}
