/* The SDK of the process. Every environment attaches to it, references keep it alive during use,
 * and it ends once. Uses no JavaScript. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "binding.h"

enum { INSTANCE_WAITING, INSTANCE_RUNNING, INSTANCE_DONE };

struct djp_node_ending {
    djp_node_sdk *sdk; /* a reference of the instance; NULL once done */
    int state; /* INSTANCE_*: the first thread runs it, the others wait */
    int delivered;
    char *status; /* JSON text or NULL; djp_free */
    uint32_t references;
};

/* All under the mutex. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* an ending is done; on CLOCK_MONOTONIC */
    djp_node_sdk *active;
    djp_node_ending *ending; /* the running end, or NULL */
    uint32_t epoch;
    int exit_hook;
} instance = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t instance_once = PTHREAD_ONCE_INIT;

static void
instance_set_up(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&instance.changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void
instance_lock(void)
{
    pthread_once(&instance_once, instance_set_up);
    pthread_mutex_lock(&instance.mutex);
}

static void
instance_unlock(void)
{
    pthread_mutex_unlock(&instance.mutex);
}

/* ---- references ---- */

static void
instance_free(djp_node_sdk *self)
{
    if (self == NULL) {
        return;
    }
    djp_http_server_free(self->http);
    djp_sdk_free(self->sdk);
    djp_node_table_free(self->table);
    free(self);
}

djp_node_sdk *
djp_node_sdk_acquire(void)
{
    instance_lock();
    djp_node_sdk *self = instance.active;
    if (self != NULL) {
        self->references++;
    }
    instance_unlock();
    return self;
}

void
djp_node_sdk_release(djp_node_sdk *self)
{
    if (self == NULL) {
        return;
    }
    instance_lock();
    int last = --self->references == 0;
    instance_unlock();
    if (last) {
        instance_free(self);
    }
}

/* ---- begin ---- */

/* Ends the SDK if JavaScript does not: only a worker thread started it, or native code ends the
 * process. */
static void
instance_at_exit(void)
{
    djp_node_sdk *self = djp_node_sdk_acquire();
    djp_node_ending *ending = djp_node_ending_begin();
    if (ending != NULL) {
        uint64_t limit = self == NULL ? 0 : djp_sdk_options(self->sdk)->shutdown_timeout_ns;
        (void)djp_node_ending_run(ending, limit, NULL);
        djp_node_ending_release(ending);
    }
    djp_node_sdk_release(self);
}

static int
instance_new(djp_node_sdk **out, const djp_options *options, const char *runtime_version,
             uint32_t epoch)
{
    djp_sdk_language language = {"nodejs", "nodejs", runtime_version, 1};
    djp_node_sdk *self = calloc(1, sizeof *self);
    int error = self == NULL ? DJP_ENOMEM : djp_sdk_new(&self->sdk, options, &language, NULL, NULL);
    if (error == 0 && (self->table = djp_node_table_new(epoch)) == NULL) {
        error = DJP_ENOMEM;
    }
    if (error == 0) {
        error = djp_http_server_new(&self->http, self->sdk);
    }
    if (error != 0) {
        instance_free(self);
        return error;
    }
    self->recorder = djp_sdk_recorder(self->sdk);
    self->registry = djp_sdk_registry(self->sdk);
    self->standard = djp_sdk_builtin(self->sdk);
    self->epoch = epoch;
    self->references = 1; /* of the instance */
    *out = self;
    return 0;
}

int
djp_node_sdk_activate(djp_node_sdk **out, const djp_options *options, const char *runtime_version)
{
    int result = 1;
    instance_lock();
    if (instance.active == NULL) {
        djp_node_signal_prepare(options);
        result = instance_new(&instance.active, options, runtime_version, instance.epoch + 1);
        instance.epoch += result == 0;
        if (result == 0) {
            djp_node_log_activated(instance.active);
            djp_node_shards_activated();
        }
        if (result == 0 && !instance.exit_hook) {
            instance.exit_hook = atexit(instance_at_exit) == 0;
        }
    }
    *out = instance.active;
    if (*out != NULL) {
        (*out)->references++;
    }
    instance_unlock();
    return result;
}

/* ---- end ---- */

djp_node_ending *
djp_node_ending_begin(void)
{
    djp_node_ending *fresh = calloc(1, sizeof *fresh), *unused = fresh, *replaced = NULL;
    instance_lock();
    if (instance.active != NULL && fresh != NULL) {
        fresh->sdk = instance.active;
        fresh->references = 1; /* of the instance */
        replaced = instance.ending;
        instance.ending = fresh;
        instance.active = NULL;
        unused = NULL;
    }
    djp_node_ending *ending = instance.ending;
    if (ending != NULL) {
        ending->references++;
    }
    instance_unlock();
    free(unused);
    djp_node_ending_release(replaced);
    return ending;
}

void
djp_node_ending_release(djp_node_ending *ending)
{
    if (ending == NULL) {
        return;
    }
    instance_lock();
    int last = --ending->references == 0;
    instance_unlock();
    if (!last) {
        return;
    }
    djp_node_sdk_release(ending->sdk);
    djp_free(ending->status);
    free(ending);
}

static void
instance_deadline(struct timespec *out, uint64_t timeout_ns)
{
    uint64_t day = UINT64_C(86400) * 1000000000u;
    uint64_t wait = timeout_ns > 365 * day ? 365 * day : timeout_ns;
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += (time_t)(wait / 1000000000u);
    out->tv_nsec += (long)(wait % 1000000000u);
    if (out->tv_nsec >= 1000000000) {
        out->tv_nsec -= 1000000000;
        out->tv_sec++;
    }
}

/* Lock held. */
static void
instance_wait(const djp_node_ending *ending, uint64_t timeout_ns)
{
    struct timespec deadline;
    instance_deadline(&deadline, timeout_ns);
    while (ending->state != INSTANCE_DONE &&
           pthread_cond_timedwait(&instance.changed, &instance.mutex, &deadline) != ETIMEDOUT) {
    }
}

/* Completes a start that began before the earlier SDK had ended: only now are the logs, the signal
 * and the port free. Lock held. */
static void
instance_inherit(djp_node_sdk *self)
{
    djp_sdk *sdk = self->sdk;
    const djp_options *options = djp_sdk_options(sdk);
    djp_sdk_take_signals(sdk);
    if (options->prometheus_port > 0) {
        (void)djp_sdk_listen(sdk, options->prometheus_host, options->prometheus_port);
    }
    djp_node_log_activated(self);
}

static void
instance_end(djp_node_ending *ending, uint64_t timeout_ns)
{
    djp_node_sdk *sdk = ending->sdk;
    char *status = NULL;
    size_t size = 0;
    djp_node_shards_before_stop(sdk);
    int delivered = djp_sdk_shutdown(sdk->sdk, timeout_ns) == 0;
    if (djp_sdk_status_json(&status, &size, sdk->sdk) != 0) {
        status = NULL;
    }
    instance_lock();
    if (instance.active == NULL) {
        djp_node_signal_restore();
    } else {
        instance_inherit(instance.active);
    }
    ending->delivered = delivered;
    ending->status = status;
    ending->sdk = NULL;
    ending->state = INSTANCE_DONE;
    djp_node_ending *mine = instance.ending == ending ? ending : NULL;
    if (mine != NULL) {
        instance.ending = NULL;
    }
    pthread_cond_broadcast(&instance.changed);
    instance_unlock();
    djp_node_ending_release(mine);
    djp_node_sdk_release(sdk);
}

int
djp_node_ending_run(djp_node_ending *ending, uint64_t timeout_ns, char **status)
{
    instance_lock();
    int first = ending->state == INSTANCE_WAITING;
    if (first) {
        ending->state = INSTANCE_RUNNING;
    } else {
        instance_wait(ending, timeout_ns);
    }
    instance_unlock();
    if (first) {
        instance_end(ending, timeout_ns);
    }
    instance_lock();
    int done = ending->state == INSTANCE_DONE;
    int delivered = done && ending->delivered;
    if (status != NULL) {
        *status = done && ending->status != NULL ? strdup(ending->status) : NULL;
    }
    instance_unlock();
    return delivered;
}

void
djp_node_signal_take(void)
{
    djp_node_sdk *self = djp_node_sdk_acquire();
    if (self != NULL) {
        djp_sdk_take_signals(self->sdk);
    }
    djp_node_sdk_release(self);
}
