/* What tail-sampling rules remember stays bounded and means what it says, and the weights of what
 * was kept count true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/str.h"
#include "span_reader.h"
#include "sampling/tail_history.h"
#include "sampling/head.h"
#include "trace/span_seed.h"

#define BASE_NS 1700000000000000000ull
#define MS 1000000ull
#define S 1000000000ull

/* ---- memory of the past ---- */

static void
kinds_beyond_the_table_share_a_place(void **state)
{
    (void)state;
    djp_tail_history *table;
    assert_int_equal(djp__tail_history_new(&table, 0, 60 * S), 0);
    unsigned kept = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        uint64_t kind = djp__hash(&i, sizeof i);
        djp__tail_look look = {.kind = kind, .now_ns = BASE_NS};
        kept += (unsigned)djp__tail_history_look(table, &look).rare;
        assert_false(djp__tail_history_look(table, &look).rare);
    }
    djp__tail_history_totals counters;
    djp__tail_history_counters(&counters, table);
    assert_true(kept > 4000 && kept <= 4097); /* however many kinds there are */
    assert_true(counters.kinds_shared >= 2 * (100000 - kept) && counters.skipped == 0);
    /* A while later all places are free again. */
    djp__tail_look look = {.kind = 12345678900ull, .now_ns = BASE_NS + 61 * S};
    assert_true(djp__tail_history_look(table, &look).rare);
    djp__tail_history_free(table);
}

static void
a_few_hundred_kinds_are_all_known(void **state)
{
    (void)state;
    djp_tail_history *table;
    assert_int_equal(djp__tail_history_new(&table, 0, 60 * S), 0);
    for (int turn = 0; turn < 3; turn++) {
        for (uint64_t i = 0; i < 500; i++) {
            djp__tail_look look = {.kind = djp__hash(&i, sizeof i),
                                   .now_ns = BASE_NS + (uint64_t)turn * 25 * S};
            assert_int_equal(djp__tail_history_look(table, &look).rare, turn == 0);
        }
    }
    djp__tail_history_totals counters;
    djp__tail_history_counters(&counters, table);
    assert_true(counters.kinds_shared < 10);
    djp__tail_history_free(table);
}

/* Deterministic, so that no run is unlucky. */
static uint64_t noise_state = 1;
static uint64_t
noise(void)
{
    uint64_t z = noise_state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
static double
chance(void)
{
    return (double)(noise() >> 11) * 0x1p-53;
}

/* The part that is kept is about the part that was asked for, also when the route changes its pace,
 * and it is the slow end. */
static void
the_slowest_part_is_what_was_asked_for(void **state)
{
    (void)state;
    static const double parts[] = {0.001, 0.01, 0.05};
    for (size_t p = 0; p < 3; p++) {
        djp_tail_history *table;
        assert_int_equal(djp__tail_history_new(&table, parts[p], 0), 0);
        double sum_kept = 0, sum_all = 0;
        unsigned kept = 0, all = 200000;
        for (unsigned i = 0; i < all; i++) {
            double u = chance(), pace = i < all / 2 ? 10e6 : 40e6;
            djp__tail_look look = {.route = 77,
                                   .duration_ns =
                                       (uint64_t)(pace * (1 + 0.2 * chance()) / (1 - 0.99 * u))};
            if (djp__tail_history_look(table, &look).slowest) {
                kept++;
                sum_kept += (double)look.duration_ns;
            }
            sum_all += (double)look.duration_ns;
        }
        double part = (double)kept / all;
        assert_true(part > parts[p] * 0.7 && part < parts[p] * 1.35);
        assert_true(sum_kept / kept > 5 * sum_all / all);
        djp__tail_history_free(table);
    }
}

/* A route that always takes the same time, or that slows down for good, does not turn the rule into
 * "keep all". */
static void
the_slowest_part_has_a_ceiling(void **state)
{
    (void)state;
    djp_tail_history *table;
    assert_int_equal(djp__tail_history_new(&table, 0.01, 0), 0);
    unsigned kept = 0;
    for (unsigned i = 0; i < 100000; i++) {
        /* ever slower */
        djp__tail_look look = {.route = 5, .duration_ns = 1000000 + i * (uint64_t)1000};
        kept += (unsigned)djp__tail_history_look(table, &look).slowest;
    }
    assert_true(kept > 100 && kept <= 1250 + 8);
    djp__tail_history_free(table);
}

static void
routes_beyond_the_table_are_forgotten_and_counted(void **state)
{
    (void)state;
    djp_tail_history *table;
    assert_int_equal(djp__tail_history_new(&table, 0.01, 0), 0);
    for (uint64_t i = 0; i < 10000; i++) {
        djp__tail_look look = {.route = djp__hash(&i, sizeof i), .duration_ns = 1000};
        djp__tail_history_look(table, &look);
    }
    djp__tail_history_totals counters;
    djp__tail_history_counters(&counters, table);
    assert_int_equal(counters.routes_evicted, 10000 - 256);
    djp__tail_history_free(table);
}

/* ---- weights ---- */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TRACES = 100000 };
#define BOUND 0.03
#else
enum { TRACES = 1000000 };
#define BOUND 0.01
#endif

