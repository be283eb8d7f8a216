/* Requests of the middleware: excluded paths, paths as labels, and the built-in instruments. */
#include <stdlib.h>
#include <string.h>

#include "binding.h"

#define HTTP_MARKS 4294967296.0 /* numbers of enterRequest per start of the SDK */

/* normalisePath(path): a path as a label. */
static napi_value
http_normalise_path(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_node_text path;
    char out[2048];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    (void)djp_node_text_get(&path, env, given[0]);
    size_t size = djp_path_normalise(out, sizeof out, path.text);
    djp_node_text_release(&path);
    return djp_node_string(env, (djp_text){out, size});
}

/* excludesPath(path): whether the active SDK excludes requests for this path. */
static napi_value
http_excludes_path(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    djp_node_text path;
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    (void)djp_node_text_get(&path, env, given[0]);
    int excluded = sdk != NULL && djp_http_server_excludes(sdk->http, path.text);
    djp_node_text_release(&path);
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, excluded);
}

/* recordHttpRequest(method, endpoint, status, seconds, bytes, words): records a request in the
 * built-in instruments; whether it was accepted. An invalid duration is counted as dropped and the
 * request is still counted. words (optional): the span context of an exemplar. */
static napi_value
http_record_request(napi_env env, napi_callback_info info)
{
    napi_value given[6];
    djp_node_text method, endpoint;
    djp_span_context context;
    if (!djp_node_arguments(env, info, given, 6)) {
        return NULL;
    }
    double seconds = djp_node_number(env, given[3], -1), bytes = djp_node_number(env, given[4], -1);
    const int32_t *words = djp_node_words(env, given[5], 7);
    int traced = words != NULL && djp_node_context_from_words(&context, words);
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    (void)djp_node_text_get(&method, env, given[0]);
    (void)djp_node_text_get(&endpoint, env, given[1]);
    int taken = sdk != NULL && sdk->standard != NULL;
    if (taken) {
        djp_builtin_http_request(
            sdk->standard, method.text, endpoint.text, djp_node_int(env, given[2], 0),
            seconds >= 0 && seconds < 1e9 ? (uint64_t)(seconds * 1e9) : DJP_DURATION_UNKNOWN,
            bytes >= 0 && bytes < 9e18 ? (int64_t)bytes : -1, traced ? &context : NULL);
    }
    djp_node_text_release(&method);
    djp_node_text_release(&endpoint);
    djp_node_sdk_release(sdk);
    return djp_node_boolean(env, taken);
}

/* enterRequest(method, scheme): counts a request that begins as active; a number for leaveRequest,
 * 0 if it is not counted. */
static napi_value
http_enter_request(napi_env env, napi_callback_info info)
{
    napi_value given[2];
    djp_node_text method, scheme;
    if (!djp_node_arguments(env, info, given, 2)) {
        return NULL;
    }
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    (void)djp_node_text_get(&method, env, given[0]);
    (void)djp_node_text_get(&scheme, env, given[1]);
    uint32_t mark =
        sdk != NULL ? djp_builtin_http_enter(sdk->standard, method.text, scheme.text) : 0;
    double start = mark != 0 ? (double)sdk->epoch : 0;
    djp_node_text_release(&method);
    djp_node_text_release(&scheme);
    djp_node_sdk_release(sdk);
    return djp_node_double(env, start * HTTP_MARKS + mark);
}

/* leaveRequest(number): the request has ended. A number of an earlier start changes nothing. */
static napi_value
http_leave_request(napi_env env, napi_callback_info info)
{
    napi_value given[1];
    if (!djp_node_arguments(env, info, given, 1)) {
        return NULL;
    }
    double number = djp_node_number(env, given[0], 0);
    djp_node_sdk *sdk = djp_node_sdk_acquire();
    double start = sdk != NULL ? (double)sdk->epoch * HTTP_MARKS : 0;
    if (sdk != NULL && number > start && number < start + HTTP_MARKS) {
        djp_builtin_http_leave(sdk->standard, (uint32_t)(number - start));
    }
    djp_node_sdk_release(sdk);
    return NULL;
}

void
djp_node_http_exports(napi_env env, napi_value exports)
{
    static const djp_node_function functions[] = {
        {"normalisePath", http_normalise_path},     {"excludesPath", http_excludes_path},
        {"recordHttpRequest", http_record_request}, {"enterRequest", http_enter_request},
        {"leaveRequest", http_leave_request},
    };
    DJP_NODE_FUNCTIONS(env, exports, functions);
}
