/* What a span costs the thread that records it: a C floor (a thread-local append buffer, two readings of the same clock, one copy
 * into a ring) beside the real thing, in one run, as the minimum over many short chunks. Prints nanoseconds and ratios. */
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
#include "djp/span.h"
#include "trace/recorder.h"
#include "trace/sampler.h"

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

/* The floor: what cannot be left out. Fixed-size copies at known places, no limits, no checks, no handle. */
static DJP_THREAD_LOCAL char buffer[1024];

static inline char *
append(char *at, uint32_t key, uint32_t head, const void *data, size_t size)
{
    memcpy(at, &key, 4);
    memcpy(at + 4, &head, 4);
    memcpy(at + 8, data, size);
    return at + 8 + size;
}

static void
floor_span(void)
{
    char *at = buffer;
    djp__rand_trace_id((uint8_t *)at);
    djp__rand_span_id((uint8_t *)at + 16);
    uint64_t start = djp__clock_monotonic();
    memcpy(at + 24, &start, 8);
    at = append(at + 32, 0, 16, "GET /orders/{id}", 16);
    int64_t number = 200;
    double real = 0.25;
    at = append(at, keys[0], 1, "GET\0\0\0\0", 8);
    at = append(at, keys[1], 2, "/orders/{id}\0\0\0", 16);
    at = append(at, keys[2], 3, &number, 8);
    at = append(at, keys[3], 4, &real, 8);
    at = append(at, keys[4], 5, "eu-central-1\0\0\0", 16);
    uint64_t end = djp__clock_monotonic();
    memcpy(at, &end, 8);
    at += 8;
    size_t size = (size_t)(at - buffer);
    void *place = djp__ring_reserve(floor_ring, size);
    if (place) {
        memcpy(place, buffer, size);
        djp__ring_commit(floor_ring, place);
    }
}

static void
set_five(djp_span *span)
{
    djp_span_set_string(span, keys[0], "GET", 3);
    djp_span_set_string(span, keys[1], "/orders/{id}", 12);
    djp_span_set_int(span, keys[2], 200);
    djp_span_set_double(span, keys[3], 0.25);
    djp_span_set_string(span, keys[4], "eu-central-1", 12);
}

static void
our_span(void)
{
    djp_span *span = djp_span_start(recorder, "GET /orders/{id}", 16, NULL);
    set_five(span);
    djp_span_end(span, 0);
    djp_span_release(span);
}

static djp_span *parent;

static void
our_child(void)
{
    djp_span_options options = {.parent = parent};
    djp_span *span = djp_span_start(recorder, "GET /orders/{id}", 16, &options);
    set_five(span);
    djp_span_end(span, 0);
    djp_span_release(span);
}

static void
our_bare_span(void)
{
    djp_span *span = djp_span_start(recorder, "GET /orders/{id}", 16, NULL);
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
        open_span = djp_span_start(recorder, "open", 4, NULL);
    }
}

static void
one_string(void)
{
    renew_open_span();
    djp_span_set_string(open_span, keys[1], "/orders/{id}", 12);
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

static void
clock_twice(void)
{
    static volatile uint64_t sink;
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

static void
use_recorder(int always_on, double ratio)
{
    djp__recorder_free(recorder);
    djp_recorder_options options = {.ring_bytes = 1u << 20,
                                    .pending_bytes = 16u << 20,
                                    .always_on = always_on,
                                    .threshold = djp__sampler_threshold(ratio),
                                    .parent_based = 1,
                                    .slow_threshold_ns = 2000000000u,
                                    .keep_errors = 1,
                                    .attribute_count_limit = 128,
                                    .attribute_value_length_limit = UINT32_MAX,
                                    .event_count_limit = 128,
                                    .link_count_limit = 128,
                                    .event_attribute_count_limit = 128,
                                    .link_attribute_count_limit = 128};
    if (djp__recorder_new(&recorder, &options) != 0) {
        fputs("no memory for a recorder\n", stderr);
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
    static const char *const names[5] = {"http.request.method", "http.route", "http.response.status_code", "load",
                                         "cloud.region"};
    for (int i = 0; i < 5; i++) {
        keys[i] = djp_key_intern(names[i], strlen(names[i]));
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
    double floor = measure(floor_span);
    double streamed = measure(our_span);
    floor = floor < (streamed = measure(our_span), measure(floor_span)) ? floor : measure(floor_span);
    report("clock, twice", measure(clock_twice), 0);
    report("floor: span, 5 attributes, to ring", floor, 0);
    report("always on: span, 5 attributes, to ring", streamed, floor);
    report("always on: span without attributes", measure(our_bare_span), floor);
    parent = djp_span_start(recorder, "parent", 6, NULL);
    report("always on: child span, 5 attributes", measure(our_child), floor);
    djp_span_release(parent);
    open_span = djp_span_start(recorder, "open", 4, NULL);
    double empty = measure(nothing);
    report("one string attribute (12 bytes)", measure(one_string) - empty, 0);
    report("one integer attribute", measure(one_int) - empty, 0);
    djp_span_release(open_span);
    use_recorder(0, 0.0000001);
    report("ratio says no: span, 5 attributes, then dropped", measure(our_span), floor);
    use_recorder(0, 0.9999);
    report("ratio says yes: span, 5 attributes, to ring", measure(our_span), floor);
    djp__recorder_free(recorder);
    djp__ring_free(floor_ring);
    return floor * 2 >= streamed ? 0 : 3;
}
