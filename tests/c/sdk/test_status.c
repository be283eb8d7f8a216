/* The status report: valid JSON in every state, honest numbers, no secrets. */
#include "pipeline/helper.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned
reject_second(void *user, unsigned attempt)
{
    (void)user;
    return attempt == 1 ? SCRIPT_REJECT : SCRIPT_ACCEPT;
}

static int
is_true(const json *status, const char *key)
{
    const json *value = json_get(status, key);
    assert_non_null(value);
    assert_int_equal(value->kind, JSON_BOOL);
    return value->boolean;
}

static void
test_numbers(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.flush_interval_ns = 100 * SECOND;
    options.report_json = "{\"sample_ratio\":{\"value\":1,\"source\":\"default\"}}";
    script_transport *transport = script_new(reject_second, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    json *status = helper_status(sdk);
    assert_true(is_true(status, "enabled"));
    assert_true(!is_true(json_get(status, "worker"), "running"));
    assert_true(json_is_null(json_get(json_get(status, "export"), "last_success")));
    assert_string_equal(json_string(json_get(json_get(status, "export"), "last_error"), "?"), "");
    json_free(status);

    helper_spans(sdk, "good", 30);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    helper_spans(sdk, "bad", 12);
    assert_int_equal(djp_sdk_flush(sdk, PATIENCE), DJP_EREJECTED);
    djp_span *open = djp_span_start(djp_sdk_recorder(sdk), DJP_TEXT("open"), NULL);
    helper_spans(sdk, "waiting", 3);
    status = helper_status(sdk);
    assert_true(helper_number(status, "spans", "started") == 46);
    assert_true(helper_number(status, "spans", "live") == 1);
    assert_true(helper_number(status, "spans", "exported") == 30);
    assert_true(helper_number(status, "dropped", "rejected") == 12);
    assert_true(helper_number(status, "export", "spans_rejected") == 12);
    assert_true(helper_number(status, "export", "attempts") == 2);
    assert_true(helper_number(status, "export", "requests_ok") == 1);
    assert_true(helper_number(status, "export", "requests_failed") == 1);
    assert_true(helper_number(status, "export", "wire_bytes") > 1000);
    assert_true(helper_number(status, "worker", "starts") == 1);
    assert_true((pid_t)helper_number(status, "worker", "pid") == getpid());
    assert_true((pid_t)json_number(json_get(status, "pid"), 0) == getpid());
    const json *export = json_get(status, "export");
    assert_string_equal(json_string(json_get(export, "transport"), ""), "script");
    assert_string_equal(json_string(json_get(export, "last_error"), ""), "as the script says");
    double now = (double)djp__clock_realtime() / 1e9;
    assert_true(json_number(json_get(export, "last_success"), 0) > now - 60);
    assert_true(json_number(json_get(export, "last_error_time"), 0) > now - 60);
    assert_string_equal(
        json_string(json_get(json_get(json_get(status, "settings"), "sample_ratio"), "source"), ""),
        "default");
    json_free(status);
    djp_span_end(open, 0);
    djp_span_release(open);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
test_no_credentials(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.exporter = DJP_EXPORTER_OTLP;
    options.endpoint = "http://user:hunter2@127.0.0.1:1/v1/traces?key=hunter2";
    options.headers = "Authorization: hunter2";
    options.export_timeout_ns = 50 * MS;
    djp_sdk *sdk = helper_sdk(&options, NULL);
    helper_spans(sdk, "lost", 3);
    assert_int_not_equal(djp_sdk_flush(sdk, 2 * SECOND), 0);
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_sdk_status_json(&text, &size, sdk), 0);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "\"endpoint\":\"http://127.0.0.1:1/v1/traces\""));
    djp_free(text);
    djp_sdk_free(sdk);
}

static void
test_odd_text_stays_json(void **state)
{
    (void)state;
    djp_options options = helper_options();
    options.service_name = "a\"b\\c\n\x01\xff\xc3\xa4";
    djp_sdk *sdk = helper_sdk(&options, NULL);
    json *status = helper_status(sdk);
    assert_string_equal(json_string(json_get(status, "service_name"), ""),
                        "a\"b\\c\n\x01\xef\xbf\xbd\xc3\xa4");
    json_free(status);
    djp_sdk_free(sdk);
}

