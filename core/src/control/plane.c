/* The control plane's step, once a second: reads the counters, updates the budget account, runs the
 * ratio controller, and applies the result through the overrides. */
#include "control/plane.h"

#include <math.h>
#include <string.h>

#define CONTROL__STEP_NS 1000000000ull
/* spans a second where the budget leaves none: 0 would be no target */
#define CONTROL__LEAST 1e-6

void
djp__control_init(djp__control *control)
{
    djp__mutex_init(&control->overrides.mutex);
    djp__mutex_init(&control->account.mutex);
    djp__mutex_init(&control->remote.mutex);
}

void
djp__control_fini(djp__control *control)
{
    djp__remote_fini(&control->remote);
    djp__mutex_fini(&control->remote.mutex);
    djp__mutex_fini(&control->account.mutex);
    djp__mutex_fini(&control->overrides.mutex);
}

int
djp__control_prepare(djp__control *control, const djp__control_host *host)
{
    control->host = *host;
    return djp__remote_init(&control->remote, &control->host, &control->overrides);
}

static void
plane_start_steering(djp__control *control)
{
    const djp__control_host *host = &control->host;
    const djp_options *options = host->options;
    int targeted = options->target_spans_per_second > 0 || options->target_bytes_per_second > 0;
    int budgeted = control->account.on && options->budget_per_month > 0;
    control->next = UINT64_MAX;
    if ((targeted || budgeted) &&
        (options->sampler == DJP_SAMPLER_TREE || options->sampler == DJP_SAMPLER_JAEGER_REMOTE)) {
        djp__diag(host->diag, DJP_LOG_WARN,
                  "A target of spans or bytes a second has no effect beside a tree of samplers or "
                  "a sampling server, "
                  "which leave no ratio to steer, and a budget only warns. Use rate_limited(..), "
                  "the server's limits or "
                  "span_rate_limit.");
    } else if ((targeted || budgeted) && host->exports && options->sample_ratio > 0) {
        control->steers = 1;
        control->targeted = targeted;
    }
    if (host->exports && (control->steers || control->account.on)) {
        control->next = 0;
    }
    control->account.steered = control->steers;
    djp__ratio_controller_init(&control->controller, (double)options->target_spans_per_second,
                               (double)options->target_bytes_per_second, options->sample_ratio);
}

void
djp__control_start(djp__control *control)
{
    djp__overrides_init(&control->overrides, &control->host);
    djp__account_init(&control->account, &control->host);
    plane_start_steering(control);
}

/* Bytes of a span on the wire, as known so far; a record in the ring has about the same size. */
static double
plane_span_bytes(const djp__control_host *host, uint64_t sampled)
{
    djp__control_exported exported;
    host->read(&exported, host->user);
    if (exported.spans > 0) {
        return (double)exported.bytes / (double)exported.spans;
    }
    return sampled > 0
               ? (double)djp__ring_written(djp__recorder_ring(host->recorder)) / (double)sampled
               : 0;
}

static void
plane_load(djp__ratio_load *out, const djp__control_host *host)
{
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, host->recorder);
    out->head = counters.by_reason[DJP_REASON_RATIO] + counters.by_reason[DJP_REASON_ALWAYS];
    out->failed = counters.by_reason[DJP_REASON_ERROR];
    out->other = counters.sampled - out->head;
    out->ended = counters.ended;
    out->span_bytes = plane_span_bytes(host, out->head + out->other);
}

/* Spans per second without a reduction by the budget; below 0: unknown. */
static double
plane_wanted(const djp__control *control)
{
    const djp_options *options = control->host.options;
    double target = (double)options->target_spans_per_second;
    double wanted = djp__ratio_controller_expect(&control->controller,
                                                 control->targeted ? 1 : options->sample_ratio);
    return control->targeted && target > 0 ? fmin(wanted, target) : wanted;
}

/* left: spans per second that the budget allows, below 0 for no limit. The budget may lower the
 * ratio, also below a target; only a target raises it above the configured one. */
static void
plane_steer(djp__control *control, uint64_t now, const djp__ratio_load *load, double left)
{
    const djp_options *options = control->host.options;
    double configured = options->sample_ratio, target = (double)options->target_spans_per_second;
    int saving = left >= 0 && (target <= 0 || left < target);
    djp__ratio_controller_set_target(&control->controller,
                                     saving ? fmax(left, CONTROL__LEAST) : target,
                                     control->targeted ? 1 : configured);
    double ratio = djp__ratio_controller_step(&control->controller, now,
                                              djp__overrides_ratio(&control->overrides), load);
    control->idle = control->idle && ratio >= control->controller.ceiling;
    int as_configured = !control->targeted && ratio >= configured;
    djp__overrides_set_target(&control->overrides, as_configured ? DJP__RATIO_UNSET : ratio,
                              saving ? "budget" : "target");
}

void
djp__control_tick(djp__control *control, uint64_t now)
{
    djp__overrides_look(&control->overrides, now);
    djp__remote_tick(&control->remote, now);
    if (now < control->next) {
        return;
    }
    djp__ratio_load load;
    plane_load(&load, &control->host);
    int quiet = load.ended == control->ended;
    control->ended = load.ended;
    double left =
        djp__account_tick(&control->account, now, control->steers ? plane_wanted(control) : -1);
    control->next = now + CONTROL__STEP_NS;
    control->idle = quiet && djp__account_is_complete(&control->account);
    if (control->steers) {
        plane_steer(control, now, &load, left);
    }
}

uint64_t
djp__control_next(const djp__control *control)
{
    uint64_t step = control->idle ? UINT64_MAX : control->next,
             remote = djp__remote_next(&control->remote);
    step = step < control->overrides.look_next ? step : control->overrides.look_next;
    return step < remote ? step : remote;
}

/* ---- fork ---- */

void
djp__control_fork_prepare(djp__control *control)
{
    djp__mutex_lock(&control->overrides.mutex);
    djp__mutex_lock(&control->remote.mutex);
    djp__mutex_lock(&control->account.mutex);
}

void
djp__control_fork_parent(djp__control *control)
{
    djp__mutex_unlock(&control->account.mutex);
    djp__mutex_unlock(&control->remote.mutex);
    djp__mutex_unlock(&control->overrides.mutex);
}

void
djp__control_fork_child(djp__control *control)
{
    djp__remote_fork_child(&control->remote);
    djp__account_fork_child(&control->account);
    djp__control_fork_parent(control);
}
