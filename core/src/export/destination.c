/* Creates destinations from the settings. Copies no text. */
#include "export/destination.h"

djp__destination
djp__destination_of_traces(const djp_options *options, const djp__route *route)
{
    return (djp__destination){
        .protocol = options->protocol,
        .endpoint = options->endpoint,
        .http_path = route->http_path,
        .grpc_method = route->grpc_method,
        .decode_partial = route->decode_partial,
        .headers = options->headers,
        .compress = options->compress,
        .insecure = options->insecure,
        .certificate = options->certificate,
        .extra_certificate = options->extra_certificate,
        .client_key = options->client_key,
        .client_certificate = options->client_certificate,
        .http_proxy = options->http_proxy,
        .https_proxy = options->https_proxy,
        .no_proxy = options->no_proxy,
        .max_request_bytes = options->max_request_bytes,
        .max_response_bytes = options->max_response_bytes,
        .concurrency = options->export_concurrency > UINT32_MAX
                           ? UINT32_MAX
                           : (unsigned)options->export_concurrency,
    };
}

djp__destination
djp__destination_of_metrics(const djp_options *options, const djp__route *route)
{
    djp__destination destination = djp__destination_of_traces(options, route);
    destination.protocol = options->metrics_protocol;
    destination.endpoint = options->metrics_endpoint;
    destination.headers = options->metrics_headers;
    destination.compress = options->metrics_compress;
    destination.insecure = options->metrics_insecure;
    destination.certificate = options->metrics_certificate;
    destination.client_key = options->metrics_client_key;
    destination.client_certificate = options->metrics_client_certificate;
    return destination;
}
