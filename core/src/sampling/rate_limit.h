/* A limit of spans a second, divided fairly among routes. It only calculates: time, routes and
 * numbers of spans come in, and what is kept comes out as a threshold of the trace id, so that
 * weights stay true. What a bound cannot wait for is refused and told apart. */
#ifndef DJP_SAMPLING_RATE_LIMIT_H
#define DJP_SAMPLING_RATE_LIMIT_H

#include <stdint.h>

typedef struct djp__rate_limit djp__rate_limit;

/* Routes that have no place of their own, and local traces whose route is not known yet, share one
 * each. */
#define DJP_RATE_ROUTE_UNKNOWN 0u

/* What stands for itself is served before what the head chose, of which a tenth of the limit is
 * left all the same. */
enum { DJP_RATE_SELF, DJP_RATE_HEAD, DJP_RATE_CLASSES };

/* spans: a second, above 0. Returns 0 or DJP_ENOMEM. */
int djp__rate_limit_new(djp__rate_limit **out, uint64_t spans);
void djp__rate_limit_free(djp__rate_limit *limit);

typedef struct djp__rate_look {
    uint64_t route; /* hash of the route, or DJP_RATE_ROUTE_UNKNOWN */
    int group; /* DJP_RATE_SELF or DJP_RATE_HEAD */
    uint64_t spans;
    uint64_t own; /* threshold that it has met already */
    uint64_t random; /* its 56 bits */
    uint64_t now_ns; /* any clock; one that goes back stands still */
} djp__rate_look;

typedef enum djp__rate_found {
    DJP_RATE_KEPT,
    DJP_RATE_LIMITED, /* by the threshold: those that are kept stand for it */
    DJP_RATE_BURST /* by the bound: nothing stands for it */
} djp__rate_found;

/* Whether a local trace is kept. *threshold is what it exports then: own, or more. Any thread. */
djp__rate_found
djp__rate_limit_look(djp__rate_limit *limit, const djp__rate_look *look, uint64_t *threshold);
/* Whether that many spans of a local trace that was kept before may follow; the clock stands still.
 * Any thread. */
int djp__rate_limit_take(djp__rate_limit *limit, uint64_t spans);

typedef struct djp__rate_counters {
    uint64_t routes; /* that have a place of their own */
    uint64_t shared; /* local traces whose route had none */
    /* spans a second that a route may have now before its share is cut; UINT64_MAX: no route is
     * cut */
    uint64_t level;
} djp__rate_counters;
void djp__rate_limit_counters(djp__rate_counters *out, const djp__rate_limit *limit);

#endif
