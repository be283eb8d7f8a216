/* The state of the OTLP transport and its lanes: each lane has one request at a time on a separate
 * connection. Used by the sending thread. */
#ifndef DJP_EXPORT_OTLP_LANE_H
#define DJP_EXPORT_OTLP_LANE_H

#include "base/atomic.h"
#include "net/curl_global.h"
#include "net/curl_headers.h"
#include "net/curl_session.h"
#include "net/curl_target.h"
#include "net/grpc_response.h"
#include "net/destination.h"
#include "net/gzip.h"
#include "net/http_response.h"
#include "export/transport.h"

enum { DJP__OTLP_SHOWN_MAX = 120 };

typedef enum djp__otlp_phase {
    DJP__OTLP_IDLE,
    DJP__OTLP_FIRST, /* possibly on a reused connection */
    DJP__OTLP_REPEATED, /* on a new one, because the reused one was dead */
    DJP__OTLP_PROBING /* the request has failed, and a probe tests for the reason */
} djp__otlp_phase;

typedef enum djp__otlp_ending {
    DJP__OTLP_DONE,
    DJP__OTLP_ABORTED,
    DJP__OTLP_TIMED_OUT
} djp__otlp_ending;

struct djp__otlp_transport;

typedef struct djp__otlp_lane {
    struct djp__otlp_transport *transport;
    unsigned number;
    djp__otlp_phase phase;
    int is_warm; /* the last call left a reusable connection */
    djp__buf wire; /* frame and compressed bytes of the current request */
    djp__send_job job;
    uint64_t deadline; /* of the current exchange */
    djp__curl_exchange exchange;
    djp__curl_exchange probe;
    struct curl_slist encoding_node;
    struct curl_slist timeout_node;
    char timeout[40];
    djp__http_head http;
    djp__grpc_head grpc;
} djp__otlp_lane;

typedef struct djp__otlp_transport {
    djp__transport base;
    djp__destination destination; /* its texts are borrowed */
    djp__diagnostics *diag; /* borrowed */
    char *user_agent;
    djp__curl_target target;
    char shown[DJP__OTLP_SHOWN_MAX + 1];
    djp__curl_headers headers;
    djp__gzip *gzip; /* NULL without compression */
    djp__curl_session *session; /* the sending thread's */
    djp__otlp_lane *lanes;
    unsigned lane_count;
    unsigned busy; /* lanes that are not idle */
    /* the thread with a session, for otlp_wake; 0: none. release/acquire */
    DJP__ATOMIC(pid_t) sender;
    int breaks_reuse; /* see djp__curl_breaks_reuse; also set when libcurl shows it */
    /* the receiver has accepted or rejected a request in this protocol */
    int has_arrived;
    int speaks_http; /* it responded to a plain request in HTTP/1.1, and to none in gRPC so far */
    DJP__ATOMIC(uint64_t) probed; /* djp__every_minute guard of that request */
    int has_failed; /* the last call did not reach the receiver */
    int is_retiring; /* replace the session when no lane uses it */
    int is_sending; /* written by the worker; read in a forked child, which has no worker */
    int reported_ignored_headers;
    DJP__ATOMIC(uint64_t) warned; /* guard of the once-a-minute warning */
} djp__otlp_transport;

/* Starts a request on an idle lane of a transport with a session; 0 and a result without memory. */
int djp__otlp_lane_begin(djp__otlp_lane *lane, const djp__send_job *job, djp__send_result *result);
/* Ends the exchange of a busy lane. 1 and a result: the lane is idle; 0: the request continues in
 * another exchange. */
int djp__otlp_lane_end(djp__otlp_lane *lane, djp__otlp_ending ending, djp__send_result *result);
/* In a forked child: the fork may have interrupted the growth of buffers, so they are discarded
 * without a free. */
void djp__otlp_lane_discard(djp__otlp_lane *lane);

#endif
