/* What the worker does about once a second besides sending: looks at the switch file, asks a sampling server and steers the ratio
 * towards its target. */
#ifndef DJP_CONTROL_PLANE_H
#define DJP_CONTROL_PLANE_H

#include "djp/sdk.h"
#include "control/ratio_controller.h"

/* Touched by the worker only, and by djp_sdk_new before there is one. */
typedef struct djp_control {
    djp_adaptive adaptive;
    int steers; /* constant; 1: a target or a budget moves the ratio */
    int aimed; /* constant; 1: there is a target, which may raise it above the configured one */
    uint64_t ended; /* spans, at the step before */
    uint64_t next; /* monotonic time of the next step; UINT64_MAX: there is nothing to do */
    int idle; /* 1: nothing is reduced and nothing ended lately, so that there is no need to wake for a step */
} djp_control;

void djp__control_init(djp_sdk *sdk);
/* Does what is due. Neither `state` nor `work` is held. */
void djp__control_tick(djp_sdk *sdk, uint64_t now);
/* When the worker must be awake for it. */
uint64_t djp__control_next(const djp_sdk *sdk);

#endif
