/* Per route a histogram of durations in quarter octaves, aged by halving; per kind the time when
 * one was last sampled. Both tables have small sets of places, so look-ups are short and memory is
 * fixed. */
#include "sampling/tail_history.h"

#include <sched.h>
#include <string.h>

#include "base/fork.h"
#include "base/mem.h"
#include "djp/error.h"

enum {
    KEEP_TABLE__BUCKETS = 128, /* from 1 us to over an hour, four to an octave */
    KEEP_TABLE__ROUTE_SETS = 64,
    KEEP_TABLE__ROUTE_WAYS = 4,
    KEEP_TABLE__KIND_SETS = 512,
    KEEP_TABLE__KIND_WAYS = 8,
    KEEP_TABLE__AGE = 16384, /* durations after which a histogram is halved */
    KEEP_TABLE__REFRESH = 16, /* durations after which the limit is recomputed */
    KEEP_TABLE__LEAST = 50, /* durations before a route has a limit */
    KEEP_TABLE__PATIENCE = 4096
};
#define KEEP_TABLE__LOWEST 10 /* durations below 2^10 ns share a bucket */
#define KEEP_TABLE__BURST 8.0 /* burst after a quiet time */
/* excess over the share when a route's limit is out of date */
#define KEEP_TABLE__EXCESS 1.25

typedef struct tail_history__route {
    uint64_t hash; /* 0: free place */
    uint64_t used; /* number of the last look-up that used it */
    uint64_t limit_ns; /* longer ones are the slowest */
    double credit; /* traces that may be sampled now */
    uint32_t total;
    uint16_t bucket[KEEP_TABLE__BUCKETS];
} tail_history__route;

typedef struct tail_history__kind {
    uint64_t hash; /* 0: free place */
    uint64_t sampled_ns;
} tail_history__kind;

struct djp_tail_history {
    double slowest;
    uint64_t rare_ns;
    /* 0, or the generation of the process whose thread is inside, plus one: a lock inherited over
     * fork counts as free. Acquire, release. */
    DJP__ATOMIC(uint32_t) owner;
    DJP__ATOMIC(uint64_t) skipped; /* any thread, relaxed */
    DJP__ATOMIC(uint64_t) routes_evicted, kinds_shared; /* by the owner, relaxed */
    uint64_t looks;
    tail_history__route *routes; /* NULL without a share */
    tail_history__kind *kinds; /* NULL without a time */
    tail_history__kind others; /* all kinds without a place */
};

int
djp__tail_history_new(djp_tail_history **out, double slowest, uint64_t rare_ns)
{
    djp_tail_history *table = *out = djp__calloc(1, sizeof *table);
    if (table == NULL) {
        return DJP_ENOMEM;
    }
    table->slowest = slowest;
    table->rare_ns = rare_ns;
    if (slowest > 0) {
        table->routes =
            djp__calloc(KEEP_TABLE__ROUTE_SETS * KEEP_TABLE__ROUTE_WAYS, sizeof *table->routes);
    }
    if (rare_ns > 0) {
        table->kinds =
            djp__calloc(KEEP_TABLE__KIND_SETS * KEEP_TABLE__KIND_WAYS, sizeof *table->kinds);
    }
    if ((slowest > 0 && !table->routes) || (rare_ns > 0 && table->kinds == NULL)) {
        djp__tail_history_free(table);
        *out = NULL;
        return DJP_ENOMEM;
    }
    return 0;
}

void
djp__tail_history_free(djp_tail_history *table)
{
    if (table != NULL) {
        djp__free(table->routes);
        djp__free(table->kinds);
        djp__free(table);
    }
}

/* The locked work is short; a thread that waits too long proceeds without it. */
static int
tail_history_enter(djp_tail_history *table)
{
    uint32_t mine = djp__fork_generation() + 1;
    for (int i = 1; i <= KEEP_TABLE__PATIENCE; i++) {
        uint32_t owner = djp__load_relaxed(&table->owner);
        if (owner != mine && djp__cas_strong_acq_rel(&table->owner, &owner, mine)) {
            return 1;
        }
        if (i % 64 == 0) {
            sched_yield();
        }
    }
    return 0;
}

/* ---- durations ---- */

static unsigned
tail_history_bucket(uint64_t ns)
{
    if (ns < (1ull << KEEP_TABLE__LOWEST)) {
        return 0;
    }
    unsigned octave = 63u - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (octave - KEEP_TABLE__LOWEST) * 4 + (unsigned)(ns >> (octave - 2) & 3);
    return bucket < KEEP_TABLE__BUCKETS ? bucket : KEEP_TABLE__BUCKETS - 1;
}

/* The shortest duration of a bucket. */
static uint64_t
tail_history_edge(unsigned bucket)
{
    return bucket == 0 ? 0 : (4ull + bucket % 4) << (KEEP_TABLE__LOWEST - 2 + bucket / 4);
}

