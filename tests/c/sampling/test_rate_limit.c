/* The limit of spans a second by simulation: fair shares of routes, the bound in every second,
 * weights that count true, and what floods do to others. Then the same through a recorder. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "local_trace_fixture.h"
#include "sampling/rate_limit.c"
#include "trace/span_seed.h"

#define SECOND 1000000000ull
#define START (1000 * SECOND)
#define ALL (1ull << 56)

enum { ROUTES = 8, SECONDS_MAX = 4096 };

static uint64_t noise_state;
static uint64_t
noise(void)
{
    uint64_t z = noise_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* A stream of local traces of one route, at random times. */
typedef struct stream {
    double traces; /* a second */
    unsigned spans; /* of each, at most; the number is even from 1 on */
    int group;
    uint64_t own; /* threshold that they have met */
    uint64_t from, until; /* seconds from the start; 0: for ever */
    int invented; /* 1: every trace has its own route */
    double next; /* seconds */
    double truth, counted, spans_asked, spans_kept; /* from second `settled` on */
    uint64_t kept, limited, burst;
} stream;

typedef struct simulation {
    djp__rate_limit *limit;
    stream streams[ROUTES];
    int count;
    double settled; /* seconds from which on is counted */
    double now;
    double second[SECONDS_MAX]; /* sampled spans, by second */
    double last[1 << 16]; /* times of sampled spans, for the bound between seconds */
    unsigned kept_spans, worst;
} simulation;

static double
interval(double rate)
{
    return -log1p(-(double)(noise() >> 11) * 0x1p-53) / rate;
}

/* The most spans within any second. */
static void
watch(simulation *sim, unsigned spans)
{
    for (unsigned i = 0; i < spans; i++) {
        sim->last[sim->kept_spans++ % (1u << 16)] = sim->now;
    }
    unsigned within = 0;
    for (unsigned i = sim->kept_spans; i > 0 && sim->last[(i - 1) % (1u << 16)] > sim->now - 1;
         i--) {
        within++;
    }
    sim->worst = within > sim->worst ? within : sim->worst;
}

static void
arrive(simulation *sim, int which)
{
    stream *it = &sim->streams[which];
    unsigned spans = 1 + (unsigned)(noise() % it->spans);
    djp__rate_look look = {.route = (uint64_t)(which + 1) * 0x9e3779b97f4a7c15ull,
                           .group = it->group,
                           .spans = spans,
                           .own = it->own,
                           .random = it->own + noise() % (ALL - it->own),
                           .now_ns = START + (uint64_t)(sim->now * 1e9)};
    uint64_t threshold = 0;
    if (it->invented) {
        look.route = noise() | 1u;
    }
    djp__rate_found found = djp__rate_limit_look(sim->limit, &look, &threshold);
    int counts = sim->now >= sim->settled;
    it->truth += counts * spans * (double)ALL / (double)(ALL - it->own);
    it->spans_asked += counts * spans;
    it->kept += (uint64_t)(counts && found == DJP_RATE_KEPT);
    it->limited += (uint64_t)(counts && found == DJP_RATE_LIMITED);
    it->burst += (uint64_t)(counts && found == DJP_RATE_BURST);
    if (found == DJP_RATE_KEPT) {
        assert_true(threshold >= it->own && threshold < ALL && look.random >= threshold);
        it->counted += counts * spans * (double)ALL / (double)(ALL - threshold);
        it->spans_kept += counts * spans;
        sim->second[(unsigned)sim->now] += spans;
        watch(sim, spans);
    }
}

static __attribute__((unused)) void
simulate(simulation *sim, double seconds)
{
    for (int i = 0; i < sim->count; i++) {
        sim->streams[i].next = (double)sim->streams[i].from + interval(sim->streams[i].traces);
    }
    while (1) {
        int first = 0;
        for (int i = 1; i < sim->count; i++) {
            first = sim->streams[i].next < sim->streams[first].next ? i : first;
        }
        sim->now = sim->streams[first].next;
        if (sim->now >= seconds) {
            return;
        }
        arrive(sim, first);
        stream *it = &sim->streams[first];
        it->next += interval(it->traces);
        it->next = it->until && it->next >= (double)it->until ? HUGE_VAL : it->next;
    }
}