enum { CLASSES = 8 };

static djp__recorder_options
ruled(const char *text, djp_tail_rule rules[DJP_TAIL_RULES_MAX])
{
    djp__recorder_options options = span_reader_options();
    options.always_on = 0;
    options.threshold = djp__threshold_of(1e-12);
    options.decision_wait_ns = 60 * S;
    options.tail_sampling_rules = rules;
    options.tail_sampling_rule_count = djp_tail_rules_parse(rules, djp__text(text), NULL, NULL);
    return options;
}

/* What a local trace of the simulation is; its class is written on every span. */
typedef struct simulated {
    int class; /* route 0 .. 3, plus 4 when it failed */
    int spans;
    int ruled;
    uint64_t duration_ns;
} simulated;

static simulated
simulate(void)
{
    simulated out;
    double pick = chance();
    int route = pick < 0.6 ? 0 : pick < 0.9 ? 1 : pick < 0.99 ? 2 : 3;
    out.class = route + (chance() < 0.02 ? 4 : 0);
    out.spans = 1 + (int)(noise() % 3);
    out.ruled = chance() < 0.03;
    out.duration_ns = (uint64_t)(10e6 * (route + 1) / (1 - 0.99 * chance()));
    return out;
}

static void
record_simulated(djp_recorder *recorder, const simulated *trace, const djp_key keys[3], uint64_t at)
{
    static const char *const routes[4] = {"/a", "/b", "/c", "/d"};
    djp__span_seed seed = {.start_monotonic = djp__clock_monotonic()};
    for (int i = 0; i < 16; i += 8) {
        uint64_t word = noise();
        memcpy(seed.trace_id + i, &word, 8);
    }
    memcpy(seed.span_id, seed.trace_id, 8);
    djp_span_options options = {.start_unix_ns = at};
    djp_span *root = djp__span_start_as(recorder, "root", 4, &options, &seed);
    for (int i = 1; i < trace->spans; i++) {
        djp_span_options below = {.parent = root, .start_unix_ns = at};
        djp_span *child = djp_span_start(recorder, DJP_TEXT("child"), &below);
        djp_span_set_int(child, keys[0], trace->class);
        if (trace->ruled && i == 1) {
            djp_span_set_string(child, keys[2], DJP_TEXT("gold"));
        }
        if (trace->class >= 4 && i == trace->spans - 1) {
            djp_span_set_status(child, DJP_STATUS_ERROR, (djp_text){NULL, 0});
        }
        djp_span_end(child, at + 1);
        djp_span_release(child);
    }
    djp_span_set_int(root, keys[0], trace->class);
    djp_span_set_string(root, keys[1], (djp_text){routes[trace->class % 4], 2});
    if (trace->class >= 4 && trace->spans == 1) {
        djp_span_set_status(root, DJP_STATUS_ERROR, (djp_text){NULL, 0});
    }
    djp_span_end(root, at + trace->duration_ns);
    djp_span_release(root);
}

