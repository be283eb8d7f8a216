/* Request headers from a list: which names and values are taken, that no entry can become a second
 * line, and that no value is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"
#include "djp/error.h"
#include "settings_fixture.h"

static void
assert_headers(const char *given, const char *wanted, size_t bad)
{
    settings got;
    char warning[64];
    snprintf(warning, sizeof warning, "option headers has %zu entries", bad);
    settings_resolve(&got, PAIRS("OTEL_EXPORTER_OTLP_HEADERS", "not=used"), ON("headers", given));
    if (strcmp(got.options.headers, wanted) != 0) {
        fail_msg("%s: %s", given, got.options.headers);
    }
    settings_assert_warnings(&got, bad != 0);
    assert_true(bad == 0 || settings_warned(&got, warning));
    assert_string_equal(settings_source(&got, "headers"), "option headers");
    settings_fini(&got);
}

static void
good_entries_become_lines(void **state)
{
    (void)state;
    assert_headers("a=b", "a: b", 0);
    assert_headers(" a = b , c=d=e,", "a: b\nc: d=e", 0);
    assert_headers(",,a=b, ,c=d", "a: b\nc: d", 0);
    assert_headers("a=%20b%2C%c3%a9", "a:  b,\xc3\xa9", 0);
    assert_headers("a=", "a: ", 0);
    assert_headers("a=b\tc", "a: b\tc", 0);
    assert_headers("a=%09%20!~", "a: \t !~", 0);
    assert_headers("!#$%&'*+-.^_`|~09azAZ=x", "!#$%&'*+-.^_`|~09azAZ: x", 0);
    assert_headers("hostx=1,tea=2", "hostx: 1\ntea: 2", 0);
}

static void
bad_entries_are_left_out(void **state)
{
    static const char *const bad[] = {"a",
                                      "=b",
                                      " =b",
                                      "a b=c",
                                      "a/=b",
                                      "/a=b",
                                      "a:=b",
                                      "a@=b",
                                      "a[=b",
                                      "a{=b",
                                      "a\"=b",
                                      "a(=b",
                                      "a=%0a",
                                      "a=%0d",
                                      "a=%00",
                                      "a=%08",
                                      "a=%1f",
                                      "a=%7f",
                                      "a=%",
                                      "a=%4",
                                      "a=%zz",
                                      "a=%ff",
                                      "Host=x",
                                      "te=x",
                                      "connection=x",
                                      "upgrade=x",
                                      "content-type=x",
                                      "content-length=x",
                                      "content-encoding=x",
                                      "transfer-encoding=x",
                                      "grpc-timeout=x",
                                      "grpc-encoding=x"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "x=1,%s,y=2", bad[i]);
        assert_headers(text, "x: 1\ny: 2", 1);
        snprintf(text, sizeof text, "%s,y=2,%s", bad[i], bad[i]);
        assert_headers(text, "y: 2", 2);
    }
    assert_headers("a,b", "", 2);
}

static void
no_value_is_shown(void **state)
{
    settings got;
    (void)state;
    settings_resolve(&got, PAIRS("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a,b,c=secret%0a,k=secret"),
                     ONLY_ON);
    settings_assert_warnings(&got, 1);
    assert_true(settings_warned(&got, "OTEL_EXPORTER_OTLP_TRACES_HEADERS has 3 entries"));
    assert_false(settings_warned(&got, "secret"));
    assert_null(strstr(got.options.report_json, "secret"));
    assert_string_equal(settings_value(&got, "headers"), "[set]");
    settings_fini(&got);
    settings_resolve(&got, NO_PAIRS, ONLY_ON);
    assert_string_equal(got.options.headers, "");
    assert_string_equal(settings_value(&got, "headers"), "");
    assert_string_equal(settings_source(&got, "headers"), "default");
    settings_fini(&got);
}

static void
lack_of_memory_is_reported(void **state)
{
    (void)state;
    settings_without_memory(NO_PAIRS, ON("headers", "a=b,c=%41d,bad"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_entries_become_lines),
        cmocka_unit_test(bad_entries_are_left_out),
        cmocka_unit_test(no_value_is_shown),
        cmocka_unit_test(lack_of_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