static _Atomic int readers_stop;

static void *
read_status(void *argument)
{
    while (!readers_stop) {
        json_free(helper_status(argument));
    }
    return NULL;
}

static void
test_beside_everything(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    pthread_t reader;
    readers_stop = 0;
    assert_int_equal(pthread_create(&reader, NULL, read_status, sdk), 0);
    for (int i = 0; i < 50; i++) {
        helper_spans(sdk, "beside", 100);
        assert_int_equal(djp_sdk_flush(sdk, PATIENCE), 0);
    }
    assert_int_equal(djp_sdk_shutdown(sdk, PATIENCE), 0);
    readers_stop = 1;
    pthread_join(reader, NULL);
    json *status = helper_status(sdk);
    assert_true(is_true(status, "shut_down"));
    assert_true(!is_true(status, "enabled"));
    assert_true(helper_unaccounted(status) == 0);
    json_free(status);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
assert_same_keys(const json *a, const json *b, const char *path)
{
    assert_int_equal(json_count(a), json_count(b));
    for (size_t i = 0; a->kind == JSON_OBJECT && i < json_count(a); i++) {
        const json *other = json_get(b, a->keys[i]);
        if (other == NULL) {
            fail_msg("%s.%s is missing", path, a->keys[i]);
        }
        if (strcmp(a->keys[i], "settings") != 0 && other->kind == JSON_OBJECT) {
            assert_same_keys(&a->items[i], other, a->keys[i]);
        }
    }
}

static json *
off_status(const djp_options *options)
{
    char *text = NULL;
    size_t size = 0;
    assert_int_equal(djp_status_off_json(&text, &size, options), 0);
    json *status = json_parse(text, size);
    assert_non_null(status);
    djp_free(text);
    return status;
}

static void
test_off_has_the_same_keys(void **state)
{
    (void)state;
    djp_options options = helper_options();
    script_transport *transport = script_new(NULL, NULL);
    djp_sdk *sdk = helper_sdk(&options, transport);
    json *on = helper_status(sdk);
    options.enabled = 0;
    options.enabled_source = "a test";
    json *off = off_status(&options);
    assert_same_keys(on, off, "status");
    assert_true(!is_true(off, "enabled") && !is_true(off, "shut_down"));
    assert_string_equal(json_string(json_get(off, "problem"), ""), "Telemetry is off (a test).");
    assert_string_equal(json_string(json_get(off, "enabled_by"), ""), "a test");
    json_free(off);
    options.enabled = 1;
    options.backend = DJP_BACKEND_NOOP;
    off = off_status(&options);
    assert_non_null(strstr(json_string(json_get(off, "problem"), ""), "backend is noop"));
    assert_true(!is_true(off, "enabled"));
    json_free(off);
    options.backend = DJP_BACKEND_OTEL;
    off = off_status(&options);
    assert_non_null(strstr(json_string(json_get(off, "problem"), ""), "not started"));
    json_free(off);
    json_free(on);
    djp_sdk_free(sdk);
    script_fini(transport);
}

static void
test_off_without_memory(void **state)
{
    (void)state;
    djp_options options = helper_options();
    char *text = NULL;
    size_t size = 0;
    int result = DJP_ENOMEM;
    options.enabled = 0;
    assert_int_equal(djp_status_off_json(&text, &size, NULL), DJP_EINVAL);
    assert_int_equal(djp_status_off_json(NULL, &size, &options), DJP_EINVAL);
    for (long n = 1; result != 0; n++) {
        djp__alloc_fail_after(n);
        result = djp_status_off_json(&text, &size, &options);
        djp__alloc_fail_after(0);
        assert_true(result == 0 || result == DJP_ENOMEM);
        assert_true(n < 500);
    }
    djp_free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_no_credentials),
        cmocka_unit_test(test_odd_text_stays_json),
        cmocka_unit_test(test_beside_everything),
        cmocka_unit_test(test_off_has_the_same_keys),
        cmocka_unit_test(test_off_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
