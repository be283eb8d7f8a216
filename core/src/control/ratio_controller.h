/* A controller that moves the head ratio so that what is kept meets a target. It only calculates:
 * time and counts come in, a ratio comes out, so that the same load always gives the same
 * course. */
#ifndef DJP_CONTROL_RATIO_CONTROLLER_H
#define DJP_CONTROL_RATIO_CONTROLLER_H

#include <stdint.h>

#define DJP__RATIO_FLOOR 0x1p-16 /* a steady ratio of nothing would learn nothing */

/* What the process counted so far. */
typedef struct djp__ratio_load {
    uint64_t head; /* spans kept by the ratio */
    uint64_t other; /* spans kept for any other reason */
    uint64_t failed; /* the part of those that belongs to failing local traces */
    uint64_t ended; /* all spans */
    double span_bytes; /* on the wire; 0: not known yet */
} djp__ratio_load;

typedef struct djp__ratio_controller {
    double target_spans, target_bytes; /* a second; 0: no such target */
    double ratio; /* what the head uses */
    double ceiling; /* that it never passes; 1 unless said */
    /* head spans a second that a ratio of 1 would keep, smoothed; below 0: not known yet */
    double potential;
    double other; /* spans a second that no ratio moves, smoothed */
    double normal; /* usual share of spans in failing local traces */
    int raised; /* 1: more fail than usual, and the target is doubled */
    uint64_t last_ns; /* of the step before; 0: none */
    djp__ratio_load last;
} djp__ratio_controller;

void djp__ratio_controller_init(djp__ratio_controller *it, double target_spans, double target_bytes,
                                double ratio);
/* Another target of spans a second, 0 for none, and the most that the ratio may be. */
void
djp__ratio_controller_set_target(djp__ratio_controller *it, double target_spans, double ceiling);
/* Spans a second that this ratio would keep, as far as is known; below 0: not known. */
double djp__ratio_controller_expect(const djp__ratio_controller *it, double ratio);
/* The ratio from now on. Steps are about a second apart; used is the ratio that held since the last
 * one. */
double djp__ratio_controller_step(djp__ratio_controller *it, uint64_t now_ns, double used,
                                  const djp__ratio_load *load);

#endif
