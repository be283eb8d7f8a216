/* Deadlines and places of connections. A byte now and then moves no deadline; a connection is ended by shutdown(2) alone, and whoever owns
 * the descriptor closes it. */
#include "export/prometheus_http_guard.h"

#include <stddef.h>
#include <sys/socket.h>

#include "base/clock.h"

#define SCRAPE_GUARD_REQUEST_NS UINT64_C(10000000000)
#define SCRAPE_GUARD_ANSWER_NS UINT64_C(60000000000)

enum { SCRAPE_GUARD_ALL = DJP_SCRAPE_PLACES + DJP_SCRAPE_SPARE };

void
djp__scrape_guard_init(djp_scrape_guard *guard)
{
    djp__mutex_init(&guard->mutex);
    for (size_t i = 0; i < SCRAPE_GUARD_ALL; i++)
        guard->places[i].fd = -1;
}

static void
scrape_guard_end(djp_scrape_place *place)
{
    shutdown(place->fd, SHUT_RDWR);
    place->deadline = UINT64_MAX; /* it leaves soon */
    place->since = UINT64_MAX;
}

/* The connection that has waited longest without a complete request; NULL when all are being answered. */
static djp_scrape_place *
scrape_guard_oldest(djp_scrape_guard *guard)
{
    djp_scrape_place *oldest = NULL;
    for (size_t i = 0; i < SCRAPE_GUARD_ALL; i++) {
        djp_scrape_place *place = &guard->places[i];
        if (place->fd >= 0 && !place->answering && place->since != UINT64_MAX &&
            (!oldest || place->since < oldest->since))
            oldest = place;
    }
    return oldest;
}

djp_scrape_place *
djp__scrape_guard_enter(djp_scrape_guard *guard, int fd)
{
    djp_scrape_place *mine = NULL;
    size_t staying = 0;
    uint64_t now = djp__clock_monotonic();
    djp__mutex_lock(&guard->mutex);
    for (size_t i = 0; i < SCRAPE_GUARD_ALL; i++) {
        djp_scrape_place *place = &guard->places[i];
        if (place->fd < 0)
            mine = place;
        else
            staying += place->since != UINT64_MAX;
    }
    djp_scrape_place *oldest = staying >= DJP_SCRAPE_PLACES ? scrape_guard_oldest(guard) : NULL;
    if (oldest)
        scrape_guard_end(oldest);
    if (mine)
        *mine = (djp_scrape_place){fd, now, now + SCRAPE_GUARD_REQUEST_NS, 0};
    djp__mutex_unlock(&guard->mutex);
    return mine;
}

void
djp__scrape_guard_leave(djp_scrape_guard *guard, djp_scrape_place *place)
{
    djp__mutex_lock(&guard->mutex);
    if (place)
        place->fd = -1;
    djp__mutex_unlock(&guard->mutex);
}

void
djp__scrape_guard_answer(djp_scrape_guard *guard, djp_scrape_place *place, int answering)
{
    uint64_t now = djp__clock_monotonic();
    djp__mutex_lock(&guard->mutex);
    if (place && place->since != UINT64_MAX) {
        place->answering = answering;
        place->since = now;
        place->deadline = now + (answering ? SCRAPE_GUARD_ANSWER_NS : SCRAPE_GUARD_REQUEST_NS);
    }
    djp__mutex_unlock(&guard->mutex);
}

uint64_t
djp__scrape_guard_sweep(djp_scrape_guard *guard)
{
    uint64_t next = UINT64_MAX, now = djp__clock_monotonic();
    djp__mutex_lock(&guard->mutex);
    for (size_t i = 0; i < SCRAPE_GUARD_ALL; i++) {
        djp_scrape_place *place = &guard->places[i];
        if (place->fd < 0)
            continue;
        if (place->deadline <= now)
            scrape_guard_end(place);
        next = place->deadline < next ? place->deadline : next;
    }
    djp__mutex_unlock(&guard->mutex);
    return next;
}
