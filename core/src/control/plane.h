/* The control plane: what the worker does about once a second beside sending. It looks at the
 * overrides file, asks a sampling server and steers the ratio towards its target. It sees the SDK
 * through control/host.h alone. */
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
    int targeted; /* constant; 1: there is a target, which may raise it above the configured one */

    /* Touched by the worker only, and by djp_sdk_new before there is one. */
    djp__ratio_controller controller;
    uint64_t ended; /* spans, at the step before */
    uint64_t next; /* monotonic time of the next step; UINT64_MAX: there is nothing to do */
    /* 1: nothing is reduced and nothing ended lately, so that there is no need to wake for a
     * step */
    int idle;
} djp__control;

/* Locks alone: for a control that is never started, too. */
void djp__control_init(djp__control *control);
void djp__control_fini(djp__control *control);
/* Before anything of the host runs. Copies host, borrows what it names. Returns 0 or DJP_ENOMEM. */
int djp__control_prepare(djp__control *control, const djp__control_host *host);
/* Reads the files and warns of settings that have no effect. */
void djp__control_start(djp__control *control);
/* Does what is due. By the worker; no lock of the SDK is held. */
void djp__control_tick(djp__control *control, uint64_t now);
/* When the worker must be awake for it. */
uint64_t djp__control_next(const djp__control *control);
/* Around fork(2). The child's counters and account begin anew; allocates nothing. */
void djp__control_fork_prepare(djp__control *control);
void djp__control_fork_parent(djp__control *control);
void djp__control_fork_child(djp__control *control);

#endif
