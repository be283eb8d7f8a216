/* The fork generation and the list of fork hooks, behind one pthread_atfork registration. Hooks run
 * in the forking thread; those of the child must not allocate or start threads. */
#include "base/fork.h"

#include <pthread.h>
#include <stddef.h>

DJP_ATOMIC(uint32_t) djp__fork_generation_value = 1;

/* Guards the list; held by the forking thread from prepare until after the hooks of parent and
 * child. */
static pthread_mutex_t fork__mutex = PTHREAD_MUTEX_INITIALIZER;
static djp_fork_hook *fork__hooks; /* newest first */
static pthread_once_t fork__registered = PTHREAD_ONCE_INIT;
/* 1 after the first run of the handlers: they are installed, even if this is a child of a process
 * in which another thread was installing them and pthread_once restarts. Any forking thread,
 * relaxed. */
static DJP_ATOMIC(int) fork__installed;

static void
fork__prepare(void)
{
    pthread_mutex_lock(&fork__mutex);
    djp_store_relaxed(&fork__installed, 1);
    for (djp_fork_hook *hook = fork__hooks; hook; hook = hook->next) {
        if (hook->prepare) {
            hook->prepare(hook->user);
        }
    }
}

/* The hooks of parent and child run in reverse order, oldest first: the list is reversed and
 * restored. */
static djp_fork_hook *
fork__reversed(djp_fork_hook *hook)
{
    djp_fork_hook *result = NULL;
    while (hook != NULL) {
        djp_fork_hook *next = hook->next;
        hook->next = result;
        result = hook;
        hook = next;
    }
    return result;
}

static void
fork__after(int in_child)
{
    fork__hooks = fork__reversed(fork__hooks);
    for (djp_fork_hook *hook = fork__hooks; hook; hook = hook->next) {
        void (*run)(void *) = in_child ? hook->child : hook->parent;
        if (run) {
            run(hook->user);
        }
    }
    fork__hooks = fork__reversed(fork__hooks);
    pthread_mutex_unlock(&fork__mutex);
}

static void
fork__parent(void)
{
    fork__after(0);
}

static void
fork__child(void)
{
    djp_add_relaxed(&djp__fork_generation_value, 1);
    fork__after(1);
}

static void
fork__install(void)
{
    if (!djp_load_relaxed(&fork__installed)) {
        pthread_atfork(fork__prepare, fork__parent, fork__child);
    }
}

void
djp__fork_watch(void)
{
    pthread_once(&fork__registered, fork__install);
}

void
djp__fork_register(djp_fork_hook *hook)
{
    djp__fork_watch();
    pthread_mutex_lock(&fork__mutex);
    djp_fork_hook *linked = fork__hooks;
    while (linked != NULL && linked != hook) {
        linked = linked->next;
    }
    /* A caller under pthread_once registers again in a child forked meanwhile; a second link would
     * form a cycle. */
    if (linked == NULL) {
        hook->next = fork__hooks;
        fork__hooks = hook;
    }
    pthread_mutex_unlock(&fork__mutex);
}

void
djp__fork_unregister(djp_fork_hook *hook)
{
    pthread_mutex_lock(&fork__mutex);
    for (djp_fork_hook **link = &fork__hooks; *link; link = &(*link)->next) {
        if (*link == hook) {
            *link = hook->next;
            break;
        }
    }
    hook->next = NULL;
    pthread_mutex_unlock(&fork__mutex);
}
