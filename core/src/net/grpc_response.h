/* A gRPC response over HTTP/2: its headers and trailers, and what they mean. Parses untrusted bytes
 * with limits. */
#ifndef DJP_NET_GRPC_RESPONSE_H
#define DJP_NET_GRPC_RESPONSE_H

#include "djp/value.h"
#include "net/otlp_response.h"
#include "net/outcome.h"

/* The relevant headers and trailers. Starts as DJP__GRPC_HEAD_INIT. */
typedef struct djp__grpc_head {
    int has_status;
    int is_grpc; /* by its content type */
    int is_cut; /* the status was lost in transit and derived otherwise */
    uint32_t status;
    char message[256];
    uint64_t retry_ns; /* RetryInfo; UINT64_MAX without one */
} djp__grpc_head;
#define DJP__GRPC_HEAD_INIT        \
    {                              \
        0, 0, 0, 0, "", UINT64_MAX \
    }

/* Reads one header or trailer line without its line end; a status line restarts. */
void djp__grpc_head_line(djp__grpc_head *head, const char *line, size_t size);
/* Fills result from a complete response. http_status is that of the HTTP/2 response; decode that of
 * the signal. */
void djp__grpc_response(djp__send_result *result, const djp__grpc_head *head, long http_status,
                        djp_text body, const char *shown, djp__decode_partial *decode);

#endif
