/* The walk over JSON from outside: every escape and code point, numbers at their edges, depth, and
 * that the first mistake ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_scan.h"
#include "base/str.h"

static djp__json_scan
scan_of(const char *text)
{
    djp__json_scan scan;
    djp__json_scan_init(&scan, text, strlen(text));
    return scan;
}

/* 1 when the whole text is one value. */
static int
is_json(const char *text)
{
    djp__json_scan scan = scan_of(text);
    int good = djp__json_scan_skip(&scan);
    assert_int_equal(good, !scan.failed);
    return djp__json_scan_end(&scan);
}

static void
string_is(const char *text, const char *want)
{
    char out[64];
    size_t size = 99;
    djp__json_scan scan = scan_of(text);
    int good = djp__json_scan_string(&scan, out, sizeof out - 1, &size);
    if (good != (want != NULL) ||
        (good && (size != strlen(want) || memcmp(out, want, size) != 0))) {
        fail_msg("%s: %d, %.*s", text, good, (int)size, out);
    }
    assert_int_equal(is_json(text), want != NULL);
}

static void
strings_and_their_escapes(void **state)
{
    (void)state;
    string_is("\"\"", "");
    string_is(" \t\r\n\"a\"", "a");
    string_is("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t");
    string_is("\"\\u0041\\u007f\"", "A\x7f");
    string_is("\"\\u0080\\u07ff\"", "\xc2\x80\xdf\xbf");
    string_is("\"\\u0800\\uffff\"", "\xe0\xa0\x80\xef\xbf\xbf");
    string_is("\"\\u20aC\\u00E9\"", "\xe2\x82\xac\xc3\xa9");
    string_is("\"\\ud800\\udc00\"", "\xf0\x90\x80\x80");
    string_is("\"\\udbff\\udfff\"", "\xf4\x8f\xbf\xbf");
    string_is("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80");
    string_is("\"\\ud834\\udd1e\"", "\xf0\x9d\x84\x9e");
    string_is("\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80");
    string_is("\"\\ud800\"", "\xef\xbf\xbd");
    string_is("\"\\udc00\"", "\xef\xbf\xbd");
    string_is("\"\\udfff\\ud800x\"", "\xef\xbf\xbd\xef\xbf\xbdx");
    string_is("\"\\ud800\\u0041\"", "\xef\xbf\xbd"
                                    "A");
    string_is("\"\\ud800\\ud800\\udc00\"", "\xef\xbf\xbd\xf0\x90\x80\x80");
    string_is("\"\\ud800\\n\"", "\xef\xbf\xbd\n");
    string_is("\"\\ud800/udc00\"", "\xef\xbf\xbd/udc00");
    string_is("\"\\udbff\\ue000\"", "\xef\xbf\xbd\xee\x80\x80");
    string_is("\"\x7f\xc3\xa9\"", "\x7f\xc3\xa9");
    string_is("\"\\u004\"", NULL);
    string_is("\"\\u004g\"", NULL);
    string_is("\"\\u004`\"", NULL);
    string_is("\"\\u00:0\"", NULL);
    string_is("\"\\u00/0\"", NULL);
    string_is("\"\\x\"", NULL);
    string_is("\"\\", NULL);
    string_is("\"\\\"", NULL);
    string_is("\"a", NULL);
    string_is("\"", NULL);
    string_is("\"\x1f\"", NULL);
    string_is("\"\n\"", NULL);
    string_is("\"\x20\"", " ");
    string_is("a\"", NULL);
}

/* What does not fit is cut behind a whole escape, and the walk goes on behind the string. */
static void
strings_are_cut(void **state)
{
    (void)state;
    static const char text[] = "[\"ab\\u20accd\",7]";
    static const size_t sizes[] = {0, 1, 2, 2, 2, 5, 6, 7, 7};
    for (size_t room = 0; room < 9; room++) {
        char out[16] = "?????????";
        size_t size;
        double number = 0;
        djp__json_scan scan = scan_of(text);
        assert_true(djp__json_scan_enter(&scan, '['));
        assert_true(djp__json_scan_next(&scan, ']'));
        assert_true(djp__json_scan_string(&scan, out, room, &size));
        assert_int_equal(size, sizes[room]);
        assert_memory_equal(out,
                            "ab\xe2\x82\xac"
                            "cd",
                            size);
        assert_int_equal(out[size], '?');
        assert_true(djp__json_scan_next(&scan, ']'));
        assert_true(djp__json_scan_number(&scan, &number));
        assert_true(number == 7);
        assert_false(djp__json_scan_next(&scan, ']'));
        assert_true(djp__json_scan_end(&scan));
    }
}

static void
number_is(const char *text, int good, double want)
{
    double number = -99;
    djp__json_scan scan = scan_of(text);
    int got = djp__json_scan_number(&scan, &number) && djp__json_scan_end(&scan);
    if (got != good || (good && number != want)) {
        fail_msg("%s: %d %g", text, got, number);
    }
}

