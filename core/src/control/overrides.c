/* The requests of file, program, sampling server, target and configuration, and which of them
 * applies. */
#include "control/overrides.h"

#include <string.h>

#include "base/clock.h"
#include "control/remote_strategy.h"
#include "djp/error.h"

static const char overrides_file_name[] = "overrides_file";

/* ---- priority ---- */

static djp__overrides_view
overrides_decide(const djp__overrides *it)
{
    const char *configured = "configuration",
               *target_by = it->target < 0 ? configured : it->target_by;
    djp__overrides_view out = {1, it->target, DJP__RATIO_UNSET, configured, target_by, configured};
    if (it->remote) {
        out.ratio = it->remote_ratio;
        out.ratio_by = "remote";
    }
    const djp__override *overrides[2] = {&it->program, &it->file};
    const char *const names[2] = {"program", overrides_file_name};
    for (int i = 0; i < 2; i++) {
        if (overrides[i]->enabled >= 0) {
            out.enabled = overrides[i]->enabled;
            out.enabled_by = names[i];
        }
        if (overrides[i]->ratio >= 0) {
            out.ratio = overrides[i]->ratio;
            out.ratio_by = names[i];
        }
        if (overrides[i]->canary >= 0) {
            out.canary = overrides[i]->canary;
            out.canary_by = names[i];
        }
    }
    return out;
}

/* Applies the plan; returns 1 if anything changed. `plan` has the sampler. The mutex is held. */
static int
overrides_apply_locked(djp__overrides *it, djp__recorder_plan plan, int *result)
{
    const djp__control_host *host = it->host;
    djp__overrides_view out = overrides_decide(it), before = it->holds;
    if (!host->recorder) {
        return 0;
    }
    if (out.ratio > 0 && !host->exports) {
        /* there is no exporter */
        out.ratio = DJP__RATIO_UNSET;
        out.ratio_by = "configuration";
    }
    plan.enabled = out.enabled;
    plan.ratio = out.ratio;
    plan.canary = out.canary;
    *result = djp__recorder_apply(host->recorder, &plan);
    if (*result != 0) {
        /* The previous ratio remains; on and off need no memory. */
        out.ratio = before.ratio;
        out.canary = before.canary;
        out.ratio_by = before.ratio_by;
        out.canary_by = before.canary_by;
    } else {
        out.canary = out.canary < 0 ? host->options->canary_ratio : out.canary;
        out.ratio = out.ratio < 0 ? host->options->sample_ratio : out.ratio;
        out.ratio = djp__recorder_has_tree(host->recorder) ? DJP__RATIO_SAMPLER : out.ratio;
    }
    int muted = djp__recorder_is_muted(host->recorder);
    int changed = out.enabled != before.enabled || out.ratio != before.ratio ||
                  out.canary != before.canary || muted != it->muted;
    it->holds = out;
    it->muted = muted;
    return changed;
}

static void
overrides_tell(const djp__overrides *it, const djp__overrides_view *holds, int level)
{
    djp__diagnostics *diag = it->host->diag;
    double ratio = holds->ratio;
    if (!holds->enabled) {
        djp__diag(diag, level, "Recording is off and nothing is exported (%s).", holds->enabled_by);
    } else if (ratio < 0) {
        djp__diag(diag, level, "Spans are recorded; the sampler decides (%s).", holds->ratio_by);
    } else if (holds->canary < 1) {
        djp__diag(diag, level, "Spans of %g of the traces are recorded (%s); the ratio is %g (%s).",
                  holds->canary, holds->canary_by, ratio < holds->canary ? ratio : holds->canary,
                  holds->ratio_by);
    } else {
        djp__diag(diag, level, "Spans are recorded; the ratio is %g (%s).", ratio, holds->ratio_by);
    }
}

/* Applies the requests and logs a change; level is that of the message. The mutex is held, and
 * released here. Returns the recorder's result. */
static int
overrides_complete(djp__overrides *it, djp__recorder_plan plan, int level)
{
    int result = 0;
    int changed = overrides_apply_locked(it, plan, &result);
    djp__overrides_view holds = it->holds;
    djp__mutex_unlock(&it->mutex);
    if (changed || plan.sampler) {
        it->host->changed(it->host->user); /* a new tree may have the same name */
    }
    if (changed) {
        overrides_tell(it, &holds, level);
    }
    return result;
}

void
djp__overrides_read(djp__overrides_view *out, djp__overrides *overrides)
{
    djp__mutex_lock(&overrides->mutex);
    *out = overrides->holds;
    djp__mutex_unlock(&overrides->mutex);
}

double
djp__overrides_ratio(djp__overrides *overrides)
{
    djp__overrides_view holds;
    djp__overrides_read(&holds, overrides);
    double ratio = holds.ratio < holds.canary ? holds.ratio : holds.canary;
    return overrides->host->recorder && djp__recorder_is_muted(overrides->host->recorder) ? 0
                                                                                          : ratio;
}

/* ---- requests ---- */

static const djp__recorder_plan overrides_same_sampler;

