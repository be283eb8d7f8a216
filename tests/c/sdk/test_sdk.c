/* An SDK instance from options to bytes: what starts when, what leaves, what the resource says. */
#include "pipeline/helper.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/version.h"

static int
count_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (directory != NULL && readdir(directory)) {
        count++;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return count;
}

/* Threads called "djp-telemetry"; a sanitizer may have others. */
static int
count_workers(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    for (struct dirent *entry = readdir(tasks); entry; entry = readdir(tasks)) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file != NULL && fgets(name, sizeof name, file)) {
            count += strcmp(name, "djp-telemetry\n") == 0;
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    closedir(tasks);
    return count;
}

/* A thread that was joined may be listed for a moment: the kernel still takes it apart. */
static void
wait_for_workers(int expected)
{
    for (int i = 0; i < 6000 && count_workers() != expected; i++) {
        helper_sleep(10 * MS);
    }
    assert_int_equal(count_workers(), expected);
}

static void
test_burst_is_delivered_whole(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.ring_bytes = 4 << 20;
    djp_sdk *sdk = helper_sdk(&options, NULL);
    helper_spans(sdk, "burst", 10000);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    char *taken = NULL;
    size_t size = 0;
    assert_int_equal(djp_sdk_take_exported(&taken, &size, sdk), 0);
    assert_int_equal(helper_count(taken, size, "burst"), 10000);
    djp_free(taken);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "spans", "exported") == 10000);
    assert_true(helper_unaccounted(status) == 0);
    assert_string_equal(json_string(json_get(json_get(status, "export"), "transport"), ""),
                        "memory");
    json_free(status);
    /* Nothing is there twice. */
    assert_int_equal(djp_sdk_take_exported(&taken, &size, sdk), 0);
    assert_int_equal(size, 0);
    djp_free(taken);
    djp_sdk_free(sdk);
}

static void
test_nothing_starts_before_the_first_span(void **state)
{
    (void)state;
    wait_for_workers(0);
    int files = count_files();
    djp_options options = helper_options();
    djp_sdk *sdk = helper_sdk(&options, NULL);
    assert_int_equal(count_workers(), 0);
    assert_int_equal(count_files(), files);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(count_workers(), 0);
    helper_span(sdk, "first");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(count_workers(), 1);
    djp_sdk_free(sdk);
    wait_for_workers(0);
    assert_int_equal(count_files(), files);
}

static void
test_a_span_leaves_without_a_flush(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    helper_span(sdk, "alone");
    assert_int_equal(helper_wait_spans(transport, 1, PATIENCE), 1);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
check_off(djp_options *options)
{
    wait_for_workers(0);
    djp_sdk *sdk = NULL;
    assert_int_equal(djp_sdk_new(&sdk, options, NULL, NULL, NULL), 0);
    assert_null(djp_sdk_recorder(sdk));
    helper_span(sdk, "nowhere");
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    json *status = helper_status(sdk);
    assert_true(helper_number(status, "spans", "started") == 0);
    json_free(status);
    char *taken = NULL;
    size_t size = 0;
    assert_int_equal(djp_sdk_take_exported(&taken, &size, sdk), DJP_EUNSUPPORTED);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), DJP_ESHUTDOWN);
    assert_int_equal(count_workers(), 0);
    djp_sdk_free(sdk);
}

static void
test_traces_off(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.exporter = DJP_EXPORTER_NONE;
    check_off(&options);
    options = helper_options();
    options.backend = DJP_BACKEND_PROM;
    check_off(&options);
    options = helper_options();
    options.backend = DJP_BACKEND_NOOP;
    check_off(&options);
    options = helper_options();
    options.enabled = 0;
    check_off(&options);
}

