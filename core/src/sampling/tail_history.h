/* What tail-sampling rules remember of the past, in memory of fixed size: how long each route
 * takes, and when each kind of local trace was last kept. Nothing here knows ids or ratios, so that
 * what is kept by it stands for itself. */
#ifndef DJP_SAMPLING_TAIL_HISTORY_H
#define DJP_SAMPLING_TAIL_HISTORY_H

#include <stdint.h>

#include "base/atomic.h"

/* Texts are known by their hash alone. */
typedef struct djp_tail_history djp_tail_history;

/* slowest: the part of each route's local traces that counts as slow, 0 for none; rare_ns: how long
 * a kind must be away, 0 for never. Returns 0 or DJP_ENOMEM. */
int djp__tail_history_new(djp_tail_history **out, double slowest, uint64_t rare_ns);
void djp__tail_history_free(djp_tail_history *table);

typedef struct djp_tail_look {
    uint64_t route; /* hash of the route */
    uint64_t kind; /* hash of what makes a kind */
    uint64_t duration_ns;
    uint64_t now_ns; /* any clock that goes on */
    int kept; /* 1: the trace is kept anyway, so that the kind is not rare for a while */
} djp_tail_look;

typedef struct djp_tail_found {
    int slowest; /* 1: it is among the slowest of its route */
    int rare; /* 1: it is the first of its kind in a while */
} djp_tail_found;

/* Learns from one local trace and says what it is. Any thread. */
djp_tail_found djp__tail_history_look(djp_tail_history *table, const djp_tail_look *look);

typedef struct djp_tail_history_counters {
    uint64_t routes_forgotten; /* routes whose durations gave way to those of another */
    uint64_t kinds_shared; /* local traces whose kind found no place of its own */
    uint64_t skipped; /* local traces that nothing was learned from, because the table was busy */
} djp_tail_history_counters;
void djp__tail_history_counters(djp_tail_history_counters *out, const djp_tail_history *table);

#endif
