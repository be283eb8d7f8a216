/* The buffer at its limit, at each growth and at the border of every form that it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "base/buf.h"
#include "base/mem.h"

#define BAD "\xef\xbf\xbd"

static void
the_limit_is_the_last_byte(void **state)
{
    (void)state;
    for (size_t size = 9; size <= 11; size++) {
        djp__buf buf;
        djp__buf_init(&buf, 10);
        djp__buf_append(&buf, "abcdefghijk", size);
        assert_int_equal(buf.failed, size > 10);
        assert_int_equal(buf.size, size > 10 ? 0 : size);
        djp__buf_fini(&buf);
        djp__buf_init(&buf, 10);
        djp__buf_text(&buf, "12345");
        djp__buf_append(&buf, "abcdefghijk", size - 5);
        assert_int_equal(buf.failed, size > 10);
        size_t taken;
        char *text = djp__buf_take(&buf, &taken); /* the closing NUL is beside the limit */
        assert_true((text == NULL) == (size > 10));
        assert_int_equal(taken, size > 10 ? 0 : size);
        if (text != NULL) {
            assert_int_equal(strlen(text), size);
        }
        assert_int_equal(buf.limit, 10);
        assert_null(buf.data);
        assert_int_equal(buf.capacity, 0);
        djp__free(text);
        djp__buf_fini(&buf);
    }
}

static void
it_doubles(void **state)
{
    (void)state;
    djp__buf buf;
    djp__buf_init(&buf, 0);
    size_t capacity = 128;
    for (size_t size = 1; size <= 5000; size++) {
        djp__buf_char(&buf, (char)size);
        capacity = size > capacity ? capacity * 2 : capacity;
        assert_int_equal(buf.size, size);
        assert_int_equal(buf.capacity, capacity);
    }
    for (size_t i = 0; i < 5000; i++) {
        assert_int_equal(buf.data[i], (char)(i + 1));
    }
    djp__buf_clear(&buf);
    assert_int_equal(buf.size, 0);
    assert_int_equal(buf.capacity, capacity);
    assert_null(djp__buf_reserve(&buf, SIZE_MAX)); /* more than there is */
    assert_true(buf.failed);
    djp__buf_clear(&buf);
    djp__buf_char(&buf, 'x');
    assert_null(djp__buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    assert_int_equal(buf.size, 1);
    djp__buf_fini(&buf);
    djp__buf_init(&buf, 0);
    assert_non_null(djp__buf_reserve(&buf, 0)); /* an empty one has memory, too */
    djp__buf_append(&buf, NULL, 0);
    djp__buf_text(&buf, NULL);
    assert_false(buf.failed);
    djp__buf_hex(&buf, "", SIZE_MAX / 2 + 1);
    assert_true(buf.failed);
    djp__buf_fini(&buf);
}

static void
wrote(djp__buf *buf, const char *want)
{
    djp__buf_char(buf, '\0');
    assert_false(buf->failed);
    if (strcmp(buf->data, want) != 0) {
        fail_msg("%s, not %s", buf->data, want);
    }
    djp__buf_clear(buf);
}

static void
doubles_in_every_form(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {999999999999999, "999999999999999"},
        {-999999999999999, "-999999999999999"},
        {1e15, "1e+15"},
        {1e15 + 1, "1000000000000001"},
        {0.5, "0.5"},
        {-2.25, "-2.25"},
        {0.1, "0.1"},
        {1e-7, "1e-07"},
        {1e300, "1e+300"},
        {5e-324, "5e-324"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
    };
    djp__buf buf;
    (void)state;
    djp__buf_init(&buf, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp__buf_double(&buf, cases[i].value);
        wrote(&buf, cases[i].text);
    }
    static const double edges[] = {
        DBL_MIN, DBL_MAX, DBL_EPSILON, 4.9e-320, 2.2250738585072011e-308, 1.7976931348623155e308};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        djp__buf_double(&buf, edges[i]);
        djp__buf_char(&buf, '\0');
        assert_true(strtod(buf.data, NULL) == edges[i]);
        djp__buf_clear(&buf);
    }
    djp__buf_fini(&buf);
}

