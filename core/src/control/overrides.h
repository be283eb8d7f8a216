/* The overrides of a running SDK: whether spans are recorded, which part of the roots the head
 * samples, and who said so. The file that operators write beats the program, the program beats what
 * was configured. The outcome is one plan, applied to the recorder. */
#ifndef DJP_CONTROL_OVERRIDES_H
#define DJP_CONTROL_OVERRIDES_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/thread.h"
#include "control/host.h"

struct djp__strategy;

#define DJP_RATIO_UNSET (-1.0)
#define DJP_RATIO_SAMPLER (-2.0) /* there is none: a tree of samplers decides */
#define DJP_OVERRIDES_FILE_MAX 4096

/* What one source asks for. */
typedef struct djp__override {
    int enabled; /* 0, 1, or -1: not set */
    double ratio; /* 0 .. 1, or DJP_RATIO_UNSET */
    double canary; /* the same */
} djp__override;

/* What holds, and who set it. */
typedef struct djp__overrides_view {
    int enabled;
    double ratio; /* or DJP_RATIO_SAMPLER */
    double canary;
    const char *enabled_by; /* static: "configuration", "program" or "overrides_file" */
    const char *ratio_by; /* the same, "remote", or that of the target */
    const char *canary_by; /* as enabled_by */
} djp__overrides_view;

typedef struct djp__overrides {
    const djp__control_host *host;
    djp_mutex mutex; /* a leaf; guards all but what the worker owns */
    djp__override program, file;
    /* the ratio that a target or the budget asks for, or DJP_RATIO_UNSET; gives way to all
     * others */
    double target;
    const char *target_by; /* static: "target" or "budget" */
    int remote; /* 1: a sampling server said something; it gives way to program and file */
    /* what it said; DJP_RATIO_UNSET: more than a ratio, the recorder has a tree for it */
    double remote_ratio;
    djp__overrides_view holds;
    int muted; /* of the recorder, when the plan was applied last */

    /* Touched by the worker only, and by djp_sdk_new before there is one. */
    uint64_t look_next; /* monotonic; UINT64_MAX: no file is watched */
    int looked; /* 1: there was a file at the last look, described below */
    struct stat seen;
    ssize_t size; /* of its text; below 0: it could not be read */
    char text[DJP_OVERRIDES_FILE_MAX + 1];
} djp__overrides;

void djp__overrides_init(djp__overrides *overrides,
                         const djp__control_host *host); /* reads the file for the first time */
/* Looks at the file when it is time. By the worker; no lock of the SDK is held. */
void djp__overrides_look(djp__overrides *overrides, uint64_t now);
/* What holds now. Any thread. */
void djp__overrides_read(djp__overrides_view *out, djp__overrides *overrides);
/* The part of the local traces that the head samples, by ratio and canary; 0 while nothing leaves,
 * below 0 where a tree of samplers decides. */
double djp__overrides_ratio(djp__overrides *overrides);
/* What a sampling server said holds from now on, unless the program or the file say otherwise. As
 * djp__recorder_apply. By the worker. */
int djp__overrides_follow(djp__overrides *overrides, const struct djp__strategy *strategy);
/* What the target or the budget asks for from now on; DJP_RATIO_UNSET: neither does. by is static.
 * By the worker. */
void djp__overrides_set_target(djp__overrides *overrides, double ratio, const char *by);
/* What the program asks for from now on; ratios below 0 withdraw what it asked for. 0, or
 * DJP_EUNSUPPORTED where something else holds all the same. Any thread. */
int djp__overrides_set_enabled(djp__overrides *overrides, int enabled);
int djp__overrides_set_ratio(djp__overrides *overrides, double ratio);
int djp__overrides_set_canary(djp__overrides *overrides, double ratio);

/* overrides_file.c */
/* What the file asks for from now on. level is that of the message. */
void djp__overrides_set_file(djp__overrides *overrides, const djp__override *file, int level);
/* Reads the text of an overrides file; 0 when it is malformed, then *line is the first bad line. */
int djp__overrides_parse(djp__override *out, int *line, const char *text, size_t size);
void djp__overrides_file_init(djp__overrides *overrides);

#endif
