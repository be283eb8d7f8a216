/* The operation logs of an instance: attachment, replay for waiting callers, and reports. */
#include "base/clock.h"
#include "djp/oplog.h"
#include "instrument/http_server.h"
#include "sdk/sdk.h"

enum { SDK_OPLOGS__ROOM_PAUSE_NS = 2000000, SDK_OPLOGS__CATCH_UP_NS = 50000000 };

static int
sdk_oplogs_is_open(void *sdk)
{
    return djp__worker_is_open(&((djp_sdk *)sdk)->worker);
}

static int
sdk_oplogs_wake(void *sdk)
{
    djp__sdk_wake(sdk);
    return djp__worker_is_running(&((djp_sdk *)sdk)->worker);
}

void
djp__sdk_oplogs_init(djp_sdk *sdk)
{
    const djp__oplog_host host = {
        .options = &sdk->options,
        .recorder = sdk->recorder,
        .registry = sdk->registry,
        .standard = sdk->standard,
        .http_client = sdk->http_client,
        .operations = sdk->operations,
        .ring = sdk->traces.signal != NULL ? djp__recorder_ring(sdk->recorder) : NULL,
        .ref = djp__sdk_ref,
        .unref = djp__sdk_unref,
        .is_open = sdk_oplogs_is_open,
        .wake = sdk_oplogs_wake,
        .user = sdk};
    sdk->oplogs.host = host;
}

int
djp_oplog_attach(djp_oplog *log, djp_sdk *sdk)
{
    return log && sdk != NULL ? djp__oplogs_attach(&sdk->oplogs, log) : DJP_EINVAL;
}

int
djp__sdk_replay(djp_sdk *sdk, uint64_t deadline)
{
    while (djp__oplogs_replay(&sdk->oplogs, 1) & DJP__OPLOGS_LEFT) {
        uint64_t now = djp__clock_monotonic();
        if (now >= deadline || sdk->traces.signal == NULL || !sdk_oplogs_wake(sdk)) {
            return 1; /* without a thread no space becomes free */
        }
        djp__mutex_lock(&sdk->worker.mutex);
        djp__cond_wait(&sdk->worker.changed, &sdk->worker.mutex, now + SDK_OPLOGS__ROOM_PAUSE_NS);
        djp__mutex_unlock(&sdk->worker.mutex);
    }
    return 0;
}

void
djp__sdk_catch_up(djp_sdk *sdk)
{
    /* The worker itself makes space, and cannot wait for it. */
    uint64_t patience = djp__worker_is_this(&sdk->worker) ? 0 : SDK_OPLOGS__CATCH_UP_NS;
    djp__sdk_replay(sdk, djp__clock_monotonic() + patience);
}

void
djp__sdk_report_scopes(djp_sdk *sdk)
{
    if (djp__load_relaxed(&sdk->oplogs.scopes_full) && djp__once(&sdk->scopes_reported)) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "The process has used %u different tracers; spans of further tracers have no "
                  "scope. Give tracers "
                  "fixed names.",
                  DJP_SCOPE_LIMIT - 1);
    }
}

int
djp_http_server_new(djp_http_server **out, djp_sdk *sdk)
{
    return djp__http_server_new(out, &sdk->options, sdk->recorder, sdk->standard);
}
