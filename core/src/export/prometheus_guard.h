/* Limits the connections of the Prometheus endpoint and their time: a connection without a complete
 * request is ended in favour of newer ones. */
#ifndef DJP_EXPORT_PROMETHEUS_GUARD_H
#define DJP_EXPORT_PROMETHEUS_GUARD_H

#include <stdint.h>

#include "base/thread.h"

enum {
    DJP__PROMETHEUS_CLIENTS = 64,
    DJP__PROMETHEUS_SPARE = 32 /* accepted beyond that, until the oldest has ended */
};

typedef struct djp__prometheus_client {
    int fd; /* -1: free */
    uint64_t since; /* monotonic time of the connection or of its last response */
    uint64_t deadline;
    int busy; /* a response is being written */
} djp__prometheus_client;

/* Used by the daemon's thread and the keeper, which share a descriptor table. */
typedef struct djp__prometheus_guard {
    djp_mutex mutex;
    djp__prometheus_client places[DJP__PROMETHEUS_CLIENTS + DJP__PROMETHEUS_SPARE];
} djp__prometheus_guard;

void djp__prometheus_guard_init(djp__prometheus_guard *guard);
/* Adds a connection; NULL without a place. Beyond the limit, ends the oldest one that waits for a
 * request. */
djp__prometheus_client *djp__prometheus_guard_enter(djp__prometheus_guard *guard, int fd);
void djp__prometheus_guard_leave(
    djp__prometheus_guard *guard,
    djp__prometheus_client *place); /* before fd is closed; NULL is nothing */
/* A complete request is being served (1), or its response was sent (0). */
void djp__prometheus_guard_set_busy(djp__prometheus_guard *guard, djp__prometheus_client *place,
                                    int busy);
/* Ends connections after their deadline. Returns the time of the next check; UINT64_MAX without
 * connections. */
uint64_t djp__prometheus_guard_sweep(djp__prometheus_guard *guard);

#endif