static void
json_of_every_character(void **state)
{
    (void)state;
    djp__buf buf;
    djp__buf_init(&buf, 0);
    for (int c = 0; c < 0x80; c++) {
        char byte = (char)c, want[16];
        static const char special[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
        const char *at = c ? strchr(special, c) : NULL;
        if (at != NULL) {
            snprintf(want, sizeof want, "\"\\%c\"", letters[at - special]);
        } else if (c < 0x20) {
            snprintf(want, sizeof want, "\"\\u00%02x\"", (unsigned)c);
        } else {
            snprintf(want, sizeof want, "\"%c\"", c);
        }
        djp__buf_json(&buf, &byte, 1);
        wrote(&buf, want);
    }
    djp__buf_json(&buf, "a\nb\"c", 5);
    wrote(&buf, "\"a\\nb\\\"c\"");
    djp__buf_fini(&buf);
}

/* Bad text is repaired in pieces: of every length around the border of one, the rest stays as it
 * is. */
static void
json_of_long_bad_texts(void **state)
{
    (void)state;
    for (size_t size = 250; size < 265; size++) {
        for (int kind = 0; kind < 3; kind++) {
            char text[300], want[1000] = "\"";
            djp__buf buf;
            memset(text, kind == 2 ? '\x80' : 'x', size);
            size_t at = 1;
            if (kind == 2) {
                for (size_t i = 0; i < size; i++, at += 3) {
                    memcpy(want + at, "\xef\xbf\xbd", 3);
                }
            } else {
                memcpy(text + size - 3,
                       kind ? "\xe2\x82\xac"
                            : "\xff"
                              "ab",
                       3);
                memset(want + 1, 'x', size - 3);
                at = size - 2;
                memcpy(want + at,
                       kind ? "\xe2\x82\xac"
                            : "\xef\xbf\xbd"
                              "ab",
                       kind ? 3 : 5);
                at += kind ? 3 : 5;
                if (kind) {
                    text[0] = '\xff';
                    memmove(want + 4, want + 2, at - 2);
                    memcpy(want + 1, "\xef\xbf\xbd", 3);
                    at += 2;
                }
            }
            want[at++] = '"';
            djp__buf_init(&buf, 0);
            djp__buf_json(&buf, text, size);
            assert_int_equal(buf.size, at);
            assert_memory_equal(buf.data, want, at);
            djp__buf_fini(&buf);
        }
    }
}

static void
formats_of_every_length(void **state)
{
    (void)state;
    for (int size = 253; size <= 258; size++) {
        char text[300];
        djp__buf buf;
        memset(text, 'f', sizeof text);
        text[size] = '\0';
        djp__buf_init(&buf, 0);
        djp__buf_printf(&buf, "%s", text);
        assert_int_equal(buf.size, size);
        djp__buf_printf(&buf, "%d", 7);
        assert_int_equal(buf.data[size], '7');
        assert_int_equal(buf.size, size + 1);
        djp__buf_fini(&buf);
    }
}

static void
check_made(djp__buf *buf, const char *expected)
{
    djp__buf_char(buf, '\0');
    assert_false(buf->failed);
    assert_string_equal(buf->data, expected);
    djp__buf_clear(buf);
}

static void
json_strings_are_escaped_and_repaired(void **state)
{
    (void)state;
    djp__buf buf;
    djp__buf_init(&buf, 0);
    djp__buf_json(&buf, "a\"b\\c\n\t\r\b\f\x01/\xc3\xa9", 14);
    check_made(&buf, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\\u0001/\xc3\xa9\"");
    djp__buf_json(&buf, "x\xff\"", 3);
    check_made(&buf, "\"x" BAD "\\\"\"");
    djp__buf_json(&buf, NULL, 0);
    check_made(&buf, "\"\"");
    /* Long bad text: characters at the borders of the internal pieces stay whole. */
    char in[3001];
    for (int i = 0; i < 1000; i++) {
        memcpy(in + 3 * i, "\xe2\x82\xac", 3);
    }
    in[3000] = '\xff';
    djp__buf_json(&buf, in, sizeof in);
    assert_int_equal(buf.size, 3000 + 3 + 2);
    assert_memory_equal(buf.data + 1, in, 3000);
    djp__buf_fini(&buf);
}

static void
integers_and_formats(void **state)
{
    (void)state;
    djp__buf buf;
    djp__buf_init(&buf, 0);
    djp__buf_u64(&buf, 0);
    djp__buf_char(&buf, ' ');
    djp__buf_u64(&buf, UINT64_MAX);
    djp__buf_char(&buf, ' ');
    djp__buf_i64(&buf, INT64_MIN);
    djp__buf_printf(&buf, " %d", 5);
    check_made(&buf, "0 18446744073709551615 -9223372036854775808 5");
    char wide[1001];
    memset(wide, 'w', 1000);
    wide[1000] = '\0';
    djp__buf_printf(&buf, "<%s>", wide);
    assert_int_equal(buf.size, 1002);
    djp__buf_fini(&buf);
}

static void
limits_and_failures_stick(void **state)
{
    (void)state;
    djp__buf buf;
    djp__buf_init(&buf, 10);
    djp__buf_text(&buf, "12345");
    djp__buf_text(&buf, "123456");
    assert_true(buf.failed);
    djp__buf_text(&buf, "1");
    assert_int_equal(buf.size, 5);
    assert_null(djp__buf_take(&buf, NULL));
    djp__buf_init(&buf, 0);
    djp__alloc_fail_after(1);
    djp__buf_double(&buf, 0.5);
    djp__buf_json(&buf, "\xff", 1);
    djp__buf_hex(&buf, "a", 1);
    djp__alloc_fail_after(0);
    assert_true(buf.failed);
    assert_int_equal(buf.size, 0);
    djp__buf_clear(&buf);
    djp__buf_text(&buf, "again");
    size_t size;
    char *text = djp__buf_take(&buf, &size);
    assert_string_equal(text, "again");
    assert_int_equal(size, 5);
    djp__free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_is_the_last_byte),
        cmocka_unit_test(it_doubles),
        cmocka_unit_test(doubles_in_every_form),
        cmocka_unit_test(json_of_every_character),
        cmocka_unit_test(json_of_long_bad_texts),
        cmocka_unit_test(formats_of_every_length),
        cmocka_unit_test(json_strings_are_escaped_and_repaired),
        cmocka_unit_test(integers_and_formats),
        cmocka_unit_test(limits_and_failures_stick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