static void
test_explicit_zero_makes_ids_only(void **state)
{
    (void)state;
    wait_for_workers(0);
    djp_options options = helper_options();
    options.sampler = DJP_SAMPLER_RATIO;
    options.sample_ratio = 0;
    options.sample_ratio_explicit = 1;
    djp_sdk *sdk = helper_sdk(&options, NULL);
    djp_span *span = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("quiet"), NULL);
    djp_span_context context;
    djp_span_get_context(&context, span);
    assert_true(djp_span_context_is_valid(&context));
    djp_span_set_status(span, DJP_STATUS_ERROR, DJP_TEXT("bad"));
    djp_span_end(span, 0);
    djp_span_release(span);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    assert_int_equal(count_workers(), 0);
    assert_int_equal(djp_sdk_shutdown(sdk, 0), 0);
    djp_sdk_free(sdk);
}

static void
test_public_endpoint(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"http://user:secret@host:4318/v1/traces?token=x#y", "http://host:4318/v1/traces"},
        {"https://host", "https://host"},
        {"host:4317", "host:4317"},
        {"user:p%40ss@host:4317", "host:4317"},
        {"http://a@b@c:1/x@y", "http://c:1/x@y"},
        {"", ""},
        {NULL, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *shown = djp__sdk_public_endpoint(cases[i][0]);
        assert_string_equal(shown, cases[i][1]);
        djp__free(shown);
    }
}

static void
test_out_of_memory_in_turn(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.metrics_enabled = 1;
    int made = 0;
    for (long n = 1; n < 2000 && !made; n++) {
        djp_sdk *sdk = NULL;
        djp__alloc_fail_after(n);
        int code = djp_sdk_new(&sdk, &options, NULL, NULL, NULL);
        djp__alloc_fail_after(0);
        if (code == 0) {
            made = 1;
            djp_sdk_free(sdk);
        } else {
            assert_int_equal(code, DJP_ENOMEM);
            assert_null(sdk);
        }
    }
    assert_true(made);
}

static void
test_null_and_misuse(void **state)
{
    (void)state;
    djp_sdk *sdk = NULL;
    char *text = NULL;
    size_t size = 0;
    djp_options options = helper_options();
    assert_int_equal(djp_sdk_new(&sdk, NULL, NULL, NULL, NULL), DJP_EINVAL);
    assert_int_equal(djp_sdk_new(NULL, &options, NULL, NULL, NULL), DJP_EINVAL);
    djp_sdk_free(NULL);
    assert_int_equal(djp_sdk_flush(NULL, 0), DJP_EINVAL);
    assert_int_equal(djp_sdk_shutdown(NULL, 0), DJP_EINVAL);
    assert_int_equal(djp_sdk_status_json(&text, &size, NULL), DJP_EINVAL);
    assert_int_equal(djp_sdk_take_exported(&text, &size, NULL), DJP_EINVAL);
    assert_null(djp_sdk_recorder(NULL));
    assert_null(djp_sdk_registry(NULL));
    assert_null(djp_sdk_builtin(NULL));
    assert_null(djp_sdk_options(NULL));
}

static void
test_two_instances(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transports[2] = {script_new(NULL, NULL), script_new(NULL, NULL)};
    djp_sdk *sdks[2] = {helper_sdk(&options, transports[0]), helper_sdk(&options, transports[1])};
    helper_spans(sdks[0], "a", 100);
    helper_spans(sdks[1], "b", 50);
    assert_int_equal(djp_sdk_flush(sdks[0], PATIENCE), 0);
    assert_int_equal(djp_sdk_flush(sdks[1], PATIENCE), 0);
    assert_int_equal(script_spans(transports[0], "a"), 100);
    assert_int_equal(script_spans(transports[0], NULL), 100);
    assert_int_equal(script_spans(transports[1], "b"), 50);
    for (int i = 0; i < 2; i++) {
        djp_sdk_free(sdks[i]);
        script_fini(transports[i]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_starts_before_the_first_span),
        cmocka_unit_test(test_burst_is_delivered_whole),
        cmocka_unit_test(test_a_span_leaves_without_a_flush),
        cmocka_unit_test(test_traces_off),
        cmocka_unit_test(test_explicit_zero_makes_ids_only),
        cmocka_unit_test(test_public_endpoint),
        cmocka_unit_test(test_out_of_memory_in_turn),
        cmocka_unit_test(test_null_and_misuse),
        cmocka_unit_test(test_two_instances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
