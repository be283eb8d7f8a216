/* The worker's look at the world, once a second: reads the counters, lets the controller calculate, and puts the ratio in force. */
#include "pipeline/control.h"

#include <string.h>

#include "pipeline/pipeline.h"

#define CONTROL__STEP_NS 1000000000ull

void
djp__control_init(djp_sdk *sdk)
{
    const djp_options *options = &sdk->options;
    int wanted = options->target_spans_per_second > 0 || options->target_bytes_per_second > 0;
    sdk->control.next = UINT64_MAX;
    if (wanted && (options->sampler == DJP_SAMPLER_TREE || options->sampler == DJP_SAMPLER_JAEGER_REMOTE)) {
        djp__diag(&sdk->diag, DJP_LOG_WARN,
                  "A target of spans or bytes a second has no effect beside a tree of samplers or a sampling server, "
                  "which leave no ratio to steer. Use rate_limited(..) or the server's limits, or remove the target.");
        wanted = 0;
    }
    if (wanted && sdk->transport && options->sample_ratio > 0) {
        sdk->control.next = 0;
        djp__adaptive_init(&sdk->control.adaptive, (double)options->target_spans_per_second,
                           (double)options->target_bytes_per_second, options->sample_ratio);
    }
}

/* Of a span on the wire, as far as is known; records in the ring are about as long. */
static double
control_span_bytes(const djp_sdk *sdk, uint64_t kept)
{
    uint64_t sent = djp_load_relaxed(&sdk->stats.spans_exported);
    if (sent > 0) {
        return (double)djp_load_relaxed(&sdk->stats.wire_bytes) / (double)sent;
    }
    return kept > 0 ? (double)djp__ring_written(sdk->ring) / (double)kept : 0;
}

static void
control_load(djp_adaptive_load *out, const djp_sdk *sdk)
{
    djp_recorder_counters counters;
    djp__recorder_counters(&counters, sdk->recorder);
    out->head = counters.kept_ratio + counters.kept_always;
    out->failed = counters.kept_error;
    out->other = counters.kept_error + counters.kept_slow + counters.kept_parent + counters.kept_rule +
                 counters.kept_slowest + counters.kept_rare;
    out->ended = counters.ended;
    out->span_bytes = control_span_bytes(sdk, out->head + out->other);
}

void
djp__control_tick(djp_sdk *sdk, uint64_t now)
{
    djp_control *control = &sdk->control;
    djp__switch_look(sdk, now);
    djp__remote_tick(sdk, now);
    if (now < control->next) {
        return;
    }
    djp_adaptive_load load;
    control_load(&load, sdk);
    int quiet = load.ended == control->adaptive.last.ended;
    double ratio = djp__adaptive_step(&control->adaptive, now, djp__switch_ratio(sdk), &load);
    control->next = now + CONTROL__STEP_NS;
    control->idle = quiet && ratio >= 1;
    djp__switch_aim(sdk, ratio);
}

uint64_t
djp__control_next(const djp_sdk *sdk)
{
    uint64_t step = sdk->control.idle ? UINT64_MAX : sdk->control.next;
    step = step < sdk->toggle.look_next ? step : sdk->toggle.look_next;
    return step < djp__remote_next(sdk) ? step : djp__remote_next(sdk);
}
