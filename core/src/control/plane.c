/* The worker's look at the world, once a second: reads the counters, keeps the account of what telemetry costs, lets the controller calculate, and puts the
 * ratio in force. */
#include "control/plane.h"

#include <math.h>
#include <string.h>

#include "pipeline/pipeline.h"

#define CONTROL__STEP_NS 1000000000ull
#define CONTROL__LEAST 1e-6 /* spans a second where the budget leaves none: 0 would be no target */

void
djp__control_init(djp_sdk *sdk)
{
    const djp_options *options = &sdk->options;
    int aimed = options->target_spans_per_second > 0 || options->target_bytes_per_second > 0;
    int budgeted = sdk->account.on && options->budget_per_month > 0;
    sdk->control.next = UINT64_MAX;
    if ((aimed || budgeted) &&
        (options->sampler == DJP_SAMPLER_TREE || options->sampler == DJP_SAMPLER_JAEGER_REMOTE)) {
        djp__diag(
            &sdk->diag, DJP_LOG_WARN,
            "A target of spans or bytes a second has no effect beside a tree of samplers or a sampling server, "
            "which leave no ratio to steer, and a budget only warns. Use rate_limited(..), the server's limits or "
            "span_rate_limit.");
    } else if ((aimed || budgeted) && sdk->transport && options->sample_ratio > 0) {
        sdk->control.steers = 1;
        sdk->control.aimed = aimed;
    }
    if (sdk->transport && (sdk->control.steers || sdk->account.on)) {
        sdk->control.next = 0;
    }
    djp__adaptive_init(&sdk->control.adaptive, (double)options->target_spans_per_second,
                       (double)options->target_bytes_per_second, options->sample_ratio);
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

/* Spans a second that would leave if the budget reduced nothing; below 0: not known. */
static double
control_wanted(const djp_sdk *sdk)
{
    const djp_control *control = &sdk->control;
    double target = (double)sdk->options.target_spans_per_second;
    double wanted = djp__adaptive_expect(&control->adaptive, control->aimed ? 1 : sdk->options.sample_ratio);
    return control->aimed && target > 0 ? fmin(wanted, target) : wanted;
}

/* left: spans a second that the budget leaves, below 0 for no limit. It may lower the ratio, and a target as well; only a target raises
 * the ratio above what was configured. */
static void
control_steer(djp_sdk *sdk, uint64_t now, const djp_adaptive_load *load, double left)
{
    djp_control *control = &sdk->control;
    double configured = sdk->options.sample_ratio, target = (double)sdk->options.target_spans_per_second;
    int saving = left >= 0 && (target <= 0 || left < target);
    djp__adaptive_aim(&control->adaptive, saving ? fmax(left, CONTROL__LEAST) : target,
                      control->aimed ? 1 : configured);
    double ratio = djp__adaptive_step(&control->adaptive, now, djp__switch_ratio(sdk), load);
    control->idle = control->idle && ratio >= control->adaptive.ceiling;
    int as_configured = !control->aimed && ratio >= configured;
    djp__switch_aim(sdk, as_configured ? DJP_RATIO_UNSAID : ratio, saving ? "budget" : "target");
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
    int quiet = load.ended == control->ended;
    control->ended = load.ended;
    double left = djp__account_tick(sdk, now, control->steers ? control_wanted(sdk) : -1);
    control->next = now + CONTROL__STEP_NS;
    control->idle = quiet && djp__account_is_settled(sdk);
    if (control->steers) {
        control_steer(sdk, now, &load, left);
    }
}

uint64_t
djp__control_next(const djp_sdk *sdk)
{
    uint64_t step = sdk->control.idle ? UINT64_MAX : sdk->control.next;
    step = step < sdk->toggle.look_next ? step : sdk->toggle.look_next;
    return step < djp__remote_next(sdk) ? step : djp__remote_next(sdk);
}
