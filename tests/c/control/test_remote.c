/* Remote sampling: when a server is asked, what its strategies decide, what thousands of changes
 * cost, and all of it at once while threads record. What can go wrong on the way to a server is the
 * business of tests/python/test_remote_sampling.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "djp/error.h"
#include "djp/sdk.h"
#include "djp/span.h"
#include "control/remote_strategy.h"
#include "control/remote.h"
#include "trace/recorder.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)

/* ---- when ---- */

static void
assert_pause(uint64_t interval, uint64_t failures, uint64_t wish, uint64_t low, uint64_t high)
{
    for (uint64_t eighth = 0; eighth <= 8; eighth++) {
        uint64_t random = eighth == 8 ? UINT64_MAX : eighth << 61;
        uint64_t pause = djp__remote_pause(interval, failures, wish, random);
        uint64_t expected = low + (high - low) / 8 * eighth;
        assert_in_range(pause, expected - 1000, expected + 1000);
    }
}

static void
an_interval_is_spread_by_a_tenth(void **state)
{
    (void)state;
    assert_pause(MINUTE, 0, 0, 54 * SECOND, 66 * SECOND);
    assert_pause(SECOND / 10, 0, 0, 90000000, 110000000);
    /* a wish counts with a failure only */
    assert_pause(MINUTE, 0, 7 * SECOND, 54 * SECOND, 66 * SECOND);
}

static void
failures_make_pauses_longer_up_to_the_interval(void **state)
{
    static const uint64_t means[] = {1, 2, 4, 8, 16, 32, 60, 60};
    (void)state;
    for (uint64_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        assert_pause(MINUTE, i + 1, 0, means[i] * SECOND / 2, means[i] * SECOND * 3 / 2);
    }
    assert_pause(MINUTE, UINT64_MAX, 0, 30 * SECOND, 90 * SECOND);
}

static void
a_short_interval_does_not_mean_a_hail_of_questions(void **state)
{
    (void)state;
    assert_pause(SECOND / 10, 1, 0, SECOND / 20, SECOND * 3 / 20);
    assert_pause(SECOND / 10, 100, 0, 15 * SECOND, 45 * SECOND);
}

static void
the_wish_of_the_server_is_granted(void **state)
{
    (void)state;
    assert_pause(MINUTE, 1, 120 * SECOND, 120 * SECOND, 132 * SECOND);
    /* a shorter one than the own pause changes nothing */
    assert_pause(MINUTE, 9, SECOND, 30 * SECOND, 90 * SECOND);
    assert_int_equal(djp__remote_pause(MINUTE, 1, UINT64_MAX, UINT64_MAX), UINT64_MAX);
}

/* ---- what is decided ---- */

static djp_recorder *recorder;

static int
begin_test(void **state)
{
    (void)state;
    djp__recorder_options options = {.ring_bytes = 1 << 20,
                                     .decision_buffer_bytes = 1 << 20,
                                     .threshold = 1ull << 56,
                                     .attribute_count_limit = 8,
                                     .attribute_value_length_limit = UINT32_MAX};
    return djp__recorder_new(&recorder, &options);
}

static int
end_test(void **state)
{
    (void)state;
    djp__recorder_free(recorder);
    return 0;
}

static void
follow(const char *text, int parent_based)
{
    djp__strategy strategy;
    char error[128];
    if (djp__strategy_parse(&strategy, text, strlen(text), error, sizeof error) != 0) {
        fail_msg("%s: %s", text, error);
    }
    assert_int_equal(
        djp__recorder_set_sampler(recorder, djp__strategy_tree(&strategy, parent_based)), 0);
    djp__strategy_fini(&strategy);
}

/* How many of the roots of that name are sampled. */
static int
sampled(const char *name, int roots, int flags)
{
    int count = 0;
    for (int i = 0; i < roots; i++) {
        djp_span_context remote = {.flags = (uint8_t)(flags > 0), .is_remote = 1};
        memset(remote.trace_id, i + 1, sizeof remote.trace_id);
        memset(remote.span_id, 1, sizeof remote.span_id);
        djp_span_options options = {.remote = flags >= 0 ? &remote : NULL};
        djp_span_context context;
        djp_span *span = djp_span_start(recorder, djp_text_of(name), &options);
        djp_span_get_context(&context, span);
        count += context.flags & DJP_FLAG_SAMPLED;
        djp_span_end(span, 0);
        djp_span_release(span);
    }
    return count;
}

