/* The control plane, a step of the worker about once a second: checks the overrides file, requests
 * the sampling strategy, and moves the ratio towards its target. It uses the SDK only through
 * control/host.h. */
#ifndef DJP_CONTROL_PLANE_H
#define DJP_CONTROL_PLANE_H

#include "control/account.h"
#include "control/overrides.h"
#include "control/ratio_controller.h"
#include "control/remote.h"

typedef struct djp__control {
    djp__control_host host;
    djp__overrides overrides;
    djp__remote remote;
    djp__account account;
    int steers; /* constant; 1: a target or a budget moves the ratio */
    int targeted; /* constant; 1: a target may raise the ratio above the configured one */

    /* Used only by the worker, and by djp_sdk_new before it exists. */
    djp__ratio_controller controller;
    uint64_t ended; /* spans, at the previous step */
    uint64_t next; /* monotonic time of the next step; UINT64_MAX: none */
    /* 1: no reduction and no recent spans, so no step is needed */
    int idle;
} djp__control;

/* Initialises only the locks: for a control that may never start. */
void djp__control_init(djp__control *control);
void djp__control_fini(djp__control *control);
/* Before the host starts. Copies host, borrows its members. Returns 0 or DJP_ENOMEM. */
int djp__control_prepare(djp__control *control, const djp__control_host *host);
/* Reads the files and warns of settings that have no effect. */
void djp__control_start(djp__control *control);
/* Runs the steps that are due. Worker only; no lock of the SDK is held. */
void djp__control_tick(djp__control *control, uint64_t now);
/* The time of the next step. */
uint64_t djp__control_next(const djp__control *control);
/* For fork(2). The child starts new counters and a new account; allocates nothing. */
void djp__control_fork_prepare(djp__control *control);
void djp__control_fork_parent(djp__control *control);
void djp__control_fork_child(djp__control *control);

#endif