void
djp__overrides_set_file(djp__overrides *overrides, const djp__override *file, int level)
{
    djp__mutex_lock(&overrides->mutex);
    overrides->file = *file;
    overrides_complete(overrides, overrides_same_sampler, level);
}

void
djp__overrides_set_target(djp__overrides *overrides, double ratio, const char *by)
{
    djp__mutex_lock(&overrides->mutex);
    if (ratio == overrides->target && (ratio < 0 || by == overrides->target_by)) {
        djp__mutex_unlock(&overrides->mutex);
        return;
    }
    overrides->target = ratio;
    overrides->target_by = by;
    overrides_complete(overrides, overrides_same_sampler, DJP_LOG_DEBUG);
}

/* A simple strategy is a ratio; one that samples nothing is a ratio of 0, unless a parent may be
 * sampled. */
static int
overrides_is_ratio(const djp__overrides *it, const djp__strategy *strategy)
{
    return djp__strategy_is_off(strategy) ? !it->host->options->parent_based
                                          : strategy->kind == DJP_STRATEGY_PROBABILITY;
}

int
djp__overrides_follow(djp__overrides *overrides, const djp__strategy *strategy)
{
    djp__recorder_plan plan = {.sampler = NULL,
                               .drops_sampler = overrides_is_ratio(overrides, strategy)};
    if (!plan.drops_sampler &&
        !(plan.sampler = djp__strategy_tree(strategy, overrides->host->options->parent_based))) {
        return DJP_ENOMEM;
    }
    djp__mutex_lock(&overrides->mutex);
    int remote = overrides->remote;
    double remote_ratio = overrides->remote_ratio;
    overrides->remote = 1;
    overrides->remote_ratio = plan.sampler                     ? DJP__RATIO_UNSET
                              : djp__strategy_is_off(strategy) ? 0
                                                               : strategy->probability;
    if (overrides_complete(overrides, plan, DJP_LOG_DEBUG) != DJP_ERETRY) {
        return 0;
    }
    /* The recorder has not accepted the tree. Only this thread writes the two. */
    djp__mutex_lock(&overrides->mutex);
    overrides->remote = remote;
    overrides->remote_ratio = remote_ratio;
    djp__mutex_unlock(&overrides->mutex);
    return DJP_ERETRY;
}

/* Applies a request of the program. The mutex is held, and released here. */
static void
overrides_ask(djp__overrides *it, djp__overrides_view *out)
{
    overrides_complete(it, overrides_same_sampler, DJP_LOG_DEBUG);
    djp__overrides_read(out, it);
}

int
djp__overrides_set_enabled(djp__overrides *overrides, int enabled)
{
    djp__overrides_view holds;
    djp__mutex_lock(&overrides->mutex);
    overrides->program.enabled = enabled != 0;
    overrides_ask(overrides, &holds);
    return overrides->host->recorder && holds.enabled == (enabled != 0) ? 0 : DJP_EUNSUPPORTED;
}

/* Whether the program's request applies; by: the source of the active value. */
static int
overrides_judge(const djp__overrides *it, double wanted, double holds, const char *by)
{
    int good = wanted >= 0 ? holds == wanted : strcmp(by, overrides_file_name) != 0;
    return it->host->recorder && good ? 0 : DJP_EUNSUPPORTED;
}

int
djp__overrides_set_ratio(djp__overrides *overrides, double ratio)
{
    djp__overrides_view holds;
    djp__mutex_lock(&overrides->mutex);
    overrides->program.ratio = ratio >= 0 ? ratio : DJP__RATIO_UNSET;
    overrides_ask(overrides, &holds);
    return overrides_judge(overrides, ratio, holds.ratio, holds.ratio_by);
}

int
djp__overrides_set_canary(djp__overrides *overrides, double ratio)
{
    djp__overrides_view holds;
    djp__mutex_lock(&overrides->mutex);
    overrides->program.canary = ratio >= 0 ? ratio : DJP__RATIO_UNSET;
    overrides_ask(overrides, &holds);
    return overrides_judge(overrides, ratio, holds.canary, holds.canary_by);
}

void
djp__overrides_init(djp__overrides *overrides, const djp__control_host *host)
{
    const djp_options *options = host->options;
    overrides->host = host;
    overrides->program = overrides->file = (djp__override){-1, DJP__RATIO_UNSET, DJP__RATIO_UNSET};
    overrides->target = DJP__RATIO_UNSET;
    overrides->target_by = "target";
    overrides->holds = (djp__overrides_view){1,
                                             options->sample_ratio,
                                             options->canary_ratio,
                                             "configuration",
                                             "configuration",
                                             "configuration"};
    overrides->look_next = UINT64_MAX;
    if (host->recorder) {
        overrides->muted = djp__recorder_is_muted(host->recorder);
        overrides->holds.ratio =
            djp__recorder_has_tree(host->recorder) ? DJP__RATIO_SAMPLER : options->sample_ratio;
    }
    djp__overrides_file_init(overrides);
}
