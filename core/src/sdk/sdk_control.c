/* Connects an SDK instance with its control plane: input from the pipeline, notifications, and
 * overrides set by the program. */
#include "djp/error.h"
#include "oplog/oplog.h"
#include "sdk/sdk.h"

static void
sdk_control_read(djp__control_exported *out, void *user)
{
    const djp_sdk *sdk = user;
    out->spans = djp__load_relaxed(&sdk->traces.stats.items_exported);
    out->bytes = djp__load_relaxed(&sdk->traces.stats.wire_bytes);
}

static void
sdk_control_changed(void *user)
{
    djp_sdk *sdk = user;
    djp__oplogs_notify_writers(&sdk->oplogs);
    if (djp__worker_is_running(&sdk->worker)) {
        djp__worker_notify(&sdk->worker);
    }
}

int
djp__sdk_prepare_control(djp_sdk *sdk)
{
    djp__control_host host = {.options = &sdk->options,
                              .diag = &sdk->diag,
                              .recorder = sdk->recorder,
                              .registry = sdk->registry,
                              .exports = sdk->traces.signal != NULL,
                              .read = sdk_control_read,
                              .changed = sdk_control_changed,
                              .user = sdk};
    return djp__control_prepare(&sdk->control, &host);
}

int
djp_sdk_set_enabled(djp_sdk *sdk, int enabled)
{
    return sdk != NULL ? djp__overrides_set_enabled(&sdk->control.overrides, enabled) : DJP_EINVAL;
}

int
djp_sdk_set_sample_ratio(djp_sdk *sdk, double ratio)
{
    return sdk && ratio <= 1 ? djp__overrides_set_ratio(&sdk->control.overrides, ratio)
                             : DJP_EINVAL;
}

int
djp_sdk_set_canary_ratio(djp_sdk *sdk, double ratio)
{
    return sdk && ratio <= 1 ? djp__overrides_set_canary(&sdk->control.overrides, ratio)
                             : DJP_EINVAL;
}