static void
numbers_and_their_edges(void **state)
{
    (void)state;
    number_is("0", 1, 0);
    number_is("-0", 1, 0);
    number_is(" 9", 1, 9);
    number_is("10", 1, 10);
    number_is("-1.5", 1, -1.5);
    number_is("1e2", 1, 100);
    number_is("1E+2", 1, 100);
    number_is("1e-2", 1, 0.01);
    number_is("0.5e1", 1, 5);
    number_is("01", 0, 0);
    number_is("00", 0, 0);
    number_is("-01", 0, 0);
    number_is("-", 0, 0);
    number_is("+1", 0, 0);
    number_is(".5", 0, 0);
    number_is("1.", 0, 0);
    number_is("1.e1", 0, 0);
    number_is("1e", 0, 0);
    number_is("1e+", 0, 0);
    number_is("1e400", 0, 0);
    number_is("1x", 0, 0);
    number_is("/", 0, 0);
    number_is(":", 0, 0);
    number_is("", 0, 0);
    number_is("true", 0, 0);
}

static void
values_of_every_kind(void **state)
{
    static const char *const good[] = {
        "true",
        "false",
        "null",
        "0",
        "-1.5e3",
        "\"x\"",
        "[]",
        "{}",
        " [ ] ",
        "{ }",
        "[1]",
        "[1,2]",
        "[1 , [2], {}]",
        "{\"a\":1}",
        "{\"a\" : [true, null] , \"b\":{\"c\":\"d\"}}",
        "\t\r\n 1 \t\r\n",
    };
    static const char *const bad[] = {
        "",
        " ",
        "tru",
        "truex",
        "True",
        "nul",
        "fals",
        "[",
        "]",
        "{",
        "}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1}",
        "{1:2}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\":1,}",
        "{\"a\":1]",
        "{\"a\" 1}",
        "{,}",
        "{\"a\":1 \"b\":2}",
        "1 2",
        "\"a\" x",
        "[]]",
        "{}}",
        "'a'",
        "[\"\\z\"]",
        "{\"\\z\":1}",
        "{\"a\":[}",
        "nan",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!is_json(good[i])) {
            fail_msg("%s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (is_json(bad[i])) {
            fail_msg("%s", bad[i]);
        }
    }
}

/* 33 levels are the most. */
static void
depth_is_bounded(void **state)
{
    (void)state;
    for (size_t depth = 31; depth <= 35; depth++) {
        char text[128] = "";
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(is_json(text), depth <= 33);
        text[0] = '{';
        memmove(text + 5, text + 1, 2 * depth - 2);
        memcpy(text + 1, "\"a\":", 4);
        text[2 * depth + 3] = '}';
        assert_int_equal(is_json(text), depth <= 33);
    }
}

static void
a_mistake_ends_the_walk(void **state)
{
    (void)state;
    char out[8];
    size_t size;
    double number;
    djp__json_scan scan = scan_of("[1 2, 3]");
    assert_true(djp__json_scan_enter(&scan, '['));
    assert_true(djp__json_scan_next(&scan, ']'));
    assert_true(djp__json_scan_number(&scan, &number));
    assert_false(djp__json_scan_next(&scan, ']'));
    assert_true(scan.failed);
    assert_false(djp__json_scan_next(&scan, ']'));
    assert_false(djp__json_scan_number(&scan, &number));
    assert_false(djp__json_scan_string(&scan, out, sizeof out, &size));
    assert_false(djp__json_scan_skip(&scan));
    assert_false(djp__json_scan_enter(&scan, '['));
    assert_int_equal(djp__json_scan_peek(&scan), '\0');
    assert_false(djp__json_scan_end(&scan));
    scan = scan_of("{\"name\" : 1}");
    assert_int_equal(djp__json_scan_peek(&scan), '{');
    assert_false(djp__json_scan_enter(&scan, '['));
    scan = scan_of("{\"name\" : 1}");
    assert_true(djp__json_scan_enter(&scan, '{'));
    assert_false(djp__json_scan_end(&scan));
    assert_true(djp__json_scan_next(&scan, '}'));
    assert_true(djp__json_scan_name(&scan, out, sizeof out, &size));
    assert_int_equal(size, 4);
    assert_int_equal(djp__json_scan_peek(&scan), '1');
    assert_true(djp__json_scan_skip(&scan));
    assert_false(djp__json_scan_next(&scan, '}'));
    assert_true(djp__json_scan_end(&scan));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_and_their_escapes), cmocka_unit_test(strings_are_cut),
        cmocka_unit_test(numbers_and_their_edges),   cmocka_unit_test(values_of_every_kind),
        cmocka_unit_test(depth_is_bounded),          cmocka_unit_test(a_mistake_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
