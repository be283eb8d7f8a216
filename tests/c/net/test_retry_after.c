/* Retry-After by its edges: the cap, the century of a year with two digits, and the last and first
 * moments of days, months and years. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/otlp_response.h"

#define NS 1000000000ull
#define JANUARY_31 1769860800ull /* 2026-01-31 12:00:00 */

/* Seconds from now; -1: it was not understood. */
static int64_t
after(const char *value, uint64_t now_unix_s)
{
    uint64_t delay_ns = 77;
    if (!djp__retry_after(&delay_ns, (djp_text){value, strlen(value)}, now_unix_s * NS)) {
        assert_int_equal(delay_ns, 0);
        return -1;
    }
    assert_int_equal(delay_ns % NS, 0);
    return (int64_t)(delay_ns / NS);
}

static void
an_hour_is_the_most(void **state)
{
    (void)state;
    assert_int_equal(after("3599", JANUARY_31), 3599);
    assert_int_equal(after("3600", JANUARY_31), 3600);
    assert_int_equal(after("3601", JANUARY_31), 3600);
    assert_int_equal(after("00000000000000000000005", JANUARY_31), 5);
    assert_int_equal(after("36000000000000000000001", JANUARY_31), 3600);
    assert_int_equal(after("Sat, 31 Jan 2026 12:59:59 GMT", JANUARY_31), 3599);
    assert_int_equal(after("Sat, 31 Jan 2026 13:00:00 GMT", JANUARY_31), 3600);
    assert_int_equal(after("Sat, 31 Jan 2026 13:00:01 GMT", JANUARY_31), 3600);
    assert_int_equal(after("Sat, 31 Jan 2026 12:00:00 GMT", JANUARY_31), 0);
    assert_int_equal(after("Sat, 31 Jan 2026 12:00:01 GMT", JANUARY_31), 1);
}

/* A year of two digits is at most fifty ahead. */
static void
the_century_of_two_digits(void **state)
{
    (void)state;
    assert_int_equal(after("Friday, 31-Jan-75 12:00:00 GMT", JANUARY_31), 3600); /* 49 ahead */
    assert_int_equal(after("Friday, 31-Jan-76 12:00:00 GMT", JANUARY_31), 3600); /* 50 */
    assert_int_equal(after("Friday, 31-Jan-77 12:00:00 GMT", JANUARY_31), 0); /* 1977 */
    assert_int_equal(after("Friday, 31-Jan-25 12:00:00 GMT", JANUARY_31), 0);
    assert_int_equal(after("Friday, 31-Jan-26 12:00:30 GMT", JANUARY_31), 30);
    assert_int_equal(after("Friday, 31-Jan-00 12:00:30 GMT", JANUARY_31), 0);
    /* as if it were 1970: 1969 is no time */
    assert_int_equal(after("Friday, 31-Jan-69 12:00:30 GMT", 100), -1);
}

/* Each first second of a month follows the last one of the month before. */
static void
months_follow_each_other(void **state)
{
    (void)state;
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const int years[] = {1970, 1972, 1999, 2000, 2023, 2024, 2100};
    static const uint64_t begins[] = {0,          63072000,   915148800, 946684800,
                                      1672531200, 1704067200, 4102444800};
    for (size_t y = 0; y < sizeof years / sizeof years[0]; y++) {
        int leap = years[y] % 4 == 0 && years[y] != 2100;
        uint64_t begin = begins[y];
        for (int m = 0; m < 12; m++) {
            int days = m == 1 ? 28 + leap : m == 3 || m == 5 || m == 8 || m == 10 ? 30 : 31;
            char text[64];
            snprintf(text, sizeof text, "Mon, 01 %s %04d 00:00:07 GMT", names[m], years[y]);
            assert_int_equal(after(text, begin), 7);
            snprintf(text, sizeof text, "Mon %s  1 00:00:07 %04d", names[m], years[y]);
            assert_int_equal(after(text, begin), 7);
            snprintf(text, sizeof text, "Mon, %02d %s %04d 23:59:59 GMT", days, names[m], years[y]);
            assert_int_equal(after(text, begin + (uint64_t)days * 86400 - 60), 59);
            snprintf(text, sizeof text, "Mon, %02d %s %04d 23:59:59 GMT", days + 1, names[m],
                     years[y]);
            assert_int_equal(after(text, begin), -1);
            begin += (uint64_t)days * 86400;
        }
        assert_int_equal(begin, begins[y] + (365 + (uint64_t)leap) * 86400);
    }
}

