/* The worker thread: start and end, rounds over the tasks, sleep. It does not use the language
 * runtime, and does not wake up in an idle process. */
#include "pipeline/worker.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "djp/error.h"
#include "net/curl_global.h"

enum { WORKER__START_PAUSE_NS = 1000000000 };

int
djp__worker_next(djp__worker_state state, djp__worker_event event)
{
    enum { ABSENT = DJP__WORKER_ABSENT, WORKING, SENDING, PARKED, NONE = -1 };
    static const signed char next[DJP__WORKER_STATES][DJP__WORKER_EVENTS] = {
        /*            START    SEND     SENT     PARK    UNPARK   END     FORKED */
        /* ABSENT */ {WORKING, NONE, NONE, NONE, NONE, NONE, ABSENT},
        /* WORKING */ {NONE, SENDING, NONE, NONE, NONE, ABSENT, ABSENT},
        /* SENDING */ {NONE, NONE, WORKING, PARKED, NONE, NONE, ABSENT},
        /* PARKED */ {NONE, NONE, NONE, NONE, SENDING, NONE, ABSENT},
    };
    return next[state][event];
}

void
djp__worker_take(djp__worker *worker, djp__worker_event event)
{
    int next = djp__worker_next((djp__worker_state)djp__load_relaxed(&worker->state), event);
    if (next >= 0) {
        djp__store_release(&worker->state, next);
        djp__cond_broadcast(&worker->changed);
    }
}

void
djp__worker_init(djp__worker *worker)
{
    memset(worker, 0, sizeof *worker);
    djp__wake_init(&worker->wake);
    djp__mutex_init(&worker->mutex);
    djp__cond_init(&worker->changed);
}

void
djp__worker_fini(djp__worker *worker)
{
    djp__cond_fini(&worker->changed);
    djp__mutex_fini(&worker->mutex);
}

void
djp__worker_add(djp__worker *worker, djp__task *task)
{
    djp__task **link = &worker->tasks;
    while (*link) {
        link = &(*link)->next;
    }
    task->next = NULL;
    *link = task;
}

void
djp__worker_notify(djp__worker *worker)
{
    djp__wake_notify(&worker->wake);
    djp__transport *transport = djp__load_acquire(&worker->transport);
    if (transport != NULL && transport->ops->wake) {
        transport->ops->wake(transport);
    }
}

int
djp__worker_is_open(djp__worker *worker)
{
    djp__mutex_lock(&worker->mutex);
    int open = worker->phase == DJP__PHASE_OPEN;
    djp__mutex_unlock(&worker->mutex);
    return open;
}

int
djp__worker_is_this(djp__worker *worker)
{
    djp__mutex_lock(&worker->mutex);
    int is_this =
        djp__worker_is_running(worker) && pthread_equal(worker->thread, pthread_self()) != 0;
    djp__mutex_unlock(&worker->mutex);
    return is_this;
}

/* ---- rounds ---- */

/* Returns the time after the last task: a transport may take long. */
static uint64_t
worker_run_tasks(djp__worker *worker, uint64_t now, int all)
{
    for (djp__task *task = worker->tasks; task; task = task->next) {
        if (task->run && (all || task->kind == DJP__TASK_ALWAYS)) {
            task->run(task->user, now);
            now = task->kind == DJP__TASK_SEND ? djp__clock_monotonic() : now;
        }
    }
    return now;
}

/* Returns the earliest due time, from the last task to the first: a task that sends is checked
 * before a source sets a wake level it may not need. */
static uint64_t
worker_next_due(const djp__task *task, uint64_t now)
{
    if (task == NULL) {
        return UINT64_MAX;
    }
    uint64_t due = worker_next_due(task->next, now);
    if (due <= now || !task->next_due) {
        return due;
    }
    uint64_t own = task->next_due(task->user, now);
    return own < due ? own : due;
}

static void
worker_round(djp__worker *worker)
{
    worker->has_sent = 0;
    uint64_t now = worker_run_tasks(worker, djp__clock_monotonic(), 1);
    if (worker->has_sent || djp__load_acquire(&worker->stop)) {
        return;
    }
    uint64_t due = worker_next_due(worker->tasks, now);
    if (due > now) {
        djp__wake_wait(&worker->wake, due);
    }
}

/* 1: another task waits to enter its transport, so this one pauses. */
static int
worker_is_wanted(const djp__worker *worker, uint64_t now)
{
    for (const djp__task *task = worker->tasks; task; task = task->next) {
        if (task != worker->running && task->kind == DJP__TASK_SEND &&
            task->next_due(task->user, now) <= now) {
            return 1;
        }
    }
    return 0;
}

