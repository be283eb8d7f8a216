/* The controller of the head ratio. What a ratio of 1 would keep follows from what the present one kept, so one look is enough to aim
 * and smoothing keeps chance from steering. */
#include "control/ratio_controller.h"

#include <math.h>
#include <string.h>

#define ADAPTIVE__SMOOTH 0.5 /* weight of the newest second */
#define ADAPTIVE__NORMAL (1.0 / 64) /* the same for the usual share of failures */
#define ADAPTIVE__RESERVE 0.1 /* part of the target that the head keeps when everything else fills it */
#define ADAPTIVE__RISE 2.0 /* most that one step raises the ratio by */
#define ADAPTIVE__STEPS 16.0 /* ratios per halving: a small set, and no step for a small difference */
#define ADAPTIVE__FAILED_LEAST 5u /* fewer failing spans are no incident */

void
djp__adaptive_init(djp_adaptive *it, double target_spans, double target_bytes, double ratio)
{
    memset(it, 0, sizeof *it);
    it->target_spans = target_spans;
    it->target_bytes = target_bytes;
    it->ratio = ratio > DJP_ADAPTIVE_FLOOR ? ratio : DJP_ADAPTIVE_FLOOR;
    it->ceiling = 1;
    it->potential = -1;
    it->normal = -1;
}

void
djp__adaptive_aim(djp_adaptive *it, double target_spans, double ceiling)
{
    it->target_spans = target_spans;
    it->ceiling = ceiling;
    it->ratio = fmin(it->ratio, ceiling);
}

double
djp__adaptive_expect(const djp_adaptive *it, double ratio)
{
    return it->potential < 0 ? -1 : it->potential * ratio + it->other;
}

/* Spans a second. */
static double
adaptive_target(const djp_adaptive *it, double span_bytes)
{
    double by_bytes = it->target_bytes > 0 && span_bytes > 0 ? it->target_bytes / span_bytes : HUGE_VAL;
    double target = it->target_spans > 0 ? fmin(it->target_spans, by_bytes) : by_bytes;
    return it->raised ? 2 * target : target;
}

/* Whether more fails than usual. What lasts becomes usual within minutes, so that no incident doubles the cost for ever. */
static void
adaptive_watch_failures(djp_adaptive *it, uint64_t failed, uint64_t ended)
{
    if (ended == 0) {
        return;
    }
    double share = (double)failed / (double)ended;
    it->normal = it->normal < 0 ? share : it->normal;
    it->raised = failed >= ADAPTIVE__FAILED_LEAST && share > 2 * it->normal;
    it->normal += ADAPTIVE__NORMAL * (share - it->normal);
}

/* Counts that are below those of the step before began anew in a forked child. */
static int
adaptive_is_anew(const djp_adaptive_load *now, const djp_adaptive_load *before)
{
    return now->ended < before->ended || now->head < before->head || now->other < before->other ||
           now->failed < before->failed;
}

static double
adaptive_smooth(double before, double now)
{
    return before < 0 ? now : before + ADAPTIVE__SMOOTH * (now - before);
}

static double
adaptive_round(double ratio)
{
    double rounded = exp2(round(log2(ratio) * ADAPTIVE__STEPS) / ADAPTIVE__STEPS);
    return fmin(fmax(rounded, DJP_ADAPTIVE_FLOOR), 1);
}

double
djp__adaptive_step(djp_adaptive *it, uint64_t now_ns, double used, const djp_adaptive_load *load)
{
    djp_adaptive_load before = it->last;
    double seconds = (double)(now_ns - it->last_ns) / 1e9;
    int first = it->last_ns == 0 || now_ns <= it->last_ns || adaptive_is_anew(load, &before);
    it->last = *load;
    it->last_ns = now_ns;
    if (first || !(used > 0)) {
        return it->ratio;
    }
    double head = (double)(load->head - before.head) / seconds;
    adaptive_watch_failures(it, load->failed - before.failed, load->ended - before.ended);
    it->potential = adaptive_smooth(it->potential, head / used);
    it->other = adaptive_smooth(it->other, (double)(load->other - before.other) / seconds);
    double target = adaptive_target(it, load->span_bytes);
    double wanted = fmax(target - it->other, ADAPTIVE__RESERVE * target);
    /* Multiplied rather than divided: nothing kept says that there is room. */
    double aim = wanted >= it->potential * it->ceiling ? it->ceiling : wanted / it->potential;
    double step = aim / it->ratio;
    if (aim == it->ceiling && step <= ADAPTIVE__RISE) {
        it->ratio = aim; /* which need not lie on the scale */
        return aim;
    }
    /* Around the goal a difference below a step of the scale is chance. */
    if (fabs(log2(step)) * ADAPTIVE__STEPS >= 1) {
        it->ratio = fmin(adaptive_round(it->ratio * fmin(step, ADAPTIVE__RISE)), it->ceiling);
    }
    return it->ratio;
}
