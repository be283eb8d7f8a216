/* A limit of spans per second, divided fairly among routes. Pure calculation: input is time, route
 * and number of spans; output is a threshold of the trace id, so that adjusted counts stay correct.
 * Traces refused by the hard bound have a separate reason. */
#ifndef DJP_SAMPLING_RATE_LIMIT_H
#define DJP_SAMPLING_RATE_LIMIT_H

#include <stdint.h>

typedef struct djp__rate_limit djp__rate_limit;

/* Routes without a place share one; local traces whose route is not known yet share another. */
#define DJP__RATE_ROUTE_UNKNOWN 0u

/* Traces of adjusted count 1 have priority over those the head sampled, for which a tenth of the
 * limit is reserved. */
enum { DJP_RATE_SELF, DJP_RATE_HEAD, DJP_RATE_CLASSES };

/* spans: per second, above 0. Returns 0 or DJP_ENOMEM. */
int djp__rate_limit_new(djp__rate_limit **out, uint64_t spans);
void djp__rate_limit_free(djp__rate_limit *limit);

typedef struct djp__rate_look {
    uint64_t route; /* hash of the route, or DJP__RATE_ROUTE_UNKNOWN */
    int group; /* DJP_RATE_SELF or DJP_RATE_HEAD */
    uint64_t spans;
    uint64_t own; /* threshold already applied */
    uint64_t random; /* its 56 bits */
    uint64_t now_ns; /* any clock; a step back counts as no time */
} djp__rate_look;

typedef enum djp__rate_found {
    DJP_RATE_KEPT,
    DJP_RATE_LIMITED, /* by the threshold: sampled traces represent it */
    DJP_RATE_BURST /* by the bound: no sampled trace represents it */
} djp__rate_found;

/* Decides whether a local trace is sampled. *threshold is set to the threshold it exports: own, or
 * more. Any thread. */
djp__rate_found
djp__rate_limit_look(djp__rate_limit *limit, const djp__rate_look *look, uint64_t *threshold);
/* Decides whether so many more spans of a sampled local trace may follow; uses the last time. Any
 * thread. */
int djp__rate_limit_take(djp__rate_limit *limit, uint64_t spans);

typedef struct djp__rate_counters {
    uint64_t routes; /* that have a place */
    uint64_t shared; /* local traces of routes without a place */
    /* spans per second of a route before its share is reduced; UINT64_MAX: no route is reduced */
    uint64_t level;
} djp__rate_counters;
void djp__rate_limit_counters(djp__rate_counters *out, const djp__rate_limit *limit);

#endif