static simulation sim;

static simulation *
begin(uint64_t spans)
{
    noise_state = 42;
    memset(&sim, 0, sizeof sim);
    assert_int_equal(djp__rate_limit_new(&sim.limit, spans), 0);
    return &sim;
}

static __attribute__((unused)) void
add(stream what)
{
    what.spans = what.spans ? what.spans : 1;
    sim.streams[sim.count++] = what;
}

static void
end(uint64_t bound)
{
    if (sim.worst > bound) {
        fail_msg("%u spans in a second, not %llu", sim.worst, (unsigned long long)bound);
    }
    djp__rate_limit_free(sim.limit);
}

static __attribute__((unused)) void
expect_rate(int which, double seconds, double rate, double tolerance)
{
    double got = sim.streams[which].spans_kept / seconds;
    if (fabs(got - rate) > tolerance * rate) {
        fail_msg("stream %d: %.2f spans a second kept, not %.2f", which, got, rate);
    }
}

static __attribute__((unused)) void
expect_weight(int which, double tolerance)
{
    double got = sim.streams[which].counted / sim.streams[which].truth;
    if (fabs(got - 1) > tolerance) {
        const stream *it = &sim.streams[which];
        fail_msg("stream %d: weights count %.4f of the truth (%llu kept, %llu by the bound)", which,
                 got, (unsigned long long)it->kept, (unsigned long long)it->burst);
    }
}

/* 1000 : 10 : 1 by a limit of 100: the small ones are whole, the large one has the rest. */
static __attribute__((unused)) void
shares_are_fair(void **state)
{
    (void)state;
    begin(100);
    sim.settled = 10;
    add((stream){.traces = 1000});
    add((stream){.traces = 10});
    add((stream){.traces = 1});
    simulate(&sim, 2010);
    expect_rate(1, 2000, 10, 0.04);
    expect_rate(2, 2000, 1, 0.1);
    assert_true(sim.streams[1].spans_kept > 0.97 * sim.streams[1].spans_asked);
    assert_true(sim.streams[2].spans_kept > 0.97 * sim.streams[2].spans_asked);
    expect_rate(0, 2000, 80 - 11, 0.04); /* a fifth of the limit is room for noise */
    for (int i = 0; i < 3; i++) {
        expect_weight(i, 0.02);
    }
    double all = 0, truth = 0;
    for (int i = 0; i < 3; i++) {
        all += sim.streams[i].counted;
        truth += sim.streams[i].truth;
    }
    if (fabs(all / truth - 1) > 0.01) {
        fail_msg("weights count %.4f of all; %llu of %llu refused by the bound", all / truth,
                 (unsigned long long)sim.streams[0].burst, (unsigned long long)sim.streams[0].kept);
    }
    end(100);
}

/* Two that want more than their half have the same; traces of several spans count as many. */
static __attribute__((unused)) void
what_is_left_over_goes_to_those_that_want_it(void **state)
{
    (void)state;
    begin(1000);
    sim.settled = 10;
    add((stream){.traces = 1500, .spans = 5}); /* 4,500 spans a second */
    add((stream){.traces = 600}); /* 600 */
    add((stream){.traces = 100, .group = DJP_RATE_HEAD, .own = ALL / 2});
    simulate(&sim, 210);
    double half = (850 - 85) / 2.0;
    expect_rate(0, 200, half, 0.06);
    expect_rate(1, 200, half, 0.06);
    expect_rate(2, 200, 85, 0.06); /* the reserve of the head */
    for (int i = 0; i < 3; i++) {
        expect_weight(i, 0.02);
    }
    end(1000);
}

