/* The destination of requests: one receiver of one signal, or another server. Everything is
 * borrowed for the lifetime of its users; a NULL text counts as "". */
#ifndef DJP_NET_DESTINATION_H
#define DJP_NET_DESTINATION_H

#include "djp/config.h"
#include "net/otlp_response.h"

typedef struct djp__destination {
    djp_protocol protocol;
    /* complete URL for HTTP, scheme://host:port for gRPC, unix:path; a scheme may be missing */
    const char *endpoint;
    const char *http_path; /* for a Unix socket, whose address has no path; may be "" */
    const char *grpc_method; /* "/package.Service/Method", appended to the path of the endpoint */
    djp__decode_partial *decode_partial; /* of its responses */
    const char *headers; /* "Name: value" lines joined by "\n"; secret, never logged */
    int compress; /* 1: gzip */
    int insecure; /* gRPC to an endpoint without a scheme: 1 means http */
    const char *certificate; /* PEM path of authorities */
    const char *extra_certificate; /* PEM path of additional ones */
    const char *client_key, *client_certificate; /* PEM paths */
    /* by the scheme of the endpoint; secret, may hold a password */
    const char *http_proxy, *https_proxy;
    const char *no_proxy; /* hosts reached without a proxy; loopback always is */
    uint64_t max_request_bytes; /* 0: no limit */
    uint64_t max_response_bytes; /* 0: the session's own limit */
    unsigned concurrency; /* limit of concurrent requests; 0 counts as 1 */
} djp__destination;

#endif