static void
parts_of_a_date_have_their_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t want;
    } cases[] = {
        {"Sat, 31 Jan 2026 12:00:59 GMT", 59},   {"Sat, 31 Jan 2026 12:00:60 GMT", 60},
        {"Sat, 31 Jan 2026 12:00:61 GMT", -1},   {"Sat, 31 Jan 2026 12:59:00 GMT", 3540},
        {"Sat, 31 Jan 2026 12:60:00 GMT", -1},   {"Sat, 31 Jan 2026 23:00:00 GMT", 3600},
        {"Sat, 31 Jan 2026 24:00:00 GMT", -1},   {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},   {"Sat, 31 Jan 2026 12:00:5 GMT", -1},
        {"Sat, 1 Feb 2026 12:00:05 GMT", -1},    {"Sat,  1 Feb 2026 12:00:05 GMT", -1},
        {"Sun Feb  1 12:00:05 2026", 3600},      {"Sun Feb 01 12:00:05 2026", 3600},
        {"Sun Feb 1 12:00:05 2026", -1},         {"Sunday, 01-Feb-2026 12:00:05 GMT", -1},
        {"Sunday, 01 Feb 26 12:00:05 GMT", -1},  {"Sun, 01-Feb-26 12:00:05 GMT", -1},
        {"Saturday, 31-Jan-26 12:00:05 GMT", 5}, {"Monday, 31-Jan-26 12:00:05 GMT", 5},
        {"Tuesday, 31-Jan-26 12:00:05 GMT", 5},  {"Wednesday, 31-Jan-26 12:00:05 GMT", 5},
        {"Thursday, 31-Jan-26 12:00:05 GMT", 5}, {"Friday, 31-Jan-26 12:00:05 GMT", 5},
        {"Xunday, 31-Jan-26 12:00:05 GMT", -1},  {"Sat, 31 Jan 2026 12:00:05 GMT ", 5},
        {"Sat, 31 Jan 2026 12:00:05 GMTx", -1},  {"Sat, 31 Foo 2026 12:00:05 GMT", -1},
        {"Sat, 31 Jan 2026 12.00:05 GMT", -1},   {"Sat, 31 Jan 2026 12:0", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (after(cases[i].value, JANUARY_31) != cases[i].want) {
            fail_msg("%s: %lld", cases[i].value, (long long)after(cases[i].value, JANUARY_31));
        }
    }
}

static const struct {
    const char *value;
    int64_t want; /* seconds; -1: not valid */
} forms[] = {
    {"0", 0},
    {"7", 7},
    {"  120 ", 120},
    {"3601", 3600},
    {"99999999999999999999999999", 3600},
    {"Sat, 31 Jan 2026 12:00:30 GMT", 30},
    {"Saturday, 31-Jan-26 12:01:00 GMT", 60},
    {"Sat Jan 31 12:02:00 2026", 120},
    {"Sun Feb  1 00:00:00 2026", 3600},
    {"Sat, 31 Jan 2026 11:59:59 GMT", 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 0},
    {"Sun Nov  6 08:49:37 1994", 0},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 3600},
    {"Sat, 31 Jan 2026 12:00:60 GMT", 60},
    {"", -1},
    {" ", -1},
    {"-1", -1},
    {"+1", -1},
    {"1.5", -1},
    {"1s", -1},
    {"soon", -1},
    {"Sat, 31 Jan 2026 12:00:30", -1},
    {"Sat, 31 Jan 2026 12:00:30 UTC", -1},
    {"Sat, 31 Jan 2026 24:00:30 GMT", -1},
    {"Sat, 29 Feb 2026 12:00:30 GMT", -1},
    {"Thu, 29 Feb 2024 12:00:30 GMT", 0},
    {"Sat, 00 Jan 2026 12:00:30 GMT", -1},
    {"Sat, 31 jan 2026 12:00:30 GMT", -1},
    {"Sat,31 Jan 2026 12:00:30 GMT", -1},
    {"Sat, 31 Jan 1969 12:00:30 GMT", -1},
    {"Sat", -1},
    {"Sat Jan 31 12:02:00 2026 GMT", -1},
};

static void
all_forms_are_read_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (after(forms[i].value, JANUARY_31) != forms[i].want) {
            fail_msg("%s: %lld", forms[i].value, (long long)after(forms[i].value, JANUARY_31));
        }
    }
}

/* A delay ends at the date, not before it. */
static void
the_rest_of_a_second_counts(void **state)
{
    uint64_t delay;
    (void)state;
    assert_int_equal(djp__retry_after(&delay, (djp_text){"Sat, 31 Jan 2026 12:00:01 GMT", 29},
                                      JANUARY_31 * NS + NS / 2),
                     1);
    assert_int_equal(delay, NS / 2);
    delay = 7;
    assert_int_equal(djp__retry_after(&delay, (djp_text){NULL, 0}, 0), 0);
    assert_int_equal(delay, 0);
    assert_int_equal(djp__retry_after(&delay, (djp_text){"123", 2}, 0), 1); /* only its bytes */
    assert_int_equal(delay, 12 * NS);
    assert_int_equal(
        djp__retry_after(&delay, (djp_text){"Sat, 31 Jan 2026 12:00:01 GMT", 28}, JANUARY_31 * NS),
        0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_read_and_nothing_else),
        cmocka_unit_test(the_rest_of_a_second_counts),
        cmocka_unit_test(an_hour_is_the_most),
        cmocka_unit_test(the_century_of_two_digits),
        cmocka_unit_test(months_follow_each_other),
        cmocka_unit_test(parts_of_a_date_have_their_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