/* Errors come before what the ratio chose, in the shares of their routes. */
static __attribute__((unused)) void
errors_of_a_small_route_survive_a_flood(void **state)
{
    (void)state;
    begin(200);
    sim.settled = 5;
    add((stream){.traces = 5000}); /* a route in which everything fails */
    add((stream){.traces = 5}); /* errors of a small one */
    add((stream){.traces = 2000, .group = DJP_RATE_HEAD, .own = ALL / 10 * 9});
    simulate(&sim, 505);
    assert_true(sim.streams[1].spans_kept >= 0.995 * sim.streams[1].spans_asked);
    assert_true(sim.streams[1].limited == 0);
    expect_rate(2, 500, 16, 0.06); /* a tenth of what is divided is left to the head */
    expect_weight(0, 0.02);
    expect_weight(2, 0.03);
    end(200);
}

/* From the first moment of a flood on: the bound holds, and the others have their spans. */
static __attribute__((unused)) void
a_sudden_flood_is_bounded_at_once(void **state)
{
    (void)state;
    begin(100);
    add((stream){.traces = 4});
    add((stream){.traces = 20000, .from = 20, .until = 23});
    add((stream){.traces = 20000, .from = 40, .until = 43});
    simulate(&sim, 60);
    assert_true(sim.streams[0].spans_kept >= 0.97 * sim.streams[0].spans_asked);
    assert_true(sim.streams[1].kept > 100);
    end(100);
}

/* Routes that are invented share one place, and those that were known before keep theirs. */
static __attribute__((unused)) void
invented_routes_share_one_share(void **state)
{
    (void)state;
    begin(100);
    add((stream){.traces = 10});
    add((stream){.traces = 10, .group = DJP_RATE_HEAD, .own = ALL / 2});
    add((stream){.traces = 10000, .invented = 1, .from = 10});
    simulate(&sim, 110);
    assert_true(sim.streams[0].spans_kept >= 0.98 * sim.streams[0].spans_asked);
    /* the reserve is 8.5 */
    assert_true(sim.streams[1].spans_kept >= 0.8 * sim.streams[1].spans_asked);
    djp__rate_counters counters;
    djp__rate_limit_counters(&counters, sim.limit);
    assert_true(counters.routes == 2 && counters.shared > 900000);
    assert_true(counters.level < 100);
    end(100);
}

/* Below the limit nothing is touched. */
static __attribute__((unused)) void
nothing_happens_below_the_limit(void **state)
{
    (void)state;
    begin(1000);
    add((stream){.traces = 300});
    add((stream){.traces = 200, .group = DJP_RATE_HEAD, .own = ALL / 2, .spans = 3});
    simulate(&sim, 300);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sim.streams[i].limited + sim.streams[i].burst, 0);
    }
    djp__rate_counters counters;
    djp__rate_limit_counters(&counters, sim.limit);
    assert_true(counters.level == UINT64_MAX);
    end(1000);
}

/* Weights stay true while the load changes, too; only what the bound refuses itself is not stood
 * for. */
static __attribute__((unused)) void
weights_stay_true_over_changes(void **state)
{
    (void)state;
    begin(500);
    for (uint64_t i = 0; i < 6; i++) {
        add((stream){
            .traces = i % 2 ? 3000 : 800, .from = i * 40, .until = i * 40 + 60, .spans = 2});
    }
    simulate(&sim, 300);
    double counted = 0, truth = 0, burst = 0;
    for (int i = 0; i < 6; i++) {
        counted += sim.streams[i].counted;
        truth += sim.streams[i].truth;
        burst += 1.5 * (double)sim.streams[i].burst;
    }
    double bias = (truth - counted) / truth;
    if (fabs(bias) > burst / truth + 0.02) {
        fail_msg("%.4f is missing, %.4f was refused by the bound", bias, burst / truth);
    }
    end(500);
}

