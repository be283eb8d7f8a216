/* What a span costs the thread that records it: a C floor (a thread-local append buffer, two
 * readings of the same clock, one copy into a ring) beside the real thing, in one run, as the
 * minimum over many short chunks. Prints nanoseconds and ratios. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/thread.h"
#include "djp/sampler.h"
#include "djp/span.h"
#include "recorder_options.h"
#include "model/text_copy.h"

enum { CHUNK = 200, CHUNKS = 4000 };

static djp_recorder *recorder;
static djp_ring *floor_ring;
static djp_key keys[5];

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
drain(djp_ring *ring)
{
    size_t size;
    while (djp__ring_peek(ring, &size)) {
        djp__ring_consume(ring);
    }
}

/* The floor: calls of the same shape as the API's that append to one thread-local buffer and copy
 * it into a ring. No handle, no parent, no limits, no checks, no sampling, no counters: what is
 * left cannot be left out. */
#define NOINLINE __attribute__((noinline))

static DJP__THREAD_LOCAL char *floor_at;
static DJP__THREAD_LOCAL char floor_buffer[1024];

static inline void
floor_append(uint32_t key, uint32_t head, const char *data, size_t size)
{
    char *at = floor_at;
    memcpy(at, &key, 4);
    memcpy(at + 4, &head, 4);
    djp__copy_text(at + 8, data, size);
    floor_at = at + 8 + ((size + 7) & ~(size_t)7);
}

static NOINLINE void
floor_start(const char *name, size_t size)
{
    floor_at = floor_buffer + 40;
    djp__rand_trace_id((uint8_t *)floor_buffer);
    djp__rand_span_id((uint8_t *)floor_buffer + 16);
    uint64_t start = djp__clock_monotonic();
    memcpy(floor_buffer + 24, &start, 8);
    floor_append(0, (uint32_t)size, name, size);
}

static NOINLINE void
floor_set_string(uint32_t key, const char *text, size_t size)
{
    floor_append(key, (uint32_t)size | 4u << 24, text, size);
}

static NOINLINE void
floor_set_word(uint32_t key, uint32_t type, uint64_t word)
{
    char *at = floor_at;
    uint32_t head = 8u | type << 24;
    memcpy(at, &key, 4);
    memcpy(at + 4, &head, 4);
    memcpy(at + 8, &word, 8);
    floor_at = at + 16;
}

static NOINLINE void
floor_end(void)
{
    uint64_t end = djp__clock_monotonic();
    memcpy(floor_buffer + 32, &end, 8);
    size_t size = (size_t)(floor_at - floor_buffer);
    void *place = djp__ring_reserve(floor_ring, size);
    if (place != NULL) {
        memcpy(place, floor_buffer, size);
        djp__ring_commit(floor_ring, place);
    }
}

static void
floor_span(void)
{
    double load = 0.25;
    uint64_t word;
    memcpy(&word, &load, sizeof word);
    floor_start("GET /orders/{id}", 16);
    floor_set_string(keys[0], "GET", 3);
    floor_set_string(keys[1], "/orders/{id}", 12);
    floor_set_word(keys[2], 2, 200);
    floor_set_word(keys[3], 3, word);
    floor_set_string(keys[4], "eu-central-1", 12);
    floor_end();
}

static void
set_five(djp_span *span)
{
    djp_span_set_string(span, keys[0], DJP_TEXT("GET"));
    djp_span_set_string(span, keys[1], DJP_TEXT("/orders/{id}"));
    djp_span_set_int(span, keys[2], 200);
    djp_span_set_double(span, keys[3], 0.25);
    djp_span_set_string(span, keys[4], DJP_TEXT("eu-central-1"));
}

static void
our_span(void)
{
    djp_span *span = djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), NULL);
    set_five(span);
    djp_span_end(span, 0);
    djp_span_release(span);
}

static djp_span *parent;

static void
our_child(void)
{
    djp_span_options options = {.parent = parent};
    djp_span *span = djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), &options);
    set_five(span);
    djp_span_end(span, 0);
    djp_span_release(span);
}

static void
our_pair(void)
{
    parent = djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), NULL);
    our_child();
    djp_span_end(parent, 0);
    djp_span_release(parent);
}

static void
our_bare_span(void)
{
    djp_span *span = djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), NULL);
    djp_span_end(span, 0);
    djp_span_release(span);
}

static djp_span *open_span;
static unsigned turn;

static void
renew_open_span(void)
{
    if (++turn % 32 == 0) {
        djp_span_release(open_span);
        open_span = djp_span_start(recorder, DJP_TEXT("open"), NULL);
    }
}

static void
one_string(void)
{
    renew_open_span();
    djp_span_set_string(open_span, keys[1], DJP_TEXT("/orders/{id}"));
}

static void
one_int(void)
{
    renew_open_span();
    djp_span_set_int(open_span, keys[2], 200);
}

static void
nothing(void)
{
    renew_open_span();
}

