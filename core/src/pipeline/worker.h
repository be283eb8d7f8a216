/* The worker: the one native thread of an instance. It runs tasks and sleeps until the earliest of
 * them is due, independent of their content.
 *
 *   state      START    SEND     SENT     PARK    UNPARK    END      FORKED
 *   ABSENT     WORKING  -        -        -       -         -        ABSENT
 *   WORKING    -        SENDING  -        -       -         ABSENT   ABSENT
 *   SENDING    -        -        WORKING  PARKED  -         -        ABSENT
 *   PARKED     -        -        -        -       SENDING   -        ABSENT
 *
 * START: starts a thread. SEND, SENT: enters and leaves a transport. PARK, UNPARK: waits in the
 * transport's poll callback while another thread forks. END: the thread returns, or could not
 * start. FORKED: the process is the child of a fork, where that thread does not exist. */
#ifndef DJP_PIPELINE_WORKER_H
#define DJP_PIPELINE_WORKER_H

#include <pthread.h>
#include <sys/types.h>

#include "base/atomic.h"
#include "base/diag.h"
#include "base/thread.h"
#include "export/transport.h"

typedef enum djp__worker_state {
    DJP__WORKER_ABSENT,
    DJP__WORKER_WORKING,
    DJP__WORKER_SENDING,
    DJP__WORKER_PARKED,
    DJP__WORKER_STATES
} djp__worker_state;

typedef enum djp__worker_event {
    DJP__WORKER_START,
    DJP__WORKER_SEND,
    DJP__WORKER_SENT,
    DJP__WORKER_PARK,
    DJP__WORKER_UNPARK,
    DJP__WORKER_END,
    DJP__WORKER_FORKED,
    DJP__WORKER_EVENTS
} djp__worker_event;

/* The phase of the instance. Shutdown begins CLOSING; nothing is recorded after that. */
typedef enum djp__phase { DJP__PHASE_OPEN, DJP__PHASE_CLOSING, DJP__PHASE_CLOSED } djp__phase;

/* ALWAYS: runs also in the poll callback of a transport. BETWEEN: not inside a transport. SEND: not
 * inside a transport, and enters one. */
typedef enum djp__task_kind { DJP__TASK_ALWAYS, DJP__TASK_BETWEEN, DJP__TASK_SEND } djp__task_kind;

/* A task of the worker. The worker calls each function with `user` and without a lock; each may be
 * NULL. The owner keeps the storage as long as the worker exists. */
typedef struct djp__task {
    const char *name;
    djp__task_kind kind;
    void (*run)(void *user, uint64_t now);
    /* Returns the time of the next run; `now` or less: at once; UINT64_MAX: when notified. Called
     * before the worker sleeps, from the last task to the first, until one is due. */
    uint64_t (*next_due)(void *user, uint64_t now);
    void (*enter)(void *user); /* a worker thread starts, perhaps in a forked child */
    void (*leave)(void *user); /* ... and ends */
    void *user;
    struct djp__task *next;
} djp__task;

typedef struct djp__worker {
    /* Set before the first thread starts, constant afterwards. */
    djp__task *tasks; /* in the order of their runs */
    int shares_files; /* 1: some transport needs the descriptors of the process */
    void (*ref)(void *owner); /* a thread holds a reference to the instance */
    void (*unref)(void *owner);
    void *owner;

    djp_mutex mutex; /* guards the next members, and the djp__delivery of each pipeline */
    djp__cond changed; /* state, phase, forks or a delivery changed */
    djp__phase phase;
    pthread_t thread;
    int is_joinable;
    pid_t pid; /* of the process that the thread belongs to */
    uint64_t start_not_before; /* no retry of a failed start before this monotonic time */
    int forks; /* threads that are between prepare and parent */

    /* Read without the lock. */
    DJP__ATOMIC(int) state; /* djp__worker_state; written under `mutex`, release / acquire */
    DJP__ATOMIC(int) stop; /* end now and cancel requests; release / acquire */
    DJP__ATOMIC(int) fork_wanted; /* the poll callback should park; release / acquire */
    /* The transport that the thread uses now; written under `mutex`, release / acquire. */
    DJP__ATOMIC(djp__transport *) transport;
    djp__wake wake;
    DJP__ATOMIC(uint64_t) starts; /* relaxed, as the next */
    DJP__ATOMIC(uint64_t) start_failures;

    /* Worker only. */
    const djp__task *running; /* the SEND task inside a transport */
    /* 1: a task sent in this round, so run all tasks again before sleeping */
    int has_sent;
    uint64_t end_deadline; /* deadline of the end of the process; 0: none */
} djp__worker;

/* Returns the state after an event; -1 without a table entry. */
int djp__worker_next(djp__worker_state state, djp__worker_event event);
/* Applies the event and notifies all waiters; `mutex` is held. An event without a table entry
 * changes nothing. */
void djp__worker_take(djp__worker *worker, djp__worker_event event);

void djp__worker_init(djp__worker *worker);
void djp__worker_fini(djp__worker *worker);
/* Appends a task. Before the first start. */
void djp__worker_add(djp__worker *worker, djp__task *task);
/* Starts the thread if there is none; `mutex` is held. Returns 0 or DJP_ETHREAD. */
int djp__worker_start_locked(djp__worker *worker);
/* Wakes the thread, or starts it if the instance is open. Returns 0, or DJP_ETHREAD if it cannot
 * start. Any thread. */
int djp__worker_ensure(djp__worker *worker);
/* Ends its sleep, also inside a transport. Any thread. */
void djp__worker_notify(djp__worker *worker);
#define djp__worker_is_running(worker) (djp__load_acquire(&(worker)->state) != DJP__WORKER_ABSENT)
int djp__worker_is_open(djp__worker *worker); /* the phase is DJP__PHASE_OPEN */
/* 1: the calling thread is the worker's. */
int djp__worker_is_this(djp__worker *worker);
/* Ends the thread, at once if it sleeps or its transport can be interrupted; after the deadline the
 * thread ends later by itself. `mutex` is held. Returns 1 if it has ended. */
int djp__worker_stop_locked(djp__worker *worker, uint64_t deadline);

/* Called by the worker before and after each call of a transport. No call begins during a fork. */
void djp__worker_begin_send(djp__worker *worker, djp__transport *transport, const djp__task *task);
void djp__worker_end_send(djp__worker *worker);
/* The poll callback of a transport: runs tasks that are due. Returns a djp__send_poll. */
int djp__worker_poll(djp__worker *worker);

/* worker_fork.c: fork(2). prepare waits, for a limited time, until the worker is outside a library
 * call. */
void djp__worker_fork_prepare(djp__worker *worker); /* takes no lock */
void djp__worker_fork_parent(djp__worker *worker); /* `mutex` is held, as below */
void djp__worker_fork_child(djp__worker *worker);
/* In the poll callback: waits during a fork. */
void djp__worker_park(djp__worker *worker);

#endif
