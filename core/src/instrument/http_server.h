/* For requests whose start was recorded in an oplog; djp/http.h has all others. */
#ifndef DJP_INSTRUMENT_HTTP_SERVER_H
#define DJP_INSTRUMENT_HTTP_SERVER_H

#include "djp/http.h"
#include "trace/span_seed.h"

/* As djp_http_server_new. Reads the options; borrows the others, which may be NULL. */
int djp__http_server_new(djp_http_server **out, const djp_options *options, djp_recorder *recorder,
                         djp_builtin *standard);

enum { DJP__HTTP_SAMPLING_ATTRIBUTES = 4, DJP__HTTP_SAMPLING_NAME = 1024 };
/* Storage for the sampler input of a request. */
typedef struct djp__http_sampling {
    char name[DJP__HTTP_SAMPLING_NAME];
    djp_text name_text;
    djp_attribute attributes[DJP__HTTP_SAMPLING_ATTRIBUTES];
    size_t count;
} djp__http_sampling;
/* Fills out, which borrows from request and server. */
void djp__http_sampling_fill(djp__http_sampling *out, const djp_http_server *server,
                             djp_http_type type, const djp_http_request *request);

/* As djp_http_server_start, with remote and baggage of the options. Borrows all. */
djp_span *djp__http_server_start_as(djp_http_server *server, djp_http_type type,
                                    const djp_span_options *given, const djp__span_seed *seed);

#endif
