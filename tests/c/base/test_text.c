/* Text in all its forms: UTF-8 checking and repair, numbers in any locale, JSON strings, percent
 * and base64 coding. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/str.h"

#define BAD "\xef\xbf\xbd"

static const struct {
    const char *in;
    const char *repaired; /* NULL: valid as it is */
} utf8_cases[] = {
    {"", NULL},
    {"plain ASCII, longer than eight bytes", NULL},
    {"\x7f", NULL},
    {"caf\xc3\xa9", NULL},
    {"\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
    {"\xf4\x8f\xbf\xbf", NULL},
    {"\xed\x9f\xbf\xee\x80\x80", NULL},
    {"a\x80z", "a" BAD "z"},
    {"\xc0\xaf", BAD BAD},
    {"\xc1\x81", BAD BAD},
    {"\xe0\x80\x80", BAD BAD BAD},
    {"\xed\xa0\x80", BAD BAD BAD}, /* a lone surrogate */
    {"\xf0\x8f\xbf\xbf", BAD BAD BAD BAD},
    {"\xf4\x90\x80\x80", BAD BAD BAD BAD},
    {"\xf5\x80", BAD BAD},
    {"\xfe\xff", BAD BAD},
    {"x\xe2\x82", "x" BAD},
    {"x\xe2\x82y", "x" BAD "y"},
    {"\xf0\x9f\x98", BAD},
    {"\xf0\x9f\x98z", BAD "z"},
    {"12345678\xff"
     "12345678",
     "12345678" BAD "12345678"},
};

static void
utf8_is_checked_and_repaired(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8_cases / sizeof utf8_cases[0]; i++) {
        const char *in = utf8_cases[i].in;
        const char *expected = utf8_cases[i].repaired ? utf8_cases[i].repaired : in;
        char out[128];
        int cut = 9;
        assert_int_equal(djp__utf8_valid(in, strlen(in)), utf8_cases[i].repaired == NULL);
        size_t made = djp__utf8_repair(out, sizeof out, in, strlen(in), &cut);
        assert_int_equal(cut, 0);
        assert_int_equal(made, strlen(expected));
        assert_memory_equal(out, expected, made);
    }
}

static void
random_bytes_repair_to_valid_text_of_any_size(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        unsigned char in[24];
        char out[72];
        size_t size = djp__rand64() % (sizeof in + 1);
        for (size_t i = 0; i < size; i++) {
            uint64_t r = djp__rand64();
            in[i] = (unsigned char)(r & 1 ? 0x80 | (r >> 8) : r >> 8);
        }
        int cut;
        size_t made = djp__utf8_repair(out, sizeof out, (char *)in, size, &cut);
        assert_int_equal(cut, 0);
        assert_true(djp__utf8_valid(out, made));
        if (djp__utf8_valid((char *)in, size)) {
            assert_int_equal(made, size);
            assert_memory_equal(in, out, size);
        }
        size_t room = djp__rand64() % 30;
        char shorter[30];
        size_t less = djp__utf8_repair(shorter, room, (char *)in, size, &cut);
        assert_true(less <= room);
        assert_true(djp__utf8_valid(shorter, less));
        assert_int_equal(cut, less < made);
        size_t prefix = djp__utf8_cut(out, made, room);
        assert_true(prefix <= room && djp__utf8_valid(out, prefix));
    }
}

static void
prefixes_count_characters(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    const size_t lengths[] = {0, 1, 3, 6, 10, 11, 11};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(djp__utf8_prefix(text, strlen(text), i), lengths[i]);
    }
    assert_int_equal(djp__utf8_cut(text, 11, 5), 3);
    assert_int_equal(djp__utf8_cut(text, 11, 6), 6);
    assert_int_equal(djp__utf8_cut("\x80\x80\x80\x80\x80\x80\x80\x80", 8, 6), 6);
}

static char *
shown(double value)
{
    djp__buf buf;
    djp__buf_init(&buf, 0);
    djp__buf_double(&buf, value);
    return djp__buf_take(&buf, NULL);
}

