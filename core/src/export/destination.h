/* The destinations that the settings name. A signal has its own endpoint, headers, compression,
 * certificates and protocol, as the OTLP exporter specification has them; this is where they are
 * chosen. */
#ifndef DJP_EXPORT_DESTINATION_H
#define DJP_EXPORT_DESTINATION_H

#include "net/destination.h"

/* What a signal adds to an address. Borrowed texts. */
typedef struct djp__route {
    const char *http_path; /* "/v1/traces" */
    const char *grpc_method; /* "/opentelemetry.proto.collector.trace.v1.TraceService/Export" */
    djp__decode_partial *decode_partial;
} djp__route;

#define DJP__ROUTE_TRACES                                                            \
    {                                                                                \
        "/v1/traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export", \
            djp__response_partial                                                    \
    }

/* The receiver of spans. Borrows the texts of options and route. */
djp__destination djp__destination_of_traces(const djp_options *options, const djp__route *route);

#endif
