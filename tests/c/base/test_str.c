/* Slices of text, numbers in any locale, and short texts as words. */
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
        cmocka_unit_test(doubles_read_back_equal_in_any_locale),
        cmocka_unit_test(numbers_are_parsed_strictly),
        cmocka_unit_test(slices_split_trim_and_compare),
        cmocka_unit_test(short_texts_compare_as_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
