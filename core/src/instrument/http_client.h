/* The client instrumentation for its owner, the SDK, and for spans whose start was recorded in an
 * oplog; djp/http_client.h has all others. */
#ifndef DJP_INSTRUMENT_HTTP_CLIENT_H
#define DJP_INSTRUMENT_HTTP_CLIENT_H

#include "djp/http_client.h"
#include "instrument/http_url.h"
#include "trace/span_seed.h"

/* Reads the options; borrows the others, which may be NULL. Returns 0 or DJP_ENOMEM. */
int djp__http_client_new(djp_http_client **out, const djp_options *options, djp_recorder *recorder,
                         djp_builtin *standard);
void djp__http_client_free(djp_http_client *client); /* accepts NULL */

enum { DJP__HTTP_CLIENT_ATTRIBUTES = 9 };
/* A request taken apart; must not be copied. */
typedef struct djp__http_client_request {
    djp_text method; /* known, or the constant for all others */
    djp__http_url url; /* empty: not absolute */
} djp__http_client_request;
void djp__http_client_request_init(djp__http_client_request *out, const djp_http_client *client,
                                   const djp_http_call *call);

/* Input of samplers: the attributes that a span of the request starts with. Borrows from request;
 * returns their number. */
size_t
djp__http_client_sampling(djp_attribute out[DJP__HTTP_CLIENT_ATTRIBUTES],
                          const djp_http_client *client, const djp__http_client_request *request);
/* The name of a span of the method. */
djp_text djp__http_client_name(const djp_http_client *client, djp_text method);

/* As djp_http_client_start, below the parent of options. Borrows all. */
djp_span *djp__http_client_start_as(djp_http_client *client, djp_text method,
                                    const djp_span_options *options, const djp__span_seed *seed);

#endif
