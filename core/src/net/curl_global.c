/* libcurl's process-wide state: initialised once, and not inside a call when the process forks.
 * curl_global_cleanup is not called: the host may use libcurl, and an exiting process does not need
 * it. */
#include "net/curl_global.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/thread.h"
#include "djp/error.h"

static pthread_once_t curl_global_once = PTHREAD_ONCE_INIT;
static djp_mutex curl_global_mutex = PTHREAD_MUTEX_INITIALIZER;
/* Written once under curl_global_once, then read. */
static int curl_global_code;
static int curl_global_breaks_reuse;
static int curl_global_loses_trailers;
/* 1 once the process is in exit(3). Written by the exiting thread under the mutex, release. */
static DJP__ATOMIC(int) curl_global_over;
static pthread_t curl_global_exiting; /* written before curl_global_over */
/* Created after the keys of the TLS library, so its destructor runs after theirs. */
static pthread_key_t curl_global_key;
static int curl_global_has_key; /* written once under curl_global_once */
/* Threads between djp__curl_leave_thread and their last destructor. */
static DJP__ATOMIC(int) curl_global_leaving;

enum { CURL_GLOBAL_LEAVE_MS = 200 }; /* how long exit(3) waits for these threads */

static void
curl_global_hold(void *user)
{
    (void)user;
    djp__mutex_lock(&curl_global_mutex);
}

static void
curl_global_release(void *user)
{
    (void)user;
    djp__mutex_unlock(&curl_global_mutex);
}

/* The threads that were leaving do not exist in the child. */
static void
curl_global_child(void *user)
{
    djp__store_relaxed(&curl_global_leaving, 0);
    curl_global_release(user);
}

static djp__fork_hook curl_global_hook = {curl_global_hold, curl_global_release, curl_global_child,
                                          NULL, NULL};

static void
curl_global_thread_gone(void *value)
{
    (void)value;
    djp__sub_acq_rel(&curl_global_leaving, 1);
}

/* TLS libraries free their state in exit(3) even while a thread uses them. This handler is
 * registered later, so it runs earlier: it waits for the call in progress, and after it
 * djp__curl_lock admits no other thread. A thread that ends frees its part of that state, so the
 * handler waits for those too. */
static void
curl_global_at_exit(void)
{
    djp__mutex_lock(&curl_global_mutex);
    curl_global_exiting = pthread_self();
    djp__store_release(&curl_global_over, 1);
    djp__mutex_unlock(&curl_global_mutex);
    struct timespec pause = {0, 1000000};
    for (int i = 0; i < CURL_GLOBAL_LEAVE_MS && djp__load_acquire(&curl_global_leaving) > 0; i++) {
        nanosleep(&pause, NULL);
    }
}

static void
curl_global_note_version(unsigned version)
{
    curl_global_breaks_reuse = version >= 0x075800 && version < 0x080000;
    curl_global_loses_trailers = version < 0x080100;
}

static void
curl_global_set_up(void)
{
    /* A fork waits for this too: a child would inherit the locks of a library being initialised. */
    djp__fork_register(&curl_global_hook);
    djp__mutex_lock(&curl_global_mutex);
    curl_global_code = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : DJP_EIO;
    djp__mutex_unlock(&curl_global_mutex);
    curl_global_note_version(curl_version_info(CURLVERSION_NOW)->version_num);
    curl_global_has_key = pthread_key_create(&curl_global_key, curl_global_thread_gone) == 0;
    atexit(curl_global_at_exit);
}

int
djp__curl_start(void)
{
    pthread_once(&curl_global_once, curl_global_set_up);
    return curl_global_code;
}

void
djp__curl_lock(void)
{
    djp__mutex_lock(&curl_global_mutex);
    if (djp__load_acquire(&curl_global_over) &&
        !pthread_equal(pthread_self(), curl_global_exiting)) {
        djp__mutex_unlock(&curl_global_mutex);
        for (;;) {
            pause(); /* until the process ends */
        }
    }
}

void
djp__curl_leave_thread(void)
{
    djp__curl_lock();
    if (curl_global_has_key && pthread_getspecific(curl_global_key) == NULL &&
        pthread_setspecific(curl_global_key, &curl_global_key) == 0) {
        djp__add_relaxed(&curl_global_leaving, 1);
    }
    djp__curl_unlock();
}

int
djp__curl_is_over(void)
{
    return djp__load_acquire(&curl_global_over);
}

void
djp__curl_unlock(void)
{
    djp__mutex_unlock(&curl_global_mutex);
}

int
djp__curl_breaks_reuse(void)
{
    return curl_global_breaks_reuse;
}

int
djp__curl_loses_trailers(void)
{
    return curl_global_loses_trailers;
}
