/* Flush and shutdown of the SDK, on the thread of the event loop or, for promises, on a thread of
 * the libuv pool. Of several concurrent shutdowns one runs; the others wait and return its
 * result. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

typedef struct shutdown_job {
    napi_deferred deferred;
    napi_async_work work;
    djp_node_sdk *sdk; /* flush: a reference, or NULL */
    djp_node_ending *ending; /* stop: a reference, or NULL */
    uint64_t timeout_ns;
    int stops;
    int delivered;
    char *status;
} shutdown_job;

static void
shutdown_job_free(napi_env env, shutdown_job *job)
{
    if (job->work != NULL) {
        (void)djp_node_ok(env, napi_delete_async_work(env, job->work));
    }
    djp_node_sdk_release(job->sdk);
    djp_node_ending_release(job->ending);
    free(job->status);
    free(job);
}

static void
shutdown_run(napi_env env, void *data)
{
    (void)env;
    shutdown_job *job = data;
    if (job->ending != NULL) {
        job->delivered = djp_node_ending_run(job->ending, job->timeout_ns, &job->status);
    } else if (job->sdk != NULL) {
        job->delivered = djp_sdk_flush(job->sdk->sdk, job->timeout_ns) == 0;
    }
}

static napi_value
shutdown_result(napi_env env, const shutdown_job *job)
{
    if (!job->stops) {
        return djp_node_boolean(env, job->delivered);
    }
    if (job->ending == NULL) {
        return djp_node_null(env);
    }
    napi_value result = djp_node_object(env);
    djp_node_put(env, result, "delivered", djp_node_boolean(env, job->delivered));
    djp_node_put(env, result, "status", djp_node_string_or_null(env, job->status));
    return result;
}

static void
shutdown_resolve(napi_env env, shutdown_job *job)
{
    napi_value result = shutdown_result(env, job);
    if (result == NULL) {
        result = djp_node_boolean(env, 0);
    }
    if (result != NULL) {
        (void)djp_node_ok(env, napi_resolve_deferred(env, job->deferred, result));
    }
    shutdown_job_free(env, job);
}

static void
shutdown_complete(napi_env env, napi_status status, void *data)
{
    (void)status;
    shutdown_resolve(env, data);
}

static void
shutdown_job_begin(shutdown_job *job, int stops, uint64_t timeout_ns)
{
    job->stops = stops;
    job->timeout_ns = timeout_ns;
    job->delivered = 1; /* nothing active: nothing is undelivered */
    if (stops) {
        job->ending = djp_node_ending_begin();
    } else {
        job->sdk = djp_node_sdk_acquire();
    }
}

static napi_value
shutdown_async(napi_env env, napi_callback_info info, int stops)
{
    napi_value given[1], promise, name;
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    uint64_t timeout_ns = djp_node_timeout(env, given[0]);
    shutdown_job *job = calloc(1, sizeof *job);
    if (job == NULL || !djp_node_ok(env, napi_create_promise(env, &job->deferred, &promise))) {
        free(job);
        return NULL;
    }
    shutdown_job_begin(job, stops, timeout_ns);
    if ((job->ending != NULL || job->sdk != NULL) &&
        djp_node_ok(env, napi_create_string_utf8(env, "djp-telemetry", NAPI_AUTO_LENGTH, &name)) &&
        djp_node_ok(env, napi_create_async_work(env, NULL, name, shutdown_run, shutdown_complete,
                                                job, &job->work)) &&
        djp_node_ok(env, napi_queue_async_work(env, job->work))) {
        return promise;
    }
    shutdown_run(env, job); /* nothing to do, or no thread available */
    shutdown_resolve(env, job);
    return promise;
}

static napi_value
shutdown_sync(napi_env env, napi_callback_info info, int stops)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    shutdown_job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        return NULL;
    }
    shutdown_job_begin(job, stops, djp_node_timeout(env, given[0]));
    shutdown_run(env, job);
    napi_value result = shutdown_result(env, job);
    shutdown_job_free(env, job);
    return result;
}

/* sdkFlush(ms): a promise of whether all ended spans were accepted. */
static napi_value
shutdown_flush(napi_env env, napi_callback_info info)
{
    return shutdown_async(env, info, 0);
}

static napi_value
shutdown_flush_sync(napi_env env, napi_callback_info info)
{
    return shutdown_sync(env, info, 0);
}

/* sdkStop(ms): a promise of {delivered, status}, or of null if nothing was active. */
static napi_value
shutdown_stop(napi_env env, napi_callback_info info)
{
    return shutdown_async(env, info, 1);
}

static napi_value
shutdown_stop_sync(napi_env env, napi_callback_info info)
{
    return shutdown_sync(env, info, 1);
}

/* sdkTakeSignals(): call it after the last listener of a terminating signal was removed. */
static napi_value
shutdown_take_signals(napi_env env, napi_callback_info info)
{
    (void)env;
    (void)info;
    djp_node_signal_take();
    return NULL;
}

void
djp_node_shutdown_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"sdkFlush", shutdown_flush},
        {"sdkFlushSync", shutdown_flush_sync},
        {"sdkStop", shutdown_stop},
        {"sdkStopSync", shutdown_stop_sync},
        {"sdkTakeSignals", shutdown_take_signals},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
