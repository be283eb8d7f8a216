/* OTLP responses: partial success, google.rpc.Status with RetryInfo, Retry-After. Parses untrusted
 * bytes: limited size and recursion, fuzzed. */
#ifndef DJP_NET_OTLP_RESPONSE_H
#define DJP_NET_OTLP_RESPONSE_H

#include "djp/value.h"

typedef struct djp__partial {
    int64_t rejected;
    char message[256]; /* cut, valid UTF-8 */
} djp__partial;

/* Parses the partial success of a response, as protobuf or JSON. Returns 1 and fills out if it is
 * valid (empty: full success). Borrows data. */
typedef int djp__decode_partial(djp__partial *out, const void *data, size_t size, int is_json);
/* ExportTraceServiceResponse. */
djp__decode_partial djp__response_partial;
/* The response of any signal; rejected_name is the JSON name of the count of rejected items, such
 * as "rejectedSpans". */
int djp__response_partial_named(djp__partial *out, const void *data, size_t size, int is_json,
                                const char *rejected_name);
/* google.rpc.Status (protobuf): message text and RetryInfo. Returns 1 if it is valid; *retry_ns is
 * UINT64_MAX without RetryInfo. */
int djp__response_status(char *message, size_t message_size, uint64_t *retry_ns, const void *data,
                         size_t size);
/* grpc-status-details-bin: base64 of a google.rpc.Status. */
int djp__response_status_details(char *message, size_t message_size, uint64_t *retry_ns,
                                 djp_text base64);
/* Retry-After: delta-seconds or HTTP-date, relative to now. Returns 1 and the delay, capped at one
 * hour. */
int djp__retry_after(uint64_t *delay_ns, djp_text value, uint64_t now_unix_ns);
/* grpc-message: percent-decoded into out, valid UTF-8, cut. */
void djp__grpc_message(char *out, size_t out_size, djp_text value);

#endif
