/* Metrics as a signal: a flush, the end and the interval push the numbers, once each, and a forked
 * child pushes its own. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "pipeline/helper.h"
#include "skip_fork.h"

static char path[64];

/* Metrics go to a file, and traces nowhere. */
static djp_sdk *
begin(djp_backend backend, uint64_t interval_ns)
{
    djp_sdk *sdk = NULL;
    djp_options options = helper_options();
    options.backend = backend;
    options.exporter = DJP_EXPORTER_NONE;
    options.metrics_enabled = 1;
    options.share_with_children = 1;
    options.metrics_exporter = DJP_EXPORTER_FILE;
    options.metrics_file_path = path;
    options.metrics_interval_ns = interval_ns;
    unlink(path);
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    return sdk;
}

static djp_series *
calls_of(djp_sdk *sdk)
{
    djp_family *family = NULL;
    const djp_family_options options = {.type = DJP_COUNTER, .name = "calls"};
    assert_int_equal(djp_family_new(&family, djp_sdk_registry(sdk), &options), 0);
    return djp_family_series(family, NULL);
}

static char *
file_text(void)
{
    static char text[8 << 20];
    FILE *file = fopen(path, "r");
    text[0] = '\0';
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    return text;
}

/* How often the file has that text. */
static unsigned
file_has(const char *text)
{
    unsigned found = 0;
    for (const char *at = file_text(); (at = strstr(at, text)) != NULL; at++) {
        found++;
    }
    return found;
}

static const char one_call[] = "\"asDouble\":1001}";
static const char three_calls[] = "\"asDouble\":3003}";

static void
a_flush_pushes_the_numbers(void **state)
{
    (void)state;
    djp_sdk *sdk = begin(DJP_BACKEND_HYBRID, 3600 * SECOND);
    djp_counter_add(calls_of(sdk), 1);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(file_has("\"name\":\"calls\""), 1);
    assert_int_equal(file_has("process_cpu_seconds"), 1);
    json *status = helper_status(sdk);
    const json *metrics = json_get(json_get(status, "signals"), "metrics");
    double exported = json_get(json_get(metrics, "books"), "exported")->number;
    assert_true(exported >= 2);
    assert_true(json_get(json_get(metrics, "books"), "started")->number == exported);
    assert_true(json_get(json_get(metrics, "books"), "waiting")->number == 0);
    assert_true(json_get(metrics, "ring_bytes")->number == 0);
    assert_string_equal(json_string(json_get(metrics, "transport"), ""), "file");
    json_free(status);
    djp_sdk_free(sdk);
}

static void
the_end_pushes_the_last_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        djp_sdk *sdk = begin(i == 0 ? DJP_BACKEND_HYBRID : DJP_BACKEND_PROM, 3600 * SECOND);
        djp_series *calls = calls_of(sdk);
        djp_counter_add(calls, 1001);
        assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
        djp_counter_add(calls, 2002);
        assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
        assert_int_equal(file_has("\"name\":\"calls\""), 2);
        assert_int_equal(file_has(one_call), 1);
        assert_int_equal(file_has(three_calls), 1);
        uint64_t written = sdk->metric_export.written;
        djp__sdk_collect_metrics(sdk);
        djp__sdk_metrics_run(sdk, UINT64_MAX);
        assert_int_equal(sdk->metric_export.written, written);
        assert_true(djp__sdk_metrics_due(sdk, 0) == UINT64_MAX);
        djp_sdk_free(sdk);
    }
}

static void
the_interval_pushes_without_spans(void **state)
{
    (void)state;
    djp_sdk *sdk = begin(DJP_BACKEND_PROM, 20 * MS);
    assert_null(djp_sdk_recorder(sdk));
    djp_counter_add(calls_of(sdk), 1);
    uint64_t deadline = djp__clock_monotonic() + PATIENCE;
    while (file_has("\"name\":\"calls\"") < 3 && djp__clock_monotonic() < deadline) {
        helper_sleep(5 * MS);
    }
    assert_true(file_has("\"name\":\"calls\"") >= 3);
    djp_sdk_free(sdk);
}

