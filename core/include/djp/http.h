/* HTTP server requests: one call records both the span and the built-in metrics, with
 * the same names and rules in every language. The binding passes method, route template
 * and status. No raw path, header value or body is recorded. */
#ifndef DJP_HTTP_H
#define DJP_HTTP_H

#include "djp/sdk.h"
#include "djp/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The HTTP instrumentation of one SDK instance: interned keys, semantic conventions,
 * known methods, excluded paths. Immutable. Any thread. */
typedef struct djp_http_server djp_http_server;

/* Reads the options of sdk, which is borrowed and must outlive the server. Returns 0 or
 * DJP_ENOMEM. */
int djp_http_server_new(djp_http_server **out, djp_sdk *sdk);
void djp_http_server_free(djp_http_server *server); /* accepts NULL */

/* Returns 1 if the path is excluded: equal to an entry, or with its prefix if the entry
 * ends in '*'. Borrows. */
int djp_http_server_excludes(const djp_http_server *server, djp_text path);

/* The route label of all requests without a route template. */
#define DJP_HTTP_UNMATCHED "unmatched"
/* Status of a request whose client disconnected, or whose task was cancelled, before a
 * response began. */
#define DJP_HTTP_CLIENT_CLOSED 499

typedef enum djp_http_type {
    DJP_HTTP_REQUEST = 0,
    DJP_HTTP_WEBSOCKET = 1
} djp_http_type;

/* Request data for samplers and settings, not recorded otherwise. Each text is borrowed
 * for the call and may be empty. A sampler sees http.request.method, url.path,
 * url.scheme, http.route, and the span name "METHOD ROUTE", or "METHOD PATH" without a
 * route. */
typedef struct djp_http_request {
    djp_text method, path, scheme, route;
    /* as received, for the setting baggage_attributes; NULL: none */
    const djp_baggage *baggage;
} djp_http_request;
#define DJP_HTTP_REQUEST_INIT                             \
    {                                                     \
        {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, \
    }
/* Returns 1 while the active sampler or a setting uses a djp_http_request. */
int djp_http_server_wants_request(const djp_http_server *server);
/* djp_http_server_start with request data for samplers; request may be NULL. */
djp_span *
djp_http_server_start_request(uint64_t *start_ns, djp_http_server *server,
                              djp_http_type type, const djp_span_context *remote,
                              const djp_http_request *request);

/* Starts the SERVER span, which the caller releases; returns NULL when traces are off.
 * remote (borrowed, may be NULL) is the remote parent. Sets *start_ns to the monotonic
 * start time in both cases. */
djp_span *djp_http_server_start(uint64_t *start_ns, djp_http_server *server,
                                djp_http_type type, const djp_span_context *remote);

/* The result of a request. Each text is borrowed for the call. */
typedef struct djp_http_result {
    djp_http_type type;
    djp_text method; /* as received */
    djp_text route; /* the template, not the path; empty: no route matched */
    djp_text scheme; /* "http", "wss"; may be empty */
    djp_text version; /* "1.1", "2"; may be empty */
    /* class of the exception that ended the request; empty: none */
    djp_text error_type;
    int status; /* as sent; 0: no response began */
    int failed; /* 1: the application raised an error */
    int disconnected; /* 1: the client disconnected before the response was complete */
    int64_t request_bytes; /* -1: unknown */
    uint64_t start_ns; /* from djp_http_server_start */
    uint64_t end_ns; /* monotonic time of the last body byte; 0: now */
} djp_http_result;
/* An HTTP request without a response and without known details. */
#define DJP_HTTP_RESULT_INIT                                                           \
    {                                                                                  \
        DJP_HTTP_REQUEST, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0, \
            0, -1, 0, 0                                                                \
    }

/* Ends the span (may be NULL) and records the metrics of an HTTP request; a websocket
 * has only a span. Returns the recorded status: the status sent, else 500 after a
 * failure, else DJP_HTTP_CLIENT_CLOSED. */
int djp_http_server_end(djp_http_server *server, djp_span *span,
                        const djp_http_result *result);

/* Starts the INTERNAL span "http.server.background" as a child of span (borrowed, may
 * have ended), for work that goes on after the response was complete. start_ns is its
 * monotonic start time. The caller ends and releases it. Returns NULL if span is NULL
 * or traces are off. */
djp_span *
djp_http_server_background(djp_http_server *server, djp_span *span, uint64_t start_ns);

/* Returns monotonic nanoseconds, for start_ns and end_ns. */
uint64_t djp_http_now(void);

#ifdef __cplusplus
}
#endif
#endif
