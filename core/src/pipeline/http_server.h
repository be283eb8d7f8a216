/* Requests whose beginning was noted elsewhere; see djp/http.h for all others. */
#ifndef DJP_PIPELINE_HTTP_SERVER_H
#define DJP_PIPELINE_HTTP_SERVER_H

#include "djp/http.h"
#include "trace/span_seed.h"

/* As djp_http_server_start. Borrows all. */
djp_span *djp__http_server_start_as(djp_http_server *server, djp_http_type type, const djp_span_context *remote,
                                    const djp_span_seed *seed);

#endif
