/* A table of routes with the spans they requested in past windows. Once per window, the limit is
 * divided by max-min fairness, which yields the sampled share of each route. A hard bound: the sum
 * of the slots of the last second. Near the bound the shares are reduced further, based only on the
 * past, so that adjusted counts stay correct in a burst. */
#include "sampling/rate_limit.h"

#include <math.h>
#include <sched.h>
#include <string.h>

#include "base/atomic.h"
#include "base/fork.h"
#include "base/mem.h"
#include "djp/error.h"

enum {
    RATE_LIMIT__SETS = 64,
    RATE_LIMIT__WAYS = 4,
    RATE_LIMIT__PLACES = RATE_LIMIT__SETS * RATE_LIMIT__WAYS,
    /* for all routes without a place, and for routes in their first window */
    RATE_LIMIT__OTHERS = RATE_LIMIT__PLACES,
    RATE_LIMIT__UNKNOWN, /* for traces without a known route */
    RATE_LIMIT__ALL,
    RATE_LIMIT__SLOTS = 32, /* of a second */
    RATE_LIMIT__RING = RATE_LIMIT__SLOTS + 1, /* a second overlaps at most as many */
    RATE_LIMIT__IDLE = 60, /* unused windows after which a place is free */
    RATE_LIMIT__BISECTIONS = 48,
    RATE_LIMIT__PATIENCE = 4096
};
#define RATE_LIMIT__SLOT_NS (1000000000ull / RATE_LIMIT__SLOTS)
/* share of the limit that is divided: the rest absorbs fluctuations */
#define RATE_LIMIT__AIM 0.95
/* of that: reserved for the head when traces of adjusted count 1 request all */
#define RATE_LIMIT__RESERVE 0.1
#define RATE_LIMIT__SMOOTH 0.5 /* smoothing factor of the latest window */
/* share of the limit only for routes within their share */
#define RATE_LIMIT__FREE 0.05
/* share above it in which routes beyond their share are reduced */
#define RATE_LIMIT__BRAKE 0.15

typedef struct rate_limit__route {
    uint64_t hash; /* 0: free place */
    uint64_t born, seen; /* windows */
    uint64_t now[DJP_RATE_CLASSES]; /* spans requested in this window */
    uint64_t passed[DJP_RATE_CLASSES]; /* of these, sampled */
    double demand[DJP_RATE_CLASSES]; /* spans a second, smoothed */
    double part[DJP_RATE_CLASSES]; /* the sampled share */
} rate_limit__route;

struct djp__rate_limit {
    uint64_t spans; /* the limit */
    /* 0, or the generation of the process whose thread holds the lock, plus one: a lock inherited
     * over fork counts as free. Acquire, release. */
    DJP__ATOMIC(uint32_t) owner;
    DJP__ATOMIC(uint64_t) routes, shared, level; /* for readers; by the owner, relaxed */
    uint64_t slot; /* number of the newest slot */
    uint64_t window, opened; /* number of the window, and its first slot */
    uint64_t used; /* spans of all slots */
    uint64_t slots[RATE_LIMIT__RING];
    /* spans of a route in this window before it is reduced */
    double share[DJP_RATE_CLASSES];
    rate_limit__route table[RATE_LIMIT__ALL];
};

int
djp__rate_limit_new(djp__rate_limit **out, uint64_t spans)
{
    djp__rate_limit *limit = *out = djp__calloc(1, sizeof *limit);
    if (limit == NULL) {
        return DJP_ENOMEM;
    }
    limit->spans = spans;
    limit->window = 1;
    djp__store_relaxed(&limit->level, UINT64_MAX);
    for (int i = 0; i < RATE_LIMIT__ALL; i++) {
        limit->table[i].part[DJP_RATE_SELF] = limit->table[i].part[DJP_RATE_HEAD] = 1;
    }
    /* for a burst before the first window ends */
    limit->share[DJP_RATE_SELF] = (double)spans / 2;
    limit->share[DJP_RATE_HEAD] = (double)spans / 4;
    return 0;
}

void
djp__rate_limit_free(djp__rate_limit *limit)
{
    djp__free(limit);
}

/* A fork may have interrupted the lock's owner between two stores: recomputes the sum from the
 * slots. */
static void
rate_limit_recount(djp__rate_limit *limit)
{
    limit->used = 0;
    for (int i = 0; i < RATE_LIMIT__RING; i++) {
        limit->used += limit->slots[i];
    }
}

/* Held briefly and, once a window, for a few microseconds; a thread that waits too long proceeds
 * without it. */
static int
rate_limit_enter(djp__rate_limit *limit)
{
    uint32_t mine = djp__fork_generation() + 1;
    for (int i = 1; i <= RATE_LIMIT__PATIENCE; i++) {
        uint32_t owner = djp__load_relaxed(&limit->owner);
        if (owner != mine && djp__cas_strong_acq_rel(&limit->owner, &owner, mine)) {
            if (__builtin_expect(owner != 0, 0)) {
                rate_limit_recount(limit);
            }
            return 1;
        }
        if (i % 64 == 0) {
            sched_yield();
        }
    }
    return 0;
}

