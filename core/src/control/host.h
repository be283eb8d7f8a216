/* The SDK for control: settings, the recorder to steer, and two calls. */
#ifndef DJP_CONTROL_HOST_H
#define DJP_CONTROL_HOST_H

#include "base/diag.h"
#include "djp/config.h"
#include "metrics/registry.h"
#include "trace/recorder.h"

/* Exports since the process started. */
typedef struct djp__control_exported {
    uint64_t spans, bytes; /* bytes on the wire */
} djp__control_exported;

/* Everything is borrowed and constant; any thread may make the two calls. */
typedef struct djp__control_host {
    const djp_options *options;
    djp__diagnostics *diag;
    djp_recorder *recorder; /* NULL: traces are off */
    djp_registry *registry; /* NULL: metrics are off */
    int exports; /* 1: there is a transport */
    void (*read)(djp__control_exported *out, void *user);
    /* The plan has changed: notify the writers of operation logs and the worker. No lock of control
     * is held. */
    void (*changed)(void *user);
    void *user;
} djp__control_host;

#endif
