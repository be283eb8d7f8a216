/* Signals that end a process, where nobody else handles them: the handler wakes the worker, which sends what has ended and then lets the
 * signal do what it would have done. Without a worker, and at the second signal, the process ends at once. Never replaces a handler. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "pipeline/pipeline.h"

enum { SIGNALS__GRACE_NS = 500000000 };

/* Those by which a process is asked to leave. Others, such as SIGQUIT, are meant to end it as it is. */
static const int signals__handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR2};
enum { SIGNALS__COUNT = sizeof signals__handled / sizeof signals__handled[0] };

/* The instance that answers. Set by install, cleared by remove and forget; read by the handler. acquire/release. */
static DJP_ATOMIC(djp_sdk *) signals__owner;

/* Async-signal-safe. The signal is blocked while its handler runs, so it takes effect on return. */
static void
signals_die(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    kill(getpid(), number);
}

/* Should the worker be stuck where it cannot look, a second signal comes by itself a little after the deadline; 0 calls it off. */
static void
signals_arm_timer(const djp_sdk *sdk, uint64_t after)
{
    struct itimerspec when;
    if (!djp_load_acquire(&sdk->signal_timer_ready)) {
        return;
    }
    memset(&when, 0, sizeof when);
    when.it_value.tv_sec = (time_t)(after / 1000000000u);
    when.it_value.tv_nsec = (long)(after % 1000000000u);
    timer_settime(sdk->signal_timer, 0, &when, NULL);
}

static void
signals_handle(int number)
{
    int saved = errno, first = 0;
    djp_sdk *sdk = djp_load_acquire(&signals__owner);
    /* Between fork and its hooks a child still sees its parent's worker. */
    int works = sdk && djp_load_acquire(&sdk->running) && sdk->worker_pid == getpid();
    if (!works || (first = djp_swap_acq_rel(&sdk->terminating, number)) != 0) {
        signals_die(first ? first : number);
    } else {
        signals_arm_timer(sdk, djp__saturate(sdk->options.shutdown_timeout_ns, SIGNALS__GRACE_NS));
        djp__wake_notify(&sdk->wake);
    }
    errno = saved;
}

static int
signals_has(int number, void (*handler)(int))
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == handler;
}

static void
signals_take(djp_sdk *sdk)
{
    djp_sdk *nobody = NULL;
    if (!sdk->options.handle_sigterm || !sdk->transport ||
        (djp_load_acquire(&signals__owner) != sdk && !djp_cas_strong_acq_rel(&signals__owner, &nobody, sdk))) {
        return;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = signals_handle;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    int installed = 0;
    for (size_t i = SIGNALS__COUNT; i-- > 0;) {
        int number = signals__handled[i];
        int ours = signals_has(number, signals_handle);
        if (ours || (signals_has(number, SIG_DFL) && sigaction(number, &action, NULL) == 0)) {
            installed = number;
        }
    }
    djp_store_release(&sdk->signal_installed, installed);
}

void
djp_sdk_take_signals(djp_sdk *sdk)
{
    /* Whoever comes too late must not leave handlers behind, and an owner that is about to be freed. */
    djp__mutex_lock(&sdk->state);
    if (sdk->phase == DJP_PHASE_OPEN) {
        signals_take(sdk);
    }
    djp__mutex_unlock(&sdk->state);
}

void
djp__signals_adopt(djp_sdk *sdk)
{
    int number = djp_load_acquire(&sdk->signal_installed);
    if (number == 0 || djp_load_acquire(&sdk->signal_timer_ready)) {
        return;
    }
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = number;
    if (timer_create(CLOCK_MONOTONIC, &event, &sdk->signal_timer) == 0) {
        djp_store_release(&sdk->signal_timer_ready, 1);
    }
}

void
djp__signals_forget(djp_sdk *sdk)
{
    if (djp_load_acquire(&signals__owner) == sdk) {
        djp_store_release(&signals__owner, (djp_sdk *)NULL);
    }
}

void
djp__signals_remove(djp_sdk *sdk)
{
    if (djp_load_acquire(&signals__owner) != sdk) {
        return;
    }
    for (size_t i = 0; i < SIGNALS__COUNT; i++) {
        if (signals_has(signals__handled[i], signals_handle)) {
            signal(signals__handled[i], SIG_DFL);
        }
    }
    djp_store_release(&sdk->signal_installed, 0);
    djp__signals_forget(sdk);
    if (djp_swap_acq_rel(&sdk->signal_timer_ready, 0)) {
        timer_delete(sdk->signal_timer);
    }
    int number = djp_load_acquire(&sdk->terminating);
    if (number != 0) {
        signals_die(number); /* it came while the worker was leaving */
    }
}

void
djp__signals_end(djp_sdk *sdk)
{
    int number = djp_load_acquire(&sdk->terminating);
    sigset_t one, before;
    sigemptyset(&one);
    sigaddset(&one, number);
    signals_die(number);
    /* If every other thread blocks it meanwhile, this one takes it. */
    pthread_sigmask(SIG_UNBLOCK, &one, &before);
    /* Still here: the kernel spares the first process of a container, or somebody installed a handler just now. Life goes on. */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signals_arm_timer(sdk, 0);
    djp_store_release(&sdk->terminating, 0);
    djp_sdk_take_signals(sdk);
}