/* ---- division ---- */

/* The level of budget per route: routes with a smaller demand get all of it, no route gets more.
 * HUGE_VAL: no route is limited. */
static double
rate_limit_level(const djp__rate_limit *limit, int group, double budget)
{
    double low = 0, high = 0, sum = 0;
    for (int i = 0; i < RATE_LIMIT__ALL; i++) {
        sum += limit->table[i].demand[group];
        high = fmax(high, limit->table[i].demand[group]);
    }
    if (sum <= budget) {
        return HUGE_VAL;
    }
    for (int step = 0; step < RATE_LIMIT__BISECTIONS; step++) {
        double level = (low + high) / 2, filled = 0;
        for (int i = 0; i < RATE_LIMIT__ALL; i++) {
            filled += fmin(limit->table[i].demand[group], level);
        }
        *(filled > budget ? &high : &low) = level;
    }
    return low;
}

static double
rate_limit_demand(const djp__rate_limit *limit, int group, double level)
{
    double sum = 0;
    for (int i = 0; i < RATE_LIMIT__ALL; i++) {
        sum += fmin(limit->table[i].demand[group], level);
    }
    return sum;
}

/* Satisfied routes have the share 1 and may grow into the unused budget. */
static void
rate_limit_grant(djp__rate_limit *limit, int group, double budget)
{
    double level = rate_limit_level(limit, group, budget), most = 0;
    int asking = 1;
    for (int i = 0; i < RATE_LIMIT__ALL; i++) {
        double demand = limit->table[i].demand[group];
        asking += demand > 0;
        most = fmax(most, demand);
        limit->table[i].part[group] = demand > level ? level / demand : 1;
    }
    double spare = budget - rate_limit_demand(limit, group, HUGE_VAL);
    limit->share[group] = level < HUGE_VAL ? level : most + spare / asking;
}

static void
rate_limit_divide(djp__rate_limit *limit)
{
    double budget = RATE_LIMIT__AIM * (double)limit->spans;
    double head =
        fmin(rate_limit_demand(limit, DJP_RATE_HEAD, HUGE_VAL), RATE_LIMIT__RESERVE * budget);
    rate_limit_grant(limit, DJP_RATE_SELF, budget - head);
    double self =
        fmin(rate_limit_demand(limit, DJP_RATE_SELF, limit->share[DJP_RATE_SELF]), budget - head);
    rate_limit_grant(limit, DJP_RATE_HEAD, budget - self);
    double lowest = HUGE_VAL;
    for (int group = 0; group < DJP_RATE_CLASSES; group++) {
        for (int i = 0; i < RATE_LIMIT__ALL; i++) {
            lowest = limit->table[i].part[group] < 1 ? fmin(lowest, limit->share[group]) : lowest;
        }
    }
    djp__store_relaxed(&limit->level, lowest < HUGE_VAL ? (uint64_t)lowest : UINT64_MAX);
}

/* Ends a window that took `seconds`: updates the demands and frees the places of idle routes. A
 * place not used after its first window is freed too. */
static void
rate_limit_close(djp__rate_limit *limit, double seconds)
{
    double factor = 1 - pow(1 - RATE_LIMIT__SMOOTH, fmax(seconds, 1));
    uint64_t routes = 0;
    for (int i = 0; i < RATE_LIMIT__ALL; i++) {
        rate_limit__route *route = &limit->table[i];
        for (int group = 0; group < DJP_RATE_CLASSES; group++) {
            double rate = (double)route->now[group] / seconds;
            /* The first window of a route is all that is known of it; the demand of routes without
             * a place drops at once. */
            int at_once = route->born + 1 == limit->window ||
                          (i == RATE_LIMIT__OTHERS && rate < route->demand[group]);
            double now = at_once ? 1 : factor;
            route->demand[group] += now * (rate - route->demand[group]);
            route->demand[group] = route->demand[group] < 1e-3 ? 0 : route->demand[group];
            route->now[group] = route->passed[group] = 0;
        }
        uint64_t idle = limit->window - route->seen;
        int guest = route->seen == route->born && idle > 0;
        if (i < RATE_LIMIT__PLACES && route->hash != 0 && (guest || idle > RATE_LIMIT__IDLE)) {
            memset(route, 0, sizeof *route);
            route->part[DJP_RATE_SELF] = route->part[DJP_RATE_HEAD] = 1;
        }
        routes += i < RATE_LIMIT__PLACES && route->hash != 0 && route->seen > route->born;
    }
    djp__store_relaxed(&limit->routes, routes);
    rate_limit_divide(limit);
}

/* ---- time ---- */

