/* The stand-alone Prometheus endpoint, GET /metrics: a native thread that answers scrapes while the
 * interpreter or the event loop is busy. */
#ifndef DJP_EXPORT_PROMETHEUS_HTTP_H
#define DJP_EXPORT_PROMETHEUS_HTTP_H

#include "base/diag.h"
#include "djp/metrics.h"

typedef struct djp__prometheus_http djp__prometheus_http;

/* Listens on host (a numeric address or a name; NULL or "": 127.0.0.1) and port (0: any free one).
 * Borrows registry and diag until stop. DJP_EINVAL for a bad host, DJP_EIO when the port cannot be
 * had (both with one warning), DJP_ENOMEM, DJP_ETHREAD.
 *
 * Fork: the child does not own the endpoint. Its copy of the socket is closed in the child, which
 * neither answers nor disturbs scrapes; djp__prometheus_http_stop in the child only gives back
 * memory. */
int djp__prometheus_http_start(djp__prometheus_http **out, djp_registry *registry, const char *host,
                               int port, djp_diag *diag);
/* The port really in use; 0 for NULL and in a forked child. */
int djp__prometheus_http_port(const djp__prometheus_http *endpoint);
/* Answers what is under way, closes the socket, ends the thread. Accepts NULL. */
void djp__prometheus_http_stop(djp__prometheus_http *endpoint);

#endif
