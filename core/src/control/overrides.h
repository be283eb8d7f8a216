/* The overrides of a running SDK: whether spans are recorded, the head ratio of roots, and the
 * source of each. The overrides file has priority over the program, the program over the
 * configuration. The result is one plan, applied to the recorder. */
#ifndef DJP_CONTROL_OVERRIDES_H
#define DJP_CONTROL_OVERRIDES_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/thread.h"
#include "control/host.h"

struct djp__strategy;

#define DJP__RATIO_UNSET (-1.0)
#define DJP__RATIO_SAMPLER (-2.0) /* no ratio: a sampler tree decides */
#define DJP__OVERRIDES_FILE_MAX 4096

/* The request of one source. */
typedef struct djp__override {
    int enabled; /* 0, 1, or -1: not set */
    double ratio; /* 0 .. 1, or DJP__RATIO_UNSET */
    double canary; /* the same */
} djp__override;

/* The active values and their sources. */
typedef struct djp__overrides_view {
    int enabled;
    double ratio; /* or DJP__RATIO_SAMPLER */
    double canary;
    const char *enabled_by; /* static: "configuration", "program" or "overrides_file" */
    const char *ratio_by; /* the same, "remote", or that of the target */
    const char *canary_by; /* as enabled_by */
} djp__overrides_view;

typedef struct djp__overrides {
    const djp__control_host *host;
    djp_mutex mutex; /* a leaf; guards all but the worker's members */
    djp__override program, file;
    /* the ratio for a target or the budget, or DJP__RATIO_UNSET; lowest priority */
    double target;
    const char *target_by; /* static: "target" or "budget" */
    int remote; /* 1: a sampling server has responded; program and file have priority */
    /* its ratio; DJP__RATIO_UNSET: the recorder has a tree for it */
    double remote_ratio;
    djp__overrides_view holds;
    int muted; /* of the recorder, at the last plan */

    /* Used only by the worker, and by djp_sdk_new before it exists. */
    uint64_t look_next; /* monotonic; UINT64_MAX: no file is watched */
    int looked; /* 1: a file existed at the last check, described below */
    struct stat seen;
    ssize_t size; /* of its text; below 0: unreadable */
    char text[DJP__OVERRIDES_FILE_MAX + 1];
} djp__overrides;

void djp__overrides_init(djp__overrides *overrides,
                         const djp__control_host *host); /* reads the file for the first time */
/* Checks the file when it is due. Worker only; no lock of the SDK is held. */
void djp__overrides_look(djp__overrides *overrides, uint64_t now);
/* Reads the active values. Any thread. */
void djp__overrides_read(djp__overrides_view *out, djp__overrides *overrides);
/* The share of local traces that the head samples, by ratio and canary; 0 while exports are muted,
 * below 0 if a sampler tree decides. */
double djp__overrides_ratio(djp__overrides *overrides);
/* Sets the strategy of a sampling server. Returns as djp__recorder_apply. Worker only. */
int djp__overrides_follow(djp__overrides *overrides, const struct djp__strategy *strategy);
/* Sets the ratio of target or budget; DJP__RATIO_UNSET: neither. by is static. Worker only. */
void djp__overrides_set_target(djp__overrides *overrides, double ratio, const char *by);
/* Sets the program's request; ratios below 0 withdraw it. Returns 0, or DJP_EUNSUPPORTED if another
 * source has priority. Any thread. */
int djp__overrides_set_enabled(djp__overrides *overrides, int enabled);
int djp__overrides_set_ratio(djp__overrides *overrides, double ratio);
int djp__overrides_set_canary(djp__overrides *overrides, double ratio);

/* overrides_file.c */
/* Sets the file's request. level is that of the message. */
void djp__overrides_set_file(djp__overrides *overrides, const djp__override *file, int level);
/* Parses an overrides file; 0 if it is malformed, then *line is the first invalid line. */
int djp__overrides_parse(djp__override *out, int *line, const char *text, size_t size);
void djp__overrides_file_init(djp__overrides *overrides);

#endif
