/* Threads, locks and the wake-up, on top of POSIX threads and eventfd(2). Nothing here blocks a signal handler or retries
 * without a deadline. */
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "djp/error.h"

#define THREAD__STACK_SIZE (256u * 1024u)

int
djp__mutex_init(djp_mutex *mutex)
{
    return pthread_mutex_init(mutex, NULL) == 0 ? 0 : DJP_ENOMEM;
}

void
djp__mutex_fini(djp_mutex *mutex)
{
    pthread_mutex_destroy(mutex);
}

void
djp__mutex_lock(djp_mutex *mutex)
{
    pthread_mutex_lock(mutex);
}

void
djp__mutex_unlock(djp_mutex *mutex)
{
    pthread_mutex_unlock(mutex);
}

int
djp__cond_init(djp_cond *cond)
{
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes) != 0) {
        return DJP_ENOMEM;
    }
    int failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) != 0;
    failed = failed || pthread_cond_init(&cond->cond, &attributes) != 0;
    pthread_condattr_destroy(&attributes);
    return failed ? DJP_ENOMEM : 0;
}

void
djp__cond_fini(djp_cond *cond)
{
    pthread_cond_destroy(&cond->cond);
}

void
djp__cond_broadcast(djp_cond *cond)
{
    pthread_cond_broadcast(&cond->cond);
}

int
djp__cond_wait(djp_cond *cond, djp_mutex *mutex, uint64_t deadline)
{
    if (deadline == UINT64_MAX) {
        pthread_cond_wait(&cond->cond, mutex);
        return 0;
    }
    struct timespec until;
    until.tv_sec = (time_t)(deadline / 1000000000u);
    until.tv_nsec = (long)(deadline % 1000000000u);
    return pthread_cond_timedwait(&cond->cond, mutex, &until) == ETIMEDOUT ? DJP_ETIMEOUT : 0;
}

int
djp__thread_start(pthread_t *out, void *(*run)(void *), void *argument, const char *name)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return DJP_ETHREAD;
    }
    size_t stack = THREAD__STACK_SIZE;
    if (stack < (size_t)PTHREAD_STACK_MIN) {
        stack = (size_t)PTHREAD_STACK_MIN;
    }
    pthread_attr_setstacksize(&attributes, stack);
    sigset_t all, before;
    sigfillset(&all);
    /* The new thread inherits the mask: the host's signals stay with the host's threads. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out, &attributes, run, argument) != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed) {
        return DJP_ETHREAD;
    }
    char short_name[16];
    size_t size = name ? strnlen(name, sizeof short_name - 1) : 0;
    if (size > 0) {
        memcpy(short_name, name, size);
        short_name[size] = '\0';
        pthread_setname_np(*out, short_name);
    }
    return 0;
}

int
djp__wake_init(djp_wake *wake)
{
    wake->read_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    wake->write_fd = wake->read_fd;
    return wake->read_fd < 0 ? DJP_EIO : 0;
}

void
djp__wake_fini(djp_wake *wake)
{
    if (wake->read_fd >= 0) {
        close(wake->read_fd);
    }
    wake->read_fd = -1;
    wake->write_fd = -1;
}

void
djp__wake_notify(djp_wake *wake)
{
    int saved = errno;
    uint64_t one = 1;
    /* A full counter means that a wake-up is already waiting. */
    ssize_t wrote = write(wake->write_fd, &one, sizeof one);
    (void)wrote;
    errno = saved;
}

void
djp__wake_drain(djp_wake *wake)
{
    uint64_t count;
    ssize_t got = read(wake->read_fd, &count, sizeof count);
    (void)got;
}

int
djp__wake_wait(djp_wake *wake, uint64_t deadline)
{
    for (;;) {
        uint64_t now = djp__clock_monotonic();
        int timeout = -1;
        if (deadline != UINT64_MAX) {
            uint64_t left = deadline > now ? (deadline - now + 999999u) / 1000000u : 0;
            timeout = left > INT_MAX ? INT_MAX : (int)left;
        }
        struct pollfd waited = {wake->read_fd, POLLIN, 0};
        int ready = poll(&waited, 1, timeout);
        if (ready > 0) {
            djp__wake_drain(wake);
            return 1;
        }
        if (timeout == 0 && ready == 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR && errno != EAGAIN) {
            return 0;
        }
    }
}
