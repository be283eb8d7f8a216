/* A controller that moves the head ratio so that the sampled spans meet a target. Pure calculation:
 * time and counts in, a ratio out; the same load gives the same result. */
#ifndef DJP_CONTROL_RATIO_CONTROLLER_H
#define DJP_CONTROL_RATIO_CONTROLLER_H

#include <stdint.h>

#define DJP__RATIO_FLOOR 0x1p-16 /* with a ratio of 0 it could not measure */

/* Counts of the process so far. */
typedef struct djp__ratio_load {
    uint64_t head; /* spans sampled by the ratio */
    uint64_t other; /* spans sampled for any other reason */
    uint64_t failed; /* those of failing local traces */
    uint64_t ended; /* all spans */
    double span_bytes; /* on the wire; 0: unknown */
} djp__ratio_load;

typedef struct djp__ratio_controller {
    double target_spans, target_bytes; /* per second; 0: none */
    double ratio; /* of the head */
    double ceiling; /* its limit; default 1 */
    /* head spans per second at a ratio of 1, smoothed; below 0: unknown */
    double potential;
    double other; /* spans per second independent of the ratio, smoothed */
    double normal; /* usual share of spans in failing local traces */
    int raised; /* 1: more fail than usual, and the target is doubled */
    uint64_t last_ns; /* of the previous step; 0: none */
    djp__ratio_load last;
} djp__ratio_controller;

void djp__ratio_controller_init(djp__ratio_controller *it, double target_spans, double target_bytes,
                                double ratio);
/* Sets the target of spans per second, 0 for none, and the limit of the ratio. */
void
djp__ratio_controller_set_target(djp__ratio_controller *it, double target_spans, double ceiling);
/* Spans per second expected at this ratio; below 0: unknown. */
double djp__ratio_controller_expect(const djp__ratio_controller *it, double ratio);
/* Returns the next ratio. Steps are about a second apart; used is the ratio since the last one. */
double djp__ratio_controller_step(djp__ratio_controller *it, uint64_t now_ns, double used,
                                  const djp__ratio_load *load);

#endif
