/* Deadlines and places of connections. A few received bytes do not extend a deadline. A connection
 * is ended by shutdown(2); the owner of the descriptor closes it. */
#include "export/prometheus_guard.h"

#include <stddef.h>
#include <sys/socket.h>

#include "base/clock.h"

#define PROMETHEUS_GUARD_REQUEST_NS UINT64_C(10000000000)
#define PROMETHEUS_GUARD_RESPONSE_NS UINT64_C(60000000000)

enum { PROMETHEUS_GUARD_ALL = DJP__PROMETHEUS_CLIENTS + DJP__PROMETHEUS_SPARE };

void
djp__prometheus_guard_init(djp__prometheus_guard *guard)
{
    djp__mutex_init(&guard->mutex);
    for (size_t i = 0; i < PROMETHEUS_GUARD_ALL; i++) {
        guard->places[i].fd = -1;
    }
}

static void
prometheus_guard_end(djp__prometheus_client *place)
{
    shutdown(place->fd, SHUT_RDWR);
    place->deadline = UINT64_MAX; /* it ends soon */
    place->since = UINT64_MAX;
}

/* The connection that has waited longest without a complete request; NULL if all are being
 * served. */
static djp__prometheus_client *
prometheus_guard_oldest(djp__prometheus_guard *guard)
{
    djp__prometheus_client *oldest = NULL;
    for (size_t i = 0; i < PROMETHEUS_GUARD_ALL; i++) {
        djp__prometheus_client *place = &guard->places[i];
        if (place->fd >= 0 && !place->busy && place->since != UINT64_MAX &&
            (oldest == NULL || place->since < oldest->since)) {
            oldest = place;
        }
    }
    return oldest;
}

djp__prometheus_client *
djp__prometheus_guard_enter(djp__prometheus_guard *guard, int fd)
{
    djp__prometheus_client *mine = NULL;
    size_t staying = 0;
    uint64_t now = djp__clock_monotonic();
    djp__mutex_lock(&guard->mutex);
    for (size_t i = 0; i < PROMETHEUS_GUARD_ALL; i++) {
        djp__prometheus_client *place = &guard->places[i];
        if (place->fd < 0) {
            mine = place;
        } else {
            staying += place->since != UINT64_MAX;
        }
    }
    djp__prometheus_client *oldest =
        staying >= DJP__PROMETHEUS_CLIENTS ? prometheus_guard_oldest(guard) : NULL;
    if (oldest != NULL) {
        prometheus_guard_end(oldest);
    }
    if (mine != NULL) {
        *mine = (djp__prometheus_client){fd, now, now + PROMETHEUS_GUARD_REQUEST_NS, 0};
    }
    djp__mutex_unlock(&guard->mutex);
    return mine;
}

void
djp__prometheus_guard_leave(djp__prometheus_guard *guard, djp__prometheus_client *place)
{
    djp__mutex_lock(&guard->mutex);
    if (place != NULL) {
        place->fd = -1;
    }
    djp__mutex_unlock(&guard->mutex);
}

void
djp__prometheus_guard_set_busy(djp__prometheus_guard *guard, djp__prometheus_client *place,
                               int busy)
{
    uint64_t now = djp__clock_monotonic();
    djp__mutex_lock(&guard->mutex);
    if (place != NULL && place->since != UINT64_MAX) {
        place->busy = busy;
        place->since = now;
        place->deadline = now + (busy ? PROMETHEUS_GUARD_RESPONSE_NS : PROMETHEUS_GUARD_REQUEST_NS);
    }
    djp__mutex_unlock(&guard->mutex);
}

uint64_t
djp__prometheus_guard_sweep(djp__prometheus_guard *guard)
{
    uint64_t next = UINT64_MAX, now = djp__clock_monotonic();
    djp__mutex_lock(&guard->mutex);
    for (size_t i = 0; i < PROMETHEUS_GUARD_ALL; i++) {
        djp__prometheus_client *place = &guard->places[i];
        if (place->fd < 0) {
            continue;
        }
        if (place->deadline <= now) {
            prometheus_guard_end(place);
        }
        next = place->deadline < next ? place->deadline : next;
    }
    djp__mutex_unlock(&guard->mutex);
    return next;
}
