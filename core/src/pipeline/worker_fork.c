/* The worker around a fork: the forking thread waits until the worker is outside a library call,
 * the worker waits while the process forks, and the child starts without a worker. */
#include "pipeline/worker.h"

#include "base/clock.h"
#include "djp/error.h"

/* Longest waits of the forking thread, and of the worker. */
enum { WORKER_FORK_PARK_NS = 50000000, WORKER_FORK_STAY_NS = 1000000000 };

/* Waits until a worker inside a transport reaches its poll callback, where no library call is in
 * progress. If that takes too long (a slow name look-up), fork proceeds: the child never uses that
 * transport's state. */
void
djp__worker_fork_prepare(djp__worker *worker)
{
    djp__mutex_lock(&worker->mutex);
    worker->forks++;
    djp__store_release(&worker->fork_wanted, 1);
    uint64_t deadline = djp__clock_monotonic() + WORKER_FORK_PARK_NS;
    while (djp__load_relaxed(&worker->state) == DJP__WORKER_SENDING) {
        djp__transport *transport = djp__load_relaxed(&worker->transport);
        if (transport != NULL && transport->ops->wake) {
            transport->ops->wake(transport);
        }
        if (djp__cond_wait(&worker->changed, &worker->mutex, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    djp__mutex_unlock(&worker->mutex);
}

void
djp__worker_fork_parent(djp__worker *worker)
{
    worker->forks--;
    if (worker->forks == 0) {
        djp__store_release(&worker->fork_wanted, 0);
    }
    djp__cond_broadcast(&worker->changed);
}

void
djp__worker_fork_child(djp__worker *worker)
{
    worker->is_joinable = 0;
    worker->start_not_before = 0;
    worker->forks = 0;
    worker->running = NULL;
    /* Without a broadcast: threads of the parent may have waited on `changed`. */
    djp__store_relaxed(
        &worker->state,
        djp__worker_next((djp__worker_state)djp__load_relaxed(&worker->state), DJP__WORKER_FORKED));
    djp__store_relaxed(&worker->transport, (djp__transport *)NULL);
    djp__store_relaxed(&worker->fork_wanted, 0);
    djp__store_relaxed(&worker->starts, (uint64_t)0);
    djp__store_relaxed(&worker->start_failures, (uint64_t)0);
    djp__wake_init(&worker->wake);
    djp__cond_init(&worker->changed);
}

void
djp__worker_park(djp__worker *worker)
{
    if (!djp__load_acquire(&worker->fork_wanted) ||
        djp__load_relaxed(&worker->state) != DJP__WORKER_SENDING) {
        return;
    }
    djp__mutex_lock(&worker->mutex);
    uint64_t deadline = djp__clock_monotonic() + WORKER_FORK_STAY_NS;
    djp__worker_take(worker, DJP__WORKER_PARK);
    while (worker->forks > 0) {
        if (djp__cond_wait(&worker->changed, &worker->mutex, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    djp__worker_take(worker, DJP__WORKER_UNPARK);
    djp__mutex_unlock(&worker->mutex);
}
