/* SIGTERM where nobody else handles it: the handler wakes the worker, which sends what has ended and then lets the signal do what
 * it would have done. Without a worker, and at the second signal, the process ends at once. Never replaces a handler. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/pipeline.h"

enum { SIGTERM__GRACE_NS = 500000000 };

/* The instance that answers SIGTERM. Set by install, cleared by remove; read by the handler. acquire/release. */
static DJP_ATOMIC(djp_sdk *) sigterm__owner;

/* Async-signal-safe. The signal is blocked while its handler runs, so it takes effect on return. */
static void
sigterm_die(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    kill(getpid(), SIGTERM);
}

/* Should the worker be stuck where it cannot look, a second SIGTERM comes by itself a little after the deadline. */
static void
sigterm_arm_timer(const djp_sdk *sdk)
{
    if (!djp_load_acquire(&sdk->sigterm_timer_ready)) {
        return;
    }
    uint64_t after = djp__saturate(sdk->options.shutdown_timeout_ns, SIGTERM__GRACE_NS);
    struct itimerspec when;
    memset(&when, 0, sizeof when);
    when.it_value.tv_sec = (time_t)(after / 1000000000u);
    when.it_value.tv_nsec = (long)(after % 1000000000u);
    timer_settime(sdk->sigterm_timer, 0, &when, NULL);
}

static void
sigterm_handle(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    djp_sdk *sdk = djp_load_acquire(&sigterm__owner);
    /* Between fork and its hooks a child still sees its parent's worker. */
    if (!sdk || djp_swap_acq_rel(&sdk->terminating, 1) != 0 || !djp_load_acquire(&sdk->running) ||
        sdk->worker_pid != getpid()) {
        sigterm_die();
    } else {
        sigterm_arm_timer(sdk);
        djp__wake_notify(&sdk->wake);
    }
    errno = saved;
}

void
djp__sigterm_install(djp_sdk *sdk)
{
    struct sigaction now, action;
    djp_sdk *nobody = NULL;
    if (!sdk->options.handle_sigterm || !sdk->transport || sigaction(SIGTERM, NULL, &now) != 0 ||
        (now.sa_flags & SA_SIGINFO) || now.sa_handler != SIG_DFL ||
        !djp_cas_strong_acq_rel(&sigterm__owner, &nobody, sdk)) {
        return;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = sigterm_handle;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGTERM, &action, NULL) != 0) {
        djp_store_release(&sigterm__owner, (djp_sdk *)NULL);
        return;
    }
    djp_store_release(&sdk->sigterm_installed, 1);
}

void
djp__sigterm_adopt(djp_sdk *sdk)
{
    if (!djp_load_acquire(&sdk->sigterm_installed) || djp_load_acquire(&sdk->sigterm_timer_ready)) {
        return;
    }
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGTERM;
    if (timer_create(CLOCK_MONOTONIC, &event, &sdk->sigterm_timer) == 0) {
        djp_store_release(&sdk->sigterm_timer_ready, 1);
    }
}

void
djp__sigterm_remove(djp_sdk *sdk)
{
    if (djp_swap_acq_rel(&sdk->sigterm_installed, 0) == 0) {
        return;
    }
    struct sigaction now;
    if (sigaction(SIGTERM, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == sigterm_handle) {
        now.sa_handler = SIG_DFL;
        now.sa_flags = 0;
        sigaction(SIGTERM, &now, NULL);
    }
    djp_store_release(&sigterm__owner, (djp_sdk *)NULL);
    if (djp_swap_acq_rel(&sdk->sigterm_timer_ready, 0)) {
        timer_delete(sdk->sigterm_timer);
    }
    if (djp_load_acquire(&sdk->terminating)) {
        sigterm_die(); /* it came while the worker was leaving */
    }
}

void
djp__sigterm_terminate(djp_sdk *sdk)
{
    (void)sdk;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigterm_die();
    /* If every other thread blocks it meanwhile, this one takes it. */
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    for (;;) {
        pause();
    }
}
