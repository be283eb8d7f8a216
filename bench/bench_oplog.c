/* The operation log: what the core's threads pay to replay one span or one request, and for how
 * long a writer's helping hand holds its own thread. Prints one line a figure: the least and the
 * median of the rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oplog_writer.h"

enum { ROUNDS = 41, SPANS = 2000, UNITS = 1 << 17 };

static const char *
bench_no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static djp_sdk *
bench_sdk(const char *backend, const char *ratio)
{
    const djp_config_override overrides[] = {{"enabled", "true"},        {"backend", backend},
                                             {"exporter", "memory"},     {"sample_ratio", ratio},
                                             {"ring_bytes", "16777216"}, {"flush_interval", "30"}};
    djp_options options;
    djp_sdk *sdk = NULL;
    if (djp_config_resolve(&options, bench_no_variables, NULL, overrides, 6, "bench", NULL, NULL) !=
            0 ||
        djp_sdk_new(&sdk, &options, NULL, NULL, NULL) != 0) {
        fprintf(stderr, "no SDK\n");
        exit(1);
    }
    djp_options_fini(&options);
    return sdk;
}

static uint32_t bench_keys[5], bench_name, bench_method, bench_route;

static void
bench_symbols(writer *it)
{
    static const char *const keys[] = {"user.id", "db.system", "net.peer.name", "retry",
                                       "cache.hit"};
    for (int i = 0; i < 5; i++) {
        bench_keys[i] = writer_symbol(it, keys[i]);
    }
    bench_name = writer_symbol(it, "an operation");
    bench_method = writer_symbol(it, "GET");
    bench_route = writer_symbol(it, "/items/{id}");
}

static void
bench_span(writer *it, uint32_t number, int attributes)
{
    writer_start start = {
        .slot = number & 1023, .kind = 1, .number = number, .name = bench_name, .mono = 1000};
    start.flags = DJP_OP_START_ROOT;
    start.ids = writer_make_ids(number, number, 0);
    start.ids.trace[2] = number * 2654435761u;
    writer_begin(it, &start);
    if (attributes) {
        double number_value = 42;
        writer_text(it, start.slot, bench_keys[0], "4711-0815");
        writer_text(it, start.slot, bench_keys[1], "postgresql");
        writer_text(it, start.slot, bench_keys[2], "db.internal");
        writer_put(it, DJP_OP_NUMBER, start.slot | bench_keys[3] << 16, &number_value, 8);
        writer_put(it, DJP_OP_TRUE, start.slot | bench_keys[4] << 16, NULL, 0);
    }
    writer_end(it, start.slot, 2000);
}

static void
bench_request(writer *it, uint32_t number, int with_span)
{
    writer_request request = {
        .slot = DJP_OP_NO_SLOT, .start = 1000, .end = 1000000, .bytes = 100, .status = 200};
    request.method = bench_method;
    request.route = bench_route;
    if (with_span) {
        writer_start start = {.slot = number & 1023, .number = number, .mono = 1000};
        start.flags = DJP_OP_START_ROOT | DJP_OP_START_HTTP;
        start.ids = writer_make_ids(number, number, 0);
        writer_begin(it, &start);
        request.slot = start.slot;
    }
    writer_end_http(it, &request);
}

static int
bench_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef enum bench_kind { BENCH_SPAN, BENCH_BARE, BENCH_HTTP, BENCH_METRICS } bench_kind;

/* No other thread replays: the wake is taken away before the worker reads it, and its interval is
 * long. */
static void
bench_run(const char *label, const char *backend, const char *ratio, bench_kind kind)
{
    djp_sdk *sdk = bench_sdk(backend, ratio);
    writer it;
    double rounds[ROUNDS], stalls[ROUNDS];
    if (writer_open(&it, UNITS) != 0 || djp_oplog_attach(it.log, sdk) != 0) {
        exit(1);
    }
    bench_symbols(&it);
    for (uint32_t round = 0, number = 1; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < SPANS; i++, number++) {
            if (kind == BENCH_SPAN || kind == BENCH_BARE) {
                bench_span(&it, number, kind == BENCH_SPAN);
            } else {
                bench_request(&it, number, kind == BENCH_HTTP);
            }
        }
        djp__store_seq_cst(&it.control[DJP_OPLOG_PUBLISHED], it.at);
        uint64_t start = djp__clock_monotonic();
        djp_oplog_drain(it.log, 1024);
        uint64_t helped = djp__clock_monotonic();
        djp_oplog_drain(it.log, 0);
        uint64_t end = djp__clock_monotonic();
        rounds[round] = (double)(end - start) / SPANS;
        stalls[round] = (double)(helped - start) / 1000;
        char *out = NULL;
        size_t size = 0;
        djp_sdk_flush(sdk, 10000000000ull);
        djp_sdk_take_exported(&out, &size, sdk);
        djp_free(out);
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], bench_compare);
    qsort(stalls, ROUNDS, sizeof stalls[0], bench_compare);
    printf("%-44s %7.1f ns least %7.1f ns median; a drain of 1024 units: %5.1f us median\n", label,
           rounds[0], rounds[ROUNDS / 2], stalls[ROUNDS / 2]);
    writer_close(&it);
    djp_sdk_free(sdk);
}

int
main(void)
{
    bench_run("span with 5 attributes, exported", "otel", "1", BENCH_SPAN);
    bench_run("span with 5 attributes, unsampled", "otel", "0.000001", BENCH_SPAN);
    bench_run("span without attributes, exported", "otel", "1", BENCH_BARE);
    bench_run("request with span and metrics", "hybrid", "1", BENCH_HTTP);
    bench_run("request, metrics only", "prom", "1", BENCH_METRICS);
    return 0;
}
