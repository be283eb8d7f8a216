/* The fork generation and the list of fork hooks, behind one pthread_atfork registration. Hooks run
 * in the forking thread; those of the child must not allocate or start threads. */
#include "base/fork.h"

#include <pthread.h>
#include <stddef.h>

DJP__ATOMIC(uint32_t) djp__fork_generation_value = 1;

/* Guards the list; held by the forking thread from prepare until after the hooks of parent and
 * child. */
static pthread_mutex_t fork__mutex = PTHREAD_MUTEX_INITIALIZER;
static djp__fork_hook *fork__hooks; /* newest first */
static pthread_once_t fork__registered = PTHREAD_ONCE_INIT;
/* 1 after the first run of the handlers: they are installed, even if this is a child of a process
 * in which another thread was installing them and pthread_once restarts. Any forking thread,
 * relaxed. */
static DJP__ATOMIC(int) fork__installed;

static void
fork_prepare(void)
{
    pthread_mutex_lock(&fork__mutex);
    djp__store_relaxed(&fork__installed, 1);
    for (djp__fork_hook *hook = fork__hooks; hook; hook = hook->next) {
        if (hook->prepare) {
            hook->prepare(hook->user);
        }
    }
}

/* The hooks of parent and child run in reverse order, oldest first: the list is reversed and
 * restored. */
static djp__fork_hook *
fork_reversed(djp__fork_hook *hook)
{
    djp__fork_hook *result = NULL;
    while (hook != NULL) {
        djp__fork_hook *next = hook->next;
        hook->next = result;
        result = hook;
        hook = next;
    }
    return result;
}

static void
fork_after(int in_child)
{
    fork__hooks = fork_reversed(fork__hooks);
    for (djp__fork_hook *hook = fork__hooks; hook; hook = hook->next) {
        void (*run)(void *) = in_child ? hook->child : hook->parent;
        if (run) {
            run(hook->user);
        }
    }
    fork__hooks = fork_reversed(fork__hooks);
    pthread_mutex_unlock(&fork__mutex);
}

static void
fork_parent(void)
{
    fork_after(0);
}

static void
fork_child_part(void)
{
    djp__add_relaxed(&djp__fork_generation_value, 1);
    fork_after(1);
}

static void
fork_install(void)
{
    if (!djp__load_relaxed(&fork__installed)) {
        pthread_atfork(fork_prepare, fork_parent, fork_child_part);
    }
}

void
djp__fork_watch(void)
{
    pthread_once(&fork__registered, fork_install);
}

void
djp__fork_register(djp__fork_hook *hook)
{
    djp__fork_watch();
    pthread_mutex_lock(&fork__mutex);
    djp__fork_hook *linked = fork__hooks;
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
djp__fork_unregister(djp__fork_hook *hook)
{
    pthread_mutex_lock(&fork__mutex);
    for (djp__fork_hook **link = &fork__hooks; *link; link = &(*link)->next) {
        if (*link == hook) {
            *link = hook->next;
            break;
        }
    }
    hook->next = NULL;
    pthread_mutex_unlock(&fork__mutex);
}
