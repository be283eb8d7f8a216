/* The lock of the process-wide trace tables and its fork hook. */
#include "model/tables.h"

#include <pthread.h>

#include "base/fork.h"

static pthread_mutex_t tables__mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t tables__once = PTHREAD_ONCE_INIT;

static void
tables_before_fork(void *user)
{
    (void)user;
    pthread_mutex_lock(&tables__mutex);
}

static void
tables_after_fork(void *user)
{
    (void)user;
    pthread_mutex_unlock(&tables__mutex);
}

static void
tables_hook(void)
{
    static djp__fork_hook hook = {tables_before_fork, tables_after_fork, tables_after_fork, NULL,
                                  NULL};
    djp__fork_register(&hook);
}

void
djp__tables_lock(void)
{
    pthread_once(&tables__once, tables_hook);
    pthread_mutex_lock(&tables__mutex);
}

void
djp__tables_unlock(void)
{
    pthread_mutex_unlock(&tables__mutex);
}