static void
a_clock_that_jumps_does_no_harm(void **state)
{
    (void)state;
    begin(10);
    uint64_t threshold, kept = 0;
    djp__rate_look look = {.route = 77, .spans = 1, .random = ALL - 1, .now_ns = START};
    for (int i = 0; i < 100; i++) {
        look.now_ns = i % 2 ? 0 : START; /* stands still */
        kept += djp__rate_limit_look(sim.limit, &look, &threshold) == DJP_RATE_KEPT;
    }
    assert_int_equal(kept, 10);
    look.now_ns = UINT64_MAX;
    assert_int_equal(djp__rate_limit_look(sim.limit, &look, &threshold), DJP_RATE_KEPT);
    assert_int_equal(djp__rate_limit_take(sim.limit, 9), 1);
    assert_int_equal(djp__rate_limit_take(sim.limit, 1), 0);
    look.spans = 11; /* more than fits in any second */
    assert_int_equal(djp__rate_limit_look(sim.limit, &look, &threshold), DJP_RATE_BURST);
    end(10);
}

/* A thread of the parent was between two stores when the process forked: the child has half of what
 * it did. */
static void
a_fork_in_the_middle_costs_the_child_nothing(void **state)
{
    (void)state;
    const uint64_t torn[] = {(uint64_t)-7, 93}, asked[] = {1, 100};
    for (int i = 0; i < 2; i++) {
        begin(100);
        uint64_t threshold;
        djp__rate_look look = {.route = 77, .spans = 7, .random = ALL - 1, .now_ns = START};
        assert_int_equal(djp__rate_limit_look(sim.limit, &look, &threshold), DJP_RATE_KEPT);
        djp__store_relaxed(&sim.limit->owner, djp__fork_generation()); /* the parent's */
        sim.limit->used += torn[i];
        look.now_ns += 5 * SECOND;
        look.spans = asked[i];
        assert_int_equal(djp__rate_limit_look(sim.limit, &look, &threshold), DJP_RATE_KEPT);
        end(100);
    }
}

/* ---- in a recorder ---- */

static void
use_limit(djp__recorder_options options, uint64_t spans)
{
    options.span_rate_limit = spans;
    options.sample_errors = 1;
    options.slow_threshold_ns = 0;
    options.parent_based = 1;
    use(options);
}

static djp_span *
root_at(const char *route, uint64_t random)
{
    djp__span_seed seed = {.start_monotonic = djp__clock_monotonic()};
    memset(seed.trace_id, 1, sizeof seed.trace_id);
    for (int i = 0; i < 7; i++) {
        seed.trace_id[15 - i] = (uint8_t)(random >> (8 * i));
    }
    memset(seed.span_id, 2, sizeof seed.span_id);
    djp_span *root = djp__span_start_as(recorder, "root", 4, NULL, &seed);
    djp_span_set_string(root, djp_key_intern(DJP_TEXT("http.route")), djp_text_of(route));
    return root;
}

/* Everything of a local trace has one fate and one weight, and every span is counted. */
static void
local_traces_are_limited_as_a_whole(void **state)
{
    (void)state;
    for (int always = 0; always < 2; always++) {
        djp__recorder_options options = ratio_options(1);
        options.always_on = always;
        use_limit(options, 100);
        unsigned roots = 0, spans = 0;
        uint64_t begun = djp__clock_monotonic();
        noise_state = 3;
        for (int i = 0; i < 1000; i++) {
            djp_span *root = root_at("/hot", noise() >> 8), *child = start(root),
                     *late = start(root);
            if (i % 2) {
                djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
            }
            finish(child);
            finish(root);
            finish(late); /* follows, one at a time */
            djp__span_record *record;
            uint64_t first = 1;
            while ((record = span_reader_take(recorder)) != NULL) {
                first = first == 1 ? record->threshold : first;
                assert_true(record->threshold == first);
                roots += record->local_root;
                spans++;
                free(record);
            }
        }
        double seconds = 1 + (double)(djp__clock_monotonic() - begun) / 1e9;
        djp__recorder_totals got = counters();
        assert_true(roots > 10 && spans <= 100 * seconds + 1 && spans >= 2 * roots);
        assert_int_equal(got.by_reason[DJP_REASON_ERROR] + got.by_reason[DJP_REASON_RATIO] +
                             got.by_reason[DJP_REASON_ALWAYS],
                         spans);
        assert_true(got.by_reason[DJP_REASON_RATE_LIMITED] + got.by_reason[DJP_REASON_RATE_BURST] ==
                    3000 - spans);
        assert_int_equal(got.ended, 3000);
    }
}

