/* How many instructions the hot path takes: each case runs once to warm up and once more while
 * callgrind counts, which writes one dump a case. Run by tools/instructions.py; without valgrind it
 * does the same work and counts nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <valgrind/callgrind.h>

#include "djp/djp.h"
#include "oplog_writer.h"
#include "recorder_options.h"

enum { TIMES = 1000, UNITS = 1 << 17 };

void instructions_settle(void); /* of instructions_core.c */

static djp_recorder *recorder;
static djp_key keys[5];
static djp_span *parent;
static djp_registry *registry;
static djp_series *counter, *histogram;
static djp_builtin *standard;
static djp_sdk *sdk;
static djp_http_server *server;
static writer oplog;
static uint32_t symbols[9];
static int by_symbol; /* texts of values have symbols, as when they came before */

static const char *
no_variables(void *user, const char *name)
{
    (void)user;
    (void)name;
    return NULL;
}

static void
need(int true_here, const char *what)
{
    if (!true_here) {
        fprintf(stderr, "instructions: no %s\n", what);
        exit(1);
    }
}

/* ---- spans ---- */

static void
recorder_begin(int always_on, double ratio)
{
    djp__recorder_options options = recorder_options(16u << 20, always_on, ratio);
    need(djp__recorder_new(&recorder, &options) == 0, "recorder");
}

static void
always_begin(void)
{
    recorder_begin(1, 1);
}

static void
no_begin(void)
{
    recorder_begin(0, 0.0000001);
}

static void
yes_begin(void)
{
    recorder_begin(0, 0.9999);
}

static void
child_begin(void)
{
    recorder_begin(1, 1);
    parent = djp_span_start(recorder, DJP_TEXT("parent"), NULL);
}

static void
recorder_end(void)
{
    djp_span_release(parent);
    parent = NULL;
    djp__recorder_free(recorder);
}

static void
spans_run(void)
{
    djp_span_options options = {.parent = parent};
    for (int i = 0; i < TIMES; i++) {
        djp_span *span =
            djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), parent ? &options : NULL);
        djp_span_set_string(span, keys[0], DJP_TEXT("GET"));
        djp_span_set_string(span, keys[1], DJP_TEXT("/orders/{id}"));
        djp_span_set_int(span, keys[2], 200);
        djp_span_set_double(span, keys[3], 0.25);
        djp_span_set_string(span, keys[4], DJP_TEXT("eu-central-1"));
        djp_span_end(span, 0);
        djp_span_release(span);
    }
}

/* A root and two children, which wait for it: all three are decided when it ends. */
static void
traces_run(void)
{
    for (int i = 0; i < TIMES; i++) {
        djp_span *root = djp_span_start(recorder, DJP_TEXT("GET /orders/{id}"), NULL);
        djp_span_options options = {.parent = root};
        for (int child = 0; child < 2; child++) {
            djp_span *span = djp_span_start(recorder, DJP_TEXT("SELECT orders"), &options);
            djp_span_set_string(span, keys[0], DJP_TEXT("GET"));
            djp_span_end(span, 0);
            djp_span_release(span);
        }
        djp_span_end(root, 0);
        djp_span_release(root);
    }
}

/* ---- metrics ---- */

static djp_series *
metric(djp_metric_type type, const char *name, const double *buckets, size_t count)
{
    djp_family_options options = {
        .type = type, .name = name, .help = "x", .buckets = buckets, .bucket_count = count};
    djp_family *family = NULL;
    need(djp_family_new(&family, registry, &options) >= 0, "metric");
    return djp_family_series(family, NULL);
}

static void
metrics_begin(void)
{
    static const double buckets[] = {.005, .01, .025, .05, .075, .1, .25, .3,
                                     .5,   .75, 1,    2,   2.5,  5,  10};
    need(djp_registry_new(&registry, NULL) >= 0, "registry");
    counter = metric(DJP_COUNTER, "c", NULL, 0);
    histogram = metric(DJP_HISTOGRAM, "h", buckets, 15);
    need(djp_builtin_new(&standard, registry, NULL) >= 0, "built-in instruments");
}