static void
operations_have_their_own_probability(void **state)
{
    (void)state;
    follow("{\"operationSampling\":{\"defaultSamplingProbability\":0.5,\"perOperationStrategies\":["
           "{\"operation\":\"GET /all\",\"probabilisticSampling\":{\"samplingRate\":1}},"
           "{\"operation\":\"GET /none\",\"probabilisticSampling\":{\"samplingRate\":0}}]}}",
           0);
    assert_int_equal(sampled("GET /all", 200, -1), 200);
    assert_int_equal(sampled("GET /none", 200, -1), 0);
    assert_in_range(sampled("GET /other", 1000, -1), 400, 600);
    assert_int_equal(sampled("GET /none", 10, 1), 0); /* a caller has no say */
}

static void
a_caller_comes_first_where_it_should(void **state)
{
    (void)state;
    follow("{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"GET "
           "/all\",\"probabilisticSampling\":{\"samplingRate\":1}}]}}",
           1);
    assert_int_equal(sampled("GET /other", 10, 1), 10);
    assert_int_equal(sampled("GET /all", 10, 0), 0);
    assert_int_equal(sampled("GET /all", 10, -1), 10);
    assert_int_equal(sampled("GET /other", 10, -1), 0);
}

static void
rates_and_lower_bounds_are_kept(void **state)
{
    (void)state;
    follow("{\"rateLimitingSampling\":{\"maxTracesPerSecond\":5}}", 0);
    assert_in_range(sampled("a", 1000, -1), 5, 50);
    follow("{\"operationSampling\":{\"defaultLowerBoundTracesPerSecond\":0.001,"
           "\"perOperationStrategies\":["
           "{\"operation\":\"a\"},{\"operation\":\"b\"}]}}",
           0);
    assert_int_equal(sampled("a", 100, -1), 1);
    assert_int_equal(sampled("b", 100, -1), 1);
    /* names without a strategy share one */
    assert_int_equal(sampled("c", 100, -1) + sampled("d", 100, -1), 1);
}

static void
what_is_off_is_known(void **state)
{
    static const struct {
        const char *text;
        int off;
    } cases[] = {
        {"{\"probabilisticSampling\":{}}", 1},
        {"{\"probabilisticSampling\":{\"samplingRate\":1e-9}}", 0},
        {"{\"rateLimitingSampling\":{\"maxTracesPerSecond\":0}}", 1},
        {"{\"rateLimitingSampling\":{\"maxTracesPerSecond\":1}}", 0},
        {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\"}]}}", 1},
        {"{\"operationSampling\":{\"defaultLowerBoundTracesPerSecond\":1,"
         "\"perOperationStrategies\":[{\"operation\":"
         "\"a\"}]}}",
         0},
        {"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"a\"},{\"operation\":"
         "\"b\","
         "\"probabilisticSampling\":{\"samplingRate\":1}}]}}",
         0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__strategy strategy;
        char error[128];
        assert_int_equal(djp__strategy_parse(&strategy, cases[i].text, strlen(cases[i].text), error,
                                             sizeof error),
                         0);
        assert_int_equal(djp__strategy_is_off(&strategy), cases[i].off);
        djp__strategy_fini(&strategy);
    }
}

/* The largest strategy, each time a little different. */
static void
follow_many(int round)
{
    static char text[DJP_STRATEGY_OPERATIONS_MAX * 100 + 200];
    size_t size =
        (size_t)sprintf(text, "{\"operationSampling\":{\"defaultLowerBoundTracesPerSecond\":0.5,"
                              "\"perOperationStrategies\":[");
    for (int i = 0; i < DJP_STRATEGY_OPERATIONS_MAX; i++) {
        size += (size_t)sprintf(
            text + size,
            "%s{\"operation\":\"GET /%d\",\"probabilisticSampling\":{\"samplingRate\":%d}}",
            i ? "," : "", i, (i + round) & 1);
    }
    sprintf(text + size, "]}}");
    follow(text, 1);
}

static void
months_of_changes_take_no_more_memory(void **state)
{
    (void)state;
    size_t most = 0, first = 0;
    for (int round = 0; round < 40; round++) {
        follow_many(round);
        assert_int_equal(sampled("GET /7", 3, -1), round & 1 ? 1 : 3);
        size_t used = (size_t)mallinfo2().uordblks;
        first = round == 4 ? used : first;
        most = used > most ? used : most;
    }
    assert_true(most <= first + first / 4);
}

/* ---- a server that changes its mind ---- */

static int listener;
static DJP__ATOMIC(int) answers;
static DJP__ATOMIC(int) over;

/* One answer to each connection, every time another one; the last ones never come. */
static void *
serve(void *ignored)
{
    static const char *const strategies[] = {
        "{\"probabilisticSampling\":{\"samplingRate\":0.5}}",
        "{\"rateLimitingSampling\":{\"maxTracesPerSecond\":100}}",
        "nonsense",
        "{\"operationSampling\":{\"defaultSamplingProbability\":0.1,\"perOperationStrategies\":[{"
        "\"operation\":"
        "\"work\","
        "\"probabilisticSampling\":{\"samplingRate\":1}}]}}",
        "{\"probabilisticSampling\":{\"samplingRate\":0}}",
    };
    char request[2048], answer[1024];
    int last = -1;
    for (int i = 0; !djp__load_acquire(&over); i++) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) {
            break;
        }
        if (djp__load_relaxed(&answers) >= 15) {
            last = connection; /* left open without an answer */
            djp__add_acq_rel(&answers, 1);
            continue;
        }
        if (recv(connection, request, sizeof request, 0) > 0) {
            const char *body = strategies[i % 5];
            int size =
                snprintf(answer, sizeof answer,
                         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                         strlen(body), body);
            send(connection, answer, (size_t)size, MSG_NOSIGNAL);
            djp__add_acq_rel(&answers, 1);
        }
        close(connection);
    }
    if (last >= 0) {
        close(last);
    }
    return ignored;
}

