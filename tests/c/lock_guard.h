/* Whether a call takes a lock: it does not come to its end while another thread holds it. For one
 * test program: everything is static. */
#ifndef TESTS_C_LOCK_GUARD_H
#define TESTS_C_LOCK_GUARD_H

#include <pthread.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/thread.h"
#include "model/tables.h"

enum { LOCK_GUARD_US = 20000 };

typedef struct lock_guard {
    void (*act)(void);
    DJP__ATOMIC(int) begun, over;
} lock_guard;

static void *
lock_guard_run(void *argument)
{
    lock_guard *self = argument;
    djp__store_release(&self->begun, 1);
    self->act();
    djp__store_release(&self->over, 1);
    return NULL;
}

/* 1: act waits while the mutex is held, and comes to its end then. NULL: the lock of the
 * process-wide tables. A slow machine can at worst hide that it does not wait. */
static inline int
waits_for(djp_mutex *mutex, void (*act)(void))
{
    lock_guard self = {.act = act};
    pthread_t thread;
    int waited = 0;
    mutex != NULL ? djp__mutex_lock(mutex) : djp__tables_lock();
    if (pthread_create(&thread, NULL, lock_guard_run, &self) == 0) {
        while (!djp__load_acquire(&self.begun)) {
            usleep(100);
        }
        usleep(LOCK_GUARD_US);
        waited = !djp__load_acquire(&self.over);
    }
    mutex != NULL ? djp__mutex_unlock(mutex) : djp__tables_unlock();
    pthread_join(thread, NULL);
    return waited;
}

#endif
