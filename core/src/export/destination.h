/* Destinations from the settings: endpoint, headers, compression, certificates and protocol of each
 * signal, as in the OTLP exporter specification. */
#ifndef DJP_EXPORT_DESTINATION_H
#define DJP_EXPORT_DESTINATION_H

#include "net/destination.h"

/* The part of an address that depends on the signal. Borrowed texts. */
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
/* The receiver of metrics; proxies, additional authorities and sizes are those of traces. */
djp__destination djp__destination_of_metrics(const djp_options *options, const djp__route *route);

#endif