static void *
work(void *sdk)
{
    while (!djp__load_acquire(&over)) {
        djp_span *span = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("work"), NULL);
        djp_span_end(span, 0);
        djp_span_release(span);
        usleep(200);
    }
    return NULL;
}

static void
silence(void *user, int level, const char *message)
{
    (void)user;
    (void)level;
    (void)message;
}

static const char *
variable(void *user, const char *name)
{
    if (strcmp(name, "OTEL_TRACES_SAMPLER_ARG") == 0) {
        return user;
    }
    return strcmp(name, "OTEL_TRACES_SAMPLER") == 0 ? "parentbased_jaeger_remote" : NULL;
}

static djp_sdk *
open_sdk(unsigned port)
{
    static const djp_config_override overrides[] = {{"enabled", "true"},
                                                    {"backend", "otel"},
                                                    {"exporter", "memory"},
                                                    {"flush_interval", "0.01"}};
    char argument[128];
    djp_options options;
    djp_sdk *sdk;
    snprintf(argument, sizeof argument, "endpoint=http://127.0.0.1:%u,pollingIntervalMs=100", port);
    assert_int_equal(
        djp_config_resolve(&options, variable, argument, overrides, 4, "test", NULL, NULL), 0);
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, silence, NULL), 0);
    djp_options_fini(&options);
    return sdk;
}

static void
a_server_changes_its_mind_while_threads_record(void **state)
{
    (void)state;
    pthread_t server, workers[3];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    pthread_create(&server, NULL, serve, NULL);
    djp_sdk *sdk = open_sdk(ntohs(address.sin_port));
    for (int i = 0; i < 3; i++) {
        pthread_create(&workers[i], NULL, work, sdk);
    }
    uint64_t deadline = djp__clock_monotonic() + MINUTE;
    while (djp__load_acquire(&answers) < 16 && djp__clock_monotonic() < deadline) {
        char *text = NULL;
        assert_int_equal(djp_sdk_status_json(&text, &(size_t){0}, sdk), 0);
        assert_non_null(strstr(text, "\"remote\":{\"endpoint\""));
        djp_free(text);
        usleep(1000);
    }
    assert_true(djp__load_acquire(&answers) >= 16);
    uint64_t began = djp__clock_monotonic();
    djp_sdk_shutdown(sdk, MINUTE); /* while a question hangs */
    assert_true(djp__clock_monotonic() - began < MINUTE / 2);
    djp__store_release(&over, 1);
    for (int i = 0; i < 3; i++) {
        pthread_join(workers[i], NULL);
    }
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
    djp_sdk_free(sdk);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_is_spread_by_a_tenth),
        cmocka_unit_test(failures_make_pauses_longer_up_to_the_interval),
        cmocka_unit_test(a_short_interval_does_not_mean_a_hail_of_questions),
        cmocka_unit_test(the_wish_of_the_server_is_granted),
        cmocka_unit_test_setup_teardown(operations_have_their_own_probability, begin_test,
                                        end_test),
        cmocka_unit_test_setup_teardown(a_caller_comes_first_where_it_should, begin_test, end_test),
        cmocka_unit_test_setup_teardown(rates_and_lower_bounds_are_kept, begin_test, end_test),
        cmocka_unit_test(what_is_off_is_known),
        cmocka_unit_test_setup_teardown(months_of_changes_take_no_more_memory, begin_test,
                                        end_test),
        cmocka_unit_test(a_server_changes_its_mind_while_threads_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
