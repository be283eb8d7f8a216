/* Threads, locks and a wake-up that a signal handler may use. Deadlines are absolute
 * djp__clock_monotonic times. */
#ifndef DJP_BASE_THREAD_H
#define DJP_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/atomic.h"

/* Thread-local storage without a call per access if the loader allows it (glibc reserves space for
 * late-loaded modules). Keep such variables small. */
#ifdef __GLIBC__
#define DJP__THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define DJP__THREAD_LOCAL _Thread_local
#endif

typedef pthread_mutex_t djp_mutex;
int djp__mutex_init(djp_mutex *mutex);
void djp__mutex_fini(djp_mutex *mutex);
void djp__mutex_lock(djp_mutex *mutex);
void djp__mutex_unlock(djp_mutex *mutex);
int djp__mutex_trylock(djp_mutex *mutex); /* 1: taken */

typedef struct djp__cond {
    pthread_cond_t cond; /* on CLOCK_MONOTONIC */
} djp__cond;
int djp__cond_init(djp__cond *cond);
void djp__cond_fini(djp__cond *cond);
void djp__cond_broadcast(djp__cond *cond);
/* Returns 0 or DJP_ETIMEOUT. deadline UINT64_MAX: no limit. */
int djp__cond_wait(djp__cond *cond, djp_mutex *mutex, uint64_t deadline);

/* Starts a thread with all signals blocked, the name (15 characters), and a stack of 256 KiB in
 * addition to the thread-local storage of all libraries. 0 or DJP_ETHREAD. */
int djp__thread_start(pthread_t *out, void *(*run)(void *), void *argument, const char *name);

/* Makes SIGURG pending for an SDK thread, in which it is blocked: a signalfd(2) of that thread ends
 * its poll(2), and no handler runs. thread is a kernel thread id; one that has ended is ignored.
 * Async-signal-safe, keeps errno. */
void djp__thread_notify(pid_t thread);
/* The kernel id of the calling thread. */
pid_t djp__thread_number(void);

/* A wake-up: any thread or signal handler notifies, one thread waits. Notifications coalesce. It
 * needs no release, and is initialised again in a forked child. */
typedef struct djp__wake {
    DJP__ATOMIC(uint32_t) state; /* acquire/release */
} djp__wake;
void djp__wake_init(djp__wake *wake);
void djp__wake_notify(djp__wake *wake); /* async-signal-safe, keeps errno */
/* Returns 1 when notified, 0 at the deadline. */
int djp__wake_wait(djp__wake *wake, uint64_t deadline);

#endif
