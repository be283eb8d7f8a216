/* The Prometheus endpoint, GET /metrics: a native thread, independent of the interpreter and the
 * event loop. */
#ifndef DJP_EXPORT_PROMETHEUS_HTTP_H
#define DJP_EXPORT_PROMETHEUS_HTTP_H

#include "base/diag.h"
#include "djp/metrics.h"

typedef struct djp__prometheus_http djp__prometheus_http;

/* A token other than NULL and "" (copied): a request needs the header `Authorization: Bearer
 * TOKEN`, or is answered with 401. Listens on host (an address or a name; NULL or "": 127.0.0.1)
 * and port (0: any free one). If another process that shares the metrics has the port, waits for
 * its end, silently, and then takes it. Borrows registry and diag until stop. Returns 0, DJP_EINVAL
 * for an invalid host, DJP_EIO for an unavailable port (both with one warning), DJP_ENOMEM or
 * DJP_ETHREAD. Fork: the child does not own the endpoint. Its copy of the socket is closed, and
 * does not affect the parent's; djp__prometheus_http_stop in the child only frees memory. */
int djp__prometheus_http_start(djp__prometheus_http **out, djp_registry *registry, const char *host,
                               int port, const char *token, djp__diagnostics *diag);
/* The actual port; 0 for NULL and in a forked child. */
int djp__prometheus_http_port(const djp__prometheus_http *endpoint);
/* Completes requests in progress, closes the socket, ends the thread. Accepts NULL. */
void djp__prometheus_http_stop(djp__prometheus_http *endpoint);

#endif
