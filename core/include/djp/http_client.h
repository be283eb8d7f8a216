/* HTTP client requests: one start and one end record the span and the histogram
 * http_client_request_duration_seconds, with the same names and rules in every
 * language. The binding passes method, URL, status and error. Credentials, fragments
 * and values of a query are never recorded. */
#ifndef DJP_HTTP_CLIENT_H
#define DJP_HTTP_CLIENT_H

#include "djp/sdk.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The client instrumentation of one SDK instance. Immutable. Any thread. */
typedef struct djp_http_client djp_http_client;

/* Borrows from sdk. */
djp_http_client *djp_sdk_http_client(djp_sdk *sdk);

/* A request as it is sent. Each text is borrowed for the call. */
typedef struct djp_http_call {
    djp_text method;
    djp_text url; /* absolute, as "https://host:8443/path?query" */
    /* empty, or the target of the request line, which replaces path and query of url:
     * "/path?query", or the absolute URL of a request to a proxy */
    djp_text target;
} djp_http_call;
#define DJP_HTTP_CALL_INIT    \
    {                         \
        {NULL, 0}, {NULL, 0}, \
        {                     \
            NULL, 0           \
        }                     \
    }

/* Starts the CLIENT span, which the caller releases; returns NULL when traces are off.
 * parent, remote (borrowed, may be NULL): as in djp_span_options. Sets *start_ns to the
 * monotonic start time in both cases. */
djp_span *djp_http_client_start(uint64_t *start_ns, djp_http_client *client,
                                const djp_http_call *call, djp_span *parent,
                                const djp_span_context *remote);

/* The result of a request. Each text is borrowed for the call. */
typedef struct djp_http_call_result {
    int status; /* as received; 0: no response began */
    uint32_t resend_count; /* how often the request was sent again */
    djp_text version; /* "1.1", "HTTP/2"; empty: unknown */
    /* class or code of the error that ended the request; empty: none. Low cardinality
     */
    djp_text error_type;
    djp_text error_message; /* status description of the span; may be empty */
    int cancelled; /* 1: the caller cancelled the request: the error does not count */
    uint64_t start_ns; /* from djp_http_client_start */
    uint64_t end_ns; /* monotonic; 0: now */
} djp_http_call_result;
/* A request without a response and without an error. */
#define DJP_HTTP_CALL_RESULT_INIT                      \
    {                                                  \
        0, 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0, 0 \
    }

/* Sets the attributes of the span (may be NULL), ends it, and records the duration. A
 * status of 400 or more is an error, whose type is the status unless error_type is
 * given. */
void djp_http_client_end(djp_http_client *client, djp_span *span,
                         const djp_http_call *call, const djp_http_call_result *result);

#ifdef __cplusplus
}
#endif
#endif
