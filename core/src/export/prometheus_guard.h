/* Who may stay connected to the scrape endpoint, and for how long: a connection without a complete
 * request gives way to newer ones. */
#ifndef DJP_EXPORT_PROMETHEUS_GUARD_H
#define DJP_EXPORT_PROMETHEUS_GUARD_H

#include <stdint.h>

#include "base/thread.h"

enum {
    DJP__PROMETHEUS_CLIENTS = 64,
    DJP__PROMETHEUS_SPARE = 32 /* accepted beyond that, until the oldest is gone */
};

typedef struct djp__prometheus_client {
    int fd; /* -1: free */
    uint64_t since; /* monotonic time of the connection or of its last response */
    uint64_t deadline;
    int busy; /* a response is being written */
} djp__prometheus_client;

/* Used by the daemon's thread and by the keeper, which share a table of descriptors. */
typedef struct djp__prometheus_guard {
    djp_mutex mutex;
    djp__prometheus_client places[DJP__PROMETHEUS_CLIENTS + DJP__PROMETHEUS_SPARE];
} djp__prometheus_guard;

void djp__prometheus_guard_init(djp__prometheus_guard *guard);
/* A new connection; NULL when there is no place at all. The oldest one that waits for a request
 * ends when too many are there. */
djp__prometheus_client *djp__prometheus_guard_enter(djp__prometheus_guard *guard, int fd);
void djp__prometheus_guard_leave(
    djp__prometheus_guard *guard,
    djp__prometheus_client *place); /* before fd is closed; NULL is nothing */
/* A complete request is being answered (1), or its response is out (0). */
void djp__prometheus_guard_set_busy(djp__prometheus_guard *guard, djp__prometheus_client *place,
                                    int busy);
/* Ends what is over its time. Returns the time at which to look again, UINT64_MAX while nobody is
 * connected. */
uint64_t djp__prometheus_guard_sweep(djp__prometheus_guard *guard);

#endif
