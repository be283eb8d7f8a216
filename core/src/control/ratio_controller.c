/* The controller of the head ratio. It derives the spans at a ratio of 1 from those at the present
 * one, so one step is enough to reach a target; smoothing keeps random variation from moving the
 * ratio. */
#include "control/ratio_controller.h"

#include <math.h>
#include <string.h>

#define RATIO_CONTROLLER__SMOOTH 0.5 /* smoothing factor of the latest second */
#define RATIO_CONTROLLER__NORMAL (1.0 / 64) /* the same for the usual share of failures */
/* share of the target reserved for the head */
#define RATIO_CONTROLLER__RESERVE 0.1
#define RATIO_CONTROLLER__RISE 2.0 /* limit of one step upwards */
/* ratios per halving: few values, and no step for a small difference */
#define RATIO_CONTROLLER__STEPS 16.0
#define RATIO_CONTROLLER__FAILED_LEAST 5u /* fewer failing spans are ignored */

void
djp__ratio_controller_init(djp__ratio_controller *it, double target_spans, double target_bytes,
                           double ratio)
{
    memset(it, 0, sizeof *it);
    it->target_spans = target_spans;
    it->target_bytes = target_bytes;
    it->ratio = ratio > DJP__RATIO_FLOOR ? ratio : DJP__RATIO_FLOOR;
    it->ceiling = 1;
    it->potential = -1;
    it->normal = -1;
}

void
djp__ratio_controller_set_target(djp__ratio_controller *it, double target_spans, double ceiling)
{
    it->target_spans = target_spans;
    it->ceiling = ceiling;
    it->ratio = fmin(it->ratio, ceiling);
}

double
djp__ratio_controller_expect(const djp__ratio_controller *it, double ratio)
{
    return it->potential < 0 ? -1 : it->potential * ratio + it->other;
}

/* Spans per second. */
static double
ratio_controller_target(const djp__ratio_controller *it, double span_bytes)
{
    double by_bytes =
        it->target_bytes > 0 && span_bytes > 0 ? it->target_bytes / span_bytes : HUGE_VAL;
    double target = it->target_spans > 0 ? fmin(it->target_spans, by_bytes) : by_bytes;
    return it->raised ? 2 * target : target;
}

/* Detects more failures than usual. A lasting rate becomes usual within minutes, so that no
 * incident doubles the cost for ever. */
static void
ratio_controller_watch_failures(djp__ratio_controller *it, uint64_t failed, uint64_t ended)
{
    if (ended == 0) {
        return;
    }
    double share = (double)failed / (double)ended;
    it->normal = it->normal < 0 ? share : it->normal;
    it->raised = failed >= RATIO_CONTROLLER__FAILED_LEAST && share > 2 * it->normal;
    it->normal += RATIO_CONTROLLER__NORMAL * (share - it->normal);
}

/* Counts below those of the previous step restarted in a forked child. */
static int
ratio_controller_is_anew(const djp__ratio_load *now, const djp__ratio_load *before)
{
    return now->ended < before->ended || now->head < before->head || now->other < before->other ||
           now->failed < before->failed;
}

static double
ratio_controller_smooth(double before, double now)
{
    return before < 0 ? now : before + RATIO_CONTROLLER__SMOOTH * (now - before);
}

static double
ratio_controller_round(double ratio)
{
    double rounded = exp2(round(log2(ratio) * RATIO_CONTROLLER__STEPS) / RATIO_CONTROLLER__STEPS);
    return fmin(fmax(rounded, DJP__RATIO_FLOOR), 1);
}

double
djp__ratio_controller_step(djp__ratio_controller *it, uint64_t now_ns, double used,
                           const djp__ratio_load *load)
{
    djp__ratio_load before = it->last;
    double seconds = (double)(now_ns - it->last_ns) / 1e9;
    int first =
        it->last_ns == 0 || now_ns <= it->last_ns || ratio_controller_is_anew(load, &before);
    it->last = *load;
    it->last_ns = now_ns;
    if (first || !(used > 0)) {
        return it->ratio;
    }
    double head = (double)(load->head - before.head) / seconds;
    ratio_controller_watch_failures(it, load->failed - before.failed, load->ended - before.ended);
    it->potential = ratio_controller_smooth(it->potential, head / used);
    it->other = ratio_controller_smooth(it->other, (double)(load->other - before.other) / seconds);
    double target = ratio_controller_target(it, load->span_bytes);
    double wanted = fmax(target - it->other, RATIO_CONTROLLER__RESERVE * target);
    /* Multiplied, not divided: the potential may be 0. */
    double goal = wanted >= it->potential * it->ceiling ? it->ceiling : wanted / it->potential;
    double step = goal / it->ratio;
    if (goal == it->ceiling && step <= RATIO_CONTROLLER__RISE) {
        it->ratio = goal; /* possibly between values of the scale */
        return goal;
    }
    /* Near the target, a difference below one step of the scale is random. */
    if (fabs(log2(step)) * RATIO_CONTROLLER__STEPS >= 1) {
        it->ratio = fmin(ratio_controller_round(it->ratio * fmin(step, RATIO_CONTROLLER__RISE)),
                         it->ceiling);
    }
    return it->ratio;
}
