/* The exposition of all metrics, as text or as a Buffer of protobuf, made on the thread of the
 * event loop or on one of the libuv pool. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

typedef struct exposition_job {
    napi_deferred deferred;
    napi_async_work work;
    djp_node_sdk *sdk; /* a reference, or NULL */
    djp_exposition format;
    char *text; /* NULL: no exposition */
    size_t size;
} exposition_job;

static djp_exposition
exposition_format(napi_env env, napi_value accept, int text_only)
{
    djp_node_text text;
    int given = djp_node_text_get(&text, env, accept);
    djp_text header = {given ? text.text.data : NULL, text.text.size};
    djp_exposition format =
        text_only ? djp_exposition_negotiate_text(header) : djp_exposition_negotiate(header);
    djp_node_text_release(&text);
    return format;
}

static void
exposition_begin(exposition_job *job, napi_env env, napi_value accept, int text_only)
{
    job->format = exposition_format(env, accept, text_only);
    job->sdk = djp_node_sdk_acquire();
}

static void
exposition_run(napi_env env, void *data)
{
    (void)env;
    exposition_job *job = data;
    if (job->sdk != NULL && job->sdk->registry != NULL &&
        djp_registry_expose(&job->text, &job->size, job->sdk->registry, job->format) != 0) {
        job->text = NULL;
    }
}

static napi_value
exposition_body(napi_env env, const exposition_job *job)
{
    napi_value body;
    if (((unsigned)job->format & DJP_EXPOSITION_FORMAT) != DJP_PROTOBUF_DELIMITED) {
        return djp_node_string(env, (djp_text){job->text, job->size});
    }
    return djp_node_ok(env, napi_create_buffer_copy(env, job->size, job->text, NULL, &body))
               ? body
               : djp_node_null(env);
}

static napi_value
exposition_result(napi_env env, const exposition_job *job)
{
    if (job->text == NULL) {
        return djp_node_null(env);
    }
    napi_value result = djp_node_object(env);
    djp_node_put_text(env, result, "contentType", djp_exposition_content_type(job->format));
    djp_node_put(env, result, "body", exposition_body(env, job));
    return result;
}

static void
exposition_job_free(napi_env env, exposition_job *job)
{
    if (job->work != NULL) {
        (void)djp_node_ok(env, napi_delete_async_work(env, job->work));
    }
    djp_node_sdk_release(job->sdk);
    djp_free(job->text);
    free(job);
}

static void
exposition_resolve(napi_env env, exposition_job *job)
{
    napi_value result = exposition_result(env, job);
    if (result == NULL) {
        result = djp_node_null(env);
    }
    if (result != NULL) {
        (void)djp_node_ok(env, napi_resolve_deferred(env, job->deferred, result));
    }
    exposition_job_free(env, job);
}

static void
exposition_complete(napi_env env, napi_status status, void *data)
{
    (void)status;
    exposition_resolve(env, data);
}

/* expose(accept): {contentType, body} of a format of text, or null while metrics are off. */
static napi_value
exposition_expose(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    exposition_job *job = calloc(1, sizeof *job);
    if (job == NULL || !djp_node_arguments(env, info, given, 1)) {
        free(job);
        return NULL;
    }
    exposition_begin(job, env, given[0], 1);
    exposition_run(env, job);
    napi_value result = exposition_result(env, job);
    exposition_job_free(env, job);
    return result;
}

/* exposeAsync(accept): a promise of the same in any format. */
static napi_value
exposition_expose_async(napi_env env, napi_callback_info info)
{
    napi_value given[1], promise, name;
    exposition_job *job = calloc(1, sizeof *job);
    if (job == NULL || !djp_node_arguments(env, info, given, 1) ||
        !djp_node_ok(env, napi_create_promise(env, &job->deferred, &promise))) {
        free(job);
        return NULL;
    }
    exposition_begin(job, env, given[0], 0);
    if (job->sdk != NULL &&
        djp_node_ok(env, napi_create_string_utf8(env, "djp-telemetry", NAPI_AUTO_LENGTH, &name)) &&
        djp_node_ok(env, napi_create_async_work(env, NULL, name, exposition_run,
                                                exposition_complete, job, &job->work)) &&
        djp_node_ok(env, napi_queue_async_work(env, job->work))) {
        return promise;
    }
    exposition_run(env, job);
    exposition_resolve(env, job);
    return promise;
}

/* negotiate(accept, textOnly): the content type of the exposition that the header selects. */
static napi_value
exposition_negotiate(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    bool text_only = false;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    (void)napi_get_value_bool(env, given[1], &text_only);
    const char *type = djp_exposition_content_type(exposition_format(env, given[0], text_only));
    return djp_node_string(env, (djp_text){type, strlen(type)});
}

void
djp_node_exposition_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"expose", exposition_expose},
        {"exposeAsync", exposition_expose_async},
        {"negotiate", exposition_negotiate},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