static void
add_weights(djp_recorder *recorder, double roots[CLASSES], double spans[CLASSES])
{
    djp__span_record *record;
    while ((record = span_reader_take(recorder)) != NULL) {
        const char *class = span_reader_show(record, "class");
        assert_true(class[0] == 'i' && record->threshold < DJP__THRESHOLD_NEVER);
        double weight = 0x1p56 / (0x1p56 - (double)record->threshold);
        int which = atoi(class + 2);
        spans[which] += weight;
        roots[which] += record->local_root ? weight : 0;
        free(record);
    }
}

static void
expect_near(const char *what, double got, double truth)
{
    if (got < truth * (1 - BOUND) || got > truth * (1 + BOUND)) {
        fail_msg("%s: weighted %.0f, true %.0f", what, got, truth);
    }
}

/* Counting by weights gives the truth, whatever mixture of reasons kept the traces. */
static void
count_by_weights(uint64_t decision_buffer_bytes)
{
    noise_state = 7;
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_options options =
        ruled("attribute tier=gold; route /c > 300ms; slowest 1%; rare 60s", rules);
    options.threshold = djp__threshold_of(0.1);
    options.decision_buffer_bytes = decision_buffer_bytes;
    djp_recorder *recorder = span_reader_recorder(&options);
    djp_key keys[3] = {djp_key_intern(DJP_TEXT("class")), djp_key_intern(DJP_TEXT("http.route")),
                       djp_key_intern(DJP_TEXT("tier"))};
    double true_roots[CLASSES] = {0}, true_spans[CLASSES] = {0}, roots[CLASSES] = {0},
           spans[CLASSES] = {0};
    for (int i = 0; i < TRACES; i++) {
        simulated trace = simulate();
        record_simulated(recorder, &trace, keys, BASE_NS + (uint64_t)i * MS);
        true_roots[trace.class]++;
        true_spans[trace.class] += trace.spans;
        if (i % 256 == 0) {
            add_weights(recorder, roots, spans);
        }
    }
    add_weights(recorder, roots, spans);
    double all[4] = {0};
    for (int i = 0; i < CLASSES; i++) {
        all[0] += roots[i];
        all[1] += true_roots[i];
        all[2] += spans[i];
        all[3] += true_spans[i];
        assert_true(i < 4 || roots[i] == true_roots[i]); /* every failed one, once */
        assert_true(i < 4 || decision_buffer_bytes == 0 ||
                    spans[i] == true_spans[i]); /* and whole, where it may wait */
    }
    expect_near("all local traces", all[0], all[1]);
    expect_near("all spans", all[2], all[3]);
    expect_near("the busiest route", roots[0], true_roots[0]);
    djp__recorder_totals counters;
    djp__recorder_counters(&counters, recorder);
    assert_true(counters.by_reason[DJP_REASON_ERROR] > 0 &&
                counters.by_reason[DJP_REASON_SLOW] > 0 && counters.by_reason[DJP_REASON_RULE] > 0);
    assert_true(counters.by_reason[DJP_REASON_SLOWEST] > 0 &&
                counters.by_reason[DJP_REASON_RARE] > 0 &&
                counters.by_reason[DJP_REASON_RATIO] > 0);
    assert_int_equal(counters.dropped[DJP__DROP_RING_FULL], 0);
    assert_int_equal(counters.ended, counters.started);
    assert_int_equal(counters.decided_on_buffer_full > 0, decision_buffer_bytes == 0);
    assert_int_equal(counters.late_sampled > 0, decision_buffer_bytes == 0);
    djp__recorder_free(recorder);
}

static void
weights_count_true(void **state)
{
    (void)state;
    count_by_weights(16u << 20);
}

static void
weights_count_true_when_nothing_may_wait(void **state)
{
    (void)state;
    count_by_weights(0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_beyond_the_table_share_a_place),
        cmocka_unit_test(a_few_hundred_kinds_are_all_known),
        cmocka_unit_test(the_slowest_part_is_what_was_asked_for),
        cmocka_unit_test(the_slowest_part_has_a_ceiling),
        cmocka_unit_test(routes_beyond_the_table_are_forgotten_and_counted),
        cmocka_unit_test(weights_count_true),
        cmocka_unit_test(weights_count_true_when_nothing_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
