/* Who may stay connected to the scrape listener, and for how long: a connection without a complete request gives way to newer ones. */
#ifndef DJP_EXPORT_PROMETHEUS_HTTP_GUARD_H
#define DJP_EXPORT_PROMETHEUS_HTTP_GUARD_H

#include <stdint.h>

#include "base/thread.h"

enum { DJP_SCRAPE_PLACES = 64, DJP_SCRAPE_SPARE = 32 /* accepted beyond that, until the oldest is gone */ };

typedef struct djp_scrape_place {
    int fd; /* -1: free */
    uint64_t since; /* monotonic time of the connection or of its last answer */
    uint64_t deadline;
    int answering;
} djp_scrape_place;

/* Used by the daemon's thread and by the keeper, which share a table of descriptors. */
typedef struct djp_scrape_guard {
    djp_mutex mutex;
    djp_scrape_place places[DJP_SCRAPE_PLACES + DJP_SCRAPE_SPARE];
} djp_scrape_guard;

void djp__scrape_guard_init(djp_scrape_guard *guard);
/* A new connection; NULL when there is no place at all. The oldest one that waits for a request ends when too many are there. */
djp_scrape_place *djp__scrape_guard_enter(djp_scrape_guard *guard, int fd);
void
djp__scrape_guard_leave(djp_scrape_guard *guard, djp_scrape_place *place); /* before fd is closed; NULL is nothing */
/* A complete request is being answered (1), or its answer is out (0). */
void djp__scrape_guard_answer(djp_scrape_guard *guard, djp_scrape_place *place, int answering);
/* Ends what is over its time. Returns the time at which to look again, UINT64_MAX while nobody is connected. */
uint64_t djp__scrape_guard_sweep(djp_scrape_guard *guard);

#endif
