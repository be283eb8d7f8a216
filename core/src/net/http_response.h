/* Evaluates an OTLP/HTTP response. Parses untrusted bytes with limits, without allocation. */
#ifndef DJP_NET_HTTP_RESPONSE_H
#define DJP_NET_HTTP_RESPONSE_H

#include "djp/value.h"
#include "net/otlp_response.h"
#include "net/outcome.h"

/* The relevant headers of the last response. Starts zeroed. */
typedef struct djp__http_head {
    char content_type[64]; /* lower case, without parameters */
    uint64_t retry_after_ns;
} djp__http_head;

/* Reads one header line without its line end; a status line restarts. now_unix_ns is for dates in
 * Retry-After. */
void djp__http_head_line(djp__http_head *head, const char *line, size_t size, uint64_t now_unix_ns);
/* Fills result from a complete response. shown: the URL for messages, borrowed. decode: of the
 * signal. */
void djp__http_response(djp__send_result *result, const djp__http_head *head, long status,
                        djp_text body, const char *shown, djp__decode_partial *decode);
/* Splits "Name: value". Returns 0 when there is no colon. */
int djp__http_header_split(djp_text *name, djp_text *value, const char *line, size_t size);
/* Fills message and rejected from a partial success in body, if there is one. Returns 1 if body is
 * valid. */
int djp__send_result_partial(djp__send_result *result, djp_text body, int is_json,
                             const char *shown, djp__decode_partial *decode);

#endif
