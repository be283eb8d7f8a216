/* HTTP server requests: one measured point feeds the span and the built-in instruments,
 * with the same names and the same rules in every language. The binding finds the
 * method, the route template and the status; what is recorded of them is decided
 * here. Nothing here ever sees a raw path, a header value or a body. */
#ifndef DJP_HTTP_H
#define DJP_HTTP_H

#include "djp/sdk.h"
#include "djp/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What one SDK instance records of requests: interned keys, semantic conventions,
 * known methods, excluded paths. Immutable after its creation; any thread. */
typedef struct djp_http_server djp_http_server;

/* Reads the options of sdk, which it borrows and must not outlive. Returns 0 or
 * DJP_ENOMEM. */
int djp_http_server_new(djp_http_server **out, djp_sdk *sdk);
void djp_http_server_free(djp_http_server *server); /* accepts NULL */

/* 1 when the path is on the list of excluded ones (exact, or a prefix when the entry
 * ends in '*'). Borrows. */
int djp_http_server_excludes(const djp_http_server *server, djp_text path);

/* The label that stands for every request without a route template. */
#define DJP_HTTP_UNMATCHED "unmatched"
/* Status of a request whose client went away, or whose task was cancelled, before a
 * response began. */
#define DJP_HTTP_CLIENT_CLOSED 499

typedef enum djp_http_type {
    DJP_HTTP_REQUEST = 0,
    DJP_HTTP_WEBSOCKET = 1
} djp_http_type;

/* What is known of a request when it begins, for samplers to look at: nothing of it
 * is recorded. Every text is borrowed for the call and may be empty. They see it as
 * http.request.method, url.path, url.scheme and http.route, and under the name
 * "METHOD ROUTE", or "METHOD PATH" where the route is not known yet. */
typedef struct djp_http_request {
    djp_text method, path, scheme, route;
} djp_http_request;
#define DJP_HTTP_REQUEST_INIT            \
    {                                    \
        {NULL, 0}, {NULL, 0}, {NULL, 0}, \
        {                                \
            NULL, 0                      \
        }                                \
    }
/* 1 while the sampler in force wants to know that. */
int djp_http_server_wants_request(const djp_http_server *server);
/* As djp_http_server_start with what is known (may be NULL). */
djp_span *
djp_http_server_start_request(uint64_t *start_ns, djp_http_server *server,
                              djp_http_type type, const djp_span_context *remote,
                              const djp_http_request *request);

/* Starts the SERVER span, which the caller releases, or returns NULL when traces are
 * off. remote is the caller's context (borrowed) or NULL. *start_ns gets the
 * monotonic time of the start in either case. */
djp_span *djp_http_server_start(uint64_t *start_ns, djp_http_server *server,
                                djp_http_type type, const djp_span_context *remote);

/* All that is known at the end. Every text is borrowed for the call. */
typedef struct djp_http_result {
    djp_http_type type;
    djp_text method; /* as received */
    djp_text route; /* the template, never a path; empty: no route matched */
    djp_text scheme; /* "http", "wss"; may be empty */
    djp_text version; /* "1.1", "2"; may be empty */
    /* class of the exception that ended the request; empty: none */
    djp_text error_type;
    int status; /* as sent; 0: no response began */
    int failed; /* 1: the application raised an error */
    int disconnected; /* 1: the client went away before the response was complete */
    int64_t request_bytes; /* -1: unknown */
    uint64_t start_ns; /* from djp_http_server_start */
    uint64_t end_ns; /* monotonic time of the last body byte; 0: now */
} djp_http_result;
/* Nothing is known: an HTTP request without a response. */
#define DJP_HTTP_RESULT_INIT                                                           \
    {                                                                                  \
        DJP_HTTP_REQUEST, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, 0, \
            0, -1, 0, 0                                                                \
    }

/* Ends the span (may be NULL) and records the metrics of a request; a websocket
 * connection has a span only. Returns the status that was recorded: the one sent,
 * else 500 after a failure, else DJP_HTTP_CLIENT_CLOSED. */
int djp_http_server_end(djp_http_server *server, djp_span *span,
                        const djp_http_result *result);

/* Starts the INTERNAL span "http.server.background" beneath span (borrowed, may have
 * ended): work of a request that goes on when its answer is complete, since
 * start_ns. The caller ends and releases it. NULL when span is NULL or traces are
 * off. */
djp_span *
djp_http_server_background(djp_http_server *server, djp_span *span, uint64_t start_ns);

/* Monotonic nanoseconds, the clock of start_ns and end_ns. */
uint64_t djp_http_now(void);

#ifdef __cplusplus
}
#endif
#endif
