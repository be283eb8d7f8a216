/* Signals that end a process, if no other code handles them. The handler wakes the worker, which
 * exports ended spans and then raises the signal with its default action. Without a worker, and at
 * a second signal, the process ends at once. Existing handlers are never replaced. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "sdk/sdk.h"

enum { SIGTERM__GRACE_NS = 500000000 };

/* Signals that request termination. Others, such as SIGQUIT, end the process at once. */
static const int sigterm__handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
enum { SIGTERM__COUNT = sizeof sigterm__handled / sizeof sigterm__handled[0] };

/* The instance that owns the handlers. Set by install, cleared by remove and disown; read by the
 * handler. acquire/release. */
static DJP__ATOMIC(djp_sdk *) sigterm__owner;

/* Async-signal-safe. The signal is blocked while its handler runs, so it takes effect on return. */
static void
sigterm_die(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    kill(getpid(), number);
}

/* If the worker is blocked, a second signal arrives shortly after the deadline; 0 cancels it. */
static void
sigterm_set_timer(const djp_sdk *sdk, uint64_t after)
{
    struct itimerspec when;
    if (!djp__load_acquire(&sdk->sigterm.timer_ready)) {
        return;
    }
    memset(&when, 0, sizeof when);
    when.it_value.tv_sec = (time_t)(after / 1000000000u);
    when.it_value.tv_nsec = (long)(after % 1000000000u);
    timer_settime(sdk->sigterm.timer, 0, &when, NULL);
}

static void
sigterm_handle(int number)
{
    int saved = errno, first = 0;
    djp_sdk *sdk = djp__load_acquire(&sigterm__owner);
    /* Between fork and its hooks, a child still has its parent's worker. */
    int works = sdk && djp__worker_is_running(&sdk->worker) && sdk->worker.pid == getpid();
    if (!works || (first = djp__swap_acq_rel(&sdk->sigterm.signal, number)) != 0) {
        sigterm_die(first ? first : number);
    } else {
        sigterm_set_timer(sdk, djp__saturate(sdk->options.shutdown_timeout_ns, SIGTERM__GRACE_NS));
        djp__wake_notify(&sdk->worker.wake);
    }
    errno = saved;
}

static int
sigterm_has(int number, void (*handler)(int))
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == handler;
}

static void
sigterm_take(djp_sdk *sdk)
{
    djp_sdk *nobody = NULL;
    if (!sdk->options.handle_sigterm || sdk->pipelines == NULL ||
        (djp__load_acquire(&sigterm__owner) != sdk &&
         !djp__cas_strong_acq_rel(&sigterm__owner, &nobody, sdk))) {
        return;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = sigterm_handle;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    int installed = 0;
    for (size_t i = SIGTERM__COUNT; i-- > 0;) {
        int number = sigterm__handled[i];
        int ours = sigterm_has(number, sigterm_handle);
        if (ours || (sigterm_has(number, SIG_DFL) && sigaction(number, &action, NULL) == 0)) {
            installed = number;
        }
    }
    djp__store_release(&sdk->sigterm.installed, installed);
}

void
djp_sdk_take_signals(djp_sdk *sdk)
{
    /* A late call must not install handlers, nor an owner that is about to be freed. */
    djp__mutex_lock(&sdk->worker.mutex);
    if (sdk->worker.phase == DJP__PHASE_OPEN) {
        sigterm_take(sdk);
    }
    djp__mutex_unlock(&sdk->worker.mutex);
}

void
djp__sigterm_adopt(djp_sdk *sdk)
{
    int number = djp__load_acquire(&sdk->sigterm.installed);
    if (number == 0 || djp__load_acquire(&sdk->sigterm.timer_ready)) {
        return;
    }
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = number;
    if (timer_create(CLOCK_MONOTONIC, &event, &sdk->sigterm.timer) == 0) {
        djp__store_release(&sdk->sigterm.timer_ready, 1);
    }
}

void
djp__sigterm_disown(djp_sdk *sdk)
{
    if (djp__load_acquire(&sigterm__owner) == sdk) {
        djp__store_release(&sigterm__owner, (djp_sdk *)NULL);
    }
}

void
djp__sigterm_remove(djp_sdk *sdk)
{
    if (djp__load_acquire(&sigterm__owner) != sdk) {
        return;
    }
    for (size_t i = 0; i < SIGTERM__COUNT; i++) {
        if (sigterm_has(sigterm__handled[i], sigterm_handle)) {
            signal(sigterm__handled[i], SIG_DFL);
        }
    }
    djp__store_release(&sdk->sigterm.installed, 0);
    djp__sigterm_disown(sdk);
    if (djp__swap_acq_rel(&sdk->sigterm.timer_ready, 0)) {
        timer_delete(sdk->sigterm.timer);
    }
    int number = djp__load_acquire(&sdk->sigterm.signal);
    if (number != 0) {
        sigterm_die(number); /* it arrived while the worker ended */
    }
}

void
djp__sigterm_end(djp_sdk *sdk)
{
    int number = djp__load_acquire(&sdk->sigterm.signal);
    sigset_t one, before;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigterm_die(number);
    /* This thread takes the signal if all others block it. */
    pthread_sigmask(SIG_UNBLOCK, &one, &before);
    /* The process still runs: the kernel ignores the signal for the first process of a container,
     * or a handler was installed just now. Continue. */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigterm_set_timer(sdk, 0);
    djp__store_release(&sdk->sigterm.signal, 0);
    djp_sdk_take_signals(sdk);
}