static void
check_doubles(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-17.0, "-17"},
        {0.1, "0.1"},
        {2.5, "2.5"},
        {1e21, "1e+21"},
        {1e-7, "1e-07"},
        {NAN, "NaN"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {5e-324, "5e-324"},
        {0.3, "0.3"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {123456789012345.0, "123456789012345"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = shown(cases[i].value);
        assert_string_equal(text, cases[i].text);
        djp__free(text);
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = djp__rand64();
        double value, again;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        char *text = shown(value);
        assert_true(djp__parse_double(djp__text(text), &again));
        assert_true(value == again);
        assert_null(strchr(text, ','));
        djp__free(text);
    }
}

static void
doubles_read_back_equal_in_any_locale(void **state)
{
    (void)state;
    check_doubles();
    static const char *const comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "pt_BR.UTF-8",
                                        "ps_AF.UTF-8"};
    for (size_t i = 0; i < sizeof comma / sizeof comma[0]; i++) {
        if (setlocale(LC_NUMERIC, comma[i])) {
            check_doubles();
        }
    }
    setlocale(LC_NUMERIC, "C");
}

static void
numbers_are_parsed_strictly(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   " ",   ".",   "1,5", "0x10",  "inf", "nan",
                                      "1e", "1e+", "--1", "1 2", "1e999", "5m",  "+"};
    double real = 7;
    uint64_t whole = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(djp__parse_double(djp__text(bad[i]), &real));
        assert_true(real == 7);
    }
    assert_true(djp__parse_double(djp__text(" \t0.25 "), &real) && real == 0.25);
    assert_true(djp__parse_double(djp__text("-1.5e+2"), &real) && real == -150);
    assert_true(djp__parse_double(djp__text(".5"), &real) && real == 0.5);
    assert_true(djp__parse_double(djp__text("5."), &real) && real == 5);
    assert_true(djp__parse_u64(djp__text(" 18446744073709551615 "), &whole) && whole == UINT64_MAX);
    assert_false(djp__parse_u64(djp__text("18446744073709551616"), &whole));
    assert_false(djp__parse_u64(djp__text("-1"), &whole));
    assert_false(djp__parse_u64(djp__text("1.0"), &whole));
    assert_false(djp__parse_u64(djp__text(NULL), &whole));
    assert_true(whole == UINT64_MAX);
}

static void
slices_split_trim_and_compare(void **state)
{
    (void)state;
    djp_text rest = djp__text("a, b ,,c"), part;
    const char *expected[] = {"a", "b", "", "c"};
    int count = 0;
    while (djp__text_split(&part, &rest, ',')) {
        assert_true(count < 4 && djp__text_equal(djp__text_trim(part), expected[count]));
        count++;
    }
    assert_int_equal(count, 4);
    rest = djp__text(NULL);
    assert_false(djp__text_split(&part, &rest, ','));
    assert_true(djp__text_equal_nocase(djp__text("TrUe"), "true"));
    assert_false(djp__text_equal_nocase(djp__text("true1"), "true"));
    assert_true(djp__text_equal(djp__text(NULL), NULL));
}

static void
check_made(djp__buf *buf, const char *expected)
{
    djp__buf_char(buf, '\0');
    assert_false(buf->failed);
    assert_string_equal(buf->data, expected);
    djp__buf_clear(buf);
}

/* Every pair of bytes at every place among sixteen digits, which are decoded at once, and behind
 * them. */
static void
hex_takes_lower_case_digits_only(void **state)
{
    (void)state;
    static const char digits[] = "0123456789abcdef";
    for (unsigned i = 0; i < 256u * 256u * 9u; i++) {
        char text[] = "0af79be18cd23456af", pair[2] = {(char)i, (char)(i >> 8)};
        uint8_t bytes[9];
        size_t place = i >> 16;
        memcpy(text + 2 * place, pair, 2);
        const char *high = pair[0] ? strchr(digits, pair[0]) : NULL,
                   *low = pair[1] ? strchr(digits, pair[1]) : NULL;
        int good = djp__hex_decode(bytes, 9, text);
        if (good != (high && low) ||
            (good && bytes[place] != (high - digits) * 16 + (low - digits))) {
            fail_msg("%02x %02x at %u", (unsigned char)pair[0], (unsigned char)pair[1],
                     (unsigned)place);
        }
    }
}

