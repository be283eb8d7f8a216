/* The history for tail-sampling rules, in memory of fixed size: the durations of each route, and
 * when each kind of local trace was last sampled. It uses neither ids nor ratios, so the traces it
 * selects have the adjusted count 1. */
#ifndef DJP_SAMPLING_TAIL_HISTORY_H
#define DJP_SAMPLING_TAIL_HISTORY_H

#include <stdint.h>

#include "base/atomic.h"

/* Texts are identified by their hash. */
typedef struct djp_tail_history djp_tail_history;

/* slowest: the share of each route's local traces that counts as slow, 0 for none; rare_ns: how
 * long a kind must be absent, 0 for never. Returns 0 or DJP_ENOMEM. */
int djp__tail_history_new(djp_tail_history **out, double slowest, uint64_t rare_ns);
void djp__tail_history_free(djp_tail_history *table);

typedef struct djp__tail_look {
    uint64_t route; /* hash of the route */
    uint64_t kind; /* hash of the kind */
    uint64_t duration_ns;
    uint64_t now_ns; /* any increasing clock */
    int kept; /* 1: the trace is sampled in any case, so its kind is not rare for a while */
} djp__tail_look;

typedef struct djp__tail_found {
    int slowest; /* 1: it is among the slowest of its route */
    int rare; /* 1: the first of its kind in the interval */
} djp__tail_found;

/* Records one local trace and classifies it. Any thread. */
djp__tail_found djp__tail_history_look(djp_tail_history *table, const djp__tail_look *look);

typedef struct djp__tail_history_totals {
    uint64_t routes_evicted; /* routes replaced by another one */
    uint64_t kinds_shared; /* local traces of kinds without a place */
    uint64_t skipped; /* local traces not recorded because the table was busy */
} djp__tail_history_totals;
void djp__tail_history_counters(djp__tail_history_totals *out, const djp_tail_history *table);

#endif