static void
metrics_end(void)
{
    djp_builtin_free(standard);
    djp_registry_free(registry);
}

static void
counter_run(void)
{
    for (int i = 0; i < TIMES; i++) {
        djp_counter_add(counter, 1);
    }
}

static void
histogram_run(void)
{
    for (int i = 0; i < TIMES; i++) {
        djp_histogram_observe(histogram, (double)(i % 100) * 0.07);
    }
}

static void
request_metrics_run(void)
{
    djp_text method = {"GET", 3}, route = {"/api/workflows/{id}", 19};
    for (unsigned i = 0; i < TIMES; i++) {
        djp_builtin_http_request(standard, method, route, 200, 1000000u + i * 1000u, -1, NULL);
    }
}

/* ---- what needs an SDK ---- */

/* Armed for a level that is never reached, as between two drains of the ring: no span wakes the
 * worker. */
static void
sdk_arm(void)
{
    djp__recorder_set_wake_level(djp_sdk_recorder(sdk), UINT64_MAX);
}

static void
sdk_begin(const char *backend)
{
    const djp_config_override overrides[] = {{"enabled", "true"},        {"backend", backend},
                                             {"exporter", "memory"},     {"sample_ratio", "1"},
                                             {"ring_bytes", "16777216"}, {"flush_interval", "30"}};
    djp_options options;
    need(djp_config_resolve(&options, no_variables, NULL, overrides, 6, "bench", NULL, NULL) == 0,
         "options");
    need(djp_sdk_new(&sdk, &options, NULL, NULL, NULL) == 0, "SDK");
    djp_options_fini(&options);
}

/* The worker starts and gets time to fall asleep, for half a minute of the clock of this
 * program. */
static void
sdk_settle(void)
{
    struct timespec pause = {0, 200000000};
    djp_sdk_flush(sdk, 10000000000ull);
    nanosleep(&pause, NULL);
    sdk_arm();
}

static void
server_begin(void)
{
    sdk_begin("hybrid");
    need(djp_http_server_new(&server, sdk) == 0, "server");
    sdk_settle();
}

/* Takes what was exported, so that nothing waits when the process ends. */
static void
sdk_end(void)
{
    char *exported = NULL;
    size_t size = 0;
    djp_sdk_flush(sdk, 10000000000ull);
    djp_sdk_take_exported(&exported, &size, sdk);
    djp_free(exported);
    djp_sdk_free(sdk);
}

static void
server_end(void)
{
    djp_http_server_free(server);
    sdk_end();
}

static void
server_run(void)
{
    djp_http_result result = {.method = {"GET", 3},
                              .route = {"/items/{id}", 11},
                              .scheme = {"http", 4},
                              .version = {"1.1", 3},
                              .status = 200,
                              .request_bytes = 100};
    for (unsigned i = 0; i < TIMES; i++) {
        djp_span *span = djp_http_server_start(&result.start_ns, server, DJP_HTTP_REQUEST, NULL);
        result.end_ns = result.start_ns + 1000000u + i * 1000u;
        djp_http_server_end(server, span, &result);
        djp_span_release(span);
    }
}

static const char *const texts[] = {"4711-0815", "postgresql", "db.internal"};