/* Not a zero that a forked child would have of the parent's series, and its own identity. */
static void
a_forked_child_pushes_its_share(void **state)
{
    (void)state;
    int status = -1;
    SKIP_FORK();
    djp_sdk *sdk = begin(DJP_BACKEND_HYBRID, 3600 * SECOND);
    djp_series *calls = calls_of(sdk);
    djp_counter_add(calls, 1001);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        djp_counter_add(calls, 3003);
        _exit(djp_sdk_shutdown(sdk, PATIENCE) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(file_has(one_call), 0);
    assert_int_equal(file_has(three_calls), 1);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(file_has(one_call), 1);
    djp_sdk_free(sdk);
}

static void
a_forked_child_starts_the_interval(void **state)
{
    (void)state;
    int status = -1;
    SKIP_FORK();
    djp_sdk *sdk = begin(DJP_BACKEND_PROM, 20 * MS);
    djp_series *calls = calls_of(sdk);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint64_t deadline = djp__clock_monotonic() + PATIENCE;
        djp_counter_add(calls, 3003);
        int result = djp_sdk_start_metrics(sdk);
        while (file_has(three_calls) == 0 && djp__clock_monotonic() < deadline) {
            helper_sleep(5 * MS);
        }
        _exit(result == 0 && file_has(three_calls) > 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    djp_sdk_free(sdk);
}

static void
points_without_memory_are_lost_and_counted(void **state)
{
    (void)state;
    djp_sdk *sdk = begin(DJP_BACKEND_HYBRID, 3600 * SECOND);
    djp_counter_add(calls_of(sdk), 1);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0); /* the worker has what it needs */
    djp__alloc_fail_after(1);
    djp__sdk_collect_metrics(sdk);
    djp__alloc_fail_after(0);
    assert_true(sdk->metric_export.lost > 0);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EIO);
    json *status = helper_status(sdk);
    const json *metrics = json_get(json_get(status, "signals"), "metrics");
    assert_true(json_get(json_get(metrics, "dropped"), "collect_no_memory")->number ==
                (double)sdk->metric_export.lost);
    json_free(status);
    djp_sdk_free(sdk);
}

enum { FLUSHES = 20, FLUSHERS = 4 };

static void *
flush_often(void *sdk)
{
    djp_series *calls = calls_of(sdk);
    for (int i = 0; i < FLUSHES; i++) {
        djp_counter_add(calls, 1);
        assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    }
    return NULL;
}

/* Beside the interval, which skips its turn during a flush. */
static void
flushes_from_several_threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[FLUSHERS];
    djp_sdk *sdk = begin(DJP_BACKEND_HYBRID, 1 * MS);
    for (int i = 0; i < FLUSHERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, flush_often, sdk), 0);
    }
    for (int i = 0; i < FLUSHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_true(file_has("\"asDouble\":80}") > 0);
    const djp__export_stats *stats = &sdk->metric_export.pipeline->stats;
    assert_int_equal(stats->items_exported, sdk->metric_export.points);
    assert_int_equal(sdk->metric_export.lost, 0);
    djp_sdk_free(sdk);
}

static void
metrics_that_are_scraped_have_no_signal(void **state)
{
    (void)state;
    djp_sdk *sdk = NULL;
    djp_options options = helper_options();
    options.backend = DJP_BACKEND_PROM;
    options.metrics_enabled = 1;
    options.metrics_exporter = DJP_EXPORTER_PROMETHEUS;
    assert_int_equal(djp_sdk_new(&sdk, &options, NULL, NULL, NULL), 0);
    assert_null(sdk->pipelines);
    assert_int_equal(djp_sdk_start_metrics(sdk), 0);
    assert_false(djp__worker_is_running(&sdk->worker));
    djp__sdk_collect_metrics(sdk);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(djp_sdk_start_metrics(NULL), 0);
    djp_sdk_free(sdk);
}

static int
make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/djp-test-metrics-%d", (int)getpid());
    return 0;
}

static int
remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flush_pushes_the_numbers),
        cmocka_unit_test(the_end_pushes_the_last_numbers),
        cmocka_unit_test(the_interval_pushes_without_spans),
        cmocka_unit_test(a_forked_child_pushes_its_share),
        cmocka_unit_test(a_forked_child_starts_the_interval),
        cmocka_unit_test(points_without_memory_are_lost_and_counted),
        cmocka_unit_test(flushes_from_several_threads_lose_nothing),
        cmocka_unit_test(metrics_that_are_scraped_have_no_signal),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
