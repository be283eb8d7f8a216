/* The lock of the process-wide trace tables and its fork hook. */
#include "model/tables.h"

#include <pthread.h>

#include "base/fork.h"

static pthread_mutex_t tables__mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t tables__once = PTHREAD_ONCE_INIT;

static void
tables__before_fork(void *user)
{
    (void)user;
    pthread_mutex_lock(&tables__mutex);
}

static void
tables__after_fork(void *user)
{
    (void)user;
    pthread_mutex_unlock(&tables__mutex);
}

static void
tables__hook(void)
{
    static djp_fork_hook hook = {tables__before_fork, tables__after_fork, tables__after_fork, NULL,
                                 NULL};
    djp__fork_register(&hook);
}

void
djp__tables_lock(void)
{
    pthread_once(&tables__once, tables__hook);
    pthread_mutex_lock(&tables__mutex);
}

void
djp__tables_unlock(void)
{
    pthread_mutex_unlock(&tables__mutex);
}