static void
rate_limit_advance(djp__rate_limit *limit, uint64_t now_ns)
{
    uint64_t slot = now_ns / RATE_LIMIT__SLOT_NS;
    if (limit->opened == 0) {
        limit->slot = limit->opened = slot;
    }
    if (slot <= limit->slot) {
        return;
    }
    for (uint64_t i = 0; i < slot - limit->slot && i < RATE_LIMIT__RING; i++) {
        uint64_t *old = &limit->slots[(limit->slot + 1 + i) % RATE_LIMIT__RING];
        limit->used -= *old;
        *old = 0;
    }
    limit->slot = slot;
    if (slot - limit->opened >= RATE_LIMIT__SLOTS) {
        rate_limit_close(limit, (double)(slot - limit->opened) / RATE_LIMIT__SLOTS);
        limit->opened = slot;
        limit->window++;
    }
}

static void
rate_limit_spend(djp__rate_limit *limit, uint64_t spans)
{
    limit->slots[limit->slot % RATE_LIMIT__RING] += spans;
    limit->used += spans;
}

/* ---- routes ---- */

/* Returns the place that counts a route's local traces. In its first window a route shares the
 * place of others, so that many invented routes get one share together. */
static rate_limit__route *
rate_limit_find(djp__rate_limit *limit, uint64_t hash)
{
    if (hash == DJP__RATE_ROUTE_UNKNOWN) {
        return &limit->table[RATE_LIMIT__UNKNOWN];
    }
    rate_limit__route *set = limit->table + (hash >> 8) % RATE_LIMIT__SETS * RATE_LIMIT__WAYS,
                      *place = NULL;
    for (unsigned i = 0; i < RATE_LIMIT__WAYS; i++) {
        place = set[i].hash == hash || (!place && set[i].hash == 0) ? &set[i] : place;
        if (set[i].hash == hash) {
            break;
        }
    }
    if (place) {
        place->born = place->hash == 0 ? limit->window : place->born;
        place->hash = hash;
        place->seen = limit->window;
    }
    if (!place || place->born == limit->window) {
        djp__store_relaxed(&limit->shared, djp__load_relaxed(&limit->shared) + 1);
        return &limit->table[RATE_LIMIT__OTHERS];
    }
    return place;
}

/* The sampled share: that of the division and, for a route beyond its share, less near the bound.
 * Independent of the current trace. */
static double
rate_limit_part(const djp__rate_limit *limit, const rate_limit__route *route, int group)
{
    double part = route->part[group];
    if (part >= 1 && (double)route->passed[group] < limit->share[group]) {
        return part;
    }
    double room = ((double)limit->spans - (double)limit->used) / (double)limit->spans;
    return part * fmin(fmax((room - RATE_LIMIT__FREE) / RATE_LIMIT__BRAKE, 0), 1);
}

/* The threshold that samples this share of the traces that passed `own`, in steps that a decision
 * can store (span_block.h). */
static uint64_t
rate_limit_raise(uint64_t own, double part)
{
    const uint64_t all = 1ull << 56, step = 1ull << 24;
    if (part >= 1) {
        return own;
    }
    double raised = (double)all - part * (double)(all - own);
    uint64_t threshold = ((uint64_t)raised + step - 1) / step * step;
    return threshold < all ? threshold : all - step;
}

static djp__rate_found
rate_limit_look(djp__rate_limit *limit, const djp__rate_look *look, uint64_t *threshold)
{
    rate_limit__route *route = rate_limit_find(limit, look->route);
    double part = rate_limit_part(limit, route, look->group);
    route->now[look->group] += look->spans;
    *threshold = rate_limit_raise(look->own, part);
    if (part > 0 && look->random < *threshold) {
        return DJP_RATE_LIMITED;
    }
    if (part <= 0 || limit->used + look->spans > limit->spans) {
        return DJP_RATE_BURST;
    }
    route->passed[look->group] += look->spans;
    rate_limit_spend(limit, look->spans);
    return DJP_RATE_KEPT;
}

djp__rate_found
djp__rate_limit_look(djp__rate_limit *limit, const djp__rate_look *look, uint64_t *threshold)
{
    if (!rate_limit_enter(limit)) {
        return DJP_RATE_BURST; /* the bound is strict */
    }
    rate_limit_advance(limit, look->now_ns);
    djp__rate_found found = rate_limit_look(limit, look, threshold);
    djp__store_release(&limit->owner, 0u);
    return found;
}

int
djp__rate_limit_take(djp__rate_limit *limit, uint64_t spans)
{
    if (!rate_limit_enter(limit)) {
        return 0;
    }
    int room = limit->used + spans <= limit->spans;
    if (room) {
        rate_limit_spend(limit, spans);
    }
    djp__store_release(&limit->owner, 0u);
    return room;
}

void
djp__rate_limit_counters(djp__rate_counters *out, const djp__rate_limit *limit)
{
    out->routes = djp__load_relaxed(&limit->routes);
    out->shared = djp__load_relaxed(&limit->shared);
    out->level = djp__load_relaxed(&limit->level);
}