/* The writer's part is done before anything is counted: all that is left is the core's replay. */
static void
oplog_write(void)
{
    for (uint32_t i = 1; i <= TIMES; i++) {
        writer_start start = {
            .slot = i & 1023, .kind = 1, .number = i, .name = symbols[5], .mono = 1000};
        double number = 42;
        start.flags = DJP_OP_START_ROOT;
        start.ids = writer_make_ids(i, i, 0);
        start.ids.trace[2] = i * 2654435761u;
        writer_begin(&oplog, &start);
        for (uint32_t text = 0; text < 3; text++) {
            uint32_t payload[2] = {symbols[6 + text], 0};
            if (by_symbol) {
                writer_put(&oplog, DJP_OP_SYMBOL, start.slot | symbols[text] << 16, payload, 8);
            } else {
                writer_text(&oplog, start.slot, symbols[text], texts[text]);
            }
        }
        writer_put(&oplog, DJP_OP_NUMBER, start.slot | symbols[3] << 16, &number, 8);
        writer_put(&oplog, DJP_OP_TRUE, start.slot | symbols[4] << 16, NULL, 0);
        writer_end(&oplog, start.slot, 2000);
    }
    djp__store_seq_cst(&oplog.control[DJP_OPLOG_PUBLISHED], oplog.at);
    sdk_arm();
}

static void
oplog_begin(void)
{
    static const char *const names[] = {"user.id", "db.system", "net.peer.name",
                                        "retry",   "cache.hit", "an operation"};
    sdk_begin("otel");
    need(writer_open(&oplog, UNITS) == 0 && djp_oplog_attach(oplog.log, sdk) == 0, "operation log");
    for (int i = 0; i < 6; i++) {
        symbols[i] = writer_symbol(&oplog, names[i]);
    }
    for (int i = 0; i < 3; i++) {
        symbols[6 + i] = writer_symbol(&oplog, texts[i]);
    }
    by_symbol = 0;
    sdk_settle();
}

static void
oplog_begin_symbols(void)
{
    oplog_begin();
    by_symbol = 1;
}

static void
oplog_end(void)
{
    writer_close(&oplog);
    sdk_end();
}

static void
oplog_run(void)
{
    djp_oplog_drain(oplog.log, 0);
}

/* ---- the counting ---- */

typedef struct instructions_case {
    const char *name;
    void (*begin)(void);
    void (*prepare)(void); /* before each run, or NULL */
    void (*run)(void); /* does it TIMES times */
    void (*end)(void);
} instructions_case;

static const instructions_case cases[] = {
    {"span, 5 attributes, always on", always_begin, NULL, spans_run, recorder_end},
    {"span, 5 attributes, ratio says no", no_begin, NULL, spans_run, recorder_end},
    {"span, 5 attributes, ratio says yes", yes_begin, NULL, spans_run, recorder_end},
    {"child span, 5 attributes", child_begin, NULL, spans_run, recorder_end},
    {"local trace of 3 spans, dropped", no_begin, NULL, traces_run, recorder_end},
    {"local trace of 3 spans, ratio says yes", yes_begin, NULL, traces_run, recorder_end},
    {"counter add", metrics_begin, NULL, counter_run, metrics_end},
    {"histogram observe, 15 buckets", metrics_begin, NULL, histogram_run, metrics_end},
    {"request metrics, labels cached", metrics_begin, NULL, request_metrics_run, metrics_end},
    {"HTTP request, span and metrics", server_begin, sdk_arm, server_run, server_end},
    {"replay of a span, 5 attributes", oplog_begin, oplog_write, oplog_run, oplog_end},
    {"replay of a span, texts by symbol", oplog_begin_symbols, oplog_write, oplog_run, oplog_end},
};

int
main(void)
{
    static const char *const names[5] = {"http.request.method", "http.route",
                                         "http.response.status_code", "load", "cloud.region"};
    for (int i = 0; i < 5; i++) {
        keys[i] = djp_key_intern(djp_text_of(names[i]));
    }
    printf("times %d\n", TIMES);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const instructions_case *it = &cases[i];
        instructions_settle();
        it->begin();
        for (int counted = 0; counted < 2; counted++) {
            if (it->prepare) {
                it->prepare();
            }
            if (counted) {
                CALLGRIND_START_INSTRUMENTATION;
                CALLGRIND_ZERO_STATS;
            }
            it->run();
            if (counted) {
                CALLGRIND_DUMP_STATS_AT(it->name);
                CALLGRIND_STOP_INSTRUMENTATION;
            }
        }
        it->end();
    }
    return 0;
}