int
djp__worker_poll(djp__worker *worker)
{
    uint64_t now = djp__clock_monotonic();
    worker_run_tasks(worker, now, 0);
    if (djp__load_acquire(&worker->stop) ||
        (worker->end_deadline != 0 && now >= worker->end_deadline)) {
        return DJP__SEND_GIVE_UP;
    }
    return worker_is_wanted(worker, now) ? DJP__SEND_PAUSE : DJP__SEND_GO_ON;
}

void
djp__worker_begin_send(djp__worker *worker, djp__transport *transport, const djp__task *task)
{
    djp__mutex_lock(&worker->mutex);
    /* Otherwise the child inherits a transport in an intermediate state. */
    while (worker->forks > 0) {
        djp__cond_wait(&worker->changed, &worker->mutex, UINT64_MAX);
    }
    worker->running = task;
    djp__worker_take(worker, DJP__WORKER_SEND);
    djp__store_release(&worker->transport, transport);
    djp__mutex_unlock(&worker->mutex);
}

void
djp__worker_end_send(djp__worker *worker)
{
    djp__mutex_lock(&worker->mutex);
    worker->running = NULL;
    worker->has_sent = 1;
    djp__store_release(&worker->transport, (djp__transport *)NULL);
    djp__worker_take(worker, DJP__WORKER_SENT);
    djp__mutex_unlock(&worker->mutex);
}

/* ---- start and end ---- */

static void *
worker_main(void *argument)
{
    djp__worker *worker = argument;
    if (!worker->shares_files) {
        djp__files_part();
    }
    for (djp__task *task = worker->tasks; task; task = task->next) {
        if (task->enter) {
            task->enter(task->user);
        }
    }
    while (!djp__load_acquire(&worker->stop)) {
        worker_round(worker);
    }
    for (djp__task *task = worker->tasks; task; task = task->next) {
        if (task->leave) {
            task->leave(task->user);
        }
    }
    /* Before END: who joins the thread must not wait for one that stays until the process ends. */
    djp__curl_leave_thread();
    djp__mutex_lock(&worker->mutex);
    djp__worker_take(worker, DJP__WORKER_END);
    djp__mutex_unlock(&worker->mutex);
    worker->unref(worker->owner);
    return NULL;
}

int
djp__worker_start_locked(djp__worker *worker)
{
    if (djp__load_relaxed(&worker->state) != DJP__WORKER_ABSENT) {
        return 0;
    }
    uint64_t now = djp__clock_monotonic();
    if (now < worker->start_not_before) {
        return DJP_ETHREAD;
    }
    worker->start_not_before = now + WORKER__START_PAUSE_NS;
    worker->end_deadline = 0;
    worker->pid = getpid();
    worker->ref(worker->owner);
    djp__worker_take(worker, DJP__WORKER_START);
    if (djp__thread_start(&worker->thread, worker_main, worker, "djp-telemetry") != 0) {
        djp__worker_take(worker, DJP__WORKER_END);
        worker->unref(worker->owner); /* not the last one: the caller uses the instance */
        djp__add_relaxed(&worker->start_failures, 1);
        return DJP_ETHREAD;
    }
    worker->is_joinable = 1;
    worker->start_not_before = 0;
    djp__add_relaxed(&worker->starts, 1);
    return 0;
}

int
djp__worker_ensure(djp__worker *worker)
{
    if (djp__worker_is_running(worker)) {
        djp__worker_notify(worker);
        return 0;
    }
    djp__mutex_lock(&worker->mutex);
    int result = worker->phase == DJP__PHASE_OPEN ? djp__worker_start_locked(worker) : 0;
    djp__mutex_unlock(&worker->mutex);
    return result;
}

int
djp__worker_stop_locked(djp__worker *worker, uint64_t deadline)
{
    djp__store_release(&worker->stop, 1);
    if (djp__load_relaxed(&worker->state) != DJP__WORKER_ABSENT) {
        djp__worker_notify(worker);
    }
    while (djp__load_relaxed(&worker->state) != DJP__WORKER_ABSENT) {
        if (djp__cond_wait(&worker->changed, &worker->mutex, deadline) == DJP_ETIMEOUT) {
            break;
        }
    }
    int ended = djp__load_relaxed(&worker->state) == DJP__WORKER_ABSENT;
    if (worker->is_joinable) {
        worker->is_joinable = 0;
        if (ended) {
            pthread_join(worker->thread, NULL);
        } else {
            pthread_detach(worker->thread); /* the thread holds a reference to the instance */
        }
    }
    return ended;
}
