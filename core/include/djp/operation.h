/* Operations that have ended and whose duration the caller measured: jobs, calls of
 * other services, and HTTP requests without middleware. One call records the span,
 * which ends now, and the built-in metrics, with the same names in every language. */
#ifndef DJP_OPERATION_H
#define DJP_OPERATION_H

#include "djp/sdk.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The recorders of one SDK instance. Immutable. Any thread. */
typedef struct djp_operations djp_operations;

/* Borrows from sdk. */
djp_operations *djp_sdk_operations(djp_sdk *sdk);

/* Each text is borrowed for the call. A duration that is negative or not finite is left
 * out of the span, and counts as a dropped recording of the metrics. parent, remote
 * (borrowed, may be NULL): as in djp_span_options. */

typedef struct djp_job {
    djp_text queue, type;
    double seconds;
    int failed;
    djp_text error_type; /* class of the error, never a message; empty: unknown */
} djp_job;
/* Records the span job.run, queue_job_latency_seconds and, for a failure,
 * queue_job_failures_total. */
void djp_job_record(djp_operations *operations, const djp_job *job, djp_span *parent,
                    const djp_span_context *remote);

typedef struct djp_external_call {
    djp_text service, operation;
    double seconds;
    int failed;
    int status; /* HTTP status of the response; 0: unknown */
} djp_external_call;
/* Records the client span external.api.call, external_api_calls_total,
 * external_api_duration_seconds and, for a failure, external_api_errors_total. */
void djp_external_call_record(djp_operations *operations, const djp_external_call *call,
                              djp_span *parent, const djp_span_context *remote);

typedef struct djp_ended_request {
    djp_text method, route; /* the template, not the path */
    int status; /* 0: unknown */
    double seconds;
} djp_ended_request;
/* Records the server span http.server, which is an error from status 500 on, and the
 * metrics of djp_builtin_http_request. djp/http.h is for requests that are measured
 * here. */
void
djp_ended_request_record(djp_operations *operations, const djp_ended_request *request,
                         djp_span *parent, const djp_span_context *remote);

#ifdef __cplusplus
}
#endif
#endif
