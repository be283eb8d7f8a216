/* libcurl's process-wide side: set up once, and never in the middle of a call when the process forks. Never calls
 * curl_global_cleanup: the host may use libcurl too, and an exiting process has no need of it. */
#include "export/curl_global.h"

#include <curl/curl.h>

#include "base/fork.h"
#include "base/thread.h"
#include "djp/error.h"

static pthread_once_t curl_global_once = PTHREAD_ONCE_INIT;
static djp_mutex curl_global_mutex = PTHREAD_MUTEX_INITIALIZER;
/* Written once under curl_global_once, read after it. */
static int curl_global_code;
static int curl_global_breaks_reuse;

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

static djp_fork_hook curl_global_hook = {curl_global_hold, curl_global_release, curl_global_release, NULL, NULL};

static void
curl_global_set_up(void)
{
    curl_global_code = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : DJP_EIO;
    unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    curl_global_breaks_reuse = version >= 0x075800 && version < 0x080000;
    djp__fork_register(&curl_global_hook);
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
