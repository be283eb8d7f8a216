/* libcurl's process-wide side: set up once, and never in the middle of a call when the process
 * forks. Never calls curl_global_cleanup: the host may use libcurl too, and an exiting process has
 * no need of it. */
#include "net/curl_global.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/thread.h"
#include "djp/error.h"

static pthread_once_t curl_global_once = PTHREAD_ONCE_INIT;
static djp_mutex curl_global_mutex = PTHREAD_MUTEX_INITIALIZER;
/* Written once under curl_global_once, read after it. */
static int curl_global_code;
static int curl_global_breaks_reuse;
static int curl_global_loses_trailers;
/* 1 once the process is in exit(3). Written by the exiting thread under the mutex, release. */
static DJP_ATOMIC(int) curl_global_over;
static pthread_t curl_global_exiting; /* written before curl_global_over */

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

static djp_fork_hook curl_global_hook = {curl_global_hold, curl_global_release, curl_global_release,
                                         NULL, NULL};

/* TLS libraries tear themselves down in exit(3), whoever is inside them. Registered after their own
 * handler this one runs before it: it waits for the call that is under way, and from then on
 * djp__curl_lock lets nobody else in. */
static void
curl_global_at_exit(void)
{
    djp__mutex_lock(&curl_global_mutex);
    curl_global_exiting = pthread_self();
    djp_store_release(&curl_global_over, 1);
    djp__mutex_unlock(&curl_global_mutex);
}

static void
curl_global_set_up(void)
{
    /* A fork waits for this, too: a child would meet the locks of the libraries that are being set
     * up. */
    djp__fork_register(&curl_global_hook);
    djp__mutex_lock(&curl_global_mutex);
    curl_global_code = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : DJP_EIO;
    djp__mutex_unlock(&curl_global_mutex);
    unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    curl_global_breaks_reuse = version >= 0x075800 && version < 0x080000;
    curl_global_loses_trailers = version < 0x080100;
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
    if (djp_load_acquire(&curl_global_over) &&
        !pthread_equal(pthread_self(), curl_global_exiting)) {
        djp__mutex_unlock(&curl_global_mutex);
        for (;;) {
            pause(); /* the process ends meanwhile */
        }
    }
}

int
djp__curl_is_over(void)
{
    return djp_load_acquire(&curl_global_over);
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
