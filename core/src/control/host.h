/* What control sees of the SDK that it steers: settings, the recorder it applies its plan to, and
 * two calls. */
#ifndef DJP_CONTROL_HOST_H
#define DJP_CONTROL_HOST_H

#include "base/diag.h"
#include "djp/config.h"
#include "metrics/registry.h"
#include "trace/recorder.h"

/* What was exported since the process started. */
typedef struct djp__control_exported {
    uint64_t spans, bytes; /* bytes on the wire */
} djp__control_exported;

/* Everything is borrowed and constant; the two calls are for any thread. */
typedef struct djp__control_host {
    const djp_options *options;
    djp_diag *diag;
    djp_recorder *recorder; /* NULL: traces are off */
    djp_registry *registry; /* NULL: metrics are off */
    int exports; /* 1: there is a transport */
    void (*read)(djp__control_exported *out, void *user);
    /* Another plan holds: writers of operation logs and the worker are to look. No lock of control
     * is held. */
    void (*changed)(void *user);
    void *user;
} djp__control_host;

#endif