/* The duration that the requested share exceeds, for durations evenly spread in their bucket. */
static uint64_t
tail_history_limit(const tail_history__route *route, double slowest)
{
    double want = slowest * route->total, above = 0;
    if (route->total < KEEP_TABLE__LEAST || want < 2) {
        return UINT64_MAX;
    }
    for (unsigned i = KEEP_TABLE__BUCKETS; i-- > 0;) {
        if (above + route->bucket[i] > want) {
            double low = (double)tail_history_edge(i), high = (double)tail_history_edge(i + 1);
            return (uint64_t)(high - (want - above) / route->bucket[i] * (high - low));
        }
        above += route->bucket[i];
    }
    return UINT64_MAX;
}

static void
tail_history_learn(tail_history__route *route, double slowest, uint64_t duration_ns)
{
    route->bucket[tail_history_bucket(duration_ns)]++;
    if (++route->total >= KEEP_TABLE__AGE) {
        route->total = 0;
        for (unsigned i = 0; i < KEEP_TABLE__BUCKETS; i++) {
            route->bucket[i] /= 2;
            route->total += route->bucket[i];
        }
    }
    if (route->total % KEEP_TABLE__REFRESH == 0) {
        route->limit_ns = tail_history_limit(route, slowest);
    }
}

static tail_history__route *
tail_history_find_route(djp_tail_history *table, uint64_t hash)
{
    tail_history__route *set =
        table->routes + (hash >> 8) % KEEP_TABLE__ROUTE_SETS * KEEP_TABLE__ROUTE_WAYS;
    tail_history__route *oldest = set;
    for (unsigned i = 0; i < KEEP_TABLE__ROUTE_WAYS; i++) {
        if (set[i].hash == hash) {
            return &set[i];
        }
        oldest = set[i].used < oldest->used ? &set[i] : oldest;
    }
    if (oldest->hash != 0) {
        djp__store_relaxed(&table->routes_evicted, djp__load_relaxed(&table->routes_evicted) + 1);
    }
    memset(oldest, 0, sizeof *oldest);
    oldest->hash = hash;
    oldest->limit_ns = UINT64_MAX;
    return oldest;
}

static int
tail_history_is_slowest(djp_tail_history *table, const djp__tail_look *look)
{
    tail_history__route *route = tail_history_find_route(table, look->route | 1u);
    int slowest = 0;
    route->used = ++table->looks;
    route->credit += table->slowest * KEEP_TABLE__EXCESS;
    route->credit = route->credit < KEEP_TABLE__BURST ? route->credit : KEEP_TABLE__BURST;
    if (look->duration_ns > route->limit_ns && route->credit >= 1) {
        route->credit -= 1;
        slowest = 1;
    }
    tail_history_learn(route, table->slowest, look->duration_ns);
    return slowest;
}

/* ---- kinds ---- */

static int
tail_history_is_over(const djp_tail_history *table, const tail_history__kind *kind, uint64_t now)
{
    /* Times may be out of order; only the distance counts. */
    uint64_t apart = now > kind->sampled_ns ? now - kind->sampled_ns : kind->sampled_ns - now;
    return kind->hash == 0 || apart >= table->rare_ns;
}

static tail_history__kind *
tail_history_find_kind(djp_tail_history *table, uint64_t hash, uint64_t now)
{
    tail_history__kind *set =
        table->kinds + (hash >> 8) % KEEP_TABLE__KIND_SETS * KEEP_TABLE__KIND_WAYS;
    tail_history__kind *place = NULL;
    for (unsigned i = 0; i < KEEP_TABLE__KIND_WAYS; i++) {
        if (set[i].hash == hash) {
            return &set[i];
        }
        place = place == NULL && tail_history_is_over(table, &set[i], now) ? &set[i] : place;
    }
    if (place == NULL) {
        djp__store_relaxed(&table->kinds_shared, djp__load_relaxed(&table->kinds_shared) + 1);
        return &table->others;
    }
    place->hash = 0;
    return place;
}

static int
tail_history_is_rare(djp_tail_history *table, const djp__tail_look *look)
{
    uint64_t hash = look->kind | 1u;
    tail_history__kind *kind = tail_history_find_kind(table, hash, look->now_ns);
    int over = tail_history_is_over(table, kind, look->now_ns);
    kind->hash = hash;
    if (over || look->kept) {
        kind->sampled_ns = look->now_ns;
    }
    return over && !look->kept;
}

djp__tail_found
djp__tail_history_look(djp_tail_history *table, const djp__tail_look *look)
{
    djp__tail_found found = {0, 0};
    if (!tail_history_enter(table)) {
        djp__add_relaxed(&table->skipped, 1u);
        /* samples a rare trace twice rather than losing one */
        found.rare = table->kinds && !look->kept;
        return found;
    }
    djp__tail_look seen = *look;
    if (table->routes) {
        found.slowest = tail_history_is_slowest(table, &seen);
        seen.kept |= found.slowest;
    }
    if (table->kinds != NULL) {
        found.rare = tail_history_is_rare(table, &seen);
    }
    djp__store_release(&table->owner, 0u);
    return found;
}

void
djp__tail_history_counters(djp__tail_history_totals *out, const djp_tail_history *table)
{
    out->routes_evicted = djp__load_relaxed(&table->routes_evicted);
    out->kinds_shared = djp__load_relaxed(&table->kinds_shared);
    out->skipped = djp__load_relaxed(&table->skipped);
}
