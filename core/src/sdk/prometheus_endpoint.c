/* The Prometheus endpoint of a running SDK: opened by the first request. */
#include "djp/sdk.h"
#include "sdk/sdk.h"

/* Compares the open endpoint with a requested port: 0 if equal, else DJP_EEXIST. The lock is
 * held. */
static int
prometheus_endpoint_same(const djp_sdk *sdk, int port)
{
    return djp__prometheus_http_port(sdk->listener) == port ? 0 : DJP_EEXIST;
}

/* A forked child inherits only the memory of the parent's endpoint. The lock is held; the caller
 * stops the result. */
static djp__prometheus_http *
prometheus_endpoint_take_inherited(djp_sdk *sdk)
{
    djp__prometheus_http *inherited = NULL;
    if (sdk->listener && djp__prometheus_http_port(sdk->listener) == 0) {
        inherited = sdk->listener;
        sdk->listener = NULL;
    }
    return inherited;
}

int
djp_sdk_listen(djp_sdk *sdk, const char *host, int port)
{
    djp__prometheus_http *opened = NULL;
    if (!sdk->registry) {
        return DJP_EUNSUPPORTED;
    }
    if (port <= 0 || port > 65535) {
        return DJP_EINVAL;
    }
    djp__mutex_lock(&sdk->worker.mutex);
    djp__prometheus_http *inherited = prometheus_endpoint_take_inherited(sdk);
    int open = sdk->worker.phase == DJP__PHASE_OPEN, there = sdk->listener != NULL;
    int result = !open ? DJP_ESHUTDOWN : there ? prometheus_endpoint_same(sdk, port) : 0;
    djp__mutex_unlock(&sdk->worker.mutex);
    djp__prometheus_http_stop(inherited);
    if (result != 0 || there) {
        return result;
    }
    /* Without the lock: resolving a host name may block. */
    result = djp__prometheus_http_start(&opened, sdk->registry, host, port,
                                        sdk->options.prometheus_token, &sdk->diag);
    if (result != 0) {
        return result;
    }
    djp__mutex_lock(&sdk->worker.mutex);
    if (sdk->worker.phase != DJP__PHASE_OPEN) {
        result = DJP_ESHUTDOWN;
    } else if (sdk->listener) {
        result = prometheus_endpoint_same(sdk, port);
    } else {
        sdk->listener = opened;
        opened = NULL;
    }
    djp__mutex_unlock(&sdk->worker.mutex);
    djp__prometheus_http_stop(opened);
    return result;
}
