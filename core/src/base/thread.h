/* Threads, locks and a wake-up that a signal handler may use. Deadlines are absolute djp__clock_monotonic times. */
#ifndef DJP_BASE_THREAD_H
#define DJP_BASE_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* Thread-local storage without a call per access where the loader allows it (glibc keeps room for late-loaded modules). Keep such
 * variables small. */
#ifdef __GLIBC__
#define DJP_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define DJP_THREAD_LOCAL _Thread_local
#endif

typedef pthread_mutex_t djp_mutex;
int djp__mutex_init(djp_mutex *mutex);
void djp__mutex_fini(djp_mutex *mutex);
void djp__mutex_lock(djp_mutex *mutex);
void djp__mutex_unlock(djp_mutex *mutex);

typedef struct djp_cond {
    pthread_cond_t cond; /* on CLOCK_MONOTONIC */
} djp_cond;
int djp__cond_init(djp_cond *cond);
void djp__cond_fini(djp_cond *cond);
void djp__cond_broadcast(djp_cond *cond);
/* Returns 0 or DJP_ETIMEOUT. deadline UINT64_MAX waits for ever. */
int djp__cond_wait(djp_cond *cond, djp_mutex *mutex, uint64_t deadline);

/* Starts a thread with all signals blocked, a small stack (256 KiB) and the name (15 characters). 0 or DJP_ETHREAD. */
int djp__thread_start(pthread_t *out, void *(*run)(void *), void *argument, const char *name);

/* A wake-up: many may notify (from any thread or a signal handler), one waits. Notifications coalesce. */
typedef struct djp_wake {
    int read_fd; /* for poll(2); close-on-exec, non-blocking */
    int write_fd;
} djp_wake;
int djp__wake_init(djp_wake *wake); /* 0 or DJP_EIO */
void djp__wake_fini(djp_wake *wake);
void djp__wake_notify(djp_wake *wake); /* async-signal-safe, keeps errno */
void djp__wake_drain(djp_wake *wake);
/* Returns 1 when notified (and drains), 0 at the deadline. */
int djp__wake_wait(djp_wake *wake, uint64_t deadline);

#endif
