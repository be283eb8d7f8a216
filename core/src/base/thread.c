/* Threads, locks and the wake-up, on POSIX threads and futex(2), without descriptors that other
 * code could close. It does not block in a signal handler or retry without a deadline. */
#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "djp/error.h"

#define THREAD__STACK_SIZE ((size_t)256 * 1024)
#define THREAD__STACK_MAX ((size_t)64 * 1024 * 1024)

static struct timespec
thread_timespec(uint64_t deadline)
{
    return (struct timespec){(time_t)(deadline / 1000000000u), (long)(deadline % 1000000000u)};
}

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

int
djp__mutex_trylock(djp_mutex *mutex)
{
    return pthread_mutex_trylock(mutex) == 0;
}

void
djp__mutex_unlock(djp_mutex *mutex)
{
    pthread_mutex_unlock(mutex);
}

int
djp__cond_init(djp__cond *cond)
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
djp__cond_fini(djp__cond *cond)
{
    pthread_cond_destroy(&cond->cond);
}

void
djp__cond_broadcast(djp__cond *cond)
{
    pthread_cond_broadcast(&cond->cond);
}

int
djp__cond_wait(djp__cond *cond, djp_mutex *mutex, uint64_t deadline)
{
    if (deadline == UINT64_MAX) {
        pthread_cond_wait(&cond->cond, mutex);
        return 0;
    }
    struct timespec until = thread_timespec(deadline);
    if (pthread_cond_timedwait(&cond->cond, mutex, &until) != ETIMEDOUT) {
        return 0;
    }
    djp__clock_reached(deadline);
    return DJP_ETIMEOUT;
}

static int
thread_add_storage(struct dl_phdr_info *module, size_t size, void *sum)
{
    (void)size;
    for (size_t i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type == PT_TLS) {
            *(size_t *)sum += module->dlpi_phdr[i].p_memsz + module->dlpi_phdr[i].p_align;
        }
    }
    return 0;
}

/* Bytes of thread-local storage. Written once, before any function of this file is called. */
static size_t thread_storage;

/* The C library takes the thread-local storage of libraries loaded at program start from a thread's
 * stack, whatever its size. It is measured once, while this library is loaded: the loader's list
 * has a lock that a forked child may find locked forever, and that is held during a callback which
 * may wait for this library, for example for the interpreter lock. */
__attribute__((constructor)) static void
thread_measure_storage(void)
{
    dl_iterate_phdr(thread_add_storage, &thread_storage);
}

static size_t
thread_stack_size(void)
{
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (THREAD__STACK_SIZE + (least < THREAD__STACK_SIZE ? least : 0) + thread_storage + page -
            1) /
           page * page;
}

/* Storage not listed by a library, such as space reserved in the loader, can make a stack too
 * small: retries with a larger one. */
static int
thread_create(pthread_t *out, pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    int error = EINVAL;
    for (size_t size = thread_stack_size(); error == EINVAL && size <= THREAD__STACK_MAX;
         size *= 2) {
        error = pthread_attr_setstacksize(attributes, size);
        error = error == 0 ? pthread_create(out, attributes, run, argument) : error;
    }
    return error;
}

int
djp__thread_start(pthread_t *out, void *(*run)(void *), void *argument, const char *name)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return DJP_ETHREAD;
    }
    sigset_t all, before;
    sigfillset(&all);
    /* The new thread inherits the mask: the host's signals are handled on the host's threads. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = thread_create(out, &attributes, run, argument) != 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed) {
        return DJP_ETHREAD;
    }
    char short_name[16];
    size_t size = name != NULL ? strnlen(name, sizeof short_name - 1) : 0;
    if (size > 0) {
        memcpy(short_name, name, size);
        short_name[size] = '\0';
        pthread_setname_np(*out, short_name);
    }
    return 0;
}

void
djp__thread_notify(pid_t thread)
{
    int saved = errno;
    syscall(SYS_tgkill, getpid(), thread, SIGURG);
    errno = saved;
}

pid_t
djp__thread_number(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* The states of a wake-up. Any thread or signal handler stores WAKE_NOTIFIED; the waiting thread
 * stores the others. */
enum { WAKE_NONE, WAKE_NOTIFIED, WAKE_ASLEEP };

static long
thread_wake_futex(djp__wake *wake, int operation, uint32_t value, const struct timespec *until)
{
    return syscall(SYS_futex, (uint32_t *)&wake->state, operation | FUTEX_PRIVATE_FLAG, value,
                   until, NULL, FUTEX_BITSET_MATCH_ANY);
}

void
djp__wake_init(djp__wake *wake)
{
    djp__store_relaxed(&wake->state, (uint32_t)WAKE_NONE);
}

void
djp__wake_notify(djp__wake *wake)
{
    if (djp__swap_acq_rel(&wake->state, (uint32_t)WAKE_NOTIFIED) == WAKE_ASLEEP) {
        int saved = errno;
        thread_wake_futex(wake, FUTEX_WAKE, 1, NULL);
        errno = saved;
    }
}

int
djp__wake_wait(djp__wake *wake, uint64_t deadline)
{
    uint32_t before = WAKE_NONE;
    struct timespec until = thread_timespec(deadline);
    /* notified: no wait */
    int expired = !djp__cas_strong_acq_rel(&wake->state, &before, (uint32_t)WAKE_ASLEEP);
    while (!expired && djp__load_acquire(&wake->state) == WAKE_ASLEEP) {
        expired = thread_wake_futex(wake, FUTEX_WAIT_BITSET, WAKE_ASLEEP,
                                    deadline == UINT64_MAX ? NULL : &until) != 0 &&
                  errno == ETIMEDOUT;
    }
    int notified = djp__swap_acq_rel(&wake->state, (uint32_t)WAKE_NONE) == WAKE_NOTIFIED;
    if (!notified) {
        djp__clock_reached(deadline);
    }
    return notified;
}