volatile uint64_t sink;

static void
clock_twice(void)
{
    sink = djp__clock_monotonic();
    sink = djp__clock_monotonic();
}

/* The reader's work is left out: the ring is emptied between chunks. */
static double
measure(void (*run)(void))
{
    double best = 1e18;
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        uint64_t start = now_ns();
        for (int i = 0; i < CHUNK; i++) {
            run();
        }
        double each = (double)(now_ns() - start) / CHUNK;
        best = each < best ? each : best;
        drain(djp__recorder_ring(recorder));
        drain(floor_ring);
    }
    return best;
}

static double
smaller(double a, double b)
{
    return a < b ? a : b;
}

static void
use_rules(int always_on, double ratio, const char *text)
{
    djp_tail_rule rules[DJP_TAIL_RULES_MAX];
    djp__recorder_free(recorder);
    djp__recorder_options options = recorder_options(1u << 20, always_on, ratio);
    options.tail_sampling_rules = rules;
    options.tail_sampling_rule_count =
        djp_tail_rules_parse(rules, (djp_text){text, strlen(text)}, NULL, NULL);
    if (djp__recorder_new(&recorder, &options) != 0) {
        fputs("no memory for a recorder\n", stderr);
        exit(1);
    }
}

static void
use_recorder(int always_on, double ratio)
{
    use_rules(always_on, ratio, "");
}

/* The ratio above by a tree of samplers, with conditions that do not hold. */
static void
use_sampler(const char *text)
{
    djp_sampler *sampler;
    use_recorder(0, 0.0000001);
    if (djp_sampler_parse(&sampler, (djp_text){text, strlen(text)}, NULL) != 0 ||
        djp__recorder_set_sampler(recorder, sampler) != 0) {
        fputs("no sampler\n", stderr);
        exit(1);
    }
}

static void
report(const char *name, double ns, double floor)
{
    printf("%-52s %7.1f ns", name, ns);
    if (floor > 0) {
        printf("  %5.2fx floor", ns / floor);
    }
    putchar('\n');
}

int
main(void)
{
    static const char *const names[5] = {"http.request.method", "http.route",
                                         "http.response.status_code", "load", "cloud.region"};
    for (int i = 0; i < 5; i++) {
        keys[i] = djp_key_intern(djp_text_of(names[i]));
    }
    if (djp__ring_new(&floor_ring, 1u << 20) != 0) {
        return 1;
    }
    /* Lets the clock calibrate, as the worker does in a process. */
    for (int i = 0; i < 3; i++) {
        struct timespec nap = {0, 250000000};
        djp__clock_anchor_refresh();
        nanosleep(&nap, NULL);
    }
    use_recorder(1, 1);
    /* In turn, so that a slow phase of the machine hits both. */
    double floor = 1e18, streamed = 1e18;
    for (int i = 0; i < 3; i++) {
        floor = smaller(floor, measure(floor_span));
        streamed = smaller(streamed, measure(our_span));
    }
    report("clock, twice", measure(clock_twice), 0);
    report("floor: span, 5 attributes, to ring", floor, 0);
    report("always on: span, 5 attributes, to ring", streamed, floor);
    report("always on: span without attributes", measure(our_bare_span), floor);
    parent = djp_span_start(recorder, DJP_TEXT("parent"), NULL);
    report("always on: child span, 5 attributes", measure(our_child), floor);
    djp_span_release(parent);
    open_span = djp_span_start(recorder, DJP_TEXT("open"), NULL);
    double empty = measure(nothing);
    report("one string attribute (12 bytes)", measure(one_string) - empty, 0);
    report("one integer attribute", measure(one_int) - empty, 0);
    djp_span_release(open_span);
    use_recorder(0, 0.0000001);
    report("ratio says no: span, 5 attributes, then dropped", measure(our_span), floor);
    use_rules(0, 0.0000001, "attribute user.tier=gold; name charge*");
    report("the same with two rules that it does not meet", measure(our_span), floor);
    use_rules(
        0, 0.0000001,
        "attribute user.tier=gold; name charge*; route /reports/* > 30s; slowest 1%; rare 60s");
    report("the same with a rule of each form", measure(our_span), floor);
    use_sampler("rule_based(any => probability(0.0000001))");
    report("the same by a tree of one rule", measure(our_span), floor);
    use_sampler("parent_threshold(rule_based(name(\"GET /health*\") => drop, "
                "attribute(\"user.tier\"=\"gold\") => always_on, "
                "any => probability(0.0000001)))");
    report("the same by a tree of three rules", measure(our_span), floor);
    use_recorder(0, 0.0000001);
    report("the same: root and child, which waits", measure(our_pair), floor);
    use_recorder(0, 0.9999);
    report("ratio says yes: span, 5 attributes, to ring", measure(our_span), floor);
    djp__recorder_free(recorder);
    djp__ring_free(floor_ring);
    return floor * 2 >= streamed ? 0 : 3;
}
