/* The switch of a running SDK: whether spans are recorded, which part of the roots the head samples, and who said so. The file that
 * operators write beats the program, the program beats what was configured. */
#ifndef DJP_CONTROL_OVERRIDES_H
#define DJP_CONTROL_OVERRIDES_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/atomic.h"
#include "base/thread.h"
#include "djp/sampler.h"
#include "djp/sdk.h"

struct djp_strategy;

#define DJP_RATIO_UNSAID (-1.0)
#define DJP_RATIO_SAMPLER (-2.0) /* there is none: a tree of samplers decides */
#define DJP_SWITCH_FILE_MAX 4096

typedef struct djp_switch_said {
    int enabled; /* 0, 1, or -1: nothing was said */
    double ratio; /* 0 .. 1, or DJP_RATIO_UNSAID */
    double canary; /* the same */
} djp_switch_said;

typedef struct djp_switch {
    djp_mutex mutex; /* a leaf; guards all but what the worker owns */
    djp_switch_said program, file;
    double aim; /* what a target or the budget asks for, or DJP_RATIO_UNSAID; gives way to all others */
    const char *aim_by; /* static: "target" or "budget" */
    int remote; /* 1: a sampling server said something; it gives way to program and file */
    double remote_ratio; /* what it said; DJP_RATIO_UNSAID: more than a ratio, the recorder has a tree for it */
    int enabled; /* what holds */
    double ratio; /* or DJP_RATIO_SAMPLER */
    double canary;
    const char *enabled_by; /* static: "configuration", "program" or "switch_file" */
    const char *ratio_by; /* the same, "remote", or that of the aim */
    const char *canary_by; /* as enabled_by */
    DJP_ATOMIC(int) mute; /* 1: nothing may leave. Written under mutex, release; read by anybody */

    /* Touched by the worker only, and by djp_sdk_new before there is one. */
    uint64_t look_next; /* monotonic; UINT64_MAX: no file is watched */
    int looked; /* 1: there was a file at the last look, described below */
    struct stat seen;
    ssize_t size; /* of its text; below 0: it could not be read */
    char text[DJP_SWITCH_FILE_MAX + 1];
} djp_switch;

void djp__switch_init(djp_sdk *sdk); /* reads the file for the first time */
/* Looks at the file when it is time. By the worker; neither `state` nor `work` is held. */
void djp__switch_look(djp_sdk *sdk, uint64_t now);
/* The part of the local traces that the head keeps, by ratio and canary; 0 while nothing leaves, below 0 where a tree of samplers
 * decides. */
double djp__switch_ratio(djp_sdk *sdk);
/* What a sampling server said holds from now on, unless the program or the file say otherwise. As djp__recorder_set_sampler. By the
 * worker. */
int djp__switch_follow(djp_sdk *sdk, const struct djp_strategy *strategy);
/* What the target or the budget asks for from now on; DJP_RATIO_UNSAID: neither does. by is static. By the worker. */
void djp__switch_aim(djp_sdk *sdk, double ratio, const char *by);
/* Reads the text of a switch file; 0 when it is malformed, then *line is the first bad line. */
int djp__switch_parse(djp_switch_said *out, int *line, const char *text, size_t size);

#endif