/* Decided before its end: what comes later follows one by one, and an error still rescues it. */
static void
early_decisions_are_limited_too(void **state)
{
    (void)state;
    djp__recorder_options options = ratio_options(1e-12);
    options.decision_buffer_bytes = 0;
    use_limit(options, 10);
    uint64_t begun = djp__clock_monotonic();
    djp_span *root = root_at("/long", 1);
    for (int i = 0; i < 50; i++) {
        djp_span *child = start(root);
        if (i >= 5) {
            djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
        }
        finish(child);
    }
    finish(root);
    uint64_t kept = counters().by_reason[DJP_REASON_ERROR];
    double seconds = 1 + (double)(djp__clock_monotonic() - begun) / 1e9;
    assert_true(kept >= 1 && (double)kept <= 10 * seconds + 10);
    assert_int_equal(counters().late_sampled, 1);
    assert_int_equal(counters().by_reason[DJP_REASON_NONE], 5);
    assert_int_equal(counters().by_reason[DJP_REASON_RATE_BURST] + kept, 46);
    assert_int_equal(span_reader_drain(recorder), kept);
}

static void *
flood(void *user)
{
    (void)user;
    for (int i = 0; i < 3000; i++) {
        djp_span *root = start(NULL), *child = start(root);
        djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
        finish(child);
        finish(root);
    }
    return NULL;
}

static void
threads_share_the_bound(void **state)
{
    (void)state;
    use_limit(ratio_options(1), 200);
    pthread_t threads[4];
    uint64_t begun = djp__clock_monotonic();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, flood, NULL), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    double seconds = 1 + (double)(djp__clock_monotonic() - begun) / 1e9;
    djp__recorder_totals got = counters();
    assert_true(got.by_reason[DJP_REASON_ERROR] > 0 &&
                got.by_reason[DJP_REASON_ERROR] <= 200 * seconds);
    assert_int_equal(got.by_reason[DJP_REASON_ERROR] + got.by_reason[DJP_REASON_RATE_LIMITED] +
                         got.by_reason[DJP_REASON_RATE_BURST],
                     24000);
    assert_int_equal(span_reader_drain(recorder), got.by_reason[DJP_REASON_ERROR]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
#ifndef __SANITIZE_THREAD__ /* one thread, and a million steps */
        cmocka_unit_test(shares_are_fair),
        cmocka_unit_test(what_is_left_over_goes_to_those_that_want_it),
        cmocka_unit_test(errors_of_a_small_route_survive_a_flood),
        cmocka_unit_test(a_sudden_flood_is_bounded_at_once),
        cmocka_unit_test(invented_routes_share_one_share),
        cmocka_unit_test(nothing_happens_below_the_limit),
        cmocka_unit_test(weights_stay_true_over_changes),
#endif
        cmocka_unit_test(a_clock_that_jumps_does_no_harm),
        cmocka_unit_test(a_fork_in_the_middle_costs_the_child_nothing),
        cmocka_unit_test_teardown(local_traces_are_limited_as_a_whole, tear_down),
        cmocka_unit_test_teardown(early_decisions_are_limited_too, tear_down),
        cmocka_unit_test_teardown(threads_share_the_bound, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
