/* The stand-alone listener of an SDK that runs already: opened once, by whoever asks first. */
#include "djp/sdk.h"
#include "sdk/sdk.h"

/* What the listener at hand says to a wish for port: 0 when that is it, DJP_EEXIST for another one.
 * With the lock held. */
static int
prometheus_endpoint_same(const djp_sdk *sdk, int port)
{
    return djp__prometheus_http_port(sdk->listener) == port ? 0 : DJP_EEXIST;
}

/* A forked child has the parent's listener as memory only. With the lock held; the caller stops
 * what it gets. */
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
    /* Outside of the lock, because a host name may take its time. */
    result = djp__prometheus_http_start(&opened, sdk->registry, host, port, &sdk->diag);
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