/* Of texts that differ in one place, or in size alone, no two have the same words. */
static void
short_texts_compare_as_words(void **state)
{
    (void)state;
    char text[17] = "PROPFINDPROPPATC", other[17];
    djp__text_words none = djp__text_to_words((djp_text){NULL, 0});
    for (size_t size = 1; size <= DJP__TEXT_WORDS_SIZE; size++) {
        djp__text_words words = djp__text_to_words((djp_text){text, size}), copy;
        assert_false(djp__text_words_equal(&words, &none));
        memcpy(other, text, sizeof other);
        copy = djp__text_to_words((djp_text){other, size});
        assert_true(djp__text_words_equal(&words, &copy));
        copy = djp__text_to_words((djp_text){other, size - 1});
        assert_false(djp__text_words_equal(&words, &copy));
        for (size_t place = 0; place < size; place++) {
            other[place] = (char)(other[place] ^ 0x80);
            copy = djp__text_to_words((djp_text){other, size});
            assert_false(djp__text_words_equal(&words, &copy));
            other[place] = text[place];
        }
    }
}

static void
codes_go_both_ways(void **state)
{
    (void)state;
    djp__buf buf;
    uint8_t bytes[3];
    djp__buf_init(&buf, 0);
    djp__buf_hex(&buf, "\x00\xab\xff", 3);
    check_made(&buf, "00abff");
    assert_true(djp__hex_decode(bytes, 3, "00abff"));
    assert_memory_equal(bytes, "\x00\xab\xff", 3);
    assert_false(djp__hex_decode(bytes, 3, "00aBff"));
    assert_false(djp__hex_decode(bytes, 3, "00 bff"));
    djp__percent_encode(&buf, djp__text("a b%/\xc3\xa9~"), "/");
    check_made(&buf, "a%20b%25/%C3%A9~");
    assert_true(djp__percent_decode(&buf, djp__text("a%20b+%2f%C3%a9")));
    check_made(&buf, "a b+/\xc3\xa9");
    static const char *const bad[] = {"%", "%2", "a%zz", "%2g"};
    for (size_t i = 0; i < 4; i++) {
        assert_false(djp__percent_decode(&buf, djp__text(bad[i])));
        djp__buf_clear(&buf);
    }
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < 5; i++) {
        djp__base64(&buf, pairs[i][0], strlen(pairs[i][0]));
        check_made(&buf, pairs[i][1]);
        assert_true(djp__base64_decode(&buf, djp__text(pairs[i][1])));
        check_made(&buf, pairs[i][0]);
    }
    assert_true(djp__base64_decode(&buf, djp__text("Zm8")));
    check_made(&buf, "fo");
    static const char *const broken[] = {"Z", "Zm8==", "Zm=8", "Zg=", "Zm9v=", "Zm 8", "Zh=="};
    for (size_t i = 0; i < 7; i++) {
        assert_false(djp__base64_decode(&buf, djp__text(broken[i])));
    }
    djp__buf_fini(&buf);
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

static void
test_fits_and_digits(void **state)
{
    (void)state;
    char room[24];
    djp_text text = djp__text("GET /health/live"), none = {NULL, 0};
    assert_true(djp__text_fits(text, text, 0) && djp__text_fits(text, text, 1) &&
                djp__text_fits(text, none, 1));
    assert_true(djp__text_fits(text, djp__text("GET /health"), 1) && djp__text_fits(none, none, 0));
    assert_false(djp__text_fits(text, djp__text("GET /health"), 0) ||
                 djp__text_fits(text, none, 0));
    assert_false(djp__text_fits(djp__text("GET"), text, 1) ||
                 djp__text_fits(text, djp__text("GET /heat"), 1));
    assert_true(djp__text_equal(djp__digits(room, 0), "0") &&
                djp__text_equal(djp__digits(room, -10), "-10"));
    assert_true(djp__text_equal(djp__digits(room, INT64_MAX), "9223372036854775807"));
    assert_true(djp__text_equal(djp__digits(room, INT64_MIN), "-9223372036854775808"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fits_and_digits),
        cmocka_unit_test(utf8_is_checked_and_repaired),
        cmocka_unit_test(random_bytes_repair_to_valid_text_of_any_size),
        cmocka_unit_test(prefixes_count_characters),
        cmocka_unit_test(doubles_read_back_equal_in_any_locale),
        cmocka_unit_test(numbers_are_parsed_strictly),
        cmocka_unit_test(slices_split_trim_and_compare),
        cmocka_unit_test(hex_takes_lower_case_digits_only),
        cmocka_unit_test(short_texts_compare_as_words),
        cmocka_unit_test(codes_go_both_ways),
        cmocka_unit_test(json_strings_are_escaped_and_repaired),
        cmocka_unit_test(integers_and_formats),
        cmocka_unit_test(limits_and_failures_stick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
